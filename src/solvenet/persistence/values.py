"""Settings as JSON and back, for a closed list of types: nothing in a file is ever run."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from solvenet.blocks import FeaturePlan
from solvenet.errors import InvalidSettingError
from solvenet.features import ACTIVATIONS, SAMPLERS, Activation
from solvenet.features.activations import name_of
from solvenet.persistence.container import require
from solvenet.solvers import SOLVERS

SETTINGS: dict[str, Any] = {
    cls.__name__: cls
    for cls in (*SAMPLERS.values(), *SOLVERS.values(), FeaturePlan)
    if is_dataclass(cls)
}
"""The classes of settings that a file may name."""

_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(name: str, value: Any) -> Any:
    """Return a setting as plain JSON values.

    Numbers, text and lists stay themselves; everything else becomes an object with one
    key that names its type, so that :func:`decode` returns an equal value.

    Parameters
    ----------
    name : str
        Of the setting, for messages.
    value : object
        None, bool, number, str; list, tuple, dict and array of those; a sampler or a
        solver of solvenet; an Activation whose function has a name.

    Raises
    ------
    InvalidSettingError
        Anything else.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Activation):
        return {"activation": encode_activation(value)}
    if type(value) is list:
        return [encode(name, item) for item in value]
    if type(value) is tuple:
        return {"tuple": [encode(name, item) for item in value]}
    if type(value) is dict:
        return {"dict": [[encode(name, k), encode(name, v)] for k, v in value.items()]}
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        return {"array": encode(name, value.tolist())}
    kind = type(value).__name__
    if type(value) is SETTINGS.get(kind):
        names = [item.name for item in fields(SETTINGS[kind]) if item.init]
        stored = {item: encode(f"{name}.{item}", getattr(value, item)) for item in names}
        return {"settings": [kind, stored]}
    msg = (
        f"{name}={value!r} cannot be stored in a model file, which holds no code: names, "
        f"numbers, lists and {', '.join(sorted(SETTINGS))} can. The fitted weights do not "
        f"depend on it any more: call set_params({name}=...) with such a value, then save."
    )
    raise InvalidSettingError(msg)


def decode(value: Any) -> Any:
    """Return the setting that :func:`encode` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        The description is not one of :func:`encode`.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        finite = not isinstance(value, float) or math.isfinite(value)
        require(finite, "it holds a number that is not finite")
        return value
    ((kind, content),) = value.items()
    if kind == "number":
        return _NUMBERS[content]
    if kind == "activation":
        return decode_activation(content)
    if kind == "tuple":
        return tuple(decode(item) for item in content)
    if kind == "dict":
        return {decode(k): decode(v) for k, v in content}
    if kind == "array":
        return np.array(decode(content))
    if kind == "settings":
        name, stored = content
        return SETTINGS[name](**{k: decode(v) for k, v in stored.items()})
    raise KeyError(kind)


def encode_activation(activation: Activation) -> list[Any]:
    """Return the name and the constants of an activation.

    Raises
    ------
    InvalidSettingError
        A function that solvenet knows no name of.
    """
    name = name_of(activation, purpose="A model file")
    return [name, float(activation.slope), float(activation.shift)]


def decode_activation(state: Any) -> Activation:
    """Return the activation that :func:`encode_activation` described."""
    name, slope, shift = state
    return Activation(name, ACTIVATIONS[name].function, decode(slope), decode(shift))


def encode_labels(labels: Any) -> dict[str, Any]:
    """Return class labels as plain JSON values.

    Raises
    ------
    InvalidSettingError
        Labels that are neither numbers nor text.
    """
    values = labels.tolist()
    if labels.dtype.kind not in "biufUO" or not all(
        isinstance(v, bool | int | float | str) for v in values
    ):
        msg = (
            f"Class labels of dtype {labels.dtype} cannot be stored in a model file; numbers "
            "and text can. Convert y before fitting, for example with y.astype(str)."
        )
        raise InvalidSettingError(msg)
    # The width of text follows from the labels; a width in the file could claim any memory.
    dtype = labels.dtype.kind if labels.dtype.kind in "UO" else labels.dtype.name
    return {"dtype": dtype, "values": values}


def decode_labels(state: Any) -> Any:
    """Return the array of class labels that :func:`encode_labels` described."""
    name, values = str(state["dtype"]), decode(state["values"])
    types = {"U": (str,), "O": (bool, int, float, str)}.get(name, (bool, int, float))
    plain = name in ("U", "O") or np.dtype(name).kind in "biuf"
    plain = plain and isinstance(values, list) and all(isinstance(v, types) for v in values)
    require(plain, "its class labels are neither numbers nor text")
    different = len(set(values)) == len(values) > 1
    require(different, "its class labels are not at least two and different")
    return np.array(values, dtype=name)
