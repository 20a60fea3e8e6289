"""Networks that grow by units sampled from their residual."""

import numpy as np
import pytest

from solvenet import SVD, SWIM, DeflatedSplit, RandomFeatures
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features import get_activation
from solvenet.growing import grow_network
from solvenet.solvers import StopReason


def waves(n_rows, a, seed=0):
    X, X_test = np.random.default_rng(seed).random((2, n_rows, 2))
    return X, np.sin(a * X.sum(axis=1)), X_test, np.sin(a * X_test.sum(axis=1))


class Watched(SWIM):
    """SWIM that remembers what it was asked to sample for."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "seen", [])

    def sample(self, X, Y, width, **options):
        self.seen.append(Y.copy())
        return super().sample(X, Y, width, **options)


@pytest.mark.parametrize("rcond", [1e-8, 1e-12])
def test_growth_is_at_least_as_accurate_as_all_units_at_once(rcond):
    """At equal width and cutoff, with the truncated SVD; near to it where both deflate."""
    X, y, X_test, truth = waves(2000, 10)
    growth = grow_network(X, y, max_units=400, n_units_per_step=50, scaling=None, rcond=rcond)
    grown = np.abs(growth.network(X_test)[:, 0] - truth).mean()
    layer = SWIM().sample(X, y[:, None], 400, activation=get_activation("tanh"))
    at_once, deflated = (
        np.abs(layer(X_test) @ found.coef + found.intercept - truth).mean()
        for found in (
            solver.solve(layer(X), y, rcond=rcond, intercept=True)
            for solver in (SVD(), DeflatedSplit(8, "ordered"))
        )
    )
    assert growth.network.hidden.n_features_out == 400
    assert grown < at_once
    assert grown < 3 * deflated


def test_the_score_is_the_error_on_new_points():
    X, y, X_test, truth = waves(1500, 5)
    growth = grow_network(X, y, max_units=150, n_units_per_step=30, seed=3)
    error = np.sqrt(np.mean((growth.network(X_test)[:, 0] - truth) ** 2)) / np.std(truth)
    assert 0.3 < error / growth.result.curve.score**0.5 < 3


def test_units_are_sampled_for_what_is_left():
    X, y, _, _ = waves(400, 3)
    sampler = Watched()
    growth = grow_network(X, y, sampler=sampler, max_units=60, n_units_per_step=20)
    assert np.allclose(sampler.seen[0][:, 0], y - y.mean())
    left = growth.result.history.residual_norms[:, 0]
    assert np.allclose([np.linalg.norm(Y) for Y in sampler.seen], left[:3])
    # The last residual is that of the network, all of whose weights come at the end.
    assert np.linalg.norm(growth.network(X)[:, 0] - y) == pytest.approx(left[-1], rel=1e-6)
    assert left[-1] == pytest.approx(growth.result.residual_norm[0], rel=1e-6)


def test_growth_is_the_least_squares_fit_of_its_units():
    X, y, _, _ = waves(500, 2)
    w = np.random.default_rng(1).integers(0, 3, 500)
    growth = grow_network(X, y, weights=w, max_units=16, n_units_per_step=8, rcond=1e-13)
    H = growth.network.hidden(X)
    wanted = SVD().solve(H, y, weights=w, intercept=True, rcond=0.0)
    assert np.allclose(growth.network(X)[:, 0], H @ wanted.coef + wanted.intercept, atol=1e-9)
    assert np.allclose(growth.result.residual_norm, wanted.residual_norm, rtol=1e-6)
    std = growth.network.std(X)
    assert std.shape == (500, 1)
    assert (std**2 >= growth.result.noise_variance).all()


def test_growth_stops_where_leave_one_out_stops_falling():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (300, 1))
    y = np.tanh(3 * X[:, 0]) + 0.2 * rng.standard_normal(300)
    growth = grow_network(X, y, n_units_per_step=5, patience=2)
    curve, network = growth.result.curve, growth.network
    assert growth.result.stop_reason is StopReason.STOPPED_EARLY
    assert curve.chosen == curve.scores.argmin() == len(curve.scores) - 3
    assert network.hidden.n_features_out == curve.value == 5 * (curve.chosen + 1) < 40
    assert 0.2**2 / y.var() < curve.score < 1.2 * 0.2**2 / y.var()
    left = np.linalg.norm(network(X)[:, 0] - y)
    assert left == pytest.approx(growth.result.residual_norm[0], rel=1e-9)
    longer = grow_network(X, y, n_units_per_step=5, patience=12)
    assert len(longer.result.curve.scores) >= 13
    assert longer.result.curve.score <= curve.score


def test_growth_stops_at_the_tolerance_and_at_the_width():
    X, y, _, _ = waves(500, 2)
    growth = grow_network(X, y, n_units_per_step=10, tolerance=1e-4)
    scores = growth.result.curve.scores
    assert scores[-1] <= 1e-8 < scores[-2]
    assert growth.result.stop_reason.success
    growth = grow_network(X, y, n_units_per_step=10, max_units=25)
    assert list(growth.result.curve.values) == [10, 20, 25]


def test_several_targets_and_other_samplers():
    X, y, _, _ = waves(400, 2)
    Y = np.column_stack([y, 3 * y**2])
    growth = grow_network(
        X, Y, sampler=RandomFeatures(), activation="sin", max_units=60, n_units_per_step=20
    )
    assert growth.network(X).shape == Y.shape
    assert np.abs(growth.network(X) - Y).max() < 1e-3
    assert growth.result.coef.shape == (60, 2)


def test_growth_depends_on_the_seed_alone():
    X, y, _, _ = waves(300, 2)
    one, again, other = (grow_network(X, y, max_units=30, seed=s).network(X) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_bad_input_is_refused():
    X, y, _, _ = waves(20, 1)
    with pytest.raises(InvalidDataError, match="X holds 1 NaN"):
        grow_network(np.where(X[3, 1] == X, np.nan, X), y)
    with pytest.raises(InvalidDataError, match=r"B of shape \(19,\)"):
        grow_network(X, y[:-1])
    for name in ("n_units_per_step", "max_units", "patience"):
        with pytest.raises(InvalidSettingError, match=f"{name}=0"):
            grow_network(X, y, **{name: 0})
    with pytest.raises(InvalidSettingError, match="tolerance=-1"):
        grow_network(X, y, tolerance=-1)
