"""A table whose column of text is replaced by numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import InvalidDataError
from solvenet.sources._base import Table

if TYPE_CHECKING:
    from solvenet._array_api import Array

MOST_CLASSES = 10_000
"""A target with more different values than this does not hold classes."""


def text_classes(table: Table, column: str) -> Array:
    """Return the different values of a column of text, ascending: a pass over the column."""
    seen: set[Any] = set()
    for first, batch in table.batches([column]):
        values = batch[column]
        gone = np.flatnonzero([value is None for value in values.tolist()])
        if len(gone):
            msg = (
                f"The target {column!r} is missing: {table.where(first + int(gone[0]))}. Remove "
                "such rows, or use the command line, which leaves them out."
            )
            raise InvalidDataError(msg)
        seen.update(values.tolist())
        if len(seen) > MOST_CLASSES:
            msg = f"The target {column!r} holds more than {MOST_CLASSES} different texts."
            raise InvalidDataError(msg)
    return np.array(sorted(seen))


class CodedTable(Table):
    """A table with one column of text replaced by the numbers of its values.

    Parameters
    ----------
    table : Table
        The table.
    column : str
        Name of the column.
    labels : array of str, ascending
        Its values.
    """

    def __init__(self, table: Table, column: str, labels: Array) -> None:
        self.names, self.n_rows = table.names, table.n_rows
        self.dtypes = {**table.dtypes, column: np.dtype(np.float64)}
        self._table, self._column = table, column
        self._number = {label: float(at) for at, label in enumerate(labels.tolist())}

    def _batches(
        self, columns: list[str], start: int, stop: int, rows: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        for first, batch in self._table.batches(columns, start=start, stop=stop, rows=rows):
            if self._column in batch:
                codes = [self._number.get(value, np.nan) for value in batch[self._column].tolist()]
                batch = batch | {self._column: np.array(codes)}
            yield first, batch

    def cuts(self) -> Array:
        """Return those of the table."""
        return self._table.cuts()

    def identity(self) -> str:
        """Return that of the table."""
        return self._table.identity()

    def where(self, row: int) -> str:
        """Return in which file and part a row is."""
        return self._table.where(row)
