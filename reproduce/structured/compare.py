"""The published numbers beside ours, with a verdict that is computed.

    python reproduce/structured/compare.py [--results DIR]

Rules. ``<1``, ``>1`` are statements that ours has to satisfy, ``~v`` within a factor of 2 of v.
Ours is the median over seeds; "mse at 30" is that where x = 30 in results/. "over structured" is
the error of fully connected networks over that of the structured one at equal time; "elements over
network" that of uniform elements of at least as many unknowns.

Exits with 1 if anything differs, or was not run, without a reason in ``explained.csv``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common.records import Results, curve, median
from common.verdicts import Comparison, compare, conclude, measured_median, show, tables

HERE = Path(__file__).parent
WITHIN = 2.0


def measured(results: Results, table: str, item: str, quantity: str) -> float | None:
    """Return a median over seeds, or the ratio of two."""
    if quantity == "over structured":
        rows = results.read(table)
        ours = median(rows, f"{item.partition(',')[0]}, structured", "mse")
        theirs = median(rows, item, "mse")
    elif quantity == "elements over network":
        rows = results.read(table)
        _, ours = max(curve(rows, item, "mse"), default=(0, None))
        unknowns = median(rows, item, "unknowns") or 0
        points = curve(
            results.read("elements"), f"{item.partition(',')[0]}, uniform elements", "mse"
        )
        theirs = next((mse for count, mse in points if count >= unknowns), None)
    else:
        return measured_median(results, table, item, quantity)
    return None if ours is None or theirs is None else theirs / ours


def comparison(results: Results) -> list[Comparison]:
    """Return a line for each published number."""
    return compare(results, *tables(HERE), within=WITHIN, measured=measured)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    lines = comparison(Results(parser.parse_args(arguments).results))
    show(lines)
    conclude(lines)


if __name__ == "__main__":
    main()
