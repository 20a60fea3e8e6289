"""Training data of any kind as records: arrays in memory, files, clusters."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks import HeldRecords, Records, RowBlocks, SplitRecords, ZippedRecords
from solvenet.engine import Checkpoint, Run, as_engine
from solvenet.errors import InvalidDataError
from solvenet.reductions import Reduction
from solvenet.sources import Table, TableBlocks, open_source, open_table
from solvenet.sources.columns import unknown_columns

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks.records import Record

MOST_CLASSES = 10_000
"""A target with more different values than this does not hold classes."""


@dataclass(frozen=True)
class TrainingSource:
    """Rows to learn from that are read in blocks.

    Attributes
    ----------
    records : Records
        Inputs, targets (class numbers for a column of text), weights.
    names : tuple of str or None
        Names of the inputs.
    one_target : bool
        Whether the target was given as one column.
    labels : array or None
        What the class numbers stand for, where the target is text.
    """

    records: Records
    names: tuple[str, ...] | None
    one_target: bool
    labels: Array | None = None


def is_source(X: Any) -> bool:
    """Tell whether X is read in blocks: a path, row blocks, a table, Dask, HDF5, Zarr."""
    home = type(X).__module__.partition(".")[0]
    return isinstance(X, str | os.PathLike | RowBlocks | Table) or home in (
        "dask",
        "dask_expr",
        "h5py",
        "zarr",
    )


def open_training(X: Any, y: Any, sample_weight: Any, *, classes: bool) -> TrainingSource:
    """Return the rows of a source with targets and weights.

    Parameters
    ----------
    X : source
        See :func:`is_source`.
    y : str, sequence of str, or source
        Name of the target column(s) of X, or targets: an array or a source of their own.
    sample_weight : str, array or None
        Name of the column of the weights, or one weight a row.
    classes : bool
        Whether the target may be text.
    """
    table = _table_of(X)
    if table is not None and _is_name(y):
        return _of_table(table, y, sample_weight, classes=classes)
    source = open_source(X)
    names = getattr(source, "names", None)
    if _is_name(y):
        wanted = [y] if isinstance(y, str) else list(y)
        known = list(names if names is not None else (f"x{j}" for j in range(source.shape[1])))
        return _split(source, known, wanted, sample_weight, isinstance(y, str))
    if y is None:
        msg = 'No target was given. Name its column (y="price"), or pass one value a row.'
        raise InvalidDataError(msg)
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if is_source(y):
        targets = open_source(y)
        return TrainingSource(ZippedRecords(source, targets, weights), names, False)
    held = np.asarray(y)
    labels = None
    if held.dtype.kind in "OUS" and classes:
        labels, codes = np.unique(held.astype(str), return_inverse=True)
        held = codes.astype(np.float64)
    if held.ndim not in (1, 2) or len(held) != source.shape[0]:
        msg = f"y of shape {held.shape} was given for {source.shape[0]} rows; one a row is wanted."
        raise InvalidDataError(msg)
    B = held.astype(np.float64).reshape(len(held), -1)
    return TrainingSource(HeldRecords(source, B, weights), names, held.ndim == 1, labels)


def open_inputs(X: Any, names: Sequence[str] | None, n_columns: int) -> RowBlocks:
    """Return the inputs of a fitted model from a source, which may have other columns too."""
    table = _table_of(X)
    source: RowBlocks
    if table is not None:
        source = TableBlocks(table, list(names) if names is not None else None)
    else:
        source = open_source(X)
        known = getattr(source, "names", None)
        if names is not None and known is not None:
            absent = [name for name in names if name not in known]
            if absent:
                raise InvalidDataError(unknown_columns(absent, known))
            source = source.columns(np.array([known.index(name) for name in names]))
    if source.shape[1] != n_columns:
        msg = (
            f"The source has {source.shape[1]} columns, and the model was fitted with "
            f"{n_columns} inputs. Give the same columns."
        )
        raise InvalidDataError(msg)
    return source


def start_run(
    records: Records | None, engine: Any, checkpoint: Any, memory: int | None, settings: Any
) -> Run:
    """Return a run on an engine; its checkpoint, if any, is begun."""
    made = as_engine(engine)
    kept = checkpoint
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        kept = Checkpoint(checkpoint)
    if kept is not None and records is not None:
        kept.begin({"data": records.identity(), "settings": str(settings)})
    return Run(engine=made, checkpoint=kept, memory_limit=memory)


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


def _table_of(X: Any) -> Table | None:
    """Return the table of a path that holds one, or None."""
    if isinstance(X, Table):
        return X
    if isinstance(X, str | os.PathLike):
        path = os.fspath(X).partition("::")[0].lower().rstrip("/")
        if not path.endswith((".npy", ".h5", ".hdf5", ".zarr")):
            return open_table(X)
    return None


def _is_name(y: Any) -> bool:
    if isinstance(y, str):
        return True
    return isinstance(y, list | tuple) and len(y) > 0 and all(isinstance(v, str) for v in y)


def _of_table(table: Table, y: Any, sample_weight: Any, *, classes: bool) -> TrainingSource:
    wanted = [y] if isinstance(y, str) else list(y)
    weight = [sample_weight] if isinstance(sample_weight, str) else []
    table.check_names([*wanted, *weight])
    inputs = [name for name in table.names if name not in wanted and name not in weight]
    labels = None
    if classes and len(wanted) == 1 and table.kinds[wanted[0]] in ("text", "bool"):
        labels = _text_classes(table, wanted[0])
        table = CodedTable(table, wanted[0], labels)
    source = TableBlocks(table, [*inputs, *wanted, *weight])
    made = _split(
        source,
        list(source.names),
        wanted,
        sample_weight,
        isinstance(y, str),
    )
    return TrainingSource(made.records, made.names, made.one_target, labels)


def _split(
    source: RowBlocks, known: list[str], wanted: list[str], sample_weight: Any, one: bool
) -> TrainingSource:
    """Return records whose targets, and perhaps weights, are columns of the source."""
    weight = [sample_weight] if isinstance(sample_weight, str) else []
    absent = [name for name in [*wanted, *weight] if name not in known]
    if absent:
        raise InvalidDataError(unknown_columns(absent, known))
    inputs = [name for name in known if name not in wanted and name not in weight]
    if not inputs:
        msg = f"There is no column besides {', '.join(wanted)}; at least one input is wanted."
        raise InvalidDataError(msg)
    index = {name: at for at, name in enumerate(known)}
    records: Records = SplitRecords(
        source,
        [index[name] for name in inputs],
        [index[name] for name in wanted],
        index[weight[0]] if weight else None,
    )
    if sample_weight is not None and not weight:
        held = np.asarray(sample_weight, dtype=np.float64)
        if held.shape != (source.shape[0],):
            msg = f"sample_weight has shape {held.shape}; ({source.shape[0]},) is wanted."
            raise InvalidDataError(msg)
        inputs_only = source.columns(np.array([index[name] for name in inputs]))
        targets_only = source.columns(np.array([index[name] for name in wanted]))
        records = ZippedRecords(inputs_only, targets_only, held)
    return TrainingSource(records, tuple(inputs), one)


def _text_classes(table: Table, column: str) -> Array:
    """Return the different values of a column of text, ascending: a pass over the column."""
    seen: set[Any] = set()
    for first, batch in table.batches([column]):
        values = batch[column]
        gone = np.flatnonzero([value is None for value in values.tolist()])
        if len(gone):
            msg = (
                f"The target {column!r} is missing: {table.where(first + int(gone[0]))}. Remove "
                "such rows, or use the command line, which leaves them out."
            )
            raise InvalidDataError(msg)
        seen.update(values.tolist())
        if len(seen) > MOST_CLASSES:
            msg = f"The target {column!r} holds more than {MOST_CLASSES} different texts."
            raise InvalidDataError(msg)
    return np.array(sorted(seen))


class CodedTable(Table):
    """A table with one column of text replaced by the numbers of its values.

    Parameters
    ----------
    table : Table
        The table.
    column : str
        Name of the column.
    labels : array of str, ascending
        Its values.
    """

    def __init__(self, table: Table, column: str, labels: Array) -> None:
        self.names, self.n_rows = table.names, table.n_rows
        self.dtypes = {**table.dtypes, column: np.dtype(np.float64)}
        self._table, self._column = table, column
        self._number = {label: float(at) for at, label in enumerate(labels.tolist())}

    def _batches(
        self, columns: list[str], start: int, stop: int, rows: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        for first, batch in self._table.batches(columns, start=start, stop=stop, rows=rows):
            if self._column in batch:
                codes = [self._number.get(value, np.nan) for value in batch[self._column].tolist()]
                batch = batch | {self._column: np.array(codes)}
            yield first, batch

    def cuts(self) -> Array:
        """Return those of the table."""
        return self._table.cuts()

    def identity(self) -> str:
        """Return that of the table."""
        return self._table.identity()

    def where(self, row: int) -> str:
        """Return in which file and part a row is."""
        return self._table.where(row)
