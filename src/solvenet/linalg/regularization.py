"""How much to regularise: the curve of leave-one-out errors and its minimum.

All functions work with relative quantities (``ratio = alpha / s1**2``), so that matrices
of any scale neither overflow nor meet an absolute threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array

LARGEST_RATIO = 1e4
"""Ridge beyond which nothing but the mean is left: ``alpha = 1e4 s1**2``."""

NEARLY_EXACT = 1e-9
"""Scores below this are at the level of what rounding in a Gram matrix contributes."""

FEW_ROWS = 200
"""Up to this many rows the safe side is one standard error wide; it narrows beyond."""

MOST_LOST = 40
"""On the safe side the score is worse by at most this over the number of rows (relative)."""

GAIN = 2e-3
"""Relative gain in the score below which a search for the ridge ends."""

FARTHEST = float(np.log(30.0))
"""Most that one step of a search by slopes multiplies the ridge by, as a logarithm."""

CLOSE = 0.1
"""Relative distance of two ridges that are the same for a search."""

MOST_STEPS = 20
"""Ridges that a search by slopes tries at most."""

TIE = 1e-6
"""Scores that differ by less than this (relative) count as equal; the larger ridge wins."""


@dataclass(frozen=True)
class SelectionCurve:
    """The scores among which a regularisation was chosen.

    Attributes
    ----------
    parameter : str
        What `values` are: ``"alpha"`` (ridge) or ``"rcond"`` (cutoff).
    values : array of shape (k,)
        Ascending.
    scores : array of shape (k,)
        Mean squared error (leave-one-out or cross-validation) over the variance of the
        targets: 1 is the error of predicting the mean.
    chosen : int
        Index of the choice.
    n_rows : int
        Rows whose errors were averaged.
    criterion : str
        ``"loo"``, or ``"gcv"`` for generalised cross-validation: all rows, with their
        leverages replaced by the mean.
    others : dict of str to array
        Scores of the same values by other criteria, where they cost nothing.
    to_the_end : bool
        Whether the smallest value is the finest that the factorisation resolves; not so
        where a search ended before it.
    """

    parameter: str
    values: Array
    scores: Array
    chosen: int
    n_rows: int
    criterion: str = "loo"
    others: dict[str, Array] = field(default_factory=dict)
    to_the_end: bool = True

    @property
    def value(self) -> float:
        """The chosen value."""
        return float(self.values[self.chosen])

    @property
    def score(self) -> float:
        """The score of the choice."""
        return float(self.scores[self.chosen])

    def asks_for_less(self) -> bool:
        """Tell whether a finer resolution would help.

        That is so where the score still falls at the small end, and where the fit is so
        close that the rounding of a Gram matrix is part of its error.
        """
        if self.score < NEARLY_EXACT:
            return True
        if self.chosen > 0 or len(self.values) < 2 or not self.to_the_end:
            return False
        decades = np.log10(self.values[1] / self.values[0])
        # Ten per cent a decade: less is the flat end of a curve, not a fall.
        return bool(np.log10(self.scores[1] / self.scores[0]) > -np.log10(0.9) * decades)


@dataclass(frozen=True)
class RowScores:
    """Relative squared leave-one-out errors of some rows at one ridge, and their slopes.

    Attributes
    ----------
    squares, slopes, curvatures : array of shape (n_rows,)
        The squares, and their first and second derivatives by the logarithm of the ridge.
    weights : array of shape (n_rows,)
        Weights of the rows.
    """

    squares: Array
    slopes: Array
    curvatures: Array
    weights: Array

    def step(self) -> float:
        """Return a Newton step towards the smallest mean, as a logarithm; 0 if it gains little.

        Little is 0.2 % of the score; for a smaller ridge also what is not significant
        (see `pick`, which would not take it); nan where the score is not finite.
        """
        share = self.weights / self.weights.sum()
        score, slope, curvature = (
            float(share @ part) for part in (self.squares, self.slopes, self.curvatures)
        )
        if not np.isfinite([score, slope, curvature]).all():
            return float("nan")
        if abs(slope) * float(np.log(10.0)) < GAIN * score:
            return 0.0
        sign = -1.0 if slope > 0 else 1.0
        size = min(FARTHEST, abs(slope) / curvature) if curvature > 0 else FARTHEST
        change = sign * size * self.slopes + 0.5 * size**2 * self.curvatures
        gain = -float(share @ change)
        if curvature > 0 and gain < GAIN * score:
            return 0.0
        if sign < 0 and gain <= _margin(change[:, None], share, self.weights, score)[0]:
            return 0.0
        # Newton's method for the logarithm of the score, which may fall exponentially.
        bend = curvature * score - slope**2
        return sign * (min(FARTHEST, abs(slope) * score / bend) if bend > 0 else FARTHEST)


def pick(squares: Array, weights: Array) -> tuple[Array, int]:
    """Return mean squared errors and which regularisation to take.

    Parameters
    ----------
    squares : array of shape (n_rows, k)
        Relative squared leave-one-out errors under k regularisations, ascending.
    weights : array of shape (n_rows,)
        Weights of the rows.

    Returns
    -------
    scores : array of shape (k,)
        Weighted means.
    chosen : int
        The largest regularisation whose mean is not significantly above the smallest
        one: by at most one standard error of the difference, row by row (less beyond 200
        rows, as their inverse root), and by no more than the score times 40 over the number
        of rows: of many rows with heavy tails a few would hide a clear minimum. Where a
        curve is decided by a few rows this takes the safe side; where all rows agree it
        takes the minimum.
    """
    share = weights / weights.sum()
    with np.errstate(over="ignore", invalid="ignore"):
        scores = share @ squares
        scores = np.where(np.isnan(scores), np.inf, scores)
        best = int(np.argmin(scores))
        if not np.isfinite(scores[best]):
            return scores, len(scores) - 1
        worse = squares[:, best:] - squares[:, best : best + 1]
        margin = _margin(worse, share, weights, float(scores[best]))
        allowed = share @ worse <= np.maximum(margin, TIE * scores[best])
    return scores, best + int(np.flatnonzero(allowed)[-1])


def _margin(differences: Array, share: Array, weights: Array, score: float) -> Array:
    """Return the mean difference up to which rows do not tell two regularisations apart.

    `score` is the mean of which these are differences.
    """
    mean = share @ differences
    spread = np.sqrt(np.maximum(share @ differences**2 - mean**2, 0.0))
    n_rows = max(float(weights.sum()), 1.0)
    margin = spread / np.sqrt(n_rows) * min(1.0, np.sqrt(FEW_ROWS / n_rows))
    bounded: Array = np.minimum(margin, score * MOST_LOST / n_rows)
    return bounded


def gcv_scores(
    residual_sumsq: Array, degrees_of_freedom: Array, n_rows: float, total_sumsq: Array
) -> Array:
    """Return the generalised cross-validation error, relative to the null model.

    Parameters
    ----------
    residual_sumsq : array of shape (k, n_targets)
        Sums of squared residuals under k regularisations.
    degrees_of_freedom : array of shape (k,)
        Effective parameters, the intercept included.
    n_rows : float
        Rows that count.
    total_sumsq : array of shape (n_targets,)
        Sums of squares of the (centred) targets.

    Returns
    -------
    array of shape (k,)
        ``n_rows RSS / (n_rows - dof)**2`` over the variance, averaged over the targets
        that vary; infinite where less than one degree of freedom is left.

    References
    ----------
    G. Golub, M. Heath, G. Wahba (1979), Technometrics 21, 215-223.
    """
    left = n_rows - degrees_of_freedom
    varying = total_sumsq > 0
    if not varying.any():
        return np.zeros(len(left))
    share = (residual_sumsq[:, varying] / total_sumsq[varying]).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left >= 1.0, (n_rows / left) ** 2 * share, np.inf)


def pick_smallest(scores: Array) -> int:
    """Return the index of the smallest score; the last of those that count as equal."""
    best = float(scores.min())
    if not np.isfinite(best):
        return len(scores) - 1
    return int(np.flatnonzero(scores <= best * (1 + TIE))[-1])


def ratio_grid(resolution: float, *, per_decade: int = 2) -> Array:
    """Return the ridge values to try, from `resolution` upwards."""
    decades = np.log10(LARGEST_RATIO / resolution)
    return np.asarray(np.geomspace(resolution, LARGEST_RATIO, int(per_decade * decades) + 1))


def descend(
    score: Callable[[float], float], resolution: float, *, start: float
) -> tuple[Array, Array]:
    """Minimise a score over the ridge where each evaluation is expensive.

    Parameters
    ----------
    score : callable
        Maps a ratio to its score.
    resolution : float
        Smallest ratio.
    start : float
        First ratio; should be near the minimum, for the score may be flat elsewhere.

    Returns
    -------
    ratios, scores : array
        The points that were evaluated, ascending and a decade apart: downhill from
        `start` to smaller ratios until the score rises or gains less than 0.1 %; upwards
        only where there is no step down or it was uphill by more than 1 %.
    """

    def within(ratio: float) -> float:
        # A point just above the finest ridge would hide that the search ends there.
        return resolution if ratio < 2 * resolution else min(ratio, LARGEST_RATIO)

    at = within(start)
    seen = {at: score(at)}
    for factor in (0.1, 10.0):
        here = at
        while True:
            there = within(here * factor)
            if there in seen:
                break
            seen[there] = score(there)
            if not seen[there] < 0.999 * seen[here]:
                break
            here = there
        if here != at or (there != at and seen[there] <= 1.01 * seen[at]):
            break
    points = sorted(seen)
    return np.array(points), np.array([seen[x] for x in points])


def descend_by_slopes(
    score: Callable[[float], RowScores | None], resolution: float, *, start: float
) -> dict[float, RowScores]:
    """Minimise a score over the ridge where an evaluation is expensive and its slopes are not.

    Parameters
    ----------
    score : callable
        Maps a ratio to the errors of some rows, None where there are none to be had.
    resolution : float
        Smallest ratio.
    start : float
        First ratio.

    Returns
    -------
    dict of float to RowScores
        What was found at each ratio that was tried. From a good start these are one or two:
        Newton's method on the logarithm of the ridge, within the ratios that slopes have
        not excluded, until a step gains less than 0.2 %. Where the search ends at the
        finest ridge there are at least two, so that the curve tells whether it still falls.
    """

    def within(ratio: float) -> float:
        return resolution if ratio < 2 * resolution else min(ratio, LARGEST_RATIO)

    seen: dict[float, RowScores] = {}
    at, low, high = within(start), 0.0, float("inf")
    for _ in range(MOST_STEPS):
        found = score(at)
        if found is not None:
            seen[at] = found
        step = float("nan") if found is None else found.step()
        if step == 0:
            break
        low, high = (low, at) if step < 0 else (at, high)  # too small to have a score: upwards
        there = within(at * float(np.exp(FARTHEST if np.isnan(step) else step)))
        if not low < there < high:
            there = float(np.sqrt(low * high))
        if there == at or not low * (1 + CLOSE) < there < high / (1 + CLOSE):
            break
        at = there
    if list(seen) == [resolution]:
        found = score(10 * resolution)
        if found is not None:
            seen[10 * resolution] = found
    return seen
