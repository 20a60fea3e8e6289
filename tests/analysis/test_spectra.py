"""Spectrum: counting, slopes, features of data."""

import numpy as np
import pytest

from solvenet import SampledNetworkRegressor
from solvenet.analysis import Spectrum, feature_spectrum
from solvenet.blocks import as_row_blocks
from solvenet.errors import InvalidDataError, InvalidSettingError

LAW = Spectrum(eigenvalues=3.0 * np.arange(1, 101) ** -2.5, method="a law")
SHELLS = Spectrum(
    eigenvalues=np.array([4.0, 2.0, 1.0]), multiplicities=np.array([1, 3, 5]), method="shells"
)


def test_counts_include_the_threshold_itself():
    assert SHELLS.count(0.5) == 4
    assert SHELLS.count(0.51) == 1
    assert SHELLS.count(0.25) == SHELLS.n_modes == 9
    assert LAW.count(1e-4) == 39
    assert LAW.count(1e-9) == 100


def test_slope_of_a_power_law():
    assert LAW.slope(1, 100) == pytest.approx(-2.5, rel=1e-12)
    assert LAW.slope(50, 51) == pytest.approx(-2.5, rel=1e-10)


def test_multiplicities_are_written_out():
    np.testing.assert_array_equal(SHELLS.expanded(6), [4, 2, 2, 2, 1, 1])
    expected = np.polyfit(np.log(np.arange(2, 10)), np.log([2, 2, 2, 1, 1, 1, 1, 1]), 1)[0]
    assert SHELLS.slope(2, 9) == pytest.approx(expected)


def test_condition():
    assert LAW.condition == pytest.approx(1e5)
    assert SHELLS.condition == 4
    kernel = Spectrum(eigenvalues=np.array([2.0, 1.0]), complete=False, method="first two")
    assert kernel.condition == np.inf
    assert Spectrum(eigenvalues=np.array([2.0, 0.0]), method="singular").condition == np.inf


@pytest.mark.parametrize("window", [(0, 5), (5, 5), (7, 3), (1, 101), (1, 2.5)])
def test_windows_outside_of_the_spectrum_are_refused(window):
    with pytest.raises(InvalidSettingError, match="wanted"):
        LAW.slope(*window)


def test_features_of_a_fitted_network(rng):
    X = rng.uniform(-1, 1, (700, 3))
    model = SampledNetworkRegressor(60, random_state=0).fit(X, np.sin(3 * X[:, 0]))
    hidden = model.network_.hidden
    found = feature_spectrum(hidden, X)
    H = hidden(X)
    s = np.linalg.svd(H - H.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(
        np.sqrt(found.eigenvalues), s / np.sqrt(700), rtol=0, atol=1e-14 * s[0]
    )
    assert found.dimension == 3
    blocks = feature_spectrum(hidden, as_row_blocks(X, rows_per_block=97))
    np.testing.assert_allclose(blocks.eigenvalues[:10], found.eigenvalues[:10], rtol=1e-10)


def test_a_matrix_of_features_of_known_spectrum(rng):
    U = np.linalg.qr(rng.standard_normal((300, 20)))[0]
    V = np.linalg.qr(rng.standard_normal((20, 20)))[0]
    s = np.logspace(0, -12, 20)
    found = feature_spectrum((U * s) @ V.T, center=False)
    np.testing.assert_allclose(found.eigenvalues * 300, s**2, rtol=1e-3)
    assert found.condition == pytest.approx(1e24, rel=1e-3)
    assert found.resolution < 1e-25


def test_fewer_rows_than_features_leave_zeros(rng):
    found = feature_spectrum(rng.standard_normal((6, 9)))
    assert np.count_nonzero(found.eigenvalues) == 5  # six rows, less the mean
    assert len(found.eigenvalues) == 9


def test_constant_features_have_no_modes():
    found = feature_spectrum(np.ones((5, 3)))
    assert not found.eigenvalues.any()
    assert found.condition == np.inf
    assert feature_spectrum(np.ones((5, 3)), center=False).count(0.5) == 1


def test_one_row_has_no_spectrum_about_its_mean():
    assert not feature_spectrum(np.ones((1, 3))).eigenvalues.any()


def test_bad_features_are_refused(rng):
    X = rng.standard_normal((8, 2))
    with pytest.raises(InvalidDataError, match="NaN"):
        feature_spectrum(np.where(X > 1, np.nan, np.nan))
    with pytest.raises(InvalidDataError, match="no rows"):
        feature_spectrum(np.zeros((0, 2)))
    with pytest.raises(InvalidDataError, match="and its inputs X"):
        feature_spectrum(X, X)
    with pytest.raises(InvalidDataError, match="and its inputs X"):
        feature_spectrum(lambda x: x)
