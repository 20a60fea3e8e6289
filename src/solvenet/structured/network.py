"""A multi-component, multi-layer network as plain arrays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_choice, check_finite
from solvenet.errors import InvalidDataError
from solvenet.features.activations import ACTIVATIONS
from solvenet.features.slopes import SLOPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solvenet._array_api import Array

_NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class Layer:
    """One shallow network: ``h = activation(x W + b) A + c``.

    Attributes
    ----------
    W : array of shape (n_in, width)
        Inner weights, one column a unit.
    b : array of shape (width,)
        Inner biases.
    A : array of shape (width, n_out)
        Outer weights, one column a component.
    c : array of shape (n_out,)
        Outer constants.
    """

    W: Array
    b: Array
    A: Array
    c: Array

    def __post_init__(self) -> None:
        """Convert and check the arrays."""
        for name in ("W", "b", "A", "c"):
            array = np.asarray(getattr(self, name), dtype=np.float64)
            check_finite(name, array)
            object.__setattr__(self, name, array)
        width = len(self.b)
        if not (
            self.W.ndim == self.A.ndim == 2
            and self.b.shape == (self.W.shape[1],)
            and self.A.shape == (width, len(self.c))
        ):
            msg = (
                f"A layer of shapes W {self.W.shape}, b {self.b.shape}, A {self.A.shape}, c "
                f"{self.c.shape} was given; (n_in, width), (width,), (width, n_out), (n_out,) "
                "are wanted."
            )
            raise InvalidDataError(msg)


@dataclass(frozen=True, eq=False)
class MMNN:
    """A composition of shallow networks with few channels between them.

    ``h_l = activation(h_{l-1} W_l + b_l) A_l + c_l`` for l = 1, ..., depth, with width units in
    each layer and rank channels between layers. By default the random W_l, b_l stay as they
    are, and A_l, c_l are fitted: every layer is a linear combination of fixed functions of what
    came before. Made by :func:`random_mmnn`, fitted by :func:`solve_mmnn`.

    Parameters
    ----------
    layers : tuple of Layer
        From first to last; channels must fit.
    activation : str, default="relu"
        A name of ``solvenet.features.ACTIVATIONS``.
    residual : bool, default=False
        Whether layers other than the first and the last add their inputs to their outputs.
    fixed : bool, default=True
        Whether W and b are kept by solvers; A and c never are.
    low, high : array of shape (n_inputs,), optional
        The domain, -1 to 1 by default; it is mapped to [-1, 1]^d before the first layer.

    Raises
    ------
    InvalidDataError
        No layer, shapes that do not fit, NaN, an empty domain.
    InvalidSettingError
        An unknown activation.

    References
    ----------
    S. Zhang, H. Zhao, Y. Zhong, H. Zhou (2024), Structured and balanced multi-component and
    multi-layer neural networks, arXiv:2407.00765; with sines arXiv:2502.18959.

    Examples
    --------
    >>> from solvenet.structured import random_mmnn
    >>> network = random_mmnn(100, 10, 6, n_inputs=2)
    >>> network.n_parameters, network.n_numbers
    (5151, 10951)
    """

    layers: tuple[Layer, ...] = field(repr=False)
    activation: str = "relu"
    residual: bool = False
    fixed: bool = True
    low: Array | None = field(default=None, repr=False)
    high: Array | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check that everything fits, and fill in the domain."""
        check_choice("activation", self.activation, tuple(SLOPES))
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            msg = "An MMNN without layers was given; at least one is wanted."
            raise InvalidDataError(msg)
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.A.shape[1] != after.W.shape[0]:
                msg = (
                    f"A layer of {before.A.shape[1]} outputs stands before one of "
                    f"{after.W.shape[0]} inputs; equal numbers are wanted."
                )
                raise InvalidDataError(msg)
        ones = np.ones(self.n_inputs)
        low = -ones if self.low is None else np.asarray(self.low, dtype=np.float64) * ones
        high = ones if self.high is None else np.asarray(self.high, dtype=np.float64) * ones
        if not (np.isfinite(low) & np.isfinite(high) & (low < high)).all():
            msg = (
                f"The domain from {low} to {high} was given; finite numbers, low < high are wanted."
            )
            raise InvalidDataError(msg)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def width(self) -> int:
        """Units of a layer."""
        return len(self.layers[0].b)

    @property
    def rank(self) -> int:
        """Channels between layers; of a single layer the number of its outputs."""
        return len(self.layers[0].c)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)

    @property
    def n_inputs(self) -> int:
        """Columns of the inputs."""
        return len(self.layers[0].W)

    @property
    def n_outputs(self) -> int:
        """Columns of the outputs."""
        return len(self.layers[-1].c)

    @property
    def n_parameters(self) -> int:
        """Numbers that are fitted: A and c, and W and b unless they are fixed."""
        return sum(array.size for array in self.parameters())

    @property
    def n_numbers(self) -> int:
        """All numbers, fixed ones as well."""
        return sum(a.size for layer in self.layers for a in (layer.W, layer.b, layer.A, layer.c))

    def parameters(self) -> list[Array]:
        """Return what is fitted, layer by layer: A with c as its last row, then W with b.

        Returns
        -------
        list of array
            Of shapes (width + 1, n_out), and (n_in + 1, width) unless W and b are fixed.
        """
        out = []
        for layer in self.layers:
            out.append(np.concatenate([layer.A, layer.c[None]]))
            if not self.fixed:
                out.append(np.concatenate([layer.W, layer.b[None]]))
        return out

    def with_parameters(self, parameters: Sequence[Array]) -> MMNN:
        """Return the network with other numbers in the order of :meth:`parameters`.

        Parameters
        ----------
        parameters : sequence of array
            As :meth:`parameters` returns them.

        Returns
        -------
        MMNN
            With the same settings.
        """
        rest = iter(parameters)
        layers = []
        for layer in self.layers:
            B = next(rest)
            V = None if self.fixed else next(rest)
            W, b = (layer.W, layer.b) if V is None else (V[:-1], V[-1])
            layers.append(Layer(W, b, B[:-1], B[-1]))
        return self.with_layers(layers)

    def with_layers(self, layers: Sequence[Layer]) -> MMNN:
        """Return the network of other layers, with the same settings."""
        return replace(self, layers=tuple(layers))

    def scaled(self, X: Array) -> Array:
        """Return inputs as rows of shape (n_rows, n_inputs), mapped to [-1, 1]^d.

        Parameters
        ----------
        X : array of shape (n_rows, n_inputs), or (n_rows,) for one input
            Inputs.

        Returns
        -------
        array of shape (n_rows, n_inputs)
            The domain is mapped to the cube; points outside of it go outside.
        """
        assert self.low is not None
        assert self.high is not None
        return to_cube(X, self.low, self.high)

    def __call__(self, X: Array) -> Array:
        """Return the outputs: shape (n_rows,) for one output, else (n_rows, n_outputs)."""
        rows = self.scaled(X)
        step = max(1, _NUMBERS // max(layer.W.shape[1] for layer in self.layers))
        out = np.empty((len(rows), self.n_outputs))
        for start in range(0, len(rows), step):
            out[start : start + step] = self.values(rows[start : start + step])
        return out[:, 0] if self.n_outputs == 1 else out

    def values(self, Z: Array) -> Array:
        """Return the outputs at scaled inputs, shape (n_rows, n_outputs)."""
        return deque(self.passes(Z), maxlen=1).pop()[3]

    def passes(self, H: Array) -> Iterator[tuple[Array, Array, Array, Array]]:
        """Go through the layers.

        Parameters
        ----------
        H : array of shape (n_rows, n_inputs)
            Scaled inputs.

        Yields
        ------
        H, Z, S, values : array
            Of each layer: inputs, arguments of the activation, its values, outputs.
        """
        function = ACTIVATIONS[self.activation].function
        for number, layer in enumerate(self.layers):
            Z = H @ layer.W
            Z += layer.b
            S = function(Z.copy())
            values = S @ layer.A
            values += layer.c
            n = self.n_passed(number)
            values[:, :n] += H[:, :n]
            yield H, Z, S, values
            H = values

    def n_passed(self, number: int) -> int:
        """Return how many channels a layer adds to its outputs; zero without residual.

        Parameters
        ----------
        number : int
            Of the layer, from 0.

        Returns
        -------
        int
            The first so many inputs are added to the first outputs.
        """
        if not self.residual or number in (0, self.depth - 1):
            return 0
        layer = self.layers[number]
        return min(len(layer.W), len(layer.c))


def to_cube(X: Array, low: Array, high: Array) -> Array:
    """Return inputs as rows of shape (n_rows, n_inputs), a box mapped to [-1, 1]^n_inputs.

    Parameters
    ----------
    X : array of shape (n_rows, n_inputs), or (n_rows,) for one input
        Inputs.
    low, high : array of shape (n_inputs,)
        The box.

    Returns
    -------
    array of shape (n_rows, n_inputs)
        Points outside of the box go outside of the cube.

    Raises
    ------
    InvalidDataError
        Another shape.
    """
    rows = np.asarray(X, dtype=np.float64)
    rows = rows[:, None] if rows.ndim == 1 and len(low) == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != len(low):
        msg = f"X of shape {np.shape(X)} was given; (n_rows, {len(low)}) is wanted."
        raise InvalidDataError(msg)
    return (rows - (low + high) / 2) * (2 / (high - low))
