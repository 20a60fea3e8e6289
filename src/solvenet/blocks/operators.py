"""Row blocks of a matrix that is known by its products only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks._base import RowBlocks
from solvenet.blocks.planning import rows_per_block
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

    from solvenet._array_api import Array


class OperatorBlocks(RowBlocks):
    """Row blocks of a SciPy ``LinearOperator``, or of anything with its products.

    Solvers that need products alone (LSQR, LSMR, CGLS) use those of the operator. The
    others read rows, which are made a block at a time as ``(A' E)'`` from columns E of the
    identity: n_rows products in all.

    Parameters
    ----------
    operator : scipy.sparse.linalg.LinearOperator
        With ``shape``, ``dtype``, ``matmat`` and ``rmatmat``; real.

    Raises
    ------
    InvalidDataError
        If the operator is not real.
    """

    fresh = True
    has_products = True

    def __init__(self, operator: LinearOperator) -> None:
        dtype = np.dtype(np.float64 if operator.dtype is None else operator.dtype)
        if dtype.kind not in "fiub":
            msg = f"A linear operator of dtype {dtype} was given; real numbers are wanted."
            raise InvalidDataError(msg)
        single = dtype.kind == "f" and dtype.itemsize <= 4
        self.dtype = np.dtype(np.float32 if single else np.float64)
        self.shape = (int(operator.shape[0]), int(operator.shape[1]))
        self._operator = operator

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``; each row costs a product with ``A'``."""
        n_rows, n_cols = self.shape
        step = min(rows_per_block(max(n_rows, n_cols)), n_rows) or 1
        for start in range(0, n_rows, step):
            rows = slice(start, min(start + step, n_rows))
            unit = np.zeros((n_rows, rows.stop - start), dtype=self.dtype)
            unit[np.arange(start, rows.stop), np.arange(rows.stop - start)] = 1.0
            block = np.asarray(self._operator.rmatmat(unit), dtype=self.dtype)
            yield rows, np.ascontiguousarray(block.T)

    def to_array(self, max_bytes: int | None = None) -> Array:
        """Return the whole matrix, by as many products as it has columns or rows."""
        if self.shape[1] >= self.shape[0]:
            return super().to_array(max_bytes)
        self.check_size(max_bytes)
        out = np.empty(self.shape, self.dtype)
        step = rows_per_block(self.shape[0])
        for start in range(0, self.shape[1], step):
            columns = np.arange(start, min(start + step, self.shape[1]))
            unit = np.zeros((self.shape[1], len(columns)), dtype=self.dtype)
            unit[columns, columns - start] = 1.0
            out[:, columns] = self._operator.matmat(unit)
        return out

    def matmat(self, V: Array) -> Array:
        """Return ``A @ V`` by the operator."""
        V = self._conform("V", V, self.shape[1])
        return self._product(self._operator.matmat, V)

    def rmatmat(self, U: Array) -> Array:
        """Return ``A.T @ U`` by the operator."""
        U = self._conform("U", U, self.shape[0])
        return self._product(self._operator.rmatmat, U)

    def _product(self, multiply: Any, V: Array) -> Array:
        out = np.asarray(multiply(V.reshape(len(V), -1)))
        return out.reshape(len(out), *V.shape[1:])


def is_operator(A: Any) -> bool:
    """Tell whether `A` is known by its products and not by its entries."""
    return hasattr(A, "matmat") and hasattr(A, "rmatmat") and not hasattr(A, "__getitem__")
