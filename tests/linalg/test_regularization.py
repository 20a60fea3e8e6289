"""The descent over the ridge ends where it should, and says when it is cut short."""

import numpy as np
import pytest

from solvenet.linalg.regularization import SelectionCurve, descend, pick


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
