"""Measure a fitted network: its score, its spectrum, and the known ways to fail."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone, is_classifier

from solvenet.analysis import (
    Diagnosis,
    Finding,
    FitNumbers,
    Score,
    accuracy,
    advise,
    calibration_gap,
    calibration_noise,
    captured_rank,
    diagnose,
    enough_units,
    flat_share,
    r_squared,
)
from solvenet.blocks import MappedBlocks, as_row_blocks
from solvenet.blocks.planning import KEEP_BYTES
from solvenet.errors import InvalidDataError, SolvenetWarning
from solvenet.estimators.calibration import fit_calibration
from solvenet.estimators.transformer import SampledFeatures
from solvenet.solvers import QR, Auto, NormalEquations, SolveResult, leave_one_out

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.linalg.regularization import SelectionCurve

SPECTRUM_ROWS = 10_000
"""Rows from which the spectrum is computed."""

TRIAL_ROWS = 4_000
"""Rows on which other seeds and leave-one-out are tried."""

STEPS = 7
"""How often `examine` tells its progress by default."""

_SEED = 1000


@dataclass(frozen=True)
class Examination:
    """What was measured of a fitted network.

    Attributes
    ----------
    score : Score
        On the validation rows.
    y_true, y_pred : array of shape (n_valid,)
        Validation targets and predictions.
    std : array of shape (n_valid,) or None
        Predictive standard deviations (regression).
    confidence : array of shape (n_valid,) or None
        Probability of the predicted class (classification).
    spectrum : SolveResult
        The read-out solved again by a solver that keeps the spectrum, with the ridge of
        the network.
    curve : SelectionCurve
        Leave-one-out errors over the whole range of ridges; its choice is the ridge of
        the network.
    spectrum_rows : int
        Rows that these two come from.
    loo : Score
        Leave-one-out on (a sample of) the training rows.
    seed_scores : tuple of float
        Validation scores of the same settings with other seeds.
    numbers : FitNumbers
        All that the advice was given from.
    findings : list of Finding
        The advice.
    representation : Diagnosis
        What its modes can represent of the training rows.
    """

    score: Score
    y_true: Array
    y_pred: Array
    std: Array | None
    confidence: Array | None
    spectrum: SolveResult
    curve: SelectionCurve
    spectrum_rows: int
    loo: Score
    seed_scores: tuple[float, ...]
    numbers: FitNumbers
    findings: list[Finding]
    representation: Diagnosis


@dataclass(frozen=True)
class Whole:
    """What rows a sample stands for.

    Attributes
    ----------
    score : Score
        On all validation rows.
    n_rows, n_valid : int
        Training and validation rows.
    """

    score: Score
    n_rows: int
    n_valid: int


def examine(
    network: Any,
    X: Array,
    y: Array,
    X_valid: Array,
    y_valid: Array,
    *,
    n_seeds: int = 3,
    whole: Whole | None = None,
    progress: Callable[[str], None] | None = None,
) -> Examination:
    """Measure a fitted network on rows that it has not seen, and on those that it has.

    Parameters
    ----------
    network : SampledNetworkRegressor or SampledNetworkClassifier
        Fitted to X and y, in this process (a loaded network has no ``result_``).
    X, y : array of shape (n_rows, n_features), array of shape (n_rows,)
        What it was fitted to.
    X_valid, y_valid : arrays likewise
        Rows that it has not seen.
    n_seeds : int, default=3
        Networks with other seeds to fit, on up to 4000 rows.
    whole : Whole, optional
        What the rows are a sample of.
    progress : callable, optional
        Told the name of each step before it begins.

    Returns
    -------
    Examination
        Numbers, curves and advice.

    Raises
    ------
    InvalidDataError
        The network was loaded from a file.

    Notes
    -----
    *Cost.* One solve with the spectrum on up to 10,000 rows, and `n_seeds` + 1 fits (and
    some of smaller width) on up to 4000 rows.
    """
    if not hasattr(network, "result_"):
        msg = "The network was loaded from a file; only one fitted in this process is examined."
        raise InvalidDataError(msg)
    say = progress if progress is not None else _silent
    classes = network.classes_ if is_classifier(network) else None
    Y = y.astype(np.float64)[:, None] if classes is None else (y[:, None] == classes).astype(float)
    say("predict validation rows")
    score, y_pred, std, confidence = _validate(network, X_valid, y_valid)
    score, n_rows = (score, len(X)) if whole is None else (whole.score, whole.n_rows)
    say("spectrum and leave-one-out curve")
    few = _evenly(len(X), SPECTRUM_ROWS)
    spectrum, curve = _spectrum(network, X[few], Y[few], n_rows)
    tried = _evenly(len(X), TRIAL_ROWS)
    loo = _leave_one_out(network, X[tried], y[tried], Y[tried], classes)
    shown = _evenly(len(X_valid), TRIAL_ROWS)
    seeds, guided = _other_seeds(
        network, X[tried], y[tried], X_valid[shown], y_valid[shown], n_seeds, say
    )
    say("sampling without the target")
    unguided = _unguided(network, X[tried], Y[tried])
    values = spectrum.singular_values
    assert values is not None
    rank = captured_rank(values, spectrum.alpha, spectrum.rcond, spectrum.rank)
    say("a smaller width")
    narrow = _narrow(network, X[tried], y[tried], rank, guided)
    feature_bytes = 8 * n_rows * len(spectrum.coef)
    numbers = FitNumbers(
        width=_asked_width(network),
        n_units=network.n_units_[-1],
        n_rows=n_rows,
        rank=rank,
        n_columns=len(spectrum.coef),
        narrow_width=narrow[0],
        narrow_noise_share=narrow[1],
        score=score.value,
        score_low=score.low,
        score_high=score.high,
        constant_score=score.constant,
        loo_score=loo.value,
        loo_error=max(loo.high - loo.value, loo.value - loo.low) / 1.96,
        outside_share=_outside_share(X, X_valid),
        error_ratio=_error_ratio(score, loo),
        seed_scores=seeds,
        noise_share=guided,
        unguided_noise_share=unguided,
        flat_share=flat_share(y[tried]),
        chosen=curve.chosen,
        n_choices=len(curve.values),
        asks_for_less=curve.asks_for_less(),
        features_fit=feature_bytes <= _limit(network),
        feature_bytes=feature_bytes,
        calibration_error=None
        if confidence is None
        else calibration_gap(confidence, y_valid == y_pred),
        calibration_noise=None if confidence is None else calibration_noise(confidence),
    )
    return Examination(
        score, y_valid, y_pred, std, confidence, spectrum, curve, len(few), loo, seeds, numbers,
        advise(numbers), diagnose(network, X, y),
    )  # fmt: skip


def score_of(network: Any, y_true: Array, y_pred: Array) -> Score:
    """Return the accuracy of a classifier, or the R^2 of a regressor, on given rows."""
    return (accuracy if is_classifier(network) else r_squared)(y_true, y_pred)


def _validate(network: Any, X: Array, y: Array) -> tuple[Score, Array, Array | None, Array | None]:
    if is_classifier(network):
        probabilities = network.predict_proba(X)
        y_pred = network.classes_[probabilities.argmax(axis=1)]
        return accuracy(y, y_pred), y_pred, None, probabilities.max(axis=1)
    y_pred, std = network.predict(X, return_std=True)
    return r_squared(y, y_pred), y_pred, std, None


def _spectrum(network: Any, X: Array, Y: Array, n_rows: int) -> tuple[SolveResult, SelectionCurve]:
    """Solve for the read-out again, keeping the spectrum, in units of all rows."""
    result, hidden = network.result_, network.hidden_
    # What the network resolved decides how closely to look.
    solver = QR() if result.solver in ("QR", "SVD") else NormalEquations(spectrum=True)
    source = as_row_blocks(X, rows_per_block=network.plan_.rows_per_block)
    H = MappedBlocks(source, hidden, hidden.n_features_out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolvenetWarning)
        again = solver.solve(H, Y, alpha="auto", intercept=True)
    share = n_rows / len(X)
    curve = again.curve
    assert curve is not None
    values = curve.values * share
    distance = np.abs(np.log(values) - np.log(max(result.alpha, values[0])))
    curve = replace(curve, values=values, chosen=int(distance.argmin()))
    s = again.singular_values
    assert s is not None
    # rank None: that of `again` belongs to its own cutoff, not to the network's.
    return (
        replace(
            again, singular_values=s * np.sqrt(share), alpha=result.alpha, rcond=result.rcond,
            rank=result.rank,
        ),
        curve,
    )  # fmt: skip


def _leave_one_out(network: Any, X: Array, y: Array, Y: Array, classes: Array | None) -> Score:
    loo = leave_one_out(network.hidden_(X), Y, network.result_)
    if classes is None:
        return r_squared(y, loo.predictions[:, 0])
    codes = Y.argmax(axis=1)
    coupling, offset = fit_calibration(loo.predictions, codes, np.ones(len(codes)))
    return accuracy(codes, (loo.predictions @ coupling + offset).argmax(axis=1))


def _other_seeds(
    network: Any,
    X: Array,
    y: Array,
    X_valid: Array,
    y_valid: Array,
    n_seeds: int,
    say: Callable[[str], None],
) -> tuple[tuple[float, ...], float | None]:
    """Return validation scores of other seeds, and the mean leave-one-out error."""
    scores, errors = [], []
    for seed in range(n_seeds):
        say(f"seed {seed + 1} of {n_seeds}")
        other = _refitted(network, X, y, random_state=_SEED + seed)
        if other is not None:
            scores.append(score_of(network, y_valid, other.predict(X_valid)).value)
            errors.append(other.result_.curve.score)
    return tuple(scores), float(np.mean(errors)) if errors else None


def _narrow(
    network: Any, X: Array, y: Array, rank: int, wanted: float | None
) -> tuple[int | None, float | None]:
    """Return the smallest width tried that is as good, or the last, and its error."""
    width, error = enough_units(rank), None
    if rank == 0 or wanted is None or len(network.n_units_) > 1:
        return None, None
    while width <= 0.7 * network.n_units_[-1]:
        other = _refitted(network, X, y, random_state=_SEED, hidden_layer_sizes=width)
        if other is None:
            break
        error = float(other.result_.curve.score)
        if error <= 1.02 * wanted:
            break
        width *= 2
    return (None, None) if error is None else (width, error)


def _refitted(network: Any, X: Array, y: Array, **settings: Any) -> Any:
    """Return the network with other settings, or None where too few rows are left."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolvenetWarning)
        try:
            return clone(network).set_params(alpha="auto", rcond=None, **settings).fit(X, y)
        except InvalidDataError:  # the sample of rows holds one class only
            return None


