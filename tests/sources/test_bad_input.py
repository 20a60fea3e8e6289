"""What is damaged, missing, different or changed is named; nothing is skipped silently."""

import os
import pathlib
import shutil

import numpy as np
import pytest

from solvenet.errors import InvalidDataError
from solvenet.sources import open_source, open_table

pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3000, 4))
TABLE = pa.table({name: A[:, at] for at, name in enumerate("abcd")})


def flip(path, at=None, count=16):
    content = bytearray(path.read_bytes())
    at = len(content) // 2 if at is None else at
    for place in range(at, at + count):
        content[place] ^= 0xFF
    path.write_bytes(content)


def parquet(path, table=TABLE, **options):
    pq.write_table(table, path, **{"row_group_size": 500, **options})
    return path


@pytest.mark.parametrize("options", [{"compression": "gzip"}, {"write_page_checksum": True}])
def test_a_corrupt_row_group_in_the_middle(tmp_path, options):
    parquet(tmp_path / "a.parquet")
    path = parquet(tmp_path / "b.parquet", **options)
    group = pq.ParquetFile(path).metadata.row_group(3)
    flip(path, group.column(1).data_page_offset + 400)
    source = open_source(tmp_path)
    with pytest.raises(InvalidDataError, match=r"b\.parquet, row group 3 \(rows 1500 to 1999\)"):
        source.to_array()
    # What does not need the damaged part is read as before.
    assert np.array_equal(source.between(0, 4500).to_array(), np.concatenate([A, A[:1500]]))
    assert np.array_equal(source.between(5000, 6000).to_array(), A[2000:])
    assert np.array_equal(source.columns([0, 2]).to_array()[3000:], A[:, [0, 2]])


def test_a_row_group_shorter_than_the_footer_says(tmp_path):
    table = open_table(parquet(tmp_path / "a.parquet"))
    table._limits[3:] += 1
    table.n_rows += 1
    message = r"row group 2 \(rows 1000 to 1500\) gave 1 rows fewer"
    with pytest.raises(InvalidDataError, match=message):
        table.read()


@pytest.mark.parametrize("keep", [4, 2000, -8])
def test_truncated_files(tmp_path, keep):
    path = parquet(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InvalidDataError, match=r"a\.parquet cannot be read as Parquet"):
        open_source(path)


def test_a_damaged_chunk_of_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("X", data=A, chunks=(500, 4), fletcher32=True)
        at = data.id.get_chunk_info_by_coord((1500, 0)).byte_offset
    flip(tmp_path / "a.h5", at + 100)
    source = open_source(tmp_path / "a.h5")
    with pytest.raises(InvalidDataError, match=r"a\.h5::X, chunk 3 \(rows 1500 to 1999\)"):
        source.to_array()
    assert np.array_equal(source.between(2000, 3000).to_array(), A[2000:])
    (tmp_path / "a.h5").write_bytes(b"no, this is none")
    with pytest.raises(InvalidDataError, match="cannot be read as HDF5"):
        open_source(tmp_path / "a.h5")


def test_a_damaged_chunk_of_zarr(tmp_path):
    zarr = pytest.importorskip("zarr", reason="needs zarr")
    zarr.create_array(tmp_path / "a.zarr", data=np.round(A), chunks=(500, 4))
    path = tmp_path / "a.zarr" / "c" / "3" / "0"
    path.write_bytes(path.read_bytes()[:-20])
    source = open_source(tmp_path / "a.zarr")
    with pytest.raises(InvalidDataError, match=r"a\.zarr, chunk 3 \(rows 1500 to 1999\)"):
        source.to_array()
    (tmp_path / "a.zarr" / "zarr.json").write_text("{")
    with pytest.raises(InvalidDataError, match=r"a\.zarr cannot be read as Zarr"):
        open_source(tmp_path / "a.zarr")


def test_a_chunk_that_dask_cannot_compute():
    da = pytest.importorskip("dask.array", reason="needs dask")

    def fails(block, block_info=None):
        if block_info[0]["chunk-location"][0] == 3:
            msg = "bad luck"
            raise RuntimeError(msg)
        return block

    lazy = da.from_array(A, chunks=(500, 4)).map_blocks(fails, dtype=float, meta=np.empty((0, 0)))
    source = open_source(lazy)
    message = r"Chunk 3 \(rows 1500 to 1999\) .* cannot be computed: RuntimeError: bad luck"
    with pytest.raises(InvalidDataError, match=message):
        source.to_array()


def csv(path, table):
    names = list(table)
    lines = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path


def npy(path, table):
    columns = [np.asarray(values) for values in table.values()]
    out = np.empty(len(columns[0]), [(n, c.dtype) for n, c in zip(table, columns, strict=True)])
    for name, column in zip(table, columns, strict=True):
        out[name] = column
    np.save(path, out)
    return path


