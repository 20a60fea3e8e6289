"""Sparse matrices of SciPy: products as they are, rows made dense block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_finite
from solvenet.blocks import ArrayBlocks, RowBlocks
from solvenet.blocks.planning import rows_per_block as plan_rows
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array


class SparseBlocks(RowBlocks):
    """Row blocks of a SciPy sparse matrix, never dense as a whole.

    Solvers that need products alone (LSQR, LSMR, CGLS) use those of the sparse matrix: two
    operations a stored value. The others read rows, which are made dense a block at a time.

    Parameters
    ----------
    matrix : scipy.sparse array or matrix
        Of any format; kept as compressed rows, without a copy where it is that already.

    Raises
    ------
    InvalidDataError
        The matrix holds NaN, infinity or no real numbers, or has not two dimensions.
    """

    fresh = True
    has_products = True

    def __init__(self, matrix: Any) -> None:
        if len(matrix.shape) != 2:
            msg = f"A sparse array of shape {matrix.shape} was given; two dimensions are wanted."
            raise InvalidDataError(msg)
        self.dtype = ArrayBlocks(np.empty((0, 1), matrix.dtype)).dtype
        rows = matrix.tocsr()
        if not rows.has_canonical_format:
            rows = rows.copy()  # the caller's own is left as it is
            rows.sum_duplicates()
        self._rows = rows.astype(self.dtype, copy=False)
        check_finite("The sparse matrix (its stored values)", self._rows.data)
        self.shape = (int(matrix.shape[0]), int(matrix.shape[1]))
        self.rows_per_block: int = plan_rows(self.shape[1], self.dtype.itemsize)

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``, dense."""
        for rows in self._slices():
            yield rows, self._rows[rows].toarray()

    def stream(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``; the memory of a block is used again for the next one."""
        memory = np.empty((min(self.rows_per_block, self.shape[0]), self.shape[1]), self.dtype)
        for rows in self._slices():
            yield rows, self._rows[rows].toarray(out=memory[: rows.stop - rows.start])

    def matmat(self, V: Array) -> Array:
        """Return ``A @ V`` by the sparse matrix."""
        product: Array = self._rows @ self._conform("V", V, self.shape[1])
        return product

    def rmatmat(self, U: Array) -> Array:
        """Return ``A.T @ U`` by the sparse matrix."""
        product: Array = self._rows.T @ self._conform("U", U, self.shape[0])
        return product

    def gram(self) -> Array:
        """Return ``A.T @ A`` in float64 by a sparse product."""
        rows = self._rows.astype(np.float64, copy=False)
        product: Array = (rows.T @ rows).toarray()
        return product

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return some rows."""
        start, stop = self.check_range(start, stop)
        return SparseBlocks(self._rows[start:stop])

    def columns(self, index: Array) -> RowBlocks:
        """Return some of the columns."""
        return SparseBlocks(self._rows[:, self.check_columns(index)])

    def identity(self) -> str:
        """Return a text made from the stored values and their places."""
        digest = hashlib.blake2b(f"{self.shape} {self.dtype.str}".encode(), digest_size=16)
        for values in (self._rows.data, self._rows.indices, self._rows.indptr):
            wide = values.astype(np.int64) if values.dtype.kind == "i" else values
            digest.update(np.ascontiguousarray(wide).data)
        return digest.hexdigest()

    def _slices(self) -> Iterator[slice]:
        for start in range(0, self.shape[0], self.rows_per_block):
            yield slice(start, min(start + self.rows_per_block, self.shape[0]))
