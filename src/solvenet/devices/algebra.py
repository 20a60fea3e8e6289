"""Cholesky factors on a device. Never its least-squares routine, which assumes full rank."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from solvenet.devices.device import Device, DeviceArray
from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.algebra import HOST, Algebra

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.reductions import CrossProducts

TRIANGLE = 256
"""Rows that are solved for at once where a library knows no triangular systems."""


class DeviceAlgebra(Algebra):
    """The operations of :class:`solvenet.linalg.algebra.Algebra` on a device, in float64.

    Parameters
    ----------
    device : Device
        Where.

    Notes
    -----
    The array API has Cholesky factors and no triangular systems: torch and CuPy have
    functions of their own, and for others these are solved in blocks of 256 rows.
    """

    def __init__(self, device: Device) -> None:
        self.device = device

    def hold(self, A: Array) -> DeviceArray:
        """Return an array of the host on the device."""
        return self.device.to_device(A, "float64")

    def fetch(self, A: DeviceArray) -> Array:
        """Return an array of the device as NumPy."""
        return self.device.to_numpy(A)

    def cholesky(self, G: DeviceArray, shift: float) -> DeviceArray | None:
        """Return L, zero above the diagonal, or None."""
        xp, n = self.device.xp, G.shape[0]
        if self.device.library == "torch":
            shifted = G.clone()
            shifted.diagonal().add_(float(shift))
            L, info = self.device.module.linalg.cholesky_ex(shifted)  # reads the lower triangle
            return L if int(info) == 0 else None
        eye = xp.eye(n, dtype=G.dtype, device=self.device.handle)
        shifted = xp.tril(G)
        shifted = shifted + xp.tril(shifted, k=-1).T + float(shift) * eye
        try:
            L = xp.linalg.cholesky(shifted)
        except np.linalg.LinAlgError:
            return None
        # CuPy may return what it could not factor.
        return L if bool(xp.all(xp.isfinite(xp.linalg.diagonal(L)))) else None

    def cholesky_solve(self, L: DeviceArray, B: DeviceArray) -> DeviceArray:
        """Return ``(L L')^-1 B``."""
        if self.device.library == "torch":
            return self.device.module.cholesky_solve(B, L)
        return self.triangular_solve(L.T, self.triangular_solve(L, B), lower=False)

    def triangular_solve(
        self, L: DeviceArray, B: DeviceArray, *, lower: bool = True
    ) -> DeviceArray:
        """Return ``L^-1 B``."""
        if self.device.library == "torch":
            return self.device.module.linalg.solve_triangular(L, B, upper=not lower)
        if self.device.library == "cupy":
            linalg = import_module("cupyx.scipy.linalg")
            return linalg.solve_triangular(L, B, lower=lower, check_finite=False)
        return self._by_blocks(L, B, lower)

    def _by_blocks(self, L: DeviceArray, B: DeviceArray, lower: bool) -> DeviceArray:
        xp, n = self.device.xp, L.shape[0]
        X = xp.asarray(B, copy=True)
        starts = range(0, n, TRIANGLE)
        for start in starts if lower else reversed(starts):
            here = slice(start, min(start + TRIANGLE, n))
            done = slice(0, start) if lower else slice(here.stop, n)
            left = X[here, :] - xp.matmul(L[here, done], X[done, :])
            triangle = (xp.tril if lower else xp.triu)(L[here, here])
            X[here, :] = xp.linalg.solve(triangle, left)
        return X

    def triangular_inverse(self, L: DeviceArray) -> DeviceArray:
        """Return the inverse of the lower triangle."""
        eye = self.device.xp.eye(L.shape[0], dtype=L.dtype, device=self.device.handle)
        return self.triangular_solve(L, eye)

    def multiply(self, A: DeviceArray, B: DeviceArray) -> DeviceArray:
        """Return ``A @ B``."""
        return self.device.xp.matmul(A, B)

    def column_sumsq(self, A: DeviceArray) -> DeviceArray:
        """Return the sum of squares of each column."""
        return self.device.xp.sum(A * A, axis=0)

    def sumsq(self, A: DeviceArray) -> float:
        """Return the sum of squares of all entries."""
        return float(self.device.xp.sum(A * A))


def algebra_on(device: Device | None) -> Algebra:
    """Return the algebra of a device; that of the host for None."""
    return HOST if device is None else DeviceAlgebra(device)


def solve_ridge(products: CrossProducts, alpha: float, device: Device | None = None) -> Array:
    """Return the ridge solution of cross products, by a Cholesky factor.

    Parameters
    ----------
    products : CrossProducts
        Of a `GramReduction` or a `DeviceGram`.
    alpha : float
        The ridge, absolute.
    device : Device, optional
        Where to solve; on the host by default.

    Returns
    -------
    array of shape (n_cols, n_targets)
        The coefficients, without the intercept ``mean_B - mean_A @ coef``.

    Raises
    ------
    UnsupportedProblemError
        The matrix is not positive definite to rounding.
    """
    algebra = algebra_on(device)
    L = algebra.cholesky(algebra.hold(products.lower), alpha)
    if L is None:
        msg = (
            f"The Gram matrix plus a ridge of {alpha:.1e} is not positive definite to "
            "rounding. Use a larger alpha, precision='float64', or the solver QR."
        )
        raise UnsupportedProblemError(msg)
    return algebra.fetch(algebra.cholesky_solve(L, algebra.hold(products.AB)))
