"""Figures of permuted networks: what they compute, where they bend, how values move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import InvalidDataError, UnsupportedProblemError
from solvenet.permutation import PermutationProblem, PermutationResult, knots_of
from solvenet.plots._base import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, axes_of

if TYPE_CHECKING:
    from solvenet._array_api import Array

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
_MOST_ROWS = 500


def plot_approximation(
    result: PermutationResult, problem: PermutationProblem, ax: Any = None
) -> Any:
    """Plot a permuted network of one input against the targets.

    Parameters
    ----------
    result : PermutationResult
        The network.
    problem : PermutationProblem
        Whose rows are drawn; of more than 500 every k-th.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The network as a line, its errors in the legend.

    Raises
    ------
    UnsupportedProblemError
        More than one input.
    """
    _one_input(problem.X.shape[1])
    order = np.argsort(problem.X[:, 0], kind="stable")
    x, y = problem.X[order, 0], problem.y[order]
    step = slice(None, None, -(-len(x) // _MOST_ROWS))
    ax = axes_of(ax)
    ax.plot(x[step], y[step], ".", color=GREY, ms=4, alpha=0.6, label="targets")
    label = f"{result.method}: rmse {result.rmse:.2g}, largest {result.max_error:.2g}"
    grid = np.linspace(x[0], x[-1], 1001)
    ax.plot(grid, result(grid), color=BLUE, lw=1.5, label=label)
    ax.set(xlabel="x", ylabel="f(x)")
    ax.legend(frameon=False)
    return ax


def plot_kinks(result: PermutationResult, ax: Any = None) -> Any:
    """Plot where a network of ReLU pairs bends, and by how much.

    Parameters
    ----------
    result : PermutationResult
        With the units of :func:`~solvenet.permutation.relu_pairs`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        At each knot the change of the slope, ``gamma (p_i + q_i)``: all that the
        permutation decides but for a linear function.

    Raises
    ------
    UnsupportedProblemError
        Other units.
    """
    knots = knots_of(result.features)
    if knots is None:
        msg = "These units are no pairs of ReLU; the kinks of relu_pairs(knots) can be drawn."
        raise UnsupportedProblemError(msg)
    p, q = result.coef.reshape(2, -1)
    ax = axes_of(ax)
    ax.vlines(knots, 0, result.gamma * (p + q), color=BLUE, lw=1)
    ax.plot(knots, result.gamma * (p + q), "o", color=BLUE, ms=3, label="change of slope")
    ax.axhline(0, color=GREY, lw=0.8)
    ax.plot(knots, np.zeros(len(knots)), "|", color=ORANGE, ms=8, label="knots")
    ax.set(xlabel="x", ylabel="change of slope")
    ax.legend(frameon=False)
    return ax


def plot_rate(sizes: Any, errors: Mapping[str, Any], ax: Any = None) -> Any:
    """Plot errors against the number of knots, each with the rate that is fitted to it.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        Knots, or units; at least two different ones.
    errors : mapping of str to array-like of shape (n_sizes,) or (n_sizes, n_runs)
        By name; of several runs the geometric mean is drawn, and all runs as dots.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Both axes logarithmic. A rate r is the exponent of ``n**-r`` by least squares of the
        logarithms; the line in the figure is that fit.

    Raises
    ------
    InvalidDataError
        Other lengths, or numbers that are not positive.
    """
    n = np.asarray(sizes, dtype=float)
    ax = axes_of(ax)
    for i, (name, given) in enumerate(errors.items()):
        runs = np.asarray(given, dtype=float).reshape(len(given), -1)
        if n.ndim != 1 or len(runs) != len(n) or not (runs > 0).all() or len(np.unique(n)) < 2:
            msg = (
                f"{name}: errors of shape {np.shape(given)} at sizes of shape {n.shape} were "
                "given; positive ones, one row a size, of at least two sizes are wanted."
            )
            raise InvalidDataError(msg)
        colour = _COLOURS[i % len(_COLOURS)]
        means = np.log(runs).mean(axis=1)
        slope, start = np.polyfit(np.log(n), means, 1)
        if runs.shape[1] > 1:
            ax.plot(np.repeat(n, runs.shape[1]), runs.ravel(), ".", color=colour, ms=3, alpha=0.4)
        ax.plot(n, np.exp(means), "o", color=colour, ms=5)
        ax.plot(n, np.exp(start + slope * np.log(n)), color=colour, lw=1.5,
                label=f"{name}: rate {-slope:.2f}")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="n", ylabel="error")
    ax.legend(frameon=False)
    return ax


def plot_permutation(result: PermutationResult, ax: Any = None) -> Any:
    """Plot which value went to which unit.

    Parameters
    ----------
    result : PermutationResult
        The network.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The value of each unit; for pairs of ReLU the two halves over their knots.
    """
    ax = axes_of(ax)
    knots = knots_of(result.features)
    if knots is None:
        ax.plot(np.arange(len(result.coef)), result.coef, ".", color=BLUE, ms=4)
        ax.set(xlabel="unit", ylabel="value")
        return ax
    halves = result.coef.reshape(2, -1)
    names = (("rising, ReLU(x - b)", BLUE), ("falling, ReLU(b - x)", ORANGE))
    for half, (name, colour) in zip(halves, names, strict=True):
        ax.plot(knots, half, ".", color=colour, ms=5, label=name)
    ax.set(xlabel="knot b", ylabel="value")
    ax.legend(frameon=False)
    return ax


def plot_movement(permutations: Any, values: Any, ax: Any = None) -> Any:
    """Plot which values moved at each permutation of a training.

    The published observation: at first nearly all values move, at the end few, and in between
    their number rises and falls with the error.

    Parameters
    ----------
    permutations : array-like of shape (n_permutations, n_units), int
        Unit j had ``values[permutations[k, j]]`` after permutation k, such as
        ``train_laperm(problem, history=True)[0].permutations``.
    values : array-like of shape (n_units,)
        In the order of the start: those of the problem.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        A row a permutation, a column a unit, the units sorted by their first value; dark
        where the unit got another value.

    Raises
    ------
    InvalidDataError
        Other shapes.
    """
    moved = moved_units(permutations, values)
    ax = axes_of(ax)
    order = np.argsort(np.asarray(values), kind="stable")
    ax.imshow(moved[:, order], aspect="auto", cmap="Greys", interpolation="nearest",
              vmin=0, vmax=1.3)  # fmt: skip
    low, high = float(np.min(values)), float(np.max(values))
    ends = [0, (len(order) - 1) / 2, len(order) - 1]
    ax.set_xticks(ends, [f"{v:.2g}" for v in (low, np.median(values), high)])
    ax.set(xlabel="first value of the unit", ylabel="permutation")
    return ax


def moved_units(permutations: Any, values: Any) -> Array:
    """Return which units got another value at each permutation, as :func:`plot_movement`."""
    orders, v = np.asarray(permutations), np.asarray(values, dtype=float)
    if orders.ndim != 2 or v.ndim != 1 or orders.shape[1] != len(v) or len(orders) == 0:
        msg = (
            f"permutations of shape {orders.shape} and values of shape {v.shape} were given; "
            "(n_permutations, n_units) and (n_units,) are wanted."
        )
        raise InvalidDataError(msg)
    placed = np.concatenate([v[None], v[orders]])
    moved: Array = placed[1:] != placed[:-1]
    return moved


def _one_input(d: int) -> None:
    if d != 1:
        msg = f"The problem has {d} inputs; networks of one input can be drawn as a line."
        raise UnsupportedProblemError(msg)
