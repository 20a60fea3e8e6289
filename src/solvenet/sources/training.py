"""Training data of any kind as records: arrays in memory, files, clusters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks import HeldRecords, Records, RowBlocks, SplitRecords, ZippedRecords
from solvenet.errors import InvalidDataError
from solvenet.sources._base import Table
from solvenet.sources.blocks import TableBlocks
from solvenet.sources.coded import CodedTable, text_classes
from solvenet.sources.columns import unknown_columns
from solvenet.sources.opening import open_source, open_table

if TYPE_CHECKING:
    from solvenet._array_api import Array


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
    """Tell whether X is read in blocks: a path, row blocks, a table, Dask, HDF5, Zarr.

    Records and training sources, which bring their targets, are sources too.
    """
    home = type(X).__module__.partition(".")[0]
    if isinstance(X, str | os.PathLike | RowBlocks | Table | Records | TrainingSource):
        return True
    return home in ("dask", "dask_expr", "h5py", "zarr")


def open_training(
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    classes: bool,
    inputs: Sequence[str] | None = None,
) -> TrainingSource:
    """Return the rows of a source with targets and weights.

    Parameters
    ----------
    X : source
        See :func:`is_source`.
    y : str, sequence of str, source, or None
        Name of the target column(s) of X, or targets: an array or a source of their own;
        None where X has them.
    sample_weight : str, array or None
        Name of the column of the weights, or one weight a row.
    classes : bool
        Whether the target may be text.
    inputs : sequence of str, optional
        Names of the inputs, where X has names; by default all columns but the others.
    """
    if isinstance(X, TrainingSource | Records):
        if y is not None or sample_weight is not None:
            msg = "Records bring their targets and weights; y and sample_weight must be None."
            raise InvalidDataError(msg)
        return X if isinstance(X, TrainingSource) else TrainingSource(X, None, X.n_targets == 1)
    table = _table_of(X)
    if table is not None and _is_name(y):
        return _of_table(table, y, sample_weight, classes=classes, inputs=inputs)
    source = open_source(X)
    names = getattr(source, "names", None)
    if _is_name(y):
        wanted = [y] if isinstance(y, str) else list(y)
        known = list(names if names is not None else (f"x{j}" for j in range(source.shape[1])))
        made = _split(source, known, wanted, sample_weight, isinstance(y, str), inputs)
        return made if names is not None else replace(made, names=None)
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
    if isinstance(X, TrainingSource | Records):
        source = (X.records if isinstance(X, TrainingSource) else X).matrix
    elif table is not None:
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


def _of_table(
    table: Table, y: Any, sample_weight: Any, *, classes: bool, inputs: Sequence[str] | None
) -> TrainingSource:
    wanted = [y] if isinstance(y, str) else list(y)
    weight = [sample_weight] if isinstance(sample_weight, str) else []
    table.check_names([*wanted, *weight])
    if inputs is None:
        inputs = [name for name in table.names if name not in wanted and name not in weight]
    labels = None
    if classes and len(wanted) == 1 and table.kinds[wanted[0]] in ("text", "bool"):
        labels = text_classes(table, wanted[0])
        table = CodedTable(table, wanted[0], labels)
    source = TableBlocks(table, [*inputs, *wanted, *weight])
    made = _split(
        source,
        list(source.names),
        wanted,
        sample_weight,
        isinstance(y, str),
        inputs,
    )
    return TrainingSource(made.records, made.names, made.one_target, labels)


def _split(
    source: RowBlocks,
    known: list[str],
    wanted: list[str],
    sample_weight: Any,
    one: bool,
    inputs: Sequence[str] | None,
) -> TrainingSource:
    """Return records whose targets, and perhaps weights, are columns of the source."""
    weight = [sample_weight] if isinstance(sample_weight, str) else []
    absent = [name for name in [*(inputs or ()), *wanted, *weight] if name not in known]
    if absent:
        raise InvalidDataError(unknown_columns(absent, known))
    if inputs is None:
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
