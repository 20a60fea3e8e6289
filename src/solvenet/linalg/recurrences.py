"""The recurrences of Krylov methods, for columns that have nothing to do with each other.

Norms are never squared and matrices only meet vectors of size one, so that neither tiny
nor huge entries over- or underflow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import numpy as np

from solvenet.linalg.accuracy import column_norms

if TYPE_CHECKING:
    from solvenet._array_api import Array


def over(a: Array, b: Array) -> Array:
    """Return ``a / b``, and zero where b is zero: what is divided then counts no more."""
    quotient: Array = np.divide(a, b, out=np.zeros_like(a), where=b != 0)
    return quotient


def unit(X: Array) -> tuple[Array, Array]:
    """Return the norms of the columns and the columns over them; zero stays zero."""
    norms = column_norms(X)
    return norms, X / np.where(norms > 0, norms, 1.0)


def rotation(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return c, s, r with ``c a + s b = r >= 0`` and ``c b = s a``: Givens rotations."""
    r = np.hypot(a, b)
    return np.where(r > 0, over(a, r), 1.0), over(b, r), r


class Method(ABC):
    """Some columns of ``min ||A X - r||`` on their way from ``X = 0``.

    The last axis of every attribute counts columns.

    Parameters
    ----------
    U : array of shape (n_rows, k)
        The right-hand sides r, of norm one.
    gradient : array of shape (n_cols, k)
        ``A' U``.
    norm : array of shape (k,)
        Positive lower bounds of ``||A||``.

    Attributes
    ----------
    X : array of shape (n_cols, k)
        The solution so far.
    residual, normal : array of shape (k,)
        Norms of its residual and normal residual.
    norm : array of shape (k,)
        Largest ``||A v||`` seen.
    inverse : array of shape (k,)
        Frobenius norm of the pseudo-inverse of A on the space seen; zero where the method
        does not know.
    """

    def __init__(self, U: Array, gradient: Array, norm: Array) -> None:
        self.X = np.zeros_like(gradient)
        self.residual = np.ones(U.shape[1])
        self.normal = column_norms(gradient)
        self.norm = np.maximum(norm, self.normal)
        self.inverse = np.zeros(U.shape[1])

    @abstractmethod
    def request(self) -> tuple[Array, Array]:
        """Return V and U, of which ``A V - U`` and ``A' (A V - U)`` are wanted next."""

    @abstractmethod
    def receive(self, R: Array, gradient: Array) -> None:
        """Make one iteration with the product that was asked for."""

    def take(self, kept: Array) -> None:
        """Keep some of the columns."""
        for name, value in vars(self).items():
            setattr(self, name, value[..., kept])

    def join(self, other: Self) -> None:
        """Add the columns of `other`."""
        for name, value in vars(self).items():
            setattr(self, name, np.concatenate([value, getattr(other, name)], axis=-1))


class LSQR(Method):
    """Golub-Kahan bidiagonalisation ``A V = U B`` and a QR factorisation of B.

    Names follow Paige and Saunders (1982), section 4, with rotations for reflections.
    """

    def __init__(self, U: Array, gradient: Array, norm: Array) -> None:
        super().__init__(U, gradient, norm)
        self.U = U
        self.alpha, self.V = unit(gradient)
        self.alphabar = self.alpha
        self.w = self.V
        self.phibar = self.residual

    def request(self) -> tuple[Array, Array]:
        """Ask for ``beta u = A v - alpha u``, scaled to the size of one."""
        return self.V / self.norm, self.U * (self.alpha / self.norm)

    def receive(self, R: Array, gradient: Array) -> None:
        """Continue the bidiagonalisation by one column, then its QR factorisation."""
        size, self.U = unit(R)
        beta = self.norm * size
        self.norm = np.maximum(self.norm, np.hypot(self.alpha, beta))
        alpha, V = unit(gradient / np.where(size > 0, size, 1.0) - beta * self.V)
        c, s, rho = rotation(self.alphabar, beta)
        theta, self.alphabar = s * alpha, c * alpha
        phi, self.phibar = c * self.phibar, -s * self.phibar
        self.inverse = np.hypot(self.inverse, over(column_norms(self.w), rho))
        self.alpha, self.V = alpha, V
        self.advance(c, s, rho, theta, phi)
        self.w = V - over(theta, rho) * self.w

    def advance(self, c: Array, s: Array, rho: Array, theta: Array, phi: Array) -> None:
        """Move X; w is the column of ``V R^-1`` times rho."""
        self.X += over(phi, rho) * self.w
        self.residual = np.abs(self.phibar)
        self.normal = self.residual * np.abs(self.alphabar)


