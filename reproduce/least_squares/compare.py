"""The published numbers beside ours, with a verdict that is computed.

    python reproduce/least_squares/compare.py [--results DIR]

Rules. A published number agrees with ours within a factor of 1.5: neurons are sampled, and
another sample of the same size changes the errors by less than that. Times are those of
another machine and are compared as multiples of the time of the SVD. A published statement
is a relation that the median over our runs has to satisfy: ``<1``, ``>1``, ``<0``, or ``~v``,
within a factor of 2 of v. Of Split-and-Solve it is the test error with the inner solver SVD,
over that of the direct solve of the same sample. Misclassifications of images are read off a
figure, and agree within a factor of 2 or if ours are smaller.

Exits with 1 if anything differs, or was not run, without a reason in ``explained.csv``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from common import verdicts
from common.records import Results, Row, curve, median
from common.verdicts import Comparison, conclude, show, tables
from scipy.stats import spearmanr

HERE = Path(__file__).parent
WITHIN = 1.5
SAME_AS = {"SVD": "gelsd", "QR": "gelsy", "LSRN": "LSRN"}  # what the published names stand for
ADDED = {
    "direct SVD": "direct SVD",
    "direct SWG": "direct SWG",
    "sorted SVD": "best sorted",
    "sorted SVD, cutoff / k": "best sorted, cutoff / splits",
    "sorted deflated": "best deflated",
    "automatic cutoff": "automatic cutoff",
}


def measured(results: Results, table: str, item: str, quantity: str) -> float | None:
    """Return our number for a line of published.csv, None where the part was not run."""
    if table == "table1":
        return _of_table1(results.read(table), item, quantity)
    if table == "convergence":
        return _of_convergence(results.read(table), item)
    if table == "time_ratio":
        return _of_time_ratio(results.read(table), quantity)
    if table == "split":
        return _of_inner_solvers(results)
    if table == "mnist":
        name, _, width = quantity.partition(" at ")
        rows = results.read("mnist_published") + results.read("mnist_default")
        return median(rows, item, name, float(width))
    return _of_split(results.read(table), item, quantity)


def _of_table1(rows: list[Row], item: str, quantity: str) -> float | None:
    ours = median(rows, SAME_AS[item], quantity)
    if quantity != "seconds" or ours is None:
        return ours
    return ours / median(rows, SAME_AS["SVD"], quantity)


def _of_convergence(rows: list[Row], item: str) -> float | None:
    norms = [norm for _, norm in curve(rows, item, "residual_norm")]
    return norms[-1] / median(rows, "SVD", "residual_norm") if norms else None


def _of_time_ratio(rows: list[Row], quantity: str) -> float | None:
    reference = dict(curve(rows, "gelsd", "seconds"))
    ratios = {x: y / reference[x] for x, y in curve(rows, "LSRN", "seconds")}
    if not ratios:
        return None
    numbers = {
        "smallest": min(ratios.values()),
        "at the smallest N / M": ratios[min(ratios)],
        "rank correlation with N / M": spearmanr(list(ratios), list(ratios.values())).statistic,
    }
    return float(numbers[quantity])


def _of_split(rows: list[Row], order: str, quantity: str) -> float | None:
    ratios = _over_direct(rows, f"{order} SVD")
    if not ratios:
        return None
    if quantity == "9 splits / direct":
        return ratios[9]
    most = 5 if quantity == "best of 2 to 5 splits / direct" else np.inf
    return min(ratio for k, ratio in ratios.items() if k <= most)


def _over_direct(rows: list[Row], item: str) -> dict[float, float]:
    """Return the test error over that of the direct solve, for each number of splits."""
    errors = [row for row in rows if row.quantity == "test_mae"]
    direct = {row.seed: row.value for row in errors if row.item == "direct SVD"}
    ratios: dict[float, list[float]] = {}
    for row in errors:
        if row.item == item:
            ratios.setdefault(row.x, []).append(row.value / direct[row.seed])
    return {k: float(np.median(found)) for k, found in ratios.items()}


def _of_inner_solvers(results: Results) -> float | None:
    """Return how many times more or less the error is with LSRN, where that is farthest."""
    factors = []
    for path in results.folder.glob("split_*.csv"):
        rows = [row for row in results.read(path.stem) if row.seed == 0]
        for kind in ("direct", "sorted", "ordered", "random"):
            reference = dict(curve(rows, f"{kind} SVD", "test_mae"))
            factors += [y / reference[k] for k, y in curve(rows, f"{kind} LSRN", "test_mae")]
    return max(factors, key=lambda factor: abs(np.log(factor)), default=None)


def compare(
    results: Results, published: list[dict[str, str]], explained: list[dict[str, str]]
) -> list[Comparison]:
    """Return a line for each published number; times are multiples of that of the SVD."""
    svd_seconds = _svd_seconds(published)
    published = [
        row | {"value": f"{float(row['value']) / svd_seconds:.3g}"}
        if row["quantity"] == "seconds"
        else row
        for row in published
    ]
    return verdicts.compare(results, published, explained, within=WITHIN, measured=measured)


def _svd_seconds(published: list[dict[str, str]]) -> float:
    return next(
        float(row["value"])
        for row in published
        if (row["table"], row["item"], row["quantity"]) == ("table1", "SVD", "seconds")
    )


def show_added(results: Results) -> None:
    """Print what this library adds to the published tables."""
    rows = results.read("table1")
    if rows:
        print("\nOurs beside table 1 (a = 1, medians)\n")
        print("| solver | seconds | / gelsd | test MAE | train MAE |\n|---|---|---|---|---|")
        unit = median(rows, "gelsd", "seconds")
    for item in dict.fromkeys(row.item for row in rows):
        seconds, test, train = (
            median(rows, item, name) for name in ("seconds", "test_mae", "train_mae")
        )
        print(f"| {item} | {seconds:.3f} | {seconds / unit:.2f} | {test:.2e} | {train:.2e} |")
    parts = sorted(path.stem for path in results.folder.glob("split_*.csv"))
    if parts:
        print(
            "\nSplit-and-Solve: test MAE of the first run, and in brackets the number of splits\n"
        )
        print("| part | " + " | ".join(ADDED.values()) + " |\n|" + "---|" * (len(ADDED) + 1))
    for part in parts:
        rows = [row for row in results.read(part) if row.seed == 0]
        print(f"| {part} | " + " | ".join(_best(rows, item) for item in ADDED) + " |")


def show_images(results: Results) -> None:
    """Print the errors on images against the number of neurons."""
    rows = results.read("mnist_published") + results.read("mnist_default")
    items = list(dict.fromkeys(row.item for row in rows))
    if not rows:
        return
    print("\nImages: misclassified on train / test, and seconds\n")
    print("| neurons | " + " | ".join(items) + " |\n|" + "---|" * (len(items) + 1))
    for width in sorted({row.x for row in rows}):
        cells = [_errors(rows, item, width) for item in items]
        print(f"| {width:.0f} | " + " | ".join(cells) + " |")


def _errors(rows: list[Row], item: str, width: float) -> str:
    names = ("train_error", "test_error", "seconds")
    train, test, seconds = (median(rows, item, name, width) for name in names)
    return "" if train is None else f"{train:.2%} / {test:.2%}, {seconds:.0f} s"


def _best(rows: list[Row], item: str) -> str:
    points = [(error, k) for k, error in curve(rows, item, "test_mae")]
    return "{:.1e} ({:.0f})".format(*min(points)) if points else ""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    results = Results(parser.parse_args(arguments).results)
    lines = compare(results, *tables(HERE))
    show(lines)
    show_added(results)
    show_images(results)
    conclude(lines)


if __name__ == "__main__":
    main()
