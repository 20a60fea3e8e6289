"""Fully connected networks at equal time: as many parameters, and ten times as many.

Each is trained by Adam on the same samples, in batches of the same size, for as many seconds of
the processor as the structured network took; x is the number of parameters.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from common.records import Row
from targets import TARGETS


def width_of(parameters: int, depth: int, n_inputs: int) -> int:
    """Return the width of so many parameters with so many hidden layers."""
    width = 1
    while _count(width + 1, depth, n_inputs) <= parameters:
        width += 1
    return width


def _count(width: int, depth: int, n_inputs: int) -> int:
    return (n_inputs + 1) * width + (depth - 1) * (width + 1) * width + width + 1


def connected(
    *, cases: Sequence[dict[str, Any]], seeds: int, seconds: float | None = None
) -> Iterator[Row]:
    """Train the structured network, then the others for as long."""
    import torch

    from solvenet.torchnets import MMNN, train_adam

    torch.set_num_threads(1)
    for case in cases:
        aim, depth = TARGETS[case["target"]], case["size"][2]
        X = aim.samples(case["samples"])
        y = aim.of(X)
        for seed in range(seeds):
            torch.manual_seed(seed)
            module = MMNN(
                *case["size"], n_inputs=aim.n_inputs, random_state=seed, **case["network"]
            )
            spent = seconds or case["seconds"]
            numbers = sum(p.numel() for p in module.parameters() if p.requires_grad)
            models = {"structured": module}
            for times in (1, 10):
                width = width_of(times * numbers, depth, aim.n_inputs)
                models[f"fully connected, {times} times"] = _plain(width, depth, aim.n_inputs)
            for name, model in models.items():
                start = time.process_time()

                def late(_module, _record, start=start, spent=spent):
                    return time.process_time() - start > spent

                def rate(_epoch, start=start, spent=spent):
                    return 0.05 ** min(1.0, (time.process_time() - start) / spent)

                train_adam(
                    model,
                    X,
                    y,
                    epochs=10**6,
                    batch_size=case["batch"],
                    learning_rate=case["rate"],
                    schedule=rate,
                    callback=late,
                    random_state=seed,
                )
                count = sum(p.numel() for p in model.parameters() if p.requires_grad)
                mse, _ = aim.errors(lambda Z, model=model: _values(model, Z))
                yield Row(f"{case['target']}, {name}", count, seed, "mse", mse)


def _plain(width: int, depth: int, n_inputs: int):
    import torch

    sizes = [n_inputs, *[width] * depth]
    layers: list[Any] = []
    for a, b in pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))


def _values(model, Z):
    import torch

    parameter = next(model.parameters())
    with torch.no_grad():
        rows = torch.as_tensor(np.asarray(Z).reshape(len(Z), -1)).to(parameter.dtype)
        return model(rows)[:, 0].double().numpy()


RELU = {"activation": "relu"}
FREE = {"activation": "relu", "initial": "default", "fixed": False}
CASES = [
    {"target": "wave", "size": (300, 5, 4), "samples": 12_000, "batch": 60, "rate": 1e-3,
     "network": RELU, "seconds": 45},
    {"target": "chirp", "size": (300, 5, 4), "samples": 12_000, "batch": 60, "rate": 1e-3,
     "network": RELU, "seconds": 45},
    {"target": "local", "size": (10, 3, 5), "samples": 1000, "batch": None, "rate": 5e-3,
     "network": FREE, "seconds": 16},
    {"target": "waves", "size": (300, 10, 5), "samples": 20_000, "batch": 100, "rate": 1e-3,
     "network": RELU, "seconds": 60},
    {"target": "sines", "size": (100, 10, 6), "samples": 400, "batch": 1000, "rate": 1e-3,
     "network": RELU, "seconds": 60},
]  # fmt: skip

PARTS = {
    "connected": (
        connected,
        {"cases": CASES, "seeds": 3},
        {"cases": [CASES[2] | {"samples": 50}], "seeds": 1, "seconds": 0.2},
    )
}
