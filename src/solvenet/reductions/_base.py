"""The protocol of summaries that merge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array


class Reduction(ABC):
    """A summary of rows that can be merged with the summary of other rows."""

    @abstractmethod
    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows: `A` (rows, n_cols), `B` (rows, n_targets), `weights` (rows,).

        `start` is the number of the first row: what randomness is keyed by. With
        `overwrite` the memory of A may be used for the work.
        """

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add the rows that `other` has seen; `other` is not changed."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of the state."""

    def compact(self) -> None:  # noqa: B027 (nothing to do for most)
        """Make the state as small as it can be, before it is sent or stored."""

    def forget(self, share: float) -> None:
        """Multiply the weights of all rows so far by `share`."""
        msg = f"{type(self).__name__} cannot forget."
        raise NotImplementedError(msg)

    def state(self) -> dict[str, Any]:
        """Return what the summary holds, as arrays and numbers by name."""
        out: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Reduction):
                out |= {f"{name}/{key}": part for key, part in value.state().items()}
            elif isinstance(value, list):
                out |= {f"{name}#{number}": part for number, part in enumerate(value)}
            elif isinstance(value, bool | int | float | np.ndarray):
                out[name] = value
        return out

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned, into a summary that was made in the same way."""
        for name, value in vars(self).items():
            if isinstance(value, Reduction):
                inner = {key.removeprefix(f"{name}/"): part for key, part in state.items()
                         if key.startswith(f"{name}/")}  # fmt: skip
                value.restore(inner)
            elif isinstance(value, list):
                numbered = (key for key in state if key.startswith(f"{name}#"))
                ordered = sorted(numbered, key=lambda key: int(key.rpartition("#")[2]))
                setattr(self, name, [state[key] for key in ordered])
            elif name in state:
                setattr(self, name, state[name])
