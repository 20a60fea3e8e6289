"""Split-and-Solve with deflation: parts of the columns, each freed of those before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from solvenet._validation import check_count
from solvenet.errors import MemoryLimitError
from solvenet.linalg.accuracy import column_norms
from solvenet.linalg.rank import finest_cutoff
from solvenet.linalg.regularization import SelectionCurve
from solvenet.solvers._base import Cost, Needs, Solver, Supports
from solvenet.solvers.approximate import History
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.basis import DeflatedBasis
from solvenet.solvers.factorization import SpectralFactorization
from solvenet.solvers.parts import split_columns
from solvenet.solvers.problem import Problem
from solvenet.solvers.result import StopReason

if TYPE_CHECKING:
    from solvenet._array_api import Array

PARTS_AT_ONCE = 4
"""Arrays of the size of a part that exist at the same time."""


@dataclass(frozen=True)
class DeflatedSplit(Solver):
    """Parts of the columns one after the other, each freed of the span of those before it.

    Split-and-Solve as block Gram-Schmidt: what is left of a part after two projections is
    truncated, and joins an orthonormal basis Q. The matrix is never held; where columns
    are made on the fly each is made once.

    With a cutoff (``rcond``), the directions of a part that fall below it are left out
    altogether, and the solution is the least-squares solution in all others. At the same
    cutoff that is more accurate than the truncated SVD, whose directions mix columns of
    all sizes, by one to four orders of magnitude for features of a smooth target; the
    weights are longer. Without one (``rcond=None`` or ``"auto"``, or with a ridge) parts
    are freed of rounding alone, and the solution is that of :class:`SVD`.

    Parameters
    ----------
    n_parts : int, default=8
        Parts of the columns, of equal size.
    order : {"sorted", "ordered", "random"}, default="sorted"
        Columns by ascending `key` (the smooth units first), as they come, or at random.
    key : array-like of shape (n_cols,), optional
        What columns are sorted by. By default the norms of the hidden weights, where the
        source knows them, otherwise the standard deviations of the columns, in one more
        pass.
    seed : int, default=0
        Of the random order.
    patience : int, optional
        Stop when the leave-one-out error has not fallen for so many parts, and leave
        these out. By default all parts are used.

    Notes
    -----
    *Cutoff.* ``rcond s / sqrt(n_parts)``, s the largest norm of a part so far: what Q lacks
    of A is then at most ``rcond s1``, whatever the order, and the residual at most
    ``min_z ||A z - b|| + rcond s1 ||z||``, the bound of the truncated SVD. The triangle
    ``Q' A`` is solved by an SVD with a cutoff at the level of rounding.

    *Cost.* n rows, m columns, k parts, rank r: ``4 n r (m + r) + 6 n m**2 / k + 20 r**3``
    flops. The rows of the source are read once a part, for the columns of that part.
    *Memory:* ``8 n r`` bytes for Q, ``32 n m / k`` for a part, ``8 r**2`` for the triangle
    (``8 r m`` without a cutoff).

    *Floor.* ``result.floor`` takes the longer weights for those of a truncated SVD, and
    overstates the error: the cutoff does not act on the weights that are used.

    *When not to use.* When the numerical rank is not far below the number of columns, or
    the rows can be read only once: QR.

    References
    ----------
    G. W. Stewart (2008), Block Gram-Schmidt orthogonalization, SIAM J. Sci. Comput. 31,
    761-775, https://doi.org/10.1137/070682563;
    B. Adcock, D. Huybrechs (2019), SIAM Review 61, 443-473, for the bound.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import DeflatedSplit
    >>> A = np.vander(np.linspace(0, 1, 50), 12)
    >>> result = DeflatedSplit(n_parts=3).solve(A, A @ np.ones(12), rcond=1e-8)
    >>> bool(result.residual_norm[0] < 1e-7), result.history.n_iterations
    (True, 3)
    """

    n_parts: int = 8
    order: str = "sorted"
    key: Any = field(default=None, compare=False, repr=False)
    seed: int = 0
    patience: int | None = None

    needs: ClassVar[Needs] = Needs.MANY_PASSES
    supports: ClassVar[Supports] = (
        Supports.ALPHA
        | Supports.RANK_DEFICIENT
        | Supports.WIDE
        | Supports.AUTO_RIDGE
        | Supports.AUTO_CUTOFF
    )

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve, for a rank of half the columns."""
        k, r = min(self.n_parts, n_cols), min(n_rows, n_cols) / 2
        flops = 4 * n_rows * r * (n_cols + r) + 6 * n_rows * n_cols**2 / k + 20 * r**3
        numbers = n_rows * r + 4 * n_rows * n_cols / k + r * n_cols + 4 * r**2
        return Cost(flops, k, int(8 * (numbers + 4 * n_rows * n_targets)))

    def _solve(self, problem: Problem) -> RawSolution:
        if self.patience is not None:
            check_count("patience", self.patience)
        parts, n_passes = split_columns(
            problem, self.n_parts, order=self.order, key=self.key, seed=self.seed
        )
        given = problem.rcond is not None and not isinstance(problem.rcond, str)
        restricted = given and problem.alpha == 0
        basis = DeflatedBasis(
            problem.B,
            weights=problem.weights,
            intercept=problem.intercept,
            cutoff=problem.cutoff() / len(parts) ** 0.5 if restricted else 0.0,
            restricted=restricted,
        )
        norms = [column_norms(basis.residual)]
        scores: list[float] = []
        for columns in parts:
            basis.append(self._read(problem, columns, basis), columns)
            norms.append(column_norms(basis.residual))
            if self.patience is not None:
                scores.append(basis.leave_one_out())
                if len(scores) - 1 - int(np.argmin(scores)) >= self.patience:
                    break
        n_passes += basis.n_parts
        best = int(np.argmin(scores)) + 1 if scores else basis.n_parts
        while basis.n_parts > best:
            basis.forget()
        raw = self._solution(problem, basis, restricted, n_passes)
        raw.history = History(np.array(norms))
        if scores and raw.curve is None:
            ends = np.cumsum([len(columns) for columns in parts[: len(scores)]])
            raw.curve = SelectionCurve(
                "columns", ends.astype(float), np.array(scores), best - 1, problem.A.shape[0]
            )
        if best < len(parts) and raw.stop_reason.success:
            raw.stop_reason = StopReason.STOPPED_EARLY
        return raw

    def _read(self, problem: Problem, columns: Array, basis: DeflatedBasis) -> Array:
        """Return a part as an array, if there is room for it and what it needs."""
        size, limit = 8 * problem.A.shape[0] * len(columns), problem.memory_limit
        if limit is not None and basis.nbytes + PARTS_AT_ONCE * size > limit:
            msg = (
                f"A part of {len(columns)} columns needs {PARTS_AT_ONCE * size / 1e6:.0f} MB "
                f"beside a basis of rank {basis.rank} with {basis.nbytes / 1e6:.0f} MB, and the "
                f"memory limit is {limit / 1e6:.0f} MB. Use more parts, a larger rcond, "
                "a solver that reads row blocks (QR, NormalEquations), or raise the limit."
            )
            raise MemoryLimitError(msg)
        return problem.A.columns(columns).to_array()

    def _solution(
        self, problem: Problem, basis: DeflatedBasis, restricted: bool, n_passes: int
    ) -> RawSolution:
        rows = None
        if problem.chooses:
            index, weights = problem.rows_to_keep()
            if weights is None:
                w = problem.weights
                weights = np.ones(len(index)) if w is None else w[index]
            rows = (index, problem.B[index], weights)
        factorization = basis.factorization(n_cols=problem.A.shape[1], rows=rows)
        name, reason = type(self).__name__, f"{basis.n_parts} parts of the columns, deflated"
        if not restricted:
            return solution_of(
                problem, factorization, solver=name, reason=reason, n_passes=n_passes
            )
        return restricted_solution(
            problem, factorization, solver=name, reason=reason, n_passes=n_passes
        )


def restricted_solution(
    problem: Problem,
    factorization: SpectralFactorization,
    *,
    solver: str,
    reason: str,
    n_passes: int,
) -> RawSolution:
    """Return the solution in all directions that a restricted basis has kept.

    The cutoff has done its work on the parts: of their triangle only noise is left out.
    """
    kept = factorization.truncated(finest_cutoff(factorization.resolution))
    whole = kept.rank == min(problem.A.shape)
    stop = StopReason.DIRECT if whole else StopReason.TRUNCATED
    return RawSolution(kept, solver, reason, 0.0, problem.cutoff(), stop, n_passes)
