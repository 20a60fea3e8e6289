"""How rare good parameters are: approximations, what they imply, and the bound of that.

Random networks ``mean of a_j relu(w_j . x - b_j)``, a uniform on (-A, A), and targets that are the
Laplacian of ``(1 - |x|^2)^3 cos(nu pi x_1)``, of norm 1, on the interval and on the disk. An
approximation within eps implies ``<h, f> >= 1 - eps``, whose probability Hoeffding's inequality
bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from common.records import Row

from solvenet.analysis import (
    Probability,
    fit_power_law,
    inner_product_probability,
    oscillating_target,
    rashomon_bound,
    rashomon_probability,
    rashomon_ratio,
)

SMALLEST = 1e-30
"""Below, splitting has given up: the event is impossible, or might as well be."""


def grid(
    *, cases: Sequence[Sequence[Sequence[float]]], draws: int, particles: int
) -> Iterator[Row]:
    """Measure, compute and bound in every case; x is the number of units."""
    in_order = []
    for dimensions, frequencies, widths, errors, amplitudes in cases:
        for d, nu, n, eps, amplitude in product(
            dimensions, frequencies, widths, errors, amplitudes
        ):
            target = oscillating_target(nu, dimension=d)
            found = rashomon_ratio(
                target, n, eps=eps, amplitude=amplitude, draws=draws, particles=particles
            )
            item = f"d = {d}, nu = {nu:g}, A = {amplitude:g}, eps = {eps:g}"
            yield from chain(item, n, found)
            in_order.append(found.approximation.value <= found.inner_product <= found.bound)
    yield Row("all cases", len(in_order), 0, "share in order", float(np.mean(in_order)))


def width(
    *,
    frequency: float,
    eps: float,
    amplitude: float,
    widths: Sequence[int],
    draws: int,
    particles: int,
) -> Iterator[Row]:
    """Probabilities against the number of units (x)."""
    target = oscillating_target(frequency)
    for n in widths:
        found = rashomon_ratio(
            target, n, eps=eps, amplitude=amplitude, draws=draws, particles=particles
        )
        yield from chain("width", n, found)


def chain(item: str, x: float, found) -> Iterator[Row]:
    yield from estimate(item, x, "approximation", found.approximation)
    yield Row(item, x, 0, "inner product", found.inner_product)
    yield Row(item, x, 0, "bound", found.bound)


def estimate(item: str, x: float, quantity: str, found: Probability) -> Iterator[Row]:
    if found.value == 0 and found.high < SMALLEST:
        return
    yield Row(item, x, 0, quantity, found.value)
    yield Row(item, x, 0, f"{quantity}, standard error", found.error)


def frequency(
    *, frequencies: Sequence[float], n: int, eps: float, amplitude: float
) -> Iterator[Row]:
    """How the exponent of the bound grows with the frequency (x)."""
    exponents = []
    for nu in frequencies:
        target = oscillating_target(nu)
        setting = {"eps": eps, "amplitude": amplitude * (np.pi * nu) ** 2}
        # Amplitudes that grow like nu^2 keep probabilities the same ...
        inner = inner_product_probability(target, n, **setting)
        yield Row("amplitude ~ nu^2", nu, 0, "inner product", inner)
        # ... and a fixed amplitude shows the exponent, which is small enough for exp at A = nu^2.
        bound = rashomon_bound(target, n, **setting)
        exponents.append(-np.log(bound) * (np.pi * nu) ** 4)
        yield Row("amplitude fixed", nu, 0, "-log(bound)", exponents[-1])
    law = fit_power_law(np.asarray(frequencies, float), np.asarray(exponents))
    yield Row("amplitude fixed", 0, 0, "power of nu in -log(bound)", law.slope)


def splitting(*, cases: Sequence[Sequence[float]], particles: int, runs: int) -> Iterator[Row]:
    """Splitting against the same probability computed; x is the number of units."""
    farthest = 0.0
    for d, nu, n, eps, amplitude in cases:
        target = oscillating_target(nu, dimension=int(d))
        setting = {"eps": eps, "amplitude": amplitude}
        exact = inner_product_probability(target, int(n), **setting)
        found = rashomon_probability(
            target, int(n), event="inner product", method="splitting", particles=particles,
            runs=runs, **setting,
        )  # fmt: skip
        item = f"d = {d}, nu = {nu:g}, A = {amplitude:g}, eps = {eps:g}"
        yield Row(item, n, 0, "computed", exact)
        yield from estimate(item, n, "splitting", found)
        farthest = max(farthest, abs(found.value - exact) / found.error)
    yield Row("all cases", len(cases), 0, "farthest, in standard errors", farthest)


LINE = [[1], [0, 1, 2, 4], [4, 8, 16], [0.6, 0.95], [20]]
DISK = [[2], [0, 1, 2, 4], [4, 8], [0.6, 0.95], [20]]

PARTS = {
    "rashomon": (
        grid,
        {"cases": [LINE, DISK, [[1], [1, 3], [4], [0.5], [5]]],
         "draws": 200_000, "particles": 1000},
        {"cases": [[[1], [1], [2], [0.9], [20]], [[2], [1], [2], [0.9], [20]]],
         "draws": 2000, "particles": 50},
    ),
    "rashomon_width": (
        width,
        {"frequency": 1, "eps": 0.8, "amplitude": 20, "widths": (1, 2, 3, 4, 6, 8, 12, 16, 24),
         "draws": 200_000, "particles": 2000},
        {"frequency": 0, "eps": 0.95, "amplitude": 20, "widths": (2, 4), "draws": 2000,
         "particles": 50},
    ),
    "rashomon_frequency": (
        frequency,
        {"frequencies": (4, 8, 16, 32, 64), "n": 16, "eps": 0.5, "amplitude": 1},
        {"frequencies": (4, 8), "n": 2, "eps": 0.5, "amplitude": 1},
    ),
    "rashomon_splitting": (
        splitting,
        {"cases": [[1, 1, 4, 0.5, 20], [1, 1, 4, 0.4, 12], [1, 1, 16, 0.3, 20], [1, 1, 2, 0.3, 10],
                   [2, 2, 2, 0.5, 20], [2, 2, 4, 0.5, 20], [2, 1, 8, 0.2, 14]],
         "particles": 2000, "runs": 10},
        {"cases": [[1, 1, 4, 0.5, 20]], "particles": 100, "runs": 3},
    ),
}  # fmt: skip
