"""The protocol of summaries that merge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from solvenet._array_api import Array


class Reduction(ABC):
    """A summary of rows that can be merged with the summary of other rows."""

    @abstractmethod
    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows: `A` (rows, n_cols), `B` (rows, n_targets), `weights` (rows,).

        `start` is the number of the first row: what randomness is keyed by. With
        `overwrite` the memory of A may be used for the work.
        """

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add the rows that `other` has seen; `other` is not changed."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of the state."""
