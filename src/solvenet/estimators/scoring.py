"""Scores of fitted networks on rows that are read in blocks, as sums that merge."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier

from solvenet.analysis.scores import (
    GROUPS,
    LARGEST,
    Score,
    accuracy_of_counts,
    r_squared_of_sums,
    unexplained,
)
from solvenet.blocks import Records
from solvenet.engine import Run, start_run
from solvenet.errors import InvalidDataError
from solvenet.estimators._classes import ClassValues
from solvenet.reductions import Reduction
from solvenet.sources import TrainingSource, open_training

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks.records import Record
    from solvenet.networks import SampledNetwork


class PredictedRecords(Records):
    """Records with the outputs of a network in place of its inputs.

    Parameters
    ----------
    records : Records
        Inputs, targets, weights. Outputs of rows of weight zero are zero, at no cost.
    network : SampledNetwork
        The network.

    Notes
    -----
    The columns of ``shape`` are the features that outputs are computed from: they tell
    :class:`Run` what a row costs, so that it cuts parts as those of the solve.
    """

    fresh = True
    dtype = np.dtype(np.float64)

    def __init__(self, records: Records, network: SampledNetwork) -> None:
        self._records, self._network = records, network
        self.shape = (records.shape[0], network.hidden.n_features_out)
        self.n_targets, self.weighted = records.n_targets, records.weighted
        self.n_passes = records.n_passes

    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, outputs, targets, weights)``."""
        for rows, A, B, weights in self._records.stream():
            if weights is None:
                yield rows, self._network(A), B, None
                continue
            known = weights > 0
            out = np.zeros((len(A), len(self._network.readout.intercept)))
            if known.any():
                out[known] = self._network(A[known])
            yield rows, out, B, weights

    def between(self, start: int, stop: int) -> Records:
        """Return some rows."""
        return PredictedRecords(self._records.between(start, stop), self._network)

    def taken(self, index: Array) -> Records:
        """Return some rows; only these are predicted."""
        return PredictedRecords(self._records.taken(index), self._network)

    def cuts(self) -> Array | None:
        """Return those of the records."""
        return self._records.cuts()

    def identity(self) -> str:
        """Return that of the records."""
        return self._records.identity()


class SquaredErrors(Reduction):
    """Squared errors of predictions, and spread of the targets, by groups of neighbours.

    Parameters
    ----------
    n_targets : int
        Columns of predictions and of targets.
    n_rows : int
        Rows there will be.
    n_groups : int, default=1
        Groups of consecutive rows, about equally many in each.
    """

    def __init__(self, n_targets: int, n_rows: int, n_groups: int = 1) -> None:
        self._n_rows = n_rows
        self._weight = np.zeros((n_groups, 1))
        self._mean, self._spread, self._errors = np.zeros((3, n_groups, n_targets))

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows: A are predictions."""
        w = np.ones(len(A)) if weights is None else weights
        known = np.flatnonzero(w > 0)
        if len(known) == 0:
            return
        A, B, w = A[known], B[known].astype(np.float64, copy=False), w[known, None]
        group = (start + known) * len(self._weight) // self._n_rows
        first = np.flatnonzero(np.diff(group, prepend=-1))
        weight = np.add.reduceat(w, first, axis=0)
        mean = np.add.reduceat(w * B, first, axis=0) / weight
        with np.errstate(over="ignore"):
            squared = np.minimum((B - A) ** 2, LARGEST)
        each = np.repeat(mean, np.diff(np.append(first, len(group))), axis=0)
        spread = np.add.reduceat(w * (B - each) ** 2, first, axis=0)
        errors = np.add.reduceat(w * squared, first, axis=0)
        self._add(group[first], weight, mean, spread, errors)

    def merge(self, other: SquaredErrors) -> None:
        """Add the rows of `other`."""
        at = np.flatnonzero(other._weight[:, 0] > 0)
        parts = (other._weight, other._mean, other._spread, other._errors)
        self._add(at, *(part[at] for part in parts))

    def _add(self, at: Array, weight: Array, mean: Array, spread: Array, errors: Array) -> None:
        before = self._weight[at]
        total = before + weight
        delta = mean - self._mean[at]
        self._spread[at] += spread + delta**2 * (before * weight / total)
        self._mean[at] += delta * (weight / total)
        self._errors[at] += errors
        self._weight[at] = total

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return 4 * self._mean.nbytes

    def sums(self) -> Array:
        """Return sums of 1, y, y**2 and squared errors, shape (n_targets, n_groups, 4).

        Around the mean of y, of the groups that have rows.
        """
        kept = self._weight[:, 0] > 0
        weight, mean = self._weight[kept], self._mean[kept]
        away = mean - (weight * mean).sum(axis=0) / weight.sum()
        squares = self._spread[kept] + weight * away**2
        weight = np.broadcast_to(weight, mean.shape)
        return np.stack([weight, weight * away, squares, self._errors[kept]], axis=-1).swapaxes(
            0, 1
        )

    def value(self) -> float:
        """Return the R^2, the mean of those of the targets."""
        return float(1.0 - unexplained(self.sums().sum(axis=1)).mean())

    def score(self) -> Score:
        """Return the R^2 of the only target with its interval."""
        (sums,) = self.sums()
        return r_squared_of_sums(sums)


class RightClasses(Reduction):
    """How many rows have the class of the largest output.

    Parameters
    ----------
    classes : array of shape (n_classes,)
        What the target holds for the class of each output; NaN for none.
    """

    def __init__(self, classes: Array) -> None:
        self._classes = classes
        self.right = 0.0
        self.values = ClassValues()

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows: A are outputs."""
        right = self._classes[A.argmax(axis=1)] == B[:, 0]
        self.right += float(right.sum() if weights is None else weights[right].sum())
        self.values.update(A, B, weights)

    def merge(self, other: RightClasses) -> None:
        """Add the rows of `other`."""
        self.right += other.right
        self.values.merge(other.values)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self.values.nbytes

    def value(self) -> float:
        """Return the share of right rows."""
        return self.right / float(self.values.weights.sum())

    def score(self) -> Score:
        """Return the accuracy with its interval."""
        counts = self.values.weights
        return accuracy_of_counts(self.right, float(counts.sum()), float(counts.max()))


