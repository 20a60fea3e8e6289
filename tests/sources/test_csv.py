"""CSV: types over the whole file, parts that begin anywhere, quotes."""

import io
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet.errors import InvalidDataError
from solvenet.sources import CSVTable, open_source, open_table
from solvenet.sources import records as records_module
from solvenet.sources.records import stretches

pytest.importorskip("pyarrow", reason="needs pyarrow")


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@given(
    text=st.text(alphabet='a1,"\n\r;', max_size=40).map(str.encode),
    size=st.integers(1, 9),
)
@settings(max_examples=300, deadline=None)
def test_stretches_are_whole_records(text, size):
    """Parsed one by one they give what the whole text gives."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    try:
        parts = [part for _, part in stretches(io.BytesIO(text), ",", size)]
    except InvalidDataError:  # a quote is never closed: a test of its own
        return
    assert b"".join(parts) == text

    def parse(part):
        refused = []

        def refuse(row):
            refused.append(row.text)
            return "skip"

        strings = {"x": pa.string(), "y": pa.string()}
        table = arrow_csv.read_csv(
            pa.BufferReader(part),
            arrow_csv.ReadOptions(column_names=list(strings), use_threads=False),
            arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse),
            arrow_csv.ConvertOptions(column_types=strings),
        )
        return table["x"].to_pylist(), table["y"].to_pylist(), refused

    together = parse(text) if text else ([], [], [])
    one_by_one = [parse(part) for part in parts]
    for at in range(3):
        assert [value for part in one_by_one for value in part[at]] == together[at]


value = st.text(alphabet='ab,"\n é', min_size=1, max_size=6).map(lambda text: "v" + text)


@given(st.lists(st.tuples(value, st.integers(-9, 9)), min_size=1, max_size=30), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_quoted_values_come_back(tmp_path_factory, rows, size):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    text = "".join('"{}",{}\n'.format(v.replace('"', '""'), n) for v, n in rows)
    table = CSVTable(write(path, "a,b\n" + text), part_bytes=size)
    read = table.read()
    assert read["a"].tolist() == [v for v, _ in rows]
    assert read["b"].tolist() == [n for _, n in rows]
    low = len(rows) // 2
    ((first, batch),) = table.batches(["a"], start=low, stop=low + 1)
    assert (first, batch["a"][0]) == (low, rows[low][0])
    assert table.cuts()[-1] == len(rows)


def test_parts_begin_anywhere_and_only_they_are_read(tmp_path):
    lines = "".join(f"{at},{at / 4}\n" for at in range(10_000))
    path = write(tmp_path / "t.csv", "n,x\n" + lines)
    table = CSVTable(path, part_bytes=1000)
    assert len(table.cuts()) > 80
    assert len(pickle.dumps(table)) < 10_000
    parsed, read_part = [], table._read
    table._read = lambda handle, part, *rest: parsed.append(part) or read_part(handle, part, *rest)
    source = open_source(table)
    assert source.between(5000, 5003).to_array()[:, 0].tolist() == [5000, 5001, 5002]
    assert len(parsed) <= 2
    assert min(parsed) > 30
    assert np.array_equal(source.to_array(), [[at, at / 4] for at in range(10_000)])


def test_types_are_those_of_the_whole_file(tmp_path):
    """Each column changes its looks far behind the beginning."""
    late = {"n": 0.5, "t": "no", "d": "2020-01-01 10:00:00", "m": "", "e": 7, "b": "maybe"}
    usual = {"n": 1, "t": 2, "d": "2020-01-01", "m": 3, "e": "", "b": "true"}
    lines = [",".join(map(str, usual.values()))] * 2000
    lines.append(",".join(map(str, late.values())))
    path = write(tmp_path / "t.csv", ",".join(usual) + "\n" + "\n".join(lines))
    table = CSVTable(path, part_bytes=500)
    number, text, date = "number", "text", "date"
    kinds = {"n": number, "t": text, "d": date, "m": number, "e": number, "b": text}
    assert table.kinds == kinds
    read = table.read()
    assert read["n"][[0, -1]].tolist() == [1, 0.5]
    assert read["t"][[0, -1]].tolist() == ["2", "no"]
    assert read["d"][-1] == np.datetime64("2020-01-01T10")
    assert np.isnan(read["m"][-1])
    assert np.isnan(read["e"][0])
    assert read["b"][[0, -1]].tolist() == ["true", "maybe"]
    message = r"Column 't' begins with numbers and holds 'no' in row 2000 of .*t\.csv, part \d+"
    with pytest.raises(InvalidDataError, match=message):
        open_source(table)
    assert open_source(table, columns=["n"]).shape == (2001, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n" + "1,2\n" * 500 + "1,2,3\n", "row 500, counted from 0: Expected 2 columns, got 3"),
        ("a,b\n" + "1,2\n" * 500 + "1\n", "row 500, counted from 0: Expected 2 columns, got 1"),
        ("a,b\n" + "1,2\n" * 500 + '1,"2\n1,2\n', "the quote that opens in line 502 is never"),
        ("a,b\n" + "1,é\n" * 50, None),
        ("a,b\n\n\n", "has no rows below its header"),
        ("a,b", "has no rows below its header|cannot be read as CSV"),
        ("\n\n", "no rows"),
        ("a,a\n1,2\n", "more than one column 'a'"),
        (b"a,b\n1,\xe9t\xe9\n", r"Column 'b' of .*t\.csv holds text that is not UTF-8"),
        (b"", r"t\.csv is empty \(0 bytes\)"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    path = write(tmp_path / "t.csv", text)
    if message is None:
        CSVTable(path, part_bytes=300)
        return
    with pytest.raises(InvalidDataError, match=message) as caught:
        CSVTable(path, part_bytes=300)
    assert "t.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_record_that_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr(records_module, "LONGEST_RECORD", 1000)
    path = write(tmp_path / "t.csv", 'a,b\n1,"' + "x" * 5000)
    with pytest.raises(InvalidDataError, match="the record in line 2 does not end"):
        CSVTable(path, part_bytes=10)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_marks_and_empty_lines(tmp_path, end, mark):
    lines = ["", '"a",b', "1,2", "", "3,4", "5,6"]
    table = CSVTable(write(tmp_path / "t.csv", mark + end.join(lines)), part_bytes=4)
    assert {name: v.tolist() for name, v in table.read().items()} == {
        "a": [1, 3, 5],
        "b": [2, 4, 6],
    }


def test_a_stray_quote_is_a_letter(tmp_path):
    text = "a,b\n" + '5" pipe,1\n' * 100 + '"x\ny",2\n' + '6" pipe,3\n'
    table = CSVTable(write(tmp_path / "t.csv", text), part_bytes=50)
    read = table.read()
    assert read["a"][[0, 100, 101]].tolist() == ['5" pipe', "x\ny", '6" pipe']
    assert read["b"].tolist() == [1] * 100 + [2, 3]


def test_separators(tmp_path):
    for mark, ending in [(";", "csv"), ("\t", "csv"), ("\t", "tsv"), (",", "csv")]:
        path = write(tmp_path / f"t.{ending}", f"a{mark}b\n1{mark}2\n")
        assert open_source(path).to_array().tolist() == [[1, 2]]


def test_compressed_files_are_refused(tmp_path):
    path = write(tmp_path / "t.csv.gz", b"\x1f\x8b")
    with pytest.raises(InvalidDataError, match="Unpack it first, or convert it to Parquet"):
        open_table(path)
