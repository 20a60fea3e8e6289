"""What given features can represent of given targets, mode by mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

if TYPE_CHECKING:
    from solvenet._array_api import Array

_SIZES = 48
_SATURATED = 1e-7


@dataclass(frozen=True, eq=False)
class Reach:
    """Singular values of centred features, and how far their modes explain the targets.

    Attributes
    ----------
    singular_values : array of shape (k,)
        Of the centred feature matrix, falling.
    modes : array of shape (n_rows, k)
        Left singular vectors.
    energies : array of shape (k,)
        Share of the targets' variance along each mode.
    sizes : array of shape (n_sizes,), int
        Numbers of modes that were tried, rising from zero.
    errors : array of shape (n_sizes,)
        Leave-one-out squared error with so many modes, over the variance of the targets.
    """

    singular_values: Array = field(repr=False)
    modes: Array = field(repr=False)
    energies: Array = field(repr=False)
    sizes: Array = field(repr=False)
    errors: Array = field(repr=False)

    @property
    def relative(self) -> Array:
        """The singular values over the largest."""
        s = self.singular_values
        return s / s[0] if len(s) and s[0] > 0 else s

    def count(self, cutoff: float) -> int:
        """Return how many modes have a relative singular value above `cutoff`."""
        return int(np.count_nonzero(self.relative > cutoff))

    def error(self, most: int) -> float:
        """Return the least error with at most so many modes."""
        return float(self.errors[self.sizes <= most].min())

    def needed(self, error: float) -> int | None:
        """Return the fewest modes of those tried with at most this error, if any has."""
        good = np.flatnonzero(self.errors <= error)
        return int(self.sizes[good[0]]) if len(good) else None


def measure_reach(A: Array, Y: Array) -> Reach:
    """Return what the columns of A can represent of Y by least squares with an intercept.

    Parameters
    ----------
    A : array of shape (n_rows, n_columns)
        Features.
    Y : array of shape (n_rows, n_targets)
        Targets; of constant ones the errors are zero.

    Returns
    -------
    Reach
        Modes are those of the features, cut off by their order: the solution that a
        solver with a relative cutoff finds.

    Notes
    -----
    *Cost.* One singular value decomposition, and n_rows * k * 50 flops. Leave-one-out is
    exact, from the leverages (Allen's PRESS).
    """
    n = len(A)
    A = A - A.mean(axis=0)
    if A.shape[1] > n:  # right singular vectors are not wanted, and would be the larger part
        A = linalg.qr(A.T, mode="r", overwrite_a=True, check_finite=False)[0][:n].T
    U, s, _ = linalg.svd(A, full_matrices=False, overwrite_a=True, check_finite=False)
    Y = Y - Y.mean(axis=0)
    total = float(np.einsum("ij,ij->", Y, Y)) or 1.0
    # Centring takes one direction: what is left of it is rounding.
    k = min(len(s), n - 1)
    U, s = U[:, :k], s[:k]
    C = U.T @ Y
    sizes = np.unique(np.round(np.geomspace(1, k, _SIZES)).astype(int)) if k else np.zeros(0, int)
    sizes = np.concatenate([[0], sizes])
    errors = np.empty(len(sizes))
    leverage, residual, done = np.full(n, 1.0 / n), Y.copy(), 0
    for position, size in enumerate(sizes):
        new = U[:, done:size]
        leverage += np.einsum("ij,ij->i", new, new)
        residual -= new @ C[done:size]
        done = size
        left = 1.0 - leverage
        errors[position] = (
            np.inf
            if left.min() < _SATURATED
            else np.einsum("ij,ij,i->", residual, residual, left**-2.0) / total
        )
    return Reach(s, U, np.einsum("ij,ij->i", C, C) / total, sizes, errors)
