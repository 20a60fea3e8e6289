"""A permutation as cycles, swaps, one number, switches and a file."""

import itertools
import json
import math

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from solvenet.errors import InvalidDataError, InvalidSettingError, ModelFileError
from solvenet.permutation import (
    MultisetRecipe,
    cycles_of,
    levels_of,
    load_permutation,
    multiset_digest,
    rank_of,
    routing_network,
    save_permutation,
    storage_size,
    swaps_of,
)

orders = st.integers(1, 40).flatmap(lambda n: st.permutations(range(n)))
NO_PERMUTATIONS = [[0, 0], [1, 2], [0.0, 1.0], [[0, 1]], [], [-1, 0]]


# -- cycles and swaps ----------------------------------------------------------------------


@given(orders)
def test_cycles_tell_where_everything_goes(order):
    rebuilt = np.arange(len(order))
    for cycle in cycles_of(order):
        rebuilt[cycle] = np.roll(cycle, -1)
        assert cycle[0] == cycle.min()
    assert rebuilt.tolist() == list(order)


@given(orders)
def test_as_many_swaps_as_places_minus_cycles(order):
    swaps = swaps_of(order)
    fixed = sum(i == j for i, j in enumerate(order))
    assert len(swaps) == len(order) - fixed - len(cycles_of(order))
    values = np.arange(len(order))
    for a, b in swaps:
        values[[a, b]] = values[[b, a]]
    assert values.tolist() == list(order)


@pytest.mark.parametrize("order", NO_PERMUTATIONS, ids=str)
@pytest.mark.parametrize("function", [cycles_of, swaps_of, routing_network])
def test_what_is_no_permutation_is_refused(function, order):
    with pytest.raises(InvalidDataError, match="is wanted once"):
        function(order)


# -- ranks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [[0, 1, 2, 3], [0, 0, 1, 1, 1], [0, 1, 1, 2], [0, 0, 0]])
def test_ranks_count_arrangements_in_lexicographic_order(levels):
    arrangements = sorted(set(itertools.permutations(levels)))
    assert [rank_of(a) for a in arrangements] == list(range(len(arrangements)))
    counts = np.bincount(levels)
    assert [tuple(levels_of(r, counts)) for r in range(len(arrangements))] == arrangements


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200))
def test_ranks_come_back(levels):
    counts = np.bincount(levels)
    rank = rank_of(levels)
    assert 0 <= rank < math.factorial(len(levels)) // math.prod(map(math.factorial, counts))
    assert levels_of(rank, counts).tolist() == levels


def test_the_last_of_a_thousand(rng):
    last = np.arange(1000)[::-1]
    assert rank_of(last) == math.factorial(1000) - 1
    assert np.array_equal(levels_of(rank_of(last), np.ones(1000, int)), last)


def test_ranks_out_of_range_are_refused():
    with pytest.raises(InvalidDataError, match="fewer arrangements"):
        levels_of(6, [1, 1, 1])
    with pytest.raises(InvalidSettingError, match="rank"):
        levels_of(-1, [1, 1, 1])
    for bad in ([0.5], [[0]], [], [-1]):
        with pytest.raises(InvalidDataError, match="whole numbers"):
            rank_of(bad)
        with pytest.raises(InvalidDataError, match="whole numbers"):
            levels_of(0, bad)


# -- routing -------------------------------------------------------------------------------


@given(orders)
def test_the_switches_give_the_permutation(order):
    network = routing_network(order)
    values = np.random.default_rng(0).standard_normal((len(order), 2))
    assert np.array_equal(network(values), values[list(order)])
    used = [np.r_[stage.first, stage.second] for stage in network.stages]
    assert all(len(set(lines)) == len(lines) for lines in map(np.ndarray.tolist, used))


def test_every_permutation_of_five_lines_is_routed():
    for order in itertools.permutations(range(5)):
        assert routing_network(order)(np.arange(5)).tolist() == list(order)


@pytest.mark.parametrize("n", [2, 3, 7, 16, 100, 512])
def test_the_size_of_a_benes_network(n, rng):
    network = routing_network(rng.permutation(n))
    assert len(network.stages) == 2 * math.ceil(math.log2(n)) - 1
    assert network.n_switches == storage_size(np.arange(n)).switches
    if n & (n - 1) == 0:
        assert network.n_switches == n * math.log2(n) - n / 2


def test_the_same_switches_whatever_the_permutation(rng):
    one, other = (routing_network(rng.permutation(77)) for _ in range(2))
    for a, b in zip(one.stages, other.stages, strict=True):
        assert np.array_equal(a.first, b.first)
        assert np.array_equal(a.second, b.second)


