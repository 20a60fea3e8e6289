"""Every kind of source hands out the same matrix, however it is cut, sent or read."""

import functools
import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet.errors import InvalidDataError
from solvenet.sources import open_source

RNG = np.random.default_rng(0)
A = RNG.standard_normal((103, 6))
NAMES = [f"c{at}" for at in range(6)]


def parquet(folder, A):
    pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    table = __import__("pyarrow").table(dict(zip(NAMES, A.T, strict=True)))
    pq.write_table(table, folder / "a.parquet", row_group_size=20)
    return open_source(folder / "a.parquet")


def parquet_folder(folder, A):
    pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    pa = __import__("pyarrow")
    (folder / "parts" / "deep").mkdir(parents=True)
    table = pa.table(dict(zip(NAMES, A.T, strict=True)))
    pq.write_table(table[:50], folder / "parts" / "a.parquet", row_group_size=7)
    swapped = table[50:].select(NAMES[::-1])
    pq.write_table(swapped, folder / "parts" / "deep" / "b.parquet", row_group_size=33)
    (folder / "parts" / "_metadata").write_text("not a table")
    (folder / "parts" / ".hidden.parquet").write_text("not a table")
    return open_source(folder / "parts")


def csv(folder, A):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    pd.DataFrame(A, columns=NAMES).to_csv(folder / "a.csv", index=False)
    return open_source(folder / "a.csv")


def csv_pattern(folder, A):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    frame = pd.DataFrame(A, columns=NAMES)
    frame[:60].to_csv(folder / "part-1.csv", index=False)
    frame[60:][NAMES[::-1]].to_csv(folder / "part-2.csv", index=False, sep=";")
    return open_source(folder / "part-*.csv")


def npy(folder, A):
    np.save(folder / "a.npy", A)
    return open_source(folder / "a.npy")


def structured_npy(folder, A):
    np.save(folder / "a.npy", A.copy().view([(n, A.dtype) for n in NAMES])[:, 0])
    return open_source(folder / "a.npy")


def hdf5(folder, A, **options):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("group/X", data=A, **options)
    return open_source(f"{folder}/a.h5::group/X")


def hdf5_object(folder, A):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    hdf5(folder, A, chunks=(200, 2), maxshape=(None, 6))
    with h5py.File(folder / "a.h5") as file:
        return open_source(file["group/X"])


def zarr(folder, A):
    zarr = pytest.importorskip("zarr", reason="needs zarr")
    zarr.create_array(folder / "a.zarr", data=A, chunks=(10, 4))
    return open_source(folder / "a.zarr")


def zarr_object(folder, A):
    zarr = pytest.importorskip("zarr", reason="needs zarr")
    group = zarr.open_group(folder / "b.zarr", mode="w")
    array = group.create_array("X", data=A, chunks=(5, 6), shards=(30, 6))
    return open_source(array)


def dask_array(folder, A):
    da = pytest.importorskip("dask.array", reason="needs dask")
    return open_source(da.from_array(A, chunks=(40, 4)))


def dask_unknown(folder, A):
    da = pytest.importorskip("dask.array", reason="needs dask")
    array = da.from_array(A, chunks=(40, 4))
    return open_source(array[da.from_array(np.full(len(A), True), chunks=40)])


def dask_frame(folder, A):
    dd = pytest.importorskip("dask.dataframe", reason="needs dask")
    return open_source(dd.from_pandas(pd.DataFrame(A, columns=NAMES), npartitions=4))


def polars_frame(folder, A):
    pl = pytest.importorskip("polars", reason="needs polars")
    return open_source(pl.DataFrame(A, schema=NAMES))


def halves(A):
    return [A[:41], A[41:41], A[41:]]


SOURCES = {
    "parquet": parquet,
    "parquet, folder": parquet_folder,
    "csv": csv,
    "csv, pattern": csv_pattern,
    "npy": npy,
    "npy, structured": structured_npy,
    "hdf5": hdf5,
    "hdf5, chunks": functools.partial(hdf5, chunks=(10, 3), compression="gzip"),
    "hdf5, object": hdf5_object,
    "zarr": zarr,
    "zarr, object with shards": zarr_object,
    "dask array": dask_array,
    "dask array, unknown sizes": dask_unknown,
    "dask frame": dask_frame,
    "pandas": lambda _, A: open_source(pd.DataFrame(A, columns=NAMES)),
    "polars": polars_frame,
    "mapping": lambda _, A: open_source(dict(zip(NAMES, A.T, strict=True))),
    "csr": lambda _, A: open_source(scipy.sparse.csr_array(A)),
    "coo": lambda _, A: open_source(scipy.sparse.coo_matrix(A)),
    "list of blocks": lambda _, A: open_source(halves(A)),
    "function": lambda _, A: open_source(functools.partial(halves, A)),
    "array": lambda _, A: open_source(A),
}


@pytest.fixture(scope="module", params=SOURCES)
def source(request, tmp_path_factory):
    return SOURCES[request.param](tmp_path_factory.mktemp("source"), A)


