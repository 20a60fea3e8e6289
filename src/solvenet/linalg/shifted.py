"""A Gram matrix, and the Cholesky factor of it plus a ridge, for one ridge after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import lapack

from solvenet.linalg.algebra import Algebra, Held
from solvenet.linalg.blas import add_product, factor_in_place, solve_triangle
from solvenet.linalg.factor import cholesky_condition

if TYPE_CHECKING:
    from solvenet._array_api import Array

PANEL = 256
"""Rows and columns that are copied, or inverted, at a time."""


def _panels(n: int) -> list[slice]:
    return [slice(start, min(start + PANEL, n)) for start in range(0, n, PANEL)]


SAME_SHIFT = 1e-12
"""Relative difference that a ridge may have after the way to a ratio and back."""


class ShiftedGram(ABC):
    """``G + shift I = L L'`` for one shift after the other.

    Parameters
    ----------
    lower : array of shape (n, n), float64, Fortran order
        G, of which the lower triangle counts. The memory is taken over.

    Attributes
    ----------
    diagonal : array of shape (n,)
        Of G.
    shift : float or None
        Whose factor there is; None before the first and after one that failed.
    """

    def __init__(self, lower: Array) -> None:
        self._lower = lower  # below the diagonal it is never changed
        self.diagonal = np.diagonal(lower).copy()
        self.shift: float | None = None

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.diagonal)

    def factor(self, shift: float) -> bool:
        """Factor ``G + shift I``; tell whether it is positive definite to rounding."""
        if self.shift is None or abs(shift - self.shift) > SAME_SHIFT * abs(shift):
            self.shift = shift if self._factor(shift) else None
        return self.shift is not None

    @abstractmethod
    def _factor(self, shift: float) -> bool:
        """Factor, and tell whether that was possible."""

    @abstractmethod
    def whiten(self, B: Array) -> Array:
        """Return ``L^-1 B``: columns are rows of A, whose squares then sum to leverages.

        `B` may be overwritten if it is in Fortran order.
        """

    @abstractmethod
    def back(self, B: Array) -> Array:
        """Return ``L'^-1 B``; `B` may be overwritten if it is in Fortran order."""

    def solve(self, B: Array) -> Array:
        """Return ``(G + shift I)^-1 B``."""
        return self.back(self.whiten(np.array(B, dtype=np.float64, order="F")))

    @abstractmethod
    def root(self) -> Array:
        """Return ``L'^-1``, upper triangular: an array of its own."""

    @abstractmethod
    def inverse_trace(self) -> float:
        """Return the trace of ``(G + shift I)^-1``, in ``n**3 / 3`` flops."""

    @abstractmethod
    def condition(self) -> float:
        """Return LAPACK's estimate of the 1-norm condition number of ``G + shift I``."""

    def _panels(self) -> list[slice]:
        return _panels(len(self))

    def _block(self, rows: slice) -> Array:
        """Return a block of G on the diagonal."""
        strict = np.tril(self._lower[rows, rows], -1)
        return strict + strict.T + np.diag(self.diagonal[rows])

    def one_norm(self) -> float:
        """Return the largest sum of absolute values of a column of G."""
        sums = np.zeros(len(self))
        for here in self._panels():
            below = slice(here.stop, len(self))
            rest = np.abs(self._lower[below, here])
            sums[here] += np.abs(self._block(here)).sum(axis=0) + rest.sum(axis=0)
            sums[below] += rest.sum(axis=1)
        return float(sums.max(initial=0.0))

    def frobenius(self) -> float:
        """Return the Frobenius norm of G, without overflow."""
        size = float(np.abs(self.diagonal).max(initial=0.0)) or 1.0  # no entry is larger
        total = 0.0
        for here in self._panels():
            block, rest = self._block(here) / size, self._lower[here.stop :, here] / size
            total += float(np.vdot(block, block) + 2 * np.vdot(rest, rest))
        return float(size * np.sqrt(total))

    def some(self, step: int) -> Array:
        """Return the symmetric Gram matrix of every `step`-th column."""
        out = np.array(self._lower[::step, ::step], order="F")
        out.ravel(order="K")[:: len(out) + 1] = self.diagonal[::step]
        for number, here in enumerate(panels := _panels(len(out))):
            strict = np.tril(out[here, here], -1)
            out[here, here] = strict + strict.T + np.diag(np.diagonal(out[here, here]))
            for right in panels[number + 1 :]:
                out[here, right] = out[right, here].T
        return out


