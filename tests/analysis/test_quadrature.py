"""Gauss rules on cells: exact where theory says so, and what is refused."""

import numpy as np
import pytest

from solvenet.analysis import gauss_rule
from solvenet.errors import InvalidDataError, InvalidSettingError


@pytest.mark.parametrize("order", [1, 2, 5])
def test_piecewise_polynomials_are_integrated_exactly(order, rng):
    knots = np.sort(rng.uniform(-1, 1, 8))
    x, weights = gauss_rule(knots, order)
    degree = 2 * order - 1
    powers = rng.standard_normal((7, degree + 1))
    values = np.concatenate(
        [np.polyval(p, cell) for p, cell in zip(powers, x.reshape(7, order), strict=True)]
    )
    exact = sum(
        np.diff(np.polyval(np.polyint(p), knots[i : i + 2]))[0] for i, p in enumerate(powers)
    )
    assert weights @ values == pytest.approx(exact, rel=1e-13, abs=1e-14)
    assert (np.diff(x) > 0).all()


def test_a_degree_more_is_not_exact():
    x, weights = gauss_rule(np.array([-1.0, 1.0]), 2)
    assert weights @ x**3 == pytest.approx(0, abs=1e-16)
    assert weights @ x**4 == pytest.approx(2 / 9)  # not 2/5


@pytest.mark.parametrize(
    ("knots", "message"),
    [
        ([0.0], "at least two knots"),
        ([[0.0, 1.0]], "one-dimensional"),
        ([0.0, 1.0, 1.0], r"knots: entry 1, 1, is followed by 1"),
        ([0.0, 2.0, 1.0], "strictly increasing"),
        ([0.0, np.nan], "NaN"),
    ],
)
def test_bad_knots_are_refused(knots, message):
    with pytest.raises(InvalidDataError, match=message):
        gauss_rule(knots)


def test_no_points_are_refused():
    with pytest.raises(InvalidSettingError, match="order=0"):
        gauss_rule([0.0, 1.0], 0)
