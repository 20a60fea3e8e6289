"""The kernel of ReLU networks: roots against mpmath, and spectra computed independently."""

import itertools

import mpmath as mp
import numpy as np
import pytest

from solvenet.analysis import relu_gram, relu_spectrum, uniform_biases, unit_spectrum
from solvenet.analysis.beam import beam_modes, beam_roots
from solvenet.analysis.legendre import ramp_integrals
from solvenet.errors import InvalidSettingError


@pytest.fixture(scope="module")
def roots():
    """Roots of cos(s) cosh(s) = -1 in 40 digits, by bisection of an equation without overflow."""
    with mp.workdps(40):
        found = []
        for k in range(1, 1001):
            middle = (k - mp.mpf(1) / 2) * mp.pi
            s = mp.findroot(lambda s: mp.cos(s) + mp.sech(s), middle + (0.3 if k == 1 else 0))
            found.append(s)
        return found


def test_eigenvalues_1_to_1000_are_exact_to_1e_14(roots):
    values = relu_spectrum(1000).eigenvalues
    with mp.workdps(40):
        exact = [(2 / s) ** 4 for s in roots]
        errors = [abs(mp.mpf(float(v)) / e - 1) for v, e in zip(values, exact, strict=True)]
        order = all(a < b for a, b in itertools.pairwise(roots))
    assert order  # every root once
    assert max(errors) < 1e-14
    np.testing.assert_allclose(
        values[:6],
        [1.29425091, 3.29544384e-2, 4.20328531e-3, 1.09459539e-3, 4.00562e-4, 1.79502e-4],
        rtol=2e-6,
    )


@pytest.mark.parametrize("k", [1, 2, 3, 10, 11, 100, 999, 1000])
def test_modes_are_those_of_the_beam_without_overflow(roots, k):
    x = np.concatenate([[-1.0, 1.0], np.linspace(-0.999, 0.997, 7)])
    values = beam_modes(x, 1000)[:, k - 1]
    with mp.workdps(1500):
        s = mp.findroot(lambda s: mp.cos(s) + mp.sech(s), roots[k - 1])
        r = (mp.sinh(s) - mp.sin(s)) / (mp.cosh(s) + mp.cos(s))
        t = [(1 + mp.mpf(float(v))) / 2 for v in x]
        usual = [mp.cosh(s * u) - mp.cos(s * u) - r * (mp.sinh(s * u) - mp.sin(s * u)) for u in t]
        exact = np.array([float(u * (-1) ** (k - 1) / mp.sqrt(2)) for u in usual])
    # The phase s t is rounded: errors of a few units in the last place of s.
    np.testing.assert_allclose(values, exact, rtol=0, atol=4 * k * np.pi * 2.0**-52)


def test_modes_are_orthonormal_and_solve_the_eigenproblem():
    t, w = np.polynomial.legendre.leggauss(400)
    V = beam_modes(t, 60)
    np.testing.assert_allclose((V.T * w) @ V, np.eye(60), atol=1e-12)
    # Mirror images are eigenfunctions of G(b, c): integrated against the kernel on each side
    # of its kink.
    b = np.array([-0.95, -0.3, 0.4])
    for k in (0, 4, 30):
        for point in b:
            total = 0.0
            for left, right in ((-1.0, point), (point, 1.0)):
                c = (left + right) / 2 + (right - left) / 2 * t
                kernel = relu_gram(np.array([point]), c)[0]
                total += (right - left) / 2 * (w * kernel) @ beam_modes(-c, 60)[:, k]
            expected = relu_spectrum(60).eigenvalues[k] * beam_modes(np.array([-point]), 60)[0, k]
            # Cancellation against the largest eigenvalue.
            assert total == pytest.approx(expected, abs=1e-13)


