"""Scores of rows that are read in blocks are those of the same rows in memory."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from solvenet import SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.analysis import accuracy, r_squared
from solvenet.blocks import HeldRecords, as_row_blocks
from solvenet.engine import Run, run
from solvenet.errors import InvalidDataError
from solvenet.estimators.scoring import SquaredErrors, measure
from solvenet.sources import TrainingSource


@pytest.fixture
def frame(rng):
    x = rng.normal(size=(900, 2))
    y = np.sin(x[:, 0]) + 0.3 * rng.normal(size=900)
    return pd.DataFrame(
        {
            "text": np.where(y > 0, "up", "down"),
            "a": x[:, 0],
            "b": x[:, 1],
            "y": y,
            "z": 1e6 + y**2,
            "w": rng.integers(0, 3, 900),
            "c": (y > 0.3).astype(int),
        }
    )


@pytest.fixture
def path(frame, tmp_path):
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    return tmp_path / "t.parquet"


@pytest.fixture
def many_parts(monkeypatch):
    monkeypatch.setattr(run, "LEAST_ROWS", 64)
    monkeypatch.setattr(run, "LEAST_NUMBERS", 64)


def test_r_squared_of_a_file_is_that_of_its_rows(frame, path, many_parts):
    model = SampledNetworkRegressor(20, random_state=0).fit(frame[["a", "b"]], frame["y"])
    held = model.score(frame[["a", "b"]], frame["y"])
    assert model.score(path, "y") == pytest.approx(held, rel=1e-13)
    assert model.score(path, "y", engine="serial") == model.score(path, "y", engine="threads")
    weighted = model.score(frame[["a", "b"]], frame["y"], frame["w"])
    assert model.score(path, "y", "w") == pytest.approx(weighted, rel=1e-13)


def test_targets_far_from_zero_and_several_of_them(frame, path, many_parts):
    model = SampledNetworkRegressor(20, random_state=0)
    model.fit(frame[["a", "b"]], frame[["y", "z"]])
    held = model.score(frame[["a", "b"]], frame[["y", "z"]])
    assert model.score(path, ["y", "z"]) == pytest.approx(held, rel=1e-9)


@pytest.mark.parametrize("target", ["text", "c"])
def test_accuracy_of_a_file_is_that_of_its_rows(frame, path, many_parts, target):
    model = SampledNetworkClassifier(20, random_state=0).fit(frame[["a", "b"]], frame[target])
    held = model.score(frame[["a", "b"]], frame[target])
    assert model.score(path, target) == pytest.approx(held, rel=1e-13)
    weighted = model.score(frame[["a", "b"]], frame[target], frame["w"])
    assert model.score(path, target, "w") == pytest.approx(weighted, rel=1e-13)


@pytest.mark.parametrize("n", [900, 5000])
def test_intervals_are_those_of_rows_in_memory(rng, many_parts, n):
    X = rng.normal(size=(n, 2))
    y = X[:, 0] + 0.3 * rng.normal(size=n)
    model = SampledNetworkRegressor(10, random_state=0).fit(X, y)
    source = TrainingSource(HeldRecords(as_row_blocks(X), y[:, None]), None, True)
    found, wanted = measure(model, source, Run()).score(), r_squared(y, model.predict(X))
    assert found.value == pytest.approx(wanted.value, rel=1e-12)
    assert found.error == pytest.approx(wanted.error, rel=1e-12)
    # Groups of five rows end at other rows than those of memory.
    tolerance = 1e-9 if n < 2000 else 0.1
    assert found.high - found.low == pytest.approx(wanted.high - wanted.low, rel=tolerance)


def test_rows_of_weight_zero_count_for_nothing(rng):
    X = rng.normal(size=(400, 2))
    y = np.where(X[:, 0] + rng.normal(size=400) > 0, "b", "a")
    model = SampledNetworkClassifier(10, random_state=0).fit(X, y)
    w = (rng.random(400) < 0.3).astype(float)
    codes = (y == "b").astype(float)[:, None]
    records = HeldRecords(as_row_blocks(X), codes, w)
    source = TrainingSource(records, None, True, np.array(["a", "b"]))
    kept = w > 0
    assert measure(model, source, Run()).score() == accuracy(y[kept], model.predict(X[kept]))


def test_predictions_that_explode_give_a_score():
    errors = SquaredErrors(1, 3)
    errors.update(np.array([[1e300], [0.0], [1.0]]), np.array([[1.0], [0.0], [1.0]]))
    assert np.isfinite(errors.value())


def test_constant_target_has_score_one_or_zero():
    for prediction, value in ((2.0, 1.0), (2.5, 0.0)):
        errors = SquaredErrors(1, 3)
        errors.update(np.full((3, 1), prediction), np.full((3, 1), 2.0))
        assert errors.value() == value


def test_what_does_not_fit_is_refused(frame, path):
    model = SampledNetworkRegressor(5, random_state=0)
    with pytest.raises(NotFittedError):
        model.score(path, "y")
    model.fit(frame[["a", "b"]], frame["y"])
    with pytest.raises(InvalidDataError, match="2 columns, and the model predicts 1"):
        model.score(path, ["y", "z"])
    with pytest.raises(InvalidDataError, match="no column 'price'"):
        model.score(path, "price")
    unnamed = SampledNetworkRegressor(5, random_state=0).fit(frame[["a"]].to_numpy(), frame["y"])
    with pytest.raises(InvalidDataError, match="fitted with 1"):
        unnamed.score(as_row_blocks(frame[["a", "b", "y"]].to_numpy()), "x2")
    text = SampledNetworkClassifier(5, random_state=0).fit(frame[["a", "b"]], frame["text"])
    with pytest.raises(InvalidDataError, match="the target holds numbers"):
        text.score(path, "c")


def test_records_fit_and_score_by_themselves(frame):
    X, y = frame[["a", "b"]].to_numpy(), frame["y"].to_numpy()
    records = HeldRecords(as_row_blocks(X), y[:, None])
    model = SampledNetworkRegressor(20, random_state=0).fit(records, None)
    held = SampledNetworkRegressor(20, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict(X), held.predict(X), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(records), model.predict(X))
    assert model.score(records, None) == pytest.approx(held.score(X, y), rel=1e-9)
    with pytest.raises(InvalidDataError, match="Records bring their targets"):
        model.fit(records, y)
