"""Tables in files whose parts (row groups, stretches of text) can be read by themselves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import InvalidDataError, SolvenetError
from solvenet.sources._base import Batch, Table, kind_of
from solvenet.sources.files import StoredFile, identity_of

if TYPE_CHECKING:
    from solvenet._array_api import Array


class FileTable(Table):
    """A table in one or several files.

    Parameters
    ----------
    files : sequence of StoredFile
        The files in order.
    names : sequence of str
        Columns.
    dtypes : mapping of str to numpy.dtype
        Their types.
    rows : sequence of array
        For each file the number of rows of each of its parts.

    Raises
    ------
    InvalidDataError
        There are no rows.
    """

    format = "a table"
    part = "part"

    def __init__(
        self,
        files: Sequence[StoredFile],
        names: Sequence[str],
        dtypes: Mapping[str, np.dtype[Any]],
        rows: Sequence[Array],
    ) -> None:
        self.files = tuple(files)
        self.names = tuple(names)
        self.dtypes = dict(dtypes)
        # A few numbers a part, however many there are: tables travel to workers.
        counts = np.concatenate([np.asarray(r, dtype=np.int64) for r in rows])
        self._limits = np.concatenate([[0], np.cumsum(counts)])
        self._first_parts = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
        self.n_rows = int(self._limits[-1])
        if self.n_rows == 0:
            msg = f"{self._title()} has no rows; at least one is wanted."
            raise InvalidDataError(msg)

    @abstractmethod
    def _open(self, file: int, columns: list[str]) -> AbstractContextManager[Any]:
        """Open a file for the time of one pass."""

    @abstractmethod
    def _read(
        self, handle: Any, part: int, columns: list[str], start: int, stop: int, rows: int
    ) -> Iterator[dict[str, Array]]:
        """Read rows `start` to `stop` of a part, which is numbered within its file."""

    def cuts(self) -> Array:
        """Return the limits of the parts."""
        return np.unique(self._limits)

    def identity(self) -> str:
        """Return a text made from names, sizes and times of the files."""
        return identity_of(self.files, self.names, [d.str for d in self.dtypes.values()])

    def where(self, row: int) -> str:
        """Return file, row of the file, and part."""
        part = int(np.searchsorted(self._limits, row, side="right")) - 1
        file = self._file_of(part)
        first = self._limits[self._first_parts[file]]
        return f"row {row - first} of {self._title(part)}"

    def check_unchanged(self, start: int = 0, stop: int | None = None) -> None:
        """Refuse files that have changed since the table was opened.

        Parameters
        ----------
        start, stop : int, optional
            Look only at files that hold some of these rows.

        Raises
        ------
        InvalidDataError
            A file was written to or replaced.
        OSError
            It is gone.
        """
        low, high = self._parts_of(start, self.n_rows if stop is None else stop)
        for file in self.files[self._file_of(low) : self._file_of(high - 1) + 1]:
            file.check()

    def _batches(self, columns: list[str], start: int, stop: int, rows: int) -> Iterator[Batch]:
        self.check_unchanged(start, stop)
        low, high = self._parts_of(start, stop)
        for file in range(self._file_of(low), self._file_of(high - 1) + 1):
            before, after = int(self._first_parts[file]), int(self._first_parts[file + 1])
            with self._guarded(self._title_of(file)), self._open(file, columns) as handle:
                for part in range(max(low, before), min(high, after)):
                    at = max(start, int(self._limits[part]))
                    end = min(stop, int(self._limits[part + 1]))
                    if at < end:
                        yield from self._part(handle, part, part - before, columns, at, end, rows)
        self.check_unchanged(start, stop)

    def _part(
        self, handle: Any, part: int, number: int, columns: list[str], at: int, end: int, rows: int
    ) -> Iterator[Batch]:
        first = int(self._limits[part])
        with self._guarded(self._title(part)):
            for batch in self._read(handle, number, columns, at - first, end - first, rows):
                yield at, {name: _fit(v, self.dtypes[name]) for name, v in batch.items()}
                at += len(next(iter(batch.values())))
        if at != end:
            msg = (
                f"{self._title(part)} gave {end - at} rows fewer than the file says it holds. "
                "The file is damaged."
            )
            raise InvalidDataError(msg)

    def _guarded(self, title: str) -> _Guard:
        return _Guard(self, title)

    def _parts_of(self, start: int, stop: int) -> tuple[int, int]:
        """Return the range of parts that hold some rows."""
        low = int(np.searchsorted(self._limits, start, side="right")) - 1
        return low, int(np.searchsorted(self._limits, stop, side="left"))

    def _file_of(self, part: int) -> int:
        return int(np.searchsorted(self._first_parts, part, side="right")) - 1

    def _title_of(self, file: int) -> str:
        return self.files[file].path

    def _title(self, part: int | None = None) -> str:
        """Return the name of a part, or of the table, for messages."""
        if part is None:
            more = f" and {len(self.files) - 1} more files" if len(self.files) > 1 else ""
            return self.files[0].path + more
        file = self._file_of(part)
        first = self._limits[self._first_parts[file]]
        begin, end = self._limits[part : part + 2] - first
        number = part - self._first_parts[file]
        return f"{self._title_of(file)}, {self.part} {number} (rows {begin} to {end - 1})"


def _fit(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return a column that holds nothing in this file in the type it has in the others."""
    kind = kind_of(dtype)
    if values.dtype.kind != "f" or kind in ("number", "bool"):
        return values
    if kind in ("date", "duration"):
        return np.full(len(values), "NaT", dtype)
    return np.full(len(values), None, object)


