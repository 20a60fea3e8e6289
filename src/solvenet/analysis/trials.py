"""What one change of a network, or two, does to its error: tried on the rows of a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from solvenet.analysis.reach import Reach, measure_reach

if TYPE_CHECKING:
    from solvenet.analysis.specification import NetworkSpec
    from solvenet.analysis.subject import Subject

HELPS = 0.25
"""Of the squared error must be left at most, for a change to count: half of the error."""

_SCALES = (0.125, 0.25, 0.5, 2.0, 4.0, 8.0)
_ACTIVATIONS = ("relu", "tanh", "sin")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A change of a network, and the error with it.

    Attributes
    ----------
    kind : {"precision", "width", "scale", "activation"}
        What it is about: float64 without a Gram matrix, more units, other weights, another
        activation. More units may come with one of the others, where neither helps alone.
    units : int or None
        Units, if they are changed.
    scale : float or None
        Factor of the first layer's weights, if they are changed.
    activation : str or None
        Activation, if it is changed.
    error : float
        Squared, by leave-one-out, over the variance of the targets.
    """

    kind: str
    units: int | None = None
    scale: float | None = None
    activation: str | None = None
    error: float = math.nan

    @property
    def changes(self) -> int:
        """How many things are changed: another activation has its own scale."""
        return 2 if self.kind == "width" and (self.scale or self.activation) else 1

    def left(self, error: float) -> float:
        """Return the share of an error that is left, over what may be left where it helps."""
        return self.error / (HELPS**self.changes * error) if error > 0 else math.inf

    def of(self, spec: NetworkSpec) -> NetworkSpec:
        """Return a specification with the change."""
        if self.kind == "precision":
            return replace(spec, precision="float64", gram=False)
        return replace(
            spec,
            width=self.units or spec.width,
            scale=spec.scale * (self.scale or 1.0),
            activation=self.activation or spec.activation,
        )

    def __str__(self) -> str:
        """Return the change in words."""
        if self.kind == "precision":
            return "float64 and without the Gram matrix"
        units = [str(part) for part in (self.units, self.activation) if part is not None]
        parts = [" ".join([*units, "units"])] if units else []
        if self.scale not in (None, 1.0):
            parts.append(f"weights of the first layer times {self.scale:g}")
        return " and ".join(parts)


def try_changes(
    subject: Subject, reach: Reach, error: float, cutoff: float, wavenumber: float
) -> tuple[list[Trial], Reach, int]:
    """Try more units, other scales and activations of a specification; if none helps, two.

    Parameters
    ----------
    subject : Subject
        A specification on rows.
    reach : Reach
        Of the network as it is.
    error : float
        Its error.
    cutoff : float
        Relative singular value below which modes are hidden.
    wavenumber : float
        Of the targets, in radians per unit of an input.

    Returns
    -------
    trials : list of Trial
        With their errors.
    best : Reach
        Of the best of them, if it helps; else `reach`.
    units : int
        Units of that.
    """
    spec, trials = subject.spec, []
    assert spec is not None
    best, least, units = reach, error, spec.width
    for trial in _changes(spec, len(subject.inputs), subject.scalable, wavenumber):
        # Two changes at a time are for where one does not do.
        if trial.changes == 2 and least <= HELPS * error:
            break
        found = measure_reach(subject.changed(trial), subject.targets)
        trials.append(replace(trial, error=found.error(found.count(cutoff))))
        if trials[-1].left(least) <= 1:
            best, least, units = found, trials[-1].error, trial.units or spec.width
    return trials, best, units


def _changes(spec: NetworkSpec, n_rows: int, scalable: bool, wavenumber: float) -> Iterator[Trial]:
    """Yield what is tried, the simple changes first."""
    fitting = float(f"{max(1.0, 1.5 * wavenumber) / spec.scale:.2g}")
    many = max(2 * spec.width, n_rows // 2)
    for units in dict.fromkeys((2 * spec.width, many)):
        yield Trial(kind="width", units=units)
    scales = dict.fromkeys((*_SCALES, fitting)) if scalable else {}
    for scale in scales:
        yield Trial(kind="scale", scale=scale)
    others = {
        name: 1.0 if name == "relu" else fitting for name in _ACTIVATIONS if name != spec.activation
    }
    for name, scale in others.items():
        yield Trial(kind="activation", activation=name, scale=scale)
    if scales:
        yield Trial(kind="width", units=many, scale=fitting)
    for name, scale in others.items():
        yield Trial(kind="width", units=many, activation=name, scale=scale)
