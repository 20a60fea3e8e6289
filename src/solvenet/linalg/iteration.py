"""The loop that Krylov methods share: passes, stops, checks, restarts.

Columns share the passes and nothing else: each has its own recurrences and its own stop.
A method only claims that it has converged. The claim is checked by the true residual,
measured in the pass that the other columns make anyway, and the method goes on from there
if it does not hold; if a whole cycle gained less than a factor of two, rounding allows no
more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias, TypedDict

import numpy as np

from solvenet._array_api import Array
from solvenet.linalg.accuracy import column_norms
from solvenet.linalg.rank import EPS
from solvenet.linalg.recurrences import Method, over, unit

Step: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]
"""``step(V, U)`` returns ``R = A V - U`` and ``A' R``; one pass over A."""

Begin: TypeAlias = Callable[[Array, Array, Array], Method]
"""Begins a method at residuals of norm one, their gradients and bounds of the norm."""

PROGRESS = 0.999
"""A residual falls if it comes below this share of what it was."""

SLACK = 2.0
"""A claim holds if the measured norms are within this factor of the tolerances."""

_NOTHING = -1


class Stop(IntEnum):
    """Why a column stopped; the larger, the worse."""

    CONVERGED = 0
    CONVERGED_NORMAL = 1
    STAGNATED = 2
    CONDITION_LIMIT = 3
    ITERATION_LIMIT = 4
    INTERRUPTED = 5


class Options(TypedDict, total=False):
    """What all methods take.

    Attributes
    ----------
    damp : float, default=0
        Root of the ridge, which penalises W itself, not its distance from the start.
    atol, btol : float or array of shape (n_targets,), default=1e-12
        Stop where ``||r|| <= btol ||b|| + atol ||A|| ||w||`` or ``||A' r|| <= atol ||A||
        ||r||``: w then is exact for data changed by these relative amounts. Machine
        precision stands for anything smaller.
    conlim : float, default=inf
        Stop where the condition number that the iteration sees exceeds this.
    max_iterations : int, default=100
        Most iterations of any column.
    window : int, default=100
        Iterations without progress after which a column is thought to stagnate.
    check : bool, default=True
        Whether claims are checked by the true residual.
    callback : callable, optional
        Called after every iteration with its number and the norms of the residuals; a
        true answer stops all columns.
    """

    damp: float
    atol: float | Array
    btol: float | Array
    conlim: float
    max_iterations: int
    window: int
    check: bool
    callback: Callable[[int, Array], object] | None


@dataclass(frozen=True)
class KrylovSolution:
    """Where an iteration ended, and how it came there.

    Attributes
    ----------
    W : array of shape (n_cols, n_targets)
        The best iterate of each column.
    residual_norms, normal_residual_norms : array of shape (n_iterations + 1, n_targets)
        ``||A W - B||`` and ``||A' (A W - B)||``, the start included; with a ridge, of the
        matrix with ``sqrt(alpha) I`` below it. Columns that have stopped repeat their
        last. Estimates of the recurrences, except where they were measured: at the
        start and, with ``check``, at each stop.
    norm : array of shape (n_targets,)
        The largest ``||A v||`` over the unit vectors v that were seen: at most the
        2-norm of A, and at least 0.7 of that of its projection on the Krylov space.
    condition : array of shape (n_targets,)
        Estimate of the condition number of that projection.
    stop : array of shape (n_targets,)
        A :class:`Stop` for each column.
    iterations : array of shape (n_targets,)
        Iteration after which each column stopped.
    """

    W: Array
    residual_norms: Array
    normal_residual_norms: Array
    norm: Array
    condition: Array
    stop: Array
    iterations: Array


def augmented(step: Step, B: Array, n_cols: int, damp: float) -> tuple[Step, Array]:
    """Return the product and the right-hand sides of ``[A; damp I] W = [B; 0]``."""
    n_rows, below_B = len(B), np.zeros((n_cols, B.shape[1]))

    def with_ridge(V: Array, U: Array) -> tuple[Array, Array]:
        R, gradient = step(V, U[:n_rows])
        below = damp * V - U[n_rows:]
        return np.concatenate([R, below]), gradient + damp * below

    return with_ridge, np.concatenate([B, below_B])