def same(source, expected):
    assert source.shape == expected.shape
    for read in (source.blocks, source.stream):
        end = 0
        for rows, block in read():
            assert rows.start == end
            assert block.dtype == source.dtype
            assert block.shape == (rows.stop - rows.start, expected.shape[1])
            assert np.array_equal(block, expected[rows])
            end = rows.stop
        assert end == len(expected)


def test_it_is_the_matrix_twice_over(source):
    same(source, A)
    same(source, A)
    kept = [block for _, block in source.blocks()]
    assert np.array_equal(np.concatenate(kept), A)  # no block was written over


def test_it_can_be_sent_to_a_worker(source):
    sent = pickle.loads(pickle.dumps(source))
    same(sent, A)
    assert sent.identity() == source.identity()
    same(pickle.loads(pickle.dumps(source.between(30, 90).columns([2]))), A[30:90, [2]])


def test_any_rows_and_columns(source):
    @given(
        st.integers(0, 102).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, 103))),
        st.lists(st.integers(0, 5), min_size=1, max_size=8),
    )
    @settings(max_examples=12, deadline=None)
    def check(rows, columns):
        low, high = rows
        same(source.between(low, high), A[low:high])
        same(source.columns(columns), A[:, columns])
        part = source.columns(columns).between(low, high)
        same(part, A[low:high][:, columns])
        n_rows, n_cols = part.shape
        again = part.between(n_rows // 2, n_rows).columns(np.arange(n_cols)[::-1])
        same(again, A[low + n_rows // 2 : high][:, columns[::-1]])

    check()


def test_small_blocks(source):
    if source.rows_per_block is None:
        pytest.skip("the blocks are those that were given")
    before = source.rows_per_block
    try:
        for rows in (1, 7, 64):
            source.rows_per_block = rows
            same(source.between(5, 99), A[5:99])
            assert max(len(block) for _, block in source.blocks()) <= rows
    finally:
        source.rows_per_block = before


def test_cuts_are_limits_of_what_is_stored(source):
    cuts = source.cuts()
    if cuts is None:
        pytest.skip("reading may begin at any row")
    assert (cuts[0], cuts[-1]) == (0, 103)
    assert (np.diff(cuts) > 0).all()
    parts = [source.between(a, b).to_array() for a, b in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), A)
    inner = source.between(17, 88).cuts()
    if len(cuts) > 2:
        assert set(inner) == {0, 71} | {cut - 17 for cut in cuts if 17 < cut < 88}


def test_products(source):
    u, v = RNG.standard_normal((6, 2)), RNG.standard_normal(103)
    assert np.allclose(source.matmat(u), A @ u)
    assert np.allclose(source.rmatmat(v), A.T @ v)
    assert np.allclose(source.gram(), A.T @ A)
    assert np.array_equal(source.to_array(), A)


def test_wrong_ranges_and_columns_are_refused(source):
    for start, stop in [(5, 5), (-1, 3), (100, 104)]:
        with pytest.raises(InvalidDataError, match="of a matrix of 103 rows"):
            source.between(start, stop)
    with pytest.raises(InvalidDataError, match="columns wants whole numbers from 0 to 5"):
        source.columns([6])


def test_identity_tells_rows_and_columns_apart(source):
    known = [
        source.identity(),
        source.between(0, 50).identity(),
        source.between(50, 100).identity(),
        source.columns([0, 1]).identity(),
        source.columns([1, 0]).identity(),
    ]
    assert len(set(known)) == len(known)
    assert known[0] == source.identity()


@pytest.mark.parametrize("kind", [k for k in SOURCES if k != "hdf5, object"])
def test_identity_and_data_of_what_was_written_anew(kind, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    changed = A.copy()
    changed[60, 3] += 1e-9
    before = SOURCES[kind](tmp_path / "one", A)
    after = SOURCES[kind](tmp_path / "two", changed)
    assert before.identity() != after.identity()


@pytest.mark.parametrize("kind", SOURCES)
def test_float32_stays(kind, tmp_path):
    if "csv" in kind:
        pytest.skip("text has no precision")
    source = SOURCES[kind](tmp_path, A.astype(np.float32))
    assert source.dtype == np.float32
    same(source, A.astype(np.float32))


@pytest.mark.parametrize("kind", SOURCES)
def test_whole_numbers_become_float64(kind, tmp_path):
    whole = np.arange(103 * 6).reshape(103, 6) % 11
    source = SOURCES[kind](tmp_path, whole)
    assert source.dtype == np.float64
    same(source, whole)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [k for k in SOURCES if k not in ("array", "csr", "coo")])
def test_gaps_are_refused_with_their_place(kind, value, tmp_path):
    bad = A.copy()
    bad[70, 2] = value
    source = SOURCES[kind](tmp_path, bad)
    with pytest.raises(InvalidDataError, match=r"\b70\b|row 10 of .*part-2|row 20 of .*b\.parquet"):
        list(source.blocks())
    if kind not in ("list of blocks", "function"):  # these come in whole blocks
        same(source.between(0, 70), A[:70])
        same(source.between(71, 103), A[71:])
        same(source.columns([1, 0]), A[:, [1, 0]])
