"""Stationary linear equations, solved by least squares at points of the domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg

from solvenet._validation import check_count, check_positive
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.linalg.leading import truncated_svd
from solvenet.linalg.rank import numerical_rank
from solvenet.operators.bases import Basis, Jet, sample_basis, values_of
from solvenet.operators.domains import Box

if TYPE_CHECKING:
    from solvenet._array_api import Array

_EXACT = 1e-13
"""Relative singular values below this are rounding: those directions meet the conditions."""

Operator = Callable[["Array", Jet], "Array"]
"""An equation's left-hand side, of points and a jet there."""


@dataclass(frozen=True, eq=False)
class Condition:
    """What a solution must be at some points.

    Parameters
    ----------
    points : array of shape (n, d)
        Where.
    values : float, array of shape (n,) or callable, default=0.0
        What: of points, if it is a function.
    operator : callable, optional
        Of points and a :class:`Jet`, for example ``lambda x, u: u.dx()`` for slopes; by default
        values.
    """

    points: Array
    values: Any = 0.0
    operator: Operator | None = None

    def rows(self, basis: Basis) -> Array:
        """Return the condition for every function of a basis, shape (n, n_functions)."""
        jet = Jet(basis, self.points)
        return jet.value if self.operator is None else apply(self.operator, jet)


@dataclass(frozen=True, eq=False)
class FieldFunction:
    """A solution: call it with points.

    Attributes
    ----------
    basis : Basis
        Functions.
    coefficients : array of shape (n_functions,)
        Of these.
    residual : float
        Root mean square of what the equation leaves, over that of its right-hand side.
    rank : int
        Directions that were used.
    """

    basis: Basis
    coefficients: Array = field(repr=False)
    residual: float
    rank: int

    def __call__(self, X: Any) -> Array:
        """Return the values at points of shape (n, d), as an array of shape (n,)."""
        return self.partial(X, (0,) * self.basis.n_axes)

    def partial(self, X: Any, orders: Sequence[int]) -> Array:
        """Return a partial derivative at points of shape (n, d), as an array of shape (n,)."""
        points = checked_points("X", X, self.basis.n_axes)
        return self.basis.partial(points, orders) @ self.coefficients


def solve_pde(
    operator: Operator,
    source: Any,
    domain: Box,
    *,
    boundary: Any = 0.0,
    weight: float = 100.0,
    basis: Basis | None = None,
    width: int = 500,
    scale: float = 1.0,
    n_points: int | None = None,
    rcond: float = 1e-14,
    random_state: int = 0,
) -> FieldFunction:
    """Solve a linear equation ``operator(u) = source`` in a box.

    Parameters
    ----------
    operator : callable
        Of points (n, d) and a :class:`Jet`, linear in the jet: ``lambda x, u: -u.laplacian``.
    source : float or callable
        Right-hand side: of points (n, d), to (n,).
    domain : Box
        Where.
    boundary : float, callable, or sequence of Condition, default=0.0
        Values on the whole boundary, or conditions where one likes.
    weight : float, default=100.0
        Weight of the conditions against the equation, each in the mean over its points.
    basis : Basis, optional
        Functions to solve in; by default sampled.
    width : int, default=500
        Number of sampled functions.
    scale : float, default=1.0
        Their steepness; see :func:`sample_basis`.
    n_points : int, optional
        Where the equation is asked for, by default three times the width.
    rcond : float, default=1e-14
        Relative cutoff of the singular values.
    random_state : int, default=0
        Seed of functions and points.

    Returns
    -------
    FieldFunction
        The solution, with what it leaves of the equation.

    Raises
    ------
    InvalidDataError, InvalidSettingError
        Functions that return something else than one finite number a point.

    Notes
    -----
    ``min ||A c - f||^2 + weight^2 ||B c - g||^2`` over the coefficients: values of the equation at
    Gauss points, weighted as a quadrature, and of the conditions. Conditions built in exactly
    would cost digits: coefficients that take boundary values up to rounding are huge. Where the
    solution itself is not smooth, as in most corners of a square, neither is the fit. *Cost:* an
    SVD of n_points by width, ``2 n_points width^2 + 20 width^3`` flops.

    References
    ----------
    C. Datar, T. Kapoor, A. Chandra, Q. Sun, E. L. Bolager, I. Burak, A. Veselovska, M. Fornasier,
    F. Dietrich (2024), Solving partial differential equations with sampled neural networks,
    arXiv:2405.20836.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.operators import Box, solve_pde
    >>> def source(x):
    ...     return np.pi**2 * np.sin(np.pi * x[:, 0])
    >>> u = solve_pde(lambda x, u: -u.laplacian, source, Box(0, 1), width=60)
    >>> x = np.linspace(0, 1, 50)[:, None]
    >>> bool(abs(u(x) - np.sin(np.pi * x[:, 0])).max() < 1e-9)
    True
    """
    rcond = check_positive("rcond", rcond, below=1.0)
    if basis is None:
        basis = sample_basis(domain, width, scale=scale, random_state=random_state)
    count = 3 * basis.n_functions if n_points is None else check_count("n_points", n_points)
    points, weights = domain.quadrature(count, random_state=random_state)
    conditions = conditions_of(boundary, domain, basis.n_functions, random_state)
    rows = np.concatenate([condition.rows(basis) for condition in conditions])
    given = np.concatenate([values_of("boundary", c.values, c.points) for c in conditions])
    root = np.sqrt(weights / weights.sum())[:, None]
    f = values_of("source", source, points) * root
    A = apply(operator, Jet(basis, points)) * root
    share = check_positive("weight", weight) / np.sqrt(len(rows))
    A, b = np.concatenate([A, share * rows]), np.concatenate([f, share * given])
    U, s, Vt = truncated_svd(A, rcond)
    projected = U.T @ b
    y = Vt.T @ (projected / s[:, None])
    left = float(np.linalg.norm(b - U @ projected))
    size = float(np.linalg.norm(b)) or 1.0
    return FieldFunction(basis, y[:, 0], left / size, len(s))


