"""Units of a network of one input on (-1, 1), and the quadrature that integrates them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from solvenet._validation import check_finite, check_positive
from solvenet.analysis.kernels import checked_biases
from solvenet.analysis.quadrature import gauss_rule
from solvenet.analysis.spectra import Spectrum
from solvenet.analysis.splines import inverse_singular_values
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features import Activation, get_activation
from solvenet.features.activations import ACTIVATIONS
from solvenet.linalg.rank import EPS

if TYPE_CHECKING:
    from solvenet._array_api import Array

_SMOOTH_POINTS = 16
_SMOOTH_CELLS = 3
"""Cells of smooth units for each unit of slope. The nearest poles, those of tanh, are then
4.7 half widths away: polynomials through 16 Gauss points err by 1e-15."""

_MOST_ENTRIES = 2**28
"""Of a design matrix of smooth units: two gigabytes."""

_LARGEST = 1e100
"""Value of a unit whose square is far from the end of the range of float64."""


def unit_spectrum(
    biases: Array,
    *,
    activation: str | Activation | Callable[[Array], Array] = "relu",
    weights: Array | None = None,
    scale: float = 1.0,
) -> Spectrum:
    """Return the eigenvalues of the Gram matrix of given units of one input on (-1, 1).

    Unit i is ``activation(scale * w_i * (x - b_i))``, and G_ij the integral of the product
    of units i and j over (-1, 1).

    Parameters
    ----------
    biases : array of shape (n,)
        Where the units stand, at least 2: see :func:`uniform_biases`,
        :func:`random_biases` and :func:`adaptive_biases`.
    activation : str, Activation or callable, default="relu"
        ``"relu"``, ``"relu^2"`` (and higher powers), ``"heaviside"``, ``"hat"``,
        ``"gaussian"`` (``exp(-z**2)``), ``"tanh"``, ``"sigmoid"``, ``"gelu"``, ``"sin"``,
        ``"cos"``; or an elementwise function that is smooth where ``|z|`` changes by 1.
    weights : array of shape (n,), optional
        Weights w of the first layer, none of them zero; ones by default.
    scale : float, default=1.0
        Factor of all weights.

    Returns
    -------
    Spectrum
        All n eigenvalues.

    Raises
    ------
    InvalidDataError
        Biases or weights that are not finite, repeated units, or fewer than two.
    InvalidSettingError
        An unknown activation, or a scale that is not positive.

    Notes
    -----
    Eigenvalues are squares of singular values of the design matrix at Gauss points between
    the kinks, each row times the root of its weight: exact quadrature for piecewise
    polynomials, to rounding for smooth units. That keeps eigenvalues down to 1e-30 of the
    largest, where those of the Gram matrix end at 1e-16. Units ``max(x - b, 0)**p`` with
    ``-1 <= b < 1`` (of positive weights) go on beyond: their small singular values come
    from the explicit inverse by divided differences, to a relative error of about
    ``1e-16 * condition**(1/4)``. Cost ``O(n**3)``.

    Examples
    --------
    >>> from solvenet.analysis import uniform_biases, unit_spectrum
    >>> b = uniform_biases(81)[:-1]  # the unit with bias 1 is zero
    >>> f"{unit_spectrum(b).condition:.3g}"
    '1.63e+08'
    >>> f"{unit_spectrum(b, activation='relu^3').condition:.3g}"
    '7.51e+15'
    """
    units = make_units(biases, activation, weights, scale)
    design = units.design()
    live = design.any(axis=0)
    if not live.any():
        msg = "All units are zero on (-1, 1). Give biases between -1 and 1."
        raise InvalidDataError(msg)
    values = np.linalg.svd(design[:, live], compute_uv=False)
    level = max(design.shape) * EPS
    method = "singular values of the quadrature-weighted design matrix"
    power = units.shape.power
    if power is not None and units.truncated_powers:
        inverse = inverse_singular_values(units.biases, units.slopes, power)[::-1]
        # Each half of the spectrum from the matrix whose largest singular values it holds.
        small = values < math.sqrt(values[0] / inverse[-1])
        values = np.where(small, 1.0 / inverse, values)
        level, method = 0.0, f"{method} and of its inverse by divided differences"
    values = np.where(values > level * values[0], values, 0.0)
    eigenvalues = np.concatenate([values, np.zeros(np.count_nonzero(~live))]) ** 2
    return Spectrum(eigenvalues=eigenvalues, resolution=level**2, method=method)


@dataclass(frozen=True)
class Shape:
    """An activation, and what a quadrature has to know about it.

    Attributes
    ----------
    name : str
        Its name.
    function : callable
        Elementwise; may write to its argument.
    kinks : tuple of float
        Where it, or a derivative, jumps.
    degree : int or None
        Of its polynomial pieces; None where it is smooth.
    slope : callable or None
        Its derivative, elementwise, where that is known.
    """

    name: str
    function: Callable[[Array], Array] = field(repr=False)
    kinks: tuple[float, ...] = ()
    degree: int | None = None
    slope: Callable[[Array], Array] | None = field(default=None, repr=False)

    @property
    def power(self) -> int | None:
        """The power p where it is ``max(z, 0)**p``."""
        return self.degree if self.kinks == (0.0,) else None


def _ramp(power: int) -> Callable[[Array], Array]:
    def function(z: Array) -> Array:
        ramp: Array = np.maximum(z, 0.0) ** power if power else np.where(z > 0, 1.0, 0.0)
        return ramp

    return function


def _truncated_power(name: str, power: int) -> Shape:
    lower = _ramp(power - 1) if power else None
    slope = None if lower is None else lambda z: power * lower(z)
    return Shape(name, _ramp(power), (0.0,), power, slope)


def _gaussian(z: Array) -> Array:
    return np.exp(-z * z)  # type: ignore[no-any-return]


def _hat(z: Array) -> Array:
    return np.maximum(1.0 - np.abs(z), 0.0)


_ROOT_TAU = math.sqrt(2 * math.pi)
_SLOPES: dict[str, Callable[[Array], Array]] = {
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "sigmoid": lambda z: scipy.special.expit(z) * scipy.special.expit(-z),
    "gelu": lambda z: scipy.special.ndtr(z) + z * np.exp(-z * z / 2) / _ROOT_TAU,
    "sin": np.cos,
    "cos": lambda z: -np.sin(z),
}
_PIECEWISE = {
    "relu": _truncated_power("relu", 1),
    "heaviside": _truncated_power("heaviside", 0),
    "hat": Shape("hat", _hat, (-1.0, 0.0, 1.0), 1, lambda z: -np.sign(z) * (np.abs(z) < 1)),
}
_SMOOTH = {"gaussian": Shape("gaussian", _gaussian, slope=lambda z: -2 * z * _gaussian(z))} | {
    name: Shape(name, activation.function, slope=_SLOPES[name])
    for name, activation in ACTIVATIONS.items()
    if name not in ("relu", "identity")
}


def shape_of(activation: str | Activation | Callable[[Array], Array]) -> Shape:
    """Return the shape of a name or a function; see :func:`unit_spectrum` for the names."""
    if not isinstance(activation, str):
        given = get_activation(activation)
        if given is not ACTIVATIONS.get(given.name):
            return Shape(given.name, given.function)
        activation = given.name
    if match := re.fullmatch(r"relu\^(\d)", activation):
        return _truncated_power(activation, int(match[1]))
    known = _PIECEWISE | _SMOOTH
    if activation not in known:
        msg = (
            f"activation={activation!r} is unknown. Use one of: {', '.join(sorted(known))}, "
            "'relu^2' and other powers up to 9; or an elementwise smooth function."
        )
        raise InvalidSettingError(msg)
    return known[activation]


@dataclass(frozen=True, eq=False)
class Units:
    """Units ``activation(slope_i (x - b_i))`` on (-1, 1).

    Attributes
    ----------
    biases, slopes : array of shape (n,), float64
        Places and slopes.
    shape : Shape
        The activation.
    """

    biases: Array = field(repr=False)
    slopes: Array = field(repr=False)
    shape: Shape

    def __call__(self, x: Array) -> Array:
        """Return the values of the units at `x`, shape (len(x), n)."""
        z = self.slopes * (x[:, None] - self.biases)
        values = np.asarray(self.shape.function(z), dtype=np.float64)
        if values.shape != z.shape:
            msg = (
                f"The activation returned shape {values.shape} for {z.shape}; an elementwise "
                "function is wanted, such as np.arctan."
            )
            raise InvalidDataError(msg)
        if not np.isfinite(values).all() or (np.abs(values) > _LARGEST).any():
            msg = (
                f"Units reach NaN or values beyond {_LARGEST:g} on [-1, 1]. Give an activation "
                "that is finite, and biases and weights of ordinary size."
            )
            raise InvalidDataError(msg)
        return values

    @cached_property
    def edges(self) -> Array:
        """Ends of the cells, from -1 to 1, within which every unit is smooth."""
        kinks = np.concatenate(
            [self.biases + kink / self.slopes for kink in self.shape.kinks] or [np.zeros(0)]
        )
        kinks = kinks[np.abs(kinks) < 1]
        if self.shape.degree is not None:
            return np.unique(np.concatenate([[-1.0, 1.0], kinks]))
        steepest = float(np.abs(self.slopes).max())
        n_cells = max(
            int(np.ceil(_SMOOTH_CELLS * steepest)), 2 * len(self.biases) // _SMOOTH_POINTS, 8
        )
        if n_cells * _SMOOTH_POINTS * len(self.biases) > _MOST_ENTRIES:
            msg = (
                f"Units of slope {steepest:.3g} need {n_cells * _SMOOTH_POINTS:.2g} points of "
                f"quadrature for {len(self.biases)} units, more than fit into memory. Use a "
                "smaller scale or fewer units; steep sigmoids tend to 'heaviside', steep gelu to "
                "'relu'."
            )
            raise InvalidSettingError(msg)
        return np.linspace(-1.0, 1.0, n_cells + 1)

    @property
    def truncated_powers(self) -> bool:
        """Whether they are ``max(x - b, 0)**p`` with -1 <= b < 1, up to positive factors."""
        inside = self.biases.min() >= -1 and self.biases.max() < 1
        return bool(self.shape.power is not None and inside and (self.slopes > 0).all())

    @property
    def n_points(self) -> int:
        """Gauss points of a cell: squares of units are integrated exactly, or to rounding."""
        return _SMOOTH_POINTS if self.shape.degree is None else self.shape.degree + 1

    def design(self) -> Array:
        """Return the units at the nodes, each row times the root of its weight.

        Shape (cells * n_points, n). Its singular values are the roots of the eigenvalues of
        the Gram matrix, which is never formed.
        """
        nodes, weights = gauss_rule(self.edges, self.n_points)
        return self(nodes) * np.sqrt(weights)[:, None]


def make_units(
    biases: Array,
    activation: str | Activation | Callable[[Array], Array],
    weights: Array | None,
    scale: float,
) -> Units:
    """Return units, checked: finite, of slopes that are not zero, no two of them equal."""
    b = checked_biases("biases", biases)
    if len(b) < 2:
        msg = f"{len(b)} bias was given; at least 2 are wanted, such as uniform_biases(100)."
        raise InvalidDataError(msg)
    scale = check_positive("scale", scale)
    w = np.ones_like(b) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != b.shape:
        msg = f"weights have shape {w.shape} for {len(b)} biases; one weight a bias is wanted."
        raise InvalidDataError(msg)
    check_finite("weights", w)
    if not w.all():
        msg = f"weights[{int(np.flatnonzero(w == 0)[0])}] is zero: a constant unit. Leave it out."
        raise InvalidDataError(msg)
    units = Units(b, w * scale, shape_of(activation))
    # Ramps of one bias and direction differ by a factor alone.
    kind = np.sign(w) if units.shape.power is not None else w
    _, first, counts = np.unique(
        np.column_stack([b, kind]), axis=0, return_index=True, return_counts=True
    )
    if (counts > 1).any():
        where = int(first[counts > 1][0])
        msg = (
            f"{int((counts - 1).sum())} units repeat others, the first with the bias "
            f"{b[where]:.6g}: the Gram matrix is singular. Drop repeated biases by numpy.unique."
        )
        raise InvalidDataError(msg)
    return units
