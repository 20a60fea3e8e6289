"""Captured modes: the published numbers, the exact counts, filters, laws."""

import math

import numpy as np
import pytest

from solvenet.analysis import (
    PRECISIONS,
    captured_modes,
    low_pass,
    machine_epsilon,
    modes_needed,
    precision_error,
    relu_gram,
    relu_spectrum,
    uniform_biases,
    unit_modes,
    unit_spectrum,
    width_error,
)
from solvenet.analysis.precision import _count_roots
from solvenet.errors import InvalidDataError, InvalidSettingError


def test_epsilons():
    for name in ("float16", "float32", "float64"):
        assert PRECISIONS[name] == np.finfo(name).eps == machine_epsilon(np.dtype(name))
        assert machine_epsilon(getattr(np, name)) == machine_epsilon(name)
    assert machine_epsilon("bfloat16") == 2.0**-7
    assert machine_epsilon(1e-9) == 1e-9


@pytest.mark.parametrize(
    ("precision", "dimension", "frequency"),
    [
        ("float32", 1, 24.25), ("float32", 2, 9.75), ("float32", 3, 5.88), ("float32", 4, 4.26),
        ("float64", 1, 1351.18), ("float64", 2, 172.28), ("float64", 3, 54.86),
        ("float64", 10, 4.79),
    ],
)  # fmt: skip
def test_published_frequencies(precision, dimension, frequency):
    found = captured_modes(precision, dimension=dimension)
    assert round(found.published_frequency, 2) == frequency
    assert found.published_modes == pytest.approx(found.published_frequency**dimension)


@pytest.mark.parametrize(
    ("precision", "settings", "n_modes"),
    [
        ("float32", {}, 32),
        ("float32", {"cut": "n eps", "n": 100}, 10),
        ("float32", {"cut": "n eps", "n": 1000}, 6),
        ("float32", {"cut": "self-consistent"}, 16),
        ("float32", {"matrix": "design"}, 1729),
        ("float64", {}, 4890),
        ("float64", {"cut": "n eps", "n": 1000}, 869),
        ("float64", {"cut": "self-consistent"}, 894),
        ("float64", {"n": 1000}, 1000),
        ("float16", {}, 3),
        ("bfloat16", {}, 2),
        ("float32", {"dimension": 2}, 195),
        ("float32", {"dimension": 3}, 483),
    ],
)
def test_exact_counts(precision, settings, n_modes):
    found = captured_modes(precision, **settings)
    assert found.n_modes == n_modes
    assert found.method == "counted"


def test_count_by_formula_is_the_count_of_eigenvalues():
    spectrum = relu_spectrum(400)
    values = spectrum.eigenvalues / spectrum.eigenvalues[0]
    rng = np.random.default_rng(0)
    thresholds = [
        *10 ** rng.uniform(-10, 0, 2000),
        *(values * (1 + 1e-12)),
        *(values * (1 - 1e-12)),
    ]
    for eta in thresholds:
        if spectrum.resolution < eta <= 1:
            assert _count_roots(eta) == spectrum.count(eta)


def test_count_is_that_of_a_gram_matrix_of_a_thousand_units():
    values = unit_spectrum(uniform_biases(1000)).eigenvalues
    counts = [int((values >= 10.0**-d * values[0]).sum()) for d in range(3, 11)]
    assert counts == [captured_modes(10.0**-d).n_modes for d in range(3, 11)]
    assert counts == [3, 6, 11, 19, 34, 60, 106, 189]


def test_not_forming_the_gram_matrix_squares_the_reach():
    design = captured_modes("float32", matrix="design")
    assert design.cut == captured_modes("float32").cut ** 2
    assert captured_modes(2.0**-46).n_modes == design.n_modes
    assert (
        captured_modes(0.5, matrix="design", cut=1e-4).n_modes == captured_modes(cut=1e-8).n_modes
    )


def test_single_precision_gram_matrix_resolves_up_to_the_frequency():
    """cos(m pi x) fitted through eigenvectors of a Gram matrix rounded to float32."""
    n, m = 1000, captured_modes("float32").frequency / math.pi
    assert m == pytest.approx(16)
    b = uniform_biases(n)[:-1]
    G = relu_gram(b).astype(np.float32).astype(np.float64)
    values, vectors = np.linalg.eigh(G)
    kept = values > 2.0**-23 * values[-1]
    modes = np.maximum(np.linspace(-1, 1, 4001)[:, None] - b, 0.0) @ vectors[:, kept]
    x = np.linspace(-1, 1, 4001)
    errors = {}
    for frequency in (m / 2, 2 * m):
        y = np.cos(frequency * np.pi * x) - 1
        rest = y - modes @ np.linalg.lstsq(modes, y)[0]
        errors[frequency] = np.linalg.norm(rest) / np.linalg.norm(np.cos(frequency * np.pi * x))
    assert errors[m / 2] < 0.05
    assert errors[2 * m] > 0.9


