"""Training as published: Adam on samples of a grid.

x is the epoch. Rows of "mse" and "max" are errors on points off the samples, in between "fit"
is the trained network at x, the item the epoch, of seed 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from common.records import Row
from targets import TARGETS

from solvenet.analysis import Elements


def trained(
    *,
    target: str,
    size: tuple[int, int, int],
    seeds: int,
    samples: int,
    epochs: int,
    at: Sequence[int],
    batch: int | None,
    rate: float,
    decay: tuple[float, int],
    network: dict[str, Any],
    fits: int = 0,
    epochs_published: int | None = None,
) -> Iterator[Row]:
    """Train one network a seed."""
    import torch

    from solvenet.torchnets import MMNN, train_adam

    torch.set_num_threads(1)
    aim = TARGETS[target]
    X = aim.samples(samples)
    y = aim.of(X)
    item = f"{target}, {size}"
    for seed in range(seeds):
        rows: list[Row] = []

        def look(module, record, seed=seed, rows=rows):
            if record.epoch not in at:
                return
            solid = module.to_arrays()
            mse, largest = aim.errors(solid)
            rows.append(Row(item, record.epoch, seed, "mse", mse))
            rows.append(Row(item, record.epoch, seed, "max", largest))
            if fits and seed == 0:
                x = aim.samples(fits)
                values = solid(x)
                places = x[:, 0] if aim.n_inputs == 1 else np.arange(len(x))
                name = f"epoch {record.epoch}"
                rows += [Row(name, a, 0, "fit", v) for a, v in zip(places, values, strict=True)]

        module = MMNN(*size, n_inputs=aim.n_inputs, random_state=seed, **network)
        run = train_adam(
            module,
            X,
            y,
            epochs=epochs,
            batch_size=batch,
            learning_rate=rate,
            schedule=tuple(decay),
            callback=look,
            random_state=seed,
        )
        yield from rows
        yield Row(item, epochs, seed, "seconds", run.seconds)
        parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
        yield Row(item, epochs, seed, "unknowns", parameters)
        if epochs_published is not None:
            yield Row(
                item, epochs, seed, "share of the published epochs", epochs / epochs_published
            )


def elements(*, cases: Sequence[tuple[str, int]], graded: Sequence[tuple[str, int, float]]):
    """Projections on (bi)linear elements: x is the number of unknowns."""
    for target, n in cases:
        aim = TARGETS[target]
        axis = np.linspace(-1, 1, n)
        yield from _projected(aim, axis, f"{target}, uniform elements")
    for target, n, edge in graded:
        aim = TARGETS[target]
        inside = round(0.78 * n)
        outside = (n - inside) // 2
        axis = np.concatenate(
            [
                np.linspace(-1, -edge, outside, endpoint=False),
                np.linspace(-edge, edge, n - 2 * outside),
                np.linspace(edge, 1, outside + 1)[1:],
            ]
        )
        yield from _projected(aim, axis, f"{target}, graded elements")


def _projected(aim, axis, item) -> Iterator[Row]:
    space = Elements(axis if aim.n_inputs == 1 else (axis, axis))
    mse, largest = aim.errors(space.project(aim.function))
    yield Row(item, space.n_dof, 0, "mse", mse)
    yield Row(item, space.n_dof, 0, "max", largest)


RELU, SINE = {"activation": "relu"}, {"activation": "sin"}
THIRTY = {"samples": 60_000, "epochs": 30, "batch": 60, "rate": 1e-3, "decay": (0.9, 1)}
WAVES = {"size": (300, 5, 4), "seeds": 5, "at": list(range(1, 31)), "network": RELU} | THIRTY
SMALL = {"seeds": 1, "samples": 100, "epochs": 2, "at": [1, 2]}


def _part(small: dict[str, Any] | None = None, **full):
    return trained, full, full | SMALL | (small or {})


PARTS = {
    "adam_wave": _part(target="wave", **WAVES),
    "adam_chirp": _part(target="chirp", **WAVES),
    "adam_wave_sine": _part(
        target="wave", size=(300, 5, 4), seeds=5, samples=1000, epochs=300, batch=100, rate=1e-3,
        decay=(0.9, 10), at=[4, 10, 30, 100, 300], network=SINE,
    ),
    "adam_local": _part(
        target="local", size=(10, 3, 5), seeds=5, samples=1000, epochs=10_000, batch=None,
        rate=5e-3, decay=(0.95, 400), at=[3000, 3500, 4000, 10_000], fits=2001,
        network={"activation": "relu", "initial": "default", "fixed": False},
    ),
    "adam_star": _part(
        {"samples": 20},
        target="star", size=(100, 10, 6), seeds=5, samples=400, epochs=400, batch=1000, rate=3e-3,
        decay=(0.9, 20), at=[20, 100, 200, 400], fits=120,
        network={"activation": "relu", "fixed": False},
    ),
    "adam_500_3_5": _part(
        target="wave", size=(500, 3, 5), seeds=1, at=list(range(1, 31)), network=RELU, **THIRTY,
    ),
    "adam_sines": _part(
        {"samples": 20},
        target="sines", size=(500, 5, 5), seeds=1, samples=400, epochs=12, batch=1000, rate=1e-3,
        decay=(0.8, 1), at=[1, 4, 8, 12], network=RELU, epochs_published=400,
    ),
    "adam_sines_3": _part(
        {"samples": 20},
        target="sines, s = 3", size=(200, 20, 8), seeds=1, samples=400, epochs=20, batch=1000,
        rate=1e-3, decay=(0.85, 1), at=[2, 10, 20], network=RELU, epochs_published=1000,
    ),
    "adam_waves": _part(
        target="waves", size=(666, 36, 6), seeds=1, samples=1000, epochs=1000, batch=100, rate=1e-3,
        decay=(0.9, 20), at=[100, 400, 1000], network={"activation": "relu", "initial": "default"},
        epochs_published=20_000,
    ),
    "adam_clipped_star": _part(
        {"samples": 20},
        target="clipped star", size=(666, 36, 8), seeds=1, samples=300, epochs=10, batch=1000,
        rate=1e-3, decay=(0.8, 1), at=[2, 5, 10],
        network={"activation": "relu", "initial": "default"}, epochs_published=1000,
    ),
    "adam_gaussian": _part(
        {"samples": 5},
        target="gaussian", size=(200, 36, 8), seeds=1, samples=20, epochs=6, batch=1225, rate=1e-3,
        decay=(0.9, 1), at=[1, 3, 6], network={"activation": "relu", "initial": "default"},
        epochs_published=150,
    ),
    "elements": (
        elements,
        {
            "cases": [
                ["local", 143], ["local", 323], ["wave", 4816], ["chirp", 4816], ["star", 72],
                ["star", 105], ["sines", 72],
            ],
            "graded": [["local", 143, 0.03], ["star", 72, 0.15], ["star", 105, 0.15]],
        },
        {"cases": [["local", 20], ["star", 10]], "graded": [["local", 20, 0.03]]},
    ),
}  # fmt: skip
