"""A sampled network: scaled inputs, hidden layers and a linear read-out, as plain arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from solvenet.blocks.planning import rows_per_block
from solvenet.devices.maps import Chain, DenseLayer, DeviceMap, WithInputs
from solvenet.features import FeatureMap, InputScaling, LayeredMap, SelectedMap
from solvenet.features.activations import name_of
from solvenet.features.slopes import SLOPES
from solvenet.linalg.blas import add_product
from solvenet.linalg.products import multiply

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks import RowBlocks
    from solvenet.devices.device import Device


MANY_INPUTS = 64
"""From so many inputs on those that bypass the hidden layers are copied, not multiplied."""


@dataclass(frozen=True)
class HiddenMap(FeatureMap):
    """The features of a network: scaled inputs through hidden layers, and past them.

    Attributes
    ----------
    scaling : InputScaling
        First of all.
    layers : LayeredMap
        The hidden layers, on the scaled inputs.
    skip : float
        The scaled inputs times this factor stand after the units of the last layer; zero
        leaves them out.
    """

    scaling: InputScaling
    layers: LayeredMap
    skip: float = 0.0

    @property
    def n_features_in(self) -> int:  # type: ignore[override]
        """Columns of the inputs."""
        return self.scaling.n_features_in

    @property
    def n_features_out(self) -> int:  # type: ignore[override]
        """Columns of the features."""
        return self.layers.n_features_out + (self.skip != 0) * self.n_features_in

    def __call__(self, X: Array, *, out: Array | None = None) -> Array:
        """Return the features, in `out` if it is given."""
        X = X.astype(np.float64, copy=False)
        Z = self.scaling(X)
        for layer in self.layers.layers[:-1]:
            Z = layer(Z)
        if self.n_features_in >= MANY_INPUTS:
            return self._apart(X, Z, out)
        parts = [Z, np.ones((len(X), 1))]
        if self.skip:
            parts.append(self.scaling.straight(X))
        H = multiply(np.concatenate(parts, axis=1), self._last_weights, out=out)
        last = self.layers.layers[-1]
        units = H[:, : last.n_features_out]
        values = last.activation.function(units)
        if values is not units:
            units[...] = values
        return H

    def _apart(self, X: Array, Z: Array, out: Array | None) -> Array:
        """Return the features where products with as many zeros as inputs would count."""
        last = self.layers.layers[-1]
        H = np.empty((len(X), self.n_features_out)) if out is None else out
        units = H[:, : last.n_features_out]
        units[...] = last.biases
        add_product(units.T, self._contiguous.T, np.ascontiguousarray(Z, dtype=np.float64).T)
        values = last.activation.function(units)
        if values is not units:
            units[...] = values
        if self.skip:
            np.multiply(self.scaling.straight(X), self.skip, out=H[:, last.n_features_out :])
        return H

    @cached_property
    def _contiguous(self) -> Array:
        return np.ascontiguousarray(self.layers.layers[-1].weights, dtype=np.float64)

    @cached_property
    def _last_weights(self) -> Array:
        """Weights of the last layer, its biases, and a diagonal that passes inputs on.

        All features are one product into one block of memory: touching memory costs more
        than the few products with zeros.
        """
        last = self.layers.layers[-1]
        weights = np.concatenate([last.weights, last.biases[None]])
        if not self.skip:
            return weights
        n_in, width = self.n_features_in, last.n_features_out
        out = np.zeros((len(weights) + n_in, width + n_in))
        out[: len(weights), :width] = weights
        out[len(weights) :, width:] = self.skip * np.eye(n_in)
        return out

    def arrays(self) -> dict[str, Array]:
        """Return the arrays of the scaling and of every layer."""
        scaling = {f"scaling.{name}": array for name, array in self.scaling.arrays().items()}
        return scaling | self.layers.arrays()

    def part(self, index: Array) -> FeatureMap:
        """Return the map to some of the features, in the order of `index`."""
        units = index < self.layers.n_features_out
        fewer = HiddenMap(self.scaling, self.layers.part(index[units]), self.skip)
        if not self.skip:
            return fewer
        # All inputs stand behind the chosen units: few numbers, of which some are taken.
        n_units = np.count_nonzero(units)
        passed = n_units + index - self.layers.n_features_out
        return SelectedMap(fewer, np.where(units, np.cumsum(units) - 1, passed))

    def weight_norms(self) -> Array:
        """Return the norms of the last weights, which for inputs passed on are the factor."""
        norms = self.layers.weight_norms()
        inputs = np.full(self.n_features_out - len(norms), abs(self.skip))
        return np.concatenate([norms, inputs])

    def on(self, device: Device, dtype: str = "float64") -> DeviceMap:
        """Return the network's features on a device."""
        scaling = self.scaling.on(device, dtype)
        if not self.skip:
            return Chain([scaling, self.layers.on(device, dtype)])
        *layers, last = self.layers.layers
        whole = DenseLayer(
            device,
            dtype,
            self._last_weights,
            last.name_on(device),
            n_units=last.n_features_out,
        )
        return WithInputs(scaling, [layer.on(device, dtype) for layer in layers], whole)


