"""The commands as functions: what they return, write, refuse and note."""

import json

import numpy as np
import pandas as pd
import pytest

from solvenet import load
from solvenet.commands import demo, fit_table, inspect_model, predict_table
from solvenet.errors import InvalidDataError, InvalidSettingError, ModelFileError
from solvenet.tables import read_table, write_table

SMALL = {"hidden_layer_sizes": 30}


def houses(n=240, seed=0):
    """A table with numbers, text and gaps, whose price depends on all of them."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(50, 200, n)
    town = rng.choice(["north", "south", "east"], n)
    age = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 90, n))
    price = 2 * size + 40 * (town == "south") - 0.3 * np.nan_to_num(age, nan=40)
    price += rng.normal(0, 3, n)
    return {"size": size, "town": town, "age": age, "price": price, "dear": price > 300}


def test_regression_from_file_to_predictions(tmp_path):
    table = houses()
    write_table(tmp_path / "houses.csv", {k: v for k, v in table.items() if k != "dear"})
    fit = fit_table(tmp_path / "houses.csv", "price", output=tmp_path / "m.st", **SMALL)
    assert fit.task == "regression"
    assert (fit.n_rows, fit.n_valid, fit.n_features) == (192, 48, 6)
    assert fit.score.value > 0.97
    assert fit.score.low < fit.score.value < fit.score.high
    assert [stage.name for stage in fit.stages][-1] == "save"
    out = tmp_path / "out.parquet"
    result = predict_table(tmp_path / "m.st", tmp_path / "houses.csv", out)
    written = read_table(out)
    assert list(written) == ["prediction", "std"]
    np.testing.assert_array_equal(written["prediction"], result.columns["prediction"])
    # The file holds the same model, bit for bit.
    np.testing.assert_array_equal(written["prediction"], fit.model.predict(table))
    error = np.abs(written["prediction"] - table["price"]) / written["std"]
    assert 0.85 < np.mean(error < 2) <= 1


def test_classification_gives_labels_and_probabilities(tmp_path):
    table = {k: v for k, v in houses().items() if k != "price"}
    table["dear"] = np.where(table["dear"], "yes", "no")
    fit = fit_table(table, "dear", output=tmp_path / "m.st", **SMALL)
    assert fit.task == "classification"
    assert fit.score.value > 0.9
    columns = predict_table(tmp_path / "m.st", table).columns
    assert list(columns) == ["prediction", "probability no", "probability yes"]
    np.testing.assert_allclose(columns["probability no"] + columns["probability yes"], 1)
    likely = np.where(columns["probability yes"] > 0.5, "yes", "no")
    np.testing.assert_array_equal(columns["prediction"], likely)


def test_target_is_not_needed_and_order_of_columns_does_not_matter(tmp_path):
    table = {k: v for k, v in houses().items() if k != "dear"}
    fit_table(table, "price", output=tmp_path / "m.st", **SMALL)
    plain = predict_table(tmp_path / "m.st", table).columns["prediction"]
    turned = pd.DataFrame({name: table[name] for name in ("town", "age", "size")})
    again = predict_table(tmp_path / "m.st", turned.assign(extra=1)).columns["prediction"]
    np.testing.assert_array_equal(plain, again)


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (np.tile(["a", "b"], 60), "classification"),
        (np.tile([True, False], 60), "classification"),
        (np.tile([0, 1, 2], 40), "classification"),
        (np.tile([0.0, 1.0, np.nan, 1.0], 30), "classification"),
        (np.tile([0.5, 1.0, 2.0], 40), "regression"),
        (np.arange(120), "regression"),
        (np.random.default_rng(0).random(120), "regression"),
    ],
)
def test_task_follows_the_target(target, task):
    fit = fit_table({"x": np.arange(120.0), "y": target}, "y", **SMALL)
    assert fit.task == task
    assert any(note.startswith(f"Task {task}") for note in fit.notes)


def test_task_can_be_given():
    table = {"x": np.arange(60.0), "y": np.arange(60) // 10}
    assert fit_table(table, "y", task="regression", **SMALL).score.name == "R^2"
    assert fit_table(table, "y", **SMALL).score.name == "accuracy"


def test_rows_are_set_aside_from_each_class_alike():
    y = np.repeat(["a", "b", "c"], [100, 50, 10])
    table = {"x": np.random.default_rng(0).random(160), "y": y}
    fit = fit_table(table, "y", valid_fraction=0.3, **SMALL)
    assert fit.n_valid == 30 + 15 + 3
    assert fit.score.constant == pytest.approx(30 / 48)


def test_class_of_one_row_is_fitted_not_lost():
    table = {"x": np.arange(41.0), "y": np.repeat(["a", "b", "rare"], [20, 20, 1])}
    fit = fit_table(table, "y", **SMALL)
    assert fit.model[-1].classes_.tolist() == ["a", "b", "rare"]


def test_same_seed_same_network_other_seed_other_network():
    table = {k: v for k, v in houses().items() if k != "dear"}
    first, again, other = (
        fit_table(table, "price", random_state=seed, **SMALL).model.predict(table)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, rtol=1e-6)


def test_validation_table_is_used():
    table = {"x": np.linspace(0, 1, 80), "y": np.linspace(0, 1, 80)}
    wrong = {"x": np.linspace(0, 1, 30), "y": np.linspace(1, 0, 30)}
    fit = fit_table(table, "y", valid=wrong, **SMALL)
    assert (fit.n_rows, fit.n_valid) == (80, 30)
    assert fit.score.value < -2


def test_validation_table_may_hold_other_classes():
    table = {"x": np.arange(40.0), "y": np.repeat(["a", "b"], 20)}
    valid = {"x": np.array([1.0, 39.0, 20.0]), "y": np.array(["a", "b", "new"])}
    assert fit_table(table, "y", valid=valid, **SMALL).score.value == pytest.approx(2 / 3)


def test_notes_say_what_happened_to_the_data():
    table = {
        "x": np.arange(50.0),
        "same": np.ones(50),
        "y": np.where(np.arange(50) < 5, np.nan, np.arange(50.0)),
    }
    notes = fit_table(table, "y", hidden_layer_sizes=500).notes
    assert any("5 of 50 rows" in note for note in notes)
    assert any("'same' is left out: it is constant" in note for note in notes)
    assert any("500 neurons were asked for" in note for note in notes)


def test_progress_tells_each_step_once(tmp_path):
    told = []
    table = {"x": np.arange(60.0), "y": np.sin(np.arange(60.0))}
    fit_table(
        table,
        "y",
        report=tmp_path / "r.html",
        progress=lambda done, total, name: told.append((done, total, name)),
        **SMALL,
    )
    assert [done for done, _, _ in told] == list(range(len(told)))
    assert {total for _, total, _ in told} == {len(told)}


NUMBERS = np.arange(30.0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"x": NUMBERS, "Prize": NUMBERS}, r"no column 'price' \(did you mean 'Prize'\?\)"),
        ({"price": NUMBERS}, "is the only column"),
        ({"x": NUMBERS, "price": np.full(30, np.nan)}, "missing in every row"),
        ({"x": NUMBERS, "price": np.full(30, 2.5)}, "is 2.5 in every row"),
        ({"x": NUMBERS, "price": np.full(30, "a")}, r"one class only \(a\)"),
        ({"x": NUMBERS, "price": np.full(30, 7)}, r"one class only \(7\)"),
        ({"x": NUMBERS[:1], "price": NUMBERS[:1]}, "one class only|1 rows"),
        ({"x": NUMBERS[:3], "price": NUMBERS[:3] + 0.5}, "There are 3 rows with a target"),
        ({"x": NUMBERS, "price": np.r_[np.inf, NUMBERS[1:]]}, "'price' holds 1 infinite"),
        ({"x": np.r_[NUMBERS[1:], np.inf], "price": NUMBERS}, "'x' holds 1 infinite"),
        ({"x": np.ones(30), "price": NUMBERS}, "'x' is constant"),
    ],
)
def test_bad_tables_are_refused(table, message):
    with pytest.raises(InvalidDataError, match=message):
        fit_table(table, "price", **SMALL)


def test_one_row_of_numbers_is_refused():
    with pytest.raises(InvalidDataError, match=r"is 1\.5 in every row"):
        fit_table({"x": np.array([1.0]), "y": np.array([1.5])}, "y", **SMALL)


def test_task_that_the_target_does_not_allow_is_refused():
    text = {"x": NUMBERS, "y": np.tile(["a", "b"], 15)}
    with pytest.raises(InvalidDataError, match="'a' in its first row; regression wants numbers"):
        fit_table(text, "y", task="regression")
    with pytest.raises(InvalidDataError, match=r"0\.5 in its first row; classification wants"):
        fit_table({"x": NUMBERS, "y": NUMBERS + 0.5}, "y", task="classification")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "guess"}, "task='guess' is unknown"),
        ({"valid_fraction": 1.5}, "between 0 and 1"),
        ({"activation": "foo"}, "activation='foo' is unknown"),
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes=0"),
        ({"memory_limit": "lots"}, "memory_limit='lots' is not a size"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InvalidSettingError, match=message):
        fit_table({"x": NUMBERS, "y": NUMBERS + 0.5}, "y", **settings)


def test_outputs_are_checked_before_the_work(tmp_path):
    for name in ("output", "report"):
        with pytest.raises(FileNotFoundError, match="There is no folder"):
            fit_table("nowhere.csv", "y", **{name: tmp_path / "no" / "file"})
        with pytest.raises(IsADirectoryError, match="is a folder"):
            fit_table("nowhere.csv", "y", **{name: tmp_path})


def test_prediction_names_what_is_missing_or_wrong(tmp_path):
    table = {k: v for k, v in houses().items() if k != "dear"}
    fit_table(table, "price", output=tmp_path / "m.st", **SMALL)
    with pytest.raises(InvalidDataError, match=r"no column 'town' \(did you mean 'Town'\?\)"):
        predict_table(tmp_path / "m.st", {"size": [1.0], "age": [2.0], "Town": ["north"]})
    with pytest.raises(InvalidDataError, match=r"'size' held numbers .* row 0 holds 'big'"):
        predict_table(tmp_path / "m.st", {"size": ["big"], "age": [2.0], "town": ["north"]})
    (tmp_path / "bad.st").write_bytes((tmp_path / "m.st").read_bytes()[:-10])
    with pytest.raises(ModelFileError):
        predict_table(tmp_path / "bad.st", table)


def test_model_without_uncertainty_predicts_without_it(tmp_path):
    from solvenet import save

    fit = fit_table({"x": NUMBERS, "y": np.sin(NUMBERS)}, "y", **SMALL)
    save(fit.model, tmp_path / "m.st", uncertainty=False)
    assert list(predict_table(tmp_path / "m.st", {"x": NUMBERS}).columns) == ["prediction"]


def test_network_by_itself_predicts_from_a_table(tmp_path):
    from solvenet import SampledNetworkRegressor, save

    frame = pd.DataFrame({"a": NUMBERS, "b": NUMBERS**0.5})
    model = SampledNetworkRegressor(20, random_state=0).fit(frame, NUMBERS)
    save(model, tmp_path / "m.st")
    out = predict_table(tmp_path / "m.st", frame[["b", "a"]]).columns["prediction"]
    np.testing.assert_array_equal(out, model.predict(frame))
    with pytest.raises(InvalidDataError, match="no column 'a'"):
        predict_table(tmp_path / "m.st", frame[["b"]])


def test_inspect_says_what_the_file_holds(tmp_path):
    table = {k: v for k, v in houses().items() if k != "price"} | {"same": np.ones(240)}
    fit_table(table, "dear", output=tmp_path / "m.st", **SMALL)
    facts = json.loads(json.dumps(inspect_model(tmp_path / "m.st"), allow_nan=False))
    assert facts["task"] == "classification"
    assert [(c["name"], c["kind"]) for c in facts["columns"]] == [
        ("size", "number"),
        ("town", "text"),
        ("age", "number"),
    ]
    assert facts["left_out"] == {"same": "is constant"}
    assert facts["classes"] == [False, True]
    assert facts["units"] == [30]
    assert facts["settings"]["activation"] == "tanh"
    assert facts["solve"]["alpha"] > 0
    assert facts["bytes"] == (tmp_path / "m.st").stat().st_size


def test_saved_model_is_a_pipeline_that_scikit_learn_knows(tmp_path):
    table = {k: v for k, v in houses().items() if k != "dear"}
    fit = fit_table(table, "price", output=tmp_path / "m.st", **SMALL)
    again = load(tmp_path / "m.st")
    assert list(again.named_steps) == ["table", "network"]
    np.testing.assert_array_equal(again.predict(table), fit.model.predict(table))


@pytest.mark.slow
def test_demo_does_the_main_job(tmp_path):
    smooth, diabetes, cancer = demo(tmp_path)
    assert smooth.fit.score.error < 1e-11
    assert 0.3 < diabetes.fit.score.value < 0.7
    assert cancer.fit.score.value > 0.93
    for item in (smooth, diabetes, cancer):
        assert item.fit.output.exists()
        assert item.fit.report.stat().st_size > 10_000
        assert len(read_table(item.predictions.output)["prediction"]) == item.predictions.n_rows
