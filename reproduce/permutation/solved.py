"""The same networks with their permutation solved: seconds instead of minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from common.records import Row
from laperm import LINES, STUDY
from problems import (
    NAMES,
    TARGETS,
    X_TEST,
    cube_grid,
    cube_target,
    cube_units,
    line_errors,
    line_problem,
    training_points,
)

from solvenet.features import FeatureMap
from solvenet.permutation import (
    MultisetRecipe,
    PermutationProblem,
    PermutationResult,
    equidistant,
    random_units,
    relu_pairs,
    solve_permutation,
)

MOST = 320


def lines(sizes: Sequence[int], seeds: int) -> Iterator[Row]:
    """Yield errors in one dimension; above 320 knots of equidistant values, without seeds."""
    for n in sizes:
        for target, initialisation in LINES + (STUDY if n == MOST else []):
            if initialisation == "equidistant":
                yield from _line(target, initialisation, n, 0)
            elif n <= MOST:
                for seed in range(seeds):
                    yield from _line(target, initialisation, n, seed)


def _line(target: str, initialisation: str, n: int, seed: int) -> Iterator[Row]:
    # For equidistant knots both are one network, and pairs with one kink are solved faster.
    program = initialisation not in ("equidistant", "random 3")
    problem = line_problem(target, initialisation, n, seed, training_points(), program=program)
    result = solve_permutation(problem)
    item = f"{target} {NAMES[initialisation]}"
    found = line_errors(result, target) | {"seconds": result.seconds}
    if n <= MOST:
        free = _free(problem, X_TEST[:, None]) - TARGETS[target](X_TEST)
        found["free largest error"] = float(np.abs(free).max())
    for quantity, value in found.items():
        yield Row(item, n, seed, quantity, value)


def levels(sizes: Sequence[int], bits: Sequence[int]) -> Iterator[Row]:
    """Yield errors with few different values."""
    X = training_points()
    recipes = {f"{2**b} levels": MultisetRecipe("equidistant", bits=b) for b in bits}
    recipes["ternary, half zeros"] = MultisetRecipe("equidistant", bits=1, zeros=0.5)
    for n in sizes:
        units = relu_pairs(np.linspace(-1, 1, n))
        for item, recipe in recipes.items():
            problem = PermutationProblem(units, recipe.draw(2 * n), X, TARGETS["-sin"](X[:, 0]))
            result = solve_permutation(problem)
            for quantity, value in (line_errors(result, "-sin")).items():
                yield Row(item, n, 0, quantity, value)


def cube(dimension: int, sizes: Sequence[int], rows: int, side: int) -> Iterator[Row]:
    """Yield errors in two or three dimensions: published directions and random ones."""
    X = np.random.default_rng((2022, dimension)).uniform(-1, 1, (rows, dimension))
    X_test = cube_grid(dimension, side)
    for n in sizes:
        units, values = cube_units(n, dimension, 0)
        yield from _cube("published directions", n, units, values, X, X_test)
        other = random_units(len(values), dimension)
        yield from _cube("random directions", n, other, equidistant(len(values)), X, X_test)


def _cube(
    item: str, n: int, units: FeatureMap, values: np.ndarray, X: np.ndarray, X_test: np.ndarray
) -> Iterator[Row]:
    problem = PermutationProblem(units, values, X, cube_target(X))
    result = solve_permutation(problem)
    truth = cube_target(X_test)
    yield from _errors(item, n, result, result(X_test) - truth)
    free = _free(problem, X_test) - truth
    yield Row(item, n, 0, "free rmse", float(np.sqrt(np.square(free).mean())))


def _errors(item: str, n: int, result: PermutationResult, errors: np.ndarray) -> Iterator[Row]:
    yield Row(item, n, 0, "largest error", float(np.abs(errors).max()))
    yield Row(item, n, 0, "rmse", float(np.sqrt(np.square(errors).mean())))
    yield Row(item, n, 0, "gamma", result.gamma)
    yield Row(item, n, 0, "seconds", result.seconds)


def _free(problem: PermutationProblem, X: np.ndarray) -> np.ndarray:
    """Return the outputs of least squares with the same units and any weights."""
    quadratic = problem.quadratic
    shift = problem.y.mean() - quadratic.means @ quadratic.free_coef
    return problem.features(X) @ quadratic.free_coef + shift


SIZES = (10, 20, 40, 80, 160, 320, 640, 1280)
PARTS = {
    "solved_line": (lines, {"sizes": SIZES, "seeds": 3}, {"sizes": (10, 20, 30), "seeds": 2}),
    "levels": (
        levels,
        {"sizes": (20, 40, 80, 160, 320), "bits": (1, 2, 4)},
        {"sizes": (10, 20), "bits": (1, 2)},
    ),
    "plane": (
        cube,
        {"dimension": 2, "sizes": (10, 20, 40, 80), "rows": 6000, "side": 101},
        {"dimension": 2, "sizes": (3, 5), "rows": 300, "side": 11},
    ),
    "space": (
        cube,
        {"dimension": 3, "sizes": (5, 10, 20, 40), "rows": 10_000, "side": 31},
        {"dimension": 3, "sizes": (2, 3), "rows": 300, "side": 7},
    ),
}
