"""Use a saved model: predict, inspect."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from solvenet.commands._steps import is_path, read_any, writable
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.sources.columns import unknown_columns
from solvenet.estimators.encoding import numbers_of
from solvenet.estimators.tables import TableEncoder
from solvenet.persistence import load
from solvenet.tables import check_format, write_table

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class TablePrediction:
    """Predictions for a table.

    Attributes
    ----------
    columns : dict of str to array of shape (n_rows,)
        ``prediction``, and ``std`` (regression) or ``probability <class>`` for each.
    task : {"classification", "regression"}
        What was predicted.
    n_rows : int
        Rows of the table.
    output : Path or None
        The file that was written.
    """

    columns: dict[str, Array] = field(repr=False)
    task: str
    n_rows: int
    output: Path | None

    @property
    def summary(self) -> str:
        """The result on one line."""
        where = f" in {self.output}" if self.output else ""
        return f"{self.n_rows} predictions{where}: columns {', '.join(self.columns)}"


def predict_table(
    model: Any, table: Any, output: str | os.PathLike[str] | None = None
) -> TablePrediction:
    """Predict for every row of a table.

    Parameters
    ----------
    model : path or fitted model
        What :func:`fit_table` or :func:`solvenet.save` wrote.
    table : path or table
        Has the columns that the model was fitted to; others are ignored.
    output : path, optional
        Write the predictions here (``.csv``, ``.tsv``, ``.parquet``, ``.npy``).

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
    """
    path = writable(output)
    if path is not None:
        check_format(path)
    fitted = load(model) if is_path(model) else model
    X = read_any(table)
    network = fitted[-1] if isinstance(fitted, Pipeline) else fitted
    encoded = fitted[:-1].transform(X) if network is not fitted else _numbers_for(network, X)
    with warnings.catch_warnings():
        # The columns were put in order by their names above.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        columns = _columns(network, encoded)
    if path is not None:
        write_table(path, columns)
    kind = "classification" if is_classifier(network) else "regression"
    return TablePrediction(columns, kind, len(encoded), path)


def inspect_model(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a model file holds, as plain values.

    Parameters
    ----------
    path : path
        What :func:`fit_table` or :func:`solvenet.save` wrote.

    Returns
    -------
    dict
        ``file``, ``bytes``, ``estimator``, ``task``, ``columns`` (name and kind of each
        input), ``left_out``, ``classes``, ``units``, ``parameters``, ``settings``, and
        ``solve`` (the diagnostics of the solve, without the singular values).

    Raises
    ------
    ModelFileError
        The file is damaged.
    OSError
        It cannot be read.
    """
    fitted = load(path)
    network = fitted[-1] if isinstance(fitted, Pipeline) else fitted
    encoder = fitted[0] if isinstance(fitted, Pipeline) else None
    facts: dict[str, Any] = {
        "file": os.fspath(path),
        "bytes": Path(path).stat().st_size,
        "estimator": type(network).__name__,
    }
    if hasattr(network, "network_"):
        facts["task"] = "classification" if is_classifier(network) else "regression"
    if isinstance(encoder, TableEncoder):
        facts["columns"] = [
            {"name": c.name, "kind": getattr(c, "kind", "text"), "encoded as": len(c.names())}
            for c in encoder.columns_
        ]
        facts["left_out"] = dict(encoder.dropped_)
    if is_classifier(network):
        facts["classes"] = network.classes_.tolist()
    facts["inputs"] = int(network.n_features_in_)
    facts["units"] = list(network.n_units_)
    if hasattr(network, "network_"):
        facts["parameters"] = int(network.network_.n_parameters)
    facts["settings"] = {
        name: value if isinstance(value, int | float | str | None) else repr(value)
        for name, value in network.get_params(deep=False).items()
    }
    solve = dict(getattr(network, "diagnostics_", {}))
    solve.pop("singular_values", None)
    facts["solve"] = _without_nan(solve)
    return facts


def _without_nan(value: Any) -> Any:
    """Return plain values with None for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _numbers_for(network: Any, X: dict[str, Array]) -> Array:
    """Return the columns that a network by itself takes, in its order."""
    wanted = [str(name) for name in getattr(network, "feature_names_in_", X)]
    absent = [name for name in wanted if name not in X]
    if absent:
        raise InvalidDataError(unknown_columns(absent, X))
    return np.stack([numbers_of(name, X[name])[1] for name in wanted], axis=1)


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
