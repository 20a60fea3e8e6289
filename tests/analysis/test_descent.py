"""Training learns as the flow does, halves frequencies by the laws, and ends with a reason."""

import numpy as np
import pytest

from solvenet.analysis import (
    Ending,
    QuadratureProblem,
    ReLUProblem,
    balanced_weights,
    cosine_probes,
    descend,
    fit_power_law,
    gauss_rule,
    gradient_flow,
    half_time_bound,
    half_time_law,
    integrate_flow,
    uniform_biases,
)
from solvenet.errors import InvalidDataError, InvalidSettingError, SolvenetWarning

N = 400


def cosine(m, probes=None):
    return ReLUProblem(lambda x: np.cos(m * np.pi * x), probes=probes)


def halved(record):
    return record.step > 0 and record.projections[0] < 0.45


def half_time(m, amplitude, **setting):
    a = balanced_weights(N, amplitude)
    setting = {"n_steps": 200_000, "n_records": 1000, "callback": halved} | setting
    return descend(cosine(m), a, uniform_biases(N), **setting)


def test_fixed_biases_follow_the_closed_form():
    b = uniform_biases(40)
    x, weights = gauss_rule(b, 6)
    units, f = np.maximum(x[:, None] - b, 0), np.cos(2 * np.pi * x)
    probes = cosine_probes([1, 2])
    problem = cosine(2, probes)
    run = descend(problem, np.ones(40), b, n_steps=500, step=0.02, train_biases=False)
    flow = gradient_flow(units, f, weights=weights, start=np.ones(40)).stepped(0.02)
    np.testing.assert_allclose(run.a, flow.coefficients(10.0), rtol=1e-9)
    expected = flow.projections(run.times, np.stack([probe(x) for probe in probes], axis=1))
    np.testing.assert_allclose(run.projections, expected, atol=1e-9)
    assert run.ending is Ending.FINISHED
    assert run.steps[0] == 0
    assert run.steps[-1] == 500
    np.testing.assert_array_equal(run.b, b)


def test_integrator_of_fixed_biases_follows_the_closed_form():
    b = uniform_biases(20)
    x, weights = gauss_rule(b, 6)
    units, f = np.maximum(x[:, None] - b, 0), np.cos(np.pi * x)
    flow = gradient_flow(units, f, weights=weights)
    for method in ("RK45", "BDF"):
        run = integrate_flow(
            cosine(1), np.zeros(20), b, duration=20.0, method=method, train_biases=False, rtol=1e-8
        )
        assert run.times[-1] == 20.0
        np.testing.assert_allclose(run.a, flow.coefficients(20.0), atol=1e-5)
        np.testing.assert_allclose(run.half_times(), flow.half_times(), rtol=1e-3)
    assert run.steps[-1] < 1000  # implicit


def test_small_steps_and_the_integrator_reach_the_same_weights_and_biases():
    b, a = uniform_biases(30), balanced_weights(30, 1.0)
    exact = integrate_flow(cosine(2), a, b, duration=2.0, method="DOP853", rtol=1e-10, atol=1e-12)
    errors = []
    for step in (4e-3, 2e-3):
        run = descend(cosine(2), a, b, n_steps=round(2 / step), step=step)
        errors.append(np.abs(np.concatenate([run.a - exact.a, run.b - exact.b])).max())
    assert errors[0] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)  # explicit steps: first order
    assert np.abs(exact.b - b).max() > 0.01
    assert (np.diff(exact.losses) <= 1e-12).all()


@pytest.mark.parametrize(("amplitude", "highest"), [(0.0, 3), (1.0, 4), (3.0, 8), (10.0, 16)])
def test_trained_biases_halve_by_the_lazy_law(amplitude, highest):
    """Must reach c: within 10 % of the law where it holds; never before the bound."""
    m = np.array([3, 4, 6, 8, 12, 16])
    m = m[m <= highest]
    times = np.array([half_time(k, amplitude).half_times()[0] for k in m])
    ratio = times / half_time_law(m, N, amplitude=amplitude)
    if amplitude:
        np.testing.assert_allclose(ratio, 1, atol=0.1)
    else:  # weights grow from zero, and the biases begin to help
        assert (ratio < 0.8).all()
    assert (times >= half_time_bound(m, N, amplitude=amplitude)).all()
    if highest == 16:
        assert fit_power_law(m, times).slope == pytest.approx(2.0, abs=0.1)


def test_high_frequencies_stall_where_the_weights_are_too_small():
    """The barrier of total variation: n A = 400 is less than 2 pi m**2 from m = 8 on."""
    run = half_time(12, 1.0, n_steps=8000)
    assert run.half_times()[0] == np.inf
    assert run.times[-1] > 2 * half_time_law(12, N, amplitude=1.0)
    assert run.ending is Ending.FINISHED


