"""The problem: units, multisets, variable projection, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet.errors import InvalidDataError, InvalidSettingError, UnsupportedProblemError
from solvenet.permutation import (
    INITIALISATIONS,
    PermutationProblem,
    centred,
    directed_units,
    equidistant,
    few_levels,
    he_normal,
    knots_of,
    mirrored,
    pairwise,
    permutation_of,
    published_directions,
    published_initialisation,
    published_units,
    random_units,
    relu_pairs,
    sampled_units,
    solve_permutation,
    sparse,
    uniform,
    xavier_uniform,
)

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, 200)
Y = np.sin(3 * X) + 0.5


def problem(**settings):
    return PermutationProblem(
        relu_pairs(np.linspace(-1, 1, 8)), uniform(16, random_state=1), X, Y, **settings
    )


def test_relu_pairs_is_the_published_network():
    knots = np.array([0.5, -0.25])
    features = relu_pairs(knots)(X[:, None])
    expected = [np.maximum(X - b, 0) for b in knots] + [np.maximum(b - X, 0) for b in knots]
    np.testing.assert_allclose(features, np.stack(expected, axis=1), rtol=0, atol=1e-15)
    np.testing.assert_array_equal(knots_of(relu_pairs(knots)), knots)
    assert knots_of(random_units(4, 1)) is None


def test_directions_are_the_published_ones():
    plane, space = published_directions(2), published_directions(3)
    assert plane.shape == (8, 2)
    assert len({tuple(d) for d in plane}) == 8
    assert space.shape == (26, 3)
    assert np.abs(space).max() == 1.7321
    assert published_units(5, 2).n_features_out == 40
    assert published_units(5, 3).n_features_out == 130
    assert published_units(5, 1).n_features_out == 10
    units = directed_units(plane, np.array([-0.5, 0.5]))
    x = np.array([[0.3, -0.2]])
    expected = [max(d @ x[0] - t, 0) for d in plane for t in (-0.5, 0.5)]
    np.testing.assert_allclose(units(x)[0], expected, atol=1e-15)
    with pytest.raises(UnsupportedProblemError, match="random_units"):
        published_directions(4)


def test_random_and_sampled_units_have_unit_directions():
    inputs = RNG.uniform(-1, 1, (300, 3))
    for units in (random_units(50, 3), sampled_units(inputs, inputs[:, 0], 50)):
        np.testing.assert_allclose(np.linalg.norm(units.weights, axis=0), 1, rtol=1e-12)
    again = random_units(50, 3)
    np.testing.assert_array_equal(again.weights, random_units(50, 3).weights)
    assert not np.array_equal(again.weights, random_units(50, 3, random_state=1).weights)


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_multisets_are_what_their_names_say(half, bits, seed):
    n = 2 * half
    np.testing.assert_allclose(np.diff(equidistant(n)), 2 / (n - 1), rtol=1e-9)
    paired = np.sort(pairwise(n, random_state=seed))
    np.testing.assert_array_equal(paired, -paired[::-1])
    levels = few_levels(n, bits=bits)
    np.testing.assert_array_equal(levels, -levels[::-1])
    grid = np.linspace(-1, 1, 2**bits)
    assert np.abs(levels[:, None] - grid).min(axis=1).max() < 1e-12
    assert abs(centred(uniform(n, random_state=seed)).sum()) < 1e-12
    assert mirrored(uniform(n)).sum() == pytest.approx(0, abs=1e-12)
    zeros = sparse(uniform(n, random_state=seed), zeros=0.5)
    assert np.count_nonzero(zeros == 0) == half
    assert np.abs(zeros[zeros != 0]).min() >= np.sort(np.abs(uniform(n, random_state=seed)))[half]


def test_random_multisets_have_the_published_spread():
    n = 20_000
    assert np.abs(xavier_uniform(n)).max() == pytest.approx((12 / (n + 1)) ** 0.5, rel=1e-3)
    assert he_normal(n).std() == pytest.approx((2 / n) ** 0.5, rel=0.02)
    assert uniform(n).std() == pytest.approx(3**-0.5, rel=0.02)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_published_initialisations_have_knots_and_values(name):
    knots, values = published_initialisation(name, 12, random_state=4)
    assert knots.shape == (12,)
    assert values.shape == (24,)
    assert len(set(knots)) == 12
    again = published_initialisation(name, 12, random_state=4)
    np.testing.assert_array_equal(again[0], knots)
    np.testing.assert_array_equal(again[1], values)


@pytest.mark.parametrize("gamma", ["free", -0.7])
@pytest.mark.parametrize("alpha", ["free", 0.3])
def test_variable_projection_is_least_squares(gamma, alpha):
    p = problem(gamma=gamma, alpha=alpha)
    coef = RNG.permutation(p.values)
    z = p.features(p.X) @ coef
    columns = [z] * (gamma == "free") + [np.ones_like(z)] * (alpha == "free")
    rest = Y - (0 if gamma == "free" else gamma * z) - (0 if alpha == "free" else alpha)
    expected = list(np.linalg.lstsq(np.stack(columns, 1), rest, rcond=None)[0]) if columns else []
    both = [expected.pop(0) if gamma == "free" else gamma, expected.pop() if expected else alpha]
    np.testing.assert_allclose(p.scaled(coef), both, rtol=1e-10)
    result = p.result(permutation_of(p.values, coef))
    residual = Y - both[1] - both[0] * z
    assert result.rmse == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-10)
    assert result.max_error == pytest.approx(np.abs(residual).max(), rel=1e-10)
    assert p.error(coef) == pytest.approx(result.rmse, rel=1e-12)
    np.testing.assert_allclose(result(X), Y - residual, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(result.coef, coef)
    # The Gram matrix says the same, up to the digits that squares lose.
    assert p.quadratic.error(coef) == pytest.approx(result.rmse**2, rel=1e-9)
    assert p.quadratic.scale(coef) == pytest.approx(both[0], rel=1e-9)


def test_floor_is_that_of_least_squares():
    p = problem()
    A = np.column_stack([p.features(p.X), np.ones_like(X)])
    rest = Y - A @ np.linalg.lstsq(A, Y, rcond=None)[0]
    assert p.quadratic.floor == pytest.approx(np.sqrt(np.mean(rest**2)), rel=1e-6)


def test_another_target_shares_the_gram_matrix():
    p = problem()
    assert p.quadratic.eigen is not None
    other = p.with_target(Y**2)
    assert other.quadratic.G is p.quadratic.G
    assert other.quadratic.eigen is p.quadratic.eigen
    fresh = PermutationProblem(p.features, p.values, X, Y**2)
    np.testing.assert_allclose(other.quadratic.h, fresh.quadratic.h, rtol=1e-12)
    assert other.quadratic.yy == pytest.approx(fresh.quadratic.yy, rel=1e-12)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_permutation_of_finds_any_rearrangement(values, random):
    coef = list(values)
    random.shuffle(coef)
    permutation = permutation_of(np.array(values), np.array(coef))
    np.testing.assert_array_equal(np.sort(permutation), np.arange(len(values)))
    np.testing.assert_array_equal(np.array(values)[permutation], coef)


def test_permutation_of_refuses_other_values():
    with pytest.raises(InvalidDataError, match="not a rearrangement"):
        permutation_of(np.array([1.0, 2.0]), np.array([1.0, 1.0]))


UNITS = relu_pairs(np.linspace(-1, 1, 4))
GOOD = {"features": UNITS, "values": np.arange(8.0), "X": X, "y": Y}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": np.arange(7.0)}, "need 8, one a unit"),
        ({"values": np.arange(8.0)[:, None]}, "need 8"),
        ({"values": np.ones(8)}, "All 8 values equal 1.0"),
        ({"values": np.array([np.nan, *range(7)])}, "values holds 1 NaN"),
        ({"X": np.array([np.inf, *X[1:]])}, "X holds 1 NaN or infinite"),
        ({"y": np.array([np.nan, *Y[1:]])}, "y holds 1 NaN"),
        ({"y": Y[1:]}, "one target a row"),
        ({"y": Y[:, None]}, "one target a row"),
        ({"X": np.zeros(0), "y": np.zeros(0)}, "one target a row"),
        ({"X": np.stack([X, X], axis=1)}, "2 columns and the features take 1"),
        ({"X": X[None, :, None]}, "rows \\(n_rows, d\\) are wanted"),
    ],
)
def test_bad_problems_are_refused(change, words):
    with pytest.raises(InvalidDataError, match=words):
        PermutationProblem(**(GOOD | change))


def test_constant_features_are_refused():
    dead = directed_units(np.array([[1.0]]), np.array([5.0, 6.0]))
    with pytest.raises(InvalidDataError, match="knots and inputs lie apart"):
        PermutationProblem(dead, np.array([1.0, 2.0]), X, Y)


@pytest.mark.parametrize("setting", ["gamma", "alpha"])
@pytest.mark.parametrize("value", [np.nan, "fixed", None, True])
def test_bad_settings_are_refused(setting, value):
    with pytest.raises(InvalidSettingError, match=setting):
        PermutationProblem(**GOOD, **{setting: value})


def test_zero_gamma_is_refused():
    with pytest.raises(InvalidSettingError, match="constant"):
        PermutationProblem(**GOOD, gamma=0)


@pytest.mark.parametrize(
    ("knots", "words"),
    [
        ([0.0, 0.3, 0.3], "Knots repeat: 0.3"),
        ([0.0, np.nan], "NaN"),
        ([], "at least one"),
        ([[0.0]], "a vector"),
    ],
)
def test_bad_knots_are_refused(knots, words):
    with pytest.raises(InvalidDataError, match=words):
        relu_pairs(np.array(knots))


def test_bad_multisets_are_refused():
    with pytest.raises(InvalidSettingError, match="even number"):
        pairwise(5)
    with pytest.raises(InvalidSettingError, match="even number"):
        few_levels(5)
    with pytest.raises(InvalidSettingError, match="zeros"):
        sparse(np.ones(3), zeros=1.0)
    with pytest.raises(InvalidSettingError, match="random 1"):
        published_initialisation("random 9", 4)
    with pytest.raises(InvalidDataError, match="none zero"):
        directed_units(np.zeros((2, 2)), np.zeros(1))


def test_one_knot_and_two_units():
    p = PermutationProblem(relu_pairs(np.zeros(1)), np.array([-1.0, 2.0]), X, np.abs(X))
    both = [p.result(np.array(order)).rmse for order in ([0, 1], [1, 0])]
    assert solve_permutation(p).rmse == pytest.approx(min(both))


def test_permutations_are_checked():
    with pytest.raises(InvalidDataError, match="each of 0 to 15 once"):
        problem().result(np.zeros(16, dtype=int))


def test_knots_outside_the_rows_and_rows_outside_the_knots():
    # All kinks lie left of the rows: the network is linear on them.
    outside = PermutationProblem(relu_pairs(np.linspace(-3, -2, 4)), np.arange(8.0), X, Y)
    slope = np.polyfit(X, Y, 1)
    line = np.sqrt(np.mean((Y - np.polyval(slope, X)) ** 2))
    assert solve_permutation(outside).rmse == pytest.approx(line, rel=1e-9)


def test_a_constant_target_is_reached():
    p = PermutationProblem(UNITS, np.arange(8.0), X, np.full(200, 2.5))
    result = solve_permutation(p)
    assert result.rmse < 1e-12
    assert result(np.array([0.0])) == pytest.approx(2.5)
