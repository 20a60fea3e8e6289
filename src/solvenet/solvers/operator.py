"""A problem as products: what solvers that never factor the matrix see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet.reductions import ColumnMoments
from solvenet.solvers.problem import Problem

if TYPE_CHECKING:
    from solvenet._array_api import Array


class ProblemOperator:
    """The weighted, centred matrix of a problem by its products, with a count of passes.

    With an intercept the columns are centred by their weighted means, which takes a pass
    of its own; weights multiply rows by their square roots.

    Parameters
    ----------
    problem : Problem
        The checked problem.
    mean_A : array of shape (n_cols,), optional
        The weighted column means, where they are known already.

    Attributes
    ----------
    shape : tuple of (int, int)
        Of the matrix.
    B : array of shape (n_rows, n_targets)
        Right-hand sides, centred and weighted like the matrix.
    facts : ProblemFacts
        Sums of squares, means, weights.
    n_passes : int
        Passes over the rows so far.
    """

    def __init__(self, problem: Problem, *, mean_A: Array | None = None) -> None:
        self.shape = problem.A.shape
        self.n_passes = 0
        self._problem = problem
        self._root = None if problem.weights is None else np.sqrt(problem.weights)[:, None]
        n_cols = self.shape[1]
        mean_B = np.zeros(problem.B.shape[1])
        if problem.intercept:
            mean_B = np.average(problem.B, axis=0, weights=problem.weights)
            if mean_A is None:
                mean_A = self._column_means()
        self._mean = mean_A if problem.intercept else None
        self.B = problem.B - mean_B if problem.intercept else problem.B
        if self._root is not None:
            self.B = self.B * self._root
        self.facts = problem.facts(
            np.einsum("ij,ij->j", self.B, self.B),
            np.zeros(n_cols) if self._mean is None else self._mean,
            mean_B,
        )

    def _column_means(self) -> Array:
        if self._problem.A.has_products:
            self.n_passes += 1
            weights = self._problem.weights
            w = np.ones(self.shape[0]) if weights is None else weights
            mean: Array = self._problem.A.rmatmat(w) / w.sum()
            return mean
        moments = ColumnMoments(self.shape[1])
        for rows, block, targets, weights in self._problem.blocks():
            moments.update(block, targets, weights, start=rows.start)
        self.n_passes += 1
        return moments.mean

    def _product(self, rows: slice, block: Array, V: Array, offset: Array | None) -> Array:
        return self._changed(rows, block @ V, offset)

    def _changed(self, rows: slice, out: Array, offset: Array | None) -> Array:
        if offset is not None:
            out -= offset
        if self._root is not None:
            out *= self._root[rows]
        return out

    def _transposed(self, rows: slice, block: Array, U: Array) -> Array:
        if self._root is not None:
            U = U * self._root[rows]
        out: Array = block.T @ U
        if self._mean is not None:
            out -= np.outer(self._mean, U.sum(axis=0))
        return out

    def matmat(self, V: Array) -> Array:
        """Return ``A V``, shape (n_rows, k), for V of shape (n_cols, k); one pass."""
        offset = None if self._mean is None else self._mean @ V
        if self._problem.A.has_products:
            self.n_passes += 1
            return self._changed(slice(None), self._problem.A.matmat(V), offset)
        out = np.empty((self.shape[0], V.shape[1]))
        for rows, block, _, _ in self._problem.blocks():
            out[rows] = self._product(rows, block, V, offset)
        self.n_passes += 1
        return out

    def rmatmat(self, U: Array) -> Array:
        """Return ``A' U``, shape (n_cols, k), for U of shape (n_rows, k); one pass."""
        if self._problem.A.has_products:
            self.n_passes += 1
            U = U if self._root is None else U * self._root
            product = self._problem.A.rmatmat(U)
            return product if self._mean is None else product - np.outer(self._mean, U.sum(axis=0))
        out = np.zeros((self.shape[1], U.shape[1]))
        for rows, block, _, _ in self._problem.blocks():
            out += self._transposed(rows, block, U[rows])
        self.n_passes += 1
        return out

    def step(self, V: Array, U: Array) -> tuple[Array, Array]:
        """Return ``R = A V - U`` and ``A' R`` in one pass: each block is used twice.

        One iteration of a Krylov method, or the residual of V with its gradient.
        """
        if self._problem.A.has_products:
            R = self.matmat(V) - U
            self.n_passes -= 1
            return R, self.rmatmat(R)
        offset = None if self._mean is None else self._mean @ V
        R = np.empty((self.shape[0], V.shape[1]))
        gradient = np.zeros((self.shape[1], V.shape[1]))
        for rows, block, _, _ in self._problem.blocks():
            part = self._product(rows, block, V, offset)
            part -= U[rows]
            R[rows] = part
            gradient += self._transposed(rows, block, part)
        self.n_passes += 1
        return R, gradient
