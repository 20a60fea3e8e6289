"""What a fit of a structured network returns: the model, how it was reached, why it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN
    from solvenet.structured.shallow import Shallow


class Ending(Enum):
    """Why a solver of structured networks ended; the value says what to do."""

    CONVERGED = "The error is below the tolerance. Nothing to do."
    STAGNATED = (
        "No step lowers the error any more. Try another seed or activation (steps stagnate most "
        'with relu on fixed rows, where method="spring" goes on), or a larger network.'
    )
    STEPS_ENDED = "All steps were made. Allow more, or go on from the network of this result."
    STOPPED = "The callback returned True."
    INTERRUPTED = "Interrupted from the keyboard; what was reached is returned."
    DIVERGED = (
        "The error grew beyond all bounds; an earlier network was kept. Raise the damping or the "
        "samples a step, in training lower the learning rate."
    )
    DIRECT = "Solved directly; nothing to do."


class StepRecord(NamedTuple):
    """What is recorded of each step, and what a callback gets.

    Attributes
    ----------
    method : str
        Which solver made it.
    step : int
        Steps made.
    mse : float
        Mean squared error on the rows of the step (for "spring" on its fresh samples, before it).
    damping : float
        As a multiple of the mean squared length of a row of the Jacobian.
    """

    method: str
    step: int
    mse: float
    damping: float


Callback = Callable[[StepRecord], object]


@dataclass(frozen=True, eq=False)
class MMNNResult:
    """A fitted function and how it was found; call it with inputs.

    Attributes
    ----------
    network : MMNN or None
        The structured network; None where a shallow network alone was better.
    correction : Shallow or None
        A shallow network that is added: fitted to what the network left, or alone.
    method : str
        What found it.
    reason : str
        Why that, in words, with the errors of what it was compared with.
    ending : Ending
        Why the solver ended; its value is advice.
    mse : float
        Mean squared error on the rows of the fit (of a field, on fresh points of its domain).
    held_out : float or None
        On rows that were kept apart to compare; None where nothing was compared.
    history : tuple of StepRecord
        Every step.
    n_parameters : int
        Fitted numbers.
    seconds : float
        Wall time.
    """

    network: MMNN | None = field(repr=False)
    correction: Shallow | None = field(repr=False)
    method: str
    reason: str
    ending: Ending
    mse: float
    held_out: float | None
    history: tuple[StepRecord, ...] = field(repr=False)
    n_parameters: int
    seconds: float

    def __call__(self, X: Array) -> Array:
        """Return the values, shape (n_rows,) for one output, else (n_rows, n_outputs)."""
        if self.network is None:
            assert self.correction is not None
            return self.correction(X)
        values = self.network(X)
        return values if self.correction is None else values + self.correction(X)
