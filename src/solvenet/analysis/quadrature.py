"""Gauss rules on every cell of a grid: exact for piecewise polynomials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count, check_finite
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array


def gauss_rule(knots: Array, order: int = 8) -> tuple[Array, Array]:
    """Return the points and weights of a Gauss-Legendre rule on every cell between knots.

    Parameters
    ----------
    knots : array of shape (n,)
        Strictly increasing, at least two.
    order : int, default=8
        Points a cell: exact for piecewise polynomials of degree ``2 order - 1``.

    Returns
    -------
    points : array of shape ((n - 1) order,), float64
        Ascending.
    weights : array of shape ((n - 1) order,), float64
        Their sum is the length of the interval.

    Raises
    ------
    InvalidDataError
        Knots that are too few, not finite, or not strictly increasing.
    InvalidSettingError
        `order` is no whole number >= 1.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import gauss_rule
    >>> x, weights = gauss_rule(np.array([-1.0, 0.0, 2.0]), 2)
    >>> bool(np.isclose(weights @ x**3, 15 / 4))
    True
    """
    knots = checked_knots("knots", knots)
    order = check_count("order", order)
    nodes, weights = np.polynomial.legendre.leggauss(order)
    half = np.diff(knots)[:, None] / 2
    middle = (knots[1:] + knots[:-1])[:, None] / 2
    return (middle + half * nodes).ravel(), (half * weights).ravel()


def tail_integrals(knots: Array, points: Array, weighted: Array) -> tuple[Array, Array]:
    """Return the integrals of f, and of ``(x - b) f``, from each knot b to the last.

    Two arrays of shape (n,), from the points of :func:`gauss_rule` on the n knots and the
    values of f there times its weights.
    """
    n_cells = len(knots) - 1
    parts = weighted.reshape(n_cells, -1)
    moments = (parts * (points.reshape(parts.shape) - knots[:-1, None])).sum(axis=1)
    once = np.append(np.cumsum(parts.sum(axis=1)[::-1])[::-1], 0.0)
    # From one knot to the next on the left: what lies right of it is one cell farther away.
    steps = moments + np.diff(knots) * once[1:]
    return once, np.append(np.cumsum(steps[::-1])[::-1], 0.0)


def checked_knots(name: str, knots: Array) -> Array:
    """Return knots as a float64 array, checked to be finite and strictly increasing."""
    values = np.array(knots, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        msg = (
            f"{name} has shape {values.shape}; a one-dimensional array of at least two knots "
            "is wanted, such as np.linspace(-1, 1, 100)."
        )
        raise InvalidDataError(msg)
    check_finite(name, values)
    wrong = np.flatnonzero(np.diff(values) <= 0)
    if len(wrong):
        i = int(wrong[0])
        msg = (
            f"{name}: entry {i}, {values[i]:g}, is followed by {values[i + 1]:g}; strictly "
            f"increasing knots are wanted. np.unique sorts them and drops repetitions."
        )
        raise InvalidDataError(msg)
    return values
