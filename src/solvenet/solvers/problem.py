"""The least-squares problem: checked at the door, not yet solved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_auto_or_nonnegative, check_choice, check_finite
from solvenet.blocks import RowBlocks, as_row_blocks
from solvenet.blocks.planning import ROWS_TO_CHOOSE_BY
from solvenet.errors import InvalidDataError
from solvenet.linalg.leading import largest_singular_value
from solvenet.linalg.rank import relative_cutoff

if TYPE_CHECKING:
    from solvenet._array_api import Array


RIDGE_MARGIN = 1e-9
"""Directions this far below the root of the ridge change the solution by as little."""


@dataclass(frozen=True)
class Problem:
    """``min sum_i w_i ||a_i W + b - b_i||^2 + alpha ||W||^2``, checked, not yet solved.

    Attributes
    ----------
    A : RowBlocks of shape (n_rows, n_cols)
        The matrix.
    B : array of shape (n_rows, n_targets), float64
        Right-hand sides.
    weights : array of shape (n_rows,) or None
        Weights of the rows; None stands for ones.
    intercept : bool
        Whether an unpenalised constant is solved for.
    alpha : float or "auto"
        Ridge.
    rcond : float, None or "auto"
        Relative cutoff.
    memory_limit : int or None
        Bytes that a solver may take for an explicit matrix.
    choose_by : tuple of (index, weights) or None
        Rows whose leave-one-out errors choose what is ``"auto"``, with their weights.
    start : array of shape (n_cols, n_targets) or None
        First guess of the solution.
    criterion : {"loo", "gcv"} or None
        What chooses what is ``"auto"``; None stands for the default of each.
    """

    A: RowBlocks
    B: Array
    weights: Array | None
    intercept: bool
    alpha: float | str
    rcond: float | str | None
    memory_limit: int | None
    choose_by: tuple[Array, Array] | None = None
    start: Array | None = None
    criterion: str | None = None

    def blocks(self) -> Iterator[tuple[slice, Array, Array, Array | None]]:
        """Yield ``(rows, A_block, B_block, weights_block)`` in row order: one pass.

        The memory of a block may be used again for the next one.
        """
        for rows, block in self.A.stream():
            weights = None if self.weights is None else self.weights[rows]
            yield rows, block, self.B[rows], weights

    @property
    def chooses(self) -> bool:
        """Whether something is chosen by leave-one-out."""
        return self.alpha == "auto" or self.rcond == "auto"

    def rows_to_keep(self) -> tuple[Array, Array]:
        """Return the index (ascending) and the weights of the rows to choose by."""
        if self.choose_by is not None:
            index, weights = self.choose_by
            order = np.argsort(index)
            return index[order], weights[order]
        w = np.ones(len(self.B)) if self.weights is None else self.weights
        counted = np.flatnonzero(w > 0)
        index = counted[:: -(-len(counted) // rows_to_choose_by(self.A.shape[1]))]
        return index, w[index]

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

    @property
    def n_effective(self) -> float:
        """Sum of the weights, which count as repetitions of a row.

        Weights that sum to less than the number of positive ones (normalised weights)
        are counted as if their mean were one.
        """
        if self.weights is None:
            return float(len(self.B))
        return float(max(self.weights.sum(), np.count_nonzero(self.weights)))

    def cutoff(self) -> float:
        """Return the fixed relative cutoff (machine precision where it is chosen later)."""
        rcond = None if isinstance(self.rcond, str) else self.rcond
        return relative_cutoff(rcond, self.A.shape, self.A.dtype)


def make_problem(
    A: Any,
    B: Any,
    alpha: float | str,
    rcond: float | str | None,
    intercept: bool,
    weights: Any,
    memory_limit: int | None,
    choose_by: tuple[Any, Any] | None = None,
    start: Any = None,
    criterion: str | None = None,
) -> Problem:
    """Check shapes, numbers and settings and return the problem."""
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
    if 0 in A.shape or B.shape[1] == 0:
        msg = (
            f"A of shape {A.shape} with B of shape {B.shape} has nothing to solve; at least "
            "one row, one column and one right-hand side are wanted."
        )
        raise InvalidDataError(msg)
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
    check_auto_or_nonnegative("alpha", alpha)
    if rcond is not None and check_auto_or_nonnegative("rcond", rcond) != "auto":
        relative_cutoff(rcond, A.shape, A.dtype)  # type: ignore[arg-type]
    if choose_by is not None:
        index, importance = np.asarray(choose_by[0]), np.asarray(choose_by[1], dtype=np.float64)
        if index.ndim != 1 or index.shape != importance.shape or index.dtype.kind not in "iu":
            msg = "choose_by wants (index, weights): row numbers and as many weights."
            raise InvalidDataError(msg)
        choose_by = (index, importance)
    if start is not None:
        start = np.asarray(start, dtype=np.float64)
        start = start[:, None] if start.ndim == 1 else start
        if start.shape != (A.shape[1], B.shape[1]):
            msg = f"start of shape {start.shape} was given; ({A.shape[1]}, {B.shape[1]}) is wanted."
            raise InvalidDataError(msg)
        check_finite("start", start)
    if criterion is not None:
        check_choice("criterion", criterion, ("loo", "gcv"))
    return Problem(
        A, B, weights, intercept, alpha, rcond, memory_limit, choose_by, start, criterion
    )


def rows_to_choose_by(n_cols: int) -> int:
    """Return how many rows the regularisation is chosen by: fewer where each costs more."""
    return int(min(ROWS_TO_CHOOSE_BY, max(400, 2.5e8 / n_cols**2)))


def check_state(state: Array) -> None:
    """Refuse NaN and infinity, which survive from any row into the state of a solver."""
    if not np.isfinite(state).all():
        msg = (
            "A holds NaN or infinite values, or its entries overflow when squared. Remove "
            "or impute them, or scale the columns towards one."
        )
        raise InvalidDataError(msg)
