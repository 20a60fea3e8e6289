"""Solvers preconditioned by a sketch: LSRN as published, and SPIR, which is stable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from solvenet._validation import check_choice, check_count, check_nonnegative
from solvenet.errors import InvalidSettingError
from solvenet.linalg import krylov
from solvenet.linalg.accuracy import column_norms
from solvenet.linalg.rank import EPS, ORTHOGONAL_RESOLUTION
from solvenet.linalg.sketching import SKETCHES, TILE, Gaussian, Sketch
from solvenet.solvers._base import Cost, Needs, Solver, Supports
from solvenet.solvers.approximate import ApproximateSolution, History
from solvenet.solvers.audit import RawSolution
from solvenet.solvers.problem import Problem
from solvenet.solvers.result import StopReason
from solvenet.solvers.sketched import make_sketch
from solvenet.solvers.whitened import Whitened, sketching_cost, whiten

if TYPE_CHECKING:
    from solvenet._array_api import Array

Callback = Callable[[int, "Array"], object]

FAILURE = 0.1
"""Probability, by the theory, that a singular value lies outside Chebyshev's interval."""

UNEXPECTED = 5.0
"""A residual this many times what the sketch expects is not its chance any more."""

ACCEPTED = 100.0
"""A refined solution may stay this many times above its tolerance: rounding adds up."""

ROUNDS = 10
"""Most refinements: each gains at least a factor of two, in practice several digits."""


