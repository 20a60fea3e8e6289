"""What a direct solver knows after its pass: enough for every ridge and every target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from solvenet.linalg.factor import (
    cholesky,
    cholesky_condition,
    cholesky_solve,
    symmetric_eigen,
    thin_svd,
    triangular_inverse,
    triangular_solve,
)
from solvenet.linalg.leave_one_out import LeftRows
from solvenet.linalg.rank import EPS, condition_number, numerical_rank
from solvenet.linalg.regularization import (
    SelectionCurve,
    descend,
    null_model_score,
    pick,
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

    def score(self, sumsq: Array, factorization: Factorization) -> Array:
        """Return weighted sums of squared errors relative to those of the null model."""
        null = factorization.total_sumsq * (self.weights.sum() / factorization.weight)
        return null_model_score(sumsq, null)


@dataclass(frozen=True)
class Factorization(ABC):
    """A factored (centred, weighted) problem; ``ratio`` is ``alpha / s1**2`` throughout.

    Attributes
    ----------
    total_sumsq : array of shape (n_targets,)
        Sum of squares of each (centred) target.
    mean_A, mean_B : array
        What an intercept subtracts; zero without one.
    n_rows : float
        Rows that count (sum of the weights, at least the number of positive ones).
    n_free : float
        Degrees of freedom of the targets: `n_rows`, less one with an intercept.
    weight : float
        Sum of the weights.
    largest : float
        s1, the largest singular value (or a bound within a factor of two).
    resolution : float
        Smallest ratio that the factorisation resolves.
    kept : KeptRows or None
        Rows whose leave-one-out errors choose the regularisation.
    """

    total_sumsq: Array
    mean_A: Array
    mean_B: Array
    n_rows: float
    n_free: float
    weight: float
    largest: float
    resolution: float
    kept: KeptRows | None

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

    @abstractmethod
    def choose_ridge(self) -> SelectionCurve:
        """Return the curve of leave-one-out errors over alpha, with the choice."""

    @abstractmethod
    def condition(self) -> float:
        """Return an estimate of the condition number of A."""

    @property
    def constant_leverage(self) -> float:
        """Leverage that the intercept gives every row; zero without one."""
        return 1.0 / self.n_rows if self.n_free < self.n_rows else 0.0

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
        All of them, descending.
    right_vectors : array of shape (n_cols, k)
        V.
    projected : array of shape (k, n_targets)
        ``U' B``.
    outside : array of shape (n_targets,)
        Squared norm of B outside the span of U.
    rank : int
        Directions kept; the others are treated as zero.
    left : LeftRows or None
        Left singular vectors at the kept rows, where the solver had the whole matrix;
        otherwise they are computed from the kept rows.
    """

    singular_values: Array = field(repr=False)
    right_vectors: Array = field(repr=False)
    projected: Array = field(repr=False)
    outside: Array = field(repr=False)
    rank: int
    left: LeftRows | None = field(default=None, repr=False)

    def truncated(self, rcond: float) -> SpectralFactorization:
        """Return the same factorisation with only the directions above ``rcond * s1``."""
        return replace(self, rank=numerical_rank(self.singular_values, rcond))

    def _relative(self) -> Array:
        """Return the kept singular values over the largest."""
        return self.singular_values[: self.rank] / (self.largest or 1.0)

    def _dropped_sumsq(self) -> Array:
        left = self.projected[self.rank :]
        return self.outside + np.einsum("ij,ij->j", left, left)

    def coef(self, ratio: float) -> Array:
        """Return the solution, shape (n_cols, n_targets)."""
        s = self._relative()
        filtered = (s / (s**2 + ratio))[:, None] * self.projected[: self.rank]
        return self.right_vectors[:, : self.rank] @ filtered / (self.largest or 1.0)

    def residual_sumsq(self, ratio: float) -> Array:
        """Return the sum of squared residuals of each target."""
        shrunk = ratio / (self._relative() ** 2 + ratio) if ratio > 0 else np.zeros(self.rank)
        return self._dropped_sumsq() + (shrunk**2) @ self.projected[: self.rank] ** 2

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

    def choose_ridge(self) -> SelectionCurve:
        """Return the curve of leave-one-out errors over alpha, with the choice."""
        ratios = ratio_grid(self.resolution)
        s2 = self._relative()[:, None] ** 2
        return self._curve("alpha", self.alpha(1.0) * ratios, ratios / (s2 + ratios))

    def choose_cutoff(self) -> SelectionCurve:
        """Return the curve of leave-one-out errors over rcond, with the choice."""
        s = self._relative()
        cutoffs = np.geomspace(max(s[-1:].min(initial=1.0), EPS) / 2, 0.99, CUTOFFS)
        return self._curve("rcond", cutoffs, (s[:, None] <= cutoffs).astype(np.float64))

    def _curve(self, parameter: str, values: Array, shrunk: Array) -> SelectionCurve:
        left = self.left_rows()
        kept = self._kept_rows()
        scores = kept.score(left.sumsq(shrunk), self)
        return SelectionCurve(parameter, values, scores, pick(scores), len(kept.B))

    def _kept_rows(self) -> KeptRows:
        if self.kept is None:
            msg = "This factorisation was made without rows to choose by."
            raise ValueError(msg)
        return self.kept

    def left_rows(self, kept: KeptRows | None = None) -> LeftRows:
        """Return the left singular vectors at some rows, by default at the kept ones."""
        if kept is None:
            if self.left is not None:
                return self.left.truncated(self.rank)
            kept = self._kept_rows()
        s = self.singular_values[: self.rank]
        basis = self.right_vectors[:, : self.rank] / np.where(s > 0, s, np.inf)
        return LeftRows(
            (kept.A - self.mean_A) @ basis,
            kept.B - self.mean_B,
            self.projected[: self.rank],
            self.constant_leverage,
            kept.weights,
        )


