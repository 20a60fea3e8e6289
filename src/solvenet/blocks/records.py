"""Rows of a matrix with their targets and weights, read together."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from solvenet.blocks._base import RowBlocks
from solvenet.blocks.lazy import MappedBlocks
from solvenet.blocks.planning import rows_per_block as plan_rows
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array

    Record = tuple[slice, Array, Array, Array | None]


class Records(ABC):
    """Rows with what belongs to them: inputs or features, targets, and weights.

    One read of the data gives all three, so a file is read once a pass and a stream can
    be solved at all.

    Attributes
    ----------
    shape : tuple of (int, int)
        Rows, and columns of the matrix.
    n_targets : int
        Columns of the targets.
    weighted : bool
        Whether rows have weights.
    dtype : numpy.dtype
        Of the matrix; targets and weights are float64.
    n_passes : int or None
        How often the rows may be read; None means without limit.
    fresh : bool
        Whether blocks of the matrix may be overwritten.
    """

    shape: tuple[int, int]
    n_targets: int
    weighted: bool = False
    dtype: np.dtype[np.floating]
    n_passes: int | None = None
    fresh: bool = False

    @abstractmethod
    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, A, B, weights)`` in row order; weights are None where all are one.

        The memory of a block may be used again for the next one.
        """

    @abstractmethod
    def between(self, start: int, stop: int) -> Records:
        """Return some rows, numbered from zero."""

    @abstractmethod
    def cuts(self) -> Array | None:
        """Return where reading may begin at no cost, as :meth:`RowBlocks.cuts` does."""

    @abstractmethod
    def identity(self) -> str:
        """Return a text that differs for other data."""

    def unmapped(self) -> tuple[Records, Callable[..., Array] | None]:
        """Return the records behind a mapping and its function; themselves where none is."""
        return self, None

    @cached_property
    def matrix(self) -> RowBlocks:
        """The matrix alone."""
        return _Matrix(self)

    def labels(self) -> tuple[Array, Array | None]:
        """Return all targets, shape (n_rows, n_targets), and weights: one pass."""
        B = np.empty((self.shape[0], self.n_targets))
        weights = np.empty(self.shape[0]) if self.weighted else None
        for rows, _, targets, w in self.stream():
            B[rows] = targets
            if weights is not None and w is not None:
                weights[rows] = w
        return B, weights

    @abstractmethod
    def taken(self, index: Array) -> Records:
        """Return some rows, held in memory: one pass.

        Parameters
        ----------
        index : array of int, ascending
            Numbers of the rows.
        """

    def mapped(
        self, function: Callable[..., Array], n_cols: int, *, rows_per_block: int | None = None
    ) -> Records:
        """Return the records with ``function(A, out=memory)`` in place of A."""
        return MappedRecords(self, function, n_cols, rows_per_block=rows_per_block)