def test_adam_learns_as_often_measured():
    """Steps of a prototype that evaluated the network on a grid; 1 % is one step in a hundred."""
    steps = [half_time(m, 0.0, optimizer="adam", train_biases=False) for m in (1, 2, 4, 6)]
    found = [run.half_steps()[0] for run in steps]
    np.testing.assert_allclose(found, [20, 156, 923, 2316], rtol=0.01, atol=1)
    trained = [half_time(m, 1.0, optimizer="adam").half_steps()[0] for m in (1, 2, 4, 8)]
    assert fit_power_law([1, 2, 4, 8], trained).slope == pytest.approx(1.7, abs=0.2)


def test_adam_is_that_of_its_paper():
    problem, b = cosine(1), uniform_biases(5)
    run = descend(problem, np.ones(5), b, n_steps=7, optimizer="adam", step=0.1)
    theta, mean, square = np.concatenate([np.ones(5), b]), np.zeros(10), np.zeros(10)
    for i in range(1, 8):
        g = np.concatenate(problem.gradient(theta[:5], theta[5:]))
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        root = np.sqrt(square / (1 - 0.999**i)) + 1e-8
        theta -= 0.1 * mean / (1 - 0.9**i) / root
    np.testing.assert_allclose(np.concatenate([run.a, run.b]), theta, rtol=1e-10)
    np.testing.assert_allclose(run.times, run.steps * 0.1)


@pytest.mark.parametrize(
    "unit",
    [
        "relu", "relu^2", "relu^5", "tanh", "sigmoid", "gelu", "sin", "cos", "gaussian", "hat",
    ],
)  # fmt: skip
def test_gradients_of_every_unit_are_those_of_the_loss(unit):
    problem = QuadratureProblem(lambda x: np.cos(3 * x), activation=unit, scale=2.5, n_points=8000)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(6), rng.uniform(-0.9, 0.9, 6)
    grad_a, grad_b = problem.gradient(a, b)
    h = 1e-5
    for i, move in enumerate(h * np.eye(6)):
        by_a = (problem.loss(a + move, b) - problem.loss(a - move, b)) / (2 * h)
        by_b = (problem.loss(a, b + move) - problem.loss(a, b - move)) / (2 * h)
        assert grad_a[i] == pytest.approx(by_a, rel=1e-5, abs=1e-6)
        # A kink between points of the grid is seen only to the order of its cells.
        assert grad_b[i] == pytest.approx(
            by_b, rel=1e-5, abs=2e-3 if unit in ("relu", "hat") else 1e-6
        )
    fixed = problem.workspace(b, train_biases=False)
    grad = np.empty(6)
    fixed.gradient(a, b, grad, None)
    np.testing.assert_allclose(grad, grad_a, atol=1e-10)
    moving = problem.workspace(b, train_biases=True)
    assert fixed.measure(a, b)[0] == pytest.approx(moving.measure(a, b)[0])
    assert moving.curvature(a, b) > fixed.curvature(a, b) > np.linalg.eigvalsh(fixed.gram)[-1]


