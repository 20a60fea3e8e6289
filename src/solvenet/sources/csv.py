"""CSV: tables in text files, indexed once and then read from any part on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import import_optional
from solvenet.errors import InvalidDataError
from solvenet.sources._base import kind_of
from solvenet.sources.arrow import dtype_of, to_numpy
from solvenet.sources.files import PathLike, StoredFile, find_files
from solvenet.sources.parts import FileTable, damaged, joined_types
from solvenet.sources.records import STRETCH_BYTES, stretches

if TYPE_CHECKING:
    from solvenet._array_api import Array

MISSING_TEXTS = (
    "", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "none",
)  # fmt: skip
"""What counts as a missing value in a CSV file."""


@dataclass(frozen=True)
class _Index:
    """What one pass over a file has found.

    `types` are those of pyarrow; `offsets` holds where each part begins, and the end.
    """

    delimiter: str
    types: dict[str, Any]
    offsets: Array
    rows: Array


class CSVTable(FileTable):
    """A table in CSV files.

    Each file is read once when the table is opened: for the number of rows, the types of
    the columns over the whole file, and where parts of about 8 MB begin. From then on any
    part is read by itself. A column of numbers in which some value is text is text.

    Parameters
    ----------
    paths : path or sequence of path
        A ``.csv`` file (separated by comma, semicolon or tab, whichever the header holds
        most of) or a ``.tsv`` file, in UTF-8 with a header; a folder, a pattern, or a list
        of these. Columns are matched by name.
    part_bytes : int, optional
        Bytes of text that are parsed at a time.

    Raises
    ------
    OSError
        A file is missing or may not be read.
    InvalidDataError
        A record has too many values or too few, a quote is never closed, text is not UTF-8,
        there are no rows, two columns have one name, or two files differ in their columns:
        file and row are named.
    MissingExtraError
        pyarrow is not installed.

    Notes
    -----
    Parsing text takes some ten times as long as reading Parquet: convert data that are read
    more than a few times.
    """

    format = "CSV"

    def __init__(
        self, paths: PathLike | Sequence[PathLike], *, part_bytes: int = STRETCH_BYTES
    ) -> None:
        files = [StoredFile.of(path) for path in find_files(paths, (".csv", ".tsv"))]
        self._indices = [_index(file, part_bytes) for file in files]
        schemas = [
            {name: dtype_of(kind) for name, kind in index.types.items()} for index in self._indices
        ]
        types = joined_types(files, schemas)
        super().__init__(files, list(schemas[0]), types, [index.rows for index in self._indices])
        self.check_unchanged()

    def explain(self, column: str) -> str | None:
        """Return which value makes a column of numbers one of text.

        Parameters
        ----------
        column : str
            A column of text. It is read up to that value.

        Returns
        -------
        str or None
            A sentence; None if the column does not begin with numbers.
        """
        if kind_of(self.dtypes[column]) != "text":
            return None
        for first, batch in self.batches([column]):
            for at, value in enumerate(batch[column]):
                if value is not None and not _is_number(value):
                    if first + at == 0:
                        return None
                    where = self.where(first + at)
                    return f"Column {column!r} begins with numbers and holds {value!r} in {where}."
        return None

    @contextmanager
    def _open(self, file: int, columns: list[str]) -> Iterator[Any]:
        with Path(self.files[file].path).open("rb") as handle:
            yield handle, self._indices[file]

    def _read(
        self, handle: Any, part: int, columns: list[str], start: int, stop: int, rows: int
    ) -> Iterator[dict[str, Array]]:
        file, index = handle
        begin, end = (int(offset) for offset in index.offsets[part : part + 2])
        file.seek(begin)
        names = None if part == 0 else list(index.types)
        table = _parse(file.read(end - begin), index.delimiter, names, index.types, columns)
        for low in range(start, stop, rows):
            some = table.slice(low, min(rows, stop - low))
            yield {name: to_numpy(some.column(name).combine_chunks()) for name in columns}


def separator_of(path: PathLike) -> str:
    """Return what separates the values of a file, by its ending and its header.

    Parameters
    ----------
    path : path
        A ``.csv`` or ``.tsv`` file.

    Returns
    -------
    str
        A tab for ``.tsv``; else the mark that the header holds most of, of equal ones the
        comma.
    """
    if Path(path).suffix.lower() == ".tsv":
        return "\t"
    with Path(path).open("rb") as file:
        header = file.readline(1 << 20)
    return max(",;\t", key=lambda mark: header.count(mark.encode()))


def _index(file: StoredFile, part_bytes: int) -> _Index:
    """Read a file once, without keeping any of its values."""
    delimiter = separator_of(file.path)
    names: list[str] | None = None
    types: dict[str, Any] = {}
    offsets: list[int] = []
    rows: list[int] = []
    try:
        with Path(file.path).open("rb") as handle:
            for offset, text in stretches(handle, delimiter, part_bytes):
                if names is None and not text.strip():
                    continue  # empty lines before the header
                found = _parse_or_say_where(text, delimiter, names, sum(rows))
                if names is None:
                    names = _checked_names(found.column_names)
                    types = dict(zip(names, found.schema.types, strict=True))
                for name, kind in zip(names, found.schema.types, strict=True):
                    types[name] = _joined(types[name], kind)
                offsets.append(offset)
                rows.append(found.num_rows)
            offsets.append(handle.tell())
    except ValueError as error:  # among them what this module says itself
        if isinstance(error, InvalidDataError):
            msg = f"{file.path} cannot be read as CSV: {error}."
            raise InvalidDataError(msg.replace("..", ".")) from None
        raise damaged(file.path, "CSV", error) from error
    if sum(rows) == 0:
        msg = f"{file.path} has no rows below its header; at least one is wanted."
        raise InvalidDataError(msg)
    _check_text(file, types)
    return _Index(delimiter, types, np.array(offsets), np.array(rows, dtype=np.int64))


def _parse(
    text: bytes,
    delimiter: str,
    names: list[str] | None,
    types: dict[str, Any] | None = None,
    columns: list[str] | None = None,
    *,
    threads: bool = False,
) -> Any:
    """Parse whole records, the first of which is the header if no names are given."""
    arrow = import_optional("pyarrow", extra="disk", purpose="Reading CSV")
    csv = import_optional("pyarrow.csv", extra="disk", purpose="Reading CSV")
    return csv.read_csv(
        arrow.BufferReader(text),
        csv.ReadOptions(column_names=names, use_threads=threads),
        csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        csv.ConvertOptions(
            null_values=list(MISSING_TEXTS),
            strings_can_be_null=True,
            column_types=types,
            include_columns=columns,
        ),
    )


def _parse_or_say_where(text: bytes, delimiter: str, names: list[str] | None, first: int) -> Any:
    try:
        return _parse(text, delimiter, names, threads=True)
    except ValueError:
        pass
    try:  # one thread knows which row it is at
        return _parse(text, delimiter, names)
    except ValueError as error:
        detail = " ".join(str(error).split()).removeprefix("CSV parse error: ")[:200]
        header = names is None
        row = re.match(r"Row #(\d+): ", detail)
        if row is not None:
            number = first + int(row[1]) - 1 - header
            detail = f"row {number}, counted from 0: {detail.removeprefix(row[0])}"
        raise InvalidDataError(detail) from error


def _checked_names(names: list[str]) -> list[str]:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"there is more than one column {repeated[0]!r}; rename one of them"
        raise InvalidDataError(msg)
    return list(names)


def _joined(one: Any, other: Any) -> Any:
    """Return the type that holds what two parts of a column hold."""
    arrow = import_optional("pyarrow", extra="disk", purpose="Reading CSV")
    if one == other or arrow.types.is_null(other):
        return one
    if arrow.types.is_null(one):
        return other
    pair = {one, other}
    for types in (
        [arrow.int64(), arrow.float64()],
        [arrow.date32(), arrow.timestamp("s")],
        [arrow.date32(), arrow.timestamp("s"), arrow.timestamp("ns")],
    ):
        if pair <= set(types):
            return types[-1]
    return arrow.binary() if arrow.binary() in pair else arrow.string()


def _check_text(file: StoredFile, types: dict[str, Any]) -> None:
    arrow = import_optional("pyarrow", extra="disk", purpose="Reading CSV")
    for name, kind in types.items():
        if kind == arrow.binary():
            msg = (
                f"Column {name!r} of {file.path} holds text that is not UTF-8. Save the file in "
                "that encoding, for example by: iconv -f latin1 -t utf-8."
            )
            raise InvalidDataError(msg)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
