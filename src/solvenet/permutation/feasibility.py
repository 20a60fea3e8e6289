"""Can an initialisation work? Coverage of the knots, balance of the sum, gain."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_nonnegative
from solvenet.permutation.gain import full_gain
from solvenet.permutation.multisets import centred
from solvenet.permutation.orbit import relax
from solvenet.permutation.rounding import rounding_error, shaped_error
from solvenet.permutation.searching import search, search_stream
from solvenet.permutation.spline import SplineTarget

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.permutation.problem import PermutationProblem

_CLEAR, _SURE, _FAR = 2.0, 1.5, 4.0
"""What is promised is reached where it is below the wanted error by CLEAR, and is not where it is
above it by FAR. The least error over the hull is known to within SURE."""

_SMOOTHER = 1.06
"""The spline's error is at most so many times that of least squares."""


class Verdict(Enum):
    """What becomes of an initialisation, and what to change."""

    WORKS = "works"
    COVERAGE = "fails at coverage"
    BALANCE = "fails at balance"
    GAIN = "fails at gain"


@dataclass(frozen=True)
class InitCheck:
    """Whether features and values can approximate the targets, whatever the permutation.

    Attributes
    ----------
    verdict : Verdict
        Works, or the first condition that fails: coverage (the features cannot, with any
        coefficients), gain (gamma is fixed and too small, or the values are too coarse),
        balance (the sum of the values does not fit).
    predicted : float
        Root mean squared error that the best permutation should reach.
    floor : float
        That of least squares without any constraint: no permutation is better.
    tolerance : float
        Largest error that counts as working; absolute.
    largest_gap : float
        Largest distance of neighbouring knots, or of a knot from the first or last row, over
        the range of the rows. NaN for features without knots.
    gamma_full : float
        Smallest gamma with which majorisation allows the free spline; infinite where no gamma
        does, NaN for features without knots.
    sum_values, jump : float
        Sum of the values, and the difference of the target's slopes at both ends: they
        balance where ``gamma * sum_values`` differs from the jump by at most four values at
        each end. The jump is NaN for features without knots.
    advice : str
        What to change, in words.
    """

    verdict: Verdict
    predicted: float
    floor: float
    tolerance: float
    largest_gap: float
    gamma_full: float
    sum_values: float
    jump: float
    advice: str

    def __str__(self) -> str:
        """Return the check in a sentence or two."""
        return (
            f"{self.verdict.value.capitalize()}: error {self.predicted:.2g} predicted, "
            f"{self.floor:.2g} without constraint, {self.tolerance:.2g} wanted. {self.advice}"
        )


def check_init(problem: PermutationProblem, *, tolerance: float = 0.05) -> InitCheck:
    """Say before any search whether an initialisation can work, and what to change.

    Parameters
    ----------
    problem : PermutationProblem
        Features (with their knots), values, rows.
    tolerance : float, default=0.05
        Root mean squared error that counts as working, relative to the standard deviation of
        the targets.

    Returns
    -------
    InitCheck
        Verdict, predicted error, what to change.

    Notes
    -----
    Three conditions decide. *Coverage*: the least-squares floor of the features. *Gain*: in one
    dimension the kinks of the free spline over gamma, with the slots at the ends, must be
    majorised by the values (:func:`full_gain`). *Balance*: all values are used, so their sum
    is there; what the ends cannot take makes layers at the boundary. Where majorisation
    fails, or for features without knots, the least error over the convex hull of all
    permutations (permutahedron) is computed, a lower bound. To it comes rounding, in one
    dimension ``gamma * step * gap / sqrt(12)`` with mean steps and gaps. In more dimensions
    rounding is not predicted.

    Where that does not decide, in one dimension, the search itself does: it ends as soon as it
    reaches the wanted error, or is seen not to. That is where the prediction lies within a
    factor of 2 below and 4 above the wanted error, and for values of few levels.

    A failure is blamed on gain where a free gamma would repair it, on balance where values minus
    their mean would, else on gain.

    *Cost.* Where majorisation holds ``O(n log n + n_rows)``: milliseconds, a hundredth of
    :func:`solve_permutation`. Else the Gram matrix, its eigenvectors and some thousand products
    with them: about half of it. In doubt about as much as a search, and as much again for each
    repair that is looked at.

    This answers which initialisations are compatible, left open by Cai, Chen and Qiao (2025),
    arXiv:2407.01033, section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.permutation import PermutationProblem, check_init, equidistant, relu_pairs
    >>> x = np.linspace(-1, 1, 401)
    >>> units = relu_pairs(np.linspace(-0.1, 0.1, 40))
    >>> print(check_init(PermutationProblem(units, equidistant(80), x, np.sin(6 * x))).verdict)
    Verdict.COVERAGE
    """
    wanted = check_nonnegative("tolerance", tolerance) * float(problem.y.std())
    target = SplineTarget.of(problem)
    floor = problem.quadratic.floor if target is None else target.rmse
    if target is not None and wanted < floor <= _SMOOTHER * wanted:
        floor = problem.quadratic.floor
    gain = gap = jump = math.nan
    if target is not None:
        gain = _full_gain(target, problem.values)
        gap = float(target.gaps.max() / target.gaps.sum())
        jump = float(target.kinks.sum())
    predicted = floor if floor > wanted else _predicted(problem, target, floor, wanted)
    verdict, advice = Verdict.WORKS, _cost(predicted, floor)
    if floor > wanted:
        verdict, advice = Verdict.COVERAGE, _spread_out(target, gap)
    elif predicted > wanted:
        verdict, advice = _blamed(problem, target, floor, wanted)
    return InitCheck(
        verdict=verdict,
        predicted=predicted,
        floor=floor,
        tolerance=wanted,
        largest_gap=gap,
        gamma_full=gain,
        sum_values=float(problem.values.sum()),
        jump=jump,
        advice=advice,
    )


