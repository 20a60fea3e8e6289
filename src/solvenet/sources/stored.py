"""Matrices in files that are opened for each pass: NumPy, HDF5, Zarr."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks import ArrayBlocks, RowBlocks
from solvenet.blocks.planning import rows_per_block as plan_rows
from solvenet.errors import InvalidDataError, SolvenetError
from solvenet.sources.blocks import first_gap
from solvenet.sources.parts import damaged, is_damage

if TYPE_CHECKING:
    from solvenet._array_api import Array


class StoredBlocks(RowBlocks):
    """Row blocks of a matrix that is opened anew for each pass.

    Holds names and no handle, so that it can be pickled and read by a worker.

    Parameters
    ----------
    shape : tuple of int
        Shape of the stored array; one dimension is read as one column.
    dtype : numpy.dtype
        Its type. Whole numbers are handed out as float64.
    chunk_rows : int, default=1
        Rows that are stored together: blocks begin and end with them.
    """

    fresh = False
    format = "an array"

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], chunk_rows: int = 1) -> None:
        if len(shape) not in (1, 2) or 0 in shape:
            msg = (
                f"{self.title()} has shape {tuple(shape)}; two dimensions (rows, columns), or one "
                "for a single column, and at least one row are wanted."
            )
            raise InvalidDataError(msg)
        # Says which types are numbers, and what they are handed out as.
        try:
            model = ArrayBlocks(np.empty((0, 1), np.dtype(dtype)))
        except InvalidDataError as error:
            msg = f"{self.title()}: {error}"
            raise InvalidDataError(msg) from None
        self.dtype = model.dtype
        self.shape = (int(shape[0]), int(shape[1]) if len(shape) == 2 else 1)
        self._start = 0
        self._stored_rows = self.shape[0]
        self._chunk_rows = max(1, int(chunk_rows))
        self._index: Array | None = None
        rows = plan_rows(self.shape[1], self.dtype.itemsize)
        whole = rows // self._chunk_rows * self._chunk_rows
        self.rows_per_block: int = whole or rows

    @abstractmethod
    def title(self) -> str:
        """Return the name of file and array, for messages."""

    @abstractmethod
    def check_unchanged(self) -> None:
        """Refuse files that have changed since the source was made.

        Raises
        ------
        InvalidDataError
            They were written to or replaced.
        OSError
            They are gone.
        """

    @abstractmethod
    def _stamp(self) -> str:
        """Return a text that differs once the data may have changed."""

    @abstractmethod
    def _open(self) -> AbstractContextManager[Any]:
        """Open the stored array for the time of one pass."""

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` as stored, from one limit of chunks to the next."""
        self.check_unchanged()
        with self._told("as a whole"), self._open() as array:
            if tuple(array.shape[:1]) != (self._stored_rows,):
                self._refuse_shape(array.shape)
            stop = self._start + self.shape[0]
            at = self._start
            while at < stop:
                end = self._end(at, stop)
                try:
                    block = self._rows(array, at, end)
                except Exception:
                    self._find_damage(array, at, end)
                    raise
                self._check(block, at)
                yield slice(at - self._start, end - self._start), block
                at = end
        self.check_unchanged()

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return some rows; only the chunks that hold them are read."""
        start, stop = self.check_range(start, stop)
        out = self._copy()
        out._start = self._start + start
        out.shape = (stop - start, self.shape[1])
        return out

    def columns(self, index: Array) -> RowBlocks:
        """Return some of the columns; those from the first to the last of them are read."""
        index = self.check_columns(index)
        out = self._copy()
        out._index = index if self._index is None else self._index[index]
        out.shape = (self.shape[0], len(index))
        return out

    def cuts(self) -> Array | None:
        """Return the limits of chunks within these rows; None where rows stand alone."""
        if self._chunk_rows == 1:
            return None
        first = -(-(self._start + 1) // self._chunk_rows) * self._chunk_rows
        inside = np.arange(first, self._start + self.shape[0], self._chunk_rows) - self._start
        return np.concatenate([[0], inside, [self.shape[0]]])

    def identity(self) -> str:
        """Return a text made from names, sizes and times of the files; reads no data."""
        index = None if self._index is None else self._index.tolist()
        return f"{self._stamp()} {self._start} {self.shape} {self.dtype.str} {index}"

    def _copy(self) -> StoredBlocks:
        out = object.__new__(type(self))
        out.__dict__.update(self.__dict__)
        return out

    def _end(self, at: int, stop: int) -> int:
        """Return the end of the block at a row: the limit of a chunk, if that is near."""
        end = at + self.rows_per_block
        aligned = end // self._chunk_rows * self._chunk_rows
        return min(aligned if aligned > at else end, stop)

    def _find_damage(self, array: Any, at: int, end: int) -> None:
        """Read chunk by chunk what could not be read at once, to name the damaged one."""
        chunk = self._chunk_rows
        while at < end:
            stop = min((at // chunk + 1) * chunk, end)
            with self._told(f"chunk {at // chunk} (rows {at} to {stop - 1})"):
                self._rows(array, at, stop)
            at = stop

    def _rows(self, array: Any, at: int, end: int) -> Array:
        if self._index is None:
            block = np.asarray(array[at:end])
        else:
            low, high = int(self._index.min()), int(self._index.max()) + 1
            part = array[at:end] if len(array.shape) == 1 else array[at:end, low:high]
            part = np.asarray(part).reshape(end - at, -1)
            together = np.array_equal(self._index, np.arange(low, high))
            block = part if together else part[:, self._index - low]
        return np.asarray(block.reshape(end - at, -1), dtype=self.dtype)

    def _check(self, block: Array, first: int) -> None:
        found = first_gap(block)
        if found is None:
            return
        row, column = found
        what = "a missing (NaN)" if np.isnan(block[row, column]) else "an infinite"
        at = column if self._index is None else int(self._index[column])
        msg = (
            f"{self.title()} holds {what} value in row {first + row}, column {at}. Remove or "
            "fill such rows first."
        )
        raise InvalidDataError(msg)

    def _refuse_shape(self, shape: tuple[int, ...]) -> None:
        msg = (
            f"{self.title()} has changed between passes: it had {self._stored_rows} rows when it "
            f"was opened and has shape {tuple(shape)} now."
        )
        raise InvalidDataError(msg)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Name file, array and rows in what a reader says of damaged data."""
        try:
            yield
        except SolvenetError:
            raise
        except Exception as error:
            self.check_unchanged()
            if not is_damage(error) and not isinstance(error, RuntimeError | KeyError):
                error.add_note(f"While reading {self.title()}, {what}.")
                raise
            where = f"{self.title()}, {what},"
            raise damaged(where, self.format, error) from error
