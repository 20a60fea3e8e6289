"""A table of rows as a weighted set: what sampling may depend on, and nothing else.

Rows are put into an order that does not depend on how they came: not on their order,
on repetition against weight, on blocks or threads; and, up to rounding, not on
rotations, shifts and scalings of the inputs either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array


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
        cumulative = np.cumsum(self.weights)
        positions = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
        last: Array = np.minimum(positions, len(self.index) - 1)
        return last


def row_set(X: Array, Y: Array, weights: Array | None = None) -> RowSet:
    """Return the distinct rows of ``[X, Y]`` with positive weight, in canonical order.

    Parameters
    ----------
    X : array of shape (n_rows, n_features), float64
        Inputs.
    Y : array of shape (n_rows, n_targets), float64
        Targets.
    weights : array of shape (n_rows,), optional
        Non-negative weights of the rows.

    Returns
    -------
    RowSet
        Sorted by a sum of quantities that rigid motions and scalings of X leave alone:
        the targets, the distance to the mean, and the projection on a vector that moves
        with the data (a moment of X with the former two).

    Notes
    -----
    *Cost:* a few passes over X in memory and one sort of a number a row.
    """
    w = np.ones(len(X)) if weights is None else weights
    kept = np.flatnonzero(w > 0)
    if len(kept) < len(X):
        X, Y, w = X[kept], Y[kept], w[kept]
    total = w.sum()
    # Row sums by einsum, not BLAS, whose rounding depends on where a row stands.
    Z = X - np.einsum("i,ij->j", w, X) / total
    radius = np.einsum("ij,ij->i", Z, Z)
    spread = np.einsum("i,i->", w, radius) / total
    radius = radius / (spread or 1.0)
    T = Y - np.einsum("i,ij->j", w, Y) / total
    deviation = np.sqrt(np.einsum("i,ij,ij->j", w, T, T) / total)
    mixture = np.cos(1.0 + np.arange(T.shape[1])) / np.where(deviation > 0, deviation, 1.0)
    target = np.einsum("ij,j->i", T, mixture)
    moment = (w / total) * (target + 0.5 * radius + 0.25 * target * np.abs(target))
    direction = np.einsum("i,ij->j", moment, Z) / (spread or 1.0)
    projection = np.einsum("ij,j->i", Z, direction)
    key = target + np.sqrt(2.0) * radius + np.sqrt(3.0) * projection
    order = np.argsort(key, kind="stable")
    # Repeated rows have equal keys and stand side by side.
    sorted_keys = key[order]
    same = np.concatenate([[False], sorted_keys[1:] == sorted_keys[:-1]])
    at = np.flatnonzero(same)
    same[at] = (X[order[at]] == X[order[at - 1]]).all(axis=1) & (
        Y[order[at]] == Y[order[at - 1]]
    ).all(axis=1)
    first = np.flatnonzero(~same)
    return RowSet(kept[order[first]], np.add.reduceat(w[order], first))
