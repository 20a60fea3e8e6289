"""What a spectrum says about a regularisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array


def cutoff_level(singular_values: Array, alpha: float, rcond: float) -> tuple[float, str]:
    """Return the level below which directions count little.

    Parameters
    ----------
    singular_values : array of shape (k,)
        Descending.
    alpha, rcond : float
        Ridge and relative cutoff.

    Returns
    -------
    level : float
        Relative to the largest singular value.
    name : {"ridge", "cutoff"}
        Which of the two sets it.
    """
    largest = float(singular_values[0]) if len(singular_values) else 0.0
    ridge = math.sqrt(alpha) / largest if largest > 0 else 0.0
    return (ridge, "ridge") if ridge > rcond else (rcond, "cutoff")


def captured_rank(
    singular_values: Array, alpha: float, rcond: float, kept: int | None = None
) -> int:
    """Return how many singular values stand above the ridge and the cutoff.

    Parameters
    ----------
    singular_values : array of shape (k,)
        Descending.
    alpha, rcond : float
        Ridge and relative cutoff.
    kept : int, optional
        Directions that the solver kept; the rank is at most that.
    """
    if len(singular_values) == 0 or singular_values[0] <= 0:
        return 0
    level, _ = cutoff_level(singular_values, alpha, rcond)
    above = int(np.count_nonzero(singular_values > level * singular_values[0]))
    return above if kept is None else min(above, kept)
