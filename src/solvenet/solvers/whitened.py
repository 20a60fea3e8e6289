"""A problem in coordinates, found from a sketch, in which it is well-conditioned.

A tall matrix is multiplied by ``N = V / s`` from the right, a wide one by ``M' = (U / s)'``
from the left, with s, U and V from the truncated singular value decomposition of a sketch.
The products with N and M are never formed, which is what limits the accuracy of one solve
and not that of a refined one (see :mod:`solvenet.solvers.lsrn`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet.linalg import krylov
from solvenet.linalg.accuracy import column_norms
from solvenet.linalg.leading import truncated_svd
from solvenet.linalg.rank import EPS
from solvenet.linalg.sketching import Sketch
from solvenet.solvers._base import Cost
from solvenet.solvers.iterative import checked
from solvenet.solvers.operator import ProblemOperator
from solvenet.solvers.problem import Problem, check_state
from solvenet.solvers.sketched import read_sketch

if TYPE_CHECKING:
    from solvenet._array_api import Array

    MakeSketch = Callable[[int, int], Sketch]

BATCH = 64
"""Random vectors at a time where a matrix is known by its products."""


class Whitened(ABC):
    """``min ||K Z - B||`` for ``K = [A; damp I]`` or ``[A, damp I]``, in coordinates Y.

    Attributes
    ----------
    step : callable
        The product of the matrix in these coordinates, as Krylov methods want it.
    n_unknowns : int
        Rows of Y.
    n_sketch, rank : int
        Rows (columns) of the sketch, and how many of its directions are kept.
    singular_values : array of shape (rank,)
        Those of the sketch, of which the ridge is not a part.
    guess : array
        Z by the sketch alone.
    expected : array of shape (n_targets,)
        Norm of the smallest residual, as the sketch expects it.
    """

    step: krylov.Step
    n_unknowns: int
    guess: Array
    expected: Array

    def __init__(self, operator: ProblemOperator, s: Array, n_sketch: int, damp: float) -> None:
        self.operator, self.damp = operator, damp
        self.singular_values, self.rank, self.n_sketch = s, len(s), n_sketch
        self.product = checked(operator)
        self.B = operator.B
        self.scale = np.hypot(s, damp)

    @property
    def norm(self) -> float:
        """``||K||`` by the sketch."""
        return float(self.scale.max(initial=0.0))

    def size(self, Z: Array) -> Array:
        """Return ``||b|| + ||K|| ||z||``: what rounding is relative to."""
        size: Array = column_norms(self.B) + self.norm * column_norms(Z)
        return size

    @property
    def frobenius(self) -> float:
        """``||A||_F`` by the sketch, in the directions that are kept."""
        s = self.singular_values
        return float(s[0] * np.linalg.norm(s / s[0])) if self.rank else 0.0

    @abstractmethod
    def measure(self, Z: Array) -> tuple[Array, Array]:
        """Return the residual ``B - K Z`` and how much could still be taken from it.

        The second, of shape (n_targets,), is the norm of the part of the residual in the
        directions that the sketch keeps, up to a small factor. One pass.
        """

    @abstractmethod
    def target(self, residual: Array) -> Array:
        """Return the right-hand sides in Y for a residual."""

    @abstractmethod
    def lift(self, Y: Array) -> Array:
        """Return the Z that belongs to Y."""

    @abstractmethod
    def coef(self, Z: Array) -> Array:
        """Return the solution that is part of Z."""

    @abstractmethod
    def misfit(self, Z: Array, left: Array) -> Array:
        """Return ``||B - A W||``, for the norms `left` of the residual ``B - K Z``."""


class Tall(Whitened):
    """At least as many rows as columns: ``K N Y`` for ``K = [A; damp I]``."""

    def __init__(
        self,
        operator: ProblemOperator,
        svd: tuple[Array, Array, Array],
        SB: Array,
        damp: float,
    ) -> None:
        U, s, Vt = svd
        super().__init__(operator, s, len(SB), damp)
        n_cols = operator.shape[1]
        if damp > 0:
            self.product, self.B = krylov.augmented(self.product, self.B, n_cols, damp)
        self.N = np.ascontiguousarray(Vt.T / self.scale)
        self.step = krylov.preconditioned(self.product, self.N)
        self.n_unknowns = self.rank
        projected = U.T @ SB
        Y = (s / self.scale)[:, None] * projected
        self.guess = self.N @ Y
        left = column_norms(SB - U @ ((s / self.scale)[:, None] * Y))
        # The sketched residual is too small by the share of its rows that it was fitted to.
        lost = max(1.0 - self.rank / len(SB), 1.0 / len(SB)) if len(SB) < operator.shape[0] else 1
        self.expected = np.hypot(left / lost**0.5, damp * column_norms(self.guess))

    def measure(self, Z: Array) -> tuple[Array, Array]:
        """Return the residual and the norm of its gradient in Y."""
        R, gradient = self.product(Z, self.B)
        return -R, column_norms(self.N.T @ gradient)

    def target(self, residual: Array) -> Array:
        """Return the residual itself."""
        return residual

    def lift(self, Y: Array) -> Array:
        """Return ``N Y``."""
        return self.N @ Y

    def coef(self, Z: Array) -> Array:
        """Return Z."""
        return Z

    def misfit(self, Z: Array, left: Array) -> Array:
        """Take out the part of the ridge."""
        ridge = np.minimum(self.damp * column_norms(Z), left)
        misfit: Array = np.sqrt((left - ridge) * (left + ridge))
        return misfit


class Wide(Whitened):
    """Fewer rows than columns: ``M' K Z`` for ``K = [A, damp I]``, solved by least norm.

    ``||Z||^2 = ||W||^2 + ||B - A W||^2 / alpha`` with a ridge: the least norm is the ridge
    solution (Meng, Saunders and Mahoney 2014, section on Tikhonov regularization).
    """

    def __init__(
        self, operator: ProblemOperator, U: Array, s: Array, n_sketch: int, damp: float
    ) -> None:
        super().__init__(operator, s, n_sketch, damp)
        self.U, self.M = U, np.ascontiguousarray(U / self.scale)
        self._n_cols = operator.shape[1]
        self.n_unknowns = self._n_cols + (len(U) if damp > 0 else 0)
        self.step = self._whitened_step
        # The first step of the semi-iteration: the error falls in every direction.
        off = (self.rank / n_sketch) ** 0.5
        first = 2.0 / ((1 + off) ** -2 + (1 - min(off, 0.95)) ** -2)
        self.guess = first * self._transposed(self.M @ (self.M.T @ self.B))
        self.expected = column_norms(self.B - U @ (U.T @ self.B))

    def _forward(self, Z: Array) -> Array:
        out = self.operator.matmat(Z[: self._n_cols])
        return out + self.damp * Z[self._n_cols :] if self.damp > 0 else out

    def _transposed(self, R: Array) -> Array:
        out = self.operator.rmatmat(R)
        check_state(out)
        return np.concatenate([out, self.damp * R]) if self.damp > 0 else out

    def _whitened_step(self, V: Array, U: Array) -> tuple[Array, Array]:
        # The left factor mixes all rows: what the product gave has to be complete.
        R = self.M.T @ self._forward(V) - U
        return R, self._transposed(self.M @ R)

    def measure(self, Z: Array) -> tuple[Array, Array]:
        """Return the residual and the norm of its part in the range of U."""
        R = self.B - self._forward(Z)
        return R, column_norms(self.U.T @ R)

    def target(self, residual: Array) -> Array:
        """Return ``M' residual``."""
        return self.M.T @ residual

    def lift(self, Y: Array) -> Array:
        """Return Y."""
        return Y

    def coef(self, Z: Array) -> Array:
        """Return the rows of Z that belong to A."""
        return Z[: self._n_cols]

    def misfit(self, Z: Array, left: Array) -> Array:
        """Return the norm of the other rows, which with a ridge are the residual over damp."""
        return np.hypot(left, self.damp * column_norms(Z[self._n_cols :]))


