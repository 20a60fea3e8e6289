"""Calibration by few rows where each is expensive, and as good as by many."""

import numpy as np
import pytest

from solvenet import SampledNetworkClassifier
from solvenet.estimators import calibration
from solvenet.estimators.calibration import calibration_rows, fit_calibration


@pytest.mark.parametrize("n_cols", [10, 100, 1000, 5000, 20_784])
@pytest.mark.parametrize("n_rows", [100, 10_000, 63_000, 10**7])
def test_calibration_costs_a_small_part_of_the_solve(n_rows, n_cols):
    rows = calibration_rows(n_rows, n_cols)
    assert 2000 <= rows <= 20_000
    flops = min(rows, n_rows) * n_cols**2
    products, factors = n_rows * n_cols**2, 2 / 3 * n_cols**3
    assert flops <= max(0.2 * (products + factors), 4e10)


def test_fewer_rows_give_the_same_classes_and_probabilities(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 5))
    scores = np.stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2], X[:, 3] - 0.5], axis=1)
    y = (scores + 0.3 * rng.gumbel(size=scores.shape)).argmax(axis=1)
    train, test = slice(0, 5000), slice(5000, None)
    found = {}
    for rows in (2000, 20_000):
        monkeypatch.setattr(calibration, "calibration_rows", lambda *_, rows=rows: rows)
        model = SampledNetworkClassifier(300, random_state=0).fit(X[train], y[train])
        found[rows] = model.predict_proba(X[test])
        assert model.calibration_error_ < 0.03
    few, many = found.values()
    assert np.abs(few - many).mean() < 0.03
    right = [(p.argmax(axis=1) == y[test]).mean() for p in (few, many)]
    assert right[0] > right[1] - 0.01


def test_slopes_of_scores_are_found():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((4000, 3))
    codes = (4.0 * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    coupling, _ = fit_calibration(scores, codes, np.ones(len(codes)))
    differences = coupling - coupling.mean(axis=1, keepdims=True)
    assert np.allclose(differences, 4.0 * (np.eye(3) - 1 / 3), atol=0.4)
