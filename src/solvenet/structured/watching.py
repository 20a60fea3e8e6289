"""What is kept of a fit while it goes on: its history, and a state to go on from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks.records import digest_of
from solvenet.engine import Checkpoint
from solvenet.structured.result import Ending, StepRecord

if TYPE_CHECKING:
    from pathlib import Path

    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN
    from solvenet.structured.result import Callback

State = dict[str, Any]
"""Arrays and numbers by name."""


class Watch:
    """Keeps the history, tells the callback, and saves states of solvers.

    Parameters
    ----------
    callback : callable, optional
        Gets each record; a return value of True stops.
    checkpoint : path or Checkpoint, optional
        The folder of the states.
    """

    def __init__(
        self,
        callback: Callback | None = None,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    ) -> None:
        self.history: list[StepRecord] = []
        self._callback = callback
        if isinstance(checkpoint, str | os.PathLike):
            checkpoint = Checkpoint(checkpoint)
        self._kept: Checkpoint | None = checkpoint
        self._path: Path | None = None
        self._method, self._stopped = "", False

    def begin(self, network: MMNN, arrays: Mapping[str, Array], settings: str) -> None:
        """Say what the fit is; refuse the checkpoint of another one.

        Parameters
        ----------
        network : MMNN
            Where it starts.
        arrays : mapping of str to array
            The data.
        settings : str
            All that the result depends on.

        Raises
        ------
        CheckpointError
            The folder belongs to other data, another network or other settings.
        """
        if self._kept is None:
            return
        parts = (a for layer in network.layers for a in (layer.W, layer.b, layer.A, layer.c))
        about = {"network": "".join(map(digest_of, parts)), "settings": settings}
        self._kept.begin(about | {name: digest_of(array) for name, array in arrays.items()})

    def restored(self, method: str) -> State | None:
        """Return where a solver was when it was last saved, with the history up to there.

        Parameters
        ----------
        method : str
            Of the solver.

        Returns
        -------
        dict or None
            What :meth:`keep` was given; None at the beginning.
        """
        self._method = method
        if self._kept is None:
            return None
        self._path = self._kept.next_pass(method)
        state = self._kept.load(self._path, method)
        if state is not None:
            rows = state.pop("history")
            self.history = [StepRecord(method, int(k), *rest) for k, *rest in rows.tolist()]
        return state

    def __call__(self, step: int, mse: float, damping: float) -> bool:
        """Record a step, and return whether to stop."""
        record = StepRecord(self._method, step, mse, damping)
        self.history.append(record)
        self._stopped = self._callback is not None and self._callback(record) is True
        return self._stopped

    def keep(self, state: Callable[[], State]) -> None:
        """Save the state after a step: when it is time, and where the callback stopped."""
        if self._kept is None or self._path is None:
            return
        if self._stopped or self._kept.is_time():
            rows = np.array([record[1:] for record in self.history])
            self._kept.save(self._path, self._method, state() | {"history": rows})

    def end(self, ending: Ending) -> None:
        """Remove what was saved, unless somebody stopped the fit and may go on."""
        if self._kept is not None and ending not in (Ending.STOPPED, Ending.INTERRUPTED):
            self._kept.end()


def packed(name: str, arrays: list[Array]) -> State:
    """Return arrays under numbered names."""
    return {f"{name}.{number}": array for number, array in enumerate(arrays)}


def unpacked(name: str, state: State) -> list[Array]:
    """Return the arrays that :func:`packed` named."""
    count = sum(key.startswith(f"{name}.") for key in state)
    return [state[f"{name}.{number}"] for number in range(count)]
