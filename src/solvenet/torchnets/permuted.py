"""Layers whose weights are only rearranged, trained by straight-through gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn.utils import parametrize

from solvenet._random import stream
from solvenet._validation import check_choice
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.permutation import MultisetRecipe
from solvenet.torchnets.matching import RankMatch, rank_matched

SCOPES = ("layer", "row")
_KINDS = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


class PermutedLinear(torch.nn.Linear):
    """A linear layer whose weights are a rearrangement of given values.

    It trains like any other: the optimiser moves latent weights, of which only the order
    counts (straight-through; see :class:`RankMatch`). The bias is an ordinary parameter.

    Parameters
    ----------
    in_features, out_features : int
        Columns of inputs and outputs.
    bias : bool, default=True
        Whether there is one.
    values : MultisetRecipe or array-like, optional
        The multiset: a recipe, or ``in_features * out_features`` numbers in any order (for
        the scope row of shape (out_features, in_features)). By default the weights as He's
        normal initialisation draws them.
    scope : {"layer", "row"}, default="layer"
        Whether values may go anywhere in the layer, or stay in their output unit.
    device, dtype : optional
        As for ``torch.nn.Linear``.

    Raises
    ------
    InvalidSettingError
        Another scope.
    InvalidDataError
        Another number of values, NaN, or all of them equal.

    Notes
    -----
    ``parametrize.remove_parametrizations(layer, "weight")`` of torch leaves an ordinary layer
    with the weights as they are.

    *Differences from LaPerm*, which replaces the weights themselves by the arrangement every
    k steps: the latent is never overwritten, so that small gradients add up. That is what
    makes multisets of few levels trainable.

    References
    ----------
    Y. Qiu, R. Suda (2020), Train-by-reconnect, NeurIPS 33, arXiv:2003.02570 (LaPerm).
    Y. Bengio, N. Leonard, A. Courville (2013), arXiv:1308.3432 (straight-through).

    Examples
    --------
    >>> import torch
    >>> from solvenet.permutation import MultisetRecipe
    >>> from solvenet.torchnets import PermutedLinear
    >>> layer = PermutedLinear(6, 4, values=MultisetRecipe("equidistant", bits=1))
    >>> layer.weight.unique(return_counts=True)[1].tolist()
    [12, 12]
    >>> layer(torch.ones(1, 6)).sum().backward()
    >>> layer.parametrizations.weight.original.grad.shape
    torch.Size([4, 6])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        values: Any = None,
        scope: str = "layer",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        _initialise(self, values, scope)


