"""What every solution is measured by, in the original variables, whatever solved it."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from solvenet.errors import IllConditionedWarning
from solvenet.linalg.accuracy import column_norms, karlson_walden, stewart
from solvenet.linalg.rank import ORTHOGONAL_RESOLUTION, finest_cutoff, numerical_rank
from solvenet.reductions import Reduction
from solvenet.solvers.approximate import History
from solvenet.solvers.factorization import Factorization, SpectralFactorization
from solvenet.solvers.operator import ProblemOperator
from solvenet.solvers.passes import one_pass
from solvenet.solvers.problem import Problem
from solvenet.solvers.result import SolveResult, StopReason

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.linalg.regularization import SelectionCurve


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
    history: History | None = None
    residual_is_exact: bool = True
    residual_factor: float = 1.0
    residual_tolerance: float = 0.1
    rank: int | None = None
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


def solution_of(
    problem: Problem, factorization: Factorization, *, solver: str, reason: str, n_passes: int
) -> RawSolution:
    """Apply the regularisation that the problem asks for to a factorisation."""
    rcond, curve, stop = problem.cutoff(), None, StopReason.DIRECT
    ratio = 0.0 if isinstance(problem.alpha, str) else factorization.ratio(problem.alpha)
    finest = finest_cutoff(factorization.resolution)
    if isinstance(factorization, SpectralFactorization):
        if problem.alpha == "auto":
            # Directions at the level of rounding are noise for any ridge.
            rcond = finest
        elif problem.rcond == "auto":
            finest = max(finest, float(np.finfo(problem.A.dtype).eps) / 2)
            factorization = factorization.truncated(finest)
            # Half the digits of a residual from a Gram matrix are noise: not for GCV.
            exact = factorization.resolution <= ORTHOGONAL_RESOLUTION
            curve = factorization.choose_cutoff(problem.criterion or ("gcv" if exact else "loo"))
            rcond = curve.value
        if ratio == 0:
            below = numerical_rank(factorization.singular_values, rcond)
            rcond = max(rcond, finest)
            factorization = factorization.truncated(rcond)
            if factorization.rank < below:
                stop = StopReason.BELOW_RESOLUTION
            elif factorization.rank < min(problem.A.shape) and problem.alpha != "auto":
                stop = StopReason.TRUNCATED
    elif (
        problem.alpha != "auto"
        and ratio < factorization.resolution
        and factorization.resolution > 1e-3 * factorization.condition() ** -2
    ):
        # A well-conditioned matrix needs no ridge; any other gets the smallest resolved.
        ratio, stop = factorization.resolution, StopReason.BELOW_RESOLUTION
    if problem.alpha == "auto":
        curve = factorization.choose_ridge(problem.criterion or "loo")
        ratio = factorization.ratio(curve.value)
        if factorization.resolution > ORTHOGONAL_RESOLUTION and curve.asks_for_less():
            stop = StopReason.BELOW_RESOLUTION
    return RawSolution(factorization, solver, reason, ratio, rcond, stop, n_passes, curve)


def audit_solution(
    problem: Problem, raw: RawSolution, audit: str, *, one_target: bool
) -> SolveResult:
    """Measure the solution in the original variables and build the result."""
    start = time.perf_counter()
    factorization = raw.factorization
    alpha = factorization.alpha(raw.ratio)
    W = factorization.coef(raw.ratio)
    constant = factorization.facts.mean_B - factorization.facts.mean_A @ W
    claimed = np.sqrt(np.maximum(factorization.residual_sumsq(raw.ratio), 0.0))
    claimed *= raw.residual_factor
    coef_norm = column_norms(W)
    finite = bool(np.isfinite(W).all())
    measure = audit == "full" or (
        audit == "auto" and not raw.residual_is_exact and problem.A.n_passes is None
    )
    residual, normal = claimed, np.full(claimed.shape, np.nan)
    backward = None
    notes = list(raw.notes)
    if measure and finite:
        residual, gradient = _measure(problem, W, constant, factorization.facts.mean_A)
        gradient -= alpha * W
        normal = column_norms(gradient)
        spectral = factorization.spectral()
        if spectral is not None:
            k = spectral.rank
            backward = karlson_walden(
                spectral.singular_values[:k],
                spectral.right_vectors[:, :k],
                W,
                gradient,
                residual,
                alpha,
            )
        elif np.isfinite(factorization.frobenius()):
            backward = stewart(factorization.frobenius(), W, normal, residual, alpha)
        scale = np.sqrt(factorization.facts.total_sumsq)
        off = np.abs(residual - claimed) > raw.residual_tolerance * residual + 1e-7 * scale
        if off.any():
            notes.append(
                "The residual measured in the original variables "
                f"({residual[off][0]:.2e}) differs from the solver's own ({claimed[off][0]:.2e})."
            )
    stop = raw.stop_reason if finite else StopReason.NON_FINITE
    if not finite:
        notes.append("The solution is not finite.")
    elif not stop.success:
        notes.append(stop.advice)
    asked_to_stop = stop is StopReason.INTERRUPTED
    if not asked_to_stop and (not stop.success or (notes and problem.alpha != "auto")):
        warnings.warn(f"{raw.solver}: {' '.join(notes)}", IllConditionedWarning, stacklevel=3)
    raw.seconds["audit"] = time.perf_counter() - start
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
        rank=getattr(factorization, "rank", raw.rank),
        singular_values=factorization.values(),
        residual_norm=residual,
        normal_residual_norm=normal,
        coef_norm=coef_norm,
        backward_error=backward,
        curve=raw.curve,
        history=raw.history,
        factorization=factorization,
        n_rows=factorization.facts.n_rows,
        n_passes=raw.n_passes + (1 if measure and finite else 0),
        audited=measure and finite,
        seconds=raw.seconds,
        warnings=tuple(notes),
    )


def _measure(problem: Problem, W: Array, constant: Array, mean_A: Array) -> tuple[Array, Array]:
    """Return ``||B - A W - b||`` and ``A' (B - A W - b)`` (weighted, centred): one pass."""
    if not problem.intercept:
        constant = 0.0 * constant
    if problem.A.has_products:
        operator = ProblemOperator(problem, mean_A=mean_A)
        R, gradient = operator.step(W, operator.B)
        return column_norms(R), -gradient
    make = partial(ResidualReduction, W, constant)
    left = one_pass(problem, make, name="audit", keep=False).inner
    assert isinstance(left, ResidualReduction)
    return np.sqrt(left.sumsq), left.gradient - np.outer(mean_A, left.sums)


class ResidualReduction(Reduction):
    """Residual of a solution and its gradient.

    Parameters
    ----------
    W : array of shape (n_cols, n_targets)
        The solution.
    constant : array of shape (n_targets,)
        Its intercept.

    Attributes
    ----------
    sumsq, sums : array of shape (n_targets,)
        Weighted squares, and weighted sums, of ``B - A W - constant``.
    gradient : array of shape (n_cols, n_targets)
        ``A'`` times it, weighted.
    """

    def __init__(self, W: Array, constant: Array) -> None:
        self.W, self.constant = W, constant
        self.sumsq, self.sums = np.zeros(W.shape[1]), np.zeros(W.shape[1])
        self.gradient = np.zeros(W.shape)

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows."""
        left = B - A @ self.W - self.constant
        weighted = left if weights is None else left * weights[:, None]
        self.sumsq += np.einsum("ij,ij->j", left, weighted)
        self.sums += weighted.sum(axis=0)
        self.gradient += A.T @ weighted

    def merge(self, other: ResidualReduction) -> None:
        """Add the rows of `other`."""
        self.sumsq += other.sumsq
        self.sums += other.sums
        self.gradient += other.gradient

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return 2 * self.W.nbytes
