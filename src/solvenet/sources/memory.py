"""Tables that are in memory already: frames of any library."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.sources._base import Batch, Table
from solvenet.sources.columns import columns_of, missing_rows

if TYPE_CHECKING:
    from solvenet._array_api import Array


class MemoryTable(Table):
    """A table in memory.

    Parameters
    ----------
    table : mapping, pandas or Polars frame, pyarrow table, or two-dimensional array
        Columns are taken as they are, without a copy where the library allows it.

    Raises
    ------
    InvalidDataError
        Not a table, no rows or columns, repeated names, or columns of unequal length.
    """

    def __init__(self, table: Any) -> None:
        self._columns = columns_of(table)
        self.names = tuple(self._columns)
        self.n_rows = len(self._columns[self.names[0]])
        self.dtypes = {name: _type(values) for name, values in self._columns.items()}

    def cuts(self) -> Array:
        """Return first and last row: any other is as good."""
        return np.array([0, self.n_rows])

    def identity(self) -> str:
        """Return a text made from the values; one look at each of them."""
        digest = hashlib.blake2b(repr(self.names).encode(), digest_size=16)
        for values in self._columns.values():
            plain = values if values.dtype.kind != "O" else repr(values.tolist()).encode()
            digest.update(np.ascontiguousarray(plain).tobytes())
        return digest.hexdigest()

    def where(self, row: int) -> str:
        """Return the number of the row."""
        return f"row {row} of the table"

    def _batches(self, columns: list[str], start: int, stop: int, rows: int) -> Iterator[Batch]:
        for low in range(start, stop, rows):
            some = slice(low, min(low + rows, stop))
            yield low, {name: self._columns[name][some] for name in columns}


def _type(values: Array) -> np.dtype[Any]:
    """Return the type of a column without its gaps: objects may be truth values or numbers."""
    if values.dtype.kind != "O":
        return values.dtype
    kinds = {type(value) for value in values[~missing_rows(values)][:1000]}
    if kinds and all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return np.dtype(bool)
    numbers = (int, float, np.integer, np.floating)
    if kinds and all(issubclass(kind, numbers) for kind in kinds):
        return np.dtype(np.float64)
    return values.dtype
