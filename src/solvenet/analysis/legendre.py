"""Legendre polynomials: through the nodes of Gauss rules, and integrated repeatedly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array


def legendre_values(x: Array, degree: int) -> Array:
    """Return the orthonormal polynomials of degree 0 to `degree` at `x`, a new last axis."""
    values: Array = np.polynomial.legendre.legvander(x, degree) * _norms(degree + 1)
    return values


def ramp_integrals(n: int, power: int) -> Array:
    """Return the integrals over b of ``max(x - b, 0)**power q_j(b)``, for j below n.

    Column j of the result, shape (n + power + 1, n), holds their coefficients in the
    orthonormal polynomials q: the polynomial is integrated ``power + 1`` times from -1.
    """
    matrix = np.eye(n)
    for size in range(n, n + power + 1):
        matrix = _integration(size) @ matrix
    return matrix * float(math.factorial(power))


def cell_interpolant(edges: Array, values: Array) -> Callable[[Array], Array]:
    """Return the piecewise polynomial with given values at the nodes of :func:`gauss_rule`.

    `values` has shape (n_nodes, k); the result maps x to shape (len(x), k). Units of one
    polynomial piece a cell are reproduced exactly, without the cancellation of summing
    units with large coefficients.
    """
    n_points = len(values) // (len(edges) - 1)
    t, w = np.polynomial.legendre.leggauss(n_points)
    degrees = np.arange(n_points)
    transform = np.polynomial.legendre.legvander(t, n_points - 1).T * w * (degrees[:, None] + 0.5)
    pieces = transform @ values.reshape(len(edges) - 1, n_points, -1)

    def interpolant(x: Array) -> Array:
        cell = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
        local = 2 * (x - edges[cell]) / (edges[cell + 1] - edges[cell]) - 1
        basis = np.polynomial.legendre.legvander(local, n_points - 1)
        out = np.zeros((len(x), values.shape[1]))
        for degree in range(n_points):
            out += basis[:, degree, None] * pieces[cell, degree]
        return out

    return interpolant


def _norms(n: int) -> Array:
    norms: Array = np.sqrt(np.arange(n) + 0.5)
    return norms


def _integration(n: int) -> Array:
    """Return the matrix of the integral from -1: that of P_j is (P_j+1 - P_j-1) / (2 j + 1)."""
    norms, j = _norms(n + 1), np.arange(n)
    matrix = np.zeros((n + 1, n))
    factor = norms[:n] / (2 * j + 1)
    matrix[j + 1, j] = factor / norms[1:]
    matrix[j[1:] - 1, j[1:]] = -factor[1:] / norms[: n - 1]
    matrix[0, 0] = 1.0
    return matrix
