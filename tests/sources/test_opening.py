"""One door for whatever holds rows; arrays with names, sparse matrices, a user's own blocks."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from solvenet.blocks import ArrayBlocks, OnePassBlocks, as_row_blocks
from solvenet.errors import InvalidDataError, InvalidSettingError, PassesExhaustedError
from solvenet.sources import (
    IterableBlocks,
    NpyBlocks,
    SparseBlocks,
    TableBlocks,
    iterable_blocks,
    open_source,
    open_table,
)

RNG = np.random.default_rng(0)
A = RNG.standard_normal((50, 4))


def test_what_is_a_source_already_stays():
    blocks = as_row_blocks(A)
    assert open_source(blocks) is blocks
    table = open_table({"a": [1.0]})
    assert open_table(table) is table
    assert open_source(table).table is table
    assert np.array_equal(open_source(A.tolist()).to_array(), A)
    operator = scipy.sparse.linalg.aslinearoperator(A)
    assert np.allclose(open_source(operator).to_array(), A)


def test_columns_by_name_and_number(tmp_path):
    np.save(tmp_path / "a.npy", A)
    for columns in (["x2", "x0"], [2, 0]):
        assert np.array_equal(open_source(A, columns=columns).to_array(), A[:, [2, 0]])
        source = open_source(tmp_path / "a.npy", columns=columns)
        assert isinstance(source, NpyBlocks)
        assert np.array_equal(source.to_array(), A[:, [2, 0]])
    with pytest.raises(InvalidDataError, match="no column 'x4'"):
        open_source(A, columns=["x4"])
    with pytest.raises(InvalidDataError, match="whole numbers from 0 to 3"):
        open_source(A, columns=[4])


def test_blocks_of_npy_files_are_views_of_the_map(tmp_path):
    np.save(tmp_path / "a.npy", A)
    ((_, block),) = open_source(tmp_path / "a.npy").blocks()
    assert not block.flags.owndata
    assert not block.flags.writeable


def test_one_dimension_is_one_column(tmp_path):
    np.save(tmp_path / "y.npy", A[:, 0])
    source = open_source(tmp_path / "y.npy")
    assert np.array_equal(source.to_array(), A[:, :1])
    assert np.array_equal(source.columns([0, 0]).to_array(), A[:, [0, 0]])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 2)), r"a\.npy has shape \(2, 2, 2\); two dimensions"),
        (np.zeros((0, 2)), r"at least one row"),
        (np.array([["a"]]), r"a\.npy: An array of dtype <U1 was given; real numbers"),
        (np.array([[1j]]), "real numbers are wanted"),
    ],
)
def test_npy_files_that_are_no_matrix(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InvalidDataError, match=message):
        open_source(tmp_path / "a.npy")


def test_structured_npy(tmp_path):
    rows = np.array([(1, "u", 2.5), (2, "v", np.nan)], [("n", "i4"), ("t", "U3"), ("x", "f4")])
    np.save(tmp_path / "a.npy", rows)
    table = open_table(tmp_path / "a.npy")
    assert table.kinds == {"n": "number", "t": "text", "x": "number"}
    assert table.read(["t"])["t"].tolist() == ["u", "v"]
    assert open_source(tmp_path / "a.npy", columns=["n"]).to_array().tolist() == [[1], [2]]
    with pytest.raises(InvalidDataError, match="Column 'x' holds a missing value: row 1 of"):
        open_source(tmp_path / "a.npy", columns=["n", "x"]).to_array()
    np.save(tmp_path / "b.npy", np.zeros(2, [("v", "f8", (3,))]))
    with pytest.raises(InvalidDataError, match="one is wanted"):
        open_table(tmp_path / "b.npy")


def test_names_inside_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["X"], file["deep/y"], file["field"] = A, A[:, 0], np.zeros((2, 2, 2))
    assert np.array_equal(open_source(path, dataset="X").to_array(), A)
    assert np.array_equal(open_source(f"{path}::/deep/y").to_array(), A[:, :1])
    with pytest.raises(InvalidDataError, match=r"a\.h5 holds X, deep/y\. Name one: .*::name"):
        open_source(path)
    with pytest.raises(InvalidDataError, match=r"no array 'x' \(did you mean 'X'\?\)"):
        open_source(path, dataset="x")
    with pytest.raises(InvalidDataError, match=r"::deep is a group; .* in it is wanted: y"):
        open_source(path, dataset="deep")
    with pytest.raises(InvalidDataError, match=r"::field has shape \(2, 2, 2\)"):
        open_source(path, dataset="field")
    with h5py.File(path) as file, pytest.raises(InvalidDataError, match="is no dataset"):
        open_source(file)


def test_large_chunks_of_hdf5_are_unpacked_once(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", data=A, chunks=(50, 4), compression="gzip")
    source = open_source(tmp_path / "a.h5")
    source.rows_per_block = 7
    assert [len(block) for _, block in source.blocks()] == [7] * 7 + [1]
    assert np.array_equal(source.to_array(), A)


def test_names_inside_zarr(tmp_path):
    zarr = pytest.importorskip("zarr", reason="needs zarr")
    group = zarr.open_group(tmp_path / "folder", mode="w")
    group.create_array("X", data=A)
    group.create_array("deep/y", data=A[:, 0])
    assert np.array_equal(open_source(tmp_path / "folder", dataset="X").to_array(), A)
    assert np.array_equal(open_source(f"{tmp_path}/folder::deep/y").to_array(), A[:, :1])
    with pytest.raises(InvalidDataError, match=r"is a group, which holds X\. Name an array"):
        open_source(tmp_path / "folder")
    with pytest.raises(InvalidDataError, match="cannot be read as Zarr"):
        open_source(tmp_path / "folder", dataset="Z")
    with pytest.raises(InvalidDataError, match="is no array"):
        open_source(group)
    in_memory = zarr.array(A, chunks=(10, 4))
    assert isinstance(open_source(in_memory), ArrayBlocks)
    assert np.array_equal(open_source(in_memory).to_array(), A)


def test_frames_with_text(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "t": ["u", "v"], "b": pd.array([True, None], "boolean")})
    with pytest.raises(InvalidDataError, match=r"holds 't' \(text\)"):
        open_source(frame)
    assert open_source(frame, columns=["a"]).to_array().tolist() == [[1], [2]]
    with pytest.raises(InvalidDataError, match="'b' holds a missing value: row 1 of the table"):
        open_source(frame, columns=["b"]).to_array()


def test_dask_frames_with_text():
    dd = pytest.importorskip("dask.dataframe", reason="needs dask")
    frame = pd.DataFrame({"a": np.arange(6.0), "t": list("uvwuvw"), "i": range(6)})
    table = open_table(dd.from_pandas(frame, npartitions=3))
    assert table.kinds == {"a": "number", "t": "text", "i": "number"}
    assert table.read()["t"].tolist() == list("uvwuvw")
    assert table.cuts().tolist() == [0, 2, 4, 6]
    assert "Chunk 1 (rows 2 to 3)" in table.where(3)
    sent = pickle.loads(pickle.dumps(TableBlocks(table, ["i", "a"]).between(3, 6)))
    assert sent.to_array().tolist() == [[3, 3], [4, 4], [5, 5]]


def test_dask_graphs_with_functions_can_be_sent():
    da = pytest.importorskip("dask.array", reason="needs dask")
    source = open_source(da.from_array(A, chunks=(20, 4)).map_blocks(lambda block: block + 1))
    assert np.array_equal(pickle.loads(pickle.dumps(source)).to_array(), A + 1)


def test_dask_chunks_inside_tasks_of_a_cluster():
    """Computed on the spot, or fetched from the workers that hold them."""
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed")
    da = pytest.importorskip("dask.array", reason="needs dask")
    cluster = {"processes": False, "n_workers": 1, "threads_per_worker": 1}
    with distributed.Client(**cluster, dashboard_address=None) as client:
        lazy = da.from_array(A, chunks=(20, 4)) + 0
        for array in (lazy, lazy.persist()):
            source = open_source(array)
            parts = [source.between(0, 30), source.between(30, 50)]
            found = client.gather(client.map(lambda part: part.gram(), parts, pure=False))
            assert np.allclose(sum(found), A.T @ A)


def test_sparse_matrices_multiply_as_such():
    matrix = scipy.sparse.random_array((300, 40), density=0.05, rng=0, format="coo")
    dense = matrix.toarray()
    for kind in ("csr", "csc", "lil", "dok"):
        source = open_source(matrix.asformat(kind))
        assert isinstance(source, SparseBlocks)
        assert source.has_products
        assert np.array_equal(source.to_array(), dense)
        assert np.allclose(source.gram(), dense.T @ dense)
    u = RNG.standard_normal(40)
    assert np.allclose(source.aslinearoperator() @ u, dense @ u)
    ones = scipy.sparse.coo_array(([1, 1, 1], ([0, 0, 1], [0, 0, 1])), shape=(2, 2))
    assert open_source(ones).to_array().tolist() == [[2, 0], [0, 1]]
    assert open_source(ones).dtype == np.float64
    matrix.data[3] = np.nan
    with pytest.raises(InvalidDataError, match="stored values"):
        open_source(matrix)


def test_an_iterator_is_read_once():
    source = open_source((block for block in (A[:20], A[20:])), n_rows=50)
    assert isinstance(source, OnePassBlocks)
    assert (source.shape, source.n_passes) == ((50, 4), 1)
    assert np.array_equal(source.to_array(), A)
    with pytest.raises(PassesExhaustedError, match="can be read once and have been read"):
        source.to_array()
    with pytest.raises(InvalidDataError, match="Give n_rows, or a function"):
        open_source(iter([A]))
    with pytest.raises(InvalidDataError, match="gave 50 rows; 51 were declared"):
        open_source(iter([A]), n_rows=51).to_array()
    with pytest.raises(InvalidDataError, match="can be read once; a function"):
        IterableBlocks(iter([A]))


def test_functions_are_counted_unless_told():
    calls = []

    def make():
        calls.append(1)
        return iter([A[:30], A[30:]])

    source = open_source(make)
    assert (source.shape, source.n_passes, len(calls)) == ((50, 4), None, 1)
    assert np.array_equal(source.to_array(), A)
    told = iterable_blocks(make, n_rows=50)
    assert np.array_equal(told.to_array(), A)
    assert len(calls) == 4
    with pytest.raises(InvalidSettingError, match="n_rows=0"):
        iterable_blocks(make, n_rows=0)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([A[:20]], "gave 20 rows; 50 came in an earlier pass"),
        ([A[:20], A], r"shape \(50, 4\) came at row 20, as block 1; 50 rows and 4 columns came"),
        ([A[:20], A[20:, :3]], r"shape \(30, 3\) came at row 20, as block 1"),
        ([A[:20], A[20]], r"shape \(4,\) came at row 20, as block 1"),
        ([A[:20], np.full((30, 4), np.nan)], "Block 1 holds a missing .* in row 20, column 0"),
    ],
)
def test_later_passes_that_give_something_else(blocks, message):
    passes = iter([[A[:20], A[20:]], blocks])
    source = open_source(lambda: next(passes))
    with pytest.raises(InvalidDataError, match=message):
        source.to_array()


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], "No rows came"),
        ([A[:0]], "No rows came"),
        ([A, A[:, :2]], "Block 1 has 2 columns; those before have 4"),
        ([A, A[0]], r"Block 1 has shape \(4,\)"),
        ([A, A.astype(str)], "Block 1 has shape .* and dtype <U"),
    ],
)
def test_blocks_that_make_no_matrix(blocks, message):
    with pytest.raises(InvalidDataError, match=message):
        open_source(lambda: blocks)


def test_what_is_no_source():
    with pytest.raises(InvalidDataError, match="an iterator of blocks is wanted"):
        open_source(lambda: 3)
    with pytest.raises(InvalidDataError, match=r"ends in '\.xlsx'.*Use one of: \.parquet"):
        open_source("a.xlsx")
    with pytest.raises(InvalidDataError, match="only files of HDF5 and Zarr"):
        open_source("a.csv", dataset="x")
    with pytest.raises(InvalidDataError, match="Files of one format are wanted"):
        open_source(["a.csv", "b.npy"])


def test_a_folder_of_several_formats(tmp_path):
    np.save(tmp_path / "a.npy", A)
    (tmp_path / "b.csv").write_text("a\n1\n")
    with pytest.raises(InvalidDataError, match=r"several formats: \.csv, \.npy\. Name the files"):
        open_source(tmp_path)


def test_the_room_loads_no_package_of_any_format():
    code = (
        "import sys, solvenet.sources\n"
        "heavy = {'pyarrow', 'h5py', 'zarr', 'dask', 'pandas', 'polars', 'sklearn'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""
