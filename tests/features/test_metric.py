"""The metric that is learned from gradients, and the units that are sampled in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvenet.errors import InvalidSettingError
from solvenet.features import SWIM, LearnedMetric, get_activation
from solvenet.features.gradients import FAR, fit_probe, metric_of
from solvenet.features.pair_units import MOST_COORDINATES, PairUnits
from solvenet.features.rows import row_set
from solvenet.features.slopes import SLOPES

TANH = get_activation("tanh")


@pytest.fixture
def table():
    """Six inputs, of which the target knows a direction of two and a third by itself."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 6))
    Y = np.sin(1.5 * (X[:, :1] + X[:, 1:2])) + 0.5 * X[:, 2:3] ** 2
    return X, Y + 0.1 * rng.standard_normal(Y.shape)


def probe_of(Z, Y, weights, W, biases):
    arguments = Z @ W + biases
    units = np.tanh(arguments)
    return fit_probe(units, SLOPES["tanh"](arguments, units), Z, Y, weights)


@pytest.mark.parametrize("n_units", [10, 80])  # less and more features than rows
def test_the_error_of_a_probe_is_that_of_refitting_without_each_row(table, n_units):
    X, Y = (part[:60] for part in table)
    Y = np.concatenate([Y, X[:, :1]], axis=1)
    rng = np.random.default_rng(1)
    W, biases = rng.standard_normal((6, n_units)), rng.standard_normal(n_units)
    probe = probe_of(X, Y, np.ones(60), W, biases)
    H = np.concatenate([np.tanh(X @ W + biases), X], axis=1)
    errors = np.empty_like(Y)
    for i in range(60):
        rest = np.arange(60) != i
        A, B = H[rest] - H[rest].mean(axis=0), Y[rest] - Y[rest].mean(axis=0)
        # The ridge is of the centred problem of all rows, whose mean moves with the row.
        coef = np.linalg.solve(A.T @ A + probe.alpha * np.eye(n_units + 6), A.T @ B)
        errors[i] = Y[i] - Y[rest].mean(axis=0) - (H[i] - H[rest].mean(axis=0)) @ coef
    expected = ((errors**2).mean(axis=0) / Y.var(axis=0)).mean()
    assert probe.unexplained == pytest.approx(expected, rel=1e-6)


def test_the_gradient_product_equals_the_sum_over_rows(table):
    X, Y = table
    Y = np.concatenate([Y, Y**2], axis=1)
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 4, len(X)).astype(float)
    W, biases = rng.standard_normal((6, 30)), rng.standard_normal(30)
    probe = probe_of(X, Y, weights, W, biases)
    H = np.concatenate([np.tanh(X @ W + biases), X], axis=1)
    slopes = 1 - H[:, :30] ** 2
    jacobians = []
    for start in (0, 1):
        rows = slice(start, None, 2)
        w = weights[rows, None]
        A = H[rows] - (w * H[rows]).sum(axis=0) / w.sum()
        B = Y[rows] - (w * Y[rows]).sum(axis=0) / w.sum()
        coef = np.linalg.solve(A.T @ (w * A) + probe.alpha / 2 * np.eye(36), A.T @ (w * B))
        J = np.einsum("ij,nj,jt->nti", W, slopes, coef[:30]) + coef[30:].T
        norms = np.sqrt((J**2).sum(axis=(1, 2)))
        jacobians.append(J * np.minimum(1, FAR * np.median(norms) / norms)[:, None, None])
    G = np.einsum("n,nti,ntj->ij", weights, *jacobians) / weights.sum()
    # Shortening both by one factor is shortening their product by the root of each, squared.
    np.testing.assert_allclose(
        probe.gradient_product(W), (G + G.T) / 2, rtol=1e-7, atol=1e-9 * abs(G).max()
    )


def test_noise_cancels_between_the_halves():
    rng = np.random.default_rng(0)
    X, W, biases = rng.standard_normal((2000, 5)), rng.standard_normal((5, 100)), np.zeros(100)
    traces = []
    for _ in range(20):
        probe = probe_of(X, rng.standard_normal((2000, 1)), np.ones(2000), W, biases)
        overfitted = replace(probe, alpha=1e-3)
        traces.append(np.trace(overfitted.gradient_product(W)))
    # Both signs come: the mean is that of independent noise, not of squares.
    assert min(traces) < 0 < max(traces)
    assert abs(np.mean(traces)) < 3 * np.std(traces) / np.sqrt(20)


def test_a_metric_is_a_square_root_of_the_trace_wanted():
    G = np.diag([4.0, 1.0, -1.0])
    M = metric_of(G)
    np.testing.assert_allclose(M @ M, np.diag([4.0, 1.0, 0.0]) * 3 / 5, atol=1e-14)
    assert metric_of(-np.eye(3)) is None


