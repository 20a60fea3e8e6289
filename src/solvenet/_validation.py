"""Argument checks in one message style: given, wanted, what to do."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Collection
from typing import Any

import numpy as np

from solvenet.errors import InvalidDataError, InvalidSettingError, MissingExtraError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{u}i": 1024**k for k, u in enumerate("KMGT", start=1)}


def check_choice(name: str, value: object, allowed: Collection[str]) -> str:
    """Return `value` if it is one of the names in `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        msg = f"{name}={value!r} is unknown. Use one of: {', '.join(sorted(allowed))}."
        raise InvalidSettingError(msg)
    return value


def check_count(name: str, value: object, *, minimum: int = 1) -> int:
    """Return `value` as an int if it is a whole number of at least `minimum`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or int(value) < minimum:  # type: ignore[call-overload]
        msg = f"{name}={value!r} was given; a whole number >= {minimum} is wanted."
        raise InvalidSettingError(msg)
    return int(value)  # type: ignore[call-overload, no-any-return]


def check_nonnegative(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number of at least zero."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:  # type: ignore[arg-type, operator]
        msg = f"{name}={value!r} was given; a finite number >= 0 is wanted."
        raise InvalidSettingError(msg)
    return float(value)  # type: ignore[arg-type]


def check_positive(name: str, value: object, *, below: float = math.inf, hint: str = "") -> float:
    """Return `value` as a float if it is a number above zero and below `below`."""
    number = isinstance(value, int | float | np.integer | np.floating)
    if not number or isinstance(value, bool) or not 0 < value < below:  # type: ignore[operator]
        end = "" if below == math.inf else f" and below {below:g}"
        msg = f"{name}={value!r} was given; a finite number above 0{end} is wanted{hint}."
        raise InvalidSettingError(msg)
    return float(value)  # type: ignore[arg-type]


def check_auto_or_nonnegative(name: str, value: object) -> float | str:
    """Return ``"auto"`` or a finite number of at least zero."""
    if isinstance(value, str):
        return check_choice(name, value, ("auto",))
    return check_nonnegative(name, value)


def check_finite(name: str, array: np.ndarray[Any, Any]) -> None:
    """Refuse arrays that hold NaN or infinity, and say where the first one is."""
    # One sum touches every entry without a temporary; only bad data pay for a mask.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum(dtype=np.float64)):
            return
    bad = ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        msg = (
            f"{name} holds {int(bad.sum())} NaN or infinite values, the first at "
            f"index {where}. Remove or impute them before calling."
        )
        raise InvalidDataError(msg)


def as_numbers(name: str, values: Any) -> np.ndarray[Any, Any]:
    """Return values as a float64 array, or say that they are no real numbers."""
    array = np.asarray(values)
    if array.dtype == object:  # a column of a data frame, perhaps of numbers alone
        array = np.array(array.tolist())
    if array.dtype.kind not in "biuf":
        msg = (
            f"{name} holds values of type {array.dtype}; real numbers are wanted. Encode "
            "categories as numbers, and impute what is missing."
        )
        raise InvalidDataError(msg)
    return array.astype(np.float64)


def parse_bytes(name: str, value: int | float | str) -> int:
    """Read a size in bytes: a number, or text such as ``"2GB"`` or ``"512 MiB"``."""
    size: float = math.nan
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?i?)B?\s*", value, re.IGNORECASE)
        unit = match[2] if match else ""
        unit = unit[:1].upper() + unit[1:].lower()
        try:
            number = float(match[1]) if match else math.nan
        except ValueError:
            number = math.nan
        size = number * _UNITS[unit] if unit in _UNITS else math.nan
    elif not isinstance(value, bool):
        size = float(value)
    if not math.isfinite(size) or size <= 0:
        msg = (
            f"{name}={value!r} is not a size. Give a positive number of bytes, or "
            'text such as "500MB" or "2GiB".'
        )
        raise InvalidSettingError(msg)
    return int(size)


def import_optional(module: str, *, extra: str, purpose: str) -> Any:
    """Import an optional package, or say which extra of solvenet brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = (
            f"{purpose} needs the package {module.split('.')[0]!r}, which is not "
            f'installed. Install it with: pip install "solvenet[{extra}]"'
        )
        raise MissingExtraError(msg) from error
