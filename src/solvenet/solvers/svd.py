"""The explicit matrix, decomposed: the reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from solvenet.linalg.factor import reflect, unit_reflector
from solvenet.linalg.leading import leading_svd
from solvenet.linalg.leave_one_out import ExactRows
from solvenet.linalg.rank import ORTHOGONAL_RESOLUTION
from solvenet.solvers._base import EVERYTHING, Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.factorization import (
    KeptRows,
    spectral_from_matrix,
)
from solvenet.solvers.least_norm import solve_at_cutoff
from solvenet.solvers.passes import keep_rows
from solvenet.solvers.problem import Problem, check_state

if TYPE_CHECKING:
    pass


EXPLICIT = "the explicit matrix was asked for"


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
    supports: ClassVar[Supports] = EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        long, short = max(n_rows, n_cols), min(n_rows, n_cols)
        flops = 2.0 * long * short**2 + 20.0 * short**3
        return Cost(flops, 1, 8 * (3 * n_rows * n_cols + 3 * short**2 + 2 * n_rows * n_targets))

    def _solve(self, problem: Problem) -> RawSolution:
        A = problem.A.to_array(problem.memory_limit).astype(np.float64, copy=False)
        B, weights = problem.B, problem.weights
        kept = keep_rows(problem, A) if problem.chooses else None
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
        none = np.zeros(B.shape[1])
        facts = problem.facts(np.einsum("ij,ij->j", B, B), mean_A, mean_B, kept)
        if not self.spectrum and not problem.chooses and problem.alpha == 0:
            return solve_at_cutoff(problem, A, B, none, facts, solver="SVD", reason=EXPLICIT)
        triplets = leading_svd(A, 0.0 if self.spectrum else problem.negligible(A))
        factorization = spectral_from_matrix(
            A, B, none, facts=facts, resolution=ORTHOGONAL_RESOLUTION, triplets=triplets
        )
        if kept is not None and not isinstance(problem.choose_by, KeptRows):
            U = triplets[0]
            index, _ = problem.rows_to_keep()
            if reflector is not None:
                U = reflect(reflector, np.concatenate([np.zeros((1, U.shape[1])), U]))
            left = ExactRows(
                U[index] / root[index, None],
                kept.B - mean_B,
                factorization.projected,
                facts.constant_leverage,
                kept.weights,
            )
            factorization = replace(factorization, left=left)
        return solution_of(
            problem,
            factorization,
            solver="SVD",
            reason=EXPLICIT,
            n_passes=1,
        )
