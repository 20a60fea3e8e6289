"""Laws of half-times, their fits, and the time that remains."""

import math

import numpy as np
import pytest

from solvenet.analysis import (
    fit_power_law,
    half_time_bound,
    half_time_law,
    lazy_limit,
    predict_remaining,
)
from solvenet.errors import InvalidDataError, InvalidSettingError


def test_law_has_the_powers_of_fixed_and_of_trained_biases():
    m = np.geomspace(1, 100, 20)
    assert fit_power_law(m, half_time_law(m, 10)).slope == pytest.approx(4)
    assert fit_power_law(m, half_time_law(m, 10, amplitude=1e3)).slope == pytest.approx(2)
    np.testing.assert_allclose(half_time_law(m, 10), 2 * half_time_law(m, 20))
    assert half_time_law(2, 7) == pytest.approx(2 * math.log(2) / 7 * (2 * math.pi) ** 4)


def test_bound_is_far_below_the_law_and_grows_at_most_linearly():
    m = np.arange(1, 200)
    for amplitude in (0.0, 1.0, 10.0):
        bound = half_time_bound(m, 400, amplitude=amplitude)
        assert (bound < half_time_law(m, 400, amplitude=amplitude)).all()
    assert fit_power_law(m[10:], bound[10:]).slope == pytest.approx(1, abs=0.01)
    # The root of its quadratic equation.
    t, w = half_time_bound(3, 50, amplitude=2.0, norm=1.5), 3 * math.pi
    rate = 50 * (2 * math.sqrt(8 / 3) / w**2 + math.sqrt(2) * 4 / w)
    assert 1.5 * (rate * t + math.sqrt(2) / (4 * w) * t**2) == pytest.approx(0.5)


def test_barrier_is_where_total_variation_is_used_up():
    low, high = lazy_limit(400, 10.0)
    assert 4 * math.pi * low**2 == pytest.approx(4000)
    assert high == pytest.approx(math.sqrt(2) * low)
    assert lazy_limit(5, 0.0) == (0.0, 0.0)


def test_fit_recovers_a_law_and_its_error(rng):
    m = np.geomspace(1, 64, 200)
    noise = 0.1 * rng.standard_normal(200)
    law = fit_power_law(m, 3 * m**2.5 * np.exp(noise))
    assert abs(law.slope - 2.5) < 3 * law.error
    assert 0.2 * law.error < 0.1 / math.sqrt(200) < 2 * law.error * np.log(m).std()
    np.testing.assert_allclose(law(m), 3 * m**2.5, rtol=0.05)
    assert fit_power_law([1, 2, 4, 8], [9, 4, 16, math.inf], start=2).n_points == 2


def exponentials(rates, end=10.0, n=60):
    t = np.linspace(0, end, n)
    return t, np.exp(-t[:, None] * np.asarray(rates))


@pytest.mark.parametrize("tolerance", [0.5, 1e-2, 1e-6])
def test_remaining_time_is_exact_for_exponentials(tolerance):
    rates = np.array([2.0, 0.3, 0.05])
    t, modes = exponentials(rates)
    left = predict_remaining(t, modes, tolerance=tolerance)
    np.testing.assert_allclose(left.rates, rates, rtol=1e-8)
    then = np.exp(-rates * (10 + left.time))
    if left.time > 0:
        assert np.linalg.norm(then) == pytest.approx(tolerance * math.sqrt(3), rel=1e-6)
    else:
        assert np.linalg.norm(then) <= tolerance * math.sqrt(3)
    later = np.exp(-rates * (10 + left.times))
    assert (later <= tolerance * (1 + 1e-6)).all()
    assert not left.from_law.any()


