"""Tails of sums of independent numbers, however rare, by tilting and Fourier transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.optimize import brentq
from scipy.special import logsumexp

if TYPE_CHECKING:
    from solvenet._array_api import Array

_POINTS, _LONGEST = 2**14, 2**21
"""Points of the lattice for one number, and for the sum of all."""


def tail_of_sum(half_widths: Array, n: int, goal: float) -> float:
    """Return ``P(X_1 + ... + X_n >= goal)`` for n independent mixtures of uniform numbers.

    Parameters
    ----------
    half_widths : array of shape (m,)
        Each X is uniform on (-c, c), where c is one of these with equal probability.
    n : int
        How many are added.
    goal : float
        What the sum has to reach.

    Returns
    -------
    float
        To about four digits, however small.

    Notes
    -----
    The distribution is put on a lattice such that means are kept, tilted by ``exp(s x)`` such that
    the goal is in the middle (Cramer), and convolved by a Fourier transform of at most
    two million points: rare events keep their digits.
    """
    largest = float(half_widths.max())
    if goal >= n * largest:
        return 0.0
    if goal == 0:
        return 0.5
    if n == 1:
        with np.errstate(divide="ignore"):
            return float(np.clip((1 - goal / half_widths) / 2, 0, 1).mean())
    # The goal lies in the middle between two points of the lattice.
    points = min(_POINTS, _LONGEST // (2 * n))
    m = max(round(abs(goal) / largest * points - 0.5), 0)
    spacing = abs(goal) / (m + 0.5)
    first = m + 1 if goal > 0 else -m
    masses = _lattice_masses(half_widths / spacing)
    log_mass = np.log(np.maximum(masses, 1e-300))
    k = np.arange(len(masses)) - len(masses) // 2
    tilt = _tilt(log_mass, k, goal / (n * spacing)) if goal > 0 else 0.0
    log_total = logsumexp(log_mass + tilt * k)
    tilted = np.exp(log_mass + tilt * k - log_total)
    length = n * (len(k) - 1) + 1
    size = next_fast_len(length, real=True)
    total = irfft(rfft(tilted, size) ** n, size)[:length]
    places = np.arange(length) + n * k[0]
    hit = places >= first
    return float(np.exp(n * log_total - tilt * places[hit]) @ np.maximum(total[hit], 0.0))


def _tilt(log_mass: Array, k: Array, wanted: float) -> float:
    """Return the tilt that moves the mean to where it is wanted."""

    def excess(tilt: float) -> float:
        tilted = log_mass + tilt * k
        return float(np.exp(tilted - logsumexp(tilted)) @ k) - wanted

    high = 1.0 / len(k)
    while excess(high) < 0 and high < 1e3:
        high *= 2
    return float(brentq(excess, 0.0, high)) if excess(high) > 0 else high


def _lattice_masses(half_widths: Array) -> Array:
    """Return the mixture of uniforms on (-c, c), shared by neighbouring whole numbers.

    Linear shares keep the mean and add at most a sixth to the variance.
    """
    whole = np.floor(half_widths).astype(int)
    wide = whole >= 1
    w, p = whole[wide], (half_widths - whole)[wide]
    density = 1 / (2 * half_widths[wide] * len(half_widths))
    # Points well inside get 1, the last two what the end leaves them.
    most = int(whole.max()) + 2
    right = np.cumsum(np.bincount(w - 1, density, most)[::-1])[::-1]
    right += np.bincount(w, density * (0.5 + p - p * p / 2), most)
    right += np.bincount(w + 1, density * p * p / 2, most)
    # Narrower than the spacing: what is not at 0 is at its two neighbours.
    narrow = half_widths[~wide]
    aside = float(narrow.sum()) / 4 / len(half_widths)
    right[1] += aside
    right[0] += len(narrow) / len(half_widths) - 2 * aside
    return np.concatenate([right[:0:-1], right])
