"""Grids, Fourier series and POD."""

import warnings

import numpy as np
import pytest

from solvenet.errors import InvalidDataError, InvalidSettingError, SolvenetWarning
from solvenet.operators import (
    FourierSeries,
    Galilean,
    Shift,
    fit_pod,
    gaussian_field,
    solve_burgers,
)
from solvenet.operators.fields import Axis, make_grid, read_fields, warn_if_not_periodic

TURN = 2 * np.pi
X = np.arange(16) / 16
UNEVEN = np.sort(np.random.default_rng(0).random(200))


def wave(x):
    return np.sin(TURN * x) + 0.5 * np.cos(3 * TURN * x) + 0.2


@pytest.mark.parametrize("n", [15, 16])
def test_waves_pass_to_any_points(n):
    x = np.arange(n) / n
    matrix = Axis(x, 1.0).interpolation(UNEVEN)
    assert np.allclose(matrix @ wave(x), wave(UNEVEN), atol=1e-13)
    assert np.allclose(matrix.sum(axis=1), 1.0)


def test_splines_where_a_grid_is_uneven_or_not_periodic():
    new = np.linspace(UNEVEN[0], UNEVEN[-1], 50)
    assert np.abs(Axis(UNEVEN, None).interpolation(new) @ wave(UNEVEN) - wave(new)).max() < 2e-3
    assert np.abs(Axis(UNEVEN, 1.0).interpolation(X) @ wave(UNEVEN) - wave(X)).max() < 2e-3
    with pytest.raises(InvalidDataError, match="whole domain"):
        Axis(UNEVEN, None).interpolation(np.array([-0.1, 0.5]))


def test_series_are_orthonormal_and_exact():
    grid = make_grid((X, X[:12] * 16 / 12), (16, 12), "auto")
    fields = gaussian_field(3, (16, 12))[:, None]
    series = FourierSeries.of(grid, 100)
    assert series.shape == (15, 11)
    C = series.analyse(fields, grid)
    assert np.allclose((C**2).sum(axis=(1, 2, 3)), (fields**2).mean(axis=(1, 2, 3)))
    assert np.allclose(series.synthesise(C, grid), fields)
    fine = make_grid(None, (40, 30), "auto")
    assert np.allclose(series.analyse(series.synthesise(C, fine), fine), C)
    assert series.frequencies[2, 4] == pytest.approx(TURN * np.hypot(1, 2))


def test_a_coarser_grid_than_the_series_is_interpolated():
    series = FourierSeries.of(make_grid(None, (64,), "auto"), 20)
    coarse = make_grid(None, (16,), "auto")
    C = series.analyse(wave(X)[None, None], coarse)
    assert np.allclose(series.synthesise(C, coarse)[0, 0], wave(X), atol=1e-12)


def test_even_waves_of_an_axis_that_is_not_periodic():
    x = np.linspace(0, 2, 33)
    grid = make_grid(x, (33,), None)
    series = FourierSeries.of(grid, 24)
    values = np.cos(1.5 * np.pi * x)
    found = series.synthesise(series.analyse(values[None, None], grid), grid)
    assert np.abs(found - values).max() < 1e-3


def test_symmetries_of_burgers():
    u0 = gaussian_field(5, 64, random_state=3)[:, None]
    u = solve_burgers(u0[:, 0], time=0.4)[:, None]
    grid = make_grid(None, (64,), "auto")
    series = FourierSeries.of(grid, 100)
    A, U = series.analyse(u0, grid), series.analyse(u, grid)
    for symmetry in (Shift(), Galilean(0.4)):
        place = symmetry.place(A, series)
        moved = symmetry.remove(A, series, place)
        there = solve_burgers(series.synthesise(moved, grid)[:, 0], time=0.4)[:, None]
        assert np.allclose(
            series.synthesise(symmetry.undo(U, series, place), grid), there, atol=1e-8
        )
        back = symmetry.restore(series.analyse(there, grid), series, place)
        assert np.allclose(series.synthesise(back, grid), u, atol=1e-6)
        assert np.allclose(symmetry.place(moved, series), 0.0, atol=1e-12)