def spectral_from_matrix(
    R: Array,
    C: Array,
    outside: Array,
    *,
    resolution: float,
    **common: object,
) -> SpectralFactorization:
    """Return the spectral factorisation of a matrix (or its triangular factor) R.

    `C` holds the right-hand sides in the rows of R; `outside` the squared norms of what
    was already left out of them.
    """
    U, s, Vt = thin_svd(R)
    projected = U.T @ C
    left = C - U @ projected
    outside = outside + np.einsum("ij,ij->j", left, left)
    return _spectral(s, Vt.T, projected, outside, resolution, **common)


def spectral_from_gram(
    G: Array, g: Array, sumsq: Array, *, resolution: float, **common: object
) -> SpectralFactorization:
    """Return the spectral factorisation that a Gram matrix allows."""
    values, V = symmetric_eigen(G)
    s = np.sqrt(values)
    safe = np.where(s > 0, s, np.inf)
    projected = (V.T @ g) / safe[:, None]
    # Directions below the resolution of the Gram matrix carry rounding noise only.
    projected[values < resolution * values[:1]] = 0.0
    outside = np.maximum(sumsq - np.einsum("ij,ij->j", projected, projected), 0.0)
    return _spectral(s, V, projected, outside, resolution, **common)


def _spectral(
    s: Array, V: Array, projected: Array, outside: Array, resolution: float, **common: object
) -> SpectralFactorization:
    largest = float(s[0]) if len(s) else 0.0
    return SpectralFactorization(
        singular_values=s,
        right_vectors=V,
        projected=projected,
        outside=outside,
        rank=len(s),
        largest=largest,
        resolution=resolution,
        **common,  # type: ignore[arg-type]
    )


SMALLEST_COMPLEMENT = 1e-10
"""Leverages of a Cholesky solver are kept this far from one, where rounding hides them."""

SCOUT_COLUMNS = 400
"""Columns whose whole curve says where the search for the ridge starts."""


