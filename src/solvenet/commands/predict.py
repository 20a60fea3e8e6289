"""Predict with a saved model for every row of a table, however many there are."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from solvenet.commands._steps import Progress, Steps, is_path, open_any, writable
from solvenet.engine import Engine, as_engine, part_bounds
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.estimators.encoding import numbers_of
from solvenet.estimators.tables import TableEncoder
from solvenet.persistence import load
from solvenet.sources import Table
from solvenet.sources.columns import unknown_columns
from solvenet.tables import check_format, write_table, writing_table

if TYPE_CHECKING:
    from solvenet._array_api import Array

    Columns = dict[str, Array]

BATCH_ROWS = 2**14
"""Rows that are predicted at a time, of a table that is read in parts."""


@dataclass(frozen=True)
class TablePrediction:
    """Predictions for a table.

    Attributes
    ----------
    columns : dict of str to array of shape (n_rows,), or None
        ``prediction``, and ``std`` (regression) or ``probability <class>`` for each. None
        where they were written in parts: they are in `output`, and nowhere else.
    names : tuple of str
        Their names.
    task : {"classification", "regression"}
        What was predicted.
    n_rows : int
        Rows of the table.
    output : Path or None
        The file that was written.
    """

    columns: dict[str, Array] | None = field(repr=False)
    names: tuple[str, ...]
    task: str
    n_rows: int
    output: Path | None

    @property
    def summary(self) -> str:
        """The result on one line."""
        where = f" in {self.output}" if self.output else ""
        return f"{self.n_rows} predictions{where}: columns {', '.join(self.names)}"


def predict_table(
    model: Any,
    table: Any,
    output: str | os.PathLike[str] | None = None,
    *,
    engine: Any = None,
    progress: Progress | None = None,
) -> TablePrediction:
    """Predict for every row of a table.

    Parameters
    ----------
    model : path or fitted model
        What :func:`fit_table` or :func:`solvenet.save` wrote.
    table : path, list of path, or table
        As for :func:`fit_table`. Has the columns that the model was fitted to; others are
        ignored.
    output : path, optional
        Write the predictions here (``.csv``, ``.tsv``, ``.parquet``, ``.npy``).
    engine : {"serial", "threads", "processes"}, Engine or distributed.Client, optional
        Where parts of a large table are predicted; by default one after the other, here.
    progress : callable, optional
        Called as ``progress(0, 1, text)`` while a large table is read, with the rows done.

    Returns
    -------
    TablePrediction
        The new columns.

    Raises
    ------
    ModelFileError
        The model file is damaged.
    InvalidDataError
        A column is missing or of another kind than in training.
    OSError
        A file cannot be read or written.

    Notes
    -----
    Files that take more than 64 MB in memory are read, predicted and written in parts. The
    file gets its name when it is whole: an error or an interrupt leaves nothing of it, and
    so there is no checkpoint to go on from.
    """
    path = writable(output)
    if path is not None:
        check_format(path)
    fitted = load(model) if is_path(model) else model
    engine = as_engine(engine)
    opened = open_any(table)
    predictor = _Predictor(fitted)
    if not isinstance(opened, Table):
        columns = predictor(opened)
        if path is not None:
            write_table(path, columns)
        n_rows = len(next(iter(columns.values())))
        return TablePrediction(columns, tuple(columns), predictor.task, n_rows, path)
    predictor.warm()
    steps = Steps(progress, 1)
    steps.tell("predict")
    parts = _parts(predictor, opened, engine, steps.within(opened.n_rows))
    if path is None:
        held = list(parts)
        columns = {name: np.concatenate([part[name] for part in held]) for name in held[0]}
        return TablePrediction(columns, tuple(columns), predictor.task, opened.n_rows, None)
    names: tuple[str, ...] = ()
    with closing(parts), writing_table(path, opened.n_rows) as write:
        for part in parts:
            names = tuple(part)
            write(part)
    return TablePrediction(None, names, predictor.task, opened.n_rows, path)


class _Predictor:
    """From columns of a table to columns of predictions."""

    def __init__(self, fitted: Any) -> None:
        piped = isinstance(fitted, Pipeline)
        self._network = fitted[-1] if piped else fitted
        self._encoder = fitted[:-1] if piped else None
        self.task = "classification" if is_classifier(self._network) else "regression"

    def warm(self) -> None:
        """Compute once what every part needs."""
        if self.task == "regression":
            try:
                self._network._ensure_uncertainty()
            except InvalidSettingError:
                return

    def needs(self, table: Table) -> list[str]:
        """Return the columns to read."""
        names: Any = getattr(self._network, "feature_names_in_", table.names)
        if self._encoder is not None:
            first = self._encoder[0]
            names = table.names
            if isinstance(first, TableEncoder):
                names = [column.name for column in first.columns_]
        return table.check_names([str(name) for name in names])

    def __call__(self, columns: Mapping[str, Array], first: int = 0) -> Columns:
        """Return the predictions for some rows, the first of which has this number."""
        if self._encoder is None:
            X = _numbers_for(self._network, columns, first)
        elif isinstance(self._encoder[0], TableEncoder) and first:
            X = self._encoder[0].encode(columns, first)
            X = self._encoder[1:].transform(X) if len(self._encoder) > 1 else X
        else:
            X = self._encoder.transform(columns)
        with warnings.catch_warnings():
            # The columns were put in order by their names above.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return _columns(self._network, X)


@dataclass(frozen=True)
class _Part:
    """Predict for some rows of a table: what a worker is sent."""

    predictor: _Predictor
    table: Table
    names: list[str]

    def __call__(self, start: int, stop: int) -> list[Columns]:
        """Return the predictions, in batches."""
        return list(self.batches(start, stop))

    def batches(self, start: int, stop: int) -> Iterator[Columns]:
        """Yield the predictions of one batch after the other."""
        for first, batch in self.table.batches(self.names, start=start, stop=stop, rows=BATCH_ROWS):
            yield self.predictor(batch, first)


def _parts(
    predictor: _Predictor, table: Table, engine: Engine | None, told: Callable[..., None]
) -> Generator[Columns]:
    """Yield predictions in the order of the rows."""
    part = _Part(predictor, table, predictor.needs(table))
    if engine is None:
        done = 0
        for columns in part.batches(0, table.n_rows):
            done += len(next(iter(columns.values())))
            yield columns
            told("predicted", done, table.n_rows)
        return
    bounds = part_bounds(table.n_rows, len(part.names), table.cuts()).tolist()
    waiting: deque[Any] = deque()
    with engine.running():
        try:
            for start, stop in pairwise(bounds):
                waiting.append((stop, engine.submit(part, start, stop)))
                # Those that wait for an earlier one are held.
                while len(waiting) > 2 * engine.n_slots or (stop == bounds[-1] and waiting):
                    end, handle = waiting.popleft()
                    yield from engine.gather([handle])[0]
                    told("predicted", end, table.n_rows)
        except BaseException:
            engine.cancel([handle for _, handle in waiting])
            raise


def _numbers_for(network: Any, X: Mapping[str, Array], first: int) -> Array:
    """Return the columns that a network by itself takes, in its order."""
    wanted = [str(name) for name in getattr(network, "feature_names_in_", X)]
    absent = [name for name in wanted if name not in X]
    if absent:
        raise InvalidDataError(unknown_columns(absent, X))
    return np.stack([numbers_of(name, X[name], first=first)[1] for name in wanted], axis=1)


def _columns(network: Any, X: Array) -> dict[str, Array]:
    """Return the predictions as columns of a table."""
    if is_classifier(network):
        probabilities = network.predict_proba(X)
        columns = {"prediction": network.classes_[probabilities.argmax(axis=1)]}
        for label, share in zip(network.classes_, probabilities.T, strict=True):
            columns[f"probability {label}"] = share
        return columns
    try:
        prediction, std = network.predict(X, return_std=True)
    except InvalidSettingError:  # saved with uncertainty=False
        prediction, std = network.predict(X), None
    out = {}
    for name, values in (("prediction", prediction), ("std", std)):
        if values is None:
            continue
        if values.ndim == 1:
            out[name] = values
        else:
            out |= {f"{name} {at}": values[:, at] for at in range(values.shape[1])}
    return out
