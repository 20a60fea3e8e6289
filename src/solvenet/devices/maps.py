"""Feature maps on a device: the formulas of `features` and `networks`, in the array API.

Feature maps offer themselves by their method ``on(device, dtype)``, which builds one of
these from their arrays. Inputs come in float64 (or float32) and are scaled in float64; the
scaled inputs and everything after them have the dtype of the map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from solvenet.devices.device import Device, DeviceArray

if TYPE_CHECKING:
    from solvenet._array_api import Array


class DeviceMap(ABC):
    """A feature map whose arrays live on a device.

    Attributes
    ----------
    device : Device
        Where.
    dtype : str
        Name of the dtype of the features.
    n_features_out : int
        Columns of the features.
    """

    device: Device
    dtype: str
    n_features_out: int

    @abstractmethod
    def __call__(self, X: DeviceArray, *, out: DeviceArray | None = None) -> DeviceArray:
        """Return the features of rows on the device, in `out` if it is given."""

    def _into(self, values: DeviceArray, out: DeviceArray | None) -> DeviceArray:
        if out is None:
            return values
        out[...] = values
        return out


class ScaledInputs(DeviceMap):
    """The inputs as :class:`solvenet.features.InputScaling` scales them, in float64.

    Parameters
    ----------
    device : Device
        Where.
    arrays : dict of arrays
        Its arrays by name, as ``InputScaling.arrays()`` returns them.
    """

    dtype = "float64"

    def __init__(self, device: Device, arrays: dict[str, Array]) -> None:
        self.device = device
        self.n_features_out = len(arrays["center"])
        self._arrays = {name: device.to_device(a, "float64") for name, a in arrays.items()}

    def __call__(self, X: DeviceArray, *, out: DeviceArray | None = None) -> DeviceArray:
        """Return the scaled inputs, as the hidden layers see them."""
        a = self._arrays
        Z = self._scaled(X, a["center"], a["factor"])
        if "bend" in a and "gain" in a:
            Z *= a["gain"] / self.device.xp.sqrt(1.0 + (a["bend"] * Z) ** 2)
        return self._into(Z, out)

    def straight(self, X: DeviceArray) -> DeviceArray:
        """Return the scaled inputs that bypass the hidden layers: clipped, not bent."""
        a = self._arrays
        if "mean" in a and "precision" in a:
            return self._scaled(X, a["mean"], a["precision"])
        return self._scaled(X, a["center"], a["factor"])

    def _scaled(self, X: DeviceArray, center: DeviceArray, factor: DeviceArray) -> DeviceArray:
        xp, a = self.device.xp, self._arrays
        X = self.device.to_device(X, "float64")
        if "low" in a and "high" in a:
            X = xp.minimum(xp.maximum(X, a["low"]), a["high"])
        Z = (X - center) * factor
        if "radius" in a:
            length = xp.sqrt(xp.sum(Z * Z, axis=1))
            one = xp.ones_like(length)
            short = xp.minimum(one, a["radius"] / xp.where(length > 0, length, one))
            Z *= short[:, None]
        return Z


class DenseLayer(DeviceMap):
    """``activation([X, 1] @ weights)``: one product, without a pass for the biases.

    Parameters
    ----------
    device : Device
        Where.
    dtype : str
        ``"float64"`` or ``"float32"``.
    weights : array of shape (n_features_in + 1, n_features_out)
        The last row is the biases; of a network that passes inputs on, the weights of
        ``[X, 1, inputs]``.
    activation : str
        A name of :data:`solvenet.features.ACTIVATIONS`.
    n_units : int, optional
        Columns from the first on that the activation is for; all by default.
    """

    def __init__(
        self,
        device: Device,
        dtype: str,
        weights: Array,
        activation: str,
        *,
        n_units: int | None = None,
    ) -> None:
        self.device, self.dtype = device, dtype
        self.n_features_out = weights.shape[1]
        self._n_units = n_units
        self._weights = device.to_device(weights, dtype)
        self._function = _FUNCTIONS[activation]

    def __call__(
        self,
        X: DeviceArray,
        *,
        out: DeviceArray | None = None,
        past: DeviceArray | None = None,
    ) -> DeviceArray:
        """Return the units' values; `past` are inputs that pass the layer."""
        xp, device = self.device.xp, self.device
        ones = xp.ones((X.shape[0], 1), dtype=device.dtype(self.dtype), device=device.handle)
        parts = [X, ones] if past is None else [X, ones, past]
        stacked = xp.concat([device.to_device(part, self.dtype) for part in parts], axis=1)
        if out is None or not device.in_place:
            H = self._into(xp.matmul(stacked, self._weights), out)
        else:
            H = xp.matmul(stacked, self._weights, out=out)
        units = H if self._n_units is None else H[:, : self._n_units]
        values = self._function(device, units)
        if values is not units:
            units[...] = values
        return H


