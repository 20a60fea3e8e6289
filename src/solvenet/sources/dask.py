"""Dask collections: arrays as row blocks, data frames as tables, a chunk at a time."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import import_optional
from solvenet.blocks import ArrayBlocks, RowBlocks
from solvenet.blocks.planning import rows_per_block as plan_rows
from solvenet.errors import InvalidDataError
from solvenet.sources._base import OTHER, Batch, Table
from solvenet.sources.blocks import first_gap
from solvenet.sources.columns import columns_of

if TYPE_CHECKING:
    from solvenet._array_api import Array


class _Chunked(ABC):
    """What both have: a lazy collection whose chunks of rows are computed one at a time."""

    _lazy: Any
    _limits: Array

    @abstractmethod
    def _chunk(self, lazy: Any, number: int) -> Any:
        """Return the rows of one chunk, still lazy."""

    def _computed(self, lazy: Any, start: int, stop: int) -> Iterator[tuple[int, int, Any]]:
        """Yield first row, number and rows of each chunk that holds some of the rows."""
        low = int(np.searchsorted(self._limits, start, side="right")) - 1
        high = int(np.searchsorted(self._limits, stop, side="left"))
        for number in range(low, high):
            first, last = (int(limit) for limit in self._limits[number : number + 2])
            if first == last:
                continue
            part = _compute(self._chunk(lazy, number), self._title(number))
            if len(part) != last - first:
                msg = (
                    f"{self._title(number)} has changed between passes: it has {len(part)} rows "
                    "now. Persist or write down what does not come out the same twice."
                )
                raise InvalidDataError(msg)
            yield first, number, part

    def _title(self, number: int) -> str:
        first, last = self._limits[number : number + 2]
        return f"Chunk {number} (rows {first} to {last - 1}) of the Dask collection"

    def _title_of(self, row: int) -> str:
        return self._title(int(np.searchsorted(self._limits, row, side="right")) - 1)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: graphs may hold functions that plain pickle refuses."""
        cloudpickle = import_optional("cloudpickle", extra="dask", purpose="Sending Dask graphs")
        return {**self.__dict__, "_lazy": cloudpickle.dumps(self._lazy)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was pickled."""
        import pickle

        self.__dict__.update(state, _lazy=pickle.loads(state["_lazy"]))


class DaskBlocks(_Chunked, RowBlocks):
    """Row blocks of a Dask array, of which one chunk of rows is computed at a time.

    Parameters
    ----------
    array : dask.array.Array
        Two dimensions, or one for a single column. Chunks of columns are computed
        together. Where the sizes of chunks are unknown, they are computed in one pass.

    Raises
    ------
    InvalidDataError
        The array has other dimensions, no rows, or holds no numbers. While blocks are read:
        a chunk cannot be computed, has another size than before, or holds a missing value.
    """

    def __init__(self, array: Any) -> None:
        if array.ndim == 1:
            array = array[:, None]
        model = ArrayBlocks(_Shape((0,) * array.ndim, array.dtype))
        self.dtype = model.dtype
        n_cols = array.shape[1]
        if np.isnan(n_cols):
            msg = "The Dask array has an unknown number of columns. Call compute_chunk_sizes first."
            raise InvalidDataError(msg)
        rows = array.chunks[0]
        if np.isnan(rows).any():
            rows = _lengths([array.blocks[i, 0] for i in range(len(rows))])
        self._lazy = array
        self._limits = np.concatenate([[0], np.cumsum(np.asarray(rows, dtype=np.int64))])
        self._start = 0
        self.shape = (int(self._limits[-1]), int(n_cols))
        if self.shape[0] == 0:
            msg = "The Dask array has no rows; at least one is wanted."
            raise InvalidDataError(msg)
        self.rows_per_block: int = plan_rows(self.shape[1], self.dtype.itemsize)

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``; views of the chunk that was computed last."""
        start, stop = self._start, self._start + self.shape[0]
        for first, number, part in self._computed(self._lazy, start, stop):
            low, high = max(start - first, 0), min(stop - first, len(part))
            for at in range(low, high, self.rows_per_block):
                some = part[at : min(at + self.rows_per_block, high)]
                block = np.asarray(some, dtype=self.dtype)
                found = first_gap(block)
                if found is not None:
                    msg = (
                        f"{self._title(number)} holds a missing or infinite value in row "
                        f"{first + at + found[0]}, column {found[1]}. Remove or fill such rows "
                        "first."
                    )
                    raise InvalidDataError(msg)
                begin = first + at - start
                yield slice(begin, begin + len(block)), block

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return some rows; only the chunks that hold them are computed."""
        start, stop = self.check_range(start, stop)
        return self._with(self._lazy, self._start + start, (stop - start, self.shape[1]))

    def columns(self, index: Array) -> RowBlocks:
        """Return some of the columns; the others are not computed where chunks allow it."""
        index = self.check_columns(index)
        return self._with(self._lazy[:, index], self._start, (self.shape[0], len(index)))

    def cuts(self) -> Array:
        """Return the limits of the chunks within these rows."""
        cuts = np.unique(self._limits) - self._start
        inside = cuts[(cuts > 0) & (cuts < self.shape[0])]
        return np.concatenate([[0], inside, [self.shape[0]]])

    def identity(self) -> str:
        """Return the name that Dask gives to the array; nothing is computed."""
        return f"{self._lazy.name} {self._start} {self.shape}"

    def _chunk(self, lazy: Any, number: int) -> Any:
        return lazy.blocks[number]

    def _with(self, array: Any, start: int, shape: tuple[int, int]) -> DaskBlocks:
        out = object.__new__(DaskBlocks)
        out.__dict__.update(self.__dict__)
        out._lazy, out._start, out.shape = array, start, shape
        return out


class DaskTable(_Chunked, Table):
    """A Dask data frame as a table, of which one partition is computed at a time.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        The lengths of its partitions are computed in one pass.

    Raises
    ------
    InvalidDataError
        There are no rows, or two columns of one name. While rows are read: a partition
        cannot be computed or has another length than before.
    """

    def __init__(self, frame: Any) -> None:
        self.names = tuple(str(name) for name in frame.columns)
        if len(set(self.names)) != len(self.names):
            msg = "The Dask frame has more than one column of one name. Rename one of them."
            raise InvalidDataError(msg)
        self.dtypes = {
            name: _dtype(kind) for name, kind in zip(self.names, frame.dtypes, strict=True)
        }
        rows = frame.map_partitions(len).compute()
        self._lazy = frame
        self._labels = dict(zip(self.names, frame.columns, strict=True))
        self._limits = np.concatenate([[0], np.cumsum(np.asarray(rows, dtype=np.int64))])
        self.n_rows = int(self._limits[-1])
        if self.n_rows == 0:
            msg = "The Dask frame has no rows; at least one is wanted."
            raise InvalidDataError(msg)

    def cuts(self) -> Array:
        """Return the limits of the partitions."""
        return np.unique(self._limits)

    def identity(self) -> str:
        """Return the name that Dask gives to the frame; nothing is computed."""
        return f"{self._lazy._name} {self.n_rows}"

    def where(self, row: int) -> str:
        """Return the number of the row and its partition."""
        return f"row {row}, {self._title_of(row)}"

    def _batches(self, columns: list[str], start: int, stop: int, rows: int) -> Iterator[Batch]:
        lazy = self._lazy[[self._labels[name] for name in columns]]
        for first, _, part in self._computed(lazy, start, stop):
            table = columns_of(part)
            low, high = max(start - first, 0), min(stop - first, len(part))
            for at in range(low, high, rows):
                some = slice(at, min(at + rows, high))
                yield first + at, {name: table[name][some] for name in columns}

    def _chunk(self, lazy: Any, number: int) -> Any:
        return lazy.partitions[number]


class _Shape:
    """Shape and type of an array that holds nothing."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, dtype


def _compute(lazy: Any, title: str) -> Any:
    try:
        return _compute_here(lazy)
    except (OSError, MemoryError) as error:
        error.add_note(f"While computing: {title}.")
        raise
    except Exception as error:
        detail = " ".join(str(error).split())[:200].rstrip(".")
        msg = f"{title} cannot be computed: {type(error).__name__}: {detail}."
        raise InvalidDataError(msg) from error


def _compute_here(lazy: Any) -> Any:
    """Compute by whatever the user has set up, or inside a task of a cluster."""
    distributed = sys.modules.get("distributed")
    try:
        inside = distributed is not None and distributed.get_worker() is not None
    except ValueError:
        inside = False
    if distributed is None or not inside:
        return lazy.compute()
    if distributed.futures_of(lazy):
        # What was persisted lies on the workers: this task steps aside and asks for it.
        with distributed.worker_client() as client:
            return client.compute(lazy).result()
    # A task that waited for others of its cluster would hold the place they need.
    return lazy.compute(scheduler="synchronous")


def _lengths(chunks: list[Any]) -> list[int]:
    dask = import_optional("dask", extra="dask", purpose="Reading Dask arrays")
    return list(dask.compute(*[dask.delayed(len)(chunk) for chunk in chunks]))


def _dtype(kind: Any) -> np.dtype[Any]:
    """Return the NumPy type of a pandas type."""
    if isinstance(kind, np.dtype):
        return kind
    letter = getattr(kind, "kind", "O")
    if letter in "iufb":
        return np.dtype(getattr(kind, "numpy_dtype", np.float64))
    if letter in "mM":
        return np.dtype(f"{letter}8[ns]")
    return np.dtype(object) if letter in "OUS" else OTHER
