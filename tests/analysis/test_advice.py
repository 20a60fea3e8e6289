"""Every finding appears on numbers made to cause it, and none on those of a good fit."""

import re
from dataclasses import replace

import numpy as np
import pytest

from solvenet.analysis import (
    FitNumbers,
    accuracy,
    advise,
    calibration_gap,
    calibration_noise,
    captured_rank,
    cutoff_level,
    enough_units,
    flat_share,
    r_squared,
)

GOOD = FitNumbers(
    width=500,
    n_units=500,
    n_rows=4000,
    rank=350,
    n_columns=510,
    score=0.90,
    score_low=0.88,
    score_high=0.92,
    constant_score=0.0,
    loo_score=0.91,
    loo_error=0.005,
    outside_share=0.02,
    error_ratio=1.1,
    seed_scores=(0.90, 0.905, 0.899),
    noise_share=0.09,
    unguided_noise_share=0.10,
    flat_share=0.1,
    chosen=20,
    n_choices=60,
    calibration_error=0.02,
    calibration_noise=0.02,
)


def test_good_fit_has_no_findings():
    assert advise(GOOD) == []


def test_nothing_measured_means_nothing_found():
    assert advise(FitNumbers(width=10, n_units=10, n_rows=100)) == []


@pytest.mark.parametrize(
    ("kind", "severity", "change", "words"),
    [
        ("constant", "warning", {"score_low": -0.01}, "not clearly above 0.000"),
        ("shift", "warning", {"loo_score": 0.99}, "The validation rows differ"),
        ("shift", "warning", {"loo_score": 0.80}, "easier than the training rows"),
        ("outside", "warning", {"error_ratio": 1e5}, "2.0% .* 100,000 times"),
        ("seeds", "warning", {"seed_scores": (0.9, 0.8, 0.9)}, "from 0.800 to 0.900"),
        (
            "noisy target",
            "warning",
            {"noise_share": 0.5, "unguided_noise_share": 0.5},
            "50% of the target's variance unexplained",
        ),
        (
            "flat target",
            "warning",
            {"noise_share": 0.5, "unguided_noise_share": 0.5, "flat_share": 0.98},
            "98% of all pairs of rows have equal targets",
        ),
        ("few pairs", "warning", {"n_units": 400, "rank": 300}, "500 units .* 400 distinct pairs"),
        ("few rows", "warning", {"n_rows": 300}, "at most 300"),
        ("calibration", "warning", {"calibration_error": 0.08}, "0.080 .* 0.020 in 95 %"),
        ("ridge", "warning", {"chosen": 59}, "largest ridge"),
        ("ridge", "note", {"chosen": 0, "asks_for_less": True}, "still improves"),
        ("rank", "note", {"rank": 90}, "Rank 90 of 510 .* a width of 200 would do"),
        ("width", "note", {"rank": 510, "n_columns": 510}, "1000 may say more"),
        (
            "memory",
            "note",
            {"features_fit": False, "feature_bytes": 8_000_000_000},
            r"\(8000 MB\) would not fit",
        ),
    ],
)
def test_finding_appears_where_it_is_caused(kind, severity, change, words):
    found = advise(replace(GOOD, **change))
    assert [finding.kind for finding in found] == [kind]
    assert found[0].severity == severity

    assert re.search(words, found[0].text)


@pytest.mark.parametrize(
    "change",
    [
        {"seed_scores": (0.9, 0.88, 0.9)},  # within the uncertainty of one score
        {"noise_share": 0.01, "unguided_noise_share": 0.01},  # nothing left to guide
        {"calibration_error": 0.06, "calibration_noise": 0.07},  # few rows
        {"outside_share": 0.0, "error_ratio": 1e5},
        {"loo_score": 0.94},  # within three standard errors
        {"n_rows": 500},  # as many units as rows
        {"rank": 510, "n_columns": 510, "noise_share": 0.3, "unguided_noise_share": 0.4},
    ],
)
def test_finding_stays_away_where_chance_explains_it(change):
    assert advise(replace(GOOD, **change)) == []