def split_conditions(rows: Array) -> tuple[Array, Array]:
    """Return what meets linear conditions, and a way to meet others.

    Parameters
    ----------
    rows : array of shape (n_conditions, n_functions)
        A row is a condition of zero: values on a boundary, for example.

    Returns
    -------
    null : array of shape (n_functions, n_free)
        Orthonormal combinations for which every condition is zero up to rounding.
    lift : array of shape (n_functions, n_conditions)
        Times given values: the smallest coefficients that take them.

    Raises
    ------
    InvalidSettingError
        No combination is left.
    """
    # A fourth derivative is far larger than a value: every condition counts alike.
    size = np.linalg.norm(rows, axis=1)
    size = np.where(size > 0, size, 1.0)
    U, s, Vt = scipy.linalg.svd(rows / size[:, None], full_matrices=True)
    rank = numerical_rank(s, _EXACT)
    if rank == rows.shape[1]:
        msg = f"{len(rows)} conditions determine all {rank} functions: take a greater width."
        raise InvalidSettingError(msg)
    lift = (Vt[:rank].T / s[:rank]) @ U[:, :rank].T / size
    return np.ascontiguousarray(Vt[rank:].T), lift


def conditions_of(
    boundary: Any, domain: Box, n_functions: int, random_state: int
) -> list[Condition]:
    """Return the conditions that a user's `boundary` stands for."""
    if not isinstance(boundary, list | tuple):
        faces = domain.faces(max(2 * domain.n_axes, n_functions), random_state=random_state)
        return [Condition(faces, boundary)]
    if not boundary or not all(isinstance(c, Condition) for c in boundary):
        msg = (
            f"boundary={boundary!r} was given; a number, a function of points, or a list of "
            "Condition is wanted."
        )
        raise InvalidDataError(msg)
    return list(boundary)


def apply(operator: Operator, jet: Jet) -> Array:
    """Return the values of an equation for all functions of a jet, checked."""
    values = np.asarray(operator(jet.points, jet))
    wanted = jet.value.shape
    if values.shape != wanted or not np.isfinite(values).all():
        msg = (
            f"The operator returned values of shape {values.shape}; finite ones of shape {wanted} "
            "are wanted. Coefficients need the shape (n_points, 1), such as x[:, :1]."
        )
        raise InvalidDataError(msg)
    return values


def checked_points(name: str, X: Any, n_axes: int) -> Array:
    """Return points as an array of shape (n, d)."""
    points = np.asarray(X, dtype=np.float64)
    if points.ndim == 1 and n_axes == 1:
        points = points[:, None]
    if points.ndim != 2 or points.shape[1] != n_axes or not np.isfinite(points).all():
        msg = f"{name} has shape {np.shape(X)}; finite points of shape (n, {n_axes}) are wanted."
        raise InvalidDataError(msg)
    return points


def periodic(
    domain: Box, axis: int = 0, *, smoothness: int = 4, n_points: int = 50
) -> list[Condition]:
    """Return the conditions of a solution that is periodic along an axis.

    Parameters
    ----------
    domain : Box
        Its length along the axis is the period.
    axis : int, default=0
        Which.
    smoothness : int, default=4
        Derivatives that are continuous across the end of the period, besides the values.
    n_points : int, default=50
        Points on a face, beyond one dimension.

    Returns
    -------
    list of Condition
        For `boundary`.
    """
    low, high = domain.opposite(axis, n_points)
    orders = range(check_count("smoothness", smoothness, minimum=0) + 1)
    return [Condition(low, 0.0, _Jump(high, axis, order)) for order in orders]


@dataclass(frozen=True, eq=False)
class _Jump:
    """The difference of a derivative between two faces."""

    other: Array
    axis: int
    order: int

    def __call__(self, x: Array, u: Jet) -> Array:
        across = Jet(u.basis, self.other, u.coefficients)
        return u.dx(self.axis, self.order) - across.dx(self.axis, self.order)
