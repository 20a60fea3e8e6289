"""Every source and every wrapper hands out the matrix it says, however it is cut."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet.blocks import (
    ArrayBlocks,
    Centered,
    MappedBlocks,
    OnePassBlocks,
    Scaled,
    Weighted,
    WithIntercept,
    as_row_blocks,
    plan_features,
    rows_per_block,
)
from solvenet.errors import InvalidDataError, MemoryLimitError, PassesExhaustedError
from solvenet.features import (
    ACTIVATIONS,
    Activation,
    DenseMap,
    InputScaling,
    LayeredMap,
    SelectedMap,
)
from solvenet.features.layers import ComposedMap
from solvenet.networks import HiddenMap
from solvenet.testing import row_sources

RNG = np.random.default_rng(0)
A = RNG.standard_normal((103, 6))
W = RNG.random(103)
M = RNG.standard_normal(6)

WRAPPERS = {
    "plain": (lambda s: s, A),
    "intercept": (WithIntercept, np.column_stack([np.ones(103), A])),
    "centered": (lambda s: Centered(s, M), A - M),
    "scaled": (lambda s: Scaled(s, M), A * M),
    "weighted": (lambda s: Weighted(s, W), A * np.sqrt(W)[:, None]),
    "mapped": (lambda s: MappedBlocks(s, lambda X: np.tanh(X[:, :4]), 4), np.tanh(A[:, :4])),
    "all": (
        lambda s: Weighted(WithIntercept(Scaled(Centered(s, M), M)), W),
        np.column_stack([np.ones(103), (A - M) * M]) * np.sqrt(W)[:, None],
    ),
}
KINDS = [
    "array",
    "small blocks",
    "fortran order",
    "read only",
    "memory map",
    "on the fly",
    "scaled",
    "one pass",
]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_come_in_order_and_once(kind, wrapper):
    wrap, expected = WRAPPERS[wrapper]
    with row_sources(A) as sources:
        source = wrap(sources[kind])
        assert source.shape == expected.shape
        end = 0
        for rows, block in source.blocks():
            assert rows.start == end
            assert len(block) == rows.stop - rows.start > 0
            assert np.allclose(block, expected[rows], rtol=1e-15)
            end = rows.stop
        assert end == len(A)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "one pass"])
def test_a_range_of_rows_is_a_source_of_its_own(kind, wrapper):
    wrap, expected = WRAPPERS[wrapper]
    with row_sources(A) as sources:
        source = wrap(sources[kind])
        for start, stop in [(0, 103), (0, 1), (40, 103), (17, 64)]:
            part = source.between(start, stop)
            assert part.shape == (stop - start, expected.shape[1])
            assert np.allclose(part.to_array(), expected[start:stop], rtol=1e-15)
            again = part.between(0, part.shape[0])
            assert np.array_equal(again.to_array(), part.to_array())
        for start, stop in [(5, 5), (-1, 3), (100, 104)]:
            with pytest.raises(InvalidDataError, match="of a matrix of 103 rows"):
                source.between(start, stop)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "one pass"])
def test_identity_tells_other_data_apart(kind):
    changed = A.copy()
    changed[60, 3] += 1e-9
    with row_sources(A) as sources, row_sources(A) as again, row_sources(changed) as others:
        assert sources[kind].identity() == again[kind].identity() != others[kind].identity()
        fewer = sources[kind].between(0, 50)
        assert fewer.identity() != sources[kind].identity()


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "one pass"])
def test_products(kind, wrapper):
    """Products equal those of the array, and <A u, v> = <u, A' v>."""
    wrap, expected = WRAPPERS[wrapper]
    u, v = RNG.standard_normal(expected.shape[1]), RNG.standard_normal(len(A))
    with row_sources(A) as sources:
        source = wrap(sources[kind])
        assert np.allclose(source.to_array(), expected, rtol=1e-15)
        assert np.allclose(source.gram(), expected.T @ expected, rtol=1e-12)
        assert np.allclose(source.matmat(np.column_stack([u, u])), (expected @ u)[:, None])
        assert np.isclose(source.matmat(u) @ v, u @ source.rmatmat(v))
        operator = source.aslinearoperator()
        assert np.allclose(operator @ u, expected @ u)
        assert np.allclose(operator.T @ v, expected.T @ v)


