"""An orthonormal basis that grows part by part, and what the parts are in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from solvenet.linalg.deflation import new_directions, project_out
from solvenet.linalg.factor import thin_svd
from solvenet.linalg.leading import largest_singular_value
from solvenet.linalg.leave_one_out import ExactRows, loo_errors, relative_squares
from solvenet.linalg.rank import ORTHOGONAL_RESOLUTION
from solvenet.solvers.factorization import ProblemFacts, SpectralFactorization, spectral
from solvenet.solvers.problem import check_state

if TYPE_CHECKING:
    from solvenet._array_api import Array

SMALLEST_CUTOFF = ORTHOGONAL_RESOLUTION**0.5
"""What a projection leaves of a part is rounding below this share of its norm."""


@dataclass(frozen=True)
class _Part:
    """What a part is in the basis.

    Attributes
    ----------
    columns : array of shape (m,)
        Which columns of the problem it holds.
    mean : array of shape (m,)
        Their means, which the constant takes out.
    directions : array of shape (m, k) or None
        V, the combinations of columns that are used; None for the columns themselves.
    inside : array of shape (r, k)
        ``Q' A V``, Q the basis up to this part.
    """

    columns: Array
    mean: Array
    directions: Array | None
    inside: Array


class DeflatedBasis:
    """An orthonormal basis of columns that come part by part, and the parts in that basis.

    Each part is freed of the span of those before it. Of what is left, the singular
    directions above a cutoff join the basis Q; the others are left out.

    Parameters
    ----------
    B : array of shape (n_rows, n_targets)
        Right-hand sides.
    weights : array of shape (n_rows,), optional
        Weights of the rows.
    intercept : bool, default=False
        Whether a constant comes before the first part: all columns and B are then centred,
        to rounding, by the projection itself.
    cutoff : float, default=0.0
        Of what is left of a part, singular values of at most this share of the largest
        norm ``||A_j||_2`` of any part so far are left out. What Q lacks of all k columns
        is then at most ``sqrt(k) cutoff s1``. Never below the level of rounding, 9e-16.
    restricted : bool, default=True
        Whether the solution uses only the directions of each part that are in Q entirely,
        to rounding: the residual is that of the exact columns. Otherwise it uses all
        columns as if they were in Q, which is right for cutoffs at the level of rounding
        and gives the solution of least norm.

    Attributes
    ----------
    rank : int
        Columns of Q, without the constant.
    residual : array of shape (n_rows, n_targets)
        ``(I - Q Q') B`` of the weighted, centred B.
    facts : ProblemFacts
        Sums of squares and the mean of B; those of the columns come with
        :meth:`factorization`.

    Notes
    -----
    *Cost.* For a part of m columns, at rank r: ``4 n_rows r (m + 2 k) + 6 n_rows m**2``
    flops, k the directions that it adds. *Memory:* ``8 n_rows r`` bytes for Q, three parts, and
    ``8 r**2`` bytes (``8 r n_cols`` unless restricted).
    """

    def __init__(
        self,
        B: Array,
        *,
        weights: Array | None = None,
        intercept: bool = False,
        cutoff: float = 0.0,
        restricted: bool = True,
    ) -> None:
        w = np.ones(len(B)) if weights is None else weights
        self._root = np.sqrt(w)[:, None]
        self._weights = w
        self._cutoff = max(cutoff, SMALLEST_CUTOFF)
        self._restricted = restricted
        self._length = float(np.linalg.norm(self._root))
        self.residual = B * self._root
        # The constant is a part of its own before the others.
        self._lead = [self._root / self._length] if intercept else []
        mean_B = project_out(self._lead, self.residual).sum(axis=0) / self._length
        self._basis: list[Array] = []
        self._projected: list[Array] = []
        self._parts: list[_Part] = []
        self._leverage = sum((Q[:, 0] ** 2 for Q in self._lead), np.zeros(len(B)))
        self._norm = 0.0
        total = np.einsum("ij,ij->j", self.residual, self.residual)
        n_rows = float(max(w.sum(), np.count_nonzero(w)))
        self.facts = ProblemFacts(
            total, np.zeros(0), mean_B, n_rows, float(w.sum()), intercept, kept=None
        )

    @property
    def errors(self) -> Array:
        """Residual of each row as it came, unweighted; zero for rows of weight zero."""
        root = np.where(self._root > 0, self._root, 1.0)
        errors: Array = self.residual / root
        return errors

    @property
    def n_parts(self) -> int:
        """Parts so far."""
        return len(self._parts)

    @property
    def rank(self) -> int:
        """Columns of Q, without the constant."""
        return sum(Q.shape[1] for Q in self._basis)

    @property
    def nbytes(self) -> int:
        """Bytes of the basis and of the parts in it."""
        return sum(Q.nbytes for Q in self._basis) + sum(p.inside.nbytes for p in self._parts)

    def append(self, A: Array, columns: Array | None = None) -> None:
        """Add a part, shape (n_rows, m), with the numbers of its columns in the problem.

        By default they follow those of the last part.
        """
        P = A * self._root
        check_state(P)
        if columns is None:
            start = max((int(part.columns.max()) + 1 for part in self._parts), default=0)
            columns = np.arange(start, start + P.shape[1])
        mean = project_out(self._lead, P).sum(axis=0) / self._length
        self._norm = max(self._norm, largest_singular_value(P))
        basis = [*self._lead, *self._basis]
        inside = project_out(basis, P)[len(self._lead) :]
        U, V = new_directions(basis, P, self._cutoff * self._norm)
        inside = np.concatenate([inside, U.T @ P])
        self._parts.append(
            _Part(columns, mean, V, inside @ V)
            if self._restricted
            else _Part(columns, mean, None, inside)
        )
        self._basis.append(U)
        # From the residual rather than from B: what is small is not a difference.
        self._projected.append(U.T @ self.residual)
        self.residual -= U @ self._projected[-1]
        self._leverage += np.einsum("ij,ij->i", U, U)

    def forget(self) -> None:
        """Take the last part back."""
        U = self._basis.pop()
        self.residual += U @ self._projected.pop()
        self._leverage -= np.einsum("ij,ij->i", U, U)
        self._parts.pop()

    def leave_one_out(self) -> float:
        """Return the mean squared leave-one-out error over the variance of the targets.

        Exact for the least-squares fit on Q, from leverages that are sums of squares of
        its rows; infinite where some row is interpolated. ``O(n_rows n_targets)``.
        """
        counted = self._weights > 0
        w = self._weights[counted]
        leverage = self._leverage[counted] * np.minimum(1.0, 1.0 / w)
        errors = loo_errors(self.errors[counted], 1.0 - leverage)
        return float(w @ relative_squares(errors, self.facts.variance) / w.sum())

    def factorization(
        self, *, n_cols: int | None = None, rows: tuple[Array, Array, Array] | None = None
    ) -> SpectralFactorization:
        """Return the singular value decomposition of ``Q' A``, in place of that of A.

        Parameters
        ----------
        n_cols : int, optional
            Columns of the problem, by default those of the parts. Others count as zero.
        rows : tuple of (index, B, weights), optional
            Rows whose leave-one-out errors choose the regularisation, their right-hand
            sides and their weights.

        Returns
        -------
        SpectralFactorization
            Nothing truncated. ``20 r**3`` flops, and ``6 r**2 n_cols`` unless restricted.
        """
        ends = np.cumsum([part.inside.shape[1] for part in self._parts])
        F = np.zeros((self.rank, ends[-1]))
        for part, stop in zip(self._parts, ends, strict=True):
            height, width = part.inside.shape
            F[:height, stop - width : stop] = part.inside
        U, s, Vt = thin_svd(F)
        if n_cols is None:
            n_cols = 1 + max(int(part.columns.max()) for part in self._parts)
        right, mean = np.zeros((n_cols, len(s))), np.zeros(n_cols)
        for part, piece in zip(self._parts, np.split(Vt.T, ends[:-1]), strict=True):
            right[part.columns] = piece if part.directions is None else part.directions @ piece
            mean[part.columns] = part.mean
        inside = np.concatenate(self._projected)
        projected = U.T @ inside
        missed = inside - U @ projected
        factorization = spectral(
            s,
            right,
            projected,
            np.einsum("ij,ij->j", self.residual, self.residual)
            + np.einsum("ij,ij->j", missed, missed),
            facts=replace(self.facts, mean_A=mean),
            resolution=ORTHOGONAL_RESOLUTION,
        )
        if rows is None:
            return factorization
        index, B, weights = rows
        Q = np.concatenate([Q[index] for Q in self._basis], axis=1) / self._root[index]
        constant = self.facts.constant_leverage
        left = ExactRows(Q @ U, B - self.facts.mean_B, projected, constant, weights)
        return replace(factorization, left=left)
