"""Figure of a diagnosis: which modes there are, which are hidden, which are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.analysis import cutoff
from solvenet.plots._base import BLUE, GREY, ORANGE, axes_of

if TYPE_CHECKING:
    from solvenet.analysis import Diagnosis

_FLOOR = 1e-17


def plot_reach(found: Diagnosis, ax: Any = None) -> Any:
    """Plot the singular values of the features and what the first modes leave of the targets.

    Parameters
    ----------
    found : Diagnosis
        By :func:`solvenet.analysis.diagnose`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Both against the number of modes, with dotted lines below which float32 and float64
        hide a mode (of the features, and of their Gram matrix), and a dashed one at the modes
        that the network represents.
    """
    ax = axes_of(ax)
    reach, numbers = found.reach, found.numbers
    values = reach.relative
    shown = values > _FLOOR
    order = np.arange(1, len(values) + 1)
    ax.plot(order[shown], values[shown], color=BLUE, lw=2, label="singular value / largest")
    left = np.sqrt(reach.errors)
    tried = (reach.sizes > 0) & np.isfinite(left) & (left > _FLOOR)
    ax.plot(
        reach.sizes[tried], left[tried], color=ORANGE, lw=2, marker=".", ms=4,
        label="error / standard deviation",
    )  # fmt: skip
    for precision in ("float32", "float64"):
        for gram in (True, False):
            level = cutoff(precision, gram)
            ax.axhline(level, color=GREY, lw=0.8, ls=":")
            name = f"{precision}, Gram" if gram else precision
            ax.annotate(
                name, (1.0, level), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                size=8, color=GREY,
            )  # fmt: skip
    if numbers.error > numbers.tol**2:
        ax.axhline(numbers.tol, color=ORANGE, lw=0.8, ls="--", label="error wanted")
    how = f"{numbers.precision}, Gram" if numbers.gram else numbers.precision
    ax.axvline(numbers.modes, color=BLUE, lw=0.8, ls="--", label=f"{numbers.modes} modes in {how}")
    ax.set(xscale="log", yscale="log", xlabel="modes", ylim=(_FLOOR, 3.0))
    ax.set_xlim(1, max(len(values), 2))
    ax.legend(frameon=False, loc="lower left")
    return ax
