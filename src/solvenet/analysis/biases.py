"""Where the kinks of a network of one input stand: biases on [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count, check_nonnegative
from solvenet.errors import InvalidDataError, InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_CELLS = 20_000
"""Cells on which the variation of a function is summed up."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_BISECTIONS = 60


def uniform_biases(n: int) -> Array:
    """Return equidistant biases, both end points of [-1, 1] included.

    Parameters
    ----------
    n : int
        How many, at least 2.

    Returns
    -------
    array of shape (n,), float64
        ``-1 + 2 i / (n - 1)``. A ReLU with the last bias, 1, is zero on (-1, 1): the rank
        of the features is ``n - 1``.

    Raises
    ------
    InvalidSettingError
        `n` is below 2.

    Examples
    --------
    >>> from solvenet.analysis import uniform_biases
    >>> uniform_biases(5)
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    """
    return np.linspace(-1.0, 1.0, check_count("n", n, minimum=2))


def random_biases(n: int, *, random_state: int = 0) -> Array:
    """Return independent biases, uniformly distributed on [-1, 1), in ascending order.

    Parameters
    ----------
    n : int
        How many, at least 2.
    random_state : int, default=0
        Seed: same seed, same biases.

    Returns
    -------
    array of shape (n,), float64
        Ascending. Neighbours are as near as ``O(n**-2)``, hence condition numbers grow like
        ``n**7`` instead of ``n**4``.

    Raises
    ------
    InvalidSettingError
        `n` is below 2, or the seed is no whole number >= 0.
    """
    n = check_count("n", n, minimum=2)
    rng = stream(check_count("random_state", random_state, minimum=0), "biases")
    return np.sort(rng.uniform(-1.0, 1.0, n))


def adaptive_biases(
    n: int,
    f: Callable[[Array], Array] | None = None,
    *,
    derivative: Callable[[Array], Array] | None = None,
    distribution: Callable[[Array], Array] | None = None,
    uniform_share: float = 0.0,
) -> Array:
    """Return biases that equidistribute the variation of a function.

    The i-th of n solves ``F(b_i) = (i - 1) / (n - 1)``, where ``F(x)`` is the integral of
    ``|f'|`` over (-1, x), divided by that over (-1, 1): many biases where f is steep, and
    both end points.

    Parameters
    ----------
    n : int
        How many, at least 2.
    f : callable, optional
        The function, vectorised over an array of points. Its variation is summed up over
        20,000 equal cells; oscillations within a cell are not seen.
    derivative : callable, optional
        Its derivative instead, integrated over the same cells by 8-point Gauss rules.
    distribution : callable, optional
        A closed form of F instead (an increasing function; it need not run from 0 to 1).
    uniform_share : float, default=0.0
        Share of the biases, below 1, that is spread uniformly: F becomes
        ``(1 - uniform_share) F + uniform_share (x + 1) / 2``, so that flat parts get some.

    Returns
    -------
    array of shape (n,), float64
        Strictly ascending from -1 to 1.

    Raises
    ------
    InvalidSettingError
        `n` is below 2, `uniform_share` is outside of [0, 1), or not exactly one of `f`,
        `derivative` and `distribution` was given.
    InvalidDataError
        The function is not finite or constant, `distribution` decreases, or biases
        coincide because the function jumps.

    Notes
    -----
    F is inverted by bisection to the last bits; about ``60 (n + 20_000)`` evaluations.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import adaptive_biases
    >>> b = adaptive_biases(7, lambda x: np.arctan(25 * x))
    >>> np.round(b, 3)
    array([-1.   , -0.065, -0.022,  0.   ,  0.022,  0.065,  1.   ])
    """
    n = check_count("n", n, minimum=2)
    share = check_nonnegative("uniform_share", uniform_share)
    if share >= 1:
        msg = f"uniform_share={share} was given; a number below 1 is wanted (or uniform_biases)."
        raise InvalidSettingError(msg)
    given = [name for name in (f, derivative, distribution) if name is not None]
    if len(given) != 1:
        msg = (
            f"{len(given)} of f, derivative and distribution were given; exactly one of them "
            "says where the function is steep."
        )
        raise InvalidSettingError(msg)
    edges = np.linspace(-1.0, 1.0, _CELLS + 1)
    if derivative is not None:
        at_edges, inside = _from_slopes(derivative, edges)
    elif f is not None:
        at_edges, inside = _from_values(f, edges)
    else:
        assert distribution is not None
        at_edges, inside = _from_distribution(distribution, edges)
    total = at_edges[-1]
    if not total > 0:
        msg = (
            "The function is constant on [-1, 1]: nothing says where biases are wanted. Use "
            "uniform_biases."
        )
        raise InvalidDataError(msg)

    def spread(x: Array, F: Array) -> Array:
        mixed: Array = (1 - share) * F / total + share * (x + 1) / 2
        return mixed

    wanted = np.arange(1, n - 1) / (n - 1)
    cell = np.clip(np.searchsorted(spread(edges, at_edges), wanted) - 1, 0, _CELLS - 1)
    low, high = edges[cell], edges[cell + 1]
    for _ in range(_BISECTIONS):
        middle = low + (high - low) / 2
        below = spread(middle, inside(middle, cell)) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    biases = np.concatenate([[-1.0], low + (high - low) / 2, [1.0]])
    apart = np.diff(biases) > 0
    if not apart.all():
        where = biases[:-1][~apart][0]
        msg = (
            f"{int((~apart).sum()) + 1} biases coincide near {where:.6g}, where the function "
            "jumps: equal units add nothing. Smooth the jump over the width that matters, or use "
            "uniform_biases."
        )
        raise InvalidDataError(msg)
    return biases


