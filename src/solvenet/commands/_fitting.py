"""What fitting tables in memory and tables on disk have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from solvenet.analysis import Finding, Score
from solvenet.commands._steps import Steps, is_path
from solvenet.errors import InvalidDataError
from solvenet.estimators import SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.persistence import save


@dataclass(frozen=True)
class Request:
    """What was asked for, checked.

    Attributes
    ----------
    table, valid : path or table
        As given, for messages and the report.
    target, task : str
        Column and task, which may be ``"auto"``.
    valid_fraction : float
        Part of the table that validates, if `valid` is None.
    seed : int
        Of split and sampling.
    settings : mapping
        Of the network.
    output, report : Path or None
        Files to write.
    engine, checkpoint
        As for ``fit``.
    """

    table: Any
    target: str
    task: str
    valid: Any
    valid_fraction: float
    seed: int
    settings: Mapping[str, Any]
    output: Path | None
    report: Path | None
    engine: Any
    checkpoint: Any

    def network(self, task: str) -> Any:
        """Return the network, to be fitted."""
        made = SampledNetworkClassifier if task == "classification" else SampledNetworkRegressor
        return made(**self.settings, random_state=self.seed)

    def facts(self, n_columns: int, n_features: int) -> dict[str, str]:
        """Return what the page says of the data."""
        valid = "rows of the table, set aside" if self.valid is None else _title(self.valid)
        return {
            "table": _title(self.table),
            "validation": valid,
            "target": self.target,
            "columns": f"{n_columns} in the table, {n_features} encoded",
        }


@dataclass(frozen=True)
class Fitted:
    """What came of it.

    Attributes
    ----------
    model : Pipeline
        Encoder and network.
    task : str
        What it predicts.
    n_rows, n_valid, n_features : int
        Training rows, validation rows, encoded columns.
    score : Score
        On the validation rows.
    findings : tuple of Finding
        Advice; only with a report.
    """

    model: Pipeline
    task: str
    n_rows: int
    n_valid: int
    n_features: int
    score: Score
    findings: tuple[Finding, ...]


def save_model(encoder: Any, network: Any, output: Path | None, steps: Steps) -> Pipeline:
    """Return encoder and network as one model, saved if a file was named."""
    model = Pipeline([("table", encoder), ("network", network)])
    with steps("save"):
        if output is not None:
            save(model, output)
    return model


def task_note(task: str, target: str, why: str) -> str:
    """Return the note on a task that was guessed."""
    return f"Task {task}: {target!r} {why} (task= or --task says otherwise)."


def missing_note(n_missing: int, n_rows: int, title: str, target: str) -> str:
    """Return the note on rows without a target."""
    return (
        f"{n_missing} of {n_rows} rows of {title} were left out: the target {target!r} is missing."
    )


def dropped_notes(encoder: Any) -> list[str]:
    """Return notes on columns that say nothing."""
    return [f"Column {n!r} is left out: it {why}." for n, why in encoder.dropped_.items()]


def check_enough(n_train: int, n_valid: int, fraction: float) -> None:
    """Refuse fewer than two rows to fit or to validate."""
    if n_valid < 2 or n_train < 2:
        msg = (
            f"There are {n_train + n_valid} rows with a target; setting {fraction:.0%} aside for "
            f"validation leaves {n_train} to fit and {n_valid} to validate, and at "
            "least 2 of each are wanted. Give more rows, or a validation table (--valid)."
        )
        raise InvalidDataError(msg)


def _title(table: Any) -> str:
    return os.fspath(table) if is_path(table) else type(table).__name__
