"""Direct solvers: one factorisation, after which every ridge and target is cheap."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from solvenet.blocks.planning import STATE_TRIANGLES
from solvenet.linalg.factor import pivoted_triangle, reflect, thin_svd, unit_reflector
from solvenet.linalg.leading import largest_singular_value, leading_svd
from solvenet.linalg.leave_one_out import ExactRows
from solvenet.linalg.rank import EPS, GRAM_RESOLUTION, ORTHOGONAL_RESOLUTION, numerical_rank
from solvenet.reductions import GramReduction, QRReduction, Reduction
from solvenet.solvers._base import Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.cholesky import cholesky_from_gram
from solvenet.solvers.factorization import (
    KeptRows,
    ProblemFacts,
    spectral,
    spectral_from_gram,
    spectral_from_matrix,
)
from solvenet.solvers.problem import Problem, check_state
from solvenet.solvers.result import StopReason
from solvenet.solvers.triangular import TriangularFactorization

if TYPE_CHECKING:
    from solvenet._array_api import Array

_EVERYTHING = (
    Supports.ALPHA
    | Supports.RANK_DEFICIENT
    | Supports.WIDE
    | Supports.AUTO_RIDGE
    | Supports.AUTO_CUTOFF
)

CHOLESKY_COLUMNS = 700
"""From this many columns on, Cholesky factors are cheaper than one eigendecomposition."""


@dataclass(frozen=True)
class SVD(Solver):
    """Singular value decomposition of the explicit matrix: the reference.

    Minimum-norm solution in the directions above the cutoff. Needs the matrix in
    memory.

    Parameters
    ----------
    spectrum : bool, default=True
        Whether to compute every singular value. Without, and where the cutoff or ridge is
        a number, those that cannot matter are left out: several times faster where the
        rank is low.

    Notes
    -----
    *Cost.* One pass; about ``2 m n**2 + 20 n**3`` flops for m >= n (LAPACK ``gesdd``), or
    ``4 m n r + 20 r**3`` for rank r without the spectrum; memory for three copies of A.

    *When not to use.* When A does not fit into memory three times: QR gives the same
    accuracy in one pass over row blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import SVD
    >>> result = SVD().solve(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([2.0, 2.0]))
    >>> result.coef.round(12), result.rank
    (array([1., 1.]), 1)
    """

    spectrum: bool = True

    needs: ClassVar[Needs] = Needs.ONE_PASS | Needs.MATRIX
    supports: ClassVar[Supports] = _EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        long, short = max(n_rows, n_cols), min(n_rows, n_cols)
        flops = 2.0 * long * short**2 + 20.0 * short**3
        return Cost(flops, 1, 8 * (3 * n_rows * n_cols + 3 * short**2 + 2 * n_rows * n_targets))

    def _solve(self, problem: Problem) -> RawSolution:
        A = problem.A.to_array(problem.memory_limit).astype(np.float64, copy=False)
        B, weights = problem.B, problem.weights
        kept = _keep(problem, A) if problem.chooses else None
        root = np.ones(len(A)) if weights is None else np.sqrt(weights)
        if weights is not None:
            A *= root[:, None]
            B = B * root[:, None]
        mean_A, mean_B = np.zeros(A.shape[1]), np.zeros(B.shape[1])
        reflector = None
        if problem.intercept:
            # A reflection of the constant vector into the first row takes it out exactly:
            # even singular vectors of rounding noise stay orthogonal to it.
            mean_A, mean_B = (root @ M / (root @ root) for M in (A, B))
            reflector = unit_reflector(root)
            A, B = reflect(reflector, A)[1:], reflect(reflector, B)[1:]
        check_state(A)
        cutoff = 0.0 if self.spectrum else problem.negligible(largest_singular_value(A))
        U, s, Vt = leading_svd(A, cutoff) if cutoff > 0 else thin_svd(A)
        projected = U.T @ B
        outside = B - U @ projected
        facts = _facts(problem, np.einsum("ij,ij->j", B, B), mean_A, mean_B, kept)
        factorization = spectral(
            s,
            Vt.T,
            projected,
            np.einsum("ij,ij->j", outside, outside),
            facts=facts,
            resolution=ORTHOGONAL_RESOLUTION,
        )
        if kept is not None:
            index, _ = problem.rows_to_keep()
            if reflector is not None:
                U = reflect(reflector, np.concatenate([np.zeros((1, U.shape[1])), U]))
            left = ExactRows(
                U[index] / root[index, None],
                kept.B - mean_B,
                projected,
                facts.constant_leverage,
                kept.weights,
            )
            factorization = replace(factorization, left=left)
        return solution_of(
            problem,
            factorization,
            solver="SVD",
            reason="the explicit matrix was asked for",
            n_passes=1,
        )


@dataclass(frozen=True)
class QR(Solver):
    """Triangular factor of ``[1, A, B]`` in one pass, then the SVD of the small factor.

    As accurate as :class:`SVD`, and every row is read once and forgotten.

    Parameters
    ----------
    spectrum : bool, default=True
        Whether to compute every singular value, as for :class:`SVD`.

    Notes
    -----
    *Cost.* One pass; about ``2.5 m n**2 + 20 n**3`` flops; memory ``8 * 12 n**2`` bytes
    and two blocks.

    *When not to use.* When a ridge of at least 1e-14 of the largest squared singular
    value is wanted (noisy data, classification): NormalEquations is several times
    faster and no worse there.

    References
    ----------
    J. Demmel, L. Grigori, M. Hoemmen, J. Langou (2012), SIAM J. Sci. Comput. 34,
    A206-A239, https://doi.org/10.1137/080731992

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import QR
    >>> A = np.vander(np.linspace(0, 1, 50), 12)
    >>> float(abs(QR().solve(A, A @ np.ones(12)).coef - 1).max()) < 1e-6
    True
    """

    spectrum: bool = True

    needs: ClassVar[Needs] = Needs.ONE_PASS
    supports: ClassVar[Supports] = _EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        short, width = min(n_rows, n_cols), n_cols + n_targets + 1
        flops = 2.5 * n_rows * width * short + 20.0 * short**3
        return Cost(flops, 1, 8 * STATE_TRIANGLES * width**2)

    def _solve(self, problem: Problem) -> RawSolution:
        n_cols, n_targets = problem.A.shape[1], problem.B.shape[1]
        ridge = 0.0 if self.spectrum or isinstance(problem.alpha, str) else problem.alpha
        reduction = QRReduction(n_cols, n_targets, center=problem.intercept, ridge=ridge)
        seconds, kept = _reduce(problem, reduction)
        R, C, outside, mean_A, mean_B = reduction.factors()
        check_state(R)
        total = outside + np.einsum("ij,ij->j", C, C)
        facts = _facts(problem, total, mean_A, mean_B, kept)
        if ridge > 0:
            return _folded(R, C, outside, facts, ridge, seconds)
        factorization = spectral_from_matrix(
            R,
            C,
            outside,
            facts=facts,
            resolution=ORTHOGONAL_RESOLUTION,
            negligible=None if self.spectrum else problem.negligible,
        )
        raw = solution_of(
            problem,
            factorization,
            solver="QR",
            reason="one pass at full accuracy",
            n_passes=1,
        )
        raw.seconds.update(seconds)
        return raw


def _folded(
    R: Array, C: Array, outside: Array, facts: ProblemFacts, ridge: float, seconds: dict[str, float]
) -> RawSolution:
    """Return the solution of a ridge problem whose ridge was folded into R."""
    factorization = TriangularFactorization(
        facts=facts,
        largest=largest_singular_value(R),
        resolution=ORTHOGONAL_RESOLUTION,
        R=R,
        C=C,
        outside=outside,
        ridge=ridge,
    )
    return RawSolution(
        factorization,
        "QR",
        "one pass at full accuracy, with the ridge folded in",
        factorization.ratio(ridge),
        0.0,
        StopReason.DIRECT,
        1,
        residual_is_exact=bool(
            (factorization.residual_sumsq(0.0) >= 1e-6 * np.maximum(outside, 0.0)).all()
        ),
        seconds=seconds,
    )


@dataclass(frozen=True)
class PivotedQR(Solver):
    """Column-pivoted QR of the triangular factor: a rank without singular values.

    What LAPACK's ``gelsy`` does, in one pass over row blocks: the rank is where the diagonal
    of the pivoted factor falls below the cutoff, and the solution is the one of least norm
    of the truncated matrix.

    Notes
    -----
    *Cost.* One pass; ``2.5 m n**2 + 4/3 n**3 + 4 n r**2`` flops for rank r, half of the
    second in products with vectors; memory ``8 * 12 n**2`` bytes and two blocks.

    *When not to use.* Where the rank must be that of the singular values: the diagonal of
    the factor may exceed them, by little in practice and by ``2**n`` in theory (Kahan's
    matrix). QR costs about the same.

    References
    ----------
    P. Businger, G. Golub (1965), Numer. Math. 7, 269-276.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import PivotedQR
    >>> result = PivotedQR().solve(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([2.0, 2.0]))
    >>> result.coef.round(12), result.rank
    (array([1., 1.]), 1)
    """

    needs: ClassVar[Needs] = Needs.ONE_PASS
    supports: ClassVar[Supports] = Supports.ALPHA | Supports.RANK_DEFICIENT | Supports.WIDE

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        return QR().cost(n_rows, n_cols, n_targets)

    def _solve(self, problem: Problem) -> RawSolution:
        n_cols, n_targets = problem.A.shape[1], problem.B.shape[1]
        reduction = QRReduction(n_cols, n_targets, center=problem.intercept)
        seconds, _ = _reduce(problem, reduction)
        R, C, outside, mean_A, mean_B = reduction.factors()
        check_state(R)
        total = outside + np.einsum("ij,ij->j", C, C)
        Q, T, pivots = pivoted_triangle(R)
        diagonal = np.abs(np.diagonal(T))
        cutoff = problem.negligible(float(diagonal[:1].max(initial=0.0)))
        rank = max(numerical_rank(diagonal, cutoff), min(1, len(diagonal)))
        kept = np.empty((rank, n_cols))
        kept[:, pivots] = T[:rank]
        projected = Q[:, :rank].T @ C
        left = C - Q[:, :rank] @ projected
        factorization = spectral_from_matrix(
            kept,
            projected,
            outside + np.einsum("ij,ij->j", left, left),
            facts=_facts(problem, total, mean_A, mean_B, None),
            resolution=ORTHOGONAL_RESOLUTION,
        )
        # The rank is decided: what the pivoted factor keeps is not cut a second time.
        raw = solution_of(
            replace(problem, rcond=None if problem.alpha else EPS),
            factorization,
            solver="PivotedQR",
            reason="one pass, then column pivoting of the triangular factor",
            n_passes=1,
        )
        raw.rcond = problem.cutoff()
        raw.seconds.update(seconds)
        return raw


@dataclass(frozen=True)
class NormalEquations(Solver):
    """Gram matrix in one pass, then its eigenvalues or Cholesky factors.

    The fastest one-pass solver, and the least accurate: singular values below 1e-7 of
    the largest are lost in the rounding of the products.

    Parameters
    ----------
    spectrum : bool or "auto", default="auto"
        Whether to compute the eigenvalues (rank, spectrum, cutoffs). ``"auto"`` does so
        below 700 columns, without a ridge, and for a chosen cutoff.

    Notes
    -----
    *Cost.* One pass; ``m n**2`` flops for the products, then ``9 n**3`` with the
    spectrum or ``n**3 / 3`` a ridge without; memory ``8 * 5 n**2`` bytes and two blocks.

    *When not to use.* Without a ridge on ill-conditioned matrices, or for errors below
    1e-7: use QR. The result says so (``StopReason.BELOW_RESOLUTION``).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import NormalEquations
    >>> A = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    >>> NormalEquations().solve(A, np.array([1.0, 2.0, 3.0])).coef.round(12)
    array([1., 1.])
    """

    spectrum: bool | str = "auto"

    needs: ClassVar[Needs] = Needs.ONE_PASS
    supports: ClassVar[Supports] = _EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        flops = 1.0 * n_rows * n_cols * (n_cols + 2 * n_targets) + 9.0 * n_cols**3
        return Cost(flops, 1, 8 * n_cols * (5 * n_cols + 4 * n_targets))

    def _solve(self, problem: Problem) -> RawSolution:
        n_cols, n_targets = problem.A.shape[1], problem.B.shape[1]
        reduction = GramReduction(n_cols, n_targets, center=problem.intercept)
        seconds, kept = _reduce(problem, reduction)
        products = reduction.products()
        check_state(products.lower)
        facts = _facts(problem, products.BB, products.mean_A, products.mean_B, kept)
        spectrum = self.spectrum
        if spectrum == "auto":
            spectrum = n_cols < CHOLESKY_COLUMNS or problem.alpha == 0 or problem.rcond is not None
        if spectrum or not products.lower.any():
            factorization = spectral_from_gram(
                products.gram(),
                products.AB,
                facts=facts,
                resolution=GRAM_RESOLUTION,
            )
            raw = solution_of(
                problem,
                factorization,
                solver="NormalEquations",
                reason="Gram matrix and its eigenvalues",
                n_passes=1,
            )
        else:
            raw = solution_of(
                problem,
                cholesky_from_gram(
                    products.lower, products.AB, facts=facts, resolution=GRAM_RESOLUTION
                ),
                solver="NormalEquations",
                reason="Gram matrix and Cholesky factors",
                n_passes=1,
            )
        # B'B - ... loses half the digits when the fit is nearly exact.
        left = raw.factorization.residual_sumsq(raw.ratio)
        raw.residual_is_exact = bool((left >= 1e-6 * products.BB).all())
        raw.seconds.update(seconds)
        return raw


def _reduce(problem: Problem, reduction: Reduction) -> tuple[dict[str, float], KeptRows | None]:
    """Read the rows once; keep some of them where something is chosen by leave-one-out."""
    start = time.perf_counter()
    index, importance = problem.rows_to_keep() if problem.chooses else (np.empty(0, int), None)
    parts = []
    for rows, A, B, weights in problem.blocks():
        here = index[np.searchsorted(index, rows.start) : np.searchsorted(index, rows.stop)]
        parts.append(A[here - rows.start].astype(np.float64))
        reduction.update(A, B, weights, start=rows.start, overwrite=problem.A.fresh)
    kept = None
    if importance is not None:
        kept = KeptRows(np.concatenate(parts), problem.B[index], importance)
    return {"pass": time.perf_counter() - start}, kept


def _keep(problem: Problem, A: Array) -> KeptRows:
    index, weights = problem.rows_to_keep()
    return KeptRows(A[index], problem.B[index], weights)


def _facts(
    problem: Problem, total: Array, mean_A: Array, mean_B: Array, kept: KeptRows | None
) -> ProblemFacts:
    weight = float(len(problem.B) if problem.weights is None else problem.weights.sum())
    return ProblemFacts(total, mean_A, mean_B, problem.n_effective, weight, problem.intercept, kept)
