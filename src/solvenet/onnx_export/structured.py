"""Structured networks as pieces of an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.onnx_export.graph import activated, affine, between
from solvenet.structured import MMNN

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.estimators import MMNNRegressor
    from solvenet.onnx_export.graph import Graph
    from solvenet.structured import Shallow


def add_structured(graph: Graph, model: MMNNRegressor | MMNN) -> tuple[str, int, int, bool]:
    """Add a fitted regressor, or a network.

    Returns
    -------
    output : str
        Name of the node.
    n_inputs, n_outputs : int
        Columns.
    one_target : bool
        Whether targets had one axis.
    """
    if isinstance(model, MMNN):
        n = model.n_outputs
        return _network(graph, "X", model), model.n_inputs, n, n == 1
    X = between(graph, "X", *model._reach)
    result = model.result_
    parts = []
    if result.network is not None:
        parts.append(_network(graph, X, result.network))
    if result.correction is not None:
        parts.append(_shallow(graph, X, result.correction))
    out = parts[0] if len(parts) == 1 else graph.add("Add", *parts)
    return out, model.n_features_in_, (*model._shape, 1)[0], not model._shape


def drawn_rows(model: MMNNRegressor | MMNN, n: int) -> Array:
    """Return rows of the domain."""
    low, high = map(
        np.asarray, (model.low, model.high) if isinstance(model, MMNN) else model._reach
    )
    return np.random.default_rng(0).uniform(low, high, (n, len(low)))


def _network(graph: Graph, X: str, network: MMNN) -> str:
    H = _to_cube(graph, X, network)
    for number, layer in enumerate(network.layers):
        S = activated(graph, affine(graph, H, layer.W, layer.b), network.activation)
        values = affine(graph, S, layer.A, layer.c)
        if n := network.n_passed(number):
            # The first n channels pass: a product, for not all runtimes slice and pad in float64.
            passing = np.eye(len(layer.W), len(layer.c)) * (np.arange(len(layer.c)) < n)
            values = graph.add("Add", values, graph.add("MatMul", H, graph.constant(passing)))
        H = values
    return H


def _shallow(graph: Graph, X: str, shallow: Shallow) -> str:
    units: Any = shallow.features
    Z = affine(graph, _to_cube(graph, X, shallow), units.weights, units.biases)
    H = activated(graph, Z, units.activation.name)
    return affine(graph, H, shallow.coef, shallow.intercept)


def _to_cube(graph: Graph, X: str, part: MMNN | Shallow) -> str:
    low, high = np.asarray(part.low), np.asarray(part.high)
    Z = graph.add("Sub", X, graph.constant((low + high) / 2))
    return graph.add("Mul", Z, graph.constant(2 / (high - low)))
