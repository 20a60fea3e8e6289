"""Fit a network to a table: read, encode, solve, measure, save, explain."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.pipeline import Pipeline

from solvenet._validation import check_choice, import_optional
from solvenet.analysis import Finding, Score
from solvenet.commands._steps import Progress, Steps, is_path, noting, read_any, writable
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.estimators import SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.estimators.diagnosis import STEPS as DIAGNOSIS_STEPS
from solvenet.estimators.diagnosis import score_of
from solvenet.estimators.tables import TableEncoder
from solvenet.estimators.targets import as_target, check_varies, guess_task, set_aside, take_target
from solvenet.persistence import save
from solvenet.report import Stage, write_report

if TYPE_CHECKING:
    from solvenet._array_api import Array

TASKS = ("auto", "classification", "regression")


@dataclass(frozen=True)
class TableFit:
    """A network fitted to a table.

    Attributes
    ----------
    model : Pipeline
        ``table`` (TableEncoder) and ``network``, fitted to the training rows.
    task : {"classification", "regression"}
        What it predicts.
    target : str
        Name of the target column.
    n_rows, n_valid, n_features : int
        Training rows, validation rows, encoded columns.
    score : Score
        On the validation rows, with a 95 % interval.
    seconds : float
        Of everything.
    stages : tuple of Stage
        Time and memory of each stage.
    notes : tuple of str
        What happened to the data on the way.
    findings : tuple of Finding
        Advice; only where a report was asked for.
    output, report : Path or None
        The files that were written.
    """

    model: Any = field(repr=False)
    task: str
    target: str
    n_rows: int
    n_valid: int
    n_features: int
    score: Score
    seconds: float
    stages: tuple[Stage, ...] = field(repr=False)
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    output: Path | None
    report: Path | None

    @property
    def summary(self) -> str:
        """The result on one line."""
        network = self.model[-1]
        error = f", typical error {self.score.error:.3g}" if self.task == "regression" else ""
        parts = [
            f"{self.task} of {self.target!r}: {self.score.text} on {self.n_valid} validation "
            f"rows{error}",
            f"{network.n_units_[-1]} units solved from {self.n_rows} rows in "
            f"{sum(network.seconds_.values()):.2f} s",
        ]
        parts += [f"model {self.output}"] if self.output else []
        parts += [f"report {self.report}"] if self.report else []
        return "; ".join(parts)


def fit_table(
    table: Any,
    target: str,
    *,
    output: str | os.PathLike[str] | None = None,
    task: str = "auto",
    valid: Any = None,
    valid_fraction: float = 0.2,
    report: str | os.PathLike[str] | None = None,
    random_state: int = 0,
    hidden_layer_sizes: str | int | Sequence[int] = "auto",
    activation: str = "tanh",
    memory_limit: int | str | None = None,
    progress: Progress | None = None,
) -> TableFit:
    """Fit a network to a table, measure it on rows it has not seen, save and explain it.

    Parameters
    ----------
    table : path or table
        A file that :func:`solvenet.tables.read_table` reads, or a table in memory: a
        mapping, a pandas or Polars frame, a pyarrow table.
    target : str
        The column to predict; all others are inputs.
    output : path, optional
        Save the model here.
    task : {"auto", "classification", "regression"}, default="auto"
        ``"auto"`` takes text, truth values and at most 10 different whole numbers for
        classes.
    valid : path or table, optional
        Validation rows; without them a part of `table` is set aside.
    valid_fraction : float, default=0.2
        That part; of each class alike.
    report : path, optional
        Write a page about the fit here (HTML). Costs several more fits on a part of the
        rows.
    random_state : int, default=0
        Seed of the split and of the sampling.
    hidden_layer_sizes, activation, memory_limit
        As in :class:`solvenet.SampledNetworkRegressor`.
    progress : callable, optional
        Called as ``progress(done, total, name)`` before each step.

    Returns
    -------
    TableFit
        Model, score, notes.

    Raises
    ------
    InvalidDataError
        No such column, too few rows, one class, a constant target, text where numbers are
        wanted, ...; or what `read_table` refuses.
    InvalidSettingError
        A setting outside its range.
    OSError
        A file cannot be read or written.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.commands import fit_table
    >>> x = np.linspace(0, 3, 200)
    >>> fit = fit_table({"x": x, "y": np.sin(x)}, "y", hidden_layer_sizes=50)
    >>> fit.task, fit.score.error < 1e-6
    ('regression', True)
    """
    check_choice("task", task, TASKS)
    if not 0 < valid_fraction < 1:
        msg = f"valid_fraction={valid_fraction!r} was given; a number between 0 and 1 is wanted."
        raise InvalidSettingError(msg)
    output, report = writable(output), writable(report)
    if report is not None:
        for package in ("jinja2", "matplotlib"):
            import_optional(package, extra="plots", purpose="A report")
    start = time.perf_counter()
    notes: list[str] = []
    steps = Steps(progress, 5 + (DIAGNOSIS_STEPS + 1 if report is not None else 0))
    with steps("read the table"):
        X, values = _take(table, "training", target, notes)
        if task == "auto":
            task, why = guess_task(values)
            notes.append(f"Task {task}: {target!r} {why} (task= or --task says otherwise).")
        y = as_target(values, target, task)
        check_varies(y, target, task)
        if valid is None:
            X, y, X_valid, y_valid = _set_aside(X, y, target, task, valid_fraction, random_state)
        else:
            X_valid, values = _take(valid, "validation", target, notes)
            y_valid = as_target(values, target, task)
            y_valid = y_valid.astype(str) if y.dtype.kind == "U" else y_valid
    network = (SampledNetworkClassifier if task == "classification" else SampledNetworkRegressor)(
        hidden_layer_sizes,
        activation,
        memory_limit=memory_limit,
        random_state=random_state,
    )
    with steps("encode the columns"):
        encoder = TableEncoder().fit(X)
        encoded, encoded_valid = encoder.transform(X), encoder.transform(X_valid)
        for name, why in encoder.dropped_.items():
            notes.append(f"Column {name!r} is left out: it {why}.")
    with steps("sample and solve"), noting(notes):
        network.fit(encoded, y)
    model = Pipeline([("table", encoder), ("network", network)])
    with steps("validate"):
        score = score_of(network, y_valid, network.predict(encoded_valid))
    with steps("save"):
        if output is not None:
            save(model, output)
    findings: tuple[Finding, ...] = ()
    if report is not None:
        found = write_report(
            report,
            network,
            encoded,
            y,
            encoded_valid,
            y_valid,
            title=f"{target}: {task}",
            facts=_facts(table, valid, target, X, encoded),
            notes=notes,
            stages=tuple(steps.stages),
            progress=steps.tell,
        )
        score, findings = found.score, tuple(found.findings)
    return TableFit(
        model=model,
        task=task,
        target=target,
        n_rows=len(y),
        n_valid=len(y_valid),
        n_features=encoded.shape[1],
        score=score,
        seconds=time.perf_counter() - start,
        stages=tuple(steps.stages),
        notes=tuple(notes),
        findings=findings,
        output=output,
        report=report,
    )


def _named(table: Any, role: str) -> str:
    """Return how messages call a table."""
    return os.fspath(table) if is_path(table) else f"the {role} table"


def _take(table: Any, role: str, target: str, notes: list[str]) -> tuple[dict[str, Array], Array]:
    """Return inputs and target of a table, without the rows that lack the target."""
    columns = read_any(table)
    try:
        X, values, n_missing = take_target(columns, target)
    except InvalidDataError as error:
        msg = f"{_named(table, role)}: {error}"
        raise InvalidDataError(msg) from None
    if n_missing:
        notes.append(
            f"{n_missing} of {n_missing + len(values)} rows of {_named(table, role)} were left "
            f"out: the target {target!r} is missing."
        )
    return X, values


def _set_aside(
    X: dict[str, Array], y: Array, target: str, task: str, fraction: float, seed: int
) -> tuple[dict[str, Array], Array, dict[str, Array], Array]:
    """Return training rows and validation rows of one table."""
    chosen = set_aside(y if task == "classification" else np.zeros(len(y)), fraction, seed)
    n_valid = int(chosen.sum())
    if n_valid < 2 or len(y) - n_valid < 2:
        msg = (
            f"There are {len(y)} rows with a target; setting {fraction:.0%} aside for "
            f"validation leaves {len(y) - n_valid} to fit and {n_valid} to validate, and at "
            "least 2 of each are wanted. Give more rows, or a validation table (--valid)."
        )
        raise InvalidDataError(msg)
    check_varies(y[~chosen], target, task)
    fit, validate = (
        {name: column[rows] for name, column in X.items()} for rows in (~chosen, chosen)
    )
    return fit, y[~chosen], validate, y[chosen]


def _facts(
    table: Any, valid: Any, target: str, X: dict[str, Array], encoded: Array
) -> dict[str, str]:
    """Return what the page says of the data."""
    return {
        "table": os.fspath(table) if is_path(table) else type(table).__name__,
        "validation": "rows of the table, set aside"
        if valid is None
        else (os.fspath(valid) if is_path(valid) else type(valid).__name__),
        "target": target,
        "columns": f"{len(X)} in the table, {encoded.shape[1]} encoded",
    }
