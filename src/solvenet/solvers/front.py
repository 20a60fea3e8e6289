"""Least squares for anyone with a matrix: one function, and what it would cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import parse_bytes
from solvenet.blocks import Records, rows_per_block
from solvenet.blocks.operators import is_operator
from solvenet.engine import start_run
from solvenet.solvers._base import Solver, Supports
from solvenet.solvers.auto import Auto
from solvenet.solvers.problem import Problem, make_problem
from solvenet.solvers.registry import make_solver
from solvenet.solvers.result import SolveResult
from solvenet.sources import is_source, open_source, open_training

if TYPE_CHECKING:
    from solvenet._array_api import Array

TRIAL_SIZE = 512
"""Rows and columns of the product whose speed tells how long a solve will take."""


def solve(
    A: Any,
    B: Any,
    *,
    solver: str | Solver = "auto",
    alpha: float | str = 0.0,
    rcond: float | str | None = "auto",
    criterion: str | None = None,
    intercept: bool = False,
    weights: Any = None,
    start: Any = None,
    memory_limit: int | float | str | None = None,
    audit: str = "auto",
    engine: Any = None,
    checkpoint: Any = None,
) -> SolveResult:
    """Solve ``min sum_i w_i ||a_i W + b - b_i||^2 + alpha ||W||^2``, however ill-conditioned.

    Parameters
    ----------
    A : array-like of shape (n_rows, n_cols), source or scipy.sparse.linalg.LinearOperator
        The matrix: an array, a path (Parquet, CSV, npy, HDF5, Zarr; file, folder, pattern), row
        blocks, a Dask or SciPy sparse array, ... (:func:`solvenet.sources.open_source`), or
        products.
    B : array-like of shape (n_rows,) or (n_rows, n_targets), str or list of str, or source
        Right-hand sides, or the names of their columns in A, which then are not part of the
        matrix.
    solver : str or Solver, default="auto"
        A name in ``solvenet.solvers.SOLVERS``, or a solver with its settings.
    alpha : float or "auto", default=0.0
        Ridge; ``"auto"`` chooses it from the data.
    rcond : float, None or "auto", default="auto"
        Singular values of at most ``rcond * s1`` count as zero. ``"auto"`` chooses it from
        the data; with a ridge, and for solvers that cannot truncate, nothing is cut. None
        stands for ``eps * max(A.shape)``.
    criterion : {"loo", "gcv"}, optional
        What chooses: exact leave-one-out errors, or generalised cross-validation. By
        default leave-one-out for alpha, cross-validation for rcond.
    intercept : bool, default=False
        Solve for an unpenalised constant as well.
    weights : array-like of shape (n_rows,) or str, optional
        Non-negative weights, or the name of their column; an integer weight equals as many
        repetitions.
    start : array-like, optional
        First guess, for solvers that iterate.
    memory_limit : int, float or str, optional
        Bytes that a solve may take beyond the data, or text such as ``"2GB"``.
    audit : {"auto", "full", "skip"}, default="auto"
        See :meth:`solvenet.solvers.Solver.solve`.
    engine : {"serial", "threads", "processes"}, Engine or distributed.Client, optional
        Where the passes of solvers that sum up rows run, if there are many; the result does
        not depend on it. By default threads.
    checkpoint : path or Checkpoint, optional
        Folder for what has been summed up so far: after a crash the same call goes on there.

    Returns
    -------
    SolveResult
        ``coef``, how it was found, how far it can be trusted, and what to do.

    Raises
    ------
    InvalidDataError, InvalidSettingError, UnsupportedProblemError, MemoryLimitError
        Before any row is read, except for NaN and infinity in A.

    Notes
    -----
    *Cost.* See :func:`plan`.

    Examples
    --------
    >>> import numpy as np
    >>> import solvenet
    >>> A = np.vander(np.linspace(0, 1, 300), 40)
    >>> y = np.exp(np.linspace(0, 1, 300))
    >>> result = solvenet.solve(A, y)
    >>> float(abs(A @ result.coef - y).max()) < 1e-12
    True
    """
    chosen = make_solver(solver)
    limit = None if memory_limit is None else parse_bytes("memory_limit", memory_limit)
    rcond = _rcond(chosen, alpha, rcond)
    one_target = isinstance(B, str) or (np.ndim(B) == 1 and not _are_names(B))
    A, B, weights = _opened(A, B, weights)
    settings = {"solver": chosen, "alpha": alpha, "rcond": rcond, "intercept": intercept}
    records = A if isinstance(A, Records) else None
    if checkpoint is not None and records is None:
        records = make_problem(A, B, alpha, rcond, intercept, weights, limit).records
    run = start_run(records, engine, checkpoint, limit, settings)
    result = chosen.solve(
        A,
        B,
        alpha=alpha,
        rcond=rcond,
        criterion=criterion,
        intercept=intercept,
        weights=weights,
        start=start,
        memory_limit=limit,
        audit=audit,
        run=run,
        one_target=one_target,
    )
    run.end()
    return result


def _are_names(B: Any) -> bool:
    return isinstance(B, list | tuple) and len(B) > 0 and all(isinstance(b, str) for b in B)


def _opened(A: Any, B: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Return sources as records, and everything else as it is."""
    if isinstance(A, Records):
        return A, B, weights
    if is_source(A) and (_are_names(B) or is_source(B)):
        return open_training(A, B, weights, classes=False).records, None, None
    if isinstance(A, np.ndarray) or is_operator(A):
        return A, B, weights
    return open_source(A), B, weights


