"""The protocol of solvers: check, solve, audit."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, ClassVar, final

import numpy as np

from solvenet._validation import check_choice
from solvenet.blocks import Records
from solvenet.engine import Run
from solvenet.errors import UnsupportedProblemError
from solvenet.solvers.audit import RawSolution, audit_solution
from solvenet.solvers.factorization import KeptRows
from solvenet.solvers.problem import Problem, make_problem
from solvenet.solvers.result import SolveResult


class Needs(Flag):
    """What a solver asks of the source of rows."""

    ONE_PASS = auto()
    MANY_PASSES = auto()
    MATRIX = auto()


class Supports(Flag):
    """What a solver can do."""

    ALPHA = auto()
    RANK_DEFICIENT = auto()
    WIDE = auto()
    AUTO_RIDGE = auto()
    AUTO_CUTOFF = auto()
    WARM_START = auto()


EVERYTHING = (
    Supports.ALPHA
    | Supports.RANK_DEFICIENT
    | Supports.WIDE
    | Supports.AUTO_RIDGE
    | Supports.AUTO_CUTOFF
)
"""What solvers support that know the singular values."""


@dataclass(frozen=True)
class Cost:
    """What a solve takes, before any work.

    Attributes
    ----------
    flops : float
        Floating-point operations, to a factor of about two.
    passes : int
        Passes over the rows, without the audit. For solvers that iterate the most that
        their default settings allow.
    state_bytes : int
        Memory beyond the data and two of its blocks.
    """

    flops: float
    passes: int
    state_bytes: int


class Solver(ABC):
    """A way to solve linear least squares, declared by what it needs and supports.

    Subclasses hold settings only and implement :meth:`_solve`; :meth:`solve` is the same
    for all: checks before any row is read, the work, an audit by common code.
    """

    needs: ClassVar[Needs]
    supports: ClassVar[Supports]

    @final
    def solve(
        self,
        A: Any,
        B: Any,
        *,
        alpha: float | str = 0.0,
        rcond: float | str | None = None,
        intercept: bool = False,
        weights: Any = None,
        memory_limit: int | None = None,
        choose_by: KeptRows | tuple[Any, Any] | None = None,
        criterion: str | None = None,
        start: Any = None,
        audit: str = "auto",
        run: Run | None = None,
        subset: tuple[Records, float] | None = None,
        one_target: bool | None = None,
    ) -> SolveResult:
        """Solve ``min sum_i w_i ||a_i W + b - b_i||^2 + alpha ||W||^2``.

        Parameters
        ----------
        A : RowBlocks, Records or array-like of shape (n_rows, n_cols)
            The matrix; any source of row blocks. Records bring B and the weights.
        B : array-like of shape (n_rows,) or (n_rows, n_targets), or None
            Right-hand sides.
        alpha : float or "auto", default=0.0
            Ridge parameter; multiplies ``||W||^2``, with no hidden ``1 / n_rows``.
            ``"auto"`` chooses it from the data, by `criterion`.
        rcond : float, None or "auto", default=None
            Singular values of at most ``rcond * s1`` count as zero. None stands for
            ``eps * max(A.shape)``; ``"auto"`` chooses it from the data, by `criterion`.
        intercept : bool, default=False
            Solve for an unpenalised constant b as well.
        weights : array-like of shape (n_rows,), optional
            Non-negative weights; an integer weight equals as many repetitions.
        memory_limit : int, optional
            Bytes allowed for an explicit matrix, for solvers that need one.
        choose_by : tuple of (index, weights) or KeptRows, optional
            Rows whose exact leave-one-out errors choose what is ``"auto"``, and their
            weights: their numbers, or themselves. By default up to 2000 rows, evenly spaced.
        criterion : {"loo", "gcv"}, optional
            What chooses: exact leave-one-out errors of some rows, or generalised
            cross-validation over all of them. By default leave-one-out for alpha and
            cross-validation for rcond: near interpolation leave-one-out rests on few rows.
        start : array-like of shape (n_cols,) or (n_cols, n_targets), optional
            First guess of the solution, for solvers that iterate. An interrupted solve
            goes on from the solution it had.
        audit : {"auto", "full", "skip"}, default="auto"
            ``"full"`` measures the residual and the normal residual by one more pass;
            ``"auto"`` does so only where the factorisation does not give the residual
            to full accuracy and the source can be read again.
        run : Run, optional
            Engine and checkpoint of the passes; see :class:`solvenet.engine.Run`.
        subset : tuple of (Records, share), optional
            Rows that stand for all, with their share of the weight, for solvers that begin
            with some rows. By default these take evenly spaced ones.
        one_target : bool, optional
            Return ``coef`` of shape (n_cols,); by default where B is one-dimensional.

        Returns
        -------
        SolveResult
            Solution, diagnostics, reason to stop with advice.

        Raises
        ------
        InvalidDataError
            Shapes that do not fit, no rows or columns, NaN or infinite values.
        InvalidSettingError
            A setting outside its range.
        UnsupportedProblemError
            The solver does not support what was asked, or the source allows too few
            passes.
        """
        problem = make_problem(
            A,
            B,
            alpha,
            rcond,
            intercept,
            weights,
            memory_limit,
            choose_by,
            start,
            criterion,
            run,
            subset,
        )
        check_choice("audit", audit, ("auto", "full", "skip"))
        self.check(problem, audit=audit)
        start = time.perf_counter()
        raw = self._solve(problem)
        raw.seconds.setdefault("solve", time.perf_counter() - start - sum(raw.seconds.values()))
        if one_target is None:
            one_target = B is not None and np.ndim(B) == 1
        return audit_solution(problem, raw, audit, one_target=one_target)

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what this solver cannot do."""
        if problem.alpha == "auto" and problem.rcond == "auto":
            msg = 'alpha="auto" and rcond="auto" were both given; choose one of them.'
            raise UnsupportedProblemError(msg)
        name = type(self).__name__
        wide = problem.A.shape[0] < problem.A.shape[1]
        wanted = {
            Supports.AUTO_RIDGE: problem.alpha == "auto",
            Supports.ALPHA: not isinstance(problem.alpha, str) and problem.alpha > 0,
            Supports.AUTO_CUTOFF: problem.rcond == "auto",
            Supports.WIDE: wide,
            Supports.WARM_START: problem.start is not None,
        }
        for feature, asked in wanted.items():
            if asked and feature not in self.supports:
                msg = f"{name} does not support {feature.name}. Use QR, SVD or Auto."
                raise UnsupportedProblemError(msg)
        passes = problem.A.n_passes
        needed = 1 + (audit == "full")
        if passes is not None and (passes < needed or Needs.MANY_PASSES in self.needs):
            msg = (
                f"{name} with audit={audit!r} reads the rows more than once; the source "
                f"{type(problem.A).__name__} allows {passes} pass. Use QR with "
                'audit="auto", or a source that can be read again.'
            )
            raise UnsupportedProblemError(msg)

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve of this shape."""
        msg = f"{type(self).__name__} does not say what it costs."
        raise UnsupportedProblemError(msg)

    @abstractmethod
    def _solve(self, problem: Problem) -> RawSolution:
        """Solve a checked problem."""
