"""Tables of any library as one-dimensional NumPy columns."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._array_api import is_foreign, to_numpy
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array


def columns_of(table: Any) -> dict[str, Array]:
    """Return the columns of any table as one-dimensional arrays.

    Parameters
    ----------
    table : mapping, pandas or Polars frame, pyarrow table, or two-dimensional array
        Columns of a mapping are one-dimensional and equally long.

    Returns
    -------
    dict of str to array of shape (n_rows,)
        In the order of the table. Numbers with missing values are float64 with NaN,
        categories and text are objects with None or NaN.

    Raises
    ------
    InvalidDataError
        Not a table, no rows or columns, repeated names, or columns of unequal length.
    """
    names, columns = _split(table)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"The table has more than one column {repeated[0]!r}. Rename one of them."
        raise InvalidDataError(msg)
    out = {name: np.asarray(column) for name, column in zip(names, columns, strict=True)}
    lengths = {name: values.shape for name, values in out.items()}
    for name, shape in lengths.items():
        if len(shape) != 1 or shape != lengths[names[0]]:
            msg = (
                f"Column {name!r} has shape {shape} and column {names[0]!r} has shape "
                f"{lengths[names[0]]}; one-dimensional columns of one length are wanted."
            )
            raise InvalidDataError(msg)
    if not out:
        msg = (
            "The table has 0 feature(s) (shape=(0, 0)) while a minimum of 1 is required: it "
            "has no columns."
        )
        raise InvalidDataError(msg)
    if lengths[names[0]] == (0,):
        msg = "The table has no rows (0 sample(s)); a minimum of 1 is required."
        raise InvalidDataError(msg)
    return out


def is_named(table: Any) -> bool:
    """Tell whether a table brings names of its columns."""
    return isinstance(table, Mapping) or hasattr(table, "columns")


def unknown_columns(absent: Sequence[str], names: Any) -> str:
    """Return a message that names the missing columns, with what may have been meant."""
    known = [str(name) for name in names]
    parts = []
    for name in absent[:5]:
        lower = {other.lower(): other for other in known}
        close = difflib.get_close_matches(name.lower(), lower, n=2)
        hint = " or ".join(repr(lower[match]) for match in close)
        parts.append(f"{name!r} (did you mean {hint}?)" if hint else repr(name))
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    has = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    plural = "s" if len(absent) > 1 else ""
    return f"The table has no column{plural} {', '.join(parts)}{more}. It has: {has}."


def is_missing(value: Any) -> bool:
    """Tell whether an entry stands for a missing value (None, NaN, NaT, pandas' NA)."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def missing_rows(values: Array) -> Array:
    """Return which entries of a column stand for missing values, shape (n_rows,)."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind == "O":
        return np.fromiter((is_missing(v) for v in values), bool, len(values))
    return np.zeros(len(values), dtype=bool)


def _split(table: Any) -> tuple[list[str], list[Any]]:
    """Return names and columns of a table of any library."""
    if isinstance(table, Mapping):
        return [str(name) for name in table], [_plain(values) for values in table.values()]
    if hasattr(table, "column_names") and hasattr(table, "columns"):  # pyarrow
        return list(table.column_names), [_plain(column) for column in table.columns]
    if hasattr(table, "iloc") and hasattr(table, "columns"):  # pandas, whose names may repeat
        columns = [_plain(table.iloc[:, at]) for at in range(len(table.columns))]
        return [str(name) for name in table.columns], columns
    if hasattr(table, "get_columns") and hasattr(table, "columns"):  # Polars
        return list(table.columns), [_plain(column) for column in table.get_columns()]
    if hasattr(table, "toarray"):
        msg = (
            f"A sparse matrix ({type(table).__name__}) was given. Pass a dense table: "
            "X.toarray(). Sparse data is not supported."
        )
        raise TypeError(msg)
    X = to_numpy(table) if is_foreign(table) else np.asarray(table)
    if X.ndim != 2:
        msg = (
            f"An array of shape {X.shape} was given where a table is wanted: a mapping, a "
            "data frame or a two-dimensional array. Reshape your data: one column is "
            "X.reshape(-1, 1)."
        )
        raise InvalidDataError(msg)
    return [f"x{at}" for at in range(X.shape[1])], list(X.T)


def _plain(column: Any) -> Any:
    """Return one column as NumPy: NaN for missing numbers, objects for categories."""
    kind = getattr(getattr(column, "dtype", None), "kind", None)
    if hasattr(column, "iloc"):  # pandas
        if kind in ("i", "u", "f") and column.hasnans:
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        if kind == "M":
            return column.to_numpy(dtype="datetime64[ns]")
        return column.to_numpy(dtype=object if kind not in ("i", "u", "f", "b", "m") else None)
    if hasattr(column, "dictionary_decode") or hasattr(column, "combine_chunks"):  # pyarrow
        kind = column.type
        return (column.cast(kind.value_type) if hasattr(kind, "index_type") else column).to_numpy()
    return column.to_numpy() if hasattr(column, "to_numpy") else column
