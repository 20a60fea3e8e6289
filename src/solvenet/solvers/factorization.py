"""What a direct solver knows after its pass: enough for every ridge and every target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from solvenet.linalg.factor import (
    symmetric_eigen,
    thin_svd,
)
from solvenet.linalg.leave_one_out import (
    ExactRows,
    Filters,
    LooRows,
    ProjectedRows,
    cutoff_filters,
    ridge_filters,
)
from solvenet.linalg.products import multiply
from solvenet.linalg.rank import condition_number, finest_cutoff, numerical_rank
from solvenet.linalg.regularization import (
    SelectionCurve,
    gcv_scores,
    pick,
    pick_smallest,
    ratio_grid,
)

if TYPE_CHECKING:
    from solvenet._array_api import Array


CUTOFFS = 96
"""Cutoffs that are tried where one is chosen."""


@dataclass(frozen=True)
class KeptRows:
    """Some rows of the problem, kept during the pass to choose the regularisation by.

    Attributes
    ----------
    A : array of shape (n_kept, n_cols)
        Rows of the matrix.
    B : array of shape (n_kept, n_targets)
        Their right-hand sides.
    weights : array of shape (n_kept,)
        Their weights.
    """

    A: Array
    B: Array
    weights: Array


@dataclass(frozen=True)
class ProblemFacts:
    """What a factorisation knows of the problem besides the matrix.

    Attributes
    ----------
    total_sumsq : array of shape (n_targets,)
        Sum of squares of each (centred, weighted) target.
    mean_A, mean_B : array
        What an intercept subtracts; zero without one.
    n_rows : float
        Rows that count (sum of the weights, at least the number of positive ones).
    weight : float
        Sum of the weights.
    intercept : bool
        Whether a constant is solved for.
    kept : KeptRows or None
        Rows whose leave-one-out errors choose the regularisation.
    """

    total_sumsq: Array
    mean_A: Array
    mean_B: Array
    n_rows: float
    weight: float
    intercept: bool
    kept: KeptRows | None

    @property
    def constant_leverage(self) -> float:
        """Leverage that the intercept gives a row of weight one; zero without one."""
        return 1.0 / self.weight if self.intercept else 0.0

    @property
    def rows_to_choose_by(self) -> KeptRows:
        """The kept rows."""
        if self.kept is None:
            msg = "This factorisation was made without rows to choose by."
            raise ValueError(msg)
        return self.kept

    @property
    def variance(self) -> Array:
        """Variance of the targets: the squared error of the null model."""
        return self.total_sumsq / self.weight


@dataclass(frozen=True)
class Factorization(ABC):
    """A factored (centred, weighted) problem; ``ratio`` is ``alpha / s1**2`` throughout.

    Attributes
    ----------
    facts : ProblemFacts
        Targets, means, weights.
    largest : float
        s1, the largest singular value (or a bound within a factor of two).
    resolution : float
        Smallest ratio that the factorisation resolves.
    """

    facts: ProblemFacts = field(repr=False)
    largest: float
    resolution: float

    @abstractmethod
    def coef(self, ratio: float) -> Array:
        """Return the solution, shape (n_cols, n_targets)."""

    @abstractmethod
    def residual_sumsq(self, ratio: float) -> Array:
        """Return the sum of squared residuals of each target."""

    @abstractmethod
    def degrees_of_freedom(self, ratio: float) -> float:
        """Return the trace of the hat matrix, without the intercept."""

    @abstractmethod
    def covariance_root(self, ratio: float) -> Array:
        """Return P, shape (n_cols, k), with ``P P' = (A'A + alpha I)^-1``."""

    def leverages(self, ratio: float) -> Callable[[Array], Array]:
        """Return the function from rows to their leverages, without that of the intercept."""
        root = self.covariance_root(ratio)

        def of(rows: Array) -> Array:
            whitened = (rows - self.facts.mean_A) @ root
            return np.einsum("ij,ij->i", whitened, whitened)  # type: ignore[no-any-return]

        return of

    @abstractmethod
    def choose_ridge(self, criterion: str = "loo") -> SelectionCurve:
        """Return the curve of errors over alpha by ``"loo"`` or ``"gcv"``, with the choice."""

    @abstractmethod
    def condition(self) -> float:
        """Return an estimate of the condition number of A."""

    @abstractmethod
    def frobenius(self) -> float:
        """Return ``||A||_F`` (centred, weighted), or an estimate of it."""

    def values(self) -> Array | None:
        """Return the singular values that are known, descending; None where none are."""
        return None

    def spectral(self) -> SpectralFactorization | None:
        """Return the spectral form of the same solution, where there is one."""
        return None

    def alpha(self, ratio: float) -> float:
        """Return the absolute ridge that belongs to `ratio`."""
        return ratio * self.largest**2

    def ratio(self, alpha: float) -> float:
        """Return the relative ridge that belongs to `alpha`."""
        return alpha / self.largest / self.largest if self.largest > 0 else 0.0


@dataclass(frozen=True)
class SpectralFactorization(Factorization):
    """Singular values, right singular vectors and ``U' B``: every ridge costs O(n_cols).

    Attributes
    ----------
    singular_values : array of shape (k,)
        Descending; where the solver was told what is negligible, only those above it.
    right_vectors : array of shape (n_cols, k)
        V.
    projected : array of shape (k, n_targets)
        ``U' B``.
    outside : array of shape (n_targets,)
        Squared norm of B outside the span of U.
    rank : int
        Directions kept; the others are treated as zero.
    left : ExactRows or None
        Left singular vectors at the kept rows, where the solver had the whole matrix.
    """

    singular_values: Array = field(repr=False)
    right_vectors: Array = field(repr=False)
    projected: Array = field(repr=False)
    outside: Array = field(repr=False)
    rank: int
    left: ExactRows | None = field(default=None, repr=False)

    def values(self) -> Array | None:
        """Return the singular values."""
        return self.singular_values

    def spectral(self) -> SpectralFactorization | None:
        """Return itself."""
        return self

    def truncated(self, rcond: float) -> SpectralFactorization:
        """Return the same factorisation with only the directions above ``rcond * s1``."""
        return replace(self, rank=numerical_rank(self.singular_values, rcond))

    def _relative(self) -> Array:
        """Return the kept singular values over the largest."""
        return self.singular_values[: self.rank] / (self.largest or 1.0)

    def _dropped_sumsq(self) -> Array:
        left = self.projected[self.rank :]
        dropped: Array = self.outside + np.einsum("ij,ij->j", left, left)
        return dropped

    def coef(self, ratio: float) -> Array:
        """Return the solution, shape (n_cols, n_targets)."""
        s = self._relative()
        filtered = (s / (s**2 + ratio))[:, None] * self.projected[: self.rank]
        W: Array = self.right_vectors[:, : self.rank] @ filtered / (self.largest or 1.0)
        return W

    def residual_sumsq(self, ratio: float) -> Array:
        """Return the sum of squared residuals of each target."""
        shrunk = ratio / (self._relative() ** 2 + ratio) if ratio > 0 else np.zeros(self.rank)
        left: Array = shrunk**2 @ self.projected[: self.rank] ** 2
        return self._dropped_sumsq() + left

    def degrees_of_freedom(self, ratio: float) -> float:
        """Return the trace of the hat matrix, without the intercept."""
        s2 = self._relative() ** 2
        return float((s2 / (s2 + ratio)).sum())

    def covariance_root(self, ratio: float) -> Array:
        """Return P, shape (n_cols, rank), with ``P P' = (A'A + alpha I)^-1``."""
        weights = 1.0 / np.sqrt(self._relative() ** 2 + ratio) / (self.largest or 1.0)
        return self.right_vectors[:, : self.rank] * weights

    def condition(self) -> float:
        """Return the ratio of the extreme singular values."""
        return condition_number(self.singular_values)

    def frobenius(self) -> float:
        """Return ``||A||_F``."""
        return (self.largest or 1.0) * float(
            np.linalg.norm(self.singular_values / (self.largest or 1.0))
        )

    def choose_ridge(self, criterion: str = "loo") -> SelectionCurve:
        """Return the curve of errors over alpha by ``"loo"`` or ``"gcv"``, with the choice."""
        ratios = ratio_grid(self.resolution)
        return self._curve("alpha", self.alpha(1.0) * ratios, self.filters(ratios), criterion)

    def choose_cutoff(self, criterion: str = "gcv") -> SelectionCurve:
        """Return the curve of errors over rcond by ``"gcv"`` or ``"loo"``, with the choice."""
        s = self._relative()
        lowest = max(s[-1:].min(initial=1.0) / 2, finest_cutoff(self.resolution))
        cutoffs = np.geomspace(lowest, 0.99, CUTOFFS)
        return self._curve("rcond", cutoffs, cutoff_filters(s, cutoffs), criterion)

    def _curve(
        self, parameter: str, values: Array, filters: Filters, criterion: str
    ) -> SelectionCurve:
        gcv = self._gcv(filters)
        if criterion == "gcv":
            chosen, n_rows = pick_smallest(gcv), int(self.facts.n_rows)
            return SelectionCurve(parameter, values, gcv, chosen, n_rows, "gcv")
        rows = self.loo_rows()
        scores, chosen = pick(rows.squares(filters, self.facts.variance), rows.weights)
        others = {"gcv": gcv}
        return SelectionCurve(parameter, values, scores, chosen, len(rows.rows), "loo", others)

    def _gcv(self, filters: Filters) -> Array:
        left = self._dropped_sumsq() + filters.shrunk.T**2 @ self.projected[: self.rank] ** 2
        used = (1.0 - filters.shrunk).sum(axis=0) + self.facts.intercept
        return gcv_scores(left, used, self.facts.n_rows, self.facts.total_sumsq)

    def filters(self, ratios: Array) -> Filters:
        """Return what these ridges do to the kept directions."""
        return ridge_filters(self._relative(), ratios)

    def loo_rows(self) -> LooRows:
        """Return what leave-one-out needs of the kept rows, exact where it is known."""
        if self.left is not None:
            return self.left.truncated(self.rank)
        return self.projected_rows(self.facts.rows_to_choose_by)

    def projected_rows(self, kept: KeptRows) -> ProjectedRows:
        """Return any rows in the basis of the kept right singular vectors."""
        V = self.right_vectors[:, : self.rank] / (self.largest or 1.0)
        return ProjectedRows(
            multiply(kept.A - self.facts.mean_A, V),
            kept.B - self.facts.mean_B,
            self.projected[: self.rank],
            self.facts.constant_leverage,
            kept.weights,
            self._relative(),
        )


def spectral_from_matrix(
    R: Array,
    C: Array,
    outside: Array,
    *,
    facts: ProblemFacts,
    resolution: float,
    triplets: tuple[Array, Array, Array] | None = None,
) -> SpectralFactorization:
    """Return the spectral factorisation of a matrix (or its triangular factor) R.

    `C` holds the right-hand sides in the rows of R; `outside` the squared norms of what
    was already left out of them. `triplets` are the singular vectors and values of
    R, or the leading of them; by default all are computed.
    """
    U, s, Vt = thin_svd(R) if triplets is None else triplets
    projected = U.T @ C
    left = C - U @ projected
    outside = outside + np.einsum("ij,ij->j", left, left)
    return spectral(s, Vt.T, projected, outside, facts=facts, resolution=resolution)


def spectral_from_gram(
    G: Array, g: Array, *, facts: ProblemFacts, resolution: float
) -> SpectralFactorization:
    """Return the spectral factorisation that a Gram matrix allows."""
    values, V = symmetric_eigen(G)
    # Eigenvalues at the level of rounding are set to it: the cross products divided by
    # their roots then stay small, and any ridge that the matrix resolves hides them.
    s = np.sqrt(np.maximum(values, np.finfo(float).eps * values[:1]))
    projected = (V.T @ g) / np.where(s > 0, s, np.inf)[:, None]
    outside = np.maximum(facts.total_sumsq - np.einsum("ij,ij->j", projected, projected), 0.0)
    return spectral(s, V, projected, outside, facts=facts, resolution=resolution)


def spectral(
    s: Array, V: Array, projected: Array, outside: Array, *, facts: ProblemFacts, resolution: float
) -> SpectralFactorization:
    """Return the factorisation of these singular values and vectors, nothing truncated."""
    return SpectralFactorization(
        facts=facts,
        largest=float(s[0]) if len(s) else 0.0,
        resolution=resolution,
        singular_values=s,
        right_vectors=V,
        projected=projected,
        outside=outside,
        rank=len(s),
    )
