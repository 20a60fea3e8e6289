"""Row blocks of the numeric columns of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count
from solvenet.blocks import RowBlocks
from solvenet.blocks.planning import rows_per_block as plan_rows
from solvenet.errors import InvalidDataError
from solvenet.sources._base import Table
from solvenet.sources.columns import missing_rows

if TYPE_CHECKING:
    from solvenet._array_api import Array

_STRIPE = 2048
"""Rows that are put side by side at a time, so that they stay in the processor's cache."""


class TableBlocks(RowBlocks):
    """Row blocks of numeric columns of a table, read anew in every pass.

    Can be pickled, if the table can: a worker reads its range of rows by itself.

    Parameters
    ----------
    table : Table
        Such as :func:`open_table` returns.
    columns : sequence of str, optional
        Names of columns of numbers or truth values; by default all of them, if the table
        has no other columns. A name may come more than once.
    rows_per_block : int, optional
        Rows of a block; by default a block takes about 16 MB. Blocks do not depend on
        how the table is cut into row groups.

    Attributes
    ----------
    names : tuple of str
        Names of the columns.
    table : Table
        As given.

    Raises
    ------
    InvalidDataError
        The table has columns of text or dates and none were chosen, or a chosen column
        holds no numbers. While blocks are read: a missing or infinite value, whose column,
        row, file and row group are named.

    Notes
    -----
    Blocks are float32 where every column is float32 or float16, and float64 otherwise. A
    pass costs one read of the columns; two blocks and what the reader holds are in memory.
    """

    fresh = True

    def __init__(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        *,
        rows_per_block: int | None = None,
    ) -> None:
        self.table = table
        self.names = numeric_columns(table, columns)
        single = all(table.dtypes[n] in (np.float16, np.float32) for n in self.names)
        self.dtype = np.dtype(np.float32 if single else np.float64)
        self.rows_per_block: int = (
            plan_rows(len(self.names), self.dtype.itemsize)
            if rows_per_block is None
            else check_count("rows_per_block", rows_per_block)
        )
        self._start = 0
        self.shape = (table.n_rows, len(self.names))

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``, each read from the files."""
        return self._read(reuse=False)

    def stream(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``; the memory of a block is used again for the next one."""
        return self._read(reuse=True)

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return some rows; only the row groups that hold them are read."""
        start, stop = self.check_range(start, stop)
        return self._copy(self.names, self._start + start, stop - start)

    def columns(self, index: Array) -> RowBlocks:
        """Return some of the columns; only these are read."""
        names = tuple(self.names[i] for i in self.check_columns(index))
        return self._copy(names, self._start, self.shape[0])

    def cuts(self) -> Array:
        """Return the limits of row groups or parts within these rows."""
        cuts = self.table.cuts() - self._start
        inside = cuts[(cuts > 0) & (cuts < self.shape[0])]
        return np.concatenate([[0], inside, [self.shape[0]]])

    def identity(self) -> str:
        """Return a text made from that of the table, columns and rows; reads no data."""
        mine = (self.table.identity(), self.names, self._start, self.shape, self.dtype.str)
        return hashlib.blake2b(repr(mine).encode(), digest_size=16).hexdigest()

    def _copy(self, names: tuple[str, ...], start: int, n_rows: int) -> TableBlocks:
        out = object.__new__(TableBlocks)
        out.__dict__.update(self.__dict__)
        out.names, out._start, out.shape = names, start, (n_rows, len(names))
        return out

    def _read(self, *, reuse: bool) -> Iterator[tuple[slice, Array]]:
        (n_rows, n_cols), step = self.shape, self.rows_per_block
        unique = list(dict.fromkeys(self.names))
        batches = self.table.batches(unique, start=self._start, stop=self._start + n_rows)
        memory = np.empty((min(step, n_rows), n_cols), self.dtype)
        done = filled = 0
        for _, batch in batches:
            values = [_numbers(batch[name]) for name in self.names]
            taken, length = 0, len(values[0])
            while taken < length:
                block = memory[: min(step, n_rows - done)]
                count = min(len(block) - filled, length - taken)
                _put(block[filled : filled + count], [v[taken : taken + count] for v in values])
                taken, filled = taken + count, filled + count
                if filled == len(block):
                    self._check(block, done)
                    yield slice(done, done + filled), block
                    done, filled = done + filled, 0
                    if not reuse:
                        memory = np.empty((min(step, n_rows - done), n_cols), self.dtype)

    def _check(self, block: Array, first: int) -> None:
        found = first_gap(block)
        if found is not None:
            row, column = found
            what = "a missing" if np.isnan(block[row, column]) else "an infinite"
            where = self.table.where(self._start + first + row)
            msg = (
                f"Column {self.names[column]!r} holds {what} value: {where}. Remove or fill "
                "such rows first, encode the table (solvenet.TableEncoder), or use the "
                "command line, which does so itself."
            )
            raise InvalidDataError(msg)


def numeric_columns(table: Table, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns that blocks are made of, or say which of them cannot be.

    Parameters
    ----------
    table : Table
        The table.
    columns : sequence of str, optional
        The choice; by default all columns.

    Raises
    ------
    InvalidDataError
        A column is unknown, or holds neither numbers nor truth values.
    """
    kinds = table.kinds
    if columns is not None:
        columns = [columns] if isinstance(columns, str) else columns
        table.check_names(columns)
    chosen = tuple(table.names if columns is None else columns)
    wrong = [name for name in chosen if kinds[name] not in ("number", "bool")]
    if not wrong:
        return chosen
    listed = ", ".join(f"{name!r} ({kinds[name]})" for name in wrong[:5])
    listed += f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
    numeric = [name for name in table.names if kinds[name] in ("number", "bool")]
    known = f" (numeric: {', '.join(numeric[:8])}{', ...' * (len(numeric) > 8)})" if numeric else ""
    reason = next(filter(None, map(table.explain, wrong)), None)
    msg = (
        f"Blocks are made of numbers, but the table holds {listed}. "
        f"{reason + ' ' if reason else ''}Choose columns of numbers{known}, encode the others "
        "(solvenet.TableEncoder), or use the command line, which encodes them itself."
    )
    raise InvalidDataError(msg)


def first_gap(block: Array) -> tuple[int, int] | None:
    """Return row and column of the first value that is missing or infinite."""
    # One sum looks at every entry without a temporary; only bad data pay for a mask.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(block.sum(dtype=np.float64)):
            return None
    bad = ~np.isfinite(block)
    if not bad.any():
        return None
    row, column = np.argwhere(bad)[0]
    return int(row), int(column)


def _put(block: Array, columns: Sequence[Array]) -> None:
    """Lay columns side by side."""
    for low in range(0, len(block), _STRIPE):
        stripe = block[low : low + _STRIPE]
        for at, column in enumerate(columns):
            stripe[:, at] = column[low : low + _STRIPE]


def _numbers(column: Array) -> Array:
    """Return truth values with gaps, which come as objects, as numbers."""
    if column.dtype.kind != "O":
        return column
    out = np.full(len(column), np.nan)
    present = ~missing_rows(column)
    out[present] = column[present].astype(np.float64)
    return out
