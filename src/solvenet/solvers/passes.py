"""One pass over the rows of a problem, into a summary."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from solvenet.reductions import Reduction
from solvenet.solvers.factorization import KeptRows, ProblemFacts
from solvenet.solvers.problem import Problem

if TYPE_CHECKING:
    from solvenet._array_api import Array


def reduce_rows(problem: Problem, reduction: Reduction) -> tuple[dict[str, float], KeptRows | None]:
    """Read the rows once; keep some of them where something is chosen by leave-one-out."""
    start = time.perf_counter()
    index, importance = problem.rows_to_keep() if problem.chooses else (np.empty(0, int), None)
    parts = []
    for rows, A, B, weights in problem.blocks():
        here = index[np.searchsorted(index, rows.start) : np.searchsorted(index, rows.stop)]
        parts.append(A[here - rows.start].astype(np.float64))
        reduction.update(A, B, weights, start=rows.start, overwrite=problem.A.fresh)
    kept = None
    if importance is not None:
        kept = KeptRows(np.concatenate(parts), problem.B[index], importance)
    return {"pass": time.perf_counter() - start}, kept


def keep_rows(problem: Problem, A: Array) -> KeptRows:
    """Return the rows to choose by of a matrix that is held."""
    index, weights = problem.rows_to_keep()
    return KeptRows(A[index], problem.B[index], weights)


def facts_of(
    problem: Problem, total: Array, mean_A: Array, mean_B: Array, kept: KeptRows | None
) -> ProblemFacts:
    """Return what a factorisation knows of the problem besides the matrix."""
    weight = float(len(problem.B) if problem.weights is None else problem.weights.sum())
    return ProblemFacts(total, mean_A, mean_B, problem.n_effective, weight, problem.intercept, kept)
