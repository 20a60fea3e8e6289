"""Fit a network to a table in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet.commands._fitting import (
    Fitted,
    Request,
    check_enough,
    dropped_notes,
    missing_note,
    save_model,
    task_note,
)
from solvenet.commands._steps import Steps, named, noting
from solvenet.errors import InvalidDataError
from solvenet.estimators.examination import score_of
from solvenet.estimators.tables import TableEncoder
from solvenet.estimators.targets import as_target, check_varies, guess_task, set_aside, take_target
from solvenet.report import write_report

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.analysis import Finding

    Columns = dict[str, Array]


def fit_held(
    columns: Columns, valid: Columns | None, asked: Request, steps: Steps, notes: list[str]
) -> Fitted:
    """Fit, validate, save and explain; `notes` gets what happened to the data."""
    target, task = asked.target, asked.task
    X, values = _take(columns, named(asked.table, "training"), target, notes)
    if task == "auto":
        task, why = guess_task(values)
        notes.append(task_note(task, target, why))
    y = as_target(values, target, task)
    check_varies(y, target, task)
    if valid is None:
        X, y, X_valid, y_valid = _set_aside(X, y, task, asked)
    else:
        X_valid, values = _take(valid, named(asked.valid, "validation"), target, notes)
        y_valid = as_target(values, target, task)
        y_valid = y_valid.astype(str) if y.dtype.kind == "U" else y_valid
    network = asked.network(task)
    with steps("encode the columns"):
        encoder = TableEncoder().fit(X)
        encoded, encoded_valid = encoder.transform(X), encoder.transform(X_valid)
        notes += dropped_notes(encoder)
    with steps("sample and solve"), noting(notes):
        network.fit(encoded, y, engine=asked.engine, checkpoint=asked.checkpoint)
    with steps("validate"):
        score = score_of(network, y_valid, network.predict(encoded_valid))
    model = save_model(encoder, network, asked.output, steps)
    findings: tuple[Finding, ...] = ()
    if asked.report is not None:
        found = write_report(
            asked.report,
            network,
            encoded,
            y,
            encoded_valid,
            y_valid,
            title=f"{target}: {task}",
            facts=asked.facts(len(X), encoded.shape[1]),
            notes=notes,
            stages=tuple(steps.stages),
            progress=steps.tell,
        )
        score, findings = found.score, tuple(found.findings)
    return Fitted(model, task, len(y), len(y_valid), encoded.shape[1], score, findings)


def _take(columns: Columns, title: str, target: str, notes: list[str]) -> tuple[Columns, Array]:
    """Return inputs and target of a table, without the rows that lack the target."""
    try:
        X, values, n_missing = take_target(columns, target)
    except InvalidDataError as error:
        msg = f"{title}: {error}"
        raise InvalidDataError(msg) from None
    if n_missing:
        notes.append(missing_note(n_missing, n_missing + len(values), title, target))
    return X, values


def _set_aside(
    X: Columns, y: Array, task: str, asked: Request
) -> tuple[Columns, Array, Columns, Array]:
    """Return training rows and validation rows of one table."""
    strata = y if task == "classification" else np.zeros(len(y))
    chosen = set_aside(strata, asked.valid_fraction, asked.seed)
    n_valid = int(chosen.sum())
    check_enough(len(y) - n_valid, n_valid, asked.valid_fraction)
    check_varies(y[~chosen], asked.target, task)
    fit, validate = (
        {name: column[rows] for name, column in X.items()} for rows in (~chosen, chosen)
    )
    return fit, y[~chosen], validate, y[chosen]