@pytest.mark.parametrize("chosen", [[2, 0, 2], [1, 2, 3], [3]], ids=["jumps", "run", "one"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", KINDS)
def test_columns(kind, wrapper, chosen):
    """Chosen columns are those of the array, of columns of columns too, in every order."""
    wrap, expected = WRAPPERS[wrapper]
    with row_sources(A) as sources:
        source = wrap(sources[kind])
        part = source.columns(chosen)
        assert (part.dtype, part.n_passes) == (source.dtype, source.n_passes)
        if source.n_passes is None:
            again = part.columns(np.arange(len(chosen))[::-1])
            assert np.allclose(again.to_array(), expected[:, chosen[::-1]], rtol=1e-15)
        end = 0
        for rows, block in part.blocks():
            assert rows.start == end
            assert (
                block.shape == (rows.stop - rows.start, len(chosen)) == (len(block), part.shape[1])
            )
            assert np.allclose(block, expected[rows][:, chosen], rtol=1e-15)
            end = rows.stop
        assert end == len(A)


def test_only_the_chosen_columns_are_computed():
    layer = DenseMap(RNG.standard_normal((6, 5)), RNG.standard_normal(5), ACTIVATIONS["tanh"])
    deep = LayeredMap((DenseMap(RNG.standard_normal((6, 6)), np.zeros(6), layer.activation), layer))
    widths = []

    def watched(Z):
        widths.append(Z.shape[1])
        return np.tanh(Z)

    seen = dataclasses.replace(layer, activation=Activation("watched", watched, 1.0, 0.5))
    source = Scaled(MappedBlocks(as_row_blocks(A), seen, 5), M[:5])
    assert np.allclose(source.columns([4, 1]).to_array(), (layer(A) * M[:5])[:, [4, 1]], rtol=1e-15)
    assert widths == [2]
    for map_ in (
        deep,
        ComposedMap(InputScaling(M, 1 + M**2), deep),
        SelectedMap(deep, np.arange(5)),
    ):
        columns = MappedBlocks(as_row_blocks(A), map_, 5).columns([3, 0])
        assert np.allclose(columns.to_array(), map_(A)[:, [3, 0]], rtol=1e-14)


@pytest.mark.parametrize("skip", [0.0, 2.0])
def test_columns_of_a_network(skip):
    """Units and inputs that bypass them, mixed in any order."""
    last = DenseMap(RNG.standard_normal((6, 4)), RNG.standard_normal(4), ACTIVATIONS["tanh"])
    hidden = HiddenMap(InputScaling(M, np.ones(6)), LayeredMap((last,)), skip)
    n_cols = hidden.n_features_out
    source = MappedBlocks(ArrayBlocks(A, rows_per_block=20), hidden, n_cols, into=True)
    for index in (RNG.permutation(n_cols), np.array([n_cols - 1]), np.array([2, 0])):
        part = source.columns(index)
        assert np.allclose(part.to_array(), hidden(A)[:, index], rtol=1e-13, atol=1e-15)
        norms = np.r_[np.linalg.norm(last.weights, axis=0), np.full(n_cols - 4, skip)]
        assert np.allclose(part.weight_norms(), norms[index])


def test_weight_norms_are_known_where_columns_are_units():
    layer = DenseMap(RNG.standard_normal((6, 5)), np.zeros(5), ACTIVATIONS["tanh"])
    norms = np.linalg.norm(layer.weights, axis=0)
    source = MappedBlocks(as_row_blocks(A), layer, 5)
    derived = Weighted(Centered(Scaled(source, 2.0), 1.0), W)
    assert np.allclose(derived.weight_norms(), norms)
    assert np.allclose(derived.columns([3, 1]).weight_norms(), norms[[3, 1]])
    assert np.allclose(SelectedMap(layer, np.array([2])).weight_norms(), norms[2])
    for unknown in (as_row_blocks(A), MappedBlocks(as_row_blocks(A), np.tanh, 6)):
        assert unknown.weight_norms() is None
        assert unknown.columns([1]).weight_norms() is None


@pytest.mark.parametrize("index", [[], [6], [-1], [0.5], [[1]], [True]])
def test_wrong_columns_are_refused(index):
    with pytest.raises(InvalidDataError, match="columns wants whole numbers from 0 to 5"):
        as_row_blocks(A).columns(index)


@given(rows=st.integers(1, 120))
@settings(max_examples=20, deadline=None)
def test_block_size_changes_nothing(rows):
    source = WRAPPERS["all"][0](ArrayBlocks(A, rows_per_block=rows))
    assert np.allclose(source.gram(), WRAPPERS["all"][1].T @ WRAPPERS["all"][1], rtol=1e-13)


def test_empty_and_one_row():
    assert list(ArrayBlocks(np.ones((0, 3))).blocks()) == []
    assert ArrayBlocks(np.ones((0, 3))).gram().shape == (3, 3)
    ((rows, block),) = ArrayBlocks(np.ones((1, 3))).blocks()
    assert rows == slice(0, 1)
    assert block.shape == (1, 3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, bool, np.int64])
def test_whole_numbers_become_float64(dtype):
    ((_, block),) = ArrayBlocks(np.array([[0, 1], [1, 0]], dtype=dtype)).blocks()
    assert block.dtype == np.float64


def test_float32_stays_and_half_is_widened():
    assert ArrayBlocks(np.ones((2, 2), np.float32)).dtype == np.float32
    assert ArrayBlocks(np.ones((2, 2), np.float16)).dtype == np.float32


def test_one_pass_is_one_pass():
    source = OnePassBlocks(iter([A]), A.shape)
    list(source.blocks())
    with pytest.raises(PassesExhaustedError, match="can be read once and have been read"):
        list(source.blocks())


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([A[:50]], "gave 50 rows; 103 were declared"),
        ([A, A], "came at row 103"),
        ([A[:, :3]], r"block of shape \(103, 3\)"),
    ],
)
def test_one_pass_checks_what_comes(blocks, message):
    with pytest.raises(InvalidDataError, match=message):
        list(OnePassBlocks(blocks, A.shape).blocks())


