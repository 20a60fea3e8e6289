"""ONNX graphs: nodes and constants, and the pieces that networks are made of."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erfcx

from solvenet._validation import import_optional

if TYPE_CHECKING:
    from solvenet._array_api import Array

OPSET = 18
IR_VERSION = 9
"""Those of ONNX 1.14 (2023): runtimes read what is older than they are."""

OPERATORS = {
    "tanh": "Tanh",
    "relu": "Relu",
    "sin": "Sin",
    "cos": "Cos",
    "sigmoid": "Sigmoid",
    "identity": "Identity",
}


class Graph:
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


def between(graph: Graph, X: str, low: Array, high: Array) -> str:
    """Add the columns of X moved to the bounds of a box."""
    # Clip takes one number for all columns only.
    return graph.add("Min", graph.add("Max", X, graph.constant(low)), graph.constant(high))


def affine(graph: Graph, X: str, weights: Array, biases: Array) -> str:
    """Add ``X @ weights + biases``."""
    return graph.add("Gemm", X, graph.constant(weights), graph.constant(biases))


def activated(graph: Graph, Z: str, name: str) -> str:
    """Add an activation that has a name."""
    return gelu(graph, Z) if name == "gelu" else graph.add(OPERATORS[name], Z)


def gelu(graph: Graph, Z: str) -> str:
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
