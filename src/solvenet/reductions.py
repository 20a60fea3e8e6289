"""One-pass summaries of row blocks that merge: triangular factor, Gram matrix, moments.

A reduction sees blocks of rows, and two reductions of disjoint rows merge into that of
their union. The same class therefore serves a loop, threads, and a tree on a cluster.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
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

    Notes
    -----
    ``n_rows n_cols**2`` flops (a symmetric rank-k update), float64 whatever the dtype of
    the blocks. Rows are shifted by the mean of the first block before they are squared,
    so that offsets of the columns cost no accuracy; the small rest of the mean is taken
    out at the end.
    """

    def __init__(self, n_cols: int, n_targets: int, *, center: bool) -> None:
        self._center = center
        self.weight = 0.0
        self._shift_A: Array | None = None
        self._shift_B = np.zeros(n_targets)
        # Products about the shift; only the lower triangle of the first is kept.
        self._AA = np.zeros((n_cols, n_cols), order="F")
        self._AB = np.zeros((n_cols, n_targets + 1), order="F")  # the last column: sums of A
        self._BB = np.zeros((n_targets + 1, n_targets + 1))

    def update(
        self, A: Array, B: Array, weights: Array | None = None, *, overwrite: bool = False
    ) -> None:
        """Add rows."""
        if len(A) == 0:
            return
        if A.dtype != np.float64:
            A, overwrite = A.astype(np.float64), True
        if self._shift_A is None:
            self._shift_A = np.zeros(A.shape[1])
            if self._center:
                self._shift_A, self._shift_B = A.mean(axis=0), B.mean(axis=0)
        if self._center:
            A = np.subtract(A, self._shift_A, out=A if overwrite else None)
            overwrite = True
        B = np.column_stack([B - self._shift_B, np.ones(len(B))])
        if weights is not None:
            root = np.sqrt(weights)[:, None]
            A, B = np.multiply(A, root, out=A if overwrite else None), B * root
        # A C-contiguous block is, transposed, what BLAS wants: no copy is made.
        self._AA = blas.dsyrk(1.0, A.T, beta=1.0, c=self._AA, lower=1, overwrite_c=1)
        self._AB = blas.dgemm(1.0, A.T, np.asfortranarray(B), beta=1.0, c=self._AB, overwrite_c=1)
        self._BB += B.T @ B
        self.weight = float(self._BB[-1, -1])

    def merge(self, other: GramReduction) -> None:
        """Add the rows of `other`."""
        if other._shift_A is None:
            return
        if self._shift_A is None:
            self._shift_A, self._shift_B = np.zeros(len(self._AA)), 0.0 * other._shift_B
            if self._center:
                self._shift_A, self._shift_B = other._shift_A, other._shift_B
        # Products of the other about this shift: its rows are delta further away.
        delta_A, delta_B = other._shift_A - self._shift_A, other._shift_B - self._shift_B
        sum_A = other._AB[:, -1]
        self._AA += other._AA
        if delta_A.any():
            self._AA = blas.dsyr2(1.0, delta_A, sum_A, a=self._AA, lower=1, overwrite_a=1)
            self._AA = blas.dsyr(other.weight, delta_A, a=self._AA, lower=1, overwrite_a=1)
        to_B = np.append(delta_B, 0.0)
        ones_B = other._BB[-1]  # sums of B, and the weight
        self._AB += other._AB + np.outer(sum_A, to_B) + np.outer(delta_A, ones_B)
        self._AB += other.weight * np.outer(delta_A, to_B)
        self._BB += other._BB + np.outer(ones_B, to_B) + np.outer(to_B, ones_B)
        self._BB += other.weight * np.outer(to_B, to_B)
        self.weight = float(self._BB[-1, -1])

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._AA.nbytes + self._AB.nbytes + self._BB.nbytes

    def products(self) -> CrossProducts:
        """Return the (centred) products; the reduction must not be used any more."""
        n_targets = len(self._shift_B)
        mean_A, mean_B = np.zeros(len(self._AA)), np.zeros(n_targets)
        AA, AB, BB = self._AA, self._AB[:, :-1], np.diagonal(self._BB)[:-1]
        if self._center and self.weight > 0 and self._shift_A is not None:
            rest_A, rest_B = self._AB[:, -1] / self.weight, self._BB[-1, :-1] / self.weight
            AA = blas.dsyr(-self.weight, rest_A, a=AA, lower=1, overwrite_a=1)
            AB = AB - self.weight * np.outer(rest_A, rest_B)
            BB = BB - self.weight * rest_B**2
            mean_A, mean_B = self._shift_A + rest_A, self._shift_B + rest_B
        return CrossProducts(AA, AB, np.maximum(BB, 0.0), mean_A, mean_B)


@dataclass(frozen=True)
class CrossProducts:
    """What the normal equations need, centred where that was asked for.

    Attributes
    ----------
    lower : array of shape (n_cols, n_cols)
        Lower triangle of ``A' W A``; zero above the diagonal.
    AB : array of shape (n_cols, n_targets)
        ``A' W B``.
    BB : array of shape (n_targets,)
        Diagonal of ``B' W B``.
    mean_A, mean_B : array
        Weighted means; zero without centring.
    """

    lower: Array
    AB: Array
    BB: Array
    mean_A: Array
    mean_B: Array

    def gram(self) -> Array:
        """Return the full symmetric Gram matrix of A."""
        out: Array = self.lower + np.tril(self.lower, -1).T
        return out


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
