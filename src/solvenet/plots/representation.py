"""Figures of how functions are represented: pieces that add up, and how rare luck is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import InvalidDataError
from solvenet.plots._base import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, axes_of

if TYPE_CHECKING:
    from solvenet.analysis import Decomposition, RashomonRatio

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, GREY)


def plot_decomposition(parts: Decomposition, ax: Any = None, *, n_points: int = 501) -> Any:
    """Plot the pieces of a decomposition on the interval to which they are stretched.

    Parameters
    ----------
    parts : Decomposition
        By :func:`solvenet.analysis.decompose`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    n_points : int, default=501
        Points of each line.

    Returns
    -------
    matplotlib Axes
        The solved networks on [-1, 1]: a line a piece, named by where it lies and by how many
        modes and units it has.
    """
    ax = axes_of(ax)
    y = np.linspace(-1, 1, n_points)
    for i, piece in enumerate(parts.pieces):
        modes = "" if piece.n_modes is None else f"{piece.n_modes} modes, "
        label = f"{piece.left:.3g} to {piece.right:.3g}: {modes}{piece.n_units} units"
        ax.plot(y, piece(y), color=_COLOURS[i % len(_COLOURS)], lw=1.5, label=label)
    ax.set(xlabel="stretched input", ylabel="piece")
    ax.legend(frameon=False)
    return ax


def plot_rashomon(ratios: Sequence[RashomonRatio], ax: Any = None) -> Any:
    """Plot the probability of approximations by random networks against their units.

    Parameters
    ----------
    ratios : sequence of RashomonRatio
        By :func:`solvenet.analysis.rashomon_ratio`, for several numbers of units.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        On a logarithmic axis the measured probability with its 95 % interval (left out where it
        is zero), that of the inner product, and the bound.

    Raises
    ------
    InvalidDataError
        Nothing to plot.
    """
    if len(ratios) == 0:
        msg = "No ratios were given; at least one by rashomon_ratio is wanted."
        raise InvalidDataError(msg)
    ax = axes_of(ax)
    ratios = sorted(ratios, key=lambda ratio: ratio.n_units)
    units = [ratio.n_units for ratio in ratios]
    ax.plot(units, [ratio.bound for ratio in ratios], color=GREY, lw=1.5, label="bound")
    ax.plot(units, [ratio.inner_product for ratio in ratios], color=BLUE, label="inner product")
    found = [(ratio.n_units, ratio.approximation) for ratio in ratios]
    found = [(n, p) for n, p in found if p.value > 0]
    if found:
        values = np.array([p.value for _, p in found])
        below = values - [p.low for _, p in found]
        above = [p.high for _, p in found] - values
        # An interval that reaches zero has no end on a logarithmic axis.
        below = np.minimum(below, 0.99 * values)
        ax.errorbar(
            [n for n, _ in found], values, yerr=[below, above], color=ORANGE, marker="o", ms=3,
            capsize=3, label="approximation",
        )  # fmt: skip
    ax.set(yscale="log", xlabel="units", ylabel="probability")
    ax.legend(frameon=False)
    return ax
