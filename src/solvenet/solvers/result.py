"""What a solve returns: the solution, how it was found, how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.linalg.regularization import SelectionCurve
from solvenet.solvers.approximate import History
from solvenet.solvers.factorization import Factorization

if TYPE_CHECKING:
    from solvenet._array_api import Array


class StopReason(Enum):
    """Why a solver stopped; the value says what to do about it."""

    DIRECT = "Solved directly; nothing to do."
    TRUNCATED = (
        "Solved directly in the directions above the cutoff; the others were set to zero. "
        "Lower rcond to keep more of them, or use fewer columns."
    )
    CONVERGED = (
        "The residual is as small as btol and atol ask for; the system is consistent to that "
        "accuracy. Nothing to do."
    )
    CONVERGED_NORMAL = (
        "The normal residual is as small as atol asks for: a least-squares solution. Nothing to do."
    )
    SKETCHED = (
        "Solved on a sketch: the residual is near the least, not at it. SWG gives the exact "
        "solution in one more pass."
    )
    STAGNATED = (
        "Rounding allows no further progress; the best iterate was kept. For more accuracy "
        "use QR, SWG or SVD."
    )
    CONDITION_LIMIT = (
        "The condition number that the iteration sees exceeds conlim. Raise alpha, truncate "
        "(SWG, QR, SVD with rcond), or raise conlim and accept noise in the solution."
    )
    ITERATION_LIMIT = (
        "max_iterations was reached before the tolerance. Allow more, start from this "
        "solution (start=result.coef), precondition (SPIR), or use SWG or QR."
    )
    INTERRUPTED = (
        "The callback asked to stop. A later call with start=result.coef goes on from here."
    )
    STOPPED_EARLY = (
        "The leave-one-out error stopped falling; the columns of later parts were left out. "
        "Nothing to do, or raise patience."
    )
    SWEEPS_ENDED = (
        "Each part was solved for what the parts before it had left, which is not the "
        "least-squares solution of all columns. For that use DeflatedSplit, or QR; more "
        'sweeps or accelerate="lsqr" come closer.'
    )
    BELOW_RESOLUTION = (
        "The problem asks for less regularisation than this solver resolves. Use QR or SVD, "
        "which resolve the square of it, or accept the ridge that was used."
    )
    NON_FINITE = (
        "The solution overflowed. Scale the columns of A and B towards one, or raise alpha."
    )

    @property
    def advice(self) -> str:
        """What to do."""
        return self.value

    @property
    def success(self) -> bool:
        """Whether the solution is what was asked for."""
        return self in (
            StopReason.DIRECT,
            StopReason.TRUNCATED,
            StopReason.STOPPED_EARLY,
            StopReason.CONVERGED,
            StopReason.SKETCHED,
            StopReason.CONVERGED_NORMAL,
        )


@dataclass(frozen=True)
class SolveResult:
    """Solution of ``min ||A W + 1 b' - B||^2 + alpha ||W||^2`` with its audit.

    Attributes
    ----------
    coef : array of shape (n_cols,) or (n_cols, n_targets)
        The solution W, in the shape of B.
    intercept : float or array of shape (n_targets,)
        The unpenalised constant b; zero where none was asked for.
    stop_reason : StopReason
        Why the solver stopped, with ``.success`` and ``.advice``.
    solver : str
        Name of the solver that did the work.
    reason : str
        Why this solver, in words.
    alpha, rcond : float
        The ridge and the relative cutoff that were used.
    rank : int or None
        Directions kept; None where no spectrum was computed.
    singular_values : array or None
        Of A (centred where an intercept was asked for), descending; those below a fixed
        cutoff only where the solver was asked for the whole spectrum.
    residual_norm, normal_residual_norm, coef_norm : array of shape (n_targets,)
        ``||B - A W||``, ``||A' (B - A W) - alpha W||`` and ``||W||`` a column. The second
        is nan where the audit was skipped.
    backward_error : float or None
        Karlson-Walden estimate where the solver has the spectrum, else Stewart's bound;
        None where the audit was skipped.
    curve : SelectionCurve or None
        The scores among which ``"auto"`` chose.
    history : History or None
        Norms of the residual in each iteration, for solvers that iterate.
    factorization : Factorization
        What the solver knows of the matrix.
    n_rows : float
        Rows that counted (sum of the weights).
    n_passes : int
        Passes over A, the audit included.
    audited : bool
        Whether the norms were measured by a pass over A after the solve, rather than
        derived from the factorisation.
    seconds : dict of str to float
        Time of each stage.
    warnings : tuple of str
        What to know before trusting the result.
    """

    coef: Array
    intercept: Any
    stop_reason: StopReason
    solver: str
    reason: str
    alpha: float
    rcond: float
    rank: int | None
    singular_values: Array | None
    residual_norm: Array
    normal_residual_norm: Array
    coef_norm: Array
    backward_error: float | None
    curve: SelectionCurve | None
    history: History | None
    factorization: Factorization = field(repr=False)
    n_rows: float
    n_passes: int
    audited: bool
    seconds: dict[str, float]
    warnings: tuple[str, ...]

    @property
    def condition(self) -> float:
        """Estimated ratio of the largest to the smallest singular value of A."""
        return self.factorization.condition()

    @property
    def floor(self) -> Array:
        """Root mean square error that the regularisation alone may cause, (n_targets,).

        ``max(rcond s1, sqrt(alpha)) ||w|| / sqrt(n_rows)``: the error bound of truncated
        and ridge solutions for targets without noise (Adcock and Huybrechs 2019).
        """
        cut = self.rcond * self.factorization.largest if self.rank is not None else 0.0
        floor: Array = max(cut, self.alpha**0.5) * self.coef_norm / self.n_rows**0.5
        return floor

    @property
    def degrees_of_freedom(self) -> float:
        """Effective number of parameters of the fit, without the intercept."""
        return self.factorization.degrees_of_freedom(self.factorization.ratio(self.alpha))

    @property
    def column_means(self) -> Array:
        """What an intercept subtracts from the columns of A; zero without one."""
        return self.factorization.facts.mean_A

    def covariance_root(self) -> Array:
        """Return P, shape (n_cols, k), with ``P P' = (A'A + alpha I)^-1``.

        In the retained directions. Times the noise variance it is the covariance of W;
        leverages are the row sums of ``((A - column_means) P)**2``. Cost: n_cols**3 / 3
        flops where the solver kept no spectrum.
        """
        return self.factorization.covariance_root(self.factorization.ratio(self.alpha))

    @property
    def noise_variance(self) -> Array:
        """Estimated variance of the targets around the fit, shape (n_targets,)."""
        left = self.n_rows - self.degrees_of_freedom - 1.0
        if left <= 0:
            return np.full_like(self.residual_norm, np.nan)
        return self.residual_norm**2 / left

    def to_dict(self) -> dict[str, Any]:
        """Return the facts (not the arrays of the solution) as plain Python values."""
        skipped = {"coef", "intercept", "factorization", "curve", "history"}
        out: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in skipped:
                continue
            if isinstance(value, StopReason):
                value = {"name": value.name, "advice": value.advice, "success": value.success}
            elif isinstance(value, np.ndarray):
                value = value.tolist()
            elif isinstance(value, tuple):
                value = list(value)
            out[item.name] = value
        out["condition"] = self.condition
        out["floor"] = self.floor.tolist()
        out["degrees_of_freedom"] = self.degrees_of_freedom
        return out

    def summary(self) -> str:
        """Return a short text: what was done, how well, what to do."""
        rank = "not computed" if self.rank is None else f"{self.rank} of {len(self.coef)}"
        error = "not measured" if self.backward_error is None else f"{self.backward_error:.1e}"
        lines = [
            f"{self.solver}: {self.reason}",
            f"  rank {rank}, condition {self.condition:.1e}, alpha {self.alpha:.1e}, "
            f"effective parameters {self.degrees_of_freedom:.1f}",
            f"  residual norm {np.max(self.residual_norm):.3e}, "
            f"norm of the solution {np.max(self.coef_norm):.3e}, backward error {error}",
            f"  passes {self.n_passes}, {sum(self.seconds.values()):.3f} s",
            f"  {self.stop_reason.name}: {self.stop_reason.advice}",
        ]
        lines += [f"  warning: {text}" for text in self.warnings]
        return "\n".join(lines)
