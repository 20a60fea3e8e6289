"""The operations on a Gram matrix that cost time, here or on another device.

A solver that calls them by this object works wherever the object does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from solvenet.linalg import factor
from solvenet.linalg.products import multiply

if TYPE_CHECKING:
    from solvenet._array_api import Array

Held: TypeAlias = Any
"""An array where the algebra computes: NumPy's, or one of a device."""


class Algebra(ABC):
    """Cholesky factors and what is done with them, on arrays that it holds; all float64."""

    @abstractmethod
    def hold(self, A: Array) -> Held:
        """Return an array of the host where this computes."""

    @abstractmethod
    def fetch(self, A: Held) -> Array:
        """Return an array as NumPy."""

    @abstractmethod
    def cholesky(self, G: Held, shift: float) -> Held | None:
        """Return L with ``L L' = G + shift I``, or None if that is not positive definite.

        Only the lower triangles of G and of L mean anything.
        """

    @abstractmethod
    def cholesky_solve(self, L: Held, B: Held) -> Held:
        """Return ``(L L')^-1 B``."""

    @abstractmethod
    def triangular_solve(self, L: Held, B: Held, *, lower: bool = True) -> Held:
        """Return ``L^-1 B`` for the lower (or upper) triangle of L."""

    @abstractmethod
    def triangular_inverse(self, L: Held) -> Held:
        """Return the inverse of the lower triangle of L, zero above the diagonal."""

    @abstractmethod
    def multiply(self, A: Held, B: Held) -> Held:
        """Return ``A @ B``."""

    @abstractmethod
    def column_sumsq(self, A: Held) -> Held:
        """Return the sum of squares of each column."""

    @abstractmethod
    def sumsq(self, A: Held) -> float:
        """Return the sum of squares of all entries."""


class HostAlgebra(Algebra):
    """SciPy's BLAS and LAPACK."""

    def hold(self, A: Array) -> Array:
        """Return the array itself."""
        return A

    def fetch(self, A: Held) -> Array:
        """Return the array itself."""
        return np.asarray(A)

    def cholesky(self, G: Held, shift: float) -> Array | None:
        """Return L, or None; see :func:`solvenet.linalg.factor.cholesky`."""
        return factor.cholesky(G, shift)

    def cholesky_solve(self, L: Held, B: Held) -> Array:
        """Return ``(L L')^-1 B``."""
        return factor.cholesky_solve(L, B)

    def triangular_solve(self, L: Held, B: Held, *, lower: bool = True) -> Array:
        """Return ``L^-1 B``."""
        return factor.triangular_solve(L, B, lower=lower)

    def triangular_inverse(self, L: Held) -> Array:
        """Return the inverse of the lower triangle."""
        return factor.triangular_inverse(L)

    def multiply(self, A: Held, B: Held) -> Array:
        """Return ``A @ B`` in C order."""
        return multiply(A, B)

    def column_sumsq(self, A: Held) -> Array:
        """Return the sum of squares of each column."""
        out: Array = np.einsum("ij,ij->j", A, A)
        return out

    def sumsq(self, A: Held) -> float:
        """Return the sum of squares of all entries."""
        return float(np.einsum("ij,ij->", A, A))


HOST = HostAlgebra()
"""The one of this machine's processor."""
