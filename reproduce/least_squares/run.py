"""Rebuild the published least-squares study; figures and tables go to results/.

    python reproduce/least_squares/run.py [--full] [--only table1 ...] [--again] [--images FILE]
    python reproduce/least_squares/compare.py

Parts: table1 (10 runs), convergence, time_ratio, split_narrow_a1 ... split_wide_a10
(Split-and-Solve with M = 1000 and M = 10000 neurons, a the frequency of the target), and
mnist_published and mnist_default (errors on images against neurons; ``--images`` is an npz file
with x_train, y_train, x_test, y_test, by default they are fetched from OpenML). A part that is
finished is not run again, unless with other settings or ``--again``. About 45 minutes on one
core, less on two, and 4 GB of memory and of disk; most of it is for M = 10000, by default only
for a = 5 and 10, few numbers of splits, and LSRN from 9 splits on, and for images, by default
up to 4000 neurons as published and 8000 by our defaults. ``--full`` runs all but LSRN on images
beyond 8000 neurons, which would take days; that takes about ten hours; ``--quick --output DIR``
all in a few seconds, on matrices too small to say anything.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from common.drawing import draw
from common.records import Row, as_settings
from common.running import make_parser, parse, run_parts
from figures import FIGURES
from mnist import Images, load_images, mnist
from problem import CUTOFF, Sine, Work, default_solve, lapack, our_solvers, timed

from solvenet import LSQR, LSRN, SVD, SWG, DeflatedSplit, SplitAndSolve
from solvenet.errors import IllConditionedWarning
from solvenet.solvers import Solver

RESULTS = Path(__file__).parent / "results"
ORDERS = ("sorted", "ordered", "random")
SVD_ITEMS = {"direct SVD", *(f"{order} SVD" for order in ORDERS), "sorted SVD, cutoff / k"}


@dataclass(frozen=True)
class Splits:
    """What is run of Split-and-Solve: matrix, frequencies, and numbers of splits.

    `other_orders` are the numbers of splits for the orders that only lose, `lsrn` those
    for the inner solver LSRN. Of `runs` with other points and neurons, all but the first
    are by the inner solver SVD alone.
    """

    n_cols: int
    frequencies: tuple[int, ...]
    splits: tuple[int, ...]
    other_orders: tuple[int, ...]
    lsrn: tuple[int, ...]
    runs: int


@dataclass(frozen=True)
class Sizes:
    """How large the study is."""

    n_rows: int
    n_cols: int
    runs: int
    lsqr_iterations: int
    ratios: tuple[float, ...]
    ratio_runs: int
    narrow: Splits
    wide: Splits
    images_published: tuple[int, ...]
    images_default: tuple[int, ...]


ALL, SOME, FREQUENCIES = tuple(range(1, 21)), (1, 2, 3, 5, 9, 14, 20), (1, 2, 5, 10)
DEFAULT = Sizes(
    n_rows=5000,
    n_cols=1000,
    runs=10,
    lsqr_iterations=2000,
    ratios=(1, 1.5, 2, 3, 5, 7.5, 10, 20),
    ratio_runs=3,
    narrow=Splits(1000, FREQUENCIES, SOME, SOME, SOME, runs=3),
    wide=Splits(10_000, (5, 10), (1, 5, 9, 20), (9,), (9, 20), runs=1),
    images_published=(1000, 2000, 4000),
    images_default=(1000, 2000, 4000, 8000),
)
FULL = replace(
    DEFAULT,
    narrow=Splits(1000, FREQUENCIES, ALL, ALL, ALL, runs=3),
    wide=Splits(10_000, FREQUENCIES, ALL, ALL, ALL, runs=1),
    images_published=(1000, 2000, 4000, 8000),
    images_default=(1000, 2000, 4000, 8000, 15_000, 20_000),
)
QUICK = Sizes(
    n_rows=300,
    n_cols=60,
    runs=2,
    lsqr_iterations=50,
    ratios=(1, 2, 5),
    ratio_runs=1,
    narrow=Splits(60, FREQUENCIES, (1, 2, 9), (1, 2, 9), (1, 2, 9), runs=2),
    wide=Splits(400, (5, 10), (1, 2, 9), (9,), (9,), runs=1),
    images_published=(50, 100),
    images_default=(50, 100),
)


def measure(problem: Sine, item: str, x: float, work: Work) -> Iterator[Row]:
    """Yield time and errors of one solve."""
    seconds, coef = timed(work)
    yield Row(item, x, problem.seed, "seconds", seconds)
    yield Row(item, x, problem.seed, "test_mae", problem.test_error(coef))
    yield Row(item, x, problem.seed, "train_mae", problem.train_error(coef))


def table1(sizes: Sizes) -> Iterator[Row]:
    """Every solver at the same cutoff, and ours at the cutoff that the data choose."""
    for seed in range(sizes.runs):
        problem = Sine(1.0, sizes.n_rows, sizes.n_cols, seed)
        works = {driver: lapack(problem, driver) for driver in ("gelsd", "gelsy")}
        works |= our_solvers(problem) | {"automatic cutoff": automatic(problem)}
        for item, work in works.items():
            yield from measure(problem, item, 0, work)


def convergence(sizes: Sizes) -> Iterator[Row]:
    """The residual norm after each iteration, and of the direct solvers."""
    problem = Sine(1.0, sizes.n_rows, sizes.n_cols)
    A, y = problem.A, problem.y
    for item, driver in {"SVD": "gelsd", "QR": "gelsy"}.items():
        norm = float(np.linalg.norm(A @ lapack(problem, driver)() - y))
        yield Row(item, 0, 0, "residual_norm", norm)
    lsqr = LSQR(atol=0.0, btol=0.0, conlim=np.inf, max_iterations=sizes.lsqr_iterations)
    histories = {"LSQR": lsqr.solve(A, y), "LSRN": LSRN().solve(A, y, rcond=CUTOFF)}
    for item, result in histories.items():
        norms = result.history.residual_norms[:, 0]
        for iteration in np.unique(np.geomspace(1, len(norms), 200).astype(int)) - 1:
            yield Row(item, iteration, 0, "residual_norm", norms[iteration])


def time_ratio(sizes: Sizes) -> Iterator[Row]:
    """Seconds against the shape of the matrix."""
    for ratio in sizes.ratios:
        problem = Sine(1.0, round(ratio * sizes.n_cols), sizes.n_cols)
        ours = our_solvers(problem)
        works = {"gelsd": lapack(problem, "gelsd")}
        works |= {name: ours[name] for name in ("SVD", "LSRN", "SWG", "default")}
        for run in range(sizes.ratio_runs):
            for item, work in works.items():
                yield Row(item, ratio, run, "seconds", timed(work)[0])


def split(sizes: Sizes, splits: Splits, frequency: int) -> Iterator[Row]:
    """Split-and-Solve and its deflated version against direct solves; x is the splits."""
    for seed in range(splits.runs):
        problem = Sine(frequency, sizes.n_rows, splits.n_cols, seed)
        if seed == 0:
            yield from measure(problem, "automatic cutoff", 1, automatic(problem))
        for item, k, solver, cutoff in split_solvers(splits, problem):
            if seed == 0 or item in SVD_ITEMS:
                yield from measure(problem, item, k, at_cutoff(problem, solver, cutoff))


def split_solvers(splits: Splits, problem: Sine) -> Iterator[tuple[str, int, Solver, float]]:
    """Yield each solver with its name, number of splits and cutoff."""
    key, seed = problem.steepness, problem.seed
    for name, inner in {"SVD": SVD(), "LSRN": LSRN(), "SWG": SWG()}.items():
        known = set(splits.lsrn if name == "LSRN" else splits.splits)
        if 1 in known:
            yield f"direct {name}", 1, inner, CUTOFF
        for order in ORDERS:
            for k in sorted(known & numbers_of_splits(splits, order, name)):
                yield (
                    f"{order} {name}",
                    k,
                    SplitAndSolve(k, order, inner, key=key, seed=seed),
                    CUTOFF,
                )
    for order in ORDERS:
        for k in sorted(numbers_of_splits(splits, order, "deflated")):
            yield f"{order} deflated", k, DeflatedSplit(k, order, key=key, seed=seed), CUTOFF
    if splits.runs > 1:
        for k in sorted(numbers_of_splits(splits, "sorted", "SVD")):
            yield "sorted SVD, cutoff / k", k, SplitAndSolve(k, key=key), CUTOFF / k


def numbers_of_splits(splits: Splits, order: str, solver: str) -> set[int]:
    """Return the numbers from 2 on; where they are few, other orders are for SVD alone."""
    numbers = set(splits.splits) - {1}
    if order == "sorted":
        return numbers
    few = splits.other_orders != splits.splits
    return set() if few and solver != "SVD" else numbers & set(splits.other_orders)


def automatic(problem: Sine) -> Work:
    A, y = problem.A, problem.y
    return lambda: default_solve(A, y, "auto").coef


def at_cutoff(problem: Sine, solver: Solver, cutoff: float) -> Work:
    A, y = problem.A, problem.y
    return lambda: solver.solve(A, y, rcond=cutoff).coef


def parts(
    sizes: Sizes, images: Callable[[], Images]
) -> dict[str, tuple[str, Callable[[], Iterator[Row]]]]:
    """Return the settings and the work of each part, by name."""
    common = {"n_rows": sizes.n_rows, "n_cols": sizes.n_cols}
    study = {
        "table1": (as_settings(**common, runs=sizes.runs), lambda: table1(sizes)),
        "convergence": (
            as_settings(**common, iterations=sizes.lsqr_iterations),
            lambda: convergence(sizes),
        ),
        "time_ratio": (
            as_settings(n_cols=sizes.n_cols, ratios=sizes.ratios, runs=sizes.ratio_runs),
            lambda: time_ratio(sizes),
        ),
    }
    for name, splits in {"narrow": sizes.narrow, "wide": sizes.wide}.items():
        settings = asdict(splits) | {"n_rows": sizes.n_rows}
        del settings["frequencies"]
        for a in splits.frequencies:
            study[f"split_{name}_a{a}"] = (
                as_settings(**settings),
                lambda splits=splits, a=a: split(sizes, splits, a),
            )
    study["mnist_published"] = (
        as_settings(neurons=sizes.images_published),
        lambda: mnist(images(), sizes.images_published, ()),
    )
    study["mnist_default"] = (
        as_settings(neurons=sizes.images_default),
        lambda: mnist(images(), (), sizes.images_default),
    )
    return study


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, RESULTS, "quick", "full")
    parser.add_argument("--images", type=Path, metavar="FILE")
    options = parse(parser, arguments)
    images = partial(load_images, options.images, quick=options.size == "quick")
    study = parts({"quick": QUICK, "full": FULL}.get(options.size, DEFAULT), images)
    # One sweep says that it is not the solution of all columns, LSRN that it may not be
    # accurate: that is what is shown here.
    warnings.simplefilter("ignore", IllConditionedWarning)
    draw(run_parts(study, parser, options), FIGURES, suffix=".png")


if __name__ == "__main__":
    main()
