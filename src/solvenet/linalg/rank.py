"""The one place where a rank is decided. Every threshold is relative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_nonnegative
from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

EPS = float(np.finfo(np.float64).eps)

GRAM_RESOLUTION = 50 * EPS
"""Smallest ``alpha / s1**2`` that a float64 Gram matrix resolves (about 1e-14)."""

ORTHOGONAL_RESOLUTION = (4 * EPS) ** 2
"""Smallest ``alpha / s1**2`` that an orthogonal factorisation resolves (about 1e-30)."""


def finest_cutoff(resolution: float) -> float:
    """Return the smallest relative cutoff that has a meaning at this resolution of ridges.

    For orthogonal factorisations it is the unit roundoff: directions below are noise.
    """
    return EPS / 2 if resolution <= ORTHOGONAL_RESOLUTION else resolution**0.5


def relative_cutoff(
    rcond: float | None, shape: tuple[int, int], dtype: np.dtype[np.floating]
) -> float:
    """Return the relative singular-value cutoff.

    Parameters
    ----------
    rcond : float or None
        Singular values of at most ``rcond * s1`` count as zero. None stands for
        ``eps * max(shape)``, NumPy's rule, with the machine epsilon of `dtype`.
    shape : tuple of (int, int)
        Shape of the matrix.
    dtype : dtype
        Precision in which the entries of the matrix are known.

    Returns
    -------
    float
        The cutoff, between 0 and 1.
    """
    if rcond is None:
        return float(np.finfo(dtype).eps) * max(shape)
    rcond = check_nonnegative("rcond", rcond)
    if rcond >= 1:
        msg = f"rcond={rcond} would drop every direction; give a number below 1."
        raise InvalidSettingError(msg)
    return rcond


def numerical_rank(singular_values: Array, rcond: float) -> int:
    """Return how many of the (descending) singular values exceed ``rcond * s1``."""
    if singular_values.size == 0 or singular_values[0] == 0:
        return 0
    return int(np.count_nonzero(singular_values > rcond * singular_values[0]))


def condition_number(singular_values: Array) -> float:
    """Return ``s1 / s_min``; infinite when the smallest is zero, 1 for no columns."""
    if singular_values.size == 0:
        return 1.0
    smallest = float(singular_values[-1])
    return float(singular_values[0]) / smallest if smallest > 0 else float("inf")