def whiten(problem: Problem, n_sketch: int, make: MakeSketch) -> Whitened:
    """Sketch the problem in one pass and return it in the coordinates of the sketch.

    Parameters
    ----------
    problem : Problem
        With a fixed ridge and a fixed cutoff.
    n_sketch : int
        Rows of the sketch.
    make : callable
        ``make(n_sketch, n)`` returns a sketch of n rows; a matrix that is known by its
        products is sketched by Gaussian vectors whatever it returns.
    """
    assert not isinstance(problem.alpha, str)
    (m, n), damp = problem.A.shape, problem.alpha**0.5
    with np.errstate(invalid="ignore", over="ignore"):  # NaN is found below
        if m < n:
            operator = ProblemOperator(problem)
            C = _columns_sketched(problem, operator, make(n_sketch, n))
        else:
            operator, SA, SB = _rows_sketched(problem, make(n_sketch, m))
    if m < n:
        U, s, _ = _kept(C, problem)
        return Wide(operator, U, s, n_sketch, damp)
    return Tall(operator, _kept(SA, problem), SB, damp)


def _kept(sketched: Array, problem: Problem) -> tuple[Array, Array, Array]:
    """Return the singular triplets of a sketch above the cutoff."""
    check_state(sketched)
    return truncated_svd(sketched, max(EPS, problem.negligible(sketched)))


