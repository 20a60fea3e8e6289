"""What a plan tries: networks and elements of a given size, fitted to rows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg

from solvenet._random import stream
from solvenet._validation import as_numbers, check_finite
from solvenet.analysis.elements import Elements
from solvenet.analysis.precision import machine_epsilon
from solvenet.analysis.specification import NetworkSpec
from solvenet.analysis.variation import Neighbours
from solvenet.errors import FewPairsWarning, InvalidDataError
from solvenet.features import SWIM, DenseMap, get_activation

if TYPE_CHECKING:
    from solvenet._array_api import Array

_FIT_ROWS, _TEST_ROWS = 2000, 1000
_CHEAPER = (("float32", True), ("float32", False), ("float64", True))
_SAFETY = 4.0
_COMPONENT_UNITS, _COMPONENT_SCALE = 12, 2.0
"""Units of each component, and their slope on its part of the inputs stretched to [-1, 1]."""


@dataclass(frozen=True)
class Proposal:
    """A network or elements of a certain size, and what they reached when tried.

    Attributes
    ----------
    kind : str
        ``"relu"``, ``"relu, adaptive biases"``, ``"tanh"``, ``"tanh, sampled"``, ``"sin"``,
        ``"components"``, ``"elements"`` or ``"graded elements"``.
    size : int
        Hidden units, or nodes.
    n_parameters : int
        Numbers that are stored: weights, biases and read-out; of elements nodes and values.
    spec : NetworkSpec or None
        The network, where one of :class:`NetworkSpec` describes it.
    precision : str
        Cheapest arithmetic that reaches the error: ``"float32 by the Gram matrix"``,
        ``"float32"``, ``"float64 by the Gram matrix"`` or ``"float64"``.
    error : float
        Root mean squared error on rows that were not fitted, over the targets' deviation.
    flops : float
        Floating-point operations of the solve on the rows that were tried.
    function : callable
        What was fitted: takes an array of shape (m, d), or (m,) where d is 1, returns (m,).
    """

    kind: str
    size: int
    n_parameters: int
    spec: NetworkSpec | None
    precision: str
    error: float
    flops: float
    function: Callable[[Array], Array] = field(repr=False)

    def __str__(self) -> str:
        """Return the proposal on one line."""
        scale = "" if self.spec is None or self.spec.scale == 1 else f", scale {self.spec.scale:g}"
        return (
            f"{self.kind}: {self.size} units{scale}, {self.n_parameters} numbers, in "
            f"{self.precision}: error {self.error:.1e}, {self.flops:.1e} flops"
        )


@dataclass(frozen=True, eq=False)
class PlanRows:
    """Rows to fit and rows to test on, inputs scaled to [-1, 1] and targets by `size`."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array
    low: Array
    high: Array
    size: float

    @classmethod
    def of(cls, f: Any, y: Any, dimension: int, random_state: int) -> PlanRows:
        """Return points of a function, or rows of data, checked and split."""
        rng = stream(random_state, "plan")
        if callable(f):
            X = rng.uniform(-1.0, 1.0, (_FIT_ROWS + _TEST_ROWS, dimension))
            # The ends are points of a function too, and elements want them.
            corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * min(dimension, 8)), -1)
            corners = corners.reshape(-1, min(dimension, 8))
            X[: len(corners), : corners.shape[1]] = corners
            y = _values(f, X[:, 0] if dimension == 1 else X)
            n_fit, order = _FIT_ROWS, np.arange(len(X))
        else:
            X = as_numbers("X", f)
            X = X[:, None] if X.ndim == 1 else X
            y = as_numbers("y", y) if y is not None else np.zeros(0)
            y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
            order = rng.permutation(len(X))[: _FIT_ROWS + _TEST_ROWS]
            n_fit = (2 * len(order)) // 3
        if X.ndim != 2 or y.shape != X.shape[:1] or len(X) < 64:
            msg = (
                f"Rows of shape {X.shape} and targets of shape {y.shape} were given; at least 64 "
                "rows, and a number for each, are wanted (for a function: f(x) of shape (m,))."
            )
            raise InvalidDataError(msg)
        check_finite("X", X)
        check_finite("f(x)" if callable(f) else "y", y)
        if np.ptp(y) == 0:
            msg = "All targets are equal: a constant represents them. Give targets that vary."
            raise InvalidDataError(msg)
        size = float(np.abs(y).max())
        y = y / size
        low, high = X.min(axis=0), X.max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        Z = np.clip((X - low) * (2.0 / span) - 1.0, -1.0, 1.0)
        fit, test = order[:n_fit], order[n_fit:]
        return cls(Z[fit], y[fit], Z[test], y[test], low, low + span, size)

    @property
    def dimension(self) -> int:
        """Columns of the inputs."""
        return int(self.X.shape[1])

    def error(self, prediction: Array) -> float:
        """Return the error on the rows to test on, over the targets' standard deviation."""
        return float(np.sqrt(np.mean((prediction - self.y_test) ** 2)) / self.y_test.std())

    def scaled(self, X: Array) -> Array:
        """Return inputs in the units of the rows, shape (m, d)."""
        X = np.asarray(X, dtype=np.float64)
        X = X[:, None] if X.ndim == 1 else X
        return (X - self.low) * (2.0 / (self.high - self.low)) - 1.0