def _full_gain(target: SplineTarget, values: Array) -> float:
    """Return the smaller gain of the values and their negatives (a negative gamma)."""
    n_free, slope = target.n_free, target.slope
    return min(
        full_gain(target.kinks, sign * values, n_free=n_free, slope=slope) for sign in (1, -1)
    )


def _predicted(
    problem: PermutationProblem, target: SplineTarget | None, floor: float, wanted: float
) -> float:
    """Return the error to be expected of the best permutation, on the right side of `wanted`."""
    promised = math.inf
    if target is not None and problem.alpha == "free":
        promised = math.hypot(floor, shaped_error(problem, target))
        if promised <= wanted / _CLEAR:
            return promised
    gammas, relaxed = relax(problem.quadratic, problem.values)
    lower = np.maximum(relaxed, floor)
    rounding = np.abs(gammas) * (0.0 if target is None else rounding_error(problem.values, target))
    predicted = min(promised, float(np.hypot(lower, rounding).min()))
    impossible = lower.min() > _SURE * wanted and promised > _FAR * wanted
    # Rounding is that of many knots: of few levels, or few that are not zero, it is a guess.
    varied = 2 * len(np.unique(problem.values)) > problem.n_units
    clear = predicted <= wanted / _CLEAR and varied
    if target is None or clear or impossible or predicted > _FAR * wanted:
        return predicted
    # In doubt: the search itself, until it is decided.
    coef, _, _ = search(problem, search_stream(0), wanted=wanted)
    reached = problem.error(coef)
    return reached if reached > wanted else min(reached, predicted)


def _blamed(
    problem: PermutationProblem, target: SplineTarget | None, floor: float, wanted: float
) -> tuple[Verdict, str]:
    """Return what failed, by what would repair it, and the repair in words."""
    freed = replace(problem, gamma="free")
    if problem.gamma != "free" and _predicted(freed, target, floor, wanted) <= wanted:
        need = math.nan if target is None else _full_gain(target, problem.values)
        at_least = f", of at least {need:.2g}," if np.isfinite(need) else ""
        return Verdict.GAIN, f"Set gamma free, or to another size{at_least} than it has."
    total, size = float(problem.values.sum()), float(np.abs(problem.values).sum())
    balanced = replace(problem, values=centred(problem.values))
    if abs(total) > 1e-9 * size and _predicted(balanced, target, floor, wanted) <= wanted:
        return Verdict.BALANCE, f"The values add up to {total:.3g}: centre them (values - mean)."
    return Verdict.GAIN, "The values are too few or too coarse: more units, or more levels."


def _cost(predicted: float, floor: float) -> str:
    if predicted <= 2 * floor or floor == 0:
        return "Nothing needs to change."
    return f"The permutation costs a factor of {predicted / floor:.1f} over free coefficients."


def _spread_out(target: SplineTarget | None, gap: float) -> str:
    if target is None:
        return "The features cannot do it with any coefficients: more units, or random directions."
    return (
        f"The largest gap without a knot is {gap:.0%} of the range of the rows: spread the knots "
        "over it, for example equidistantly, or take more of them."
    )