@pytest.mark.parametrize("dimension", [2, 3])
def test_weyls_law_takes_over_where_eigenvalues_end(dimension):
    found = captured_modes("float64", dimension=dimension)
    assert found.method == "Weyl's law"
    near = captured_modes(1e-8, dimension=dimension)
    assert near.method == "counted"
    # The same power law on both sides.
    exponent = math.log(found.n_modes / near.n_modes) / math.log(near.cut / found.cut)
    assert exponent == pytest.approx(dimension / (dimension + 3), rel=0.02)


def test_low_pass_filter():
    def f(x):
        return np.cos(18 * np.pi * x) - np.sin(6 * np.pi * x)

    kept = low_pass(f, 1e-8)
    assert kept.n_modes == 60
    assert kept.mean_squared_errors[-1] == pytest.approx(2.6e-4, rel=0.02)
    x = np.linspace(-0.9, 0.9, 500)
    assert np.abs(kept(x) - f(x)).max() < 0.05
    assert np.abs(low_pass(f, 1e-7)(x) - f(x)).max() > 0.8
    modes = unit_modes(uniform_biases(120))
    units = low_pass(f, 1e-6, modes=modes)
    assert units.n_modes == 19
    assert modes_needed(f, 0.4, modes=modes) > 19


def test_width_and_precision_meet_at_the_published_number_of_modes():
    for dimension in (1, 2, 3):
        n = round(captured_modes("float64", dimension=dimension).published_modes)
        limit = precision_error("float64", dimension=dimension)
        assert width_error(n, dimension=dimension) == pytest.approx(limit, rel=2e-3)
    assert precision_error("float32", smoothness=0) == 1
    assert width_error(400, dimension=2) == pytest.approx(1 / 400)


def test_small_networks_follow_the_law_of_interpolation():
    def error(n):
        b = uniform_biases(n)
        x = np.linspace(-1, 1, 20001)
        A = np.maximum(x[:, None] - b, 0.0)
        y = np.arctan(3 * x) - np.arctan(-3.0)
        return np.linalg.norm(A @ np.linalg.lstsq(A, y)[0] - y)

    ratio = error(20) / error(80)
    assert ratio == pytest.approx(width_error(20) / width_error(80), rel=0.15)


@pytest.mark.parametrize("threshold", [0, -1e-3, 1.2, np.nan])
def test_bad_thresholds_are_refused(threshold):
    with pytest.raises(InvalidSettingError, match="above 0 and at most 1"):
        low_pass(np.exp, threshold)
    with pytest.raises(InvalidSettingError, match="above 0 and at most 1"):
        captured_modes(cut=threshold)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"precision": "float8"}, "Use one of: bfloat16"),
        ({"precision": np.int64}, "Use one of"),
        ({"precision": 0.0}, "epsilon above 0"),
        ({"precision": True}, "Use one of"),
        ({"precision": None}, "Use one of"),
        ({"cut": [0.1]}, "cut="),
        ({"dimension": 0}, "whole number >= 1"),
        ({"dimension": 400}, "Reduce the inputs"),
        ({"matrix": "kernel"}, "Use one of: design, gram"),
        ({"cut": "n eps"}, "wants n"),
        ({"cut": "pinv"}, "Use one of: eps"),
        ({"n": 1}, "whole number >= 2"),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(InvalidSettingError, match=words):
        captured_modes(**settings)


def test_dtypes_of_other_libraries_are_known_by_their_names():
    torch = pytest.importorskip("torch")
    assert machine_epsilon(torch.bfloat16) == 2.0**-7
    assert captured_modes(torch.float32).n_modes == captured_modes(np.float32).n_modes == 32


def test_a_filter_wants_as_many_modes_as_it_keeps():
    few = unit_modes(uniform_biases(50)[:-1], n_modes=3)
    with pytest.raises(InvalidSettingError, match="keeps 49 modes, and modes holds 3"):
        low_pass(np.sin, 1e-9, modes=few)


def test_functions_that_are_not_finite_are_refused():
    with pytest.raises(InvalidDataError, match="NaN"):
        low_pass(lambda x: x * np.nan, 1e-3)
    with pytest.raises(InvalidSettingError, match="smoothness"):
        precision_error(smoothness=-1)
