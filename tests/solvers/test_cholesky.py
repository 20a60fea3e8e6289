"""Ridges by Cholesky factors: few of them, in the memory of the Gram matrix, with exact scores."""

import tracemalloc

import numpy as np
import pytest

from solvenet.blocks import MappedBlocks, as_row_blocks
from solvenet.linalg.shifted import InPlace
from solvenet.solvers import SVD, NormalEquations, leave_one_out

RNG = np.random.default_rng(0)


def network(n_rows, n_cols, noise=0.1, n_targets=10, rows_per_block=100):
    """Features on the fly and targets of ten functions with noise."""
    X = RNG.random((n_rows, 8))
    W, b = RNG.standard_normal((8, n_cols)), RNG.uniform(-1, 1, n_cols)
    B = np.stack([np.sin((2 + k) * X[:, k % 8] + X[:, 0]) for k in range(n_targets)], axis=1)

    def features(X, out=None):
        H = np.matmul(X, W, out=out)
        H += b
        return np.tanh(H, out=H)

    source = as_row_blocks(X, rows_per_block=rows_per_block)
    A = MappedBlocks(source, features, n_cols, into=True)
    return A, B + noise * RNG.standard_normal(B.shape)


@pytest.fixture
def factors(monkeypatch):
    """Count the factors that are computed."""
    shifts = []
    original = InPlace._factor

    def counted(self, shift):
        shifts.append(shift)
        return original(self, shift)

    monkeypatch.setattr(InPlace, "_factor", counted)
    return shifts


def test_memory_is_one_matrix_and_the_rows_to_choose_by():
    """From the products to leave-one-out errors nothing else of that size is ever made."""
    n_cols, n_kept = 1500, 1000
    A, B = network(2000, n_cols)
    NormalEquations(spectrum=False).solve(*network(300, 20), alpha="auto", intercept=True)
    tracemalloc.start()
    result = NormalEquations(spectrum=False).solve(A, B, alpha="auto", intercept=True)
    leave_one_out(A, B, result)
    result.degrees_of_freedom, result.condition  # noqa: B018
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    square, kept = 8 * n_cols**2, 8 * n_cols * n_kept
    # The scout: a tenth of the columns (here 400), its eigenvectors and their workspace.
    scout = 8 * 400 * (5 * 400 + 4 * n_kept)
    assert result.curve.n_rows == n_kept
    assert peak < 1.02 * square + max(4 * kept, kept + scout)


@pytest.mark.parametrize("noise", [1e-3, 0.1, 1.0])
def test_few_factors_find_the_ridge(noise, factors):
    A, B = network(2500, 800, noise)
    result = NormalEquations(spectrum=False).solve(A, B, alpha="auto", intercept=True)
    assert 1 <= len(factors) <= 4
    whole = SVD().solve(A, B, alpha="auto", intercept=True)
    assert result.curve.score <= 1.02 * whole.curve.score
    before = len(factors)
    leave_one_out(A, B, result)
    # The factor of the search is there, unless another ridge was tried after it.
    assert len(factors) - before == (factors[before - 1] != pytest.approx(result.alpha))


def test_scores_have_the_slopes_that_they_should_have():
    A, B = network(400, 60, n_targets=3)
    weights = RNG.integers(1, 4, 400) * 0.5
    result = NormalEquations(spectrum=False).solve(
        A, B, alpha="auto", intercept=True, weights=weights
    )
    made, h = result.factorization, 1e-4
    for ratio in (1e-6, 1e-3, 1.0):
        below, here, above = (made._row_scores(ratio * np.exp(k * h)) for k in (-1, 0, 1))
        slopes = (above.squares - below.squares) / (2 * h)
        curvatures = (above.slopes - below.slopes) / (2 * h)
        assert np.allclose(here.slopes, slopes, rtol=1e-4, atol=1e-6 * np.abs(slopes).max())
        assert np.allclose(
            here.curvatures, curvatures, rtol=1e-4, atol=1e-6 * np.abs(curvatures).max()
        )


def test_cross_validation_factors_each_ridge_once(factors):
    A, B = network(1500, 300)
    result = NormalEquations(spectrum=False).solve(A, B, alpha="auto", criterion="gcv")
    chosen = [shift for shift in factors if shift == pytest.approx(result.alpha)]
    assert len(factors) == len(result.curve.values) + (len(chosen) - 1)
    assert len(chosen) <= 2


def test_solutions_are_remembered_in_bounded_memory():
    A, B = network(900, 40, n_targets=30)
    made = NormalEquations(spectrum=False).solve(A, B, alpha=1.0).factorization
    for ratio in np.geomspace(1e-6, 1, 20):
        made.coef(ratio)
    assert len(made._solutions) == 1
