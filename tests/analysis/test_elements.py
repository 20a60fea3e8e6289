"""Finite elements: exact for what they contain, of second order, well conditioned."""

import math

import numpy as np
import pytest

from solvenet.analysis import Elements, adaptive_biases, gauss_rule
from solvenet.errors import IllConditionedWarning, InvalidDataError


def graded(n):
    return np.linspace(-1, 1, n) ** 3


def steep(x):
    return np.arctan(25 * x)


def waves(X):
    return np.sin(3 * X[:, 0]) * np.cos(2 * X[:, 1])


@pytest.mark.parametrize("knots", [np.linspace(-1, 1, 9), graded(9), (graded(7), np.arange(4.0))])
def test_mass_is_the_gram_matrix_of_the_basis(knots):
    elements = Elements(knots)
    rules = [gauss_rule(axis, 2) for axis in elements.knots]
    grid = np.meshgrid(*(x for x, _ in rules), indexing="ij")
    weights = np.multiply.reduce(np.meshgrid(*(w for _, w in rules), indexing="ij")).ravel()
    design = elements.design(np.stack([g.ravel() for g in grid], axis=1)).toarray()
    mass = elements.mass.toarray()
    np.testing.assert_allclose(mass, design.T @ (weights[:, None] * design), atol=1e-15)
    assert elements.condition == pytest.approx(np.linalg.cond(mass), rel=1e-10)
    assert elements.mass.nnz <= 3 ** len(elements.knots) * elements.n_dof


def test_condition_does_not_grow_on_uniform_grids():
    conditions = [Elements(np.linspace(-1, 1, n)).condition for n in (10, 100, 10_000)]
    assert max(conditions) < 6
    assert conditions[2] == pytest.approx(conditions[1], rel=1e-2)


def test_functions_of_the_space_are_reproduced(rng):
    knots = np.array([-1.0, -0.3, 0.0, 0.1, 2.0])
    values = rng.standard_normal(5)
    fit = Elements(knots).project(lambda x: np.interp(x, knots, values))
    np.testing.assert_allclose(fit.coefficients, values, atol=1e-13)
    x = rng.uniform(-1, 2, 100)
    np.testing.assert_allclose(fit(x), np.interp(x, knots, values), atol=1e-13)
    np.testing.assert_allclose(fit(knots), values, atol=1e-13)


def test_bilinear_functions_are_reproduced(rng):
    elements = Elements((graded(5), np.array([0.0, 1.0, 5.0])))

    def bilinear(X):
        return 1 + 2 * X[:, 0] - X[:, 1] + 3 * X[:, 0] * X[:, 1]

    X = rng.uniform([-1, 0], [1, 5], (200, 2))
    np.testing.assert_allclose(elements.project(bilinear)(X), bilinear(X), atol=1e-12)
    np.testing.assert_allclose(elements.fit(X, bilinear(X))(X), bilinear(X), atol=1e-10)


def test_tensor_projection_solves_the_normal_equations():
    elements = Elements((graded(12), np.linspace(0, 1, 7)))
    fit = elements.project(waves)
    dense = np.linalg.solve(elements.mass.toarray(), elements.load(waves))
    np.testing.assert_allclose(fit.coefficients, dense, atol=1e-12)
    assert fit.n_dof == 84
    assert fit.condition == elements.condition


def test_error_falls_with_the_square_of_the_width():
    x, weights = gauss_rule(np.linspace(-1, 1, 2401), 4)

    def error(n):
        return math.sqrt(
            weights @ (Elements(np.linspace(-1, 1, n)).project(steep)(x) - steep(x)) ** 2
        )

    # n nodes have n - 1 cells; the constant settles once the cells resolve the step.
    assert math.log2(error(401) / error(801)) == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize(
    ("knots", "largest", "mean_square"),
    [
        (np.linspace(-1, 1, 100), 1.37e-2, 1.70e-6),
        (adaptive_biases(100, distribution=steep), 2.92e-3, 9.95e-7),
    ],
    ids=["uniform", "adaptive"],
)
def test_published_errors(knots, largest, mean_square):
    x = np.linspace(-1, 1, 10_000)
    error = Elements(knots).project(steep)(x) - steep(x)
    assert np.abs(error).max() == pytest.approx(largest, rel=0.01)
    assert np.mean(error**2) == pytest.approx(mean_square, rel=0.01)


