"""A sparse sketch on a device: the same signs and places as on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet.devices.device import Device, DeviceArray
from solvenet.devices.precision import Precision, get_precision
from solvenet.devices.stream import DeviceRows
from solvenet.devices.workspace import DeviceReduction
from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.sketching import Sketch, SparseSign
from solvenet.reductions import SketchReduction

if TYPE_CHECKING:
    from solvenet._array_api import Array


class DeviceSketch(DeviceReduction):
    """``S [1, A, B]`` for a sparse random S, summed on a device.

    Parameters
    ----------
    sketch : SparseSign
        The random matrix. Its nonzeros are drawn on the host, as for the host.
    n_cols, n_targets : int
        Columns of A and of B.
    center : bool
        Whether an intercept is solved for.
    device : Device
        Where.
    precision : {"float64", "mixed", "float32"}, default="float64"
        Of the features and of the sums.

    Attributes
    ----------
    device : Device
        Where.
    precision : Precision
        Of the features and of the sums.

    Raises
    ------
    UnsupportedProblemError
        For another kind of sketch.

    Notes
    -----
    By torch, a product of a sparse and a dense matrix for each block. Elsewhere sums of
    gathered rows, the k-th of every row of the sketch at once, in which nothing is written
    by two threads: results repeat bit by bit.
    """

    def __init__(
        self,
        sketch: Sketch,
        n_cols: int,
        n_targets: int,
        *,
        center: bool,
        device: Device,
        precision: str | Precision = "float64",
    ) -> None:
        if not isinstance(sketch, SparseSign):
            msg = (
                f"{type(sketch).__name__} has no form for {device}. Use the sketch "
                "'sparse_sign', or leave out device=."
            )
            raise UnsupportedProblemError(msg)
        super().__init__(n_cols, n_targets, device, get_precision(precision))
        self._sketch = sketch
        self._center = center
        shape = (sketch.n_sketch, n_cols + n_targets + 1)
        self._sums = device.zeros(shape, self.precision.sums)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        n_sketch, width = self._sums.shape
        return int(n_sketch * width * np.dtype(self.precision.sums).itemsize)

    def _add(self, W: DeviceArray, block: DeviceRows) -> None:
        features, width = self.precision.features, self._sums.shape[1]
        W[:, self._n_cols : width - 1] = self.device.to_device(block.B, features)
        W[:, width - 1 :] = 1.0
        places, values = self._sketch.entries(block.rows.start, block.rows.stop)
        if block.host_weights is not None:
            values = values * np.sqrt(block.host_weights)[:, None]
        if self.device.library == "torch":
            self._sums += self._by_sparse_product(places, values, W)
        else:
            self._sums += self._by_gathering(places, values, W)

    def _by_sparse_product(self, places: Array, values: Array, W: DeviceArray) -> DeviceArray:
        torch, to = self.device.module, self.device.to_device
        order = np.argsort(places, axis=None, kind="stable")
        index = np.stack([places.ravel()[order], order // places.shape[1]])
        S = torch.sparse_coo_tensor(
            to(index, "int64"),
            to(values.ravel()[order], self.precision.features),
            (self._sketch.n_sketch, len(places)),
            check_invariants=False,
            is_coalesced=True,
        )
        return torch.sparse.mm(S, W)

    def _by_gathering(self, places: Array, values: Array, W: DeviceArray) -> DeviceArray:
        xp, to = self.device.xp, self.device.to_device
        order = np.argsort(places, axis=None, kind="stable")
        row, value = order // places.shape[1], values.ravel()[order]
        counts = np.bincount(places.ravel(), minlength=self._sketch.n_sketch)
        first = np.cumsum(counts) - counts
        # Fullest rows of the sketch first: those with a k-th entry then are the first ones.
        fullest = np.argsort(-counts, kind="stable")
        out = self.device.zeros(self._sums.shape, self.precision.features)
        for k in range(counts.max(initial=0)):
            here = first[fullest[: np.count_nonzero(counts > k)]] + k
            part = xp.take(W, to(row[here], "int64"), axis=0)
            into = out[: len(here), :]
            into += to(value[here], self.precision.features)[:, None] * part
        return xp.take(out, to(np.argsort(fullest), "int64"), axis=0)

    def merge(self, other: DeviceSketch) -> None:
        """Add the rows of `other`, which must have the same sketch; it may be elsewhere."""
        self._sums += self.device.bring(other._sums, other.device, self.precision.sums)

    def reduction(self) -> SketchReduction:
        """Return the same sketch on the host, where it merges with others."""
        sums = self.device.to_numpy(self._sums).astype(np.float64, copy=False)
        SA, SB = (np.ascontiguousarray(x) for x in np.split(sums, [self._n_cols], axis=1))
        return SketchReduction.from_sums(self._sketch, SA, SB, center=self._center)

    def sketched(self) -> tuple[Array, Array]:
        """Return ``S A`` and ``S B`` on the host, as those of a `SketchReduction`."""
        return self.reduction().sketched()
