"""The one door to arrays of other libraries.

Inside solvenet an array is a NumPy array. Arrays of other libraries (torch tensors on
the CPU, array-api-strict) are converted at the estimators' door, without a copy where
the library shares its memory, and results go back in the caller's library. The room
`devices` computes with arrays of another library, whose namespace it gets here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeAlias

import array_api_compat
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""A NumPy array of any dtype."""

WRAPPED = ("numpy", "torch", "cupy")
"""Libraries whose namespace array-api-compat completes; others have the standard's names."""


def namespace(library: str) -> Any:
    """Return the array-API namespace of a library, which is imported on first use."""
    return import_module(f"array_api_compat.{library}" if library in WRAPPED else library)


def is_foreign(array: object) -> bool:
    """Tell whether `array` is an array-API array of a library other than NumPy."""
    return array_api_compat.is_array_api_obj(array) and not isinstance(
        array, np.ndarray | np.generic
    )


def to_numpy(array: Any) -> Array:
    """Return `array` as NumPy, sharing memory where the library allows it."""
    if not is_foreign(array):
        return np.asarray(array)
    if array_api_compat.is_torch_array(array):
        array = array.detach()
    if array_api_compat.is_array_api_strict_namespace(array_api_compat.array_namespace(array)):
        # It refuses the exchange from devices that it only pretends to have.
        xp = array_api_compat.array_namespace(array)
        return np.from_dlpack(xp.asarray(array, device=xp.Device("CPU_DEVICE")))
    return np.from_dlpack(array_api_compat.to_device(array, "cpu"))


def like(result: Array, reference: Any) -> Any:
    """Return the NumPy array `result` in the library of `reference`."""
    if not is_foreign(reference):
        return result
    xp = array_api_compat.array_namespace(reference)
    return xp.asarray(result, device=array_api_compat.device(reference))
