"""Sampled functions with analytic derivatives: what equations are solved in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._random import stream
from solvenet._validation import as_numbers, check_count, check_positive
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features import Activation, get_activation

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.operators.domains import Box


_CANDIDATES = 8

_SHORTEST = 0.25
"""Units rise over at least this share of the diagonal of the box, before they are scaled."""


@dataclass(frozen=True, eq=False)
class Basis:
    """Functions ``activation(w'x + b)``, or combinations of them, with every derivative.

    Attributes
    ----------
    weights : array of shape (d, width)
        One column a unit.
    biases : array of shape (width,)
        One number a unit.
    activation : str
        ``"tanh"``, ``"sin"`` or ``"cos"``.
    mixing : array of shape (width, n_functions) or None
        The functions are these combinations of units; None: the units.
    constant : bool
        Whether the constant function stands behind the units.
    """

    weights: Array = field(repr=False)
    biases: Array = field(repr=False)
    activation: str = "tanh"
    mixing: Array | None = field(default=None, repr=False)
    constant: bool = True

    @property
    def n_axes(self) -> int:
        """Dimension of the points."""
        return int(self.weights.shape[0])

    @property
    def n_functions(self) -> int:
        """Number of functions."""
        if self.mixing is not None:
            return int(self.mixing.shape[1])
        return int(self.weights.shape[1]) + self.constant

    def partial(self, X: Array, orders: Sequence[int]) -> Array:
        """Return a partial derivative of every function.

        Parameters
        ----------
        X : array of shape (n_points, d)
            Points.
        orders : sequence of int of length d
            How often each variable is differentiated by; zeros give the values.

        Returns
        -------
        array of shape (n_points, n_functions)
            Exact up to rounding.
        """
        if len(orders) != self.n_axes:
            msg = f"orders={tuple(orders)} was given; one number for {self.n_axes} axes is wanted."
            raise InvalidSettingError(msg)
        total = sum(check_count("orders", order, minimum=0) for order in orders)
        units = _derivative(self.activation, total, X @ self.weights + self.biases)
        for axis, order in enumerate(orders):
            if order:
                units = units * self.weights[axis] ** order
        return self._mixed(units, 1.0 if total == 0 else 0.0)

    def laplacian(self, X: Array) -> Array:
        """Return the Laplacian of every function, shape (n_points, n_functions)."""
        second = _derivative(self.activation, 2, X @ self.weights + self.biases)
        return self._mixed(second * (self.weights**2).sum(axis=0), 0.0)

    def mixed(self, mixing: Array) -> Basis:
        """Return combinations of these functions, one a column of `mixing`."""
        whole = mixing if self.mixing is None else self.mixing @ mixing
        return Basis(self.weights, self.biases, self.activation, whole, self.constant)

    def _mixed(self, units: Array, constant: float) -> Array:
        if self.constant:
            units = np.concatenate([units, np.full((len(units), 1), constant)], axis=1)
        return units if self.mixing is None else units @ self.mixing


@dataclass(frozen=True, eq=False)
class Jet:
    """A function with its derivatives at some points: what an equation is written in.

    Values have the shape (n_points, m): one column a function, so that a linear equation is
    applied to all functions of a basis at once. Coefficients that depend on the place need the
    shape (n_points, 1), such as ``x[:, :1]``.

    Attributes
    ----------
    basis : Basis
        Functions.
    points : array of shape (n_points, d)
        Points.
    coefficients : array of shape (n_functions, m) or None
        Combinations of the functions; None: the functions themselves.
    """

    basis: Basis
    points: Array
    coefficients: Array | None = None
    _known: dict[Any, Array] = field(default_factory=dict, repr=False)

    def at(self, coefficients: Array) -> Jet:
        """Return the jet of a combination at the same points, without evaluating anew."""
        return Jet(self.basis, self.points, coefficients, self._known)

    @property
    def value(self) -> Array:
        """Values."""
        return self.partial(*(0,) * self.basis.n_axes)

    def partial(self, *orders: int) -> Array:
        """Return a partial derivative: ``u.partial(0, 2)`` is twice by the second variable."""
        return self._times(orders, lambda: self.basis.partial(self.points, orders))

    def dx(self, axis: int = 0, order: int = 1) -> Array:
        """Return a derivative by one variable."""
        return self.partial(*(order if i == axis else 0 for i in range(self.basis.n_axes)))

    @property
    def laplacian(self) -> Array:
        """Sum of the second derivatives."""
        return self._times("laplacian", lambda: self.basis.laplacian(self.points))

    def _times(self, key: Any, make: Callable[[], Array]) -> Array:
        if key not in self._known:
            self._known[key] = make()
        matrix = self._known[key]
        return matrix if self.coefficients is None else matrix @ self.coefficients


def sample_basis(
    domain: Box,
    width: int,
    *,
    activation: str | Activation = "tanh",
    scale: float = 1.0,
    target: Callable[[Array], Array] | None = None,
    random_state: int = 0,
) -> Basis:
    """Sample functions from pairs of points in a box.

    Parameters
    ----------
    domain : Box
        Where the pairs lie.
    width : int
        Number of units.
    activation : {"tanh", "sin", "cos"}, default="tanh"
        Function of the units.
    scale : float, default=1.0
        Multiplies the steepness that the pairs give: larger for solutions with finer detail.
    target : callable, optional
        Pairs are drawn where this function of points, shape (n, d) to (n,), is steep: an initial
        value, or a first solution. By default anywhere alike.
    random_state : int, default=0
        Seed.

    Returns
    -------
    Basis
        The units and the constant.

    Raises
    ------
    InvalidSettingError
        An activation whose derivatives are not smooth, or numbers out of range.

    Notes
    -----
    *Difference from SWIM.* Pairs closer than a quarter of the diagonal give units as flat as pairs
    at that distance: steep units resolve jumps, which solutions of smooth equations do not have.
    """
    width = check_count("width", width)
    scale = check_positive("scale", scale)
    chosen = get_activation(activation)
    if chosen.name not in ("tanh", "sin", "cos"):
        msg = f"activation={activation!r} was given; 'tanh', 'sin' or 'cos' are smooth."
        raise InvalidSettingError(msg)
    # Long axes count like short ones: pairs are taken in the unit box.
    size = domain.high - domain.low
    rng = stream(random_state, "basis")
    start, end = rng.random((2, _CANDIDATES * width, domain.n_axes))
    distance = np.linalg.norm(end - start, axis=1)
    reach = np.maximum(distance, _SHORTEST * np.sqrt(domain.n_axes))
    density = np.ones(len(start))
    if target is not None:
        first, second = (
            values_of("target", target, domain.low + size * x)[:, 0] for x in (start, end)
        )
        jump = np.abs(second - first)
        density = jump / reach if jump.any() else density
    with np.errstate(divide="ignore"):
        keys = np.log(density) + rng.gumbel(size=len(density))
    at = np.argsort(-keys, kind="stable")[:width]
    # Pairs closer than the reach give units that rise over the reach: a solution is smooth.
    length = (distance[at] * reach[at])[:, None]
    W = scale * chosen.slope * (end[at] - start[at]) / length
    weights = (W / size).T
    middle = domain.low + size * (start[at] + end[at]) / 2
    biases = chosen.slope / 2 - chosen.shift - np.einsum("ij,ji->i", middle, weights)
    return Basis(np.ascontiguousarray(weights), biases, chosen.name)


def values_of(name: str, function: Any, points: Array, *more: Any) -> Array:
    """Return a function's (or a number's) values at points as a column, checked."""
    given = function(*more, points) if callable(function) else function
    values = as_numbers(name, given)
    if values.ndim == 0:
        values = np.full(len(points), float(values))
    if values.shape not in ((len(points),), (len(points), 1)) or not np.isfinite(values).all():
        msg = (
            f"{name} returned values of shape {values.shape} for {len(points)} points; one finite "
            "number a point is wanted."
        )
        raise InvalidDataError(msg)
    return values.reshape(-1, 1)


@lru_cache(maxsize=16)
def _tanh_polynomial(order: int) -> Any:
    """Return the polynomial in t = tanh(z) that is the derivative of this order."""
    t = np.polynomial.Polynomial([0.0, 1.0])
    out = t
    for _ in range(order):
        out = out.deriv() * (1 - t**2)
    return out


def _derivative(activation: str, order: int, Z: Array) -> Array:
    if activation == "tanh":
        return np.asarray(_tanh_polynomial(order)(np.tanh(Z)))
    turned = order + (activation == "cos")
    sign = -1.0 if turned % 4 >= 2 else 1.0
    return np.asarray(sign * (np.cos(Z) if turned % 2 else np.sin(Z)))