class Chain(DeviceMap):
    """Maps one after the other.

    Parameters
    ----------
    maps : sequence of DeviceMap
        At least one, all on one device.
    """

    def __init__(self, maps: Sequence[DeviceMap]) -> None:
        self._maps = tuple(maps)
        last = self._maps[-1]
        self.device, self.dtype, self.n_features_out = last.device, last.dtype, last.n_features_out

    def __call__(self, X: DeviceArray, *, out: DeviceArray | None = None) -> DeviceArray:
        """Return the last map's values."""
        for part in self._maps[:-1]:
            X = part(X)
        return self._maps[-1](X, out=out)


class WithInputs(DeviceMap):
    """Hidden layers with the scaled inputs behind them.

    Parameters
    ----------
    scaling : ScaledInputs
        First of all.
    layers : sequence of DenseLayer
        Those before the last.
    last : DenseLayer
        Its weights expect ``[values, 1, inputs]``.
    """

    def __init__(
        self, scaling: ScaledInputs, layers: Sequence[DeviceMap], last: DenseLayer
    ) -> None:
        self._scaling, self._last = scaling, last
        self._first = Chain([scaling, *layers])
        self.device, self.dtype, self.n_features_out = last.device, last.dtype, last.n_features_out

    def __call__(self, X: DeviceArray, *, out: DeviceArray | None = None) -> DeviceArray:
        """Return the units and the inputs."""
        return self._last(self._first(X), out=out, past=self._scaling.straight(X))


class Selected(DeviceMap):
    """Some features of a map, which computes all of them.

    Parameters
    ----------
    whole : DeviceMap
        The map.
    index : array of int
        Which of its features.
    """

    def __init__(self, whole: DeviceMap, index: Array) -> None:
        self._whole = whole
        self.device, self.dtype, self.n_features_out = whole.device, whole.dtype, len(index)
        self._index = whole.device.to_device(index, "int64")

    def __call__(self, X: DeviceArray, *, out: DeviceArray | None = None) -> DeviceArray:
        """Return the chosen features."""
        return self._into(self.device.xp.take(self._whole(X), self._index, axis=1), out)


def _elementwise(name: str) -> Callable[[Device, DeviceArray], DeviceArray]:
    """Return a function of the array API under its own name, in place where that is possible."""

    def function(device: Device, Z: DeviceArray) -> DeviceArray:
        apply = getattr(device.xp, name)
        return apply(Z, out=Z) if device.in_place else apply(Z)

    return function


def _relu(device: Device, Z: DeviceArray) -> DeviceArray:
    if device.library == "torch":
        return device.module.relu_(Z)
    zero = device.xp.zeros((), dtype=Z.dtype, device=device.handle)
    return device.xp.maximum(Z, zero, out=Z) if device.in_place else device.xp.maximum(Z, zero)


def _sigmoid(device: Device, Z: DeviceArray) -> DeviceArray:
    if device.library == "torch":
        return device.module.sigmoid_(Z)
    return 0.5 + 0.5 * device.xp.tanh(0.5 * Z)  # neither over- nor underflows


def _gelu(device: Device, Z: DeviceArray) -> DeviceArray:
    if device.library == "torch":
        return Z.mul_(device.module.special.ndtr(Z))
    if device.library == "cupy":
        from importlib import import_module

        Z *= import_module("cupyx.scipy.special").ndtr(Z)
        return Z
    # The array API has no error function: by way of the host.
    z = device.to_numpy(Z)
    return device.to_device(z * scipy.special.ndtr(z), str(z.dtype))


_FUNCTIONS: dict[str, Callable[[Device, DeviceArray], DeviceArray]] = {
    "tanh": _elementwise("tanh"),
    "relu": _relu,
    "sin": _elementwise("sin"),
    "cos": _elementwise("cos"),
    "sigmoid": _sigmoid,
    "gelu": _gelu,
    "identity": lambda _, Z: Z,
}


def stacked(weights: Array, biases: Array) -> Array:
    """Return the weights with the biases as their last row: those of ``[X, 1]``."""
    return np.concatenate([weights, biases[None]])