def test_shifts_along_the_second_axis():
    grid = make_grid(None, (8, 8), "auto")
    series = FourierSeries.of(grid, 8)
    x, y = np.meshgrid(X[::2], X[::2], indexing="ij")
    f = np.sin(TURN * x) * np.cos(TURN * y + 0.3)
    moved = series.shift(series.analyse(f[None, None], grid), 1, np.array([0.1]))
    expected = np.sin(TURN * x) * np.cos(TURN * (y - 0.1) + 0.3)
    assert np.allclose(series.synthesise(moved, grid), expected, atol=1e-13)


def test_pod_is_the_truncated_svd():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((60, 12)) * 0.5 ** np.arange(12) @ rng.standard_normal((12, 40))
    pod = fit_pod(rows, 5)
    centred = rows - rows.mean(axis=0)
    _, s, Vt = np.linalg.svd(centred)
    assert np.allclose(pod.energies, s[:5] ** 2 / (s**2).sum(), rtol=1e-8)
    assert np.allclose(np.abs(np.sum(pod.modes * Vt[:5], axis=1)), 1.0, atol=1e-6)
    assert np.allclose(pod.modes @ pod.modes.T, np.eye(5), atol=1e-12)
    assert len(fit_pod(rows, 30).modes) == 12  # the rank


def test_jumps_are_warned_of_and_periods_are_not():
    grid = make_grid(None, (64,), "auto")
    x = np.arange(64) / 64
    with pytest.warns(SolvenetWarning, match="not periodic"):
        warn_if_not_periodic("a", (x * np.ones((3, 1)))[:, None], grid)
    with pytest.warns(SolvenetWarning, match="same values at the first and the last"):
        warn_if_not_periodic("a", np.sin(TURN * np.linspace(0, 1, 64))[None, None], grid)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_not_periodic("a", gaussian_field(3, 64)[:, None], grid)
        warn_if_not_periodic("a", np.ones((2, 1, 64)), grid)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_grid(X, (15,), "auto"), "they must match"),
        (lambda: make_grid(UNEVEN, (200,), "auto"), "cannot be guessed"),
        (lambda: make_grid(np.linspace(0, 1, 9), (9,), 1.0), "leave out the last"),
        (lambda: make_grid(X[::-1], (16,), 1.0), "must increase"),
        (lambda: make_grid(None, (16, 2), "auto"), "channel_axis=-1"),
        (lambda: make_grid((X, X), (16,), "auto"), "2 axes"),
        (lambda: make_grid(None, (16,), (1.0, 1.0)), "one for each"),
        (lambda: make_grid(np.where(X == 0.5, np.nan, X), (16,), 1.0), "NaN"),
        (lambda: read_fields("a", np.ones(5), channel_axis=1, n_axes=None), "a has shape"),
        (lambda: read_fields("a", np.ones((2, 1, 4, 4)), channel_axis=1, n_axes=1), "1 grid axes"),
        (lambda: read_fields("a", [[np.nan, 1.0]], channel_axis=1, n_axes=None), "NaN"),
        (lambda: fit_pod(np.ones((3, 3)), 0), "n_modes=0"),
        (lambda: Galilean(-1.0), "time=-1.0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((InvalidDataError, InvalidSettingError), match=message):
        call()


def test_channels_may_stand_anywhere():
    fields = np.arange(24.0).reshape(2, 4, 3)
    assert read_fields("a", fields, channel_axis=-1, n_axes=None).shape == (2, 3, 4)
    assert read_fields("a", fields, channel_axis=None, n_axes=None).shape == (2, 1, 4, 3)
    assert read_fields("a", fields[:, 0], channel_axis=1, n_axes=None).shape == (2, 1, 3)
