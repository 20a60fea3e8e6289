"""Figures of a solve: its spectrum, the choice of the ridge, its iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.analysis import captured_rank, cutoff_level
from solvenet.errors import InvalidDataError
from solvenet.plots._base import BLUE, GREY, ORANGE, axes_of
from solvenet.solvers import History

if TYPE_CHECKING:
    from solvenet.linalg.regularization import SelectionCurve
    from solvenet.solvers import SolveResult

_ROUNDING = 1e-17
_CRITERIA = {"loo": "leave-one-out", "gcv": "cross-validation"}
_FAR_WORSE = 10.0


def plot_spectrum(result: SolveResult, ax: Any = None) -> Any:
    """Plot the singular values of the features and where the regularisation cuts them.

    Parameters
    ----------
    result : SolveResult
        By a solver that kept the spectrum: QR, SVD or NormalEquations(spectrum=True).
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Singular values relative to the largest on a logarithmic axis, the ridge (or the
        cutoff) as a line, and how many stand above it.

    Raises
    ------
    InvalidDataError
        The solver kept no spectrum.
    """
    s = result.singular_values
    if s is None or len(s) == 0:
        msg = (
            f"{result.solver} kept no spectrum to plot. Solve with QR, SVD or "
            "NormalEquations(spectrum=True)."
        )
        raise InvalidDataError(msg)
    ax = axes_of(ax)
    largest = float(s[0]) or 1.0
    relative = s / largest
    order = np.arange(1, len(s) + 1)
    level, name = cutoff_level(s, result.alpha, result.rcond)
    rank = captured_rank(s, result.alpha, result.rcond, result.rank)
    positive = relative > 0
    # Below rounding the values are noise, and would squeeze the rest.
    floor = max(float(relative[positive].min(initial=1.0)), _ROUNDING)
    ax.plot(order[positive], relative[positive], color=BLUE, lw=2)
    ax.fill_between(
        order[:rank], np.maximum(relative[:rank], floor), floor, color=BLUE, alpha=0.15, lw=0
    )
    if level > 0:
        ax.axhline(
            level, color=ORANGE, lw=1.5, ls="--", label=f"{name}: {level:.0e} of the largest"
        )
    ax.axvline(rank, color=GREY, lw=1, ls=":", label=f"rank {rank} of {len(s)}")
    ax.set(yscale="log", xlabel="direction", ylabel="singular value / largest")
    ax.set_xlim(1, max(len(s), 2))
    ax.set_ylim(bottom=floor / 2)
    ax.legend(frameon=False)
    return ax


def plot_selection(curve: SelectionCurve, ax: Any = None) -> Any:
    """Plot the error by which the ridge (or cutoff) was chosen, and the choice.

    Parameters
    ----------
    curve : SelectionCurve
        ``result.curve``, or the full one by :func:`solvenet.solvers.loo_curve`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Both axes logarithmic; 1 is the error of predicting the mean.
    """
    ax = axes_of(ax)
    shown = (curve.values > 0) & (curve.scores > 0) & np.isfinite(curve.scores)
    # The plateau of far worse ridges would squeeze the valley.
    good = np.flatnonzero(shown & (curve.scores <= _FAR_WORSE * max(1.0, curve.score)))
    if len(good):
        shown[: max(0, good[0] - 2)] = False
    ax.plot(curve.values[shown], curve.scores[shown], color=BLUE, lw=2, marker=".", ms=4)
    if shown[curve.chosen]:
        ax.plot(
            [curve.value], [curve.score], "o", color=ORANGE, ms=9,
            label=f"chosen: {curve.value:.1e}, error {curve.score:.2g}",
        )  # fmt: skip
    ax.axhline(1.0, color=GREY, lw=1, ls=":", label="predicting the mean")
    what = {"alpha": "ridge alpha", "rcond": "relative cutoff"}.get(curve.parameter)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=what or curve.parameter,
        ylabel=f"{_CRITERIA[curve.criterion]} error / variance",
    )
    ax.legend(frameon=False)
    return ax


def plot_convergence(result: SolveResult | History, ax: Any = None) -> Any:
    """Plot how the residual fell in the iterations of a solver.

    Parameters
    ----------
    result : SolveResult or History
        By a solver that iterates: LSQR, LSMR, CGLS, LSRN, SPIR, SplitAndSolve.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Norms of the residual and, where known, of the normal residual, over those at the
        start, on a logarithmic axis: a line a target. Targets that were zero from the
        start are left out.

    Raises
    ------
    InvalidDataError
        The solver kept no history.
    """
    history = result if isinstance(result, History) else result.history
    if history is None:
        msg = "This solver made no iterations to plot. Solve with LSQR, LSMR, CGLS, LSRN or SPIR."
        raise InvalidDataError(msg)
    ax = axes_of(ax)
    for norms, color, style, name in (
        (history.residual_norms, BLUE, "-", "residual"),
        (history.normal_residual_norms, ORANGE, "--", "normal residual"),
    ):
        if norms is None:
            continue
        shown = norms[:, norms[0] > 0]
        relative = np.where(shown > 0, shown, np.nan) / norms[0][norms[0] > 0]
        lines = ax.plot(np.arange(len(norms)), relative, color=color, lw=1.5, ls=style)
        for line in lines[:1]:
            line.set_label(name)
    ax.set(yscale="log", xlabel="iteration", ylabel="norm / norm at the start")
    ax.set_xlim(0, max(history.n_iterations, 1))
    if ax.lines:
        ax.legend(frameon=False)
    return ax