def _rcond(solver: Solver, alpha: float | str, rcond: float | str | None) -> float | str | None:
    """Return None for ``"auto"`` where there is nothing to choose."""
    if rcond == "auto" and (alpha != 0 or Supports.AUTO_CUTOFF not in solver.supports):
        return None
    return rcond


@dataclass(frozen=True)
class Plan:
    """What a solve would do, before any row is read.

    Attributes
    ----------
    solver : str
        Name of the solver that does the work.
    reason : str
        Why this one.
    n_passes : int
        Passes over the rows: the most, for solvers that iterate.
    flops : float
        Floating-point operations.
    seconds : float
        Their time at the speed of one small product on this machine, measured for the
        plan. The time to read or make the rows comes on top, once a pass; right to a
        factor of about three.
    peak_bytes : int
        Memory beyond the data: the state of the solver and two blocks.
    """

    solver: str
    reason: str
    n_passes: int
    flops: float
    seconds: float
    peak_bytes: int


def plan(
    A: Any,
    B: Any,
    *,
    solver: str | Solver = "auto",
    alpha: float | str = 0.0,
    rcond: float | str | None = "auto",
    intercept: bool = False,
    weights: Any = None,
    memory_limit: int | float | str | None = None,
) -> Plan:
    """Say which solver :func:`solve` would take, with its time, passes and memory.

    Parameters
    ----------
    A : array-like of shape (n_rows, n_cols), source or scipy.sparse.linalg.LinearOperator
        The matrix, of which no row is read.
    B : array-like of shape (n_rows,) or (n_rows, n_targets), str or list of str, or source
        Right-hand sides, or names of columns.
    solver : str or Solver, default="auto"
        As for :func:`solve`, like all that follow.
    alpha : float or "auto", default=0.0
        Ridge.
    rcond : float, None or "auto", default="auto"
        Relative cutoff.
    intercept : bool, default=False
        Whether a constant is solved for.
    weights : array-like of shape (n_rows,), optional
        Weights of the rows.
    memory_limit : int, float or str, optional
        Bytes that a solve may take beyond the data.

    Returns
    -------
    Plan
        The plan.

    Raises
    ------
    InvalidDataError, InvalidSettingError, UnsupportedProblemError, MemoryLimitError
        As :func:`solve` would.

    Examples
    --------
    >>> import numpy as np
    >>> import solvenet
    >>> plan = solvenet.plan(np.ones((1000, 10)), np.ones(1000))
    >>> plan.solver, plan.n_passes
    ('QR', 1)
    """
    chosen = make_solver(solver)
    limit = None if memory_limit is None else parse_bytes("memory_limit", memory_limit)
    rcond = _rcond(chosen, alpha, rcond)
    A, B, weights = _opened(A, B, weights)
    problem = make_problem(A, B, alpha, rcond, intercept, weights, limit)
    chosen.check(problem)
    reason = "asked for"
    if isinstance(chosen, Auto):
        chosen, reason = chosen.choose(problem)
    n_rows, n_cols = problem.A.shape
    cost = chosen.cost(n_rows, n_cols, problem.n_targets)
    return Plan(
        type(chosen).__name__,
        reason,
        cost.passes,
        cost.flops,
        cost.flops / _flops_per_second(),
        cost.state_bytes + 2 * _block_bytes(problem),
    )


def _block_bytes(problem: Problem) -> int:
    n_rows, n_cols = problem.A.shape
    rows = problem.A.rows_per_block or rows_per_block(n_cols)
    return 8 * n_cols * min(n_rows, rows)


def _flops_per_second() -> float:
    """Return the speed of a product of two matrices that fit into the cache."""
    A: Array = np.ones((TRIAL_SIZE, TRIAL_SIZE))
    A @ A
    start = time.perf_counter()
    A @ A
    return float(2 * TRIAL_SIZE**3 / (time.perf_counter() - start))
