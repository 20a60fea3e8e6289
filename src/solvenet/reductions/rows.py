"""A sample of the distinct rows, which depends on the rows and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet.reductions._base import Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array

CHUNK_NUMBERS = 2**18
"""Numbers that are hashed at a time: they stay in the cache."""


class DistinctRows(Reduction):
    """Distinct rows of ``[A, B]`` with their summed weights: all, or a uniform sample.

    Each row has a hash of its content; those of the smallest hashes are kept. Which rows
    these are depends on the set of distinct rows alone: not on their order, on repetition
    against weight, on blocks, parts or workers. A row that is kept at the end has been kept
    since it was first seen, so the weights of its repetitions are complete.

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of A and of B.
    capacity : int
        Most rows that are kept.
    strata : bool, default=False
        Whether B holds class indicators, and the rows of each class are kept up to an equal
        share of the capacity. Rare classes are then represented.

    Attributes
    ----------
    complete : bool
        Whether every distinct row was kept.
    totals : array of shape (n_targets,) or (1,)
        Sum of the weights of all rows, by class where there are strata.

    Notes
    -----
    Bottom-k sampling by a hash. State ``16 capacity (n_cols + n_targets)`` bytes.

    References
    ----------
    E. Cohen, H. Kaplan (2007), Summarizing data using bottom-k sketches, PODC, 225-234.
    """

    def __init__(self, n_cols: int, n_targets: int, capacity: int, *, strata: bool = False) -> None:
        self.complete = True
        self.totals = np.zeros(n_targets if strata else 1)
        self._n_cols = n_cols
        self._share = max(1, capacity // len(self.totals))
        self._strata = strata
        self._rows = np.empty((0, n_cols + n_targets))
        self._weights = np.empty(0)
        self._keys = np.empty(0, dtype=np.uint64)
        self._codes = np.empty(0, dtype=np.int64)
        # Rows above these hashes cannot be among the kept any more.
        self._limits = np.full(len(self.totals), np.iinfo(np.uint64).max, dtype=np.uint64)
        self._waiting: list[Array] = []
        self._n_waiting = 0

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows; those of weight zero do not count."""
        step = max(1, CHUNK_NUMBERS // self._rows.shape[1])
        for at in range(0, len(A), step):
            part = slice(at, at + step)
            w = np.ones(len(A[part])) if weights is None else weights[part]
            self._update(A[part], B[part], w)

    def _update(self, A: Array, B: Array, w: Array) -> None:
        rows = np.concatenate([A, B], axis=1, dtype=np.float64)
        rows += 0.0  # minus zero is zero
        codes = self._codes_of(rows)
        self.totals += np.bincount(codes, w, len(self.totals))
        keys = row_hashes(rows)
        wanted = (w > 0) & (keys <= self._limits[codes])
        if wanted.any():
            self._add(rows[wanted], w[wanted], keys[wanted], codes[wanted])

    def _codes_of(self, rows: Array) -> Array:
        if self._strata:
            codes: Array = rows[:, self._n_cols :].argmax(axis=1)
            return codes
        return np.zeros(len(rows), dtype=np.int64)

    def _add(self, rows: Array, w: Array, keys: Array, codes: Array) -> None:
        self._waiting += [rows, w, keys, codes]
        self._n_waiting += len(rows)
        if 2 * self._n_waiting >= self._share * len(self.totals):
            self.compact()

    def compact(self) -> None:
        """Merge repeated rows and drop those beyond the capacity."""
        if not self._waiting:
            return
        kept = (self._rows, self._weights, self._keys, self._codes)
        rows, w, keys, codes = (
            np.concatenate([mine, *self._waiting[i::4]]) for i, mine in enumerate(kept)
        )
        self._waiting, self._n_waiting = [], 0
        order = np.lexsort((keys, codes))
        keys, codes = keys[order], codes[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (keys[1:] != keys[:-1]) | (codes[1:] != codes[:-1])
        first = np.flatnonzero(new)
        w = np.add.reduceat(w[order], first)
        order, keys, codes = order[first], keys[first], codes[first]
        begins = np.searchsorted(codes, np.arange(len(self.totals) + 1))
        inside = np.arange(len(codes)) - begins[codes] < self._share
        self.complete = self.complete and bool(inside.all())
        for code in np.unique(codes[~inside]):
            self._limits[code] = keys[begins[code] + self._share - 1]
        self._rows, self._weights = rows[order[inside]], w[inside]
        self._keys, self._codes = keys[inside], codes[inside]

    def merge(self, other: DistinctRows) -> None:
        """Add the rows of `other`."""
        other.compact()
        self.complete = self.complete and other.complete
        self.totals += other.totals
        self._limits = np.minimum(self._limits, other._limits)
        wanted = other._keys <= self._limits[other._codes]
        parts = (other._rows, other._weights, other._keys, other._codes)
        self._add(*(part[wanted] for part in parts))

    def forget(self, share: float) -> None:
        """Multiply the weights of all rows so far by `share`."""
        self.compact()
        self._weights *= share
        self.totals *= share

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._rows.nbytes + sum(part.nbytes for part in self._waiting)

    def rows(self, most: int | None = None) -> tuple[Array, Array, Array]:
        """Return kept rows of A and of B, and their weights, in the order of the hashes.

        At most `most` of them, which are a sample as well. Where strata were sampled
        differently, weights are scaled to represent their class, none of them upwards.
        """
        self.compact()
        begins = np.searchsorted(self._codes, np.arange(len(self.totals) + 1))
        share = len(self._rows) if most is None else max(1, most // len(self.totals))
        taken = np.arange(len(self._codes)) - begins[self._codes] < share
        rows, w, codes = self._rows[taken], self._weights[taken], self._codes[taken]
        if self._strata and not (self.complete and taken.all()):
            kept = np.bincount(codes, w, len(self.totals))
            factor = self.totals / np.where(kept > 0, kept, 1.0)
            w = w * (factor / factor.max())[codes]
        return rows[:, : self._n_cols], rows[:, self._n_cols :], w


def row_hashes(rows: Array) -> Array:
    """Return a 64-bit hash of each row of float64, by its bits."""
    bits = rows.view(np.uint64)
    # Values of few digits have zeros in their lower bits, which a product would keep.
    mixed = bits ^ (bits >> np.uint64(32))
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    factors = stream(0, "row hash", rows.shape[1]).integers(
        0, 2**64, rows.shape[1], dtype=np.uint64
    ) | np.uint64(1)
    keys = np.einsum("ij,j->i", mixed, factors)
    keys ^= keys >> np.uint64(31)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(30)
    hashes: Array = keys
    return hashes