class InPlace(ShiftedGram):
    """In the memory of one array: G below its diagonal, ``U = L'`` on and above it.

    Notes
    -----
    Another shift starts from G again, and nothing is held twice: ``8 n**2`` bytes
    altogether. ``n**3 / 3`` flops a factor.
    """

    def _factor(self, shift: float) -> bool:
        self._restore(shift)
        return factor_in_place(self._lower)

    def _restore(self, shift: float) -> None:
        """Write ``G + shift I`` where the factor is to stand."""
        A, panels = self._lower, self._panels()
        for number, here in enumerate(panels):
            A[here, here] = self._block(here)
            for right in panels[number + 1 :]:
                A[here, right] = A[right, here].T
        A.ravel(order="K")[:: len(self) + 1] += shift

    def whiten(self, B: Array) -> Array:
        """Return ``U'^-1 B``."""
        B = np.asfortranarray(B)
        solve_triangle(self._lower, B, trans=True)
        return B

    def back(self, B: Array) -> Array:
        """Return ``U^-1 B``."""
        B = np.asfortranarray(B)
        solve_triangle(self._lower, B)
        return B

    def root(self) -> Array:
        """Return ``U^-1``."""
        inverse, _ = lapack.dtrtri(np.asfortranarray(np.triu(self._lower)), overwrite_c=1)
        return inverse  # type: ignore[no-any-return]

    def inverse_trace(self) -> float:
        """Return ``||U^-1||_F^2``, a panel of columns at a time."""
        total, panels = 0.0, self._panels()
        for number, here in enumerate(panels):
            columns = np.zeros((here.stop, here.stop - here.start), order="F")
            columns[here] = np.eye(here.stop - here.start)
            for rows in reversed(panels[: number + 1]):
                below, part = slice(rows.stop, here.stop), columns[rows]
                add_product(part, self._lower[rows, below], columns[below], factor=-1.0)
                solve_triangle(self._lower[rows, rows], part)
            total += float(np.vdot(columns, columns))
        return total

    def condition(self) -> float:
        """Return LAPACK's estimate."""
        rcond, _ = lapack.dpocon(self._lower, self.one_norm(), uplo="U")
        return 1.0 / rcond if rcond > 0 else float("inf")


class Elsewhere(ShiftedGram):
    """Factors that an algebra computes and holds, such as on a GPU.

    Parameters
    ----------
    lower : array of shape (n, n), float64
        G, of which the lower triangle counts.
    algebra : Algebra
        Computes.
    """

    def __init__(self, lower: Array, algebra: Algebra) -> None:
        super().__init__(lower)
        self.algebra = algebra
        self._held: Held = None
        self._L: Held = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what the device holds."""
        return vars(self) | {"_held": None, "_L": None, "shift": None}

    def _factor(self, shift: float) -> bool:
        if self._held is None:
            self._held = self.algebra.hold(self._lower)
        self._L = None  # its memory may be needed for the next
        self._L = self.algebra.cholesky(self._held, shift)
        return self._L is not None

    def whiten(self, B: Array) -> Array:
        """Return ``L^-1 B``."""
        algebra = self.algebra
        return algebra.fetch(algebra.triangular_solve(self._L, algebra.hold(B)))

    def back(self, B: Array) -> Array:
        """Return ``L'^-1 B``."""
        algebra = self.algebra
        return algebra.fetch(algebra.triangular_solve(self._L.T, algebra.hold(B), lower=False))

    def root(self) -> Array:
        """Return ``L'^-1``."""
        return self.algebra.fetch(self.algebra.triangular_inverse(self._L)).T

    def inverse_trace(self) -> float:
        """Return ``||L^-1||_F^2``."""
        return self.algebra.sumsq(self.algebra.triangular_inverse(self._L))

    def condition(self) -> float:
        """Return LAPACK's estimate, computed here."""
        return cholesky_condition(np.asfortranarray(self.algebra.fetch(self._L)), self.one_norm())
