"""The gain that a multiset needs: majorisation of the wanted kinks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array

_ROUNDING = 1e-9
_DOUBLINGS = 60
_HALVINGS = 40


def is_majorised(sums: Array, values: Array) -> bool:
    """Tell whether sums of pairs lie in the convex hull of those of all pairings.

    Parameters
    ----------
    sums : array of shape (n,)
        Wanted sums of pairs.
    values : array of shape (2 * n,)
        The multiset.

    Returns
    -------
    bool
        Whether for every k the k smallest sums add up to at least the 2k smallest values, and
        all sums to all values (Rado 1952). Each pairing is then met up to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.permutation import is_majorised
    >>> values = np.array([-3.0, -1.0, 1.0, 3.0])
    >>> is_majorised(np.array([-4.0, 4.0]), values), is_majorised(np.array([-5.0, 5.0]), values)
    (True, False)
    """
    v = np.sort(values)
    slack = _ROUNDING * float(np.abs(v).sum())
    lower = np.cumsum(np.sort(sums)) - np.cumsum(v)[1::2]
    return bool(np.all(lower >= -slack) and abs(lower[-1]) <= slack)


def full_gain(kinks: Array, values: Array, *, n_free: int, slope: float = 0.0) -> float:
    """Return the smallest positive gamma with which the values can make a spline.

    Parameters
    ----------
    kinks : array of shape (m,)
        Wanted changes of the slope at the inner knots.
    values : array of shape (2 * m + n_free,)
        The multiset.
    n_free : int
        Values that belong to no inner knot; they take up what is left of the sum.
    slope : float, default=0.0
        Left of the inner knots; half of the values make it.

    Returns
    -------
    float
        By doubling and bisection of majorisation (:func:`is_majorised`). Without free values
        the sum is not compared: the last kink takes up the rest. Infinite where no gamma
        does, as for values of large sum. Cost: O(n log n).
    """
    v, ordered = np.sort(values), np.sort(kinks)
    lowest, highest = np.cumsum(v), np.cumsum(v[::-1])
    slack = _ROUNDING * float(np.abs(v).sum())
    half = len(v) // 2

    def works(gamma: float) -> bool:
        if not lowest[half - 1] - slack <= -slope / gamma <= highest[half - 1] + slack:
            return False
        c = ordered / gamma
        if n_free:
            rest = float(lowest[-1] - c.sum())
            c = np.sort(np.concatenate([c, np.full(n_free // 2, 2 * rest / n_free)]))
        upto = len(c) - (not n_free)
        return bool(
            np.all(np.cumsum(c)[:upto] >= lowest[1::2][:upto] - slack)
            and np.all(np.cumsum(c[::-1])[:upto] <= highest[1::2][:upto] + slack)
        )

    largest = float(np.abs(v).max())
    high = max(float(np.abs(kinks).max(initial=0.0)), abs(slope)) / max(len(v) * largest, 1e-300)
    if high == 0:
        return math.inf
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
