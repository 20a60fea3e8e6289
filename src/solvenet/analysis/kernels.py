"""Gram matrices of ReLU networks of one input, in closed form."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count, check_finite
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array


def relu_gram(b: Array, c: Array | None = None, *, power: int = 1) -> Array:
    """Return the inner products on (-1, 1) of ReLU units with biases `b` and `c`.

    ``G[i, j]`` is the integral over (-1, 1) of ``max(x - b_i, 0)**p max(x - c_j, 0)**p``.

    Parameters
    ----------
    b : array of shape (n,)
        Biases: the places of the kinks. Those below -1 are allowed (their units are
        polynomials on the interval), and those from 1 on (their units are zero).
    c : array of shape (m,), optional
        Biases of the columns; `b` by default.
    power : int, default=1
        The power p: 0 is the Heaviside function, 1 ReLU, 2 its square.

    Returns
    -------
    array of shape (n, m), float64
        Symmetric and positive semidefinite if `c` is left out. Its entries are correct to a
        few units in the last place: all terms of the sum are positive, whereas the usual
        form ``|b - c|**3 / 12 + (2 - b - c) (2 (1 - b) (1 - c) - (b - c)**2) / 12``
        cancels near b = 1.

    Raises
    ------
    InvalidDataError
        Biases that are not one-dimensional, or not finite.
    InvalidSettingError
        `power` is no whole number >= 0.

    Notes
    -----
    Accurate entries do not make small eigenvalues accurate: ``eigvalsh`` of this matrix
    loses all below ``1e-16`` of the largest. Singular values of a
    quadrature-weighted design matrix keep them. Cost ``O((power + 1)**2 n m)``.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import relu_gram
    >>> relu_gram(np.array([-1.0, 0.0]))
    array([[2.66666667, 0.83333333],
           [0.83333333, 0.33333333]])
    """
    b = checked_biases("b", b)
    c = b if c is None else checked_biases("c", c)
    power = check_count("power", power, minimum=0)
    # Both units are positive right of `start`; u = z - start gives (u + p)(u + q), p, q >= 0.
    start = np.maximum(np.maximum(b[:, None], c[None, :]), -1.0)
    length = np.maximum(1.0 - start, 0.0)
    p, q = start - b[:, None], start - c[None, :]
    gram = np.zeros_like(start)
    for i in range(power + 1):
        for j in range(power + 1):
            factor = comb(power, i) * comb(power, j) / (i + j + 1)
            gram += factor * p ** (power - i) * q ** (power - j) * length ** (i + j + 1)
    return gram


def checked_biases(name: str, b: Array) -> Array:
    """Return biases as a float64 array, checked to be one-dimensional and finite."""
    values = np.asarray(b, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        msg = (
            f"{name} has shape {values.shape}; a one-dimensional array of at least one bias "
            "is wanted, such as uniform_biases(100)."
        )
        raise InvalidDataError(msg)
    check_finite(name, values)
    return values
