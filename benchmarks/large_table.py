"""A table larger than memory: time against rows and against one pass, and peak memory.

    python benchmarks/large_table.py [--rows 100000,1000000,10000000] [--width 1000]
        [--limit 1GB] [--folder DIR] [--noise 0.1]

Writes Parquet files of ten columns (float64, row groups of 100,000 rows) in pieces, and for
each, in a fresh process: fits a network by path, then makes one pass that reads the rows and
forms the features and nothing else, with the same threads. Printed are seconds, their
ratio, the peak resident memory of the fit, the error on fresh rows, and the exponent of
the time in the number of rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def signal(X: np.ndarray) -> np.ndarray:
    """Friedman's function of five of ten inputs."""
    out = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2
    return out + 10 * X[:, 3] + 5 * X[:, 4]


def write(path: Path, rows: int, noise: float) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(rows)
    names = [f"x{j}" for j in range(10)] + ["y"]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, 100_000):
            n = min(100_000, rows - start)
            X = rng.random((n, 10))
            y = signal(X) + noise * 5 * rng.standard_normal(n)
            writer.write_table(pa.table([*X.T, y], names=names))


def fit(path: str, width: int, limit: str) -> None:
    from solvenet import SampledNetworkRegressor

    model = SampledNetworkRegressor(width, memory_limit=limit, random_state=0)
    start = time.perf_counter()
    model.fit(path, "y")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    X = np.random.default_rng(-1 % 2**32).random((20_000, 10))
    error = float(np.sqrt(np.mean((model.predict(X) - signal(X)) ** 2)) / signal(X).std())
    once = one_pass(path, model)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak": peak,
                "error": error,
                "pass": once,
                "solver": model.result_.solver,
                "reason": model.result_.reason,
                "stages": model.seconds_ | model.result_.seconds,
            }
        )
    )


def one_pass(path: str, model: object) -> float:
    """Return the seconds of reading the rows and forming their features, in two tries."""
    from solvenet.blocks import SplitRecords
    from solvenet.engine import Run
    from solvenet.reductions import Reduction
    from solvenet.sources import open_source

    global Nothing  # sent to threads by name

    class Nothing(Reduction):
        def update(self, A, B, weights=None, *, start=0, overwrite=False):
            pass

        def merge(self, other):
            pass

        nbytes = 0

    source = open_source(path)
    records = SplitRecords(source, range(10), [10]).mapped(
        model.hidden_, model.hidden_.n_features_out, rows_per_block=model.plan_.rows_per_block
    )
    times = []
    for _ in range(2):
        start = time.perf_counter()
        Run().reduce(records, Nothing, name="pass")
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="100000,1000000,10000000")
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--limit", default="1GB")
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        fit(options.fit, options.width, options.limit)
        return
    rows, seconds = [int(n) for n in options.rows.split(",")], []
    print("      rows  fit s  one pass s  ratio  peak MiB  rel. error  solver")
    for n in rows:
        path = Path(options.folder, f"solvenet-large-{n}-{options.noise}.parquet")
        if not path.exists():
            write(path, n, options.noise)
        done = subprocess.run(
            [
                *(sys.executable, __file__, "--fit", str(path)),
                *("--width", str(options.width), "--limit", options.limit),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        found = json.loads(done.stdout)
        seconds.append(found["seconds"])
        print(
            f"{n:10d} {found['seconds']:6.1f} {found['pass']:11.1f} "
            f"{found['seconds'] / found['pass']:6.2f} {found['peak']:9.0f} "
            f"{found['error']:11.2e}  {found['solver']}: {found['reason']}",
            flush=True,
        )
        print("           ", {k: round(v, 2) for k, v in found["stages"].items()}, flush=True)
    if len(rows) > 1:
        slope = np.polyfit(np.log(rows), np.log(seconds), 1)[0]
        print(f"exponent of the time in the rows: {slope:.3f}")


if __name__ == "__main__":
    main()
