"""Solving structured networks: steps, methods, what ends them, memory, bad input."""

import tracemalloc

import numpy as np
import pytest

from solvenet.errors import (
    DomainWarning,
    FewRowsWarning,
    InvalidDataError,
    InvalidSettingError,
    MemoryLimitError,
)
from solvenet.structured import Ending, Field, balanced, memory_bytes, random_mmnn, solve_mmnn
from solvenet.structured.linearization import Linearization
from solvenet.structured.marquardt import DampedSystem
from solvenet.structured.samples import Grading

x = np.linspace(-1, 1, 200)


def wave(x):
    return np.sin(8 * np.pi * x)


def small(**settings):
    return random_mmnn(**({"width": 20, "rank": 3, "depth": 3, "activation": "sin"} | settings))


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("n_rows", [12, 900])
def test_a_step_is_the_damped_least_squares_solution(n_rows, n_outputs, fixed, rng):
    """In both forms; the predicted fall of the error is that of the linear model."""
    network = small(n_outputs=n_outputs, fixed=fixed, n_inputs=2, scale=3.0)
    Z = rng.uniform(-1, 1, (n_rows, 2))
    network = balanced(network, Z)
    at = Linearization(network, Z)
    system = DampedSystem(at)
    assert system.dual == (n_rows == 12)
    r = rng.standard_normal(at.n_rows)
    step, gain = system.solve(r, 1e-3)
    J = at.jacobian()
    metric = np.concatenate(
        [np.full(p.size, s) for p, s in zip(network.parameters(), at.squares(), strict=True)]
    )
    ridge = 1e-3 * len(step)  # each array contributes one to the mean squared row
    wanted = np.linalg.solve(J.T @ J + ridge * np.diag(metric), J.T @ r)
    found = np.concatenate([d.ravel() for d in step])
    assert np.linalg.norm((found - wanted) * np.sqrt(metric)) < 1e-8 * np.linalg.norm(
        wanted * np.sqrt(metric)
    )
    assert gain == pytest.approx(r @ r - np.sum((r - J @ wanted) ** 2), rel=1e-8)


def test_only_active_arrays_change(rng):
    network = balanced(small(), x)
    at = Linearization(network, network.scaled(x))
    for n in (10, 200):
        at = Linearization(network, network.scaled(x[:n]))
        step, _ = DampedSystem(at, active=[1]).solve(rng.standard_normal(n), 1e-3)
        assert [bool(np.any(d)) for d in step] == [False, True, False]