def test_a_grid_agrees_with_the_exact_problem():
    b, a = uniform_biases(20)[:-1], balanced_weights(19, 1.0)
    exact, grid = cosine(2), QuadratureProblem(exact_target, activation="relu", n_points=8000)
    for one, other in zip(exact.gradient(a, b), grid.gradient(a, b), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    runs = [descend(problem, a, b, n_steps=60, step=0.01) for problem in (exact, grid)]
    np.testing.assert_allclose(runs[0].losses, runs[1].losses, atol=1e-4)
    x = np.linspace(-1, 1, 7)
    np.testing.assert_allclose(exact.values(x, a, b), grid.values(x, a, b), atol=1e-13)


def exact_target(x):
    return np.cos(2 * np.pi * x)


def test_smoother_units_learn_later():
    b, f = uniform_biases(100), lambda x: np.cos(4 * np.pi * x)
    left = []
    for unit in ("relu", "relu^2", "tanh"):
        problem = QuadratureProblem(f, activation=unit, n_points=800)
        run = descend(problem, np.zeros(100), b, n_steps=25_000, train_biases=False)
        left.append(run.projections[-1, 0])
    assert left[0] < 0.5 < left[1] < left[2]


def test_callback_sees_every_record_and_can_stop():
    seen = []

    def callback(record):
        seen.append(record)
        return record.loss < 0.3

    run = descend(cosine(1), np.zeros(50), uniform_biases(50), n_steps=5000, callback=callback)
    assert run.ending is Ending.STOPPED
    assert [record.step for record in seen] == run.steps.tolist()
    assert run.losses[-1] < 0.3 <= run.losses[-2]
    assert run.steps[-1] < 5000


@pytest.mark.parametrize("train", [descend, integrate_flow])
def test_an_interrupted_run_returns_what_it_has(train):
    def interrupt(record):
        if record.time > 0.1:
            raise KeyboardInterrupt

    limit = {"n_steps": 10_000} if train is descend else {"duration": 100.0}
    problem, a = cosine(1), np.zeros(20)
    run = train(problem, a, uniform_biases(20), callback=interrupt, **limit)
    assert run.ending is Ending.INTERRUPTED
    assert 0.1 < run.times[-1] < 10
    assert run.losses[-1] == pytest.approx(problem.loss(run.a, run.b))
    assert run.losses[-1] < run.losses[0]
    np.testing.assert_array_equal(a, 0)  # what was given is left alone


def test_a_step_that_is_too_large_is_warned_of():
    with pytest.warns(SolvenetWarning, match="diverged by step"):
        run = descend(
            cosine(1), np.zeros(20), uniform_biases(20), n_steps=3000, step=1.0, train_biases=False
        )
    assert run.ending is Ending.DIVERGED
    assert run.steps[-1] < 3000


def test_what_never_halves_is_infinite_and_ends_are_on_time():
    run = integrate_flow(
        cosine(8), np.zeros(10), uniform_biases(10), duration=0.5, n_records=7, method="RK23"
    )
    assert run.half_times()[0] == np.inf
    assert len(run.times) == 7
    assert run.times[-1] == 0.5
    stopped = integrate_flow(
        cosine(1), np.zeros(10), uniform_biases(10), duration=50.0, callback=halved
    )
    assert stopped.ending is Ending.STOPPED


def test_an_interrupt_at_the_start_is_one():
    def interrupt(_):
        raise KeyboardInterrupt

    options = {"callback": interrupt}
    for run in (
        descend(cosine(1), np.zeros(5), uniform_biases(5), n_steps=9, **options),
        integrate_flow(cosine(1), np.zeros(5), uniform_biases(5), duration=1.0, **options),
    ):
        assert run.ending is Ending.INTERRUPTED
        assert len(run.times) == 1


def test_a_constant_function_is_one():
    run = descend(ReLUProblem(lambda _: 1.0), np.zeros(5), uniform_biases(5), n_steps=50)
    assert run.losses[-1] < run.losses[0] == pytest.approx(1.0)


def test_one_unit_is_a_network():
    run = descend(cosine(1), np.zeros(1), np.zeros(1), n_steps=100)
    assert run.losses[-1] < run.losses[0]


@pytest.mark.parametrize("bias", [1.0, 1.5])
def test_units_that_vanish_on_the_interval_stay_where_they_are(bias):
    run = descend(cosine(1), np.ones(2), np.full(2, bias), n_steps=10)
    np.testing.assert_array_equal(run.b, bias)
    np.testing.assert_array_equal(run.a, 1)
    run = integrate_flow(cosine(1), np.ones(2), np.full(2, bias), duration=1.0)
    np.testing.assert_array_equal(run.a, 1)


def test_balanced_weights_nearly_vanish():
    b = uniform_biases(400)
    x = np.linspace(-1, 1, 1001)
    problem = cosine(1)
    assert np.abs(problem.values(x, balanced_weights(400, 1.0), b)).max() < 4 / 400
    assert np.abs(problem.values(x, np.resize([1.0, -1.0], 400), b)).max() > 0.9


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_steps": 0}, "n_steps=0"),
        ({"n_steps": 5, "optimizer": "newton"}, "adam, gradient"),
        ({"n_steps": 5, "step": 0.0}, "above 0"),
        ({"n_steps": 5, "step": -1.0}, "step=-1"),
        ({"n_steps": 5, "n_records": 1}, "n_records=1"),
    ],
)
def test_bad_settings_are_refused(setting, message):
    with pytest.raises(InvalidSettingError, match=message):
        descend(cosine(1), np.zeros(3), np.zeros(3), **setting)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"duration": 0.0}, "above 0"),
        ({"duration": -1.0}, "duration=-1"),
        ({"duration": 1.0, "n_records": 1}, "n_records=1"),
        ({"duration": np.inf}, "duration=inf"),
        ({"duration": 1.0, "method": "Euler"}, "RK45"),
        ({"duration": 1.0, "rtol": -1.0}, "rtol=-1"),
    ],
)
def test_bad_flows_are_refused(setting, message):
    with pytest.raises(InvalidSettingError, match=message):
        integrate_flow(cosine(1), np.zeros(3), np.zeros(3), **setting)


def test_bad_problems_are_refused():
    with pytest.raises(InvalidDataError, match="3 weights were given for 2 biases"):
        descend(cosine(1), np.zeros(3), np.zeros(2), n_steps=1)
    with pytest.raises(InvalidSettingError, match="activation='elu'"):
        QuadratureProblem(np.cos, activation="elu")
    with pytest.raises(InvalidSettingError, match="no derivative"):
        QuadratureProblem(np.cos, activation="heaviside")
    with pytest.raises(InvalidDataError, match="a list of them"):
        QuadratureProblem(np.cos, probes=np.cos)
    with pytest.raises(InvalidDataError, match="a list of them"):
        ReLUProblem(np.cos, probes=np.cos)
    with pytest.raises(InvalidSettingError, match="scale=0"):
        QuadratureProblem(np.cos, scale=0.0)
    with pytest.raises(InvalidSettingError, match="n_points=3"):
        QuadratureProblem(np.cos, n_points=3)
    with pytest.raises(InvalidDataError, match="a probe"):
        QuadratureProblem(np.cos, probes=[lambda x: x * np.nan])
    with pytest.raises(InvalidSettingError, match="a frequency=-1"):
        cosine_probes([-1])
    with pytest.raises(InvalidSettingError, match="amplitude"):
        balanced_weights(3, -1.0)
