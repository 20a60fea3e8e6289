"""A Gram matrix, factored anew for each ridge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.algebra import HOST, Algebra
from solvenet.linalg.leave_one_out import squares_with_slopes
from solvenet.linalg.products import multiply
from solvenet.linalg.regularization import (
    RowScores,
    SelectionCurve,
    descend,
    descend_by_slopes,
    gcv_scores,
    pick,
    pick_smallest,
)
from solvenet.linalg.shifted import SAME_SHIFT, Elsewhere, InPlace, ShiftedGram
from solvenet.solvers.factorization import Factorization, ProblemFacts, spectral_from_gram

if TYPE_CHECKING:
    from solvenet._array_api import Array

SCOUT_COLUMNS = 400
"""Columns whose whole curve says where the search for the ridge starts."""

COARSER = 4
"""Of more columns than so many times that, the search runs on every fourth one first."""

_NO_RIDGE = (
    "The Gram matrix is not positive definite to rounding at any ridge that was tried. Use QR "
    "or SVD."
)

PANEL_NUMBERS, PANEL_SHARE = 2**23, 32
"""Leverages are computed for so many numbers at a time, but no more than this part of the Gram
matrix; for few rows triangles are solved at half the speed."""

REMEMBERED_SHARE = 0.02
"""Solutions of a search are kept up to this share of the memory of the Gram matrix."""


@dataclass(frozen=True)
class CholeskyFactorization(Factorization):
    """A Gram matrix, factored anew for each ridge: no spectrum, a fifth of its time.

    Attributes
    ----------
    gram : ShiftedGram of n_cols columns
        ``A' A``, and the factor of it plus the ridge that was used last.
    cross : array of shape (n_cols, n_targets)
        ``A' B``.

    Notes
    -----
    ``n_cols**3 / 3 + 3 n_kept n_cols**2`` flops a ridge, with the slopes of its score, and
    ``8 n_cols**2`` bytes. The search starts where that for a fourth of the columns ended,
    which starts likewise, the first where the whole curve of 400 columns has its minimum:
    the score may be flat far from it. From there it is one or two ridges.
    """

    gram: ShiftedGram = field(repr=False)
    cross: Array = field(repr=False)
    _solutions: dict[float, Array] = field(default_factory=dict, repr=False, compare=False)

    def _factored(self, ratio: float) -> ShiftedGram:
        """Return the Gram matrix with the factor for this ridge."""
        if not self.gram.factor(self.alpha(ratio)):
            msg = (
                f"The Gram matrix plus a ridge of {ratio:.1e} of its norm is not positive "
                "definite to rounding. Use QR or SVD, or a larger alpha."
            )
            raise UnsupportedProblemError(msg)
        return self.gram

    def coef(self, ratio: float) -> Array:
        """Return the solution, shape (n_cols, n_targets)."""
        for known, W in self._solutions.items():
            if abs(known - ratio) <= SAME_SHIFT * ratio:
                return W
        W = self._solutions[ratio] = self._factored(ratio).solve(self.cross)
        while len(self._solutions) > max(1, REMEMBERED_SHARE * len(W) / W.shape[1]):
            self._solutions.pop(next(iter(self._solutions)))
        return W

    def residual_sumsq(self, ratio: float) -> Array:
        """Return the sum of squared residuals of each target."""
        # B'B - W'A'B - alpha W'W, from the normal equations.
        W = self.coef(ratio)
        explained = np.einsum("ij,ij->j", W, self.cross)
        penalty = self.alpha(ratio) * np.einsum("ij,ij->j", W, W)
        left: Array = np.maximum(self.facts.total_sumsq - explained - penalty, 0.0)
        return left

    def degrees_of_freedom(self, ratio: float) -> float:
        """Return the trace of the hat matrix, without the intercept."""
        return len(self.gram) - self.alpha(ratio) * self._factored(ratio).inverse_trace()

    def covariance_root(self, ratio: float) -> Array:
        """Return P = L'^-1, shape (n_cols, n_cols)."""
        return self._factored(ratio).root()

    def leverages(self, ratio: float) -> Callable[[Array], Array]:
        """Return the function from rows to their leverages, without that of the intercept."""

        def of(rows: Array) -> Array:
            gram, out = self._factored(ratio), np.empty(len(rows))
            for part in self._parts(len(rows)):
                whitened = gram.whiten(np.subtract(rows[part], self.facts.mean_A, order="C").T)
                out[part] = np.einsum("ij,ij->j", whitened, whitened)
            return out

        return of

    def _parts(self, n_rows: int) -> Iterator[slice]:
        n_cols = len(self.gram)
        step = max(64, min(PANEL_NUMBERS // n_cols, n_cols // PANEL_SHARE))
        for start in range(0, n_rows, step):
            yield slice(start, start + step)

    def condition(self) -> float:
        """Return an estimate for A, as far as its Gram matrix can tell (up to about 1e7)."""
        return self._condition

    def frobenius(self) -> float:
        """Return ``||A||_F``, the root of the trace of the Gram matrix."""
        diagonal = self.gram.diagonal
        largest = float(diagonal.max(initial=0.0)) or 1.0
        return float(np.sqrt(largest) * np.sqrt((diagonal / largest).sum()))

    @cached_property
    def _condition(self) -> float:
        shift = self.alpha(self.resolution)
        while not self.gram.factor(shift):
            shift *= 10  # rounding in the products exceeds the smallest ridge
        return float(np.sqrt(self.gram.condition()))

    def choose_ridge(self, criterion: str = "loo") -> SelectionCurve:
        """Return the errors that a descent evaluated, with the choice."""
        if criterion == "gcv":
            return self._choose_by_gcv()
        seen = descend_by_slopes(self._row_scores, self.resolution, start=self._scout())
        if not seen:
            raise UnsupportedProblemError(_NO_RIDGE)
        ratios = np.array(sorted(seen))
        squares = np.column_stack([seen[ratio].squares for ratio in ratios])
        scores, chosen = pick(squares, self.facts.rows_to_choose_by.weights)
        return self._curve(ratios, scores, chosen, len(squares), "loo")

    def _curve(
        self, ratios: Array, scores: Array, chosen: int, n_rows: int, criterion: str
    ) -> SelectionCurve:
        values, to_the_end = self.alpha(1.0) * ratios, bool(ratios[0] <= self.resolution)
        return SelectionCurve(
            "alpha", values, scores, chosen, n_rows, criterion, to_the_end=to_the_end
        )

    def _row_scores(self, ratio: float) -> RowScores | None:
        """Return the leave-one-out errors of the kept rows with their slopes.

        Derivatives by the logarithm of alpha, with ``M = (G + alpha I)^-1 = L'^-1 L^-1``:
        ``W' = -alpha M W``, ``W'' = W' - 2 alpha M W'``, and for the leverage
        ``h = |L^-1 a|^2`` of a row a: ``h' = -alpha |M a|^2``,
        ``h'' = h' + 2 alpha^2 |L^-1 M a|^2``.
        """
        alpha, gram = self.alpha(ratio), self.gram
        if not gram.factor(alpha):
            return None
        W = self.coef(ratio)
        first = -alpha * gram.solve(W)
        solutions = np.concatenate([W, first, first - 2.0 * alpha * gram.solve(first)], axis=1)
        facts, kept = self.facts, self.facts.rows_to_choose_by
        out = np.empty((3, len(kept.A)))
        for part in self._parts(len(kept.A)):
            A = np.subtract(kept.A[part], facts.mean_A, order="C")
            fitted = np.split(multiply(A, solutions), 3, axis=1)
            residual = [kept.B[part] - facts.mean_B - fitted[0], -fitted[1], -fitted[2]]
            rows, leverage = A.T, []
            for solve in (gram.whiten, gram.back, gram.whiten):
                rows = solve(rows)
                leverage.append(np.einsum("ij,ij->j", rows, rows))
            h = leverage[0] + facts.constant_leverage
            h1 = -alpha * leverage[1]
            h2 = h1 + 2.0 * alpha**2 * leverage[2]
            share = np.minimum(kept.weights[part], 1.0)
            out[:, part] = squares_with_slopes(
                np.stack(residual), share * np.stack([h, h1, h2]), facts.variance
            )
        return RowScores(out[0], out[1], out[2], kept.weights)

    def _choose_by_gcv(self) -> SelectionCurve:
        seen: dict[float, float] = {}
        facts = self.facts

        def score(ratio: float) -> float:
            if not self.gram.factor(self.alpha(ratio)):
                return float("inf")
            used = self.degrees_of_freedom(ratio) + facts.intercept
            left = self.residual_sumsq(ratio)[None]
            gcv = gcv_scores(left, np.array([used]), facts.n_rows, facts.total_sumsq)
            seen[ratio] = float(gcv[0])
            return seen[ratio]

        descend(score, self.resolution, start=self._scout())
        if not seen:
            raise UnsupportedProblemError(_NO_RIDGE)
        ratios = np.array(sorted(seen))
        scores = np.array([seen[ratio] for ratio in ratios])
        return self._curve(ratios, scores, pick_smallest(scores), int(facts.n_rows), "gcv")

    def _scout(self) -> float:
        """Return the best ratio for a part of the columns, at a small part of the cost."""
        n_cols = len(self.gram)
        coarser = n_cols > COARSER * SCOUT_COLUMNS
        step = COARSER if coarser else -(-n_cols // SCOUT_COLUMNS)
        kept = self.facts.rows_to_choose_by
        facts = replace(
            self.facts,
            mean_A=self.facts.mean_A[::step],
            kept=replace(kept, A=np.ascontiguousarray(kept.A[:, ::step])),
        )
        make = cholesky_from_gram if coarser else spectral_from_gram
        few = make(
            self.gram.some(step), self.cross[::step], facts=facts, resolution=self.resolution
        )
        return few.ratio(few.choose_ridge().value)


def cholesky_from_gram(
    lower: Array, g: Array, *, facts: ProblemFacts, resolution: float, algebra: Algebra = HOST
) -> CholeskyFactorization:
    """Return the Cholesky factorisation of the lower triangle of a Gram matrix, taken over.

    `algebra` computes the factors, such as on a GPU.
    """
    # The Frobenius norm bounds the largest eigenvalue and, for the decaying spectra of
    # features, exceeds it by a few per cent; an eigenvalue routine would cost more.
    gram = InPlace(lower) if algebra is HOST else Elsewhere(lower, algebra)
    return CholeskyFactorization(
        facts=facts,
        largest=float(np.sqrt(gram.frobenius())),
        resolution=resolution,
        gram=gram,
        cross=g,
    )
