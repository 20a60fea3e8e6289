"""Cross products: what the normal equations need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import blas

from solvenet.linalg.blas import add_gram
from solvenet.reductions._base import Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array


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

    @classmethod
    def from_sums(
        cls, AA: Array, AB: Array, BB: Array, shift_A: Array, shift_B: Array, *, center: bool
    ) -> GramReduction:
        """Return the reduction of rows that were summed elsewhere, on a GPU for example.

        Parameters
        ----------
        AA : array of shape (n_cols, n_cols), float64, Fortran order
            Lower triangle of the products of ``A - shift_A``, zero above it; taken over.
        AB : array of shape (n_cols, n_targets + 1)
            Products with ``B - shift_B`` and, in the last column, with a column of ones.
        BB : array of shape (n_targets + 1, n_targets + 1)
            Products of ``[B - shift_B, 1]``; the last entry is the sum of the weights.
        shift_A, shift_B : array
            What was subtracted from the rows; zero without centring.
        center : bool
            Whether the means are to be taken out at the end.
        """
        out = cls(0, 0, center=center)
        out._AA, out._AB, out._BB = AA, np.asfortranarray(AB), BB
        out._shift_A, out._shift_B = shift_A, shift_B
        out.weight = float(BB[-1, -1])
        return out

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
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
        A = np.ascontiguousarray(A)
        add_gram(self._AA, A.T)
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

    def forget(self, share: float) -> None:
        """Multiply the weights of all rows so far by `share`."""
        for products in (self._AA, self._AB, self._BB):
            products *= share
        self.weight *= share

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
