"""A table of rows as a weighted set: what sampling may depend on, and nothing else.

Rows are put into an order that does not depend on how they came: not on their order,
on repetition against weight, on blocks or threads; and, up to rounding, not on
rotations, shifts and scalings of the inputs either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features._base import FeatureMap

_BLOCK_NUMBERS = 2**20


@dataclass(frozen=True)
class RowSet:
    """Distinct rows in canonical order.

    Attributes
    ----------
    index : array of shape (n_distinct,), int
        Where each distinct row stands in the table.
    weights : array of shape (n_distinct,)
        Summed weights of its repetitions.
    """

    index: Array
    weights: Array

    def draw(self, uniform: Array) -> Array:
        """Map numbers in [0, 1) to positions in the set, in proportion to the weights."""
        if (self.weights == self.weights[0]).all():
            even: Array = np.minimum((uniform * len(self.index)).astype(int), len(self.index) - 1)
            return even
        cumulative = np.cumsum(self.weights)
        positions = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
        last: Array = np.minimum(positions, len(self.index) - 1)
        return last


def row_set(
    X: Array, Y: Array, weights: Array | None = None, *, inputs: FeatureMap | None = None
) -> RowSet:
    """Return the distinct rows of ``[X, Y]`` with positive weight, in canonical order.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
        Rows.
    Y : array of shape (n_rows, n_targets), float64
        Targets.
    weights : array of shape (n_rows,), optional
        Non-negative weights of the rows.
    inputs : FeatureMap, optional
        The order is that of the images of X under it, such as the scaled inputs.

    Returns
    -------
    RowSet
        Sorted by a sum of quantities that rigid motions and scalings of the inputs leave
        alone: the targets, the distance to the mean, and the projection on a vector that
        moves with the data (a moment of the inputs with the former two).

    Notes
    -----
    *Cost:* four passes over X in blocks, one sort of a number a row; memory 32 bytes a
    row.
    """
    kept = np.arange(len(X)) if weights is None else np.flatnonzero(weights > 0)
    w = np.ones(len(kept)) if weights is None else weights[kept]
    key = _sort_key(X, Y, w, kept, inputs)
    order = np.argsort(key, kind="stable")
    # Repeated rows have equal keys and stand side by side.
    same = np.zeros(len(order), dtype=bool)
    same[1:] = key[order[1:]] == key[order[:-1]]
    at = np.flatnonzero(same)
    here, before = kept[order[at]], kept[order[at - 1]]
    same[at] = (X[here] == X[before]).all(axis=1) & (Y[here] == Y[before]).all(axis=1)
    first = np.flatnonzero(~same)
    return RowSet(kept[order[first]], np.add.reduceat(w[order], first))


def _sort_key(X: Array, Y: Array, w: Array, kept: Array, inputs: FeatureMap | None) -> Array:
    # Sums over a row by einsum, not BLAS, whose rounding depends on where a row stands.
    step = max(1, _BLOCK_NUMBERS // (X.shape[1] + Y.shape[1]))
    parts = [slice(start, start + step) for start in range(0, len(kept), step)]

    @lru_cache(maxsize=1)  # a table of one block is scaled once
    def images(start: int) -> Array:
        part = slice(start, start + step)
        block = X[kept[part]] if len(kept) < len(X) else X[part]
        block = block.astype(np.float64, copy=False)
        return block if inputs is None else inputs(block)

    # Divided by the largest entry: squares of tiny or huge numbers stay in range.
    size = (
        max((float(np.abs(images(part.start)).max(initial=0.0)) for part in parts), default=0.0)
        or 1.0
    )

    def rows(part: slice) -> Array:
        return images(part.start) / size

    total = w.sum()
    mean = sum(np.einsum("i,ij->j", w[part], rows(part)) for part in parts) / total
    target = _one_target(Y, w, kept, parts)
    radius = np.empty(len(kept))
    by_target, by_radius = np.zeros_like(mean), np.zeros_like(mean)
    for part in parts:
        Z, t = rows(part) - mean, target[part]
        radius[part] = np.einsum("ij,ij->i", Z, Z)
        by_target += np.einsum("i,ij->j", w[part] * (t + 0.25 * t * np.abs(t)), Z)
        by_radius += np.einsum("i,ij->j", w[part] * radius[part], Z)
    spread = float(np.einsum("i,i->", w, radius)) / total or 1.0
    direction = (by_target + 0.5 * by_radius / spread) / (total * spread)
    key = target
    for part in parts:
        projection = np.einsum("ij,j->i", rows(part) - mean, direction)
        key[part] += np.sqrt(2.0) * radius[part] / spread + np.sqrt(3.0) * projection
    return key


def _one_target(Y: Array, w: Array, kept: Array, parts: list[slice]) -> Array:
    """Return one number a row in place of its (centred, scaled) targets."""
    total = w.sum()
    mean = sum(np.einsum("i,ij->j", w[part], Y[kept[part]]) for part in parts) / total
    sumsq = sum(
        np.einsum("i,ij,ij->j", w[part], T, T)
        for part, T in ((part, Y[kept[part]] - mean) for part in parts)
    )
    deviation = np.sqrt(sumsq / total)
    mixture = np.cos(1.0 + np.arange(Y.shape[1])) / np.where(deviation > 0, deviation, 1.0)
    out = np.empty(len(kept))
    for part in parts:
        out[part] = np.einsum("ij,j->i", Y[kept[part]] - mean, mixture)
    return out
