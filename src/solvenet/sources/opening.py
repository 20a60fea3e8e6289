"""One door: whatever rows come in becomes a table or row blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks import RowBlocks, as_row_blocks
from solvenet.errors import InvalidDataError
from solvenet.sources._base import Table
from solvenet.sources.blocks import TableBlocks
from solvenet.sources.columns import unknown_columns
from solvenet.sources.csv import CSVTable
from solvenet.sources.dask import DaskBlocks, DaskTable
from solvenet.sources.files import PathLike
from solvenet.sources.hdf5 import HDF5Blocks
from solvenet.sources.iterables import iterable_blocks
from solvenet.sources.memory import MemoryTable
from solvenet.sources.npy import NpyBlocks, NpyTable, map_array
from solvenet.sources.parquet import ParquetTable
from solvenet.sources.sparse import SparseBlocks
from solvenet.sources.zarr import ZarrBlocks, zarr_blocks

if TYPE_CHECKING:
    from solvenet._array_api import Array

_TABLES: dict[str, Callable[[Any], Table]] = {
    ".parquet": ParquetTable,
    ".pq": ParquetTable,
    ".csv": CSVTable,
    ".tsv": CSVTable,
    ".npy": NpyTable,
}
"""What reads the tables in files with each ending."""

_PACKED = (".bz2", ".gz", ".xz", ".zip", ".zst")

_STORES: dict[str, Callable[[str, str | None], RowBlocks]] = {
    ".h5": HDF5Blocks,
    ".hdf": HDF5Blocks,
    ".hdf5": HDF5Blocks,
    ".zarr": ZarrBlocks,
}
"""What reads arrays that have a name inside their file."""

_FRAMES = ("pandas", "polars", "pyarrow")

_OBJECTS: dict[str, Callable[[Any], RowBlocks]] = {
    "dask": DaskBlocks,
    "h5py": HDF5Blocks.of,
    "zarr": zarr_blocks,
}
"""What reads the objects of each package, by the name of the package."""


def open_table(thing: Any) -> Table:
    r"""Open a table without holding its values.

    Parameters
    ----------
    thing : path, sequence of path, or frame
        A file (``.parquet``, ``.csv``, ``.tsv``, ``.npy``), a folder with files of one of
        these formats, a pattern such as ``"data/*.parquet"``, or a list of files. A Dask
        frame; or a table in memory: a pandas, Polars or pyarrow frame, or a mapping.

    Returns
    -------
    Table
        Names, types and number of rows; values are read in parts.

    Raises
    ------
    OSError
        A file is missing or may not be read.
    InvalidDataError
        A file is damaged or of an unknown format, or two files differ in their columns.
    MissingExtraError
        The package that reads the format is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from solvenet.sources import open_table
    >>> path = pathlib.Path(tempfile.mkdtemp(), "two.csv")
    >>> _ = path.write_text("size,hue\n1.5,red\n?,blue\n")
    >>> table = open_table(path)
    >>> table.n_rows, table.kinds
    (2, {'size': 'number', 'hue': 'text'})
    """
    if isinstance(thing, Table):
        return thing
    if _is_path(thing):
        return _TABLES[_format_of(thing)](thing)
    if _home(thing) == "dask" and _is_frame(thing):
        return DaskTable(thing)
    return MemoryTable(thing)


def open_source(
    thing: Any,
    *,
    columns: Sequence[str] | Sequence[int] | None = None,
    dataset: str | None = None,
    n_rows: int | None = None,
) -> RowBlocks:
    """Return row blocks of whatever holds rows of numbers.

    Parameters
    ----------
    thing : path, RowBlocks, Table, array, frame, callable or iterable
        A file, folder or pattern as for :func:`open_table`; ``"file.h5::dataset"`` or
        ``"folder.zarr::array"``; row blocks or a :class:`Table`; an array of NumPy, h5py,
        Zarr or Dask, or a SciPy sparse matrix or ``LinearOperator``; a frame of pandas,
        Polars, pyarrow or Dask; a mapping of names to columns; a function that returns an
        iterator of blocks, a list of blocks, or an iterator (which can be read once).
    columns : sequence of str or of int, optional
        Columns by name, or by number where they have no names; x0, x1, ... are names of
        numbers. By default all.
    dataset : str, optional
        Name of the array inside a file of HDF5 or Zarr.
    n_rows : int, optional
        Rows of all blocks of an iterator, which cannot be counted.

    Returns
    -------
    RowBlocks
        Read again in each pass, and never held as a whole unless it is in memory already.

    Raises
    ------
    OSError
        A file is missing or may not be read.
    InvalidDataError
        What was given holds no rows of numbers, or a column is unknown.
    MissingExtraError
        The package that reads the format is not installed.
    """
    source = _source(thing, columns, dataset, n_rows)
    if columns is None or isinstance(source, TableBlocks):
        return source
    return source.columns(_numbers_of(columns, source))


def _source(thing: Any, columns: Any, dataset: str | None, n_rows: int | None) -> RowBlocks:
    if isinstance(thing, RowBlocks):
        return thing
    if isinstance(thing, Table):
        return TableBlocks(thing, columns)
    if _is_path(thing):
        return _stored(thing, columns, dataset)
    home = _home(thing)
    if home == "scipy" and hasattr(thing, "tocsr"):
        return SparseBlocks(thing)
    if home in _OBJECTS and not (home == "dask" and _is_frame(thing)):
        return _OBJECTS[home](thing)
    # After those: files of HDF5 and some sparse matrices are mappings too.
    if isinstance(thing, Mapping) or home in ("dask", *_FRAMES):
        return TableBlocks(open_table(thing), columns)
    if _gives_blocks(thing):
        return iterable_blocks(thing, n_rows=n_rows)
    return as_row_blocks(thing)


def _stored(thing: Any, columns: Any, dataset: str | None) -> RowBlocks:
    if isinstance(thing, str | os.PathLike):
        path, _, inside = os.fspath(thing).partition("::")
        store = _STORES.get(Path(path).suffix.lower())
        if any(Path(path, name).is_file() for name in ("zarr.json", ".zarray", ".zgroup")):
            store = ZarrBlocks
        if store is not None:
            return store(path, inside or dataset)
    if dataset is not None:
        msg = f"dataset={dataset!r} was given; only files of HDF5 and Zarr hold arrays with names."
        raise InvalidDataError(msg)
    ending = _format_of(thing)
    if ending == ".npy" and _is_matrix(thing):
        return NpyBlocks(thing)
    return TableBlocks(open_table(thing), columns)


def _is_matrix(thing: Any) -> bool:
    """Tell whether one ``.npy`` file is named, and it is not a structured array."""
    one = isinstance(thing, str | os.PathLike) and Path(thing).is_file()
    return one and map_array(os.fspath(thing)).dtype.names is None


def _is_path(thing: Any) -> bool:
    one = isinstance(thing, str | os.PathLike)
    many = isinstance(thing, list | tuple) and len(thing) > 0
    return one or (many and all(isinstance(path, str | os.PathLike) for path in thing))


def _is_frame(thing: Any) -> bool:
    return hasattr(thing, "columns") and hasattr(thing, "dtypes")


def _gives_blocks(thing: Any) -> bool:
    """Tell what gives blocks from what is a matrix itself, be it a list of lists."""
    if hasattr(thing, "shape") or hasattr(thing, "__array__"):
        return False
    if isinstance(thing, list | tuple):
        return len(thing) > 0 and len(getattr(thing[0], "shape", ())) == 2
    return callable(thing) or hasattr(thing, "__iter__")


def _home(thing: Any) -> str:
    """Return the package that a thing comes from, without importing it."""
    return type(thing).__module__.partition(".")[0]


def _format_of(path: PathLike | Sequence[PathLike]) -> str:
    """Return the ending that says how files are read, looking into a folder."""
    if not isinstance(path, str | os.PathLike):
        endings = {_format_of(one) for one in path}
        if len(endings) != 1:
            msg = f"Files of one format are wanted; {sorted(endings)} were given."
            raise InvalidDataError(msg)
        return endings.pop()
    path = Path(path)
    if path.is_dir():
        inside = {file.suffix.lower() for file in path.rglob("*") if file.name[0] not in "._"}
        known = sorted(inside & set(_TABLES))
        if len({_TABLES[ending] for ending in known}) == 1:
            return known[0]
        msg = (
            f"The folder {path} holds {'files of several formats: ' if known else 'no files of a '}"
            f"{', '.join(known) or 'known format'}. Name the files by a pattern such as "
            f"{path / '*.parquet'}."
        )
        raise InvalidDataError(msg)
    ending = path.suffix.lower()
    if ending in _PACKED:
        msg = (
            f"{path} is compressed and can only be read from its beginning. Unpack it first, or "
            "convert it to Parquet, which is compressed and can be read in parts."
        )
        raise InvalidDataError(msg)
    if ending not in _TABLES:
        msg = (
            f"{path} ends in {ending!r}, which is not a format that is known. Use one of: "
            f"{', '.join(_TABLES)}."
        )
        raise InvalidDataError(msg)
    return ending


def _numbers_of(columns: Sequence[str] | Sequence[int], source: RowBlocks) -> Array:
    """Return numbers of columns, of which some may be named."""
    columns = [columns] if isinstance(columns, str) else columns
    names = [f"x{at}" for at in range(source.shape[1])]
    names = list(getattr(source, "names", names))
    absent = [name for name in columns if isinstance(name, str) and name not in names]
    if absent:
        raise InvalidDataError(unknown_columns(absent, names))
    return np.array([names.index(c) if isinstance(c, str) else c for c in columns])