def measure(
    estimator: Any, source: TrainingSource, run: Run, *, n_groups: int = GROUPS
) -> SquaredErrors | RightClasses:
    """Return the errors of a fitted network on the rows of a source: one pass.

    Parameters
    ----------
    estimator : SampledNetworkRegressor or SampledNetworkClassifier
        Fitted.
    source : TrainingSource
        Rows with targets; those of weight zero are not predicted.
    run : Run
        Engine and checkpoint.
    n_groups : int, optional
        Groups of neighbouring rows, for the interval of R^2.
    """
    network = estimator.network_
    n_outputs, n_targets = len(network.readout.intercept), source.records.n_targets
    if source.records.shape[1] != estimator.n_features_in_:
        msg = (
            f"The source has {source.records.shape[1]} inputs, and the model was fitted with "
            f"{estimator.n_features_in_}. Give the same columns."
        )
        raise InvalidDataError(msg)
    wanted = 1 if is_classifier(estimator) else n_outputs
    if n_targets != wanted:
        msg = f"The target has {n_targets} columns, and the model predicts {wanted}."
        raise InvalidDataError(msg)
    records = PredictedRecords(source.records, network)
    make: Any = partial(SquaredErrors, n_outputs, records.shape[0], n_groups)
    if is_classifier(estimator):
        make = partial(RightClasses, _codes_of(estimator.classes_, source.labels))
    found = run.reduce(records, make, name="score")
    assert isinstance(found, SquaredErrors | RightClasses)
    return found


def score_source(
    estimator: Any, X: Any, y: Any, sample_weight: Any = None, *, engine: Any = None
) -> float:
    """Return R^2 or accuracy on the rows of a source.

    Parameters
    ----------
    estimator : SampledNetworkRegressor or SampledNetworkClassifier
        Fitted.
    X, y, sample_weight, engine
        As for ``fit``; X may have more columns than the model was fitted to.
    """
    names = getattr(estimator, "feature_names_in_", None)
    inputs = None if names is None else [str(name) for name in names]
    classes = is_classifier(estimator)
    opened = open_training(X, y, sample_weight, classes=classes, inputs=inputs)
    run = start_run(None, engine, None, estimator._memory_bytes, None)
    return measure(estimator, opened, run, n_groups=1).value()


def _codes_of(classes: Array, labels: Array | None) -> Array:
    """Return what the target column holds for each class; NaN where it never does."""
    if labels is None:
        if classes.dtype.kind not in "iufb":
            msg = (
                f"The classes of the model are text ({classes[0]!r}, ...), and the target holds "
                "numbers. Name the column that holds the classes."
            )
            raise InvalidDataError(msg)
        return classes.astype(np.float64)
    number = {label: float(at) for at, label in enumerate(labels.tolist())}
    return np.array([number.get(label, np.nan) for label in classes.tolist()])
