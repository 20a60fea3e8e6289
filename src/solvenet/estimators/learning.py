"""What an encoder needs to know of a table, in one pass that any engine can run in parts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.engine import Run
from solvenet.estimators.encoding import (
    CONSTANT,
    NO_VALUES,
    LevelColumn,
    NumberColumn,
    is_constant,
    level_column,
    numbers_of,
    text_of,
    texts_of,
)
from solvenet.estimators.table_rows import TRAINS, VALIDATES, Split, TableRecords
from solvenet.reductions import DistinctRows, Reduction
from solvenet.sources import Table
from solvenet.sources.columns import is_missing

if TYPE_CHECKING:
    from solvenet._array_api import Array

MOST_LEVELS = 10_000
"""Different texts of a column that are counted exactly."""

MOST_CHARACTERS = 2**24
"""Characters that these may have together."""

MEDIAN_ROWS, MEDIAN_NUMBERS = 2**16, 2**22
"""Most distinct rows of numbers that medians come from, and numbers that these hold."""

MOST_VALUES = 10_000
"""Different values of a target that are counted; one with more does not hold classes."""


class Levels:
    """Counts of the texts of a column, of which the rarest may be given up.

    Parameters
    ----------
    most : int
        Up to so many are counted exactly.

    Attributes
    ----------
    counts : dict of str to int
        At most twice as many.
    short : int
        By how much a count may be too small, and the count of a text that is not there.
    missing : int
        Missing values.

    Notes
    -----
    Where too many are known, the count of the first one that cannot be kept is taken from
    all. ``short`` is then at most ``n_rows / most``.

    References
    ----------
    P. Agarwal et al. (2013), Mergeable summaries, ACM Transactions on Database Systems 38.
    """

    def __init__(self, most: int) -> None:
        self.counts: dict[str, int] = {}
        self.short = self.missing = 0
        self._most = most

    def add(self, name: str, values: Array) -> None:
        """Add some rows of the column of this name."""
        try:
            found = Counter(values.tolist())
        except TypeError:
            texts_of(name, values)  # says what is wrong
            raise
        for value, count in found.items():
            if is_missing(value):
                self.missing += count
            else:
                text = text_of(value)
                self.counts[text] = self.counts.get(text, 0) + count
        self._prune()

    def merge(self, other: Levels) -> None:
        """Add the counts of `other`."""
        for text, count in other.counts.items():
            self.counts[text] = self.counts.get(text, 0) + count
        self.short += other.short
        self.missing += other.missing
        self._prune()

    def _prune(self) -> None:
        n = len(self.counts)
        if n <= self._most and n * 100 < MOST_CHARACTERS:
            return
        if n <= 2 * self._most and sum(map(len, self.counts)) <= MOST_CHARACTERS:
            return
        kept = min(self._most, n // 2)
        given_up = sorted(self.counts.values(), reverse=True)[kept]
        self.counts = {text: c - given_up for text, c in self.counts.items() if c > given_up}
        self.short += given_up

    def column(self, name: str, max_levels: int) -> LevelColumn | str:
        """Return how the column is encoded, or why it is dropped."""
        if not self.counts and not self.short:
            return NO_VALUES
        return level_column(name, self.counts, max_levels, some=self.missing > 0, short=self.short)


class TargetValues:
    """The different values of a target, with how often they occur.

    Attributes
    ----------
    counts : dict
        Counts of the values, in the order in which they were first seen; no more than
        10,001 of them, at which `many` is true.
    n_rows : int
        Rows.
    dtype : numpy.dtype
        Of the values.
    """

    def __init__(self) -> None:
        self.counts: dict[Any, int] = {}
        self.n_rows = 0
        self.dtype: np.dtype[Any] = np.dtype(bool)

    @property
    def many(self) -> bool:
        """Whether there are more values than were counted."""
        return len(self.counts) > MOST_VALUES

    def add(self, values: Array) -> None:
        """Add some rows."""
        if len(values) == 0:
            return
        dtype = np.dtype(object) if values.dtype.kind in "OUS" else values.dtype
        self._join(dtype, len(values))
        if not self.many:
            plain = values.astype(np.float64) if values.dtype.kind in "iuf" else values
            if values.dtype.kind in "mM":
                plain = values.astype(np.int64)
            self._count(Counter(plain.tolist()))

    def merge(self, other: TargetValues) -> None:
        """Add the rows of `other`."""
        if other.n_rows:
            self._join(other.dtype, other.n_rows)
            self._count(other.counts)

    def _join(self, dtype: np.dtype[Any], n_rows: int) -> None:
        if self.n_rows == 0:
            self.dtype = dtype
        elif dtype != self.dtype:
            mixed = "O" in (dtype.kind, self.dtype.kind)
            self.dtype = np.dtype(object) if mixed else np.result_type(dtype, self.dtype)
        self.n_rows += n_rows

    def _count(self, found: Mapping[Any, int]) -> None:
        for value, count in found.items():
            if value not in self.counts and self.many:
                break
            self.counts[value] = self.counts.get(value, 0) + count

    @property
    def values(self) -> Array:
        """The different values, in the type of the column; the first is that of the first row."""
        if self.dtype.kind in "mM":
            return np.array(list(self.counts), dtype=np.int64).view(self.dtype)
        return np.array(list(self.counts), dtype=self.dtype)


class LearntTable(Reduction):
    """Levels, medians, ranges and gaps of the columns of a table, and values of its target.

    Parameters
    ----------
    kinds : mapping of str to str
        What each column holds, in order; as :attr:`solvenet.sources.Table.kinds` says.
    target : str, optional
        Name of the target.
    most_levels : int
        Different texts of a column that are counted exactly.

    Attributes
    ----------
    n_rows, n_missing : int
        Training rows; rows without a target.
    train, valid : TargetValues
        Of training and of validation rows.
    """

    def __init__(
        self, kinds: Mapping[str, str], target: str | None = None, most_levels: int = MOST_LEVELS
    ) -> None:
        self._kinds, self._target = dict(kinds), target
        self._numbers = tuple(n for n, kind in kinds.items() if kind not in ("text", "bool"))
        n = len(self._numbers)
        rows = int(np.clip(MEDIAN_NUMBERS // max(1, n), 2**12, MEDIAN_ROWS))
        self.n_rows = self.n_missing = 0
        self.train, self.valid = TargetValues(), TargetValues()
        self._levels = {name: Levels(most_levels) for name in kinds if name not in self._numbers}
        self._low, self._high = np.full(n, np.inf), np.full(n, -np.inf)
        self._gaps = np.zeros(n, dtype=np.int64)
        self._sample = DistinctRows(n, 0, rows)

    @property
    def names(self) -> list[str]:
        """The columns."""
        return list(self._kinds)

    @property
    def exact_medians(self) -> bool:
        """Whether medians are those of all rows, and not of a sample."""
        return self._sample.complete

    @property
    def given_up(self) -> list[str]:
        """The columns with more different texts than were counted."""
        return [name for name, levels in self._levels.items() if levels.short]

    def update(
        self,
        A: Any,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows: A is a mapping of columns, B says what they are for."""
        roles = B[:, 0]
        rows = roles == TRAINS
        some: Any = slice(None) if rows.all() else rows
        n_rows = int(rows.sum())
        self.n_rows += n_rows
        if self._target is not None:
            self.train.add(A[self._target][some])
            self.valid.add(A[self._target][roles == VALIDATES])
            self.n_missing += int((roles == 0).sum())
        if n_rows == 0:
            return
        for name, levels in self._levels.items():
            levels.add(name, A[name][some])
        if self._numbers:
            columns = [
                numbers_of(name, A[name][some], wanted=self._kinds[name])[1]
                for name in self._numbers
            ]
            numbers = np.stack(columns, axis=1)
            self._low = np.fmin(self._low, np.fmin.reduce(numbers, axis=0))
            self._high = np.fmax(self._high, np.fmax.reduce(numbers, axis=0))
            self._gaps += np.isnan(numbers).sum(axis=0)
            self._sample.update(numbers, np.empty((n_rows, 0)))

    def merge(self, other: LearntTable) -> None:
        """Add the rows of `other`."""
        self.n_rows += other.n_rows
        self.n_missing += other.n_missing
        self.train.merge(other.train)
        self.valid.merge(other.valid)
        for name, levels in self._levels.items():
            levels.merge(other._levels[name])
        if self._numbers:
            self._low = np.fmin(self._low, other._low)
            self._high = np.fmax(self._high, other._high)
            self._gaps = self._gaps + other._gaps
            self._sample.merge(other._sample)

    def compact(self) -> None:
        """Drop the rows that the sample has too many of."""
        if self._numbers:
            self._sample.compact()

    @property
    def nbytes(self) -> int:
        """Bytes of the state, without those of texts."""
        return self._sample.nbytes + 3 * self._low.nbytes

    def columns(self, max_levels: int) -> tuple[list[NumberColumn | LevelColumn], dict[str, str]]:
        """Return how the columns are encoded, and why others are dropped."""
        columns: list[NumberColumn | LevelColumn] = []
        dropped: dict[str, str] = {}
        for name in self._kinds:
            if name in self._levels:
                learnt: Any = self._levels[name].column(name, max_levels)
            else:
                learnt = self._number(self._numbers.index(name))
            if isinstance(learnt, str):
                dropped[name] = learnt
            else:
                columns.append(learnt)
        return columns, dropped

    def _number(self, at: int) -> NumberColumn | str:
        low, high, gaps = float(self._low[at]), float(self._high[at]), int(self._gaps[at])
        if gaps == self.n_rows:
            return NO_VALUES
        if is_constant(low, high, gaps > 0):
            return CONSTANT
        name = self._numbers[at]
        X, _, weights = self._sample.rows()
        median = _weighted_median(X[:, at], weights)
        # A sample may hold none of the few values of a column.
        median = (low + high) / 2 if np.isnan(median) else median
        return NumberColumn(name, self._kinds[name], median, gaps > 0)

    def state(self) -> dict[str, Any]:
        """Return what the summary holds, as arrays and numbers by name."""
        texts = {
            "levels": {n: [c.counts, c.short, c.missing] for n, c in self._levels.items()},
            "targets": [
                [list(t.counts.items()), t.n_rows, t.dtype.str] for t in (self.train, self.valid)
            ],
        }
        return super().state() | {
            "texts": np.frombuffer(json.dumps(texts, default=str).encode(), np.uint8)
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        super().restore(state)
        texts = json.loads(state["texts"].tobytes())
        for name, (counts, short, missing) in texts["levels"].items():
            levels = self._levels[name]
            levels.counts, levels.short, levels.missing = counts, short, missing
        for target, (counts, n_rows, dtype) in zip(
            (self.train, self.valid), texts["targets"], strict=True
        ):
            target.counts, target.n_rows = dict(map(tuple, counts)), n_rows
            target.dtype = np.dtype(dtype)


def learn_table(
    table: Table,
    columns: Sequence[str] | None = None,
    *,
    target: str | None = None,
    split: Split | None = None,
    most_levels: int = 0,
    run: Run | None = None,
) -> LearntTable:
    """Read a table once and return what an encoder needs to know.

    Parameters
    ----------
    table : Table
        The table.
    columns : sequence of str, optional
        To learn from; by default all but the target.
    target : str, optional
        Rows without it are left out; its values are counted.
    split : Split, optional
        Rows that validate are not learnt from.
    most_levels : int, optional
        More different texts than the usual 10,000 to count exactly.
    run : Run, optional
        Engine and checkpoint.
    """
    names = [name for name in table.names if name != target] if columns is None else columns
    kinds = {name: table.kinds[name] for name in table.check_names(names)} if names else {}
    records = TableRecords(table, names, target=target, split=split)
    make = partial(LearntTable, kinds, target, max(MOST_LEVELS, most_levels))
    learnt = (run or Run()).reduce(records, make, name="columns")
    assert isinstance(learnt, LearntTable)
    return learnt


def _weighted_median(values: Array, weights: Array) -> float:
    """Return the median of values that are repeated as their (whole) weights say."""
    known = ~np.isnan(values)
    values, weights = values[known], weights[known]
    if len(values) == 0:
        return float("nan")
    order = np.argsort(values)
    until = np.cumsum(weights[order])
    middle = np.searchsorted(until, [(until[-1] - 1) // 2, until[-1] // 2], side="right")
    return float(np.mean(values[order[middle]]))
