"""Hidden units of networks whose weights are only rearranged: ReLU in one to three dimensions."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count, check_finite, check_nonnegative
from solvenet.errors import InvalidDataError, UnsupportedProblemError
from solvenet.features import SWIM, DenseMap, get_activation

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import FeatureMap


def relu_pairs(knots: Array) -> DenseMap:
    """Return the units of the published 1-2n-1-1 network.

    Unit i is ``ReLU(x - b_i)`` and unit n + i is ``ReLU(b_i - x)``.

    Parameters
    ----------
    knots : array of shape (n,)
        The kinks b_i, in any order, no two equal.

    Returns
    -------
    DenseMap
        From rows of shape (rows, 1) to 2n features.

    Raises
    ------
    InvalidDataError
        Where knots repeat or are not finite.

    Notes
    -----
    *Differences from the paper.* Its program adds the same bias to both halves, so that
    the kinks of unit i and n + i are at -b_i and b_i; here, as in its theory, they agree.
    For symmetric knots the networks are the same.

    References
    ----------
    Y. Cai, G. Chen, Z. Qiao (2025), Neural networks trained by weight permutation are
    universal approximators, Neural Networks 187, 107277, arXiv:2407.01033, eq. (1).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.permutation import relu_pairs
    >>> relu_pairs(np.array([-1.0, 1.0]))(np.array([[0.0]]))
    array([[1., 0., 0., 1.]])
    """
    b = _vector("knots", knots)
    ordered = np.sort(b)
    if np.any(ordered[1:] == ordered[:-1]):
        where = float(ordered[1:][ordered[1:] == ordered[:-1]][0])
        msg = (
            f"Knots repeat: {where} is given more than once. Units with one kink add up to one "
            "unit; give distinct knots."
        )
        raise InvalidDataError(msg)
    signs = np.repeat([1.0, -1.0], len(b))
    return DenseMap(signs[None], -signs * np.tile(b, 2), get_activation("relu"))


def knots_of(features: FeatureMap) -> Array | None:
    """Return the knots of :func:`relu_pairs`, shape (n,), or None for other features."""
    if not isinstance(features, DenseMap) or features.weights.shape[0] != 1:
        return None
    signs, biases = features.weights[0], features.biases
    n = len(signs) // 2
    paired = (
        features.activation.name == "relu"
        and len(signs) == 2 * n
        and np.all(signs[:n] == 1)
        and np.all(signs[n:] == -1)
        and np.all(biases[:n] == -biases[n:])
    )
    return -biases[:n] if paired else None


def published_directions(dimension: int) -> Array:
    """Return the directions of the published networks in the plane and in space.

    Parameters
    ----------
    dimension : {2, 3}
        Of the inputs.

    Returns
    -------
    array of shape (8, 2) or (26, 3)
        All vectors of -1, 0 and 1 except zero; in space times 1.7321.

    Notes
    -----
    Sums of functions of these few directions are not dense in the continuous functions: the
    published errors in two and three dimensions end on a floor that no values can lower. See
    :func:`random_units`.
    """
    if dimension not in (2, 3):
        msg = f"Directions are published for 2 and 3 inputs, not for {dimension}: random_units."
        raise UnsupportedProblemError(msg)
    grid = [g for g in itertools.product((-1.0, 0.0, 1.0), repeat=dimension) if any(g)]
    return np.array(grid) * (1.0 if dimension == 2 else 1.7321)


def directed_units(directions: Array, thresholds: Array) -> DenseMap:
    """Return the units ``ReLU(d @ x - t)``, every direction d with every threshold t.

    Parameters
    ----------
    directions : array of shape (k, d)
        Not zero.
    thresholds : array of shape (n,)
        Numbers.

    Returns
    -------
    DenseMap
        k n features, the thresholds of one direction side by side.
    """
    D = np.asarray(directions, dtype=np.float64)
    if D.ndim != 2 or not len(D) or not np.all(np.any(D != 0, axis=1)):
        msg = f"directions of shape {D.shape} were given; rows (k, d), none zero, are wanted."
        raise InvalidDataError(msg)
    check_finite("directions", D)
    t = _vector("thresholds", thresholds)
    W = np.repeat(D, len(t), axis=0).T
    return DenseMap(np.ascontiguousarray(W), -np.tile(t, len(D)), get_activation("relu"))


def published_units(n: int, dimension: int) -> DenseMap:
    """Return the units of the published networks for inputs in [-1, 1]^d.

    Parameters
    ----------
    n : int
        Thresholds a direction: 2n units in one dimension, 8n in two, 26n in three.
    dimension : {1, 2, 3}
        Of the inputs.

    Returns
    -------
    DenseMap
        :func:`relu_pairs` of equidistant knots, or every published direction with n
        thresholds, equidistant on [-1.75, 1.75] (times 1.7321 in space).
    """
    n = check_count("n", n)
    if dimension == 1:
        return relu_pairs(np.linspace(-1, 1, n))
    directions = published_directions(dimension)
    reach = 1.75 * (1.0 if dimension == 2 else 1.7321)
    return directed_units(directions, np.linspace(-reach, reach, n))


def random_units(
    n_units: int, dimension: int, *, radius: float | None = None, random_state: int = 0
) -> DenseMap:
    """Return ReLU units in random directions.

    Parameters
    ----------
    n_units : int
        How many.
    dimension : int
        Of the inputs.
    radius : float, optional
        Thresholds are uniform on [-radius, radius]; by default ``sqrt(dimension)``, which
        reaches the corners of [-1, 1]^d.
    random_state : int, default=0
        Seed.

    Returns
    -------
    DenseMap
        Directions are uniform on the unit sphere.

    Notes
    -----
    *Differences from the paper*, whose few directions are fixed: with these the least-squares
    floor goes to zero as `n_units` grows.
    """
    n_units, d = check_count("n_units", n_units), check_count("dimension", dimension)
    reach = math.sqrt(d) if radius is None else check_nonnegative("radius", radius)
    rng = stream(check_count("random_state", random_state, minimum=0), "random_units")
    W = rng.standard_normal((d, n_units))
    W /= np.linalg.norm(W, axis=0)
    return DenseMap(W, -rng.uniform(-reach, reach, n_units), get_activation("relu"))


def sampled_units(X: Array, y: Array, n_units: int, *, random_state: int = 0) -> DenseMap:
    """Return ReLU units whose kinks lie where the target is steep.

    Parameters
    ----------
    X : array of shape (n_rows, d)
        Inputs.
    y : array of shape (n_rows,)
        Targets.
    n_units : int
        How many.
    random_state : int, default=0
        Seed.

    Returns
    -------
    DenseMap
        Each unit belongs to a pair of rows as in :class:`solvenet.SWIM`. All weights have
        norm one, because the values that multiply the units are fixed.
    """
    seed = check_count("random_state", random_state, minimum=0)
    relu = get_activation("relu")
    rows = np.asarray(X, dtype=np.float64)
    targets = np.asarray(y, dtype=np.float64).reshape(len(rows), -1)
    units = SWIM().sample(rows, targets, n_units, activation=relu, seed=seed)
    norms = units.weight_norms()
    return DenseMap(units.weights / norms, units.biases / norms, relu)


def _vector(name: str, numbers: Array) -> Array:
    vector = np.asarray(numbers, dtype=np.float64)
    if vector.ndim != 1 or len(vector) == 0:
        msg = f"{name} of shape {vector.shape} were given; a vector of at least one is wanted."
        raise InvalidDataError(msg)
    check_finite(name, vector)
    return vector
