"""Rebuild the published study of representation; numbers and figures go to results/.

    python reproduce/representation/run.py [--only table1 ...] [--again]
    python reproduce/representation/compare.py

A part that is finished is not run again, unless with other settings or ``--again``. ``--quick
--output DIR`` runs all in less than a minute, too small to say anything.

Each file beside this one names its parts in ``PARTS``: a function that yields rows, its settings,
and those of a quick run.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import decomposition
import dynamics
import noise
import rashomon
import spectra
import table1
from common.drawing import draw
from common.records import as_settings
from common.running import Part, make_parser, parse, run_parts
from figures import FIGURES

RESULTS = Path(__file__).parent / "results"
MODULES = (table1, spectra, noise, dynamics, rashomon, decomposition)
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
    draw(run_parts(parts, parser, options), FIGURES, suffix=".svg")


if __name__ == "__main__":
    main()
