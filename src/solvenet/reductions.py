"""One-pass summaries of row blocks that merge: triangular factor, Gram matrix, moments.

A reduction sees blocks of rows, and two reductions of disjoint rows merge into that of
their union. The same class therefore serves a loop, threads, and a tree on a cluster.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.linalg import blas

from solvenet.linalg.factor import triangular_factor

if TYPE_CHECKING:
    from solvenet._array_api import Array


class Reduction(ABC):
    """A summary of rows that can be merged with the summary of other rows."""

    @abstractmethod
    def update(
        self, A: Array, B: Array, weights: Array | None = None, *, overwrite: bool = False
    ) -> None:
        """Add rows: `A` (rows, n_cols), `B` (rows, n_targets), `weights` (rows,).

        With `overwrite` the memory of A may be used for the work.
        """

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add the rows that `other` has seen; `other` is not changed."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of the state."""


class ColumnMoments(Reduction):
    """Weighted mean, variance, smallest and largest value of each column of A.

    Parameters
    ----------
    n_cols : int
        Columns of A. B is ignored.

    Attributes
    ----------
    weight : float
        Sum of the weights seen.
    mean, sumsq, low, high : array of shape (n_cols,)
        Mean, weighted sum of squared deviations from it, minimum and maximum. Rows of
        weight zero do not count.

    Notes
    -----
    Merged by the pairwise update of Chan, Golub and LeVeque (1983), which does not
    cancel for columns far from zero.
    """

    def __init__(self, n_cols: int) -> None:
        self.weight = 0.0
        self.mean = np.zeros(n_cols)
        self.sumsq = np.zeros(n_cols)
        self.low = np.full(n_cols, np.inf)
        self.high = np.full(n_cols, -np.inf)

    def update(
        self,
        A: Array,
        B: Array | None = None,
        weights: Array | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Add rows of A."""
        if weights is not None:
            kept = weights > 0
            A, weights = A[kept], weights[kept]
        if len(A) == 0:
            return
        part = ColumnMoments(len(self.mean))
        part.weight = float(len(A) if weights is None else weights.sum())
        part.mean = np.average(A.astype(np.float64, copy=False), axis=0, weights=weights)
        deviation = A - part.mean
        part.sumsq = (
            np.einsum("ij,ij->j", deviation, deviation)
            if weights is None
            else np.einsum("i,ij,ij->j", weights, deviation, deviation)
        )
        part.low, part.high = A.min(axis=0), A.max(axis=0)
        self.merge(part)

    def merge(self, other: ColumnMoments) -> None:
        """Add the rows of `other`."""
        if other.weight == 0:
            return
        weight = self.weight + other.weight
        delta = other.mean - self.mean
        self.mean = self.mean + delta * (other.weight / weight)
        self.sumsq = self.sumsq + other.sumsq
        self.sumsq += delta**2 * (self.weight * other.weight / weight)
        self.weight = weight
        self.low = np.minimum(self.low, other.low)
        self.high = np.maximum(self.high, other.high)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return 4 * self.mean.nbytes

    @property
    def variance(self) -> Array:
        """Weighted variance of each column (divisor: sum of the weights)."""
        return self.sumsq / self.weight if self.weight > 0 else np.zeros_like(self.sumsq)


class GramReduction(Reduction):
    """Centred cross products of A and B: what the normal equations need.

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of A and of B.
    center : bool
        Whether the (weighted) means are taken out, which is what an intercept does.

    Attributes
    ----------
    weight : float
        Sum of the weights seen.
    mean_A, mean_B : array
        Weighted column means; zero unless `center`.
    AA : array of shape (n_cols, n_cols)
        ``A' W A``, centred; only the lower triangle is kept up to date.
    AB : array of shape (n_cols, n_targets)
        ``A' W B``, centred.
    BB : array of shape (n_targets,)
        Diagonal of ``B' W B``, centred.

    Notes
    -----
    ``n_rows n_cols**2`` flops (a symmetric rank-k update), float64 whatever the dtype of
    the blocks. Each block is centred by its own mean before it is squared and the
    blocks are merged by Chan's formula, so offsets of the columns cost no accuracy.
    """

    def __init__(self, n_cols: int, n_targets: int, *, center: bool) -> None:
        self._center = center
        self.weight = 0.0
        self.mean_A = np.zeros(n_cols)
        self.mean_B = np.zeros(n_targets)
        self.AA = np.zeros((n_cols, n_cols), order="F")
        self.AB = np.zeros((n_cols, n_targets))
        self.BB = np.zeros(n_targets)

    def update(
        self, A: Array, B: Array, weights: Array | None = None, *, overwrite: bool = False
    ) -> None:
        """Add rows."""
        if len(A) == 0:
            return
        w = np.ones(len(A)) if weights is None else weights
        weight = float(w.sum())
        if A.dtype != np.float64:
            A, overwrite = A.astype(np.float64), True
        if self._center and weight > 0:
            mean_A, mean_B = w @ A / weight, w @ B / weight
            A, B = np.subtract(A, mean_A, out=A if overwrite else None), B - mean_B
            self._absorb_means(weight, mean_A, mean_B)
        else:
            self.weight += weight
        if weights is not None:
            root = np.sqrt(weights)[:, None]
            A, B = A * root, B * root
        # A C-contiguous block is, transposed, what BLAS wants: no copy is made.
        self.AA = blas.dsyrk(1.0, A.T, beta=1.0, c=self.AA, lower=1, overwrite_c=1)
        self.AB += A.T @ B
        self.BB += np.einsum("ij,ij->j", B, B)

    def merge(self, other: GramReduction) -> None:
        """Add the rows of `other`."""
        if self._center and other.weight > 0:
            self._absorb_means(other.weight, other.mean_A, other.mean_B)
        else:
            self.weight += other.weight
        self.AA += other.AA
        self.AB += other.AB
        self.BB += other.BB

    def _absorb_means(self, weight: float, mean_A: Array, mean_B: Array) -> None:
        """Move the means to the union's; the products gain the spread between the means."""
        total = self.weight + weight
        delta_A, delta_B = mean_A - self.mean_A, mean_B - self.mean_B
        spread = self.weight * weight / total
        if spread > 0:
            self.AA = blas.dsyr(spread, delta_A, a=self.AA, lower=1, overwrite_a=1)
            self.AB += spread * np.outer(delta_A, delta_B)
            self.BB += spread * delta_B**2
        self.mean_A = self.mean_A + delta_A * (weight / total)
        self.mean_B = self.mean_B + delta_B * (weight / total)
        self.weight = total

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self.AA.nbytes + self.AB.nbytes + self.BB.nbytes

    def gram(self) -> Array:
        """Return the full symmetric Gram matrix of A."""
        return np.tril(self.AA) + np.tril(self.AA, -1).T


class QRReduction(Reduction):
    """Triangular factor of ``[1, A, B]``, block after block (TSQR).

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of A and of B.
    center : bool
        Whether a column of ones stands before A. The rows of R below its first one then
        are the factor of the centred matrices: one pass, no means needed beforehand.

    Notes
    -----
    About ``3 n_rows p**2`` flops, ``p = n_cols + n_targets + 1``; state ``8 p**2``
    bytes and as much as ``2 p`` rows that wait to be factored together, because a tall
    stack costs less than many short ones.

    References
    ----------
    J. Demmel, L. Grigori, M. Hoemmen, J. Langou (2012), SIAM J. Sci. Comput. 34,
    A206-A239, https://doi.org/10.1137/080731992
    """

    def __init__(self, n_cols: int, n_targets: int, *, center: bool) -> None:
        self._lead = int(center)
        self._n_cols = n_cols
        self._width = self._lead + n_cols + n_targets
        self._factor = np.zeros((0, self._width))
        self._waiting: list[Array] = []
        self._n_waiting = 0
        self.weight = 0.0

    def update(
        self, A: Array, B: Array, weights: Array | None = None, *, overwrite: bool = False
    ) -> None:
        """Add rows."""
        if len(A) == 0:
            return
        rows = np.empty((len(A), self._width), order="F")
        rows[:, : self._lead] = 1.0
        rows[:, self._lead : self._lead + self._n_cols] = A
        rows[:, self._lead + self._n_cols :] = B
        if weights is not None:
            rows *= np.sqrt(weights)[:, None]
        self.weight += float(len(A) if weights is None else weights.sum())
        self._add(rows)

    def merge(self, other: QRReduction) -> None:
        """Add the rows of `other`."""
        self.weight += other.weight
        self._add(other._factor.copy())
        for rows in other._waiting:
            self._add(rows.copy())

    def _add(self, rows: Array) -> None:
        self._waiting.append(rows)
        self._n_waiting += len(rows)
        if self._n_waiting >= 2 * self._width:
            self._fold()

    def _fold(self) -> None:
        if self._waiting:
            parts = [self._factor, *self._waiting]
            stack = np.empty((sum(map(len, parts)), self._width), order="F")
            np.concatenate(parts, out=stack)
            self._waiting, self._n_waiting = [], 0
            self._factor = triangular_factor(stack)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._factor.nbytes + sum(rows.nbytes for rows in self._waiting)

    def factors(self) -> tuple[Array, Array, Array, Array, Array]:
        """Return what the summed rows say about the (centred) problem.

        Returns
        -------
        R : array of shape (min(n_rows, n_cols), n_cols)
            Triangular factor of A.
        C : array of shape (len(R), n_targets)
            ``Q' B``.
        outside : array of shape (n_targets,)
            Squared norm of the part of B outside the range of A.
        mean_A, mean_B : array
            Weighted means; zero without centring.
        """
        self._fold()
        lead, n_cols, F = self._lead, self._n_cols, self._factor
        mean_A = np.zeros(n_cols)
        mean_B = np.zeros(self._width - lead - n_cols)
        if lead and len(F) and F[0, 0] > 0:
            mean_A = F[0, lead : lead + n_cols] / F[0, 0]
            mean_B = F[0, lead + n_cols :] / F[0, 0]
        inside = F[lead : lead + n_cols]
        rest = F[lead + n_cols :, lead + n_cols :]
        return (
            inside[:, lead : lead + n_cols],
            inside[:, lead + n_cols :],
            np.einsum("ij,ij->j", rest, rest),
            mean_A,
            mean_B,
        )