@pytest.mark.parametrize("length", [5, 7])
def test_wrong_lengths_are_refused(length):
    source = as_row_blocks(A)
    with pytest.raises(InvalidDataError, match="is wanted"):
        source.matmat(np.ones(length))
    with pytest.raises(InvalidDataError, match="is wanted"):
        source.rmatmat(np.ones(length))
    with pytest.raises(InvalidDataError, match="one a column"):
        Centered(source, np.ones(length))
    with pytest.raises(InvalidDataError, match="one weight >= 0 a row"):
        Weighted(source, np.ones(length))


def test_to_array_respects_the_limit():
    source = as_row_blocks(A)
    assert source.to_array(A.nbytes).shape == A.shape
    with pytest.raises(MemoryLimitError, match="memory limit is"):
        source.to_array(A.nbytes - 1)


@given(
    n_rows=st.integers(1, 10**7),
    n_cols=st.integers(1, 3000),
    limit=st.integers(10**6, 10**10),
    n_layers=st.integers(1, 3),
)
@settings(max_examples=200, deadline=None)
def test_a_plan_fits_and_one_row_more_would_not(n_rows, n_cols, limit, n_layers):
    try:
        plan = plan_features(n_rows, n_cols, n_layers=n_layers, memory_limit=limit)
    except MemoryLimitError:
        # Not even the smallest blocks fit beside the state of the solver.
        triangles = 12 if n_cols < 700 else 1.1
        assert 8 * triangles * (n_cols + 2) ** 2 + 8 * (n_cols + 2) * min(n_rows, 2000) * 10 > limit
        return
    assert plan.peak_bytes <= limit
    assert 1 <= plan.rows_per_block <= max(n_rows, 1)
    if plan.hold == "recompute" and n_layers > 1:
        assert plan.peak_bytes + 8 * n_rows * n_cols > limit


def test_a_wide_matrix_in_little_memory():
    """63,000 rows and 20,000 columns in 6 GB: one Gram matrix, and blocks that BLAS likes."""
    plan = plan_features(63_000, 20_784, 10, memory_limit=6 * 10**9)
    assert plan.hold == "recompute"
    assert plan.rows_per_block >= 512
    assert plan_features(63_000, 20_784, 10).rows_per_block >= 512


@given(n_cols=st.integers(1, 10**6), itemsize=st.sampled_from([4, 8]))
@settings(deadline=None)
def test_rows_per_block_fill_the_block(n_cols, itemsize):
    rows = rows_per_block(n_cols, itemsize, 10**6)
    assert rows == 1 or rows * n_cols * itemsize <= 10**6
    assert (rows + 1) * n_cols * itemsize > 10**6