def test_rates_that_cannot_be_seen_come_from_the_law_of_the_others(rng):
    m = np.array([1.0, 2.0, 4.0, 16.0])
    t, modes = exponentials(m**-4.0, end=200.0)
    noisy = modes * (1 + 1e-3 * rng.standard_normal(modes.shape))
    blind = predict_remaining(t, noisy, tolerance=0.1)
    assert blind.rates[3] == 0
    assert blind.time == math.inf
    left = predict_remaining(t, noisy, tolerance=0.1, frequency=m)
    np.testing.assert_array_equal(left.from_law, [False, False, False, True])
    assert left.rates[3] == pytest.approx(16**-4.0, rel=0.2)
    expected = -math.log(0.1 * 2) / 16**-4.0  # only the last mode is left: norm 2 at the start
    assert left.time == pytest.approx(expected, rel=0.2)
    alone = predict_remaining(t, noisy[:, [1, 3]], tolerance=0.1, frequency=m[[1, 3]])
    assert alone.rates[1] == pytest.approx(16**-4.0, rel=0.1)  # the exponent of fixed biases


def test_modes_learned_to_rounding_do_not_matter():
    t, modes = exponentials([50.0, 0.1])
    modes[-30:, 0] = 1e-16
    left = predict_remaining(t, modes, tolerance=0.05, frequency=[1, 2])
    assert np.isfinite(left.time)
    assert not left.from_law[0]


def test_a_residual_that_does_not_fall_takes_for_ever():
    t = np.arange(10.0)
    left = predict_remaining(t, np.ones((10, 1)), tolerance=0.5)
    assert left.time == math.inf
    assert left.times[0] == math.inf
    assert left.rates[0] == 0
    growing = predict_remaining(t, np.exp(t)[:, None], tolerance=0.5)
    assert growing.time == math.inf
    done = predict_remaining(t, np.zeros((10, 2)), tolerance=0.5)
    assert done.time == 0


T, C = np.arange(10.0), np.ones((10, 2))


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (InvalidSettingError, lambda: half_time_law(0, 10), "positive finite"),
        (InvalidSettingError, lambda: half_time_law([1, np.nan], 10), "positive finite"),
        (InvalidSettingError, lambda: half_time_law(1, 0), "n=0"),
        (InvalidSettingError, lambda: half_time_law(1, 2, amplitude=-1.0), "amplitude=-1"),
        (InvalidSettingError, lambda: half_time_bound(0.5, 10), "from 1 on"),
        (InvalidSettingError, lambda: half_time_bound(1, 10, norm=0.0), "norm=0"),
        (InvalidSettingError, lambda: lazy_limit(10, -1.0), "amplitude"),
        (InvalidDataError, lambda: fit_power_law([1, 2], [1.0]), "of one length"),
        (InvalidDataError, lambda: fit_power_law([1, 2], [1.0, -1.0]), "time of -1"),
        (InvalidDataError, lambda: fit_power_law([1, 2], [1.0, np.inf]), "1 frequencies"),
        (InvalidDataError, lambda: fit_power_law([3, 3], [1.0, 2.0]), "1 frequencies"),
        (InvalidSettingError, lambda: predict_remaining(T, C, tolerance=0.0), "tolerance=0"),
        (InvalidSettingError, lambda: predict_remaining(T, C, tolerance=2.0), "tolerance=2"),
        (InvalidSettingError, lambda: predict_remaining(T, C, tolerance=1, window=0), "window=0"),
        (InvalidDataError, lambda: predict_remaining(T, C[:3], tolerance=1), r"\(r, p\)"),
        (InvalidDataError, lambda: predict_remaining(T[:3], C[:3], tolerance=1), "at least 4"),
        (InvalidDataError, lambda: predict_remaining(T[:0], C[:0], tolerance=1), "0 records"),
        (InvalidDataError, lambda: predict_remaining(-T, C, tolerance=1), "time of -"),
        (InvalidDataError, lambda: predict_remaining(T[::-1], C, tolerance=1), "increase"),
        (InvalidDataError, lambda: predict_remaining(T, C * np.nan, tolerance=1), "projections"),
        (
            InvalidDataError,
            lambda: predict_remaining(T, C, tolerance=1, frequency=[1.0]),
            "for 2 modes",
        ),
    ],
)
def test_bad_input_is_refused(error, call, message):
    with pytest.raises(error, match=message):
        call()
