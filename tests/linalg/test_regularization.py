"""The descent over the ridge ends where it should, and says when it is cut short."""

import numpy as np
import pytest

from solvenet.linalg.regularization import SelectionCurve, descend, pick


def curve_of(score, start, resolution=1e-14):
    ratios, scores = descend(score, resolution, start=start)
    return SelectionCurve("alpha", ratios, scores, pick(scores), 100)


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
    assert len(calls) <= 3


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
    assert pick(np.array([1.0, 0.5, 0.5 * (1 + 1e-9), 0.7])) == 2
    assert pick(np.array([np.inf, np.inf])) == 1
