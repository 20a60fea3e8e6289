"""A permutation as an order of indices, as cycles, as swaps, as one number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_count
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array


def check_order(order: Any) -> Array:
    """Return `order` as an array if it holds each of 0, ..., n - 1 once."""
    given = np.asarray(order)
    whole = given.ndim == 1 and given.dtype.kind in "iu" and len(given) > 0
    if not whole or not np.array_equal(np.sort(given), np.arange(len(given))):
        msg = (
            f"An array of shape {given.shape} and dtype {given.dtype} was given that is no "
            "permutation; each of 0, 1, ..., n - 1 is wanted once."
        )
        raise InvalidDataError(msg)
    return given.astype(np.int64)


def inverse_of(order: Array) -> Array:
    """Return the permutation that undoes `order`."""
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse


def cycles_of(order: Any) -> list[Array]:
    """Return the cycles of a permutation.

    Parameters
    ----------
    order : array-like of shape (n,), int
        Place ``i`` holds what was at place ``order[i]``.

    Returns
    -------
    list of array of int
        Each cycle ``c`` with at least two places: place ``c[k]`` holds what was at
        ``c[k + 1]``, the last what was at the first. They begin at their smallest place
        and come in the order of that.

    Raises
    ------
    InvalidDataError
        No permutation.

    Examples
    --------
    >>> from solvenet.permutation import cycles_of
    >>> [cycle.tolist() for cycle in cycles_of([2, 1, 4, 3, 0])]
    [[0, 2, 4]]
    """
    follow = check_order(order).tolist()
    seen = [False] * len(follow)
    cycles = []
    for start in range(len(follow)):
        cycle = []
        place = start
        while not seen[place]:
            seen[place] = True
            cycle.append(place)
            place = follow[place]
        if len(cycle) > 1:
            cycles.append(np.array(cycle))
    return cycles


def swaps_of(order: Any) -> Array:
    """Return the fewest exchanges of two places that make a permutation.

    Parameters
    ----------
    order : array-like of shape (n,), int
        Place ``i`` shall hold what was at place ``order[i]``.

    Returns
    -------
    array of shape (n_swaps, 2), int
        Places to exchange, one pair after the other; n minus the number of cycles, fixed
        places included.

    Raises
    ------
    InvalidDataError
        No permutation.

    Examples
    --------
    >>> from solvenet.permutation import swaps_of
    >>> swaps_of([2, 1, 4, 3, 0]).tolist()
    [[0, 2], [2, 4]]
    """
    steps = [np.stack([cycle[:-1], cycle[1:]], axis=1) for cycle in cycles_of(order)]
    return np.concatenate(steps) if steps else np.empty((0, 2), dtype=np.int64)


def rank_of(levels: Any) -> int:
    """Return the number of an arrangement among all arrangements of its multiset.

    The shortest code there is: a whole number below ``n! / (m_1! ... m_L!)``, where level l
    occurs m_l times. Of a permutation it is the Lehmer code read as one number.

    Parameters
    ----------
    levels : array-like of shape (n,), int
        The level 0, ..., L - 1 of the value at each place; a permutation has n levels.

    Returns
    -------
    int
        Counted from 0 in lexicographic order.

    Raises
    ------
    InvalidDataError
        Not whole numbers of at least 0.

    Notes
    -----
    *Cost.* About n log2 L steps, then products of whole numbers with up to n log2 n bits in
    a tree: about a second for n = 100,000.

    Examples
    --------
    >>> from solvenet.permutation import rank_of
    >>> rank_of([2, 0, 1])
    4
    >>> rank_of([1, 0, 1, 0])  # of the six arrangements of 0, 0, 1, 1
    4
    """
    given = np.asarray(levels)
    if given.ndim != 1 or len(given) == 0 or given.dtype.kind not in "iu" or given.min() < 0:
        msg = (
            f"Levels of shape {given.shape} and dtype {given.dtype} were given; whole numbers of "
            "at least 0, one a place, are wanted."
        )
        raise InvalidDataError(msg)
    left = _Counts(np.bincount(given).tolist())
    factors = []
    for n, level in zip(range(len(given), 0, -1), given.tolist(), strict=True):
        below, same = left.below(level), left.counts[level]
        factors.append((below, same, n))
        left.remove(level)
    # The rank is  (n! / prod m!)  sum_i  (b_i / n_i) prod_{j < i} (s_j / n_j)  with b_i lower
    # and s_i equal values left of n_i: one fraction over n!, summed in a tree.
    while len(factors) > 1:
        pairs = zip(factors[::2], factors[1::2], strict=False)
        joined = [(b * k + s * c, s * t, n * k) for (b, s, n), (c, t, k) in pairs]
        factors = joined + factors[len(factors) - len(factors) % 2 :]
    total, repetitions, _ = factors[0]
    return int(total // repetitions)


def levels_of(rank: Any, counts: Any) -> Array:
    """Return the arrangement of a multiset that has a number; undoes :func:`rank_of`.

    Parameters
    ----------
    rank : int
        Below the number of arrangements.
    counts : array-like of shape (n_levels,), int
        How often each level occurs; ones for a permutation.

    Returns
    -------
    array of shape (sum of counts,), int
        The level at each place.

    Raises
    ------
    InvalidDataError
        Counts that are not whole numbers of at least 0, or a rank out of range.

    Notes
    -----
    *Cost.* n steps on whole numbers of as many bits as the rank has: about a second for a
    permutation of 10,000, or 30,000 places of two levels.

    Examples
    --------
    >>> from solvenet.permutation import levels_of
    >>> levels_of(4, [1, 1, 1]).tolist()
    [2, 0, 1]
    >>> levels_of(4, [2, 2]).tolist()
    [1, 0, 1, 0]
    """
    given = np.asarray(counts)
    if given.ndim != 1 or given.dtype.kind not in "iu" or given.sum() < 1 or given.min() < 0:
        msg = f"counts={counts!r} was given; whole numbers of at least 0, one a level, are wanted."
        raise InvalidDataError(msg)
    rank = check_count("rank", rank, minimum=0)
    left = _Counts(given.tolist())
    ways = math.factorial(int(given.sum()))
    for count in left.counts:
        ways //= math.factorial(count)
    if rank >= ways:
        msg = f"A rank of {rank.bit_length()} bits was given; there are fewer arrangements."
        raise InvalidDataError(msg)
    levels = []
    for n in range(int(given.sum()), 0, -1):
        level, below = left.holding(rank * n // ways)
        levels.append(level)
        rank -= ways * below // n
        ways = ways * left.counts[level] // n
        left.remove(level)
    return np.array(levels)


class _Counts:
    """How often each level is left, with sums over lower levels in log L steps."""

    def __init__(self, counts: list[int]) -> None:
        self.counts = list(counts)
        # A Fenwick tree: entry i sums the `i & -i` levels that end at i.
        self._tree = [0, *counts]
        for i in range(1, len(self._tree)):
            above = i + (i & -i)
            if above < len(self._tree):
                self._tree[above] += self._tree[i]
        self._top = 1 << (len(counts).bit_length() - 1)

    def below(self, level: int) -> int:
        total = 0
        while level:
            total += self._tree[level]
            level &= level - 1
        return total

    def remove(self, level: int) -> None:
        self.counts[level] -= 1
        i = level + 1
        while i < len(self._tree):
            self._tree[i] -= 1
            i += i & -i

    def holding(self, index: int) -> tuple[int, int]:
        """Return the level of the value at `index` of those left, and how many are lower."""
        level, below, step = 0, 0, self._top
        while step:
            if level + step < len(self._tree) and below + self._tree[level + step] <= index:
                level += step
                below += self._tree[level]
            step >>= 1
        return level, below
