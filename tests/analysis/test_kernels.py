"""Closed-form Gram matrices against exact rational arithmetic and quadrature."""

from fractions import Fraction

import numpy as np
import pytest

from solvenet.analysis import random_biases, relu_gram, uniform_biases
from solvenet.errors import InvalidDataError, InvalidSettingError


def exact(b, c, power):
    """Return the integral of the product of two units in rational arithmetic."""
    b, c = Fraction(float(b)), Fraction(float(c))
    start = max(b, c, Fraction(-1))
    if start >= 1:
        return Fraction(0)
    product = [Fraction(1)]  # coefficients, lowest first, of ((x - b) (x - c))**power
    for root in (b, c):
        for _ in range(power):
            shifted = [Fraction(0), *product]
            product = [s - root * p for s, p in zip(shifted, [*product, Fraction(0)], strict=True)]
    return sum(a * (1 - start ** (k + 1)) / (k + 1) for k, a in enumerate(product))


@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_entries_are_correct_to_the_last_places(power):
    near_one = 1 - np.logspace(-15, -1, 8)
    b = np.concatenate([random_biases(12), near_one, [-1.0, 1.0, -1.7, 1.3]])
    G = relu_gram(b, power=power)
    reference = np.array([[float(exact(x, y, power)) for y in b] for x in b])
    np.testing.assert_allclose(G, reference, rtol=3e-15 * (power + 1), atol=0)
    np.testing.assert_array_equal(G, G.T)


def test_the_usual_form_agrees_and_cancels():
    b = uniform_biases(60)
    x, y = b[:, None], b[None, :]
    usual = np.abs(x - y) ** 3 / 12 + (2 - x - y) * (2 * (1 - x) * (1 - y) - (x - y) ** 2) / 12
    G = relu_gram(b)
    np.testing.assert_allclose(G, usual, rtol=0, atol=2e-15)
    near = np.array([-1.0, 1 - 1e-8])
    assert relu_gram(near)[0, 1] == pytest.approx(1e-16, rel=1e-7)
    usual = 2**3 / 12 + 2 * (4e-8 - 4) / 12
    assert abs(usual / 1e-16 - 1) > 0.1


def test_rectangular_gram_matrix():
    b, c = random_biases(7, random_state=1), random_biases(5, random_state=2)
    both = relu_gram(np.concatenate([b, c]))
    np.testing.assert_array_equal(relu_gram(b, c), both[:7, 7:])


def test_last_uniform_bias_gives_a_zero_row():
    G = relu_gram(uniform_biases(20))
    assert not G[-1].any()
    assert np.linalg.matrix_rank(G) == 19


@pytest.mark.parametrize(
    ("b", "words"),
    [
        (np.zeros((3, 2)), "shape .3, 2."),
        (np.zeros(0), "at least one bias"),
        (np.array([0.0, np.nan]), "NaN"),
    ],
)
def test_bad_biases_are_refused(b, words):
    with pytest.raises(InvalidDataError, match=words):
        relu_gram(b)


def test_a_negative_power_is_refused():
    with pytest.raises(InvalidSettingError, match="power"):
        relu_gram(uniform_biases(3), power=-1)
