"""The protocol that every source of rows follows."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks.planning import rows_per_block
from solvenet.errors import InvalidDataError, MemoryLimitError

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

    from solvenet._array_api import Array


class RowBlocks(ABC):
    """A matrix that hands out its rows in blocks, in order, again and again.

    Only :meth:`blocks` is compulsory; every product is derived from it and costs one
    pass over the rows. Nothing is ever held but one block and the result.

    Attributes
    ----------
    shape : tuple of (int, int)
        ``(n_rows, n_cols)``.
    dtype : numpy.dtype
        Floating dtype of the blocks.
    n_passes : int or None
        How often :meth:`blocks` may be called; None means without limit.
    fresh : bool
        Whether blocks of :meth:`stream` are made for the caller, who may overwrite them.
    has_products : bool
        Whether products are cheaper than a pass over the blocks.
    rows_per_block : int or None
        Rows of the largest block, where the source knows.
    """

    shape: tuple[int, int]
    dtype: np.dtype[np.floating]
    n_passes: int | None = None
    fresh: bool = False
    has_products: bool = False
    rows_per_block: int | None = None

    @abstractmethod
    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` in row order; blocks must not be written to."""

    def stream(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` like :meth:`blocks`, for one who looks at each block once.

        The memory of a block may be used again for the next one; if the source is
        `fresh`, the caller may write to it.
        """
        yield from self.blocks()

    def matmat(self, V: Array) -> Array:
        """Return ``A @ V``, shape (n_rows, k), for `V` of shape (n_cols, k) or (n_cols,)."""
        V = self._conform("V", V, self.shape[1])
        out = np.empty((self.shape[0], *V.shape[1:]), np.result_type(self.dtype, V))
        for rows, block in self.stream():
            out[rows] = block @ V
        return out

    def rmatmat(self, U: Array) -> Array:
        """Return ``A.T @ U``, shape (n_cols, k), for `U` of shape (n_rows, k) or (n_rows,)."""
        U = self._conform("U", U, self.shape[0])
        out = np.zeros((self.shape[1], *U.shape[1:]), np.result_type(self.dtype, U))
        for rows, block in self.stream():
            out += block.T @ U[rows]
        return out

    def gram(self) -> Array:
        """Return ``A.T @ A`` in float64, shape (n_cols, n_cols)."""
        out = np.zeros((self.shape[1], self.shape[1]))
        for _, block in self.stream():
            block = block.astype(np.float64, copy=False)
            out += block.T @ block
        return out

    def to_array(self, max_bytes: int | None = None) -> Array:
        """Return the whole matrix as one array.

        Parameters
        ----------
        max_bytes : int, optional
            Refuse to build an array larger than this.

        Raises
        ------
        MemoryLimitError
            If the matrix takes more than `max_bytes`.
        """
        self.check_size(max_bytes)
        out = np.empty(self.shape, self.dtype)
        for rows, block in self.stream():
            out[rows] = block
        return out

    def check_size(self, max_bytes: int | None) -> None:
        """Refuse a limit that the whole matrix would exceed."""
        needed = self.shape[0] * self.shape[1] * self.dtype.itemsize
        if max_bytes is not None and needed > max_bytes:
            msg = (
                f"The matrix of shape {self.shape} takes {needed / 1e6:.0f} MB and the "
                f"memory limit is {max_bytes / 1e6:.0f} MB. Use a solver that reads row "
                "blocks (QR, NormalEquations), or raise the limit."
            )
            raise MemoryLimitError(msg)

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return the rows from `start` up to `stop` as row blocks of their own.

        They are numbered from zero. Sources that can begin anywhere read these rows alone;
        any other reads those before them as well and drops them.

        Parameters
        ----------
        start, stop : int
            Row numbers, ``0 <= start < stop <= n_rows``.
        """
        return Between(self, *self.check_range(start, stop))

    def taken(self, index: Array) -> RowBlocks:
        """Return some rows, held in memory: one pass.

        Sources that make their rows read or make only these.

        Parameters
        ----------
        index : array of int, ascending
            Numbers of the rows.
        """
        parts = []
        for rows, block in self.stream():
            low, high = np.searchsorted(index, [rows.start, rows.stop])
            if low < high:
                parts.append(block[index[low:high] - rows.start])
        return Taken(np.concatenate(parts))

    def check_range(self, start: int, stop: int) -> tuple[int, int]:
        """Return the range if it holds rows, at least one."""
        if not 0 <= start < stop <= self.shape[0]:
            msg = f"Rows {start} to {stop} were asked for of a matrix of {self.shape[0]} rows."
            raise InvalidDataError(msg)
        return int(start), int(stop)

    def cuts(self) -> Array | None:
        """Return the row numbers at which :meth:`between` may begin or end at no cost.

        Ascending, the first 0 and the last ``n_rows``: limits of row groups or chunks. None
        where that is any row.
        """
        return None

    def identity(self) -> str:
        """Return a text that is equal for equal data and differs for other data.

        What a checkpoint is checked by. One pass, where the source does not know better.
        """
        digest = hashlib.blake2b(f"{self.shape} {self.dtype.str}".encode(), digest_size=16)
        for _, block in self.stream():
            digest.update(np.ascontiguousarray(block).data)
        return digest.hexdigest()

    def columns(self, index: Array) -> RowBlocks:
        """Return some of the columns, in the order of `index`, as row blocks of their own.

        Sources that make their columns, such as features on the fly, make only these;
        any other hands out slices of its blocks.

        Parameters
        ----------
        index : array-like of int
            Numbers of columns, at least one, each in ``range(n_cols)``.
        """
        return Columns(self, self.check_columns(index))

    def check_columns(self, index: Any) -> Array:
        """Return `index` as an array if it holds numbers of columns, at least one."""
        numbers = np.asarray(index)
        whole = numbers.ndim == 1 and numbers.dtype.kind in "iu" and len(numbers) > 0
        if not whole or numbers.min() < 0 or numbers.max() >= self.shape[1]:
            msg = (
                f"columns wants whole numbers from 0 to {self.shape[1] - 1}, at least one; "
                f"{index!r} was given."
            )
            raise InvalidDataError(msg)
        return numbers

    def weight_norms(self) -> Array | None:
        """Return the norm of the weights behind each column, shape (n_cols,).

        How steep each unit is; None where the columns are not known to be hidden units.
        """
        return None

    def aslinearoperator(self) -> LinearOperator:
        """Return a SciPy ``LinearOperator``; each product is one pass over the rows."""
        from scipy.sparse.linalg import LinearOperator

        return LinearOperator(
            self.shape,
            dtype=self.dtype,
            matvec=lambda v: self.matmat(np.ravel(v)),
            rmatvec=lambda u: self.rmatmat(np.ravel(u)),
            matmat=self.matmat,
            rmatmat=self.rmatmat,
        )

    def _conform(self, name: str, V: Array, length: int) -> Array:
        V = np.asarray(V)
        if V.ndim not in (1, 2) or V.shape[0] != length:
            msg = (
                f"{name} of shape {V.shape} was given to a matrix of shape {self.shape}; "
                f"({length},) or ({length}, k) is wanted."
            )
            raise InvalidDataError(msg)
        return V


class Columns(RowBlocks):
    """Some columns of another source, sliced from its blocks.

    Made by :meth:`RowBlocks.columns`, which knows of better ways for some sources.
    """

    def __init__(self, source: RowBlocks, index: Array) -> None:
        self.shape = (source.shape[0], len(index))
        self.dtype = source.dtype
        self.n_passes = source.n_passes
        self._source = source
        self._index = index
        # Neighbours are handed out as views, without a copy.
        first, last = int(index[0]), int(index[-1])
        together = np.array_equal(index, np.arange(first, last + 1))
        self._which: slice | Array = slice(first, last + 1) if together else index
        self.fresh = source.fresh or not together

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` of these columns."""
        for rows, block in self._source.blocks():
            yield rows, block[:, self._which]

    def stream(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` of these columns, each to be looked at once."""
        for rows, block in self._source.stream():
            yield rows, block[:, self._which]

    def columns(self, index: Array) -> RowBlocks:
        """Return some of these columns: sliced once, not twice."""
        return self._source.columns(self._index[self.check_columns(index)])

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return these columns of some rows."""
        return Columns(self._source.between(*self.check_range(start, stop)), self._index)

    def cuts(self) -> Array | None:
        """Return those of the source."""
        return self._source.cuts()

    def weight_norms(self) -> Array | None:
        """Return those of these columns, where the source knows them."""
        norms = self._source.weight_norms()
        return None if norms is None else norms[self._index]


class Taken(RowBlocks):
    """Some rows of a source, held in memory; made by :meth:`RowBlocks.taken`."""

    def __init__(self, rows: Array) -> None:
        self.shape = (rows.shape[0], rows.shape[1])
        self.dtype = rows.dtype
        self._rows = rows

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` of about 16 MB."""
        step = rows_per_block(self.shape[1], self.dtype.itemsize)
        for start in range(0, len(self._rows), step):
            rows = slice(start, min(start + step, len(self._rows)))
            yield rows, self._rows[rows]

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return some rows."""
        start, stop = self.check_range(start, stop)
        return Taken(self._rows[start:stop])


class Between(RowBlocks):
    """Consecutive rows of a source that can only be read from its beginning.

    Made by :meth:`RowBlocks.between`, which knows of better ways for most sources.
    """

    def __init__(self, source: RowBlocks, start: int, stop: int) -> None:
        self.shape = (stop - start, source.shape[1])
        self.dtype = source.dtype
        self.n_passes = source.n_passes
        self.rows_per_block = source.rows_per_block
        self.fresh = source.fresh
        self._source, self._start, self._stop = source, start, stop

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``, numbered from the first of these rows."""
        for rows, block in self._source.blocks():
            low, high = max(rows.start, self._start), min(rows.stop, self._stop)
            if low < high:
                here = slice(low - self._start, high - self._start)
                yield here, block[low - rows.start : high - rows.start]
            if rows.stop >= self._stop:
                return

    def weight_norms(self) -> Array | None:
        """Return those of the source."""
        return self._source.weight_norms()