def test_another_number_of_lines_is_refused():
    with pytest.raises(InvalidDataError, match=r"3, one a line"):
        routing_network([2, 0, 1])(np.arange(4))


# -- recipes -------------------------------------------------------------------------------


@pytest.mark.parametrize("distribution", ["normal", "uniform", "pairwise", "equidistant"])
@pytest.mark.parametrize("zeros", [0.0, 0.9])
@pytest.mark.parametrize("n", [1, 9, 40])
def test_a_recipe_draws_what_it_says(distribution, zeros, n):
    recipe = MultisetRecipe(distribution, zeros=zeros, seed=3)
    rows = recipe.draw(n, n_rows=5)
    assert rows.shape == (5, n)
    assert (np.diff(rows, axis=1) >= 0).all()
    assert ((rows == 0).sum(axis=1) >= min(round(zeros * n), n - 1)).all()
    assert np.array_equal(recipe.draw(n, n_rows=5), rows)
    assert recipe.draw(n).shape == (n,)
    if distribution == "pairwise" and zeros == 0 and n == 40:
        assert np.array_equal(rows, -rows[:, ::-1])
        assert len(np.unique(rows)) == rows.size
    if distribution == "equidistant":
        assert (rows == rows[0]).all()
    elif n == 40 and zeros == 0:
        other = MultisetRecipe(distribution, seed=4).draw(n)
        assert multiset_digest(other) != multiset_digest(recipe.draw(n))


@pytest.mark.parametrize(("bits", "n"), [(1, 8), (1, 9), (2, 40), (4, 160)])
def test_levels_are_equally_frequent(bits, n):
    values = MultisetRecipe("equidistant", bits=bits).draw(n)
    distinct, counts = np.unique(values, return_counts=True)
    np.testing.assert_allclose(distinct, np.linspace(-1, 1, 2**bits), atol=1e-15)
    assert np.ptp(counts) <= n % 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distribution": "cauchy"}, "distribution"),
        ({"bits": 2}, "equidistant"),
        ({"distribution": "equidistant", "bits": 0}, "bits"),
        ({"distribution": "equidistant", "bits": 17}, "bits"),
        ({"zeros": 1.0}, "share"),
        ({"zeros": float("nan")}, "share"),
        ({"seed": -1}, "seed"),
    ],
    ids=str,
)
def test_impossible_recipes_are_refused(options, message):
    with pytest.raises(InvalidSettingError, match=message):
        MultisetRecipe(**options)


def test_the_digest_is_that_of_the_multiset(rng):
    values = rng.standard_normal(50)
    digest = multiset_digest(values)
    assert multiset_digest(rng.permutation(values)) == digest
    assert multiset_digest(np.nextafter(values, 1)) != digest
    assert multiset_digest(values[None]) != digest
    assert multiset_digest([0.0, 1.0]) == multiset_digest([1.0, -0.0])
    for bad in ([], [[[1.0]]], [np.nan]):
        with pytest.raises(InvalidDataError):
            multiset_digest(bad)


# -- size ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        (np.arange(20), 3.05),
        (np.arange(2560), 9.88),
        (np.arange(8192), 11.56),
        (np.repeat([-1.0, 1.0], 4096), 1.0),
        (np.repeat(np.arange(4), 2048), 2.0),
        (np.repeat([-1.0, 0.0, 1.0], [410, 7372, 410]), 0.57),
        (np.tile(np.arange(64), (16, 1)), 4.63),
    ],
)
def test_bits_per_weight(values, bits):
    assert storage_size(values).bits_per_weight == pytest.approx(bits, abs=0.006)


def test_the_entropy_is_that_of_exact_arithmetic():
    counts = [300, 20, 7]
    ways = math.factorial(sum(counts)) // math.prod(map(math.factorial, counts))
    size = storage_size(np.repeat(np.arange(3), counts))
    assert size.entropy == pytest.approx(math.log2(ways), rel=1e-12)
    assert size.rank == math.ceil(math.log2(ways)) == (ways - 1).bit_length()
    assert size.index == 2 * sum(counts)


def test_equal_values_take_no_bits():
    assert storage_size(np.ones(5)).entropy == storage_size(np.ones(5)).index == 0


# -- files ---------------------------------------------------------------------------------

RECIPE = MultisetRecipe("equidistant", bits=2, seed=0)
NORMAL = MultisetRecipe(seed=5)


