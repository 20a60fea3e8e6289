"""The kernel of ReLU networks on (-1, 1): eigenvalues and eigenfunctions of a cantilever beam.

The operator that maps a to the network ``h(x)``, the integral of ``a(b) max(x - b, 0)`` over b,
integrates twice from -1. Its singular functions satisfy ``h'''' = h / mu`` with h = h' = 0 at
-1 and h'' = h''' = 0 at 1: a beam of length 2, clamped at -1 and free at 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count
from solvenet.analysis.legendre import ramp_integrals
from solvenet.analysis.spectra import Spectrum
from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_NEWTON_STEPS = 8
_HIGHEST = 9  # power of ReLU, as for units

_ACCURATE = 1e-12
"""Smallest relative singular value of which three digits or more are correct."""


def relu_spectrum(n: int, *, power: int = 1) -> Spectrum:
    """Return the first eigenvalues of the kernel of ReLU^p networks on (-1, 1).

    The kernel ``G(b, c)``, the integral of ``max(x - b, 0)**p max(x - c, 0)**p`` over (-1, 1),
    is that of infinitely many units with biases spread uniformly: n of them have a Gram
    matrix with eigenvalues near ``n / 2`` times these.

    Parameters
    ----------
    n : int
        How many, at least 2.
    power : int, default=1
        The power p: 0 is the Heaviside function, 1 ReLU.

    Returns
    -------
    Spectrum
        For p = 1 the eigenvalues of a cantilever beam, ``(2 / s_k)**4`` with
        ``cos(s_k) cosh(s_k) = -1``, and for p = 0 ``(4 / ((2 k - 1) pi))**2``, to relative
        1e-14. For larger p squares of singular values of the ``p + 1``-fold integral in
        Legendre polynomials, to relative ``1e-15 (lambda_1 / lambda_k)**(1/2) <= 1e-3``.

    Raises
    ------
    InvalidSettingError
        `n` is below 2, `power` above 9, or with it the last eigenvalues are lost to rounding.

    Notes
    -----
    ``lambda_k ~ k**-(2 p + 2)``. The published exponent for powers of ReLU, ``(d + p + 2) / d``
    in dimension d, agrees at p = 1 only; the right one is ``(d + 2 p + 1) / d``. Cost ``O(n)``
    for p below 2, else ``O(n**3)``.

    References
    ----------
    S. Zhang, H. Zhao, Y. Zhong, H. Zhou (2023), "Why shallow networks struggle with
    approximating and learning high frequency", https://arxiv.org/abs/2306.17301

    Examples
    --------
    >>> from solvenet.analysis import relu_spectrum
    >>> spectrum = relu_spectrum(1000)
    >>> spectrum.eigenvalues[:3]
    array([1.29425091, 0.03295444, 0.00420329])
    >>> [spectrum.count(10.0**-digits) for digits in range(3, 11)]
    [3, 6, 11, 19, 34, 60, 106, 189]
    """
    n = check_count("n", n, minimum=2)
    power = check_count("power", power, minimum=0)
    if power > _HIGHEST:
        msg = f"power={power} was given; powers up to {_HIGHEST} are known."
        raise InvalidSettingError(msg)
    if power <= 1:
        k = np.arange(1, n + 2)
        roots = beam_roots(n + 1) if power else (k - 0.5) * np.pi
        values, method = (2.0 / roots) ** (2 + 2 * power), "closed form"
    else:
        most = _resolved(power)
        if n > most:
            msg = (
                f"n={n} was given, and with power={power} about {most} eigenvalues stand above "
                f"rounding. Use n={most} or fewer."
            )
            raise InvalidSettingError(msg)
        values = _integral_eigenvalues(n + 1, power)
        method = "singular values of repeated integration in Legendre polynomials"
    return Spectrum(
        eigenvalues=values[:n],
        complete=False,
        resolution=float(values[n] / values[0]),
        method=method,
    )


def beam_roots(n: int) -> Array:
    """Return the first n roots of ``cos(s) cosh(s) = -1``, shape (n,), to the last bit or two.

    They are ``s_k = (k - 1/2) pi + d_k`` with ``sin(d_k) = (-1)**(k - 1) / cosh(s_k)``, and
    Newton's method for the small d_k neither cancels nor overflows.
    """
    k = np.arange(1, n + 1)
    sign = _signs(n)
    middle = (k - 0.5) * np.pi
    shift = np.zeros(n)
    for _ in range(_NEWTON_STEPS):
        s = middle + shift
        sech = 2 * np.exp(-s) / (1 + np.exp(-2 * s))
        value = np.sin(shift) - sign * sech
        shift -= value / (np.cos(shift) + sign * sech * np.tanh(s))
    roots: Array = middle + shift
    return roots


def beam_modes(x: Array, n: int) -> Array:
    """Return the first n eigenfunctions at `x` in [-1, 1], shape (len(x), n).

    Orthonormal in L2(-1, 1), positive at 1. With ``t = (1 + x) / 2``, ``c = (-1)**(k - 1)``
    and ``r = (cosh s - c) / sinh s`` the usual form ``cosh(s t) - cos(s t) - r (sinh(s t) -
    sin(s t))`` becomes a sum of decaying exponentials; errors are about ``s_k`` roundings.
    """
    s, sign = beam_roots(n), _signs(n)
    t = (1.0 + x[:, None]) / 2
    decay = np.exp(-s)
    ratio = (1 + decay**2 - 2 * sign * decay) / (1 - decay**2)
    edges = (sign * np.exp(-s * (1 - t)) + np.exp(-s * t)) / (1 + sign * decay)
    phase = s * t
    modes: Array = (edges - np.cos(phase) + ratio * np.sin(phase)) * (sign / np.sqrt(2.0))
    return modes


def _integral_eigenvalues(n: int, power: int) -> Array:
    # A mode has a wavenumber of about k pi / 2; beyond it Legendre series fall fast.
    integrals = ramp_integrals(2 * n + 40 + 4 * power, power)
    values: Array = np.linalg.svd(integrals, compute_uv=False)[:n] ** 2
    return values


def _resolved(power: int) -> int:
    """Return how many eigenvalues are accurate: ``lambda_k ~ p!**2 (k pi / 2)**(-2 p - 2)``."""
    largest = float(_integral_eigenvalues(1, power)[0])
    wavenumber = (math.factorial(power) / (_ACCURATE * math.sqrt(largest))) ** (1 / (power + 1))
    return max(int(2 * wavenumber / math.pi) - power - 1, 2)


def _signs(n: int) -> Array:
    return np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
