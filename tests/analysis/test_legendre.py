"""Piecewise polynomials through Gauss nodes, and repeated integrals."""

import numpy as np
import pytest

from solvenet.analysis import gauss_rule
from solvenet.analysis.legendre import (
    cell_interpolant,
    legendre_values,
    ramp_integrals,
)

EDGES = np.array([-1.0, -0.9999, -0.2, 0.3, 1.0])


@pytest.mark.parametrize("n_points", [1, 2, 4])
def test_interpolant_reproduces_pieces_and_their_nodes(n_points):
    rng = np.random.default_rng(0)
    nodes, _ = gauss_rule(EDGES, n_points)
    values = rng.standard_normal((len(nodes), 3))
    f = cell_interpolant(EDGES, values)
    np.testing.assert_allclose(f(nodes), values, atol=1e-12)
    ramp = np.maximum(nodes - 0.3, 0.0)[:, None] ** (n_points - 1)
    x = np.linspace(0.3, 1, 11)[1:]
    np.testing.assert_allclose(
        cell_interpolant(EDGES, ramp)(x)[:, 0], (x - 0.3) ** (n_points - 1), atol=1e-14
    )


@pytest.mark.parametrize("power", [0, 1, 3])
def test_ramp_integrals(power):
    x = np.array([-1.0, -0.4, 0.7, 1.0])
    t, w = np.polynomial.legendre.leggauss(20)
    found = legendre_values(x, 6 + power) @ ramp_integrals(6, power)
    for point, row in zip(x, found, strict=True):
        b = -1 + (point + 1) / 2 * (1 + t)
        expected = (w * (point + 1) / 2 * (point - b) ** power) @ legendre_values(b, 5)
        np.testing.assert_allclose(row, expected, atol=1e-13)
