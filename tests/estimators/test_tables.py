"""TableEncoder: one matrix from columns of any kind, of any library, and back from JSON."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from solvenet import SampledNetworkClassifier
from solvenet.errors import InvalidDataError, ModelFileError
from solvenet.estimators.tables import TableEncoder

MIXED = {
    "size": [1.0, None, 3.0, 8.0],
    "hue": ["red", "blue", None, "red"],
    "new": [True, False, True, None],
    "day": np.array(["1970-01-01", "1970-01-03", "NaT", "1970-01-02"], dtype="M8[ms]"),
    "count": [1, 2, 3, 5],
}
NAMES = [
    "size", "size=(missing)", "hue=red", "hue=blue", "hue=(missing)",
    "new=True", "new=False", "new=(missing)", "day", "day=(missing)", "count",
]  # fmt: skip
MATRIX = [
    [1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1],
    [3, 1, 0, 1, 0, 0, 1, 0, 2, 0, 2],
    [3, 0, 0, 0, 1, 1, 0, 0, 1, 1, 3],
    [8, 0, 1, 0, 0, 0, 0, 1, 1, 0, 5],
]


def tables():
    plain = {k: np.array(v, dtype=object) if k != "day" else v for k, v in MIXED.items()}
    categories = pd.DataFrame(MIXED).assign(hue=pd.Categorical(MIXED["hue"]))
    arrow = pa.table({k: pa.array(v, from_pandas=True) for k, v in MIXED.items()})
    encoded = arrow.set_column(1, "hue", arrow["hue"].dictionary_encode())
    return {
        "mapping": plain,
        "pandas": pd.DataFrame(MIXED),
        "pandas nullable": pd.DataFrame(MIXED).convert_dtypes(),
        "pandas categories": categories,
        "polars": pl.DataFrame(MIXED),
        "pyarrow": arrow,
        "pyarrow dictionary": encoded,
    }


@pytest.mark.parametrize("kind", tables())
def test_every_library_gives_the_same_matrix(kind):
    table = tables()[kind]
    encoder = TableEncoder().fit(table)
    assert encoder.get_feature_names_out().tolist() == NAMES
    out = encoder.transform(table)
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, MATRIX)
    assert encoder.feature_names_in_.tolist() == list(MIXED)


@pytest.mark.parametrize("kind", tables())
def test_fitted_to_one_library_transforms_the_others(kind):
    encoder = TableEncoder().fit(tables()["mapping"])
    np.testing.assert_array_equal(encoder.transform(tables()[kind]), MATRIX)


def test_json_round_trip_is_exact():
    encoder = TableEncoder(max_levels=7).fit(tables()["pandas"])
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again.to_dict() == encoder.to_dict()
    assert again.max_levels == 7
    np.testing.assert_array_equal(again.transform(tables()["polars"]), MATRIX)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("columns"),
        lambda state: state.update(columns=[]),
        lambda state: state.update(columns=[{"name": "a", "missing": False}]),
        lambda state: state["columns"][0].update(median=float("nan")),
        lambda state: state["columns"][0].update(kind="code"),
        lambda state: state.update(max_levels="many"),
        lambda state: state.update(dropped=3),
    ],
)
def test_damaged_description_is_refused(spoil):
    state = TableEncoder().fit(tables()["pandas"]).to_dict()
    spoil(state)
    with pytest.raises(ModelFileError, match="description of the table is damaged"):
        TableEncoder.from_dict(state)


def test_frequent_levels_get_columns_and_the_others_share_one():
    hue = np.array(["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d"])
    encoder = TableEncoder(max_levels=2).fit({"hue": hue})
    assert encoder.get_feature_names_out().tolist() == ["hue=a", "hue=b", "hue=(other)"]
    out = encoder.transform({"hue": np.array(["a", "b", "d", "unseen"])})
    assert out.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_unseen_levels_and_unexpected_gaps_are_all_zeros():
    encoder = TableEncoder().fit({"hue": np.array(["a", "b"])})
    out = encoder.transform({"hue": np.array(["c", None, "b"], dtype=object)})
    assert out.tolist() == [[0, 0], [0, 0], [0, 1]]


def test_gap_in_a_column_that_had_none_becomes_the_median():
    encoder = TableEncoder().fit({"x": np.array([1.0, 2.0, 9.0])})
    assert encoder.transform({"x": np.array([np.nan, 5.0])}).tolist() == [[2.0], [5.0]]


def test_whole_numbers_are_one_level_whatever_their_type():
    encoder = TableEncoder().fit({"code": np.array(["1", "2", "1"])})
    for values in ([1, 2], [1.0, 2.0], ["1", "2"]):
        assert encoder.transform({"code": np.array(values)}).tolist() == [[1, 0], [0, 1]]


def test_numbers_given_as_text_or_decimals_are_read():
    encoder = TableEncoder().fit({"x": np.array([Decimal("1.5"), Decimal(2)], dtype=object)})
    assert encoder.transform({"x": np.array(["2.5", "1e3"])}).tolist() == [[2.5], [1000.0]]


def test_columns_that_say_nothing_are_dropped_with_a_reason():
    n = 100
    table = {
        "x": np.arange(n),
        "constant": np.ones(n),
        "word": np.full(n, "same"),
        "empty": np.full(n, np.nan),
        "name": np.array([f"row {at}" for at in range(n)]),
    }
    encoder = TableEncoder().fit(table)
    assert encoder.get_feature_names_out().tolist() == ["x"]
    assert encoder.dropped_ == {
        "constant": "is constant",
        "word": "is constant",
        "empty": "holds no values",
        "name": "holds another text in nearly every row",
    }
    # What was dropped is not needed later.
    assert encoder.transform({"x": np.array([7])}).tolist() == [[7.0]]


def test_durations_become_days():
    encoder = TableEncoder().fit({"t": np.array([1, 48], dtype="m8[h]")})
    assert encoder.transform({"t": np.array([12], dtype="m8[h]")}).tolist() == [[0.5]]


def test_missing_columns_are_named_with_what_was_meant():
    encoder = TableEncoder().fit({"height": np.arange(3), "width": np.arange(3)})
    with pytest.raises(InvalidDataError, match=r"no column 'width' \(did you mean 'Widht'\?\)"):
        encoder.transform({"height": np.arange(3), "Widht": np.arange(3)})


def test_text_in_a_column_of_numbers_is_pointed_at():
    encoder = TableEncoder().fit({"x": np.arange(3)})
    with pytest.raises(InvalidDataError, match=r"'x' held numbers .* row 1 holds 'abc'"):
        encoder.transform({"x": np.array(["1", "abc"], dtype=object)})


def test_text_in_a_column_of_dates_is_pointed_at():
    encoder = TableEncoder().fit({"day": MIXED["day"]})
    with pytest.raises(InvalidDataError, match=r"'day' held dates .* row 0 holds 'today'"):
        encoder.transform({"day": np.array(["today"])})
    with pytest.raises(InvalidDataError, match=r"'day' held dates .* holds numbers now"):
        encoder.transform({"day": np.array([1.0])})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"x": np.array([1.0, np.inf])}, r"'x' holds 1 infinite values, the first in row 1"),
        ({"x": np.array([1.0, 1.0])}, r"No column .* 'x' is constant"),
        ({"x": np.arange(3), "y": np.arange(2)}, r"'y' has shape \(2,\)"),
        ({"x": np.ones((2, 2))}, r"'x' has shape \(2, 2\)"),
        ({}, "has no columns"),
        ({"x": np.array([])}, "no rows"),
        ({"x": np.array([1.0])}, "1 sample"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "more than one column 'a'"),
        (np.arange(3), "where a table is wanted"),
    ],
)
def test_bad_tables_are_refused(table, message):
    with pytest.raises(InvalidDataError, match=message):
        TableEncoder().fit(table)


def test_entries_that_are_no_values_are_refused():
    with pytest.raises(TypeError, match=r"'x' holds list in row 0"):
        TableEncoder().fit({"x": np.array([[1], [2, 3]], dtype=object)})


def test_arrays_without_names_count_their_columns():
    encoder = TableEncoder().fit(np.array([[1.0, 5.0], [2.0, 7.0]]))
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1"]
    with pytest.raises(InvalidDataError, match="X has 3 features, but TableEncoder is expecting 2"):
        encoder.transform(np.ones((2, 3)))


def test_pipeline_with_a_network():
    rng = np.random.default_rng(0)
    hue = rng.choice(["red", "blue", "green"], 300)
    x = rng.random(300)
    table = pd.DataFrame({"hue": hue, "x": np.where(rng.random(300) < 0.1, np.nan, x)})
    y = np.where(hue == "red", "yes", "no")
    model = make_pipeline(TableEncoder(), SampledNetworkClassifier(50, random_state=0))
    assert model.fit(table, y).score(table, y) == 1.0
    framed = TableEncoder().set_output(transform="pandas").fit_transform(table)
    assert set(framed.columns) == {"hue=red", "hue=blue", "hue=green", "x", "x=(missing)"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks():
    results = check_estimator(TableEncoder())
    assert len(results) >= 40
    assert {r["status"] for r in results} <= {"passed", "skipped"}
    assert sum(r["status"] == "passed" for r in results) >= 40
