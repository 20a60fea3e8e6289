"""Modes and projections: the numbers of the study, orthogonality, exact filters."""

import numpy as np
import pytest

from solvenet.analysis import (
    adaptive_biases,
    modes_needed,
    project,
    random_biases,
    relu_modes,
    uniform_biases,
    unit_modes,
)
from solvenet.analysis.units import make_units
from solvenet.errors import InvalidDataError, InvalidSettingError


def wave(x):
    return np.cos(6 * np.pi * x) - np.sin(2 * np.pi * x)


def steep(x):
    return np.arctan(25 * x)


@pytest.fixture(scope="module")
def exact():
    return relu_modes(200)


def test_adaptive_biases_need_far_fewer_modes_of_a_steep_function():
    uniform, adaptive = uniform_biases(100), adaptive_biases(100, steep)
    found = {}
    for name, b in (("uniform", uniform), ("adaptive", adaptive)):
        projection = project(steep, unit_modes(b))
        found[name] = projection.needed(0.01), projection.needed(0.001)
    assert found == {"uniform": (25, 53), "adaptive": (9, 15)}
    assert modes_needed(steep, 0.01) == 25


@pytest.mark.parametrize(
    ("j", "needed", "errors"),
    [
        (1, (14, 27), [0.63, 0.52, 9.6e-4, 9.1e-5, 1.2e-5, 2.0e-6, 3.3e-7]),
        (3, (38, 63), [1.1, 1.05, 0.54, 0.48, 2.6e-4, 2.5e-5, 3.4e-6]),
        (9, (110, 154), [1.08, 1.05, 1.04, 1.01, 0.51, 0.47, 6.7e-5]),
    ],
)
def test_errors_of_waves_at_the_modes_of_thresholds(exact, j, needed, errors):
    """The study's f_j(x) = f(j x); n = 1000 units give the same but for the last digits."""
    projection = project(lambda x: wave(j * x), exact)
    assert projection.offset == pytest.approx(1.0)
    found = projection.mean_squared_errors[[6, 11, 19, 34, 60, 106, 189]]
    np.testing.assert_allclose(found, errors, rtol=0.04)
    assert (projection.needed(0.1), projection.needed(0.01)) == needed


def test_modes_of_many_units_are_those_of_the_kernel(exact):
    modes = unit_modes(uniform_biases(500), n_modes=12)
    x = np.linspace(-1, 1, 301)
    gap = np.abs(modes(x) - exact(x)[:, :12]).max(axis=0)
    # The grid moves an eigenvalue by 1 / n of itself, and a mode by that over relative gaps.
    assert gap[0] < 0.005
    assert gap.max() < 0.15


@pytest.mark.parametrize(
    ("biases", "settings"),
    [
        (uniform_biases(60), {}),
        (random_biases(50), {"activation": "relu^2"}),
        (adaptive_biases(60, steep), {"activation": "heaviside"}),
        (uniform_biases(40), {"activation": "tanh", "scale": 10.0}),
        (uniform_biases(25), {"activation": "hat", "scale": 12.0}),
        (random_biases(50), {"activation": "sin", "weights": np.linspace(1, 20, 50)}),
    ],
    ids=["relu", "relu^2", "heaviside", "tanh", "hat", "sin"],
)
def test_modes_of_units_are_orthonormal_and_span_them(biases, settings):
    modes = unit_modes(biases, **settings)
    V = modes(modes.nodes)
    np.testing.assert_allclose((V.T * modes.weights) @ V, np.eye(modes.n_modes), atol=1e-8)
    # A combination of units is reproduced, kinks and all.
    units = make_units(
        biases,
        settings.get("activation", "relu"),
        settings.get("weights"),
        settings.get("scale", 1.0),
    )
    coefficients = np.random.default_rng(0).standard_normal(len(biases))
    x = np.random.default_rng(1).uniform(-1, 1, 500)
    projection = project(lambda x: units(x) @ coefficients, modes, offset=0.0)
    expected = units(x) @ coefficients
    np.testing.assert_allclose(projection(x), expected, atol=1e-9 * np.abs(expected).max())
    assert projection.relative_errors[-1] < 1e-10