def write(kind, path, table):
    if kind == "parquet":
        pq.write_table(pa.table(table), path)
        return path
    return {"csv": csv, "npy": npy}[kind](path, table)


@pytest.mark.parametrize("kind", ["parquet", "csv", "npy"])
def test_files_that_differ(tmp_path, kind):
    one = write(kind, tmp_path / f"1.{kind}", {"x": [1, 2], "y": [0.5, 1.5], "s": ["u", "v"]})
    two = write(kind, tmp_path / f"2.{kind}", {"s": ["w"], "y": [2], "x": [2.5]})
    less = write(kind, tmp_path / f"3.{kind}", {"x": [1], "s": ["u"]})
    more = write(kind, tmp_path / f"4.{kind}", {"x": [1], "y": [1.0], "s": ["u"], "z": [1]})
    other = write(kind, tmp_path / f"5.{kind}", {"x": ["no"], "y": [1.0], "s": ["u"]})

    table = open_table([one, two])  # another order, whole numbers and broken ones
    assert table.kinds == {"x": "number", "y": "number", "s": "text"}
    assert table.dtypes["x"] == table.dtypes["y"] == np.float64
    read = table.read()
    assert read["x"].tolist() == [1, 2, 2.5]
    assert read["y"].tolist() == [0.5, 1.5, 2]
    assert read["s"].tolist() == ["u", "v", "w"]
    assert "2." in table.where(2)

    with pytest.raises(InvalidDataError, match=rf"3\.{kind} has no column 'y', which .*1\.{kind}"):
        open_table([one, two, less])
    with pytest.raises(InvalidDataError, match=rf"1\.{kind} has no column 'z', which .*4\.{kind}"):
        open_table([one, more])
    message = rf"Column 'x' holds text in .*5\.{kind} and number in .*1\.{kind}"
    with pytest.raises(InvalidDataError, match=message):
        open_table([one, other])
    with pytest.raises(InvalidDataError, match=rf"1\.{kind} is named twice"):
        open_table([one, two, one])


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_in_which_a_column_is_empty(tmp_path, kind):
    full = {"x": [1.5], "s": ["u"]}
    if kind == "parquet":
        pq.write_table(pa.table({"x": [None], "s": pa.nulls(1)}), tmp_path / "0.parquet")
    else:
        (tmp_path / "0.csv").write_text("x,s\nNA,\n")
    write(kind, tmp_path / f"1.{kind}", full)
    table = open_table(tmp_path)
    assert table.kinds == {"x": "number", "s": "text"}
    read = table.read()
    assert np.isnan(read["x"][0])
    assert read["s"].tolist() == [None, "u"]


def matrix(kind, path, A):
    """Write the matrix as a file, or folder, that replaces what is there."""
    new = path.with_name("new." + kind)
    if kind == "npy":
        np.save(new, A)
    elif kind == "hdf5":
        h5py = pytest.importorskip("h5py", reason="needs h5py")
        with h5py.File(new, "w") as file:
            file.create_dataset("X", data=A, chunks=(500, 4))
    elif kind == "zarr":
        zarr = pytest.importorskip("zarr", reason="needs zarr")
        zarr.create_array(new, data=A, chunks=(500, 4))
        shutil.rmtree(path, ignore_errors=True)
    else:
        write(kind, new, {f"c{at}": column for at, column in enumerate(A.T)})
    new.replace(path)
    return path


MATRICES = ["parquet", "csv", "npy", "hdf5", "zarr"]


@pytest.mark.parametrize("kind", MATRICES)
def test_data_that_change_between_passes(tmp_path, kind):
    path = matrix(kind, tmp_path / f"x.{kind}", A)
    source = open_source(path)
    assert np.array_equal(source.to_array(), A)
    matrix(kind, path, -A)
    for part in (source, source.between(2900, 3000), source.columns([0])):
        with pytest.raises(InvalidDataError, match="has changed between passes") as caught:
            part.to_array()
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", MATRICES)
def test_data_that_change_within_a_pass(tmp_path, kind):
    path = matrix(kind, tmp_path / f"x.{kind}", A)
    source = open_source(path)
    source.rows_per_block = 500
    blocks = source.blocks()
    next(blocks)
    matrix(kind, path, -A)
    with pytest.raises(InvalidDataError, match="has changed between passes"):
        list(blocks)


def test_rows_of_files_that_did_not_change_are_still_read(tmp_path):
    for number in (1, 2):
        matrix("parquet", tmp_path / f"{number}.parquet", A)
    source = open_source(tmp_path)
    matrix("parquet", tmp_path / "2.parquet", -A)
    assert np.array_equal(source.between(0, 3000).to_array(), A)
    with pytest.raises(InvalidDataError, match=r"2\.parquet has changed between passes"):
        source.between(2999, 3001).to_array()


