"""In which precision a device computes features and sums their products."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_choice
from solvenet.linalg.rank import GRAM_RESOLUTION

if TYPE_CHECKING:
    from solvenet.devices.device import Device

SINGLE_RESOLUTION = 10 * float(np.finfo(np.float32).eps)
"""Smallest ``alpha / s1**2`` that products in float32 resolve (about 1e-6).

Thirty times the error that was measured for SWIM's and random features: their Gram matrices
differ from those of float64 by 2e-8 to 4e-8 of the largest eigenvalue.
"""

SINGLE_ROWS = 4096
"""Most rows whose products are summed in float32."""


@dataclass(frozen=True)
class Precision:
    """Dtypes of the features and of the sums of their products.

    Attributes
    ----------
    name : str
        ``"float64"``, ``"mixed"`` or ``"float32"``.
    features, sums : str
        Names of the two dtypes. Inputs are scaled in float64 in any case, which costs
        little and keeps columns far from zero.
    resolution : float
        Smallest ``alpha / s1**2`` that the products resolve: what a solver may rely on.

    Notes
    -----
    With u the unit roundoff of the features (6e-8 in float32), products of b rows at a time
    are off by at most ``(b + 4) u |A|' |A|``, entry by entry, whatever the order of the sum,
    and typically by ``sqrt(b) u``. In ``"mixed"`` these products, of at most 4096 rows each,
    are added up in float64: the bound does not grow with the rows. In ``"float32"`` it grows by
    u with every block; that is for devices that are slow in float64, or short of memory.
    """

    name: str
    features: str
    sums: str
    resolution: float

    @property
    def itemsize(self) -> int:
        """Bytes of a feature."""
        return np.dtype(self.features).itemsize


PRECISIONS = {
    "float64": Precision("float64", "float64", "float64", GRAM_RESOLUTION),
    "mixed": Precision("mixed", "float32", "float64", SINGLE_RESOLUTION),
    "float32": Precision("float32", "float32", "float32", SINGLE_RESOLUTION),
}
"""The precisions known by name."""


def get_precision(precision: str | Precision) -> Precision:
    """Return the precision of a name."""
    if isinstance(precision, Precision):
        return precision
    return PRECISIONS[check_choice("precision", precision, PRECISIONS)]


@contextmanager
def exact_products(device: Device) -> Iterator[None]:
    """Have products of float32 computed in float32, not in TF32 or bfloat16.

    What the user had set is restored when the last one leaves: the setting belongs to the
    process, and parts of a pass may run in several threads.

    Parameters
    ----------
    device : Device
        Only torch has such a setting.
    """
    if device.library != "torch":
        yield
        return
    _INSIDE.enter(device.module)
    try:
        yield
    finally:
        _INSIDE.leave()


class _Inside:
    """How many are inside, and what the last of them restores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._restore: Callable[[], None] | None = None

    def enter(self, torch: Any) -> None:
        with self._lock:
            if self._count == 0:
                self._restore = _set_exact(torch)
            self._count += 1

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0 and self._restore is not None:
                self._restore()
                self._restore = None


_INSIDE = _Inside()


def _set_exact(torch: Any) -> Callable[[], None]:
    """Switch reduced precisions off and return what switches them back."""
    holders = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
    newer = [holder for holder in holders if hasattr(holder, "fp32_precision")]  # torch 2.9
    before = [holder.fp32_precision for holder in newer]
    try:
        older = torch.get_float32_matmul_precision()
        allowed = torch.backends.cuda.matmul.allow_tf32
    except RuntimeError:  # the user has used the newer names, with which torch refuses the older
        older = allowed = None
    if older is not None and (older != "highest" or allowed):
        torch.set_float32_matmul_precision("highest")  # the newer ones follow
    for holder in newer:
        if holder.fp32_precision not in ("none", "ieee"):
            holder.fp32_precision = "ieee"

    def restore() -> None:
        if older is not None and torch.get_float32_matmul_precision() != older:
            torch.set_float32_matmul_precision(older)
        if allowed is not None and torch.backends.cuda.matmul.allow_tf32 != allowed:
            torch.backends.cuda.matmul.allow_tf32 = allowed
        for holder, value in zip(newer, before, strict=True):
            if holder.fp32_precision != value:
                holder.fp32_precision = "none"  # inherited, where a wider setting says the same
            if holder.fp32_precision != value:
                holder.fp32_precision = value

    return restore