@pytest.mark.parametrize("method", ["lm", "als", "spring"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_methods_lower_the_error(method, n_outputs):
    y = np.stack([wave(x), np.abs(x)], axis=1)[:, :n_outputs]
    result = solve_mmnn(small(n_outputs=n_outputs), x, y, method=method, max_steps=60)
    assert result.method == method
    assert result.mse < 1e-4 * y.var()
    values = result(x).reshape(y.shape)
    assert np.mean((y - values) ** 2) == pytest.approx(result.mse, rel=1e-6)
    assert result.n_parameters == result.network.n_parameters
    assert len(result.history) <= 60
    if method != "spring":
        errors = [record.mse for record in result.history]
        assert all(np.diff(errors) < 0)


def test_a_wave_is_right_between_the_rows():
    result = solve_mmnn(small(width=60), x, wave(x), method="lm")
    between = (x[1:] + x[:-1]) / 2
    assert np.mean((result(between) - wave(between)) ** 2) < 1e-8


def test_relu_starts_flat_and_is_cured_by_preparing():
    network = small(width=40, activation="relu")
    flat = solve_mmnn(network, x, wave(x), method="lm", max_steps=15, prepare=False)
    cured = solve_mmnn(network, x, wave(x), method="lm", max_steps=15)
    assert cured.mse < 0.1 * flat.mse


@pytest.mark.parametrize("method", ["auto", "spring"])
def test_a_field_is_sampled_on_its_domain(method):
    seen = []

    def function(X):
        seen.append((X.min(axis=0), X.max(axis=0)))
        return np.tanh(3 * (X[:, 0] - 2)) * X[:, 1]

    low, high = np.array([1.0, -0.5]), np.array([3.0, 0.5])
    network = small(n_inputs=2, activation="tanh", low=low, high=high, scale=3.0)
    result = solve_mmnn(network, Field(function), method=method, max_steps=40, batch=150)
    assert all((low <= a).all() and (b <= high).all() for a, b in seen)
    rng = np.random.default_rng(1)
    X = rng.uniform(low, high, (500, 2))
    assert np.mean((result(X) - function(X)) ** 2) < 1e-5


def test_shallow_networks_win_on_smooth_functions_and_the_reason_says_so():
    result = solve_mmnn(small(), x, np.exp(x), max_steps=3)
    assert result.method == "shallow"
    assert result.network is None
    assert result.held_out < 1e-20
    assert result.ending is Ending.DIRECT


def test_structured_networks_win_on_local_detail():
    x = np.linspace(-1, 1, 400)
    y = np.where(np.abs(x) < 0.1, np.sin(10 * np.pi * x), 0.0)
    network = random_mmnn(10, 3, 4, activation="tanh", fixed=False)
    result = solve_mmnn(network, x, y, max_steps=150)
    assert result.network is not None
    assert "mean squared error" in result.reason
    shallow = solve_mmnn(network, x, y, method="shallow")
    assert result.held_out < shallow.held_out


def test_a_correction_is_added_where_it_helps():
    network = small(width=40)
    plain = solve_mmnn(network, Field(wave), method="lm", max_steps=30, batch=600)
    both = solve_mmnn(network, Field(wave), method="lm", max_steps=30, batch=600, correct=True)
    assert both.correction is not None
    assert both.mse < 1e-3 * plain.mse
    assert both.n_parameters == both.network.n_parameters + both.correction.n_parameters


@pytest.mark.parametrize("method", ["auto", "als", "spring"])
def test_same_seed_same_result(method):
    one, other = (
        solve_mmnn(small(), Field(wave), method=method, max_steps=5, batch=200, random_state=3)
        for _ in range(2)
    )
    assert np.array_equal(one(x), other(x))
    assert one.history == other.history


def test_hard_samples_are_found_and_kept_in_sight(rng):
    """A spot of a five-hundredth of the domain gets most of the samples drawn for it."""
    spot = Field(lambda X: (np.hypot(X[:, 0] - 0.3, X[:, 1]) < 0.05).astype(float))
    grading = Grading(spot.within(small(n_inputs=2)), 0.5)
    for _ in range(5):
        Z, Y = grading.draw(lambda _, Y: Y, rng, 400)
    assert Z.shape == (400, 2)
    assert np.abs(Z).max() <= 1
    assert np.array_equal(Y, spot.values(Z))
    assert Y[200:].mean() > 0.9
    assert Y[:200].mean() < 0.05


class TestEndings:
    def test_tolerance(self):
        result = solve_mmnn(small(width=60), x, wave(x), method="lm", tolerance=1e-3)
        assert result.ending is Ending.CONVERGED
        assert result.mse < 1e-6

    def test_callback(self):
        records = []

        def stop(record):
            records.append(record)
            return len(records) == 4

        result = solve_mmnn(small(), x, wave(x), method="lm", callback=stop)
        assert result.ending is Ending.STOPPED
        assert [record.step for record in records] == [1, 2, 3, 4]
        assert result.history == tuple(records)

    @pytest.mark.parametrize("method", ["auto", "lm", "als", "spring"])
    def test_the_keyboard(self, method):
        def interrupt(record):
            if record.step == 3:
                raise KeyboardInterrupt

        y = np.abs(x - 0.1) ** 0.5
        result = solve_mmnn(small(), x, y, method=method, callback=interrupt)
        assert result.ending is Ending.INTERRUPTED
        assert len(result.history) == 3
        assert result.mse < y.var()

    def test_steps(self):
        result = solve_mmnn(small(), x, wave(x), method="lm", max_steps=2)
        assert result.ending is Ending.STEPS_ENDED
        assert "All steps were made" in result.ending.value

    def test_no_step_helps(self):
        result = solve_mmnn(small(width=3, rank=1, depth=2), x, wave(x), method="lm", max_steps=900)
        assert result.ending is Ending.STAGNATED

    def test_what_fits_its_samples_only_diverges(self):
        """Three samples a step, hardly any damping: between them the values explode."""
        network = small(width=60, activation="tanh", scale=200.0)
        result = solve_mmnn(
            network, Field(wave), method="spring", batch=3, max_steps=300, damping=1e-15,
            share=0.0, prepare=False,
        )  # fmt: skip
        assert result.ending is Ending.DIVERGED
        assert len(result.history) < 300
        errors = [record.mse for record in result.history]
        assert np.isfinite(result.mse)
        assert result.mse < 1e4
        assert max(errors) > 10 * min(errors)

    def test_a_constant_target(self):
        result = solve_mmnn(small(), x, np.full_like(x, 7.0))
        assert np.allclose(result(x), 7, rtol=1e-12)


@pytest.mark.parametrize("method", ["lm", "spring"])
@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("n_rows", [300, 1500])
def test_memory_of_a_step_is_as_stated(n_rows, fixed, method):
    network = random_mmnn(60, 6, 4, n_inputs=2, activation="tanh", fixed=fixed)
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (n_rows, 2))
    y = np.sin(5 * X[:, 0] * X[:, 1])
    tracemalloc.start()
    try:
        solve_mmnn(network, X, y, method=method, batch=n_rows, max_steps=2, prepare=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    bound = memory_bytes(network, n_rows)
    assert peak <= bound
    assert bound < 6 * peak


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"method": "adam"}, "method='adam'"),
            ({"max_steps": 0}, "max_steps=0"),
            ({"tolerance": -1.0}, "tolerance=-1.0"),
            ({"damping": 0.0}, "damping=0.0"),
            ({"damping": (1.0, -1.0)}, "damping=-1.0"),
            ({"momentum": 1.0}, "momentum=1.0"),
            ({"share": 1.5}, "share=1.5"),
            ({"batch": 0}, "batch=0"),
            ({"memory_limit": "much"}, "memory_limit"),
            ({"random_state": "a"}, "random_state"),
        ],
    )
    def test_settings(self, settings, says):
        with pytest.raises(InvalidSettingError, match=says):
            solve_mmnn(small(), x, wave(x), **settings)

    def test_data(self):
        with pytest.raises(InvalidDataError, match="NaN"):
            solve_mmnn(small(), x, np.where(x > 0, np.nan, x))
        with pytest.raises(InvalidDataError, match="NaN"):
            solve_mmnn(small(), np.where(x > 0, np.inf, x), x)
        with pytest.raises(InvalidDataError, match="at least one row"):
            solve_mmnn(small(), x[:0], x[:0])
        with pytest.raises(InvalidDataError, match="y of shape"):
            solve_mmnn(small(), x, x[1:])
        with pytest.raises(InvalidDataError, match="without y"):
            solve_mmnn(small(), x)
        with pytest.raises(InvalidDataError, match="Leave out y"):
            solve_mmnn(small(), Field(wave), x)
        with pytest.raises(InvalidDataError, match="2 outputs"):
            solve_mmnn(small(), Field(lambda x: np.stack([x, x], axis=1)))
        with pytest.raises(InvalidDataError, match="NaN"):
            solve_mmnn(small(), Field(lambda x: np.full_like(x, np.nan)))
        with pytest.raises(InvalidDataError, match="returned shape"):
            solve_mmnn(small(), Field(lambda x: x[1:]))

    def test_rows_outside_of_the_domain_are_warned_of(self):
        with pytest.warns(DomainWarning, match=r"100 of 200 rows .* the first at \[-2"):
            solve_mmnn(small(), 2 * x, x, method="lm", max_steps=1)

    def test_too_few_rows_are_warned_of(self):
        with pytest.warns(FewRowsWarning, match="5 targets for 147 parameters"):
            solve_mmnn(small(), x[:5], x[:5], method="lm", max_steps=1)

    def test_too_many_rows_for_the_memory(self):
        with pytest.raises(MemoryLimitError, match='method="spring"'):
            solve_mmnn(small(), x, wave(x), method="lm", memory_limit="100KB")
