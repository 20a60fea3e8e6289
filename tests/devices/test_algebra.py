"""Cholesky factors on a device, and the search for the ridge by them."""

import pickle

import numpy as np
import pytest
from tests.devices.conftest import N_TARGETS, network, records

from solvenet.devices import DeviceAlgebra, algebra_on, device_gram, solve_ridge
from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.algebra import HOST
from solvenet.linalg.rank import GRAM_RESOLUTION
from solvenet.reductions import GramReduction
from solvenet.solvers.cholesky import cholesky_from_gram
from solvenet.solvers.factorization import KeptRows, ProblemFacts


@pytest.fixture
def products(data):
    X, B, weights = data
    features = network(X, widths=(600,))
    gram = GramReduction(600, N_TARGETS, center=True)
    gram.update(features(X), B, weights)
    return gram.products()


def test_every_operation_is_that_of_the_host(device, products):
    there = DeviceAlgebra(device)
    scale = np.trace(products.lower)
    results = []
    for algebra in (HOST, there):
        G, B = algebra.hold(products.lower), algebra.hold(products.AB)
        L = algebra.cholesky(G, 1e-6 * scale)
        parts = [
            np.tril(algebra.fetch(L)),
            algebra.fetch(algebra.cholesky_solve(L, B)),
            algebra.fetch(algebra.triangular_solve(L, B)),
            algebra.fetch(
                algebra.triangular_solve(algebra.hold(np.tril(algebra.fetch(L)).T), B, lower=False)
            ),
            algebra.fetch(algebra.triangular_inverse(L)),
            algebra.fetch(algebra.multiply(G, B)),
            algebra.fetch(algebra.column_sumsq(B)),
            np.array(algebra.sumsq(B)),
        ]
        results.append(parts)
    for found, wanted in zip(*reversed(results), strict=True):
        assert found.shape == wanted.shape
        assert np.linalg.norm(found - wanted) <= 1e-9 * np.linalg.norm(wanted)


def test_the_upper_triangle_is_not_read(device, products):
    there = DeviceAlgebra(device)
    noise = products.lower + np.triu(np.full_like(products.lower, np.nan), 1)
    L = there.cholesky(there.hold(noise), 1.0)
    assert np.isfinite(there.fetch(L)).all()


def test_what_is_not_positive_definite_has_no_factor(device):
    there = DeviceAlgebra(device)
    for bad in (-np.eye(3), np.diag([1.0, -1.0, 1.0])):
        assert there.cholesky(there.hold(bad), 0.0) is None
        assert there.cholesky(there.hold(bad), 2.0) is not None


def test_a_ridge_solution_from_rows_to_coefficients(device, data):
    """Both passes and both solves in float64: the same model."""
    X, B, weights = data
    features = network(X, widths=(200,))
    host = GramReduction(200, N_TARGETS, center=True)
    host.update(features(X), B, weights)
    wanted = host.products()
    found = device_gram(
        records(X, B, weights), features, N_TARGETS, center=True, device=device
    ).products()
    alpha = 1e-6 * np.trace(wanted.lower)
    centred = features(X) - wanted.mean_A
    a = centred @ solve_ridge(found, alpha, device)
    b = centred @ solve_ridge(wanted, alpha)
    assert np.linalg.norm(a - b) < 1e-9 * np.linalg.norm(b)


def test_a_matrix_that_cannot_be_factored_says_what_to_do(device):
    products = GramReduction(2, 1, center=False)
    products.update(np.ones((1, 2)), np.ones((1, 1)))
    with pytest.raises(UnsupportedProblemError, match="larger alpha, precision='float64'"):
        solve_ridge(products.products(), -1.0, device)


@pytest.mark.parametrize("criterion", ["loo", "gcv"])
def test_the_ridge_that_is_chosen_is_that_of_the_host(device, data, products, criterion):
    X, B, weights = data
    features = network(X, widths=(600,))
    kept = KeptRows(
        features(X[:300]), B[:300] + 0.1 * np.cos(np.arange(600.0)).reshape(300, 2), weights[:300]
    )
    facts = ProblemFacts(
        products.BB,
        products.mean_A,
        products.mean_B,
        float(len(X)),
        float(weights.sum()),
        True,
        kept,
    )
    curves, factorizations = [], []
    for algebra in (HOST, algebra_on(device)):
        made = cholesky_from_gram(
            products.lower.copy(order="K"),  # it is taken over
            products.AB,
            facts=facts,
            resolution=GRAM_RESOLUTION * 1e6,
            algebra=algebra,
        )
        curves.append(made.choose_ridge(criterion))
        factorizations.append(made)
    assert np.allclose(curves[0].values, curves[1].values, rtol=1e-6)
    assert np.isclose(curves[0].value, curves[1].value, rtol=1e-6)
    assert np.allclose(curves[0].scores, curves[1].scores, rtol=1e-6)
    host, there = (pickle.loads(pickle.dumps(f)) for f in factorizations)
    ratio = host.ratio(curves[0].value)
    for name in ("coef", "residual_sumsq", "degrees_of_freedom", "covariance_root"):
        wanted, found = getattr(host, name)(ratio), getattr(there, name)(ratio)
        assert isinstance(found, float | np.ndarray)
        assert np.linalg.norm(found - wanted) <= 1e-6 * np.linalg.norm(wanted), name
    assert np.isclose(host.condition(), there.condition(), rtol=1e-3)


def test_no_device_is_the_host():
    assert algebra_on(None) is HOST
