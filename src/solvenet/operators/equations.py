"""Time-dependent equations on periodic intervals, solved by Fourier series: reference data.

``u_t = L u + N(u)`` with a linear part that is diagonal in Fourier space, treated exactly, and
a quadratic part ``-(u^2)_x / 2``, by exponential Runge-Kutta steps of fourth order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

from solvenet._validation import as_numbers, check_count, check_finite, check_positive
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_CONTOUR_POINTS = 32
_COURANT = 0.15
"""Steps take the fastest wave that counts over this many radians."""

_ALWAYS = 6
"""Frequencies that count for the step however strong they are damped."""

_FUNCTIONS_AT_ONCE = 512  # stays in the cache


def solve_burgers(
    u0: Any,
    *,
    viscosity: float = 0.1,
    time: Any = 1.0,
    length: float = 1.0,
    n_steps: int | None = None,
) -> Array:
    """Solve ``u_t + u u_x = viscosity u_xx`` on a periodic interval.

    Parameters
    ----------
    u0 : array-like of shape (n_fields, n_points)
        Initial values on a uniform grid without the last point of the period.
    viscosity : float, default=0.1
        Positive.
    time : float or increasing sequence of float, default=1.0
        When the solution is wanted.
    length : float, default=1.0
        Period.
    n_steps : int, optional
        Time steps up to the last time; by default enough for about 1e-8 of the size of the
        solution, and twice as many divide that error by 16.

    Returns
    -------
    array of shape (n_fields, n_points) or (n_fields, n_times, n_points)
        Solutions.

    Raises
    ------
    InvalidDataError
        Another shape, NaN, times that do not increase; or the solution was not resolved.

    Notes
    -----
    Products are formed on a grid half as fine again, so that they alias nothing (the 3/2 rule).
    *Cost:* 8 transforms of that length a step and function.

    References
    ----------
    A.-K. Kassam, L. N. Trefethen (2005), Fourth-order time-stepping for stiff PDEs, SIAM J. Sci.
    Comput. 26, 1214-1233 (ETDRK4, coefficients by contour integrals).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.operators import solve_burgers
    >>> x = np.arange(64) / 64
    >>> u = solve_burgers(np.sin(2 * np.pi * x)[None], viscosity=0.1, time=[0.1, 1.0])
    >>> u.shape
    (1, 2, 64)
    """
    check_positive("viscosity", viscosity)
    grid = _Grid.of(u0, length)
    return _evolve(grid, -viscosity * grid.frequencies**2, time, n_steps)


def solve_kuramoto_sivashinsky(
    u0: Any, *, time: Any = 1.0, length: float = 22.0, n_steps: int | None = None
) -> Array:
    """Solve ``u_t + u u_x + u_xx + u_xxxx = 0`` on a periodic interval.

    Parameters
    ----------
    u0 : array-like of shape (n_fields, n_points)
        Initial values on a uniform grid without the last point of the period.
    time : float or increasing sequence of float, default=1.0
        When the solution is wanted.
    length : float, default=22.0
        Period; chaotic from about 22.
    n_steps : int, optional
        Time steps up to the last time; by default as :func:`solve_burgers`.

    Returns
    -------
    array of shape (n_fields, n_points) or (n_fields, n_times, n_points)
        Solutions.

    Raises
    ------
    InvalidDataError
        As :func:`solve_burgers`.

    Notes
    -----
    Chaos multiplies any error by about ``exp(0.05 time)`` at length 22, more on longer ones.
    """
    grid = _Grid.of(u0, length)
    # Small values grow to about 3 whatever they were.
    grid = replace(grid, size=max(grid.size, 3.0))
    k = grid.frequencies
    return _evolve(grid, k**2 - k**4, time, n_steps)


def solve_advection(u0: Any, *, speed: float = 1.0, time: Any = 1.0, length: float = 1.0) -> Array:
    """Solve ``u_t + speed u_x = 0`` on a periodic interval: exact up to rounding.

    Parameters
    ----------
    u0 : array-like of shape (n_fields, n_points)
        Initial values on a uniform grid without the last point of the period.
    speed : float, default=1.0
        To the right.
    time : float or increasing sequence of float, default=1.0
        When the solution is wanted.
    length : float, default=1.0
        Period.

    Returns
    -------
    array of shape (n_fields, n_points) or (n_fields, n_times, n_points)
        The trigonometric interpolant of the initial values, shifted.

    Raises
    ------
    InvalidDataError
        As :func:`solve_burgers`.
    """
    grid = _Grid.of(u0, length)
    times, one = _times(time)
    turn = np.exp(-1j * grid.frequencies * speed * times[:, None])
    if grid.n_points % 2 == 0:
        turn[:, -1] = turn[:, -1].real
    modes = grid.modes[:, None] * turn
    out: Array = scipy.fft.irfft(modes, n=grid.n_points, axis=-1)
    return out[:, 0] if one else out


@dataclass(frozen=True)
class _Grid:
    """Initial values in Fourier space."""

    modes: Array
    n_points: int
    length: float
    size: float

    @classmethod
    def of(cls, u0: Any, length: float) -> _Grid:
        values = as_numbers("u0", u0)
        if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 4:
            msg = (
                f"u0 has shape {values.shape}; (n_fields, n_points) with at least 1 field and 4 "
                "points is wanted."
            )
            raise InvalidDataError(msg)
        check_finite("u0", values)
        check_positive("length", length)
        modes = scipy.fft.rfft(values, axis=1)
        return cls(modes, values.shape[1], float(length), float(np.abs(values).max()))

    @property
    def frequencies(self) -> Array:
        n = self.n_points
        return 2 * np.pi / self.length * np.arange(n // 2 + 1)


def _times(time: Any) -> tuple[Array, bool]:
    times = np.atleast_1d(as_numbers("time", time))
    if times.ndim != 1 or len(times) == 0 or times[0] < 0 or (np.diff(times) <= 0).any():
        msg = f"time={time!r} was given; one or several increasing times >= 0 are wanted."
        raise InvalidDataError(msg)
    check_finite("time", times)
    return times, np.ndim(time) == 0


def _evolve(grid: _Grid, linear: Array, time: Any, n_steps: int | None) -> Array:
    """Integrate to the times wanted, in equal steps between two of them."""
    times, one = _times(time)
    spans = np.diff(times, prepend=0.0)
    if n_steps is None:
        step = _default_step(grid, linear)
        counts = np.ceil(spans / step).astype(int)
    else:
        n_steps = check_count("n_steps", n_steps)
        counts = np.ceil(n_steps * spans / max(times[-1], 1e-300)).astype(int)
    counts[spans > 0] = np.maximum(counts[spans > 0], 1)
    plans = [
        _Steps.of(linear, span / count) if count else None
        for span, count in zip(spans, counts, strict=True)
    ]
    nonlinear = _convection(grid)
    out = np.empty((len(grid.modes), len(times), grid.n_points))
    for start in range(0, len(out), _FUNCTIONS_AT_ONCE):
        part = slice(start, start + _FUNCTIONS_AT_ONCE)
        modes = grid.modes[part].copy()
        if grid.n_points % 2 == 0:
            modes[:, -1] = 0.0  # its derivative is unknown
        for i, (plan, count) in enumerate(zip(plans, counts, strict=True)):
            with np.errstate(over="ignore", invalid="ignore"):
                for _ in range(count if plan is not None else 0):
                    assert plan is not None
                    modes = plan.advance(modes, nonlinear)
            out[part, i] = scipy.fft.irfft(modes, n=grid.n_points, axis=1)
    if not np.isfinite(out).all():
        msg = (
            f"The solution grew without bound in {int(counts.sum())} steps on {grid.n_points} "
            "points: take more of both."
        )
        raise InvalidDataError(msg)
    return out[:, 0] if one else out


def _default_step(grid: _Grid, linear: Array) -> float:
    """Return a step that follows the fastest mode that is not damped within its period.

    Waves that are damped at once still meet in the lowest: the first few always count.
    """
    k = grid.frequencies[1:]
    speed = max(grid.size, 1e-12)
    alive = k[-linear[1:] < speed * k]
    fastest = max(float(alive.max(initial=0.0)), _ALWAYS * float(k[0]))
    growth = max(float(linear.max()), 1e-12)
    return float(min(_COURANT / (speed * fastest), _COURANT / growth))


def _convection(grid: _Grid) -> Callable[[Array], Array]:
    """Return ``-(u^2)_x / 2`` in Fourier space, free of aliasing."""
    n = grid.n_points
    n_fine = scipy.fft.next_fast_len(3 * n // 2 + 1, real=True)
    factor = -0.5j * grid.frequencies * (n_fine / n)
    if n % 2 == 0:
        factor[-1] = 0.0

    def term(modes: Array) -> Array:
        fine = scipy.fft.irfft(modes, n=n_fine, axis=1)
        fine *= fine
        squares: Array = scipy.fft.rfft(fine, axis=1)[:, : len(factor)]
        squares *= factor
        return squares

    return term


@dataclass(frozen=True)
class _Steps:
    """Coefficients of ETDRK4 for one step."""

    full: Array
    half: Array
    middle: Array
    first: Array
    second: Array
    third: Array

    @classmethod
    def of(cls, linear: Array, step: float) -> _Steps:
        # Averages over a circle around each value: the formulas cancel near zero.
        angles = np.pi * (np.arange(_CONTOUR_POINTS) + 0.5) / _CONTOUR_POINTS
        z = step * linear[:, None] + np.exp(1j * angles)
        ez = np.exp(z)

        def mean(values: Array) -> Array:
            out: Array = step * values.mean(axis=1).real
            return out

        return cls(
            np.exp(step * linear),
            np.exp(step * linear / 2),
            mean((np.exp(z / 2) - 1) / z),
            mean((-4 - z + ez * (4 - 3 * z + z**2)) / z**3),
            mean((2 + z + ez * (z - 2)) / z**3),
            mean((-4 - 3 * z - z**2 + ez * (4 - z)) / z**3),
        )

    def advance(self, v: Array, nonlinear: Callable[[Array], Array]) -> Array:
        at_v = nonlinear(v)
        a = self.half * v + self.middle * at_v
        at_a = nonlinear(a)
        b = self.half * v + self.middle * at_a
        at_b = nonlinear(b)
        c = self.half * a + self.middle * (2 * at_b - at_v)
        at_c = nonlinear(c)
        out: Array = (
            self.full * v + self.first * at_v + 2 * self.second * (at_a + at_b) + self.third * at_c
        )
        return out
