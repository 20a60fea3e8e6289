"""Exact leave-one-out errors of ridge regression from left singular vectors.

``e_i / (1 - h_i)`` loses all its digits where a row is nearly interpolated. Here both are
summed from what the ridge shrinks away, ``1 - f = alpha / (s^2 + alpha)``, which does not
cancel; what lies outside the span of U is exactly zero where U spans the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array

SMALLEST_COMPLEMENT = 1e-10
"""One minus a leverage, computed by subtraction, is not known below this."""


@dataclass(frozen=True)
class LeftRows:
    """Rows of the left singular vectors with their targets: all that leave-one-out needs.

    Attributes
    ----------
    U : array of shape (n_rows, k)
        Left singular vectors at unweighted rows.
    targets : array of shape (n_rows, n_targets)
        Centred right-hand sides.
    projected : array of shape (k, n_targets)
        ``U' B`` over all rows.
    constant : float
        Leverage of the intercept at weight one: one over the sum of weights, or zero.
    weights : array of shape (n_rows,) or None
        A row of weight w counts as w repetitions, of which one is left out (all of it for
        w < 1).
    """

    U: Array
    targets: Array
    projected: Array
    constant: float
    weights: Array | None

    def truncated(self, rank: int) -> LeftRows:
        """Return the same rows with only the first `rank` directions."""
        return LeftRows(
            self.U[:, :rank], self.targets, self.projected[:rank], self.constant, self.weights
        )

    def part(self, rows: slice) -> LeftRows:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return LeftRows(self.U[rows], self.targets[rows], self.projected, self.constant, weights)

    def errors(self, shrunk: Array) -> tuple[Array, Array]:
        """Return leave-one-out errors and leverages.

        Parameters
        ----------
        shrunk : array of shape (k, n_ridges)
            ``alpha / (s^2 + alpha)`` of each ridge.

        Returns
        -------
        errors : array of shape (n_rows, n_ridges, n_targets)
            Target minus the prediction without the row.
        leverages : array of shape (n_rows, n_ridges)
            Share of a row in its own prediction.
        """
        share = np.ones(len(self.U)) if self.weights is None else np.minimum(self.weights, 1.0)
        squared = self.U**2
        outside = 1.0 - share * (squared.sum(axis=1) + self.constant)
        spanned = outside < SMALLEST_COMPLEMENT
        left = np.where(spanned[:, None], 0.0, self.targets - self.U @ self.projected)
        complement = np.where(spanned, 0.0, outside)[:, None] + share[:, None] * (squared @ shrunk)
        n_ridges, n_targets = shrunk.shape[1], self.targets.shape[1]
        filtered = shrunk[:, :, None] * self.projected[:, None, :]
        fitted = self.U @ filtered.reshape(len(shrunk), n_ridges * n_targets)
        residual = left[:, None, :] + fitted.reshape(len(self.U), n_ridges, n_targets)
        safe = np.maximum(complement, np.finfo(float).tiny)
        return residual / safe[:, :, None], 1.0 - complement

    def sumsq(self, shrunk: Array) -> Array:
        """Return ``sum_i w_i error_i^2``, shape (n_ridges, n_targets), in bounded memory."""
        n_ridges, n_targets = shrunk.shape[1], self.targets.shape[1]
        total = np.zeros((n_ridges, n_targets))
        step = max(1, 2**20 // (n_ridges * n_targets))
        for start in range(0, len(self.U), step):
            part = self.part(slice(start, start + step))
            errors, _ = part.errors(shrunk)
            w = np.ones(len(errors)) if part.weights is None else part.weights
            with np.errstate(over="ignore"):
                total += np.einsum("i,ijk,ijk->jk", w, errors, errors)
        return total
