"""Sketch, truncate, whiten, Gram: truncated-SVD accuracy from matrix products in two passes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice
from solvenet.linalg.factor import cholesky, cholesky_condition, triangular_solve
from solvenet.linalg.leading import truncated_svd
from solvenet.linalg.products import multiply
from solvenet.linalg.rank import EPS, ORTHOGONAL_RESOLUTION
from solvenet.linalg.sketching import SKETCHES, TILE
from solvenet.reductions import CrossProducts, GramReduction, Reduction
from solvenet.solvers._base import EVERYTHING, Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.factorization import (
    ProblemFacts,
    SpectralFactorization,
    spectral_from_matrix,
)
from solvenet.solvers.passes import one_pass
from solvenet.solvers.problem import Problem
from solvenet.solvers.qr import QR
from solvenet.solvers.sketched import read_sketch, tall_sketch

if TYPE_CHECKING:
    from solvenet._array_api import Array

MARGIN = 0.25
"""The sketch is truncated at this share of the cutoff: its singular values are only close."""

NOISE = 2 * EPS
"""Directions of the sketch below this share of its norm are rounding."""


MISSED = 20
"""A random vector of what was left out may be this many times as long as expected."""

WORST_WHITENING = 1e8
"""Condition number of the whitened Gram matrix beyond which the sketch has failed: that of
directions at the level of rounding, which are kept where the cutoff is still open."""

BLURRED = 1e-14
"""Directions below this, relative to the largest, lose digits by the two products."""

SHORT = 1e-8
"""Where the cutoff is still to be chosen, the first solution leaves directions below this."""


@dataclass(frozen=True)
class SWG(Solver):
    """Sketch, truncate, whiten, Gram: as accurate as the truncated SVD, as fast as products.

    Pass 1 accumulates a sketch ``S [A, B]``. Its singular value decomposition, truncated
    a little below the cutoff, gives ``P = V_r S_r^-1``, for which ``A P`` has a condition
    number of about 2, and a first solution ``x0``. Pass 2 accumulates ``(A P)' (A P)``
    and ``(A P)' (B - A x0)``, from which a Cholesky factor and the decomposition of a
    small matrix give the singular values of A to the cutoff, and the solution.

    Parameters
    ----------
    sketch : {"sparse_sign", "dct", "gaussian"}, default="sparse_sign"
        The random matrix. Row sampling is not among them: it may miss the one row that
        matters.
    oversampling : float, default=2.0
        Rows of the sketch a column.
    seed : int, default=0
        Seed of the random numbers, which belong to rows: any block size gives the same.

    Notes
    -----
    *Cost.* Two passes; for rank r ``2 m n r + m r**2`` flops and the sketch, where QR takes
    ``2.5 m n**2``; the small decomposition ``8 n**2 r`` (``20 n**3`` for full rank). Memory
    ``8 (2 oversampling n**2 + 2 n r + 3 r**2)`` bytes and three blocks.

    *Accuracy.* Truncating in the sketch costs a factor ``(1 + eta) / (1 - eta)`` on the
    cutoff, with eta about 0.7 the distortion of the sketch, which the margin of 1/4 makes
    good: what is finally cut are singular values of A itself. Forming ``A P`` explicitly
    is backward stable; the implicit product of LSRN is not. Directions below about 1e-14
    are blurred by the rounding of two products, which would cost a factor of 1.3 to 4:
    where the data choose a cutoff below that, QR takes over in a third pass.

    *When not to use.* Rows that can be read once (QR); a ridge of at least 1e-14 of the
    squared norm (NormalEquations); fewer than three times as many rows as columns.

    References
    ----------
    A. J. Higgins, D. B. Szyld, E. G. Boman, I. Yamazaki (2023), arXiv 2309.05868
    (randomised Cholesky QR, to which truncation is added here).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import SWG
    >>> A = np.vander(np.linspace(0, 1, 500), 12)
    >>> float(abs(SWG().solve(A, A @ np.ones(12)).coef - 1).max()) < 1e-6
    True
    """

    sketch: str = "sparse_sign"
    oversampling: float = 2.0
    seed: int = 0

    needs: ClassVar[Needs] = Needs.MANY_PASSES
    supports: ClassVar[Supports] = EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve, for a rank of half the columns."""
        n, rows = n_cols, min(n_rows, self.oversampling * n_cols)
        flops = 1.25 * n_rows * n**2 + 8.0 * n_rows * n + 2 * rows * n**2 + 10.0 * n**3
        numbers = n * (5 * rows + 3 * n + n_targets)
        if self.sketch != "sparse_sign":
            numbers += 2 * TILE * max(rows, n)  # a tile of the random matrix, or transformed
        return Cost(flops, 2, int(8 * numbers))

    def _solve(self, problem: Problem) -> RawSolution:
        check_choice("sketch", self.sketch, sorted(set(SKETCHES) - {"rows"}))
        start = time.perf_counter()
        read = read_sketch(problem, tall_sketch(problem, self.sketch, self.oversampling, self.seed))
        SA, SB = read.SA, read.SB
        if not SA.any():  # nothing to whiten
            return QR()._solve(problem)
        sketched = time.perf_counter()
        whitening = _whitening(SA, SB, problem)
        small = time.perf_counter()
        del SA, SB, read
        factorization = _second_pass(problem, whitening)
        second = time.perf_counter()
        if factorization is None:
            why = "the sketch of SWG missed directions of the matrix; QR misses none"
            return _left_to_qr(problem, why, second - start)
        raw = solution_of(
            problem,
            factorization,
            solver="SWG",
            reason="sketch, truncate, whiten, Gram: two passes of matrix products",
            n_passes=2,
        )
        if problem.chooses and max(raw.rcond, raw.ratio**0.5) < BLURRED:
            why = "the data ask for directions at the level of rounding, which SWG blurs"
            return _left_to_qr(problem, why, time.perf_counter() - start)
        raw.seconds.update(
            {"sketch": sketched - start, "whitening": small - sketched, "Gram": second - small}
        )
        return raw


