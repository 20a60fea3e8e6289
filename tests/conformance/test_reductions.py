"""Any split of the rows, merged in any order, gives the same summary."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet.reductions import ColumnMoments, GramReduction, QRReduction

RNG = np.random.default_rng(1)
N, M, Q = 60, 4, 2
A = RNG.standard_normal((N, M)) + np.array([0.0, 1e6, -3.0, 1e-3])
B = RNG.standard_normal((N, Q)) - 5.0
W = RNG.random(N) * (RNG.random(N) < 0.8)

splits = st.lists(st.integers(0, N), max_size=6).map(lambda cuts: [0, *sorted(cuts), N])


def parts(make, cuts, weights):
    out = []
    for start, stop in itertools.pairwise(cuts):
        part = make()
        rows = slice(start, stop)
        part.update(A[rows], B[rows], None if weights is None else weights[rows])
        out.append(part)
    return out


def merged(make, pieces):
    total = make()
    for piece in pieces:
        total.merge(piece)
    return total


@given(cuts=splits, weighted=st.booleans(), center=st.booleans(), order=st.randoms())
@settings(max_examples=60, deadline=None)
def test_qr(cuts, weighted, center, order):
    weights = W if weighted else None

    def make():
        return QRReduction(M, Q, center=center)

    pieces = parts(make, cuts, weights)
    order.shuffle(pieces)
    R, C, outside, mean_A, mean_B = merged(make, pieces).factors()
    w = np.ones(N) if weights is None else weights
    expected_A, expected_B = (np.average(X, axis=0, weights=w) * center for X in (A, B))
    Ac, Bc = (A - expected_A) * np.sqrt(w)[:, None], (B - expected_B) * np.sqrt(w)[:, None]
    size = np.linalg.norm(A, axis=0)
    assert np.allclose(mean_A, expected_A, rtol=1e-12)
    assert np.allclose(mean_B, expected_B, rtol=1e-12)
    # Centring by an orthogonal factor costs eps times the uncentred norm of a column.
    assert np.abs((R.T @ R - Ac.T @ Ac) / np.outer(size, size)).max() < 1e-14
    assert np.allclose(R.T @ C, Ac.T @ Bc, atol=1e-9 * np.linalg.norm(B))
    assert np.allclose(outside + (C**2).sum(axis=0), (Bc**2).sum(axis=0), rtol=1e-11)


@given(cuts=splits, weighted=st.booleans(), center=st.booleans(), order=st.randoms())
@settings(max_examples=60, deadline=None)
def test_gram(cuts, weighted, center, order):
    weights = W if weighted else None

    def make():
        return GramReduction(M, Q, center=center)

    pieces = parts(make, cuts, weights)
    order.shuffle(pieces)
    total = merged(make, pieces)
    weight = total.weight
    found = total.products()
    w = np.ones(N) if weights is None else weights
    mean_A, mean_B = (np.average(X, axis=0, weights=w) * center for X in (A, B))
    Ac, Bc = (A - mean_A) * np.sqrt(w)[:, None], (B - mean_B) * np.sqrt(w)[:, None]
    # Offsets of a column cost nothing: the tolerance is relative to the centred columns.
    size, size_B = np.linalg.norm(Ac, axis=0), np.linalg.norm(Bc, axis=0)
    assert np.abs((found.gram() - Ac.T @ Ac) / np.outer(size, size)).max() < 1e-9
    assert np.abs((found.AB - Ac.T @ Bc) / np.outer(size, size_B)).max() < 1e-9
    assert np.allclose(found.BB, size_B**2, rtol=1e-9)
    assert np.allclose(found.mean_A, mean_A, rtol=1e-12)
    assert np.allclose(found.mean_B, mean_B, rtol=1e-12)
    assert np.isclose(weight, w.sum())


@given(cuts=splits, weighted=st.booleans(), order=st.randoms())
@settings(max_examples=60, deadline=None)
def test_moments(cuts, weighted, order):
    weights = W if weighted else None

    def make():
        return ColumnMoments(M)

    pieces = parts(make, cuts, weights)
    order.shuffle(pieces)
    total = merged(make, pieces)
    w = np.ones(N) if weights is None else weights
    seen = A[w > 0]
    assert np.isclose(total.weight, w.sum())
    assert np.allclose(total.mean, np.average(A, axis=0, weights=w), rtol=1e-13)
    deviation = A - np.average(A, axis=0, weights=w)
    assert np.allclose(total.variance, np.average(deviation**2, axis=0, weights=w), rtol=1e-9)
    assert np.array_equal(total.low, seen.min(axis=0))
    assert np.array_equal(total.high, seen.max(axis=0))


@pytest.mark.parametrize("kind", [QRReduction, GramReduction])
def test_merge_leaves_the_other_alone(kind):
    one, two = kind(M, Q, center=True), kind(M, Q, center=True)
    one.update(A[:30], B[:30])
    two.update(A[30:], B[30:])
    before = two.nbytes
    one.merge(two)
    assert two.nbytes == before
    two.merge(kind(M, Q, center=True))
    assert two.nbytes == before
    assert one.nbytes > 0


def test_qr_triangle_does_not_depend_on_the_split():
    whole, split = QRReduction(M, Q, center=True), QRReduction(M, Q, center=True)
    whole.update(A, B)
    for i in range(N):
        split.update(A[i : i + 1], B[i : i + 1])
    for one, other in zip(whole.factors(), split.factors(), strict=True):
        assert np.allclose(one, other, rtol=1e-9, atol=1e-8)
