"""LaPerm, run again as published: Adam, and rank matching every few epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from common.records import Row
from problems import NAMES, TARGETS, line_errors, line_problem, training_points

SIZES = (10, 20, 40, 80, 160)
ALL = [(t, i) for t in TARGETS for i in ("equidistant", "random 1", "random 2")]
STUDY = [("-sin", f"random {k}") for k in range(3, 9)]


def errors(n: int, seeds: int, epochs: int, initialisations: Sequence[tuple[str, str]]):
    """Yield errors of networks with 2n values, all initialisations and seeds at once."""
    runs = [(t, i, seed) for t, i in initialisations for seed in range(seeds)]
    yield from _trained(n, runs, lambda t, i: f"{t} {NAMES[i]}", epochs=epochs)


def periods(sizes: Sequence[int], seeds: int, epochs: int, periods: Sequence[int]):
    """Yield errors against the relaxed period k, equidistant."""
    runs = [("-sin", "equidistant", seed) for seed in range(seeds)]
    for k in periods:
        for n in sizes:
            options = {"period": k, "relaxed": True, "epochs": epochs}
            yield from _trained(n, runs, lambda t, i, k=k: f"k = {k}", **options)


def pattern(n: int, epochs: int) -> Iterator[Row]:
    """Yield the share of values that move at each permutation, and the error then."""
    from solvenet.torchnets import train_laperm

    X = training_points()
    problem = line_problem("-sin", "equidistant", n, 0, X, program=True)
    (run,) = train_laperm(problem, n_epochs=epochs, history=True)
    before = np.argsort(np.argsort(problem.values))
    ranks = np.argsort(np.argsort(problem.values[run.permutations], axis=1), axis=1)
    for k, rank in enumerate(ranks):
        yield Row("moved", k, 0, "share", float((rank != before).mean()))
        for part in range(10):
            of_part = (problem.values >= -1 + part / 5) & (problem.values < -0.8 + part / 5)
            share = float((rank != before)[of_part].mean())
            yield Row(f"moved, values from {-1 + part / 5:.1f}", k, 0, "share", share)
        loss = float(run.losses[run.epochs[k] - 1])
        yield Row("loss", k, 0, "mean square", loss)
        before = rank


def _trained(n: int, runs: list, name, *, epochs: int, **options) -> Iterator[Row]:
    from solvenet.torchnets import train_laperm

    X = training_points()
    problems = [line_problem(t, i, n, seed, X, program=True) for t, i, seed in runs]
    found = train_laperm(problems, n_epochs=epochs, **options)
    for (target, initialisation, seed), run in zip(runs, found, strict=True):
        item = name(target, initialisation)
        for quantity, value in line_errors(run.result, target).items():
            yield Row(item, n, seed, quantity, value)
        yield Row(item, n, seed, "seconds", run.result.seconds / len(runs))


QUICK = {"seeds": 2, "epochs": 20}
FULL = {"seeds": 5, "epochs": 6400}
PARTS = {
    **{
        f"laperm_{n}": (errors, {"n": n, "initialisations": ALL, **FULL}, {"n": n, "initialisations": ALL, **QUICK})
        for n in SIZES
    },
    "laperm_320": (errors, {"n": 320, "initialisations": ALL + STUDY, **FULL}, {"n": 15, "initialisations": ALL + STUDY, **QUICK}),
    "laperm_periods": (
        periods,
        {"sizes": (20, 80, 320), "periods": (1, 3, 5, 10, 20), **FULL},
        {"sizes": (10, 15), "periods": (1, 3), **QUICK},
    ),
    "laperm_pattern": (pattern, {"n": 160, "epochs": 6400}, {"n": 20, "epochs": 30}),
}
