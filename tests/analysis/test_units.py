"""Spectra of given units: exact arithmetic, known laws, what is refused."""

import mpmath as mp
import numpy as np
import pytest

from solvenet.analysis import random_biases, relu_gram, uniform_biases, unit_spectrum
from solvenet.analysis.units import make_units
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features import get_activation

CLUSTERED = np.sort(np.concatenate([uniform_biases(9)[:-1], 0.3 + np.array([0, 1e-6, 2e-6, 1e-4])]))


def exact_eigenvalues(b, power):
    """Return the eigenvalues of the Gram matrix, whose entries are sums of powers, in 60 digits."""
    with mp.workdps(60):
        n = len(b)
        gram = mp.matrix(n, n)
        for i in range(n):
            for j in range(n):
                x, y = mp.mpf(float(b[i])), mp.mpf(float(b[j]))
                start = max(x, y)
                gram[i, j] = mp.fsum(
                    mp.binomial(power, k) * mp.binomial(power, m)
                    * (start - x) ** (power - k) * (start - y) ** (power - m)
                    * (1 - start) ** (k + m + 1) / (k + m + 1)
                    for k in range(power + 1) for m in range(power + 1)
                )  # fmt: skip
        return sorted(mp.eigsy(gram, eigvals_only=True), reverse=True)


@pytest.mark.parametrize("power", [0, 1, 2, 3, 5])
@pytest.mark.parametrize(
    "b",
    [uniform_biases(13)[:-1], random_biases(12, random_state=1), CLUSTERED],
    ids=["uniform", "random", "clustered"],
)
def test_eigenvalues_of_powers_are_exact_at_any_condition(b, power):
    # Condition numbers up to 1e41, of which those of design matrices are the roots.
    spectrum = unit_spectrum(b, activation=f"relu^{power}")
    exact = exact_eigenvalues(b, power)
    errors = [
        abs(float(e / float(v)) - 1) for e, v in zip(exact, spectrum.eigenvalues, strict=True)
    ]
    assert max(errors) < 1e-15 * max(10.0, spectrum.condition**0.25)
    assert spectrum.condition == pytest.approx(float(exact[0] / exact[-1]), rel=1e-8)
    assert spectrum.resolution == 0


@pytest.mark.parametrize(("n", "ratio"), [(20, 3.42), (320, 3.86)])
def test_condition_of_uniform_biases_grows_like_n_to_the_4(n, ratio):
    b = uniform_biases(n)[:-1]
    assert unit_spectrum(b).condition / n**4 == pytest.approx(ratio, abs=0.01)


def test_condition_goes_on_where_eigenvalues_of_the_gram_matrix_end():
    conditions = []
    for n in (50, 100, 200):
        b = uniform_biases(n)[:-1]
        conditions.append(unit_spectrum(b, activation="relu^4").condition)
    # Each doubling of n multiplies by 2**(2 p + 2).
    np.testing.assert_allclose(np.log2(np.divide(conditions[1:], conditions[:-1])), 10, atol=0.2)
    assert conditions[-1] > 1e23
    gram = np.linalg.eigvalsh(relu_gram(uniform_biases(200)[:-1], power=4))
    assert abs(gram[0]) > 1e-18 * gram[-1]


def test_random_biases_have_far_larger_condition_numbers():
    for n, low, high in ((10, 1e5, 1e9), (40, 1e9, 1e13)):
        found = [unit_spectrum(random_biases(n, random_state=seed)).condition for seed in range(9)]
        assert low < np.median(found) < high
        assert min(found) > n**3 / np.log(n)  # the published bound, a weak one


def test_scale_and_weights_change_powers_by_factors_only():
    b = uniform_biases(30)[:-1]
    w = np.linspace(0.5, 2, 29)
    found = unit_spectrum(b, activation="relu^2", weights=w, scale=3.0).eigenvalues
    factor = (3 * w) ** 2
    gram = relu_gram(b, power=2) * np.outer(factor, factor)
    np.testing.assert_allclose(found[:10], np.linalg.eigvalsh(gram)[::-1][:10], rtol=1e-8)
    # The other direction is the mirror image.
    mirrored = unit_spectrum(-b, activation="relu^2", weights=-w, scale=3.0).eigenvalues
    np.testing.assert_allclose(mirrored[:20], found[:20], rtol=1e-10)


def test_the_last_uniform_bias_is_a_zero_unit():
    spectrum = unit_spectrum(uniform_biases(20))
    assert spectrum.eigenvalues[-1] == 0
    assert spectrum.condition == np.inf
    assert spectrum.count(1e-9) == 19
    without = unit_spectrum(uniform_biases(20)[:-1]).eigenvalues
    np.testing.assert_allclose(spectrum.eigenvalues[:-1], without, rtol=1e-10)


