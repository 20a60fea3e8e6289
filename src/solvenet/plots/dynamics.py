"""Figures of learning dynamics: the residual mode by mode, half-times against frequency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_finite
from solvenet.errors import InvalidDataError
from solvenet.plots._base import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    axes_of,
    check_pair,
    pair_of,
)

if TYPE_CHECKING:
    from solvenet._array_api import Array

_COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
_STYLES = ("--", ":", "-.")
_MARKERS = "osD^v"
_FLOOR = 1e-8  # relative; below, projections are rounding and squeeze the rest


def plot_residual_modes(
    times: Array,
    projections: Array,
    *,
    frequency: Sequence[float] | None = None,
    xlabel: str = "time",
    ax: Any = None,
) -> Any:
    """Plot how each mode of the residual falls while a network is trained.

    Parameters
    ----------
    times : array of shape (r,)
        Times, steps or epochs; a record at 0 is left out of the logarithmic axis.
    projections : array of shape (r, p)
        The residual on p functions, such as ``Trajectory.projections`` or
        ``LinearFlow.projections(times)``.
    frequency : sequence of p numbers, optional
        Of the functions, for the legend; their number by default.
    xlabel : str, default="time"
        What `times` are.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Absolute projections relative to the first record, both axes logarithmic: a line a
        mode, from dark (first) to light (last) for more than five, and a line at one half.

    Raises
    ------
    InvalidDataError
        Shapes that do not fit, values that are not finite.
    """
    t, values = np.asarray(times, dtype=float), np.asarray(projections, dtype=float)
    if t.ndim != 1 or values.ndim != 2 or len(t) != len(values) or 0 in values.shape:
        msg = (
            f"Times of shape {t.shape} and projections of shape {values.shape} were given; (r,) "
            "and (r, p), not empty, are wanted."
        )
        raise InvalidDataError(msg)
    check_finite("times", t)
    check_finite("projections", values)
    names = range(values.shape[1]) if frequency is None else frequency
    if len(names) != values.shape[1]:
        msg = (
            f"{len(names)} frequencies were given for {values.shape[1]} modes; one each is wanted."
        )
        raise InvalidDataError(msg)
    ax = axes_of(ax)
    size = np.abs(values)
    start = np.where(size[0] > 0, size[0], np.nan)
    shown = t > 0
    word = "mode" if frequency is None else "m ="
    for j, (name, color) in enumerate(zip(names, _shades(len(names)), strict=True)):
        relative = np.maximum(size[shown, j] / start[j], _FLOOR)
        ax.plot(t[shown], relative, color=color, lw=1.5, label=f"{word} {name:g}")
    ax.axhline(0.5, color=GREY, lw=1, ls=":")
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="residual / residual at the start")
    ax.legend(frameon=False)
    return ax


def plot_half_times(
    frequency: Array,
    times: Array | Mapping[str, Array],
    *,
    laws: Mapping[str, Callable[[Array], Array]] | None = None,
    ylabel: str = "time to halve",
    ax: Any = None,
) -> Any:
    """Plot how long each frequency takes to be halved, with laws beside the measurements.

    Parameters
    ----------
    frequency : array of shape (k,)
        Frequencies m.
    times : array of shape (k,), or mapping from a name to such an array
        Half-times; those that are infinite (never halved) are left out.
    laws : mapping from a name to a callable, optional
        Functions of m, such as a :class:`~solvenet.analysis.PowerLaw`, drawn as lines.
    ylabel : str, default="time to halve"
        What `times` are.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Both axes logarithmic.

    Raises
    ------
    InvalidDataError
        Arrays that are not one-dimensional, empty, or of different lengths.
    """
    series = times if isinstance(times, Mapping) else {"measured": times}
    drawn = {name: pair_of(frequency, values) for name, values in series.items()}
    if not drawn:
        msg = "No times were given; an array, or a mapping with at least one, is wanted."
        raise InvalidDataError(msg)
    ax = axes_of(ax)
    shades = _shades(len(drawn))
    for i, (name, (m, values)) in enumerate(drawn.items()):
        finite = np.isfinite(values) & (values > 0)
        marker = _MARKERS[i % len(_MARKERS)]
        ax.plot(m[finite], values[finite], color=shades[i], marker=marker, lw=0, label=name)
    grid = np.geomspace(m.min(), m.max(), 100)
    for i, (name, law) in enumerate((laws or {}).items()):
        curve = np.asarray(law(grid), dtype=float)
        check_pair(grid, curve)
        ax.plot(grid, curve, color=GREY, lw=1.5, ls=_STYLES[i % len(_STYLES)], label=name)
    ax.set(xscale="log", yscale="log", xlabel="frequency m", ylabel=ylabel)
    ax.legend(frameon=False)
    return ax


def _shades(n: int) -> list[Any]:
    """Return n colours: the named ones, or steps of a map where there are more."""
    if n <= len(_COLORS):
        return list(_COLORS[:n])
    from matplotlib import colormaps  # axes were given or made: it is installed

    return [colormaps["viridis"](0.9 * i / (n - 1)) for i in range(n)]
