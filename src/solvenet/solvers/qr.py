"""Triangular factors in one pass: as accurate as the explicit matrix, which is never held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from solvenet.blocks.planning import STATE_TRIANGLES
from solvenet.linalg.factor import pivoted_triangle
from solvenet.linalg.leading import largest_singular_value
from solvenet.linalg.rank import EPS, ORTHOGONAL_RESOLUTION, numerical_rank
from solvenet.reductions import QRReduction
from solvenet.solvers._base import EVERYTHING, Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.factorization import (
    ProblemFacts,
    spectral_from_matrix,
)
from solvenet.solvers.least_norm import solve_at_cutoff
from solvenet.solvers.passes import Pass, one_pass
from solvenet.solvers.problem import Problem, check_state
from solvenet.solvers.result import StopReason
from solvenet.solvers.triangular import TriangularFactorization

if TYPE_CHECKING:
    from solvenet._array_api import Array


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
    supports: ClassVar[Supports] = EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        short, width = min(n_rows, n_cols), n_cols + n_targets + 1
        flops = 2.5 * n_rows * width * short + 20.0 * short**3
        return Cost(flops, 1, 8 * STATE_TRIANGLES * width**2)

    def _solve(self, problem: Problem) -> RawSolution:
        return self.finish(problem, _read(problem))

    def finish(self, problem: Problem, done: Pass) -> RawSolution:
        """Solve from the summary of all rows, which must not be used any more."""
        triangle = done.inner
        assert isinstance(triangle, QRReduction)
        ridge = 0.0 if self.spectrum or isinstance(problem.alpha, str) else problem.alpha
        if ridge > 0:
            triangle.add_ridge(ridge)
        R, C, outside, mean_A, mean_B = triangle.factors()
        check_state(R)
        total = outside + np.einsum("ij,ij->j", C, C)
        facts = done.facts(problem, total, mean_A, mean_B)
        seconds = {"pass": done.seconds}
        if ridge > 0:
            return _folded(R, C, outside, facts, ridge, seconds)
        reason = "one pass at full accuracy"
        if not self.spectrum and not problem.chooses:
            raw = solve_at_cutoff(problem, R, C, outside, facts, solver="QR", reason=reason)
        else:
            factorization = spectral_from_matrix(
                R, C, outside, facts=facts, resolution=ORTHOGONAL_RESOLUTION
            )
            raw = solution_of(problem, factorization, solver="QR", reason=reason, n_passes=1)
        raw.seconds.update(seconds)
        return raw


def _read(problem: Problem) -> Pass:
    """Return the triangle of all rows."""
    n_cols, n_targets = problem.A.shape[1], problem.n_targets
    make = partial(QRReduction, n_cols, n_targets, center=problem.intercept)
    return one_pass(problem, make, name="triangle")


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
        n_cols = problem.A.shape[1]
        done = _read(problem)
        triangle = done.inner
        assert isinstance(triangle, QRReduction)
        R, C, outside, mean_A, mean_B = triangle.factors()
        check_state(R)
        total = outside + np.einsum("ij,ij->j", C, C)
        Q, T, pivots = pivoted_triangle(R)
        diagonal = np.abs(np.diagonal(T))
        cutoff = problem.negligible(T)
        rank = max(numerical_rank(diagonal, cutoff), min(1, len(diagonal)))
        kept = np.empty((rank, n_cols))
        kept[:, pivots] = T[:rank]
        projected = Q[:, :rank].T @ C
        left = C - Q[:, :rank] @ projected
        factorization = spectral_from_matrix(
            kept,
            projected,
            outside + np.einsum("ij,ij->j", left, left),
            facts=done.facts(problem, total, mean_A, mean_B),
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
        raw.seconds["pass"] = done.seconds
        return raw
