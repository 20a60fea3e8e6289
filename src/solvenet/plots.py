"""Figures of a fit: a result in, matplotlib Axes out. matplotlib loads on first use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from solvenet._validation import import_optional
from solvenet.analysis import captured_rank, cutoff_level
from solvenet.errors import InvalidDataError
from solvenet.solvers import History

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.linalg.regularization import SelectionCurve
    from solvenet.solvers import SolveResult

# Okabe and Ito's colours: told apart by colour-blind readers, and readable on light and dark.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#808080"

_MOST_POINTS = 2000
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
    ax = _axes(ax)
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
    ax = _axes(ax)
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
    ax = _axes(ax)
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


def plot_predictions(y_true: Any, y_pred: Any, std: Any = None, ax: Any = None) -> Any:
    """Plot predicted against true values.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values. Of more than 2000 rows every k-th is drawn.
    std : array-like of shape (n_rows,), optional
        Predictive standard deviations; drawn as bars of twice that length.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        A square of equal scales with the line of perfect predictions.
    """
    true, predicted = _pair(y_true, y_pred)
    step = slice(None, None, -(-len(true) // _MOST_POINTS))
    true, predicted = true[step], predicted[step]
    ax = _axes(ax)
    if std is not None:
        bars = 2.0 * np.asarray(std, dtype=float)[step]
        ax.errorbar(
            true, predicted, yerr=bars, fmt="none", ecolor=BLUE, elinewidth=0.7, alpha=0.25,
            zorder=1, label="two standard deviations",
        )  # fmt: skip
    few = len(true) < 300
    ax.scatter(true, predicted, s=14 if few else 6, color=BLUE, alpha=0.7 if few else 0.4, lw=0)
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    margin = 0.05 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    ax.plot(limits, limits, color=ORANGE, lw=1.5, ls="--", label="perfect", zorder=3)
    ax.set(xlabel="true", ylabel="predicted", xlim=limits, ylim=limits)
    ax.set_aspect("equal", adjustable="box")
    ax.legend(frameon=False)
    return ax


def plot_confusion(
    y_true: Any, y_pred: Any, *, labels: Sequence[Any] | None = None, ax: Any = None
) -> Any:
    """Plot how often each true class was predicted as each class.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted classes.
    labels : sequence, optional
        The classes in order; by default all that occur, sorted.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Counts; the colour is the share of the true class. Numbers are left out above 15
        classes.
    """
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    _check_pair(true, predicted)
    known = np.unique(np.r_[true, predicted]) if labels is None else np.asarray(labels)
    at = {label: position for position, label in enumerate(known.tolist())}
    counts = np.zeros((len(known), len(known)), dtype=int)
    np.add.at(counts, ([at[v] for v in true.tolist()], [at[v] for v in predicted.tolist()]), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = _axes(ax)
    colours = import_optional("matplotlib.colors", extra="plots", purpose="Plotting")
    shade = np.empty((*share.shape, 4))
    shade[..., :3] = colours.to_rgb(BLUE)
    shade[..., 3] = share  # nothing is transparent: it suits light and dark pages
    ax.imshow(shade)
    names = [str(label) for label in known]
    upright = 0 if max(map(len, names)) <= 3 else 45
    if len(known) <= 30:
        ax.set_xticks(
            range(len(known)), names, rotation=upright, ha="right" if upright else "center"
        )
        ax.set_yticks(range(len(known)), names)
    if len(known) <= 15:
        size = 10 if len(known) <= 6 else 8
        for (row, column), count in np.ndenumerate(counts):
            if count:
                style = {"color": "white"} if share[row, column] > 0.5 else {}
                ax.text(column, row, str(count), ha="center", va="center", size=size, **style)
    ax.set(xlabel="predicted", ylabel="true")
    return ax


def plot_calibration(confidence: Any, correct: Any, *, n_bins: int = 10, ax: Any = None) -> Any:
    """Plot how often predictions are right against how sure they are.

    Parameters
    ----------
    confidence : array-like of shape (n_rows,)
        Probability of the predicted class.
    correct : array-like of shape (n_rows,), bool
        Whether it was the true one.
    n_bins : int, default=10
        Bins of equally many rows.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        A point a bin with two standard errors; perfect calibration is the diagonal.
    """
    sure, right = _pair(confidence, correct)
    order = np.argsort(sure, kind="stable")
    bins = [part for part in np.array_split(order, min(n_bins, len(order))) if len(part)]
    x = np.array([sure[part].mean() for part in bins])
    y = np.array([right[part].mean() for part in bins])
    n = np.array([len(part) for part in bins])
    # Laplace's rule keeps the error of an all-right bin above zero.
    shrunk = (y * n + 1) / (n + 2)
    error = 2 * np.sqrt(shrunk * (1 - shrunk) / n)
    bars = np.stack([np.minimum(error, y), np.minimum(error, 1 - y)])
    ax = _axes(ax)
    ax.plot([0, 1], [0, 1], color=ORANGE, lw=1.5, ls="--", label="perfect")
    ax.errorbar(
        x, y, yerr=bars, fmt="o-", color=BLUE, ms=5, lw=1.5, elinewidth=1, capsize=2,
        label="validation rows",
    )  # fmt: skip
    low = min(1.0, float(min(x.min(), (y - bars[0]).min())))
    ax.set(xlabel="confidence", ylabel="share that is right")
    ax.set(xlim=(max(0.0, low - 0.05), 1.02), ylim=(max(0.0, low - 0.05), 1.02))
    ax.legend(frameon=False)
    return ax


def plot_coverage(y_true: Any, y_pred: Any, std: Any, ax: Any = None) -> Any:
    """Plot how many true values lie within predicted intervals against how many should.

    Parameters
    ----------
    y_true, y_pred, std : array-like of shape (n_rows,)
        True values, predictions and predictive standard deviations.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Below the diagonal the standard deviations are too small, above it too large.
    """
    true, predicted = _pair(y_true, y_pred)
    deviation, _ = _pair(std, y_true)
    error = np.abs(true - predicted)
    distance = np.where(deviation > 0, error / np.where(deviation > 0, deviation, 1.0), np.inf)
    distance[error == 0] = 0.0
    level = np.linspace(0, 1, 101)
    reach = ndtri((1 + level[:-1]) / 2)
    inside = np.searchsorted(np.sort(distance), reach, side="right") / len(distance)
    ax = _axes(ax)
    ax.plot([0, 1], [0, 1], color=ORANGE, lw=1.5, ls="--", label="perfect")
    ax.plot(level[:-1], inside, color=BLUE, lw=2, label="validation rows")
    ax.set(xlabel="interval meant to hold this share", ylabel="share that it holds")
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    ax.legend(frameon=False)
    return ax


def _axes(ax: Any) -> Any:
    """Return the axes given, or those of a new figure."""
    if ax is None:
        plt = import_optional("matplotlib.pyplot", extra="plots", purpose="Plotting")
        _, ax = plt.subplots(figsize=(5, 4), layout="constrained")
    return ax


def _pair(first: Any, second: Any) -> tuple[Array, Array]:
    """Return two arrays of numbers, checked to be of one length."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    _check_pair(a, b)
    return a, b


def _check_pair(a: Array, b: Array) -> None:
    if a.ndim != 1 or a.shape != b.shape or len(a) == 0:
        msg = (
            f"Arrays of shape {a.shape} and {b.shape} were given; two one-dimensional ones of "
            "one length, with at least one row, are wanted."
        )
        raise InvalidDataError(msg)
