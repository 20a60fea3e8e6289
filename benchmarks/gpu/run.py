"""Features, products and solve on a GPU, against the bare products of the same size there.

    python benchmarks/gpu/run.py                     # cuda where there is one, else the CPU
    python benchmarks/gpu/run.py --device cuda --rows 1000000 --cols 4000
    python benchmarks/gpu/run.py --device cupy --precision float64

What is timed, each from arrays on the host to coefficients on the host:

* ``ours``: inputs stream to the device, become features (one layer of tanh units, as wide as
  ``--cols``), their centred products are summed, and a ridge problem is solved by a Cholesky
  factor (``device_gram``, ``products``, ``solve_ridge``).
* ``bare A'A``: one full product a block, of features that are already on the device.
* ``bare half``: the same by the panels that ours uses, which leave out most of one triangle.

A round times all three in turn; a first round warms up; medians of the others count. The
share is the faster bare time over ours. Targets, on a GPU alone: 60 % in float64, 50 % in
mixed precision and in float32. On a CPU a smaller problem is run by default and no target is
judged: that run shows that the path works, and what it costs beside the products.

Checked everywhere, on the first ``--check-rows`` rows, against NumPy and SciPy on the CPU:

* the centred Gram matrix, in the Frobenius norm: 1e-12 in float64, 1e-5 with float32;
* the fitted values of a ridge of 1e-6 of the trace: 1e-9 in float64, 1e-3 with float32, whose
  products are off by some 4e-8 of the largest eigenvalue;
* the sparse sketch, by the largest entry: 1e-12 and 1e-5.

Ends with an error if a check fails, or if a target is missed on a GPU.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

import numpy as np

from solvenet.devices import (
    Device,
    DeviceGram,
    device_gram,
    device_sketch,
    exact_products,
    get_device,
    get_precision,
    solve_ridge,
)
from solvenet.devices.passes import rows_on
from solvenet.errors import SolvenetError
from solvenet.features import DenseMap, InputScaling, LayeredMap, get_activation
from solvenet.linalg.sketching import SparseSign
from solvenet.networks import HiddenMap
from solvenet.reductions import GramReduction, SketchReduction

TARGETS = {"float64": 0.6, "mixed": 0.5, "float32": 0.5}
RIDGE = 1e-6
ROUGH = {"float64": (1e-12, 1e-9, 1e-12), "mixed": (1e-5, 1e-3, 1e-5)}
TOLERANCES = ROUGH | {"float32": ROUGH["mixed"]}
HOST_ROWS = 1000


def records(X: np.ndarray, y: np.ndarray, step: int = 65_536):
    """Yield the rows as a reader of files would: in blocks that know nothing of the device."""
    for start in range(0, len(X), step):
        here = slice(start, min(start + step, len(X)))
        yield here, X[here], y[here], None


def network(n_inputs: int, n_cols: int) -> HiddenMap:
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((n_inputs, n_cols)) / np.sqrt(n_inputs)
    layer = DenseMap(weights, rng.uniform(-2, 2, n_cols), get_activation("tanh"))
    scaling = InputScaling(np.full(n_inputs, 0.5), np.full(n_inputs, np.sqrt(12.0)))
    return HiddenMap(scaling, LayeredMap((layer,)))


def seconds(work: Callable[[], object], device: Device) -> float:
    device.synchronize()
    start = time.perf_counter()
    work()
    device.synchronize()
    return time.perf_counter() - start


def bare(device: Device, features: HiddenMap, X: np.ndarray, precision: str):
    """Return the two bare products of as many rows, of features that stay on the device."""
    kind = get_precision(precision)
    n_rows = min(rows_on(device, features.n_features_out, kind), len(X))
    there = features.on(device, kind.features)
    blocks = [
        there(device.to_device(X[i * n_rows : (i + 1) * n_rows]))
        for i in range(2 if len(X) >= 2 * n_rows else 1)
    ]
    calls, rest = divmod(len(X), n_rows)
    sizes = [n_rows] * calls + [rest] * (rest > 0)
    gram = DeviceGram(features.n_features_out - 2, 1, center=False, device=device, precision=kind)

    def full() -> None:
        for i, size in enumerate(sizes):
            A = blocks[i % len(blocks)][:size, :]
            device.xp.matmul(A.T, A)

    def half() -> None:
        for i, size in enumerate(sizes):
            gram._add_products(blocks[i % len(blocks)][:size, :])

    return full, half


def ours(device: Device, features: HiddenMap, X: np.ndarray, y: np.ndarray, precision: str):
    """Return the time of the pass and that of the solve."""
    device.synchronize()
    start = time.perf_counter()
    gram = device_gram(
        records(X, y), features, y.shape[1], center=True, device=device, precision=precision
    )
    products = gram.products()
    middle = time.perf_counter()
    coef = solve_ridge(products, RIDGE * float(np.trace(products.lower)), device)
    device.synchronize()
    assert np.isfinite(coef).all()
    return middle - start, time.perf_counter() - middle


def check(device: Device, features: HiddenMap, X: np.ndarray, y: np.ndarray, precision: str):
    """Return the differences from the CPU, in the order of the tolerances."""
    n_cols = features.n_features_out
    sketch = SparseSign(2 * n_cols, len(X), seed=0)
    gram = GramReduction(n_cols, y.shape[1], center=True)
    short = SketchReduction(sketch, n_cols, y.shape[1], center=True)
    for rows, x, b, _ in records(X, y, HOST_ROWS):
        H = features(x)
        short.update(H, b, start=rows.start)
        gram.update(H, b, overwrite=True)
    wanted = gram.products()
    found = device_gram(
        records(X, y), features, y.shape[1], center=True, device=device, precision=precision
    ).products()
    by_gram = np.linalg.norm(found.lower - wanted.lower) / np.linalg.norm(wanted.lower)
    alpha = RIDGE * float(np.trace(wanted.lower))
    difference = solve_ridge(found, alpha, device) - solve_ridge(wanted, alpha)
    some = features(X[: 2 * HOST_ROWS]) - wanted.mean_A
    by_fit = np.linalg.norm(some @ difference) / np.linalg.norm(y[: 2 * HOST_ROWS] - y.mean())
    there = device_sketch(
        *(records(X, y), features, y.shape[1], sketch),
        **{"center": True, "device": device, "precision": precision},
    ).sketched()[0]
    SA = short.sketched()[0]
    return by_gram, by_fit, np.abs(there - SA).max() / np.abs(SA).max()


def run(options: argparse.Namespace, device: Device, precision: str) -> bool:
    """Print one row of each table; return whether all is well."""
    features = network(options.inputs, options.cols)
    rng = np.random.default_rng(0)
    X = rng.random((options.rows, options.inputs))
    y = np.sin(X.sum(axis=1, keepdims=True))
    full, half = bare(device, features, X, precision)
    times: dict[str, list[float]] = {"full": [], "half": [], "pass": [], "solve": []}
    for repeat in range(options.repeats + 1):
        with exact_products(device):
            one, two = seconds(full, device), seconds(half, device)
        three = ours(device, features, X, y, precision)
        if repeat > 0:
            for name, value in zip(times, (one, two, *three), strict=True):
                times[name].append(value)
    t = {name: float(np.median(values)) for name, values in times.items()}
    total = float(np.median(np.add(times["pass"], times["solve"])))
    share = min(t["full"], t["half"]) / total
    judged = device.is_accelerator
    missed = judged and share < TARGETS[precision]
    rate = 2.0 * options.rows * options.cols**2 / t["full"] / 1e12
    verdict = f"{'MISSED' if missed else 'met'}" if judged else "not judged"
    print(
        f"{precision:9s} | {t['full']:9.3f} | {rate:7.3f} | {t['half']:9.3f} | {t['pass']:7.3f} | "
        f"{t['solve']:7.3f} | {share:6.0%} | {t['full'] / total:6.0%} | "
        f"{TARGETS[precision]:.0%} {verdict}",
        flush=True,
    )
    n_checked = min(options.check_rows, options.rows)
    found = check(device, features, X[:n_checked], y[:n_checked], precision)
    allowed_all = TOLERANCES[precision]
    wrong = [not error <= most for error, most in zip(found, allowed_all, strict=True)]
    for name, error, allowed, bad in zip(
        ("Gram", "fit", "sketch"), found, allowed_all, wrong, strict=True
    ):
        print(
            f"          | {name:6s} off the CPU's by {error:.1e}, allowed {allowed:.0e}"
            f"{'  WRONG' if bad else ''}"
        )
    return not missed and not any(wrong)


def default_device() -> str:
    try:
        get_device("cuda")
    except SolvenetError as error:
        print(f"{error}\nThis is a run on the CPU: it shows that the path works, no target.\n")
        return "cpu"
    return "cuda"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, cupy; by default what there is")
    parser.add_argument("--rows", type=int, help="default: 1000000 on a GPU, 30000 on a CPU")
    parser.add_argument("--cols", type=int, help="default: 4000 on a GPU, 1000 on a CPU")
    parser.add_argument("--inputs", type=int, default=20)
    parser.add_argument("--precision", choices=TARGETS, action="append", help="default: all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--check-rows", type=int, help="default: 50000 on a GPU, 5000 on a CPU")
    options = parser.parse_args()
    device = get_device(options.device or default_device())
    large = device.is_accelerator
    options.rows = options.rows or (1_000_000 if large else 30_000)
    options.cols = options.cols or (4000 if large else 1000)
    options.check_rows = options.check_rows or (50_000 if large else 5000)
    name = device.module.cuda.get_device_name(device.handle) if device.is_torch_cuda else ""
    if not large:
        name = f"{os.environ.get('OMP_NUM_THREADS', 'all')} threads of {os.cpu_count()} processors"
    print(
        f"{device} {name}, {device.library} "
        f"{getattr(device.module, '__version__', '')}; {options.rows} rows x {options.cols} "
        f"features of {options.inputs} inputs; medians of {options.repeats}, in seconds"
    )
    print(
        "precision | bare A'A  | TFLOP/s | bare half | pass    | solve   | share  | of A'A | target"
    )
    done = [run(options, device, precision) for precision in options.precision or TARGETS]
    sys.exit(0 if all(done) else 1)


if __name__ == "__main__":
    main()
