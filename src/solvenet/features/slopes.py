"""Derivatives of the activations that have names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

if TYPE_CHECKING:
    from solvenet._array_api import Array

_DENSITY = 1.0 / np.sqrt(2.0 * np.pi)

SLOPES: dict[str, Callable[[Array, Array], Array]] = {
    "relu": lambda _, s: (s > 0).astype(np.float64),
    "tanh": lambda _, s: 1.0 - s * s,
    "sin": lambda z, _: np.cos(z),
    "cos": lambda z, _: -np.sin(z),
    "sigmoid": lambda _, s: s * (1.0 - s),
    "gelu": lambda z, _: scipy.special.ndtr(z) + _DENSITY * z * np.exp(-0.5 * z * z),
    "identity": lambda _, s: np.ones_like(s),
}
"""From arguments z and values s of an activation to its derivative; relu has 0 at 0."""