def _rows_sketched(problem: Problem, sketch: Sketch) -> tuple[ProblemOperator, Array, Array]:
    """Return ``S A`` and ``S B``, centred and weighted, and the products of A."""
    n_cols, n_targets = problem.A.shape[1], problem.n_targets
    if problem.A.has_products:
        operator = ProblemOperator(problem)
        SA, SB = np.empty((sketch.n_sketch, n_cols)), np.empty((sketch.n_sketch, n_targets))
        for part, G in _vectors(sketch):
            SA[part], SB[part] = operator.rmatmat(G).T, G.T @ operator.B
        return operator, SA, SB
    read = read_sketch(problem, sketch)
    operator = ProblemOperator(problem, mean_A=read.facts.mean_A)
    operator.n_passes += 1
    return operator, read.SA, read.SB


def _columns_sketched(problem: Problem, operator: ProblemOperator, sketch: Sketch) -> Array:
    """Return ``A S'``, centred and weighted."""
    C = np.empty((operator.shape[0], sketch.n_sketch))
    if problem.A.has_products:
        for part, G in _vectors(sketch):
            C[:, part] = operator.matmat(G)
        return C
    for rows, A, _, _ in problem.blocks():
        C[rows] = sketch.apply(A.T).T
    operator.n_passes += 1
    if problem.intercept:
        C -= sketch.apply(operator.facts.mean_A[:, None]).T
    return C if problem.weights is None else C * np.sqrt(problem.weights)[:, None]


def _vectors(sketch: Sketch) -> Iterator[tuple[slice, Array]]:
    """Yield the columns of a Gaussian S', some at a time."""
    for start in range(0, sketch.n_sketch, BATCH):
        part = slice(start, min(start + BATCH, sketch.n_sketch))
        rng = stream(sketch.seed, "gaussian vectors", start)
        G = rng.standard_normal((sketch.n_rows, part.stop - part.start))
        yield part, G / np.sqrt(sketch.n_sketch)


def sketching_cost(
    n_rows: int, n_cols: int, n_targets: int, oversampling: float, nonzeros: float, accuracy: float
) -> Cost:
    """Return what a sketch, its decomposition and iterations to some accuracy take."""
    small, d = min(n_rows, n_cols), oversampling * min(n_rows, n_cols)
    iterations = 2 * math.log(accuracy / 2) / -math.log(oversampling)
    passes = math.ceil(iterations * (2 if n_rows < n_cols else 1)) + 3
    flops = 2.0 * nonzeros * n_rows * n_cols + 2 * d * small**2 + 20.0 * small**3
    flops += 4.0 * n_rows * n_cols * n_targets * iterations
    state = 8 * (3 * d * small + 6 * n_targets * (n_rows + n_cols))
    return Cost(flops, passes, int(state))
