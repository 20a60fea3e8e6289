"""From numbers about a representation to its cause of error, in words with numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from solvenet.analysis.advice import Finding

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
    errors : dict of str to float
        By trial: ``"float64"``, ``"half the units"``, ``"scale 2"``, ``"activation sin"`` ...
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
    best_scale : float or None
        Factor of the first layer's weights with the least error.
    best_activation : str or None
        Activation with the least error.
    best_width : int or None
        Fewest units that reach what is reached.
    halving_steps : float or None
        Gradient steps that halve the highest needed mode.
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
    errors: dict[str, float]
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
    best_scale: float | None
    best_activation: str | None
    best_width: int | None
    halving_steps: float | None
    scalable: bool
    placed: bool
    classes: bool

    @property
    def modes(self) -> int:
        """Modes that the network can represent at its precision."""
        return self.representable[self.precision, self.gram]


_HELPS = 0.25
"""Of the squared error must be left at most, for a remedy to count: half of the error."""

_FEW_ROWS = 0.8
"""Of the error of half the rows is left at most where more rows help."""


def cause_of(n: RepresentationNumbers) -> str:
    """Return the name of what limits a network, of :data:`CAUSES`.

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
    if _jumps(n):
        return "step"
    if _is_noise(n):
        return "noise"
    if _remedy(n, "precision") <= _HELPS * n.error:
        return "precision"
    if _is_local(n) and not n.placed:
        return "local"
    remedies = {name: _remedy(n, name) for name in ("width", "scale", "activation")}
    helpful = {name: error for name, error in remedies.items() if error <= _HELPS * n.error}
    if "width" in helpful and _doublings(n, helpful["width"]) <= _MOST_DOUBLINGS:
        return "width"
    if helpful.get("scale", math.inf) <= n.tol**2:
        return "scale"
    if helpful:
        return min(helpful, key=helpful.__getitem__)
    if n.modes_in_use is not None and n.modes_in_use >= _ALL * n.width and not _rows_help(n):
        return "width"
    if n.dimension > _FEW_DIMENSIONS and n.distance > _FAR and n.crowding is None:
        return "dimension"
    if not _rows_help(n):
        return "noise"
    return "dimension" if n.dimension > _FEW_DIMENSIONS and n.distance > _FAR else "rows"


_ALL = 0.75
_CROWDED = 0.25
_LOCAL = 0.15
_FEW_DIMENSIONS = 3
_FAR = 0.25


def _tells(n: RepresentationNumbers) -> bool:
    """Whether neighbours are near enough to tell jumps from slopes; classes always jump."""
    return not n.classes and n.dimension <= _FEW_DIMENSIONS and n.distance < _FAR


def _jumps(n: RepresentationNumbers) -> bool:
    return _tells(n) and n.growth < 1.5 and n.jump > 0.2 and n.active < 0.25


def _is_local(n: RepresentationNumbers) -> bool:
    return _tells(n) and n.active < _LOCAL


def _is_noise(n: RepresentationNumbers) -> bool:
    """Whether near neighbours differ as much as the modes leave, and that without pattern."""
    near = n.dimension <= _FEW_DIMENSIONS and n.distance < _FAR and n.neighbours < 0.6
    alike = 0.4 * n.neighbours < n.error < 2.5 * n.neighbours
    return near and alike and n.residual_neighbours > 0.6 and not _rows_help(n)


_MOST_DOUBLINGS = 3.0


def _doublings(n: RepresentationNumbers, error: float) -> float:
    """Return how often the units must be doubled, at the rate of the first time."""
    return math.log(n.error / n.tol**2) / math.log(n.error / max(error, 1e-300))


def _rows_help(n: RepresentationNumbers) -> bool:
    if n.half_rows_error is None:
        return n.crowding is not None and n.crowding > _CROWDED
    return n.error < _FEW_ROWS * n.half_rows_error


