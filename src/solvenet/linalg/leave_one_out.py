"""Exact leave-one-out errors of a spectrally regularised least-squares fit.

``e_i / (1 - h_i)`` is 0 / 0 to rounding where a row is nearly interpolated. Where the
left singular vectors are known to full accuracy both are summed from what is shrunk away,
which does not cancel; where they are not, rows too close to interpolation count as
unknown, never as well predicted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from solvenet.linalg.products import multiply

if TYPE_CHECKING:
    from solvenet._array_api import Array

SMALLEST_COMPLEMENT = 1e-8
"""One minus a leverage, computed by subtraction, is not trusted below this."""


@dataclass(frozen=True)
class Filters:
    """What several regularisations do to each singular direction.

    Attributes
    ----------
    shrunk : array of shape (k, n_filters)
        Share of the direction that is lost: ``alpha / (s^2 + alpha)``, or 0 and 1.
    inverse : array of shape (k, n_filters)
        ``1 / (s^2 + alpha)``, or ``1 / s^2`` and 0, with s relative to the largest.
    """

    shrunk: Array
    inverse: Array


def ridge_filters(s: Array, ratios: Array) -> Filters:
    """Return the filters of ridges ``alpha = ratio s1^2`` for relative singular values."""
    denominator = s[:, None] ** 2 + ratios
    inverse = np.divide(1.0, denominator, out=np.zeros_like(denominator), where=denominator > 0)
    return Filters(ratios * inverse, inverse)


def cutoff_filters(s: Array, cutoffs: Array) -> Filters:
    """Return the filters that keep the directions above each relative cutoff."""
    kept = s[:, None] > cutoffs
    squared = np.where(s > 0, s, 1.0)[:, None] ** 2
    return Filters(1.0 - kept, kept / squared)


def loo_errors(residual: Array, complement: Array) -> Array:
    """Return ``residual / complement``, infinite where the complement is not known.

    Parameters
    ----------
    residual : array of shape (..., n_targets)
        Residuals of the fit.
    complement : array of shape (...)
        One minus the leverage, by subtraction.
    """
    known = complement > SMALLEST_COMPLEMENT
    safe = np.where(known, complement, 1.0)[..., None]
    return np.where(known[..., None], residual / safe, np.inf)


def relative_squares(errors: Array, variance: Array) -> Array:
    """Return squared errors (..., n_targets) over the variance, averaged over targets."""
    return _relative(errors**2, variance)


def _relative(squares: Array, variance: Array) -> Array:
    varying = variance > 0
    if not varying.any():
        return np.zeros(squares.shape[:-1])
    mean: Array = (squares[..., varying] / variance[varying]).mean(axis=-1)
    return mean


def squares_with_slopes(residual: Array, leverage: Array, variance: Array) -> Array:
    """Return relative squared leave-one-out errors with two derivatives, shape (3, n_rows).

    Parameters
    ----------
    residual : array of shape (3, n_rows, n_targets)
        Residuals of the fit, and their first and second derivatives by some parameter.
    leverage : array of shape (3, n_rows)
        Leverages, likewise.
    variance : array of shape (n_targets,)
        Of the targets.
    """
    r, r1, r2 = residual
    h1, h2 = leverage[1][:, None], leverage[2][:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        e = loo_errors(r, 1.0 - leverage[0])
        known = np.isfinite(e).all(axis=1, keepdims=True)
        left = np.where(known, 1.0 - leverage[0][:, None], 1.0)
        # e (1 - h) = r, differentiated twice.
        e1 = (r1 + e * h1) / left
        e2 = (r2 + 2.0 * e1 * h1 + e * h2) / left
        parts = (e**2, 2.0 * e * e1, 2.0 * (e1**2 + e * e2))
        return np.stack([_relative(part, variance) for part in parts])


@dataclass(frozen=True)
class LooRows(ABC):
    """Some rows of a factored problem, from which leave-one-out errors are computed.

    Attributes
    ----------
    rows : array of shape (n_rows, k)
        See the subclasses; of unweighted rows.
    targets : array of shape (n_rows, n_targets)
        Centred right-hand sides.
    projected : array of shape (k, n_targets)
        ``U' B`` over all rows of the problem.
    constant : float
        Leverage of the intercept at weight one: one over the sum of weights, or zero.
    weights : array of shape (n_rows,)
        A row of weight w counts as w repetitions, of which one is left out (all of it for
        w < 1).
    """

    rows: Array
    targets: Array
    projected: Array
    constant: float
    weights: Array

    @abstractmethod
    def errors(self, filters: Filters) -> tuple[Array, Array]:
        """Return leave-one-out errors and leverages.

        Parameters
        ----------
        filters : Filters
            Of k directions.

        Returns
        -------
        errors : array of shape (n_rows, n_filters, n_targets)
            Target minus the prediction without the row.
        leverages : array of shape (n_rows, n_filters)
            Share of a row in its own prediction.
        """

    def truncated(self, rank: int) -> Self:
        """Return the same rows with only the first `rank` directions."""
        return replace(self, rows=self.rows[:, :rank], projected=self.projected[:rank])

    def part(self, rows: slice) -> Self:
        """Return some of the rows."""
        return replace(
            self, rows=self.rows[rows], targets=self.targets[rows], weights=self.weights[rows]
        )

    def squares(self, filters: Filters, variance: Array) -> Array:
        """Return squared errors over the variance of the targets, shape (n_rows, n_filters).

        Averaged over the targets that vary; in bounded memory besides the result.
        """
        n_filters, n_targets = filters.shrunk.shape[1], self.targets.shape[1]
        out = np.empty((len(self.rows), n_filters))
        step = max(1, 2**20 // (n_filters * n_targets))
        for start in range(0, len(self.rows), step):
            rows = slice(start, start + step)
            errors, _ = self.part(rows).errors(filters)
            with np.errstate(over="ignore"):
                out[rows] = relative_squares(errors, variance)
        return out

    def _share(self) -> Array:
        return np.minimum(self.weights, 1.0)

    def _fitted(self, coefficients: Array) -> Array:
        """Return rows times (k, n_filters, n_targets), shape (n_rows, n_filters, n_targets)."""
        k, n_filters, n_targets = coefficients.shape
        flat = multiply(self.rows, coefficients.reshape(k, n_filters * n_targets))
        return flat.reshape(len(self.rows), n_filters, n_targets)


@dataclass(frozen=True)
class ExactRows(LooRows):
    """Left singular vectors from the decomposition itself, orthonormal to rounding."""

    def errors(self, filters: Filters) -> tuple[Array, Array]:
        """Sum what is shrunk away; what U does not span is exactly zero where it spans all."""
        share, squared = self._share(), self.rows**2
        outside = 1.0 - share * (squared.sum(axis=1) + self.constant)
        spanned = outside < SMALLEST_COMPLEMENT
        left = np.where(spanned[:, None], 0.0, self.targets - self.rows @ self.projected)
        complement = np.where(spanned, 0.0, outside)[:, None]
        complement = complement + share[:, None] * (squared @ filters.shrunk)
        kept_out = filters.shrunk[:, :, None] * self.projected[:, None, :]
        residual = left[:, None, :] + self._fitted(kept_out)
        safe = np.maximum(complement, np.finfo(float).tiny)
        return residual / safe[:, :, None], 1.0 - complement


@dataclass(frozen=True)
class ProjectedRows(LooRows):
    """Rows of A in the basis of right singular vectors, relative to the largest value.

    Attributes
    ----------
    s : array of shape (k,)
        Relative singular values.
    """

    s: Array

    def truncated(self, rank: int) -> Self:
        """Return the same rows with only the first `rank` directions."""
        return replace(super().truncated(rank), s=self.s[:rank])

    def errors(self, filters: Filters) -> tuple[Array, Array]:
        """Subtract fit and leverage; what rounding hides is infinite."""
        residual, leverage = self.fit(filters)
        return loo_errors(residual, 1.0 - leverage), leverage

    def fit(self, filters: Filters) -> tuple[Array, Array]:
        """Return residuals and leverages; noise in tiny directions is damped, not divided by."""
        leverage = multiply(self.rows**2, filters.inverse) + self.constant
        leverage *= self._share()[:, None]
        weighted = self.s[:, None] * self.projected
        residual = self.targets[:, None, :] - self._fitted(
            filters.inverse[:, :, None] * weighted[:, None, :]
        )
        return residual, leverage
