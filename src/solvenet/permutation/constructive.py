"""Permutations built without search: step blocks of four pairs, and feedback along a spline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet.permutation.gain import full_gain
from solvenet.permutation.matching import match_sums
from solvenet.permutation.pairing import shaped_pairs
from solvenet.permutation.spline import SplineTarget
from solvenet.permutation.trellis import Lattice, shaped_sums

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.permutation.problem import PermutationProblem

SLACKS = (1.5, 2.0, 1.25, 3.0, 1.1, 5.0, 8.0, 16.0, 32.0)
"""Gains that are tried, in multiples of the smallest one that majorisation allows."""

ENOUGH = 1.02
"""The search ends at this multiple of the error of the free spline."""


def follow_spline(
    problem: PermutationProblem, target: SplineTarget, rng: np.random.Generator
) -> Array:
    """Return coefficients whose spline follows the least-squares spline of the rows.

    Parameters
    ----------
    problem : PermutationProblem
        With features of :func:`~solvenet.permutation.relu_pairs`.
    target : SplineTarget
        Its spline.
    rng : numpy.random.Generator
        For the chains of :func:`match_sums`.

    Returns
    -------
    array of shape (n_units,)
        The best of several gains.

    Notes
    -----
    The knots' sums ``c_i = p_i + q_i`` are chosen from left to right such that errors of the value
    and of the slope are fed back; which value is q_i is then a number partition with
    the first slope as its target. What the partition cannot reach (sums of a lattice are a
    lattice) is the tilt with which a second pass begins. Cost: ``O(n)`` a gain up to the
    logarithm and the partition's ``O(n**2)`` comparisons.
    """
    v = np.sort(problem.values)
    lattice = Lattice.of(v)
    best, least = problem.values, np.inf
    for gamma in _gains(problem, target, v):
        tilt = 0.0
        for _ in range(2):
            coef, left_over, exact = _followed(problem, target, v, lattice, gamma, tilt, rng)
            error = problem.error(coef)
            if error < least:
                best, least = coef, error
            tilt += left_over
            if not exact or abs(left_over) <= 1e-6 * abs(gamma) * float(v[-1] - v[0]):
                break
        if least <= ENOUGH * target.rmse:
            break
    return best


def _gains(problem: PermutationProblem, target: SplineTarget, v: Array) -> list[float]:
    if problem.gamma != "free":
        return [float(problem.gamma)]
    mirrored = np.allclose(v, -v[::-1], rtol=0, atol=1e-9 * float(v[-1] - v[0]))
    gains = []
    least = {
        sign: full_gain(target.kinks, sign * v, n_free=target.n_free, slope=target.slope)
        for sign in ((1.0,) if mirrored else (1.0, -1.0))
    }
    for slack in SLACKS:
        gains += [sign * slack * gain for sign, gain in least.items() if np.isfinite(gain)]
    return gains


def _followed(
    problem: PermutationProblem,
    target: SplineTarget,
    v: Array,
    lattice: Lattice | None,
    gamma: float,
    tilt: float,
    rng: np.random.Generator,
) -> tuple[Array, float, bool]:
    """Return coefficients, what is left over of the slope, whether all sums were met."""
    missed = 0
    if lattice is not None:
        sums = shaped_sums(target, lattice, gamma, tilt)
        pairs, free, missed = match_sums(lattice.levels, sums, target.n_free, rng)
    if lattice is None or missed:
        pairs, free = shaped_pairs(target, v, gamma, tilt)
    coef, left_over = target.assembled(
        v[pairs],
        v[free],
        gamma,
        slope=target.slope + tilt,
        offset=None if problem.alpha == "free" else target.value - float(problem.alpha),
    )
    return coef, left_over, not missed
