"""From the numbers of a fit to advice in words: what is right, what is wrong, what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NOISY = 0.1
"""Share of the target's variance left unexplained above which guidance can be judged."""

FLAT = 0.9
"""Share of pairs of rows with equal targets above which the target counts as flat."""


@dataclass(frozen=True)
class Finding:
    """One thing to know about a fit.

    Attributes
    ----------
    kind : str
        Name of the finding, such as ``"rank"``; see :func:`advise`.
    severity : {"note", "warning"}
        A note could save work; a warning puts the result in doubt.
    text : str
        What was seen and what to do.
    """

    kind: str
    severity: str
    text: str


@dataclass(frozen=True, kw_only=True)
class FitNumbers:
    """What is known of a fit; None where it was not measured.

    Attributes
    ----------
    width : int
        Units of the last hidden layer that were asked for.
    n_units : int
        Units that it got.
    n_rows : int
        Rows that were fitted.
    rank : int or None
        Directions of the features above the ridge or cutoff.
    n_columns : int or None
        Columns of the feature matrix.
    narrow_width : int or None
        A smaller width that was tried.
    narrow_noise_share : float or None
        Its leave-one-out error, on the rows of `noise_share`.
    score, score_low, score_high : float or None
        Validation score (accuracy or R^2) with its 95 % interval.
    constant_score : float or None
        Score of the best constant prediction on the same rows.
    loo_score, loo_error : float or None
        The same score by leave-one-out on the training rows, and its standard error.
    outside_share : float or None
        Share of the validation rows outside the range of the training rows in a column.
    error_ratio : float or None
        Validation error over leave-one-out error (root mean square, or share of rows).
    seed_scores : sequence of float
        Validation scores of the same fit with other seeds, all on the same rows.
    noise_share : float or None
        Leave-one-out mean squared error over the variance of the targets.
    unguided_noise_share : float or None
        The same where hidden units come from uniformly drawn pairs of rows.
    flat_share : float or None
        Share of pairs of rows with equal targets.
    chosen, n_choices : int or None
        Position of the chosen ridge in the leave-one-out curve, and its length.
    asks_for_less : bool
        Whether the curve still falls at its small end.
    features_fit : bool
        Whether the feature matrix as a whole would fit into memory.
    feature_bytes : int or None
        Size of the feature matrix.
    calibration_error, calibration_noise : float or None
        Expected calibration error on the validation rows, and what perfectly calibrated
        probabilities would show with probability 5 % on as many rows.
    """

    width: int
    n_units: int
    n_rows: int
    rank: int | None = None
    n_columns: int | None = None
    narrow_width: int | None = None
    narrow_noise_share: float | None = None
    score: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    constant_score: float | None = None
    loo_score: float | None = None
    loo_error: float | None = None
    outside_share: float | None = None
    error_ratio: float | None = None
    seed_scores: Sequence[float] = ()
    noise_share: float | None = None
    unguided_noise_share: float | None = None
    flat_share: float | None = None
    chosen: int | None = None
    n_choices: int | None = None
    asks_for_less: bool = False
    features_fit: bool = True
    feature_bytes: int | None = None
    calibration_error: float | None = None
    calibration_noise: float | None = None


def advise(numbers: FitNumbers) -> list[Finding]:
    """Return what the numbers of a fit say, warnings first.

    Parameters
    ----------
    numbers : FitNumbers
        What was measured.

    Returns
    -------
    list of Finding
        Empty where nothing stands out. The kinds are ``"constant"`` (no better than a
        constant), ``"shift"`` (validation and leave-one-out disagree), ``"outside"``, ``"seeds"``,
        ``"flat target"``, ``"noisy target"``, ``"few pairs"``, ``"few rows"``,
        ``"calibration"``, ``"ridge"``, ``"rank"``, ``"width"`` and ``"memory"``.

    Examples
    --------
    >>> from solvenet.analysis import FitNumbers, advise
    >>> [finding] = advise(FitNumbers(width=2000, n_units=2000, n_rows=9000, rank=312))
    >>> finding.text
    'Rank 312 of 2000 at the chosen regularisation: a width of 600 would do.'
    """
    checks = (
        _constant, _shift, _outside, _seeds, _guidance, _pairs, _rows, _calibration, _ridge,
        _rank, _memory,
    )  # fmt: skip
    found = [finding for check in checks for finding in check(numbers)]
    return sorted(found, key=lambda finding: finding.severity != "warning")


