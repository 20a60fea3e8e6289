"""LaPerm, run again as published: Adam, and rank matching every few epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from common.records import Row
from problems import (
    NAMES,
    TARGETS,
    cube_grid,
    cube_target,
    cube_units,
    line_errors,
    line_problem,
    training_points,
)

from solvenet.permutation import PermutationProblem

SIZES = (10, 20, 40, 80, 160)
MOST_SHOWN = 400  # permutations, as in the published figure
LINES = [(t, i) for t in TARGETS for i in ("equidistant", "random 1", "random 2")]
STUDY = [("-sin", f"random {k}") for k in range(3, 9)]


def errors(n: int, seeds: int, epochs: int, initialisations: Sequence[tuple[str, str]]):
    """Yield errors of networks with 2n values, all initialisations and seeds at once."""
    runs = [(t, i, seed) for t, i in initialisations for seed in range(seeds)]
    yield from _trained(n, runs, epochs=epochs)


def periods(sizes: Sequence[int], seeds: int, epochs: int, periods: Sequence[int]):
    """Yield errors against the relaxed period k, equidistant."""
    runs = [("-sin", "equidistant", seed) for seed in range(seeds)]
    for k in periods:
        for n in sizes:
            options = {"period": k, "relaxed": True, "epochs": epochs}
            yield from _trained(n, runs, f"k = {k}", **options)


def plane(sizes: Sequence[int], seeds: int, epochs: int, rows: int) -> Iterator[Row]:
    """Yield errors in two dimensions, equidistant, with the published directions."""
    from solvenet.torchnets import train_laperm

    X, X_test = np.random.default_rng((2022, 2)).uniform(-1, 1, (rows, 2)), cube_grid(2, 113)
    for n in sizes:
        units, values = cube_units(n, 2, 0)
        problems = [
            PermutationProblem(
                units, np.random.default_rng((2022, n, seed)).permutation(values), X, cube_target(X)
            )
            for seed in range(seeds)
        ]
        for seed, run in enumerate(train_laperm(problems, n_epochs=epochs, batch_size=128)):
            errors = run.result(X_test) - cube_target(X_test)
            yield Row("LaPerm", n, seed, "largest error", float(np.abs(errors).max()))
            yield Row("LaPerm", n, seed, "rmse", float(np.sqrt(np.square(errors).mean())))


def pattern(n: int, epochs: int) -> Iterator[Row]:
    """Yield the share of values that move at each permutation, and the error then.

    Of the error gamma and alpha are those of least squares: the trained ones follow later.
    """
    from solvenet.torchnets import train_laperm

    X = training_points()
    problem = line_problem("-sin", "equidistant", n, 0, X, program=True)
    (run,) = train_laperm(problem, n_epochs=epochs, history=True)
    before = np.argsort(np.argsort(problem.values))
    ranks = np.argsort(np.argsort(problem.values[run.permutations], axis=1), axis=1)
    for k, rank in enumerate(ranks[:MOST_SHOWN]):
        yield Row("moved", k, 0, "share", float((rank != before).mean()))
        for part in range(10):
            of_part = (problem.values >= -1 + part / 5) & (problem.values < -0.8 + part / 5)
            share = float((rank != before)[of_part].mean())
            yield Row(f"moved, values from {-1 + part / 5:.1f}", k, 0, "share", share)
        error = problem.result(run.permutations[k]).max_error
        yield Row("error", k, 0, "largest error", error)
        before = rank


def _trained(
    n: int, runs: list[tuple[str, str, int]], name: str = "", *, epochs: int, **options
) -> Iterator[Row]:
    from solvenet.torchnets import train_laperm

    X = training_points()
    problems = [line_problem(t, i, n, seed, X, program=True) for t, i, seed in runs]
    found = train_laperm(problems, n_epochs=epochs, **options)
    for (target, initialisation, seed), run in zip(runs, found, strict=True):
        item = name or f"{target} {NAMES[initialisation]}"
        for quantity, value in line_errors(run.result, target).items():
            yield Row(item, n, seed, quantity, value)
        yield Row(item, n, seed, "seconds", run.result.seconds / len(runs))


QUICK = {"seeds": 2, "epochs": 20}
FULL = {"seeds": 5, "epochs": 6400}


def _part(n: int, quick_n: int, initialisations: list[tuple[str, str]]):
    settings = {"initialisations": initialisations}
    return errors, {"n": n, **settings, **FULL}, {"n": quick_n, **settings, **QUICK}


PARTS = {
    **{f"laperm_{n}": _part(n, min(n, 30), LINES) for n in SIZES},
    "laperm_320": _part(320, 15, LINES + STUDY),
    "periods": (
        periods,
        {"sizes": (320,), "periods": (1, 3, 5, 10, 20), **FULL},
        {"sizes": (10,), "periods": (1, 3), **QUICK},
    ),
    "laperm_plane": (
        plane,
        {"sizes": (10,), "seeds": 3, "epochs": 6400, "rows": 51_200},
        {"sizes": (2, 3), "seeds": 2, "epochs": 2, "rows": 300},
    ),
    "pattern": (pattern, {"n": 160, "epochs": 6400}, {"n": 20, "epochs": 30}),
}
FULL_PARTS = {f"laperm_{n}": _part(n, 30, LINES) for n in (640, 1280)}
