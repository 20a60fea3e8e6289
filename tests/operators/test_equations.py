"""Reference solvers against closed forms, other methods and their own order."""

import numpy as np
import pytest
from scipy.integrate import quad_vec

from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.operators import (
    gaussian_field,
    solve_advection,
    solve_burgers,
    solve_darcy,
    solve_kuramoto_sivashinsky,
    solve_poisson,
)

TURN = 2 * np.pi


def cole_hopf(x, time, viscosity):
    """Burgers from sin(2 pi x): a ratio of integrals over the heat kernel."""

    def integrand(s):
        y = x - s * np.sqrt(4 * viscosity * time)
        weight = np.exp(-(s**2) - (1 - np.cos(TURN * y)) / (TURN * 2 * viscosity))
        return np.stack([np.sin(TURN * y) * weight, weight])

    top, bottom = quad_vec(integrand, -9, 9, epsabs=1e-13, epsrel=1e-13)[0]
    return top / bottom


@pytest.mark.parametrize("viscosity", [0.1, 0.01])
def test_burgers_is_the_cole_hopf_solution(viscosity):
    n = 64 if viscosity == 0.1 else 256
    x = np.arange(n) / n
    u = solve_burgers(np.sin(TURN * x)[None], viscosity=viscosity, time=[0.05, 0.3])[0]
    for values, time in zip(u, [0.05, 0.3], strict=True):
        true = cole_hopf(x, time, viscosity)
        assert np.abs(values - true).max() < 1e-8 * np.abs(true).max()


def test_burgers_steps_are_of_fourth_order():
    u0 = gaussian_field(3, 64, random_state=1)
    fine = solve_burgers(u0, viscosity=0.02, n_steps=3200)
    errors = [np.abs(solve_burgers(u0, viscosity=0.02, n_steps=n) - fine).max() for n in (400, 800)]
    assert 10 < errors[0] / errors[1] < 25


def test_the_default_steps_of_rough_initial_values_are_enough():
    u0 = gaussian_field(20, 128, random_state=2)
    error = np.abs(solve_burgers(u0) - solve_burgers(u0, n_steps=2000)).max()
    assert error < 1e-8


def test_burgers_conserves_its_mean_and_follows_a_moving_frame():
    u0 = gaussian_field(4, 64, random_state=3, zero_mean=True)
    still = solve_burgers(u0, time=0.5)
    assert np.abs(still.mean(axis=1)).max() < 1e-15
    moving = solve_burgers(u0 + 0.7, time=0.5)
    assert np.allclose(moving - 0.7, solve_advection(still, speed=0.7, time=0.5), atol=1e-9)


def test_advection_is_a_shift():
    x = np.arange(50) / 50
    u0 = np.stack([np.sin(TURN * x), np.cos(3 * TURN * x)])
    u = solve_advection(u0, speed=40.0, time=[0.0, 0.123])
    assert np.allclose(u[:, 0], u0, atol=1e-14)
    assert np.allclose(u[0, 1], np.sin(TURN * (x - 40 * 0.123)), atol=1e-13)
    assert np.allclose(solve_advection(u0, speed=40.0, time=0.123), u[:, 1])


def test_kuramoto_sivashinsky_modes_grow_as_linear_theory_says():
    n, length = 64, 22.0
    x = length * np.arange(n) / n
    k = TURN / length * np.array([1, 2, 4])
    u0 = 1e-9 * np.cos(k[:, None] * x)
    u = solve_kuramoto_sivashinsky(u0, time=2.0, length=length)
    amplitude = 2 * np.abs(np.fft.rfft(u, norm="forward"))[np.arange(3), [1, 2, 4]]
    assert np.allclose(amplitude, 1e-9 * np.exp(2.0 * (k**2 - k**4)), rtol=1e-7)


def test_kuramoto_sivashinsky_converges_in_time():
    x = 22 * np.arange(64) / 64
    u0 = (np.cos(TURN * x / 22) * (1 + np.sin(TURN * x / 22)))[None]
    u = solve_kuramoto_sivashinsky(u0, time=20.0)
    assert np.abs(u - solve_kuramoto_sivashinsky(u0, time=20.0, n_steps=8000)).max() < 1e-6


