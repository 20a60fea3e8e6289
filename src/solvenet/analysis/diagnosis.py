"""Say what limits a network before or after it is fitted, by measuring its modes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_count
from solvenet.analysis.advice import Finding, enough_units
from solvenet.analysis.causes import RepresentationNumbers, cause_of
from solvenet.analysis.explanations import explain
from solvenet.analysis.modes import check_tolerance
from solvenet.analysis.precision import PRECISIONS, machine_epsilon
from solvenet.analysis.reach import Reach, measure_reach
from solvenet.analysis.subject import Subject, subject_of
from solvenet.analysis.trials import Trial, try_changes
from solvenet.analysis.variation import Neighbours

if TYPE_CHECKING:
    from solvenet._array_api import Array

SPEC_ROWS = 800
"""Rows that are looked at for a network that is yet to be fitted."""

_SHARES = (0.125, 0.25, 0.5, 1.0)  # of the needed modes, for which gradient steps are told

FITTED_ROWS = 160
"""Rows that are looked at of a fit at most: it is to cost a small part of the fit."""


@dataclass(frozen=True)
class Diagnosis:
    """What limits a network, in numbers and in words.

    Attributes
    ----------
    cause : str
        What limits it first: a name in ``solvenet.analysis.CAUSES``.
    findings : list of Finding
        What was seen and what to do, the cause first.
    numbers : RepresentationNumbers
        What they rest on.
    reach : Reach
        The spectrum and the share of the targets along each mode, for figures.
    """

    cause: str
    findings: list[Finding]
    numbers: RepresentationNumbers
    reach: Reach = field(repr=False)

    def __str__(self) -> str:
        """Return the findings, one a line."""
        return "\n".join(finding.text for finding in self.findings)


def diagnose(model: Any, X: Any, y: Any, *, tol: float = 0.01, random_state: int = 0) -> Diagnosis:
    """Say what limits a network: modes, precision, width, scale, noise, jumps or dimension.

    A network of one hidden layer represents as many modes (singular vectors of its features)
    as stand above rounding. This compares them with those that the data need, tries what
    could help on a sample of the rows, and says it in words.

    Parameters
    ----------
    model : NetworkSpec, fitted estimator, Pipeline, network or FeatureMap
        A description of a network before there is one, or a fitted one (then its last hidden
        layer is looked at).
    X : array-like of shape (n_rows, n_inputs)
        Rows, at least 16.
    y : array-like of shape (n_rows,) or (n_rows, n_targets)
        Targets: numbers; or classes, if they are text or truth values, or the model is a fitted
        classifier.
    tol : float, default=0.01
        Root mean squared error that is wanted, over the standard deviation of the targets.
    random_state : int, default=0
        Seed of the sample of rows and of a specification's weights.

    Returns
    -------
    Diagnosis
        Its ``cause``, ``findings`` and ``numbers``; printed, it is the advice in words.

    Raises
    ------
    InvalidDataError
        Shapes do not match, values are not finite, or all targets are equal.
    InvalidSettingError
        `tol` is not above 0 and below 1, or the model is not fitted.

    Notes
    -----
    *Cost.* For a specification, up to 15 singular value decompositions of 800 rows (seconds);
    of a fitted model two of at most 192 rows, a few per cent of the fit.

    Errors are by leave-one-out on the sample, with as many modes as the precision lets
    through: a float32 solver of the features sees singular values above 6e-8 of the largest,
    one of the Gram matrix those above 2.4e-4.

    References
    ----------
    S. Zhang, H. Zhao, Y. Zhong, H. Zhou (2023), Why shallow networks struggle with
    approximating and learning high frequency, https://arxiv.org/abs/2306.17301

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import NetworkSpec, diagnose
    >>> x = np.linspace(-1, 1, 400)
    >>> spec = NetworkSpec(width=300, precision="float32", gram=True)
    >>> found = diagnose(spec, x, np.sin(25 * np.pi * x))
    >>> found.cause
    'precision'
    """
    tol = check_tolerance(tol)
    check_count("random_state", random_state, minimum=0)
    subject = subject_of(
        model, X, y, n_spec_rows=SPEC_ROWS, n_fitted_rows=FITTED_ROWS, random_state=random_state
    )
    numbers, reach = _measure(subject, tol)
    cause = cause_of(numbers)
    return Diagnosis(cause, explain(numbers, cause), numbers, reach)


def cutoff(precision: str, gram: bool) -> float:
    """Return the relative singular value below which rounding hides a mode."""
    eps = machine_epsilon(precision)
    return math.sqrt(eps) if gram else eps


def _measure(subject: Subject, tol: float) -> tuple[RepresentationNumbers, Reach]:
    A, Y, Z = subject.columns(), subject.targets, subject.inputs
    reach = measure_reach(A, Y)
    representable = {
        (precision, gram): reach.count(cutoff(precision, gram))
        for precision in PRECISIONS
        for gram in (False, True)
    }
    modes = representable[subject.precision, subject.gram]
    full = reach.error(representable["float64", False])
    fit = subject.fit
    error = reach.error(modes) if fit is None else fit.error
    near = Neighbours(Z)
    variation = near.variation(Y)
    trials = [Trial(kind="precision", error=full if fit is None else min(full, error))]
    best, most_units = reach, subject.width
    if error > tol**2 and subject.spec is not None:
        tried, best, most_units = try_changes(
            subject, reach, min(error, full), cutoff(subject.precision, subject.gram),
            variation.wavenumber,
        )  # fmt: skip
        trials += tried
    least = best.error(len(best.energies))
    needed = best.needed(max(tol**2, 1.1 * least))
    enough = needed if fit is None else fit.modes_in_use
    half = len(A) // 2
    few = sorted({max(1, round(needed * share)) for share in _SHARES}) if needed else []
    steps = math.log(2.0) / best.relative[[size - 1 for size in few]] ** 2
    halving = tuple(zip(_frequencies(best, near, few), steps.tolist(), strict=True))
    numbers = RepresentationNumbers(
        n_rows=subject.n_rows,
        n_sample=len(A),
        dimension=Z.shape[1],
        width=subject.width,
        precision=subject.precision,
        gram=subject.gram,
        tol=tol,
        representable=representable,
        saturated=modes >= min(len(A) - 1, A.shape[1]),
        needed=needed,
        needed_reaches=least <= tol**2,
        error=error,
        trials=tuple(trials),
        half_rows_error=None if fit is not None else measure_reach(A[:half], Y[:half]).error(modes),
        crowding=None if fit is None else fit.crowding,
        modes_in_use=None if fit is None else fit.modes_in_use,
        neighbours=variation.nearest,
        residual_neighbours=_residual_neighbours(reach, Y, near, modes),
        growth=variation.growth,
        active=variation.active,
        jump=variation.jump,
        distance=near.distance,
        wavenumber=variation.wavenumber * math.sqrt(Z.shape[1]),
        frequency=_frequencies(reach, near, [modes])[0],
        needed_frequency=halving[-1][0] if halving else None,
        best_width=None if not enough else min(enough_units(enough), most_units),
        halving=halving,
        scalable=subject.scalable,
        placed=subject.spec is None,
        classes=subject.classes,
    )
    return numbers, reach


def _residual_neighbours(reach: Reach, Y: Array, near: Neighbours, modes: int) -> float:
    """Return how unlike the residuals of near neighbours are: 1 for noise, 0 for a pattern."""
    tried = reach.sizes <= modes
    size = int(reach.sizes[tried][reach.errors[tried].argmin()])
    U = reach.modes[:, :size]
    R = Y - Y.mean(axis=0)
    R = R - U @ (U.T @ R)
    return float(near.squares(R).mean()) if R.any() else 0.0


def _frequencies(reach: Reach, near: Neighbours, sizes: list[int]) -> list[float]:
    """Return, for each number of modes, the cycles across an input's range of the finest."""
    last = np.minimum(np.array(sizes, dtype=int), reach.modes.shape[1])
    # Neighbouring modes pair up: the finer of the last two.
    columns = np.maximum(np.stack([last - 2, last - 1]), 0)
    modes, d = reach.modes[:, columns.ravel()], near.rows.shape[1]
    if d == 1:
        signs = np.sign(modes[np.argsort(near.rows[:, 0], kind="stable")])
        cycles = (signs[1:] != signs[:-1]).sum(axis=0) / 2.0
    else:
        # Radians per unit along one direction of d, over a range of length two.
        cycles = near.wavenumbers(modes) * math.sqrt(d) / math.pi
    finest = cycles.reshape(columns.shape).max(axis=0)
    return [float(cycle) if size else 0.0 for cycle, size in zip(finest, last, strict=True)]