@pytest.fixture
def layers(rng):
    return {
        "levels": rng.permutation(RECIPE.draw(1000)),
        "rows": rng.permuted(NORMAL.draw(30, n_rows=8), axis=1),
        "own": rng.standard_normal(60),
    }


@pytest.fixture
def path(tmp_path, layers):
    path = tmp_path / "net.permutation"
    recipes = {"levels": RECIPE, "rows": NORMAL}
    save_permutation(path, layers, recipes=recipes, info={"gamma": 0.25, "name": "three"})
    return path


def test_files_come_back(path, layers, rng):
    stored = load_permutation(path, values={"own": rng.permutation(layers["own"])})
    assert stored.info == {"gamma": 0.25, "name": "three"}
    assert stored.arrangements.keys() == layers.keys()
    assert all(np.array_equal(stored.arrangements[name], layers[name]) for name in layers)


def test_files_are_about_as_small_as_the_entropy(tmp_path, rng):
    recipe = MultisetRecipe("equidistant", bits=1, zeros=0.9)
    path = tmp_path / "ternary"
    size = save_permutation(
        path, {"w": rng.permutation(recipe.draw(20_000))}, recipes={"w": recipe}
    )
    assert size.bits_per_weight == pytest.approx(0.569, abs=0.002)
    assert size.rank / 8 < path.stat().st_size < size.rank / 8 + 500
    assert {p.name for p in tmp_path.iterdir()} == {"ternary"}  # nothing half-written


def test_large_layers_are_stored_as_levels(tmp_path, rng):
    layers = {"w": rng.permutation(NORMAL.draw(50_000)), "b": rng.permutation(RECIPE.draw(70_000))}
    size = save_permutation(tmp_path / "large", layers, recipes={"w": NORMAL, "b": RECIPE})
    assert (tmp_path / "large").stat().st_size < size.index / 8 + 1000
    found = load_permutation(tmp_path / "large").arrangements
    assert all(np.array_equal(found[name], layers[name]) for name in layers)


def test_a_wrong_multiset_is_refused(path, layers):
    own = layers["own"]
    for wrong in (own + 1e-15, own[:-1], own[None], np.r_[own[0], own[:-1]]):
        with pytest.raises(ModelFileError, match="another multiset"):
            load_permutation(path, values={"own": wrong})
    with pytest.raises(ModelFileError, match="another multiset"):
        load_permutation(path, values={"own": own, "levels": layers["levels"] * 2})
    with pytest.raises(ModelFileError, match="give values="):
        load_permutation(path)
    with pytest.raises(ModelFileError, match="the file has"):
        load_permutation(path, values={"others": own})
    with pytest.raises(InvalidDataError, match="NaN"):
        load_permutation(path, values={"own": np.full(60, np.nan)})


def test_what_cannot_be_stored_is_refused_and_an_old_file_stays(path, layers):
    before = path.read_bytes()
    for arrangements, recipes, message in [
        ({}, None, "at least one"),
        ({"w": layers["own"]}, {"v": NORMAL}, "for these only"),
        ({"w": layers["own"]}, {"w": NORMAL}, "are not what"),
        ({"w": np.ones((2, 2, 2))}, None, "is wanted"),
        ({"w": [1.0, np.inf]}, None, "infinite"),
    ]:
        with pytest.raises(InvalidDataError, match=message):
            save_permutation(path, arrangements, recipes=recipes)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_truncated_files_are_refused(path, layers, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match="damaged"):
        load_permutation(path, values={"own": layers["own"]})


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ModelFileError, match="There is no"):
        load_permutation(tmp_path / "absent")
    codes = {"w": np.zeros(3, dtype=np.uint8)}
    for metadata in (
        None,
        {"document": "no json"},
        {"document": json.dumps({"format": "another"})},
        {"document": json.dumps({"format": "solvenet permutation 1", "layers": {"w": {}}})},
        {"document": json.dumps({"format": "solvenet permutation 1", "layers": [], "info": {}})},
    ):
        save_file(codes, tmp_path / "other", metadata=metadata)
        with pytest.raises(ModelFileError, match="damaged"):
            load_permutation(tmp_path / "other")


def test_a_permutation_that_does_not_fit_is_refused(path, layers, tmp_path):
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        codes = {name: file.get_tensor(name) for name in layers}
    for name in layers:
        for code in (np.full_like(codes[name], 255), np.r_[codes[name], np.uint8(0)]):
            save_file(codes | {name: code}, tmp_path / "altered", metadata=metadata)
            with pytest.raises(ModelFileError, match="does not fit"):
                load_permutation(tmp_path / "altered", values={"own": layers["own"]})
