"""A solution that was found without factoring the matrix, and how it was approached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.regularization import SelectionCurve
from solvenet.solvers.factorization import Factorization

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class History:
    """What was measured in each iteration (or sweep), the start included.

    Attributes
    ----------
    residual_norms : array of shape (n_iterations + 1, n_targets)
        ``||B - A W||`` a column, or its estimate by the recurrence of the method.
    normal_residual_norms : array of shape (n_iterations + 1, n_targets) or None
        ``||A' (B - A W) - alpha W||`` a column, where the method knows it.
    """

    residual_norms: Array
    normal_residual_norms: Array | None = None

    @property
    def n_iterations(self) -> int:
        """How many iterations were made."""
        return len(self.residual_norms) - 1


@dataclass(frozen=True)
class ApproximateSolution(Factorization):
    """One solution at one ridge; the matrix was never factored.

    Attributes
    ----------
    W : array of shape (n_cols, n_targets)
        The solution.
    sumsq : array of shape (n_targets,)
        Its sum of squared residuals, as the method knows it.
    condition_estimate : float
        Of the condition number of A.
    frobenius_norm : float
        Estimate of ``||A||_F``; nan where the method has none.
    """

    W: Array = field(repr=False)
    sumsq: Array = field(repr=False)
    condition_estimate: float
    frobenius_norm: float = float("nan")

    def coef(self, ratio: float) -> Array:
        """Return the solution, shape (n_cols, n_targets)."""
        return self.W

    def residual_sumsq(self, ratio: float) -> Array:
        """Return the sum of squared residuals of each target."""
        return self.sumsq

    def degrees_of_freedom(self, ratio: float) -> float:
        """Return nan: without a factorisation they are not known."""
        return float("nan")

    def covariance_root(self, ratio: float) -> Array:
        """Refuse: without a factorisation it is not known."""
        msg = (
            "This solver does not factor the matrix, so the covariance of the weights and "
            "leverages are not known. Use SWG, QR, SVD or NormalEquations."
        )
        raise UnsupportedProblemError(msg)

    def choose_ridge(self, criterion: str = "loo") -> SelectionCurve:
        """Refuse: without a factorisation leave-one-out errors are not known."""
        msg = "Leave-one-out needs a factorisation. Use SWG, QR, SVD or NormalEquations."
        raise UnsupportedProblemError(msg)

    def condition(self) -> float:
        """Return the estimate of the method."""
        return self.condition_estimate

    def frobenius(self) -> float:
        """Return the estimate of ``||A||_F``."""
        return self.frobenius_norm
