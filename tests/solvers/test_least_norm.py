"""Without singular vectors the same solution, and the same answers when they are asked for."""

import numpy as np
import pytest

from solvenet import QR, SVD
from solvenet.solvers import least_norm, leave_one_out
from solvenet.testing import with_spectrum

RNG = np.random.default_rng(0)


def graded(m, n, decades):
    k = min(m, n)
    return with_spectrum(RNG, (m, n), 10.0 ** (-decades * np.arange(k) / k))


SHAPES = {"tall": (300, 40), "square": (60, 60), "wide": (40, 120)}


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("kind", [SVD, QR])
@pytest.mark.parametrize("shape", SHAPES)
def test_same_as_with_the_spectrum(shape, kind, intercept):
    A = graded(*SHAPES[shape], 10)
    B = RNG.standard_normal((len(A), 2))
    w = RNG.random(len(A)) + 0.5
    options = {"rcond": 1e-6, "intercept": intercept, "weights": w, "audit": "full"}
    without, full = kind(spectrum=False).solve(A, B, **options), kind().solve(A, B, **options)
    assert isinstance(without.factorization, least_norm.LeastNormFactorization)
    assert without.rank == full.rank < min(A.shape)
    assert without.stop_reason is full.stop_reason
    assert np.allclose(without.coef, full.coef, rtol=1e-7, atol=1e-9 * np.abs(full.coef).max())
    assert np.allclose(without.intercept, full.intercept, rtol=1e-7)
    assert np.allclose(without.singular_values, full.singular_values, atol=1e-14)
    assert np.allclose(without.residual_norm, full.residual_norm)
    assert np.isclose(without.condition, full.condition, rtol=0.1)
    assert without.degrees_of_freedom == pytest.approx(full.degrees_of_freedom)
    P, expected = without.covariance_root(), full.covariance_root()
    assert np.allclose(P @ P.T, expected @ expected.T, rtol=1e-6, atol=1e-9 * (P**2).max())
    assert without.backward_error < 1e-14
    one, other = (leave_one_out(A, B, r, weights=w) for r in (without, full))
    assert np.allclose(one.leverages, other.leverages, rtol=1e-6)


def test_vectors_are_computed_only_when_asked_for(monkeypatch):
    calls = []
    plain = least_norm.spectral_from_matrix
    monkeypatch.setattr(
        least_norm, "spectral_from_matrix", lambda *a, **k: calls.append(1) or plain(*a, **k)
    )
    result = SVD(spectrum=False).solve(graded(300, 40, 10), RNG.standard_normal(300), rcond=1e-6)
    result.summary()
    assert not calls
    result.covariance_root()
    result.covariance_root()
    assert len(calls) == 1


def test_leading_triplets_where_they_are_few():
    A = graded(900, 700, 60)
    result = SVD(spectrum=False).solve(A, RNG.standard_normal(900), rcond=1e-8)
    assert not isinstance(result.factorization, least_norm.LeastNormFactorization)
    assert len(result.singular_values) < 300
