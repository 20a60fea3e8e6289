"""Sketch, truncate, whiten, Gram: truncated-SVD accuracy from matrix products in two passes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice
from solvenet.linalg.factor import cholesky, cholesky_condition, triangular_solve
from solvenet.linalg.leading import largest_singular_value, leading_svd
from solvenet.linalg.products import multiply
from solvenet.linalg.rank import EPS, ORTHOGONAL_RESOLUTION, numerical_rank
from solvenet.linalg.sketching import SKETCHES
from solvenet.reductions import GramReduction
from solvenet.solvers._base import EVERYTHING, Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.factorization import (
    KeptRows,
    ProblemFacts,
    SpectralFactorization,
    spectral_from_matrix,
)
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
    is backward stable; the implicit product of LSRN is not.

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
        flops = 1.25 * n_rows * n**2 + 16.0 * n_rows * n + 2 * rows * n**2 + 10.0 * n**3
        return Cost(flops, 2, int(8 * n * ((2 * rows + n_targets) + 3 * (rows + n))))

    def _solve(self, problem: Problem) -> RawSolution:
        check_choice("sketch", self.sketch, sorted(set(SKETCHES) - {"rows"}))
        start = time.perf_counter()
        SA, SB = read_sketch(
            problem, tall_sketch(problem, self.sketch, self.oversampling, self.seed)
        )
        if not SA.any():  # nothing to whiten
            return QR()._solve(problem)
        sketched = time.perf_counter()
        whitening, guess = _whitening(SA, SB, problem)
        small = time.perf_counter()
        del SA, SB
        factorization = _second_pass(problem, whitening, guess)
        second = time.perf_counter()
        if factorization is None:
            raw = QR()._solve(problem)
            raw.n_passes += 2
            raw.reason = "the sketch of SWG missed directions of the matrix; QR misses none"
            return raw
        raw = solution_of(
            problem,
            factorization,
            solver="SWG",
            reason="sketch, truncate, whiten, Gram: two passes of matrix products",
            n_passes=2,
        )
        raw.seconds.update(
            {"sketch": sketched - start, "whitening": small - sketched, "Gram": second - small}
        )
        return raw


@dataclass(frozen=True)
class Whitening:
    """The directions that a sketch keeps.

    Attributes
    ----------
    V : array of shape (n_cols, r)
        Right singular vectors of the sketch.
    s : array of shape (r,)
        Its singular values.
    cutoff : float
        Share of the largest below which directions were left out.
    """

    V: Array
    s: Array
    cutoff: float

    @property
    def P(self) -> Array:  # noqa: N802 - the name of the literature
        """``V / s``, shape (n_cols, r)."""
        return np.ascontiguousarray(self.V / self.s)


def _whitening(SA: Array, SB: Array, problem: Problem) -> tuple[Whitening, Array]:
    """Return the kept directions, and a sketched solution in whitened coordinates."""
    s1 = largest_singular_value(SA)
    ridge = 0.0 if isinstance(problem.alpha, str) else problem.alpha
    cutoff = max(NOISE, MARGIN * problem.negligible(s1))
    U, s, Vt = leading_svd(SA, cutoff)
    r = numerical_rank(s, cutoff)
    U, s = U[:, :r], s[:r]
    # The first solution must not be longer than the last one has to be: its product with
    # A would drown in rounding.
    shrink = s > SHORT * s1 if problem.chooses else 1.0 / (1.0 + (ridge**0.5 / s) ** 2)
    return Whitening(Vt[:r].T, s, cutoff), shrink[:, None] * multiply(U.T, SB)


def _second_pass(
    problem: Problem, whitening: Whitening, guess: Array
) -> SpectralFactorization | None:
    """Accumulate the whitened Gram matrix and return the spectrum of A in its directions.

    None where the sketch has missed directions: where whitening by it leaves a badly
    conditioned matrix, or where A is too long on a random vector of what was left out.
    """
    P, s, V = whitening.P, whitening.s, whitening.V
    x0 = multiply(P, guess)
    n_cols, n_targets = x0.shape
    probe = stream(0, "left out").standard_normal((n_cols, 1))
    for _ in range(2):
        probe -= multiply(V, multiply(V.T, probe))
    # One product serves all: the last columns of Y are A x0 and A probe.
    P = np.column_stack([P, x0, probe])
    index, importance = problem.rows_to_keep() if problem.chooses else (np.empty(0, int), None)
    kept: list[Array] = []
    sums, weight = np.zeros(n_cols), 0.0
    r = len(s)
    reduction = GramReduction(P.shape[1], n_targets + 1, center=problem.intercept)
    Y = np.empty((0, P.shape[1]))
    for rows, A, B, weights in problem.blocks():
        A = A.astype(np.float64, copy=False)
        here = index[np.searchsorted(index, rows.start) : np.searchsorted(index, rows.stop)]
        kept.append(A[here - rows.start])
        if len(Y) < len(A):
            Y = np.empty((len(A), P.shape[1]))
        product = multiply(A, P, out=Y[: len(A)])
        targets = np.column_stack([B - product[:, r:-1], product[:, -1]])
        reduction.update(product, targets, weights, start=rows.start, overwrite=True)
        if problem.intercept:
            sums += A.sum(axis=0) if weights is None else weights @ A
            weight += len(A) if weights is None else float(weights.sum())
    found = reduction.products()
    mean_A = sums / weight if problem.intercept else sums
    BB, AB, mean_B = found.BB[:-1], found.AB[:r, :-1], found.mean_B[:-1]
    lower = found.lower[:r, :r]
    facts = ProblemFacts(
        BB,
        mean_A,
        mean_B + mean_A @ x0 if problem.intercept else np.zeros(n_targets),
        problem.n_effective,
        float(len(problem.B) if problem.weights is None else problem.weights.sum()),
        problem.intercept,
        None
        if importance is None
        else KeptRows(np.concatenate(kept), problem.B[index], importance),
    )
    L = cholesky(lower, 0.0)
    left_out = float(found.BB[-1]) ** 0.5
    if L is None or left_out > MISSED * max(whitening.cutoff, NOISE) * s[0] * n_cols**0.5:
        return None
    if cholesky_condition(L, float(np.abs(lower).sum(axis=0).max())) > WORST_WHITENING:
        return None
    L = np.tril(L)
    step = triangular_solve(L, np.asfortranarray(AB))
    # B - A x0 is as long as the best residual up to a small factor: nothing cancels.
    outside = np.maximum(BB - np.einsum("ij,ij->j", step, step), 0.0)
    C = step + L.T @ guess
    small = spectral_from_matrix(L.T * s, C, outside, facts=facts, resolution=ORTHOGONAL_RESOLUTION)
    total = outside + np.einsum("ij,ij->j", C, C)
    return replace(
        small,
        facts=replace(facts, total_sumsq=total),
        right_vectors=multiply(whitening.V, np.ascontiguousarray(small.right_vectors)),
    )