def test_poisson_and_darcy_agree_and_are_of_second_order():
    errors = []
    for n in (17, 33):
        x = np.linspace(0, 1, n)
        X, Y = np.meshgrid(x, x[: n - 4] / x[n - 5], indexing="ij")
        true = np.sin(np.pi * X) * np.sin(2 * np.pi * Y)
        f = 5 * np.pi**2 * true
        u = solve_poisson(f[None])[0]
        assert np.allclose(u, solve_darcy(np.ones((1, *f.shape)), f=f)[0], atol=1e-12)
        errors.append(np.abs(u - true).max())
    assert 3 < errors[0] / errors[1] < 6


def test_darcy_is_of_second_order_for_smooth_coefficients():
    errors = []
    for n in (17, 33):
        x = np.linspace(0, 1, n)
        X, Y = np.meshgrid(x, x, indexing="ij")
        true = np.sin(np.pi * X) * np.sin(np.pi * Y)
        a = np.exp(X + 0.5 * Y)
        slopes = np.pi * np.cos(np.pi * X) * np.sin(np.pi * Y) + 0.5 * np.pi * np.sin(
            np.pi * X
        ) * np.cos(np.pi * Y)
        f = a * (2 * np.pi**2 * true - slopes)
        errors.append(np.abs(solve_darcy(a[None], f=f)[0] - true).max())
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_darcy_through_a_jump():
    # u = sin(pi y) g(x), kinked where the coefficient jumps so that the flux does not.
    def error(n):
        x = np.linspace(0, 1, n)
        X, Y = np.meshgrid(x, x, indexing="ij")
        left = X < 0.5  # no node stands on the jump
        a = np.where(left, 1.0, 4.0)
        g = np.where(left, X, 0.5 + (X - 0.5) / 4 - 5 * (X - 0.5) ** 2 / 2)
        second = np.where(left, 0.0, -5.0)
        f = a * (np.pi**2 * g - second) * np.sin(np.pi * Y)
        true = g * np.sin(np.pi * Y)
        return np.abs(solve_darcy(a[None], f=f)[0] - true).max()

    assert error(66) < 0.35 * error(34)  # arithmetic means would halve it only


def test_random_fields_have_the_covariance():
    u = gaussian_field(4000, 32, length=2.0, random_state=1)
    modes = np.fft.rfft(u, norm="forward")
    k = np.pi * np.arange(17)
    variance = 625 / (k**2 + 25) ** 2
    assert np.allclose((np.abs(modes[:, :16]) ** 2).mean(axis=0), variance[:16], rtol=0.1)
    square = gaussian_field(3000, (8, 12), random_state=1)
    modes = np.fft.fftn(square, axes=(1, 2), norm="forward")
    kx, ky = TURN * np.fft.fftfreq(8, 1 / 8), TURN * np.fft.fftfreq(12, 1 / 12)
    variance = 625 / (kx[:, None] ** 2 + ky**2 + 25) ** 2
    found = (np.abs(modes) ** 2).mean(axis=0)
    for at in [(0, 0), (1, 0), (0, 1), (2, 3), (-1, 2)]:
        assert found[at] == pytest.approx(variance[at], rel=0.12)


def test_a_field_is_its_seed():
    assert np.array_equal(gaussian_field(2, 16), gaussian_field(2, 16))
    assert not np.array_equal(gaussian_field(2, 16), gaussian_field(2, 16, random_state=1))
    assert np.abs(gaussian_field(5, 16, zero_mean=True).mean(axis=1)).max() < 1e-15


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solve_burgers(np.ones(8)), "u0 has shape"),
        (lambda: solve_burgers([[1.0, np.nan, 0.0, 0.0]]), "u0 holds 1 NaN"),
        (lambda: solve_burgers(np.ones((1, 8)), time=[1.0, 0.5]), "increasing times"),
        (lambda: solve_burgers(np.ones((1, 8)), viscosity=0.0), "viscosity=0.0"),
        (lambda: solve_burgers(1e4 * np.eye(8), viscosity=1e-6, n_steps=3), "grew without bound"),
        (lambda: solve_poisson(np.ones((2, 2, 5))), "nodes an axis"),
        (lambda: solve_darcy(np.zeros((1, 5, 5))), "positive coefficients"),
        (lambda: solve_darcy(np.ones((1, 5, 5)), f=np.ones(4)), "f has shape"),
        (lambda: gaussian_field(2, 8, power=0.4), "power=0.4"),
        (lambda: gaussian_field(0, 8), "n_fields=0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((InvalidDataError, InvalidSettingError), match=message):
        call()
