"""Feature maps: dense layers, chains of them, and the scaling of inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count
from solvenet.devices.maps import Chain, DenseLayer, ScaledInputs, stacked
from solvenet.features._base import FeatureMap, FeatureSampler
from solvenet.features.activations import Activation, name_of
from solvenet.features.rows import RowSet, row_set
from solvenet.linalg.accuracy import column_norms

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.devices.device import Device


@dataclass(frozen=True)
class DenseMap(FeatureMap):
    """``activation(X @ weights + biases)``.

    Parameters
    ----------
    weights : array of shape (n_features_in, width)
        One column a unit.
    biases : array of shape (width,)
        One number a unit.
    activation : Activation
        The function.
    """

    weights: Array = field(repr=False)
    biases: Array = field(repr=False)
    activation: Activation

    @property
    def n_features_in(self) -> int:  # type: ignore[override]
        """Columns of the inputs."""
        return int(self.weights.shape[0])

    @property
    def n_features_out(self) -> int:  # type: ignore[override]
        """Number of units."""
        return int(self.weights.shape[1])

    def __call__(self, X: Array) -> Array:
        """Return the units' values, shape (rows, width)."""
        Z = X @ self.weights
        Z += self.biases
        return np.asarray(self.activation.function(Z), dtype=Z.dtype)

    def arrays(self) -> dict[str, Array]:
        """Return the weights and biases."""
        return {"weights": self.weights, "biases": self.biases}

    def part(self, index: Array) -> DenseMap:
        """Return the layer of these units alone."""
        return DenseMap(self.weights[:, index], self.biases[index], self.activation)

    def weight_norms(self) -> Array:
        """Return the norm of each unit's weights: how steep it is."""
        return column_norms(self.weights)

    def on(self, device: Device, dtype: str = "float64") -> DenseLayer:
        """Return the layer on a device."""
        return DenseLayer(device, dtype, stacked(self.weights, self.biases), self.name_on(device))

    def name_on(self, device: Device) -> str:
        """Return the name of the activation, by which a device has a function for it."""
        return name_of(
            self.activation, purpose=f"device={str(device)!r}", reason="runs no NumPy functions"
        )


@dataclass(frozen=True)
class InputScaling(FeatureMap):
    """The inputs centred, scaled, bent where they are far out, and kept in their range.

    Parameters
    ----------
    center : array of shape (n_features,)
        Subtracted from each column.
    factor : array of shape (n_features,)
        Multiplies each column; all equal keeps angles and ratios of distances.
    bend, gain : array of shape (n_features,), optional
        With them, the scaled input z becomes ``gain * z / sqrt(1 + (bend * z)^2)``: heavy
        tails are bent smoothly to at most ``gain / bend``; a bend of zero is straight.
    low, high : array of shape (n_features,), optional
        Inputs are first clipped to this box.
    radius : float, optional
        Scaled inputs longer than this are shortened to it; the clipping that commutes
        with rotations.
    mean, precision : array of shape (n_features,), optional
        Center and factor of the inputs that bypass the hidden layers, which are not bent;
        by default `center` and `factor`.
    """

    center: Array = field(repr=False)
    factor: Array = field(repr=False)
    bend: Array | None = field(default=None, repr=False)
    gain: Array | None = field(default=None, repr=False)
    low: Array | None = field(default=None, repr=False)
    high: Array | None = field(default=None, repr=False)
    radius: float | None = None
    mean: Array | None = field(default=None, repr=False)
    precision: Array | None = field(default=None, repr=False)

    @property
    def n_features_in(self) -> int:  # type: ignore[override]
        """Columns of the inputs."""
        return len(self.center)

    @property
    def n_features_out(self) -> int:  # type: ignore[override]
        """Columns of the inputs."""
        return len(self.center)

    def __call__(self, X: Array) -> Array:
        """Return the scaled inputs, as the hidden layers see them."""
        Z = self._scaled(X, self.center, self.factor)
        if self.bend is not None and self.gain is not None:
            Z *= self.gain / np.sqrt(1.0 + (self.bend * Z) ** 2)
        return Z

    def straight(self, X: Array) -> Array:
        """Return the scaled inputs that bypass the hidden layers: clipped, not bent."""
        if self.mean is None or self.precision is None:
            return self._scaled(X, self.center, self.factor)
        return self._scaled(X, self.mean, self.precision)

    def pull_back(self, X: Array, G: Array, *, straight: bool = False) -> Array:
        """Return gradients by the inputs from gradients by the scaled inputs.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            Inputs.
        G : array of shape (n_rows, n_targets, n_features)
            Gradients by what `straight`, or else the call, returns.
        straight : bool, default=False
            Of the inputs that bypass the hidden layers.

        Returns
        -------
        array of shape (n_rows, n_targets, n_features)
            Zero by inputs that are clipped.
        """
        center, factor = self.center, self.factor
        if straight and self.mean is not None and self.precision is not None:
            center, factor = self.mean, self.precision
        if self.bend is not None and self.gain is not None and not straight:
            bent = self.bend * self._scaled(X, center, factor)
            G = G * (self.gain / (1.0 + bent**2) ** 1.5)[:, None, :]
        if self.radius is not None:
            Z = (X - center) * factor
            length = np.sqrt(np.einsum("ij,ij->i", Z, Z))
            long = length > self.radius
            along = Z[long] / length[long, None]
            inward = np.einsum("ij,itj->it", along, G[long])[:, :, None] * along[:, None, :]
            G = G.copy()
            G[long] = (self.radius / length[long])[:, None, None] * (G[long] - inward)
        G = G * factor
        if self.low is not None and self.high is not None:
            G *= ((self.low <= X) & (self.high >= X))[:, None, :]
        return G

    def _scaled(self, X: Array, center: Array, factor: Array) -> Array:
        if self.low is not None and self.high is not None:
            X = np.clip(X, self.low, self.high)
        Z = np.subtract(X, center, dtype=np.result_type(X, np.float32))
        Z *= factor
        if self.radius is not None:
            length = np.sqrt(np.einsum("ij,ij->i", Z, Z))
            Z *= np.minimum(1.0, self.radius / np.where(length > 0, length, 1.0))[:, None]
        return Z

    def arrays(self) -> dict[str, Array]:
        """Return the arrays that are set."""
        names = ("center", "factor", "bend", "gain", "low", "high", "radius", "mean", "precision")
        values = {name: getattr(self, name) for name in names}
        return {name: np.asarray(value) for name, value in values.items() if value is not None}

    def on(self, device: Device, dtype: str = "float64") -> ScaledInputs:
        """Return the scaling on a device, in float64 whatever the dtype."""
        return ScaledInputs(device, self.arrays())


