"""How fast the sources hand out rows: MB/s of float64, one thread, files in the page cache.

    python benchmarks/reading.py [--rows 1000000] [--columns 10] [--repeats 3] [--folder DIR]

The same table of random numbers in every format, read in turns by `open_source`, beside a
bare read of the bytes of the ``.npy`` file. Medians.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from solvenet.sources import open_source


def write_all(X: np.ndarray, folder: Path) -> dict[str, str]:
    """Write the table in every format; return what to open by name of the format."""
    import h5py
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq
    import zarr

    table = pa.table(list(X.T), names=[f"x{j}" for j in range(X.shape[1])])
    pq.write_table(table, folder / "rows.parquet", row_group_size=100_000)
    pa.csv.write_csv(table, folder / "rows.csv")
    np.save(folder / "rows.npy", X)
    np.save(folder / "rows32.npy", X.astype(np.float32))
    chunks = (2**14, X.shape[1])
    with h5py.File(folder / "rows.h5", "w") as file:
        file.create_dataset("rows", data=X, chunks=chunks)
        file.create_dataset("packed", data=X, chunks=chunks, compression="gzip")
    made = zarr.create_array(folder / "rows.zarr", shape=X.shape, chunks=chunks, dtype=X.dtype)
    made[:] = X
    return {
        "NumPy, float64": f"{folder / 'rows.npy'}",
        "NumPy, float32": f"{folder / 'rows32.npy'}",
        "HDF5": f"{folder / 'rows.h5'}::rows",
        "HDF5, gzip": f"{folder / 'rows.h5'}::packed",
        "Zarr (its default compression)": f"{folder / 'rows.zarr'}",
        "Parquet (snappy)": f"{folder / 'rows.parquet'}",
        "CSV": f"{folder / 'rows.csv'}",
    }


def read(path: str) -> float:
    """Return the seconds of one pass, which looks at every number."""
    source = open_source(path)
    start = time.perf_counter()
    for _, block in source.stream():
        block.sum()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    X = np.random.default_rng(0).random((options.rows, options.columns))
    with tempfile.TemporaryDirectory() as temporary:
        paths = write_all(X, options.folder or Path(temporary))
        times: dict[str, list[float]] = {name: [] for name in ["bare bytes", *paths]}
        for _ in range(options.repeats + 1):  # the first fills the caches
            start = time.perf_counter()
            Path(paths["NumPy, float64"]).read_bytes()
            times["bare bytes"].append(time.perf_counter() - start)
            for name, path in paths.items():
                times[name].append(read(path))
    print("| format | MB/s |\n|---|---|")
    for name, found in times.items():
        print(f"| {name} | {X.nbytes / np.median(found[1:]) / 1e6:.0f} |")


if __name__ == "__main__":
    main()
