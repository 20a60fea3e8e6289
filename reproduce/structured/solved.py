"""Solved instead of trained: the same networks by Levenberg-Marquardt, beside shallow ones.

Errors are on points off the samples; x is the number of unknowns. ``benchmarks/structured.py`` has
the times and what is wanted of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from common.records import Row
from targets import TARGETS

from solvenet.structured import Field, random_mmnn, solve_mmnn


def solved(*, cases: Sequence[dict[str, Any]], seeds: int) -> Iterator[Row]:
    """Solve each case for each seed, and the best shallow network."""
    for case in cases:
        aim = TARGETS[case["target"]]
        data: tuple[Any, ...] = (Field(aim.function),)
        if "rows" in case:
            x = np.linspace(-1, 1, case["rows"])
            data = (x, aim.function(x))
        for seed in range(seeds):
            network = random_mmnn(
                *case["size"], n_inputs=aim.n_inputs, random_state=seed, **case["network"]
            )
            ways = {"solved": case["solve"], "shallow": {"method": "shallow"}}
            for name, options in ways.items():
                if name == "shallow" and seed > 0:
                    continue
                start = time.process_time()
                result = solve_mmnn(network, *data, random_state=seed, **options)
                seconds = time.process_time() - start
                kind = f", {case['network']['activation']}" if name == "solved" else ""
                item = f"{case['target']}, {name}{kind}"
                mse, largest = aim.errors(result)
                yield Row(item, result.n_parameters, seed, "mse", mse)
                yield Row(item, result.n_parameters, seed, "max", largest)
                yield Row(item, result.n_parameters, seed, "train mse", result.mse)
                yield Row(item, result.n_parameters, seed, "seconds", seconds)


def _case(target, size, network, solve, **more):
    return {"target": target, "size": size, "network": network, "solve": solve} | more


SINE, RELU, TANH = ({"activation": name} for name in ("sin", "relu", "tanh"))
LM = {"method": "lm", "tolerance": 1e-15}
SPRING = {"method": "spring", "tolerance": 1e-15}
KINKED = SPRING | {"share": 0.0, "batch": 800, "damping": (1e-3, 1e-7)}
CASES = [
    _case("wave", (300, 5, 4), SINE, LM | {"max_steps": 100}, rows=1000),
    _case("wave", (300, 5, 4), RELU, KINKED | {"max_steps": 220}),
    _case("chirp", (300, 5, 4), SINE, LM | {"max_steps": 110}, rows=1000),
    _case("chirp", (300, 5, 4), RELU, KINKED | {"max_steps": 440}),
    _case("local", (10, 3, 5), TANH | {"fixed": False}, LM | {"max_steps": 500}, rows=1000),
    _case("arctan", (10, 3, 3), TANH | {"fixed": False}, LM | {"max_steps": 200}, rows=1000),
    _case("waves", (300, 5, 4), SINE, LM | {"max_steps": 100}, rows=1500),
]
MORE = [
    _case("clipped star", (100, 10, 6), TANH, SPRING | {"max_steps": 100, "batch": 1200}),
    _case(
        "sines", (100, 10, 6), TANH,
        SPRING | {"max_steps": 80, "batch": 1500, "damping": (1e-2, 1e-3)},
    ),
    _case("gaussian", (60, 8, 3), TANH, SPRING | {"max_steps": 80, "batch": 800}),
]  # fmt: skip
QUICK = _case("local", (6, 2, 3), TANH, LM | {"max_steps": 3}, rows=100)

PARTS = {
    "solved": (solved, {"cases": CASES, "seeds": 5}, {"cases": [QUICK], "seeds": 1}),
    "solved_more": (solved, {"cases": MORE, "seeds": 1}, {"cases": [QUICK], "seeds": 1}),
}
