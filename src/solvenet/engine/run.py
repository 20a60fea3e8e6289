"""One run: passes over the rows, cut into parts, on an engine, with checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.engine._base import Engine
from solvenet.engine.checkpoint import Checkpoint
from solvenet.engine.local import ThreadEngine
from solvenet.engine.tree import MergeTree

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks import Records
    from solvenet.reductions import Reduction

    Make = Callable[[], Reduction]

LEAST_ROWS = 2**14
"""Rows of a part: below, merging summaries would cost more than a few per cent."""

ROWS_PER_COLUMN = 16
"""Rows of a part a column: the like for triangles, whose merging is work."""

LEAST_NUMBERS = 2**22
"""Numbers of a part: below, sending it to a worker would cost more than it does."""

LEAST_PARTS = 8
"""Fewer parts than this are one: its products have all threads of the BLAS."""

SOME_PARTS, PART_WORK = 64, 2**35
"""Beyond so many parts they grow until a Gram matrix of each is about a second of work:
a worker waits some hundredths between two."""

MANY_PARTS, MOST_PARTS = 256, 4096
"""Beyond so many parts they grow fourfold first, then as far as needed."""

STATE_BYTES = 2**31
"""Bytes that the summaries of parts may take at the same time, without a limit."""


def part_bounds(n_rows: int, n_cols: int, cuts: Array | None = None) -> Array:
    """Return the row numbers between which the parts of a pass lie.

    They depend on the shape and on where the source may be cut, never on the engine.

    Parameters
    ----------
    n_rows, n_cols : int
        Shape of the matrix.
    cuts : array of int, optional
        Where the source may be cut, ascending from 0 to `n_rows`.

    Returns
    -------
    array of int
        Ascending from 0 to `n_rows`; ``[0, n_rows]`` for a single part.
    """
    rows = max(LEAST_ROWS, ROWS_PER_COLUMN * n_cols, LEAST_NUMBERS // n_cols)
    if n_rows < LEAST_PARTS * rows:
        return np.array([0, n_rows])
    rows = max(
        rows,
        min(n_rows // SOME_PARTS, PART_WORK // n_cols**2),
        min(n_rows // MANY_PARTS, 4 * rows),
        -(-n_rows // MOST_PARTS),
    )
    n_parts = -(-n_rows // rows)
    bounds = np.arange(n_parts + 1) * n_rows // n_parts
    if cuts is not None:
        after = np.minimum(np.searchsorted(cuts, bounds), len(cuts) - 1)
        before = np.maximum(after - 1, 0)
        nearer = bounds - cuts[before] < cuts[after] - bounds
        bounds = np.unique(np.where(nearer, cuts[before], cuts[after]))
    return bounds


@dataclass(frozen=True)
class Fill:
    """Summarise one part: what a worker is sent."""

    make: Make

    def __call__(self, part: tuple[Records, int]) -> Reduction:
        """Return the summary of some records, the first of which has this number."""
        records, start = part
        summary = self.make()
        for _ in fill(summary, records, start):
            pass
        summary.compact()
        return summary


def fill(summary: Reduction, records: Records, start: int) -> Iterator[int]:
    """Add records to a summary, and yield after each block how many there were so far."""
    for rows, A, B, weights in records.stream():
        summary.update(A, B, weights, start=start + rows.start, overwrite=records.fresh)
        yield start + rows.stop


@dataclass
class Run:
    """What the passes of one solve or fit have in common.

    Parameters
    ----------
    engine : Engine, optional
        Where parts are computed; by default threads of this process, as many as the BLAS
        would have used.
    checkpoint : Checkpoint, optional
        Where summaries are saved from time to time.
    memory_limit : int, optional
        Bytes that the summaries of parts may take together.
    progress : callable, optional
        Called as ``progress(name, done, total)`` with rows or parts.
    shared : bool, default=False
        Whether other work goes on in it: `end` then leaves the checkpoint alone.
    """

    engine: Engine | None = None
    checkpoint: Checkpoint | None = None
    memory_limit: int | None = None
    progress: Callable[[str, int, int], object] | None = field(default=None, repr=False)
    shared: bool = False

    def end(self) -> None:
        """Remove what was saved, unless the run is shared."""
        if self.checkpoint is not None and not self.shared:
            self.checkpoint.end()

    def reduce(
        self,
        records: Records,
        make: Make,
        *,
        name: str,
        function: Callable[[tuple[Records, int]], Reduction] | None = None,
        most: int | None = None,
    ) -> Reduction:
        """Return the summary of all records: one pass.

        Parameters
        ----------
        records : Records
            The rows.
        make : callable
            Makes an empty summary; sent to workers.
        name : str
            Of the pass, for progress and checkpoints.
        function : callable, optional
            Summarises a part, given as records and the number of its first row, in another
            way than block by block, such as on a GPU.
        most : int, optional
            Parts that may run at the same time.

        Notes
        -----
        Where the rows are many they are cut into parts (:func:`part_bounds`), which run with
        one BLAS thread each and are merged in a fixed order. The result is then the same
        to the last bit for every engine and number of workers. A matrix of fewer rows is
        one part, in this process, with all threads.
        """
        n_rows, n_cols = records.shape
        bounds = np.array([0, n_rows])
        if records.n_passes is None:
            bounds = part_bounds(n_rows, n_cols, records.cuts())
        about = f"{name} {records.shape} {records.n_targets} {bounds.tolist()}"
        saved = self._saved_pass(name, about)
        if len(bounds) == 2:
            if function is not None:
                return function((records, 0))
            return self._one_part(records, make, name, saved)
        tree = MergeTree(len(bounds) - 1)
        if saved.found:
            tree.restore(saved.found, make)
        if tree.root is not None:
            return tree.root
        parts = (
            (records.between(int(bounds[i]), int(bounds[i + 1])), int(bounds[i]))
            for i in list(tree.missing())
        )
        state = make().nbytes
        room = max(1, (self.memory_limit or STATE_BYTES) // 2 // max(1, state))

        def after(tree: MergeTree) -> None:
            saved.save(tree.state)
            if self.progress is not None:
                self.progress(name, tree.n_done, len(bounds) - 1)

        engine = self.engine or ThreadEngine()
        try:
            root = engine.tree_reduce(
                function or Fill(make), parts, tree, most=min(room, most or room), after=after
            )
        except BaseException:
            saved.save(tree.state, now=True)
            raise
        saved.save(tree.state, now=True)
        return root

    def _one_part(self, records: Records, make: Make, name: str, saved: _SavedPass) -> Reduction:
        summary, start, n_rows = make(), 0, records.shape[0]
        if saved.found:
            start = int(saved.found.pop("rows"))
            summary.restore(saved.found)
        if start < n_rows:
            rest = records if start == 0 else records.between(start, n_rows)
            at = start

            def state() -> dict[str, Any]:
                return {"rows": at} | summary.state()

            for at in fill(summary, rest, start):
                saved.save(state)
                if self.progress is not None:
                    self.progress(name, at, n_rows)
            saved.save(state, now=True)
        return summary

    def _saved_pass(self, name: str, about: str) -> _SavedPass:
        return _SavedPass(self.checkpoint, name, about)


class _SavedPass:
    """The file of a pass, if the run has a checkpoint."""

    def __init__(self, checkpoint: Checkpoint | None, name: str, about: str) -> None:
        self._checkpoint, self._about = checkpoint, about
        self.found: dict[str, Any] | None = None
        if checkpoint is not None:
            self._path = checkpoint.next_pass(name)
            self.found = checkpoint.load(self._path, about)

    def save(self, state: Callable[[], dict[str, Any]], *, now: bool = False) -> None:
        """Save the state if it is time."""
        if self._checkpoint is not None and (now or self._checkpoint.is_time()):
            self._checkpoint.save(self._path, self._about, state())