def test_singular_values_of_a_weighted_design_matrix_agree_to_1e_8():
    """Nothing of the closed form: units smeared by Legendre polynomials in b, at Gauss points."""
    n_rows, n_cols = 400, 320
    x, w = np.polynomial.legendre.leggauss(n_rows)
    t, v = np.polynomial.legendre.leggauss(n_cols // 2 + 2)
    half = (x + 1)[:, None] / 2
    b = -1 + half * (1 + t)  # (rows, nodes): the units that are positive at x
    polynomials = np.polynomial.legendre.legvander(b, n_cols - 1)
    design = np.einsum("rn,rnk->rk", (x[:, None] - b) * half * v, polynomials)
    design *= np.sqrt(w)[:, None] * np.sqrt(np.arange(n_cols) + 0.5)
    values = np.linalg.svd(design, compute_uv=False)[:100] ** 2
    np.testing.assert_allclose(values, relu_spectrum(100).eigenvalues, rtol=1e-8)


def test_mode_counts_at_thresholds():
    spectrum = relu_spectrum(200)
    counts = [spectrum.count(10.0**-digits) for digits in range(3, 11)]
    assert counts == [3, 6, 11, 19, 34, 60, 106, 189]
    assert spectrum.count(2.0**-23) == 32
    assert spectrum.count(1.0) == 1


def test_slope_is_minus_four():
    assert relu_spectrum(1000).slope(100, 1000) == pytest.approx(-4, rel=0.03)
    assert relu_spectrum(60).slope(10, 60) == pytest.approx(-4.083, abs=1e-3)


@pytest.mark.parametrize("power", [0, 1, 2, 3, 4])
def test_powers_have_the_corrected_exponent(power):
    # The published one would be -(power + 3).
    slope = relu_spectrum(160, power=power).slope(60, 160)
    assert slope == pytest.approx(-(2 * power + 2), rel=0.03)


def test_powers_agree_with_gram_matrices_of_many_units():
    b, w = np.polynomial.legendre.leggauss(500)
    for power in (0, 2, 3):
        gram = relu_gram(b, power=power) * np.sqrt(np.outer(w, w))
        values = np.linalg.eigvalsh(gram)[::-1][:4]
        # Gauss points across the kink of the kernel: third order at least, first for jumps.
        rtol = 1e-4 if power == 0 else 1e-8
        np.testing.assert_allclose(relu_spectrum(4, power=power).eigenvalues, values, rtol=rtol)


def test_the_repeated_integral_agrees_with_the_closed_form():
    for power, factor in ((0, 2), (1, 4)):
        s = np.linalg.svd(ramp_integrals(300, power), compute_uv=False)[:100]
        root = (np.arange(1, 101) - 0.5) * np.pi if power == 0 else beam_roots(100)
        np.testing.assert_allclose(s**2, (2 / root) ** factor, rtol=1e-10)


def test_uniform_units_have_eigenvalues_near_half_n_times_these():
    n = 400
    values = unit_spectrum(uniform_biases(n)).eigenvalues[:8]
    np.testing.assert_allclose(values / (n / 2), relu_spectrum(8).eigenvalues, rtol=0.02)


@pytest.mark.parametrize(
    "settings",
    [
        {"n": 1},
        {"n": 0},
        {"n": 2.5},
        {"n": 10, "power": -1},
        {"n": 2000, "power": 6},
        {"n": 3, "power": 200},
    ],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(InvalidSettingError, match=r"wanted|or fewer|powers up to"):
        relu_spectrum(**settings)


@pytest.mark.parametrize("threshold", [0, 0.0, -1e-3, 1.5, np.nan, "eps", True])
def test_thresholds_outside_of_0_to_1_are_refused(threshold):
    with pytest.raises(InvalidSettingError, match="above 0 and at most 1"):
        relu_spectrum(10).count(threshold)


def test_a_threshold_below_what_is_known_is_refused():
    with pytest.raises(InvalidSettingError, match="n of relu_spectrum"):
        relu_spectrum(10).count(1e-5)
    assert relu_spectrum(11).count(1e-5) == 11