def _constant(n: FitNumbers) -> Iterator[Finding]:
    if n.score_low is None or n.constant_score is None or n.score_low > n.constant_score:
        return
    yield Finding(
        "constant",
        "warning",
        f"The validation score {n.score:.3f} (95 % interval from {n.score_low:.3f}) is not "
        f"clearly above {n.constant_score:.3f}, what a constant prediction reaches. Either "
        "the columns say little about the target, or there are too few rows to tell.",
    )


def _shift(n: FitNumbers) -> Iterator[Finding]:
    if n.score is None or n.score_low is None or n.score_high is None:
        return
    if n.loo_score is None or n.loo_error is None:
        return
    gap = n.score - n.loo_score
    # The interval of a bounded score is short on the side of its bound: take the longer.
    error = max(n.score_high - n.score, n.score - n.score_low) / 1.96
    if abs(gap) <= 3 * math.hypot(error, n.loo_error) + 0.02:
        return
    if gap < 0:
        why = (
            "The validation rows differ from the training rows (another time, place or "
            "source?), or training rows are near copies of each other. Trust the validation "
            "score."
        )
    else:
        why = (
            "The validation rows are easier than the training rows, or rows of the training "
            "data stand in them. Check how the tables were split."
        )
    yield Finding(
        "shift",
        "warning",
        f"Validation gives {n.score:.3f}, leave-one-out on the training rows "
        f"{n.loo_score:.3f}. {why}",
    )


def _outside(n: FitNumbers) -> Iterator[Finding]:
    if not n.outside_share or n.error_ratio is None or n.error_ratio < 10:
        return
    yield Finding(
        "outside",
        "warning",
        f"{n.outside_share:.1%} of the validation rows lie outside the range of the training "
        f"rows, and the validation error is {n.error_ratio:,.0f} times that of leave-one-out. "
        "There the network extrapolates (and far outside, clip=True holds it at the edge): use "
        "training rows that reach as far as you predict.",
    )


def _seeds(n: FitNumbers) -> Iterator[Finding]:
    if len(n.seed_scores) < 2 or n.score_low is None or n.score_high is None:
        return
    spread = max(n.seed_scores) - min(n.seed_scores)
    if spread <= max(0.01, n.score_high - n.score_low):
        return
    yield Finding(
        "seeds",
        "warning",
        f"{len(n.seed_scores)} seeds give validation scores from {min(n.seed_scores):.3f} to "
        f"{max(n.seed_scores):.3f}, more than the uncertainty of one score. Use more units, "
        "or average the predictions of several seeds.",
    )


def _guidance(n: FitNumbers) -> Iterator[Finding]:
    guided, uniform = n.noise_share, n.unguided_noise_share
    if guided is None or uniform is None or guided < NOISY or guided < 0.99 * uniform:
        return
    seen = (
        f"Leave-one-out leaves {guided:.0%} of the target's variance unexplained, and "
        f"{uniform:.0%} where pairs of rows are drawn without regard to the target"
    )
    if n.flat_share is not None and n.flat_share > FLAT:
        yield Finding(
            "flat target",
            "warning",
            f"{n.flat_share:.0%} of all pairs of rows have equal targets, so few pairs can "
            f"guide the sampling. {seen}. The target is too flat for its gradients to help: "
            "more rows where it changes would, or balanced classes.",
        )
        return
    yield Finding(
        "noisy target",
        "warning",
        f"{seen}. The target is too noisy, or depends on too little of the columns, for its "
        "gradients to guide the sampling: fewer columns or more rows may help.",
    )


