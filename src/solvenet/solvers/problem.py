"""The least-squares problem: checked at the door, not yet solved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_auto_or_nonnegative, check_choice, check_finite
from solvenet.blocks import HeldRecords, Records, RowBlocks, as_row_blocks
from solvenet.blocks.planning import ROWS_TO_CHOOSE_BY
from solvenet.engine import Run
from solvenet.errors import InvalidDataError
from solvenet.linalg.leading import largest_singular_value
from solvenet.linalg.rank import relative_cutoff
from solvenet.solvers.factorization import KeptRows, ProblemFacts

if TYPE_CHECKING:
    from solvenet._array_api import Array


RIDGE_MARGIN = 1e-9
"""Directions this far below the root of the ridge change the solution by as little."""


@dataclass(frozen=True)
class Problem:
    """``min sum_i w_i ||a_i W + b - b_i||^2 + alpha ||W||^2``, checked, not yet solved.

    Attributes
    ----------
    records : Records of shape (n_rows, n_cols)
        The rows of the matrix with their right-hand sides and weights.
    intercept : bool
        Whether an unpenalised constant is solved for.
    alpha : float or "auto"
        Ridge.
    rcond : float, None or "auto"
        Relative cutoff.
    memory_limit : int or None
        Bytes that a solver may take for an explicit matrix.
    choose_by : KeptRows, tuple of (index, weights) or None
        Rows whose leave-one-out errors choose what is ``"auto"``, or their numbers with their
        weights.
    start : array of shape (n_cols, n_targets) or None
        First guess of the solution.
    criterion : {"loo", "gcv"} or None
        What chooses what is ``"auto"``; None stands for the default of each.
    run : Run
        Engine and checkpoint of the passes.
    subset : tuple of (Records, share) or None
        Rows that stand for all, with their share of the weight, where the caller has some.
    """

    records: Records
    intercept: bool
    alpha: float | str
    rcond: float | str | None
    memory_limit: int | None
    choose_by: KeptRows | tuple[Array, Array] | None = None
    start: Array | None = None
    criterion: str | None = None
    run: Run = field(default_factory=Run, compare=False)
    subset: tuple[Records, float] | None = None

    @property
    def A(self) -> RowBlocks:
        """The matrix, shape (n_rows, n_cols)."""
        return self.records.matrix

    @property
    def n_targets(self) -> int:
        """Right-hand sides."""
        return self.records.n_targets

    @cached_property
    def _labels(self) -> tuple[Array, Array | None]:
        return self.records.labels()

    @property
    def B(self) -> Array:
        """Right-hand sides, shape (n_rows, n_targets), float64; read in a pass if not held."""
        return self._labels[0]

    @property
    def weights(self) -> Array | None:
        """Weights of the rows, shape (n_rows,); None stands for ones."""
        return self._labels[1]

    def with_matrix(self, A: RowBlocks, B: Array | None = None) -> Problem:
        """Return the same problem for another matrix of as many rows, and other targets."""
        return replace(self, records=HeldRecords(A, self.B if B is None else B, self.weights))

    def blocks(self) -> Iterator[tuple[slice, Array, Array, Array | None]]:
        """Yield ``(rows, A_block, B_block, weights_block)`` in row order: one pass.

        The memory of a block may be used again for the next one.
        """
        yield from self.records.stream()

    def facts(
        self,
        total_sumsq: Array,
        mean_A: Array,
        mean_B: Array,
        kept: KeptRows | None = None,
        *,
        counted: tuple[float, float] | None = None,
    ) -> ProblemFacts:
        """Return what a factorisation knows of the problem besides the matrix.

        `counted` is the sum of the weights and the number of positive ones, where a pass has
        counted them.
        """
        if counted is None:
            w = self.weights
            n_rows = float(self.A.shape[0])
            counted = (n_rows, n_rows)
            if w is not None:
                counted = (float(w.sum()), float(np.count_nonzero(w)))
        return ProblemFacts(
            total_sumsq, mean_A, mean_B, max(counted), counted[0], self.intercept, kept
        )

    def sampled(self, count: int) -> SampledProblem:
        """Return the problem of about `count` rows: those that were given, or evenly spaced."""
        n_rows = self.A.shape[0]
        if self.subset is not None and self.subset[0].shape[0] >= count / 2:
            records, share = self.subset
        else:
            index = np.arange(0, n_rows, max(1, n_rows // count))
            records, share = self.records.taken(index), len(index) / n_rows
        choose_by = self.choose_by if isinstance(self.choose_by, KeptRows) else None
        return SampledProblem(replace(self, records=records, choose_by=choose_by), share)

    @property
    def chooses(self) -> bool:
        """Whether something is chosen by leave-one-out."""
        return self.alpha == "auto" or self.rcond == "auto"

    def rows_to_keep(self) -> tuple[Array, Array | None]:
        """Return the numbers (ascending) and the weights of the rows to choose by.

        Weights are None where they are those of the rows. Nothing where rows were given.
        """
        if isinstance(self.choose_by, KeptRows):
            return np.empty(0, dtype=np.int64), None
        if self.choose_by is not None:
            index, weights = self.choose_by
            order = np.argsort(index)
            return index[order], weights[order]
        counted = np.arange(self.A.shape[0])
        if isinstance(self.records, HeldRecords) and self.weights is not None:
            counted = np.flatnonzero(self.weights > 0)
        return counted[:: -(-len(counted) // rows_to_choose_by(self.A.shape[1]))], None

    def negligible(self, matrix: Array) -> float:
        """Return the relative size below which singular values cannot matter; 0 if any may.

        Parameters
        ----------
        matrix : array
            A matrix with the largest singular value of A: only a ridge needs it.
        """
        if isinstance(self.alpha, str) or isinstance(self.rcond, str):
            return 0.0
        if self.alpha > 0:
            s1 = largest_singular_value(matrix)
            return min(RIDGE_MARGIN * self.alpha**0.5 / s1, 0.1) if s1 > 0 else 0.0
        return self.cutoff()

    def cutoff(self) -> float:
        """Return the fixed relative cutoff (machine precision where it is chosen later)."""
        rcond = None if isinstance(self.rcond, str) else self.rcond
        return relative_cutoff(rcond, self.A.shape, self.A.dtype)


@dataclass(frozen=True)
class SampledProblem:
    """A problem of some rows.

    Attributes
    ----------
    problem : Problem
        Of these rows, in their own scale.
    share : float
        Their share of the weight of all rows.
    """

    problem: Problem
    share: float


def make_problem(
    A: Any,
    B: Any,
    alpha: float | str,
    rcond: float | str | None,
    intercept: bool,
    weights: Any,
    memory_limit: int | None,
    choose_by: KeptRows | tuple[Any, Any] | None = None,
    start: Any = None,
    criterion: str | None = None,
    run: Run | None = None,
    subset: tuple[Records, float] | None = None,
) -> Problem:
    """Check shapes, numbers and settings and return the problem.

    A may be Records, which bring their targets and weights: then B and `weights` are None.
    """
    records = A if isinstance(A, Records) else _held_records(A, B, weights)
    if isinstance(A, Records) and not (B is None and weights is None):
        msg = "Records bring their targets and weights; B and weights must be None."
        raise InvalidDataError(msg)
    A, n_targets = records.matrix, records.n_targets
    if 0 in A.shape or n_targets == 0:
        msg = (
            f"A of shape {A.shape} with {n_targets} right-hand sides has nothing to solve; at "
            "least one row, one column and one right-hand side are wanted."
        )
        raise InvalidDataError(msg)
    check_auto_or_nonnegative("alpha", alpha)
    if rcond is not None and check_auto_or_nonnegative("rcond", rcond) != "auto":
        relative_cutoff(rcond, A.shape, A.dtype)  # type: ignore[arg-type]
    if choose_by is not None and not isinstance(choose_by, KeptRows):
        index, importance = np.asarray(choose_by[0]), np.asarray(choose_by[1], dtype=np.float64)
        if index.ndim != 1 or index.shape != importance.shape or index.dtype.kind not in "iu":
            msg = "choose_by wants (index, weights): row numbers and as many weights."
            raise InvalidDataError(msg)
        choose_by = (index, importance)
    if start is not None:
        start = np.asarray(start, dtype=np.float64)
        start = start[:, None] if start.ndim == 1 else start
        if start.shape != (A.shape[1], n_targets):
            msg = f"start of shape {start.shape} was given; ({A.shape[1]}, {n_targets}) is wanted."
            raise InvalidDataError(msg)
        check_finite("start", start)
    if criterion is not None:
        check_choice("criterion", criterion, ("loo", "gcv"))
    return Problem(
        records,
        intercept,
        alpha,
        rcond,
        memory_limit,
        choose_by,
        start,
        criterion,
        run or Run(memory_limit=memory_limit),
        subset,
    )


def _held_records(A: Any, B: Any, weights: Any) -> HeldRecords:
    """Return a matrix with targets and weights in memory, checked."""
    A = as_row_blocks(A)
    B = np.asarray(B)
    if B.dtype.kind not in "fiub" or B.ndim not in (1, 2) or len(B) != A.shape[0]:
        msg = (
            f"B of shape {B.shape} and dtype {B.dtype} was given for a matrix of shape "
            f"{A.shape}; real numbers of shape ({A.shape[0]},) or ({A.shape[0]}, n_targets) "
            "are wanted."
        )
        raise InvalidDataError(msg)
    B = B.astype(np.float64, copy=False)
    B = B[:, None] if B.ndim == 1 else B
    check_finite("B", B)
    if weights is not None:
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != B.shape[:1]:
            msg = f"weights of shape {weights.shape} were given; ({len(B)},) is wanted."
            raise InvalidDataError(msg)
        check_finite("weights", weights)
        if (weights < 0).any() or not weights.any():
            msg = "weights must be >= 0, with at least one above zero."
            raise InvalidDataError(msg)
    return HeldRecords(A, B, weights)


def rows_to_choose_by(n_cols: int) -> int:
    """Return how many rows the regularisation is chosen by: fewer where each costs more."""
    return int(min(ROWS_TO_CHOOSE_BY, max(1000, 2.5e8 / n_cols**2)))


def check_state(state: Array) -> None:
    """Refuse NaN and infinity, which survive from any row into the state of a solver."""
    if not np.isfinite(state).all():
        msg = (
            "A holds NaN or infinite values, or its entries overflow when squared. Remove "
            "or impute them, or scale the columns towards one."
        )
        raise InvalidDataError(msg)