Try = Callable[[int, float], Proposal]
"""From a size and an error wanted to what was reached."""


def candidates(data: PlanRows, random_state: int) -> Iterator[Try]:
    """Yield what is tried, cheap and small ones first."""
    near = Neighbours(data.X)
    Y = data.y[:, None]
    wave = max(1.0, near.wavenumber(Y) * math.sqrt(data.dimension))
    for factor in (1.2, 2.0, 4.0):
        spec = NetworkSpec(activation="sin", scale=float(f"{factor * wave:.3g}"))
        yield partial(_network, data, spec, random_state)
    for factor in (0.3, 1.0, 3.0):
        spec = NetworkSpec(activation="tanh", scale=float(f"{factor * wave:.3g}"))
        yield partial(_network, data, spec, random_state)
    yield partial(_sampled, data, random_state)
    if data.dimension <= 2:
        yield partial(_elements, data, False)
    if data.dimension == 1:
        yield partial(_components, data)
        yield partial(_elements, data, True)
        yield partial(_adaptive, data)
    yield partial(_network, data, NetworkSpec(), random_state)


def _network(
    data: PlanRows, spec: NetworkSpec, random_state: int, size: int, tol: float
) -> Proposal:
    """Fit a shallow network of a specification."""
    spec = NetworkSpec(width=size, activation=spec.activation, scale=spec.scale)
    layer = spec.layer(data.dimension, random_state=random_state)
    # A weight of one in one dimension need not be stored.
    n_hidden = size if data.dimension == 1 and spec.activation == "relu" else _numbers(layer)
    return _solved(data, str(spec.activation), layer, n_hidden, spec, tol)


def _sampled(data: PlanRows, random_state: int, size: int, tol: float) -> Proposal:
    """Fit a tanh network whose units are sampled from pairs of rows."""
    tanh = get_activation("tanh")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewPairsWarning)
        layer = SWIM().sample(data.X, data.y[:, None], size, activation=tanh, seed=random_state)
    return _solved(data, "tanh, sampled", layer, _numbers(layer), None, tol)


def _adaptive(data: PlanRows, size: int, tol: float) -> Proposal:
    """Fit a ReLU network whose biases follow the variation of the targets."""
    biases = _graded(data, size)
    layer = DenseMap(np.ones((1, len(biases))), -biases, get_activation("relu"))
    return _solved(data, "relu, adaptive biases", layer, len(biases), None, tol)


