"""Automatic sizes: grown networks beside the best of the sizes that one would try by hand.

The hand-chosen ones have as many parameters as the grown one, to a tenth, and as many steps in
all. x is the number of parameters; "over the best" is the root of the ratio of mean squared
errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from common.records import Row
from targets import TARGETS

from solvenet.structured import Field, grow_mmnn, random_mmnn, solve_mmnn


def sizes(
    *, cases: Sequence[dict[str, Any]], ranks: Sequence[int], depths: Sequence[int], steps: int
) -> Iterator[Row]:
    """Grow, then solve all sizes of a grid."""
    for case in cases:
        aim, most, settings = TARGETS[case["target"]], case["most"], case["network"]
        data: tuple[Any, ...] = (Field(aim.function),)
        if "rows" in case:
            x = np.linspace(-1, 1, case["rows"])
            data = (x, aim.function(x))
        growth = grow_mmnn(
            *data, n_inputs=aim.n_inputs, most_parameters=most, max_steps=steps, **settings
        )
        item, count = case["target"], growth.result.network.n_parameters
        own = aim.errors(growth.result)[0]
        yield Row(f"{item}, grown {growth.size}", count, 0, "mse", own)
        found = []
        for rank, depth in itertools.product(ranks, depths):
            width = count // (rank * (depth - 1) + 1) - 1
            if width < max(rank, 2):
                continue
            network = random_mmnn(
                width, rank, depth, n_inputs=aim.n_inputs, **({"activation": "tanh"} | settings)
            )
            result = solve_mmnn(network, *data, method=growth.result.method, max_steps=2 * steps)
            found.append(aim.errors(result)[0])
            size = (width, rank, depth)
            yield Row(f"{item}, by hand {size}", network.n_parameters, 0, "mse", found[-1])
        yield Row(item, count, 0, "best by hand", min(found))
        yield Row(item, count, 0, "over the best", (own / min(found)) ** 0.5)


TANH, SINE = {"activation": "tanh"}, {"activation": "sin"}
CASES = [
    {"target": "wave", "rows": 800, "most": 480, "network": SINE},
    {"target": "chirp", "rows": 800, "most": 480, "network": SINE},
    {"target": "local", "rows": 1200, "most": 480, "network": TANH},
    {"target": "arctan", "rows": 600, "most": 240, "network": TANH},
    {"target": "star", "most": 960, "network": TANH},
    {"target": "sines", "most": 960, "network": TANH},
]

PARTS = {
    "sizes": (
        sizes,
        {"cases": CASES, "ranks": [2, 3, 5, 8], "depths": [2, 3, 4, 6], "steps": 60},
        {
            "cases": [CASES[3] | {"rows": 60, "most": 60}],
            "ranks": [2],
            "depths": [2, 3],
            "steps": 3,
        },
    )
}
