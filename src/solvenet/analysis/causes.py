"""What limits a network: from the numbers of a diagnosis to a cause."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from solvenet.analysis.trials import Trial

CAUSES = {
    "none": "nothing limits it at this accuracy",
    "too wide": "it is wider than the targets need",
    "noise": "what is left of the targets looks like noise",
    "step": "the targets jump",
    "local": "the detail of the targets lies in a small part of the rows",
    "precision": "the arithmetic hides the modes that the targets need",
    "scale": "the first layer's weights have the wrong scale",
    "activation": "another activation has the modes that the targets need",
    "width": "it has too few units",
    "rows": "there are too few rows for the detail of the targets",
    "dimension": "in so many dimensions the rows are too far apart",
}
"""What can limit a network, by name."""

_REMEDIES = ("precision", "width", "scale", "activation")
_ALL = 0.75
_CROWDED = 0.25
_LOCAL = 0.15
_FEW_DIMENSIONS = 3
_FAR = 0.25
_MOST_DOUBLINGS = 3.0
_FEW_ROWS = 0.8
"""Of the error of half the rows is left at most where more rows help."""

PATTERN = 0.6
"""Neighbours of noise differ by 1, those of a pattern by little: what is above is noise."""


@dataclass(frozen=True, kw_only=True)
class RepresentationNumbers:
    """What was measured; errors are squared, by leave-one-out, over the variance.

    Attributes
    ----------
    n_rows, n_sample, dimension, width : int
        Rows given and looked at, columns of the inputs, units.
    precision : str
        Of the arithmetic.
    gram : bool
        Whether the solver or trainer sees the Gram matrix.
    tol : float
        Root mean squared error wanted, over the standard deviation of the targets.
    representable : dict of (str, bool) to int
        Modes above rounding, by precision and `gram`.
    saturated : bool
        Whether more modes than could be counted on the rows are representable.
    needed : int or None
        Modes to reach `tol`, or the least error where that is more, of the features that were
        tried with the least error.
    needed_reaches : bool
        Whether so many reach `tol`.
    error : float
        With the modes that are representable.
    trials : tuple of Trial
        What was changed, and the errors with it: float64 without a Gram matrix; of a
        specification also more units, other scales and activations.
    half_rows_error : float or None
        With half of the rows, of a specification.
    crowding : float or None
        Effective parameters over rows, of a fit.
    modes_in_use : int or None
        Directions above the ridge, of a fit.
    neighbours : float
        Half the mean squared difference between nearest neighbours.
    residual_neighbours : float
        The same for what the modes leave, over its own variance: 1 for noise.
    growth, active, jump, distance, wavenumber : float
        See :class:`solvenet.analysis.Variation`.
    frequency : float
        Cycles across the range of the inputs of the highest representable mode.
    needed_frequency : float or None
        The same of the highest mode that is needed.
    best_width : int or None
        Units that reach what is reached by the best that was tried, with some to spare.
    halving : tuple of (float, float)
        Cycles across the range of an input, and gradient steps (of the largest stable size)
        that halve them: for modes up to the highest that is needed.
    scalable : bool
        Whether the scale of the first layer matters.
    placed : bool
        Whether the units were placed by the data.
    classes : bool
        Whether the targets are indicators of classes, which always jump.
    """

    n_rows: int
    n_sample: int
    dimension: int
    width: int
    precision: str
    gram: bool
    tol: float
    representable: dict[tuple[str, bool], int] = field(repr=False)
    saturated: bool
    needed: int | None
    needed_reaches: bool
    error: float
    trials: tuple[Trial, ...]
    half_rows_error: float | None
    crowding: float | None
    modes_in_use: int | None
    neighbours: float
    residual_neighbours: float
    growth: float
    active: float
    jump: float
    distance: float
    wavenumber: float
    frequency: float
    needed_frequency: float | None
    best_width: int | None
    halving: tuple[tuple[float, float], ...]
    scalable: bool
    placed: bool
    classes: bool

    @property
    def modes(self) -> int:
        """Modes that the network can represent at its precision."""
        return self.representable[self.precision, self.gram]

    def best(self, kind: str) -> Trial | None:
        """Return the trial of a kind that helps most, if there was one."""
        of_kind = (trial for trial in self.trials if trial.kind == kind)
        return min(of_kind, key=lambda trial: trial.left(self.error), default=None)


def cause_of(n: RepresentationNumbers) -> str:
    """Return the name of what limits a network, of ``CAUSES``.

    Parameters
    ----------
    n : RepresentationNumbers
        What was measured.

    Returns
    -------
    str
        The first of these that is seen: accurate enough (too wide, or none), jumps, noise, a
        precision that halves the error, local detail, a width, scale or activation that halves
        it, too few rows for the dimension.
    """
    if n.error <= n.tol**2:
        too_wide = n.best_width is not None and 4 * n.best_width <= n.width
        return "too wide" if too_wide else "none"
    if jumps(n):
        return "step"
    if _is_noise(n):
        return "noise"
    best = {kind: trial for kind in _REMEDIES if (trial := n.best(kind)) is not None}
    helpful = {kind: trial.error for kind, trial in best.items() if trial.left(n.error) <= 1}
    if "precision" in helpful:
        return "precision"
    if is_local(n) and not n.placed:
        return "local"
    if "width" in helpful and _units_alone_do(n):
        return "width"
    if helpful.get("scale", math.inf) <= n.tol**2:
        return "scale"
    if helpful:
        return min(helpful, key=helpful.__getitem__)
    if n.modes_in_use is not None and n.modes_in_use >= _ALL * n.width and not _rows_help(n):
        return "width"
    if n.dimension > _FEW_DIMENSIONS and n.distance > _FAR and n.crowding is None:
        return "dimension"
    if not _rows_help(n) and (n.crowding is not None or n.residual_neighbours > PATTERN):
        return "noise"
    return "dimension" if n.dimension > _FEW_DIMENSIONS and n.distance > _FAR else "rows"


def neighbours_tell(n: RepresentationNumbers) -> bool:
    """Whether neighbours are near enough to tell jumps from slopes; classes always jump."""
    return not n.classes and n.dimension <= _FEW_DIMENSIONS and n.distance < _FAR


def jumps(n: RepresentationNumbers) -> bool:
    """Whether few pairs of neighbours differ as much as pairs further apart."""
    return neighbours_tell(n) and n.growth < 1.5 and n.jump > 0.2 and n.active < 0.25


def is_local(n: RepresentationNumbers) -> bool:
    """Whether the targets vary in a small part of the rows."""
    return neighbours_tell(n) and n.active < _LOCAL


def _is_noise(n: RepresentationNumbers) -> bool:
    """Whether near neighbours differ as much as the modes leave, and that without pattern."""
    near = n.dimension <= _FEW_DIMENSIONS and n.distance < _FAR and n.neighbours < 0.6
    alike = 0.4 * n.neighbours < n.error < 2.5 * n.neighbours
    floor = n.error < 1.3 * n.neighbours  # what neighbours differ by, no rows will take away
    return near and alike and n.residual_neighbours > PATTERN and (floor or not _rows_help(n))


def _units_alone_do(n: RepresentationNumbers) -> bool:
    """Whether more units reach the error: as tried, or in few doublings at the rate of the first.

    Units of a poor kind also help a little, and for ever.
    """
    twice, more = (t for t in n.trials if t.kind == "width"), n.best("width")
    first = next(twice)
    rate = math.log(n.error / max(first.error, 1e-300))
    few = rate > 0 and math.log(n.error / n.tol**2) <= _MOST_DOUBLINGS * rate
    return few or (more is not None and more.error <= n.tol**2)


def _rows_help(n: RepresentationNumbers) -> bool:
    if n.half_rows_error is None:
        return n.crowding is not None and n.crowding > _CROWDED
    return n.error < _FEW_ROWS * n.half_rows_error
