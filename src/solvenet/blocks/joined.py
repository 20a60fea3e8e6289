"""Records from columns of one source, or from two sources side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvenet.blocks._base import RowBlocks
from solvenet.blocks.records import Records, check_weights, digest_of
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks.records import Record


class SplitRecords(Records):
    """Some columns of a source are inputs, some are targets, one may hold the weights.

    Parameters
    ----------
    source : RowBlocks
        All columns.
    inputs, targets : sequence of int
        Numbers of columns.
    weights : int, optional
        Column of the weights.
    """

    def __init__(
        self,
        source: RowBlocks,
        inputs: Sequence[int] | Array,
        targets: Sequence[int] | Array,
        weights: int | None = None,
    ) -> None:
        self._source = source
        self._inputs = source.check_columns(np.asarray(inputs))
        self._targets = source.check_columns(np.asarray(targets))
        self._weights = weights
        self.shape = (source.shape[0], len(self._inputs))
        self.n_targets, self.weighted = len(self._targets), weights is not None
        self.dtype, self.n_passes = source.dtype, source.n_passes
        index = self._inputs
        together = np.array_equal(index, np.arange(index[0], index[-1] + 1))
        self._which: slice | Array = slice(index[0], index[-1] + 1) if together else index
        self.fresh = source.fresh or not together

    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, A, B, weights)`` from one read of the source."""
        for rows, block in self._source.stream():
            B = block[:, self._targets].astype(np.float64)
            weights = None
            if self._weights is not None:
                weights = check_weights(block[:, self._weights].astype(np.float64), rows.start)
            yield rows, block[:, self._which], B, weights

    def between(self, start: int, stop: int) -> Records:
        """Return some rows."""
        part = self._source.between(start, stop)
        return SplitRecords(part, self._inputs, self._targets, self._weights)

    def taken(self, index: Array) -> Records:
        """Return some rows."""
        part = self._source.taken(index)
        return SplitRecords(part, self._inputs, self._targets, self._weights)

    def cuts(self) -> Array | None:
        """Return those of the source."""
        return self._source.cuts()

    def identity(self) -> str:
        """Return that of the source, and which columns are what."""
        which = (self._inputs.tolist(), self._targets.tolist(), self._weights)
        return f"{self._source.identity()} {which}"


class ZippedRecords(Records):
    """A matrix and targets from two sources that are read side by side.

    Parameters
    ----------
    A, B : RowBlocks
        Of equally many rows; their blocks may be cut differently.
    weights : array of shape (n_rows,), optional
        Weights.
    """

    def __init__(self, A: RowBlocks, B: RowBlocks, weights: Array | None = None) -> None:
        if A.shape[0] != B.shape[0]:
            msg = f"A has {A.shape[0]} rows and B has {B.shape[0]}; equally many are wanted."
            raise InvalidDataError(msg)
        self._A, self._B, self._weights = A, B, weights
        self.shape, self.dtype = A.shape, A.dtype
        self.n_targets, self.weighted = B.shape[1], weights is not None
        self.n_passes = min((p for p in (A.n_passes, B.n_passes) if p is not None), default=None)
        self.fresh = A.fresh

    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, A, B, weights)``, as the matrix is cut."""
        others, at = self._B.blocks(), 0
        held = np.empty((0, self.n_targets))
        for rows, A in self._A.stream():
            parts = [held]
            have = len(held)
            while have < len(A):
                _, more = next(others)
                parts.append(more.astype(np.float64))
                have += len(more)
            joined = np.concatenate(parts) if len(parts) > 1 else held
            B, held = joined[: len(A)], joined[len(A) :]
            weights = None if self._weights is None else self._weights[rows]
            at = rows.stop
            yield rows, A, B, weights
        if at == self.shape[0]:
            next(others, None)  # lets the source check that it was read to its end

    def between(self, start: int, stop: int) -> Records:
        """Return some rows."""
        weights = None if self._weights is None else self._weights[start:stop]
        return ZippedRecords(self._A.between(start, stop), self._B.between(start, stop), weights)

    def taken(self, index: Array) -> Records:
        """Return some rows."""
        weights = None if self._weights is None else self._weights[index]
        return ZippedRecords(self._A.taken(index), self._B.taken(index), weights)

    def cuts(self) -> Array | None:
        """Return those of the matrix."""
        return self._A.cuts()

    def identity(self) -> str:
        """Return that of both sources, and of the weights."""
        weights = [] if self._weights is None else [digest_of(self._weights)]
        return " ".join([self._A.identity(), self._B.identity(), *weights])
