"""Rows on disk for as long as they are needed: features that are read more than once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvenet.blocks.arrays import ArrayBlocks
from solvenet.blocks.joined import SplitRecords
from solvenet.blocks.records import Records
from solvenet.errors import SpillError

if TYPE_CHECKING:
    from solvenet._array_api import Array


@contextmanager
def spilled(
    records: Records,
    folder: str | os.PathLike[str] | None = None,
    *,
    rows_per_block: int | None = None,
) -> Iterator[Records]:
    """Write records to a file once and hand them out from there: a context.

    Parameters
    ----------
    records : Records
        Features with targets and weights.
    folder : path, optional
        By default the system's folder for temporary files.
    rows_per_block : int, optional
        Rows of the blocks that are handed out.

    Yields
    ------
    Records
        The same rows, of a file that is mapped into memory.

    Raises
    ------
    SpillError
        The disk is full or may not be written; nothing is left there.

    Notes
    -----
    *Cost.* One pass of the records and one write; ``8 n_rows (n_cols + n_targets + 1)`` bytes on
    disk. The file is removed at the end of the context, whatever happens in it.
    """
    parent = Path(tempfile.gettempdir() if folder is None else folder)
    n_rows, n_cols = records.shape
    n_targets, width = records.n_targets, n_cols + records.n_targets + records.weighted
    with ExitStack() as stack:
        try:
            made = stack.enter_context(tempfile.TemporaryDirectory(prefix="solvenet-", dir=parent))
            path = Path(made, "features.bin")
            file = stack.enter_context(path.open("wb"))
        except OSError as error:
            raise _refused(parent, n_rows * width, error) from error
        for _, A, B, weights in records.stream():
            parts = [A, B] if weights is None else [A, B, weights[:, None]]
            block = np.concatenate(parts, axis=1, dtype=np.float64)
            try:
                # Ordinary writes: on a full disk a mapped file would kill the process.
                file.write(block.data)
                file.flush()
            except OSError as error:
                raise _refused(parent, n_rows * width, error) from error
        array: Array = np.memmap(path, dtype=np.float64, mode="r", shape=(n_rows, width))
        yield SplitRecords(
            ArrayBlocks(array, rows_per_block=rows_per_block),
            np.arange(n_cols),
            np.arange(n_cols, n_cols + n_targets),
            width - 1 if records.weighted else None,
        )


def free_bytes(folder: str | os.PathLike[str] | None = None) -> int:
    """Return the free space where records would be spilled to; zero where none can be."""
    try:
        return shutil.disk_usage(folder or tempfile.gettempdir()).free
    except OSError:
        return 0


def _refused(parent: Path, numbers: int, error: OSError) -> SpillError:
    return SpillError(
        f"Features could not be spilled to {parent}: {error.strerror or error}. They take "
        f"{8 * numbers / 1e9:.1f} GB. Free space there, name another folder by the environment "
        "variable TMPDIR, or raise memory_limit so that they are kept in memory."
    )
