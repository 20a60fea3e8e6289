"""What a table on disk is: named, typed columns, read in parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks.planning import CACHE_BYTES, rows_per_block
from solvenet.errors import InvalidDataError
from solvenet.sources.columns import unknown_columns

if TYPE_CHECKING:
    from solvenet._array_api import Array

Batch = tuple[int, dict[str, "Array"]]
"""Number of the first row, and the columns."""

OTHER = np.dtype("V8")
"""Stands for the type of columns of lists, structures and the like, which come as objects."""

_KINDS = {"b": "bool", "O": "text", "U": "text", "S": "text", "M": "date", "m": "duration"}
_KINDS |= dict.fromkeys("iuf", "number")


def kind_of(dtype: np.dtype[Any]) -> str:
    """Return what a column of this type holds, in a word."""
    return _KINDS.get(dtype.kind, "other")


def _rows_at_once(n_columns: int) -> int:
    """Return how many rows are read at a time.

    They should stay in a processor's cache. Of many columns that would be so few rows that
    the cost of a call for each column prevails.
    """
    few = min(4096, rows_per_block(n_columns, 8, 16 * CACHE_BYTES))
    return max(few, rows_per_block(n_columns, 8, CACHE_BYTES))


class Table(ABC):
    """A table with named columns that is read in parts, again and again.

    Can be pickled: it holds names of files and limits of their parts, nothing that is open
    and no values.

    Attributes
    ----------
    names : tuple of str
        Columns in the order of the table.
    n_rows : int
        Number of rows.
    dtypes : mapping of str to numpy.dtype
        Type of each column where no value is missing; object for text.
    """

    names: tuple[str, ...]
    n_rows: int
    dtypes: Mapping[str, np.dtype[Any]]

    @property
    def kinds(self) -> dict[str, str]:
        """Return what each column holds.

        One of ``"number"``, ``"bool"``, ``"text"`` (categories too), ``"date"``,
        ``"duration"`` and ``"other"`` (lists, structures), which comes as objects.
        """
        return {name: kind_of(dtype) for name, dtype in self.dtypes.items()}

    def batches(
        self,
        columns: Sequence[str],
        *,
        start: int = 0,
        stop: int | None = None,
        rows: int | None = None,
    ) -> Iterator[Batch]:
        """Read some columns of some rows, in order.

        Parameters
        ----------
        columns : sequence of str
            Their names, at least one; only these are read.
        start, stop : int, optional
            Row numbers; by default all rows.
        rows : int, optional
            Most rows at a time; by default about 4 MB, more where columns are many.

        Returns
        -------
        iterator of (int, dict of str to array of shape (n,))
            Number of the first row, and the columns. Missing numbers are NaN, missing dates
            NaT; text is object with None.

        Raises
        ------
        InvalidDataError
            A column is unknown, a file is damaged, or it has changed
            since the table was opened: file, part and rows are named.
        OSError
            A file is gone or may not be read.
        """
        names = self.check_names(columns)
        end = self.n_rows if stop is None else stop
        if not 0 <= start <= end <= self.n_rows:
            msg = f"Rows {start} to {end} were asked for of a table of {self.n_rows} rows."
            raise InvalidDataError(msg)
        if start == end:
            return iter(())
        if rows is None:
            rows = _rows_at_once(len(names))
        return self._batches(names, start, end, rows)

    @abstractmethod
    def _batches(self, columns: list[str], start: int, stop: int, rows: int) -> Iterator[Batch]:
        """Read columns that exist of at least one row."""

    @abstractmethod
    def cuts(self) -> Array:
        """Return the row numbers at which reading may begin at no cost.

        Ascending, the first 0 and the last `n_rows`.
        """

    @abstractmethod
    def identity(self) -> str:
        """Return a text that differs once the data may have changed; reads no data."""

    @abstractmethod
    def where(self, row: int) -> str:
        """Return in which file and part a row is, for messages."""

    def explain(self, column: str) -> str | None:
        """Return why a column that looks like numbers is text, where that can be told."""
        return None

    def read(self, columns: Sequence[str] | None = None) -> dict[str, Array]:
        """Return whole columns, all of them by default.

        Parameters
        ----------
        columns : sequence of str, optional
            Their names.

        Returns
        -------
        dict of str to array of shape (n_rows,)
            In the manner of :meth:`batches`.
        """
        chosen = self.names if columns is None else columns
        parts = [batch for _, batch in self.batches(chosen)]
        if not parts:
            return {name: np.empty(0, self.dtypes[name]) for name in chosen}
        return {name: np.concatenate([part[name] for part in parts]) for name in chosen}

    def check_names(self, columns: Sequence[str]) -> list[str]:
        """Return names of columns, at least one, if the table has them."""
        absent = [name for name in columns if name not in self.dtypes]
        if absent:
            raise InvalidDataError(unknown_columns(absent, self.names))
        if not columns:
            msg = "No column was chosen; at least one is wanted."
            raise InvalidDataError(msg)
        return list(columns)
