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
from solvenet.permutation.orbit import alternate, scales_of, to_permutahedron
from solvenet.permutation.spline import SplineTarget
from solvenet.permutation.trellis import Lattice

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.permutation.problem import PermutationProblem

_PRICES = np.array([1e-8, 1e-6, 1e-4])
_ITERATIONS = 200
_ABOVE_FULL = 1.25
_LAST = 0.2
_OF_KINKS = np.array([0.7, 1.0, 1.4, 2.0, 3.0])


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
    permutations (permutahedron) is estimated. To it comes rounding, in one dimension
    ``gamma * step * gap / sqrt(12)`` with mean steps and gaps. In more
    dimensions rounding is not predicted.

    A failure is blamed on gain where a free gamma would repair it, on balance where values minus
    their mean would, else on gain.

    *Cost.* Where majorisation holds ``O(n log n + n_rows)``; else the Gram matrix, its
    eigenvectors and a few hundred products with them: less than the search.

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
    """Return the error to be expected of the best permutation."""
    least = math.inf
    if target is not None and problem.alpha == "free":
        least = math.hypot(floor, shaped_error(problem, target))
        if least <= wanted:
            return least
    v = np.sort(problem.values)
    scales = scales_of(problem.quadratic, v)
    if problem.gamma == "free":
        scales = np.concatenate([scales, scales * math.sqrt(2)])
        if target is not None:
            # Scales at which two values make the largest kink, as steps need.
            largest = float(np.abs(target.kinks).max()) / (2 * float(np.abs(v).max()))
            scales = np.concatenate([scales, largest * _OF_KINKS, -largest * _OF_KINKS])
        scales = scales[scales != 0]
    gammas, prices = np.repeat(scales, len(_PRICES)), np.tile(_PRICES, len(scales))
    _, errors = alternate(
        problem.quadratic,
        v,
        gammas,
        prices,
        starts=np.outer(problem.quadratic.free_coef, 1 / gammas),
        iterations=_ITERATIONS,
        project=to_permutahedron,
    )
    rounding = np.abs(gammas) * (0.0 if target is None else _rounding(v, target))
    return min(least, float(np.sqrt(np.maximum(errors, floor**2) + rounding**2).min()))


def _rounding(values: Array, target: SplineTarget) -> float:
    """Return the error of rounding for gamma = 1: values come in steps."""
    # Slopes at the ends are chosen, not rounded on the way.
    steps, gaps = np.diff(np.sort(values)), target.gaps[1:-1]
    if not len(gaps):
        return 0.0
    reach = float(steps.sum())
    step = math.sqrt(float((steps**3).sum()) / reach)
    if Lattice.of(values) is None:
        # No chains: towards the last knots fewer and fewer values are left to choose from.
        step = math.hypot(step, _LAST * reach / math.sqrt(len(gaps)))
    return step * math.sqrt(float((gaps**3).sum() / target.gaps.sum()) / 12)


def shaped_error(problem: PermutationProblem, target: SplineTarget) -> float:
    """Return the error beyond the floor that following the spline promises.

    Parameters
    ----------
    problem : PermutationProblem
        With features of :func:`~solvenet.permutation.relu_pairs`.
    target : SplineTarget
        Its spline.

    Returns
    -------
    float
        Of the best gamma that majorisation allows: rounding to the steps of the values, and the
        layer at the boundary where no value is free. Infinite where no gamma is allowed.
    """
    step, jump = _rounding(problem.values, target), float(target.kinks.sum())
    end, reach = min(float(target.gaps[0]), float(target.gaps[-1])), float(target.gaps.sum())
    least = math.inf
    for sign in (1.0, -1.0):
        v = sign * problem.values
        total = float(v.sum())
        gain = full_gain(target.kinks, v, n_free=target.n_free, slope=target.slope)
        gammas = [_ABOVE_FULL * gain, 2 * gain, 4 * gain, 8 * gain]
        if total * jump > 0:
            gammas.append(jump / total)
        if problem.gamma != "free":
            gammas = [sign * float(problem.gamma)]
        for gamma in gammas:
            if gain <= gamma < math.inf:
                # Without free values the last kink takes up what is left of the sum.
                rest = 0.0 if target.n_free else gamma * total - jump
                layer = abs(rest) * math.sqrt(end**3 / (3 * reach))
                least = min(least, math.hypot(gamma * step, layer))
    return least


def _blamed(
    problem: PermutationProblem, target: SplineTarget | None, floor: float, wanted: float
) -> tuple[Verdict, str]:
    """Return what failed, by what would repair it, and the repair in words."""
    freed = replace(problem, gamma="free")
    if problem.gamma != "free" and _predicted(freed, target, floor, wanted) <= wanted:
        need = math.nan if target is None else _full_gain(target, problem.values)
        at_least = f", of at least {need:.2g}," if np.isfinite(need) else ""
        return Verdict.GAIN, f"Set gamma free, or to another size{at_least} than it has."
    balanced = replace(problem, values=centred(problem.values))
    if _predicted(balanced, target, floor, wanted) <= wanted:
        total = float(problem.values.sum())
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