def test_fit_is_the_solution_of_least_squares(rng):
    elements = Elements(np.linspace(-1, 1, 30))
    x = rng.uniform(-1, 1, 500)
    y = steep(x) + rng.standard_normal(500)
    fit = elements.fit(x, y)
    A = elements.design(x).toarray()
    np.testing.assert_allclose(fit.coefficients, np.linalg.lstsq(A, y)[0], rtol=1e-9, atol=1e-10)
    assert fit.condition == pytest.approx(np.linalg.cond(A), rel=1e-8)


def test_fit_leaves_nodes_without_data_at_zero(rng):
    elements = Elements(np.linspace(-1, 1, 41))
    x = rng.uniform(-1, 0, 400)
    fit = elements.fit(x, np.ones(400))
    np.testing.assert_allclose(fit.coefficients[:20], 1, atol=1e-9)
    np.testing.assert_array_equal(fit.coefficients[22:], 0)
    assert fit.condition == math.inf


def test_more_elements_than_data_give_the_smallest_coefficients(rng):
    elements = Elements((np.linspace(0, 1, 8), np.linspace(0, 1, 9)))
    X = rng.uniform(size=(40, 2))
    y = waves(X)
    smallest = np.linalg.lstsq(elements.design(X).toarray(), y)[0]
    fit = elements.fit(X, y)
    np.testing.assert_allclose(fit(X), y, atol=1e-9)
    np.testing.assert_allclose(fit.coefficients, smallest, atol=1e-7)


def test_nodes_that_data_hardly_touch_are_warned_of(rng):
    cells = np.floor(199 * rng.uniform(size=200)) / 199
    x = cells + 10 ** -rng.uniform(2.5, 9, 200)  # all of them just behind a node
    with pytest.warns(IllConditionedWarning, match="hardly covered"):
        Elements(np.linspace(0, 1, 200)).fit(x, rng.standard_normal(200))


def test_no_points_have_no_values():
    assert Elements([0.0, 1.0]).design([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Elements([0.0]), "at least two knots"),
        (lambda: Elements([0.0, 1.0, 1.0]), "followed by 1"),
        (lambda: Elements((np.arange(3.0),) * 3), "Knots of 3 axes"),
        (lambda: Elements(()), "Knots of 0 axes"),
        (lambda: Elements([0.0, np.inf]), "infinite"),
        (lambda: Elements([0.0, 1.0]).design([1.5]), "1 points lie outside"),
        (lambda: Elements([0.0, 1.0]).design(np.zeros((2, 2))), r"\(m, 1\) are wanted"),
        (lambda: Elements(([0.0, 1.0], [0.0, 1.0])).design(np.zeros(2)), r"\(m, 2\) are wanted"),
        (lambda: Elements([0.0, 1.0]).design([np.nan]), "NaN"),
        (lambda: Elements([0.0, 1.0]).project(lambda x: x / 0 * np.inf), "f"),
        (lambda: Elements([0.0, 1.0]).project(lambda _: 1.0), "one real number a point"),
        (lambda: Elements([0.0, 1.0]).project(lambda x: np.sqrt(x - 5 + 0j)), "one real number"),
        (lambda: Elements([0.0, 1.0]).fit([0.5], [1.0, 2.0]), "one number a point"),
        (lambda: Elements([0.0, 1.0]).fit([], []), "at least one point"),
        (lambda: Elements([0.0, 1.0]).fit([0.5], [np.inf]), "infinite"),
    ],
)
def test_bad_input_is_refused(call, message):
    with np.errstate(all="ignore"), pytest.raises(InvalidDataError, match=message):
        call()
