"""Exact leave-one-out errors of a solved problem, in one more pass and without refitting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.leave_one_out import SMALLEST_COMPLEMENT
from solvenet.linalg.regularization import SelectionCurve, pick, ratio_grid
from solvenet.solvers.factorization import KeptRows
from solvenet.solvers.problem import Problem, make_problem
from solvenet.solvers.result import SolveResult

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class LeaveOneOut:
    """What the model would have predicted for each row without that row.

    Attributes
    ----------
    predictions : array of shape (n_rows, n_targets)
        Leave-one-out predictions.
    leverages : array of shape (n_rows,)
        Diagonal of the hat matrix: the weight of a row in its own prediction.
    """

    predictions: Array
    leverages: Array


def leave_one_out(A: Any, B: Any, result: SolveResult, *, weights: Any = None) -> LeaveOneOut:
    """Return exact leave-one-out predictions of a ridge or truncated solution.

    Parameters
    ----------
    A, B, weights
        The problem that `result` solves, or any rows of it. A row of weight w counts as
        w repetitions, of which one is left out (all of it for w < 1).
    result : SolveResult
        The solution.

    Returns
    -------
    LeaveOneOut
        Predictions and leverages.

    Notes
    -----
    ``e_i / (1 - h_i)`` with ``h_i = ||(a_i - mean) P||^2``, where leverages above
    ``1 - 1e-8``, which rounding hides, count as that. *Cost:* one pass,
    ``2 n_rows n_cols k`` flops.
    """
    problem = make_problem(A, B, 0.0, None, False, weights, None)
    n_rows, n_targets = problem.A.shape[0], problem.n_targets
    predictions = np.empty((n_rows, n_targets))
    leverages = np.empty(n_rows)
    factorization = result.factorization
    spectral = factorization.spectral()
    ratio = factorization.ratio(result.alpha)
    leverages_of = None if spectral is not None else factorization.leverages(ratio)
    ratios = np.array([ratio])
    filters = None if spectral is None else spectral.filters(ratios)
    W = result.coef.reshape(len(result.coef), -1)
    for rows, block, targets, weights in problem.blocks():
        w = np.ones(len(block)) if weights is None else weights
        residual = targets - block @ W - result.intercept
        if spectral is not None and filters is not None:
            h = spectral.projected_rows(KeptRows(block, targets, w)).fit(filters)[1][:, 0]
        elif leverages_of is not None:
            h = leverages_of(block) + factorization.facts.constant_leverage
            h *= np.minimum(w, 1.0)
        predictions[rows] = targets - residual / np.maximum(1.0 - h, SMALLEST_COMPLEMENT)[:, None]
        leverages[rows] = h
    return LeaveOneOut(predictions, leverages)


def loo_curve(A: Any, B: Any, result: SolveResult, *, weights: Any = None) -> SelectionCurve:
    """Return the exact leave-one-out error for a range of ridges, by one pass.

    Parameters
    ----------
    A, B, weights
        The problem that `result` solves.
    result : SolveResult
        Its solution, by a solver that kept the spectrum.

    Returns
    -------
    SelectionCurve
        Mean squared leave-one-out error over the variance of the targets.

    Raises
    ------
    UnsupportedProblemError
        If the solver kept no spectrum.

    Notes
    -----
    *Cost:* one pass, ``2 n_rows k (n_cols + 30 (1 + n_targets))`` flops for rank k.
    """
    factorization = result.factorization.spectral()
    if factorization is None:
        msg = (
            f"{result.solver} kept no spectrum, which a leave-one-out curve needs. Use QR, "
            "SVD or NormalEquations(spectrum=True)."
        )
        raise UnsupportedProblemError(msg)
    problem: Problem = make_problem(A, B, 0.0, None, False, weights, None)
    ratios = ratio_grid(factorization.resolution)
    filters = factorization.filters(ratios)
    variance = factorization.facts.variance
    squares, importance = [], []
    for _, block, targets, weights in problem.blocks():
        w = np.ones(len(block)) if weights is None else weights
        rows = factorization.projected_rows(KeptRows(block, targets, w))
        squares.append(rows.squares(filters, variance))
        importance.append(w)
    scores, chosen = pick(np.concatenate(squares), np.concatenate(importance))
    values = factorization.alpha(1.0) * ratios
    return SelectionCurve("alpha", values, scores, chosen, problem.A.shape[0])
