"""Figures of predictions: against true values, by class, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from solvenet._validation import import_optional
from solvenet.plots._base import BLUE, ORANGE, axes_of, check_pair, pair_of

_MOST_POINTS = 2000


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
    true, predicted = pair_of(y_true, y_pred)
    step = slice(None, None, -(-len(true) // _MOST_POINTS))
    true, predicted = true[step], predicted[step]
    ax = axes_of(ax)
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
    check_pair(true, predicted)
    known = np.unique(np.r_[true, predicted]) if labels is None else np.asarray(labels)
    at = {label: position for position, label in enumerate(known.tolist())}
    counts = np.zeros((len(known), len(known)), dtype=int)
    np.add.at(counts, ([at[v] for v in true.tolist()], [at[v] for v in predicted.tolist()]), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = axes_of(ax)
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
    sure, right = pair_of(confidence, correct)
    order = np.argsort(sure, kind="stable")
    bins = [part for part in np.array_split(order, min(n_bins, len(order))) if len(part)]
    x = np.array([sure[part].mean() for part in bins])
    y = np.array([right[part].mean() for part in bins])
    n = np.array([len(part) for part in bins])
    # Laplace's rule keeps the error of an all-right bin above zero.
    shrunk = (y * n + 1) / (n + 2)
    error = 2 * np.sqrt(shrunk * (1 - shrunk) / n)
    bars = np.stack([np.minimum(error, y), np.minimum(error, 1 - y)])
    ax = axes_of(ax)
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
    true, predicted = pair_of(y_true, y_pred)
    deviation, _ = pair_of(std, y_true)
    error = np.abs(true - predicted)
    distance = np.where(deviation > 0, error / np.where(deviation > 0, deviation, 1.0), np.inf)
    distance[error == 0] = 0.0
    level = np.linspace(0, 1, 101)
    reach = ndtri((1 + level[:-1]) / 2)
    inside = np.searchsorted(np.sort(distance), reach, side="right") / len(distance)
    ax = axes_of(ax)
    ax.plot([0, 1], [0, 1], color=ORANGE, lw=1.5, ls="--", label="perfect")
    ax.plot(level[:-1], inside, color=BLUE, lw=2, label="validation rows")
    ax.set(xlabel="interval meant to hold this share", ylabel="share that it holds")
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    ax.legend(frameon=False)
    return ax