@dataclass(frozen=True)
class Readout:
    """``H @ coef + intercept``, kept within bounds, with the uncertainty of the solve.

    Attributes
    ----------
    coef : array of shape (n_features_out, n_targets)
        Weights.
    intercept : array of shape (n_targets,)
        Constants.
    low, high : array of shape (n_targets,) or None
        Outputs are clipped to these.
    root : array of shape (n_features_out, k) or None
        ``root root' * noise_variance`` is the covariance of each column of `coef`.
    center : array of shape (n_features_out,) or None
        Feature means around which the leverage is measured.
    noise_variance : array of shape (n_targets,) or None
        Variance of the targets around the fit.
    n_rows : float
        Rows that were fitted.
    """

    coef: Array = field(repr=False)
    intercept: Array = field(repr=False)
    low: Array | None = field(default=None, repr=False)
    high: Array | None = field(default=None, repr=False)
    root: Array | None = field(default=None, repr=False)
    center: Array | None = field(default=None, repr=False)
    noise_variance: Array | None = field(default=None, repr=False)
    n_rows: float = 0.0

    def __call__(self, H: Array) -> Array:
        """Return the outputs, shape (rows, n_targets)."""
        out = H @ self.coef + self.intercept
        if self.low is not None and self.high is not None:
            np.clip(out, self.low, self.high, out=out)
        return out

    def std(self, H: Array) -> Array:
        """Return the standard deviation of a new observation, shape (rows, n_targets)."""
        if self.root is None or self.center is None or self.noise_variance is None:
            msg = "This read-out was made without its uncertainty."
            raise ValueError(msg)
        whitened = (H - self.center) @ self.root
        leverage = np.einsum("ij,ij->i", whitened, whitened) + 1.0 / self.n_rows
        return np.sqrt(np.outer(1.0 + leverage, self.noise_variance))


@dataclass(frozen=True)
class SampledNetwork:
    """A function given by arrays: ``readout(hidden(x))``.

    Attributes
    ----------
    hidden : HiddenMap
        Scaling and hidden layers.
    readout : Readout
        Linear read-out.
    """

    hidden: HiddenMap
    readout: Readout

    def __call__(self, X: Array | RowBlocks) -> Array:
        """Return the outputs, shape (rows, n_targets), a block of rows at a time."""
        out = np.empty((X.shape[0], len(self.readout.intercept)))
        for rows, H in self._features(X):
            out[rows] = self.readout(H)
        return out

    def gradient(self, X: Array) -> Array:
        """Return the derivatives of the outputs by the inputs, in closed form.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_rows, n_targets, n_features)
            Of the outputs before they are kept in their range; zero by inputs that are
            clipped.

        Raises
        ------
        InvalidSettingError
            An activation of the user's own, whose derivative is not known.

        Notes
        -----
        *Cost:* ``2 n_rows n_targets`` flops a weight of the hidden layers, in blocks.
        """
        n_in, n_targets = self.hidden.n_features_in, len(self.readout.intercept)
        out = np.empty((len(X), n_targets, n_in))
        step = rows_per_block(self.hidden.n_features_out * n_targets)
        for start in range(0, len(X), step):
            rows = slice(start, start + step)
            out[rows] = self._gradient(X[rows].astype(np.float64, copy=False))
        return out

    def _gradient(self, X: Array) -> Array:
        scaling, layers = self.hidden.scaling, self.hidden.layers.layers
        Z, slopes = scaling(X), []
        for layer in layers:
            name = name_of(
                layer.activation, purpose="A gradient", reason="needs a known derivative"
            )
            arguments = Z @ layer.weights + layer.biases
            Z = np.asarray(layer.activation.function(arguments.copy()))
            slopes.append(SLOPES[name](arguments, Z))
        width = layers[-1].n_features_out
        G = np.broadcast_to(
            self.readout.coef[:width].T, (len(X), *self.readout.coef[:width].T.shape)
        )
        for layer, slope in zip(reversed(layers), reversed(slopes), strict=True):
            G = (G * slope[:, None, :]) @ layer.weights.T
        G = scaling.pull_back(X, G)
        if self.hidden.skip:
            past = self.hidden.skip * self.readout.coef[width:].T
            past = np.broadcast_to(past, (len(X), *past.shape))
            G += scaling.pull_back(X, past, straight=True)
        return G

    def std(self, X: Array | RowBlocks) -> Array:
        """Return the predictive standard deviations, shape (rows, n_targets)."""
        out = np.empty((X.shape[0], len(self.readout.intercept)))
        for rows, H in self._features(X):
            out[rows] = self.readout.std(H)
        return out

    def _features(self, X: Array | RowBlocks) -> Iterator[tuple[slice, Array]]:
        step = rows_per_block(self.hidden.n_features_out)
        whole = [(slice(0, len(X)), X)] if isinstance(X, np.ndarray) else X.stream()
        for rows, block in whole:
            for start in range(0, len(block), step):
                part = block[start : start + step]
                first = rows.start + start
                yield slice(first, first + len(part)), self.hidden(part)

    @property
    def n_parameters(self) -> int:
        """Numbers that define the function."""
        arrays = self.hidden.layers.arrays().values()
        return sum(a.size for a in arrays) + self.readout.coef.size + self.readout.intercept.size
