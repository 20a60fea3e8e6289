"""The main job, on data that ships with scikit-learn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvenet.commands._steps import Progress
from solvenet.commands.fit import TableFit, fit_table
from solvenet.commands.predict import TablePrediction, predict_table
from solvenet.tables import write_table

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class Demonstration:
    """One table of the demonstration.

    Attributes
    ----------
    name : str
        What it is, in words.
    fit : TableFit
        The fit, with its files.
    predictions : TablePrediction
        By the model loaded from its file.
    """

    name: str
    fit: TableFit
    predictions: TablePrediction


def demo(
    folder: str | os.PathLike[str] = "solvenet-demo", *, progress: Progress | None = None
) -> Iterator[Demonstration]:
    """Fit, explain, save, load and use networks for three tables, one after the other.

    Parameters
    ----------
    folder : path, default="solvenet-demo"
        Gets four files for each table: the rows (CSV), the model, the report and the
        predictions. Made if it does not exist.
    progress : callable, optional
        As in :func:`fit_table`.

    Yields
    ------
    Demonstration
        A smooth function (an exact fit), diabetes (a noisy one) and breast cancer
        (classes given by text).

    Raises
    ------
    OSError
        The folder cannot be written to.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, title, table, target, valid in _tables():
        rows = folder / f"{name}.csv"
        write_table(rows, table)
        valid_rows = None
        if valid is not None:
            valid_rows = folder / f"{name}-validation.csv"
            write_table(valid_rows, valid)
        fit = fit_table(
            rows,
            target,
            valid=valid_rows,
            output=folder / f"{name}.safetensors",
            report=folder / f"{name}.html",
            progress=progress,
        )
        assert fit.output is not None
        predictions = predict_table(fit.output, rows, folder / f"{name}-predictions.csv")
        yield Demonstration(title, fit, predictions)


_Table = dict[str, "Array"]


def _tables() -> Iterator[tuple[str, str, _Table, str, _Table | None]]:
    """Yield file name, title, rows, target and validation rows of each table."""
    from sklearn.datasets import load_breast_cancer, load_diabetes

    side = np.linspace(0.0, 1.0, 64)
    x, y = (axis.ravel() for axis in np.meshgrid(side, side))
    inside = np.random.default_rng(0).random((2, 1000))
    yield (
        "smooth",
        "sin(x + y) on a grid",
        {"x": x, "y": y, "f": np.sin(x + y)},
        "f",
        {"x": inside[0], "y": inside[1], "f": np.sin(inside.sum(axis=0))},
    )
    diabetes = load_diabetes(scaled=False)
    columns = dict(zip(diabetes.feature_names, diabetes.data.T, strict=True))
    columns["sex"] = np.array(["one", "two"])[columns["sex"].astype(int) - 1]
    yield (
        "diabetes",
        "progression of diabetes",
        columns | {"progression": diabetes.target},
        "progression",
        None,
    )
    cancer = load_breast_cancer()
    columns = dict(zip(map(str, cancer.feature_names), cancer.data.T, strict=True))
    columns["diagnosis"] = cancer.target_names[cancer.target].astype(str)
    yield "cancer", "diagnosis of breast cancer", columns, "diagnosis", None