class _Guard(AbstractContextManager[None]):
    """Turns what a reader says of damaged data into an error that names file and part."""

    def __init__(self, table: FileTable, title: str) -> None:
        self._table, self._title = table, title

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, SolvenetError) or not isinstance(error, Exception):
            return
        if not is_damage(error):
            error.add_note(f"While reading {self._title}.")
            return
        # A file that is being written anew reads as damaged; that it changed says more.
        self._table.check_unchanged()
        raise damaged(self._title, self._table.format, error) from error


def is_damage(error: BaseException | None) -> bool:
    """Tell errors of a reader that does not understand the data from those of the system."""
    if isinstance(error, OSError):
        return error.errno is None
    return isinstance(error, ValueError | EOFError | SyntaxError | NotImplementedError)


def damaged(title: str, wanted: str, error: BaseException) -> InvalidDataError:
    """Return an error that says what the reader did not like, on one line."""
    detail = " ".join(str(error).split())[:200].rstrip(".")
    return InvalidDataError(
        f"{title} cannot be read as {wanted}: {detail}. The file is damaged or of another format."
    )


def joined_types(
    files: Sequence[StoredFile], schemas: Sequence[Mapping[str, np.dtype[Any] | None]]
) -> dict[str, np.dtype[Any]]:
    """Return the types of the columns of several files, matched by name.

    Parameters
    ----------
    files : sequence of StoredFile
        The files.
    schemas : sequence of mapping of str to numpy.dtype or None
        Columns of each; None where a file holds no value from which its type could be told.

    Returns
    -------
    dict of str to numpy.dtype
        In the order of the first file. Whole numbers in one file and broken ones in another
        are float64.

    Raises
    ------
    InvalidDataError
        A column is missing in a file, or holds text in one and numbers in another.
    """
    out = dict(schemas[0])
    known_from = dict.fromkeys(out, 0)
    for number, schema in enumerate(schemas[1:], start=1):
        here, first = files[number].path, files[0].path
        for one, other, one_path, other_path in (
            (out, schema, first, here),
            (schema, out, here, first),
        ):
            absent = [name for name in one if name not in other]
            if absent:
                msg = (
                    f"{other_path} has no column {absent[0]!r}, which {one_path} has. All files "
                    "of a table need the same columns, in any order."
                )
                raise InvalidDataError(msg)
        for name, dtype in schema.items():
            known = out[name]
            if known is None or dtype is None:
                out[name] = dtype if known is None else known
                known_from[name] = number if known is None else known_from[name]
            elif kind_of(known) != kind_of(dtype):
                msg = (
                    f"Column {name!r} holds {kind_of(dtype)} in {here} and {kind_of(known)} in "
                    f"{files[known_from[name]].path}. All files of a table need the same types."
                )
                raise InvalidDataError(msg)
            else:
                out[name] = np.result_type(known, dtype)
    nothing = np.dtype(np.float64)
    return {name: nothing if dtype is None else dtype for name, dtype in out.items()}
