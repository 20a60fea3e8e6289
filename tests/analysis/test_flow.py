"""The closed form of gradient flow is that of the differential equation, and obeys its laws."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from solvenet.analysis import (
    fit_power_law,
    gauss_rule,
    gradient_flow,
    gram_flow,
    half_time_law,
    relu_gram,
    uniform_biases,
)
from solvenet.errors import InvalidDataError, InvalidSettingError


@pytest.fixture
def problem(rng):
    """Features with rates from 1 to 1e-3, a target outside of their span, uneven weights."""
    U, V = (np.linalg.qr(rng.standard_normal((n, 6)))[0] for n in (40, 6))
    weights = rng.uniform(0.5, 2, 40)
    features = (U * np.logspace(0, -1.5, 6)) @ V.T / np.sqrt(weights)[:, None]
    return features, rng.standard_normal((40, 3)), weights, rng.standard_normal((6, 3))


def waves(n, frequencies, *, order=4):
    b = uniform_biases(n)
    x, weights = gauss_rule(b, order)
    return np.maximum(x[:, None] - b, 0), np.cos(np.pi * np.outer(x, frequencies)), weights


def test_path_is_that_of_the_differential_equation(problem):
    features, target, weights, start = problem
    flow = gradient_flow(features, target, weights=weights, start=start)
    G, f = features.T @ (weights[:, None] * features), features.T @ (weights[:, None] * target)
    for t in (0.0, 0.1, 3.0, 1e3):
        # The exponential of [[-G, f], [0, 0]] moves (a, 1), by an algorithm that knows no modes.
        block = np.block([[-G, f], [np.zeros((3, 9))]])
        moved = scipy.linalg.expm(t * block) @ np.vstack([start, np.eye(3)])
        np.testing.assert_allclose(flow.coefficients(t), moved[:6], rtol=1e-9, atol=1e-9)
        residual = target - features @ moved[:6]
        np.testing.assert_allclose(flow.residual(t), residual, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        flow.coefficients(math.inf),
        np.linalg.lstsq(np.sqrt(weights)[:, None] * features, np.sqrt(weights)[:, None] * target)[
            0
        ],
        rtol=1e-8,
    )


def test_stopping_early_is_a_filter_on_the_solution(problem):
    features, target, weights, _ = problem
    flow = gradient_flow(features, target[:, 0], weights=weights)
    end, stopped = flow.coefficients(math.inf), flow.coefficients(7.0)
    np.testing.assert_allclose(
        flow.right.T @ stopped, (1 - np.exp(-7 * flow.rates)) * (flow.right.T @ end), rtol=1e-9
    )
    assert stopped.shape == (6,)
    np.testing.assert_allclose(flow.filter([0.0, 7.0]) + flow.decay([0.0, 7.0]), 1, rtol=1e-15)
    tiny = gradient_flow(np.diag([1.0, 1e-10]), np.ones(2), weights=np.ones(2)).filter(1.0)
    assert tiny[1] == pytest.approx(1e-20, rel=1e-12)


def test_explicit_steps_are_those_of_gradient_descent(problem):
    features, target, weights, start = problem
    flow = gradient_flow(features, target, weights=weights, start=start)
    for share in (0.3, 1.0, 1.7):
        step = share * flow.largest_step
        a = start.copy()
        for _ in range(25):
            a -= step * features.T @ (weights[:, None] * (features @ a - target))
        explicit = flow.stepped(step)
        np.testing.assert_allclose(explicit.coefficients(25 * step), a, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(explicit.residual(25 * step), target - features @ a, atol=1e-12)
    assert flow.stepped().step == flow.largest_step


def test_projections_and_half_times_are_those_of_the_residual(problem):
    features, target, weights, start = problem
    flow = gradient_flow(features, target, weights=weights, start=start)
    times = np.array([0.0, 2.0, 50.0])
    at = np.array([(weights[:, None] * flow.residual(t) * target).sum(0) for t in times])
    np.testing.assert_allclose(flow.projections(times, target), at, rtol=1e-9, atol=1e-10)
    single = gradient_flow(features, features @ start[:, 0], weights=weights)
    half = single.half_times(np.stack([single.residual(0.0), features[:, 0]], axis=1))
    for t, probe in zip(half, (single.residual(0.0), features[:, 0]), strict=True):
        now, begin = (abs((weights * single.residual(s) * probe).sum()) for s in (t, 0.0))
        assert now == pytest.approx(begin / 2, rel=1e-9)
    np.testing.assert_allclose(single.half_times()[0], half[0])


def test_one_mode_halves_after_ln2_over_its_rate():
    flow = gradient_flow(np.diag([2.0, 0.1]), np.eye(2), weights=np.ones(2))
    np.testing.assert_allclose(flow.half_times(), math.log(2) / np.array([4.0, 0.01]), rtol=1e-10)
    explicit = flow.stepped(0.1)  # 0.6**i and 0.999**i
    np.testing.assert_allclose(explicit.half_times(), [0.2, 69.3], rtol=1e-10)
    np.testing.assert_array_equal(explicit.steps(explicit.half_times()), [2, 693])
    assert flow.steps(math.inf) == math.inf


def test_what_no_feature_reaches_never_halves():
    flow = gradient_flow(np.array([[1.0], [0.0]]), np.eye(2), weights=np.ones(2))
    np.testing.assert_allclose(flow.half_times(), [math.log(2), math.inf])
    dead = gradient_flow(np.zeros((3, 2)), np.ones(3))
    assert len(dead.rates) == 0
    assert dead.half_times() == [math.inf]
    np.testing.assert_array_equal(dead.coefficients(10.0), 0)


def test_half_times_of_cosines_follow_the_fourth_power():
    """Must reach c: n = 400, fixed biases."""
    m = np.array([1, 2, 4, 8, 16, 32])
    features, cosines, weights = waves(400, m)
    flow = gradient_flow(features, cosines, weights=weights)
    half = flow.half_times()
    # Of a prototype by another route: the sums over eigenpairs of the closed-form Gram matrix.
    np.testing.assert_allclose(half, [0.237, 4.71, 81.6, 1.35e3, 2.19e4, 3.53e5], rtol=5e-3)
    assert fit_power_law(m, half, start=4).slope == pytest.approx(4.0, abs=0.1)
    np.testing.assert_allclose(half[2:], half_time_law(m[2:], 400), rtol=0.1)
    np.testing.assert_allclose(half[4:], half_time_law(m[4:], 400), rtol=0.015)


def test_smoother_units_learn_high_frequencies_more_slowly():
    frequencies = np.array([4, 6, 8, 12, 16])
    slopes = []
    for power in (1, 2, 3):
        features, cosines, weights = waves(200, frequencies)
        flow = gradient_flow(features**power, cosines, weights=weights)
        slopes.append(fit_power_law(frequencies, flow.half_times()).slope)
    np.testing.assert_allclose(slopes, [4, 6, 8], rtol=0.06)  # 2 (power + 1)


def test_gram_matrix_gives_the_same_flow():
    b = uniform_biases(30)
    features, cosines, weights = waves(30, [1, 2])
    flow = gradient_flow(features, cosines, weights=weights)
    load = features.T @ (weights[:, None] * cosines)
    by_gram = gram_flow(relu_gram(b), load)
    np.testing.assert_allclose(by_gram.rates, flow.rates, rtol=1e-7)
    for t in (0.1, 100.0):
        np.testing.assert_allclose(by_gram.coefficients(t), flow.coefficients(t), atol=1e-9)
    np.testing.assert_allclose(by_gram.residual(3.0), by_gram.amplitudes(3.0), atol=1e-15)
    one = gram_flow(np.array([[2.0]]), np.array([4.0]))
    np.testing.assert_allclose(one.coefficients(math.inf), [2.0])
    none = gram_flow(np.zeros((2, 2)), np.zeros(2))
    np.testing.assert_array_equal(none.coefficients(5.0), 0)


F, Y = np.ones((4, 2)), np.ones(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient_flow(np.ones(4), Y), "a matrix of m points"),
        (lambda: gradient_flow(np.ones((4, 0)), Y), "at least one of each"),
        (lambda: gradient_flow(F * np.nan, Y), "features holds"),
        (lambda: gradient_flow(F, np.ones(3)), r"target has shape \(3,\); 4 rows"),
        (lambda: gradient_flow(F, Y * np.inf), "target holds"),
        (lambda: gradient_flow(F, Y, weights=np.ones(3)), "one a point"),
        (lambda: gradient_flow(F, Y, weights=-np.ones(4)), "numbers >= 0"),
        (lambda: gradient_flow(F, Y, weights=np.zeros(4)), "not all"),
        (lambda: gradient_flow(F, Y, start=np.ones(4)), "start has shape"),
        (lambda: gradient_flow(F, Y, start=np.ones((2, 2))), "2 columns for 1 targets"),
        (lambda: gradient_flow(F, Y).decay(-1.0), "time of -1"),
        (lambda: gradient_flow(F, Y).coefficients(np.nan), "time of nan"),
        (lambda: gradient_flow(F, Y).coefficients([1.0, 2.0]), "one number is wanted"),
        (lambda: gradient_flow(F, Y).residual([1.0, 2.0]), "one number is wanted"),
        (lambda: gradient_flow(F * 1e-200, Y), "ordinary size"),
        (lambda: gradient_flow(F, np.ones((4, 2))).half_times(np.ones((4, 3))), "3 probes"),
        (lambda: gradient_flow(F, Y).half_times(np.ones(3)), "probes has shape"),
        (lambda: gram_flow(np.ones((2, 3)), Y), "square"),
        (lambda: gram_flow(np.array([[1.0, 2.0], [0.0, 1.0]]), np.ones(2)), "not symmetric"),
        (lambda: gram_flow(-np.eye(2), np.ones(2)), "eigenvalue -1"),
    ],
)
def test_bad_data_are_refused(call, message):
    with pytest.raises(InvalidDataError, match=message):
        call()


@pytest.mark.parametrize("share", [0.0, 2.0, 5.0])
def test_steps_that_diverge_are_refused(share):
    flow = gradient_flow(F, Y)
    with pytest.raises(InvalidSettingError, match="converges for positive steps below"):
        flow.stepped(share * flow.largest_step)
