"""Networks on the unit ball of R^d: the spectrum of all ridge functions max(w x - b, 0)^p."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from solvenet._validation import check_count, check_positive
from solvenet.analysis.legendre import legendre_values, ramp_integrals
from solvenet.analysis.spectra import Spectrum
from solvenet.errors import InvalidSettingError
from solvenet.linalg.rank import EPS

if TYPE_CHECKING:
    from solvenet._array_api import Array

_AGREE = 1e-6
"""Relative change under refinement below which an eigenvalue counts as resolved."""

_COARSE = 0.75
_COUNTABLE = 2**53
_FEWEST = 5
_SMALLEST = 1e-250


def ball_spectrum(dimension: int, *, power: int = 1, degree: int = 100) -> Spectrum:
    """Return the eigenvalues of the kernel of ReLU^p networks on the unit ball of R^d.

    The operator maps a to the network ``h(x)``, the integral of ``a(w, b) max(w x - b, 0)**p``
    over unit vectors w (surface measure) and b in (-1, 1); its Gram kernel is ``G(w, b, w', b')``,
    the integral of the product of two such units over the ball. n units drawn at random from
    that measure have a Gram matrix with eigenvalues near n times these, over the measure: twice
    the area of the sphere.

    Parameters
    ----------
    dimension : int
        The dimension d, at least 2: for 1 see :func:`relu_spectrum`.
    power : int, default=1
        The power p: 0 is the Heaviside function, 1 ReLU.
    degree : int, default=100
        Polynomials in b up to this degree, 20 or more. Twice the degree gives about
        ``2**d`` times as many eigenvalues, in eight times the time.

    Returns
    -------
    Spectrum
        Those eigenvalues that a coarser computation confirms to 1e-6, with their
        multiplicities, down to the first that it does not.

    Raises
    ------
    InvalidSettingError
        The dimension is too high: fewer than five distinct eigenvalues are resolved at
        this degree, or all are too small for float64. Or a setting outside its range.

    Notes
    -----
    *Method.* The operator commutes with rotations: on spherical harmonics of degree l it is an
    operator from b to the radius (Funk and Hecke), and its eigenvalues count as often as there
    are harmonics. Applied to a Legendre polynomial in b it gives a polynomial in the radius,
    so Gauss rules form the design matrix without error, and eigenvalues are squares of its
    singular values. They converge from below: spectrally in odd dimensions, algebraically (with
    a high order) in even ones.

    *Exponent.* ``lambda_k ~ k**(-(d + 2 p + 1) / d)``; the published ``(d + p + 2) / d`` agrees
    at p = 1 only. The constant is that of :func:`weyl_count`.

    *Cost.* ``O(degree**4)`` flops, ``8 degree**3`` bytes; 0.1 seconds at 100.

    References
    ----------
    S. Zhang, H. Zhao, Y. Zhong, H. Zhou (2023), "Why shallow networks struggle with
    approximating and learning high frequency", https://arxiv.org/abs/2306.17301

    Examples
    --------
    >>> from solvenet.analysis import ball_spectrum
    >>> disk = ball_spectrum(2)
    >>> disk.eigenvalues[:3], disk.multiplicities[:3]
    (array([7.46394513, 1.89097965, 0.07921482]), array([1, 2, 2]))
    >>> disk.count(2.0**-23)
    195
    """
    d = check_count("dimension", dimension, minimum=2)
    power = check_count("power", power, minimum=0)
    degree = check_count("degree", degree, minimum=20)
    fine, coarse = (_by_harmonic(d, power, n) for n in (degree, int(_COARSE * degree)))
    largest = max(float(values[0]) for values in fine)
    if largest < _SMALLEST:
        msg = (
            f"dimension={d} is too high: all eigenvalues are below {_SMALLEST:g}, near the end of "
            "the range of float64. Reduce the inputs to at most 200 dimensions."
        )
        raise InvalidSettingError(msg)
    values_found, counts_found = [], []
    level = (100 * EPS) ** 2 * largest
    for harmonic, values in enumerate(fine):
        known = coarse[harmonic] if harmonic < len(coarse) else np.zeros(0)
        n = min(len(values), len(known))
        agrees = np.abs(values[:n] - known[:n]) <= _AGREE * values[:n]
        first_bad = n if agrees.all() else int(np.argmin(agrees))
        if first_bad < len(values):
            level = max(level, float(values[first_bad]))
        values_found.append(values[:first_bad])
        counts_found.append(np.full(first_bad, float(n_harmonics(d, harmonic))))
    values, counts = np.concatenate(values_found), np.concatenate(counts_found)
    order = np.argsort(-values, kind="stable")
    values, counts = values[order], counts[order]
    # Beyond 2^53 modes a count would no longer be a whole number.
    kept = (values > level) & (np.cumsum(counts) < _COUNTABLE)
    n = len(kept) if kept.all() else int(np.argmin(kept))
    if n < len(values):
        level = max(level, float(values[n]))
    if n < _FEWEST:
        msg = (
            f"dimension={d} is too high for degree={degree}: {n} distinct eigenvalues are "
            "resolved. Raise degree, or reduce the inputs to fewer dimensions."
        )
        raise InvalidSettingError(msg)
    return Spectrum(
        eigenvalues=values[:n],
        multiplicities=counts[:n].astype(np.int64),
        dimension=d,
        complete=False,
        resolution=level / float(values[0]),
        method=f"singular values for each spherical harmonic, polynomials to degree {degree}",
    )


def weyl_count(threshold: float, *, dimension: int, power: int = 1) -> float:
    """Return the asymptotic number of eigenvalues of the kernel above an absolute threshold.

    Parameters
    ----------
    threshold : float
        Not relative: see Notes.
    dimension : int
        The dimension d; for 1 the kernel is that of :func:`relu_spectrum`, of one direction.
    power : int, default=1
        The power p of ReLU^p.

    Returns
    -------
    float
        ``(2 pi)**-d |ball|**2 (2 (2 pi)**(d - 1) p!**2 / threshold)**(d / (d + 2 p + 1))``.

    Raises
    ------
    InvalidSettingError
        The threshold is not a finite number above 0, or another setting is out of range.

    Notes
    -----
    The operator times its transpose has the symbol ``2 (2 pi)**(d-1) p!**2 |xi|**-(d + 2 p + 1)``
    inside the ball; the number of eigenvalues above a threshold is the volume of phase space
    where the symbol is, divided by ``(2 pi)**d`` (Weyl's law). The relative error falls like
    the highest frequency: with ReLU in the plane the law is 7 % too low at 200 eigenvalues.

    Examples
    --------
    >>> from solvenet.analysis import relu_spectrum, weyl_count
    >>> exact = relu_spectrum(200)
    >>> exact.count(1e-8), round(weyl_count(1e-8 * exact.eigenvalues[0], dimension=1), 2)
    (60, 59.69)
    """
    d = check_count("dimension", dimension)
    p = check_count("power", power, minimum=0)
    threshold = check_positive("threshold", threshold)
    directions = 2.0 if d > 1 else 1.0
    log_symbol = math.log(directions) + (d - 1) * math.log(2 * math.pi) + 2 * math.lgamma(p + 1)
    exponent = d / (d + 2 * p + 1)
    log_count = (
        2 * math.log(ball_volume(d))
        - d * math.log(2 * math.pi)
        + exponent * (log_symbol - math.log(threshold))
    )
    return math.exp(log_count)


def ball_volume(dimension: int) -> float:
    """Return the volume of the unit ball."""
    return math.exp(dimension / 2 * math.log(math.pi) - math.lgamma(dimension / 2 + 1))


def n_harmonics(dimension: int, degree: int) -> int:
    """Return the number of linearly independent spherical harmonics of a degree."""
    if degree == 0:
        return 1
    return (2 * degree + dimension - 2) * math.comb(degree + dimension - 3, degree - 1) // degree


def _by_harmonic(d: int, power: int, degree: int) -> list[Array]:
    """Return, for each degree of the harmonics, the descending eigenvalues of its operator."""
    integrals = ramp_integrals(degree, power)
    highest = degree + power
    r, weights_r = np.polynomial.legendre.leggauss(highest + d // 2 + 2)
    r, weights_r = (r + 1) / 2, weights_r / 2
    half = (d - 3) / 2
    t, weights_t = scipy.special.roots_jacobi(highest + 2, half, half)
    # Values of the polynomials at r t, integrated against harmonics of every degree at once.
    at_products = legendre_values(np.outer(r, t), highest)
    harmonics = _harmonics(t, d, highest) * weights_t
    sphere = 2 * math.exp((d - 1) / 2 * math.log(math.pi) - math.lgamma((d - 1) / 2))
    projected = np.tensordot(harmonics, at_products, axes=(1, 1)) @ integrals
    design = projected * (sphere * np.sqrt(weights_r * r ** (d - 1)))[None, :, None]
    return list(np.linalg.svd(design, compute_uv=False) ** 2)


def _harmonics(t: Array, d: int, highest: int) -> Array:
    """Return the zonal harmonics of degree 0 to `highest`, 1 at t = 1, shape (highest + 1, n)."""
    values = np.ones((highest + 1, len(t)))
    values[1] = t
    for m in range(1, highest):
        following = (2 * m + d - 2) * t * values[m] - m * values[m - 1]
        values[m + 1] = following / (m + d - 2)
    return values