def _remedy(n: RepresentationNumbers, name: str) -> float:
    """Return the least error by a remedy."""
    errors = n.errors
    if name == "precision":
        return errors["float64"]
    if name == "width":
        return errors.get("twice the units", n.error)
    return min((e for key, e in errors.items() if key.startswith(name)), default=math.inf)


def explain(n: RepresentationNumbers, cause: str) -> list[Finding]:
    """Return what the numbers say, the cause first.

    Parameters
    ----------
    n : RepresentationNumbers
        What was measured.
    cause : str
        By :func:`cause_of`.

    Returns
    -------
    list of Finding
        Kinds are ``"cause"``, ``"modes"``, ``"resolution"``, ``"precision"``, ``"width"``,
        ``"activation"``, ``"depth"``, ``"noise"`` and ``"gradient"``.
    """
    parts = (_modes, _resolution, _precision, _width, _activation, _depth, _noise, _gradient)
    severity = "note" if cause in ("none", "too wide", "noise") else "warning"
    reached = f"{math.sqrt(n.error):.2g} of the targets' standard deviation"
    first = Finding(
        "cause",
        severity,
        f"The error is {reached} ({n.tol:.2g} wanted): {CAUSES[cause]}. {_advice(n, cause)}",
    )
    return [first, *(finding for part in parts for finding in part(n))]


def _advice(n: RepresentationNumbers, cause: str) -> str:
    root = {name: math.sqrt(max(error, 0.0)) for name, error in n.errors.items()}
    if cause == "too wide":
        return f"{n.best_width} units would do."
    if cause == "noise":
        return "More units, modes or digits would change little; other inputs might."
    if cause == "step":
        return (
            "Modes of a global network ring at a jump. Place units at the jump (SWIM does so), "
            "use steep tanh units or elements there, or split the rows at it."
        )
    if cause == "local":
        return (
            f"{n.active:.0%} of the rows hold nine tenths of the variation. Place the units there "
            "(SWIM, adaptive biases), or use a network of several components."
        )
    if cause == "precision":
        return f"In float64, without the Gram matrix, it would be {root['float64']:.2g}."
    if cause == "scale":
        return f"Multiplied by {n.best_scale:g} it would be {_least(root, 'scale'):.2g}."
    if cause == "activation":
        return f"With {n.best_activation} it would be {_least(root, 'activation'):.2g}."
    if cause == "width":
        if "twice the units" in root:
            return f"With {2 * n.width} units it would be {root['twice the units']:.2g}."
        return f"All of its directions are above the ridge: use more than {n.width}."
    if cause == "rows":
        if n.half_rows_error is None:
            return f"The fit has {n.crowding:.2g} effective parameters a row: get more rows."
        return f"With half of the rows it is {math.sqrt(n.half_rows_error):.2g}: get more rows."
    if cause == "dimension":
        return (
            f"A row's nearest neighbour in {n.dimension} dimensions is at {n.distance:.0%} of the "
            "typical distance. Give fewer or better inputs, more rows, or a layer that learns "
            "which directions count."
        )
    return ""


def _least(root: dict[str, float], name: str) -> float:
    return min(error for key, error in root.items() if key.startswith(name))


def _how(precision: str, gram: bool) -> str:
    return f"{precision} by {'the Gram matrix' if gram else 'the features themselves'}"


def _modes(n: RepresentationNumbers) -> Iterator[Finding]:
    more = "at least " if n.saturated and n.modes >= n.n_sample - 1 else ""
    if n.needed is None or n.needed == 0:
        needed = "the data could not be reached by any that were tried"
    else:
        aim = f"for {n.tol:.2g}" if n.needed_reaches else "for the least error that was found"
        needed = f"the data need {n.needed}, {aim}"
    yield Finding(
        "modes",
        "note" if n.needed is not None and n.needed <= n.modes else "warning",
        f"In {_how(n.precision, n.gram)} the network can represent {more}{n.modes} modes; "
        f"{needed}.",
    )


def _resolution(n: RepresentationNumbers) -> Iterator[Finding]:
    needed = "" if n.needed_frequency is None else f"; the data need {n.needed_frequency:.3g}"
    yield Finding(
        "resolution",
        "note",
        f"The finest wave that it resolves has {n.frequency:.3g} cycles across the range of an "
        f"input{needed}.",
    )