class LSMR(LSQR):
    """The same bidiagonalisation and a second QR factorisation, of R'.

    Names follow Fong and Saunders (2011), table 2.8 and section 5.
    """

    def __init__(self, U: Array, gradient: Array, norm: Array) -> None:
        super().__init__(U, gradient, norm)
        zeros, ones = np.zeros_like(norm), np.ones_like(norm)
        self.hbar = np.zeros_like(gradient)
        self.zetabar = self.alpha
        self.rho_old, self.rhobar, self.cbar, self.sbar = ones, ones, ones, zeros
        # What the norm of the residual is computed from.
        self.rhodot, self.betadot, self.thetatilde = ones, zeros, zeros
        self.zeta, self.tautilde = zeros, zeros

    def advance(self, c: Array, s: Array, rho: Array, theta: Array, phi: Array) -> None:
        """Move X along hbar, the column of ``V R^-1 Rbar^-1`` times rho rhobar."""
        rhobar_old, zeta_old = self.rhobar, self.zeta
        thetabar = self.sbar * rho
        self.cbar, self.sbar, self.rhobar = rotation(self.cbar * rho, theta)
        self.zeta, self.zetabar = self.cbar * self.zetabar, -self.sbar * self.zetabar
        shift = over(thetabar, rhobar_old) * over(rho, self.rho_old)
        self.hbar = self.w - shift * self.hbar
        self.X += over(over(self.zeta, rho), self.rhobar) * self.hbar
        self.rho_old = rho
        self._estimate_residual(thetabar, phi, zeta_old)
        self.normal = np.abs(self.zetabar)

    def _estimate_residual(self, thetabar: Array, phi: Array, zeta_old: Array) -> None:
        theta_old = self.thetatilde
        c, s, rhotilde = rotation(self.rhodot, thetabar)
        self.thetatilde, self.rhodot = s * self.rhobar, c * self.rhobar
        self.betadot = c * phi - s * self.betadot
        self.tautilde = over(zeta_old - theta_old * self.tautilde, rhotilde)
        taudot = over(self.zeta - self.thetatilde * self.tautilde, self.rhodot)
        self.residual = np.hypot(self.betadot - taudot, self.phibar)


class CGLS(Method):
    """Conjugate gradients on the normal equations, by the residual of the problem itself.

    Names follow Björck, Elfving and Strakoš (1998); s and p are over the squared norm.
    """

    def __init__(self, U: Array, gradient: Array, norm: Array) -> None:
        super().__init__(U, gradient, norm)
        self.scale = self.norm
        self.R = U
        self.S = self.P = gradient / self.scale / self.scale

    def request(self) -> tuple[Array, Array]:
        """Ask for ``q = A p`` and ``A' q``."""
        return self.P, np.zeros_like(self.R)

    def receive(self, R: Array, gradient: Array) -> None:
        """Move X along p, and find the next direction, conjugate to it."""
        size, length, before = column_norms(R), column_norms(self.P), self.normal
        self.norm = np.maximum(self.norm, over(column_norms(gradient), size))
        self.inverse = np.hypot(self.inverse, over(length, size))
        step = over(before / self.scale, size) ** 2
        self.X += step * self.P
        self.R = self.R - step * R
        self.S = self.S - step * (gradient / self.scale / self.scale)
        self.residual = column_norms(self.R)
        self.normal = column_norms(self.S) * self.scale * self.scale
        self.P = self.S + over(self.normal, before) ** 2 * self.P


class Chebyshev(Method):
    """Chebyshev polynomials on an interval that holds the squared singular values.

    Names follow Meng, Saunders and Mahoney (2014), their algorithm for the semi-iteration:
    d is the centre and c half the length of the interval, here over its upper end.
    """

    def __init__(
        self, U: Array, gradient: Array, norm: Array, interval: tuple[float, float]
    ) -> None:
        super().__init__(U, gradient, norm)
        lower, upper = interval
        shortest = (lower / upper) ** 2
        self.upper = np.full_like(norm, upper)
        self.d, self.c = (np.full_like(norm, (1 + sign * shortest) / 2) for sign in (1, -1))
        self.norm = np.maximum(self.norm, upper)
        self.inverse = np.full_like(norm, 1 / lower)
        self.order = np.zeros_like(norm)
        self.a = 1 / self.d
        self.R = U
        self.V = gradient / upper / upper

    def request(self) -> tuple[Array, Array]:
        """Ask for the next residual: the length of the step is known beforehand."""
        return self.a * self.V, self.R

    def receive(self, R: Array, gradient: Array) -> None:
        """Move X along V, and find the next direction."""
        self.X += self.a * self.V
        self.R, gradient = -R, -gradient
        self.order = self.order + 1
        twice = np.where(self.order == 1, 2.0, 1.0)
        b = twice * (self.a * self.c / 2) ** 2
        self.a = 1 / (self.d - twice * self.a * self.c**2 / 4)
        self.V = b * self.V + gradient / self.upper / self.upper
        self.residual, self.normal = column_norms(self.R), column_norms(gradient)
