"""How one column of a table becomes columns of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import InvalidDataError
from solvenet.sources.columns import is_missing, missing_rows

if TYPE_CHECKING:
    from solvenet._array_api import Array

_DAY = np.timedelta64(1, "D")

NO_VALUES, CONSTANT = "holds no values", "is constant"
"""Why columns are dropped."""


@dataclass(frozen=True)
class NumberColumn:
    """How a column of numbers, dates or durations is encoded.

    Attributes
    ----------
    name : str
        Column of the table.
    kind : {"number", "date", "duration"}
        Dates become days since 1970-01-01, durations days.
    median : float
        Stands in for missing values.
    missing : bool
        Whether a second column says where values were missing.
    """

    name: str
    kind: str
    median: float
    missing: bool

    def names(self) -> list[str]:
        """Return the names of the encoded columns."""
        return [self.name] + [f"{self.name}=(missing)"] * self.missing

    def encode(self, values: Array, first: int = 0) -> Array:
        """Return the encoded columns, shape (n_rows, 1 or 2); `first` is the number of a row."""
        kind, numbers = numbers_of(self.name, values, wanted=self.kind, first=first)
        gone = np.isnan(numbers)
        if kind != self.kind and not gone.all():
            msg = (
                f"Column {self.name!r} held {self.kind}s when the model was fitted and holds "
                f"{kind}s now. Convert the column."
            )
            raise InvalidDataError(msg)
        filled = np.where(gone, self.median, numbers)
        return np.stack([filled, gone], axis=1) if self.missing else filled[:, None]


@dataclass(frozen=True)
class LevelColumn:
    """How a column of text, truth values or categories is encoded: one column a level.

    Attributes
    ----------
    name : str
        Column of the table.
    levels : tuple of str
        The frequent ones, most frequent first.
    other : bool
        Whether a column stands for all other levels, unseen ones included; without it
        they are all zeros.
    missing : bool
        Whether missing is a level; without it missing values are all zeros.
    """

    name: str
    levels: tuple[str, ...]
    other: bool
    missing: bool

    def names(self) -> list[str]:
        """Return the names of the encoded columns."""
        extra = ["(other)"] * self.other + ["(missing)"] * self.missing
        return [f"{self.name}={level}" for level in [*self.levels, *extra]]

    def encode(self, values: Array, first: int = 0) -> Array:
        """Return the encoded columns, shape (n_rows, number of levels)."""
        position = {level: at for at, level in enumerate(self.levels)}
        nothing = len(position) + self.other + self.missing  # a column that is cut off
        rest = len(position) if self.other else nothing
        gone = len(position) + self.other if self.missing else nothing
        texts = texts_of(self.name, values)
        at = [gone if text is None else position.get(text, rest) for text in texts]
        return np.eye(nothing + 1)[at, :nothing]


def learn_column(name: str, values: Array, max_levels: int) -> NumberColumn | LevelColumn | str:
    """Return how a column is encoded, or why it is dropped."""
    present = ~missing_rows(values)
    if not present.any():
        return NO_VALUES
    some = bool(not present.all())
    if is_numeric(values, present):
        kind, numbers = numbers_of(name, values)
        known = numbers[present]
        if is_constant(known.min(), known.max(), some):
            return CONSTANT
        return NumberColumn(name, kind, float(np.median(known)), some)
    counts = Counter(text for text in texts_of(name, values) if text is not None)
    return level_column(name, counts, max_levels, some=some)


def level_column(
    name: str, counts: Mapping[str, int], max_levels: int, *, some: bool, short: int = 0
) -> LevelColumn | str:
    """Return how a column of levels is encoded, or why it is dropped.

    Parameters
    ----------
    name : str
        Column of the table.
    counts : mapping of str to int
        How often each level was seen.
    max_levels : int
        Most levels with a column of their own.
    some : bool
        Whether values are missing.
    short : int, default=0
        By how much counts may be too small, where rare levels were given up; levels that
        are not certain to be more frequent than that share a column.
    """
    if len(counts) == 1 and not some and short == 0:
        return CONSTANT
    ranked = sorted(counts, key=lambda level: (-counts[level], level))
    if len(ranked) > max_levels or short > 0:
        ranked = [level for level in ranked[:max_levels] if counts[level] > max(1, short)]
        if not ranked:
            return "holds another text in nearly every row"
    return LevelColumn(name, tuple(ranked), len(ranked) < len(counts) or short > 0, some)


def is_constant(low: float, high: float, some: bool) -> bool:
    """Tell whether numbers from `low` to `high`, of which some may be missing, say nothing."""
    return bool(low == high and not some)


def is_numeric(values: Array, present: Array) -> bool:
    """Tell numbers, dates and durations from text and truth values."""
    if values.dtype.kind == "c":
        msg = "Complex data not supported. Pass real and imaginary parts."
        raise InvalidDataError(msg)
    if values.dtype.kind != "O":
        return values.dtype.kind in "iufmM"
    return all(
        isinstance(v, Real | Decimal) and not isinstance(v, bool | np.bool_)
        for v in values[present]
    )


def numbers_of(
    name: str, values: Array, *, wanted: str = "number", first: int = 0
) -> tuple[str, Array]:
    """Return what a column holds and its numbers, NaN where missing.

    Messages call the first row `first`.
    """
    kind = "number"
    if values.dtype.kind in "mM":
        kind = "date" if values.dtype.kind == "M" else "duration"
        # Whole seconds first: nanoseconds of far dates would overflow the difference.
        origin = np.datetime64(0, "s") if kind == "date" else np.timedelta64(0, "s")
        numbers = (values.astype(f"{values.dtype.kind}8[us]") - origin) / _DAY
    elif values.dtype.kind in "iufb":
        numbers = values.astype(np.float64)
    else:
        kind = wanted if missing_rows(values).all() else kind
        read = (
            _number(name, row, value, wanted) for row, value in enumerate(values.tolist(), first)
        )
        numbers = np.fromiter(read, np.float64, len(values))
    infinite = np.isinf(numbers)
    if infinite.any():
        row = first + int(np.flatnonzero(infinite)[0])
        msg = (
            f"Column {name!r} holds {int(infinite.sum())} infinite values, the first in row "
            f"{row}. Replace them by numbers, or by missing values (NaN)."
        )
        raise InvalidDataError(msg)
    return kind, numbers


def _number(name: str, row: int, value: Any, wanted: str) -> float:
    if is_missing(value):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        msg = (
            f"Column {name!r} held {wanted}s when the model was fitted; row {row} holds "
            f"{value!r}. Correct the value or leave it empty."
        )
        raise InvalidDataError(msg) from None


def texts_of(name: str, values: Array) -> list[str | None]:
    """Return the levels of a column as text, None where missing."""
    seen: dict[Any, str | None] = {}
    out = []
    for row, value in enumerate(values.tolist() if values.dtype.kind != "O" else values):
        try:
            if value not in seen:
                seen[value] = None if is_missing(value) else text_of(value)
            out.append(seen[value])
        except TypeError:
            msg = (
                f"Column {name!r} holds {type(value).__name__} in row {row}; numbers, text, "
                "truth values or dates are wanted (argument must be a string or a number)."
            )
            raise TypeError(msg) from None
    return out


def text_of(value: Any) -> str:
    """Return a level as text; whole numbers read the same as integers and as floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def column_from(entry: Mapping[str, Any]) -> NumberColumn | LevelColumn:
    """Return a column from its JSON description, checked."""
    name, missing = str(entry["name"]), entry["missing"] is True
    if "levels" in entry:
        levels = tuple(str(level) for level in entry["levels"])
        return LevelColumn(name, levels, entry["other"] is True, missing)
    if entry["kind"] not in ("number", "date", "duration") or not np.isfinite(entry["median"]):
        msg = f"column {name!r} is neither numbers nor levels"
        raise ValueError(msg)
    return NumberColumn(name, entry["kind"], float(entry["median"]), missing)
