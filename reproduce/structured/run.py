"""Rebuild the published study of structured networks; numbers and figures go to results/.

    python reproduce/structured/run.py [--only adam_wave ...] [--again]
    python reproduce/structured/compare.py

A part that is finished is not run again, unless with other settings or ``--again``. ``--quick
--output DIR`` runs all in about a minute, too small to say anything.

Each file beside this one names its parts in ``PARTS``: a function that yields rows, its settings,
and those of a quick run.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import adam
import connected
import sizes
import solved
from common.drawing import draw
from common.records import as_settings
from common.running import Part, make_parser, parse, run_parts
from figures import FIGURES
from threadpoolctl import threadpool_limits

RESULTS = Path(__file__).parent / "results"
MODULES = (solved, sizes, adam, connected)
PARTS = {name: part for module in MODULES for name, part in module.PARTS.items()}


def study(*, quick: bool) -> dict[str, Part]:
    """Return the settings and the work of each part, by name."""
    found = {}
    for name, (work, full, small) in PARTS.items():
        settings = small if quick else full
        found[name] = (as_settings(**settings), partial(work, **settings))
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, RESULTS, "quick")
    options = parse(parser, arguments)
    parts = study(quick=options.size == "quick")
    with threadpool_limits(1):
        results = run_parts(parts, parser, options)
    draw(results, FIGURES, suffix=".svg")


if __name__ == "__main__":
    main()
