"""Strong and weak scaling over local Dask workers and threads, and what Dask costs.

    python benchmarks/scaling.py [--work 20] [--width 1000] [--repeats 3] [--folder DIR]

A network is fitted from a Parquet file (ten inputs, NormalEquations: one pass that reads the
rows, forms their features and adds to a Gram matrix). The number of rows is chosen so that the
serial engine takes about ``--work`` seconds. The same fit runs serially, on 1 and 2 threads and
on clusters of 1 and 2 local workers of one thread, in turns; weak scaling doubles the rows for
2 workers. Ratios are formed within a round; printed are their medians. "no driver" is what the
machine itself allows: each of two workers computes half of the parts by itself and sends
nothing but one summary.

Wanted, and 1 as exit status where missed: 2 workers at least 1.7 times as fast as 1, and 1
worker at most 10 % slower than the serial engine (with ``--work 60``). Beside the targets stands
what limits them: how busy the workers were, and how much slower a part is where two compute.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, LocalCluster

from solvenet import SampledNetworkRegressor
from solvenet.blocks import SplitRecords
from solvenet.engine import DaskEngine, Engine, Run, SerialEngine, ThreadEngine
from solvenet.reductions import GramReduction
from solvenet.sources import open_source

STRONG, OVERHEAD = 1.7, 1.10
N_INPUTS = 10


def write(path: Path, rows: int) -> None:
    """Write a table of ten inputs and a noisy target, in row groups of 16384 rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(rows)
    names = [f"x{j}" for j in range(N_INPUTS)] + ["y"]
    with pq.ParquetWriter(path, pa.schema([(name, pa.float64()) for name in names])) as writer:
        for start in range(0, rows, 2**14):
            X = rng.random((min(2**14, rows - start), N_INPUTS))
            y = np.sin(6 * X[:, 0] * X[:, 1]) + X[:, 2] ** 2 + 0.1 * rng.standard_normal(len(X))
            writer.write_table(pa.table([*X.T, y], names=names))


def timed_part(log: str, function: Callable[..., Any], part: Any) -> Any:
    """Compute a part and note how long that took."""
    start, cpu = time.perf_counter(), time.thread_time()
    result = function(part)
    with Path(log).open("a") as file:
        file.write(f"{time.perf_counter() - start} {time.thread_time() - cpu}\n")
    return result


def noting(engine: Engine, log: Path) -> Engine:
    """Return the engine; its parts note their times."""
    plain = type(engine).submit

    class Noting(type(engine)):
        def submit(self, function: Callable[..., Any], *args: Any) -> Any:
            return plain(self, timed_part, str(log), function, *args)

    engine.__class__ = Noting
    return engine


class Fits:
    """Fits of a table, and what their passes took."""

    def __init__(self, width: int, folder: Path) -> None:
        self.width, self.folder, self.log = width, folder, folder / "part-seconds"
        self.solver = "normal"

    def table(self, rows: int) -> Path:
        path = self.folder / f"scaling-{rows}.parquet"
        if not path.exists():
            write(path, rows)
        return path

    def fit(self, engine: Engine, rows: int) -> dict[str, float]:
        """Return seconds of a fit, of its pass, and of all parts together."""
        self.log.unlink(missing_ok=True)
        model = SampledNetworkRegressor(self.width, solver=self.solver, random_state=0)
        path = self.table(rows)
        start = time.perf_counter()
        model.fit(path, "y", engine=noting(engine, self.log))
        seconds = time.perf_counter() - start
        parts = np.loadtxt(self.log, ndmin=2)
        self.hidden = model.hidden_
        return {
            "fit": seconds,
            "pass": model.result_.seconds.get("pass", np.nan),
            "solve": model.seconds_["solve"],
            "passes": model.result_.n_passes,
            "busy": parts[:, 0].sum(),
            "cpu": parts[:, 1].sum(),
            "parts": len(parts),
        }

    def no_driver(self, client: Client, rows: int) -> dict[str, float]:
        """Return the seconds of two workers that compute half of the rows each."""
        job = partial(half_pass, str(self.table(rows)), self.hidden)
        start = time.perf_counter()
        halves = [
            client.submit(job, half, workers=[at]) for half, at in enumerate(client.nthreads())
        ]
        for future in halves:
            future.result()
            future.release()
        return {"pass": time.perf_counter() - start}


def half_pass(path: str, hidden: Any, half: int) -> float:
    """Form the Gram matrix of half of the rows, as the serial engine does."""
    n_cols = hidden.n_features_out
    source = open_source(path)
    records = SplitRecords(source, range(N_INPUTS), [N_INPUTS]).mapped(hidden, n_cols)
    middle = records.shape[0] // 2
    part = records.between(middle * half, middle * (half + 1))
    make = partial(GramReduction, n_cols, 1, center=True)
    return Run(SerialEngine()).reduce(part, make, name="half").weight


