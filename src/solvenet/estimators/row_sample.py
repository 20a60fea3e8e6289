"""A random sample of rows, keyed by what they hold and where they stand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from solvenet.reductions import DistinctRows, Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks import Records
    from solvenet.engine import Run


class RowSample(Reduction):
    """Up to so many rows of positive weight, each as likely as the other.

    Repeated rows may be in it repeatedly. It does not depend on blocks, parts or workers.

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of A and of B.
    capacity : int
        Most rows.
    """

    def __init__(self, n_cols: int, n_targets: int, capacity: int) -> None:
        self._kept = DistinctRows(n_cols, n_targets + 1, capacity)

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows."""
        numbers = np.arange(start, start + len(A), dtype=np.float64)
        known = slice(None) if weights is None else weights > 0
        self._kept.update(A[known], np.column_stack([B, numbers])[known])

    def merge(self, other: RowSample) -> None:
        """Add the rows of `other`."""
        self._kept.merge(other._kept)

    def compact(self) -> None:
        """Drop what there is too much of."""
        self._kept.compact()

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._kept.nbytes

    def rows(self) -> tuple[Array, Array]:
        """Return the rows of A and of B, in the order of the source."""
        A, B, _ = self._kept.rows()
        order = np.argsort(B[:, -1])
        return A[order], B[order, :-1]


def sample_rows(records: Records, most: int, run: Run) -> tuple[Array, Array]:
    """Return inputs and targets of a random sample of rows that have weight: one pass."""
    make = partial(RowSample, records.shape[1], records.n_targets, most)
    sample = run.reduce(records, make, name="sample")
    assert isinstance(sample, RowSample)
    return sample.rows()