def values_at(function: Callable[[Array], Array], x: Array, *, name: str) -> Array:
    """Return the values of a user's function of one variable, checked: real, finite, one a point.

    Parameters
    ----------
    function : callable
        Vectorised; a number stands for a constant function.
    x : array
        Points.
    name : str
        Of the function, for messages.
    """
    values, got = np.empty(x.shape), "failed"
    try:
        raw = np.asarray(function(x.copy()))
        got = f"returned {raw.dtype} of shape {raw.shape}"
        values[...] = raw.astype(np.float64, casting="same_kind")
    except (ValueError, TypeError) as error:
        msg = (
            f"{name} {got} for points of shape {x.shape}; one real number a point is wanted. Give "
            "a vectorised function, such as lambda x: np.sin(x), or wrap it in np.vectorize."
        )
        raise InvalidDataError(msg) from error
    bad = ~np.isfinite(values)
    if bad.any():
        msg = (
            f"{name} is NaN or infinite at {int(bad.sum())} of {x.size} points, the first "
            f"x = {x[bad][0]:.6g}. Give a function that is finite on [-1, 1]."
        )
        raise InvalidDataError(msg)
    return values


def _from_values(
    f: Callable[[Array], Array], edges: Array
) -> tuple[Array, Callable[[Array, Array], Array]]:
    """Sum up ``|f(right) - f(left)|``: exact where f is monotone within each cell."""
    at = values_at(f, edges, name="f")
    variation = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(at)))])

    def inside(x: Array, cell: Array) -> Array:
        grown = variation[cell] + np.abs(values_at(f, x, name="f") - at[cell])
        bounded: Array = np.minimum(grown, variation[cell + 1])
        return bounded

    return variation, inside


def _from_slopes(
    derivative: Callable[[Array], Array], edges: Array
) -> tuple[Array, Callable[[Array, Array], Array]]:
    def between(left: Array, right: Array) -> Array:
        half = (right - left)[..., None] / 2
        points = left[..., None] + half * (1 + _NODES)
        slopes = np.abs(values_at(derivative, points, name="derivative"))
        return (slopes * half) @ _WEIGHTS

    variation = np.concatenate([[0.0], np.cumsum(between(edges[:-1], edges[1:]))])

    def inside(x: Array, cell: Array) -> Array:
        return variation[cell] + between(edges[cell], x)

    return variation, inside


def _from_distribution(
    distribution: Callable[[Array], Array], edges: Array
) -> tuple[Array, Callable[[Array, Array], Array]]:
    at = values_at(distribution, edges, name="distribution")
    fall = float(np.diff(at).min())
    if fall < -1e-12 * (np.abs(at).max() or 1.0):
        msg = (
            f"distribution falls by {-fall:.3g} between two of {len(edges)} points; an "
            "increasing function is wanted, the integral of |f'| from -1 to x."
        )
        raise InvalidDataError(msg)

    def inside(x: Array, _: Array) -> Array:
        grown: Array = values_at(distribution, x, name="distribution") - at[0]
        return grown

    variation: Array = at - at[0]
    return variation, inside
