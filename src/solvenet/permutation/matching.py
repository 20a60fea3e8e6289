"""Pairs of levels with given sums: which two values each knot gets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array

_HOPS = 200
_LONGEST = 4


def match_sums(
    levels: Array, sums: Array, n_free: int, rng: np.random.Generator
) -> tuple[Array, Array, int]:
    """Divide levels into pairs of given sums and a free rest.

    Parameters
    ----------
    levels : array of shape (2 * m + n_free,), int
        Ascending.
    sums : array of shape (m,), int
        Wanted sum of each pair.
    n_free : int
        Levels that belong to no pair.
    rng : numpy.random.Generator
        For the chains.

    Returns
    -------
    pairs : array of shape (m, 2), int
        Indices into `levels`.
    free : array of shape (n_free,), int
        Indices of the rest.
    missed : int
        Sum of the differences from the wanted sums; zero in most cases that majorisation
        allows, though not in all.

    Notes
    -----
    First from outside in: the outermost level, high and low in turn, is paired with the level
    closest to the other end that completes one of the wanted sums. What is left over
    mismatches, and is passed along chains: a knot that lacks d exchanges its level x for
    x + d, whose owner lacks d then and does the same with its other level, until the chain
    meets a knot with the opposite mismatch. (M. Hall's proof for abelian groups, 1952, moves
    along such chains.) Cost: O(n log n) and at most 200 hops a knot.
    """
    free = _free_levels(levels, int(levels.sum() - sums.sum()), n_free)
    groups, unmatched, left = _outside_in(levels, sums, set(free))
    # What is left over: largest with largest.
    left.sort(key=lambda i: int(levels[i]))
    for k in sorted(unmatched, key=lambda k: int(sums[k])):
        groups[k] = [left.pop(0), left.pop(len(left) // 2)]
    slots = [groups[k] for k in range(len(sums))]
    if n_free:
        slots.append(list(free))
    lacks = [int(sums[k] - levels[slots[k]].sum()) for k in range(len(sums))]
    if n_free:
        lacks.append(-sum(lacks))
    _pass_along(levels.tolist(), slots, lacks, rng)
    pairs = np.array(slots[: len(sums)], dtype=np.intp).reshape(len(sums), 2)
    rest = np.array(slots[len(sums)] if n_free else [], dtype=np.intp)
    return pairs, rest, sum(abs(lack) for lack in lacks)


def _free_levels(levels: Array, total: int, n_free: int) -> list[int]:
    """Return indices of levels whose sum is near a total, each near the mean of what lacks."""
    left, out = levels.astype(np.float64), []
    for k in range(n_free):
        out.append(int(np.argmin(np.abs(left - total / (n_free - k)))))
        total -= int(levels[out[-1]])
        left[out[-1]] = np.inf
    return out


def _outside_in(
    levels: Array, sums: Array, taken: set[int]
) -> tuple[dict[int, list[int]], list[int], list[int]]:
    """Pair the outermost levels in turn; return groups, unmatched knots, left-over levels."""
    level = levels.tolist()
    where: dict[int, list[int]] = {}
    for i in range(len(level)):
        if i not in taken:
            where.setdefault(level[i], []).append(i)
    used = [i in taken for i in range(len(level))]
    wanted = sorted((int(t), k) for k, t in enumerate(sums))
    groups: dict[int, list[int]] = {}
    left = []
    low, high, from_top = 0, len(level) - 1, True
    while wanted:
        while low < high and used[low]:
            low += 1
        while low < high and used[high]:
            high -= 1
        if low >= high:
            break
        first, other = (high, low) if from_top else (low, high)
        _take(first, level, where, used)
        # From the top the partner is at least the lowest level: sums from there on upwards.
        ends = level[first] + level[other]
        start = (
            bisect_left(wanted, (ends, -1)) if from_top else bisect_right(wanted, (ends, len(sums)))
        )
        upwards, downwards = range(start, len(wanted)), range(start - 1, -1, -1)
        for place in (*upwards, *downwards) if from_top else (*downwards, *upwards):
            if wanted[place][0] - level[first] in where:
                total, k = wanted.pop(place)
                partner = where[total - level[first]][-1]
                _take(partner, level, where, used)
                groups[k] = [first, partner]
                break
        else:
            left.append(first)
        from_top = not from_top
    left += [i for i in range(len(level)) if not used[i]]
    return groups, [k for _, k in wanted], left


def _take(i: int, level: list[int], where: dict[int, list[int]], used: list[bool]) -> None:
    used[i] = True
    same = where[level[i]]
    same.remove(i)
    if not same:
        del where[level[i]]


def _pass_along(
    level: list[int], slots: list[list[int]], lacks: list[int], rng: np.random.Generator
) -> None:
    """Move mismatches along chains until they cancel, in place."""
    where: dict[int, list[int]] = {}
    owner = {}
    for k, group in enumerate(slots):
        for s, i in enumerate(group):
            owner[i] = k, s
            where.setdefault(level[i], []).append(i)
    open_, hops, budget = [k for k in range(len(slots)) if lacks[k]], 0, _HOPS * len(slots)
    while open_ and hops < budget:
        place = int(rng.integers(len(open_)))
        k = open_[place]
        if lacks[k] == 0:
            open_[place] = open_[-1]
            open_.pop()
            continue
        # The whole mismatch, or a part of it: chains of other lengths meet other knots.
        size = abs(lacks[k]) if rng.random() < 0.5 else int(rng.integers(1, abs(lacks[k]) + 1))
        d = size if lacks[k] > 0 else -size
        s = int(rng.integers(len(slots[k])))
        for _ in range(_LONGEST * len(slots)):
            hops += 1
            x = slots[k][s]
            same = where.get(level[x] + d, ())
            if not same:
                break
            y = same[int(rng.integers(len(same)))] if len(same) > 1 else same[0]
            j, t = owner[y]
            if j == k:
                break
            slots[k][s], slots[j][t] = y, x
            owner[x], owner[y] = (j, t), (k, s)
            before = lacks[j]
            lacks[k] -= d
            lacks[j] += d
            k, s = j, _another(t, len(slots[j]), rng)
            if before * d < 0:
                break
        if lacks[k]:
            open_.append(k)


def _another(s: int, n: int, rng: np.random.Generator) -> int:
    """Return a slot other than s: of a pair the other one."""
    return 1 - s if n == 2 else (s + 1 + int(rng.integers(max(n - 1, 1)))) % n
