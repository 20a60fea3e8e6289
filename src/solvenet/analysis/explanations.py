"""The numbers of a diagnosis in words: what limits a network, and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from solvenet.analysis.advice import Finding
from solvenet.analysis.causes import (
    CAUSES,
    PATTERN,
    RepresentationNumbers,
    cause_of,
    is_local,
    jumps,
    neighbours_tell,
)

_HIDDEN = 0.8
"""Share of modes above rounding below which more units add few."""

_MANY_STEPS = 1e5


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
        Kinds are ``"cause"``, ``"classes"``, ``"modes"``, ``"resolution"``, ``"precision"``,
        ``"width"``, ``"activation"``, ``"depth"``, ``"noise"`` and ``"gradient"``.
    """
    parts = (
        _classes,
        _modes,
        _resolution,
        _precision,
        _width,
        _activation,
        _depth,
        _noise,
        _gradient,
    )
    severity = "note" if cause in ("none", "too wide", "noise") else "warning"
    reached = f"{math.sqrt(n.error):.2g} of the targets' standard deviation"
    first = Finding(
        "cause",
        severity,
        f"The error is {reached} ({n.tol:.2g} wanted): {CAUSES[cause]}. {_advice(n, cause)}",
    )
    return [first, *(finding for part in parts for finding in part(n))]


def _advice(n: RepresentationNumbers, cause: str) -> str:
    if cause == "too wide":
        return f"{n.best_width} units would do."
    if cause == "noise":
        return (
            "More units, modes or digits would change little; other inputs might, or rows much "
            "nearer to each other."
        )
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
    trial = n.best(cause)
    if trial is not None:
        return f"With {trial} it would be {math.sqrt(trial.error):.2g}."
    if cause == "width":
        return f"All of its directions are above the ridge: use more than {n.width}."
    return ""


def _how(precision: str, gram: bool) -> str:
    return f"{precision} by {'the Gram matrix' if gram else 'the features themselves'}"


def _classes(n: RepresentationNumbers) -> Iterator[Finding]:
    if n.classes:
        yield Finding(
            "classes",
            "note",
            "Targets are indicators of classes, which jump where classes meet: this error does not "
            "vanish even where every row is told rightly. Judge the classifier by its accuracy.",
        )


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
    if n.best_width is None:
        text = "No number of units helps: a constant is as good as any network that was tried."
    elif cause_of(n) == "width" or n.best_width > n.width:
        text = f"More than {n.width} units help; about {max(n.best_width, 2 * n.width)} would do."
    elif n.best_width < n.width:
        text = f"{n.best_width} units reach the same. "
        if n.modes < _HIDDEN * min(n.width, n.n_sample - 1):
            text += f"Of {n.width} units rounding hides all but {n.modes} modes: more add few"
            text += ", and rounding grows with each." if n.precision != "float64" else "."
        else:
            text += "More would be modes that the targets do not need."
    else:
        text = f"{n.width} units are about right."
    yield Finding("width", "note", text)


def _activation(n: RepresentationNumbers) -> Iterator[Finding]:
    best = n.best("scale")
    if not n.scalable:
        text = (
            "The scale of the first layer changes nothing for this activation; with sin or tanh it "
            f"would set the finest detail ({n.wavenumber:.3g} radians per unit of the inputs in "
            "[-1, 1] are in the data)."
        )
    elif n.placed:
        text = "The units were placed by the data, and have the scale of their differences."
    elif best is None:
        text = "The scale of the first layer is enough for this error."
    elif best.left(n.error) <= 1:
        text = (
            f"Multiply the first layer's weights by {best.scale:g}: of the scales that were "
            f"tried it leaves the least error, {math.sqrt(best.error):.2g}."
        )
    else:
        text = (
            "The scale of the first layer is about right: from an eighth to eight times as much, "
            "none halves the error."
        )
    yield Finding("activation", "note", text)


def _depth(n: RepresentationNumbers) -> Iterator[Finding]:
    if not neighbours_tell(n):
        return
    if jumps(n) or is_local(n):
        where = "at jumps" if jumps(n) else f"in {n.active:.0%} of the rows"
        text = (
            f"The variation lies {where}: several components, each for a part of the inputs, or "
            "units placed there, need fewer numbers than one global layer."
        )
    elif n.needed is not None and n.needed_reaches and n.needed > n.modes:
        text = (
            f"One hidden layer has {n.modes} of the {n.needed} modes in this arithmetic. Several "
            "components, each for a part of the inputs, take fewer modes each (decompose)."
        )
    else:
        text = (
            f"Nine tenths of the variation lie in {n.active:.0%} of the rows: several components "
            "would take as many numbers as one hidden layer."
        )
    yield Finding("depth", "note", text)


def _noise(n: RepresentationNumbers) -> Iterator[Finding]:
    if n.width > n.n_rows:
        yield Finding(
            "noise",
            "note",
            f"{n.width} units for {n.n_rows} rows: without a ridge or cutoff the noise of every "
            "target is fitted.",
        )
    if n.error > n.tol**2 and n.residual_neighbours > PATTERN:
        yield Finding(
            "noise",
            "note",
            f"What is left, {n.error:.2g} of the variance, has no pattern among neighbours: noise, "
            "or detail finer than the rows.",
        )


def _gradient(n: RepresentationNumbers) -> Iterator[Finding]:
    if not n.halving:
        return
    *lower, (cycles, steps) = n.halving
    before = "".join(f"{_steps(s)} at {c:.3g} cycles, " for c, s in lower)
    yield Finding(
        "gradient",
        "warning" if steps > _MANY_STEPS else "note",
        f"To halve the error gradient descent on the read-out would take {before}{_steps(steps)} "
        f"steps at {cycles:.3g} cycles, the finest mode that is needed.",
    )


def _steps(steps: float) -> str:
    return f"{math.ceil(steps)}" if steps < _MANY_STEPS else f"{steps:.1e}"
