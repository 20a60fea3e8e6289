"""Look into a saved model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from solvenet.estimators.tables import TableEncoder
from solvenet.persistence import load


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
