"""Figures of permuted networks show the numbers that they are given."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

from matplotlib import pyplot as plt

from solvenet import plots
from solvenet.errors import InvalidDataError, UnsupportedProblemError
from solvenet.permutation import PermutationProblem, equidistant, random_units, relu_pairs
from solvenet.plots.permutation import moved_units

x = np.linspace(-1, 1, 60)
KNOTS = np.linspace(-1, 1, 5)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def problem():
    return PermutationProblem(relu_pairs(KNOTS), equidistant(10), x[::-1], np.sin(3 * x[::-1]))


@pytest.fixture
def result(problem):
    return problem.result(np.random.default_rng(0).permutation(10))


@pytest.fixture
def plane():
    X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    return PermutationProblem(random_units(12, 2), equidistant(12), X, X[:, 0])


def test_the_approximation_is_drawn_in_order_with_its_errors(problem, result):
    ax = plots.plot_approximation(result, problem)
    targets, line = ax.lines
    np.testing.assert_array_equal(targets.get_xdata(), x)
    np.testing.assert_allclose(targets.get_ydata(), np.sin(3 * x))
    np.testing.assert_allclose(line.get_ydata(), result(line.get_xdata()))
    assert f"{result.rmse:.2g}" in line.get_label()


def test_kinks_are_the_jumps_of_the_slope(result):
    ax = plots.plot_kinks(result)
    heights = ax.lines[0].get_ydata()
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), KNOTS)
    # Measured on the function itself, at the knots inside.
    h = 1e-3
    jumps = [
        (result(np.array([b + h])) - 2 * result(np.array([b])) + result(np.array([b - h])))[0] / h
        for b in KNOTS
    ]
    np.testing.assert_allclose(heights, jumps, atol=1e-9)


def test_rates_are_fitted(rng):
    n = np.array([10, 20, 40, 80])
    runs = 3.0 / n[:, None] ** 2 * np.exp(0.1 * rng.standard_normal((4, 5)))
    ax = plots.plot_rate(n, {"ours": 5.0 / n**1.5, "runs": runs})
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "ours: rate 1.50"
    rate = -np.polyfit(np.log(n), np.log(runs).mean(axis=1), 1)[0]
    assert labels[1] == f"runs: rate {rate:.2f}"
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_the_permutation_shows_the_value_of_each_unit(result, plane):
    ax = plots.plot_permutation(result)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), result.coef[:5])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), result.coef[5:])
    other = plane.result(np.arange(12)[::-1])
    np.testing.assert_array_equal(plots.plot_permutation(other).lines[0].get_ydata(), other.coef)


def test_movement_shows_which_units_got_another_value():
    values = np.array([0.5, -1.0, 0.0, 0.0])
    orders = [[0, 1, 2, 3], [1, 0, 2, 3], [1, 0, 3, 2], [0, 1, 3, 2]]
    wanted = [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
    assert moved_units(orders, values).astype(int).tolist() == wanted
    (image,) = plots.plot_movement(orders, values).images
    np.testing.assert_array_equal(image.get_array(), np.array(wanted)[:, [1, 2, 3, 0]])


def test_what_cannot_be_drawn_is_refused(plane, result):
    other = plane.result(np.arange(12))
    with pytest.raises(UnsupportedProblemError, match="2 inputs"):
        plots.plot_approximation(other, plane)
    with pytest.raises(UnsupportedProblemError, match="no pairs"):
        plots.plot_kinks(other)
    for errors in ([1.0], [1.0, 0.0], [1.0, -1.0]):
        with pytest.raises(InvalidDataError, match="positive"):
            plots.plot_rate([10, 20], {"ours": errors})
    with pytest.raises(InvalidDataError, match="two sizes"):
        plots.plot_rate([10], {"ours": [1.0]})
    for orders, values in (
        ([[0, 1]], [1.0]),
        ([0, 1], [1.0, 2.0]),
        (np.empty((0, 2)), [1, 2]),
    ):
        with pytest.raises(InvalidDataError, match="n_permutations"):
            plots.plot_movement(orders, values)
