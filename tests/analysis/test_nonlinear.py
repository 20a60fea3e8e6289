"""Gradients by prefix sums are those of the loss, wherever the biases stand."""

import numpy as np
import pytest

from solvenet.analysis import ReLUProblem, relu_gram, uniform_biases
from solvenet.errors import InvalidDataError


def target(x):
    return np.cos(5 * np.pi * x) + np.sin(x)


@pytest.fixture(scope="module")
def problem():
    return ReLUProblem(target)


def draw(n, reach, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), rng.uniform(-reach, reach, n)


def exact_load(b):
    """Integrals of cos(5 pi x) + sin x over (b, 1), once and times x - b, for b >= -1."""
    w = 5 * np.pi
    once = (np.sin(w) - np.sin(w * b)) / w + np.cos(b) - np.cos(1.0)
    twice = (np.cos(w) - np.cos(w * b)) / w**2 + (1 - b) * np.sin(w) / w
    return once, twice + np.sin(1.0) - np.sin(b) - (1 - b) * np.cos(1.0)


@pytest.mark.parametrize("n", [1, 2, 57])
def test_gradient_is_that_of_the_closed_forms(problem, n):
    a, b = draw(n, 0.98)
    once, twice = exact_load(b)
    # The integral of the network over (b_i, 1) is that against a Heaviside function.
    x = np.maximum(b[:, None], b)
    steps = (1 - x) ** 2 / 2 + (x - b) * (1 - x)
    grad_a, grad_b = problem.gradient(a, b)
    np.testing.assert_allclose(grad_a, relu_gram(b) @ a - twice, atol=1e-12)
    np.testing.assert_allclose(grad_b, -a * (steps @ a - once), atol=1e-11)


@pytest.mark.parametrize("reach", [0.98, 1.7])
def test_gradient_is_that_of_the_loss(problem, reach):
    """By central differences, also where biases have left the interval on either side."""
    a, b = draw(20, reach, seed=1)
    grad_a, grad_b = problem.gradient(a, b)
    h = 1e-5
    for i, unit in enumerate(h * np.eye(20)):
        by_a = (problem.loss(a + unit, b) - problem.loss(a - unit, b)) / (2 * h)
        by_b = (problem.loss(a, b + unit) - problem.loss(a, b - unit)) / (2 * h)
        assert grad_a[i] == pytest.approx(by_a, abs=1e-8)
        assert grad_b[i] == pytest.approx(by_b, abs=1e-8)


def test_loss_values_and_projections_agree_with_a_fine_grid():
    probes = [target, np.exp]
    problem = ReLUProblem(target, probes=probes)
    a, b = draw(30, 1.3, seed=2)
    x = -1 + (np.arange(200_000) + 0.5) / 100_000
    h = sum(weight * np.maximum(x - bias, 0) for weight, bias in zip(a, b, strict=True))
    np.testing.assert_allclose(problem.values(x, a, b), h, atol=1e-12)
    loss, projections = problem.workspace(b, train_biases=True).measure(a, b)
    assert loss == pytest.approx(np.mean((h - target(x)) ** 2), rel=1e-8)  # 1/2 times length 2
    np.testing.assert_allclose(
        projections, [2 * np.mean((target(x) - h) * probe(x)) for probe in probes], rtol=1e-7
    )


def test_curvature_bounds_the_largest_rate(problem):
    a, b = draw(40, 0.99, seed=3)
    x = np.maximum(b[:, None], b)
    once = (1 - x) ** 2 / 2 + (x - b) * (1 - x)  # of relu(. - b_j) from b_i on
    cross = -once * a[:, None]
    kernel = np.block([[relu_gram(b), cross.T], [cross, a[:, None] * (1 - x) * a]])
    rates = np.linalg.eigvalsh(kernel)
    assert rates[0] > -1e-10
    trace = problem.workspace(b, train_biases=True).curvature(a, b)
    assert trace == pytest.approx(rates.sum(), rel=1e-12)
    assert rates[-1] <= trace <= 2 * rates[-1]


def test_order_of_the_units_does_not_matter(problem):
    a, b = draw(25, 1.2, seed=4)
    shuffled = np.random.default_rng(0).permutation(25)
    for one, other in zip(
        problem.gradient(a, b), problem.gradient(a[shuffled], b[shuffled]), strict=True
    ):
        np.testing.assert_allclose(one[shuffled], other, atol=1e-13)


def test_a_workspace_follows_biases_that_cross(problem):
    a, b = draw(25, 0.9, seed=5)
    workspace = problem.workspace(b, train_biases=True)
    for moved in (b, -b, b[::-1].copy(), 1.5 * b, np.zeros(25)):
        grad_a, grad_b = np.empty(25), np.empty(25)
        workspace.gradient(a, moved, grad_a, grad_b)
        fresh = problem.gradient(a, moved)
        np.testing.assert_allclose(grad_a, fresh[0], atol=1e-13)
        np.testing.assert_allclose(grad_b, fresh[1], atol=1e-13)


def test_fixed_biases_give_the_same_gradient(problem):
    a, b = draw(25, 1.4, seed=6)
    grad = np.empty(25)
    problem.workspace(b, train_biases=False).gradient(a, b, grad, None)
    np.testing.assert_array_equal(grad, problem.gradient(a, b)[0])


def test_functions_that_jump_are_integrated_from_their_values():
    problem = ReLUProblem(lambda x: (x > 0).astype(float), n_cells=4096)
    b = uniform_biases(9)
    once, twice = problem.tails(b)
    start = np.maximum(b, 0)
    np.testing.assert_allclose(once, 1 - start, atol=1e-3)
    np.testing.assert_allclose(twice, (1 - start) ** 2 / 2 + (1 - start) * (start - b), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _: ReLUProblem(lambda x: np.where(x > 0, np.nan, x)), "target"),
        (lambda _: ReLUProblem(lambda x: x[:3]), "one real number a point"),
        (lambda _: ReLUProblem(target, probes=[lambda x: x * np.inf]), "a probe"),
        (lambda p: p.gradient(np.ones(3), np.zeros(2)), "3 weights were given for 2 biases"),
        (lambda p: p.gradient(np.ones(2), np.array([0.0, np.nan])), "b holds"),
        (lambda p: p.loss(np.array([np.inf]), np.zeros(1)), "a holds"),
        (lambda p: p.loss(np.ones(0), np.ones(0)), "at least one bias"),
    ],
)
def test_bad_input_is_refused(problem, call, message):
    with np.errstate(all="ignore"), pytest.raises(InvalidDataError, match=message):
        call(problem)