class Iteration:
    """Columns that work (iterate), that wait to be measured, and that have stopped.

    Parameters
    ----------
    begin : callable
        Begins the method.
    step, B, start
        The problem, see :func:`solvenet.linalg.krylov.lsqr`.
    damp, atol, btol, conlim, max_iterations, window, check, callback
        See :class:`Options`.
    """

    def __init__(
        self,
        begin: Begin,
        step: Step,
        B: Array,
        start: Array,
        *,
        damp: float = 0.0,
        atol: float | Array = 1e-12,
        btol: float | Array = 1e-12,
        conlim: float = np.inf,
        max_iterations: int = 100,
        window: int = 100,
        check: bool = True,
        callback: Callable[[int, Array], object] | None = None,
    ) -> None:
        self._begin, self._callback = begin, callback
        self._conlim, self._max_iterations = conlim, max_iterations
        self._window, self._check = window, check
        k = B.shape[1]
        self._atol, self._btol = (np.broadcast_to(np.maximum(t, EPS), k) for t in (atol, btol))
        self._size_B = column_norms(B)
        # Powers of two: what is measured is of the size of A, and scaled without rounding.
        self._unit = np.ldexp(1.0, np.frexp(self._size_B)[1])
        self._step, self._B = augmented(step, B, len(start), damp) if damp > 0 else (step, B)

        self._iteration, self._ending = 0, _NOTHING
        self._method: Method | None = None
        self._working, self._waiting = np.arange(0), np.arange(k)
        self._claim, self._stop = np.full(k, _NOTHING), np.full(k, _NOTHING)
        self._stopped = np.zeros(k, dtype=int)
        # The best iterate that was measured; W + size X is where a cycle stands.
        self._W, self._size = start.astype(np.float64), np.zeros(k)
        self._best_residual, self._best_steepness, self._best_bound = np.full((3, k), np.inf)
        self._trial = self._W.copy()
        self._norm, self._condition = np.zeros(k), np.ones(k)
        # Of this iteration, and when there was progress last.
        self._residual, self._steepness = np.zeros(k), np.zeros(k)
        self._mark_residual, self._mark_bound = np.full(k, np.inf), np.full(k, np.inf)
        self._progressed = np.zeros(k, dtype=int)
        self._history: list[tuple[Array, Array]] = []

    def run(self) -> KrylovSolution:
        """Iterate until every column has stopped."""
        while True:
            if self._ending != _NOTHING:
                self._put_to_wait(np.full(len(self._working), self._ending))
            if len(self._waiting) + len(self._working) == 0:
                break
            self._pass()
        residual, normal = (np.array(norms) for norms in zip(*self._history, strict=True))
        return KrylovSolution(
            self._W, residual, normal, self._norm, self._condition, self._stop, self._stopped
        )

    def _pass(self) -> None:
        """Read A once: an iteration of those that work, a measurement of those that wait."""
        waiting, self._waiting = self._waiting, np.arange(0)
        asked, n_asked = [], 0
        if self._method is not None and len(self._working):
            asked = [self._method.request()]
            n_asked = asked[0][0].shape[1]
        if len(waiting):
            unit_of = self._unit[waiting]
            asked.append((self._trial[:, waiting] / unit_of, self._B[:, waiting] / unit_of))
        V, U = (np.concatenate(part, axis=1) for part in zip(*asked, strict=True))
        R, gradient = self._step(V, U)
        if n_asked:
            self._iteration += 1
            self._iterate(R[:, :n_asked], gradient[:, :n_asked])
        if len(waiting):
            self._measure(waiting, R[:, n_asked:], gradient[:, n_asked:])
        self._record(new=n_asked > 0 or not self._history)

    def _iterate(self, R: Array, gradient: Array) -> None:
        """Let the method make its iteration, and see what it claims."""
        method, j = self._method, self._working
        assert method is not None
        method.receive(R, gradient)
        residual, steepness = self._size[j] * method.residual, over(method.normal, method.residual)
        length = column_norms(self._W[:, j] + self._size[j] * method.X)
        first, second, bound = self._tests(j, residual, steepness, method.norm, length)
        self._residual[j], self._steepness[j] = residual, steepness
        self._norm[j] = method.norm
        self._condition[j] = np.maximum(self._condition[j], method.norm * method.inverse)

        progress = residual < PROGRESS * self._mark_residual[j]
        progress |= bound < PROGRESS * self._mark_bound[j]
        moved = j[progress]
        self._progressed[moved] = self._iteration
        self._mark_residual[moved] = np.fmin(self._mark_residual[moved], residual[progress])
        self._mark_bound[moved] = np.fmin(self._mark_bound[moved], bound[progress])
        stagnates = self._iteration - self._progressed[j] >= self._window
        claims = (first <= 1, second <= 1, self._condition[j] > self._conlim, stagnates)
        names = (Stop.CONVERGED, Stop.CONVERGED_NORMAL, Stop.CONDITION_LIMIT, Stop.STAGNATED)
        self._put_to_wait(np.select(claims, names, _NOTHING))

    def _put_to_wait(self, claim: Array) -> None:
        """Take those that claim something out of work, to be measured."""
        j, method, done = self._working, self._method, claim != _NOTHING
        if method is None or not done.any():
            return
        left = j[done]
        self._claim[left], self._stopped[left] = claim[done], self._iteration
        self._trial[:, left] = self._W[:, left] + self._size[left] * method.X[:, done]
        self._working = j[~done]
        method.take(~done)
        if self._check:
            self._waiting = np.concatenate([self._waiting, left])
        else:
            self._W[:, left], self._stop[left] = self._trial[:, left], self._claim[left]

    def _measure(self, j: Array, R: Array, gradient: Array) -> None:
        """Look at true residuals: keep the best, end what has ended, let others go on."""
        size, U = unit(-R)
        gradient = -over(gradient, size)
        length = column_norms(self._trial[:, j])
        fitted = column_norms(R + self._B[:, j] / self._unit[j]) * self._unit[j]
        residual = size * self._unit[j]
        steepness = column_norms(gradient)
        norm = np.maximum.reduce([self._norm[j], steepness, over(fitted, length)])
        first, second, bound = self._tests(j, residual, steepness, norm, length)

        gained = (residual <= self._best_residual[j] / 2) | (bound <= self._best_bound[j] / 2)
        fine = (first <= SLACK) | (second <= SLACK)
        better = fine | gained | (residual < self._best_residual[j])
        kept = j[better]
        self._W[:, kept] = self._trial[:, kept]
        self._best_residual[kept], self._best_bound[kept] = residual[better], bound[better]
        self._best_steepness[kept] = steepness[better]
        self._residual[j], self._steepness[j] = self._best_residual[j], self._best_steepness[j]
        self._norm[j] = norm

        claim = self._claim[j]
        final = claim >= Stop.CONDITION_LIMIT
        no_use = (claim != _NOTHING) & ~gained
        ends = (first <= SLACK, second <= SLACK, final, no_use)
        names = (Stop.CONVERGED, Stop.CONVERGED_NORMAL, claim, Stop.STAGNATED)
        stop = np.select(ends, names, self._ending)
        self._stop[j] = stop
        goes_on = stop == _NOTHING
        if goes_on.any():
            j = j[goes_on]
            method = self._begin(U[:, goes_on], gradient[:, goes_on], norm[goes_on])
            self._size[j], self._progressed[j] = residual[goes_on], self._iteration
            self._mark_residual[j], self._mark_bound[j] = residual[goes_on], bound[goes_on]
            self._working = np.concatenate([self._working, j])
            if self._method is not None:
                self._method.join(method)
            else:
                self._method = method

    def _tests(
        self, j: Array, residual: Array, steepness: Array, norm: Array, length: Array
    ) -> tuple[Array, Array, Array]:
        """Return both norms over what the tolerances allow, and a bound of the backward error.

        The rules of Paige and Saunders (1982), section 6, by the norm of the residual and
        how steep it is: ``||A' r|| / ||r||``.
        """
        size_B, fitted = self._size_B[j], norm * length
        first = ratio(residual, self._btol[j] * size_B + self._atol[j] * fitted)
        second = ratio(steepness, self._atol[j] * norm)
        bound = np.minimum(ratio(residual, size_B + fitted), ratio(steepness, norm))
        return first, second, bound

    def _record(self, *, new: bool) -> None:
        """Write the history, and ask the caller whether to go on."""
        with np.errstate(over="ignore", under="ignore"):
            norms = (self._residual.copy(), self._residual * self._steepness)
        if not new:
            self._history[-1] = norms
            return
        self._history.append(norms)
        if self._iteration >= self._max_iterations:
            self._ending = Stop.ITERATION_LIMIT
        if self._callback is not None and self._callback(self._iteration, norms[0]):
            self._ending = Stop.INTERRUPTED


def ratio(a: Array, b: Array) -> Array:
    """Return ``a / b`` for non-negative numbers, with ``0 / 0 = 0`` and ``a / 0 = inf``."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient: Array = np.where(a > 0, a / b, 0.0)
    return quotient
