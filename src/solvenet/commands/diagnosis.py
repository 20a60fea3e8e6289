"""Say what limits a network on a table, and which network would do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.pipeline import Pipeline

from solvenet.analysis import Diagnosis, NetworkPlan, NetworkSpec, diagnose, plan
from solvenet.commands._steps import named, open_any
from solvenet.errors import InvalidDataError
from solvenet.estimators.tables import TableEncoder
from solvenet.estimators.targets import as_target, check_varies, guess_task, take_target
from solvenet.persistence import load
from solvenet.sources import Table

if TYPE_CHECKING:
    from solvenet._array_api import Array

SAMPLE_ROWS = 20_000
"""Rows that are read of a large table, from so many places:"""

_PLACES = 50


@dataclass(frozen=True)
class TableDiagnosis:
    """A diagnosis and what it is of.

    Attributes
    ----------
    diagnosis : Diagnosis
        Cause, findings, numbers.
    task : {"classification", "regression"}
        What the target was taken for.
    n_rows : int
        Rows that were read.
    """

    diagnosis: Diagnosis
    task: str
    n_rows: int


def diagnose_table(
    table: Any,
    target: str,
    *,
    model: str | os.PathLike[str] | Pipeline | None = None,
    spec: NetworkSpec | None = None,
    task: str = "auto",
    tol: float = 0.01,
    random_state: int = 0,
) -> TableDiagnosis:
    """Say what limits a network on a table.

    Parameters
    ----------
    table : path, list of path, or table
        As for :func:`fit_table`. Of a table beyond 64 MB about 20,000 rows from 50 places
        are read.
    target : str
        The column to predict; all others are inputs.
    model : path or Pipeline, optional
        A model of :func:`fit_table`, in a file or in memory.
    spec : NetworkSpec, optional
        The network to think about, if there is no model; by default 1000 ReLU units in
        float64.
    task : {"auto", "classification", "regression"}, default="auto"
        As for :func:`fit_table`.
    tol : float, default=0.01
        Error that is wanted, in standard deviations of the target.
    random_state : int, default=0
        Seed of the sample of rows.

    Returns
    -------
    TableDiagnosis
        Its ``diagnosis`` holds the advice.

    Raises
    ------
    InvalidDataError
        Both a model and a specification were given, or the table does not fit the model.
    """
    if model is not None and spec is not None:
        msg = "A model and a specification were given; one of them is wanted."
        raise InvalidDataError(msg)
    X, values, _ = take_target(_columns(table), target)
    if task == "auto":
        task, _ = guess_task(values)
    y = as_target(values, target, task)
    check_varies(y, target, task)
    if model is None:
        rows = TableEncoder().fit(X).transform(X)
        spec = NetworkSpec() if spec is None else spec
        # Classes of a specification are told by their type: whole numbers would be values.
        labels = y if task == "regression" else y.astype(str)
        found = diagnose(spec, rows, labels, tol=tol, random_state=random_state)
        return TableDiagnosis(found, task, len(y))
    fitted = load(model) if isinstance(model, str | os.PathLike) else model
    if not isinstance(fitted, Pipeline):
        msg = f"{named(model, 'model')} holds no model of a table; solvenet fit writes one."
        raise InvalidDataError(msg)
    found = diagnose(fitted, X, y, tol=tol, random_state=random_state)
    return TableDiagnosis(found, task, len(y))


def plan_table(
    table: Any, target: str, *, tol: float = 0.01, max_size: int = 1000, random_state: int = 0
) -> NetworkPlan:
    """Propose the smallest networks that predict a column of numbers to an accuracy.

    Parameters
    ----------
    table : path, list of path, or table
        As for :func:`diagnose_table`.
    target : str
        The column to predict; all others are inputs.
    tol, max_size, random_state
        As for :func:`solvenet.analysis.plan`.

    Returns
    -------
    NetworkPlan
        What reaches the accuracy, smallest first, and what does not.

    Raises
    ------
    InvalidDataError
        The target is no column of numbers, or there are fewer than 64 rows.
    """
    X, values, _ = take_target(_columns(table), target)
    y = as_target(values, target, "regression")
    check_varies(y, target, "regression")
    rows = TableEncoder().fit(X).transform(X)
    return plan(rows, y, tol=tol, max_size=max_size, random_state=random_state)


def _columns(table: Any) -> dict[str, Array]:
    """Return the columns of a table, of a large one those of a part of its rows."""
    opened = open_any(table)
    if not isinstance(opened, Table):
        return opened
    each = SAMPLE_ROWS // _PLACES
    starts = np.linspace(0, opened.n_rows - each, _PLACES).astype(int)
    parts = [
        batch
        for start in starts
        for _, batch in opened.batches(opened.names, start=int(start), stop=int(start) + each)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in opened.names}
