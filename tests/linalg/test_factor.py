"""Orthonormal bases by products, where that is accurate, and by reflections elsewhere."""

import numpy as np
import pytest

from solvenet.linalg import factor
from solvenet.linalg.factor import orthonormal

RNG = np.random.default_rng(0)
EPS = np.finfo(float).eps


def columns(m, k, decades):
    """Columns that are all nearly parallel: a random mixture of a graded basis."""
    U = np.linalg.qr(RNG.standard_normal((m, k)))[0]
    return (U * 10.0 ** (-decades * np.arange(k) / k)) @ RNG.standard_normal((k, k))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("scales", [0, 20])
@pytest.mark.parametrize("decades", [0, 3, 6, 9, 14, 30])
@pytest.mark.parametrize("shape", [(200, 40), (40, 40), (50, 1)])
def test_orthonormal_to_rounding(shape, decades, scales, order):
    k = shape[1]
    Y = np.asarray(columns(*shape, decades) * 10.0 ** (-scales * np.arange(k) / k), order=order)
    before = Y.copy()
    Q, R = orthonormal(Y)
    assert np.array_equal(Y, before)
    assert np.abs(Q.T @ Q - np.eye(k)).max() < 100 * EPS
    assert not np.tril(R, -1).any()
    assert (np.linalg.norm(Q @ R - Y, axis=0) < 100 * EPS * np.linalg.norm(Y, axis=0)).all()


@pytest.mark.parametrize("Y", [np.zeros((6, 2)), np.ones((6, 2)), np.zeros((6, 0))])
def test_degenerate_columns(Y):
    Q, R = orthonormal(Y)
    assert np.abs(Q.T @ Q - np.eye(Y.shape[1])).max(initial=0.0) < 100 * EPS
    assert np.allclose(Q @ R, Y, atol=1e-14)


def test_products_suffice_where_the_columns_are_independent(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(factor.scipy.linalg, "qr", refuse)
    orthonormal(columns(300, 30, 3))
    with pytest.raises(AssertionError):
        orthonormal(columns(300, 30, 12))
