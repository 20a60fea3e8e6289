"""What sampling needs to know of the rows, from one pass over them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from solvenet.features.scaling import Reach, scale_inputs
from solvenet.reductions import ColumnMoments, DistinctRows, Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks import Records
    from solvenet.engine import Run
    from solvenet.features.layers import InputScaling

SAMPLE_ROWS = 2**20
"""Most distinct rows that are kept: fewer are held as a whole."""

PAIR_ROWS = 2**16
"""Of more rows than are kept, pairs, quartiles and regularisation come from so many."""

SAMPLE_NUMBERS = 2**24
"""Most numbers that the kept rows hold, without a memory limit."""

SHARE_OF_MEMORY = 8
"""With one, they take at most this part of it."""

FEWEST_ROWS = 2**13
"""However wide, so many rows are taken."""


def sample_capacity(n_cols: int, memory_limit: int | None = None) -> int:
    """Return how many distinct rows of so many columns are kept."""
    numbers = SAMPLE_NUMBERS
    if memory_limit is not None:
        numbers = min(numbers, memory_limit // SHARE_OF_MEMORY // 8)
    return int(np.clip(numbers // max(1, n_cols), FEWEST_ROWS, SAMPLE_ROWS))


class Survey(Reduction):
    """Moments of inputs and targets, and a sample of the distinct rows.

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of the inputs and of the targets.
    strata : bool, default=False
        Whether targets are class indicators.
    capacity : int, optional
        Most rows of the sample; by default what `sample_capacity` says.

    Attributes
    ----------
    inputs, targets : ColumnMoments
        Mean, variance and range of each column.
    distinct : DistinctRows
        The sample.
    """

    def __init__(
        self,
        n_cols: int,
        n_targets: int,
        *,
        strata: bool = False,
        capacity: int | None = None,
    ) -> None:
        self.inputs, self.targets = ColumnMoments(n_cols), ColumnMoments(n_targets)
        if capacity is None:
            capacity = sample_capacity(n_cols + n_targets)
        self.distinct = DistinctRows(n_cols, n_targets, capacity, strata=strata)

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
        self.inputs.update(A, B, weights)
        self.targets.update(B, weights=weights)
        self.distinct.update(A, B, weights)

    def merge(self, other: Survey) -> None:
        """Add the rows of `other`."""
        self.inputs.merge(other.inputs)
        self.targets.merge(other.targets)
        self.distinct.merge(other.distinct)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self.inputs.nbytes + self.targets.nbytes + self.distinct.nbytes

    def compact(self) -> None:
        """Merge repeated rows."""
        self.distinct.compact()

    def scaling(
        self, records: Records, scaling: str | None, *, clip: bool, run: Run
    ) -> InputScaling:
        """Return the scaling of the inputs; a second pass for the isotropic one that clips."""
        X, _, weights = self.distinct.rows(PAIR_ROWS)
        made = scale_inputs(X, weights, scaling, clip=clip, moments=self.inputs)
        if made.radius is None:
            return made
        reach = run.reduce(records, partial(Reach, made), name="largest distance")
        assert isinstance(reach, Reach)
        return reach.scaling()


def survey_rows(records: Records, *, strata: bool, run: Run) -> Survey:
    """Read the rows once and return what sampling needs to know of them."""
    n_cols, n_targets = records.shape[1], records.n_targets
    capacity = sample_capacity(n_cols + n_targets, run.memory_limit)
    make = partial(Survey, n_cols, n_targets, strata=strata, capacity=capacity)
    survey = run.reduce(records, make, name="survey")
    assert isinstance(survey, Survey)
    return survey
