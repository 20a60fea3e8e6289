"""Rebuild the published study of permutation training; numbers and figures go to results/.

    python reproduce/permutation/run.py [--full] [--only solved ...] [--again] [--output DIR]
    python reproduce/permutation/compare.py

LaPerm needs torch and is most of the time: three to five minutes a part on one core up to 160
knots, all initialisations and seeds in one computation. ``--full`` adds 640 and 1280 knots. A part
that is finished is not run again, unless with other settings or ``--again``. ``--quick --output
DIR`` runs all in less than a minute, too small to say anything.

``laperm.py`` and ``solved.py`` name their parts in ``PARTS``: a function that yields rows, its
settings, and those of a quick run; ``FULL_PARTS`` are those of ``--full``.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import laperm
import solved
from common.drawing import draw
from common.records import as_settings
from common.running import Part, make_parser, parse, run_parts
from figures import FIGURES

RESULTS = Path(__file__).parent / "results"


def study(size: str | None) -> dict[str, Part]:
    """Return the settings and the work of each part, by name."""
    parts = solved.PARTS | laperm.PARTS | (laperm.FULL_PARTS if size == "full" else {})
    found = {}
    for name, (work, full, small) in parts.items():
        settings = small if size == "quick" else full
        found[name] = (as_settings(**settings), partial(work, **settings))
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, RESULTS, "quick", "full")
    options = parse(parser, arguments)
    draw(run_parts(study(options.size), parser, options), FIGURES, suffix=".svg")


if __name__ == "__main__":
    main()