def _left_to_qr(problem: Problem, reason: str, spent: float) -> RawSolution:
    """Return the solution by QR, in a third pass."""
    raw = QR()._solve(problem)
    raw.n_passes += 2
    raw.seconds["SWG"] = spent
    raw.reason = reason
    return raw


@dataclass(frozen=True)
class Whitening:
    """The directions that a sketch keeps, and a first solution.

    Attributes
    ----------
    V : array of shape (n_cols, r)
        Right singular vectors of the sketch.
    s : array of shape (r,)
        Its singular values.
    guess : array of shape (r, n_targets)
        The sketched solution in coordinates of ``P = V / s``.
    cutoff : float
        Share of the largest singular value below which directions were left out.
    """

    V: Array
    s: Array
    guess: Array
    cutoff: float


def _whitening(SA: Array, SB: Array, problem: Problem) -> Whitening:
    """Return what the sketch keeps."""
    ridge = 0.0 if isinstance(problem.alpha, str) else problem.alpha
    cutoff = max(NOISE, MARGIN * problem.negligible(SA))
    U, s, Vt = truncated_svd(SA, cutoff)
    # The first solution must not be longer than the last one has to be: its product with
    # A would drown in rounding.
    shrink = s > SHORT * s[0] if problem.chooses else 1.0 / (1.0 + (ridge**0.5 / s) ** 2)
    return Whitening(Vt.T, s, shrink[:, None] * multiply(U.T, SB), cutoff)


