"""Can an initialisation work? Coverage of the knots, balance of the sum, gain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array

_DOUBLINGS = 60
_HALVINGS = 40


def is_majorised(sums: Array, values: Array, *, tolerance: float = 1e-9) -> bool:
    """Tell whether sums of pairs can be made of values, up to rounding and averaging.

    Parameters
    ----------
    sums : array of shape (n,)
        Wanted sums of pairs.
    values : array of shape (2 * n,)
        The multiset.
    tolerance : float, default=1e-9
        Relative to the sum of the absolute values.

    Returns
    -------
    bool
        Whether for every k the k smallest sums add up to at least the 2k smallest values, and
        the k largest to at most the 2k largest, with equality for all: the sums lie in the
        convex hull of those of all pairings.
    """
    v, c = np.sort(values), np.sort(sums)
    slack = tolerance * float(np.abs(v).sum())
    lowest, lower = np.cumsum(v)[1::2], np.cumsum(c)
    return bool(np.all(lower >= lowest - slack) and abs(lower[-1] - lowest[-1]) <= slack)


def full_gain(kinks: Array, values: Array, *, n_free: int) -> float:
    """Return the smallest positive gamma with which the values can make the kinks.

    Parameters
    ----------
    kinks : array of shape (m,)
        Wanted changes of the slope.
    values : array of shape (2 * m + n_free,)
        The multiset.
    n_free : int
        Values that belong to no inner knot; they take up what is left of the sum.

    Returns
    -------
    float
        By doubling and bisection of :func:`is_majorised`; without free values only the
        partial sums are compared, as the last kink takes up the rest. Infinite where no
        gamma does. Cost: O(n log n).
    """
    v = np.sort(values)
    lowest = np.cumsum(v)
    total, slack = float(lowest[-1]), 1e-9 * float(np.abs(v).sum())
    ordered = np.sort(kinks)
    m = len(ordered)

    def works(gamma: float) -> bool:
        c = ordered / gamma
        rest = total - float(c.sum())
        if n_free:
            c = np.sort(np.concatenate([c, np.full(n_free // 2, 2 * rest / n_free)]))
            bound = lowest[1::2]
            return bool(np.all(np.cumsum(c) >= bound - slack))
        return bool(
            np.all(np.cumsum(c)[:-1] >= lowest[1:-2:2] - slack)
            and np.all(np.cumsum(c[::-1])[:-1] <= np.cumsum(v[::-1])[1:-2:2] + slack)
        )

    if m == 0 or not np.any(ordered):
        return math.inf
    high = float(np.abs(ordered).max()) / max(2 * float(np.abs(v).max()), 1e-300)
    for _ in range(_DOUBLINGS):
        if works(high):
            break
        high *= 2
    else:
        return math.inf
    low = high / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high
