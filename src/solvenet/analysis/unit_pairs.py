"""Inner products of two ReLU units on (-1, 1) and on the unit disk, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array


def unit_products(w: Array, b: Array, v: Array, c: Array, dimension: int) -> Array:
    """Return the integrals of ``relu(w . x - b) relu(v . x - c)`` over the interval or the disk.

    Parameters
    ----------
    w, v : array
        Directions: -1 or 1 on the interval, angles in radians on the disk.
    b, c : array of the same shape
        Biases in [-1, 1].
    dimension : {1, 2}
        The interval, or the disk.

    Returns
    -------
    array
        One integral for each pair, to a few units of 1e-16.
    """
    return _on_interval(w, b, v, c) if dimension == 1 else _on_disk(w, b, v, c)


def unit_energies(b: Array, dimension: int) -> Array:
    """Return the integrals of ``relu(w . x - b)**2``, which no direction changes.

    Parameters
    ----------
    b : array
        Biases in [-1, 1].
    dimension : {1, 2}
        The interval, or the disk.
    """
    if dimension == 1:
        return np.asarray((1 - b) ** 3 / 3)
    half = np.sqrt(1 - b * b)
    # Integral of 2 (t - b)^2 sqrt(1 - t^2) over (b, 1).
    return np.asarray((0.25 + b * b) * np.arccos(b) - b * half * (13 + 2 * b * b) / 12)


def _on_interval(w: Array, b: Array, v: Array, c: Array) -> Array:
    low, high = np.maximum(_left(w, b), _left(v, c)), np.minimum(_right(w, b), _right(v, c))
    length = np.maximum(high - low, 0.0)
    p, q = w * low - b, v * low - c
    p_end, q_end = w * high - b, v * high - c
    return np.asarray(length / 6 * (p * (2 * q + q_end) + p_end * (q + 2 * q_end)))


def _left(w: Array, b: Array) -> Array:
    return np.where(w > 0, b, -1.0)


def _right(w: Array, b: Array) -> Array:
    return np.where(w > 0, 1.0, -b)


def _on_disk(w: Array, b: Array, v: Array, c: Array) -> Array:
    """Integrate along the boundary of the region where both units are active.

    A homogeneous polynomial p of degree k integrates to the integral of ``p x . n`` along the
    boundary over k + 2. On the circle ``x . n = 1``; on the chord of a unit it is -b.
    """
    turn = np.mod(v - w + np.pi, 2 * np.pi) - np.pi
    cosine, sine = np.cos(turn), np.sin(turn)
    total = _chord(b, c, cosine, sine) + _chord(c, b, cosine, 0.0 - sine)
    first, second = np.arccos(b), np.arccos(c)
    for shift in (-2 * np.pi, 0.0, 2 * np.pi):
        low = np.maximum(-first, turn - second + shift)
        high = np.maximum(np.minimum(first, turn + second + shift), low)
        total += _arc(high, b, c, turn, cosine) - _arc(low, b, c, turn, cosine)
    return np.asarray(total)


def _arc(angle: Array, b: Array, c: Array, turn: Array, cosine: Array) -> Array:
    """Return the integral along the circle up to an angle from the first direction."""
    squares = np.sin(2 * angle - turn) / 4 + angle * cosine / 2
    lines = c * np.sin(angle) + b * np.sin(angle - turn)
    return np.asarray(squares / 4 - lines / 3 + b * c * angle / 2)


def _chord(b: Array, c: Array, cosine: Array, sine: Array) -> Array:
    """Return the integral along the chord of the first unit where the second is active."""
    half = np.sqrt(1 - b * b)
    # (c - b cos) / sin, without the cancellation where units are almost parallel or opposite.
    with np.errstate(divide="ignore", invalid="ignore"):
        near = (c - b) / sine + b * sine / (1 + cosine)
        far = (c + b) / sine - b * sine / (1 - cosine)
        crossing = np.where(cosine > 0, near, far)
    crossing = np.where(np.isnan(crossing), 0.0, crossing)  # one unit twice: half a chord each
    # Active right of the crossing where the sine is positive, left of it where it is negative.
    low = np.clip(np.where(sine >= 0, crossing, -half), -half, half)
    high = np.clip(np.where(sine >= 0, half, crossing), -half, half)
    return np.asarray(-b * b / 12 * ((2 * c - b * cosine) * (high - low)
                                     - sine * (high**2 - low**2) / 2))  # fmt: skip
