"""Triangular factor, block after block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet.linalg.factor import triangular_factor
from solvenet.reductions._base import Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array


class QRReduction(Reduction):
    """Triangular factor of ``[1, A, B]``, block after block (TSQR).

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of A and of B.
    center : bool
        Whether a column of ones stands before A. The rows of R below its first one then
        are the factor of the centred matrices: one pass, no means needed beforehand.

    Notes
    -----
    About ``3 n_rows p**2`` flops, ``p = n_cols + n_targets + 1``; state ``8 p**2``
    bytes and as much as ``2 p`` rows that wait to be factored together, because a tall
    stack costs less than many short ones.

    References
    ----------
    J. Demmel, L. Grigori, M. Hoemmen, J. Langou (2012), SIAM J. Sci. Comput. 34,
    A206-A239, https://doi.org/10.1137/080731992
    """

    def __init__(self, n_cols: int, n_targets: int, *, center: bool) -> None:
        self._lead = int(center)
        self._n_cols = n_cols
        self._width = self._lead + n_cols + n_targets
        self._factor = np.zeros((0, self._width))
        self._waiting: list[Array] = []
        self._n_waiting = 0
        self.weight = 0.0

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
        if len(A) == 0:
            return
        rows = np.empty((len(A), self._width), order="F")
        rows[:, : self._lead] = 1.0
        rows[:, self._lead : self._lead + self._n_cols] = A
        rows[:, self._lead + self._n_cols :] = B
        if weights is not None:
            rows *= np.sqrt(weights)[:, None]
        self.weight += float(len(A) if weights is None else weights.sum())
        self._add(rows)

    def merge(self, other: QRReduction) -> None:
        """Add the rows of `other`."""
        self.weight += other.weight
        self._add(other._factor.copy())
        for rows in other._waiting:
            self._add(rows.copy())

    def add_ridge(self, alpha: float) -> None:
        """Add ``sqrt(alpha) I`` under the columns of A, which makes R that of the ridge problem.

        Once, to the summary of all rows.
        """
        below = np.zeros((self._n_cols, self._width), order="F")
        below[:, self._lead : self._lead + self._n_cols] = np.sqrt(alpha) * np.eye(self._n_cols)
        self._add(below)

    def forget(self, share: float) -> None:
        """Multiply the weights of all rows so far by `share`."""
        self._fold()
        self._factor *= np.sqrt(share)
        self.weight *= share

    def compact(self) -> None:
        """Factor the rows that wait."""
        self._fold()

    def _add(self, rows: Array) -> None:
        self._waiting.append(rows)
        self._n_waiting += len(rows)
        if self._n_waiting >= 2 * self._width:
            self._fold()

    def _fold(self) -> None:
        if self._waiting:
            parts = [self._factor, *self._waiting]
            stack = np.empty((sum(map(len, parts)), self._width), order="F")
            np.concatenate(parts, out=stack)
            self._waiting, self._n_waiting = [], 0
            self._factor = triangular_factor(stack)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._factor.nbytes + sum(rows.nbytes for rows in self._waiting)

    def factors(self) -> tuple[Array, Array, Array, Array, Array]:
        """Return what the summed rows say about the (centred) problem.

        Returns
        -------
        R : array of shape (min(n_rows, n_cols), n_cols)
            Triangular factor of A.
        C : array of shape (len(R), n_targets)
            ``Q' B``.
        outside : array of shape (n_targets,)
            Squared norm of the part of B outside the range of A.
        mean_A, mean_B : array
            Weighted means; zero without centring.
        """
        self._fold()
        lead, n_cols, F = self._lead, self._n_cols, self._factor
        mean_A = np.zeros(n_cols)
        mean_B = np.zeros(self._width - lead - n_cols)
        if lead and len(F) and F[0, 0] > 0:
            mean_A = F[0, lead : lead + n_cols] / F[0, 0]
            mean_B = F[0, lead + n_cols :] / F[0, 0]
        inside = F[lead : lead + n_cols]
        rest = F[lead + n_cols :, lead + n_cols :]
        return (
            inside[:, lead : lead + n_cols],
            inside[:, lead + n_cols :],
            np.einsum("ij,ij->j", rest, rest),
            mean_A,
            mean_B,
        )
