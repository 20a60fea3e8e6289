"""The problems of the published study: targets, points, initialisations, as in its program."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solvenet.features import DenseMap, get_activation
from solvenet.permutation import (
    PermutationProblem,
    PermutationResult,
    directed_units,
    published_directions,
    published_initialisation,
    relu_pairs,
)

Array = np.ndarray
N_TRAIN, N_TEST = 1600, 400

TARGETS: dict[str, Callable[[Array], Array]] = {
    "-sin": lambda x: -np.sin(2 * np.pi * x),
    "P3": lambda x: (5 * x**3 - 3 * x) / 2,
}
# The published names of how knots and values are drawn, and what figures call them.
NAMES = {
    "equidistant": "equidistant",
    "random 1": "pairwise",
    "random 2": "random",
    **{f"random {k}": f"random {k}" for k in range(3, 9)},
}
X_TEST = np.linspace(-1, 1, N_TEST)


def training_points() -> Array:
    """Return the published points: torch's uniform numbers of the seed 2022."""
    import torch

    generator = torch.Generator().manual_seed(2022)
    return (torch.rand(N_TRAIN, 1, generator=generator) * 2 - 1).double().numpy()


def program_units(knots: Array) -> DenseMap:
    """Return the units of the published program: ReLU(x + b) and ReLU(-x + b).

    In the theory, and in `relu_pairs`, the second is ReLU(-x - b), whose kink is that of the
    first; for equidistant knots both are the same network.
    """
    signs = np.repeat([1.0, -1.0], len(knots))
    return DenseMap(signs[None], np.tile(knots, 2), get_activation("relu"))


def line_problem(
    target: str, initialisation: str, n: int, seed: int, X: Array, *, program: bool
) -> PermutationProblem:
    """Return one network of the study, its values in the order in which it begins."""
    knots, values = published_initialisation(initialisation, n, random_state=seed)
    if initialisation in ("equidistant", "random 4"):
        values = np.random.default_rng((2022, n, seed)).permutation(values)
    units = program_units(knots) if program else relu_pairs(np.sort(knots))
    return PermutationProblem(units, values, X, TARGETS[target](X[:, 0]))


def line_errors(result: PermutationResult, target: str) -> dict[str, float]:
    """Return errors on the published test points, and the gain."""
    errors = result(X_TEST) - TARGETS[target](X_TEST)
    return {
        "largest error": float(np.abs(errors).max()),
        "rmse": float(np.sqrt(np.square(errors).mean())),
        "gamma": result.gamma,
    }


def cube_target(X: Array) -> Array:
    """Return the targets in two and three dimensions."""
    if X.shape[1] == 2:
        return -np.sin(np.pi * X[:, 0] * X[:, 1])
    return np.sin(3 * X[:, 0]) * np.cos(X[:, 1]) * np.sin(2 * X[:, 2])


def cube_grid(dimension: int, n_side: int) -> Array:
    """Return a grid of test points in [-1, 1]^d."""
    axis = np.linspace(-1, 1, n_side)
    return np.stack(np.meshgrid(*[axis] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)


def cube_units(n: int, dimension: int, seed: int) -> tuple[DenseMap, Array]:
    """Return units and values as published; in space each value is repeated for 26 units."""
    directions = published_directions(dimension)
    if dimension == 2:
        values = np.linspace(-1, 1, 8 * n)
        return directed_units(directions, np.linspace(-1.75, 1.75, n)), values
    rng = np.random.default_rng((2022, n, seed))
    thresholds, each = rng.uniform(-1.75, 1.75, (2, n))
    return directed_units(directions, thresholds), np.tile(each, 26)
