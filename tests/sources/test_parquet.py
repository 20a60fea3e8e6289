"""Parquet: types, projections, memory, files of other programs."""

import datetime
import decimal
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from solvenet.errors import InvalidDataError
from solvenet.sources import TableBlocks, open_source, open_table

pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")

DAY = datetime.datetime(2020, 1, 2, 3)
COLUMNS = {
    "whole": pa.array([1, 2, None, 4], pa.int64()),
    "small": pa.array([1, 2, 3, 4], pa.uint8()),
    "single": pa.array([0.5, None, 1.5, 2], pa.float32()),
    "half": pa.array([0.5, 1, 1.5, 2], pa.float16()),
    "truth": pa.array([True, None, False, True]),
    "money": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-2"), None]),
    "text": pa.array(["a", None, "b", "a"]),
    "level": pa.array(["a", None, "b", "a"]).dictionary_encode(),
    "coded": pa.array([3, None, 3, 5]).dictionary_encode(),
    "moment": pa.array([DAY, None, DAY, DAY], pa.timestamp("us", "Europe/Berlin")),
    "date": pa.array([DAY.date(), None, None, None]),
    "length": pa.array([datetime.timedelta(hours=1), None, None, None]),
    "nothing": pa.nulls(4),
    "list": pa.array([[1], None, [2, 3], []]),
}
KINDS = {
    "number": ["whole", "small", "single", "half", "money", "coded", "nothing"],
    "bool": ["truth"],
    "text": ["text", "level"],
    "date": ["moment", "date"],
    "duration": ["length"],
    "other": ["list"],
}


@pytest.mark.parametrize("group", [1, 3, 10])
def test_every_type(tmp_path, group):
    pq.write_table(pa.table(COLUMNS), tmp_path / "a.parquet", row_group_size=group)
    table = open_table(tmp_path / "a.parquet")
    assert {kind: [n for n in table.names if table.kinds[n] == kind] for kind in KINDS} == KINDS
    read = table.read()
    np.testing.assert_array_equal(read["whole"], [1, 2, np.nan, 4])
    np.testing.assert_array_equal(read["single"], [0.5, np.nan, 1.5, 2])
    np.testing.assert_array_equal(read["money"], [1.25, np.nan, -2, np.nan])
    np.testing.assert_array_equal(read["coded"], [3, np.nan, 3, 5])
    np.testing.assert_array_equal(read["nothing"], [np.nan] * 4)
    assert read["truth"].tolist() == [True, None, False, True]
    assert read["text"].tolist() == read["level"].tolist() == ["a", None, "b", "a"]
    assert read["moment"][0] == np.datetime64(DAY - datetime.timedelta(hours=0))
    assert np.isnat(read["date"][1:]).all()
    assert read["length"][0] == np.timedelta64(1, "h")
    assert read["list"][0].tolist() == [1]
    assert table.dtypes["single"] == np.float32
    blocks = open_source(table, columns=["half", "small"])
    assert blocks.dtype == np.float64
    assert blocks.to_array().tolist() == [[0.5, 1], [1, 2], [1.5, 3], [2, 4]]
    assert open_source(table, columns=["half"]).dtype == np.float32


def test_pandas_categories_and_labels(tmp_path):
    frame = pd.DataFrame(
        {"c": pd.Categorical(["u", "v"]), "i": pd.array([1, None], "Int64")}, index=["a", "b"]
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = open_table(tmp_path / "t.parquet")
    assert table.kinds == {"c": "text", "i": "number"}
    assert table.read(["c"])["c"].tolist() == ["u", "v"]


def test_names_with_dots_and_repeated_names(tmp_path):
    pq.write_table(pa.table({"a.b": [1.0], "a": [2.0]}), tmp_path / "t.parquet")
    assert open_source(tmp_path / "t.parquet", columns=["a.b", "a"]).to_array().tolist() == [[1, 2]]
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(twice, tmp_path / "u.parquet")
    with pytest.raises(InvalidDataError, match="more than one column 'a'"):
        open_table(tmp_path / "u.parquet")


def test_empty_row_groups_and_files_among_others(tmp_path):
    schema = pa.schema({"x": pa.float64()})
    with pq.ParquetWriter(tmp_path / "1.parquet", schema) as writer:
        for values in ([], [1.0, 2.0], [], [3.0]):
            writer.write_table(pa.table({"x": pa.array(values, pa.float64())}))
    pq.write_table(schema.empty_table(), tmp_path / "0.parquet")
    pq.write_table(schema.empty_table(), tmp_path / "2.parquet")
    source = open_source(tmp_path)
    assert source.to_array().ravel().tolist() == [1, 2, 3]
    assert source.between(1, 3).to_array().ravel().tolist() == [2, 3]
    assert source.cuts().tolist() == [0, 2, 3]
    assert "1.parquet, row group 3 (rows 2 to 2)" in source.table.where(2)
    with pytest.raises(InvalidDataError, match=r"0\.parquet has no rows"):
        open_source(tmp_path / "0.parquet")


def test_only_what_is_asked_for_is_read(tmp_path):
    """Files without the rows, and columns without the name, are not touched."""
    for number in range(3):
        columns = {"x": np.full(10, float(number)), "big": np.arange(10.0)}
        pq.write_table(pa.table(columns), tmp_path / f"{number}.parquet")
    table = open_table(tmp_path)
    opened, open_one = [], table._open
    table._open = lambda file, names: opened.append(file) or open_one(file, names)
    source = TableBlocks(table, ["x"])
    assert source.between(12, 18).to_array().tolist() == [[1.0]] * 6
    assert opened == [1]
    batches = list(table.batches(["x"], start=9, stop=21, rows=4))
    assert [first for first, _ in batches] == [9, 10, 14, 18, 20]
    assert all(list(batch) == ["x"] for _, batch in batches)


def test_a_table_is_small_to_send(tmp_path):
    pq.write_table(pa.table({"x": np.arange(5000.0)}), tmp_path / "t.parquet", row_group_size=5)
    source = open_source(tmp_path / "t.parquet")
    assert len(source.cuts()) == 1001
    assert len(pickle.dumps(source)) < 12_000


def test_many_small_row_groups_make_large_blocks(tmp_path):
    values = np.arange(5000.0)
    pq.write_table(pa.table({"x": values}), tmp_path / "t.parquet", row_group_size=50)
    ((rows, block),) = open_source(tmp_path / "t.parquet").blocks()
    assert rows == slice(0, 5000)
    assert np.array_equal(block[:, 0], values)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account")
def test_memory_does_not_grow_with_the_row_group(tmp_path):
    """One row group of 160 MB is read in a few blocks' memory."""
    path = tmp_path / "t.parquet"
    values = np.random.default_rng(0).standard_normal(1_000_000)
    table = pa.table({f"x{at}": values + at for at in range(20)})
    pq.write_table(table, path, row_group_size=1_000_000, use_dictionary=False)
    # Not getrusage, whose peak a program inherits from the one that starts it.
    code = (
        "import sys\n"
        "from solvenet.sources import open_source\n"
        "def peak():\n"
        "    lines = open('/proc/self/status')\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        "source = open_source(sys.argv[1])\n"
        "next(source.between(0, 10).blocks())\n"
        "before = peak()\n"
        "print(sum(len(block) for _, block in source.stream()), peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=60
    )
    n_rows, grown = map(int, done.stdout.split())
    assert n_rows == 1_000_000
    assert grown < 90_000  # kilobytes
