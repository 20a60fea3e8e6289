"""A sampled network as a torch module: the same function, ready for gradient steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from solvenet.errors import InvalidSettingError
from solvenet.features.activations import name_of
from solvenet.networks import HiddenMap, SampledNetwork

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import InputScaling

_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sin": torch.sin,
    "cos": torch.cos,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
    "identity": torch.nn.Identity(),
}


def to_torch(model: SampledNetwork | HiddenMap, *, dtype: Any = None) -> TorchNetwork:
    """Return a network as a torch module that computes the same function.

    Parameters
    ----------
    model : SampledNetwork or HiddenMap
        The network as plain arrays; a HiddenMap has no read-out and gives features.
        Fitted estimators have a method ``to_torch()``.
    dtype : torch.dtype, default=torch.float64
        Precision of parameters and results. Read-outs of ill-conditioned solves are
        large and cancel: in float32 they may lose all digits.

    Returns
    -------
    TorchNetwork
        On the CPU, with weights and biases of every layer as parameters.

    Raises
    ------
    InvalidSettingError
        An activation given as a function, or a dtype that is not of floating point.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import SampledNetworkRegressor
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> model = SampledNetworkRegressor(20, random_state=0).fit(X, np.sin(X[:, 0]))
    >>> module = model.to_torch()
    >>> tuple(module(torch.from_numpy(X)).shape)
    (50, 1)
    """
    dtype = torch.float64 if dtype is None else dtype
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        msg = f"dtype={dtype!r} was given; torch.float64 or another floating type is wanted."
        raise InvalidSettingError(msg)
    module = TorchNetwork(model)
    module.to(dtype)
    return module


class TorchNetwork(torch.nn.Module):
    """The torch module of a sampled network; made by :func:`to_torch`.

    Maps (n_rows, n_features) to (n_rows, n_targets): predictions of a regressor, also
    for one target; logits of a classifier, so that ``module(x).softmax(dim=1)`` are its
    probabilities and ``torch.nn.functional.cross_entropy`` is its loss; features of a
    transformer. Inputs are converted to the precision and must be on the device of the
    module.

    Parameters
    ----------
    model : SampledNetwork or HiddenMap
        The network.

    Attributes
    ----------
    layers : torch.nn.ModuleList of torch.nn.Linear
        Hidden layers; their weights are parameters.
    readout : torch.nn.Linear or None
        Read-out; its weights are parameters.
    activations : list of str
        One a layer.

    Notes
    -----
    Scaling, clipping and output bounds are buffers: training leaves them as they are.
    Beyond a bound the gradient is zero.
    """

    low: Any
    high: Any

    def __init__(self, model: SampledNetwork | HiddenMap) -> None:
        super().__init__()
        hidden = model if isinstance(model, HiddenMap) else model.hidden
        readout = None if isinstance(model, HiddenMap) else model.readout
        self.scaling = _Scaling(hidden.scaling, skip=hidden.skip)
        self.layers = torch.nn.ModuleList(
            _linear(layer.weights, layer.biases) for layer in hidden.layers.layers
        )
        self.activations = [
            name_of(layer.activation, purpose="A torch module of solvenet")
            for layer in hidden.layers.layers
        ]
        self.readout = None if readout is None else _linear(readout.coef, readout.intercept)
        self.register_buffer("low", _tensor(None if readout is None else readout.low))
        self.register_buffer("high", _tensor(None if readout is None else readout.high))

    def forward(self, x: Any) -> Any:
        """Return outputs, logits or features, shape (n_rows, n_targets)."""
        x = x.to(self.layers[0].weight.dtype)
        h, straight = self.scaling(x)
        for layer, name in zip(self.layers, self.activations, strict=True):
            h = _ACTIVATIONS[name](layer(h))
        if straight is not None:
            h = torch.cat([h, straight], dim=1)
        if self.readout is None:
            return h
        out = self.readout(h)
        return out if self.low is None else torch.clamp(out, self.low, self.high)


class _Scaling(torch.nn.Module):
    """The scaled inputs for the hidden layers, and those that bypass them."""

    center: Any
    factor: Any
    bend: Any
    gain: Any
    low: Any
    high: Any
    radius: Any
    mean: Any
    precision: Any

    def __init__(self, scaling: InputScaling, *, skip: float) -> None:
        super().__init__()
        for item in fields(scaling):
            self.register_buffer(item.name, _tensor(getattr(scaling, item.name)))
        self.skip = skip

    def forward(self, x: Any) -> tuple[Any, Any]:
        if self.low is not None:
            x = torch.clamp(x, self.low, self.high)
        z = self._shortened((x - self.center) * self.factor)
        straight = None
        if self.skip != 0:
            own = self.mean is not None
            straight = self._shortened((x - self.mean) * self.precision) if own else z
            straight = self.skip * straight
        if self.gain is not None:
            z = z * (self.gain / torch.sqrt(1.0 + (self.bend * z) ** 2))
        return z, straight

    def _shortened(self, z: Any) -> Any:
        if self.radius is None:
            return z
        # This norm has gradient zero at zero, where a square root would have none.
        length = torch.linalg.vector_norm(z, dim=1, keepdim=True)
        longest = torch.where(length > 0, length, torch.ones_like(length))
        return z * torch.clamp(self.radius / longest, max=1.0)


def _linear(weights: Array, biases: Array) -> Any:
    """Return ``x @ weights + biases`` as a torch layer, whose weight is the transpose."""
    # On the meta device nothing is drawn: the numbers come from the arrays.
    n_in, n_out = weights.shape
    layer = torch.nn.Linear(n_in, n_out, device="meta", dtype=torch.float64)
    layer.weight = torch.nn.Parameter(_tensor(np.ascontiguousarray(weights.T)))
    layer.bias = torch.nn.Parameter(_tensor(biases))
    return layer


def _tensor(array: Any) -> Any:
    """Return a float64 copy as a tensor; None stays None."""
    return None if array is None else torch.tensor(np.asarray(array, dtype=np.float64))
