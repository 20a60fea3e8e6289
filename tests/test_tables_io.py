"""Tables on disk: what is written is read, and what cannot be read is named."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solvenet.errors import InvalidDataError
from solvenet.tables import read_table, write_table

TABLE = {
    "x": np.array([0.1, 1 / 3, np.nan]),
    "n": np.array([1, 2, 3]),
    "hue": np.array(["red", "blue", None], dtype=object),
}


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_round_trip_keeps_every_digit(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    write_table(path, TABLE)
    out = read_table(path)
    assert list(out) == list(TABLE)
    np.testing.assert_array_equal(out["x"], TABLE["x"])
    np.testing.assert_array_equal(out["n"], TABLE["n"])
    assert out["hue"].tolist() == ["red", "blue", None]
    assert list(tmp_path.iterdir()) == [path]


def test_npy_round_trip(tmp_path):
    path = tmp_path / "t.npy"
    write_table(path, {"a": np.array([1.5, 2.5]), "b": np.array(["u", "vw"])})
    out = read_table(path)
    assert out["a"].tolist() == [1.5, 2.5]
    assert out["b"].tolist() == ["u", "vw"]


def test_npy_matrix_gets_names(tmp_path):
    np.save(tmp_path / "m.npy", np.arange(6).reshape(2, 3))
    out = read_table(tmp_path / "m.npy", columns=["x2", "x0"])
    assert {name: column.tolist() for name, column in out.items()} == {"x2": [2, 5], "x0": [0, 3]}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_separators_and_missing_values(tmp_path, separator):
    path = tmp_path / "t.csv"
    lines = ["a,b c,d", "1,?,x", "NA,2.5,", ",3,null"]
    path.write_text("\n".join(lines).replace(",", separator))
    out = read_table(path)
    assert list(out) == ["a", "b c", "d"]
    np.testing.assert_array_equal(out["a"], [1, np.nan, np.nan])
    np.testing.assert_array_equal(out["b c"], [np.nan, 2.5, 3])
    assert out["d"].tolist() == ["x", None, None]


def test_quotes_dates_and_truth_values_in_csv(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text,day,yes\n"a, b",2020-02-01,true\n"c\nd",2020-02-03,false\n')
    out = read_table(path)
    assert out["text"].tolist() == ["a, b", "c\nd"]
    assert out["day"].dtype.kind == "M"
    assert out["yes"].tolist() == [True, False]


def test_labels_that_pandas_adds_to_parquet_are_left_out(tmp_path):
    frame = pd.DataFrame({"x": [1, 2]}, index=["a", "b"])
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(read_table(tmp_path / "t.parquet")) == ["x"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", r"t\.csv is empty \(0 bytes\)"),
        ("t.parquet", b"", "is empty"),
        ("t.csv", b"a,b\n", "no rows"),
        ("t.csv", b"a,a\n1,2\n", "more than one column 'a'"),
        ("t.csv", b"a,b\n1,2,3\n", "cannot be read as CSV: .*3"),
        ("t.csv", b"\x00\xff\xfe\x00binary", "cannot be read as CSV|no rows"),
        ("t.parquet", b"PAR1 no, it is not", "cannot be read as Parquet"),
        ("t.npy", b"\x93NUMPY\x01\x00broken", "cannot be read as NumPy"),
        ("t.npy", b"hello", "cannot be read as NumPy"),
        ("t.xlsx", b"PK", r"ends in '\.xlsx', .* Use one of: \.csv, \.tsv, \.parquet, \.npy"),
        ("t", b"a,b", "ends in ''"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidDataError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_parquet_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, TABLE)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidDataError, match="cannot be read as Parquet"):
        read_table(path)


def test_repeated_names_in_parquet_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InvalidDataError, match="more than one column 'a'"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.arange(3), r"the array has shape \(3,\)"),
        (np.empty((0, 2)), "no rows"),
        (np.array([[{}]]), "cannot be read as NumPy"),
    ],
)
def test_npy_that_is_no_table_is_refused(tmp_path, array, message):
    np.save(tmp_path / "t.npy", array, allow_pickle=True)
    with pytest.raises(InvalidDataError, match=message):
        read_table(tmp_path / "t.npy")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_table(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_table(tmp_path / "folder.csv")


def test_unknown_columns_are_named_with_what_was_meant(tmp_path):
    write_table(tmp_path / "t.csv", TABLE)
    with pytest.raises(InvalidDataError, match=r"no column 'Hue' \(did you mean 'hue'\?\)"):
        read_table(tmp_path / "t.csv", columns=["x", "Hue"])


@pytest.mark.parametrize("ending", ["csv", "parquet", "npy"])
def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    path.write_text("precious")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", _disk_is_full)
        with pytest.raises(OSError, match="No space left"):
            write_table(path, {"a": np.arange(3)})
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def _disk_is_full(handle):
    raise OSError(28, "No space left on device")
