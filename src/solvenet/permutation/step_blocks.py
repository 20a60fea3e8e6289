"""The construction of the paper's proof as an algorithm: steps of four pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet.errors import UnsupportedProblemError
from solvenet.permutation.orbit import to_orbit
from solvenet.permutation.units import knots_of

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.permutation.problem import PermutationProblem

RISE = np.array([[-1.0, 1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0]])
"""Signs of p and order-reversed q of a block that rises."""

_SAME = 1e-9


def four_pairs(values: Array, direction: int) -> tuple[Array, Array]:
    """Return the coefficients of one block of four pairs.

    Parameters
    ----------
    values : array of shape (4,)
        The block has plus and minus each of them, ascending.
    direction : {-1, 0, 1}
        A step down, a constant, a step up.

    Returns
    -------
    p, q : array of shape (4,)
        Of ``ReLU(x - b)`` and ``ReLU(b - x)``. The block is constant left of the first and
        right of the last knot where the knots are equidistant and the values in equal
        steps; with ``values == knots`` in steps of d, a step of ``8 d**2``.

    Notes
    -----
    A step has ``p = (-v1, v2, v3, -v4)`` and ``q = (v4, -v3, -v2, v1)``: each sums to zero,
    so the outer slopes vanish. A constant has ``p_i = m_i v_i = -q_i`` with
    ``m = (1, -1, -1, 1)``: every pair is linear and their slopes cancel.

    References
    ----------
    Y. Cai, G. Chen, Z. Qiao (2025), arXiv:2407.01033, section 3: the pseudo-copies of step
    functions and the linear reorganisation of the parameters that are not used.
    """
    v = np.asarray(values, dtype=np.float64)
    if direction == 0:
        p = np.array([1.0, -1.0, -1.0, 1.0]) * v
        return p, -p
    p, q = RISE[0] * v, RISE[1] * v[::-1]
    return direction * p, direction * q


def step_blocks(problem: PermutationProblem) -> Array:
    """Return coefficients that follow the targets by steps up, steps down and constants.

    Parameters
    ----------
    problem : PermutationProblem
        With features of :func:`~solvenet.permutation.relu_pairs` whose knots are
        equidistant, and values that are the negatives of each other in equal steps.

    Returns
    -------
    array of shape (n_units,)
        Block after block from left to right takes the step that brings the sum closest to the
        target at the block's end: one-bit feedback. The best of several scales.

    Raises
    ------
    UnsupportedProblemError
        For other features or values.

    Notes
    -----
    Rate 1 in the number of knots; see ``method="constructive"`` for rate 2. Up to three knots at
    the end, which make no block, get their values as linear pairs.

    *Differences from the paper.* The steps are of one size and decided by feedback; the proof
    approximates the target by steps of given heights first and claims rate 1/2.
    """
    b = knots_of(problem.features)
    v = np.sort(problem.values)
    n = len(v) // 2
    if b is None or not _in_steps(np.sort(b)) or not _in_steps(v[n:]) or not _mirrored(v):
        msg = (
            'method="step blocks" needs the features of relu_pairs with equidistant knots, and '
            'values in equal steps with their negatives. Use "auto".'
        )
        raise UnsupportedProblemError(msg)
    order = np.argsort(b)
    knots, size = b[order], v[n:]
    blocks = np.arange(n - n % 4).reshape(-1, 4)
    x = problem.X[:, 0]
    by_x = np.argsort(x, kind="stable")
    goals = np.interp(knots[blocks[:, 3]], x[by_x], problem.y[by_x]) if len(blocks) else blocks
    first = float(np.interp(knots[0], x[by_x], problem.y[by_x]))
    heights = np.array([_height(knots[block], size[block]) for block in blocks])
    steep = float(np.abs(np.diff(goals, prepend=first)).max()) if len(blocks) else 1.0
    best, least = problem.values, np.inf
    scales = (
        steep / float(np.abs(heights).max()) * np.geomspace(0.7, 2.8, 9)
        if problem.gamma == "free" and len(blocks) and steep > 0
        else [1.0 if problem.gamma == "free" else float(problem.gamma)]
    )
    for gamma in scales:
        p, q = np.empty(n), np.empty(n)
        p[len(blocks) * 4 :] = size[len(blocks) * 4 :]
        q[len(blocks) * 4 :] = -size[len(blocks) * 4 :]
        now = first
        for block, goal, height in zip(blocks, goals, gamma * heights, strict=True):
            direction = int(np.clip(np.rint((goal - now) / height), -1, 1))
            p[block], q[block] = four_pairs(size[block], direction)
            now += direction * height
        coef = np.empty(2 * n)
        coef[order], coef[n + order] = p, q
        # Negatives agree up to rounding: the values themselves, by rank.
        coef = to_orbit(coef[:, None], v)[:, 0]
        error = problem.error(coef)
        if error < least:
            best, least = coef, error
    return best


def _height(knots: Array, values: Array) -> float:
    """Return the height of a step up: its value right of the block less that left of it."""
    p, q = four_pairs(values, 1)
    return float(-(p @ knots) - q @ knots)


def _in_steps(v: Array) -> bool:
    steps = np.diff(v)
    return len(v) < 2 or bool(np.ptp(steps) <= _SAME * float(v[-1] - v[0]) and steps[0] > 0)


def _mirrored(v: Array) -> bool:
    return bool(np.abs(v + v[::-1]).max() <= _SAME * float(v[-1] - v[0]))
