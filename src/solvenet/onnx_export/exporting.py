"""Export to ONNX, run and measured before the file is written."""

from __future__ import annotations

import json
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from solvenet._array_api import to_numpy
from solvenet._files import write_atomically
from solvenet._validation import check_choice, import_optional
from solvenet.errors import ExportAccuracyWarning, InvalidDataError, InvalidSettingError
from solvenet.estimators import (
    MMNNRegressor,
    SampledFeatures,
    SampledNetworkClassifier,
    SampledNetworkRegressor,
)
from solvenet.features.activations import name_of
from solvenet.onnx_export.graph import OPSET, Graph, activated, affine, between
from solvenet.onnx_export.structured import add_structured, drawn_rows
from solvenet.structured import MMNN

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import InputScaling
    from solvenet.networks import HiddenMap

ACCURACY = 1e-6
"""Relative errors above this are warned of."""

SAMPLE_ROWS = 256


def to_onnx(
    model: Any,
    path: str | os.PathLike[str],
    *,
    sample: Any = None,
    dtype: str = "float64",
) -> dict[str, Any]:
    """Write a fitted model as an ONNX file, and measure how well it agrees.

    Parameters
    ----------
    model : SampledNetworkRegressor, SampledNetworkClassifier, SampledFeatures or MMNNRegressor
        The fitted model; or an MMNN, of a torch module ``module.to_arrays()``.
    path : path-like
        The file; an existing one is replaced at the very end and in one step.
    sample : array-like of shape (n_rows, n_features), optional
        Inputs on which exported and original model are compared. By default 256 rows
        drawn from the range that the model has seen.
    dtype : {"float64", "float32"}, default="float64"
        Precision of inputs, weights and outputs. float32 files are half as large and run
        on more devices; read-outs of ill-conditioned solves lose digits in them.

    Returns
    -------
    dict
        ``max_absolute_error`` and ``max_relative_error`` (of the largest output of the
        same column), ``n_rows`` compared, ``sample`` ("given" or "drawn"), ``dtype``,
        ``opset``, ``inputs``, ``outputs`` (names) and ``n_bytes``.

    Raises
    ------
    MissingExtraError
        onnx or onnxruntime is not installed.
    InvalidSettingError
        A model that cannot be exported: an activation given as a function, a pipeline.
    InvalidDataError
        A sample of the wrong shape.
    OSError
        The file cannot be written.

    Warns
    -----
    ExportAccuracyWarning
        The relative error is above 1e-6.

    Notes
    -----
    *Graph.* Input ``X`` of shape (n_rows, n_features). Outputs: ``prediction`` in the
    shape of ``predict``; for classifiers ``probabilities`` and ``label_index``, a column
    number into the JSON list ``classes`` in the metadata of the file; ``features`` for
    transformers. Only operators that ONNX Runtime has on the CPU in both precisions are
    used; it has no error function in float64, so that the one of gelu is a Chebyshev
    series there.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from solvenet import SampledNetworkRegressor
    >>> from solvenet.onnx_export import to_onnx
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> model = SampledNetworkRegressor(20, random_state=0).fit(X, np.sin(X[:, 0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = to_onnx(model, Path(folder) / "model.onnx", sample=X)
    >>> report["max_relative_error"] < 1e-9
    True
    """
    check_choice("dtype", dtype, ("float64", "float32"))
    structured = isinstance(model, MMNNRegressor | MMNN)
    sampled = SampledNetworkRegressor | SampledNetworkClassifier | SampledFeatures
    if not (structured or isinstance(model, sampled)):
        msg = (
            f"A {type(model).__name__} was given; a sampled or structured network is wanted. Of a "
            "pipeline give the network, pipeline[-1]; its inputs are the encoded columns."
        )
        raise InvalidSettingError(msg)
    if not isinstance(model, MMNN):  # which is arrays already
        check_is_fitted(model)
    given = sample is not None
    if given:
        n_inputs = model.n_inputs if isinstance(model, MMNN) else model.n_features_in_
        X = _checked(sample, n_inputs)
    else:
        drawn = drawn_rows(model, SAMPLE_ROWS) if structured else None
        X = _drawn(model.hidden_.scaling) if drawn is None else drawn
    payload, outputs = _graph(model, np.dtype(dtype))
    report = _compare(payload, outputs[0], X.astype(dtype), _expected(model, X))
    report |= {
        "n_rows": len(X),
        "sample": "given" if given else "drawn",
        "dtype": dtype,
        "opset": OPSET,
        "inputs": ["X"],
        "outputs": outputs,
        "n_bytes": len(payload),
    }
    write_atomically(path, payload)
    # Not "above": an error that is nan has to be told of as well.
    if not report["max_relative_error"] <= ACCURACY:
        advice = "Export in float64" if dtype == "float32" else "Raise alpha"
        msg = (
            f"The exported model differs from the original by {report['max_relative_error']:.1e} "
            f"of its largest output ({report['max_absolute_error']:.1e} in absolute terms, "
            f"{len(X)} rows). {advice} if that is too much."
        )
        warnings.warn(msg, ExportAccuracyWarning, stacklevel=2)
    return report


