"""A ridge problem by its triangular factor alone: no spectrum, and none of its cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.factor import (
    frobenius,
    triangular_condition,
    triangular_inverse,
    triangular_solve,
)
from solvenet.linalg.regularization import SelectionCurve
from solvenet.solvers.factorization import Factorization

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class TriangularFactorization(Factorization):
    """``R' R = A' A + alpha I`` for the one alpha that the factor was folded with.

    Attributes
    ----------
    R : array of shape (n_cols, n_cols)
        Upper triangle.
    C : array of shape (n_cols, n_targets)
        ``Q' [B; 0]``.
    outside : array of shape (n_targets,)
        ``||B - A W||^2 + alpha ||W||^2`` of the solution.
    ridge : float
        The alpha.

    Notes
    -----
    ``n_cols**2 n_targets`` flops for the solution, ``n_cols**3 / 3`` once for what needs the
    inverse of R.
    """

    R: Array = field(repr=False)
    C: Array = field(repr=False)
    outside: Array = field(repr=False)
    ridge: float

    @cached_property
    def _inverse(self) -> Array:
        return triangular_inverse(np.asfortranarray(self.R.T)).T

    def coef(self, ratio: float) -> Array:
        """Return the solution, shape (n_cols, n_targets)."""
        return triangular_solve(self.R, self.C, lower=False)

    def residual_sumsq(self, ratio: float) -> Array:
        """Return the sum of squared residuals of each target."""
        W = self.coef(ratio)
        left: Array = self.outside - self.ridge * np.einsum("ij,ij->j", W, W)
        return np.maximum(left, 0.0)

    def degrees_of_freedom(self, ratio: float) -> float:
        """Return the trace of the hat matrix, without the intercept."""
        return len(self.R) - self.ridge * float(np.einsum("ij,ij->", self._inverse, self._inverse))

    def covariance_root(self, ratio: float) -> Array:
        """Return ``R^-1``, shape (n_cols, n_cols)."""
        return self._inverse

    def condition(self) -> float:
        """Return an estimate of the condition number of A with the ridge below it."""
        return triangular_condition(self.R)

    def frobenius(self) -> float:
        """Return ``||A||_F``."""
        norm = frobenius(np.asfortranarray(self.R))
        share = self.ridge * len(self.R) / norm / norm
        return norm * float(np.sqrt(max(1.0 - share, 0.0)))

    def choose_ridge(self, criterion: str = "loo") -> SelectionCurve:
        """Refuse: the ridge was folded in."""
        msg = 'A triangular factor knows one ridge. Use QR() with alpha="auto".'
        raise UnsupportedProblemError(msg)
