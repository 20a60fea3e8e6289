"""Alternating directions: least squares in turn with projection onto all rearrangements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import isotonic_regression

from solvenet.permutation.swaps import improve_by_swaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from solvenet._array_api import Array
    from solvenet.permutation.quadratic import Quadratic

_PRICES = np.array([1e-9, 1e-7, 1e-6, 1e-5])
_SHORT, _LONG, _LOOK = 100, 400, 4
_SCALES = 2.0 ** np.arange(-1, 5)
_FINER = np.array([0.84, 1.0, 1.19])
_KEPT, _POLISHED = 2, 3

_HULL_PRICES, _MORE_PRICES = np.array([1e-6, 1e-4]), 10.0 ** np.arange(-8, 1, 2)
_HULL_SCALES = 4.0 ** np.arange(-1, 5)
_NARROWER: tuple[float, ...] = (4.0, 4.0**0.4, 1.0)


def to_orbit(T: Array, values: Array) -> Array:
    """Return the rearrangements of `values` nearest to the columns of T (rank matching).

    Parameters
    ----------
    T : array of shape (n, k)
        Any numbers.
    values : array of shape (n,)
        The multiset, ascending.

    Returns
    -------
    array of shape (n, k)
        The smallest value stands where the smallest number of the column stood, and so on:
        the exact Euclidean projection onto the orbit.
    """
    Z = np.empty_like(T)
    np.put_along_axis(Z, np.argsort(T, axis=0, kind="stable"), values[:, None], axis=0)
    return Z


def to_permutahedron(T: Array, values: Array) -> Array:
    """Return the projections of the columns of T onto the convex hull of the orbit.

    Parameters
    ----------
    T : array of shape (n, k)
        Any numbers.
    values : array of shape (n,)
        The multiset, ascending.

    Returns
    -------
    array of shape (n, k)
        By isotonic regression of the sorted column less the values. Cost: O(k n log n).

    References
    ----------
    C. Lim, S. Wright (2016), Efficient Bregman projections onto the permutahedron.
    """
    Z = np.empty_like(T)
    for k in range(T.shape[1]):
        order = np.argsort(T[:, k], kind="stable")
        ranked = T[order, k]
        # Values plus what is above them, made monotone: moment conditions of majorisation.
        Z[order, k] = ranked - isotonic_regression(ranked - values, increasing=True).x
    return Z


def alternate(
    quadratic: Quadratic,
    values: Array,
    gammas: Array,
    prices: Array,
    *,
    starts: Array,
    iterations: int = 700,
    project: Callable[[Array, Array], Array] = to_orbit,
) -> tuple[Array, Array]:
    """Alternate between least squares and a projection (ADMM), several settings at once.

    Parameters
    ----------
    quadratic : Quadratic
        The error of coefficients.
    values : array of shape (n,)
        The multiset, ascending.
    gammas : array of shape (k,)
        Output scales.
    prices : array of shape (k,)
        Weights of the distance to the projection, relative to the largest eigenvalue.
    starts : array of shape (n, k)
        Where to start.
    iterations : int, default=700
        How many.
    project : callable, default=to_orbit
        The projection: onto the orbit, or onto its hull (a lower bound on every error).

    Returns
    -------
    coef : array of shape (n, k)
        The best projected coefficients of each column.
    errors : array of shape (k,)
        Their mean squared errors, with a free gamma at its best.

    Notes
    -----
    With the eigenvectors Q and eigenvalues w of the Gram matrix, computed once, each iteration
    is two products with Q and a sort: ``4 n**2 k`` operations.
    """
    w, Q = quadratic.eigen
    r = prices * w[-1] * gammas**2
    h = Q.T @ quadratic.h
    shrink = 1.0 / (gammas**2 * w[:, None] + r)
    lift = gammas * h[:, None]
    Z = project(starts, values)
    U = np.zeros_like(Z)
    best, least = Z.copy(), np.full(Z.shape[1], np.inf)
    for step in range(iterations):
        D = Z - U
        near = Q.T @ D
        D += Q @ ((lift + r * near) * shrink - near)
        T = D + U
        Z = project(T, values)
        U = T - Z
        if step % _LOOK and step < iterations - 1:
            continue
        errors = _errors(quadratic, w, Q.T @ Z, h, gammas)
        better = errors < least
        least[better] = errors[better]
        best[:, better] = Z[:, better]
    return best, least


def _errors(quadratic: Quadratic, w: Array, Z: Array, h: Array, gammas: Array) -> Array:
    linear, square = h @ Z, w @ (Z * Z)
    scale = gammas
    if quadratic.gamma == "free":
        scale = linear / np.maximum(square, np.finfo(np.float64).tiny)
    return np.asarray(quadratic.yy - 2 * scale * linear + scale**2 * square)


def scales_of(quadratic: Quadratic, values: Array) -> Array:
    """Return the output scales to try: the fixed one, or a grid of factors of two.

    Parameters
    ----------
    quadratic : Quadratic
        The error of coefficients.
    values : array of shape (n,)
        The multiset, ascending.

    Returns
    -------
    array of shape (k,)
        Around the scale at which the values have the norm of the smallest coefficients that come
        near the floor; of both signs where the values are not symmetric.
    """
    if quadratic.gamma != "free":
        return np.array([float(quadratic.gamma)])
    size = float(np.linalg.norm(values))
    spread = float(np.linalg.norm(quadratic.modest_coef)) / size if size > 0 else 0.0
    scales = (spread if spread > 0 else 1.0) * _SCALES
    symmetric = np.allclose(values, -values[::-1], rtol=0, atol=1e-9 * float(np.ptp(values)))
    return scales if symmetric else np.concatenate([scales, -scales])


def search_orbit(
    quadratic: Quadratic, values: Array, rng: np.random.Generator, *, enough: float = 0.0
) -> Array:
    """Return the best rearrangement that alternating directions and swaps find.

    Parameters
    ----------
    quadratic : Quadratic
        The error of coefficients.
    values : array of shape (n,)
        The multiset.
    rng : numpy.random.Generator
        For the starts.
    enough : float, default=0.0
        Root mean squared error at which it ends.

    Returns
    -------
    array of shape (n,)
        From a coarse grid of scales and prices, a longer run around the best, and swaps.
    """
    v = np.sort(values)
    scales = scales_of(quadratic, v)
    gammas = np.repeat(scales, len(_PRICES))
    prices = np.tile(_PRICES, len(scales))
    starts = rng.standard_normal((len(v), len(gammas)))
    coef, errors = alternate(quadratic, v, gammas, prices, starts=starts, iterations=_SHORT)
    if enough > 0:
        first = improve_by_swaps(quadratic, coef[:, int(np.argmin(errors))])
        if quadratic.error(first) <= enough**2:
            return first
    # The best ones once more, longer and with scales between those of the grid.
    best = np.repeat(np.argsort(errors, kind="stable")[:_KEPT], len(_FINER))
    finer = np.tile(_FINER, _KEPT)[: len(best)] if quadratic.gamma == "free" else 1.0
    coef, errors = alternate(
        quadratic,
        v,
        gammas[best] * finer,
        prices[best],
        starts=coef[:, best],
        iterations=_LONG,
    )
    polished = [improve_by_swaps(quadratic, coef[:, k]) for k in np.argsort(errors)[:_POLISHED]]
    return min(polished, key=quadratic.error)


def relax(quadratic: Quadratic, values: Array) -> tuple[Array, Array]:
    """Return the least errors over the convex hull of all rearrangements: lower bounds.

    Parameters
    ----------
    quadratic : Quadratic
        The error of coefficients.
    values : array of shape (n,)
        The multiset.

    Returns
    -------
    gammas : array of shape (k,)
        Output scales: the fixed one, or a grid that narrows twice. For all gammas together the
        points gamma times the hull form a cone, so that the least error is convex in gamma on
        either side of zero.
    errors : array of shape (k,)
        Root mean squared, by :func:`alternate`; not converged, up to 50 % too large.
    """
    v = np.sort(values)
    scales, ratios = scales_of(quadratic, v), _NARROWER[-1:]
    prices, iterations = _MORE_PRICES, _LONG
    if quadratic.gamma == "free":
        least = float(np.abs(scales).min())
        scales = np.outer(np.unique(np.sign(scales)), least * _HULL_SCALES).ravel()
        ratios, prices, iterations = _NARROWER, _HULL_PRICES, _SHORT
    gammas, errors = np.zeros(0), np.zeros(0)
    for ratio in ratios:
        tried = np.repeat(scales, len(prices))
        _, found = alternate(
            quadratic,
            v,
            tried,
            np.tile(prices, len(scales)),
            starts=np.outer(quadratic.free_coef, 1 / tried),
            iterations=iterations,
            project=to_permutahedron,
        )
        gammas = np.concatenate([gammas, tried])
        errors = np.concatenate([errors, np.sqrt(np.maximum(found, 0.0))])
        scales = float(gammas[np.argmin(errors)]) * ratio ** np.array([-0.6, -0.3, 0.3, 0.6])
    return gammas, errors
