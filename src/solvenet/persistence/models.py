"""Fitted models as a state of plain JSON values and named arrays, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from solvenet.errors import InvalidDataError, InvalidSettingError, ModelFileError
from solvenet.estimators import (
    MMNNRegressor,
    SampledFeatures,
    SampledNetworkClassifier,
    SampledNetworkRegressor,
)
from solvenet.estimators.tables import TableEncoder
from solvenet.features import GivenFeatures
from solvenet.networks import SampledNetwork
from solvenet.persistence.container import require
from solvenet.persistence.networks import (
    Arrays,
    State,
    hidden_from,
    hidden_state,
    number,
    readout_from,
    readout_state,
)
from solvenet.persistence.structured import (
    mmnn_from,
    mmnn_regressor_from,
    mmnn_regressor_state,
    mmnn_state,
)
from solvenet.persistence.values import decode, decode_labels, encode, encode_labels
from solvenet.structured import MMNN


def _common_state(model: Any) -> State:
    parameters = model.get_params(deep=False)
    given = type(parameters["sampler"]) is GivenFeatures
    if given:  # its arrays are the first layer
        parameters["sampler"] = None
    hidden, arrays = hidden_state(model.hidden_)
    names = getattr(model, "feature_names_in_", None)
    facts = {
        "given_features": given,
        "feature_names": None if names is None else [str(name) for name in names],
        "hidden": hidden,
        "parameters": {name: encode(name, value) for name, value in parameters.items()},
    }
    return facts, arrays


def _common_from(cls: type, facts: dict[str, Any], arrays: Arrays) -> Any:
    model = cls(**{name: decode(value) for name, value in facts["parameters"].items()})
    hidden = hidden_from(facts["hidden"], arrays)
    first = hidden.layers.layers[0]
    if facts["given_features"]:
        model.sampler = GivenFeatures(first.weights, first.biases)
    model.n_features_in_ = hidden.n_features_in
    if facts["feature_names"] is not None:
        names = facts["feature_names"]
        fits = isinstance(names, list) and all(isinstance(n, str) for n in names)
        fits = fits and len(names) == len(set(names)) == hidden.n_features_in
        require(fits, "its names of the columns do not fit the network")
        model.feature_names_in_ = np.array(names, dtype=object)
    model._keep(hidden.scaling.center, hidden)
    return model


def _network_state(model: Any, uncertainty: bool) -> State:
    facts, arrays = _common_state(model)
    uncertainty = uncertainty and isinstance(model, SampledNetworkRegressor)
    network = model._ensure_uncertainty() if uncertainty else model.network_
    readout, more = readout_state(network.readout, uncertainty=uncertainty)
    facts |= {
        "readout": readout,
        "alpha": float(model.alpha_),
        "plan": encode("plan_", model.plan_),
        "seconds": encode("seconds_", model.seconds_),
        "diagnostics": encode("diagnostics_", model.diagnostics_),
    }
    return facts, arrays | more


def _network_from(cls: type, facts: dict[str, Any], arrays: Arrays) -> Any:
    model = _common_from(cls, facts, arrays)
    readout = readout_from(facts["readout"], arrays, model.hidden_.n_features_out)
    model.network_ = SampledNetwork(model.hidden_, readout)
    model.alpha_ = number(facts, "alpha")
    model.plan_ = decode(facts["plan"])
    model.seconds_ = decode(facts["seconds"])
    model._diagnostics = decode(facts["diagnostics"])
    model.coef_, model.intercept_ = readout.coef.T, readout.intercept
    return model


def _regressor_state(model: Any, uncertainty: bool) -> State:
    facts, arrays = _network_state(model, uncertainty)
    return facts | {"one_target": bool(model._one_target)}, arrays


def _regressor_from(facts: dict[str, Any], arrays: Arrays) -> Any:
    model = _network_from(SampledNetworkRegressor, facts, arrays)
    model._one_target = facts["one_target"] is True
    if model._one_target:
        require(len(model.intercept_) == 1, "it has several targets where one is wanted")
        model.coef_, model.intercept_ = model.coef_[0], float(model.intercept_[0])
    return model


def _classifier_state(model: Any, uncertainty: bool) -> State:
    facts, arrays = _network_state(model, uncertainty)
    facts |= {
        "classes": encode_labels(model.classes_),
        "calibration_error": float(model.calibration_error_),
    }
    return facts, arrays


def _classifier_from(facts: dict[str, Any], arrays: Arrays) -> Any:
    model = _network_from(SampledNetworkClassifier, facts, arrays)
    model.classes_ = decode_labels(facts["classes"])
    fits = len(model.classes_) == len(model.intercept_)
    require(fits, "it has not as many classes as outputs")
    model.calibration_error_ = number(facts, "calibration_error")
    return model


def _features_state(model: Any, _uncertainty: bool) -> State:
    return _common_state(model)


def _features_from(facts: dict[str, Any], arrays: Arrays) -> Any:
    return _common_from(SampledFeatures, facts, arrays)


def _encoder_state(model: Any, _uncertainty: bool) -> State:
    return {"table": encode("TableEncoder", model.to_dict())}, {}


def _encoder_from(facts: dict[str, Any], _arrays: Arrays) -> Any:
    return TableEncoder.from_dict(decode(facts["table"]))


def _pipeline_state(model: Any, uncertainty: bool) -> State:
    parameters = model.get_params(deep=False)
    steps: list[Any] = []
    arrays: dict[str, Any] = {}
    for i, (name, step) in enumerate(parameters.pop("steps")):
        facts, own = state_of(step, uncertainty=uncertainty)
        steps.append([name, facts])
        arrays |= {f"steps.{i}.{key}": array for key, array in own.items()}
    stored = {name: encode(name, value) for name, value in parameters.items()}
    return {"parameters": stored, "steps": steps}, arrays


def _pipeline_from(facts: dict[str, Any], arrays: Arrays) -> Pipeline:
    steps: list[tuple[str, Any]] = []
    width = None
    for i, (name, own) in enumerate(facts["steps"]):
        with arrays.within(f"steps.{i}."):
            step = restore(own, arrays)
        fits = isinstance(name, str) and width in (None, step.n_features_in_)
        require(fits, "the steps of its pipeline do not fit each other")
        steps.append((name, step))
        width = len(step.get_feature_names_out()) if hasattr(step, "transform") else None
    require(len(steps) > 0, "its pipeline has no steps")
    return Pipeline(steps, **{name: decode(v) for name, v in facts["parameters"].items()})


@dataclass(frozen=True)
class Kind:
    """How one class is stored.

    Attributes
    ----------
    to_state : callable
        ``to_state(model, uncertainty)`` returns JSON values and arrays.
    from_state : callable
        ``from_state(facts, arrays)`` returns the model.
    """

    to_state: Callable[[Any, bool], State]
    from_state: Callable[[dict[str, Any], Arrays], Any]


KINDS: dict[type, Kind] = {
    SampledNetworkRegressor: Kind(_regressor_state, _regressor_from),
    SampledNetworkClassifier: Kind(_classifier_state, _classifier_from),
    SampledFeatures: Kind(_features_state, _features_from),
    TableEncoder: Kind(_encoder_state, _encoder_from),
    Pipeline: Kind(_pipeline_state, _pipeline_from),
    MMNNRegressor: Kind(mmnn_regressor_state, mmnn_regressor_from),
    MMNN: Kind(mmnn_state, mmnn_from),
}
"""Everything that can be saved; a file can name nothing else."""

_BY_NAME = {cls.__name__: kind for cls, kind in KINDS.items()}


def state_of(model: Any, *, uncertainty: bool) -> State:
    """Return the JSON values and the arrays of a fitted model.

    Raises
    ------
    NotFittedError, InvalidSettingError, InvalidDataError
        As in :func:`solvenet.save`.
    """
    kind = KINDS.get(type(model))
    if kind is None:
        msg = (
            f"A {type(model).__name__} was given; a model file can hold "
            f"{', '.join(sorted(_BY_NAME))}. Save other steps with tools of their own."
        )
        raise InvalidSettingError(msg)
    if not isinstance(model, MMNN):  # which is arrays already
        check_is_fitted(model)
    facts, arrays = kind.to_state(model, uncertainty)
    for name, array in arrays.items():
        if not name.endswith("readout.noise_variance") and not np.isfinite(array).all():
            msg = (
                f"The array {name} of the model holds numbers that are not finite: the solve "
                "failed. Raise alpha or rescale the data, and fit again before saving."
            )
            raise InvalidDataError(msg)
    return facts | {"class": type(model).__name__}, arrays


def restore(facts: dict[str, Any], arrays: Arrays) -> Any:
    """Return the fitted model that :func:`state_of` described.

    Raises
    ------
    ModelFileError, KeyError, TypeError, ValueError, AttributeError
        The description is damaged.
    """
    kind = _BY_NAME.get(facts["class"])
    if kind is None:
        msg = (
            f"it names the class {str(facts['class'])[:80]!r}; {', '.join(sorted(_BY_NAME))} "
            "are known. It was altered or written by a newer version."
        )
        raise ModelFileError(msg)
    return kind.from_state(facts, arrays)
