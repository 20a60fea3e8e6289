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
from solvenet.sources.columns import columns_of, unknown_columns

if TYPE_CHECKING:
    from solvenet._array_api import Array

FORMATS = (".csv", ".tsv", ".parquet", ".npy")
"""Endings of the files that can be read and written."""

MISSING_TEXTS = (
    "", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "none",
)  # fmt: skip
"""What counts as a missing value in a CSV file."""


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
    ending = check_format(path)
    if path.is_dir():
        msg = f"{path} is a folder; a file is wanted."
        raise IsADirectoryError(msg)
    if not path.exists():
        msg = f"There is no file {path}. Check the name and the folder."
        raise FileNotFoundError(msg)
    if path.stat().st_size == 0:
        msg = f"{path} is empty (0 bytes); a table with a header and rows is wanted."
        raise InvalidDataError(msg)
    try:
        table = {".npy": _read_npy, ".parquet": _read_parquet}.get(ending, _read_csv)(path)
        found = columns_of(table)
    except InvalidDataError as error:
        msg = f"{path}: {error}"
        raise InvalidDataError(msg) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(path, ending, error) from error
    except (ValueError, EOFError, SyntaxError) as error:
        raise _damaged(path, ending, error) from error
    if columns is None:
        return found
    absent = [name for name in columns if name not in found]
    if absent:
        msg = f"{path}: {unknown_columns(absent, found)}"
        raise InvalidDataError(msg)
    return {name: found[name] for name in columns}


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
            parquet.write_table(data, payload)
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


def _read_csv(path: Path) -> Any:
    arrow_csv = import_optional("pyarrow.csv", extra="cli", purpose=f"Reading {path.name}")
    with path.open("rb") as file:
        header = file.readline(1 << 20)
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator(header)
    return arrow_csv.read_csv(
        path,
        parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            null_values=list(MISSING_TEXTS), strings_can_be_null=True
        ),
    )


def _separator(header: bytes) -> str:
    """Return the separator that the header holds most of; of equal ones the comma."""
    return max(",;\t", key=lambda mark: header.count(mark.encode()))


def _read_parquet(path: Path) -> Any:
    parquet = import_optional("pyarrow.parquet", extra="cli", purpose=f"Reading {path.name}")
    table = parquet.ParquetFile(path).read()
    # pandas stores the row labels of a frame beside its columns.
    labels = [name for name in table.column_names if name.startswith("__index_level_")]
    return table.drop_columns(labels)


def _read_npy(path: Path) -> Any:
    values = np.load(path, allow_pickle=False)
    if not isinstance(values, np.ndarray):
        msg = "several arrays are in one file (.npz); save one two-dimensional array as .npy."
        raise InvalidDataError(msg)
    if values.dtype.names is not None:
        return {name: values[name] for name in values.dtype.names}
    if values.ndim != 2:
        msg = (
            f"the array has shape {values.shape}; a two-dimensional or a structured one is wanted."
        )
        raise InvalidDataError(msg)
    return values


def _write_npy(file: io.BytesIO, table: Mapping[str, Array]) -> None:
    text = {name: v.astype(str) if v.dtype.kind == "O" else v for name, v in table.items()}
    out = np.empty(
        len(next(iter(text.values()))), dtype=[(name, v.dtype) for name, v in text.items()]
    )
    for name, values in text.items():
        out[name] = values
    np.save(file, out, allow_pickle=False)


def _damaged(path: Path, ending: str, error: Exception) -> InvalidDataError:
    """Return an error that says what the reader did not like, on one line."""
    detail = " ".join(str(error).split())[:200].rstrip(".")
    kind = {".npy": "NumPy", ".parquet": "Parquet", ".tsv": "TSV"}.get(ending, "CSV")
    return InvalidDataError(
        f"{path} cannot be read as {kind}: {detail}. The file is damaged or of another format."
    )