def test_errors_are_those_of_the_partial_sums(exact):
    projection = project(np.exp, exact)
    x, w = np.polynomial.legendre.leggauss(500)
    for k in (0, 3, 50, 200):
        kept = projection.first(k)
        direct = np.sqrt(w @ (np.exp(x) - kept(x)) ** 2)
        assert kept.errors[-1] == pytest.approx(direct, rel=1e-9)
    assert (np.diff(projection.errors) <= 0).all()
    assert projection.relative_errors[0] == 1


def test_small_errors_do_not_cancel():
    # A mode itself: its error after 7 modes is rounding, not the root of it.
    modes = relu_modes(20)
    projection = project(lambda x: 3.0 * modes(x.ravel())[:, 6].reshape(x.shape), modes)
    assert projection.coefficients[6] == pytest.approx(3.0, rel=1e-12)
    assert projection.needed(1e-12) == 7
    assert projection.errors[7] < 1e-13


def test_highest_cosine_takes_two_modes_a_half_wave():
    for m in (8, 16, 32):
        assert abs(modes_needed(lambda x, m=m: np.cos(m * np.pi * x), 0.3) - 2 * m) <= 2


def test_jumps_need_more_modes_than_there_are(exact):
    assert modes_needed(np.sign, 0.1) == 21
    assert modes_needed(np.sign, 0.001, limit=128) is None
    assert project(np.sign, exact).needed(0.001) is None


def test_a_constant_function_needs_no_modes(exact):
    projection = project(lambda _: 4.0, exact)
    assert projection.needed(0.01) == 0
    np.testing.assert_array_equal(projection.relative_errors, 0)
    np.testing.assert_array_equal(projection(np.array([0.3])), 4)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: np.where(x > 0.5, np.inf, x), "infinite"),
        (lambda x: x * np.nan, "NaN"),
        (lambda x: np.stack([x, x]), "one real number a point"),
    ],
)
def test_functions_that_are_not_finite_are_refused(exact, f, words):
    with pytest.raises(InvalidDataError, match=words):
        project(f, exact)
    with pytest.raises(InvalidDataError, match=words):
        modes_needed(f, 0.1)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_size_and_offset_are_of_no_matter(exact, size):
    one = project(np.sin, exact, offset=0.5)
    other = project(lambda x: size * np.sin(x), exact, offset=np.float32(0.5) * np.float64(size))
    np.testing.assert_allclose(other.relative_errors, one.relative_errors, rtol=1e-9)


@pytest.mark.parametrize("tol", [0, -0.1, 1, 2.0, np.nan, None, True])
def test_tolerances_outside_of_0_to_1_are_refused(exact, tol):
    with pytest.raises(InvalidSettingError, match="above 0 and below 1"):
        modes_needed(np.exp, tol)
    with pytest.raises(InvalidSettingError, match="above 0 and below 1"):
        project(np.exp, exact).needed(tol)


@pytest.mark.parametrize("x", [np.array([0.0, 1.1]), np.array([np.nan]), np.zeros((2, 2))])
def test_points_outside_of_the_interval_are_refused(exact, x):
    with pytest.raises(InvalidDataError, match=r"-1, 1|NaN|one-dimensional"):
        exact(x)


def test_more_modes_than_there_are_cannot_be_had(exact):
    with pytest.raises(InvalidSettingError, match="stand above rounding"):
        unit_modes(uniform_biases(40), activation="tanh", n_modes=39)
    with pytest.raises(InvalidSettingError, match="there are 200 modes"):
        project(np.exp, exact).first(201)
    with pytest.raises(InvalidSettingError, match="whole number >= 2"):
        relu_modes(1)
    with pytest.raises(InvalidDataError, match="repeat"):
        unit_modes(np.array([0.0, 0.2, 0.2]))
    with pytest.raises(InvalidSettingError, match="finite number or"):
        project(np.exp, exact, offset="right")
