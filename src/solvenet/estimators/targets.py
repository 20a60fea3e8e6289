"""The target column of a table: numbers or classes, and rows to set aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from solvenet.errors import InvalidDataError
from solvenet.estimators.encoding import is_numeric, numbers_of
from solvenet.sources.columns import missing_rows, unknown_columns

if TYPE_CHECKING:
    from solvenet._array_api import Array

FEW_VALUES = 10
"""A column of at most so many different whole numbers holds classes."""


def take_target(table: Mapping[str, Array], target: str) -> tuple[dict[str, Array], Array, int]:
    """Return the other columns and the target, without the rows that lack it.

    Parameters
    ----------
    table : mapping of str to array of shape (n_rows,)
        The table.
    target : str
        Name of the target column.

    Returns
    -------
    inputs : dict of str to array of shape (n_kept,)
        The other columns.
    values : array of shape (n_kept,)
        The target as it is.
    n_missing : int
        Rows that were left out.

    Raises
    ------
    InvalidDataError
        No such column, no other column, or no row with a target.
    """
    if target not in table:
        raise InvalidDataError(unknown_columns([target], table))
    inputs = {name: column for name, column in table.items() if name != target}
    if not inputs:
        msg = f"The target {target!r} is the only column; at least one more is wanted."
        raise InvalidDataError(msg)
    values = table[target]
    gone = missing_rows(values)
    if gone.all():
        msg = f"The target {target!r} is missing in every row. Choose another column."
        raise InvalidDataError(msg)
    if gone.any():
        inputs, values = {name: column[~gone] for name, column in inputs.items()}, values[~gone]
    if values.dtype.kind == "O" and is_numeric(values, np.ones(len(values), dtype=bool)):
        values = numbers_of(target, values)[1]
    return inputs, values, int(gone.sum())


def guess_task(values: Array) -> tuple[str, str]:
    """Return the task that a target asks for, and why in words."""
    kind = values.dtype.kind
    if kind in "iuf" and np.isfinite(values).all():
        distinct = np.unique(values)
        if len(distinct) <= FEW_VALUES and (distinct == np.round(distinct)).all():
            many = f"{len(distinct)} different whole numbers" if len(distinct) > 1 else "one value"
            return "classification", f"takes {many}"
    if kind in "iufmM":
        return "regression", "holds numbers"
    return "classification", "holds truth values" if kind == "b" else "holds text"


def as_target(values: Array, target: str, task: str) -> Array:
    """Return a target as float64 (regression), or as whole numbers, text or truth values.

    Raises
    ------
    InvalidDataError
        Text where numbers are wanted, fractions where classes are wanted, infinity.
    """
    kind = values.dtype.kind
    if task == "regression":
        if kind not in "iuf":
            msg = (
                f"The target {target!r} holds {_first(values)} in its first row; regression wants "
                "numbers. Use the task classification, or convert the column."
            )
            raise InvalidDataError(msg)
        return numbers_of(target, values)[1]
    if kind in "OUT":
        return np.array([str(value) for value in values])
    if kind == "f" and np.isfinite(values).all() and (values == np.round(values)).all():
        return values.astype(np.int64)
    if kind in "fmM":
        msg = (
            f"The target {target!r} holds {_first(values)} in its first row; classification wants "
            "text or whole numbers. Use the task regression, or convert the column."
        )
        raise InvalidDataError(msg)
    return values


def check_varies(y: Array, target: str, task: str) -> None:
    """Refuse a target with one value only."""
    if (y != y[0]).any():
        return
    if task == "regression":
        msg = f"The target {target!r} is {y[0]:g} in every row: there is nothing to learn."
    else:
        msg = (
            f"The target {target!r} holds one class only ({y[0]}); at least 2 are wanted. Check "
            "the column, or the rows that were selected."
        )
    raise InvalidDataError(msg)


def set_aside(strata: Array, fraction: float, seed: int) -> Array:
    """Return which rows validate: a random part of each stratum, never all of one.

    Parameters
    ----------
    strata : array of shape (n_rows,)
        Classes, or anything constant.
    fraction : float
        Part of each class.
    seed : int
        Of the draw.

    Returns
    -------
    array of shape (n_rows,), bool
        The rows that validate.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(strata), dtype=bool)
    _, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
    by_class = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    for rows in by_class:
        n = min(round(fraction * len(rows)), len(rows) - 1)
        chosen[rng.permutation(rows)[:n]] = True
    return chosen


def _first(values: Array) -> str:
    return repr(values[:1].tolist()[0] if values.dtype.kind not in "mM" else str(values[0]))
