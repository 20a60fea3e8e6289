"""The searches: always a permutation of the multiset, never worse, and as good as they claim."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet.errors import InvalidSettingError, UnsupportedProblemError
from solvenet.permutation import (
    PermutationProblem,
    centred,
    equidistant,
    few_levels,
    he_normal,
    pairwise,
    permutation_of,
    random_units,
    relu_pairs,
    solve_permutation,
    sparse,
    uniform,
)
from solvenet.permutation.matching import match_sums
from solvenet.permutation.orbit import to_orbit, to_permutahedron
from solvenet.permutation.pairing import shaped_pairs
from solvenet.permutation.spline import SplineTarget, fit_spline, partition
from solvenet.permutation.step_blocks import four_pairs, step_blocks
from solvenet.permutation.swaps import improve_by_kicks, improve_by_swaps
from solvenet.permutation.trellis import Lattice, shaped_sums

X = np.random.default_rng(2022).uniform(-1, 1, 1600)
X_TEST = np.linspace(-1, 1, 400)


def sine(x):
    return -np.sin(2 * np.pi * x)


def on(knots, values, f=sine, **fixed):
    return PermutationProblem(relu_pairs(knots), values, X, f(X), **fixed)


MULTISETS = {
    "equidistant": equidistant,
    "uniform": uniform,
    "centred": lambda n: centred(uniform(n)),
    "pairwise": pairwise,
    "one bit": few_levels,
    "sparse": lambda n: sparse(pairwise(n)),
    "He": he_normal,
    "positive": lambda n: equidistant(n) + 1.0,
}


@pytest.mark.parametrize("method", ["auto", "constructive", "orbit", "swaps"])
@pytest.mark.parametrize("values", MULTISETS)
@pytest.mark.parametrize("fixed", [{}, {"gamma": 1.5, "alpha": 0.1}])
def test_every_result_is_a_permutation_of_the_multiset(method, values, fixed):
    p = on(np.sort(uniform(12, random_state=5)), MULTISETS[values](24), **fixed)
    result = solve_permutation(p, method=method)
    np.testing.assert_array_equal(np.sort(result.permutation), np.arange(24))
    np.testing.assert_array_equal(np.sort(result.coef), np.sort(p.values))
    assert result.rmse >= p.quadratic.floor * (1 - 1e-9)
    assert result.reason
    again = solve_permutation(p, method=method)
    np.testing.assert_array_equal(again.permutation, result.permutation)


@pytest.mark.parametrize("seed", range(6))
def test_a_hidden_permutation_of_few_values_is_found(seed):
    rng = np.random.default_rng(seed)
    units, values = random_units(6, 1, random_state=seed), rng.normal(size=6)
    y = 2 * units(X[:, None]) @ rng.permutation(values) - 1
    p = PermutationProblem(units, values, X, y)
    best = min(p.error(p.values[list(order)]) for order in permutations(range(6)))
    assert best < 1e-12
    assert solve_permutation(p).rmse < 1e-12


@pytest.mark.parametrize("fixed", [{}, {"gamma": 0.8, "alpha": 0.0}])
def test_swaps_end_where_no_swap_helps(fixed):
    p = on(np.linspace(-1, 1, 12), equidistant(24), **fixed)
    start = np.random.default_rng(0).permutation(p.values)
    end = improve_by_swaps(p.quadratic, start)
    least = p.error(end)
    assert least < p.error(start)
    for a in range(24):
        for b in range(a):
            swapped = end.copy()
            swapped[[a, b]] = end[[b, a]]
            # The error of a swap is updated in constant time: here it is computed anew.
            assert p.error(swapped) >= least * (1 - 1e-6)


def test_kicks_do_not_make_it_worse():
    p = on(np.linspace(-1, 1, 12), equidistant(24))
    start = improve_by_swaps(p.quadratic, p.values)
    kicked = improve_by_kicks(p.quadratic, start, np.random.default_rng(0), rounds=5)
    assert p.error(kicked) <= p.error(start)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=5), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_projections_are_nearest_points(values, seed):
    values = np.sort(values)
    point = np.random.default_rng(seed).normal(size=(len(values), 1)) * 3
    nearest = to_orbit(point, values)[:, 0]
    orbit = np.array(list(permutations(values)))
    distances = np.linalg.norm(orbit - point[:, 0], axis=1)
    assert np.linalg.norm(nearest - point[:, 0]) <= distances.min() + 1e-9
    # The nearest point of a hull: no vertex lies on the other side of its tangent plane.
    inside = to_permutahedron(point, values)[:, 0]
    outwards = point[:, 0] - inside
    assert ((orbit - inside) @ outwards).max() <= 1e-8 * (1 + np.abs(values).max() ** 2)
    assert inside.sum() == pytest.approx(values.sum(), abs=1e-9)


@given(st.integers(2, 30), st.integers(0, 4), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_sums_that_a_pairing_has_are_matched(m, n_free, seed):
    rng = np.random.default_rng(seed)
    levels = np.sort(rng.integers(0, 2 * m, 2 * m + n_free))
    hidden = rng.permutation(levels)
    sums = hidden[: 2 * m].reshape(m, 2).sum(axis=1)
    pairs, free, missed = match_sums(levels, sums, n_free, rng)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([pairs.ravel(), free])), np.arange(2 * m + n_free)
    )
    off = np.abs(levels[pairs].sum(axis=1) - sums).sum()
    assert (missed == 0) == (off == 0)


def test_the_sums_of_smooth_kinks_are_matched_exactly():
    for f, n in ((sine, 320), (lambda x: (5 * x**3 - 3 * x) / 2, 160)):
        p = on(np.linspace(-1, 1, n), equidistant(2 * n), f)
        target, lattice = SplineTarget.of(p), Lattice.of(p.values)
        # Twice the gain that majorisation needs.
        sums = shaped_sums(target, lattice, {320: 0.3, 160: 0.2}[n], 0.0)
        *_, missed = match_sums(lattice.levels, sums, target.n_free, np.random.default_rng(0))
        assert missed == 0


def test_shaped_kinks_follow_the_spline():
    n = 160
    p = on(np.linspace(-1, 1, n), equidistant(2 * n))
    target, lattice = SplineTarget.of(p), Lattice.of(p.values)
    gamma = 0.5
    sums = gamma * (2 * lattice.first + lattice.step * shaped_sums(target, lattice, gamma, 0.0))
    slopes = np.cumsum(sums - target.kinks)
    errors = np.cumsum(target.gaps[1:] * slopes)
    # The bound that a free choice of the slope would give, at every knot.
    assert np.abs(errors).max() <= gamma * lattice.step * target.gaps.max()
    values = np.sort(pairwise(2 * n))
    pairs, free = shaped_pairs(target, values, gamma, 0.0)
    assert sorted([*pairs.ravel(), *free]) == list(range(2 * n))


@pytest.mark.parametrize(
    "values", [equidistant(30), few_levels(30, bits=2), sparse(few_levels(30))]
)
def test_lattices_are_recognised(values):
    lattice = Lattice.of(3 * values + 0.1)
    np.testing.assert_allclose(
        lattice.first + lattice.step * lattice.levels, np.sort(3 * values + 0.1), atol=1e-12
    )
    assert Lattice.of(uniform(30)) is None


@given(st.integers(1, 25), st.integers(1, 2), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_partition_says_what_is_left(m, r, seed):
    rng = np.random.default_rng(seed)
    weights = np.abs(rng.normal(size=(m, r)))
    target = weights[rng.random(m) < 0.5].sum(axis=0)
    chosen, rest = partition(weights, target)
    np.testing.assert_allclose(rest, target - weights[chosen].sum(axis=0), atol=1e-9)
    if r == 1:
        assert abs(rest[0]) <= weights.max()
        single = np.abs(rest[0] + np.where(chosen, 1, -1) * weights[:, 0])
        assert abs(rest[0]) <= single.min() + 1e-12


def test_the_spline_is_that_of_least_squares():
    nodes = np.linspace(X.min(), X.max(), 20)
    hats = np.stack([np.interp(X, nodes, e) for e in np.eye(20)], axis=1)
    expected = np.linalg.lstsq(hats, sine(X), rcond=None)[0]
    np.testing.assert_allclose(fit_spline(X, sine(X), nodes), expected, atol=1e-6)
    # Nodes without rows between them are interpolated smoothly.
    few = np.array([-1.0, -0.5, 0.1, 0.4, 1.0])
    fine = np.linspace(-1, 1, 81)
    np.testing.assert_allclose(fit_spline(few, few**2, fine), fine**2, atol=1e-4)


@given(st.integers(1, 20), st.floats(0.1, 3), st.sampled_from([-1, 0, 1]))
@settings(max_examples=40, deadline=None)
def test_four_pairs_are_steps_and_constants_exactly(first, spacing, direction):
    b = spacing * (first + np.arange(4.0))
    p, q = four_pairs(b, direction)
    np.testing.assert_array_equal(np.sort([*p, *q]), np.sort([*b, *-b]))

    def block(x):
        x = np.asarray(x)[:, None]
        return np.maximum(x - b, 0) @ p + np.maximum(b - x, 0) @ q

    left, right = block(b[0] - np.arange(3.0)), block(b[3] + np.arange(3.0))
    size = np.abs(b).max() ** 2 * 1e-12
    np.testing.assert_allclose(left, left[0], atol=size)
    np.testing.assert_allclose(right, right[0], atol=size)
    np.testing.assert_allclose(right[0] - left[0], direction * 8 * spacing**2, atol=size)
    if direction == 0:
        inside = np.linspace(b[0], b[3], 9)
        np.testing.assert_allclose(block(inside), left[0], atol=size)


@pytest.mark.parametrize("n", [80, 160, 320, 640])
def test_step_blocks_have_rate_one(n):
    p = on(np.linspace(-1, 1, n), equidistant(2 * n))
    coef = step_blocks(p)
    np.testing.assert_array_equal(np.sort(coef), np.sort(p.values))
    # A step is at least the largest change over a block, of four gaps; feedback keeps the
    # error at the blocks' ends below half a step, and the target moves by one between them.
    change = 2 * np.pi * 4 * 2 / (n - 1)
    assert p.result(permutation_of(p.values, coef)).max_error <= 1.5 * change


@pytest.mark.parametrize(
    ("n", "wanted"),
    [(10, 0.16), (20, 0.042), (40, 0.010), (80, 0.0018), (160, 0.0007), (320, 0.00018)],
)
def test_sine_on_equidistant_values(n, wanted):
    result = solve_permutation(on(np.linspace(-1, 1, n), equidistant(2 * n)))
    assert np.abs(result(X_TEST) - sine(X_TEST)).max() <= wanted


@pytest.mark.parametrize(
    ("f", "values", "wanted"),
    [
        (lambda x: (5 * x**3 - 3 * x) / 2, equidistant(640), 1e-4),
        (lambda x: 8 * x**4 - 8 * x**2 + 1, equidistant(640), 5e-4),
        (lambda x: x**2, equidistant(640), 5e-5),
        (sine, few_levels(640), 0.003),
        (sine, few_levels(640, bits=4), 5e-4),
    ],
)
def test_constructions_of_320_knots(f, values, wanted):
    p = on(np.linspace(-1, 1, 320), values, f)
    result = solve_permutation(p, method="constructive")
    assert np.abs(result(X_TEST) - f(X_TEST)).max() <= wanted


def test_a_step_is_met_as_well_as_by_a_free_spline():
    p = on(np.linspace(-1, 1, 160), equidistant(320), lambda x: (x > 0) * 1.0)
    assert solve_permutation(p).rmse <= 1.1 * p.quadratic.floor


def test_two_dimensions_come_near_the_floor():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (1500, 2))
    y = -np.sin(np.pi * inputs[:, 0] * inputs[:, 1])
    p = PermutationProblem(random_units(160, 2), equidistant(160), inputs, y)
    result = solve_permutation(p)
    assert result.method == "orbit"
    assert result.rmse <= 1.5 * p.quadratic.floor


def test_searches_refuse_what_they_cannot_do():
    p = on(np.linspace(-1, 1, 6), equidistant(12))
    with pytest.raises(InvalidSettingError, match="auto"):
        solve_permutation(p, method="gradient")
    with pytest.raises(InvalidSettingError, match="random_state"):
        solve_permutation(p, random_state=-1)
    other = PermutationProblem(random_units(6, 1), equidistant(6), X, X)
    with pytest.raises(UnsupportedProblemError, match="relu_pairs"):
        solve_permutation(other, method="constructive")
    uneven = on(np.array([-0.5, 0.1, 0.2, 0.8]), equidistant(8))
    with pytest.raises(UnsupportedProblemError, match="equidistant knots"):
        solve_permutation(uneven, method="step blocks")
