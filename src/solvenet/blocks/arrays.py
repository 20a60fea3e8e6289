"""Row blocks of anything that can be sliced by rows: arrays, memory maps, HDF5, Zarr."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_count
from solvenet.blocks._base import RowBlocks
from solvenet.blocks.operators import OperatorBlocks, is_operator
from solvenet.blocks.planning import rows_per_block as plan_rows
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array


class ArrayBlocks(RowBlocks):
    """Row blocks of a two-dimensional array-like with ``shape``, ``dtype`` and slicing.

    Parameters
    ----------
    array : array-like of shape (n_rows, n_cols)
        NumPy array, ``numpy.memmap``, HDF5 or Zarr dataset. Never copied as a whole.
        Integers and booleans are handed out as float64.
    rows_per_block : int, optional
        Rows of a block; by default a block takes about 32 MB.

    Raises
    ------
    InvalidDataError
        If the array is not two-dimensional or not real numbers.
    """

    def __init__(self, array: Any, *, rows_per_block: int | None = None) -> None:
        if len(array.shape) != 2:
            msg = (
                f"An array of shape {array.shape} was given; two dimensions (rows, "
                "columns) are wanted. Use array.reshape(-1, 1) for a single column."
            )
            raise InvalidDataError(msg)
        dtype = np.dtype(array.dtype)
        if dtype.kind not in "fiub":
            msg = f"An array of dtype {dtype} was given; real numbers are wanted."
            raise InvalidDataError(msg)
        # float16 is read as float32: LAPACK has no half precision.
        self.dtype = np.dtype(np.float64)
        if dtype.kind == "f":
            self.dtype = np.dtype(np.float32) if dtype.itemsize < 4 else dtype
        self.shape = (int(array.shape[0]), int(array.shape[1]))
        self._array = array
        self.rows_per_block: int = (
            plan_rows(self.shape[1], self.dtype.itemsize)
            if rows_per_block is None
            else check_count("rows_per_block", rows_per_block)
        )

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``; blocks are views where the array allows it."""
        for start in range(0, self.shape[0], self.rows_per_block):
            rows = slice(start, min(start + self.rows_per_block, self.shape[0]))
            yield rows, np.asarray(self._array[rows], dtype=self.dtype)

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return some rows; the slice of an array that is held is a view."""
        start, stop = self.check_range(start, stop)
        return ArrayBlocks(self._array[start:stop], rows_per_block=self.rows_per_block)

    def with_rows(self, rows_per_block: int) -> ArrayBlocks:
        """Return the same array in blocks of so many rows."""
        return ArrayBlocks(self._array, rows_per_block=rows_per_block)

    def taken(self, index: Array) -> RowBlocks:
        """Return some rows."""
        return ArrayBlocks(self._array[index], rows_per_block=self.rows_per_block)


def as_row_blocks(A: Any, *, rows_per_block: int | None = None) -> RowBlocks:
    """Return `A` as row blocks: itself, or those of an array or a SciPy LinearOperator."""
    if isinstance(A, RowBlocks):
        return A
    if is_operator(A):
        return OperatorBlocks(A)
    if not (isinstance(getattr(A, "shape", None), tuple) and getattr(A, "dtype", None)):
        A = np.asarray(A)
    return ArrayBlocks(A, rows_per_block=rows_per_block)
