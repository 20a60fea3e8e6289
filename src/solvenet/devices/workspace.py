"""What the reductions on a device share: ``[A, B, 1]`` of one block, in memory that stays."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.devices.device import Device, DeviceArray
from solvenet.devices.precision import Precision
from solvenet.devices.stream import DeviceRows
from solvenet.reductions import Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.devices.maps import DeviceMap


class DeviceReduction(Reduction):
    """A summary of ``[A, B, 1]`` on a device.

    The columns of ones and of the targets stand behind those of A, so that their products
    are columns of the large one and cost no kernel of their own.

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of A and of B.
    device : Device
        Where.
    precision : Precision
        Of A and of the sums.
    """

    def __init__(self, n_cols: int, n_targets: int, device: Device, precision: Precision) -> None:
        self.device, self.precision = device, precision
        self._n_cols, self._n_targets = n_cols, n_targets
        self._memory = device.empty((0, n_cols + n_targets + 1), precision.features)

    def update(
        self,
        A: Any,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows: A on the device or on the host, B and weights on the host."""
        if len(B) == 0:
            return
        B = np.asarray(B, dtype=np.float64)
        W = self._room(len(B))
        W[:, : self._n_cols] = self.device.to_device(A, self.precision.features)
        there = None if weights is None else self.device.to_device(weights, "float64")
        rows = slice(start, start + len(B))
        self._add(W, DeviceRows(rows, None, self.device.to_device(B), there, B, weights))

    def add(self, block: DeviceRows, features: DeviceMap) -> None:
        """Add the features of a block of inputs: computed where they are needed."""
        W = self._room(len(block.host_B))
        features(block.X, out=W[:, : self._n_cols])
        self._add(W, block)

    @abstractmethod
    def _add(self, W: DeviceArray, block: DeviceRows) -> None:
        """Add rows: A stands in the first columns of W, which may be overwritten."""

    def _room(self, n_rows: int) -> DeviceArray:
        if n_rows > self._memory.shape[0]:
            self._memory = None  # first of all, so that both never exist
            width = self._n_cols + self._n_targets + 1
            self._memory = self.device.empty((n_rows, width), self.precision.features)
        return self._memory[:n_rows, :]
