"""How rare are good parameters? Random ReLU networks that happen to approximate a function.

The network is ``h(x) = mean of a_j relu(w_j . x - b_j)`` over n units, with a uniform on (-A, A), w
on the unit sphere and b on (-1, 1), all independent. An approximation within relative error eps
has to satisfy ``<h, f> >= (1 - eps) |f|^2``, and since ``<h, f>`` is the mean of n independent
numbers of at most ``A kappa``, Hoeffding's inequality bounds the probability of that. All three
are computed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice, check_count, check_nonnegative
from solvenet.analysis.splitting import Probability, Score, share, split_probability
from solvenet.analysis.tails import tail_of_sum
from solvenet.analysis.targets import ReLUTarget
from solvenet.analysis.unit_pairs import unit_energies, unit_products
from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

TILE = 1024
"""Draws that share a stream of random numbers."""

_FEW = 100
"""Hits below which ``method="auto"`` goes on by splitting."""

_PAIRS = 2**18
"""Pairs of units whose inner products are computed at a time."""


@dataclass(frozen=True)
class RashomonRatio:
    """How rare approximations are, measured and bounded: ascending probabilities.

    Attributes
    ----------
    approximation : Probability
        That the relative error is at most eps, measured.
    inner_product : float
        That ``<h, f> >= (1 - eps) |f|^2``, computed.
    bound : float
        Hoeffding's bound of it.
    target : ReLUTarget
        The function.
    n_units : int
        Units of the network.
    eps : float
        Relative error.
    amplitude : float
        A, the largest coefficient.
    """

    approximation: Probability
    inner_product: float
    bound: float
    target: ReLUTarget = field(repr=False)
    n_units: int
    eps: float
    amplitude: float


def rashomon_ratio(
    target: ReLUTarget,
    n_units: int,
    *,
    eps: float,
    amplitude: float,
    method: str = "auto",
    draws: int = 100_000,
    particles: int = 2000,
    runs: int = 10,
    seed: int = 0,
) -> RashomonRatio:
    """Return how probable it is that a random ReLU network approximates a function.

    Parameters
    ----------
    target : ReLUTarget
        The function f, by :func:`relu_target` or :func:`oscillating_target`.
    n_units : int
        Units n of the network ``h(x) = sum_j a_j relu(w_j . x - b_j) / n``.
    eps : float
        Relative error, positive; at 1 and above the zero function is an approximation.
    amplitude : float
        A: coefficients a_j are uniform on (-A, A).
    method, draws, particles, runs, seed
        How the first probability is measured: see :func:`rashomon_probability`.

    Returns
    -------
    RashomonRatio
        Measured probability, probability of the necessary inner product, and bound.

    Raises
    ------
    InvalidSettingError
        ``eps <= 0``, ``n_units < 1`` or ``amplitude <= 0``.

    Examples
    --------
    >>> from solvenet.analysis import oscillating_target, rashomon_ratio
    >>> r = rashomon_ratio(oscillating_target(0), 4, eps=0.95, amplitude=20.0, draws=20_000)
    >>> r.approximation.value <= r.inner_product <= r.bound
    True
    """
    approximation = rashomon_probability(
        target,
        n_units,
        eps=eps,
        amplitude=amplitude,
        method=method,
        draws=draws,
        particles=particles,
        runs=runs,
        seed=seed,
    )
    return RashomonRatio(
        approximation,
        inner_product_probability(target, n_units, eps=eps, amplitude=amplitude),
        rashomon_bound(target, n_units, eps=eps, amplitude=amplitude),
        target,
        n_units,
        eps,
        amplitude,
    )


def rashomon_bound(target: ReLUTarget, n_units: int, *, eps: float, amplitude: float) -> float:
    """Return ``exp(-n (1 - eps)^2 |f|^4 / (2 A^2 kappa^2))``, at most 1.

    Parameters
    ----------
    target, n_units, eps, amplitude
        As in :func:`rashomon_ratio`.

    Returns
    -------
    float
        Hoeffding's bound of :func:`inner_product_probability`; 1 for eps >= 1.

    Notes
    -----
    For a function that oscillates with frequency nu, kappa falls like ``nu**-2`` and the bound
    like ``exp(-O(n nu**4))``: the exponent -4 in the talk is a slip, as is the absolute value
    that is missing from its kappa.
    """
    _check(n_units, eps, amplitude)
    exponent = n_units * max(1 - eps, 0.0) ** 2 * target.norm**4
    return math.exp(-exponent / (2 * amplitude**2 * target.kappa**2))


def rashomon_probability(
    target: ReLUTarget,
    n_units: int,
    *,
    eps: float,
    amplitude: float,
    event: str = "approximation",
    method: str = "auto",
    draws: int = 100_000,
    particles: int = 2000,
    runs: int = 10,
    seed: int = 0,
) -> Probability:
    """Return the measured probability that a random ReLU network approximates a function.

    Parameters
    ----------
    target, n_units, eps, amplitude
        As in :func:`rashomon_ratio`.
    event : {"approximation", "inner product"}, default="approximation"
        ``|h - f| <= eps |f|``, or ``<h, f> >= (1 - eps) |f|^2``, which follows from it.
    method : {"auto", "plain", "splitting"}, default="auto"
        Independent draws; multilevel splitting, which reaches probabilities of 1e-9 and below;
        or the first, and the second if fewer than 100 draws hit.
    draws : int, default=100_000
        Of plain Monte Carlo.
    particles, runs : int, default=2000, 10
        Of splitting; see :func:`split_probability`.
    seed : int, default=0
        Of all random numbers. Draw number i is the same however many there are and however
        few fit into memory at a time.

    Returns
    -------
    Probability
        With standard error and interval.

    Raises
    ------
    InvalidSettingError
        ``eps <= 0``, ``n_units < 1``, ``amplitude <= 0`` or an unknown name.

    Notes
    -----
    Errors of networks are exact, from closed forms of the inner products of two units. *Cost.*
    ``n_units**2 / 2`` such pairs a draw, about 0.1 us each on the interval and 0.5 us on the
    disk.
    """
    _check(n_units, eps, amplitude)
    check_choice("event", event, ("approximation", "inner product"))
    check_choice("method", method, ("auto", "plain", "splitting"))
    draws = check_count("draws", draws)
    shape = (n_units, 3)
    if event == "approximation":
        score, threshold = _closeness(target, amplitude), -(eps**2)
    else:
        score, threshold = _inner_product(target, amplitude), 1 - eps
    if method != "splitting":
        plain = share(_hits(score, shape, threshold, draws, seed), draws)
        if method == "plain" or plain.value * draws >= _FEW:
            return plain
    return split_probability(score, shape, threshold, particles=particles, runs=runs, seed=seed)


def inner_product_probability(
    target: ReLUTarget, n_units: int, *, eps: float, amplitude: float
) -> float:
    """Return the probability that ``<h, f> >= (1 - eps) |f|^2`` for a random ReLU network h.

    Parameters
    ----------
    target, n_units, eps, amplitude
        As in :func:`rashomon_ratio`.

    Returns
    -------
    float
        Computed, not drawn: to about four digits, however rare.

    Notes
    -----
    The inner product is a mean of n independent numbers of one known distribution: uniform
    on an interval whose length is itself distributed. Their tilted distribution is convolved
    by Fourier transforms. *Cost.* Inner products with 500,000 units at most and a transform
    of at most two million points: about half a second.

    Examples
    --------
    >>> from solvenet.analysis import inner_product_probability, oscillating_target
    >>> f = oscillating_target(1)
    >>> f"{inner_product_probability(f, 16, eps=0.5, amplitude=20.0):.2e}"
    '4.32e-05'
    """
    _check(n_units, eps, amplitude)
    half_widths = amplitude * np.abs(_all_products(target))
    return tail_of_sum(half_widths, n_units, n_units * (1 - eps) * target.norm**2)


def _check(n_units: int, eps: float, amplitude: float) -> None:
    check_count("n_units", n_units)
    for name, value in {"eps": eps, "amplitude": amplitude}.items():
        if check_nonnegative(name, value) == 0:
            msg = f"{name}=0 was given; a positive number is wanted: at 0 no draw ever hits."
            raise InvalidSettingError(msg)


def _all_products(target: ReLUTarget) -> Array:
    """Return the inner products of f with units evenly spread over directions and biases."""
    if target.dimension == 1:
        w, n_biases = np.array([1.0, -1.0]), 2**17
    else:
        w, n_biases = 2 * np.pi * (np.arange(256) + 0.5) / 256, 2**11
    b = (2 * np.arange(n_biases) + 1) / n_biases - 1
    return np.concatenate([target.products(np.full(n_biases, angle), b) for angle in w])


def _hits(score: Score, shape: tuple[int, ...], threshold: float, draws: int, seed: int) -> int:
    hits = 0
    for tile in range(-(-draws // TILE)):
        u = stream(seed, "rashomon", tile).random((TILE, *shape))[: draws - tile * TILE]
        hits += int((score(u) >= threshold).sum())
    return hits


def _parameters(target: ReLUTarget, amplitude: float, u: Array) -> tuple[Array, Array, Array]:
    """Return coefficients, directions and biases for points of the unit cube."""
    a, b = amplitude * (2 * u[..., 0] - 1), 2 * u[..., 1] - 1
    w = np.where(u[..., 2] < 0.5, -1.0, 1.0) if target.dimension == 1 else 2 * np.pi * u[..., 2]
    return a, w, b


def _inner_product(target: ReLUTarget, amplitude: float) -> Score:
    """Return the score ``<h, f> / |f|^2``."""

    def score(u: Array) -> Array:
        a, w, b = _parameters(target, amplitude, u)
        return np.asarray((a * target.products(w, b)).mean(axis=1) / target.norm**2)

    return score


def _closeness(target: ReLUTarget, amplitude: float) -> Score:
    """Return the score ``-|h - f|^2 / |f|^2``."""

    def score(u: Array) -> Array:
        n = u.shape[1]
        rows = max(_PAIRS // (n * (n + 1) // 2), 1)
        return np.concatenate([some(u[i : i + rows]) for i in range(0, len(u), rows)])

    def some(u: Array) -> Array:
        a, w, b = _parameters(target, amplitude, u)
        n = a.shape[1]
        cross = 2 * (a * target.products(w, b)).mean(axis=1)
        i, j = np.triu_indices(n, 1)
        pairs = unit_products(w[:, i], b[:, i], w[:, j], b[:, j], target.dimension)
        energy = (a**2 * unit_energies(b, target.dimension)).sum(axis=1)
        energy += 2 * (a[:, i] * a[:, j] * pairs).sum(axis=1)
        return np.asarray((cross - energy / n**2) / target.norm**2 - 1)

    return score
