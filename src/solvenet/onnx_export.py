"""Export to ONNX, run and measured before the file is written."""

from __future__ import annotations

import json
import os
import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erfcx, softmax
from sklearn.utils.validation import check_is_fitted

from solvenet._array_api import to_numpy
from solvenet._files import write_atomically
from solvenet._validation import check_choice, import_optional
from solvenet.errors import ExportAccuracyWarning, InvalidDataError, InvalidSettingError
from solvenet.estimators import (
    SampledFeatures,
    SampledNetworkClassifier,
    SampledNetworkRegressor,
)
from solvenet.features.activations import name_of

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import InputScaling
    from solvenet.networks import HiddenMap

OPSET = 18
IR_VERSION = 9
"""Those of ONNX 1.14 (2023): runtimes read what is older than they are."""

ACCURACY = 1e-6
"""Relative errors above this are warned of."""

SAMPLE_ROWS = 256

_OPERATORS = {
    "tanh": "Tanh",
    "relu": "Relu",
    "sin": "Sin",
    "cos": "Cos",
    "sigmoid": "Sigmoid",
    "identity": "Identity",
}


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
    model : SampledNetworkRegressor, SampledNetworkClassifier or SampledFeatures
        The fitted model.
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
    if not isinstance(model, SampledNetworkRegressor | SampledNetworkClassifier | SampledFeatures):
        msg = (
            f"A {type(model).__name__} was given; a sampled network is wanted. Of a pipeline "
            "give the network, pipeline[-1]; its inputs are the encoded columns."
        )
        raise InvalidSettingError(msg)
    check_is_fitted(model)
    given = sample is not None
    X = _checked(sample, model.n_features_in_) if given else _drawn(model.hidden_.scaling)
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


