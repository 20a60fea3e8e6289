"""The ball: published prototype numbers, a plain design matrix, the closed form, laws."""

import math

import numpy as np
import pytest

from solvenet.analysis import ball_spectrum, weyl_count
from solvenet.analysis.ball import _by_harmonic, n_harmonics
from solvenet.errors import InvalidSettingError


@pytest.mark.parametrize(
    ("dimension", "largest", "n_modes"), [(2, 7.4639, 195), (3, 19.231, 483), (4, 34.851, 780)]
)
def test_largest_eigenvalue_and_modes_in_single_precision(dimension, largest, n_modes):
    """Those of d = 2, 3 were first found from the Gram kernel by another quadrature."""
    spectrum = ball_spectrum(dimension)
    assert spectrum.eigenvalues[0] == pytest.approx(largest, rel=2e-5)
    assert spectrum.count(2.0**-23) == n_modes
    assert (np.diff(spectrum.eigenvalues) <= 0).all()
    assert spectrum.condition == np.inf


@pytest.mark.parametrize("power", [1, 2])
def test_a_design_matrix_in_the_plane_agrees(power):
    """Units on a grid of angles and biases, at polar Gauss points of the disk."""
    angles = 2 * np.pi * np.arange(32) / 32
    b, weights_b = np.polynomial.legendre.leggauss(24)
    r, weights_r = np.polynomial.legendre.leggauss(24)
    r, weights_r = (r + 1) / 2, weights_r / 2 * (r + 1) / 2
    shifted = angles + 0.05
    points = (r[:, None, None] * np.stack([np.cos(shifted), np.sin(shifted)], axis=1)).reshape(
        -1, 2
    )
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    design = np.maximum((points @ directions.T)[:, :, None] - b, 0.0) ** power
    rows = np.repeat(weights_r, 32) * 2 * np.pi / 32
    columns = np.tile(weights_b, 32) * 2 * np.pi / 32
    design = design.reshape(len(points), -1) * np.sqrt(np.outer(rows, columns))
    found = np.linalg.svd(design, compute_uv=False)[:9] ** 2
    expected = ball_spectrum(2, power=power, degree=40).expanded(9)
    np.testing.assert_allclose(found, expected, rtol=0.02 if power == 1 else 0.005)


def test_random_units_have_eigenvalues_near_n_over_the_measure():
    rng = np.random.default_rng(0)
    n, points = 1500, rng.standard_normal((4000, 3))
    w = rng.standard_normal((n, 3))
    w /= np.linalg.norm(w, axis=1)[:, None]
    points *= (rng.random(4000) ** (1 / 3) / np.linalg.norm(points, axis=1))[:, None]
    design = np.maximum(points @ w.T - rng.uniform(-1, 1, n), 0.0) * np.sqrt(4 / 3 * np.pi / 4000)
    found = np.linalg.eigvalsh(design.T @ design)[::-1][:4] / n * (2 * 4 * np.pi)
    np.testing.assert_allclose(found, ball_spectrum(3, degree=20).expanded(4), rtol=0.12)


