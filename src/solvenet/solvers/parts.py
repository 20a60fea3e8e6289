"""How the columns of a problem are split into parts that are solved one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice, check_count, check_finite
from solvenet.errors import InvalidDataError
from solvenet.reductions import ColumnMoments
from solvenet.solvers.problem import Problem, check_state

if TYPE_CHECKING:
    from solvenet._array_api import Array

ORDERS = ("ordered", "sorted", "random")
"""How the columns may be put in order before they are split."""


def split_columns(
    problem: Problem, n_parts: int, *, order: str, key: Any, seed: int
) -> tuple[list[Array], int]:
    """Return the columns of each part, ascending, and the passes that this took.

    Parameters
    ----------
    problem : Problem
        The problem whose columns are split.
    n_parts : int
        Parts of equal size up to one column; no more than there are columns.
    order : {"ordered", "sorted", "random"}
        As they come; by ascending `key`; in random order.
    key : array-like of shape (n_cols,) or None
        What the columns are sorted by. By default the norms of the hidden weights, where
        the source knows them, and otherwise the standard deviation of each column, in one
        pass: a unit that is steep on the data takes its extreme values more often.
    seed : int
        Of the random order.
    """
    n_cols = problem.A.shape[1]
    check_choice("order", order, ORDERS)
    n_parts = min(check_count("n_parts", n_parts), n_cols)
    arranged, n_passes = np.arange(n_cols), 0
    if order == "random":
        arranged = stream(check_count("seed", seed, minimum=0), "parts").permutation(n_cols)
    elif order == "sorted" and n_parts > 1:
        key = problem.A.weight_norms() if key is None else np.asarray(key, dtype=np.float64)
        if key is None:
            key, n_passes = _deviations(problem), 1
        if key.shape != (n_cols,):
            msg = f"key of shape {key.shape} was given; ({n_cols},), one a column, is wanted."
            raise InvalidDataError(msg)
        check_finite("key", key)
        arranged = np.argsort(key, kind="stable")
    return [np.sort(part) for part in np.array_split(arranged, n_parts)], n_passes


def _deviations(problem: Problem) -> Array:
    moments = ColumnMoments(problem.A.shape[1])
    with np.errstate(invalid="ignore", over="ignore"):
        for _, block, _, weights in problem.blocks():
            moments.update(block, weights=weights)
    check_state(moments.sumsq)
    return np.sqrt(moments.variance)
