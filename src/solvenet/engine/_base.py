"""The protocol of engines: what runs the parts of a pass, and where."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

from solvenet.engine.tree import MergeTree

if TYPE_CHECKING:
    from solvenet.reductions import Reduction

Handle = Any
"""What :meth:`Engine.submit` returns: a promise of a result."""


class Engine(ABC):
    """Runs functions of parts of the data and merges their results in a fixed order.

    An engine decides where and when a part is computed, never what comes out: the
    result is the same to the last bit for every engine and any number of workers.

    Attributes
    ----------
    elsewhere : bool
        Whether parts are computed in other memory, so that one more summary may be held
        here while the next part is computed there.
    """

    elsewhere = False

    @abstractmethod
    def submit(self, function: Callable[..., Any], *args: Any) -> Handle:
        """Begin ``function(*args)`` and return a handle of its result."""

    @abstractmethod
    def gather(self, handles: Sequence[Handle]) -> list[Any]:
        """Return the results in the order of the handles, waiting for them."""

    @abstractmethod
    def first_done(self, handles: Sequence[Handle]) -> Handle:
        """Return a handle whose result is there, waiting for one."""

    @property
    @abstractmethod
    def n_slots(self) -> int:
        """Parts that run at the same time."""

    def slots(self, most: int | None = None) -> int:
        """Return how many parts run at the same time where memory holds `most` summaries."""
        return max(1, min(self.n_slots, most or self.n_slots))

    def cancel(self, handles: Sequence[Handle]) -> None:  # noqa: B027 (nothing runs in some)
        """Give up what has been submitted, as far as that is possible."""

    def running(self) -> AbstractContextManager[Any]:
        """Return a context in which parts are run."""
        return nullcontext()

    def tree_reduce(
        self,
        function: Callable[[Any], Reduction],
        parts: Iterable[Any],
        tree: MergeTree,
        *,
        most: int | None = None,
        after: Callable[[MergeTree], object] | None = None,
    ) -> Reduction:
        """Merge ``function(part)`` over the parts that the tree misses.

        Parameters
        ----------
        function : callable
            Summary of one part.
        parts : iterable
            As many as the tree misses, in the order of their numbers; taken when needed.
        tree : MergeTree
            What has been merged already.
        most : int, optional
            Parts that may run at the same time in one memory, where it allows no more.
        after : callable, optional
            Called with the tree whenever a summary was merged.

        Returns
        -------
        Reduction
            The merged summary.

        Notes
        -----
        A summary moves to the caller before its worker begins the next part, so a
        worker that dies costs the part that it was computing and no other.
        """
        waiting = iter(zip(list(tree.missing()), parts, strict=True))
        running: dict[Handle, int] = {}

        def fill() -> None:
            free = self.slots(most) - len(running)
            for leaf, part in islice(waiting, max(0, free)):
                running[self.submit(function, part)] = leaf

        with self.running():
            try:
                while tree.root is None:
                    fill()
                    handle = self.first_done(list(running))
                    [summary] = self.gather([handle])
                    leaf = running.pop(handle)
                    if self.elsewhere:
                        fill()
                    tree.add(leaf, summary)
                    if after is not None:
                        after(tree)
            except BaseException:
                self.cancel(list(running))
                raise
        return tree.root