@dataclass(frozen=True)
class LSRN(Solver):
    """LSRN as published: Gaussian sketch, its SVD as preconditioner, LSQR or Chebyshev.

    For tall matrices ``N = V / s`` from the SVD of ``G A`` makes ``A N`` well-conditioned,
    for wide ones ``M = U / s`` from ``A G`` makes ``M' A`` so; directions of the sketch
    below the cutoff are left out. The iteration starts from zero and makes a number of
    iterations that is known beforehand.

    Parameters
    ----------
    gamma : float, default=2.0
        Rows of the sketch a column.
    inner : {"lsqr", "chebyshev"}, default="lsqr"
        The iteration. Chebyshev needs no inner products, which pays where communication
        is slow, and more iterations: it relies on bounds of the singular values.
    tolerance : float, default=1e-14
        Relative accuracy of the fit that the number of iterations is made for.
    seed : int, default=0
        Seed of the random numbers, which belong to rows: any block size gives the same.
    callback : callable, optional
        Called after every iteration as ``callback(iteration, residual_norms)``. A true
        answer stops (INTERRUPTED).

    Notes
    -----
    *Cost.* One pass for the sketch with ``2 gamma m n**2`` flops (as much as a QR
    factorisation of A; no other sketch was published), ``20 gamma n**3`` for its SVD, then
    ``2 log(tolerance / 2) / log(rank / (gamma n))`` iterations (96 for full rank) of one
    pass with ``4 m n q`` flops, two where A is wide; two passes to measure. Memory
    ``8 (6 n**2 + 6 m q)`` bytes, ``8 * 2048 gamma n`` for a tile of G, and two blocks.

    *Accuracy.* The product with N is implicit and the start is zero, so that the residual
    is wrong by about ``eps / rcond`` of the norm of B: below a cutoff of about 1e-10 that
    shows, and the result says so (STAGNATED). SPIR mends it.

    *When not to use.* SPIR is as fast or faster and stable; SWG needs two passes in all.
    This is here as it was published, to be compared with.

    *Differences from the paper.* The sketch has variance 1/s; B is sketched too, to know
    what residual to expect; for few columns and ``inner="chebyshev"`` the sketch is larger
    than gamma says, where the bounds of the paper would be void.

    References
    ----------
    X. Meng, M. A. Saunders, M. W. Mahoney (2014), SIAM J. Sci. Comput. 36, C95-C118,
    https://doi.org/10.1137/120866580

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import LSRN
    >>> A = np.vander(np.linspace(0, 1, 200), 5)
    >>> LSRN().solve(A, A @ np.ones(5)).coef.round(8)
    array([1., 1., 1., 1., 1.])
    """

    gamma: float = 2.0
    inner: str = "lsqr"
    tolerance: float = 1e-14
    seed: int = 0
    callback: Callback | None = field(default=None, repr=False, compare=False)

    needs: ClassVar[Needs] = Needs.MANY_PASSES
    supports: ClassVar[Supports] = Supports.ALPHA | Supports.RANK_DEFICIENT | Supports.WIDE

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve, for full rank."""
        cost = sketching_cost(
            n_rows, n_cols, n_targets, self.gamma, self.gamma * n_cols, self.tolerance
        )
        tile = int(8 * TILE * self.gamma * min(n_rows, n_cols))
        return replace(cost, state_bytes=cost.state_bytes + tile)

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what this solver cannot do."""
        super().check(problem, audit=audit)
        check_choice("inner", self.inner, ("chebyshev", "lsqr"))
        _check_numbers(self.tolerance, self.seed, gamma=self.gamma)

    def _solve(self, problem: Problem) -> RawSolution:
        small = min(problem.A.shape) + problem.intercept
        n_sketch = math.ceil(self.gamma * small)
        if self.inner == "chebyshev":
            n_sketch = max(n_sketch, math.ceil((1.2 * (small**0.5 + _deviation())) ** 2))
        whitened = whiten(problem, n_sketch, self._gaussian)
        interval = self._interval(whitened)
        limit = krylov.chebyshev_iterations(interval, max(self.tolerance, EPS))
        tolerance = self.tolerance * interval[0] / interval[1]
        options = krylov.Options(
            atol=tolerance,
            btol=tolerance,
            max_iterations=limit,
            window=limit + 1,
            check=False,
            callback=self.callback,
        )
        target = whitened.target(whitened.B)
        zero = np.zeros((whitened.n_unknowns, target.shape[1]))
        if self.inner == "lsqr":
            found = krylov.lsqr(whitened.step, target, zero, **options)
        else:
            found = krylov.chebyshev(whitened.step, target, zero, interval=interval, **options)
        Z = whitened.lift(found.W)
        residual, excess = whitened.measure(Z)
        left = column_norms(residual)
        if (found.stop == krylov.Stop.INTERRUPTED).any():
            stop, note = StopReason.INTERRUPTED, ""
        else:
            stop, note = self._judge(problem, whitened, left, excess)
        history = History(found.residual_norms)
        reason = f"Gaussian sketch and {history.n_iterations} iterations of {self.inner}"
        return _raw(problem, whitened, Z, left, stop, history, "LSRN", reason, note)

    def _judge(
        self, problem: Problem, whitened: Whitened, left: Array, excess: Array
    ) -> tuple[StopReason, str]:
        """Return whether what was measured is what the iterations were made for."""
        # The cutoff costs as much anyway; more is lost digits. They may also have gone into
        # the length of the solution, of which the sketched one knows nothing.
        size = whitened.size(whitened.guess)
        allowed = max(100 * self.tolerance, 4 * problem.cutoff()) * size
        worse = left > UNEXPECTED * whitened.expected + 100 * self.tolerance * size
        note = ""
        if worse.any():
            note = (
                f"The residual ({left[worse][0]:.1e}) is far above what the sketch promises "
                f"({whitened.expected[worse][0]:.1e}): the products with the preconditioner lost "
                "the accuracy. Use SPIR, SWG or QR, or raise rcond."
            )
        if (left <= allowed).all():
            return StopReason.CONVERGED, note
        fine = (left <= allowed) | (excess <= allowed)
        return StopReason.CONVERGED_NORMAL if fine.all() else StopReason.STAGNATED, note

    def _gaussian(self, n_sketch: int, n: int) -> Sketch:
        return Gaussian(n_sketch, n, seed=self.seed)

    def _interval(self, whitened: Whitened) -> tuple[float, float]:
        """Return what the singular values lie between: expected for LSQR, sure for Chebyshev."""
        off = (whitened.rank / whitened.n_sketch) ** 0.5
        if self.inner == "chebyshev":
            off += _deviation() / whitened.n_sketch**0.5
        return 1 / (1 + off), 1 / (1 - off)