def rows_for(fits: Fits, seconds: float) -> int:
    """Return how many rows the serial engine fits in so many seconds."""
    trial = 16 * max(2**14, 16 * fits.width)
    fits.fit(SerialEngine(), trial)  # loads every library
    took = fits.fit(SerialEngine(), trial)["fit"]
    return int(trial * seconds / took) // 2**15 * 2**15


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=float, default=20.0, help="seconds of the serial fit")
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="for files; a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        fits = Fits(options.width, options.folder or Path(temporary))
        good = compare(fits, options.work, options.repeats)
    raise SystemExit(not good)


def compare(fits: Fits, work: float, repeats: int) -> bool:
    """Measure in turns, and print medians of ratios within a round."""
    rows = rows_for(fits, work)
    kind = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 60}
    with (
        LocalCluster(n_workers=1, **kind) as one,
        LocalCluster(n_workers=2, **kind) as two,
        Client(one, set_as_default=False) as client_1,
        Client(two, set_as_default=False) as client_2,
    ):
        works: dict[str, Callable[[], dict[str, float]]] = {
            "serial": lambda: fits.fit(SerialEngine(), rows),
            "threads 1": lambda: fits.fit(ThreadEngine(1), rows),
            "threads 2": lambda: fits.fit(ThreadEngine(2), rows),
            "dask 1": lambda: fits.fit(DaskEngine(client_1), rows),
            "dask 2": lambda: fits.fit(DaskEngine(client_2), rows),
            "no driver 2": lambda: fits.no_driver(client_2, rows),
            "dask 2, twice the rows": lambda: fits.fit(DaskEngine(client_2), 2 * rows),
            "threads 2, twice the rows": lambda: fits.fit(ThreadEngine(2), 2 * rows),
        }
        for client in (client_1, client_2):
            fits.fit(DaskEngine(client), 2**18)  # loads every library there
        rounds = [{name: run() for name, run in works.items()} for _ in range(repeats)]
    return report(fits, rows, rounds)


def report(fits: Fits, rows: int, rounds: list[dict[str, dict[str, float]]]) -> bool:
    """Print seconds, ratios and what limits them."""

    def middle(ratio: Callable[[dict[str, dict[str, float]]], float]) -> float:
        return float(np.median([ratio(found) for found in rounds]))

    n_parts = int(rounds[0]["serial"]["parts"])
    print(f"{rows} rows, {fits.width} units, {n_parts} parts; load {os.getloadavg()[0]:.1f}\n")
    print("| run | fit s | pass s | parts s | parts, CPU s | workers busy |")
    print("|---|---|---|---|---|---|")
    for name in rounds[0]:
        slots = 2 if " 2" in name else 1
        m = {key: middle(lambda f, n=name, k=key: f[n][k]) for key in rounds[0][name]}
        cells = [f"{m[key]:.2f}" if key in m else "" for key in ("fit", "pass", "busy", "cpu")]
        busy = f"{m['busy'] / slots / m['pass']:.0%}" if "busy" in m else ""
        print(f"| {name} | {' | '.join(cells)} | {busy} |")
    print("\n| ratio | whole fit | the pass |\n|---|---|---|")

    def ratio(what: str, above: str, below: str) -> float:
        found = [middle(lambda f, k=key: f[above][k] / f[below][k]) for key in ("fit", "pass")]
        print(f"| {what} | {found[0]:.3f} | {found[1]:.3f} |")
        return found[0]

    strong = ratio("strong scaling, 1 to 2 workers", "dask 1", "dask 2")
    ratio("strong scaling, 1 to 2 threads", "threads 1", "threads 2")
    ratio("weak scaling, 1 to 2 workers (1 is perfect)", "dask 1", "dask 2, twice the rows")
    ratio("weak scaling, 1 to 2 threads", "threads 1", "threads 2, twice the rows")
    overhead = ratio("1 worker over serial", "dask 1", "serial")
    ratio("1 thread over serial", "threads 1", "serial")
    bare = middle(lambda f: f["serial"]["pass"] / f["no driver 2"]["pass"])
    slower = [middle(lambda f, k=k: f["dask 2"][k] / f["dask 1"][k]) for k in ("busy", "cpu")]
    gap = middle(lambda f: (f["dask 1"]["pass"] - f["dask 1"]["busy"]) / f["dask 1"]["parts"])
    print(f"| two workers without a driver, over serial | | {bare:.3f} |")
    print(f"\na part takes {slower[0]:.3f} times as long where two compute as where one does,")
    print(f"{slower[1]:.3f} times the CPU time: the rest is waiting for a processor")
    print(f"a worker waits {1000 * gap:.0f} ms between two parts (summary, merge, next part)")
    good = [strong >= STRONG, overhead <= OVERHEAD]
    print(f"\nstrong scaling {strong:.2f}, wanted {STRONG}: {'reached' if good[0] else 'MISSED'}")
    print(f"overhead {overhead:.3f}, wanted {OVERHEAD}: {'reached' if good[1] else 'MISSED'}")
    return all(good)


if __name__ == "__main__":
    main()
