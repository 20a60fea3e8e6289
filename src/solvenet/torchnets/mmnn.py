"""Multi-component, multi-layer networks as torch modules, with the arrays of the NumPy form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from solvenet import structured
from solvenet.errors import InvalidSettingError
from solvenet.torchnets.convert import _ACTIVATIONS

if TYPE_CHECKING:
    from solvenet._array_api import Array


class MMNN(torch.nn.Module):
    """A composition of shallow networks with few channels between them, to be trained.

    The same function as :class:`solvenet.structured.MMNN`: from the same settings and seed the
    same numbers. Maps (n_rows, n_inputs) to (n_rows, n_outputs).

    Parameters
    ----------
    width : int
        Units of each layer.
    rank : int
        Channels between layers, at most `width`.
    depth : int
        Number of layers.
    n_inputs, n_outputs : int, default=1
        Columns of inputs and outputs.
    activation : str, default="relu"
        "sin" with its scaled first layer is the network of arXiv:2502.18959.
    initial : {"auto", "sphere", "default", "scaled"}, default="auto"
        As for :func:`solvenet.structured.random_mmnn`.
    scale : float, optional
        Of the first layer.
    residual : bool, default=False
        Whether hidden layers add their inputs.
    fixed : bool, default=True
        Whether W and b take part in training.
    low, high : float or array of shape (n_inputs,), default=-1.0 and 1.0
        The domain.
    random_state : int, default=0
        Seed.
    dtype : torch.dtype, default=torch.float32
        Of the parameters.

    Attributes
    ----------
    W, b, A, c : torch.nn.ParameterList
        One of each a layer: ``h = activation(x @ W + b) @ A + c``. Fixed ones have no gradient.

    Notes
    -----
    ``state_dict`` holds every number and the domain, not the settings: load it into a module
    of the same settings. With "sin", inputs of the first layer reach ``width / 2``: there
    float32 resolves 1e-5 of an angle.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from solvenet.torchnets import MMNN
    >>> module = MMNN(100, 10, 6, n_inputs=2)
    >>> sum(p.numel() for p in module.parameters() if p.requires_grad)
    5151
    >>> tuple(module(torch.zeros(7, 2)).shape)
    (7, 1)
    """

    low: Any
    high: Any

    def __init__(
        self,
        width: int,
        rank: int,
        depth: int,
        *,
        n_inputs: int = 1,
        n_outputs: int = 1,
        activation: str = "relu",
        initial: str = "auto",
        scale: float | None = None,
        residual: bool = False,
        fixed: bool = True,
        low: Array | float = -1.0,
        high: Array | float = 1.0,
        random_state: int = 0,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        network = structured.random_mmnn(
            width,
            rank,
            depth,
            n_inputs=n_inputs,
            n_outputs=n_outputs,
            activation=activation,
            initial=initial,
            scale=scale,
            residual=residual,
            fixed=fixed,
            low=low,
            high=high,
            random_state=random_state,
        )
        self._take(network, torch.float32 if dtype is None else dtype)

    @classmethod
    def from_arrays(cls, network: structured.MMNN, *, dtype: Any = None) -> MMNN:
        """Return the module of a network in NumPy form.

        Parameters
        ----------
        network : solvenet.structured.MMNN
            For example a solved one.
        dtype : torch.dtype, default=torch.float64
            Of the parameters.

        Returns
        -------
        MMNN
            Which computes the same function.
        """
        module = cls.__new__(cls)
        torch.nn.Module.__init__(module)
        module._take(network, torch.float64 if dtype is None else dtype)
        return module

    def _take(self, network: structured.MMNN, dtype: Any) -> None:
        if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            msg = f"dtype={dtype!r} was given; torch.float32 or another floating type is wanted."
            raise InvalidSettingError(msg)
        self.activation, self.residual, self.fixed = (
            network.activation,
            network.residual,
            network.fixed,
        )
        for name in ("W", "b", "A", "c"):
            trained = name in "Ac" or not network.fixed
            arrays = [torch.tensor(getattr(layer, name), dtype=dtype) for layer in network.layers]
            held = [torch.nn.Parameter(array, requires_grad=trained) for array in arrays]
            setattr(self, name, torch.nn.ParameterList(held))
        self.register_buffer("low", torch.tensor(network.low, dtype=dtype))
        self.register_buffer("high", torch.tensor(network.high, dtype=dtype))
        self._passed = [network.n_passed(number) for number in range(network.depth)]

    def forward(self, x: Any) -> Any:
        """Return the outputs, shape (n_rows, n_outputs)."""
        function = _ACTIVATIONS[self.activation]
        h = (x.to(self.low.dtype) - (self.low + self.high) / 2) * (2 / (self.high - self.low))
        layers = zip(self.W, self.b, self.A, self.c, self._passed, strict=True)
        for W, b, A, c, passed in layers:
            values = function(torch.addmm(b, h, W)) @ A + c
            if passed:
                added = torch.nn.functional.pad(h[:, :passed], (0, values.shape[1] - passed))
                values = values + added
            h = values
        return h

    def to_arrays(self) -> structured.MMNN:
        """Return the network in NumPy form, in float64.

        Returns
        -------
        solvenet.structured.MMNN
            With the module's present numbers.
        """
        layers = tuple(
            structured.Layer(*(_array(part) for part in parts))
            for parts in zip(self.W, self.b, self.A, self.c, strict=True)
        )
        low, high = _array(self.low), _array(self.high)
        return structured.MMNN(layers, self.activation, self.residual, self.fixed, low, high)


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().cpu().double().numpy())
