"""Permutations built without search: step blocks of four pairs, and feedback along a spline."""

from __future__ import annotations

from itertools import product
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

_CHOICES, _FEW, _BEST = (2, 1, 4), 1024, 4

ENOUGH = 1.02
"""The search ends at this multiple of the error of the free spline."""


def follow_spline(
    problem: PermutationProblem,
    target: SplineTarget,
    rng: np.random.Generator,
    *,
    enough: float = 0.0,
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
    enough : float, default=0.0
        Error at which it ends; it does near that of the spline anyway.

    Returns
    -------
    array of shape (k, n_units)
        The best of several gains, at most four, best first.

    Notes
    -----
    The knots' sums ``c_i = p_i + q_i`` are chosen from left to right such that errors of the value
    and of the slope are fed back; which value is q_i is then a number partition with
    the first slope as its target. What the partition cannot reach (sums of a lattice are a
    lattice) is the tilt with which a second pass begins. Cost: ``O(n)`` a gain up to the
    logarithm and the partition's ``O(n**2)`` comparisons. Values that are no lattice are paired
    with more or less choice as well, up to 1024 units.
    """
    v = np.sort(problem.values)
    lattice = Lattice.of(v)
    choices = _CHOICES if lattice is None and len(v) <= _FEW else _CHOICES[:1]
    found: list[tuple[float, Array]] = [(problem.error(problem.values), problem.values)]
    for gamma, choice in product(_gains(problem, target, v), choices):
        tilt = 0.0
        for _ in range(2):
            pairs, free, exact = _paired(target, v, lattice, gamma, tilt, choice, rng)
            coef, left_over = target.assembled(
                v[pairs],
                v[free],
                gamma,
                slope=target.slope + tilt,
                offset=None if problem.alpha == "free" else target.value - float(problem.alpha),
            )
            found.append((problem.error(coef), coef))
            tilt += left_over
            if not exact or abs(left_over) <= 1e-6 * abs(gamma) * float(v[-1] - v[0]):
                break
        found = sorted(found, key=lambda pair: pair[0])[:_BEST]
        if found[0][0] <= max(enough, ENOUGH * target.rmse):
            break
    return np.array([coef for _, coef in found])


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


def _paired(
    target: SplineTarget,
    v: Array,
    lattice: Lattice | None,
    gamma: float,
    tilt: float,
    choice: int,
    rng: np.random.Generator,
) -> tuple[Array, Array, bool]:
    """Return pairs and free values as indices, and whether all sums of a lattice were met."""
    missed = 0
    if lattice is not None:
        sums = shaped_sums(target, lattice, gamma, tilt)
        pairs, free, missed = match_sums(lattice.levels, sums, target.n_free, rng)
    if lattice is None or missed:
        pairs, free = shaped_pairs(target, v, gamma, tilt, choice)
    return pairs, free, not missed
