"""The protocols of feature samplers (settings) and feature maps (arrays)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from solvenet.devices.maps import DeviceMap, Selected
from solvenet.errors import UnsupportedProblemError

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.devices.device import Device
    from solvenet.features.activations import Activation
    from solvenet.features.layers import DenseMap
    from solvenet.features.rows import RowSet


class FeatureMap(ABC):
    """Sampled features: immutable arrays that map rows of inputs to rows of features.

    Attributes
    ----------
    n_features_in, n_features_out : int
        Columns of the inputs and of the features.
    """

    n_features_in: int
    n_features_out: int

    @abstractmethod
    def __call__(self, X: Array) -> Array:
        """Return the features, shape (rows, n_features_out), of `X` (rows, n_features_in).

        The result is a new array; each of its rows depends on that row of X alone.
        """

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, for saving, export and counting parameters."""

    def part(self, index: Array) -> FeatureMap:
        """Return the map to some of the features, in the order of `index`.

        Of the last layer only these units are computed; layers before it are computed
        whole.
        """
        return SelectedMap(self, index)

    def weight_norms(self) -> Array | None:
        """Return the norm of each unit's weights, shape (n_features_out,), if known."""
        return None

    def on(self, device: Device, dtype: str = "float64") -> DeviceMap:
        """Return the same map with its arrays on a device.

        Parameters
        ----------
        device : Device
            A GPU, for example; see ``solvenet.devices.get_device``.
        dtype : {"float64", "float32"}, default="float64"
            Of the features; inputs are scaled in float64 in any case.

        Returns
        -------
        DeviceMap
            From rows on the device to features on the device.
        """
        msg = f"{type(self).__name__} has no form for {device}. Leave out device=."
        raise UnsupportedProblemError(msg)


@dataclass(frozen=True)
class SelectedMap(FeatureMap):
    """Some features of a map, which computes all of them.

    Parameters
    ----------
    whole : FeatureMap
        The map.
    index : array of shape (n_features_out,), int
        Which of its features.
    """

    whole: FeatureMap
    index: Array = field(repr=False)

    @property
    def n_features_in(self) -> int:  # type: ignore[override]
        """Columns of the inputs."""
        return self.whole.n_features_in

    @property
    def n_features_out(self) -> int:  # type: ignore[override]
        """Columns that are kept."""
        return len(self.index)

    def __call__(self, X: Array, *, out: Array | None = None) -> Array:
        """Return the features, in `out` if it is given."""
        return np.take(self.whole(X), self.index, axis=1, out=out)

    def arrays(self) -> dict[str, Array]:
        """Return the arrays of the whole map and the index."""
        return self.whole.arrays() | {"index": self.index}

    def weight_norms(self) -> Array | None:
        """Return those of the kept features."""
        norms = self.whole.weight_norms()
        return None if norms is None else norms[self.index]

    def on(self, device: Device, dtype: str = "float64") -> DeviceMap:
        """Return the whole map and the choice on a device."""
        return Selected(self.whole.on(device, dtype), self.index)


class FeatureSampler(ABC):
    """Settings by which the hidden weights of one layer are drawn."""

    @abstractmethod
    def sample(
        self,
        X: Array,
        Y: Array,
        width: int,
        *,
        activation: Activation,
        rows: RowSet | None = None,
        previous: FeatureMap | None = None,
        seed: int = 0,
        layer: int = 0,
    ) -> DenseMap:
        """Draw the weights of one layer.

        Parameters
        ----------
        X : array of shape (n_rows, n_features_in), float64
            Inputs of the network.
        Y : array of shape (n_rows, n_targets), float64
            Targets (indicators for classes); ignored by data-agnostic samplers.
        width : int
            Number of units.
        activation : Activation
            Function of the units, with the constants of their weights.
        rows : RowSet, optional
            The distinct rows with their weights; by default all rows count once.
        previous : FeatureMap, optional
            What comes before this layer (scaling, other layers); the layer is sampled on
            its images of X.
        seed, layer : int
            The weights are a function of the settings, the weighted set of rows, the
            seed and the layer's number alone.

        Returns
        -------
        DenseMap
            From the images of `previous` (or the inputs) to the units.
        """
