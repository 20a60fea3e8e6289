"""What figures share: colours, the Axes to draw on, checks of what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import import_optional
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array

# Okabe and Ito's colours: told apart by colour-blind readers, and readable on light and dark.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#808080"
GREEN, PURPLE, SKY = "#009E73", "#CC79A7", "#56B4E9"


def axes_of(ax: Any) -> Any:
    """Return the axes given, or those of a new figure."""
    if ax is None:
        plt = import_optional("matplotlib.pyplot", extra="plots", purpose="Plotting")
        _, ax = plt.subplots(figsize=(5, 4), layout="constrained")
    return ax


def pair_of(first: Any, second: Any) -> tuple[Array, Array]:
    """Return two arrays of numbers, checked to be of one length."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    check_pair(a, b)
    return a, b


def check_pair(a: Array, b: Array) -> None:
    if a.ndim != 1 or a.shape != b.shape or len(a) == 0:
        msg = (
            f"Arrays of shape {a.shape} and {b.shape} were given; two one-dimensional ones of "
            "one length, with at least one row, are wanted."
        )
        raise InvalidDataError(msg)
