"""Krylov solvers: nothing is factored, the matrix is read once an iteration."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Unpack

import numpy as np

from solvenet._validation import check_count, check_nonnegative
from solvenet.errors import InvalidSettingError, UnsupportedProblemError
from solvenet.linalg import krylov
from solvenet.linalg.accuracy import column_norms
from solvenet.linalg.rank import ORTHOGONAL_RESOLUTION
from solvenet.solvers._base import Cost, Needs, Solver, Supports
from solvenet.solvers.approximate import ApproximateSolution, History
from solvenet.solvers.audit import RawSolution
from solvenet.solvers.operator import ProblemOperator
from solvenet.solvers.problem import Problem, check_state
from solvenet.solvers.result import StopReason

if TYPE_CHECKING:
    from solvenet._array_api import Array

FEWEST, MOST = 100, 5000
"""Bounds of the iterations that are allowed where the caller gives no number."""

Callback = Callable[[int, "Array"], object]


@dataclass(frozen=True)
class _Krylov(Solver):
    """What the Krylov solvers have in common."""

    atol: float = 1e-10
    btol: float = 1e-10
    conlim: float = 1e8
    max_iterations: int | None = None
    window: int = 100
    callback: Callback | None = field(default=None, repr=False, compare=False)

    needs: ClassVar[Needs] = Needs.MANY_PASSES
    supports: ClassVar[Supports] = (
        Supports.ALPHA | Supports.RANK_DEFICIENT | Supports.WIDE | Supports.WARM_START
    )

    @staticmethod
    @abstractmethod
    def _kernel(
        step: krylov.Step, B: Array, start: Array, **options: Unpack[krylov.Options]
    ) -> krylov.KrylovSolution:
        """Return the solution by this method."""

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve with all iterations allowed."""
        passes = self._limit((n_rows, n_cols)) + 2
        state = 8 * n_targets * (4 * n_rows + 7 * n_cols)
        return Cost(4.0 * n_rows * n_cols * n_targets * passes, passes, state)

    def _limit(self, shape: tuple[int, int]) -> int:
        return self.max_iterations or min(max(4 * min(shape), FEWEST), MOST)

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what this solver cannot do."""
        super().check(problem, audit=audit)
        refuse_cutoff(type(self).__name__, problem)
        check_nonnegative("atol", self.atol)
        check_nonnegative("btol", self.btol)
        check_count("window", self.window)
        if self.max_iterations is not None:
            check_count("max_iterations", self.max_iterations)
        if not self.conlim >= 1:
            msg = f"conlim={self.conlim!r} was given; at least 1 is wanted (inf: no limit)."
            raise InvalidSettingError(msg)

    def _solve(self, problem: Problem) -> RawSolution:
        assert not isinstance(problem.alpha, str)
        operator = ProblemOperator(problem)
        found = self._kernel(
            checked(operator),
            operator.B,
            starting_point(problem),
            damp=problem.alpha**0.5,
            atol=self.atol,
            btol=self.btol,
            conlim=self.conlim,
            max_iterations=self._limit(operator.shape),
            window=self.window,
            callback=self.callback,
        )
        iterations = len(found.residual_norms) - 1
        return raw_solution(
            problem,
            operator,
            found.W,
            found.residual_norms[-1],
            norm=float(found.norm.max()),
            condition=float(found.condition.max()),
            solver=type(self).__name__,
            reason=f"{iterations} iterations, one pass each",
            stop_reason=StopReason[krylov.Stop(int(found.stop.max())).name],
            history=History(found.residual_norms, found.normal_residual_norms),
        )


@dataclass(frozen=True)
class LSQR(_Krylov):
    """LSQR of Paige and Saunders: the residual falls in every iteration.

    The minimum-norm solution where the start is zero, else the solution nearest to the
    start. Stops where the solution is exact for data that differ by `atol` and `btol`
    from the given ones; never before a measured residual says so.

    Parameters
    ----------
    atol, btol : float, default=1e-10
        Relative accuracy of A and of B. Stop where ``||r|| <= btol ||b|| + atol ||A||
        ||w||`` (CONVERGED) or ``||A' r|| <= atol ||A|| ||r||`` (CONVERGED_NORMAL); with a
        ridge, A has ``sqrt(alpha) I`` below it.
    conlim : float, default=1e8
        Stop where the condition number that the iteration sees exceeds this: beyond
        ``1 / sqrt(eps)`` the solution of a least-squares problem may be noise.
    max_iterations : int, optional
        By default four times the smaller side of A, at least 100 and at most 5000.
    window : int, default=100
        Iterations without progress after which the solver starts anew from the measured
        residual, or stops (STAGNATED).
    callback : callable, optional
        Called after every iteration as ``callback(iteration, residual_norms)``. A true
        answer stops (INTERRUPTED); a later call with ``start=result.coef`` goes on.

    Notes
    -----
    *Cost.* One pass an iteration, one before and one after the last, all right-hand sides
    together; ``4 m n q`` flops each; memory ``8 q (4 m + 6 n)`` bytes and one block.

    *When not to use.* The number of iterations grows with the condition number, and above
    ``conlim`` there is no solution to find: features of smooth activations have condition
    numbers of 1e13 and more, which SWG, QR or SPIR handle and this does not. A cutoff
    (rcond) is not possible.

    References
    ----------
    C. C. Paige, M. A. Saunders (1982), ACM Trans. Math. Softw. 8, 43-71,
    https://doi.org/10.1145/355984.355989

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import LSQR
    >>> A = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    >>> result = LSQR().solve(A, np.array([1.0, 2.0, 3.0]))
    >>> result.coef.round(12), result.stop_reason.name, result.history.n_iterations
    (array([1., 1.]), 'CONVERGED_NORMAL', 2)
    """

    _kernel = staticmethod(krylov.lsqr)


@dataclass(frozen=True)
class LSMR(_Krylov):
    """LSMR of Fong and Saunders: the normal residual falls in every iteration.

    As :class:`LSQR`, and stops no later where the system is not consistent: ``||A' r||``,
    which that is decided by, does not oscillate.

    Parameters
    ----------
    atol, btol : float, default=1e-10
        Relative accuracy of A and of B, as for :class:`LSQR`.
    conlim : float, default=1e8
        Stop where the condition number that the iteration sees exceeds this.
    max_iterations : int, optional
        By default four times the smaller side of A, at least 100 and at most 5000.
    window : int, default=100
        Iterations without progress after which the solver starts anew from the measured
        residual, or stops (STAGNATED).
    callback : callable, optional
        Called after every iteration as ``callback(iteration, residual_norms)``. A true
        answer stops (INTERRUPTED); a later call with ``start=result.coef`` goes on.

    Notes
    -----
    *Cost.* As LSQR, and one vector of n_cols more a right-hand side.

    *When not to use.* Where LSQR is not to be used; and where a small residual is wanted
    from few iterations, in which LSQR is never worse.

    References
    ----------
    D. C.-L. Fong, M. A. Saunders (2011), SIAM J. Sci. Comput. 33, 2950-2971,
    https://doi.org/10.1137/10079687X

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import LSMR
    >>> LSMR().solve(np.ones((3, 2)), np.array([1.0, 2.0, 3.0])).coef.round(12)
    array([1., 1.])
    """

    _kernel = staticmethod(krylov.lsmr)


@dataclass(frozen=True)
class CGLS(_Krylov):
    """Conjugate gradients on the normal equations: the iterates of LSQR, simpler.

    Parameters
    ----------
    atol, btol : float, default=1e-10
        Relative accuracy of A and of B, as for :class:`LSQR`.
    conlim : float, default=1e8
        Stop where the condition number that the iteration sees exceeds this.
    max_iterations : int, optional
        By default four times the smaller side of A, at least 100 and at most 5000.
    window : int, default=100
        Iterations without progress after which the solver starts anew from the measured
        residual, or stops (STAGNATED).
    callback : callable, optional
        Called after every iteration as ``callback(iteration, residual_norms)``. A true
        answer stops (INTERRUPTED); a later call with ``start=result.coef`` goes on.

    Notes
    -----
    *Cost.* As LSQR, with one vector of n_cols less a right-hand side.

    *When not to use.* On ill-conditioned problems: the gradient is updated, not measured,
    in between restarts, and LSQR needs fewer of them.

    References
    ----------
    M. R. Hestenes, E. Stiefel (1952), J. Res. Nat. Bur. Standards 49, 409-436, section 10.
    Å. Björck, T. Elfving, Z. Strakoš (1998), SIAM J. Matrix Anal. Appl. 19, 720-736,
    https://doi.org/10.1137/S089547989631202X

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import CGLS
    >>> CGLS().solve(np.ones((3, 2)), np.array([1.0, 2.0, 3.0])).coef.round(12)
    array([1., 1.])
    """

    _kernel = staticmethod(krylov.cgls)


def refuse_cutoff(name: str, problem: Problem) -> None:
    """Refuse a cutoff, which solvers that see no singular values cannot apply."""
    rcond = problem.rcond
    if isinstance(rcond, int | float) and rcond > 0:
        msg = (
            f"{name} sees no singular values and cannot cut them at rcond={rcond:.0e}. Use SWG, "
            "QR or SVD, or a ridge that acts alike: alpha=(rcond * s1)**2, with s1 the norm of A."
        )
        raise UnsupportedProblemError(msg)


def starting_point(problem: Problem) -> Array:
    """Return the first guess, zero where none was given."""
    if problem.start is not None:
        return problem.start
    return np.zeros((problem.A.shape[1], problem.n_targets))


def checked(operator: ProblemOperator) -> krylov.Step:
    """Return the product of a problem that refuses matrices with NaN or infinite entries."""

    def step(V: Array, U: Array) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore", over="ignore"):
            R, gradient = operator.step(V, U)
        check_state(gradient)
        return R, gradient

    return step


def raw_solution(
    problem: Problem,
    operator: ProblemOperator,
    W: Array,
    residual_norm: Array,
    *,
    norm: float,
    condition: float,
    solver: str,
    reason: str,
    stop_reason: StopReason,
    history: History,
) -> RawSolution:
    """Return what the common code audits; `residual_norm` includes the ridge's part."""
    assert not isinstance(problem.alpha, str)
    penalty = (problem.alpha**0.5 * column_norms(W)) ** 2
    solution = ApproximateSolution(
        facts=operator.facts,
        largest=norm or 1.0,
        resolution=ORTHOGONAL_RESOLUTION,
        W=W,
        sumsq=np.maximum(residual_norm**2 - penalty, 0.0),
        condition_estimate=condition,
        frobenius_norm=norm,
    )
    return RawSolution(
        solution,
        solver,
        reason,
        ratio=solution.ratio(problem.alpha),
        rcond=0.0,
        stop_reason=stop_reason,
        n_passes=operator.n_passes,
        history=history,
        residual_is_exact=False,
    )