def test_a_touched_file_counts_as_changed(tmp_path):
    path = parquet(tmp_path / "a.parquet")
    source = open_source(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(InvalidDataError, match="or was written anew"):
        source.to_array()
    assert open_source(path).identity() != source.identity()


def test_dask_chunks_that_come_out_different():
    da = pytest.importorskip("dask.array", reason="needs dask")
    sizes = iter([5, 5, 5, 4])
    dask = pytest.importorskip("dask")
    lazy = dask.delayed(lambda: np.ones((next(sizes), 2)), pure=False)()
    source = open_source(da.from_delayed(lazy, (np.nan, 2), dtype=float))
    assert source.shape == (5, 2)
    source.to_array()
    source.to_array()
    with pytest.raises(InvalidDataError, match=r"Chunk 0 \(rows 0 to 4\) .* it has 4 rows now"):
        source.to_array()


def test_files_that_are_not_there(tmp_path):
    path = parquet(tmp_path / "a.parquet")
    source = open_source(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.parquet"):
        source.to_array()
    for name in ("a.parquet", "a.csv", "a.npy", "a.h5", "a.zarr"):
        with pytest.raises(FileNotFoundError, match=rf"There is no file .*{name}"):
            open_source(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="No file matches"):
        open_source(tmp_path / "*.parquet")
    with pytest.raises(InvalidDataError, match="holds no files of a known format"):
        open_source(tmp_path)


def test_files_that_may_not_be_read(tmp_path, monkeypatch):
    """Root may read everything, so that the system's answer is played."""
    path = parquet(tmp_path / "a.parquet")
    opened = pathlib.Path.open

    def refuse(self, *args, **kwargs):
        if self.name == "a.parquet":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(pathlib.Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"a\.parquet"):
        open_source(path)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything")
@pytest.mark.parametrize("kind", ["parquet", "csv", "npy"])
def test_files_without_permission(tmp_path, kind):
    path = write(kind, tmp_path / f"a.{kind}", {"x": [1.0]})
    path.chmod(0)
    with pytest.raises(PermissionError, match=rf"a\.{kind}"):
        open_source(path)


def test_columns_that_are_no_numbers(tmp_path):
    days = np.array(["2020-01-01", "2020-01-02"], "M8[D]")
    table = pa.table({"x": [1.0, 2.0], "hue": ["r", "g"], "day": days, "list": [[1], [2]]})
    pq.write_table(table, tmp_path / "a.parquet")
    message = r"holds 'hue' \(text\), 'day' \(date\), 'list' \(other\)\. .*numeric: x.*TableEncoder"
    with pytest.raises(InvalidDataError, match=message):
        open_source(tmp_path / "a.parquet")
    with pytest.raises(InvalidDataError, match=r"holds 'day' \(date\)"):
        open_source(tmp_path / "a.parquet", columns=["x", "day"])
    with pytest.raises(InvalidDataError, match=r"no column 'X' \(did you mean 'x'\?\)"):
        open_source(tmp_path / "a.parquet", columns=["X"])
    with pytest.raises(InvalidDataError, match="at least one"):
        open_source(tmp_path / "a.parquet", columns=[])
    assert open_source(tmp_path / "a.parquet", columns=["x"]).names == ("x",)
    assert open_source(tmp_path / "a.parquet", columns="x").to_array().tolist() == [[1], [2]]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_missing_values_are_named(tmp_path, value):
    values = [1.0] * 700 + [value] + [1.0] * 299
    table = pa.table({"x": [True] * 1000, "y": values})
    path = parquet(tmp_path / "a.parquet", table)
    source = open_source(path)
    what = "an infinite" if value == float("inf") else "a missing"
    message = rf"Column 'y' holds {what} value: row 700 of .*a\.parquet, row group 1 "
    with pytest.raises(InvalidDataError, match=message):
        list(source.between(600, 800).blocks())


def test_a_truth_value_that_is_missing(tmp_path):
    parquet(tmp_path / "a.parquet", pa.table({"x": [True, None, False]}))
    with pytest.raises(InvalidDataError, match="Column 'x' holds a missing value: row 1"):
        open_source(tmp_path / "a.parquet").to_array()


def test_what_the_system_says_keeps_its_class(tmp_path, monkeypatch):
    source = open_source(csv(tmp_path / "a.csv", {"x": [1, 2]}))

    def fail(self, *args, **kwargs):
        raise OSError(5, "Input/output error", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "open", fail)
        with pytest.raises(OSError, match="Input/output error") as caught:
            source.to_array()
    assert not isinstance(caught.value, InvalidDataError)
    assert "a.csv" in caught.value.__notes__[0]
    assert source.to_array().tolist() == [[1], [2]]