@pytest.mark.parametrize(
    ("activation", "scale"),
    [
        ("tanh", 7.0), ("sigmoid", 3.0), ("gelu", 5.0), ("gaussian", 10.0), ("sin", 9.0),
        ("cos", 9.0), ("hat", 4.5), ("heaviside", 1.0), ("relu", 2.0), (np.tanh, 7.0),
        (get_activation("relu"), 2.0),
    ],
)  # fmt: skip
def test_quadrature_is_exact(activation, scale):
    """Against a Gauss rule on 64 times as many cells, cut at every kink."""
    b = np.array([-0.83, -0.21, 0.05, 0.5, 0.77])
    slopes = np.array([1.0, 0.7, 0.9, 0.4, 0.8])  # waves of one frequency would have rank 2
    units = make_units(b, activation, slopes, scale)
    finer = np.unique(np.concatenate([units.edges, np.linspace(-1, 1, 601)]))
    t, w = np.polynomial.legendre.leggauss(20)
    half = np.diff(finer)[:, None] / 2
    nodes, weights = (finer[:-1, None] + half * (1 + t)).ravel(), (half * w).ravel()
    values = units(nodes)
    np.testing.assert_allclose(
        units.design().T @ units.design(), (values.T * weights) @ values, atol=1e-14
    )
    s = np.linalg.svd(values * np.sqrt(weights)[:, None], compute_uv=False)
    found = unit_spectrum(b, activation=activation, weights=slopes, scale=scale)
    np.testing.assert_allclose(found.eigenvalues, s**2, rtol=1e-9)


def count_of(activation, scale=1.0, cut=2.0**-23, **settings):
    return unit_spectrum(
        settings.pop("b", uniform_biases(600)), activation=activation, scale=scale, **settings
    ).count(cut)


@pytest.mark.parametrize(
    ("activation", "scale", "single", "design"),
    [
        ("relu^2", 1, 10, 144), ("relu^3", 1, 6, 44), ("tanh", 1, 6, 10), ("tanh", 5, 18, 34),
        ("tanh", 20, 54, 120), ("sigmoid", 1, 3, 6), ("gelu", 5, 11, 19), ("gaussian", 10, 38, 54),
        ("hat", 299.5, 600, 600),
    ],
)  # fmt: skip
def test_modes_of_activations_in_single_precision(activation, scale, single, design):
    assert count_of(activation, scale) == single
    assert count_of(activation, scale, cut=2.0**-46) == design


def test_relu_has_no_scale_and_sine_has():
    rng = np.random.default_rng(0)
    n = 300
    relus, sines = [], []
    for scale in (10.0, 60.0):
        w = rng.uniform(-1, 1, n)
        relus.append(count_of("relu", scale, weights=w, b=-rng.uniform(-1, 1, n) / w))
        phase = rng.uniform(-np.pi, np.pi, n)
        sines.append(count_of("sin", scale, weights=w, b=-phase / (w * scale)))
    assert max(relus) - min(relus) <= 3
    for scale, found in zip((10.0, 60.0), sines, strict=True):
        # Time and bandwidth: 2 W / pi, and about ten more.
        assert 2 * scale / np.pi < found < 2 * scale / np.pi + 14


def test_eigenvalues_that_rounding_has_swallowed_are_zero_and_not_counted():
    spectrum = unit_spectrum(uniform_biases(200), activation="tanh")
    assert spectrum.condition == np.inf
    assert (spectrum.eigenvalues[-150:] == 0).all()
    assert 1e-30 < spectrum.resolution < 1e-22
    with pytest.raises(InvalidSettingError, match="is known above"):
        spectrum.count(1e-30)


@pytest.mark.parametrize(
    ("biases", "settings", "words"),
    [
        (np.array([0.5]), {}, "at least 2"),
        (np.array([0.0, 0.3, 0.3, 0.3]), {}, "2 units repeat others, .* bias 0.3"),
        (np.array([0.0, 0.3, 0.3]), {"weights": np.array([1, 2, 3.0])}, "repeat"),
        (np.array([0.0, np.inf]), {}, "infinite"),
        (np.zeros((2, 2)), {}, "shape"),
        (np.array([0.0, 0.1]), {"weights": np.ones(3)}, "one weight a bias"),
        (np.array([0.0, 0.1]), {"weights": np.array([1.0, 0])}, "constant unit"),
        (np.array([0.0, 0.1]), {"weights": np.array([1.0, np.nan])}, "NaN"),
        (np.array([2.0, 3.0]), {}, "All units are zero"),
        (np.array([-1e200, 0.0]), {}, "beyond 1e"),
        (np.array([0.0, 0.1]), {"activation": lambda z: z * np.nan}, "Units reach NaN"),
        (np.array([0.0, 0.1]), {"activation": lambda z: z[:2]}, "elementwise"),
    ],
)
def test_bad_units_are_refused(biases, settings, words):
    with pytest.raises(InvalidDataError, match=words):
        unit_spectrum(biases, **settings)


def test_equal_biases_of_different_slope_or_direction_are_different_units():
    b, w = np.array([0.1, 0.1]), np.array([1.0, 2.0])
    assert unit_spectrum(b, activation="tanh", weights=w).condition < 1e3
    assert unit_spectrum(b, weights=np.array([1.0, -2.0])).condition < 1e2


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": "softplus"},
        {"activation": "relu^x"},
        {"scale": 0.0},
        {"scale": np.nan},
        {"scale": "2"},
        {"activation": "tanh", "scale": 1e9},  # quadrature would take all memory
    ],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(InvalidSettingError, match=r"Use one of|finite number above 0|fit into"):
        unit_spectrum(uniform_biases(5), **settings)