def _components(data: PlanRows, size: int, tol: float) -> Proposal:
    """Fit a sum of tanh networks, each of the input held in a part of it and stretched."""
    n_parts = max(2, round(size / _COMPONENT_UNITS))
    ends = _graded(data, n_parts + 1)
    n_parts, width = len(ends) - 1, max(2, size // n_parts)
    spec = NetworkSpec(width=width, activation="tanh", scale=_COMPONENT_SCALE)
    layer = spec.layer(1)

    def hidden(X: Array) -> Array:
        held = np.clip(X, ends[:-1], ends[1:])
        stretched = 2.0 * (held - ends[:-1]) / np.diff(ends) - 1.0
        return layer(stretched.reshape(-1, 1)).reshape(len(X), n_parts * width)

    # All components share one layer; besides it there are the ends of the parts.
    return _solved(data, "components", hidden, 2 * width + n_parts - 1, None, tol)


def _solved(
    data: PlanRows,
    kind: str,
    hidden: Callable[[Array], Array],
    n_hidden: int,
    spec: NetworkSpec | None,
    tol: float,
) -> Proposal:
    """Solve for a read-out, in the cheapest arithmetic that is good enough.

    `n_hidden` numbers make up the hidden units.
    """
    A = hidden(data.X)
    center, mean = A.mean(axis=0), float(data.y.mean())
    A -= center
    A_test, y = hidden(data.X_test) - center, data.y - mean
    name, coef = "float64", _coefficients(A, y, "float64", gram=False)
    error = data.error(A_test @ coef + mean)
    for precision, gram in _CHEAPER if error <= tol else ():
        cheaper = _coefficients(A, y, precision, gram=gram)
        found = data.error(A_test @ cheaper + mean)
        if found <= tol:
            name = precision + (" by the Gram matrix" if gram else "")
            error, coef = found, cheaper
            break

    def function(X: Array) -> Array:
        out: Array = data.size * ((hidden(data.scaled(X)) - center) @ coef + mean)
        return out

    size = A.shape[1]
    return Proposal(
        kind, size, n_hidden + size + 1, spec, name, error, 2.0 * A.size * size, function
    )


def _numbers(layer: DenseMap) -> int:
    return int(layer.weights.size + layer.biases.size)


def _values(f: Callable[[Array], Array], X: Array) -> Array:
    """Return a function's values at points, one a row."""
    try:
        return as_numbers("f(x)", f(X))
    except TypeError as error:
        msg = (
            f"f failed for points of shape {X.shape} ({error}). Give a vectorised function, such "
            "as lambda x: np.sin(x), or wrap it in np.vectorize."
        )
        raise InvalidDataError(msg) from error


def _coefficients(A: Array, y: Array, precision: str, *, gram: bool) -> Array:
    """Return least-squares coefficients, all steps in the precision."""
    A, y, eps = A.astype(precision), y.astype(precision), _SAFETY * machine_epsilon(precision)
    if gram:
        values, V = linalg.eigh(A.T @ A, check_finite=False)
        kept = values > eps * values[-1]
        V = V[:, kept]
        out = V @ ((V.T @ (A.T @ y)) / values[kept])
    else:
        U, s, Vt = linalg.svd(A, full_matrices=False, check_finite=False)
        kept = s > eps * s[0]
        out = Vt[kept].T @ ((U[:, kept].T @ y) / s[kept])
    return np.asarray(out, dtype=np.float64)


def _elements(data: PlanRows, graded: bool, size: int, tol: float) -> Proposal:
    """Fit linear or bilinear elements of about `size` nodes."""
    if data.dimension == 1:
        knots: Any = _graded(data, size) if graded else np.linspace(-1.0, 1.0, size)
        numbers = size * (2 if graded else 1)
    else:
        side = max(2, round(math.sqrt(size)))
        knots, numbers = (np.linspace(-1.0, 1.0, side),) * 2, side * side
    elements = Elements(knots)
    X = data.X[:, 0] if data.dimension == 1 else data.X
    fitted = elements.fit(X, data.y)

    def function(X: Array) -> Array:
        Z = np.clip(data.scaled(X), -1.0, 1.0)
        return data.size * fitted(Z[:, 0] if data.dimension == 1 else Z)

    X_test = data.X_test[:, 0] if data.dimension == 1 else data.X_test
    single = np.finfo(np.float32).eps * fitted.condition <= tol
    return Proposal(
        "graded elements" if graded else "elements", fitted.n_dof, numbers, None,
        "float32" if single else "float64", data.error(fitted(X_test)),
        20.0 * len(data.y) * 2**data.dimension, function,
    )  # fmt: skip


def _graded(data: PlanRows, size: int) -> Array:
    """Return knots that hold equal shares of the variation, and of the length."""
    order = np.argsort(data.X[:, 0], kind="stable")
    x, y = data.X[order, 0], data.y[order]
    step = np.abs(np.diff(y))
    # The square root of the slope is what piecewise linear functions want; a part by length
    # keeps flat stretches from having no knot at all.
    density = np.sqrt(step * np.diff(x))
    share = np.concatenate([[0.0], np.cumsum(density / max(density.sum(), 1e-300))])
    share = 0.8 * share + 0.2 * (x - x[0]) / (x[-1] - x[0])
    knots = np.interp(np.linspace(0.0, 1.0, size), share, x)
    knots[0], knots[-1] = -1.0, 1.0
    return np.unique(knots)
