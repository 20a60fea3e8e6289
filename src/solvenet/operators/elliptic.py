"""Stationary equations on the unit square by finite differences: reference data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
import scipy.sparse
import scipy.sparse.linalg

from solvenet._validation import as_numbers, check_finite
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array


def solve_poisson(f: Any) -> Array:
    """Solve ``-Laplacian u = f`` on the unit square, zero on its boundary.

    Parameters
    ----------
    f : array-like of shape (n_fields, n_x, n_y)
        Right-hand sides at the nodes of a uniform grid that includes the boundary, where they do
        not count.

    Returns
    -------
    array of shape (n_fields, n_x, n_y)
        Solutions at the nodes.

    Raises
    ------
    InvalidDataError
        Another shape, fewer than 3 nodes an axis, or NaN.

    Notes
    -----
    Five-point differences, solved by sine transforms: errors fall like the square of the distance
    of nodes. *Cost:* two transforms a field.
    """
    f = _fields("f", f)
    inner = f[:, 1:-1, 1:-1]
    values = [
        (2 * (n - 1) * np.sin(np.pi * np.arange(1, n - 1) / (2 * (n - 1)))) ** 2
        for n in f.shape[1:]
    ]
    modes = scipy.fft.dstn(inner, type=1, axes=(1, 2)) / (values[0][:, None] + values[1])
    out: Array = np.zeros_like(f)
    out[:, 1:-1, 1:-1] = scipy.fft.idstn(modes, type=1, axes=(1, 2))
    return out


def solve_darcy(a: Any, *, f: Any = 1.0) -> Array:
    """Solve ``-div(a grad u) = f`` on the unit square, zero on its boundary.

    Parameters
    ----------
    a : array-like of shape (n_fields, n_x, n_y)
        Positive coefficients at the nodes of a uniform grid that includes the boundary.
    f : float or array-like of shape (n_x, n_y) or (n_fields, n_x, n_y), default=1.0
        Right-hand sides at the nodes.

    Returns
    -------
    array of shape (n_fields, n_x, n_y)
        Solutions at the nodes.

    Raises
    ------
    InvalidDataError
        Another shape, fewer than 3 nodes an axis, NaN, or a coefficient that is not positive.

    Notes
    -----
    Finite volumes around the nodes, with harmonic means of the coefficient between two nodes, so
    that fluxes are right where it jumps: second order for smooth coefficients. *Cost:* one sparse
    factorisation a field, about ``30 n^3`` flops on n by n nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.operators import solve_darcy
    >>> u = solve_darcy(np.ones((1, 33, 33)))
    >>> round(float(u[0, 16, 16]), 4)
    0.0736
    """
    a = _fields("a", a)
    if a.min() <= 0:
        where = tuple(int(i) for i in np.argwhere(a <= 0)[0])
        msg = f"a holds {a[where]:g} at index {where}; positive coefficients are wanted."
        raise InvalidDataError(msg)
    right = as_numbers("f", f)
    check_finite("f", right)
    try:
        right = np.broadcast_to(right, a.shape)
    except ValueError as error:
        msg = f"f has shape {right.shape}; a number, or the shape {a.shape} of a, is wanted."
        raise InvalidDataError(msg) from error
    out: Array = np.zeros_like(a)
    for i in range(len(a)):
        matrix = _divergence(a[i])
        solved = scipy.sparse.linalg.spsolve(matrix, right[i, 1:-1, 1:-1].ravel())
        out[i, 1:-1, 1:-1] = solved.reshape(a.shape[1] - 2, -1)
    return out


def _fields(name: str, given: Any) -> Array:
    fields = as_numbers(name, given)
    if fields.ndim != 3 or len(fields) == 0 or min(fields.shape[1:]) < 3:
        msg = (
            f"{name} has shape {fields.shape}; (n_fields, n_x, n_y) with at least 1 field and 3 "
            "nodes an axis is wanted."
        )
        raise InvalidDataError(msg)
    check_finite(name, fields)
    return fields


def _divergence(a: Array) -> Any:
    """Return ``-div(a grad .)`` on the inner nodes as a sparse matrix."""
    n_x, n_y = (size - 2 for size in a.shape)
    along_x = 2 * a[1:, 1:-1] * a[:-1, 1:-1] / (a[1:, 1:-1] + a[:-1, 1:-1]) * (n_x + 1) ** 2
    along_y = 2 * a[1:-1, 1:] * a[1:-1, :-1] / (a[1:-1, 1:] + a[1:-1, :-1]) * (n_y + 1) ** 2
    middle = along_x[1:] + along_x[:-1] + along_y[:, 1:] + along_y[:, :-1]
    beside = -along_y[:, 1:].copy()
    beside[:, -1] = 0.0  # the last node of a line has no neighbour in the next
    above = -along_x[1:-1].ravel()
    beside = beside.ravel()[:-1]
    return scipy.sparse.diags_array(
        [middle.ravel(), beside, beside, above, above],
        offsets=[0, 1, -1, n_y, -n_y],
        format="csc",
    )
