"""Peak memory of a fit beyond the data, against the number of rows.

    python benchmarks/memory.py [--width 500] [--limit 200MB]

Each fit runs in a fresh process. Printed is the peak resident memory after importing and
building the data, and how much the fit adds: with a memory limit that must not grow with
the rows beyond what a copy of the data takes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

import numpy as np


def fit(rows: int, width: int, limit: str) -> None:
    from solvenet import SampledNetworkRegressor

    rng = np.random.default_rng(0)
    small = rng.random((2000, 10))
    SampledNetworkRegressor(50).fit(small, small.sum(axis=1))  # load every library
    X = rng.random((rows, 10))
    y = np.sin(X.sum(axis=1)) + 0.1 * rng.standard_normal(rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    SampledNetworkRegressor(width, memory_limit=limit, random_state=0).fit(X, y)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    data = (X.nbytes + y.nbytes) / 2**20
    whole = rows * width * 8 / 2**20
    print(
        f"{rows:9d} rows: data {data:7.1f} MiB, before {before:7.1f} MiB, fit adds "
        f"{after - before:7.1f} MiB ({(after - before) / data:5.2f} x data); all features "
        f"would take {whole:8.1f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--limit", default="200MB")
    parser.add_argument("--rows", type=int)
    options = parser.parse_args()
    if options.rows is not None:
        fit(options.rows, options.width, options.limit)
        return
    for rows in (20_000, 100_000, 500_000, 1_000_000):
        subprocess.run(
            [
                *(sys.executable, __file__, "--rows", str(rows)),
                *("--width", str(options.width), "--limit", options.limit),
            ],
            check=True,
        )


if __name__ == "__main__":
    main()
