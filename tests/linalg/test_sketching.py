"""A sketch is one random matrix, whatever the blocks and their order."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet.linalg.sketching import SKETCHES, TILE, SparseSign
from solvenet.reductions import SketchReduction

RNG = np.random.default_rng(0)
N, M, D = 2 * TILE + 500, 7, 90
A = RNG.standard_normal((N, M))
B = RNG.standard_normal((N, 2))
W = RNG.random(N)

cuts = st.lists(st.integers(0, N), max_size=5).map(lambda c: [0, *sorted(c), N])


@pytest.mark.parametrize("kind", SKETCHES)
@given(cuts=cuts, order=st.randoms())
@settings(max_examples=15, deadline=None)
def test_any_split_in_any_order_is_the_same_sketch(kind, cuts, order):
    sketch = SKETCHES[kind](D, N, seed=3)
    whole = sketch.apply(A)
    parts = list(itertools.pairwise(cuts))
    order.shuffle(parts)
    found = np.zeros((D, M))
    for start, stop in parts:
        sketch.add(found, A[start:stop], start)
    assert np.allclose(found, whole, rtol=0, atol=1e-13 * np.abs(whole).max())


@pytest.mark.parametrize("kind", SKETCHES)
def test_seeds_differ_and_repeat(kind):
    one, again, other = (SKETCHES[kind](D, N, seed=s).apply(A) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


@pytest.mark.parametrize("kind", SKETCHES)
def test_lengths_are_kept_on_average(kind):
    """E[S'S] = I: the squared length of a vector, averaged over seeds, is its own."""
    x = A[:, :1]
    ratios = [
        float((SKETCHES[kind](D, N, seed=s).apply(x) ** 2).sum() / (x**2).sum()) for s in range(60)
    ]
    # The variance of a ratio is about 2 / D (more for rows: the kurtosis of the entries).
    assert abs(np.mean(ratios) - 1) < 5 * np.sqrt(3 / D / 60)
    assert np.std(ratios) < 3 * np.sqrt(2 / D)


@pytest.mark.parametrize("kind", ["sparse_sign", "gaussian", "dct"])
def test_coherent_rows_are_embedded(kind):
    """Singular values of S Q lie within the Marchenko-Pastur edges, spikes or not."""
    n = 40
    spiked = 1e-6 * RNG.standard_normal((N, n))
    spiked[:n] += np.eye(n)
    Q = np.linalg.qr(spiked)[0]
    s = np.linalg.svd(SKETCHES[kind](4 * n, N, seed=0).apply(Q), compute_uv=False)
    assert s[-1] > 0.3
    assert s[0] < 1.7


def test_sampled_rows_miss_spikes():
    """The reason why SWG does not offer them."""
    spiked = np.zeros((N, 1))
    spiked[5] = 1.0
    missed = [not SKETCHES["rows"](D, N, seed=s).apply(spiked).any() for s in range(5)]
    assert any(missed)


def test_all_rows_are_an_isometry():
    S = SKETCHES["rows"](N, N).apply(A)
    assert np.allclose(S.T @ S, A.T @ A, rtol=1e-13)


def test_sparse_sign_is_what_it_says():
    """Four entries of +-1/2 in each column of S, one in each section."""
    S = SparseSign(96, 50).apply(np.eye(50))
    assert ((S != 0).sum(axis=0) == 4).all()
    assert np.allclose(np.abs(S[S != 0]), 0.5)
    assert ((S.reshape(4, 24, 50) != 0).sum(axis=1) == 1).all()


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("kind", SKETCHES)
def test_reduction_merges_and_centres(kind, center):
    sketch = SKETCHES[kind](D, N, seed=5)
    whole, one, two = (SketchReduction(sketch, M, 2, center=center) for _ in range(3))
    whole.update(A + 10.0, B - 5.0, W)
    one.update(A[3000:] + 10.0, B[3000:] - 5.0, W[3000:], start=3000)
    two.update(A[:3000] + 10.0, B[:3000] - 5.0, W[:3000], start=0)
    one.merge(two)
    for found, expected in zip(one.sketched(), whole.sketched(), strict=True):
        assert np.allclose(found, expected, rtol=1e-9, atol=1e-10)
    SA, _ = whole.sketched()
    if center and kind != "rows":
        # The constant is gone: what is left has the size of the centred columns.
        size = np.linalg.norm((A - np.average(A, axis=0, weights=W)) * np.sqrt(W)[:, None])
        assert 0.5 * size < np.linalg.norm(SA) < 2 * size
