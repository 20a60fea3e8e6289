"""Summaries merged in an order that depends on their numbers alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from solvenet.reductions import Reduction

if TYPE_CHECKING:
    from collections.abc import Callable

FAN_IN = 8
"""Summaries that one node of the tree merges, from the left to the right."""


class MergeTree:
    """A tree over numbered summaries, which may arrive in any order.

    Each node merges its eight children from the left to the right, as soon as they are
    there. The order of the sums is therefore that of the numbers, whoever computed them
    and whenever: the result is the same to the last bit. Few summaries are alive at a
    time: one a level, and those that wait for one further to the left.

    Parameters
    ----------
    n_leaves : int
        How many summaries there will be.

    Attributes
    ----------
    root : Reduction or None
        The merged summary, once all have arrived.
    """

    def __init__(self, n_leaves: int) -> None:
        self._widths = [n_leaves]
        while self._widths[-1] > 1:
            self._widths.append(-(-self._widths[-1] // FAN_IN))
        self._done = [False] * n_leaves
        self._waiting: dict[tuple[int, int], Reduction] = {}
        self._sums: dict[tuple[int, int], tuple[int, Reduction]] = {}
        self.root: Reduction | None = None

    @property
    def n_done(self) -> int:
        """How many summaries have arrived."""
        return sum(self._done)

    def missing(self) -> Iterator[int]:
        """Yield the numbers of the summaries that have not arrived, ascending."""
        yield from (leaf for leaf, done in enumerate(self._done) if not done)

    def add(self, leaf: int, summary: Reduction) -> None:
        """Take a summary, which belongs to the tree from now on; a second one is ignored."""
        if not self._done[leaf]:
            self._done[leaf] = True
            self._insert(0, leaf, summary)

    def _insert(self, level: int, index: int, summary: Reduction) -> None:
        if self._widths[level] == 1:
            self.root = summary
            return
        self._waiting[level, index] = summary
        above = (level + 1, index // FAN_IN)
        first = above[1] * FAN_IN
        merged, total = self._sums.pop(above, (0, summary))
        while (child := self._waiting.pop((level, first + merged), None)) is not None:
            if merged == 0:
                total = child
            else:
                total.merge(child)
            merged += 1
        if merged == min(FAN_IN, self._widths[level] - first):
            self._insert(*above, total)
        elif merged > 0:
            self._sums[above] = (merged, total)

    def state(self) -> dict[str, Any]:
        """Return everything as arrays and numbers by name."""
        out: dict[str, Any] = {"done": [leaf for leaf, done in enumerate(self._done) if done]}
        nodes = {f"waiting.{level}.{i}": (0, s) for (level, i), s in self._waiting.items()}
        nodes |= {f"sum.{level}.{i}": s for (level, i), s in self._sums.items()}
        if self.root is not None:
            nodes["root.0.0"] = (0, self.root)
        for name, (merged, summary) in nodes.items():
            out[f"{name}:merged"] = merged
            out |= {f"{name}:{key}": value for key, value in summary.state().items()}
        return out

    def restore(self, state: dict[str, Any], make: Callable[[], Reduction]) -> None:
        """Take over what `state` returned; `make` makes empty summaries."""
        nodes: dict[str, dict[str, Any]] = {}
        for key, value in state.items():
            if key == "done":
                for leaf in value:
                    self._done[int(leaf)] = True
            else:
                node, _, name = key.partition(":")
                nodes.setdefault(node, {})[name] = value
        for node, values in nodes.items():
            kind, level, index = node.split(".")
            merged = int(values.pop("merged"))
            summary = make()
            summary.restore(values)
            if kind == "root":
                self.root = summary
            elif kind == "sum":
                self._sums[int(level), int(index)] = (merged, summary)
            else:
                self._waiting[int(level), int(index)] = summary
