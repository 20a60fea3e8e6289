"""The problem of the published study, and the clock: shared by run.py and benchmarks/.

f(x, y) = sin(a (x + y)), x and y uniform on [0, 1]; tanh neurons sampled by SWIM on the raw
inputs, no intercept; a relative cutoff of 1e-8.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg

import solvenet
from solvenet import LSRN, QR, SVD, SWG, SWIM, DeflatedSplit, PivotedQR
from solvenet.features import get_activation

CUTOFF = 1e-8
N_TEST = 5000

Work = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Sine:
    """sin(frequency (x + y)) at random points, seen through sampled neurons.

    The targets that the neurons are sampled for and the network is solved for carry normal
    noise; test errors are against the function itself.
    """

    frequency: float = 1.0
    n_rows: int = 5000
    n_cols: int = 1000
    seed: int = 0
    noise: float = 0.0

    @cached_property
    def points(self) -> np.ndarray:
        return np.random.default_rng((self.seed, 0)).random((self.n_rows, 2))

    @cached_property
    def test_points(self) -> np.ndarray:
        return np.random.default_rng((self.seed, 1)).random((N_TEST, 2))

    def target(self, points: np.ndarray) -> np.ndarray:
        return np.sin(self.frequency * points.sum(axis=1))

    @cached_property
    def y(self) -> np.ndarray:
        rng = np.random.default_rng((self.seed, 2))
        return self.target(self.points) + self.noise * rng.standard_normal(self.n_rows)

    @cached_property
    def layer(self):
        tanh = get_activation("tanh")
        return SWIM().sample(
            self.points, self.y[:, None], self.n_cols, activation=tanh, seed=self.seed
        )

    @cached_property
    def A(self) -> np.ndarray:
        return self.layer(self.points)

    @cached_property
    def A_test(self) -> np.ndarray:
        return self.layer(self.test_points)

    @cached_property
    def steepness(self) -> np.ndarray:
        """Return what Split-and-Solve sorts neurons by."""
        return self.layer.weight_norms()

    def train_error(self, coef: np.ndarray) -> float:
        return mean_absolute(self.A @ coef - self.y)

    def test_error(self, coef: np.ndarray) -> float:
        return mean_absolute(self.A_test @ coef - self.target(self.test_points))


def mean_absolute(errors: np.ndarray) -> float:
    return float(np.abs(errors).mean())


def lapack(problem: Sine, driver: str, cutoff: float = CUTOFF) -> Work:
    """Return the solve by one of LAPACK's drivers."""
    A, y = problem.A, problem.y
    return lambda: scipy.linalg.lstsq(A, y, cond=cutoff, lapack_driver=driver)[0]


def default_solve(A, y: np.ndarray, cutoff: float | str):
    """Solve as a user does who names no solver."""
    return solvenet.solve(A, y, rcond=cutoff, alpha=0.0)


def our_solvers(problem: Sine, cutoff: float = CUTOFF) -> dict[str, Work]:
    """Return our solvers by name, all at the same cutoff."""
    A, y = problem.A, problem.y
    solvers = {
        "SVD": SVD(),
        "pivoted QR": PivotedQR(),
        "QR": QR(),
        "SWG": SWG(),
        "LSRN": LSRN(),
        "deflated split": DeflatedSplit(key=problem.steepness),
    }
    works = {
        name: lambda solver=solver: solver.solve(A, y, rcond=cutoff).coef
        for name, solver in solvers.items()
    }
    return works | {"default": lambda: default_solve(A, y, cutoff).coef}


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Return the seconds that `work` takes, and its result."""
    # Threads of the BLAS that ran before spin for a while before they sleep; each work
    # starts on an idle machine.
    if threads() > 1:
        time.sleep(0.3)
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def threads() -> int:
    """Return how many threads may run."""
    wish = os.environ.get("OMP_NUM_THREADS", "")
    return int(wish) if wish.isdecimal() else len(os.sched_getaffinity(0))
