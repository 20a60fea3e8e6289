import numpy as np
import pytest

from solvenet.errors import InvalidDataError
from solvenet.operators import nrmse, relative_h1, relative_l2, vrmse


def test_each_error_by_hand():
    true = np.array([[[3.0, 4.0], [1.0, 3.0]]])
    predicted = true + np.array([[[0.3, 0.4], [0.0, 1.0]]])
    assert relative_l2(predicted, true) == pytest.approx(np.sqrt(1.25 / 35))
    assert nrmse(predicted, true) == pytest.approx((0.1 + 1 / np.sqrt(10)) / 2)
    assert vrmse(predicted, true) == pytest.approx((0.5 / np.sqrt(0.5) + 1 / np.sqrt(2)) / 2)


def test_predicting_the_mean_has_vrmse_one():
    true = np.random.default_rng(0).random((5, 2, 4, 6))
    flat = np.broadcast_to(true.mean(axis=(2, 3), keepdims=True), true.shape)
    assert vrmse(flat, true) == pytest.approx(1.0)


def test_h1_counts_slopes():
    x = np.arange(32) / 32 * 2
    true = np.sin(np.pi * x)[None, None]
    error = 0.01 * np.cos(3 * np.pi * x)
    expected = 0.01 * np.sqrt((1 + 9 * np.pi**2) / (1 + np.pi**2))
    assert relative_h1(true + error, true, lengths=2.0) == pytest.approx(expected)
    # On a square the slopes of both axes, each with its period.
    square = np.sin(np.pi * x)[:, None] * np.ones(8)
    wave = np.ones((32, 1)) * np.cos(2 * np.pi * np.arange(8) / 8)
    found = relative_h1((square + 0.01 * wave)[None, None], square[None, None], lengths=(2.0, 1.0))
    assert found == pytest.approx(0.01 * np.sqrt((1 + 4 * np.pi**2) / (1 + np.pi**2)))


@pytest.mark.parametrize("metric", [relative_l2, nrmse, vrmse, relative_h1])
def test_bad_input(metric):
    good = np.random.default_rng(0).random((2, 1, 8))
    with pytest.raises(InvalidDataError, match="equal shapes"):
        metric(good, good[:1])
    with pytest.raises(InvalidDataError, match="predicted holds 1 NaN"):
        metric(np.where(good == good[0, 0, 0], np.nan, good), good)
    with pytest.raises(InvalidDataError, match=r"zero everywhere|constant"):
        metric(good, 0 * good)
    assert metric(good, good) == 0.0


def test_a_constant_field_has_no_vrmse():
    true = np.full((1, 1, 9), 0.1)
    with pytest.raises(InvalidDataError, match="constant"):
        vrmse(true + 1, true)