@dataclass(frozen=True)
class CholeskyFactorization(Factorization):
    """A Gram matrix, factored anew for each ridge: no spectrum, a fifth of its time.

    Attributes
    ----------
    gram : array of shape (n_cols, n_cols)
        ``A' A``; the lower triangle counts.
    cross : array of shape (n_cols, n_targets)
        ``A' B``.
    condition_estimate : float
        Of A, as far as its Gram matrix can tell (up to about 1e7).

    Notes
    -----
    ``n_cols**3 / 3 + n_kept n_cols**2`` flops a ridge. The search starts where the curve
    of 400 of the columns has its minimum: the score may be flat far from it.
    """

    gram: Array = field(repr=False)
    cross: Array = field(repr=False)
    condition_estimate: float
    _last: dict[float, Array] = field(default_factory=dict, repr=False, compare=False)

    def _factor(self, ratio: float) -> Array:
        ratio = max(ratio, self.resolution)
        if ratio not in self._last:
            L = cholesky(self.gram, self.alpha(ratio))
            if L is None:
                msg = f"The Gram matrix plus {ratio:.1e} of its norm is not positive definite."
                raise np.linalg.LinAlgError(msg)
            self._last.clear()
            self._last[ratio] = L
        return self._last[ratio]

    def coef(self, ratio: float) -> Array:
        """Return the solution, shape (n_cols, n_targets)."""
        return cholesky_solve(self._factor(ratio), self.cross)

    def residual_sumsq(self, ratio: float) -> Array:
        """Return the sum of squared residuals of each target."""
        return self._residual(self.coef(ratio), ratio)

    def _residual(self, W: Array, ratio: float) -> Array:
        # B'B - W'A'B - alpha W'W, from the normal equations.
        explained = np.einsum("ij,ij->j", W, self.cross)
        penalty = self.alpha(ratio) * np.einsum("ij,ij->j", W, W)
        return np.maximum(self.total_sumsq - explained - penalty, 0.0)

    def degrees_of_freedom(self, ratio: float) -> float:
        """Return the trace of the hat matrix, without the intercept."""
        inverse = triangular_inverse(self._factor(ratio))
        return len(self.gram) - self.alpha(ratio) * float(np.einsum("ij,ij->", inverse, inverse))

    def covariance_root(self, ratio: float) -> Array:
        """Return P = L^-T, shape (n_cols, n_cols)."""
        return triangular_inverse(self._factor(ratio)).T

    def condition(self) -> float:
        """Return the root of the estimated condition number of the Gram matrix."""
        return self.condition_estimate

    def choose_ridge(self) -> SelectionCurve:
        """Return the leave-one-out errors that a descent evaluated, with the choice."""
        kept = self.kept
        if kept is None:
            msg = "This factorisation was made without rows to choose by."
            raise ValueError(msg)
        A, B = kept.A - self.mean_A, kept.B - self.mean_B
        columns = np.asfortranarray(A.T)
        share = np.minimum(kept.weights, 1.0)

        def score(ratio: float) -> float:
            L = self._factor(ratio)
            whitened = triangular_solve(L, columns)
            leverage = np.einsum("ij,ij->j", whitened, whitened) + self.constant_leverage
            errors = B - A @ cholesky_solve(L, self.cross)
            errors /= np.maximum(1.0 - share * leverage, SMALLEST_COMPLEMENT)[:, None]
            return float(kept.score(np.einsum("i,ij->j", kept.weights, errors**2), self))

        ratios, scores = descend(score, self.resolution, start=self._scout(kept))
        values = self.alpha(1.0) * ratios
        return SelectionCurve("alpha", values, scores, pick(scores), len(B))

    def _scout(self, kept: KeptRows) -> float:
        """Return the best ratio for a few of the columns, from their whole curve."""
        step = -(-len(self.gram) // SCOUT_COLUMNS)
        part = self.gram[::step, ::step]
        few = spectral_from_gram(
            np.tril(part) + np.tril(part, -1).T,
            self.cross[::step],
            self.total_sumsq,
            resolution=self.resolution,
            mean_A=self.mean_A[::step],
            kept=replace(kept, A=kept.A[:, ::step]),
            **{name: getattr(self, name) for name in _SHARED},
        )
        return few.ratio(few.choose_ridge().value)


_SHARED = ("total_sumsq", "mean_B", "n_rows", "n_free", "weight")


def cholesky_from_gram(
    lower: Array, g: Array, *, resolution: float, **common: object
) -> CholeskyFactorization:
    """Return the Cholesky factorisation of a Gram matrix with a zero upper triangle."""
    diagonal = np.diagonal(lower)
    # The Frobenius norm bounds the largest eigenvalue and, for the decaying spectra of
    # features, exceeds it by a few per cent; an eigenvalue routine would cost more.
    norm = float(np.sqrt(2 * np.linalg.norm(lower) ** 2 - np.linalg.norm(diagonal) ** 2))
    while (L := cholesky(lower, resolution * norm)) is None:
        resolution *= 10  # rounding in the products exceeds the smallest ridge
    one_norm = float((np.abs(lower).sum(axis=0) + np.abs(lower).sum(axis=1) - diagonal).max())
    return CholeskyFactorization(
        gram=lower,
        cross=g,
        condition_estimate=float(np.sqrt(cholesky_condition(L, one_norm))),
        largest=float(np.sqrt(norm)),
        resolution=resolution,
        **common,  # type: ignore[arg-type]
    )
