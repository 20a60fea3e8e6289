"""Kinks from any multiset that follow a spline: pairs chosen knot by knot with feedback."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solvenet._array_api import Array
    from solvenet.permutation.spline import SplineTarget

_RESERVED = 16


def shaped_pairs(
    target: SplineTarget, values: Array, gamma: float, tilt: float, choice: int = 2
) -> tuple[Array, Array]:
    """Return pairs of values whose sums follow the spline.

    Parameters
    ----------
    target : SplineTarget
        The spline.
    values : array of shape (2 * m + n_free,)
        The multiset, ascending.
    gamma : float
        Output scale.
    tilt : float
        Error of the slope at the first row, which no partition removes.
    choice : int, default=2
        A knot may take this many neighbours of its planned values, on either side.

    Returns
    -------
    pairs : array of shape (m, 2), int
        Indices into `values`.
    free : array of shape (n_free,), int
        The rest.

    Notes
    -----
    A plan gives each knot two values near half of its wanted sum, the largest sums first.
    Then, left to right, the sum that the errors of value and slope so far ask for is met by
    exchanging values with knots further right. Towards the right end few values are left to
    exchange; the last knots are planned before all others, with values close together.
    Cost: ``O(n log n)``.
    """
    wanted = target.kinks / gamma
    pairs, free = _planned(wanted, values, target.n_free)
    m = len(pairs)
    slots = [*pairs.tolist(), free]
    owner = {i: (k, s) for k, group in enumerate(slots) for s, i in enumerate(group)}
    pool = _Pool(values)
    v = pool.values
    e, slope_error = 0.0, tilt
    rows = zip(target.kinks.tolist(), target.gaps[1:].tolist(), target.gains.tolist(), strict=True)
    for k, (kink, h, (for_e, for_s)) in enumerate(rows):
        total = (kink - for_e * e - for_s * slope_error) / gamma
        best = (np.inf, 0, 0)
        for own in slots[k]:
            for i in pool.around(own, choice):
                j = pool.nearest(total - v[i], i)
                best = min(best, (abs(v[i] + v[j] - total), i, j))
        for s, i in enumerate(best[1:]):
            other, t = owner[i]
            now = slots[k][s]
            slots[k][s], slots[other][t] = i, now
            owner[now], owner[i] = (other, t), (k, s)
        for i in slots[k]:
            pool.remove(i)
        slope_error += gamma * (v[slots[k][0]] + v[slots[k][1]]) - kink
        e += h * slope_error
    return np.array(slots[:m], dtype=np.intp), np.array(slots[m], dtype=np.intp)


def _planned(wanted: Array, values: Array, n_free: int) -> tuple[Array, list[int]]:
    pool = _Pool(values)
    v, m = pool.values, len(wanted)
    rest, free = float(values.sum() - wanted.sum()), []
    for k in range(n_free):
        i = pool.nearest(rest / (n_free - k))
        pool.remove(i)
        free.append(i)
        rest -= v[i]
    reserved = min(_RESERVED, m)
    others = np.argsort(-np.abs(wanted[: m - reserved]), kind="stable")
    pairs = np.empty((m, 2), dtype=np.intp)
    for k in [*range(m - 1, m - reserved - 1, -1), *others.tolist()]:
        i = pool.nearest(wanted[k] / 2)
        pool.remove(i)
        j = pool.nearest(wanted[k] - v[i])
        pool.remove(j)
        pairs[k] = i, j
    return pairs, free


class _Pool:
    """Sorted values of which some are gone; the nearest one left in almost constant time."""

    def __init__(self, values: Array) -> None:
        self.values: list[float] = values.tolist()
        n = len(self.values)
        # up[i]: an index >= i from which to look on; down[i + 1] likewise, shifted by one.
        self._up = list(range(n + 1))
        self._down = list(range(n + 1))

    def remove(self, i: int) -> None:
        self._up[i] = i + 1
        self._down[i + 1] = i

    def above(self, i: int) -> int:
        """Return the first index >= i that is left, or the number of values."""
        return _root(self._up, i)

    def below(self, i: int) -> int:
        """Return the last index <= i that is left, or -1."""
        return _root(self._down, i + 1) - 1

    def nearest(self, value: float, excluded: int = -1) -> int:
        """Return the index of the nearest value that is left, except one."""
        n = len(self.values)
        place = bisect_left(self.values, value)
        high, low = self.above(place), self.below(place - 1)
        if high == excluded:
            high = self.above(high + 1)
        if low == excluded:
            low = self.below(low - 1)
        if high >= n or (low >= 0 and value - self.values[low] <= self.values[high] - value):
            return low
        return high

    def around(self, i: int, choice: int) -> Iterator[int]:
        """Yield i, which is left, and the next ones on either side."""
        yield i
        high = low = i
        for _ in range(choice):
            high = self.above(min(high + 1, len(self.values)))
            low = self.below(max(low - 1, -1))
            if high < len(self.values):
                yield high
            if low >= 0:
                yield low


def _root(parent: list[int], i: int) -> int:
    root = i
    while parent[root] != root:
        root = parent[root]
    while parent[i] != root:
        parent[i], i = root, parent[i]
    return root
