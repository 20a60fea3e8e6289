"""Fit a network to a table that is read in parts and never held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import parse_bytes
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
from solvenet.engine import Checkpoint, Run, as_engine
from solvenet.errors import InvalidDataError
from solvenet.estimators import TableEncoder
from solvenet.estimators.encoding import NumberColumn
from solvenet.estimators.examination import Whole
from solvenet.estimators.learning import MOST_VALUES, LearntTable, TargetValues, learn_table
from solvenet.estimators.row_sample import sample_rows
from solvenet.estimators.scoring import measure
from solvenet.estimators.table_rows import TRAINS, VALIDATES, EncodedRecords, Split, TargetCode
from solvenet.estimators.targets import as_target, check_varies, guess_task
from solvenet.report import write_report
from solvenet.sources.training import TrainingSource

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.analysis import Finding
    from solvenet.sources import Table

REPORT_ROWS = 10_000
"""Training rows, and validation rows, that the page is made from."""


def fit_streamed(
    table: Table, valid: Table | None, asked: Request, steps: Steps, notes: list[str]
) -> Fitted:
    """Fit, validate, save and explain; `notes` gets what happened to the data.

    Passes: one that learns the columns, those of the fit, one over the validation rows,
    and with a report one for each of its samples.
    """
    run = _start(table, valid, asked)
    notes.append(
        f"The table ({table.n_rows:,} rows) is read in parts"
        + ("; rows validate by a hash of what they hold." if valid is None else ".")
    )
    split = Split(asked.valid_fraction, asked.seed) if valid is None else None
    with steps("learn the columns"):
        learnt, measured = _learn(table, valid, split, asked, _told(run, steps, table), notes)
        task, codes, labels = _targets(learnt, measured, valid is None, asked, notes)
        encoder = TableEncoder().take(learnt)
        notes += dropped_notes(encoder) + _bounds_notes(learnt, encoder)
    rows = EncodedRecords(table, encoder, codes[0], split=split)
    valid_rows = (
        EncodedRecords(table, encoder, codes[0], split=split, role=VALIDATES)
        if valid is None
        else EncodedRecords(valid, encoder, codes[1], role=TRAINS)
    )
    network = asked.network(task)
    with steps("sample and solve"), noting(notes):
        network.fit(TrainingSource(rows, None, True, labels), None, engine=_told(run, steps, table))
    with steps("validate"):
        source = TrainingSource(valid_rows, None, True, labels)
        score = measure(network, source, _told(run, steps, valid or table)).score()
    model = save_model(encoder, network, asked.output, steps)
    whole = Whole(score, learnt.n_rows, measured.n_rows)
    findings: tuple[Finding, ...] = ()
    if asked.report is not None:
        steps.tell("take samples for the report")
        parts = []
        for records, of in ((rows, table), (valid_rows, valid or table)):
            X, B = sample_rows(records, REPORT_ROWS, _told(run, steps, of))
            parts += [X, B[:, 0] if labels is None else labels[B[:, 0].astype(int)]]
        found = write_report(
            asked.report,
            network,
            *parts,
            title=f"{asked.target}: {task}",
            facts=asked.facts(len(learnt.names), rows.shape[1]),
            notes=notes,
            stages=tuple(steps.stages),
            whole=whole,
            progress=steps.tell,
        )
        findings = tuple(found.findings)
    if run.checkpoint is not None:
        run.checkpoint.end()
    return Fitted(model, task, whole.n_rows, whole.n_valid, rows.shape[1], score, findings)


def _start(table: Table, valid: Table | None, asked: Request) -> Run:
    """Return the run of all passes; its checkpoint, if any, is begun."""
    limit = asked.settings["memory_limit"]
    memory = None if limit is None else parse_bytes("memory_limit", limit)
    kept = asked.checkpoint
    if kept is not None and not isinstance(kept, Checkpoint):
        kept = Checkpoint(Path(kept))
    if kept is not None:
        about = (asked.target, asked.task, asked.valid_fraction, asked.seed, dict(asked.settings))
        data = [one.identity() for one in (table, valid) if one is not None]
        kept.begin({"data": " ".join(data), "settings": str(about)})
    return Run(engine=as_engine(asked.engine), checkpoint=kept, memory_limit=memory, shared=True)


def _told(run: Run, steps: Steps, table: Table) -> Run:
    """Return the run, which tells its progress in rows of a table."""
    return replace(run, progress=steps.within(table.n_rows))


def _learn(
    table: Table,
    valid: Table | None,
    split: Split | None,
    asked: Request,
    run: Run,
    notes: list[str],
) -> tuple[LearntTable, TargetValues]:
    """Return what was learnt of the training rows, and the target of the validation rows."""
    target = asked.target
    learnt = _of_target(table, None, named(asked.table, "training"), target, split, run, notes)
    if valid is None:
        check_enough(learnt.n_rows, learnt.valid.n_rows, asked.valid_fraction)
        return learnt, learnt.valid
    title = named(asked.valid, "validation")
    return learnt, _of_target(valid, [], title, target, None, run, notes).train


def _of_target(
    table: Table,
    columns: list[str] | None,
    title: str,
    target: str,
    split: Split | None,
    run: Run,
    notes: list[str],
) -> LearntTable:
    """Learn from a table, all of whose rows are told apart by a target."""
    try:
        table.check_names([target])
        if len(table.names) == 1:
            msg = f"The target {target!r} is the only column; at least one more is wanted."
            raise InvalidDataError(msg)
        learnt = learn_table(table, columns, target=target, split=split, run=run)
        if learnt.n_missing == table.n_rows:
            msg = f"The target {target!r} is missing in every row. Choose another column."
            raise InvalidDataError(msg)
    except InvalidDataError as error:
        if title in str(error):
            raise
        msg = f"{title}: {error}"
        raise InvalidDataError(msg) from None
    if learnt.n_missing:
        notes.append(missing_note(learnt.n_missing, table.n_rows, title, target))
    return learnt


def _targets(
    learnt: LearntTable, valid: TargetValues, same_table: bool, asked: Request, notes: list[str]
) -> tuple[str, list[TargetCode], Array | None]:
    """Return the task, how targets of both tables become numbers, and what classes these are."""
    target, task = asked.target, asked.task
    every = TargetValues()
    every.merge(learnt.train)
    if same_table:
        every.merge(valid)
    if task == "auto":
        task, why = guess_task(every.values)
        notes.append(task_note(task, target, why))
    y = as_target(learnt.train.values, target, task)
    check_varies(y, target, task)
    if task == "regression":
        as_target(valid.values, target, task)
        return task, [TargetCode(target), TargetCode(target)], None
    for values in (every, valid):
        if values.many:
            msg = (
                f"The target {target!r} holds more than {MOST_VALUES:,} different values, too many "
                "for classes. Use the task regression, or group the values."
            )
            raise InvalidDataError(msg)
    tables = [every, every if same_table else valid]
    classes = [as_target(values.values, target, task) for values in tables]
    if y.dtype.kind == "U":
        classes = [values.astype(str) for values in classes]
    elif classes[1].dtype.kind == "U":
        msg = (
            f"The target {target!r} holds text in {named(asked.valid, 'validation')} and "
            f"{'truth values' if y.dtype.kind == 'b' else 'numbers'} in the training table."
        )
        raise InvalidDataError(msg)
    labels = np.unique(np.concatenate(classes))
    codes = [
        dict(zip(values.counts, np.searchsorted(labels, of).astype(float).tolist(), strict=True))
        for values, of in zip(tables, classes, strict=True)
    ]
    return task, [TargetCode(target, code, labels) for code in codes], labels


def _bounds_notes(learnt: LearntTable, encoder: Any) -> list[str]:
    """Return notes on what was not learnt from all rows exactly."""
    notes = [
        f"Column {name!r} holds too many different texts to count each; the frequent ones have "
        "columns of their own."
        for name in learnt.given_up
        if name not in encoder.dropped_
    ]
    gaps = [c.name for c in encoder.columns_ if isinstance(c, NumberColumn) and c.missing]
    if gaps and not learnt.exact_medians:
        notes.append(
            f"Missing values of {', '.join(map(repr, gaps[:5]))}"
            f"{', ...' if len(gaps) > 5 else ''} are filled with the median of a sample."
        )
    return notes