def _checked(sample: Any, n_features: int) -> Array:
    X = np.asarray(to_numpy(sample), dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != n_features or len(X) == 0 or not np.isfinite(X).all():
        msg = (
            f"sample of shape {X.shape} was given; at least one row of {n_features} finite "
            "numbers is wanted."
        )
        raise InvalidDataError(msg)
    return X


def _drawn(scaling: InputScaling) -> Array:
    """Return rows from the box of the training data, or around their center."""
    rng = np.random.default_rng(0)
    shape = (SAMPLE_ROWS, scaling.n_features_in)
    if scaling.low is not None and scaling.high is not None:
        return rng.uniform(scaling.low, scaling.high, shape)
    spread = 1.0 / np.where(scaling.factor > 0, scaling.factor, np.inf)
    return scaling.center + spread * rng.standard_normal(shape)


def _expected(model: Any, X: Array) -> Array:
    """Return what the first output should be, from the arrays of the model."""
    if isinstance(model, MMNN):
        return model(X)
    if isinstance(model, MMNNRegressor):
        return model.values(X)
    if isinstance(model, SampledFeatures):
        return model.hidden_(X)
    out = model.network_(X)
    if isinstance(model, SampledNetworkClassifier):
        return softmax(out, axis=1)  # type: ignore[no-any-return]
    return out[:, 0] if model._one_target else out  # type: ignore[no-any-return]


def _compare(payload: bytes, output: str, rows: Array, wanted: Array) -> dict[str, Any]:
    """Run the exported model on the rows and return its largest errors."""
    runtime = import_optional("onnxruntime", extra="onnx", purpose="Checking an ONNX file")
    session = runtime.InferenceSession(payload, providers=["CPUExecutionProvider"])
    found = np.asarray(session.run([output], {"X": rows})[0], dtype=np.float64)
    error = np.abs(found - wanted).max(axis=0)
    largest = np.abs(wanted).max(axis=0)
    relative = error / np.where(largest > 0, largest, 1.0)
    return {
        "max_absolute_error": float(error.max()),
        "max_relative_error": float(relative.max()),
    }


def _graph(model: Any, dtype: np.dtype[Any]) -> tuple[bytes, list[str]]:
    """Return the exported model as bytes and the names of its outputs."""
    graph = Graph(dtype)
    outputs: dict[str, Any]
    facts = {"class": type(model).__name__}
    if isinstance(model, MMNNRegressor | MMNN):
        out, n_inputs, n_outputs, one = add_structured(graph, model)
        outputs = _prediction(graph, out, n_outputs, one_target=one)
    elif isinstance(model, SampledFeatures):
        n_inputs = model.hidden_.n_features_in
        graph.add("Identity", _hidden(graph, model.hidden_), output="features")
        outputs = {"features": [model.hidden_.n_features_out]}
    else:
        n_inputs, readout = model.hidden_.n_features_in, model.network_.readout
        out = affine(graph, _hidden(graph, model.hidden_), readout.coef, readout.intercept)
        if readout.low is not None:
            out = between(graph, out, readout.low, readout.high)
        if isinstance(model, SampledNetworkClassifier):
            graph.add("Softmax", out, output="probabilities", axis=1)
            graph.add("ArgMax", out, output="label_index", axis=1, keepdims=0)
            outputs = {"probabilities": [len(model.classes_)], "label_index": []}
            facts["classes"] = json.dumps(model.classes_.tolist(), default=str)
        else:
            count = len(readout.intercept)
            outputs = _prediction(graph, out, count, one_target=model._one_target)
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        facts["feature_names"] = json.dumps([str(name) for name in names])
    return graph.serialize(n_inputs, outputs, facts), list(outputs)


def _prediction(graph: Graph, out: str, n_targets: int, *, one_target: bool) -> dict[str, Any]:
    """Add the output in the shape of ``predict``; return its shape by name."""
    if one_target:
        graph.add("Squeeze", out, graph.index(1), output="prediction")
        return {"prediction": []}
    graph.add("Identity", out, output="prediction")
    return {"prediction": [n_targets]}


def _hidden(graph: Graph, hidden: HiddenMap) -> str:
    """Add scaling, layers and what bypasses them; return the features."""
    scaling = hidden.scaling
    X = "X"
    if scaling.low is not None and scaling.high is not None:
        X = between(graph, X, scaling.low, scaling.high)
    Z = straight = _shifted(graph, X, scaling.center, scaling.factor, scaling.radius)
    if scaling.mean is not None and scaling.precision is not None and hidden.skip:
        straight = _shifted(graph, X, scaling.mean, scaling.precision, scaling.radius)
    if scaling.bend is not None and scaling.gain is not None:
        bend = graph.add("Mul", Z, graph.constant(scaling.bend))
        bend = graph.add("Add", graph.add("Mul", bend, bend), graph.constant(1.0))
        bend = graph.add("Div", graph.constant(scaling.gain), graph.add("Sqrt", bend))
        Z = graph.add("Mul", Z, bend)
    for layer in hidden.layers.layers:
        name = name_of(layer.activation, purpose="An ONNX file")
        Z = affine(graph, Z, layer.weights, layer.biases)
        Z = activated(graph, Z, name)
    if hidden.skip == 0:
        return Z
    straight = graph.add("Mul", straight, graph.constant(hidden.skip))
    return graph.add("Concat", Z, straight, axis=1)


def _shifted(graph: Graph, X: str, center: Array, factor: Array, radius: float | None) -> str:
    Z = graph.add("Sub", X, graph.constant(center))
    Z = graph.add("Mul", Z, graph.constant(factor))
    if radius is None:
        return Z
    length = graph.add("ReduceL2", Z, graph.index(1), keepdims=1)
    tiny = graph.constant(np.finfo(graph.dtype).tiny)
    shrink = graph.add("Div", graph.constant(radius), graph.add("Max", length, tiny))
    return graph.add("Mul", Z, graph.add("Min", shrink, graph.constant(1.0)))
