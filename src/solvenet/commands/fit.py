"""Fit a network to a table: read, encode, solve, measure, save, explain."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solvenet._validation import check_choice, import_optional
from solvenet.analysis import Finding, Score
from solvenet.commands._fitting import Request
from solvenet.commands._held import fit_held
from solvenet.commands._steps import Progress, Steps, open_any, writable
from solvenet.commands._streamed import fit_streamed
from solvenet.engine import as_engine
from solvenet.errors import InvalidSettingError
from solvenet.estimators.examination import STEPS as EXAMINATION_STEPS
from solvenet.report import Stage
from solvenet.sources import Table, open_table

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
    engine: Any = None,
    checkpoint: Any = None,
    progress: Progress | None = None,
) -> TableFit:
    """Fit a network to a table, measure it on rows it has not seen, save and explain it.

    Parameters
    ----------
    table : path, list of path, or table
        A file that :func:`solvenet.tables.read_table` reads, a folder or a pattern of such
        files; a table in memory: a mapping, a pandas or Polars frame, a pyarrow table; a
        Dask frame or a :class:`solvenet.sources.Table`.
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
        That part; of each class alike, of large tables up to chance.
    report : path, optional
        Write a page about the fit here (HTML). Costs several more fits on a part of the
        rows.
    random_state : int, default=0
        Seed of the split and of the sampling.
    hidden_layer_sizes, activation, memory_limit
        As in :class:`solvenet.SampledNetworkRegressor`.
    engine, checkpoint
        As for its ``fit``. After an interrupt the same call with the same checkpoint goes on.
    progress : callable, optional
        Called as ``progress(done, total, name)`` before each step, and while rows are
        read in parts again and again, with the rows that have been read in `name`.

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
    CheckpointError
        The folder belongs to another run.
    EngineError
        A cluster is not there, or is lost.

    Notes
    -----
    *Large tables.* Files that take more than 64 MB in memory (8 bytes a number, 64 a text)
    are read in parts, several times, and never held. Then a row validates if a hash of what
    it holds says so, which does not depend on the order of the rows, on files or workers;
    equal rows are on the same side. Columns are learnt as ``TableEncoder`` says, and
    the report is made from samples of 10,000 rows, but for the score. A table that is in
    memory already is used as it is.

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
    settings = {
        "hidden_layer_sizes": hidden_layer_sizes,
        "activation": activation,
        "memory_limit": memory_limit,
    }
    asked = Request(
        table, target, task, valid, valid_fraction, random_state, settings, output, report,
        as_engine(engine), checkpoint,
    )  # fmt: skip
    start = time.perf_counter()
    notes: list[str] = []
    steps = Steps(progress, 5 + (EXAMINATION_STEPS + 1 if report is not None else 0))
    with steps("read the table"):
        opened = open_any(table)
        opened_valid = None if valid is None else open_any(valid)
    if isinstance(opened, Table) or isinstance(opened_valid, Table):
        steps.total += report is not None
        valid_table = None if opened_valid is None else open_table(opened_valid)
        fitted = fit_streamed(open_table(opened), valid_table, asked, steps, notes)
    else:
        fitted = fit_held(opened, opened_valid, asked, steps, notes)
    return TableFit(
        model=fitted.model,
        task=fitted.task,
        target=target,
        n_rows=fitted.n_rows,
        n_valid=fitted.n_valid,
        n_features=fitted.n_features,
        score=fitted.score,
        seconds=time.perf_counter() - start,
        stages=tuple(steps.stages),
        notes=tuple(notes),
        findings=fitted.findings,
        output=output,
        report=report,
    )
