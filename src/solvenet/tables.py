"""Tables on disk: CSV, TSV, Parquet and NumPy files, read and written whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from solvenet._files import replacing
from solvenet._validation import import_optional
from solvenet.errors import InvalidDataError
from solvenet.sources import open_table
from solvenet.sources.columns import columns_of, unknown_columns

if TYPE_CHECKING:
    from solvenet._array_api import Array

FORMATS = (".csv", ".tsv", ".parquet", ".npy")
"""Endings of the files that can be read and written."""


def read_table(
    path: str | os.PathLike[str], *, columns: Sequence[str] | None = None
) -> dict[str, Array]:
    r"""Read a table from a file.

    Parameters
    ----------
    path : path
        ``.csv`` (separated by comma, semicolon or tab, whichever the header holds most
        of), ``.tsv``, ``.parquet``, or ``.npy`` with a two-dimensional array (columns x0,
        x1, ...) or a structured one.
    columns : sequence of str, optional
        Read only these.

    Returns
    -------
    dict of str to array of shape (n_rows,)
        Numbers with missing values are float64 with NaN, text is object with None.

    Raises
    ------
    OSError
        The file is missing or may not be read.
    InvalidDataError
        It is empty, damaged, of an unknown format, without rows, has two columns of one
        name, or lacks one that was asked for.
    MissingExtraError
        pyarrow is needed and not installed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "two.csv")
    >>> _ = path.write_text("size,hue\n1.5,red\n?,blue\n")
    >>> read_table(path)
    {'size': array([1.5, nan]), 'hue': array(['red', 'blue'], dtype=object)}
    """
    path = Path(path)
    check_format(path)
    if path.is_dir():
        msg = f"{path} is a folder; a file is wanted."
        raise IsADirectoryError(msg)
    table = open_table(path)
    absent = [name for name in columns or () if name not in table.names]
    if absent:
        msg = f"{path}: {unknown_columns(absent, table.names)}"
        raise InvalidDataError(msg)
    return table.read(columns)


def write_table(path: str | os.PathLike[str], columns: Mapping[str, Any]) -> None:
    """Write a table to a file, whole or not at all.

    Parameters
    ----------
    path : path
        Ends in ``.csv``, ``.tsv``, ``.parquet`` or ``.npy`` (numbers only; structured, so
        that the names are kept). A file that exists is replaced once the new one is whole.
    columns : mapping of str to array of shape (n_rows,)
        The table.

    Raises
    ------
    OSError
        The file cannot be written; one that existed is as it was.
    InvalidDataError
        Not a table, or an unknown format.
    """
    check_format(path)
    table = columns_of(columns)
    with writing_table(path, len(next(iter(table.values())))) as write:
        write(table)


@contextmanager
def writing_table(
    path: str | os.PathLike[str], n_rows: int
) -> Iterator[Callable[[Mapping[str, Array]], None]]:
    """Write a table piece by piece, whole or not at all.

    Parameters
    ----------
    path : path
        As for :func:`write_table`.
    n_rows : int
        Rows of all pieces together.

    Yields
    ------
    callable
        Writes the next rows: a mapping of the same names to arrays of the same types. After
        any exception nothing is left, and a file that existed is as it was.

    Raises
    ------
    OSError
        The file cannot be written.
    InvalidDataError
        An unknown format.
    """
    ending = check_format(path)
    with replacing(path) as file:
        made: Any = None
        try:

            def write(rows: Mapping[str, Array]) -> None:
                nonlocal made
                if made is None:
                    made = _WRITERS[ending](file, rows, n_rows)
                made.write(rows)

            yield write
        except BaseException:
            # A writer that is closed writes its footer, for which there may be no room.
            with suppress(Exception):
                if made is not None:
                    made.close()
            raise
        if made is not None:
            made.close()


def check_format(path: str | os.PathLike[str]) -> str:
    """Return the ending of a table's file name, refusing unknown ones."""
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in FORMATS:
        msg = (
            f"{path} ends in {ending!r}, which is not a table format that is known. Use one "
            f"of: {', '.join(FORMATS)}."
        )
        raise InvalidDataError(msg)
    return ending


class _ArrowWriter:
    """Parquet, or text with some separator."""

    def __init__(self, file: BinaryIO, rows: Mapping[str, Array], ending: str) -> None:
        self._arrow = import_optional("pyarrow", extra="cli", purpose=f"Writing {ending}")
        schema = self._table(rows).schema
        if ending == ".parquet":
            parquet = import_optional("pyarrow.parquet", extra="cli", purpose="Writing Parquet")
            # Without checksums a flipped bit in the values would go unnoticed.
            self._writer = parquet.ParquetWriter(file, schema, write_page_checksum=True)
        else:
            csv = import_optional("pyarrow.csv", extra="cli", purpose="Writing CSV")
            options = csv.WriteOptions(delimiter="\t" if ending == ".tsv" else ",")
            self._writer = csv.CSVWriter(file, schema, write_options=options)

    def _table(self, rows: Mapping[str, Array]) -> Any:
        columns = {k: self._arrow.array(v, from_pandas=True) for k, v in rows.items()}
        return self._arrow.table(columns)

    def write(self, rows: Mapping[str, Array]) -> None:
        """Write some rows."""
        self._writer.write_table(self._table(rows))

    def close(self) -> None:
        """Write what stands at the end."""
        self._writer.close()


class _NpyWriter:
    """A structured array: text has the width that it has in the first rows."""

    def __init__(self, file: BinaryIO, rows: Mapping[str, Array], n_rows: int) -> None:
        self._file, self._n_rows = file, n_rows
        self._dtype: np.dtype[Any] | None = None

    def write(self, rows: Mapping[str, Array]) -> None:
        """Write some rows."""
        plain = {name: v.astype(str) if v.dtype.kind == "O" else v for name, v in rows.items()}
        n = len(next(iter(plain.values())))
        dtype = self._dtype or np.dtype([(name, v.dtype) for name, v in plain.items()])
        out = np.empty(n, dtype=dtype)
        for name, values in plain.items():
            out[name] = values
        if self._dtype is None and n == self._n_rows:
            np.save(self._file, out, allow_pickle=False)
            return
        if self._dtype is None:
            self._begin(dtype)
        self._dtype = dtype
        self._file.write(out.tobytes())

    def _begin(self, dtype: np.dtype[Any]) -> None:
        about = {"descr": dtype.descr, "fortran_order": False, "shape": (self._n_rows,)}
        try:
            np.lib.format.write_array_header_2_0(self._file, about)
        except UnicodeEncodeError as error:
            msg = (
                f"The name of a column ({error.object!r}) cannot be written in parts. Use .parquet."
            )
            raise InvalidDataError(msg) from error

    def close(self) -> None:
        """Do nothing: nothing stands at the end."""


_WRITERS: dict[str, Callable[[BinaryIO, Mapping[str, Array], int], Any]] = {
    ".csv": lambda file, rows, _: _ArrowWriter(file, rows, ".csv"),
    ".tsv": lambda file, rows, _: _ArrowWriter(file, rows, ".tsv"),
    ".parquet": lambda file, rows, _: _ArrowWriter(file, rows, ".parquet"),
    ".npy": _NpyWriter,
}
