"""Structured networks, and what a fit of them found, as JSON values and arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvenet._validation import check_count
from solvenet.estimators import MMNNRegressor
from solvenet.features import DenseMap
from solvenet.persistence.container import require
from solvenet.persistence.networks import Arrays, State
from solvenet.persistence.values import decode, decode_activation, encode, encode_activation
from solvenet.structured import MMNN, Ending, Layer, MMNNResult, Shallow, StepRecord

_PARTS = ("W", "b", "A", "c")
_FACTS = ("method", "reason", "mse", "held_out", "n_parameters", "seconds")


def mmnn_state(network: MMNN, _uncertainty: bool) -> State:
    """Return the settings and the arrays of a network."""
    arrays = {"low": network.low, "high": network.high} | {
        f"layers.{i}.{name}": getattr(layer, name)
        for i, layer in enumerate(network.layers)
        for name in _PARTS
    }
    facts = {
        "sizes": [[len(layer.W), len(layer.b), len(layer.c)] for layer in network.layers],
        "activation": network.activation,
        "residual": network.residual,
        "fixed": network.fixed,
    }
    return facts, arrays


def mmnn_from(facts: dict[str, Any], arrays: Arrays) -> MMNN:
    """Return the network that `mmnn_state` described."""
    layers = []
    for i, sizes in enumerate(facts["sizes"]):
        n_in, width, n_out = (check_count("sizes", size) for size in sizes)
        shapes = ((n_in, width), (width,), (width, n_out), (n_out,))
        with arrays.within(f"layers.{i}."):
            parts = (arrays.take(name, *shape) for name, shape in zip(_PARTS, shapes, strict=True))
            layers.append(Layer(*parts))
    require(len(layers) > 0, "it has no layers")
    n = len(layers[0].W)
    low, high = arrays.take("low", n), arrays.take("high", n)
    residual, fixed = facts["residual"] is True, facts["fixed"] is True
    return MMNN(tuple(layers), str(facts["activation"]), residual, fixed, low, high)


def mmnn_regressor_state(model: MMNNRegressor, uncertainty: bool) -> State:
    """Return the settings, the functions and the history of a fitted regressor."""
    result = model.result_
    facts = {
        "parameters": {n: encode(n, v) for n, v in model.get_params(deep=False).items()},
        "feature_names": [str(name) for name in getattr(model, "feature_names_in_", [])],
        "n_features": model.n_features_in_,
        "shape": list(model._shape),
        "ending": result.ending.name,
        "result": {name: encode(name, getattr(result, name)) for name in _FACTS},
        "made_by": [record.method for record in result.history[:1]],
        "network": None,
        "shallow": None,
    }
    reach = dict(zip(("reach.low", "reach.high"), model._reach, strict=True))
    numbers = [record[1:] for record in result.history]
    arrays = reach | {"history": np.array(numbers, dtype=np.float64).reshape(-1, 3)}
    if result.network is not None:
        facts["network"], own = mmnn_state(result.network, uncertainty)
        arrays |= {f"network.{name}": array for name, array in own.items()}
    if result.correction is not None:
        facts["shallow"], own = _shallow_state(result.correction)
        arrays |= {f"shallow.{name}": array for name, array in own.items()}
    return facts, arrays


def mmnn_regressor_from(facts: dict[str, Any], arrays: Arrays) -> MMNNRegressor:
    """Return the regressor that `mmnn_regressor_state` described."""
    model = MMNNRegressor(**{name: decode(value) for name, value in facts["parameters"].items()})
    n = model.n_features_in_ = check_count("n_features", facts["n_features"])
    names = facts["feature_names"]
    if names:
        fits = all(isinstance(name, str) for name in names) and len(set(names)) == len(names) == n
        require(fits, "its names of the columns do not fit the network")
        model.feature_names_in_ = np.array(names, dtype=object)
    model._shape = tuple(check_count("shape", size) for size in facts["shape"])
    require(len(model._shape) < 2, "its targets have more than one axis")
    model._reach = arrays.take("reach.low", n), arrays.take("reach.high", n)
    network = shallow = None
    if facts["network"] is not None:
        with arrays.within("network."):
            network = mmnn_from(facts["network"], arrays)
    if facts["shallow"] is not None:
        with arrays.within("shallow."):
            shallow = _shallow_from(facts["shallow"], arrays, n)
    parts = [part for part in (network, shallow) if part is not None]
    n_outputs = (*model._shape, 1)[0]
    sizes = [(part.n_inputs, part.n_outputs) for part in parts]
    require(len(sizes) > 0 and set(sizes) == {(n, n_outputs)}, "its networks do not fit the data")
    rows = arrays.take("history", None, 3).tolist()
    require(len(facts["made_by"]) >= min(1, len(rows)), "its history has no method")
    history = tuple(StepRecord(str(facts["made_by"][0]), int(k), *rest) for k, *rest in rows)
    model.result_ = MMNNResult(
        network=network,
        correction=shallow,
        ending=Ending[facts["ending"]],
        history=history,
        **{name: decode(facts["result"][name]) for name in _FACTS},
    )
    return model


def _shallow_state(shallow: Shallow) -> State:
    units = shallow.features
    assert isinstance(units, DenseMap)
    facts = {
        "units": units.n_features_out,
        "n_outputs": len(shallow.intercept),
        "activation": encode_activation(units.activation),
        "name": shallow.name,
    }
    arrays = {name: getattr(shallow, name) for name in ("low", "high", "coef", "intercept")}
    return facts, arrays | {"weights": units.weights, "biases": units.biases}


def _shallow_from(facts: dict[str, Any], arrays: Arrays, n_inputs: int) -> Shallow:
    units, n_out = (check_count(name, facts[name]) for name in ("units", "n_outputs"))
    activation = decode_activation(facts["activation"])
    weights, biases = arrays.take("weights", n_inputs, units), arrays.take("biases", units)
    features = DenseMap(weights, biases, activation)
    low, high = arrays.take("low", n_inputs), arrays.take("high", n_inputs)
    coef, intercept = arrays.take("coef", units, n_out), arrays.take("intercept", n_out)
    return Shallow(low, high, features, coef, intercept, str(facts["name"]))
