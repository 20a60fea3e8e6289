"""What the commands share: steps with their time and memory, files, notes."""

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
from solvenet.sources.columns import columns_of
from solvenet.report import Stage
from solvenet.tables import read_table

if TYPE_CHECKING:
    from solvenet._array_api import Array

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, how many there are, and the name of the next."""


class Steps:
    """Record time and memory of each step, and tell what comes next."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        self.stages: list[Stage] = []

    def tell(self, name: str) -> None:
        """Say that a step begins."""
        if self.progress is not None:
            self.progress(self.done, self.total, name)
        self.done += 1

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


def read_any(table: Any) -> dict[str, Array]:
    """Return the columns of a table in a file or in memory."""
    return read_table(table) if is_path(table) else columns_of(table)


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
