"""Pairs of rows: how many are tried, how likely each is, and which are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features.rows import RowSet


def candidate_pairs(
    rows: RowSet, count: int, rng: np.random.Generator, *, unordered: bool
) -> tuple[Array, Array, Array]:
    """Return distinct candidate pairs, as positions in `rows`, with their weight.

    All pairs, if there are no more than `count`; otherwise so many are drawn, in proportion
    to the weights of their rows. *unordered*: (a, b) and (b, a) are the same.
    """
    n = len(rows.index)
    if n * (n - 1) // 2 <= count:
        first, second = np.triu_indices(n, 1)
        if not unordered:
            first, second = np.r_[first, second], np.r_[second, first]
        return first, second, rows.weights[first] * rows.weights[second]
    drawn = rows.draw(rng.random((2, count)))
    if unordered:
        drawn = np.sort(drawn, axis=0)
    codes, counts = np.unique(drawn[0] * n + drawn[1], return_counts=True)
    return codes // n, codes % n, counts


def pair_density(distance: Array, jump: Array, floor: float) -> Array:
    """Return the unnormalised density of Definition 2; `floor` in median distances."""
    apart = distance > 0
    safe = np.where(apart, np.maximum(distance, shortest(distance, floor)), 1.0)
    return np.where(apart, jump / safe, 0.0)


def shortest(distance: Array, floor: float) -> float:
    """Return `floor` medians of the distances above zero."""
    apart = distance > 0
    return floor * float(np.median(distance[apart])) if apart.any() else 0.0


def draw_without_replacement(
    density: Array, possible: Array, count: int, rng: np.random.Generator
) -> Array:
    """Draw `count` indices, one after the other in proportion to the density.

    The `count` largest of ``log(density) + Gumbel noise`` have that distribution.
    Indices of density zero follow, in random order, as far as they are possible.
    """
    gumbel = rng.gumbel(size=len(density))
    positive = np.flatnonzero(density > 0)
    keys = np.log(density[positive]) + gumbel[positive]
    chosen = positive[np.argsort(-keys, kind="stable")[:count]]
    if len(chosen) < count:
        others = np.flatnonzero(possible & (density == 0))
        others = others[np.argsort(-gumbel[others], kind="stable")]
        chosen = np.concatenate([chosen, others[: count - len(chosen)]])
    return chosen
