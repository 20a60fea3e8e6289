"""How long gradient training takes for each frequency: laws, bounds and fits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count, check_nonnegative, check_positive
from solvenet.analysis.linear_flow import checked_times
from solvenet.errors import InvalidDataError, InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array


def half_time_law(frequency: float | Array, n: int, *, amplitude: float = 0.0) -> Array:
    """Return how long gradient flow takes to halve the part ``cos(m pi x)`` of the residual.

    ``t = (2 ln 2 / n) / ((m pi)**-4 + A**2 (m pi)**-2)``, for n ReLU units with uniform
    biases on (-1, 1) and the loss ``1/2 int (h - f)**2``.

    Parameters
    ----------
    frequency : float or array of shape (...)
        m, full waves on (-1, 1).
    n : int
        Number of units.
    amplitude : float, default=0.0
        A, the root mean square of the weights a_i where biases are trained; 0 for fixed biases.

    Returns
    -------
    array of shape (...)
        Times; `m**4` for fixed biases, `m**2` where ``A m pi`` exceeds 1.

    Raises
    ------
    InvalidSettingError
        A frequency that is not positive, fewer than one unit, a negative amplitude.

    See Also
    --------
    lazy_limit : The frequencies up to which the law holds with trained biases.

    Notes
    -----
    Derived here from the tangent kernel at the start (the lazy regime); with fixed biases it is
    the limit of exact half-times: too long by 6 % at m = 4, 1 % at m = 16. In steps of the
    largest stable size it does not depend on n: ``0.9 (m pi)**4`` with fixed biases.

    Examples
    --------
    >>> from solvenet.analysis import half_time_law
    >>> [round(float(half_time_law(m, 400)), 1) for m in (4, 8)]
    [86.4, 1382.8]
    """
    m = checked_frequencies(frequency)
    n, amplitude = check_count("n", n), check_nonnegative("amplitude", amplitude)
    angular = m * math.pi
    return (2 * math.log(2) / n) / (angular**-4.0 + amplitude**2 * angular**-2.0)


def lazy_limit(n: int, amplitude: float) -> tuple[float, float]:
    """Return between which frequencies training of biases runs into its barrier.

    Parameters
    ----------
    n : int
        Number of units.
    amplitude : float
        Mean absolute weight A at the start.

    Returns
    -------
    holds_to : float
        Frequency m up to which the law holds.
    stalls_from : float
        Frequency m from which on training stalls.

    Raises
    ------
    InvalidSettingError
        Fewer than one unit, a negative amplitude.

    Notes
    -----
    A cosine of frequency m has a slope of total variation ``4 pi m**2``, which the weights
    must bring up: ``n A`` has to exceed it, or weights have to grow, which takes as long as
    with fixed biases. Measured with n = 400, the half-times leave the law where ``n A`` is
    between 2 and 4 ``pi m**2``.

    Examples
    --------
    >>> from solvenet.analysis import lazy_limit
    >>> [round(m) for m in lazy_limit(400, 10.0)]
    [18, 25]
    """
    total = check_count("n", n) * check_nonnegative("amplitude", amplitude)
    return math.sqrt(total / (4 * math.pi)), math.sqrt(total / (2 * math.pi))


def half_time_bound(
    frequency: float | Array, n: int, *, amplitude: float = 0.0, norm: float = 1.0
) -> Array:
    """Return a time before which no gradient flow can have halved ``cos(m pi x)``.

    Parameters
    ----------
    frequency : float or array of shape (...)
        m, whole numbers from 1 on.
    n : int
        Number of ReLU units, with any biases within [-1, 1], fixed or trained.
    amplitude : float, default=0.0
        Root mean square of the weights at the start, A.
    norm : float, default=1.0
        Norm of the residual at the start, where f is the cosine, of norm 1.

    Returns
    -------
    array of shape (...)
        Times: proportional to m where ``A m`` is large, as in the talk's theorem, which is
        far below what is measured.

    Raises
    ------
    InvalidSettingError
        Frequencies below 1, fewer than one unit, a negative amplitude or norm.

    Notes
    -----
    With ``p(b) = int_b^1 (x - b) cos(m pi x) dx`` the projection c of the residual obeys
    ``|dc/dt| <= sum |da_i/dt| |p| + |a_i| |db_i/dt| |p'|``, where ``|p| <= 2 (m pi)**-2``,
    ``|p'| <= 1 / (m pi)``, ``|da_i/dt| <= sqrt(8/3) E``, ``|db_i/dt| <= sqrt(2) |a_i| E``
    with the norm E of the residual, which decreases, and
    ``sum a_i**2 <= n A**2 + t ||f||**2 / 2``. The integral of this from 0 to t has to reach
    1/2: a quadratic equation. Derived here, with constants; the talk states ``O(m)``.
    """
    m = checked_frequencies(frequency)
    if (m < 1).any():
        msg = f"frequency={m.min():g} was given; whole numbers from 1 on are wanted."
        raise InvalidSettingError(msg)
    n, amplitude = check_count("n", n), check_nonnegative("amplitude", amplitude)
    norm = check_positive("norm", norm)
    angular = m * math.pi
    linear = norm * n * (2 * math.sqrt(8 / 3) / angular**2 + math.sqrt(2) * amplitude**2 / angular)
    quadratic = norm * math.sqrt(2) / (4 * angular)
    # The positive root, in the form that does not cancel.
    return 1.0 / (linear + np.sqrt(linear**2 + 2 * quadratic))


@dataclass(frozen=True)
class PowerLaw:
    """Times ``factor * m**slope``, fitted in logarithms.

    Attributes
    ----------
    slope, factor : float
        Exponent, and time at m = 1.
    error : float
        Standard error of the slope.
    n_points : int
        How many times were finite and at a frequency from `start` on.
    """

    slope: float
    factor: float
    error: float
    n_points: int

    def __call__(self, frequency: float | Array) -> Array:
        """Return the times at frequencies, an array of their shape."""
        return self.factor * np.asarray(frequency, dtype=np.float64) ** self.slope


def fit_power_law(frequency: Array, times: Array, *, start: float = 0.0) -> PowerLaw:
    """Fit a power law to half-times.

    Parameters
    ----------
    frequency, times : array of shape (k,)
        Frequencies, and times; infinite ones are left out.
    start : float, default=0.0
        Frequencies below are left out too: laws hold from about 4 on.

    Returns
    -------
    PowerLaw
        By least squares in logarithms.

    Raises
    ------
    InvalidDataError
        Arrays of different lengths, times that are negative or NaN, or fewer than two points.

    Examples
    --------
    >>> from solvenet.analysis import fit_power_law
    >>> law = fit_power_law([1, 2, 4], [3.0, 48.0, 768.0])
    >>> round(law.slope, 6), round(law.factor, 6)
    (4.0, 3.0)
    """
    m, t = checked_frequencies(frequency), checked_times(times)
    if m.ndim != 1 or m.shape != t.shape:
        msg = f"Shapes {m.shape} and {t.shape} were given; two arrays of one length are wanted."
        raise InvalidDataError(msg)
    used = (m >= start) & np.isfinite(t) & (t > 0)
    x, y = np.log(m[used]), np.log(t[used])
    if len(np.unique(x)) < 2:
        msg = (
            f"{len(np.unique(x))} frequencies from {start:g} on have finite times; at least two "
            "are wanted for a slope."
        )
        raise InvalidDataError(msg)
    slope, error, constant = fitted_line(x, y)
    return PowerLaw(slope, math.exp(constant), error, len(x))


def fitted_line(x: Array, y: Array) -> tuple[float, float, float]:
    """Return slope, its standard error, and constant of a fitted line."""
    centred = x - x.mean()
    square = float(centred @ centred)
    slope = float(centred @ y) / square
    rest = y - y.mean() - slope * centred
    freedom = max(len(x) - 2, 1)
    error = math.sqrt(float(rest @ rest) / freedom / square)
    return slope, error, float(y.mean() - slope * x.mean())


def checked_frequencies(frequency: float | Array) -> Array:
    """Return frequencies as an array, checked to be positive and finite."""
    m = np.asarray(frequency, dtype=np.float64)
    if not ((m > 0) & np.isfinite(m)).all():
        msg = f"frequency={frequency!r} was given; positive finite numbers are wanted."
        raise InvalidSettingError(msg)
    return m