def _second_pass(problem: Problem, whitening: Whitening) -> SpectralFactorization | None:
    """Accumulate the whitened Gram matrix and return the spectrum of A in its directions.

    None where the sketch has missed directions.
    """
    V, s, r = whitening.V, whitening.s, len(whitening.s)
    P = np.ascontiguousarray(V / s)
    x0 = multiply(P, whitening.guess)
    probe = stream(0, "left out").standard_normal((V.shape[0], 1))
    for _ in range(2):
        probe -= multiply(V, multiply(V.T, probe))
    # One product a block serves all: the last columns of Y are A x0 and A probe.
    P = np.column_stack([P, x0, probe])
    make = partial(WhitenedReduction, P, r, problem.n_targets, center=problem.intercept)
    done = one_pass(problem, make, name="whitened Gram matrix")
    whitened = done.inner
    assert isinstance(whitened, WhitenedReduction)
    products = whitened.gram.products()
    mean_A = whitened.mean()
    mean_B = products.mean_B[:-1] + mean_A @ x0
    facts = done.facts(problem, products.BB[:-1], mean_A, mean_B)
    return _spectrum(whitening, products, facts)


class WhitenedReduction(Reduction):
    """Cross products of ``Y = A P``, whose last columns belong to the targets.

    Parameters
    ----------
    P : array of shape (n_cols, r + n_targets + 1)
        Whitening, a first solution, and a random vector.
    r : int
        Columns of the whitening.
    n_targets : int
        Columns of B.
    center : bool
        Whether means are taken out.
    """

    def __init__(self, P: Array, r: int, n_targets: int, *, center: bool) -> None:
        self.gram = GramReduction(P.shape[1], n_targets + 1, center=center)
        self._P, self._r, self._center = P, r, center
        self._sums = np.zeros(len(P) + 1)
        self._memory = np.empty((0, P.shape[1]))

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
        A = A.astype(np.float64, copy=False)
        if len(self._memory) < len(A):
            self._memory = np.empty((len(A), self._P.shape[1]))
        Y = multiply(A, self._P, out=self._memory[: len(A)])
        targets = np.column_stack([B - Y[:, self._r : -1], Y[:, -1]])
        self.gram.update(Y, targets, weights, start=start, overwrite=True)
        if self._center:
            w = np.ones(len(A)) if weights is None else weights
            self._sums += np.append(w @ A, w.sum())

    def merge(self, other: WhitenedReduction) -> None:
        """Add the rows of `other`."""
        self.gram.merge(other.gram)
        self._sums += other._sums

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self.gram.nbytes + self._P.nbytes

    def compact(self) -> None:
        """Forget what only further rows would need."""
        self._memory, self._P = np.empty((0, 0)), np.empty((0, 0))

    def mean(self) -> Array:
        """Return the weighted mean of A; zero without centring."""
        mean: Array = self._sums[:-1] / (self._sums[-1] or 1.0)
        return mean


def _spectrum(
    whitening: Whitening, products: CrossProducts, facts: ProblemFacts
) -> SpectralFactorization | None:
    """Return the spectrum of A in the kept directions; None where the sketch has failed.

    It has where whitening leaves a badly conditioned matrix, and where A is too long on a
    random vector of the directions that were left out.
    """
    s, r = whitening.s, len(whitening.s)
    lower, left_out = products.lower[:r, :r], float(products.BB[-1]) ** 0.5
    L = cholesky(lower, 0.0)
    expected = max(whitening.cutoff, NOISE) * s[0] * len(whitening.V) ** 0.5
    if L is None or left_out > MISSED * expected:
        return None
    if cholesky_condition(L, float(np.abs(lower).sum(axis=0).max())) > WORST_WHITENING:
        return None
    L = np.tril(L)
    step = triangular_solve(L, products.AB[:r, :-1])
    # B - A x0 is as long as the best residual up to a small factor: nothing cancels.
    outside = np.maximum(products.BB[:-1] - np.einsum("ij,ij->j", step, step), 0.0)
    C = step + L.T @ whitening.guess
    facts = replace(facts, total_sumsq=outside + np.einsum("ij,ij->j", C, C))
    # A V = Q L' S with Q orthonormal: the small matrix has the singular values of A.
    small = spectral_from_matrix(L.T * s, C, outside, facts=facts, resolution=ORTHOGONAL_RESOLUTION)
    return replace(
        small,
        right_vectors=multiply(whitening.V, np.ascontiguousarray(small.right_vectors)),
    )