@dataclass(frozen=True)
class SPIR(Solver):
    """Sketch-and-precondition with refinement: LSRN made fast and stable.

    Starts from the solution of the sketched problem, solves in the coordinates of the
    sketch by LSQR for the measured residual, and does so again until what could still be
    taken from the residual is rounding. Gives the accuracy of QR at every cutoff from
    products alone.

    Parameters
    ----------
    sketch : {"sparse_sign", "dct", "gaussian"}, default="sparse_sign"
        The random matrix.
    oversampling : float, default=4.0
        Rows of the sketch a column. More of them mean fewer iterations (at most 53 a round
        at 4, 30 at 12) and a larger decomposition.
    tolerance : float, default=1e-15
        Refine until the part of the residual that could still be removed is at most this
        times ``||b|| + ||A|| ||w||``, or does not halve any more. More than 100 times
        the tolerance is then reported (STAGNATED).
    seed : int, default=0
        Seed of the random numbers, which belong to rows: any block size gives the same.
    callback : callable, optional
        Called after every iteration as ``callback(iteration, residual_norms)``. A true
        answer stops (INTERRUPTED).

    Notes
    -----
    *Cost.* One pass for the sketch (16 m n flops), ``2 oversampling n**3 + 20 n**3`` flops
    for its SVD, then one to three rounds of at most ``log(eps / 2) / log(sqrt(rank /
    (oversampling n)))`` iterations (53) of one pass with ``4 m n q`` flops, two where A is
    wide, and two passes more a round. Memory ``8 (2 oversampling n**2 + 6 m q)`` bytes and
    one block.

    *When not to use.* Many right-hand sides, or rows that are dear to read: SWG needs two
    passes in all and is as accurate. Few rows more than columns: QR. Spectra that fall
    slowly do not matter, unlike for LSQR.

    *Differences from the paper.* Truncates at rcond, and finds minimum-norm solutions of
    wide problems by LSRN's left preconditioner; refines until there is no gain, not twice.

    References
    ----------
    E. Epperly, M. Meier, Y. Nakatsukasa (2024), arXiv 2406.03468.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import SPIR
    >>> A = np.vander(np.linspace(0, 1, 500), 12)
    >>> float(abs(SPIR().solve(A, A @ np.ones(12)).coef - 1).max()) < 1e-6
    True
    """

    sketch: str = "sparse_sign"
    oversampling: float = 4.0
    tolerance: float = 1e-15
    seed: int = 0
    callback: Callback | None = field(default=None, repr=False, compare=False)

    needs: ClassVar[Needs] = Needs.MANY_PASSES
    supports: ClassVar[Supports] = Supports.ALPHA | Supports.RANK_DEFICIENT | Supports.WIDE

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve in two rounds, for full rank."""
        return sketching_cost(n_rows, n_cols, n_targets, self.oversampling, 8.0, EPS**2)

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what this solver cannot do."""
        super().check(problem, audit=audit)
        check_choice("sketch", self.sketch, sorted(set(SKETCHES) - {"rows"}))
        _check_numbers(self.tolerance, self.seed, oversampling=self.oversampling)

    def _solve(self, problem: Problem) -> RawSolution:
        n_sketch = math.ceil(self.oversampling * (min(problem.A.shape) + 1)) + 8
        whitened = whiten(problem, n_sketch, self._make)
        refinement = _Refinement(whitened, self.tolerance, self.callback)
        stop = refinement.run()
        history = History(np.array(refinement.history or [refinement.left]))
        reason = f"sketch and {history.n_iterations} iterations in {refinement.rounds} rounds"
        return _raw(problem, whitened, refinement.Z, refinement.left, stop, history, "SPIR", reason)

    def _make(self, n_sketch: int, n: int) -> Sketch:
        return make_sketch(self.sketch, n_sketch, n, self.seed)


