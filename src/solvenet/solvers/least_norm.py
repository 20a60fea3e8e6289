"""A truncated solution without its singular vectors, which are computed if they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from solvenet.linalg.factor import least_norm
from solvenet.linalg.leading import try_leading_svd
from solvenet.linalg.products import multiply
from solvenet.linalg.rank import ORTHOGONAL_RESOLUTION, condition_number, finest_cutoff
from solvenet.linalg.regularization import SelectionCurve
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.factorization import (
    Factorization,
    ProblemFacts,
    SpectralFactorization,
    spectral_from_matrix,
)
from solvenet.solvers.problem import Problem
from solvenet.solvers.result import StopReason

if TYPE_CHECKING:
    from solvenet._array_api import Array

FEW_COLUMNS = 600
"""Up to this many a bidiagonalisation without singular vectors is faster than a search for
the leading ones."""

WORTHWHILE = 0.42
"""Share of the directions beyond which that is so for more columns, too."""


@dataclass(frozen=True)
class LeastNormFactorization(Factorization):
    """The solution of least norm at one cutoff, with the singular values.

    Attributes
    ----------
    matrix : array of shape (k, n_cols)
        The (centred, weighted) matrix, or its triangular factor.
    C : array of shape (k, n_targets)
        Right-hand sides in its rows.
    outside : array of shape (n_targets,)
        Squared norm of what was already left out of them.
    W : array of shape (n_cols, n_targets)
        The solution.
    singular_values : array
        All of them, descending.
    rank : int
        Directions kept.
    """

    matrix: Array = field(repr=False)
    C: Array = field(repr=False)
    outside: Array = field(repr=False)
    W: Array = field(repr=False)
    singular_values: Array = field(repr=False)
    rank: int

    @cached_property
    def _spectral(self) -> SpectralFactorization:
        full = spectral_from_matrix(
            self.matrix, self.C, self.outside, facts=self.facts, resolution=self.resolution
        )
        return replace(full, rank=self.rank)

    def spectral(self) -> SpectralFactorization | None:
        """Return the spectral form; a decomposition the first time."""
        return self._spectral

    def values(self) -> Array | None:
        """Return the singular values."""
        return self.singular_values

    def coef(self, ratio: float) -> Array:
        """Return the solution, shape (n_cols, n_targets)."""
        return self.W

    def residual_sumsq(self, ratio: float) -> Array:
        """Return the sum of squared residuals of each target."""
        left = self.C - multiply(self.matrix, self.W)
        total: Array = self.outside + np.einsum("ij,ij->j", left, left)
        return total

    def degrees_of_freedom(self, ratio: float) -> float:
        """Return the rank."""
        return float(self.rank)

    def covariance_root(self, ratio: float) -> Array:
        """Return P, shape (n_cols, rank), with ``P P' = (A'A)^-1`` in the kept directions."""
        return self._spectral.covariance_root(ratio)

    def condition(self) -> float:
        """Return the ratio of the extreme singular values."""
        return condition_number(self.singular_values)

    def frobenius(self) -> float:
        """Return ``||A||_F``."""
        scale = self.largest or 1.0
        return scale * float(np.linalg.norm(self.singular_values / scale))

    def choose_ridge(self, criterion: str = "loo") -> SelectionCurve:
        """Return the curve of errors over alpha, from the spectral form."""
        return self._spectral.choose_ridge(criterion)


def solve_at_cutoff(
    problem: Problem,
    matrix: Array,
    C: Array,
    outside: Array,
    facts: ProblemFacts,
    *,
    solver: str,
    reason: str,
) -> RawSolution:
    """Solve a small (or triangular) problem whose cutoff is a number, without a ridge.

    By its leading singular triplets where they are few, else by a bidiagonalisation.
    """
    asked = problem.cutoff()
    cutoff = max(asked, finest_cutoff(ORTHOGONAL_RESOLUTION))
    found = try_leading_svd(matrix, cutoff, smallest=FEW_COLUMNS, worthwhile=WORTHWHILE)
    if found is not None:
        leading = spectral_from_matrix(
            matrix, C, outside, facts=facts, resolution=ORTHOGONAL_RESOLUTION, triplets=found
        )
        return solution_of(problem, leading, solver=solver, reason=reason, n_passes=1)
    W, s, rank = least_norm(matrix, C, cutoff)
    factorization = LeastNormFactorization(
        facts=facts,
        largest=float(s[0]) if len(s) else 0.0,
        resolution=ORTHOGONAL_RESOLUTION,
        matrix=matrix,
        C=C,
        outside=outside,
        W=W,
        singular_values=s,
        rank=rank,
    )
    stop = StopReason.TRUNCATED if rank < min(problem.A.shape) else StopReason.DIRECT
    if asked < cutoff and (s > asked * s[:1]).sum() > rank:
        stop = StopReason.BELOW_RESOLUTION
    return RawSolution(factorization, solver, reason, 0.0, cutoff, stop, 1)