def test_smaller_width_is_advised_as_measured():
    tried = replace(GOOD, rank=30, narrow_width=120, narrow_noise_share=0.091)
    assert "a width of 120 would do (leave-one-out error 0.091" in advise(tried)[0].text
    assert advise(replace(tried, narrow_noise_share=0.12)) == []


def test_warnings_stand_first():
    found = advise(replace(GOOD, rank=90, score_low=-0.1))
    assert [finding.severity for finding in found] == ["warning", "note"]


def test_enough_units_are_round_and_above_the_rank():
    assert enough_units(312) == 600
    for rank in range(1, 400):
        assert 1.8 * rank <= enough_units(rank) <= 2.8 * rank + 1


def test_accuracy_interval_covers_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        right = rng.random(100) < 0.9
        score = accuracy(np.ones(100), np.where(right, 1, 0))
        inside += score.low <= 0.9 <= score.high
    assert 0.92 <= inside / 400 <= 0.985


def test_accuracy_of_all_right_is_not_certain():
    score = accuracy(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 1]))
    assert score.value == score.high == 1
    assert 0.4 < score.low < 0.6
    assert score.constant == 0.75
    assert score.text == f"accuracy 1.000 ({score.low:.3f} to 1.000)"


def test_r_squared_interval_covers_as_it_says():
    rng = np.random.default_rng(1)
    inside = 0
    for seed in range(200):
        y = rng.standard_normal(300)
        score = r_squared(y + 0.5 * rng.standard_normal(300), y, seed=seed)
        inside += score.low <= 0.8 <= score.high
    assert 0.9 <= inside / 200 <= 0.99


def test_r_squared_keeps_the_digits_of_exact_fits():
    y = 1e6 + np.linspace(0, 1, 3000)
    score = r_squared(y, y + 1e-9 * np.cos(np.arange(3000)))
    assert 1e-18 < score.missing < 1e-17
    assert score.short.startswith("1 - ")
    assert "or better" in score.text


def test_r_squared_of_predictions_that_explode_is_a_number():
    y = np.arange(10.0)
    score = r_squared(y, np.where(y == 3, np.inf, y))
    assert score.value < -1e100
    assert np.isfinite([score.low, score.high]).all()


@pytest.mark.parametrize(("predicted", "value"), [(3.0, 1.0), (4.0, 0.0)])
def test_r_squared_of_a_flat_target(predicted, value):
    score = r_squared(np.full(5, 3.0), np.full(5, predicted))
    assert score.value == value


def test_calibration_noise_is_exceeded_once_in_twenty_times():
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.5, 1.0, 500)
    noise = calibration_noise(confidence)
    gaps = [calibration_gap(confidence, rng.random(500) < confidence) for _ in range(400)]
    assert 0.02 <= np.mean(np.array(gaps) > noise) <= 0.09
    assert calibration_gap(confidence, rng.random(500) < confidence - 0.3) > 3 * noise


def test_flat_share_is_the_share_of_equal_pairs():
    y = np.repeat([0, 1], [900, 100])
    assert flat_share(y) == pytest.approx(0.82, abs=0.02)
    assert flat_share(np.arange(1000.0)) == 0
    assert flat_share(np.ones(1)) == 1


def test_captured_rank_counts_above_the_stronger_of_ridge_and_cutoff():
    s = np.array([10.0, 1.0, 0.1, 0.01])
    assert captured_rank(s, alpha=0.25, rcond=1e-8) == 2
    assert cutoff_level(s, 0.25, 1e-8) == (0.05, "ridge")
    assert captured_rank(s, alpha=0.0, rcond=0.005) == 3
    assert cutoff_level(s, 0.0, 0.005) == (0.005, "cutoff")
    assert captured_rank(s, alpha=0.0, rcond=0.005, kept=1) == 1
    assert captured_rank(np.zeros(3), 1.0, 0.1) == 0
    assert captured_rank(np.zeros(0), 1.0, 0.1) == 0
