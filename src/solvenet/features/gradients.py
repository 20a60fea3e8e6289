"""How a fitted network uses its inputs: the average outer product of its gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from solvenet.linalg.factor import cholesky, cholesky_solve, symmetric_eigen
from solvenet.linalg.leave_one_out import ProjectedRows, ridge_filters
from solvenet.linalg.products import multiply

if TYPE_CHECKING:
    from solvenet._array_api import Array

RATIOS = np.logspace(-8, 0, 13)
"""Ridges that a probe tries, relative to the largest squared singular value."""

RESOLUTION = 1e-7
"""Relative singular values below this are rounding: they come from a Gram matrix."""

FAR = 3.0
"""Gradients longer than so many medians are shortened to that."""


@dataclass(frozen=True)
class Probe:
    """A small network, fitted to a few rows to learn from.

    Attributes
    ----------
    H : array of shape (n_rows, n_units + n_features)
        Units, and inputs that bypass them, centred.
    D : array of shape (n_rows, n_units)
        Derivatives of the units by their arguments.
    Y : array of shape (n_rows, n_targets)
        Targets, centred.
    root : array of shape (n_rows, 1)
        Square roots of the weights of the rows.
    alpha : float
        The ridge that leave-one-out errors chose.
    unexplained : float
        Their mean square over the variance of the targets.
    """

    H: Array = field(repr=False)
    D: Array = field(repr=False)
    Y: Array = field(repr=False)
    root: Array = field(repr=False)
    alpha: float
    unexplained: float

    def gradient_product(self, W: Array) -> Array:
        """Return the cross-fitted average outer product of the network's gradients.

        Parameters
        ----------
        W : array of shape (n_features, n_units)
            Weights of the units.

        Returns
        -------
        array of shape (n_features, n_features)
            ``sum_i w_i sum_t g_it h_it' / sum_i w_i``, symmetrised; g and h are the gradients of
            the networks of two halves of the rows (every other one), so that what either owes to
            noise cancels on average. It may have negative eigenvalues.

        Notes
        -----
        No gradient is formed: with units' derivatives D, read-outs C and K of the two halves
        and inputs' weights S and T the sum is ``W ((D'D) o (C K')) W'`` and terms of lower rank.
        *Cost:* ``n_rows n_units^2`` flops whatever the number of targets, and two solves.
        """
        (C, S), (K, T) = (self._half(start, W.shape[1]) for start in (0, 1))
        root = self.root * np.sqrt(self._shortening(W, C, S) * self._shortening(W, K, T))[:, None]
        D = self.D * root
        total = float((self.root**2).sum())
        both = multiply(D.T, D) * multiply(C, K.T)
        slopes = (D * root).sum(axis=0)
        crossed = multiply(W * slopes, multiply(C, T.T) + multiply(K, S.T))
        G = multiply(multiply(W, both), W.T) + crossed
        G += float((root**2).sum()) * multiply(S, T.T)
        symmetric: Array = (G + G.T) / (2.0 * total)
        return symmetric

    def _half(self, start: int, n_units: int) -> tuple[Array, Array]:
        """Return the read-out of every other row: weights of the units, and of the inputs."""
        rows = slice(start, None, 2)
        root = self.root[rows]
        weight = (root**2).sum()
        H = (self.H[rows] - (root**2 * self.H[rows]).sum(axis=0) / weight) * root
        Y = (self.Y[rows] - (root**2 * self.Y[rows]).sum(axis=0) / weight) * root
        # Half the rows want half the ridge; it is at least rounding of the Gram matrix.
        alpha = 0.5 * self.alpha
        wide = H.shape[1] > len(H)
        G = multiply(H, H.T) if wide else multiply(H.T, H)
        L = cholesky(G, alpha)
        while L is None:
            alpha *= 10.0
            L = cholesky(G, alpha)
        coef = multiply(H.T, cholesky_solve(L, Y)) if wide else cholesky_solve(L, multiply(H.T, Y))
        return coef[:n_units], coef[n_units:]

    def _shortening(self, W: Array, C: Array, S: Array) -> Array:
        """Return factors that bring long gradients of a read-out back to three medians."""
        square = multiply(C, C.T) * multiply(W.T, W)
        squares = np.einsum("ij,ij->i", multiply(self.D, square), self.D)
        squares += self.D @ (2.0 * np.einsum("jt,jt->j", C, multiply(W.T, S)))
        norms = np.sqrt(np.maximum(squares + (S**2).sum(), 0.0))
        limit = FAR * float(np.median(norms))
        long = norms > limit
        return np.where(long, limit / np.where(long, norms, 1.0), 1.0)


def fit_probe(units: Array, slopes: Array, Z: Array, Y: Array, weights: Array) -> Probe:
    """Fit a read-out of units and inputs with the ridge of least leave-one-out error.

    Parameters
    ----------
    units, slopes : array of shape (n_rows, n_units)
        Values of the units and their derivatives by their arguments.
    Z : array of shape (n_rows, n_features)
        Inputs that bypass the units.
    Y : array of shape (n_rows, n_targets)
        Targets.
    weights : array of shape (n_rows,)
        A row of weight w counts as w repetitions.

    Returns
    -------
    Probe
        The fitted network.

    Notes
    -----
    *Cost:* a Gram matrix of the smaller side, its eigenvectors, and as many flops again for
    the leave-one-out errors.
    """
    total, root = weights.sum(), np.sqrt(weights)[:, None]
    H = np.concatenate([units, Z], axis=1)
    H -= weights @ H / total
    Y = Y - weights @ Y / total
    scaled = H * root
    if H.shape[1] <= len(H):
        values, V = symmetric_eigen(multiply(scaled.T, scaled))
        known = values > RESOLUTION**2 * values[0]
        V = V[:, known]
    else:
        values, U = symmetric_eigen(multiply(scaled, scaled.T))
        known = values > RESOLUTION**2 * values[0]
        V = multiply(scaled.T, U[:, known]) / np.sqrt(values[known])
    if not known.any():
        return Probe(H, slopes, Y, root, 0.0, 1.0)
    largest = float(values[0])
    s = np.sqrt(values[known] / largest)
    rows = multiply(H, V) / np.sqrt(largest)
    projected = multiply((rows * root).T, Y * root) / s[:, None]
    variance = weights @ Y**2 / total
    loo = ProjectedRows(rows, Y, projected, 1.0 / total, weights, s)
    errors = weights @ loo.squares(ridge_filters(s, RATIOS), variance) / total
    best = int(np.argmin(errors))
    return Probe(H, slopes, Y, root, float(RATIOS[best] * largest), float(errors[best]))


def metric_of(G: Array) -> Array | None:
    """Return the square root of a gradient product as a linear map of the inputs.

    Parameters
    ----------
    G : array of shape (n_features, n_features)
        Symmetric. Negative eigenvalues, which are noise, count as zero.

    Returns
    -------
    array of shape (n_features, n_features) or None
        Symmetric, scaled so that its squares sum to `n_features`; None if nothing is left.
    """
    values, vectors = symmetric_eigen(G)
    if values[0] <= 0 or not np.isfinite(values[0]):
        return None
    roots = np.sqrt(values * (len(G) / values.sum()))
    return multiply(vectors * roots, vectors.T)