class _Graph:
    """Nodes and constants of an ONNX graph in one precision, named as they come."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.onnx = import_optional("onnx", extra="onnx", purpose="Exporting to ONNX")
        self.dtype = dtype
        self.type = self.onnx.helper.np_dtype_to_tensor_dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:
        """Add a constant of this precision."""
        return self._constant(np.asarray(value, dtype=self.dtype))

    def index(self, value: int) -> str:
        """Add a whole number, such as an axis."""
        return self._constant(np.array([value], dtype=np.int64))

    def _constant(self, array: Array) -> str:
        name = f"constant_{len(self.constants)}"
        array = np.ascontiguousarray(array) if array.ndim else array
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            self.onnx.helper.make_node(operator, list(inputs), [output], **attributes)
        )
        return output

    def serialize(self, n_features: int, outputs: dict[str, Any], facts: dict[str, str]) -> bytes:
        """Return the checked model as bytes; `outputs` are shapes by name."""
        helper = self.onnx.helper
        of = {"label_index": self.onnx.TensorProto.INT64}
        graph = helper.make_graph(
            self.nodes,
            "solvenet",
            [helper.make_tensor_value_info("X", self.type, ["n_rows", n_features])],
            [
                helper.make_tensor_value_info(name, of.get(name, self.type), ["n_rows", *shape])
                for name, shape in outputs.items()
            ],
            self.constants,
        )
        model = helper.make_model(
            graph,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="solvenet",
            producer_version=version("solvenet"),
        )
        helper.set_model_props(model, facts)
        self.onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()  # type: ignore[no-any-return]


def _graph(model: Any, dtype: np.dtype[Any]) -> tuple[bytes, list[str]]:
    """Return the exported model as bytes and the names of its outputs."""
    graph = _Graph(dtype)
    hidden = model.hidden_
    H = _hidden(graph, hidden)
    outputs: dict[str, Any]
    facts = {"class": type(model).__name__}
    if isinstance(model, SampledFeatures):
        graph.add("Identity", H, output="features")
        outputs = {"features": [hidden.n_features_out]}
    else:
        readout = model.network_.readout
        out = _affine(graph, H, readout.coef, readout.intercept)
        if readout.low is not None:
            out = _between(graph, out, readout.low, readout.high)
        if isinstance(model, SampledNetworkClassifier):
            graph.add("Softmax", out, output="probabilities", axis=1)
            graph.add("ArgMax", out, output="label_index", axis=1, keepdims=0)
            outputs = {"probabilities": [len(model.classes_)], "label_index": []}
            facts["classes"] = json.dumps(model.classes_.tolist(), default=str)
        elif model._one_target:
            graph.add("Squeeze", out, graph.index(1), output="prediction")
            outputs = {"prediction": []}
        else:
            graph.add("Identity", out, output="prediction")
            outputs = {"prediction": [len(readout.intercept)]}
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        facts["feature_names"] = json.dumps([str(name) for name in names])
    return graph.serialize(hidden.n_features_in, outputs, facts), list(outputs)


def _hidden(graph: _Graph, hidden: HiddenMap) -> str:
    """Add scaling, layers and what bypasses them; return the features."""
    scaling = hidden.scaling
    X = "X"
    if scaling.low is not None and scaling.high is not None:
        X = _between(graph, X, scaling.low, scaling.high)
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
        Z = _affine(graph, Z, layer.weights, layer.biases)
        Z = _gelu(graph, Z) if name == "gelu" else graph.add(_OPERATORS[name], Z)
    if hidden.skip == 0:
        return Z
    straight = graph.add("Mul", straight, graph.constant(hidden.skip))
    return graph.add("Concat", Z, straight, axis=1)


def _shifted(graph: _Graph, X: str, center: Array, factor: Array, radius: float | None) -> str:
    Z = graph.add("Sub", X, graph.constant(center))
    Z = graph.add("Mul", Z, graph.constant(factor))
    if radius is None:
        return Z
    length = graph.add("ReduceL2", Z, graph.index(1), keepdims=1)
    tiny = graph.constant(np.finfo(graph.dtype).tiny)
    shrink = graph.add("Div", graph.constant(radius), graph.add("Max", length, tiny))
    return graph.add("Mul", Z, graph.add("Min", shrink, graph.constant(1.0)))


def _between(graph: _Graph, X: str, low: Array, high: Array) -> str:
    # Clip takes one number for all columns only.
    return graph.add("Min", graph.add("Max", X, graph.constant(low)), graph.constant(high))


def _affine(graph: _Graph, X: str, weights: Array, biases: Array) -> str:
    return graph.add("Gemm", X, graph.constant(weights), graph.constant(biases))


def _gelu(graph: _Graph, Z: str) -> str:
    """Add ``z * ndtr(z)``."""
    if graph.dtype == np.float32:
        half = graph.add("Mul", Z, graph.constant(0.5))
        erf = graph.add("Erf", graph.add("Mul", Z, graph.constant(np.sqrt(0.5))))
        return graph.add("Mul", half, graph.add("Add", erf, graph.constant(1.0)))
    # erfc(a) = t exp(-a^2 + f(u)) for a >= 0, with t = 2 / (2 + a), u = 2 t - 1 and a
    # Chebyshev series f, exact to rounding; evaluated by Clenshaw's recurrence.
    one, two = graph.constant(1.0), graph.constant(2.0)
    a = graph.add("Mul", graph.add("Abs", Z), graph.constant(np.sqrt(0.5)))
    t = graph.add("Div", two, graph.add("Add", a, two))
    twice_u = graph.add("Mul", graph.add("Sub", graph.add("Mul", t, two), one), two)
    first, second = graph.constant(0.0), graph.constant(0.0)
    series = _erfc_series()
    for c in series[:0:-1]:
        step = graph.add("Sub", graph.add("Mul", twice_u, first), second)
        first, second = graph.add("Add", step, graph.constant(c)), first
    half_u = graph.add("Mul", graph.add("Mul", twice_u, first), graph.constant(0.5))
    f = graph.add("Add", graph.add("Sub", half_u, second), graph.constant(series[0]))
    exponent = graph.add("Sub", f, graph.add("Mul", a, a))
    tail = graph.add("Mul", graph.add("Mul", t, graph.add("Exp", exponent)), graph.constant(0.5))
    # z ndtr(z) = max(z, 0) - |z| tail on both sides of zero.
    left_out = graph.add("Mul", graph.add("Abs", Z), tail)
    return graph.add("Sub", graph.add("Relu", Z), left_out)


def _erfc_series() -> Array:
    """Return the Chebyshev coefficients of ``log(erfcx(a) / t)`` in u = 2 t - 1."""

    def f(u: Array) -> Array:
        t = (1.0 + u) / 2.0
        return np.log(erfcx(2.0 / t - 2.0) / t)  # type: ignore[no-any-return]

    return chebyshev.chebinterpolate(f, 27)
