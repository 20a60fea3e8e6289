"""Time-dependent equations by the method of lines: sampled functions of place, exact in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.integrate
import scipy.linalg

from solvenet._validation import as_numbers, check_count, check_finite, check_positive
from solvenet.errors import InvalidDataError, SolvenetError
from solvenet.linalg.leading import truncated_svd
from solvenet.operators.bases import Basis, Jet, sample_basis, values_of
from solvenet.operators.collocation import (
    apply,
    checked_points,
    conditions_of,
    split_conditions,
)
from solvenet.operators.domains import Box

if TYPE_CHECKING:
    from solvenet._array_api import Array

_DERIVATIVE_STEP = 1e-3
"""Boundary values are differentiated in time by central differences of fourth order."""


@dataclass(frozen=True, eq=False)
class Evolution:
    """A solution in place and time.

    Attributes
    ----------
    basis : Basis
        Functions of place.
    times : array of shape (n_times,)
        Where it is known.
    coefficients : array of shape (n_times, n_functions)
        Of the functions at these times.
    rank : int
        Independent functions that were used.
    n_evaluations : int
        Of the right-hand side; 0 where time was integrated exactly.
    """

    basis: Basis
    times: Array
    coefficients: Array = field(repr=False)
    rank: int
    n_evaluations: int

    def __call__(self, X: Any) -> Array:
        """Return values at points of shape (n, d), as an array of shape (n_times, n)."""
        points = checked_points("X", X, self.basis.n_axes)
        return self.coefficients @ self.basis.partial(points, (0,) * self.basis.n_axes).T


def evolve(
    rate: Callable[[float, Array, Jet], Array],
    initial: Any,
    domain: Box,
    times: Any,
    *,
    boundary: Any = 0.0,
    linear: bool = False,
    basis: Basis | None = None,
    width: int = 200,
    scale: float = 1.0,
    n_points: int | None = None,
    rcond: float = 1e-10,
    tolerance: float = 1e-9,
    random_state: int = 0,
) -> Evolution:
    """Solve ``u_t = rate(t, x, u)`` in a box from initial values.

    Parameters
    ----------
    rate : callable
        Of time, points (n, d) and a :class:`Jet`; returns an array of the shape of the jet's
        values: ``lambda t, x, u: 0.1 * u.dx(0, 2) - u.value * u.dx()``.
    initial : float or callable
        Values at the first time: of points (n, d), to (n,).
    domain : Box
        Where.
    times : increasing sequence of float
        The first is that of the initial values; the solution is returned at all of them.
    boundary : float, callable, or sequence of Condition, default=0.0
        Values on the boundary: a number, or a function of time and points; or linear conditions,
        such as those of :func:`periodic`, whose values do not depend on time. They are built in.
    linear : bool, default=False
        The rate is linear in u and does not depend on time: it is integrated exactly, by a
        matrix exponential.
    basis : Basis, optional
        Functions of place; by default sampled where the initial values are steep.
    width : int, default=200
        Number of sampled functions.
    scale : float, default=1.0
        Their steepness; see :func:`sample_basis`.
    n_points : int, optional
        Where the equation is asked for; by default three times the width.
    rcond : float, default=1e-10
        Functions are replaced by their orthonormal combinations above this relative size.
    tolerance : float, default=1e-9
        Of the integration in time, relative to the size of the solution.
    random_state : int, default=0
        Seed of functions and points.

    Returns
    -------
    Evolution
        The solution at all times.

    Raises
    ------
    InvalidDataError, InvalidSettingError
        Functions that return other shapes or NaN, times that do not increase.
    SolvenetError
        The integration in time failed.

    Notes
    -----
    The rate is projected onto the functions orthogonally in L2 (Gauss quadrature): what conserves
    or dissipates energy still does. Otherwise LSODA integrates in time, which turns to an
    implicit method where the equation is stiff. *Cost:* an SVD of n_points by width, then products
    with matrices of n_points by rank.

    References
    ----------
    C. Datar et al. (2024), arXiv:2405.20836.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.operators import Box, evolve
    >>> heat = evolve(
    ...     lambda t, x, u: u.laplacian, lambda x: np.sin(np.pi * x[:, 0]), Box(0, 1), [0, 0.1],
    ...     linear=True, width=60,
    ... )
    >>> x = np.linspace(0, 1, 50)[:, None]
    >>> exact = np.exp(-0.1 * np.pi**2) * np.sin(np.pi * x[:, 0])
    >>> bool(abs(heat(x)[1] - exact).max() < 1e-8)
    True
    """
    times = _times(times)
    rcond = check_positive("rcond", rcond, below=1.0)
    tolerance = check_positive("tolerance", tolerance, below=1.0)
    if basis is None:
        target = initial if callable(initial) else None
        basis = sample_basis(domain, width, scale=scale, target=target, random_state=random_state)
    count = 3 * basis.n_functions if n_points is None else check_count("n_points", n_points)
    points, weights = domain.quadrature(count, random_state=random_state)
    root = np.sqrt(weights / weights.sum())[:, None]
    edge = _Edge.of(boundary, domain, basis, times, random_state)
    jet = Jet(basis, points)
    inside = jet.value
    U, s, Vt = truncated_svd((inside @ edge.null) * root, rcond)
    # u = edge + Q z, with columns of Q orthonormal in L2 at the points.
    Q = edge.null @ (Vt.T / s)
    free = Jet(basis.mixed(Q), points)
    start = values_of("initial", initial, points) - inside @ edge.at(times[0])
    z0 = U.T @ (start * root)

    def velocity(t: float, z: Array) -> Array:
        c = edge.at(t) + Q @ z[:, None]
        change = np.asarray(rate(t, points, jet.at(c)))
        if change.shape != (len(points), 1):
            msg = (
                f"rate returned values of shape {change.shape}; {(len(points), 1)} is wanted. "
                "Coefficients need the shape (n_points, 1), such as x[:, :1]."
            )
            raise InvalidDataError(msg)
        return np.asarray(U.T @ ((change - inside @ edge.slope(t)) * root))[:, 0]

    if linear and edge.moving is None:
        matrix = U.T @ (apply(lambda x, u: rate(times[0], x, u), free) * root)
        constant = velocity(times[0], np.zeros(len(s)))
        z = _exponential(matrix, constant, z0[:, 0], times)
        n_evaluations = 0
    else:
        z, n_evaluations = _integrate(velocity, z0[:, 0], times, tolerance)
    coefficients = np.stack(
        [(edge.at(t) + Q @ row[:, None])[:, 0] for t, row in zip(times, z, strict=True)]
    )
    return Evolution(basis, times, coefficients, len(s), n_evaluations)


@dataclass(frozen=True, eq=False)
class _Edge:
    """The conditions: what is free, and coefficients that take their values at a time."""

    null: Array
    lift: Array
    points: Array
    fixed: Array
    moving: Callable[[float, Array], Array] | None
    step: float

    @classmethod
    def of(cls, boundary: Any, domain: Box, basis: Basis, times: Array, seed: int) -> _Edge:
        moving = boundary if callable(boundary) else None
        plain = 0.0 if moving else boundary
        conditions = conditions_of(plain, domain, basis.n_functions, seed)
        null, lift = split_conditions(np.concatenate([c.rows(basis) for c in conditions]))
        points = np.concatenate([c.points for c in conditions])
        fixed = np.concatenate([values_of("boundary", c.values, c.points) for c in conditions])
        step = _DERIVATIVE_STEP * float(times[-1] - times[0])
        return cls(null, lift, points, fixed, moving, step)

    def at(self, t: float) -> Array:
        """Return coefficients that meet the conditions."""
        return self.lift @ self._values(t)

    def slope(self, t: float) -> Array:
        """Return their derivative in time."""
        if self.moving is None:
            return np.zeros((len(self.lift), 1))
        h = self.step
        near = self._values(t + h) - self._values(t - h)
        far = self._values(t + 2 * h) - self._values(t - 2 * h)
        return np.asarray(self.lift @ ((8 * near - far) / (12 * h)))

    def _values(self, t: float) -> Array:
        if self.moving is None:
            return self.fixed
        return values_of("boundary", self.moving, self.points, t)


def _times(times: Any) -> Array:
    out = as_numbers("times", times)
    if out.ndim != 1 or len(out) < 2 or (np.diff(out) <= 0).any():
        msg = f"times={times!r} was given; two or more increasing times are wanted."
        raise InvalidDataError(msg)
    check_finite("times", out)
    return out


def _exponential(matrix: Array, constant: Array, z0: Array, times: Array) -> Array:
    """Return the solution of ``z' = matrix z + constant`` at all times."""
    n = len(z0)
    whole = np.zeros((n + 1, n + 1))
    whole[:n, :n], whole[:n, n] = matrix, constant
    z = np.empty((len(times), n))
    now = np.append(z0, 1.0)
    z[0] = z0
    known: dict[float, Array] = {}
    for i, span in enumerate(np.diff(times), start=1):
        key = round(float(span), 12)
        if key not in known:
            known[key] = scipy.linalg.expm(span * whole)
        now = known[key] @ now
        z[i] = now[:n]
    return z


def _integrate(
    velocity: Callable[[float, Array], Array], z0: Array, times: Array, tolerance: float
) -> tuple[Array, int]:
    size = float(np.linalg.norm(z0)) or 1.0
    solved = scipy.integrate.solve_ivp(
        velocity,
        (times[0], times[-1]),
        z0,
        method="LSODA",
        t_eval=times,
        rtol=tolerance,
        atol=tolerance * size / np.sqrt(len(z0)),
    )
    if not solved.success or not np.isfinite(solved.y).all():
        msg = (
            f"The integration in time failed: {solved.message} Take more functions (width), or a "
            "greater rcond, which leaves out those that are hardly resolved."
        )
        raise SolvenetError(msg)
    return solved.y.T, int(solved.nfev)
