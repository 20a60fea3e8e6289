"""Least squares of rows that keep coming: exact at any time, and able to forget."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_choice, check_count
from solvenet.blocks import Records
from solvenet.errors import InvalidDataError, InvalidSettingError, PassesExhaustedError
from solvenet.reductions import GramReduction, QRReduction, Reduction
from solvenet.solvers.audit import audit_solution
from solvenet.solvers.factorization import KeptRows
from solvenet.solvers.normal import NormalEquations
from solvenet.solvers.passes import Pass
from solvenet.solvers.problem import make_problem
from solvenet.solvers.qr import QR
from solvenet.solvers.result import SolveResult

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks.records import Record

SUMMARIES: dict[str, tuple[type[Any], type[Any]]] = {
    "qr": (QRReduction, QR),
    "normal": (GramReduction, NormalEquations),
}
"""What rows are summed up into, and what solves from it."""


class Accumulator:
    """Rows summed up as they come; the solution for all of them at any time.

    The same summaries as those of the solvers that read once: the solution is that of all
    rows together, to rounding, however they were cut.

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of A and of B.
    solver : {"qr", "normal"}, default="qr"
        ``"qr"`` is accurate; ``"normal"`` is several times faster and resolves ridges of
        1e-14 of the largest squared singular value and more.
    intercept : bool, default=True
        Solve for an unpenalised constant as well.

    Attributes
    ----------
    n_rows : int
        Rows so far.
    weight : float
        Sum of their weights, as far as they are not forgotten.

    Notes
    -----
    *Cost.* A row: ``2.5 n_cols**2`` flops for ``"qr"``, ``n_cols**2`` for ``"normal"``. A
    solution: about ``20 n_cols**3``. Memory: ``8 * 4 n_cols**2`` bytes, twice that while a
    solution is computed.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.solvers import Accumulator
    >>> A, y = np.vander(np.linspace(0, 1, 9), 3), np.linspace(0, 1, 9) ** 2
    >>> rows = Accumulator(3, 1, intercept=False)
    >>> for part in (slice(0, 4), slice(4, 9)):
    ...     rows.add(A[part], y[part, None])
    >>> bool(abs(rows.solve().coef[:, 0] - [1, 0, 0]).max() < 1e-14)
    True
    """

    def __init__(
        self, n_cols: int, n_targets: int, *, solver: str = "qr", intercept: bool = True
    ) -> None:
        self.n_cols = check_count("n_cols", n_cols)
        self.n_targets = check_count("n_targets", n_targets)
        self.solver = check_choice("solver", solver, SUMMARIES)
        self.intercept = bool(intercept)
        self.n_rows = 0
        summary: Reduction = SUMMARIES[solver][0](n_cols, n_targets, center=self.intercept)
        self._pass = Pass(summary, np.empty(0, dtype=np.int64))

    @property
    def weight(self) -> float:
        """Sum of the weights, as far as they are not forgotten."""
        return self._pass.weight

    def add(self, A: Array, B: Array, weights: Array | None = None) -> None:
        """Add rows.

        Parameters
        ----------
        A : array of shape (rows, n_cols)
            Rows of the matrix.
        B : array of shape (rows, n_targets)
            Their right-hand sides.
        weights : array of shape (rows,), optional
            Non-negative weights.

        Raises
        ------
        InvalidDataError
            Shapes that do not fit, NaN or infinite values.
        """
        A, B = np.asarray(A), np.asarray(B, dtype=np.float64)
        if A.ndim != 2 or A.shape[1] != self.n_cols or B.shape != (len(A), self.n_targets):
            msg = (
                f"A of shape {A.shape} with B of shape {B.shape} was given; (rows, "
                f"{self.n_cols}) and (rows, {self.n_targets}) are wanted."
            )
            raise InvalidDataError(msg)
        if not np.isfinite(A).all():
            msg = "A holds NaN or infinite values. Remove or impute such rows."
            raise InvalidDataError(msg)
        self._pass.update(A, B, weights, start=self.n_rows)
        self.n_rows += len(A)

    def forget(self, share: float) -> None:
        """Multiply the weights of all rows so far by a share above 0 and up to 1."""
        if not 0 < share <= 1:
            msg = f"share={share!r} was given; a number above 0 and up to 1 is wanted."
            raise InvalidSettingError(msg)
        if share < 1:
            self._pass.forget(share)

    def solve(
        self,
        *,
        alpha: float | str = 0.0,
        rcond: float | str | None = None,
        choose_by: KeptRows | None = None,
    ) -> SolveResult:
        """Return the solution for the rows so far.

        Parameters
        ----------
        alpha : float or "auto", default=0.0
            Ridge; ``"auto"`` needs `choose_by`.
        rcond : float, None or "auto", default=None
            Relative cutoff; ``"auto"`` needs `choose_by`.
        choose_by : KeptRows, optional
            Some of the rows, by whose leave-one-out errors what is ``"auto"`` is chosen.

        Returns
        -------
        SolveResult
            The residual is that of the summary; nothing is read again.
        """
        if choose_by is None and "auto" in (alpha, rcond):
            msg = 'alpha="auto" or rcond="auto" needs rows to choose by: choose_by=KeptRows(...).'
            raise InvalidSettingError(msg)
        seen = _Seen((self.n_rows, self.n_cols), self.n_targets)
        problem = make_problem(
            seen, None, alpha, rcond, self.intercept, None, None, choose_by=choose_by
        )
        solver = SUMMARIES[self.solver][1]()
        raw = solver.finish(problem, copy.deepcopy(self._pass))
        return audit_solution(problem, raw, "skip", one_target=False)


class _Seen(Records):
    """Rows that have passed and cannot be read again."""

    n_passes = 1
    dtype = np.dtype(np.float64)

    def __init__(self, shape: tuple[int, int], n_targets: int) -> None:
        self.shape, self.n_targets = shape, n_targets

    def stream(self) -> Iterator[Record]:
        """Refuse."""
        msg = "These rows have passed; only their summary is left."
        raise PassesExhaustedError(msg)

    def between(self, start: int, stop: int) -> Records:
        """Return what cannot be read either."""
        return _Seen((stop - start, self.shape[1]), self.n_targets)

    def taken(self, index: Array) -> Records:
        """Return what cannot be read either."""
        return _Seen((len(index), self.shape[1]), self.n_targets)

    def cuts(self) -> None:
        """Return that there are none."""

    def identity(self) -> str:
        """Refuse."""
        msg = "Rows that have passed cannot be told from others."
        raise PassesExhaustedError(msg)