class PermutedConv2d(torch.nn.Conv2d):
    """A convolution whose weights are a rearrangement of given values.

    Parameters
    ----------
    in_channels, out_channels, kernel_size : int or tuple of int
        As for ``torch.nn.Conv2d``.
    values : MultisetRecipe or array-like, optional
        The multiset, as for :class:`PermutedLinear`; a row is a filter.
    scope : {"layer", "row"}, default="layer"
        Whether values may go anywhere in the layer, or stay in their filter.
    **options
        Stride, padding, dilation, groups, bias, ... of ``torch.nn.Conv2d``.

    Raises
    ------
    InvalidSettingError
        Another scope.
    InvalidDataError
        Another number of values, NaN, or all of them equal.

    Examples
    --------
    >>> import torch
    >>> from solvenet.torchnets import PermutedConv2d
    >>> layer = PermutedConv2d(1, 4, 3, padding=1, bias=False)
    >>> layer(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 4, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        *,
        values: Any = None,
        scope: str = "layer",
        **options: Any,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, **options)
        _initialise(self, values, scope)


def permute_(module: Any, *, scope: str = "layer", values: Any = None) -> Any:
    """Let the weights of linear and convolutional layers be rearrangements of given values.

    In place and at once: every weight becomes the value of its rank. Trained weights keep
    most of their function (one shot); trained on, or from the start, the layers rearrange
    by straight-through gradients.

    Parameters
    ----------
    module : torch.nn.Module
        A layer, or a module with layers: Linear, Conv1d, Conv2d and Conv3d are changed, biases
        and other layers are not.
    scope : {"layer", "row"}, default="layer"
        Whether values may go anywhere in the layer, or stay in their output unit or filter.
    values : MultisetRecipe, mapping of str to array-like, or None, default=None
        None: the weights that the layer has, so that nothing changes now. A recipe: fresh
        values, another seed for each layer, scaled to the size of the layer's weights. A
        mapping: the values of each weight by its name, such as a ``state_dict()`` from
        before training, or of permuted layers.

    Returns
    -------
    torch.nn.Module
        The module itself.

    Raises
    ------
    InvalidSettingError
        Another scope, or no layer to permute.
    InvalidDataError
        A weight without values, another number of them, NaN, or all of them equal.

    Notes
    -----
    *Cost.* One sort a layer.

    Examples
    --------
    >>> import torch
    >>> from solvenet.permutation import MultisetRecipe
    >>> from solvenet.torchnets import permute_
    >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    >>> before = net(torch.ones(1, 8))
    >>> bool((permute_(net)(torch.ones(1, 8)) == before).all())
    True
    """
    check_choice("scope", scope, SCOPES)
    found = [
        (name, layer)
        for name, layer in module.named_modules()
        if isinstance(layer, _KINDS) and not parametrize.is_parametrized(layer, "weight")
    ]
    if not found:
        msg = "The module has no linear or convolutional layer whose weights are its own."
        raise InvalidSettingError(msg)
    planned = [(layer, _match(layer, scope, _values_of(values, name))) for name, layer in found]
    for layer, match in planned:
        parametrize.register_parametrization(layer, "weight", match)
    return module


def permuted_layers(module: Any) -> Iterator[tuple[str, RankMatch, Any]]:
    """Yield what is rearranged in a module.

    Parameters
    ----------
    module : torch.nn.Module
        With permuted layers.

    Yields
    ------
    name : str
        Of the layer.
    match : RankMatch
        Its multiset.
    arrangement : array of shape (n_rows, n_values) or (n_values,)
        The values, without the gain, at their places, as float64: what
        :func:`~solvenet.permutation.save_permutation` stores.
    """
    for name, layer in module.named_modules():
        if not parametrize.is_parametrized(layer, "weight"):
            continue
        for match in layer.parametrizations.weight:
            if isinstance(match, RankMatch):
                latent = layer.parametrizations.weight.original
                placed = rank_matched(latent.detach(), match.values).reshape(match.values.shape)
                rows = placed.double().cpu().numpy()
                yield name, match, rows[0] if len(rows) == 1 else rows


def _initialise(layer: Any, values: Any, scope: str) -> None:
    check_choice("scope", scope, SCOPES)
    torch.nn.init.kaiming_normal_(layer.weight)
    parametrize.register_parametrization(layer, "weight", _match(layer, scope, values))


def _values_of(values: Any, name: str) -> Any:
    """Return the values of one layer of those given for a module."""
    if isinstance(values, MultisetRecipe):
        # Layers of one size would have the same values otherwise.
        seed = int(stream(values.seed, "permute_", name).integers(2**31))
        return MultisetRecipe(values.distribution, bits=values.bits, zeros=values.zeros, seed=seed)
    if values is None:
        return None
    if not isinstance(values, Mapping):
        msg = f"values of type {type(values).__name__}: a MultisetRecipe or a mapping is wanted."
        raise InvalidSettingError(msg)
    prefix = f"{name}." if name else ""
    for key in (f"{prefix}parametrizations.weight.0.values", f"{prefix}weight"):
        if key in values:
            return values[key]
    msg = f"There are no values for {prefix}weight; there are some for {sorted(values)}."
    raise InvalidDataError(msg)


def _match(layer: Any, scope: str, values: Any) -> RankMatch:
    """Return the multiset of a layer, scaled to the root mean square of its weights."""
    weight = layer.weight.detach()
    n_rows = len(weight) if scope == "row" else 1
    shape = (n_rows, weight.numel() // n_rows)
    options = {"dtype": weight.dtype, "device": weight.device}
    if isinstance(values, MultisetRecipe):
        drawn = values.draw(shape[1], n_rows=n_rows)
        size, own = float(weight.double().square().mean()), float(np.square(drawn).mean())
        return RankMatch(drawn, math.sqrt(size / own) if own > 0 else 1.0, recipe=values, **options)
    given = weight if values is None else torch.as_tensor(values)
    numbers = given.detach().to(weight.dtype).double().cpu().numpy()
    if numbers.size != weight.numel():
        msg = (
            f"{numbers.size} values of shape {numbers.shape} were given for weights of shape "
            f"{tuple(weight.shape)}; as many as weights are wanted."
        )
        raise InvalidDataError(msg)
    return RankMatch(numbers.reshape(shape), **options)
