"""Biases: equidistant, random, and equidistributing the variation of a function."""

import numpy as np
import pytest

from solvenet.analysis import adaptive_biases, random_biases, uniform_biases
from solvenet.errors import InvalidDataError, InvalidSettingError


def steep(x):
    return np.arctan(25 * x)


def slope(x):
    return 25 / (1 + (25 * x) ** 2)


def closed_form(n):
    """Return the adaptive biases of arctan(25 x) by the inverse of F."""
    return np.tan((2 * np.arange(n) / (n - 1) - 1) * np.arctan(25)) / 25


def test_uniform_biases_include_both_ends():
    b = uniform_biases(101)
    assert (b[0], b[-1]) == (-1, 1)
    np.testing.assert_allclose(np.diff(b), 0.02, rtol=1e-13)


def test_random_biases_are_sorted_uniform_and_repeatable():
    b = random_biases(5000, random_state=3)
    assert (np.diff(b) > 0).all()
    # Kolmogorov-Smirnov: above 1.95 with probability 1e-3.
    F = (b + 1) / 2
    assert np.sqrt(5000) * np.abs(F - np.arange(5000) / 5000).max() < 1.95
    np.testing.assert_array_equal(b, random_biases(5000, random_state=3))
    assert not np.array_equal(b, random_biases(5000, random_state=4))


@pytest.mark.parametrize("n", [2, 3, 100, 1000])
@pytest.mark.parametrize(
    "given",
    [{"f": steep}, {"derivative": slope}, {"distribution": steep}],
    ids=["f", "derivative", "distribution"],
)
def test_adaptive_biases_are_those_of_the_closed_form(n, given):
    b = adaptive_biases(n, **given)
    assert (b[0], b[-1]) == (-1, 1)
    # F is known to a few eps, and falls to 1/60 of its mean slope at the ends.
    np.testing.assert_allclose(b, closed_form(n), rtol=0, atol=5e-13)


def test_adaptive_biases_carry_equal_variation_where_the_function_turns():
    def f(x):
        return np.cos(6 * np.pi * x) - np.sin(2 * np.pi * x)

    b = adaptive_biases(200, f)
    fine = np.linspace(-1, 1, 2_000_001)
    F = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(f(fine))))])
    np.testing.assert_allclose(np.diff(np.interp(b, fine, F / F[-1])), 1 / 199, atol=1e-6)

    def slope(x):
        return -6 * np.pi * np.sin(6 * np.pi * x) - 2 * np.pi * np.cos(2 * np.pi * x)

    # At a turning point F is flat to third order: an error e of F moves b by e**(1/3).
    np.testing.assert_allclose(adaptive_biases(200, derivative=slope), b, atol=2e-4)


def test_flat_parts_get_their_uniform_share():
    def ramp(x):
        return np.maximum(x - 0.5, 0.0)

    assert (adaptive_biases(50, ramp)[1:] > 0.5).all()
    b = adaptive_biases(401, ramp, uniform_share=0.4)
    assert np.count_nonzero(b < 0.5) == pytest.approx(0.75 * 0.4 * 400, abs=2)


def test_uniform_share_of_a_straight_line_changes_nothing():
    np.testing.assert_allclose(
        adaptive_biases(33, lambda x: -3 * x, uniform_share=0.3), uniform_biases(33), atol=1e-13
    )


@pytest.mark.parametrize("n", [0, 1, -3, 2.5, True])
@pytest.mark.parametrize(
    "biases", [uniform_biases, random_biases, lambda n: adaptive_biases(n, steep)]
)
def test_fewer_than_two_biases_are_refused(biases, n):
    with pytest.raises(InvalidSettingError, match="whole number >= 2"):
        biases(n)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: x * np.nan, "f is NaN or infinite at 20001 of 20001 points, the first x = -1"),
        (lambda x: np.where(x > 0.3, np.inf, x), "infinite"),
        (lambda x: x[:5], "one real number a point"),
        (lambda x: np.exp(1j * x), "returned complex128"),
        (lambda x: float(x), "failed for points of shape .* np.vectorize"),
        (lambda x: np.full_like(x, 2.0), "constant"),
        (lambda _: 2.0, "constant"),
        (np.sign, "biases coincide near .* jumps"),
    ],
)
def test_functions_that_cannot_be_followed_are_refused(f, words):
    with pytest.raises(InvalidDataError, match=words):
        adaptive_biases(100, f)


def test_a_decreasing_distribution_is_refused():
    with pytest.raises(InvalidDataError, match="increasing function is wanted"):
        adaptive_biases(10, distribution=lambda x: -x)


@pytest.mark.parametrize("given", [{}, {"f": steep, "derivative": slope}])
def test_exactly_one_function_is_wanted(given):
    with pytest.raises(InvalidSettingError, match="exactly one"):
        adaptive_biases(10, **given)


@pytest.mark.parametrize("share", [1.0, -0.1, np.nan])
def test_share_outside_of_its_range_is_refused(share):
    with pytest.raises(InvalidSettingError, match="uniform_share"):
        adaptive_biases(10, steep, uniform_share=share)
