"""Columns of Arrow (Parquet, CSV) as NumPy columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import import_optional
from solvenet.sources._base import OTHER

if TYPE_CHECKING:
    from solvenet._array_api import Array


def arrow_types() -> Any:
    """Return pyarrow's tests of types."""
    return import_optional("pyarrow.types", extra="disk", purpose="Reading this table")


def dtype_of(kind: Any) -> np.dtype[Any] | None:
    """Return the NumPy type of an Arrow type; None for a column that holds nothing."""
    types: Any = arrow_types()
    kind = getattr(kind, "storage_type", kind)
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_null(kind):
        return None
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        number: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
        return number
    if types.is_decimal(kind):
        return np.dtype(np.float64)
    if types.is_date(kind):
        return np.dtype("M8[D]" if types.is_date32(kind) else "M8[ms]")
    if types.is_timestamp(kind):
        return np.dtype(f"M8[{kind.unit}]")
    if types.is_duration(kind):
        return np.dtype(f"m8[{kind.unit}]")
    if _is_text(types, kind) or types.is_time(kind):
        return np.dtype(object)
    return OTHER


def to_numpy(column: Any) -> Array:
    """Return an Arrow column as NumPy, without a copy where no number is missing."""
    types = arrow_types()
    if hasattr(column, "storage"):
        column = column.storage
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_decimal(kind) or types.is_null(kind):
        column = column.cast("float64")
    elif types.is_binary(kind) or types.is_large_binary(kind):
        column = column.cast("string" if types.is_binary(kind) else "large_string")
    out: Array = column.to_numpy(zero_copy_only=False)
    return out


def _is_text(types: Any, kind: Any) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            types.is_string,
            types.is_large_string,
            types.is_string_view,
            types.is_binary,
            types.is_large_binary,
        )
    )
