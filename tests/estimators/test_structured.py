"""MMNNRegressor among scikit-learn's estimators."""

import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from solvenet.errors import InvalidSettingError
from solvenet.estimators import MMNNRegressor


def test_scikit_learns_checks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(MMNNRegressor(max_steps=3), on_skip=None, on_fail=None)
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert failed == []
    assert sum(r["status"] == "passed" for r in results) >= 50


@pytest.mark.parametrize("n_targets", [None, 1, 2])
def test_shapes_and_accuracy(n_targets, rng):
    X = rng.uniform(10, 12, (400, 2))
    y = np.tanh(4 * (X[:, 0] - 11)) * X[:, 1]
    Y = y if n_targets is None else np.stack([y, X[:, 0]], axis=1)[:, :n_targets]
    model = MMNNRegressor(random_state=0, max_steps=40).fit(X, Y)
    found = model.predict(X)
    assert found.shape == Y.shape
    assert model.score(X, Y) > 0.9999
    assert model.result_.held_out is not None


def test_inputs_far_outside_move_to_the_edge():
    X = np.linspace(0, 1, 100)[:, None]
    model = MMNNRegressor(random_state=0, max_steps=5).fit(X, X[:, 0])
    assert model.predict([[1e6]]) == model.predict([[1.1]])


def test_bad_settings():
    X = np.linspace(0, 1, 30)[:, None]
    with pytest.raises(InvalidSettingError, match="rank"):
        MMNNRegressor(width=3, rank=4).fit(X, X[:, 0])
    with pytest.raises(InvalidSettingError, match="width='wide'"):
        MMNNRegressor(width="wide").fit(X, X[:, 0])
    with pytest.raises(InvalidSettingError, match="activation='step'"):
        MMNNRegressor(activation="step").fit(X, X[:, 0])
