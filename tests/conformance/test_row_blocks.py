"""Every source and every wrapper hands out the matrix it says, however it is cut."""

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
        assert 8 * 12 * (n_cols + 2) ** 2 + 8 * (n_cols + 2) * min(n_rows, 2000) * 10 > limit
        return
    assert plan.peak_bytes <= limit
    assert 1 <= plan.rows_per_block <= max(n_rows, 1)
    if not plan.keep and n_layers > 1:
        assert plan.peak_bytes + 8 * n_rows * n_cols > limit


@given(n_cols=st.integers(1, 10**6), itemsize=st.sampled_from([4, 8]))
@settings(deadline=None)
def test_rows_per_block_fill_the_block(n_cols, itemsize):
    rows = rows_per_block(n_cols, itemsize, 10**6)
    assert rows == 1 or rows * n_cols * itemsize <= 10**6
    assert (rows + 1) * n_cols * itemsize > 10**6
