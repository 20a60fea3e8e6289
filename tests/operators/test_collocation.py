"""Equations solved in sampled functions, against closed forms and other methods."""

import mpmath
import numpy as np
import pytest

from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.operators import (
    Box,
    Condition,
    Jet,
    evolve,
    gaussian_field,
    periodic,
    sample_basis,
    solve_burgers,
    solve_pde,
)

SQUARE = Box([0, 0], [1, 1])
INTERVAL = Box(0, 1)


@pytest.mark.parametrize("activation", ["tanh", "sin", "cos"])
def test_derivatives_are_those_of_high_precision(activation):
    basis = sample_basis(Box([0, -1], [2, 1]), 3, activation=activation, scale=2.0)
    x = np.array([[0.7, -0.2]])
    for orders in [(0, 0), (1, 0), (2, 1), (0, 4)]:
        found = basis.partial(x, orders)[0]
        with mpmath.workdps(40):
            for j in range(3):
                w, b = [mpmath.mpf(float(v)) for v in basis.weights[:, j]], basis.biases[j]
                f = getattr(mpmath, activation)
                total = sum(orders)
                z = w[0] * x[0, 0] + w[1] * x[0, 1] + mpmath.mpf(float(b))
                true = mpmath.diff(f, z, total) * w[0] ** orders[0] * w[1] ** orders[1]
                size = abs(w[0] ** orders[0] * w[1] ** orders[1])
                assert abs(found[j] - true) <= 1e-13 * 24 * size
        assert found[3] == (1.0 if orders == (0, 0) else 0.0)
    laplacian = basis.partial(x, (2, 0)) + basis.partial(x, (0, 2))
    assert np.allclose(basis.laplacian(x), laplacian, rtol=1e-13)


def test_poisson_on_a_square():
    def true(x):
        return np.sin(np.pi * x[:, 0]) * np.exp(x[:, 1])

    def source(x):
        return (np.pi**2 - 1) * true(x)

    u = solve_pde(lambda x, u: -u.laplacian, source, SQUARE, boundary=true, width=300)
    points, _ = SQUARE.quadrature(500)
    assert np.abs(u(points) - true(points)).max() < 1e-6
    assert u.residual < 1e-4
    edge = SQUARE.faces(123)
    assert np.abs(u(edge) - true(edge)).max() < 1e-8


def test_variable_coefficients_and_slopes_on_the_boundary():
    # -((1 + x) u')' = -1 - 4x with u = x^2: u(0) = 0, u'(1) = 2.
    ends = [
        Condition(np.array([[0.0]]), 0.0),
        Condition(np.array([[1.0]]), 2.0, lambda x, u: u.dx()),
    ]
    u = solve_pde(
        lambda x, u: -(1 + x) * u.dx(order=2) - u.dx(),
        lambda x: -2 - 4 * x[:, 0],
        INTERVAL,
        boundary=ends,
        width=60,
    )
    x = np.linspace(0, 1, 33)
    assert np.abs(u(x) - x**2).max() < 1e-9
    assert np.abs(u.partial(x, (1,)) - 2 * x).max() < 1e-7


def test_many_dimensions_weigh_their_boundary():
    box = Box(np.zeros(5), np.ones(5))

    def true(x):
        return (x**2).sum(axis=1)

    u = solve_pde(
        lambda x, u: u.laplacian, 10.0, box, boundary=true, weight=10.0, width=400, n_points=1024
    )
    points, _ = box.quadrature(256, random_state=5)
    error = np.linalg.norm(u(points) - true(points)) / np.linalg.norm(true(points))
    assert error < 1e-2


def test_advection_keeps_its_shape():
    circle = Box(0, 2 * np.pi)
    u = evolve(
        lambda t, x, u: -40 * u.dx(),
        lambda x: np.sin(x[:, 0]),
        circle,
        [0.0, 0.5, 1.0],
        boundary=periodic(circle),
        linear=True,
        width=60,
    )
    x = np.linspace(0, 2 * np.pi, 200)
    for values, t in zip(u(x), u.times, strict=True):
        assert np.abs(values - np.sin(x - 40 * t)).max() < 1e-7