@pytest.mark.parametrize(("d", "power", "harmonic"), [(2, 1, 5), (3, 0, 2), (3, 2, 7), (5, 1, 4)])
def test_the_closed_form_of_the_radial_operator_agrees(d, power, harmonic):
    """Rodrigues' formula integrated by parts: for degrees above p it is one zonal polynomial
    in dimension d + 2 p + 2 at c = b / r."""
    factor = 2 * math.pi ** ((d - 1) / 2) / math.gamma((d - 1) / 2)
    factor *= math.factorial(power) / 2 ** (power + 1)
    factor *= math.gamma((d - 1) / 2) / math.gamma((d - 1) / 2 + power + 1)
    m, D = harmonic - power - 1, d + 2 * power + 2
    t, w = np.polynomial.legendre.leggauss(60)
    # c = sin(pi t / 2) takes the half-integer powers at its ends.
    c, weights_c = np.sin(np.pi / 2 * t), w * np.pi / 2 * np.cos(np.pi / 2 * t)
    r, weights_r = (t + 1) / 2, w / 2
    zonal, previous = np.ones_like(c), np.zeros_like(c)
    for k in range(m):
        zonal, previous = ((2 * k + D - 2) * c * zonal - k * previous) / (k + D - 2), zonal
    kernel = factor * (1 - c * c) ** ((d - 3) / 2 + power + 1) * zonal * weights_c
    polynomials = np.polynomial.legendre.legvander(np.outer(r, c), 40) * np.sqrt(
        np.arange(41) + 0.5
    )
    design = np.einsum("c,rcj->rj", kernel, polynomials) * (r ** (power + 1))[:, None]
    design *= np.sqrt(weights_r * r ** (d - 1))[:, None]
    expected = np.linalg.svd(design, compute_uv=False)[:5] ** 2
    np.testing.assert_allclose(_by_harmonic(d, power, 41)[harmonic][:5], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("dimension", "power", "degree", "exponent"),
    [
        (2, 1, 120, -5 / 2),
        (3, 1, 100, -2.0),
        (3, 2, 100, -8 / 3),
        (4, 1, 100, -7 / 4),
        (2, 0, 100, -1.5),
    ],
)
def test_exponents(dimension, power, degree, exponent):
    spectrum = ball_spectrum(dimension, power=power, degree=degree)
    n = spectrum.n_modes
    assert spectrum.slope(n // 5, n) == pytest.approx(exponent, rel=0.03)
    assert exponent == -(dimension + 2 * power + 1) / dimension


def test_resolved_eigenvalues_do_not_change_under_refinement():
    coarse, fine = ball_spectrum(3, degree=40), ball_spectrum(3, degree=60)
    assert fine.n_modes > 3 * coarse.n_modes
    assert fine.resolution < coarse.resolution / 5
    n = coarse.n_modes
    # Those of a coarser computation are confirmed to 1e-6, and none is missing.
    np.testing.assert_allclose(coarse.expanded(n), fine.expanded(n), rtol=2e-6)


@pytest.mark.parametrize(("dimension", "power", "rel"), [(2, 1, 0.05), (2, 2, 0.07), (3, 1, 0.06)])
def test_weyls_law_has_the_right_constant(dimension, power, rel):
    spectrum = ball_spectrum(dimension, power=power, degree=120)
    value = spectrum.eigenvalues[-1]
    law = weyl_count(value, dimension=dimension, power=power)
    assert law == pytest.approx(spectrum.n_modes, rel=rel)
    # From below, and nearer the farther one goes.
    middle = spectrum.eigenvalues[len(spectrum.eigenvalues) // 3]
    before = weyl_count(middle, dimension=dimension, power=power)
    counted = spectrum.count(middle / spectrum.eigenvalues[0])
    assert before / counted < law / spectrum.n_modes < 1


def test_numbers_of_harmonics():
    assert [n_harmonics(2, k) for k in range(4)] == [1, 2, 2, 2]
    assert [n_harmonics(3, k) for k in range(5)] == [1, 3, 5, 7, 9]
    assert [n_harmonics(4, k) for k in range(5)] == [1, 4, 9, 16, 25]
    # Together they are all polynomials on the sphere.
    d, top = 7, 6
    total = sum(n_harmonics(d, k) for k in range(top + 1))
    assert total == math.comb(top + d - 1, d - 1) + math.comb(top + d - 2, d - 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dimension": 1}, "whole number >= 2"),
        ({"dimension": 2.5}, "whole number >= 2"),
        ({"dimension": 2, "degree": 10}, "whole number >= 20"),
        ({"dimension": 2, "power": -1}, "whole number >= 0"),
        ({"dimension": 60, "degree": 20}, "too high for degree=20: .* Raise degree, or reduce"),
        ({"dimension": 500, "degree": 20}, "Reduce the inputs to at most 200"),
    ],
)
def test_what_the_quadrature_cannot_do_is_refused(settings, words):
    with pytest.raises(InvalidSettingError, match=words):
        ball_spectrum(**settings)


@pytest.mark.parametrize("threshold", [0.0, -1.0, np.nan, np.inf])
def test_weyl_wants_a_positive_threshold(threshold):
    with pytest.raises(InvalidSettingError, match="finite number above 0"):
        weyl_count(threshold, dimension=2)