def _precision(n: RepresentationNumbers) -> Iterator[Finding]:
    counts = n.representable
    single, squared = counts["float32", False], counts["float32", True]
    if n.needed is None:
        yield Finding(
            "precision",
            "note",
            f"In float32 {single} modes stand above rounding, by the Gram matrix {squared}; in "
            f"float64 {counts['float64', False]} and {counts['float64', True]}.",
        )
        return
    if n.needed <= squared:
        text = f"float32 is enough, even by the Gram matrix ({squared} modes)."
    elif n.needed <= single:
        text = (
            f"float32 is enough for QR or SVD of the features ({single} modes), not for the Gram "
            f"matrix or gradient descent ({squared})."
        )
    else:
        text = (
            f"float32 is not enough: it has {single} modes ({squared} by the Gram matrix), float64 "
            f"{counts['float64', False]} ({counts['float64', True]})."
        )
    yield Finding("precision", "note", text)


def _width(n: RepresentationNumbers) -> Iterator[Finding]:
    if cause_of(n) == "width":
        yield Finding("width", "note", f"More than {n.width} units help: all of them are in use.")
    elif n.best_width is not None and n.best_width < n.width:
        hurt = " and rounding grows with each" if n.gram or n.precision != "float64" else ""
        yield Finding(
            "width",
            "note",
            f"{n.best_width} units reach the same. More than {n.width} add no modes{hurt}.",
        )
    else:
        yield Finding("width", "note", f"{n.width} units are about right.")


def _activation(n: RepresentationNumbers) -> Iterator[Finding]:
    if not n.scalable:
        yield Finding(
            "activation",
            "note",
            "The scale of the first layer changes nothing for this activation; with sin or tanh it "
            f"would set the finest detail ({n.wavenumber:.3g} radians per unit of the inputs in "
            "[-1, 1] are in the data).",
        )
    elif n.best_scale is not None and not 0.5 < n.best_scale < 2.0:
        yield Finding(
            "activation",
            "note",
            f"Multiply the first layer's weights by {n.best_scale:g}: of the scales that were "
            "tried it leaves the least error.",
        )
    else:
        yield Finding("activation", "note", "The scale of the first layer is about right.")


def _depth(n: RepresentationNumbers) -> Iterator[Finding]:
    if not _tells(n):
        return
    if _jumps(n) or _is_local(n):
        where = "at jumps" if _jumps(n) else f"in {n.active:.0%} of the rows"
        yield Finding(
            "depth",
            "note",
            f"The variation lies {where}: several components, each for a part of the inputs, or "
            "units placed there, need fewer numbers than one global layer.",
        )
    else:
        yield Finding(
            "depth",
            "note",
            f"Nine tenths of the variation lie in {n.active:.0%} of the rows: one hidden layer is "
            "as good as several components.",
        )


def _noise(n: RepresentationNumbers) -> Iterator[Finding]:
    if n.width > n.n_rows:
        yield Finding(
            "noise",
            "note",
            f"{n.width} units for {n.n_rows} rows: without a ridge or cutoff the noise of every "
            "target is fitted.",
        )
    if n.error > n.tol**2 and n.residual_neighbours > 0.6:
        yield Finding(
            "noise",
            "note",
            f"What is left, {n.error:.2g} of the variance, has no pattern among neighbours: noise, "
            "or detail finer than the rows.",
        )


def _gradient(n: RepresentationNumbers) -> Iterator[Finding]:
    if n.halving_steps is None or n.needed_frequency is None:
        return
    yield Finding(
        "gradient",
        "warning" if n.halving_steps > _MANY_STEPS else "note",
        f"Gradient descent on the read-out would take {n.halving_steps:.2g} steps to halve the "
        f"error at {n.needed_frequency:.3g} cycles, the finest that is needed.",
    )


_MANY_STEPS = 1e5
