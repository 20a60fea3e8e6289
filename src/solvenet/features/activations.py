"""Activation functions with the values that a sampled unit takes at its two points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_HALF = float(np.log(3.0) / 2)  # tanh takes -1/2 and +1/2 at -ln(3)/2 and +ln(3)/2


@dataclass(frozen=True)
class Activation:
    """An activation and the constants of SWIM's weights.

    A unit sampled from the pair (x1, x2) has the pre-activation ``-shift`` at x1 and
    ``slope - shift`` at x2, in the paper's letters s1 = slope, s2 = shift.

    Attributes
    ----------
    name : str
        Its name; ``"callable"`` for a user's own function.
    function : callable
        Maps an array elementwise; may write to its argument.
    slope, shift : float
        s1 and s2.
    """

    name: str
    function: Callable[[Array], Array] = field(repr=False)
    slope: float
    shift: float

    @property
    def symmetric(self) -> bool:
        """Whether swapping the two points only changes the unit's sign or constant."""
        return self.slope == 2 * self.shift or self.name == "identity"


def _tanh(z: Array) -> Array:
    return np.tanh(z, out=z)


def _relu(z: Array) -> Array:
    return np.maximum(z, 0.0, out=z)


def _sin(z: Array) -> Array:
    return np.sin(z, out=z)


def _cos(z: Array) -> Array:
    return np.cos(z, out=z)


def _sigmoid(z: Array) -> Array:
    return scipy.special.expit(z, out=z)  # type: ignore[no-any-return]


def _gelu(z: Array) -> Array:
    return z * scipy.special.ndtr(z)  # type: ignore[no-any-return]


def _identity(z: Array) -> Array:
    return z


ACTIVATIONS = {
    "tanh": Activation("tanh", _tanh, 2 * _HALF, _HALF),
    "relu": Activation("relu", _relu, 1.0, 0.0),
    "sin": Activation("sin", _sin, 2 * _HALF, _HALF),
    "cos": Activation("cos", _cos, 2 * _HALF, _HALF),
    # sigmoid(z) = (1 + tanh(z / 2)) / 2: 1/4 and 3/4 at the two points.
    "sigmoid": Activation("sigmoid", _sigmoid, 4 * _HALF, 2 * _HALF),
    "gelu": Activation("gelu", _gelu, 1.0, 0.0),
    "identity": Activation("identity", _identity, 1.0, 0.0),
}
"""The activations known by name."""


def get_activation(activation: str | Activation | Callable[[Array], Array]) -> Activation:
    """Return the activation of a name, or wrap a callable.

    Parameters
    ----------
    activation : str, Activation or callable
        A name of :data:`ACTIVATIONS`; or an elementwise function, which then gets the
        constants of tanh (give an :class:`Activation` to set others).

    Returns
    -------
    Activation
        The function with its constants.
    """
    if isinstance(activation, Activation):
        return activation
    if callable(activation):
        return Activation("callable", activation, 2 * _HALF, _HALF)
    if activation not in ACTIVATIONS:
        msg = (
            f"activation={activation!r} is unknown. Use one of: "
            f"{', '.join(sorted(ACTIVATIONS))}; or an elementwise function."
        )
        raise InvalidSettingError(msg)
    return ACTIVATIONS[activation]


def name_of(activation: Activation, *, purpose: str, reason: str = "holds no code") -> str:
    """Return the name by which an activation can be written down.

    Parameters
    ----------
    activation : Activation
        Of a layer.
    purpose : str
        What is being written, as the start of a message.
    reason : str, default="holds no code"
        Why it wants a name.

    Raises
    ------
    InvalidSettingError
        Its function is not the one that :data:`ACTIVATIONS` has under its name.
    """
    known = ACTIVATIONS.get(activation.name)
    if known is None or known.function is not activation.function:
        msg = (
            f"{purpose} {reason}, and the network has an activation of yours "
            f"({activation.name!r}). Fit it with one of: {', '.join(sorted(ACTIVATIONS))}."
        )
        raise InvalidSettingError(msg)
    return activation.name
