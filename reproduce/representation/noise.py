"""Samples with noise, and more unknowns than samples: networks beside finite elements.

f(x) = cos(6 pi x) - sin(2 pi x) at equidistant or random points of (-1, 1), noise uniform on
(-s, s), and the least squares of smallest norm in a constant and relu(x - b_i), or in hat
functions. The global, ill conditioned functions of a network make its truncated solution smooth
between samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from common.records import Row
from scipy.interpolate import BSpline

from solvenet import QR, SVD

SINGLE = float(np.finfo(np.float32).eps)


def target(x: np.ndarray) -> np.ndarray:
    return np.cos(6 * np.pi * x) - np.sin(2 * np.pi * x)


def network(x: np.ndarray, n: int) -> np.ndarray:
    """Return a constant and ReLUs with biases on a uniform grid; shape (len(x), n + 1)."""
    relu = np.maximum(x[:, None] - np.linspace(-1, 1, n), 0.0)
    return np.concatenate([np.ones((len(x), 1)), relu], axis=1)


def hats(x: np.ndarray, n: int) -> np.ndarray:
    """Return hat functions on a uniform grid, which are linear B-splines."""
    nodes = np.linspace(-1, 1, n)
    knots = np.concatenate([[-1.0], nodes, [1.0]])
    return BSpline.design_matrix(x, knots, 1).toarray()


def cutoffs(samples: int) -> dict[str, float | str | None]:
    """Return how small singular values may be, relative to the largest."""
    return {
        "network, cut sqrt(eps32)": SINGLE**0.5,
        "network, cut samples * eps32": samples * SINGLE,
        "network, cut by the data": "auto",
        "network, no cut": None,
    }


def noise(*, levels: Sequence[float], width: int, runs: int, **setting) -> Iterator[Row]:
    """Error to the truth against the level of noise (x)."""
    for seed in range(runs):
        for level in levels:
            yield from fits(level, width, seed, x=level, **setting)


def width(*, level: float, widths: Sequence[int], runs: int, **setting) -> Iterator[Row]:
    """Error to the truth against the number of unknowns (x)."""
    for seed in range(runs):
        for n in widths:
            yield from fits(level, n, seed, x=n, **setting)


def fits(
    level: float, n: int, seed: int, *, x: float, samples: int, random: bool, points: int
) -> Iterator[Row]:
    """Fit the noisy samples by every method; the errors are to f itself on a fine grid."""
    rng = np.random.default_rng((seed, samples))
    sites = rng.uniform(-1, 1, samples) if random else np.linspace(-1, 1, samples)
    y = target(sites) + level * rng.uniform(-1, 1, samples)
    grid = np.linspace(-1, 1, points)
    A, A_grid = network(sites, n), network(grid, n)
    errors = {}
    for item, cut in cutoffs(samples).items():
        found = (QR() if cut == "auto" else SVD()).solve(A, y, rcond=cut)
        errors[item] = error(A_grid @ found.coef, grid)
        yield Row(item, x, seed, "rank", found.rank)
    coef = SVD().solve(hats(sites, n), y, rcond=None).coef
    elements = error(hats(grid, n) @ coef, grid)
    yield Row("finite elements", x, seed, "rmse", elements)
    for item, rmse in errors.items():
        yield Row(item, x, seed, "rmse", rmse)
        yield Row(item, x, seed, "rmse / finite elements", rmse / elements)


def error(values: np.ndarray, grid: np.ndarray) -> float:
    return float(np.sqrt(np.mean((values - target(grid)) ** 2)))


FULL = {"samples": 1000, "runs": 3, "points": 5001}
SMALL = {"samples": 60, "runs": 1, "points": 301}
LEVELS = (0, 0.05, 0.1, 0.2, 0.5, 1.0)
WIDTHS = (25, 50, 100, 200, 400, 800, 1000, 1500, 3000)

PARTS = {
    "noise": (
        noise,
        FULL | {"random": False, "width": 1500, "levels": LEVELS},
        SMALL | {"random": False, "width": 90, "levels": (0, 0.5)},
    ),
    "noise_random": (
        noise,
        FULL | {"random": True, "width": 1500, "levels": LEVELS},
        SMALL | {"random": True, "width": 90, "levels": (0, 0.5)},
    ),
    "width": (
        width,
        FULL | {"random": False, "widths": WIDTHS, "level": 0.5},
        SMALL | {"random": False, "widths": (20, 60, 90), "level": 0.5},
    ),
}
