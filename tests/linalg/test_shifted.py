"""A Gram matrix and its factors in one array, by panels or not, here or by an algebra."""

import numpy as np
import pytest

from solvenet.linalg import blas, shifted
from solvenet.linalg.algebra import HostAlgebra
from solvenet.linalg.blas import add_gram, add_product, solve_triangle
from solvenet.linalg.shifted import Elsewhere, InPlace

RNG = np.random.default_rng(0)
N = 97
ROWS = RNG.standard_normal((150, N)) * np.geomspace(1, 1e-3, N)
GRAM = ROWS.T @ ROWS
KINDS = {"in place": InPlace, "elsewhere": lambda lower: Elsewhere(lower, HostAlgebra())}


@pytest.fixture(params=[None, 10, 32, 200], ids="panels of {}".format, autouse=True)
def panels(request, monkeypatch):
    """Every number of panels, as a matrix of 20,000 columns has several."""
    if request.param is not None:
        monkeypatch.setattr(blas, "WIDEST", 40)
        monkeypatch.setattr(blas, "GRAM_PANEL", request.param)
        monkeypatch.setattr(blas, "FACTOR_PANEL", request.param)
        monkeypatch.setattr(shifted, "PANEL", request.param)


@pytest.fixture(params=KINDS)
def gram(request):
    return KINDS[request.param](np.asfortranarray(np.tril(GRAM)))


def test_the_lower_triangle_of_a_product():
    C = np.asfortranarray(RNG.standard_normal((N, N)))
    before = C.copy()
    add_gram(C, ROWS.T)
    assert np.allclose(np.tril(C), np.tril(before + GRAM), rtol=1e-13)
    assert np.array_equal(np.triu(C, 1), np.triu(before, 1))


@pytest.mark.parametrize("trans", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("m", "k", "n"), [(5, 7, 3), (1, 7, 3), (5, 1, 3), (5, 7, 1), (1, 1, 1)])
def test_products_of_parts_of_arrays(m, k, n, order, trans):
    A, B = RNG.standard_normal((20, 20)), RNG.standard_normal((20, 20))
    C = np.zeros((20, 20), order="F")
    left = (
        np.asfortranarray(A)[2 : 2 + k, 3 : 3 + m] if trans else np.asfortranarray(A)[:m, 4 : 4 + k]
    )
    right = np.asarray(B, order=order)[1 : 1 + k, 5 : 5 + n]
    add_product(C[6 : 6 + m, 7 : 7 + n], left, right, factor=-2.0, trans=trans)
    wanted = np.zeros((20, 20))
    wanted[6 : 6 + m, 7 : 7 + n] = -2.0 * (left.T if trans else left) @ right
    assert np.allclose(C, wanted, rtol=1e-14)


def test_what_blas_cannot_read_is_refused():
    C, single = np.zeros((4, 4), order="F"), np.zeros((4, 4), dtype=np.float32, order="F")
    for A in (
        single,
        np.zeros((4, 4)),
        np.zeros((8, 4), order="F")[::2],
        np.zeros((4, 4), order="F")[:, ::-1],
    ):
        with pytest.raises(ValueError, match="columns of adjacent numbers"):
            add_product(C, A, C)
    with pytest.raises(ValueError, match="columns of adjacent numbers"):
        solve_triangle(C, np.zeros((4, 4)))


def test_one_ridge_after_the_other(gram):
    for shift in (1.0, 1e-3, 10.0):
        assert gram.factor(shift)
        full = GRAM + shift * np.eye(N)
        inverse = np.linalg.inv(full)
        assert np.allclose(full @ gram.solve(np.eye(N)), np.eye(N), atol=1e-9)
        root = gram.root()
        assert np.array_equal(root, np.triu(root))
        assert np.allclose(root @ root.T, inverse, rtol=1e-9)
        assert np.isclose(gram.inverse_trace(), np.trace(inverse), rtol=1e-9)
        whitened = gram.whiten(ROWS.T.copy())
        leverage = np.einsum("ij,jk,ik->i", ROWS, inverse, ROWS)
        assert np.allclose((whitened**2).sum(axis=0), leverage, rtol=1e-9)
        assert np.allclose(gram.back(whitened), inverse @ ROWS.T, rtol=1e-6)
        assert 0.1 < gram.condition() / np.linalg.cond(full, 1) <= 1.01


def test_what_it_knows_of_the_matrix_whatever_was_factored(gram):
    for shift in (None, 1.0):
        assert shift is None or gram.factor(shift)
        assert len(gram) == N
        assert np.array_equal(gram.diagonal, np.diagonal(GRAM))
        assert np.isclose(gram.one_norm(), np.abs(GRAM).sum(axis=0).max())
        assert np.isclose(gram.frobenius(), np.linalg.norm(GRAM))
        assert np.allclose(gram.some(3), GRAM[::3, ::3])


def test_a_ridge_that_is_too_small_is_not_the_end(gram):
    assert not gram.factor(-1.0)
    assert gram.shift is None
    assert gram.factor(1.0)
    assert np.allclose((GRAM + np.eye(N)) @ gram.solve(GRAM), GRAM)


def test_nothing_is_factored_twice(gram, monkeypatch):
    gram.factor(1.0)
    monkeypatch.setattr(type(gram), "_factor", None)
    assert gram.factor(1.0)
    assert gram.factor(np.nextafter(1.0, 2.0))  # a ridge that went to a ratio and back


def test_huge_and_tiny_numbers_neither_overflow_nor_vanish():
    for scale in (1e-160, 1e150):
        made = InPlace(np.asfortranarray(np.tril(GRAM)) * scale)
        assert np.isclose(made.frobenius(), np.linalg.norm(GRAM) * scale)


def test_the_memory_is_that_of_the_matrix():
    lower = np.asfortranarray(np.tril(GRAM))
    made = InPlace(lower)
    made.factor(1.0)
    assert np.allclose(np.triu(lower).T @ np.triu(lower), GRAM + np.eye(N))
    assert np.array_equal(np.tril(lower, -1), np.tril(GRAM, -1))
