"""Mean, variance and range of each column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet.reductions._base import Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array


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
        start: int = 0,
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

    def forget(self, share: float) -> None:
        """Multiply the weights of all rows so far by `share`; the range stays."""
        self.weight *= share
        self.sumsq *= share

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return 4 * self.mean.nbytes

    @property
    def variance(self) -> Array:
        """Weighted variance of each column (divisor: sum of the weights)."""
        return self.sumsq / self.weight if self.weight > 0 else np.zeros_like(self.sumsq)
