"""Tables on disk: CSV, TSV, Parquet and NumPy files, read and written whole."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._files import write_atomically
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
    path = Path(path)
    ending = check_format(path)
    table = columns_of(columns)
    payload = io.BytesIO()
    if ending == ".npy":
        _write_npy(payload, table)
    else:
        arrow = import_optional("pyarrow", extra="cli", purpose=f"Writing {path.name}")
        data = arrow.table({name: arrow.array(v, from_pandas=True) for name, v in table.items()})
        if ending == ".parquet":
            parquet = import_optional("pyarrow.parquet", extra="cli", purpose="Writing Parquet")
            # Without checksums a flipped bit in the values would go unnoticed.
            parquet.write_table(data, payload, write_page_checksum=True)
        else:
            csv = import_optional("pyarrow.csv", extra="cli", purpose="Writing CSV")
            separator = "\t" if ending == ".tsv" else ","
            csv.write_csv(data, payload, csv.WriteOptions(delimiter=separator))
    write_atomically(path, payload.getvalue())


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


def _write_npy(file: io.BytesIO, table: Mapping[str, Array]) -> None:
    text = {name: v.astype(str) if v.dtype.kind == "O" else v for name, v in table.items()}
    out = np.empty(
        len(next(iter(text.values()))), dtype=[(name, v.dtype) for name, v in text.items()]
    )
    for name, values in text.items():
        out[name] = values
    np.save(file, out, allow_pickle=False)