class HeldRecords(Records):
    """A matrix of any kind with targets and weights that are held in memory.

    Parameters
    ----------
    A : RowBlocks
        The matrix.
    B : array of shape (n_rows, n_targets), float64
        Targets.
    weights : array of shape (n_rows,), optional
        Weights.
    """

    def __init__(self, A: RowBlocks, B: Array, weights: Array | None = None) -> None:
        self.shape, self.dtype = A.shape, A.dtype
        self.n_passes, self.fresh = A.n_passes, A.fresh
        self.n_targets, self.weighted = B.shape[1], weights is not None
        self._A, self._B, self._weights = A, B, weights

    @property
    def matrix(self) -> RowBlocks:
        """The matrix as it was given."""
        return self._A

    def unmapped(self) -> tuple[Records, Callable[..., Array] | None]:
        """Return the records behind the mapping, where the matrix is a mapped one."""
        if isinstance(self._A, MappedBlocks):
            return HeldRecords(self._A.source, self._B, self._weights), self._A.function
        return self, None

    def labels(self) -> tuple[Array, Array | None]:
        """Return targets and weights; no pass."""
        return self._B, self._weights

    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, A, B, weights)``."""
        for rows, A in self._A.stream():
            yield rows, A, self._B[rows], None if self._weights is None else self._weights[rows]

    def between(self, start: int, stop: int) -> Records:
        """Return some rows."""
        weights = None if self._weights is None else self._weights[start:stop]
        return HeldRecords(self._A.between(start, stop), self._B[start:stop], weights)

    def taken(self, index: Array) -> Records:
        """Return some rows."""
        weights = None if self._weights is None else self._weights[index]
        return HeldRecords(self._A.taken(index), self._B[index], weights)

    def cuts(self) -> Array | None:
        """Return those of the matrix."""
        return self._A.cuts()

    def identity(self) -> str:
        """Return that of matrix, targets and weights."""
        labels = [self._B] if self._weights is None else [self._B, self._weights]
        return " ".join([self._A.identity(), *map(digest_of, labels)])


class MappedRecords(Records):
    """Records with a function of their matrix, such as features, in its place.

    Parameters
    ----------
    records : Records
        Inputs, targets, weights.
    function : callable
        Maps a block of shape (rows, columns of the records) to (rows, `n_cols`), each row by
        itself, into the memory given as ``out``.
    n_cols : int
        Columns of the result.
    rows_per_block : int, optional
        Larger blocks of the records are mapped piece by piece.
    """

    fresh = True

    def __init__(
        self,
        records: Records,
        function: Callable[..., Array],
        n_cols: int,
        *,
        rows_per_block: int | None = None,
    ) -> None:
        self._records, self._function = records, function
        self._step = rows_per_block or plan_rows(n_cols)
        self.shape = (records.shape[0], n_cols)
        self.n_targets, self.weighted = records.n_targets, records.weighted
        self.n_passes = records.n_passes
        self.dtype = np.dtype(np.float64)

    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, function(A), B, weights)``."""
        memory = np.empty((0, self.shape[1]))
        for rows, A, B, weights in self._records.stream():
            for at in range(0, len(A), self._step):
                part = slice(at, min(at + self._step, len(A)))
                n = part.stop - part.start
                if n > len(memory):
                    memory = np.empty((n, self.shape[1]))
                w = None if weights is None else weights[part]
                here = slice(rows.start + part.start, rows.start + part.stop)
                yield here, self._function(A[part], out=memory[:n]), B[part], w

    def between(self, start: int, stop: int) -> Records:
        """Return some rows."""
        part = self._records.between(start, stop)
        return MappedRecords(part, self._function, self.shape[1], rows_per_block=self._step)

    def cuts(self) -> Array | None:
        """Return those of the records."""
        return self._records.cuts()

    def identity(self) -> str:
        """Return that of the records."""
        return self._records.identity()

    def labels(self) -> tuple[Array, Array | None]:
        """Return targets and weights; nothing is mapped."""
        return self._records.labels()

    def unmapped(self) -> tuple[Records, Callable[..., Array] | None]:
        """Return the records and the function."""
        return self._records, self._function

    def taken(self, index: Array) -> Records:
        """Return some rows; the others are not mapped."""
        part = self._records.taken(index)
        return MappedRecords(part, self._function, self.shape[1], rows_per_block=self._step)


class _Matrix(RowBlocks):
    """The matrix of records, without what belongs to its rows."""

    def __init__(self, records: Records) -> None:
        self.shape, self.dtype = records.shape, records.dtype
        self.n_passes, self.fresh = records.n_passes, records.fresh
        self._records = records

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, A)``; copies, because records may use their memory again."""
        for rows, A, _, _ in self._records.stream():
            yield rows, A.copy()

    def stream(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, A)``, each to be looked at once."""
        for rows, A, _, _ in self._records.stream():
            yield rows, A

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return some rows."""
        return self._records.between(*self.check_range(start, stop)).matrix

    def cuts(self) -> Array | None:
        """Return those of the records."""
        return self._records.cuts()

    def identity(self) -> str:
        """Return that of the records."""
        return self._records.identity()


def digest_of(array: Array) -> str:
    """Return a text that differs for other contents of an array."""
    digest = hashlib.blake2b(f"{array.shape} {array.dtype.str}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def check_weights(weights: Array, start: int) -> Array:
    """Return weights if they are finite and not negative."""
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        msg = f"The weight of row {start + at} is {weights[at]}; a finite number >= 0 is wanted."
        raise InvalidDataError(msg)
    return weights