def _unguided(network: Any, X: Array, Y: Array) -> float:
    """Return the leave-one-out error with units from uniformly drawn pairs of rows."""
    settings = SampledFeatures().get_params()
    settings |= {k: v for k, v in network.get_params(deep=False).items() if k in settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolvenetWarning)
        uniform = SampledFeatures(**settings | {"random_state": _SEED}).fit(X)
        result = Auto().solve(uniform.hidden_(X), Y, alpha="auto", intercept=True)
    assert result.curve is not None
    return result.curve.score


def _outside_share(X: Array, X_valid: Array) -> float:
    outside = (X_valid < X.min(axis=0)) | (X_valid > X.max(axis=0))
    return float(outside.any(axis=1).mean())


def _error_ratio(score: Score, loo: Score) -> float | None:
    if loo.missing <= 0:
        return None
    ratio = score.missing / loo.missing
    return float(np.sqrt(ratio)) if score.name == "R^2" else float(ratio)


def _limit(network: Any) -> int:
    """Return the bytes that a feature matrix may take."""
    limit: int | None = network._memory_bytes
    return KEEP_BYTES if limit is None else limit


def _asked_width(network: Any) -> int:
    sizes = network.hidden_layer_sizes
    if isinstance(sizes, str):
        return int(network.n_units_[-1])
    return int(np.atleast_1d(sizes)[-1])


def _evenly(n: int, most: int) -> Array:
    """Return at most `most` row numbers, evenly spaced."""
    return np.arange(0, n, -(-n // most))


def _silent(step: str) -> None:
    """Say nothing."""
