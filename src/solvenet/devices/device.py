"""Where arrays of another library live: a GPU or the CPU, by torch, CuPy or any array API."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from solvenet import _array_api
from solvenet._validation import import_optional
from solvenet.errors import InvalidSettingError, MissingExtraError

if TYPE_CHECKING:
    from solvenet._array_api import Array

DeviceArray: TypeAlias = Any
"""An array on a device, in the library of the device."""

KNOWN = '"cpu", "cuda", "cuda:1", "cupy"'


@dataclass(frozen=True)
class Device:
    """A place to compute: a library of arrays, and a device that it knows.

    Made by :func:`get_device`. The library is imported when it is first needed; the object
    itself holds two names and can be pickled.

    Attributes
    ----------
    library : str
        ``"torch"``, ``"cupy"``, or the name of a module that follows the array API.
    handle : str or None
        What the library calls the device; None for its default.
    """

    library: str
    handle: str | None = None

    def __str__(self) -> str:
        """Return the name by which a user asks for it."""
        return self.handle if self.library == "torch" and self.handle else self.library

    @cached_property
    def xp(self) -> Any:
        """The namespace of the array API."""
        return _array_api.namespace(self.library)

    @cached_property
    def module(self) -> Any:
        """The library itself, for what the array API has no name for."""
        return import_module(self.library)

    @property
    def is_torch_cuda(self) -> bool:
        """Whether it is an NVIDIA GPU, or one that torch treats as such, by torch."""
        return self.library == "torch" and (self.handle or "").startswith("cuda")

    @property
    def is_accelerator(self) -> bool:
        """Whether it computes beside the CPU, with memory of its own."""
        return self.is_torch_cuda or self.library == "cupy"

    @property
    def in_place(self) -> bool:
        """Whether functions of the library take ``out``, memory for their result."""
        return self.library in _array_api.WRAPPED

    def dtype(self, name: str) -> Any:
        """Return the library's dtype of a name."""
        return getattr(self.xp, name)

    def to_device(self, array: Any, dtype: str | None = None) -> DeviceArray:
        """Return a copy of `array` on the device; an array of the library is only converted.

        Parameters
        ----------
        array : array
            Of NumPy, or of the library.
        dtype : str, optional
            Name of the dtype; that of the array by default.
        """
        if _array_api.is_foreign(array):
            return array if dtype is None else self.xp.astype(array, self.dtype(dtype), copy=False)
        host = np.asarray(array, dtype=dtype)
        if not self.is_accelerator or not host.flags.writeable or min(host.strides, default=0) < 0:
            # The library may share memory, and refuses what is read-only or reversed; on an
            # accelerator the array is a copy in any case.
            host = np.array(host, copy=True)
        return self.xp.asarray(host, device=self.handle)

    def bring(self, array: DeviceArray, source: Device, dtype: str) -> DeviceArray:
        """Return an array of another device, or of this one, on this one."""
        return self.to_device(array if source == self else source.to_numpy(array), dtype)

    def to_numpy(self, array: DeviceArray) -> Array:
        """Return a copy of an array of the device as NumPy."""
        if self.is_torch_cuda:
            return array.cpu().numpy()  # type: ignore[no-any-return]
        if self.library == "cupy":
            return array.get()  # type: ignore[no-any-return]
        return np.array(_array_api.to_numpy(array), copy=True)

    def empty(self, shape: tuple[int, ...], dtype: str) -> DeviceArray:
        """Return an array with nothing in it yet."""
        return self.xp.empty(shape, dtype=self.dtype(dtype), device=self.handle)

    def zeros(self, shape: tuple[int, ...], dtype: str) -> DeviceArray:
        """Return an array of zeros."""
        return self.xp.zeros(shape, dtype=self.dtype(dtype), device=self.handle)

    def synchronize(self) -> None:
        """Wait until everything that was asked of the device is done."""
        if self.is_torch_cuda:
            self.module.cuda.synchronize(self.handle)
        elif self.library == "cupy":
            self.module.cuda.get_current_stream().synchronize()

    def __getstate__(self) -> dict[str, Any]:
        """Return the names alone: modules cannot be pickled."""
        return {"library": self.library, "handle": self.handle}


def get_device(device: Any) -> Device:
    """Return the device of a name, checked to be there.

    Parameters
    ----------
    device : str, Device, torch.device or module
        ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` (by torch), ``"cupy"`` (the current GPU of
        CuPy), or a module that follows the array API, such as ``array_api_strict``.

    Returns
    -------
    Device
        The device.

    Raises
    ------
    MissingExtraError
        The library is not installed.
    InvalidSettingError
        The device is unknown, or the library does not see it.
    """
    if isinstance(device, Device):
        return device
    if isinstance(device, ModuleType):
        name = device.__name__
        return get_device("cpu" if name.endswith("torch") else name.rpartition(".")[2])
    text = str(device)  # of a torch.device: its name
    family, _, index = text.partition(":")
    if family in ("cpu", "cuda") and (not index or index.isdigit()):
        torch = import_optional("torch", extra="torch", purpose=f"device={text!r}")
        if family == "cuda":
            return _cuda(torch, text, int(index or 0))
        return Device("torch", "cpu")
    if text == "cupy":
        return _cupy()
    if text in ("array_api_strict", "numpy"):
        return Device(text)
    msg = (
        f"device={text!r} is unknown. Use one of: {KNOWN}; a torch.device of these kinds; or a "
        "module that follows the array API. Other devices compute no float64."
    )
    raise InvalidSettingError(msg)


def _cuda(torch: Any, text: str, index: int) -> Device:
    if not torch.cuda.is_available():
        why = (
            "it was built without CUDA (install torch from the index for your CUDA version)"
            if torch.version.cuda is None and getattr(torch.version, "hip", None) is None
            else "no driver or no card is visible (see nvidia-smi and CUDA_VISIBLE_DEVICES)"
        )
        msg = f"device={text!r} was asked for and torch {torch.__version__} sees no GPU: {why}."
        raise InvalidSettingError(msg)
    n_devices = torch.cuda.device_count()
    if index >= n_devices:
        msg = f"device={text!r} was asked for and torch sees {n_devices} GPUs, from cuda:0 on."
        raise InvalidSettingError(msg)
    return Device("torch", f"cuda:{index}")


def _cupy() -> Device:
    try:
        cupy = import_module("cupy")
    except ImportError as error:
        msg = (
            "device='cupy' needs the package 'cupy', which is not installed. Install the one "
            "for your CUDA, for example: pip install cupy-cuda13x"
        )
        raise MissingExtraError(msg) from error
    try:
        n_devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        msg = f"device='cupy' was asked for and CuPy {cupy.__version__} sees no GPU: {error}."
        raise InvalidSettingError(msg) from error
    if n_devices == 0:
        msg = f"device='cupy' was asked for and CuPy {cupy.__version__} sees no GPU."
        raise InvalidSettingError(msg)
    if os.environ.get("CUPY_TF32", "0") not in ("", "0"):
        msg = (
            "device='cupy' was asked for while CUPY_TF32 is set, which rounds what is multiplied "
            "to 10 bits. Unset that variable."
        )
        raise InvalidSettingError(msg)
    return Device("cupy")
