"""Targets that are classes: which there are, and their indicators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from solvenet.blocks import Records
from solvenet.engine import Run
from solvenet.errors import InvalidDataError
from solvenet.reductions import Reduction
from solvenet.sources.coded import MOST_CLASSES

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks.records import Record


class ClassValues(Reduction):
    """The different values of the first target, with the weights of their rows.

    Attributes
    ----------
    values : array of shape (n_classes,)
        Ascending.
    weights : array of shape (n_classes,)
        Their summed weights.
    """

    def __init__(self) -> None:
        self.values: Array = np.empty(0)
        self.weights: Array = np.empty(0)

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows; those of weight zero do not count."""
        values, codes = np.unique(B[:, 0], return_inverse=True)
        sums = np.bincount(codes, weights, len(values)).astype(np.float64)
        self._add(values[sums > 0], sums[sums > 0])

    def merge(self, other: ClassValues) -> None:
        """Add the values of `other`."""
        self._add(other.values, other.weights)

    def _add(self, values: Array, weights: Array) -> None:
        joined = np.concatenate([self.values, values])
        self.values, codes = np.unique(joined, return_inverse=True)
        sums = np.concatenate([self.weights, weights])
        self.weights = np.bincount(codes, sums).astype(np.float64)
        if len(self.values) > MOST_CLASSES:
            msg = (
                f"The target has more than {MOST_CLASSES} different values: unknown label type "
                "continuous. Use SampledNetworkRegressor, or group the values into classes."
            )
            raise InvalidDataError(msg)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self.values.nbytes + self.weights.nbytes


def class_values(records: Records, run: Run) -> ClassValues:
    """Return the different values of the target: one pass."""
    found = run.reduce(records, ClassValues, name="classes")
    assert isinstance(found, ClassValues)
    return found


class IndicatorRecords(Records):
    """Records whose target is a column of numbers that stand for classes: as indicators.

    Parameters
    ----------
    records : Records
        With one target.
    values : array of shape (n_classes,)
        Its values, ascending.
    importance : array of shape (n_classes,), optional
        Weights of the classes, which multiply those of the rows.
    """

    def __init__(self, records: Records, values: Array, importance: Array | None = None) -> None:
        self._records, self._values, self._importance = records, values, importance
        self.shape, self.dtype = records.shape, records.dtype
        self.n_targets = len(values)
        self.weighted = records.weighted or importance is not None
        self.n_passes, self.fresh = records.n_passes, records.fresh

    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, A, indicators, weights)``."""
        for rows, A, B, weights in self._records.stream():
            codes = np.minimum(np.searchsorted(self._values, B[:, 0]), len(self._values) - 1)
            indicators = np.zeros((len(B), len(self._values)))
            # Rows of weight zero may hold a class that no other has.
            known = self._values[codes] == B[:, 0]
            indicators[np.flatnonzero(known), codes[known]] = 1.0
            if self._importance is not None:
                by_class = self._importance[codes]
                weights = by_class if weights is None else weights * by_class
            yield rows, A, indicators, weights

    def between(self, start: int, stop: int) -> Records:
        """Return some rows."""
        part = self._records.between(start, stop)
        return IndicatorRecords(part, self._values, self._importance)

    def taken(self, index: Array) -> Records:
        """Return some rows."""
        part = self._records.taken(index)
        return IndicatorRecords(part, self._values, self._importance)

    def cuts(self) -> Array | None:
        """Return those of the records."""
        return self._records.cuts()

    def identity(self) -> str:
        """Return that of the records."""
        return self._records.identity()


def check_classes(classes: Array) -> None:
    """Refuse fewer than two classes."""
    if len(classes) < 2:
        found = "no class" if len(classes) == 0 else f"one class only ({classes.tolist()[0]!r})"
        msg = (
            f"y holds {found} where it has weight; a classifier needs at least 2 classes. "
            "Check the target column."
        )
        raise InvalidDataError(msg)
