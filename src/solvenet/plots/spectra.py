"""Figures of what a network can represent: eigenvalues, modes, errors of projections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_count
from solvenet.analysis import Modes, Projection, Spectrum
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.plots._base import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, axes_of

if TYPE_CHECKING:
    from solvenet._array_api import Array

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, GREY)
_MOST_SHOWN = 100_000


def plot_eigenvalues(
    spectra: Spectrum | Mapping[str, Spectrum],
    *,
    fit: tuple[int, int] | None = None,
    thresholds: Sequence[float] = (),
    ax: Any = None,
) -> Any:
    """Plot eigenvalues against their number, relative to the largest.

    Parameters
    ----------
    spectra : Spectrum, or mapping of names to Spectrum
        What to plot, a line each. Of very many eigenvalues the first 100,000 are shown.
    fit : (int, int), optional
        First and last eigenvalue of a power law that is fitted to each and drawn beside it.
    thresholds : sequence of float, default=()
        Relative levels, such as the epsilon of a precision: drawn as lines, each with the
        number of modes of the first spectrum that stand above, where that is known.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Both axes logarithmic. Eigenvalues that are lost to rounding are left out.

    Raises
    ------
    InvalidDataError
        Nothing to plot.
    """
    named = _named(spectra, Spectrum)
    ax = axes_of(ax)
    for colour, (name, spectrum) in zip(_cycled(len(named)), named.items(), strict=True):
        values = spectrum.expanded(min(spectrum.n_modes, _MOST_SHOWN))
        values = values[values > 0] / values[0]
        order = np.arange(1, len(values) + 1)
        label = name
        if fit is not None:
            slope = spectrum.slope(*fit)
            label = f"{name}, slope {slope:.2f}".removeprefix(", ")
            window = np.array(fit, dtype=float)
            middle = int(np.sqrt(fit[0] * fit[1]))
            # A little above the line, so that both are seen.
            line = 3 * values[middle - 1] * (window / middle) ** slope
            ax.plot(window, line, color=colour, lw=1, ls="--")
        ax.plot(order, values, color=colour, lw=1.5, marker=".", ms=3, label=label or None)
    first = next(iter(named.values()))
    for level in thresholds:
        known = level > first.resolution
        text = f"{level:.2g}: {first.count(level)} modes" if known else f"{level:.2g}"
        ax.axhline(level, color=GREY, lw=1, ls=":", label=text)
    ax.set(xscale="log", yscale="log", xlabel="k", ylabel="eigenvalue / largest")
    if any(not line.get_label().startswith("_") for line in ax.lines):
        ax.legend(frameon=False)
    return ax


def plot_modes(
    modes: Modes, which: int | Sequence[int] = (1, 2, 3, 5, 10), *, ax: Any = None
) -> Any:
    """Plot modes of a network: the functions that it represents most easily come first.

    Parameters
    ----------
    modes : Modes
        By :func:`solvenet.analysis.relu_modes` or :func:`solvenet.analysis.unit_modes`.
    which : int or sequence of int, default=(1, 2, 3, 5, 10)
        Their numbers, counted from 1; those beyond the last are left out.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Modes on (-1, 1), a line each.

    Raises
    ------
    InvalidSettingError
        No mode of these numbers.
    """
    numbers = [check_count("which", number) for number in np.atleast_1d(which).tolist()]
    shown = [number for number in numbers if number <= modes.n_modes]
    if not shown:
        msg = f"which={which!r} was given; numbers from 1 to {modes.n_modes} are wanted."
        raise InvalidSettingError(msg)
    ax = axes_of(ax)
    x = np.linspace(-1, 1, max(801, 40 * max(shown) + 1))
    values = modes(x)
    for colour, number in zip(_cycled(len(shown)), shown, strict=True):
        ax.plot(x, values[:, number - 1], color=colour, lw=1.5, label=f"k = {number}")
    ax.set(xlabel="x", ylabel="mode")
    ax.set_xlim(-1, 1)
    ax.legend(frameon=False)
    return ax


def plot_projection(
    projections: Projection | Mapping[str, Projection],
    *,
    tolerances: Sequence[float] = (),
    ax: Any = None,
) -> Any:
    """Plot the relative L2 error of functions against the number of modes.

    Parameters
    ----------
    projections : Projection, or mapping of names to Projection
        By :func:`solvenet.analysis.project`, a line each.
    tolerances : sequence of float, default=()
        Errors, drawn as lines; each with the number of modes that the first projection
        needs.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The error on a logarithmic axis.

    Raises
    ------
    InvalidDataError
        Nothing to plot.
    """
    named = _named(projections, Projection)
    ax = axes_of(ax)
    for colour, (name, projection) in zip(_cycled(len(named)), named.items(), strict=True):
        errors = projection.relative_errors
        shown = errors > 0
        order: Array = np.arange(len(errors))
        ax.plot(order[shown], errors[shown], color=colour, lw=1.5, label=name or None)
    first = next(iter(named.values()))
    for tolerance in tolerances:
        needed = first.needed(tolerance)
        modes = f"more than {first.n_modes}" if needed is None else f"{needed}"
        ax.axhline(tolerance, color=GREY, lw=1, ls=":", label=f"{tolerance:g}: {modes} modes")
    ax.set(yscale="log", xlabel="modes", ylabel="error / norm")
    ax.set_xlim(left=0)
    if any(not line.get_label().startswith("_") for line in ax.lines):
        ax.legend(frameon=False)
    return ax


def _cycled(n: int) -> list[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(n)]


def _named(things: Any, kind: type) -> dict[str, Any]:
    """Return things by name; one without a name has an empty one."""
    named = {"": things} if isinstance(things, kind) else things
    wrong = not isinstance(named, Mapping) or not named
    if wrong or not all(isinstance(thing, kind) for thing in named.values()):
        msg = (
            f"{type(things).__name__} was given; a {kind.__name__}, or a mapping of names to "
            "such, is wanted."
        )
        raise InvalidDataError(msg)
    return dict(named)
