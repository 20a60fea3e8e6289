"""Functions to approximate, with their inner products with every ReLU unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import dct, irfft, rfft
from scipy.interpolate import CubicHermiteSpline, RectBivariateSpline
from scipy.optimize import minimize
from scipy.special import spherical_jn

from solvenet._validation import check_finite, check_nonnegative
from solvenet.analysis.biases import values_at
from solvenet.analysis.quadrature import gauss_rule, tail_integrals
from solvenet.errors import InvalidDataError, InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_CELLS = 4096
"""Cells of the interval; on each of them a Gauss rule and a cubic."""

_FINEST = 512
"""Directions at which a function on the disk is looked at, at most."""

_RESOLVED = 1e-7
"""Of the largest: Fourier coefficients that may be left where the looking stops."""

_FINER, _MARGIN = 4, 8
"""Of the table on the disk: how much finer than the looking, and points beyond its range."""


@dataclass(frozen=True)
class ReLUTarget:
    """A function on (-1, 1) or on the unit disk, seen by ReLU units.

    By :func:`relu_target` or :func:`oscillating_target`.

    Attributes
    ----------
    dimension : {1, 2}
        Of its domain, the interval (-1, 1) or the unit disk.
    function : callable
        f; takes an array of shape (n,) or (n, 2) and returns one of shape (n,).
    products : callable
        ``products(w, b)`` is ``<relu(w . x - b), f>`` for arrays of one shape: directions w (-1
        or 1 on the interval, the angle in radians on the disk) and biases b in [-1, 1].
    norm : float
        L2 norm of f.
    kappa : float
        Largest absolute value of `products`. If f is the Laplacian of a g that vanishes with
        its gradient at the boundary, this is ``sup |integral of g over {w . x = b}|``.
    """

    dimension: int
    function: Callable[[Array], Array] = field(repr=False)
    products: Callable[[Array, Array], Array] = field(repr=False)
    norm: float
    kappa: float


def oscillating_target(frequency: float, *, dimension: int = 1) -> ReLUTarget:
    """Return the Laplacian of ``(1 - |x|^2)^3 cos(frequency pi x_1)``, of norm 1.

    Parameters
    ----------
    frequency : float
        Half the number of oscillations on (-1, 1).
    dimension : {1, 2}, default=1
        The interval (-1, 1), or the unit disk.

    Returns
    -------
    ReLUTarget
        With inner products in closed form: on the interval g itself, on the disk integrals of
        g over chords, which are spherical Bessel functions.

    Raises
    ------
    InvalidSettingError
        A frequency that is negative, or a dimension above 2.

    Notes
    -----
    The norm is by Gauss rules that are exact to rounding. `kappa` falls like
    ``frequency**-2``.

    Examples
    --------
    >>> from solvenet.analysis import oscillating_target
    >>> [round(oscillating_target(nu).kappa, 5) for nu in (1, 2, 4)]
    [0.08939, 0.03408, 0.01011]
    """
    k = np.pi * check_nonnegative("frequency", frequency)
    _check_dimension(dimension)
    points, weights = _domain_rule(dimension, 64 + 2 * int(k))
    norm = float(np.sqrt(weights @ _laplacian(points, k, dimension) ** 2))
    if dimension == 1:

        def products(w: Array, b: Array) -> Array:
            b = w * b
            return (1 - b * b) ** 3 * np.cos(k * b) / norm
    else:

        def products(w: Array, b: Array) -> Array:
            half = np.sqrt(1 - b * b)
            chords = half**7 * _chord(k * np.sin(w) * half)
            return np.asarray(chords * np.cos(k * np.cos(w) * b) / norm)

    # Both are largest at b = 0, on the disk in the direction that does not oscillate.
    kappa = 1 / norm if dimension == 1 else 32 / 35 / norm
    return ReLUTarget(dimension, lambda x: _laplacian(x, k, dimension) / norm, products, 1.0, kappa)


def _laplacian(x: Array, k: float, dimension: int) -> Array:
    first = x if dimension == 1 else x[:, 0]
    q = 1 - (x * x if dimension == 1 else (x * x).sum(axis=1))
    bump = q**3
    slope = -6 * first * q**2
    bent = -6 * dimension * q**2 + 24 * (1 - q) * q
    return np.asarray((bent - k * k * bump) * np.cos(k * first) - 2 * k * slope * np.sin(k * first))


def _chord(z: Array) -> Array:
    """Return the integral of (1 - u^2)^3 cos(z u) over (-1, 1)."""
    z = np.abs(z)
    small = z < 0.05
    safe = np.where(small, 1.0, z)
    near = 32 / 35 * (1 - z**2 / 18 * (1 - z**2 / 44))
    return np.asarray(np.where(small, near, 96 * spherical_jn(3, safe) / safe**3))


def relu_target(function: Callable[[Array], Array], *, dimension: int = 1) -> ReLUTarget:
    """Return a function of your own with its inner products with every ReLU unit.

    Parameters
    ----------
    function : callable
        Vectorised: on the interval (-1, 1) it takes an array of shape (n,), on the unit disk one
        of shape (n, 2), and returns n numbers.
    dimension : {1, 2}, default=1
        The interval, or the disk.

    Returns
    -------
    ReLUTarget
        On the interval by Gauss rules on 4096 cells; on the disk by integrals over chords
        in up to 512 directions, until their Fourier series is resolved to 1e-7.

    Raises
    ------
    InvalidDataError
        The function returns NaN, infinity, zero everywhere, or oscillates too fast.
    InvalidSettingError
        A dimension above 2.

    Notes
    -----
    *Cost.* 65,000 values of f on the interval; from 70,000 to 34 million on the disk.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import relu_target
    >>> target = relu_target(lambda x: np.cos(np.pi * x))
    >>> bool(np.isclose(target.kappa, 2 / np.pi**2))  # of the unit relu(x)
    True
    """
    _check_dimension(dimension)
    made = _on_interval(function) if dimension == 1 else _on_disk(function)
    if made.norm == 0:
        msg = "function is zero everywhere; relative errors need one that is not."
        raise InvalidDataError(msg)
    return made


def _check_dimension(dimension: int) -> None:
    if dimension not in (1, 2):
        msg = (
            f"dimension={dimension!r} was given; inner products with ReLU units are integrated on "
            "the interval (1) and on the disk (2). In more dimensions study a function of one "
            "or two of the variables."
        )
        raise InvalidSettingError(msg)


def _domain_rule(dimension: int, order: int) -> tuple[Array, Array]:
    """Return points and weights on the interval or the disk."""
    z, weight = np.polynomial.legendre.leggauss(order)
    if dimension == 1:
        return z, weight
    radius, angle = (z + 1) / 2, 2 * np.pi * np.arange(2 * order) / (2 * order)
    points = radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    weights = np.repeat(radius * weight / 2 * np.pi / order, 2 * order)
    return points.reshape(-1, 2), weights


def _on_interval(function: Callable[[Array], Array]) -> ReLUTarget:
    edges = np.linspace(-1, 1, _CELLS + 1)
    x, weights = gauss_rule(edges, 16)
    f = values_at(function, x, name="function")
    norm = float(np.sqrt(weights @ f**2))
    sides = [_one_sided(values, edges, x, weights) for values in (f, f[::-1])]
    kappa = max(_largest(side) for side in sides)

    def products(w: Array, b: Array) -> Array:
        return np.asarray(np.where(w > 0, sides[0](b), sides[1](b)))

    return ReLUTarget(1, function, products, norm, kappa)


def _one_sided(f: Array, edges: Array, x: Array, weights: Array) -> CubicHermiteSpline:
    """Return b to the integral of (x - b) f over (b, 1), whose second derivative is f."""
    once, twice = tail_integrals(edges, x, weights * f)
    return CubicHermiteSpline(edges, twice, -once)


def _largest(curve: CubicHermiteSpline) -> float:
    stationary = curve.derivative().roots(extrapolate=False)
    places = np.concatenate([curve.x, stationary[np.isfinite(stationary)]])
    return float(np.abs(curve(places)).max())


def _on_disk(function: Callable[[Array], Array]) -> ReLUTarget:
    n = 64
    while not _is_resolved(density := _chord_density(function, n)):
        if n == _FINEST:
            msg = (
                f"function oscillates too fast on the disk to be resolved by {n} directions. "
                "Give one with less detail, or study a section of it in one dimension."
            )
            raise InvalidDataError(msg)
        n *= 2
    points, weights = _domain_rule(2, n)
    norm = float(np.sqrt(weights @ _values_on_disk(function, points) ** 2))
    # Beyond its range the table goes on by the same formula: splines need no ends there.
    angles = np.pi / (_FINER * n / 2) * np.arange(-_MARGIN, _FINER * n + _MARGIN)
    offsets = np.pi / (_FINER * n / 2) * np.arange(-_MARGIN, _FINER * n // 2 + _MARGIN + 1)
    rows = irfft(rfft(density, axis=0), _FINER * n, axis=0) * _FINER
    table = np.pad(_twice_integrated(rows, offsets), ((_MARGIN, _MARGIN), (0, 0)), mode="wrap")
    spline = RectBivariateSpline(angles, offsets, table, kx=5, ky=5)

    def products(w: Array, b: Array) -> Array:
        angle, offset = np.broadcast_arrays(np.mod(w, 2 * np.pi), np.arccos(b))
        return np.asarray(spline.ev(angle, offset))

    inner = np.abs(table[:, _MARGIN:-_MARGIN])
    i, j = np.unravel_index(inner.argmax(), inner.shape)
    peak = minimize(
        lambda at: -abs(float(spline.ev(at[0], np.clip(at[1], 0, np.pi)))),
        [angles[i], offsets[_MARGIN + j]],
        method="Nelder-Mead",
    )
    return ReLUTarget(2, function, products, norm, max(float(-peak.fun), float(inner.max())))


def _is_resolved(density: Array) -> bool:
    even = np.concatenate([density, density[:, -2:0:-1]], axis=1)
    waves, quarter = np.abs(np.fft.fft2(even)), len(density) // 4
    left = max(waves[quarter:-quarter].max(), waves[:, quarter:-quarter].max())
    return bool(left <= _RESOLVED * waves.max())


def _values_on_disk(function: Callable[[Array], Array], points: Array) -> Array:
    values = np.asarray(function(points), dtype=np.float64)
    if values.shape != points.shape[:1]:
        msg = (
            f"function returned shape {values.shape} for points of shape {points.shape}; one "
            "number a point is wanted."
        )
        raise InvalidDataError(msg)
    check_finite("function(x)", values)
    return values


def _chord_density(function: Callable[[Array], Array], n: int) -> Array:
    """Return ``sin(p)`` times the integrals of f over ``{w . x = cos(p)}``.

    For n angles of w and n / 2 + 1 of p in [0, pi]. As a function of p it is even and periodic.
    """
    offset = np.pi * np.arange(n // 2 + 1) / (n // 2)
    u, weight = np.polynomial.legendre.leggauss(n // 2)
    density = np.empty((n, n // 2 + 1))
    across, along = np.cos(offset)[:, None], np.sin(offset)[:, None] * u
    for i, angle in enumerate(2 * np.pi * np.arange(n) / n):
        c, s = np.cos(angle), np.sin(angle)
        x = np.stack([across * c - along * s, across * s + along * c], axis=-1)
        f = _values_on_disk(function, x.reshape(-1, 2)).reshape(along.shape)
        density[i] = np.sin(offset) ** 2 * (f @ weight)
    return density


def _twice_integrated(density: Array, offsets: Array) -> Array:
    """Return the integrals of ``(cos(q) - cos(p))`` density(q) from 0 to p, by cosine series."""
    n = density.shape[1] - 1
    cosines = dct(density, type=1, axis=1) / n
    cosines[:, [0, -1]] /= 2
    # Times cos(q), each cosine is half of its two neighbours.
    shifted = np.zeros((len(density), n + 2))
    shifted[:, 1:] += cosines / 2
    shifted[:, :n] += cosines[:, 1:] / 2
    shifted[:, 1] += cosines[:, 0] / 2
    order = np.arange(1, n + 2)
    waves = np.sin(np.outer(order, offsets))
    plain = cosines[:, :1] * offsets + (cosines[:, 1:] / order[:n]) @ waves[:n]
    moved = shifted[:, :1] * offsets + (shifted[:, 1:] / order) @ waves
    return np.asarray(moved - np.cos(offsets) * plain)