@dataclass(frozen=True)
class LayeredMap(FeatureMap):
    """Dense layers one after the other.

    Parameters
    ----------
    layers : tuple of DenseMap
        At least one.
    """

    layers: tuple[DenseMap, ...]

    @property
    def n_features_in(self) -> int:  # type: ignore[override]
        """Columns of the inputs."""
        return self.layers[0].n_features_in

    @property
    def n_features_out(self) -> int:  # type: ignore[override]
        """Units of the last layer."""
        return self.layers[-1].n_features_out

    def __call__(self, X: Array) -> Array:
        """Return the last layer's values."""
        for layer in self.layers:
            X = layer(X)
        return X

    def arrays(self) -> dict[str, Array]:
        """Return the arrays of every layer, prefixed by its number."""
        return {
            f"layers.{i}.{name}": array
            for i, layer in enumerate(self.layers)
            for name, array in layer.arrays().items()
        }

    def part(self, index: Array) -> LayeredMap:
        """Return the layers with only these units in the last."""
        return LayeredMap((*self.layers[:-1], self.layers[-1].part(index)))

    def weight_norms(self) -> Array:
        """Return those of the last layer."""
        return self.layers[-1].weight_norms()

    def on(self, device: Device, dtype: str = "float64") -> Chain:
        """Return the layers on a device."""
        return Chain([layer.on(device, dtype) for layer in self.layers])


@dataclass(frozen=True)
class ComposedMap(FeatureMap):
    """One map after another."""

    first: FeatureMap
    second: FeatureMap

    @property
    def n_features_in(self) -> int:  # type: ignore[override]
        """Columns of the inputs of the first."""
        return self.first.n_features_in

    @property
    def n_features_out(self) -> int:  # type: ignore[override]
        """Columns of the second."""
        return self.second.n_features_out

    def __call__(self, X: Array) -> Array:
        """Return the second map of the first."""
        return self.second(self.first(X))

    def arrays(self) -> dict[str, Array]:
        """Return the arrays of both, prefixed."""
        maps = {"first": self.first, "second": self.second}
        return {
            f"{name}.{key}": array
            for name, map_ in maps.items()
            for key, array in map_.arrays().items()
        }

    def part(self, index: Array) -> ComposedMap:
        """Return the first map and some features of the second."""
        return ComposedMap(self.first, self.second.part(index))

    def weight_norms(self) -> Array | None:
        """Return those of the second map."""
        return self.second.weight_norms()

    def on(self, device: Device, dtype: str = "float64") -> Chain:
        """Return both maps on a device."""
        return Chain([self.first.on(device, dtype), self.second.on(device, dtype)])


def sample_layers(
    sampler: FeatureSampler,
    X: Array,
    Y: Array,
    widths: Sequence[int],
    *,
    activation: Activation,
    weights: Array | None = None,
    inputs: FeatureMap | None = None,
    rows: RowSet | None = None,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> LayeredMap:
    """Sample a deep map layer by layer, each on the images of X under those before.

    Parameters
    ----------
    sampler : FeatureSampler
        How the weights of a layer are drawn.
    X, Y
        Rows and targets, as in :meth:`FeatureSampler.sample`.
    weights : array of shape (n_rows,), optional
        Weights of the rows: as many repetitions. Not used where `rows` are given.
    widths : sequence of int
        Units of each layer.
    activation : Activation
        Of every layer.
    inputs : FeatureMap, optional
        Scaling: the first layer is sampled on its images of X.
    rows : RowSet, optional
        The distinct rows of X and Y, where they are known already.
    seed : int, default=0
        Each layer draws from a stream of its own.
    progress : callable, optional
        Called with the number of each finished layer.

    Returns
    -------
    LayeredMap
        The sampled layers.
    """
    if rows is None:
        rows = row_set(X, Y, weights, inputs=inputs)
    layers: tuple[DenseMap, ...] = ()
    for number, width in enumerate(widths):
        previous = inputs
        if layers:
            chain = LayeredMap(layers)
            previous = chain if inputs is None else ComposedMap(inputs, chain)
        layer = sampler.sample(
            X,
            Y,
            check_count("layer width", width),
            activation=activation,
            rows=rows,
            previous=previous,
            seed=seed,
            layer=number,
        )
        layers += (layer,)
        if progress is not None:
            progress(number)
    return LayeredMap(layers)
