"""Features, products, sketches and Cholesky factors on a GPU, or by another array library.

Nothing here loads torch or CuPy before a device of theirs is asked for.
"""

from solvenet.devices.algebra import DeviceAlgebra, algebra_on, solve_ridge
from solvenet.devices.device import Device, get_device
from solvenet.devices.gram import DeviceGram
from solvenet.devices.maps import DeviceMap
from solvenet.devices.passes import device_gram, device_sketch, reduce_on_device
from solvenet.devices.precision import PRECISIONS, Precision, exact_products, get_precision
from solvenet.devices.sketch import DeviceSketch
from solvenet.devices.stream import DeviceRows, on_device, regrouped

__all__ = [
    "PRECISIONS",
    "Device",
    "DeviceAlgebra",
    "DeviceGram",
    "DeviceMap",
    "DeviceRows",
    "DeviceSketch",
    "Precision",
    "algebra_on",
    "device_gram",
    "device_sketch",
    "exact_products",
    "get_device",
    "get_precision",
    "on_device",
    "reduce_on_device",
    "regrouped",
    "solve_ridge",
]
