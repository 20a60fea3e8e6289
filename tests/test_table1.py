"""The half of Table 1 with 100 units, to one percent; its other half is in reproduce/."""

import csv
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from solvenet.analysis import gauss_rule, uniform_biases

STUDIES = Path(__file__).parents[1] / "reproduce"
STUDY = STUDIES / "representation"


@pytest.fixture
def script(monkeypatch):
    for folder in (STUDIES, STUDY):
        monkeypatch.syspath_prepend(folder)
    return import_module("table1")


@pytest.fixture
def published():
    with (STUDY / "published.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == "table1"]
    return {(row["item"], row["quantity"]): float(row["value"]) for row in rows}


def test_published_errors_are_reached_within_one_percent(script, published):
    ours = {(r.item, f"{r.quantity} at {r.x:g}"): r.value for r in script.table1(widths=(100,))}
    wanted = {key: value for key, value in published.items() if key[1].endswith(" 100")}
    assert len(wanted) == len(ours) == 16
    for key, value in wanted.items():
        assert ours[key] == pytest.approx(value, rel=0.01), key


def test_all_32_published_numbers_are_in_the_results_within_one_percent(published):
    with (STUDY / "results" / "table1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ours = {(r["item"], f"{r['quantity']} at {r['x']}"): float(r["value"]) for r in rows}
    assert len(published) == len(ours) == 32
    for key, value in published.items():
        assert ours[key] == pytest.approx(value, rel=0.01), key


def test_right_hand_side_is_that_of_quadrature(script):
    b = uniform_biases(40)
    x, weights = gauss_rule(b, 20)
    shifted = script.f(x) - script.f(-1.0)
    by_rule = np.maximum(x[:, None] - b, 0).T @ (weights * shifted)
    np.testing.assert_allclose(script.load(b), by_rule, rtol=1e-10, atol=1e-13)


def test_the_design_matrix_loses_nothing_in_honest_single_precision(script):
    b = uniform_biases(100)
    by_design = script.network_error(script.design_matrix(b), b)
    assert by_design == pytest.approx((1.37e-2, 1.70e-6), rel=0.01)
    for solve in (script.single_lapack, script.single_eigenvectors):
        by_gram = script.network_error(solve(b), b)
        assert by_gram[1] > 50 * by_design[1]
