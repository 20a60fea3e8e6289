"""Structured networks solved in seconds, beside shallow networks, finite elements and Adam.

    python benchmarks/structured.py [--seeds 5] [--cases wave-sin ...] [--adam]

Each case is a target, a network of the talk's size (width, rank, depth) and a method; the mean
squared error on a fine grid, off the samples, is the median over the seeds; seconds are those of
the processor, of one core. Beside it, of at most as many unknowns: the best solved shallow network,
and projections on (bi)linear finite elements on uniform nodes. ``--adam`` trains the same network
by Adam for the same time (PyTorch, float32), once per case.

Wanted: the errors and seconds in `CASES`; with ``--adam``, 30 times less than Adam. Exits with 1
where one is missed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from solvenet.analysis import Elements
from solvenet.structured import Field, random_mmnn, solve_mmnn

Array = np.ndarray[Any, Any]


def wave(x: Array) -> Array:
    return np.sin(16 * np.pi * x)


def chirp(x: Array) -> Array:
    return np.sin(16 * np.pi * np.abs(x) ** 1.5)


def local(x: Array) -> Array:
    return np.where(np.abs(x) < 0.02, np.sin(50 * np.pi * x), 0.0)


def star(X: Array) -> Array:
    r, angle = np.hypot(X[:, 0], X[:, 1]), np.arctan2(X[:, 1], X[:, 0])
    rho = 0.1 + 0.02 * np.cos(np.pi * angle**2)
    return np.clip(25 * rho - 25 * r + 0.5, 0, 1)


@dataclass(frozen=True)
class Case:
    """A target, a network, how it is solved, and what is wanted."""

    function: Callable[[Array], Array]
    size: tuple[int, int, int]
    network: dict[str, Any]
    options: dict[str, Any]
    wanted: float
    seconds: float
    rows: int | None = None
    on_train: bool = False

    @property
    def n_inputs(self) -> int:
        return self.network.get("n_inputs", 1)


SINE = {"activation": "sin"}
RELU = {"activation": "relu"}
LM = {"method": "lm", "tolerance": 1e-15}
SPRING = {"method": "spring", "tolerance": 1e-15, "share": 0.0, "batch": 800}

CASES = {
    "wave-sin": Case(wave, (300, 5, 4), SINE, LM | {"max_steps": 100}, 1e-10, 10, rows=1000),
    "wave-relu": Case(
        wave, (300, 5, 4), RELU, SPRING | {"max_steps": 220, "damping": (1e-3, 1e-7)}, 6e-6, 15
    ),
    "chirp-sin": Case(chirp, (300, 5, 4), SINE, LM | {"max_steps": 174}, 1e-9, 15, rows=1000),
    "chirp-relu": Case(
        chirp, (300, 5, 4), RELU, SPRING | {"max_steps": 440, "damping": (1e-3, 1e-7)}, 1e-5, 30
    ),
    "local": Case(
        local,
        (10, 3, 5),
        {"activation": "tanh", "fixed": False},
        LM | {"max_steps": 500},
        1e-10,
        4,
        rows=1000,
        on_train=True,
    ),
    "local-graded": Case(
        local,
        (10, 3, 5),
        {"activation": "tanh", "fixed": False},
        LM | {"max_steps": 500, "batch": 1100},
        1e-9,
        4,
    ),
    "star": Case(
        star,
        (100, 10, 6),
        {"activation": "tanh", "n_inputs": 2, "scale": 25.0},
        {"method": "spring", "batch": 1500, "max_steps": 160, "damping": (1e-1, 2e-3)},
        2e-6,
        45,
    ),
}


def grid(n_inputs: int) -> Array:
    """Return test points."""
    if n_inputs == 1:
        return np.linspace(-1, 1, 50_001)
    axis = (np.arange(500) + 0.5) / 250 - 1
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


def mse(model: Callable[[Array], Array], function: Callable[[Array], Array], X: Array) -> float:
    return float(np.mean((model(X) - function(X)) ** 2))


def solved(case: Case, seed: int, method: str | None = None) -> tuple[float, float, int, Any]:
    """Return error, seconds, unknowns, result of one seed."""
    start = time.process_time()
    network = random_mmnn(*case.size, random_state=seed, **case.network)
    data: tuple[Any, ...] = (Field(case.function),)
    if case.rows is not None:
        x = np.linspace(-1, 1, case.rows)
        data = (x, case.function(x))
    options = case.options if method is None else {"method": method}
    result = solve_mmnn(network, *data, random_state=seed, **options)
    seconds = time.process_time() - start
    if case.on_train and method is None:
        return result.mse, seconds, result.n_parameters, result
    return mse(result, case.function, grid(case.n_inputs)), seconds, result.n_parameters, result


def elements(case: Case, unknowns: int) -> float:
    """Return the error of the L2 projection on as many uniform elements."""
    each = round(unknowns ** (1 / case.n_inputs))
    axis = np.linspace(-1, 1, each)
    space = Elements(axis if case.n_inputs == 1 else (axis, axis))
    return mse(space.project(case.function), case.function, grid(case.n_inputs))


def adam(case: Case, seconds: float) -> float:
    """Return the error after as many seconds of Adam."""
    import torch

    from solvenet.torchnets import MMNN

    torch.set_num_threads(1)
    module = MMNN(*case.size, **case.network)
    trained = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=1e-3)
    rng = np.random.default_rng(0)
    start = time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * 0.05 ** (spent / seconds)
        X = rng.uniform(-1, 1, (100 if case.n_inputs == 1 else 1000, case.n_inputs))
        y = case.function(X[:, 0] if case.n_inputs == 1 else X)
        x, wanted = (torch.tensor(a, dtype=torch.float32) for a in (X, y))
        loss = (module(x)[:, 0] - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return mse(module.to_arrays(), case.function, grid(case.n_inputs))


def judge(what: str, value: float, wanted: float) -> bool:
    verdict = "reached" if value <= wanted else "MISSED"
    print(f"target {verdict}: {what} {value:.2e}, wanted at most {wanted:.2e}", flush=True)
    return value <= wanted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--adam", action="store_true")
    arguments = parser.parse_args()
    verdicts = []
    for name in arguments.cases:
        case = CASES[name]
        runs = [solved(case, seed) for seed in range(arguments.seeds)]
        error, seconds = (float(np.median([run[i] for run in runs])) for i in (0, 1))
        unknowns = runs[0][2]
        print(f"\n{name} {case.size}, {unknowns} unknowns, {runs[0][3].method}: ", end="")
        print(" ".join(f"{run[0]:.1e} ({run[1]:.1f} s)" for run in runs), flush=True)
        other = solved(case, 0, "shallow")
        print(f"  shallow, {other[2]} unknowns: {other[0]:.1e} ({other[1]:.1f} s)")
        print(f"  elements, {unknowns} unknowns: {elements(case, unknowns):.1e}", flush=True)
        what = "training error" if case.on_train else "error"
        verdicts.append(judge(f"{name}, {what}", error, case.wanted))
        verdicts.append(judge(f"{name}, seconds", seconds, case.seconds))
        if arguments.adam:
            trained = adam(case, seconds)
            print(f"  Adam, {seconds:.1f} s: {trained:.1e}")
            verdicts.append(judge(f"{name}, error over Adam's", error / trained, 1 / 30))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    with threadpool_limits(1):
        raise SystemExit(main())
