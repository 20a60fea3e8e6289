"""Running a study part by part: what is finished is not run again."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from common.records import Results, Row

Part = tuple[str, Callable[[], Iterable[Row]]]
"""The settings of a part as text, and its work."""


def make_parser(description: str | None, folder: Path, *sizes: str) -> argparse.ArgumentParser:
    """Return the options that every study has, with a flag for each size but the default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    for name in sizes:
        size.add_argument(f"--{name}", dest="size", action="store_const", const=name)
    parser.add_argument("--only", nargs="+", default=[], metavar="PART")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--output", type=Path, default=folder)
    return parser


def parse(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """Return the options; a quick run must not overwrite the results of the study."""
    options = parser.parse_args(arguments)
    if options.size == "quick" and options.output == parser.get_default("output"):
        parser.error("--quick says nothing and needs an --output of its own")
    return options


def run_parts(
    study: Mapping[str, Part], parser: argparse.ArgumentParser, options: argparse.Namespace
) -> Results:
    """Run the parts that were asked for and are not finished; return where the numbers are."""
    if unknown := set(options.only) - set(study):
        parser.error(f"unknown parts {sorted(unknown)}; there are {', '.join(study)}")
    options.output.mkdir(parents=True, exist_ok=True)
    results = Results(options.output)
    for name, (settings, work) in study.items():
        if options.only and name not in options.only:
            continue
        if results.finished(name, settings) and not options.again:
            print(f"{name}: finished before", flush=True)
            continue
        start = time.perf_counter()
        rows = list(work())
        seconds = time.perf_counter() - start
        results.write(name, rows, settings, seconds)
        print(f"{name}: {len(rows)} numbers, {seconds:.0f} s", flush=True)
    return results
