"""The published numbers beside ours, with a verdict that is computed.

    python reproduce/permutation/compare.py [--results DIR]

Rules. A published error is the geometric mean over its runs (10 seeds; 5 of the largest in two
dimensions); ours is that over our seeds. They agree if the two sets of logarithms have equal means
by Welch's t-test at the level 1 %: the factor that is allowed follows from the spread of both, and
is printed. A published reference rate agrees within a factor of 2 with the rate fitted to LaPerm's
errors (published ones where ours were not run).

Exits with 1 if anything differs, or was not run, without a reason in ``explained.csv``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from common.records import Results, Row
from common.verdicts import Comparison, conclude, show, tables, verdict
from scipy.stats import t as student

HERE = Path(__file__).parent
LEVEL = 0.01
NEARLY = 2.0

Published = dict[str, str]


def read_all(results: Results, prefix: str) -> list[Row]:
    """Return the rows of every part whose name begins so."""
    paths = sorted(results.folder.glob(f"{prefix}*.csv"))
    return [row for path in paths for row in results.read(path.stem)]


def values_of(rows: Iterable[Row], item: str, quantity: str, x: float) -> np.ndarray:
    """Return the numbers of all seeds."""
    return np.array([r.value for r in rows if r[:2] == (item, x) and r.quantity == quantity])


def mean_of(values: np.ndarray) -> float | None:
    """Return the geometric mean; None of nothing."""
    return float(np.exp(np.log(values).mean())) if len(values) else None


def allowed_factor(ours: np.ndarray, spread: float, runs: int) -> float:
    """Return the factor between two geometric means that the spread of the runs explains."""
    a, b = spread**2 / runs, float(np.log(ours).var(ddof=1)) / len(ours)
    freedom = (a + b) ** 2 / (a**2 / (runs - 1) + b**2 / (len(ours) - 1))
    return float(np.exp(student.ppf(1 - LEVEL / 2, freedom) * np.sqrt(a + b)))


def rate_of(points: dict[float, float]) -> float | None:
    """Return r of the fit n**-r by least squares of the logarithms."""
    if len(points) < 3:
        return None
    return -float(np.polyfit(np.log(list(points)), np.log(list(points.values())), 1)[0])


def comparison(
    results: Results, published: list[Published], explained: list[Published]
) -> list[Comparison]:
    """Return a line for each published number; known differences carry their reason."""
    reasons = {(r["table"], r["item"], r["quantity"]): r["reason"] for r in explained}
    lines = []
    for row in published:
        key = (row["table"], row["item"], row["quantity"])
        within, ours = _measured(results, row, published)
        text = verdict(row["value"], ours, within=within)
        if text == "agrees":
            text = f"agrees (within {within:.2f})"
        reason = reasons.get(key, "") if text.startswith(("differs", "not run")) else ""
        if reason:
            text = f"explained, {text.removeprefix('differs: ')}"
        ratio = None if ours is None else ours / float(row["value"])
        lines.append(Comparison(*key, row["value"], ours, ratio, text, reason))
    return lines


def _measured(
    results: Results, row: Published, published: list[Published]
) -> tuple[float, float | None]:
    """Return the allowed factor and our number; None where the part was not run."""
    if row["table"] == "rates":
        return NEARLY, _rate(results, row["quantity"], published)
    quantity, _, x = row["quantity"].partition(" at ")
    prefix = {"laperm": "laperm_", "periods": "periods", "plane": "laperm_plane"}[row["table"]]
    ours = values_of(read_all(results, prefix), row["item"], quantity, float(x))
    if len(ours) < 2:
        return NEARLY, mean_of(ours)
    return allowed_factor(ours, float(row["spread"]), int(row["runs"])), mean_of(ours)


def _rate(results: Results, dimension: str, published: list[Published]) -> float | None:
    """Return the rate of LaPerm in one dimension, or of its published errors in two."""
    if dimension == "one dimension":
        rows = read_all(results, "laperm_")
        sizes = sorted({row.x for row in rows if row.item == "-sin equidistant"})
        points = {
            n: mean_of(values_of(rows, "-sin equidistant", "largest error", n)) for n in sizes
        }
        return rate_of(points)
    if dimension == "two dimensions":
        errors = [r for r in published if r["table"] == "plane" and "largest" in r["quantity"]]
        points = {float(r["quantity"].partition(" at ")[2]): float(r["value"]) for r in errors}
        return rate_of(points)
    return None


def show_added(results: Results) -> None:
    """Print what this library adds: the solved permutation beside LaPerm."""
    trained, solved = read_all(results, "laperm_"), read_all(results, "solved_")
    if not solved:
        return
    print("\nLargest errors, geometric means over seeds; seconds a network on one core\n")
    print("| problem | n | LaPerm | solved | LaPerm / solved | free weights | seconds |")
    print("|---|---|---|---|---|---|---|")
    for item, n in dict.fromkeys((row.item, row.x) for row in solved):
        cells = [
            mean_of(values_of(rows, item, quantity, n))
            for rows, quantity in (
                (trained, "largest error"),
                (solved, "largest error"),
                (solved, "free largest error"),
                (solved, "seconds"),
            )
        ]
        laperm, ours, free, seconds = cells
        ratio = "" if laperm is None or ours is None else f"{laperm / ours:.0f}"
        texts = ["" if value is None else f"{value:.2g}" for value in (laperm, ours)]
        rest = ["" if value is None else f"{value:.2g}" for value in (free, seconds)]
        print("| " + " | ".join([item, f"{n:.0f}", *texts, ratio, *rest]) + " |")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    results = Results(parser.parse_args(arguments).results)
    lines = comparison(results, *tables(HERE))
    show(lines)
    show_added(results)
    conclude(lines)


if __name__ == "__main__":
    main()
