"""Rank matching: the arrangement of given values that is nearest to latent weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from solvenet.errors import InvalidDataError, ModelFileError
from solvenet.permutation import MultisetRecipe, multiset_digest


class RankMatch(torch.nn.Module):
    """Give the k-th smallest value of a multiset to the k-th smallest latent number.

    The nearest arrangement of the multiset to the latent weights in the Euclidean norm
    (rearrangement inequality). The gradient of the arrangement is passed on to the latent as
    it is (straight-through); what is a constant almost everywhere could not be trained.

    Parameters
    ----------
    values : array-like of shape (n_rows, n_values)
        The multiset of each group of weights: one row for a layer, or one a unit.
    gain : float, default=1.0
        Multiplies the values.
    recipe : MultisetRecipe, optional
        Where the values are from.
    dtype, device : optional
        Of the weights.

    Raises
    ------
    InvalidDataError
        NaN, or no row with values that differ.

    Attributes
    ----------
    values : tensor of shape (n_rows, n_values)
        Each row ascending. Part of the saved state unless there is a recipe.
    gain : tensor of shape ()
        Not trained.

    Notes
    -----
    *Cost.* A sort of the weights each time they are used: about 0.1 microseconds a weight.
    Equal latent numbers keep their order.

    A state of another multiset is refused when it is loaded: its SHA-256 is in the state.
    """

    values: Any
    gain: Any

    def __init__(
        self,
        values: Any,
        gain: float = 1.0,
        *,
        recipe: MultisetRecipe | None = None,
        dtype: Any = None,
        device: Any = None,
    ) -> None:
        super().__init__()
        ordered = np.sort(np.atleast_2d(np.asarray(values, dtype=np.float64)), axis=1)
        self.digest = multiset_digest(ordered)
        if not np.ptp(ordered, axis=1).any():
            msg = (
                f"All values equal{' in every row' if len(ordered) > 1 else ''}: every "
                "rearrangement is the same layer. Give values that differ."
            )
            raise InvalidDataError(msg)
        self.recipe = recipe
        options = {"dtype": dtype or torch.get_default_dtype(), "device": device}
        self.register_buffer(
            "values", torch.as_tensor(ordered, **options), persistent=recipe is None
        )
        self.register_buffer("gain", torch.as_tensor(float(gain), **options))

    def forward(self, latent: Any) -> Any:
        """Return the values at their places, in the shape of the latent weights."""
        return _StraightThrough.apply(latent, self.gain * self.values)

    def right_inverse(self, weight: Any) -> Any:
        """Return the latent of a weight that is assigned: itself."""
        return weight

    def get_extra_state(self) -> Any:
        """Return the hash of the multiset, which is saved with the state."""
        return torch.tensor(list(bytes.fromhex(self.digest)), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Refuse a state of another multiset."""
        found = bytes(state.tolist()).hex()
        if found != self.digest:
            msg = (
                f"The state is of another multiset (SHA-256 {found[:16]}...) than the layer "
                f"({self.digest[:16]}...). Build the layer with the values that it was trained "
                "with: the same recipe, or permute_(module, values=state)."
            )
            raise ModelFileError(msg)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *others: Any
    ) -> None:
        # Before anything is copied; without a hash it may be any multiset.
        key = f"{prefix}_extra_state"
        if key not in state_dict:
            msg = f"The state has no {key}, the hash of the multiset: it is of other layers."
            raise ModelFileError(msg)
        self.set_extra_state(state_dict[key])
        own = state_dict.get(f"{prefix}values")
        if own is not None and multiset_digest(own.double().cpu().numpy()) != self.digest:
            msg = f"{prefix}values is not the multiset of its own hash: the state was altered."
            raise ModelFileError(msg)
        super()._load_from_state_dict(state_dict, prefix, *others)


def rank_matched(latent: Any, values: Any) -> Any:
    """Return sorted rows of values in the order that the latent numbers have.

    Parameters
    ----------
    latent : tensor
        As many numbers as there are values.
    values : tensor of shape (n_rows, n_values)
        Each row ascending.

    Returns
    -------
    tensor of the shape of `latent`
        The arrangement nearest to it.
    """
    order = latent.reshape(values.shape).argsort(dim=1, stable=True)
    return torch.empty_like(values).scatter_(1, order, values).reshape(latent.shape)


class _StraightThrough(torch.autograd.Function):
    """Rank matching forwards, the identity backwards."""

    @staticmethod
    def forward(ctx: Any, latent: Any, values: Any) -> Any:  # noqa: ARG004 (as torch calls it)
        return rank_matched(latent, values)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:  # noqa: ARG004
        return gradient, None
