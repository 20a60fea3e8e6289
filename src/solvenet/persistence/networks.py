"""The arrays of a network, taken apart and put together again with every shape checked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_count, check_nonnegative
from solvenet.features import DenseMap, InputScaling, LayeredMap
from solvenet.networks import HiddenMap, Readout
from solvenet.persistence.container import require
from solvenet.persistence.values import decode_activation, encode_activation

if TYPE_CHECKING:
    from solvenet._array_api import Array

State = tuple[dict[str, Any], dict[str, Any]]
"""Plain JSON values, and arrays by name."""


class Arrays:
    """The arrays of a file, each handed out once and checked.

    Parameters
    ----------
    arrays : dict of str to array
        All of them.
    """

    def __init__(self, arrays: dict[str, Array]) -> None:
        self._arrays = dict(arrays)
        self._prefix = ""

    @contextmanager
    def within(self, prefix: str) -> Iterator[None]:
        """Prepend `prefix` to every name."""
        before, self._prefix = self._prefix, self._prefix + prefix
        yield
        self._prefix = before

    def take(self, name: str, *shape: int | None, nan: bool = False) -> Array:
        """Return an array of a given shape (None: any length) with finite numbers."""
        array = self.find(name, *shape, nan=nan)
        require(array is not None, f"its array {self._prefix}{name} is missing")
        return array  # type: ignore[return-value]

    def find(self, name: str, *shape: int | None, nan: bool = False) -> Array | None:
        """Return an array as `take` does, or None where there is none."""
        array = self._arrays.pop(self._prefix + name, None)
        if array is None:
            return None
        fits = len(array.shape) == len(shape) and all(
            n in (None, m) for m, n in zip(array.shape, shape, strict=True)
        )
        name = self._prefix + name
        require(fits, f"its array {name} has shape {array.shape} where {shape} is wanted")
        finite = bool((np.isfinite(array) | (np.isnan(array) & nan)).all())
        require(finite, f"its array {name} holds numbers that are not finite")
        return array

    def check_all_used(self) -> None:
        """Refuse arrays that belong to nothing."""
        names = ", ".join(sorted(self._arrays))[:200]
        require(not self._arrays, f"it holds arrays that belong to nothing: {names}")


def hidden_state(hidden: HiddenMap) -> State:
    """Return the facts and the arrays of the hidden layers."""
    arrays = hidden.arrays()
    arrays.pop("scaling.radius", None)  # a number, not an array
    radius = hidden.scaling.radius
    facts = {
        "n_features_in": hidden.n_features_in,
        "skip": float(hidden.skip),
        "radius": None if radius is None else float(radius),
        "layers": [
            {"units": layer.n_features_out, "activation": encode_activation(layer.activation)}
            for layer in hidden.layers.layers
        ],
    }
    return facts, arrays


def hidden_from(facts: dict[str, Any], arrays: Arrays) -> HiddenMap:
    """Return the hidden layers that `hidden_state` described."""
    n = n_in = check_count("n_features_in", facts["n_features_in"])
    with arrays.within("scaling."):
        names = ("bend", "gain", "low", "high", "mean", "precision")
        optional = {name: arrays.find(name, n) for name in names}
        for one, other in (("bend", "gain"), ("low", "high"), ("mean", "precision")):
            both = (optional[one] is None) == (optional[other] is None)
            require(both, f"its arrays scaling.{one} and scaling.{other} belong together")
        center, factor = arrays.take("center", n), arrays.take("factor", n)
        radius = facts["radius"] if facts["radius"] is None else number(facts, "radius")
        scaling = InputScaling(center, factor, radius=radius, **optional)
    layers = []
    for i, layer in enumerate(facts["layers"]):
        units = check_count("units", layer["units"])
        with arrays.within(f"layers.{i}."):
            weights, biases = arrays.take("weights", n_in, units), arrays.take("biases", units)
        layers.append(DenseMap(weights, biases, decode_activation(layer["activation"])))
        n_in = units
    require(len(layers) > 0, "it has no layers")
    return HiddenMap(scaling, LayeredMap(tuple(layers)), number(facts, "skip"))


_UNCERTAINTY = ("root", "center", "noise_variance")


def readout_state(readout: Readout, *, uncertainty: bool) -> State:
    """Return the facts and the arrays of the read-out."""
    names = ("coef", "intercept", "low", "high") + _UNCERTAINTY * uncertainty
    arrays = {f"readout.{name}": getattr(readout, name) for name in names}
    facts = {"n_targets": len(readout.intercept), "n_rows": float(readout.n_rows)}
    return facts, {name: array for name, array in arrays.items() if array is not None}


def readout_from(facts: dict[str, Any], arrays: Arrays, n_features: int) -> Readout:
    """Return the read-out of `n_features` features that `readout_state` described."""
    n_targets = check_count("n_targets", facts["n_targets"])
    with arrays.within("readout."):
        low, high = arrays.find("low", n_targets), arrays.find("high", n_targets)
        root = arrays.find("root", n_features, None)
        readout = Readout(
            arrays.take("coef", n_features, n_targets),
            arrays.take("intercept", n_targets),
            low=low,
            high=high,
        )
        both = (low is None) == (high is None)
        require(both, "it has one bound of the outputs without the other")
        if root is None:
            return readout
        n_rows = number(facts, "n_rows")
        require(n_rows > 0, "it was fitted to no rows")
        # Without degrees of freedom left the noise has no estimate: nan, and saved as such.
        return replace(
            readout,
            root=root,
            center=arrays.take("center", n_features),
            noise_variance=arrays.take("noise_variance", n_targets, nan=True),
            n_rows=n_rows,
        )


def number(facts: dict[str, Any], name: str) -> float:
    """Return a fact that is a finite number."""
    value = check_nonnegative(name, abs(facts[name]))
    return math.copysign(value, facts[name])
