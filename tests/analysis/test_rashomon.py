"""Random networks that approximate a function: measured, computed and bounded probabilities."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from solvenet.analysis import (
    inner_product_probability,
    oscillating_target,
    rashomon_bound,
    rashomon_probability,
    rashomon_ratio,
    relu_gram,
    relu_target,
)
from solvenet.analysis.splitting import Probability, share, split_probability
from solvenet.analysis.tails import tail_of_sum
from solvenet.analysis.unit_pairs import unit_energies, unit_products
from solvenet.errors import InvalidDataError, InvalidSettingError

GRID = [
    *itertools.product((1,), (0, 1, 2, 4), (1, 4, 8), (0.5, 0.95)),
    *itertools.product((2,), (0, 1, 2, 4), (1, 4), (0.6, 0.95)),
]


@pytest.fixture(scope="module")
def targets():
    return {(d, nu): oscillating_target(nu, dimension=d) for d in (1, 2) for nu in (0, 1, 2, 4)}


def in_agreement(a: Probability, b: Probability | float) -> bool:
    value, error = (b, 0.0) if isinstance(b, float) else (b.value, b.error)
    return abs(a.value - value) <= 3 * math.hypot(a.error, error)


# --- inner products of two units, and of a unit and a function


def by_quadrature(w, b, v, c):
    """Integrate over the disk line by line; along a line the integrand is a quadratic."""
    cosine, sine = math.cos(v - w), math.sin(v - w)
    z, weight = np.polynomial.legendre.leggauss(2)

    def line(t):
        half = math.sqrt(1 - t * t)
        crossing = (c - t * cosine) / sine
        low = max(-half, crossing) if sine > 0 else -half
        high = min(half, crossing) if sine < 0 else half
        if high <= low:
            return 0.0
        u = (low + high) / 2 + (high - low) / 2 * z
        return (t - b) * (high - low) / 2 * float(weight @ (t * cosine + u * sine - c))

    return quad(line, b, 1, epsabs=1e-12, epsrel=1e-11, limit=200)[0]


def test_two_units_on_the_disk_against_quadrature():
    rng = np.random.default_rng(0)
    w, v = rng.uniform(0, 2 * np.pi, (2, 40))
    b, c = rng.uniform(-1, 1, (2, 40))
    v[0], b[1], c[1] = w[0] + 3.1, -0.9, -0.95  # almost opposite; two arcs
    expected = [by_quadrature(*row) for row in zip(w, b, v, c, strict=True)]
    np.testing.assert_allclose(unit_products(w, b, v, c, 2), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("angle", [0.0, np.pi])
def test_parallel_and_opposite_units_on_the_disk(angle):
    # Along one direction the disk is an interval of weight 2 sqrt(1 - t^2).
    b, c, sign = -0.3, 0.2, math.cos(angle)
    expected = quad(
        lambda t: 2 * math.sqrt(1 - t * t) * max(t - b, 0) * max(sign * t - c, 0), -1, 1,
        points=[b, c, -c], epsabs=1e-13,
    )[0]  # fmt: skip
    assert unit_products(0.4, b, 0.4 + angle, c, 2) == pytest.approx(expected, rel=1e-10)


def test_a_unit_with_itself_on_the_disk():
    b = np.linspace(-0.99, 0.99, 21)
    for turn in (0.0, 1e-12, 1e-8):
        near = unit_products(1.0, b, 1.0 + turn, b, 2)
        np.testing.assert_allclose(unit_energies(b, 2), near, rtol=0, atol=3e-15)


def test_gram_matrices_of_random_units_are_positive():
    rng = np.random.default_rng(1)
    for dimension in (1, 2):
        n = 60
        b = rng.uniform(-1, 1, n)
        w = rng.choice([-1.0, 1.0], n) if dimension == 1 else rng.uniform(0, 2 * np.pi, n)
        gram = unit_products(w[:, None], b[:, None], w, b, dimension)
        np.fill_diagonal(gram, unit_energies(b, dimension))
        values = np.linalg.eigvalsh((gram + gram.T) / 2)
        np.testing.assert_allclose(gram, gram.T, rtol=0, atol=1e-14)
        assert values[0] > -1e-13 * values[-1]


def test_units_on_the_interval_against_the_gram_matrix():
    b = np.linspace(-1, 1, 9)
    ones = np.ones((9, 9))
    found = unit_products(ones, b[:, None] * ones, ones, b * ones, 1)
    np.testing.assert_allclose(found, relu_gram(b), rtol=1e-14)
    np.testing.assert_allclose(unit_energies(b, 1), np.diag(relu_gram(b)), rtol=1e-14)
    mirrored = unit_products(-ones, b[:, None] * ones, -ones, b * ones, 1)
    np.testing.assert_allclose(mirrored, relu_gram(b), rtol=1e-14)
    # relu(x - b) relu(-x - c) is positive on (b, -c), a parabola of height (length / 2)^2
    assert unit_products(1.0, -0.5, -1.0, -0.25, 1) == pytest.approx(0.75**3 / 6, rel=1e-14)


@pytest.mark.parametrize("nu", [0, 1, 2.5, 6])
@pytest.mark.parametrize("dimension", [1, 2])
def test_closed_forms_against_integration_of_the_function_itself(dimension, nu):
    exact = oscillating_target(nu, dimension=dimension)
    found = relu_target(exact.function, dimension=dimension)
    rng = np.random.default_rng(2)
    w = rng.choice([-1.0, 1.0], 500) if dimension == 1 else rng.uniform(-9, 9, 500)
    b = np.append(rng.uniform(-1, 1, 498), [-1, 1])
    assert np.abs(found.products(w, b) - exact.products(w, b)).max() < 1e-8 * exact.kappa
    assert found.kappa == pytest.approx(exact.kappa, rel=1e-8)
    assert found.norm == pytest.approx(1.0, rel=1e-10)


def test_kappa_of_the_talk_and_its_decay():
    scaled = [oscillating_target(nu).kappa * (np.pi * nu) ** 2 for nu in (1, 2, 4, 8, 16)]
    np.testing.assert_allclose(scaled, [0.88, 1.35, 1.60, 1.68, 1.71], atol=0.006)


def test_kappa_of_a_constant_is_at_the_boundary():
    # <relu(x + 1), 1> = 2; on the disk <relu(x + 1), 1> = pi.
    assert relu_target(lambda x: 1.0 + 0 * x).kappa == pytest.approx(2.0, rel=1e-12)
    disk = relu_target(lambda x: np.ones(len(x)), dimension=2)
    assert disk.kappa == pytest.approx(np.pi, rel=1e-9)
    assert disk.norm == pytest.approx(np.sqrt(np.pi), rel=1e-12)


# --- probabilities of sums


@pytest.mark.parametrize(("n", "gap"), [(2, 1e-3), (4, 0.03), (4, 1.0), (16, 2.0)])
def test_tails_of_sums_of_uniform_numbers_are_those_of_irwin_and_hall(n, gap):
    # Only the corner of the cube, a simplex, reaches n - gap for gap <= 2.
    expected = gap**n / math.factorial(n) / 2**n
    assert tail_of_sum(np.ones(1000), n, n - gap) == pytest.approx(expected, rel=2e-2)


def test_tails_of_sums_add_up_and_follow_the_normal_law():
    half_widths = np.linspace(0.0, 2.0, 5000)
    up, down = (tail_of_sum(half_widths, 50, goal) for goal in (7.0, -7.0))
    assert up + down == pytest.approx(1.0, abs=1e-9)
    deviation = math.sqrt(50 * np.mean(half_widths**2) / 3)
    assert up == pytest.approx(math.erfc(7 / deviation / math.sqrt(2)) / 2, rel=0.01)
    assert tail_of_sum(half_widths, 50, 0.0) == 0.5
    assert tail_of_sum(half_widths, 50, 100.0) == 0.0


def test_splitting_reaches_a_billionth():
    # The corner of a cube of dimension 4.
    gap = (1e-9 * math.factorial(4)) ** 0.25
    found = split_probability(lambda u: u.sum(axis=(1, 2)), (4, 1), 4 - gap, particles=1000)
    assert in_agreement(found, 1e-9)
    assert found.error < 0.3 * found.value
    assert found.low < 1e-9 < found.high
    assert len(found.runs) == 10
    assert found.evaluations < 2_000_000  # plain draws would hit none of them


def test_splitting_says_what_it_cannot_reach():
    found = split_probability(lambda u: u.sum(axis=(1, 2)), (2, 1), 2.5, particles=100, moves=4)
    assert found.value == found.low == 0.0
    assert 0 < found.high < 1e-10
    stuck = split_probability(lambda u: np.zeros(len(u)), (2, 1), 1.0, particles=100)
    assert stuck.value == 0.0
    assert stuck.high == 1.0


def test_a_share_has_an_uncertainty_even_where_nothing_hit():
    assert share(0, 1000).error == 1e-3
    assert share(0, 1000).high == pytest.approx(3.68e-3, rel=0.01)
    assert share(1000, 1000).low == pytest.approx(1 - 3.68e-3, rel=0.01)
    assert share(250, 1000).error == pytest.approx(math.sqrt(0.25 * 0.75 / 1000))


# --- the chain


@pytest.mark.parametrize(("dimension", "nu", "n", "eps"), GRID)
def test_measured_is_below_computed_is_below_bound(targets, dimension, nu, n, eps):
    target, setting = targets[dimension, nu], {"eps": eps, "amplitude": 20.0}
    draws = {"method": "plain", "draws": 10_000}
    result = rashomon_ratio(target, n, **setting, **draws)
    assert result.approximation.value <= result.inner_product <= result.bound <= 1
    inner = rashomon_probability(target, n, event="inner product", **setting, **draws)
    assert result.approximation.value <= inner.value  # the same draws: one event in the other
    assert in_agreement(inner, result.inner_product)


def test_the_grid_has_forty_cases():
    assert len(GRID) == 40


@pytest.mark.parametrize(
    ("dimension", "nu", "n", "eps"), [(1, 0, 4, 0.95), (1, 1, 4, 0.9), (2, 0, 4, 0.98)]
)
@pytest.mark.parametrize("event", ["approximation", "inner product"])
def test_splitting_agrees_with_plain_draws(targets, dimension, nu, n, eps, event):
    setting = {"eps": eps, "amplitude": 20.0, "event": event}
    target = targets[dimension, nu]
    plain = rashomon_probability(target, n, method="plain", draws=50_000, **setting)
    rare = rashomon_probability(target, n, method="splitting", particles=500, **setting)
    assert plain.value * plain.evaluations > 30
    assert in_agreement(plain, rare)


def test_the_inner_product_of_one_unit_at_a_billionth(targets):
    target = targets[1, 1]

    def exact(amplitude):
        # a is uniform, and r = g(b) is even with its maximum at 0.
        def beyond(b):
            r = target.products(1.0, b)
            return max(0.5 - 0.5 * 0.5 / (amplitude * abs(r)), 0.0) if r else 0.0

        edge = brentq(lambda b: amplitude * target.products(1.0, b) - 0.5, 0, 0.4)
        return quad(beyond, 0, edge, epsabs=0, epsrel=1e-5)[0]

    lowest = 0.5 / target.kappa
    excess = brentq(lambda e: math.log(exact(lowest * (1 + math.exp(e))) / 1e-9), -20, -5)
    amplitude = lowest * (1 + math.exp(excess))
    setting = {"eps": 0.5, "amplitude": amplitude}
    assert inner_product_probability(target, 1, **setting) == pytest.approx(1e-9, rel=0.02)
    rare = rashomon_probability(target, 1, event="inner product", method="splitting", **setting)
    assert in_agreement(rare, 1e-9)
    assert rare.error < 2e-10


def test_an_approximation_by_one_unit_at_a_billionth():
    # f is a unit itself; a and b near its own give |h - f|^2 = a^2 E(b) - 2 a r(b) + |f|^2.
    place, eps, amplitude = 0.1, 7e-5, 2.0
    target = relu_target(lambda x: np.maximum(x - place, 0.0))
    norm2 = (1 - place) ** 3 / 3

    def width(b):
        """Length of the interval of coefficients that approximate."""
        energy, product = (1 - b) ** 3 / 3, relu_gram(np.array([b]), np.array([place]))[0, 0]
        root = product**2 - energy * norm2 * (1 - eps**2)
        return 2 * math.sqrt(max(root, 0.0)) / energy

    reach = 3 * eps
    exact = quad(width, place - reach, place + reach, points=[place], epsrel=1e-6, limit=500)[0]
    exact /= 2 * 2 * amplitude * 2  # of the biases, the coefficients and the two directions
    assert 0.5e-9 < exact < 2e-9
    rare = rashomon_probability(target, 1, eps=eps, amplitude=amplitude, method="splitting")
    assert in_agreement(rare, exact)


def test_a_sum_on_the_disk_at_a_billionth(targets):
    setting = {"eps": 0.5, "amplitude": 20.0}
    exact = inner_product_probability(targets[2, 2], 4, **setting)
    assert 1e-10 < exact < 1e-9
    rare = rashomon_probability(
        targets[2, 2], 4, event="inner product", method="splitting", particles=500, **setting
    )
    assert in_agreement(rare, exact)


def test_auto_splits_where_few_draws_hit(targets):
    target, setting = targets[1, 1], {"eps": 0.9, "amplitude": 20.0, "draws": 5000}
    assert rashomon_probability(target, 1, **setting).method == "splitting"
    setting |= {"event": "inner product"}
    assert rashomon_probability(target, 4, **setting).method == "plain"


def test_draws_do_not_depend_on_how_many_fit_into_memory(targets, monkeypatch):
    setting = {"eps": 0.98, "amplitude": 20.0, "method": "plain", "draws": 5000}
    whole = rashomon_probability(targets[2, 0], 3, **setting)
    monkeypatch.setattr("solvenet.analysis.rashomon._PAIRS", 100)
    assert rashomon_probability(targets[2, 0], 3, **setting) == whole
    assert whole.value > 0
    other = rashomon_probability(targets[2, 0], 3, seed=1, **setting)
    assert other != whole


def test_the_bound_falls_with_the_fourth_power_of_the_frequency():
    setting = {"eps": 0.5, "amplitude": 1e5}
    exponents = [-math.log(rashomon_bound(oscillating_target(nu), 1, **setting)) for nu in (8, 16)]
    assert exponents[1] / exponents[0] == pytest.approx(16, rel=0.05)


def test_the_bound_is_hoeffdings(targets):
    target = targets[2, 1]
    expected = math.exp(-16 * 0.3**2 / (2 * 5**2 * target.kappa**2))
    assert rashomon_bound(target, 16, eps=0.7, amplitude=5.0) == pytest.approx(expected)
    assert rashomon_bound(target, 16, eps=1.0, amplitude=5.0) == 1.0


def test_relative_errors_do_not_know_units():
    base = rashomon_ratio(oscillating_target(1), 2, eps=0.9, amplitude=20.0, method="plain")
    large = relu_target(lambda x: 1e3 * oscillating_target(1).function(x))
    scaled = rashomon_ratio(large, 2, eps=0.9, amplitude=2e4, method="plain")
    assert scaled.approximation == base.approximation
    assert scaled.inner_product == pytest.approx(base.inner_product, rel=1e-6)
    assert scaled.bound == pytest.approx(base.bound, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": 0.0}, "eps=0"),
        ({"eps": -0.1}, "eps=-0.1"),
        ({"eps": float("nan")}, "eps=nan"),
        ({"amplitude": 0.0}, "amplitude=0"),
        ({"amplitude": -1.0}, "amplitude=-1"),
        ({"n_units": 0}, "n_units=0"),
        ({"n_units": 1.5}, "n_units=1.5"),
        ({"method": "exact"}, "method='exact'"),
        ({"draws": 0}, "draws=0"),
        ({"method": "splitting", "runs": 1}, "runs=1"),
        ({"method": "splitting", "particles": 1}, "particles=1"),
    ],
)
def test_impossible_settings_are_refused(targets, change, message):
    setting = {"n_units": 2, "eps": 0.5, "amplitude": 1.0} | change
    with pytest.raises(InvalidSettingError, match=message):
        rashomon_ratio(targets[1, 0], setting.pop("n_units"), **setting)


def test_dimensions_above_two_are_refused_with_what_to_do():
    for make in (lambda: oscillating_target(1, dimension=3), lambda: relu_target(abs, dimension=3)):
        with pytest.raises(InvalidSettingError, match="study a function of one or two"):
            make()


@pytest.mark.parametrize(
    ("function", "dimension", "message"),
    [
        (lambda x: 1 / (x - x), 1, "NaN or infinite"),
        (lambda x: x[:3], 1, "one real number a point"),
        (lambda x: 0 * x, 1, "zero everywhere"),
        (lambda x: np.full(len(x), np.nan), 2, "NaN or infinite"),
        (lambda x: x, 2, "one number a point"),
        (lambda x: np.zeros(len(x)), 2, "zero everywhere"),
        (lambda x: np.cos(600 * x[:, 0]), 2, "oscillates too fast"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*divide:RuntimeWarning", "ignore:.*invalid:RuntimeWarning")
def test_functions_that_cannot_be_integrated_are_refused(function, dimension, message):
    with pytest.raises(InvalidDataError, match=message):
        relu_target(function, dimension=dimension)
