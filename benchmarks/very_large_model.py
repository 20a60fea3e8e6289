"""The model of `very_large.py`: passes of each solver, simulated as the engine runs them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

import numpy as np

from solvenet.engine import MergeTree, part_bounds
from solvenet.features.survey import sample_capacity
from solvenet.reductions import Reduction
from solvenet.solvers import HessianSketch
from solvenet.solvers.refined import FEWEST_PER_COLUMN as FEWEST
from solvenet.solvers.refined import PROBES

N_INPUTS = 10
ROW_BYTES = 8 * (N_INPUTS + 1)
JITTER = 0.05
"""Parts of the same size differ by about so much."""


@dataclass(frozen=True)
class Machine:
    """What the prediction is made of; seconds with one thread."""

    read: float  # seconds a byte of Parquet, decoded
    survey: float  # seconds a number of the inputs
    features: float  # seconds a row and unit, ten inputs, tanh
    gram: float  # seconds a row and column**2
    gradient: float  # seconds a row and column, one target and four probes
    sketch: float  # seconds a row and column
    qr: float  # seconds a row and column**2
    merge: float  # seconds a byte of a Gram matrix
    merge_qr: float  # seconds a column**3
    merge_survey: float  # seconds a byte
    link: float  # seconds a byte from a worker to the driver
    latency: float  # seconds a slot waits between two small parts
    task: float  # seconds of the driver a part
    ridge: float  # seconds a column**3 of NormalEquations after its pass
    spectrum: float  # seconds a column**3 of HessianSketch
    crowd: float = 1.0  # how much slower a part is where all cores compute
    slots: int = 1  # parts at the same time a worker
    memory: float = np.inf  # bytes of memory_limit a worker
    driver: float = 1.0  # how many times as fast the driver's algebra is


@dataclass(frozen=True)
class Pass:
    """One pass over rows, or (rows = 0) work of the driver."""

    name: str
    rows: int
    n_cols: int
    a_row: float  # seconds by one thread
    blas: float = 0.0  # those of them that all threads of the BLAS would share
    up: float = 0.0  # bytes of a summary
    down: float = 0.0  # bytes that a part is sent with
    merge: float = 0.0  # seconds
    alone: float = 0.0  # seconds of the driver by itself


@dataclass
class Outcome:
    seconds: float = 0.0
    traffic: float = 0.0  # bytes through the driver's link
    held: float = 0.0  # bytes of summaries that the driver holds at most
    worker: float = 0.0  # bytes of summaries on a worker
    busiest: str = ""  # what takes most of the time
    share: float = 0.0  # its share


def passes_of(solver: str, N: int, n: int, m: Machine) -> list[Pass]:
    """Return the passes of a fit by one of the solvers: survey, then read-out."""
    read, features, square = ROW_BYTES * m.read, n * m.features, 8.0 * n * n
    kept = 8.0 * (N_INPUTS + 2) * min(sample_capacity(N_INPUTS + 1), N)

    def step(name: str, rows: int, made: float, blas: float, up: float, **other: float) -> Pass:
        return Pass(name, rows, n, made + blas, blas, up, **{"merge": up * m.merge} | other)

    def algebra(cubes: float) -> Pass:
        return Pass("algebra", 0, n, 0.0, alone=n**3 * cubes / m.driver)

    survey = Pass(
        "survey", N, N_INPUTS, read + N_INPUTS * m.survey, up=kept, merge=kept * m.merge_survey
    )
    count = HessianSketch().sample_rows(N, n)
    if solver == "NormalEquations" or (solver == "HessianSketch" and count < FEWEST * n):
        gram = step("Gram", N, read + features, n * n * m.gram, square)
        return [survey, gram, algebra(m.ridge)]
    if solver == "QR":
        qr = step("QR", N, read + features, n * n * m.qr, square, merge=n**3 * m.merge_qr)
        return [survey, qr, algebra(m.spectrum)]
    if solver == "SWG":
        r = n // 2
        product = (2 * n * r + r * r) * m.gram
        return [
            survey,
            step("sketch", N, read + features + n * m.sketch, 0.0, 2 * square),
            algebra(2 * m.spectrum),
            step("whitened Gram", N, read + features, product, 8.0 * r * r, down=8.0 * n * r),
        ]
    out = [survey]
    if count > 2 * sample_capacity(N_INPUTS + 1):  # the survey has not kept enough
        out.append(Pass("rows of the sample", 0, n, 0.0, alone=N * read))
    else:
        count = min(count, sample_capacity(N_INPUTS + 1))
    sent = ROW_BYTES * float(np.diff(part_bounds(count, n)).max())
    few = 8.0 * n * (PROBES + 2)
    gradient = step("gradient", N, read + features, n * m.gradient, few, down=few)
    return [
        *out,
        step("Gram of the sample", count, features, n * n * m.gram, square, down=sent),
        algebra(m.spectrum),
        gradient,
        replace(gradient, name="second gradient"),
    ]


class Unit(Reduction):
    """A summary without content, for the order of merging."""

    def update(self, A, B, weights=None, *, start=0, overwrite=False):
        pass

    def merge(self, other):
        pass

    nbytes = 0


def simulate(step: Pass, m: Machine, n_workers: int, seed: int = 0) -> tuple[float, float, float]:
    """Return the seconds of a pass, the most summaries the driver held, the driver's share."""
    bounds = part_bounds(step.rows, step.n_cols)
    sizes = np.diff(bounds)
    if len(sizes) == 1:  # on the driver
        return step.rows * (step.a_row - step.blas * (1 - 1 / m.driver)), 1, 1.0
    at_once = m.slots
    if step.up:
        at_once = int(max(1, min(m.slots, m.memory // 2 // step.up)))
    rng = np.random.default_rng(seed)
    crowd = m.crowd if min(n_workers * at_once, len(sizes)) > 1 else 1.0
    seconds = sizes * step.a_row * crowd * np.exp(JITTER * rng.standard_normal(len(sizes)))
    tree, alive = MergeTree(len(sizes)), 0
    running: list[tuple[float, int]] = []
    done: list[int] = []
    now, waited, following = 0.0, 0.0, 0
    free = n_workers * at_once
    while tree.root is None:
        while free and following < len(sizes):
            now += m.task / 2 + step.down * m.link
            heapq.heappush(running, (now + m.latency + seconds[following], following))
            following, free = following + 1, free - 1
        if not done and running[0][0] > now:
            waited, now = waited + running[0][0] - now, running[0][0]
        while running and running[0][0] <= now:
            heapq.heappush(done, heapq.heappop(running)[1])
        now += m.task / 2 + step.up * m.link + step.merge
        tree.add(heapq.heappop(done), Unit())
        alive = max(alive, len(tree._waiting) + len(tree._sums))
        free += 1
    return now, alive, 1 - waited / now


def predict(solver: str, N: int, n: int, m: Machine, n_workers: int) -> Outcome:
    """Return what a fit takes."""
    out, times = Outcome(), {}
    for step in passes_of(solver, N, n, m):
        if step.rows == 0:
            times[step.name] = (step.alone, "the driver's algebra")
            if step.name.startswith("rows"):
                times[step.name] = (step.alone, "one reader")
            continue
        seconds, alive, busy = simulate(step, m, n_workers)
        n_parts = len(part_bounds(step.rows, step.n_cols)) - 1
        wire = n_parts * (step.up + step.down) * m.link
        merging = n_parts * step.merge
        why = f"workers ({step.name})"
        if busy > 0.5:
            what = "link" if wire > merging else "merging"
            why = f"{what} of the driver ({step.name})"
            if n_parts == 1:
                why = f"the driver ({step.name}, one part)"
        times[step.name] = (seconds, why)
        out.traffic += n_parts * (step.up + step.down)
        out.held = max(out.held, (alive + 1) * step.up)
        at_once = int(max(1, min(m.slots, m.memory // 2 // max(step.up, 1))))
        out.worker = max(out.worker, min(at_once, n_parts) * step.up)
    out.seconds = sum(seconds for seconds, _ in times.values())
    longest, out.busiest = max(times.values())
    out.share = longest / out.seconds
    return out
