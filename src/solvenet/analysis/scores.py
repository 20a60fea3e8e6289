"""Scores with their uncertainty, from true and predicted values alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array

GROUPS = 2000
"""Groups of neighbouring rows that are resampled."""

_RESAMPLES = 1000
_Z = 1.96

LARGEST = 1e200
"""Of a squared error: predictions that explode give a score, not NaN."""


@dataclass(frozen=True)
class Score:
    """A score between worse than nothing and 1, with a 95 % interval.

    Attributes
    ----------
    name : {"accuracy", "R^2"}
        What it is.
    value, low, high : float
        The score and its interval.
    constant : float
        Score of the best constant prediction on the same rows.
    error : float
        Share of wrong rows, or root mean squared error in units of the target.
    missing, missing_most : float
        ``1 - value`` and ``1 - low``, to full relative accuracy.
    """

    name: str
    value: float
    low: float
    high: float
    constant: float
    error: float
    missing: float
    missing_most: float

    @property
    def short(self) -> str:
        """The value: ``0.853``, or ``1 - 2e-21`` where that says more."""
        if 0 < self.missing < 1e-4:
            return f"1 - {self.missing:.0e}"
        return f"{self.value:.3f}"

    @property
    def interval(self) -> str:
        """The 95 % interval: ``0.821 to 0.880``, or ``1 - 3e-21 or better``."""
        if 0 < self.missing_most < 1e-4:
            return f"1 - {self.missing_most:.0e} or better"
        return f"{self.low:.3f} to {self.high:.3f}"

    @property
    def text(self) -> str:
        """The score in words, such as ``R^2 0.853 (0.821 to 0.880)``."""
        return f"{self.name} {self.short} ({self.interval})"


def accuracy(y_true: Array, y_pred: Array) -> Score:
    """Return the share of right predictions with Wilson's interval.

    Parameters
    ----------
    y_true, y_pred : array of shape (n_rows,)
        Classes.

    Returns
    -------
    Score
        Its constant is the share of the most frequent class. The interval has a width
        even where all rows are right.
    """
    right = np.asarray(y_true) == np.asarray(y_pred)
    most = int(np.unique(y_true, return_counts=True)[1].max())
    return accuracy_of_counts(float(right.sum()), len(right), most)


def accuracy_of_counts(right: float, n: float, most: float) -> Score:
    """Return what :func:`accuracy` does, from counts.

    Parameters
    ----------
    right, n, most : float
        Rows predicted rightly, all rows, rows of the most frequent class.
    """
    share = right / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    low, high = min(middle - half, share), max(middle + half, share)
    return Score("accuracy", share, low, high, most / n, 1 - share, 1 - share, 1 - low)


def r_squared(y_true: Array, y_pred: Array, *, seed: int = 0) -> Score:
    """Return the coefficient of determination with a bootstrap interval.

    Parameters
    ----------
    y_true, y_pred : array of shape (n_rows,)
        Numbers.
    seed : int, default=0
        Of the 1000 resamples.

    Returns
    -------
    Score
        Its constant is 0. Where the true values are all equal it is 1 for exact
        predictions and 0 otherwise.

    Notes
    -----
    Rows are resampled, in at most 2000 groups of neighbours, so that the cost stays small
    and dependence between neighbours widens the interval.
    """
    # Around a fixed point near the mean: sums of squares keep their digits.
    y = np.asarray(y_true, dtype=np.float64)
    with np.errstate(over="ignore"):
        squared = (y - np.asarray(y_pred, dtype=np.float64)) ** 2
    squared = np.minimum(squared, LARGEST)
    y = y - y.mean()
    rows = np.stack([np.ones(len(y)), y, y * y, squared], axis=1)
    edges = np.linspace(0, len(y), min(len(y), GROUPS) + 1).astype(int)[:-1]
    sums = np.add.reduceat(rows, edges, axis=0)
    return replace(r_squared_of_sums(sums, seed=seed), error=float(np.sqrt(squared.mean())))


def r_squared_of_sums(sums: Array, *, seed: int = 0) -> Score:
    """Return what :func:`r_squared` does, from sums over groups of rows.

    Parameters
    ----------
    sums : array of shape (n_groups, 4)
        Of each group the sums of 1, y, y**2 and the squared errors, where y is the target
        less a number near its mean.
    seed : int, default=0
        Of the 1000 resamples.
    """
    total = sums.sum(axis=0)[None]
    rng = np.random.default_rng(seed)
    n = len(sums)
    drawn = rng.integers(n, size=(_RESAMPLES, n)) + n * np.arange(_RESAMPLES)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=_RESAMPLES * n).reshape(_RESAMPLES, n)
    resampled = counts.astype(np.float64) @ sums
    value, spread = unexplained(total)[0], unexplained(resampled)
    least, most = (float(v) for v in np.quantile(spread, [0.025, 0.975]))
    value, least, most = float(value), min(least, value), max(most, value)
    return Score(
        name="R^2",
        value=1 - value,
        low=1 - most,
        high=1 - least,
        constant=0.0,
        error=float(np.sqrt(total[0, 3] / total[0, 0])),
        missing=value,
        missing_most=most,
    )


def calibration_gap(confidence: Array, right: Array, *, n_bins: int = 15) -> float:
    """Return the expected calibration error of predictions of known confidence.

    Parameters
    ----------
    confidence : array of shape (n_rows,)
        Probability of the predicted class.
    right : array of shape (n_rows,), bool
        Whether it was the true one.
    n_bins : int, default=15
        Bins of equal width.

    Returns
    -------
    float
        ``sum_b (n_b / n) |share right_b - mean confidence_b|``.
    """
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, right - confidence, n_bins)).sum() / len(confidence))


def calibration_noise(confidence: Array, *, seed: int = 0) -> float:
    """Return the gap that perfectly calibrated predictions exceed once in twenty times.

    Parameters
    ----------
    confidence : array of shape (n_rows,)
        Probability of the predicted class.
    seed : int, default=0
        Of 200 simulated outcomes.
    """
    rng = np.random.default_rng(seed)
    gaps = [
        calibration_gap(confidence, rng.random(len(confidence)) < confidence) for _ in range(200)
    ]
    return float(np.quantile(gaps, 0.95))


def flat_share(y: Array, *, seed: int = 0, pairs: int = 20_000) -> float:
    """Return the share of pairs of rows with equal targets, estimated from random pairs."""
    first, second = np.random.default_rng(seed).integers(len(y), size=(2, pairs))
    apart = first != second
    return float((y[first[apart]] == y[second[apart]]).mean()) if apart.any() else 1.0


def unexplained(sums: Array) -> Array:
    """Return ``1 - R^2`` from sums of (1, y, y^2, error^2), shape (k, 4)."""
    n, y, y2, squared = sums.T
    around = y2 - y * y / n
    flat = around <= 1e-300
    return np.where(flat, np.where(squared > 0, 1.0, 0.0), squared / np.where(flat, 1.0, around))
