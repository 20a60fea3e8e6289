"""Equations solved in sampled functions: error against an independent solution, and seconds.

    python benchmarks/pdes.py

1. Advection, u_t + 40 u_x = 0 on a circle of length 2 pi, u(x, 0) = sin x, to t = 1: the standard
   failure of physics-informed networks. Reference: sin(x - 40 t).
2. Poisson on the unit square, u = sin(pi x) exp(y) on the boundary. Reference: that function.
3. Poisson on the unit square with -Laplacian u = f and zero on the boundary, where no solution is
   known: f = exp(x y) sin(pi x) sin(pi y). Reference: Chebyshev polynomials of degree 60, solved
   here.
4. The same with f = exp(x y), whose solution has singular second derivatives in the corners, as
   every f that is not zero there gives: no wanted error.
5. Burgers, viscosity 0.01 / pi, u(x, 0) = -sin(pi x) on [-1, 1], zero at the ends, to t = 0.3
   (before the front is a jump). Reference: the Cole-Hopf integral by Gauss-Hermite quadrature.
6. Heat in ten dimensions and time, u = |x|^2 + 20 t on the unit cube, in 11 variables at once.

Wanted: relative error of 1e-6 in 1, of 1e-8 in 2 and 3, each within 30 seconds. Exits with 1 where
one is missed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from solvenet.operators import Box, Condition, evolve, periodic, solve_pde

SQUARE = Box([0, 0], [1, 1])


def error(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def advection() -> float:
    circle = Box(0, 2 * np.pi)
    u = evolve(
        lambda t, x, u: -40 * u.dx(),
        lambda x: np.sin(x[:, 0]),
        circle,
        np.linspace(0, 1, 101),
        boundary=periodic(circle),
        linear=True,
        width=100,
    )
    x = np.linspace(0, 2 * np.pi, 256)
    return error(u(x), np.sin(x - 40 * u.times[:, None]))


def poisson() -> float:
    def true(x: np.ndarray) -> np.ndarray:
        return np.sin(np.pi * x[:, 0]) * np.exp(x[:, 1])

    u = solve_pde(
        lambda x, u: -u.laplacian,
        lambda x: (np.pi**2 - 1) * true(x),
        SQUARE,
        boundary=true,
    )
    points, _ = SQUARE.quadrature(10_000)
    return error(u(points), true(points))


def product(x: np.ndarray) -> np.ndarray:
    return np.exp(x[:, 0] * x[:, 1]) * np.sin(np.pi * x[:, 0]) * np.sin(np.pi * x[:, 1])


def corners(x: np.ndarray) -> np.ndarray:
    return np.exp(x[:, 0] * x[:, 1])


def unknown_poisson(f: Callable[[np.ndarray], np.ndarray]) -> float:
    u = solve_pde(lambda x, u: -u.laplacian, f, SQUARE)
    x, true = chebyshev_poisson(60, f)
    points = np.stack([axis.ravel() for axis in np.meshgrid(x, x, indexing="ij")], axis=1)
    return error(u(points), true.ravel())


def chebyshev_poisson(
    n: int, f: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Solve -Laplacian u = f on the unit square by Chebyshev collocation (Trefethen)."""
    i = np.arange(n + 1)
    x = np.cos(np.pi * i / n)
    c = np.where((i == 0) | (i == n), 2.0, 1.0) * (-1.0) ** i
    D = np.outer(c, 1 / c) / (x[:, None] - x + np.eye(n + 1))
    D -= np.diag(D.sum(axis=1))
    second = 4 * (D @ D)[1:-1, 1:-1]  # on the unit interval
    x = (1 + x[1:-1]) / 2
    values, vectors = np.linalg.eig(-second)
    inverse = np.linalg.inv(vectors)
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
    right = inverse @ f(points.reshape(-1, 2)).reshape(n - 1, n - 1) @ inverse.T
    u = vectors @ (right / (values[:, None] + values)) @ vectors.T
    return x, u.real


def burgers() -> float:
    viscosity, t = 0.01 / np.pi, 0.3
    u = evolve(
        lambda t, x, u: viscosity * u.dx(order=2) - u.value * u.dx(),
        lambda x: -np.sin(np.pi * x[:, 0]),
        Box(-1, 1),
        [0.0, t],
        width=400,
        scale=8.0,
        tolerance=1e-8,
    )
    x = np.linspace(-1, 1, 201)
    nodes, weights = np.polynomial.hermite.hermgauss(200)
    y = x[:, None] - nodes * np.sqrt(4 * viscosity * t)
    exponent = -np.cos(np.pi * y) / (2 * np.pi * viscosity)
    heat = weights * np.exp(exponent - exponent.max(axis=1, keepdims=True))
    true = -(np.sin(np.pi * y) * heat).sum(axis=1) / heat.sum(axis=1)
    return error(u(x)[1], true)


def heat() -> float:
    box = Box(np.zeros(11), np.ones(11))

    def true(x: np.ndarray) -> np.ndarray:
        return (x[:, :10] ** 2).sum(axis=1) + 20 * x[:, 10]

    faces = box.faces(6000)
    faces = faces[faces[:, 10] < 1]  # nothing is known of the end
    u = solve_pde(
        lambda x, u: u.dx(10) - sum(u.dx(i, 2) for i in range(10)),
        0.0,
        box,
        boundary=[Condition(faces, true)],
        weight=30.0,
        width=2000,
        scale=0.3,
        n_points=4096,
    )
    points, _ = box.quadrature(4096, random_state=7)
    return error(u(points), true(points))


PROBLEMS: dict[str, tuple[Callable[[], float], float | None]] = {
    "advection, speed 40": (advection, 1e-6),
    "Poisson on a square": (poisson, 1e-8),
    "Poisson without a known solution": (partial(unknown_poisson, product), 1e-8),
    "the same, singular in the corners": (partial(unknown_poisson, corners), None),
    "Burgers, viscosity 0.01 / pi": (burgers, None),
    "heat in ten dimensions": (heat, None),
}


def main() -> None:
    good = True
    for name, (solve, wanted) in PROBLEMS.items():
        start = time.perf_counter()
        value = solve()
        seconds = time.perf_counter() - start
        verdict = ""
        if wanted is not None:
            reached = value <= wanted and seconds <= 30
            verdict = f"{'reached' if reached else 'MISSED'}: wanted {wanted:.0e} in 30 s"
            good &= reached
        print(f"{name:34s} {value:9.2e} {seconds:6.1f} s  {verdict}", flush=True)
    sys.exit(not good)


if __name__ == "__main__":
    main()