class _Refinement:
    """Rounds of LSQR in the coordinates of a sketch, each for the measured residual."""

    def __init__(self, whitened: Whitened, tolerance: float, callback: Callback | None) -> None:
        self.whitened, self.tolerance, self.callback = whitened, tolerance, callback
        k = whitened.B.shape[1]
        self.Z = whitened.guess
        self.left, self.excess = np.full(k, np.inf), np.full(k, np.inf)
        self.rounds = 0
        self.history: list[Array] = []
        self.stopped = False

    def run(self) -> StopReason:
        """Refine until every column is done, or gains nothing."""
        trial = self.Z
        while True:
            residual, excess = self.whitened.measure(trial)
            gained, better = excess <= self.excess / 2, excess < self.excess
            self.Z = np.where(better, trial, self.Z)
            self.excess = np.where(better, excess, self.excess)
            self.left = np.where(better, column_norms(residual), self.left)
            allowed = self.tolerance * self.whitened.size(self.Z)
            done = self.excess <= allowed
            going = ~done & gained
            if self.stopped or not going.any() or self.rounds == ROUNDS:
                break
            trial = self.Z.copy()
            trial[:, going] += self._round(residual, going, allowed)
        if self.stopped:
            return StopReason.INTERRUPTED
        if (self.excess > ACCEPTED * allowed).any():
            return StopReason.STAGNATED
        small = self.left <= ACCEPTED * allowed
        return StopReason.CONVERGED if small.all() else StopReason.CONVERGED_NORMAL

    def _round(self, residual: Array, going: Array, allowed: Array) -> Array:
        """Return what some columns gain by LSQR for their residuals."""
        whitened = self.whitened
        off = min((whitened.rank / whitened.n_sketch) ** 0.5, 0.9)
        limit = krylov.chebyshev_iterations((1 / (1 + off), 1 / (1 - off)), EPS)
        target = whitened.target(residual[:, going])
        accuracy = 0.1 * allowed[going] / column_norms(residual[:, going])
        before = max(len(self.history) - 1, 0)

        def record(iteration: int, norms: Array) -> object:
            if iteration == 0 and self.history:
                return False
            row = self.history[-1].copy() if self.history else self.left.copy()
            row[going] = norms
            self.history.append(row)
            if self.callback is not None and self.callback(before + iteration, row):
                self.stopped = True
            return self.stopped

        found = krylov.lsqr(
            whitened.step,
            target,
            np.zeros((whitened.n_unknowns, target.shape[1])),
            atol=accuracy,
            btol=accuracy,
            max_iterations=limit,
            check=False,
            callback=record,
        )
        self.rounds += 1
        return whitened.lift(found.W)


def _deviation() -> float:
    """Return t: singular values of a Gaussian sketch are off by more only rarely."""
    return math.sqrt(-2 * math.log(FAILURE / 2))


def _check_numbers(tolerance: float, seed: int, **oversampling: float) -> None:
    check_nonnegative("tolerance", tolerance)
    check_count("seed", seed, minimum=0)
    ((name, value),) = oversampling.items()
    if check_nonnegative(name, value) < 1.1:
        msg = f"{name}={value} was given; at least 1.1 is wanted."
        raise InvalidSettingError(msg)


def _raw(
    problem: Problem,
    whitened: Whitened,
    Z: Array,
    left: Array,
    stop: StopReason,
    history: History,
    solver: str,
    reason: str,
    note: str = "",
) -> RawSolution:
    """Return what the common code audits."""
    assert not isinstance(problem.alpha, str)
    W, s = whitened.coef(Z), whitened.singular_values
    solution = ApproximateSolution(
        facts=whitened.operator.facts,
        largest=float(s.max(initial=0.0)) or 1.0,
        resolution=ORTHOGONAL_RESOLUTION,
        W=W,
        sumsq=whitened.misfit(Z, left) ** 2,
        condition_estimate=float(s[0] / s[-1]) if len(s) else 1.0,
        frobenius_norm=whitened.frobenius,
    )
    return RawSolution(
        solution,
        solver,
        reason,
        ratio=solution.ratio(problem.alpha),
        rcond=problem.cutoff(),
        stop_reason=stop,
        n_passes=whitened.operator.n_passes,
        history=history,
        residual_is_exact=False,
        rank=whitened.rank,
        notes=(note,) if note else (),
    )
