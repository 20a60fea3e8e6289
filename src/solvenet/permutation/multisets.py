"""Multisets of values that a network may rearrange: the published ones and better ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice, check_count
from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from solvenet._array_api import Array

_GAIN = math.sqrt(2.0)


def equidistant(n_values: int) -> Array:
    """Return `n_values` numbers from -1 to 1 in equal steps.

    Parameters
    ----------
    n_values : int
        How many; one alone is 1.

    Returns
    -------
    array of shape (n_values,)
        Ascending, of sum zero.
    """
    n = check_count("n_values", n_values)
    return np.linspace(-1.0, 1.0, n) if n > 1 else np.ones(1)


def uniform(n_values: int, *, random_state: int = 0) -> Array:
    """Return independent uniform numbers on [-1, 1] (the paper's "total random").

    Parameters
    ----------
    n_values : int
        How many.
    random_state : int, default=0
        Seed.

    Returns
    -------
    array of shape (n_values,)
        Their sum is about ``sqrt(n_values / 3)``, which no function wants: see
        :func:`centred`.
    """
    return _generator(random_state, "uniform").uniform(-1, 1, check_count("n_values", n_values))


def pairwise(n_values: int, *, random_state: int = 0) -> Array:
    """Return uniform numbers on [-1, 1] and their negatives (the paper's "pairwise random").

    Parameters
    ----------
    n_values : int
        How many, an even number.
    random_state : int, default=0
        Seed.

    Returns
    -------
    array of shape (n_values,)
        First the numbers, then their negatives.
    """
    return mirrored(uniform(_even(n_values) // 2, random_state=random_state))


def few_levels(n_values: int, *, bits: int = 1) -> Array:
    """Return values of ``2**bits`` equidistant levels from -1 to 1, equally often.

    Parameters
    ----------
    n_values : int
        How many, an even number.
    bits : int, default=1
        A value takes this many bits: 1 stands for the levels -1 and 1.

    Returns
    -------
    array of shape (n_values,)
        Ascending, of sum zero. Where the levels do not divide `n_values`, the outer ones are
        rarer.
    """
    n = _even(n_values)
    levels = 2 ** check_count("bits", bits)
    # Symmetric about zero by construction: the upper half is minus the lower.
    lower = np.arange(n // 2) * (levels // 2) // max(n // 2, 1)
    below = -1.0 + 2.0 * lower / (levels - 1)
    return np.concatenate([below, -below[::-1]])


def sparse(values: Array, *, zeros: float = 0.9) -> Array:
    """Return the values with a share of them set to zero, those of the smallest size.

    Parameters
    ----------
    values : array of shape (n_values,)
        Any.
    zeros : float, default=0.9
        Share of zeros, from 0 to below 1.

    Returns
    -------
    array of shape (n_values,)
        In the same order.
    """
    v = np.array(values, dtype=np.float64)
    if not 0 <= zeros < 1:
        msg = f"zeros={zeros!r} was given; a share from 0 to below 1 is wanted."
        raise InvalidSettingError(msg)
    v[np.argsort(np.abs(v), kind="stable")[: round(zeros * len(v))]] = 0.0
    return v


def centred(values: Array) -> Array:
    """Return the values minus their mean: the repair of multisets that fail at balance."""
    v = np.asarray(values, dtype=np.float64)
    return np.asarray(v - v.mean())


def mirrored(values: Array) -> Array:
    """Return the values and their negatives, twice as many, of sum zero."""
    v = np.asarray(values, dtype=np.float64)
    return np.concatenate([v, -v])


def xavier_uniform(n_values: int, *, random_state: int = 0) -> Array:
    """Return Glorot's uniform numbers for `n_values` inputs and one output, gain sqrt(2).

    Parameters
    ----------
    n_values : int
        How many.
    random_state : int, default=0
        Seed.

    Returns
    -------
    array of shape (n_values,)
        Uniform on plus and minus ``sqrt(12 / (n_values + 1))``.
    """
    n = check_count("n_values", n_values)
    bound = _GAIN * math.sqrt(6.0 / (n + 1))
    return _generator(random_state, "xavier").uniform(-bound, bound, n)


def he_normal(n_values: int, *, random_state: int = 0) -> Array:
    """Return He's normal numbers for `n_values` inputs.

    Parameters
    ----------
    n_values : int
        How many.
    random_state : int, default=0
        Seed.

    Returns
    -------
    array of shape (n_values,)
        Normal of variance ``2 / n_values``.
    """
    n = check_count("n_values", n_values)
    return _generator(random_state, "he").standard_normal(n) * (_GAIN / math.sqrt(n))


def _even_numbers(n: int, _seed: int) -> Array:
    return equidistant(n)


def _uniform(n: int, seed: int) -> Array:
    return uniform(n, random_state=seed)


def _pairwise(n: int, seed: int) -> Array:
    return pairwise(n, random_state=seed)


def _xavier(n: int, seed: int) -> Array:
    return xavier_uniform(n, random_state=seed)


def _he(n: int, seed: int) -> Array:
    return he_normal(n, random_state=seed)


INITIALISATIONS: dict[str, tuple[Callable[[int, int], Array], Callable[[int, int], Array]]] = {
    "equidistant": (_even_numbers, _even_numbers),
    "random 1": (_uniform, _pairwise),
    "random 2": (_uniform, _uniform),
    "random 3": (_even_numbers, _uniform),
    "random 4": (_uniform, _even_numbers),
    "random 5": (_xavier, _xavier),
    "random 6": (_he, _he),
    "random 7": (_uniform, _xavier),
    "random 8": (_uniform, _he),
}
"""The published initialisations: how knots and values are drawn."""


def published_initialisation(name: str, n: int, *, random_state: int = 0) -> tuple[Array, Array]:
    """Return knots and values as the paper draws them.

    Parameters
    ----------
    name : str
        ``"equidistant"``, or ``"random 1"`` (knots uniform, values pairwise), ``"random 2"``
        (both uniform: "total random"), 3 (knots equidistant, values uniform), 4 (the
        other way round), 5 (both Xavier uniform), 6 (both He normal), 7 (knots uniform,
        values Xavier), 8 (knots uniform, values He).
    n : int
        Knots.
    random_state : int, default=0
        Seed.

    Returns
    -------
    knots : array of shape (n,)
        For inputs in [-1, 1].
    values : array of shape (2 * n,)
        For :func:`~solvenet.permutation.relu_pairs` of these knots.

    References
    ----------
    Y. Cai, G. Chen, Z. Qiao (2025), arXiv:2407.01033, section 4 and figure 5.

    Examples
    --------
    >>> from solvenet.permutation import published_initialisation
    >>> knots, values = published_initialisation("equidistant", 3)
    >>> values
    array([-1. , -0.6, -0.2,  0.2,  0.6,  1. ])
    """
    draw_knots, draw_values = INITIALISATIONS[check_choice("name", name, INITIALISATIONS)]
    n, seed = check_count("n", n), check_count("random_state", random_state, minimum=0)
    # Two streams: knots and values of one distribution are not the same numbers.
    return draw_knots(n, 2 * seed), draw_values(2 * n, 2 * seed + 1)


def _generator(random_state: int, name: str) -> np.random.Generator:
    seed = check_count("random_state", random_state, minimum=0)
    return stream(seed, "multiset", name)


def _even(n_values: int) -> int:
    n = check_count("n_values", n_values, minimum=2)
    if n % 2:
        msg = f"n_values={n} was given; an even number is wanted, as every value has its negative."
        raise InvalidSettingError(msg)
    return n
