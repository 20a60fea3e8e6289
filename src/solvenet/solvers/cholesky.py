"""A Gram matrix, factored anew for each ridge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.algebra import HOST, Algebra, Held
from solvenet.linalg.factor import (
    cholesky_condition,
    cholesky_solve,
    frobenius,
    triangular_inverse,
)
from solvenet.linalg.leave_one_out import loo_errors, relative_squares
from solvenet.linalg.regularization import (
    SelectionCurve,
    descend,
    gcv_scores,
    pick,
    pick_smallest,
)
from solvenet.solvers.factorization import Factorization, ProblemFacts, spectral_from_gram

if TYPE_CHECKING:
    from solvenet._array_api import Array

REMEMBERED = 3
"""Cholesky factors that are kept of a search: the choice is usually among the last."""

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
    algebra : Algebra
        Where factors are computed, such as a GPU; what is kept is fetched to the host.

    Notes
    -----
    ``n_cols**3 / 3 + n_kept n_cols**2`` flops a ridge. The search starts where the curve
    of 400 of the columns has its minimum: the score may be flat far from it.
    """

    gram: Array = field(repr=False)
    cross: Array = field(repr=False)
    algebra: Algebra = field(default=HOST, repr=False, compare=False)
    _factors: dict[float, Array] = field(default_factory=dict, repr=False, compare=False)

    def _factor(self, ratio: float) -> Array:
        for known, L in self._factors.items():
            if abs(known - ratio) <= 1e-12 * ratio:  # the ridge has been to alpha and back
                return L
        made = self.algebra.cholesky(self.algebra.hold(self.gram), self.alpha(ratio))
        if made is None:
            msg = (
                f"The Gram matrix plus a ridge of {ratio:.1e} of its norm is not positive "
                "definite to rounding. Use QR or SVD, or a larger alpha."
            )
            raise UnsupportedProblemError(msg)
        return self._fetched(made)

    def _fetched(self, L: Held) -> Array:
        return np.asfortranarray(self.algebra.fetch(L))

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
        left: Array = np.maximum(self.facts.total_sumsq - explained - penalty, 0.0)
        return left

    def degrees_of_freedom(self, ratio: float) -> float:
        """Return the trace of the hat matrix, without the intercept."""
        inverse = triangular_inverse(self._factor(ratio))
        return len(self.gram) - self.alpha(ratio) * float(np.einsum("ij,ij->", inverse, inverse))

    def covariance_root(self, ratio: float) -> Array:
        """Return P = L^-T, shape (n_cols, n_cols)."""
        return triangular_inverse(self._factor(ratio)).T

    def condition(self) -> float:
        """Return an estimate for A, as far as its Gram matrix can tell (up to about 1e7)."""
        return self._condition

    def frobenius(self) -> float:
        """Return ``||A||_F``, the root of the trace of the Gram matrix."""
        largest = float(np.diagonal(self.gram).max(initial=0.0)) or 1.0
        return float(np.sqrt(largest) * np.sqrt((np.diagonal(self.gram) / largest).sum()))

    @cached_property
    def _condition(self) -> float:
        shift, norm = self.alpha(self.resolution), np.abs(self.gram).sum(axis=0)
        gram = self.algebra.hold(self.gram)
        while (L := self.algebra.cholesky(gram, shift)) is None:
            shift *= 10  # rounding in the products exceeds the smallest ridge
        norm += np.abs(self.gram).sum(axis=1) - np.diagonal(self.gram)
        return float(np.sqrt(cholesky_condition(self._fetched(L), float(norm.max()))))

    def choose_ridge(self, criterion: str = "loo") -> SelectionCurve:
        """Return the errors that a descent evaluated, with the choice."""
        if criterion == "gcv":
            return self._choose_by_gcv()
        facts, kept = self.facts, self.facts.rows_to_choose_by
        A, B = kept.A - facts.mean_A, kept.B - facts.mean_B
        hold, fetch, algebra = self.algebra.hold, self.algebra.fetch, self.algebra
        gram, cross = hold(self.gram), hold(self.cross)
        rows, columns = hold(A), hold(np.asfortranarray(A.T))
        share = np.minimum(kept.weights, 1.0)

        seen: dict[float, Array] = {}

        def score(ratio: float) -> float:
            L = algebra.cholesky(gram, self.alpha(ratio))
            if L is None:
                return float("inf")
            whitened = algebra.triangular_solve(L, columns)
            leverage = fetch(algebra.column_sumsq(whitened)) + facts.constant_leverage
            residual = B - fetch(algebra.multiply(rows, algebra.cholesky_solve(L, cross)))
            errors = loo_errors(residual, 1.0 - share * leverage)
            seen[ratio] = relative_squares(errors, facts.variance)
            self._factors[ratio] = L
            while len(self._factors) > REMEMBERED:
                self._factors.pop(next(iter(self._factors)))
            return float(kept.weights @ seen[ratio] / kept.weights.sum())

        descend(score, self.resolution, start=self._scout())
        ratios, squares = self._seen(seen)
        scores, chosen = pick(squares.T, kept.weights)
        found = self._factors.get(float(ratios[chosen]))
        self._factors.clear()
        if found is not None:
            self._factors[float(ratios[chosen])] = self._fetched(found)
        return SelectionCurve("alpha", self.alpha(1.0) * ratios, scores, chosen, len(B))

    def _seen(self, seen: Mapping[float, Any]) -> tuple[Array, Array]:
        """Return the ridges that a search tried, ascending, and what it found."""
        if not seen:
            msg = (
                "The Gram matrix is not positive definite to rounding at any ridge that was "
                "tried. Use QR or SVD."
            )
            raise UnsupportedProblemError(msg)
        ratios = np.array(sorted(seen))
        return ratios, np.array([seen[ratio] for ratio in ratios])

    def _choose_by_gcv(self) -> SelectionCurve:
        seen: dict[float, float] = {}
        facts, algebra = self.facts, self.algebra
        gram, cross = algebra.hold(self.gram), algebra.hold(self.cross)

        def score(ratio: float) -> float:
            L = algebra.cholesky(gram, self.alpha(ratio))
            if L is None:
                return float("inf")
            trace = algebra.sumsq(algebra.triangular_inverse(L))
            used = len(self.gram) - self.alpha(ratio) * trace + facts.intercept
            W = algebra.fetch(algebra.cholesky_solve(L, cross))
            left = self._residual(W, ratio)[None]
            gcv = gcv_scores(left, np.array([used]), facts.n_rows, facts.total_sumsq)
            seen[ratio] = float(gcv[0])
            return seen[ratio]

        descend(score, self.resolution, start=self._scout())
        ratios, scores = self._seen(seen)
        values = self.alpha(1.0) * ratios
        n_rows = int(self.facts.n_rows)
        return SelectionCurve("alpha", values, scores, pick_smallest(scores), n_rows, "gcv")

    def _scout(self) -> float:
        """Return the best ratio for a few of the columns, from their whole curve."""
        step = -(-len(self.gram) // SCOUT_COLUMNS)
        part = self.gram[::step, ::step]
        kept = self.facts.rows_to_choose_by
        few = spectral_from_gram(
            np.tril(part) + np.tril(part, -1).T,
            self.cross[::step],
            facts=replace(
                self.facts,
                mean_A=self.facts.mean_A[::step],
                kept=replace(kept, A=kept.A[:, ::step]),
            ),
            resolution=self.resolution,
        )
        return few.ratio(few.choose_ridge().value)


def cholesky_from_gram(
    lower: Array, g: Array, *, facts: ProblemFacts, resolution: float, algebra: Algebra = HOST
) -> CholeskyFactorization:
    """Return the Cholesky factorisation of a Gram matrix with a zero upper triangle."""
    # The Frobenius norm bounds the largest eigenvalue and, for the decaying spectra of
    # features, exceeds it by a few per cent; an eigenvalue routine would cost more.
    diagonal = float(np.linalg.norm(np.diagonal(lower) / (size := frobenius(lower))))
    norm = size * float(np.sqrt(2.0 - diagonal**2))
    return CholeskyFactorization(
        facts=facts,
        largest=float(np.sqrt(norm)),
        resolution=resolution,
        gram=lower,
        cross=g,
        algebra=algebra,
    )
