"""Results as files: one CSV a part of the study, one row a number, and where it is from."""

from __future__ import annotations

import csv
import datetime
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy


class Row(NamedTuple):
    """One measured number: `item` at `x` (parts, iterations, N/M) with this seed."""

    item: str
    x: float
    seed: int
    quantity: str
    value: float


@dataclass(frozen=True)
class Results:
    """The folder in which the parts lie."""

    folder: Path

    def read(self, part: str) -> list[Row]:
        """Return the rows of a part; none if it was not run."""
        path = self.folder / f"{part}.csv"
        if not path.exists():
            return []
        return [
            Row(r["item"], float(r["x"]), int(r["seed"]), r["quantity"], float(r["value"]))
            for r in read_table(path)
        ]

    def write(self, part: str, rows: Iterable[Row], settings: str, seconds: float) -> None:
        """Write a part, then note that it is finished and what it was made with."""
        rounded = [row._replace(x=f"{row.x:g}", value=f"{row.value:.4g}") for row in rows]
        write_table(self.folder / f"{part}.csv", Row._fields, rounded)
        notes = self._notes() | {part: {"settings": settings} | provenance(seconds)}
        table = [(p, key, value) for p, note in notes.items() for key, value in note.items()]
        write_table(self.folder / "provenance.csv", ("part", "key", "value"), table)

    def finished(self, part: str, settings: str) -> bool:
        """Tell whether a part lies there, made with these settings."""
        known = self._notes().get(part, {}).get("settings")
        return known == settings and (self.folder / f"{part}.csv").exists()

    def _notes(self) -> dict[str, dict[str, str]]:
        notes: dict[str, dict[str, str]] = {}
        path = self.folder / "provenance.csv"
        for row in read_table(path) if path.exists() else []:
            notes.setdefault(row["part"], {})[row["key"]] = row["value"]
        return notes


def median(rows: Iterable[Row], item: str, quantity: str, x: float | None = None) -> float | None:
    """Return the median over the seeds; None where nothing was measured."""
    values = [
        row.value
        for row in rows
        if (row.item, row.quantity) == (item, quantity) and x in (None, row.x)
    ]
    return float(np.median(values)) if values else None


def curve(rows: Iterable[Row], item: str, quantity: str) -> Iterator[tuple[float, float]]:
    """Yield x and the median there, ascending."""
    rows = [row for row in rows if (row.item, row.quantity) == (item, quantity)]
    for x in sorted({row.x for row in rows}):
        yield x, float(np.median([row.value for row in rows if row.x == x]))


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    def write(partial: Path) -> None:
        with partial.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    write_whole(path, write)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file of another name, which then gets this one."""
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def provenance(seconds: float) -> dict[str, str]:
    """Return what a part was measured with."""
    commit = git("describe", "--always")
    # Results that were just written do not change what the next ones are made with.
    if git("status", "--porcelain", "--", ":(top)", ":(top,exclude)reproduce/*/results"):
        commit += "-dirty"
    return {
        "seconds": f"{seconds:.0f}",
        "date": datetime.date.today().isoformat(),
        "commit": commit or "unknown",
        "versions": f"python {platform.python_version()}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}",
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} processors, "
        f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}",
    }


def git(*arguments: str) -> str:
    command = ("git", "-C", str(Path(__file__).parent), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def as_settings(**values: object) -> str:
    """Return settings as text that can be compared."""
    return json.dumps(values, sort_keys=True)
