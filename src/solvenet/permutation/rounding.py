"""What a multiset promises: the error of rounding the wanted kinks to its values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from solvenet.permutation.gain import full_gain
from solvenet.permutation.trellis import Lattice

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.permutation.problem import PermutationProblem
    from solvenet.permutation.spline import SplineTarget

_ABOVE_FULL = 1.25
_LAST = 0.2


def rounding_error(values: Array, target: SplineTarget) -> float:
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
    step, jump = rounding_error(problem.values, target), float(target.kinks.sum())
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
