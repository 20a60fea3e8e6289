"""The descent over the ridge ends where it should, and says when it is cut short."""

import numpy as np
import pytest

from solvenet.linalg.regularization import (
    RowScores,
    SelectionCurve,
    descend,
    descend_by_slopes,
    pick,
)


def curve_of(score, start, resolution=1e-14):
    ratios, _ = descend(score, resolution, start=start)
    # A hundred rows that agree: the choice is the minimum.
    squares = np.tile([score(ratio) for ratio in ratios], (100, 1))
    scores, chosen = pick(squares, np.ones(100))
    return SelectionCurve("alpha", ratios, scores, chosen, 100)


def valley(best):
    return lambda ratio: 1.0 + 0.1 * np.log10(ratio / best) ** 2


@pytest.mark.parametrize("start", [1e-12, 1e-7, 1e-6, 1e-5, 1.0])
def test_a_valley_is_found_from_anywhere(start):
    assert 1e-7 <= curve_of(valley(1e-6), start).value <= 1e-5


def test_a_plateau_ends_the_search():
    calls = []

    def flat(ratio):
        calls.append(ratio)
        return 1.0

    curve_of(flat, 1e-6)
    # Two steps find it flat; the curve is then evaluated once more where it was.
    assert len(calls) <= 4


@pytest.mark.parametrize("start", [1e-16, 1e-14, 1e-13, 1e-9])
def test_a_score_that_falls_to_the_end_asks_for_less(start):
    """Also where the search starts at the finest ridge and has one way to go only."""
    curve = curve_of(lambda ratio: ratio**0.2, start)
    assert curve.values[0] == pytest.approx(1e-14)
    assert curve.chosen == 0
    assert curve.asks_for_less()


def test_a_flat_end_does_not_ask_for_less():
    assert not curve_of(lambda ratio: 0.3 + ratio, 1e-14).asks_for_less()
    assert not curve_of(valley(1e-8), 1e-8).asks_for_less()


def test_a_nearly_exact_fit_asks_for_less():
    """There the rounding of a Gram matrix is part of the error."""
    assert curve_of(lambda ratio: 1e-12 * valley(1e-8)(ratio), 1e-8).asks_for_less()


def test_equal_scores_go_to_the_larger_ridge():
    squares = np.tile([1.0, 0.5, 0.5 * (1 + 1e-9), 0.7], (10, 1))
    assert pick(squares, np.ones(10))[1] == 2
    assert pick(np.full((10, 2), np.inf), np.ones(10))[1] == 1


def test_a_difference_that_few_rows_make_is_not_significant(rng):
    """One row of fifty prefers the small ridge by far, the others slightly the large one."""
    squares = np.column_stack([np.full(50, 0.11), np.full(50, 0.1)])
    squares[7] = [0.1, 3.0]
    scores, chosen = pick(squares, np.ones(50))
    assert scores[0] < scores[1]
    assert chosen == 1
    assert pick(np.column_stack([np.full(50, 0.1), np.full(50, 0.11)]), np.ones(50))[1] == 0


def test_weights_count_as_repetitions(rng):
    squares, weights = rng.random((30, 5)), rng.integers(0, 4, 30)
    one, other = (
        pick(squares, weights),
        pick(squares.repeat(weights, axis=0), np.ones(weights.sum())),
    )
    assert np.allclose(one[0], other[0], rtol=1e-14)
    assert one[1] == other[1]


def by_slopes(function, start, resolution=1e-14, rows=50):
    """Search with the slopes of a function of the logarithm (base 10) of the ratio."""

    def score(ratio):
        x, h, ones = np.log10(ratio), 1e-3, np.ones(rows)
        below, here, above = function(x - h), function(x), function(x + h)
        h *= np.log(10.0)
        slope, curvature = (above - below) / (2 * h), (above - 2 * here + below) / h**2
        return RowScores(here * ones, slope * ones, curvature * ones, ones)

    return descend_by_slopes(score, resolution, start=start)


VALLEYS = {
    "parabola": lambda x: 1.0 + 0.1 * (x + 6) ** 2,
    "between plateaus": lambda x: 1.0 - 0.5 / np.cosh(0.6 * (x + 6)),
    "steep below": lambda x: 0.1 + np.exp(-1.5 * (x + 6.5)) + 0.05 * np.logaddexp(0, x + 5),
    "deep": lambda x: 10.0 ** abs(np.hypot(x + 6, 0.3)),
}


@pytest.mark.parametrize("start", [1e-13, 1e-9, 1e-7, 1e-6, 1e-5, 1e-3, 1.0])
@pytest.mark.parametrize("valley", VALLEYS)
def test_slopes_lead_into_the_valley(valley, start):
    seen = by_slopes(VALLEYS[valley], start)
    best = min(seen, key=lambda ratio: seen[ratio].squares.mean())
    lowest = min(VALLEYS[valley](x) for x in np.linspace(-13, 1, 1401))
    assert seen[best].squares.mean() <= 1.01 * lowest
    assert len(seen) <= 6 + abs(np.log10(start) + 6)


def test_a_good_start_is_not_left():
    assert list(by_slopes(VALLEYS["parabola"], 1e-6)) == [1e-6]


@pytest.mark.parametrize("start", [1e-16, 1e-14, 1e-13, 1e-9])
def test_a_fall_to_the_end_is_seen_as_such(start):
    seen = by_slopes(lambda x: 10 ** (0.2 * x), start)
    ratios = np.array(sorted(seen))
    assert ratios[0] == 1e-14
    scores, chosen = pick(np.column_stack([seen[r].squares for r in ratios]), np.ones(50))
    assert SelectionCurve("alpha", ratios, scores, chosen, 50).asks_for_less()
    assert not SelectionCurve("alpha", ratios, scores, chosen, 50, to_the_end=False).asks_for_less()


def test_no_score_leads_to_larger_ridges():
    """A Gram matrix that is not positive definite, or a row that is interpolated."""

    def score(ratio):
        if ratio < 1e-8:
            return None if ratio < 1e-11 else RowScores(*np.full((3, 5), np.inf), np.ones(5))
        x = np.log(ratio / 1e-7)
        return RowScores(*np.outer([1 + x**2, 2 * x, 2.0], np.ones(5)), np.ones(5))

    seen = descend_by_slopes(score, 1e-14, start=1e-13)
    assert min(s.squares.mean() for s in seen.values()) < 1.01
    assert descend_by_slopes(lambda _: None, 1e-14, start=1e-13) == {}


def test_a_smaller_ridge_has_to_be_significantly_better():
    """One row of fifty prefers a smaller ridge by far, the others slightly a larger one."""
    ones = np.ones(50)
    slopes = np.where(np.arange(50) == 7, 30.0, -0.01)
    assert slopes.mean() > 0
    assert RowScores(ones, slopes, ones, ones).step() == 0
    assert RowScores(ones, slopes.mean() * ones, ones, ones).step() < 0
    assert RowScores(ones, -slopes, ones, ones).step() > 0
