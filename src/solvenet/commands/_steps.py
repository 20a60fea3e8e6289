"""What the commands share: steps with their time and memory, tables, notes."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvenet.errors import SolvenetWarning
from solvenet.report import Stage
from solvenet.sources import Table, open_table
from solvenet.sources.columns import columns_of
from solvenet.sources.files import is_pattern
from solvenet.tables import check_format

if TYPE_CHECKING:
    from solvenet._array_api import Array

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, how many there are, and the name of the next.

While rows are read in parts it is told so again and again, with the share of the rows.
"""

LARGE_BYTES = 64 * 2**20
"""Tables beyond this are read in parts and never held."""

TEXT_BYTES = 64
"""Bytes that a text of a few letters takes in memory."""

_PAUSE = 0.1
"""Seconds between two tellings of the same step."""


class Steps:
    """Record time and memory of each step, and tell what comes next."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        self.stages: list[Stage] = []
        self._name, self._told = "", 0.0

    def tell(self, name: str) -> None:
        """Say that a step begins."""
        if self.progress is not None:
            self.progress(self.done, self.total, name)
        self._name = name
        self.done += 1

    def within(self, n_rows: int) -> Callable[[str, int, int], None]:
        """Return what a run tells its progress, over so many rows."""

        def told(name: str, done: int, total: int) -> None:
            now = time.monotonic()
            if self.progress is not None and (now - self._told >= _PAUSE or done == total):
                self._told = now
                text = f"{self._name}: {name}, {n_rows * done // total:,} of {n_rows:,} rows"
                self.progress(self.done - 1, self.total, text)

        return told

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Run a step."""
        self.tell(name)
        start = time.perf_counter()
        yield
        self.stages.append(Stage(name, time.perf_counter() - start, peak_bytes()))


def peak_bytes() -> int | None:
    """Return the largest memory of this process so far, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def noting(notes: list[str]) -> Iterator[None]:
    """Turn the warnings of solvenet into notes; let others through."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SolvenetWarning)
        yield
    for entry in caught:
        if issubclass(entry.category, SolvenetWarning):
            notes.append(str(entry.message))
        else:
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)


def is_path(thing: Any) -> bool:
    """Tell whether a table or a model is given by the name of its file."""
    return isinstance(thing, str | os.PathLike)


def is_stored(table: Any) -> bool:
    """Tell whether a table is read in parts at all: files, tables, Dask; not what is in memory."""
    several = isinstance(table, list | tuple) and len(table) > 0 and all(map(is_path, table))
    home = type(table).__module__.partition(".")[0]
    return is_path(table) or several or isinstance(table, Table) or home in ("dask", "dask_expr")


def open_any(table: Any) -> Table | dict[str, Array]:
    """Return a table to be read in parts if it is large, or else its columns."""
    if not is_stored(table):
        return columns_of(table)
    if is_path(table):
        path = Path(table)
        if not path.is_dir() and not is_pattern(path) and path.suffix.lower() != ".pq":
            check_format(path)
    opened = open_table(table)
    return opened if is_large(opened) else opened.read()


def is_large(table: Table) -> bool:
    """Tell whether a table takes more than 64 MB in memory, counting 64 bytes a text."""
    kinds = table.kinds.values()
    row = sum(TEXT_BYTES if kind in ("text", "other") else 8 for kind in kinds)
    return table.n_rows * row > LARGE_BYTES


def named(table: Any, role: str) -> str:
    """Return how messages call a table."""
    if isinstance(table, str | os.PathLike):
        return os.fspath(table)
    if isinstance(table, list | tuple) and table and is_path(table[0]):
        return f"{table[0]} and {len(table) - 1} more files"
    return f"the {role} table"


def writable(path: str | os.PathLike[str] | None) -> Path | None:
    """Refuse early, before the work, what could not be written after it."""
    if path is None:
        return None
    path = Path(path)
    if path.is_dir():
        msg = f"{path} is a folder; the name of a file to write is wanted."
        raise IsADirectoryError(msg)
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent} to write {path.name} to. Create it first."
        raise FileNotFoundError(msg)
    return path