def test_burgers_meets_the_spectral_solver():
    n = 64
    x = np.arange(n) / n
    u0 = gaussian_field(1, n, power=6.0, amplitude=1000.0)
    k = np.fft.rfft(u0[0], norm="forward")[:9]

    def initial(points):
        waves = np.exp(2j * np.pi * np.outer(points[:, 0], np.arange(9)))
        return (waves * k * np.r_[1.0, np.full(8, 2.0)]).sum(axis=1).real

    u0 = initial(x[:, None])[None]
    u = evolve(
        lambda t, x, u: 0.02 * u.dx(order=2) - u.value * u.dx(),
        initial,
        INTERVAL,
        [0.0, 0.3],
        boundary=periodic(INTERVAL),
        width=120,
        scale=2.0,
    )
    true = solve_burgers(u0, viscosity=0.02, time=0.3)[0]
    assert np.abs(u(x)[1] - true).max() < 1e-5 * np.abs(true).max()


def test_boundary_values_that_move():
    # u = exp(-t) cos(x) + t solves u_t = u_xx + 1.
    u = evolve(
        lambda t, x, u: u.dx(order=2) + 1.0,
        lambda x: np.cos(x[:, 0]),
        INTERVAL,
        [0.0, 1.0],
        boundary=lambda t, x: np.exp(-t) * np.cos(x[:, 0]) + t,
        width=50,
    )
    x = np.linspace(0, 1, 30)
    assert np.abs(u(x)[1] - (np.exp(-1) * np.cos(x) + 1)).max() < 1e-7


def test_a_jet_of_functions_and_of_a_combination_agree():
    basis = sample_basis(SQUARE, 10)
    points, weights = SQUARE.quadrature(49)
    assert weights.sum() == pytest.approx(1.0)
    jet = Jet(basis, points)
    c = np.ones((11, 1))
    assert np.allclose(jet.at(c).partial(1, 1), jet.partial(1, 1) @ c)
    assert jet.at(c).value.shape == (49, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Box([0, 1], [1, 1]), "low < high"),
        (lambda: Box([0], [1, 1]), "the same"),
        (lambda: sample_basis(SQUARE, 5, activation="relu"), "smooth"),
        (lambda: solve_pde(lambda x, u: u.value[:, :1], 0.0, INTERVAL, width=20), "operator ret"),
        (lambda: solve_pde(lambda x, u: u.value, lambda x: x, SQUARE, width=20), "source returned"),
        (lambda: solve_pde(lambda x, u: u.value, np.nan, INTERVAL, width=20), "source returned"),
        (lambda: solve_pde(lambda x, u: u.value, 0.0, INTERVAL, boundary=[1], width=20), "Cond"),
        (
            lambda: evolve(
                lambda t, x, u: u.laplacian, 0.0, Box(np.zeros(6), np.ones(6)), [0, 1], width=5
            ),
            "determine all",
        ),
        (lambda: evolve(lambda t, x, u: u.value, 0.0, INTERVAL, [1.0, 0.0]), "increasing times"),
        (
            lambda: evolve(lambda t, x, u: x[:, 0], 1.0, INTERVAL, [0.0, 1.0], width=20),
            "rate returned",
        ),
        (lambda: sample_basis(SQUARE, 5).partial(np.ones((1, 2)), (1,)), "orders="),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((InvalidDataError, InvalidSettingError), match=message):
        call()


def test_points_of_another_dimension_are_refused():
    u = solve_pde(lambda x, u: u.dx(order=2), 0.0, INTERVAL, boundary=1.0, width=20)
    assert np.allclose(u([0.5]), 1.0)
    with pytest.raises(InvalidDataError, match=r"points of shape \(n, 1\)"):
        u(np.ones((3, 2)))