def _pairs(n: FitNumbers) -> Iterator[Finding]:
    if n.n_units >= n.width:
        return
    yield Finding(
        "few pairs",
        "warning",
        f"{n.width} units were asked for and the rows have {n.n_units} distinct pairs to "
        "sample from. Many rows are equal, or the columns take few values; a smaller width "
        "says the same.",
    )


def _rows(n: FitNumbers) -> Iterator[Finding]:
    if n.n_units <= n.n_rows:
        return
    yield Finding(
        "few rows",
        "warning",
        f"{n.n_units} units for {n.n_rows} rows: the ridge alone decides between the "
        f"networks that fit. A width of at most {n.n_rows} would do.",
    )


def _calibration(n: FitNumbers) -> Iterator[Finding]:
    if n.calibration_error is None:
        return
    if n.calibration_error <= max(0.03, n.calibration_noise or 0.0):
        return
    chance = (
        ""
        if n.calibration_noise is None
        else f" (by chance it would stay below {n.calibration_noise:.3f} in 95 % of the cases)"
    )
    yield Finding(
        "calibration",
        "warning",
        f"The probabilities are off by {n.calibration_error:.3f} on average{chance}. Decide "
        "by ranks rather than by probabilities, or calibrate them on rows of the kind they "
        "will meet.",
    )


def _ridge(n: FitNumbers) -> Iterator[Finding]:
    if n.chosen is None or n.n_choices is None or n.n_choices < 3:
        return
    if n.chosen == n.n_choices - 1:
        yield Finding(
            "ridge",
            "warning",
            "Leave-one-out chose the largest ridge: the features say nothing about the "
            "target that lasts beyond the rows they were fitted to.",
        )
    elif n.asks_for_less:
        yield Finding(
            "ridge",
            "note",
            "Leave-one-out still improves at the smallest ridge: the target is almost free "
            "of noise, and more units may give more digits.",
        )


def _rank(n: FitNumbers) -> Iterator[Finding]:
    if n.rank is None:
        return
    columns = n.n_units if n.n_columns is None else n.n_columns
    # Every direction is in use: only then can more units say more.
    if n.rank >= columns and 2 * n.n_units <= n.n_rows and (n.noise_share or 0.0) < NOISY:
        yield Finding(
            "width",
            "note",
            f"All {n.rank} directions of the features are in use: a width of "
            f"{round_up(2.0 * n.n_units)} may say more.",
        )
    enough, measured = enough_units(n.rank), ""
    if n.narrow_width is not None and n.narrow_noise_share is not None:
        enough = n.narrow_width
        measured = (
            f" (leave-one-out error {n.narrow_noise_share:.3g} of the variance, here "
            f"{n.noise_share:.3g})"
        )
        if n.noise_share is None or n.narrow_noise_share > 1.05 * n.noise_share:
            return
    if n.rank > 0 and enough <= 0.7 * n.n_units:
        yield Finding(
            "rank",
            "note",
            f"Rank {n.rank} of {columns} at the chosen regularisation: a width of {enough} "
            f"would do{measured}.",
        )


def _memory(n: FitNumbers) -> Iterator[Finding]:
    if n.features_fit:
        return
    size = "" if n.feature_bytes is None else f" ({n.feature_bytes / 1e6:.0f} MB)"
    yield Finding(
        "memory",
        "note",
        f"The feature matrix{size} would not fit into memory as a whole: it was computed block "
        "by block, anew in every pass, with the same result. Fewer units would save time.",
    )


def enough_units(rank: int) -> int:
    """Return a width that has about `rank` directions with room to spare."""
    return round_up(1.8 * rank)


def round_up(x: float) -> int:
    """Return a round number of at least `x`: 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(x, 1.0)))
    return int(next(power * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if power * step >= x))
