"""One pass over rows: to the device, through the features, into a summary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from solvenet.devices.device import Device, get_device
from solvenet.devices.gram import DeviceGram
from solvenet.devices.precision import Precision, exact_products, get_precision
from solvenet.devices.sketch import DeviceSketch
from solvenet.devices.stream import HostRows, on_device, regrouped

if TYPE_CHECKING:
    from solvenet.devices.maps import DeviceMap
    from solvenet.devices.workspace import DeviceReduction
    from solvenet.linalg.sketching import Sketch

GPU_BLOCK_BYTES = 256 * 2**20
"""Bytes of a block of features on a GPU: enough to fill it."""

CPU_BLOCK_BYTES = 16 * 2**20
"""The same on a CPU, as for NumPy."""


class Features(Protocol):
    """What has a form for a device, such as a :class:`solvenet.features.FeatureMap`."""

    @property
    def n_features_out(self) -> int:
        """Columns of the features."""

    def on(self, device: Device, dtype: str = "float64") -> DeviceMap:
        """Return the same map with its arrays on a device."""


def rows_on(device: Device, n_cols: int, precision: Precision) -> int:
    """Return how many rows of features a device computes at a time."""
    room = GPU_BLOCK_BYTES if device.is_accelerator else CPU_BLOCK_BYTES
    return max(64, room // (n_cols * precision.itemsize))


def reduce_on_device(
    records: Iterable[HostRows],
    features: Features,
    summary: DeviceReduction,
    *,
    rows_per_block: int | None = None,
) -> None:
    """Add the features of rows to a summary on its device.

    Parameters
    ----------
    records : iterable of (slice, X, B, weights)
        Numbers of consecutive rows, inputs (rows, n_inputs), targets (rows, n_targets) and
        weights (rows,) or None, in blocks of any length.
    features : FeatureMap
        From inputs to features.
    summary : DeviceGram or DeviceSketch
        Changed.
    rows_per_block : int, optional
        Rows on the device at a time; by default 256 MiB of features, 16 MiB on a CPU.
    """
    device, precision = summary.device, summary.precision
    there = features.on(device, precision.features)
    n_rows = rows_per_block or rows_on(device, features.n_features_out, precision)
    with exact_products(device), on_device(regrouped(records, n_rows), device) as blocks:
        for block in blocks:
            summary.add(block, there)


def device_gram(
    records: Iterable[HostRows],
    features: Features,
    n_targets: int,
    *,
    center: bool,
    device: Any,
    precision: str | Precision = "float64",
    rows_per_block: int | None = None,
) -> DeviceGram:
    """Return the cross products of the features of rows, computed on a device.

    Parameters
    ----------
    records : iterable of (slice, X, B, weights)
        Numbers of consecutive rows, inputs (rows, n_inputs), targets (rows, n_targets) and
        weights (rows,) or None, in blocks of any length.
    features : FeatureMap
        From inputs to features, whose activations have names.
    n_targets : int
        Columns of B.
    center : bool
        Whether the (weighted) means are taken out, which is what an intercept does.
    device : str, Device, torch.device or module
        See :func:`get_device`.
    precision : {"float64", "mixed", "float32"}, default="float64"
        Of the features and of the sums; see :class:`Precision`.
    rows_per_block : int, optional
        Rows on the device at a time; by default 256 MiB of features, 16 MiB on a CPU.

    Returns
    -------
    DeviceGram
        Its method ``reduction()`` is a `GramReduction` of the host, which merges with those
        of other rows; ``products()`` are the finished `CrossProducts`.

    Examples
    --------
    >>> import array_api_strict
    >>> import numpy as np
    >>> from solvenet.devices import device_gram
    >>> from solvenet.features import DenseMap, get_activation
    >>> layer = DenseMap(np.eye(2), np.zeros(2), get_activation("identity"))
    >>> X, y = np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([[1.0], [2.0]])
    >>> records = [(slice(0, 2), X, y, None)]
    >>> gram = device_gram(records, layer, 1, center=False, device=array_api_strict)
    >>> gram.products().gram()
    array([[2., 2.],
           [2., 4.]])
    """
    place = get_device(device)
    summary = DeviceGram(
        features.n_features_out,
        n_targets,
        center=center,
        device=place,
        precision=get_precision(precision),
    )
    reduce_on_device(records, features, summary, rows_per_block=rows_per_block)
    return summary


def device_sketch(
    records: Iterable[HostRows],
    features: Features,
    n_targets: int,
    sketch: Sketch,
    *,
    center: bool,
    device: Any,
    precision: str | Precision = "float64",
    rows_per_block: int | None = None,
) -> DeviceSketch:
    """Return the sketch of the features of rows, computed on a device.

    Parameters
    ----------
    records, features, n_targets, center, device, precision, rows_per_block
        As for :func:`device_gram`; the numbers of the rows say which signs they get.
    sketch : SparseSign
        The random matrix.

    Returns
    -------
    DeviceSketch
        Its method ``reduction()`` is a `SketchReduction` of the host, to rounding the one
        that the host computes.
    """
    place = get_device(device)
    summary = DeviceSketch(
        sketch,
        features.n_features_out,
        n_targets,
        center=center,
        device=place,
        precision=get_precision(precision),
    )
    reduce_on_device(records, features, summary, rows_per_block=rows_per_block)
    return summary
