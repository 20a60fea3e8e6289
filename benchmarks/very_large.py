"""Predict time, memory and traffic of very large fits by simulating the engine as it is.

    python benchmarks/very_large.py [--check] [--write] [--folder DIR]

Measures what the model is made of on this machine: seconds a row and column for features,
products, sketches and reflections with one thread, bytes a second of reading, merging and of
the driver's link, seconds a task. Then simulates passes as :meth:`Engine.tree_reduce` runs
them: parts of :func:`part_bounds`, one at a time a slot, summaries fetched and merged one after
the other by the driver, in a real :class:`MergeTree`. ``--check`` compares the prediction with
fits on 1 and 2 local Dask workers (strong and weak). ``--write`` puts the tables between the
markers of ``docs/very_large.md`` and draws its figure, for a stated cluster. About 10 minutes
with ``--check``, 2 without.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import scipy.linalg
from distributed import Client, LocalCluster
from threadpoolctl import threadpool_limits

from solvenet.engine import DaskEngine, MergeTree, SerialEngine
from solvenet.features.survey import Survey, sample_capacity
from solvenet.linalg.sketching import SKETCHES
from solvenet.reductions import GramReduction, QRReduction, Reduction, SketchReduction
from solvenet.solvers.refined import PROBES, GradientReduction
from solvenet.sources import open_source

sys.path.insert(0, str(Path(__file__).parent))

from scaling import Fits
from very_large_model import N_INPUTS, ROW_BYTES, Machine, Unit, passes_of, predict, simulate

DOCS = Path(__file__).parents[1] / "docs"
LIMITS = ((4_000, 10**8), (4_000, 10**10), (10_000, 10**9), (50_000, 10**9), (50_000, 10**10))
ROWS, COLUMNS, WORKERS = (10**7, 10**8, 10**9, 10**10), (4_000, 10_000, 50_000), (1, 10, 100, 1000)


def median_seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the median seconds of some work, after one trial."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def measure(fits: Fits) -> Machine:
    """Measure everything on this machine, with the processes of a Dask cluster where it counts."""
    rows = 2**18
    fits.fit(SerialEngine(), rows)
    one = fits.fit(SerialEngine(), rows)
    n = fits.hidden.n_features_out
    square = np.random.default_rng(0).random((n, n))
    square = square.T @ square
    return Machine(
        # What the driver does at the end has all threads.
        ridge=(one["solve"] - one["pass"]) / n**3,
        spectrum=median_seconds(lambda: scipy.linalg.eigh(square) and square @ square) / n**3,
        **measure_parts(fits),
        **measure_cluster(),
    )


@threadpool_limits.wrap(limits=1)
def measure_parts(fits: Fits) -> dict[str, float]:
    """Measure what workers do, each with one thread."""
    rows = 2**18
    hidden, n = fits.hidden, fits.hidden.n_features_out
    rng = np.random.default_rng(0)
    block = max(512, n // 2)
    X, B = rng.random((block, N_INPUTS)), rng.random((block, 1))
    H = hidden(X)
    memory = np.empty_like(H)
    path = fits.table(rows)

    def read() -> None:
        for _ in open_source(path).stream():
            pass

    def add(made: Reduction) -> float:
        # The products may overwrite a block that is made anew each time: this copy as well.
        copy = median_seconds(lambda: np.copyto(memory, H), 9)

        def once() -> None:
            np.copyto(memory, H)
            made.update(memory, B, overwrite=True)

        return max(median_seconds(once, 9) - copy, 1e-9)

    gram = GramReduction(n, 1, center=True)
    per_gram = add(gram)
    other = GramReduction(n, 1, center=True)
    other.update(H[: block // 2].copy(), B[: block // 2])
    qr = QRReduction(n, 1, center=True)
    R = QRReduction(n, 1, center=True)
    R.update(rng.random((2 * n, n)), rng.random((2 * n, 1)))
    R.compact()
    many = 8 * block

    def reflections() -> None:
        for _ in range(8):
            qr.update(H, B)
        qr.compact()

    def merged_qr() -> None:
        both = QRReduction(n, 1, center=True)
        both.merge(R)
        both.merge(R)
        both.compact()

    sketch = SketchReduction(SKETCHES["sparse_sign"](2 * n, 10**6, seed=0), n, 1, center=True)
    V = rng.random((n, PROBES))
    gradient = GradientReduction(rng.random((n, 1)), np.zeros(1), V)
    survey_rows = 2**17
    inputs, targets = rng.random((survey_rows, N_INPUTS)), rng.random((survey_rows, 1))

    def survey() -> Survey:
        made = Survey(N_INPUTS, 1)
        made.update(inputs, targets)
        made.compact()
        return made

    first, second = Survey(N_INPUTS, 1), Survey(N_INPUTS, 1)
    for made in (first, second):  # full samples
        for _ in range(2 * sample_capacity(N_INPUTS + 1) // survey_rows):
            made.update(rng.random((survey_rows, N_INPUTS)), targets)
        made.compact()
    merging = time.perf_counter()
    first.merge(second)
    first.compact()
    merging = time.perf_counter() - merging
    return {
        "read": median_seconds(read) / (rows * ROW_BYTES),
        "survey": median_seconds(survey) / (survey_rows * N_INPUTS),
        "features": median_seconds(lambda: hidden(X, out=memory), 9) / H.size,
        "gram": per_gram / (block * n**2),
        "gradient": add(gradient) / H.size,
        "sketch": median_seconds(lambda: sketch.update(H, B, start=0), 5) / H.size,
        "qr": median_seconds(reflections) / (many * n**2),
        "merge": median_seconds(lambda: gram.merge(other), 9) / (8 * n**2),
        "merge_qr": median_seconds(merged_qr) / n**3,
        "merge_survey": merging / second.nbytes,
    }


def small_task(seconds: float) -> Reduction:
    """Stand for a part."""
    time.sleep(seconds)
    return Unit()


def speed(n: int) -> float:
    """Return the seconds of some products and features, with one thread."""
    made, H = GramReduction(n, 1, center=True), np.random.default_rng(0).random((n // 2, n))
    made.update(H.copy(), H[:, :1], overwrite=True)
    start = time.perf_counter()
    for _ in range(20):
        made.update(np.tanh(H), H[:, :1], overwrite=True)
    return time.perf_counter() - start


def measure_cluster() -> dict[str, float]:
    """Measure link, latency and cost of tasks, and two cores that compute together."""
    kind = {"dashboard_address": ":0", "silence_logs": 60}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, **kind) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        engine = DaskEngine(client)

        def fetched(n_bytes: int) -> float:
            def once() -> float:
                handle = engine.submit(np.ones, n_bytes // 8)
                engine.first_done([handle])
                start = time.perf_counter()
                engine.gather([handle])
                return time.perf_counter() - start

            return float(np.median([once() for _ in range(7)]))

        link = (fetched(2**26) - fetched(2**13)) / (2**26 - 2**13)
        alone, together = [], []
        for _ in range(3):
            [first, second] = list(client.nthreads())
            one = client.submit(speed, 1000, workers=[first], pure=False)
            alone.append(one.result())
            both = [client.submit(speed, 1000, workers=[w], pure=False) for w in (first, second)]
            together.append(np.mean(client.gather(both)))
        crowd = float(np.median(together) / np.median(alone))
    tasks = {}
    for n_threads, parts in ((1, 100), (16, 800)):
        with (
            LocalCluster(n_workers=1, threads_per_worker=n_threads, **kind) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            engine, nap = DaskEngine(client), 0.01
            engine.tree_reduce(small_task, [nap] * 16, MergeTree(16))
            start = time.perf_counter()
            engine.tree_reduce(small_task, [nap] * parts, MergeTree(parts))
            tasks[n_threads] = (time.perf_counter() - start) / parts
    task = min(tasks[16], tasks[1] - nap)
    return {"link": link, "latency": max(0.0, tasks[1] - nap - task), "task": task, "crowd": crowd}


def check(m: Machine, folder: Path, seconds: float) -> list[list[str]]:
    """Compare predicted and measured seconds of the read-out, on 1 and 2 local workers."""
    kind = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 60}
    table = []
    with (
        LocalCluster(n_workers=1, **kind) as one,
        LocalCluster(n_workers=2, **kind) as two,
        Client(one, set_as_default=False) as client_1,
        Client(two, set_as_default=False) as client_2,
    ):
        clients = {1: client_1, 2: client_2}
        for solver, width in (("normal", 1000), ("normal", 500), ("hessian", 300)):
            fits = Fits(width, folder)
            fits.solver = solver
            n = width + N_INPUTS
            name = {"normal": "NormalEquations", "hessian": "HessianSketch"}[solver]
            # As many rows as take about so long with one worker.
            trial = predict(name, 10**7, n, replace(m, memory=np.inf), 1).seconds
            rows = max(int(10**7 * seconds / trial), 1100 * n if solver == "hessian" else 0)
            rows = -(-rows // 2**15) * 2**15
            for client in clients.values():  # loads every library there
                fits.fit(DaskEngine(client), 2**19 if solver == "hessian" else 2**18)
            cases = ((1, rows, ""), (2, rows, "strong"), (2, 2 * rows, "weak"))
            found = [[fits.fit(DaskEngine(clients[p]), r) for p, r, _ in cases] for _ in range(3)]
            for at, (p, r, what) in enumerate(cases):
                told = [turn[at] for turn in found]
                measured = float(np.median([f["solve"] for f in told]))
                steps = passes_of(name, r, n, m)[1:]
                if solver == "hessian":  # as many gradients as it took
                    steps = steps[:2] + [steps[-1]] * int(told[0]["passes"] - 1)
                expected = sum(s.alone + (simulate(s, m, p)[0] if s.rows else 0.0) for s in steps)
                table.append(
                    [name, f"{r:,}", str(n), f"{p} {what}".strip(), f"{measured:.1f}",
                     f"{expected:.1f}", f"{100 * (expected / measured - 1):+.0f} %"]
                )  # fmt: skip
                print(" | ".join(table[-1]), flush=True)
    return table


def stated(m: Machine, gigabits: float) -> Machine:
    """Return machines of 32 cores at 1 TF/s together, 256 GB, 1 GB/s of reading, and a link.

    Products take the stated speed, everything else what was measured for one core here.
    """
    slower = (32 / 1e12) / m.gram
    products = ("gram", "qr", "merge_qr", "ridge", "spectrum")
    return replace(
        m,
        **{name: getattr(m, name) * slower for name in products},
        read=max(m.read, 32 / 1e9),
        link=max(m.link, 8e-9 / gigabits),
        crowd=1.0,
        slots=32,
        memory=128e9,
        driver=32.0,
    )


def duration(seconds: float) -> str:
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 86400:.3g} d"


def size(n_bytes: float) -> str:
    for limit, unit, name in ((1e9, 1e6, "MB"), (1e12, 1e9, "GB")):
        if n_bytes < limit:
            return f"{n_bytes / unit:.3g} {name}"
    return f"{n_bytes / 1e12:.3g} TB"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def power(N: int) -> str:
    return f"$10^{{{round(np.log10(N))}}}$"


UNITS = {
    "read": ("read and decode Parquet", 1e9, "ns a byte"),
    "features": ("features (ten inputs, tanh)", 1e9, "ns a row and unit"),
    "gram": ("Gram matrix", 1e12, "ps a row and column²"),
    "qr": ("reflections", 1e12, "ps a row and column²"),
    "gradient": ("gradient with four probes", 1e9, "ns a row and column"),
    "sketch": ("sparse sketch", 1e9, "ns a row and column"),
    "merge": ("merge two Gram matrices", 1e9, "ns a byte"),
    "merge_qr": ("merge two triangles", 1e12, "ps a column³"),
    "merge_survey": ("merge two surveys", 1e9, "ns a byte"),
    "link": ("worker to driver, by Dask", 1e9, "ns a byte"),
    "latency": ("a slot waits between parts", 1e3, "ms"),
    "task": ("the driver is busy a part", 1e3, "ms"),
    "crowd": ("a part where both cores compute", 1, "times as long"),
}


def tables(m: Machine) -> dict[str, str]:
    """Return the tables of the page by the name of their marker."""
    out = {
        "constants": markdown(
            ["what", "measured"],
            [[what, f"{getattr(m, k) * f:.3g} {unit}"] for k, (what, f, unit) in UNITS.items()],
        )
    }
    slow, fast = stated(m, 10), stated(m, 25)
    for solver in ("NormalEquations", "HessianSketch"):
        rows = []
        for n in COLUMNS:
            for N in ROWS:
                cells = [duration(predict(solver, N, n, slow, p).seconds) for p in WORKERS]
                rows.append([f"{n:,}", power(N), *cells])
        head = ["columns", "rows", *(f"{p:,} worker{'s' * (p > 1)}" for p in WORKERS)]
        out[solver] = markdown(head, rows)
    rows = []
    for n, N in LIMITS:
        for solver in ("NormalEquations", "SWG", "QR", "HessianSketch"):
            found, other = (predict(solver, N, n, k, 100) for k in (slow, fast))
            rows.append(
                [f"{n:,}", power(N), solver, duration(found.seconds), duration(other.seconds),
                 size(found.traffic), size(found.held), size(found.worker),
                 f"{found.busiest}, {found.share:.0%}"]
            )  # fmt: skip
    head = ["columns", "rows", "solver", "10 Gb/s", "25 Gb/s", "traffic", "driver holds"]
    out["limits"] = markdown([*head, "a worker holds", "most of the time"], rows)
    return out


def draw(m: Machine) -> None:
    """Draw predicted time against workers, for light and dark pages."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    workers = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
    colours = {
        "light": ("#1f2328", "#d0d7de", "#0969da", "#bc4c00"),
        "dark": ("#e6edf3", "#373e47", "#58a6ff", "#f0883e"),
    }
    slow = stated(m, 10)
    curves = {
        (solver, n): [predict(solver, 10**9, n, slow, p).seconds / 3600 for p in workers]
        for solver in ("NormalEquations", "HessianSketch")
        for n in (4_000, 50_000)
    }
    style = {"svg.fonttype": "path", "svg.hashsalt": "solvenet", "font.family": "DejaVu Sans"}
    for name, (text, faint, *two) in colours.items():
        with mpl.rc_context(style):
            fig = Figure(figsize=(7.6, 3.8), layout="constrained")
            ax = fig.subplots()
            for (solver, n), hours in curves.items():
                colour = two[solver == "HessianSketch"]
                ax.loglog(workers, hours, "-" if n == 4_000 else "--", color=colour, linewidth=2.2)
                ax.annotate(
                    f"{solver}\n{n:,} columns", (workers[-1], hours[-1]), xytext=(8, 0),
                    textcoords="offset points", color=colour, va="center", fontsize=9,
                    annotation_clip=False,
                )  # fmt: skip
            ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
            ax.minorticks_off()
            ax.set_xlabel("workers of 32 cores", color=text, fontsize=11)
            title = "Predicted hours for $10^9$ rows, the driver at 10 Gb/s"
            ax.set_title(title, loc="left", color=text, fontsize=11, pad=12)
            ax.tick_params(colors=text, length=0, labelsize=10)
            ax.grid(axis="y", color=faint, linewidth=0.8)
            ax.spines[:].set_visible(False)
            target = DOCS / "_static" / f"very_large-{name}.svg"
            fig.savefig(target, transparent=True, metadata={"Date": None})


def put(found: dict[str, str]) -> None:
    """Put tables between their markers."""
    page = DOCS / "very_large.md"
    text = page.read_text()
    for name, table in found.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{table}\n\n{end}{after}"
    page.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare with fits that are run")
    parser.add_argument("--seconds", type=float, default=15.0, help="of a fit in the check")
    parser.add_argument("--write", action="store_true", help="the tables and the figure")
    parser.add_argument("--folder", type=Path, default=None, help="for files; a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        m = measure(Fits(1000, folder))
        print(json.dumps(asdict(m), indent=1), flush=True)
        found = {}
        if options.check:
            head = ["solver", "rows", "columns", "workers", "measured s", "predicted s", "error"]
            found["check"] = markdown(head, check(m, folder, options.seconds))
        found |= tables(m)
    for name, table in found.items():
        print(f"\n{name}\n\n{table}")
    if options.write:
        put(found)
        draw(m)


if __name__ == "__main__":
    main()
