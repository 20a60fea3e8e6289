"""The protocol of solvers: check, solve, audit."""

from __future__ import annotations

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from solvenet._validation import check_auto_or_nonnegative, check_finite
from solvenet.blocks import RowBlocks, as_row_blocks
from solvenet.errors import IllConditionedWarning, InvalidDataError, UnsupportedProblemError
from solvenet.linalg.accuracy import karlson_walden
from solvenet.linalg.rank import relative_cutoff
from solvenet.solvers.factorization import Factorization, SpectralFactorization
from solvenet.solvers.result import SolveResult, StopReason

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.linalg.regularization import SelectionCurve


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


@dataclass(frozen=True)
class Problem:
    """``min sum_i w_i ||a_i W + b - b_i||^2 + alpha ||W||^2``, checked, not yet solved.

    Attributes
    ----------
    A : RowBlocks of shape (n_rows, n_cols)
        The matrix.
    B : array of shape (n_rows, n_targets), float64
        Right-hand sides.
    weights : array of shape (n_rows,) or None
        Weights of the rows; None stands for ones.
    intercept : bool
        Whether an unpenalised constant is solved for.
    alpha : float or "auto"
        Ridge.
    rcond : float, None or "auto"
        Relative cutoff.
    memory_limit : int or None
        Bytes that a solver may take for an explicit matrix.
    choose_by : tuple of (index, weights) or None
        Rows whose leave-one-out errors choose what is ``"auto"``, with their weights.
    """

    A: RowBlocks
    B: Array
    weights: Array | None
    intercept: bool
    alpha: float | str
    rcond: float | str | None
    memory_limit: int | None
    choose_by: tuple[Array, Array] | None = None

    def blocks(self) -> Iterator[tuple[slice, Array, Array, Array | None]]:
        """Yield ``(rows, A_block, B_block, weights_block)`` in row order: one pass."""
        for rows, block in self.A.blocks():
            weights = None if self.weights is None else self.weights[rows]
            yield rows, block, self.B[rows], weights

    @property
    def chooses(self) -> bool:
        """Whether something is chosen by leave-one-out."""
        return self.alpha == "auto" or self.rcond == "auto"

    def rows_to_keep(self) -> tuple[Array, Array]:
        """Return the index (ascending) and the weights of the rows to choose by."""
        if self.choose_by is not None:
            index, weights = self.choose_by
            order = np.argsort(index)
            return index[order], weights[order]
        w = np.ones(len(self.B)) if self.weights is None else self.weights
        counted = np.flatnonzero(w > 0)
        index = counted[:: -(-len(counted) // rows_to_choose_by(self.A.shape[1]))]
        return index, w[index]

    @property
    def n_effective(self) -> float:
        """Sum of the weights, which count as repetitions of a row.

        Weights that sum to less than the number of positive ones (normalised weights)
        are counted as if their mean were one.
        """
        if self.weights is None:
            return float(len(self.B))
        return float(max(self.weights.sum(), np.count_nonzero(self.weights)))

    def cutoff(self) -> float:
        """Return the fixed relative cutoff (machine precision where it is chosen later)."""
        rcond = None if isinstance(self.rcond, str) else self.rcond
        return relative_cutoff(rcond, self.A.shape, self.A.dtype)


@dataclass
class RawSolution:
    """What ``_solve`` hands to the common code."""

    factorization: Factorization
    solver: str
    reason: str
    ratio: float
    rcond: float
    stop_reason: StopReason
    n_passes: int
    curve: SelectionCurve | None = None
    residual_is_exact: bool = True
    seconds: dict[str, float] = field(default_factory=dict)


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
        choose_by: tuple[Any, Any] | None = None,
        audit: str = "auto",
    ) -> SolveResult:
        """Solve ``min sum_i w_i ||a_i W + b - b_i||^2 + alpha ||W||^2``.

        Parameters
        ----------
        A : RowBlocks or array-like of shape (n_rows, n_cols)
            The matrix; any source of row blocks.
        B : array-like of shape (n_rows,) or (n_rows, n_targets)
            Right-hand sides.
        alpha : float or "auto", default=0.0
            Ridge parameter; multiplies ``||W||^2``, with no hidden ``1 / n_rows``.
            ``"auto"`` chooses it by leave-one-out.
        rcond : float, None or "auto", default=None
            Singular values of at most ``rcond * s1`` count as zero. None stands for
            ``eps * max(A.shape)``; ``"auto"`` chooses it by leave-one-out.
        intercept : bool, default=False
            Solve for an unpenalised constant b as well.
        weights : array-like of shape (n_rows,), optional
            Non-negative weights; an integer weight equals as many repetitions.
        memory_limit : int, optional
            Bytes allowed for an explicit matrix, for solvers that need one.
        choose_by : tuple of (index, weights), optional
            Rows whose exact leave-one-out errors choose what is ``"auto"``, and their
            weights. By default up to 2000 rows, evenly spaced.
        audit : {"auto", "full", "skip"}, default="auto"
            ``"full"`` measures the residual and the normal residual by one more pass;
            ``"auto"`` does so only where the factorisation does not give the residual
            to full accuracy and the source can be read again.

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
        problem = make_problem(A, B, alpha, rcond, intercept, weights, memory_limit, choose_by)
        if audit not in ("auto", "full", "skip"):
            msg = f"audit={audit!r} is unknown. Use one of: auto, full, skip."
            raise UnsupportedProblemError(msg)
        self.check(problem, audit=audit)
        start = time.perf_counter()
        raw = self._solve(problem)
        raw.seconds.setdefault("solve", time.perf_counter() - start - sum(raw.seconds.values()))
        return _audit(problem, raw, audit, one_target=np.ndim(B) == 1)

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what this solver cannot do."""
        name = type(self).__name__
        wide = problem.A.shape[0] < problem.A.shape[1]
        wanted = {
            Supports.AUTO_RIDGE: problem.alpha == "auto",
            Supports.ALPHA: not isinstance(problem.alpha, str) and problem.alpha > 0,
            Supports.AUTO_CUTOFF: problem.rcond == "auto",
            Supports.WIDE: wide,
        }
        for feature, asked in wanted.items():
            if asked and feature not in self.supports:
                msg = (
                    f"{name} does not support {feature.name} problems. Use QR, SVD or Auto."
                )
                raise UnsupportedProblemError(msg)
        if problem.alpha == "auto" and problem.rcond == "auto":
            msg = 'alpha="auto" and rcond="auto" were both given; choose one of them.'
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

    @abstractmethod
    def _solve(self, problem: Problem) -> RawSolution:
        """Solve a checked problem."""


def make_problem(
    A: Any,
    B: Any,
    alpha: float | str,
    rcond: float | str | None,
    intercept: bool,
    weights: Any,
    memory_limit: int | None,
    choose_by: tuple[Any, Any] | None = None,
) -> Problem:
    """Check shapes, numbers and settings and return the problem."""
    A = as_row_blocks(A)
    B = np.asarray(B)
    if B.dtype.kind not in "fiub" or B.ndim not in (1, 2) or len(B) != A.shape[0]:
        msg = (
            f"B of shape {B.shape} and dtype {B.dtype} was given for a matrix of shape "
            f"{A.shape}; real numbers of shape ({A.shape[0]},) or ({A.shape[0]}, n_targets) "
            "are wanted."
        )
        raise InvalidDataError(msg)
    B = B.astype(np.float64, copy=False).reshape(len(B), -1)
    if 0 in A.shape or B.shape[1] == 0:
        msg = (
            f"A of shape {A.shape} with B of shape {B.shape} has nothing to solve; at least "
            "one row, one column and one right-hand side are wanted."
        )
        raise InvalidDataError(msg)
    check_finite("B", B)
    if weights is not None:
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != B.shape[:1]:
            msg = f"weights of shape {weights.shape} were given; ({len(B)},) is wanted."
            raise InvalidDataError(msg)
        check_finite("weights", weights)
        if (weights < 0).any() or not weights.any():
            msg = "weights must be >= 0, with at least one above zero."
            raise InvalidDataError(msg)
    check_auto_or_nonnegative("alpha", alpha)
    if rcond is not None and check_auto_or_nonnegative("rcond", rcond) != "auto":
        relative_cutoff(rcond, A.shape, A.dtype)  # type: ignore[arg-type]
    if choose_by is not None:
        index, importance = np.asarray(choose_by[0]), np.asarray(choose_by[1], dtype=np.float64)
        if index.ndim != 1 or index.shape != importance.shape or index.dtype.kind not in "iu":
            msg = "choose_by wants (index, weights): row numbers and as many weights."
            raise InvalidDataError(msg)
        choose_by = (index, importance)
    return Problem(A, B, weights, intercept, alpha, rcond, memory_limit, choose_by)


def rows_to_choose_by(n_cols: int) -> int:
    """Return how many rows the regularisation is chosen by: fewer where each costs more."""
    return int(min(2000, max(400, 1e9 / n_cols**2)))


def solution_of(
    problem: Problem, factorization: Factorization, *, solver: str, reason: str, n_passes: int
) -> RawSolution:
    """Apply the regularisation that the problem asks for to a factorisation."""
    rcond, curve, stop = problem.cutoff(), None, StopReason.DIRECT
    ratio = 0.0
    if problem.alpha == "auto":
        if isinstance(factorization, SpectralFactorization):
            # Directions at the level of rounding are noise for any ridge.
            factorization = factorization.truncated(factorization.resolution**0.5)
        curve = factorization.choose_ridge()
        ratio = factorization.ratio(curve.value)
    elif not isinstance(problem.alpha, str) and problem.alpha > 0:
        ratio = factorization.ratio(problem.alpha)
    if isinstance(factorization, SpectralFactorization):
        if problem.rcond == "auto":
            factorization = factorization.truncated(rcond)
            curve = factorization.choose_cutoff()
            rcond = min(curve.value, 0.99)
        if problem.alpha != "auto":
            factorization = factorization.truncated(rcond)
            if ratio == 0 and factorization.rank < problem.A.shape[1]:
                stop = StopReason.TRUNCATED
    if 0 < ratio < 0.99 * factorization.resolution or (
        curve is not None and curve.parameter == "alpha" and curve.asks_for_less()
        and factorization.resolution > 1e-20
    ):
        stop = StopReason.BELOW_RESOLUTION
    return RawSolution(factorization, solver, reason, ratio, rcond, stop, n_passes, curve)


def _audit(problem: Problem, raw: RawSolution, audit: str, *, one_target: bool) -> SolveResult:
    """Measure the solution in the original variables and build the result."""
    start = time.perf_counter()
    factorization = raw.factorization
    alpha = factorization.alpha(raw.ratio)
    W = factorization.coef(raw.ratio)
    constant = factorization.mean_B - factorization.mean_A @ W
    claimed = np.sqrt(np.maximum(factorization.residual_sumsq(raw.ratio), 0.0))
    coef_norm = np.linalg.norm(W, axis=0)
    finite = bool(np.isfinite(W).all())
    measure = audit == "full" or (
        audit == "auto" and not raw.residual_is_exact and problem.A.n_passes is None
    )
    residual, normal = claimed, np.full(claimed.shape, np.nan)
    backward = None
    notes: list[str] = []
    if measure and finite:
        residual, gradient = _measure(problem, W, constant, factorization.mean_A)
        gradient -= alpha * W
        normal = np.linalg.norm(gradient, axis=0)
        if isinstance(factorization, SpectralFactorization):
            k = factorization.rank
            backward = karlson_walden(
                factorization.singular_values[:k],
                factorization.right_vectors[:, :k],
                W,
                gradient,
                residual,
                alpha,
            )
        scale = np.sqrt(factorization.total_sumsq)
        off = np.abs(residual - claimed) > 0.1 * residual + 1e-7 * scale
        if off.any():
            notes.append(
                "The residual measured in the original variables "
                f"({residual[off][0]:.2e}) differs from the solver's own ({claimed[off][0]:.2e})."
            )
    stop = raw.stop_reason if finite else StopReason.NON_FINITE
    condition = factorization.condition()
    if not finite:
        notes.append("The solution is not finite.")
    if stop is StopReason.BELOW_RESOLUTION:
        notes.append(stop.advice)
    if (
        factorization.resolution > 1e-20
        and raw.ratio < factorization.resolution
        and condition**2 * factorization.resolution > 1
    ):
        notes.append(
            f"Condition number {condition:.1e}: a Gram matrix resolves up to "
            f"{factorization.resolution**-0.5:.0e}. Use QR or SVD."
        )
    if not stop.success or (notes and problem.alpha != "auto"):
        warnings.warn(f"{raw.solver}: {' '.join(notes)}", IllConditionedWarning, stacklevel=3)
    raw.seconds["audit"] = time.perf_counter() - start
    spectral = isinstance(factorization, SpectralFactorization)
    return SolveResult(
        coef=W[:, 0] if one_target else W,
        intercept=(float(constant[0]) if one_target else constant)
        if problem.intercept
        else (0.0 if one_target else np.zeros(len(constant))),
        stop_reason=stop,
        solver=raw.solver,
        reason=raw.reason,
        alpha=alpha,
        rcond=raw.rcond,
        rank=factorization.rank if spectral else None,
        singular_values=factorization.singular_values if spectral else None,
        condition=condition,
        residual_norm=residual,
        normal_residual_norm=normal,
        coef_norm=coef_norm,
        backward_error=backward,
        curve=raw.curve,
        factorization=factorization,
        n_rows=problem.n_effective,
        n_passes=raw.n_passes + (1 if measure and finite else 0),
        audited=measure and finite,
        seconds=raw.seconds,
        warnings=tuple(notes),
    )


def _measure(
    problem: Problem, W: Array, constant: Array, mean_A: Array
) -> tuple[Array, Array]:
    """Return ``||B - A W - b||`` and ``A' (B - A W - b)`` (weighted, centred): one pass."""
    sumsq = np.zeros(W.shape[1])
    gradient = np.zeros(W.shape)
    for _, block, targets, weights in problem.blocks():
        left = targets - block @ W - (constant if problem.intercept else 0.0)
        weighted = left if weights is None else left * weights[:, None]
        sumsq += np.einsum("ij,ij->j", left, weighted)
        gradient += block.T @ weighted
        gradient -= np.outer(mean_A, weighted.sum(axis=0))
    return np.sqrt(sumsq), gradient
