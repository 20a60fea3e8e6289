"""Cross products on a device, which merge with those of the host and finish as they do."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from solvenet.devices.device import Device, DeviceArray
from solvenet.devices.precision import SINGLE_ROWS, Precision, get_precision
from solvenet.devices.stream import DeviceRows
from solvenet.devices.workspace import DeviceReduction
from solvenet.reductions import CrossProducts, GramReduction

if TYPE_CHECKING:
    from solvenet._array_api import Array

PANEL = 512
"""Columns whose products with those at and after them are one call."""

LARGE_PANEL = 1024
"""The same for a GPU, which small products do not fill."""


class DeviceGram(DeviceReduction):
    """Centred cross products of A and B on a device.

    Parameters
    ----------
    n_cols, n_targets : int
        Columns of A and of B.
    center : bool
        Whether the (weighted) means are taken out, which is what an intercept does.
    device : Device
        Where.
    precision : {"float64", "mixed", "float32"}, default="float64"
        Of the features and of the sums; see :class:`solvenet.devices.Precision`.

    Attributes
    ----------
    device : Device
        Where.
    precision : Precision
        Of the features and of the sums.

    Notes
    -----
    The same sums about the same shift as :class:`solvenet.reductions.GramReduction`, whose
    methods it has; products of the targets with themselves are summed on the host, in
    float64. Half the Gram matrix is computed, in panels: ``(p + 1) / p n_rows n_cols**2``
    flops with p panels. Nothing waits for the device until the products are asked for.
    """

    def __init__(
        self,
        n_cols: int,
        n_targets: int,
        *,
        center: bool,
        device: Device,
        precision: str | Precision = "float64",
    ) -> None:
        super().__init__(n_cols, n_targets, device, get_precision(precision))
        self._center = center
        # Products of A with [A, B, 1] about the shift; the upper part of the first counts.
        self._sums = device.zeros((n_cols, n_cols + n_targets + 1), self.precision.sums)
        self._BB = np.zeros((n_targets + 1, n_targets + 1))
        self._shift_A: DeviceArray | None = None
        self._shift_B = np.zeros(n_targets)
        self._shift_B_there: DeviceArray = None

    @property
    def weight(self) -> float:
        """Sum of the weights seen."""
        return float(self._BB[-1, -1])

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        n_cols, width = self._sums.shape
        return int(n_cols * width * np.dtype(self.precision.sums).itemsize + self._BB.nbytes)

    def _add(self, W: DeviceArray, block: DeviceRows) -> None:
        xp, n_cols, width = self.device.xp, self._n_cols, self._sums.shape[1]
        A, B = W[:, :n_cols], block.host_B
        if self._shift_A is None:
            shift = xp.zeros_like(W[0, :n_cols])
            if self._center:
                shift, self._shift_B = xp.mean(A, axis=0), B.mean(axis=0)
            self._shift_A = shift
            self._shift_B_there = self.device.to_device(self._shift_B)
        if self._center:
            A -= self._shift_A
        W[:, n_cols : width - 1] = self.device.to_device(
            block.B - self._shift_B_there, self.precision.features
        )
        W[:, width - 1 :] = 1.0
        targets = np.column_stack([B - self._shift_B, np.ones(len(B))])
        if block.weights is not None and block.host_weights is not None:
            root = self.device.to_device(xp.sqrt(block.weights), self.precision.features)
            W *= root[:, None]
            targets *= np.sqrt(block.host_weights)[:, None]
        self._BB += targets.T @ targets
        step = len(B) if self.precision.features == self.precision.sums else SINGLE_ROWS
        for start in range(0, len(B), step):
            self._add_products(W[start : min(start + step, len(B)), :])

    def _add_products(self, W: DeviceArray) -> None:
        """Add ``A' [A, B, 1]``, of the first only the part on and above the diagonal."""
        panel = LARGE_PANEL if self.device.is_accelerator else PANEL
        n_panels = max(1, -(-self._n_cols // panel))
        ends = [self._n_cols * i // n_panels for i in range(n_panels + 1)]
        fused = self.device.library == "torch" and W.dtype == self._sums.dtype
        for low, high in pairwise(ends):
            left, right, into = W[:, low:high].T, W[:, low:], self._sums[low:high, low:]
            if fused:
                into.addmm_(left, right)
            else:
                into += self.device.xp.matmul(left, right)

    def merge(self, other: DeviceGram) -> None:
        """Add the rows of `other`, which may be on another device."""
        if other._shift_A is None:
            return
        to, dtype = self.device.to_device, self.precision.sums
        theirs = self.device.bring(other._sums, other.device, dtype)
        shift = self.device.bring(other._shift_A, other.device, self.precision.features)
        if self._shift_A is None:
            factor = 1.0 if self._center else 0.0
            self._shift_A, self._shift_B = factor * shift, factor * other._shift_B
            self._shift_B_there = to(self._shift_B)
        # Rows [a, b, 1] of the other are delta further from this shift, those of A by its part:
        # sum (a + delta_a) (e + delta)' = sum a e' + sum_a delta' + delta_a (sum_e + w delta)'.
        delta_A = to(shift, dtype) - to(self._shift_A, dtype)
        delta_B = np.append(other._shift_B - self._shift_B, 0.0)
        ones_B = other._BB[-1]  # sums of B, and the weight
        concat, sum_A = self.device.xp.concat, theirs[:, self._n_cols + self._n_targets]
        delta = concat([delta_A, to(delta_B, dtype)])
        moved = concat([sum_A, to(ones_B, dtype)]) + other.weight * delta
        self._sums += theirs
        self._sums += sum_A[:, None] * delta[None, :]
        self._sums += delta_A[:, None] * moved[None, :]
        self._BB += other._BB + np.outer(ones_B, delta_B) + np.outer(delta_B, ones_B)
        self._BB += other.weight * np.outer(delta_B, delta_B)

    def reduction(self) -> GramReduction:
        """Return the same summary on the host, where it merges with others.

        The device's summary must not be used any more.
        """
        if self._shift_A is None:
            return GramReduction(self._n_cols, self._n_targets, center=self._center)
        AA, AB = self._fetched()
        shift_A = self.device.to_numpy(self._shift_A).astype(np.float64)
        return GramReduction.from_sums(
            AA, AB, self._BB, shift_A, self._shift_B, center=self._center
        )

    def products(self) -> CrossProducts:
        """Return the (centred) products on the host, as those of a `GramReduction`.

        The device's summary must not be used any more.
        """
        n_cols, weight = self._n_cols, self.weight
        if not (self._center and weight > 0) or self._shift_A is None:
            return self.reduction().products()
        BB = np.diagonal(self._BB)[:-1]
        rest_B = self._BB[-1, :-1] / weight
        rest_A = self._sums[:, n_cols + self._n_targets] / weight
        rest = self.device.xp.concat(
            [rest_A, self.device.to_device(np.append(rest_B, 0.0), self.precision.sums)]
        )
        for start in range(0, n_cols, PANEL):  # no second matrix of this size
            part = slice(start, min(start + PANEL, n_cols))
            sums = self._sums[part, :]
            sums -= (weight * rest_A[part])[:, None] * rest[None, :]
        AA, AB = self._fetched()
        mean_A = self.device.to_numpy(self._shift_A) + AB[:, -1] / weight
        BB = np.maximum(BB - weight * rest_B**2, 0.0)
        return CrossProducts(AA, AB[:, :-1], BB, mean_A, self._shift_B + rest_B)

    def _fetched(self) -> tuple[Array, Array]:
        """Return the lower triangle, in Fortran order, and the other columns, in float64."""
        upper = self.device.xp.triu(self._sums[:, : self._n_cols])
        AA: Array = self.device.to_numpy(upper).astype(np.float64, copy=False).T
        AB = self.device.to_numpy(self._sums[:, self._n_cols :])
        return AA, AB.astype(np.float64, copy=False)
