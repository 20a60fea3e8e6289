"""The cutoff that the data choose against the best in hindsight, and accuracy at given ones.

    python benchmarks/choosing.py [--seeds 10] [--rows 5000] [--units 1000]

f(x, y) = sin(a (x + y)), a = 1 and 10, M tanh neurons sampled by SWIM; errors are mean
absolute errors on 5000 fresh points without noise.

1. Noise of 0, 1e-9, 1e-6 and 1e-3 is added to the targets and the cutoff is chosen by
   ``rcond="auto"``. The test error over that of the best cutoff between 1e-17 and 1e-1 (97 of
   them, truncating the full SVD, judged by the test points themselves): wanted are a median
   of at most 1.3 and nothing above 2.
2. The same targets without noise at given cutoffs, 1e-6 to 1e-14: at most twice the error of
   the truncated SVD (NumPy's).
3. Inputs, weights and features in float32, cutoffs 1e-4 to 1e-7: at most 1.5 times the error of the
   truncated SVD of the float64 features.

About 10 minutes on two cores. Exits with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from solvenet import QR, SVD, SWG, Auto
from solvenet.errors import IllConditionedWarning

sys.path.insert(0, str(Path(__file__).parents[1] / "reproduce" / "least_squares"))

from problem import Sine, mean_absolute

SOLVERS = {"QR": QR(), "SVD": SVD(), "SWG": SWG(), "Auto": Auto()}
FREQUENCIES = (1, 10)
NOISES = (0.0, 1e-9, 1e-6, 1e-3)
HINDSIGHT = np.geomspace(1e-17, 1e-1, 97)
CUTOFFS = tuple(10.0**-p for p in range(6, 15))
CUTOFFS_32 = tuple(10.0**-p for p in range(4, 8))
MEDIAN, WORST, ACCURATE, ACCURATE_32 = 1.3, 2.0, 2.0, 1.5


def best_in_hindsight(problem: Sine) -> tuple[float, float]:
    """Return the least test error of all cutoffs, and its cutoff."""
    whole = SVD().solve(problem.A, problem.y, rcond=0.0).factorization
    W = np.concatenate([whole.truncated(c).coef(0.0) for c in HINDSIGHT], axis=1)
    truth = problem.target(problem.test_points)
    errors = np.abs(problem.A_test @ W - truth[:, None]).mean(axis=0)
    best = int(np.argmin(errors))
    return float(errors[best]), float(HINDSIGHT[best])


def choosing(sizes: tuple[int, int], seeds: int) -> bool:
    """Print the errors of chosen cutoffs over the best; return whether they are good."""
    print(f"\n1. Chosen cutoffs, {seeds} seeds: test error / best in hindsight, median (worst)\n")
    print("| a | noise | best error | best cutoff | " + " | ".join(SOLVERS) + " |")
    print("|---|---|---|---|" + "---|" * len(SOLVERS))
    ratios: dict[str, list[float]] = {name: [] for name in SOLVERS}
    for frequency in FREQUENCIES:
        for noise in NOISES:
            best = []
            for seed in range(seeds):
                problem = Sine(frequency, *sizes, seed, noise)
                best.append(best_in_hindsight(problem))
                for name, solver in SOLVERS.items():
                    result = solver.solve(problem.A, problem.y, rcond="auto")
                    ratios[name].append(problem.test_error(result.coef) / best[-1][0])
            error, cutoff = np.median(best, axis=0)
            last = [np.array(found[-seeds:]) for found in ratios.values()]
            cells = [f"{np.median(found):.2f} ({found.max():.2f})" for found in last]
            print(
                f"| {frequency} | {noise:.0e} | {error:.1e} | {cutoff:.0e} | "
                + " | ".join(cells) + " |",
                flush=True,
            )  # fmt: skip
    reached = [
        judge(f"{name}, median over all", float(np.median(found)), MEDIAN)
        & judge(f"{name}, worst of all", max(found), WORST)
        for name, found in ratios.items()
    ]
    return all(reached)


def truncated_svd_errors(problem: Sine, cutoffs: tuple[float, ...]) -> Iterator[float]:
    """Yield the test error of NumPy's SVD truncated at each cutoff."""
    U, s, Vt = np.linalg.svd(problem.A, full_matrices=False)
    projected = U.T @ problem.y
    for cutoff in cutoffs:
        r = int((s > cutoff * s[0]).sum())
        yield problem.test_error(Vt[:r].T @ (projected[:r] / s[:r]))


def single_error(problem: Sine, solver, cutoff: float) -> float:
    """Return the test error of a network whose weights and features are float32."""
    whole = problem.layer
    layer = replace(
        whole, weights=whole.weights.astype(np.float32), biases=whole.biases.astype(np.float32)
    )
    A, A_test = (layer(X.astype(np.float32)) for X in (problem.points, problem.test_points))
    result = solver.solve(A, problem.y, rcond=cutoff)
    predicted = A_test.astype(np.float64) @ result.coef
    return mean_absolute(predicted - problem.target(problem.test_points))


def exact_error(problem: Sine, solver, cutoff: float) -> float:
    return problem.test_error(solver.solve(problem.A, problem.y, rcond=cutoff).coef)


def accuracy(title: str, error_of, cutoffs, wanted: float, sizes: tuple[int, int]) -> bool:
    """Print test errors over those of the truncated SVD; return whether they are good."""
    print(f"\n{title}: test error / that of the truncated SVD\n")
    print("| a | cutoff | truncated SVD | " + " | ".join(SOLVERS) + " |")
    print("|---|---|---|" + "---|" * len(SOLVERS))
    worst = dict.fromkeys(SOLVERS, 0.0)
    for frequency in FREQUENCIES:
        problem = Sine(frequency, *sizes)
        for cutoff, reference in zip(cutoffs, truncated_svd_errors(problem, cutoffs), strict=True):
            found = {n: error_of(problem, s, cutoff) / reference for n, s in SOLVERS.items()}
            worst = {name: max(worst[name], ratio) for name, ratio in found.items()}
            cells = " | ".join(f"{ratio:.2f}" for ratio in found.values())
            print(f"| {frequency} | {cutoff:.0e} | {reference:.1e} | {cells} |", flush=True)
    verdicts = [judge(f"{name}, worst", ratio, wanted) for name, ratio in worst.items()]
    return all(verdicts)


def judge(what: str, value: float, wanted: float) -> bool:
    reached = value <= wanted
    verdict = "reached" if reached else "MISSED"
    print(f"target {verdict}: {what} {value:.2f}, wanted at most {wanted}", flush=True)
    return reached


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--units", type=int, default=1000)
    options = parser.parse_args()
    warnings.simplefilter("ignore", IllConditionedWarning)
    sizes = (options.rows, options.units)
    reached = [
        choosing(sizes, options.seeds),
        accuracy("2. Given cutoffs", exact_error, CUTOFFS, ACCURATE, sizes),
        accuracy("3. float32 features", single_error, CUTOFFS_32, ACCURATE_32, sizes),
    ]
    raise SystemExit(not all(reached))


if __name__ == "__main__":
    main()
