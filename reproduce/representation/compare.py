"""The published numbers beside ours, with a verdict that is computed.

    python reproduce/representation/compare.py [--results DIR]

Rules. A published number agrees with ours within 1 %; ``=24`` means 24 after rounding ours to as
many digits; ``<1``, ``>1`` are statements that ours has to satisfy, ``~v`` within a factor of 2 of
v. Ours is the median over seeds; "rmse at 0.5" is the rmse where x = 0.5 in results/.

Exits with 1 if anything differs, or was not run, without a reason in ``explained.csv``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common.records import Results
from common.verdicts import Comparison, compare, conclude, show, tables

HERE = Path(__file__).parent
WITHIN = 1.01


def comparison(results: Results) -> list[Comparison]:
    """Return a line for each published number."""
    return compare(results, *tables(HERE), within=WITHIN)


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