def test_units_look_where_the_target_does(table):
    X, Y = table
    layer = LearnedMetric(sparse=0.0).sample(X, Y, 200, activation=TANH, seed=1)
    late = layer.weights[:, 100:]  # those in the last metric
    along = np.abs(late[0] + late[1]) / np.sqrt(2)
    across = np.abs(late[0] - late[1]) / np.sqrt(2)
    rest = np.abs(late[3:])
    assert np.median(along) > 5 * np.median(across)
    assert np.median(along) > 5 * np.median(rest)


def test_sparse_units_see_few_inputs_and_the_important_ones(table):
    X, Y = table
    pairs = PairUnits(X, Y, np.ones(len(X)), TANH, sparse=1.0)
    importance = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.01])
    W, biases = pairs.units(400, None, importance, np.random.default_rng(0))
    seen = W != 0
    assert seen.sum(axis=0).min() == 1
    assert seen.sum(axis=0).max() <= MOST_COORDINATES
    assert not seen[2:5].any()
    assert 0 < seen[5].sum() < seen[0].sum()
    assert np.isfinite(biases).all()


def test_a_unit_takes_its_two_values_at_its_pair(table):
    X, Y = table
    X, Y = X[:40], Y[:40]
    pairs = PairUnits(X, Y, np.ones(40), TANH, sparse=0.0)
    W, biases = pairs.units(20, None, np.ones(6), np.random.default_rng(0))
    values = np.tanh(X @ W + biases)
    low, high = np.abs(values + 0.5).min(axis=0), np.abs(values - 0.5).min(axis=0)
    # All but those of pairs closer than the floor.
    assert (np.maximum(low, high) < 1e-12).mean() > 0.9


@pytest.mark.parametrize("activation", ["tanh", "relu", "sin", "gelu"])
def test_the_error_falls_with_the_metric(table, activation):
    X, Y = table
    activation = get_activation(activation)
    errors = []
    for sampler in (SWIM(), LearnedMetric()):
        layer = sampler.sample(X[:400], Y[:400], 150, activation=activation, seed=3)
        H = np.concatenate([layer(X), np.ones((600, 1))], axis=1)
        G = H[:400].T @ H[:400] + 0.3 * np.eye(151)
        coef = np.linalg.solve(G, H[:400].T @ Y[:400])
        errors.append(((Y[400:] - H[400:] @ coef) ** 2).mean())
    assert errors[1] < 0.8 * errors[0]


def test_the_draw_depends_on_the_weighted_set_of_rows_alone(table):
    X, Y = (part[:300] for part in table)
    times = np.random.default_rng(2).integers(1, 4, 300)
    order = np.random.default_rng(3).permutation(int(times.sum()))
    again = np.repeat(np.arange(300), times)[order]
    once = LearnedMetric().sample(
        X, Y, 50, activation=TANH, rows=row_set(X, Y, times.astype(float)), seed=5
    )
    repeated = LearnedMetric().sample(X[again], Y[again], 50, activation=TANH, seed=5)
    np.testing.assert_allclose(once.weights, repeated.weights, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(once.biases, repeated.biases, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    "case", ["few rows", "one input", "smooth", "own activation", "later layer"]
)
def test_plain_pairs_where_there_is_nothing_to_learn(table, case):
    X, Y = table
    activation, options = TANH, {"seed": 2}
    if case == "few rows":
        X, Y = X[:150], Y[:150]
    elif case == "one input":
        X = X[:, :1]
    elif case == "smooth":
        Y = X.sum(axis=1, keepdims=True) + 0.01 * X[:, :1] ** 2
    elif case == "own activation":
        activation = get_activation(np.arctan)
    else:
        options["layer"] = 1
    learned = LearnedMetric().sample(X, Y, 15, activation=activation, **options)
    plain = SWIM().sample(X, Y, 15, activation=activation, **options)
    np.testing.assert_array_equal(learned.weights, plain.weights)


def test_rotating_the_inputs_rotates_dense_units(table):
    X, Y = table
    Q = np.linalg.qr(np.random.default_rng(4).standard_normal((6, 6)))[0]
    sampler = LearnedMetric(sparse=0.0)
    here = sampler.sample(X, Y, 60, activation=TANH)
    there = sampler.sample(X @ Q, Y, 60, activation=TANH)
    np.testing.assert_allclose(there(X @ Q), here(X), atol=1e-6)


@pytest.mark.parametrize("sparse", [-0.1, 1.5, float("nan")])
def test_a_share_is_between_0_and_1(table, sparse):
    with pytest.raises(InvalidSettingError, match="sparse"):
        LearnedMetric(sparse=sparse).sample(*table, 5, activation=TANH)
