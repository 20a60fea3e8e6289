"""NumPy files: matrices and structured arrays, mapped into memory for each pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import InvalidDataError
from solvenet.sources._base import OTHER
from solvenet.sources.files import PathLike, StoredFile, find_files, identity_of
from solvenet.sources.parts import FileTable, damaged, is_damage, joined_types
from solvenet.sources.stored import StoredBlocks

if TYPE_CHECKING:
    from solvenet._array_api import Array


class NpyBlocks(StoredBlocks):
    """Row blocks of a matrix in a ``.npy`` file.

    The file is mapped into memory while it is read: blocks are views of it where it holds
    float32 or float64 and no columns are picked out of order, and nothing is copied.

    Parameters
    ----------
    path : path
        The file; an array of one or two dimensions that holds numbers.

    Raises
    ------
    OSError
        The file is missing or may not be read.
    InvalidDataError
        It is damaged or holds something else.
    """

    format = "NumPy"

    def __init__(self, path: PathLike) -> None:
        self.file = StoredFile.of(path)
        array = map_array(self.file.path)
        super().__init__(array.shape, array.dtype)

    def title(self) -> str:
        """Return the name of the file."""
        return self.file.path

    def check_unchanged(self) -> None:
        """Refuse a file that was written to since the source was made.

        Raises
        ------
        InvalidDataError
            It was written to or replaced.
        OSError
            It is gone.
        """
        self.file.check()

    def _stamp(self) -> str:
        return identity_of([self.file])

    @contextmanager
    def _open(self) -> Iterator[Any]:
        yield map_array(self.file.path)


class NpyTable(FileTable):
    """A table in ``.npy`` files: structured arrays, or matrices with columns x0, x1, ...

    Parameters
    ----------
    paths : path or sequence of path
        A file, a folder, a pattern, or a list of these.

    Raises
    ------
    OSError
        A file is missing or may not be read.
    InvalidDataError
        A file is damaged or holds no table, or two files differ in their columns.
    """

    format = "NumPy"
    part = "array"

    def __init__(self, paths: PathLike | Sequence[PathLike]) -> None:
        files = [StoredFile.of(path) for path in find_files(paths, (".npy",))]
        arrays = [map_array(file.path) for file in files]
        schemas = [_types(file.path, array) for file, array in zip(files, arrays, strict=True)]
        rows = [np.array([len(array)]) for array in arrays]
        super().__init__(files, list(schemas[0]), joined_types(files, schemas), rows)

    @contextmanager
    def _open(self, file: int, columns: list[str]) -> Iterator[Any]:
        yield map_array(self.files[file].path)

    def _read(
        self, handle: Any, part: int, columns: list[str], start: int, stop: int, rows: int
    ) -> Iterator[dict[str, Array]]:
        for low in range(start, stop, rows):
            some = handle[low : min(low + rows, stop)]
            if some.dtype.names is None:
                yield {name: some[:, int(name[1:])] for name in columns}
            else:
                yield {name: _plain(some[name]) for name in columns}


def map_array(path: str) -> Array:
    """Map a ``.npy`` file into memory, read-only."""
    try:
        # Not np.load: of a damaged file it says that pickles are not allowed.
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        if not is_damage(error):
            raise
        if Path(path).suffix.lower() == ".npz":
            msg = f"{path} holds several arrays; save one array as .npy."
            raise InvalidDataError(msg) from None
        raise damaged(path, "NumPy", error) from error
    return np.asarray(array)


def _types(path: str, array: Array) -> dict[str, np.dtype[Any] | None]:
    fields = array.dtype.fields
    if fields is not None and array.ndim == 1:
        for name, field in fields.items():
            if field[0].shape:
                msg = (
                    f"{path}: column {name!r} holds {field[0].shape} values a row; one is wanted. "
                    "Give each of them a name of its own."
                )
                raise InvalidDataError(msg)
        return {name: _type(fields[name][0]) for name in array.dtype.names or ()}
    if fields is not None or array.ndim != 2 or array.shape[1] == 0:
        msg = (
            f"{path}: the array has shape {array.shape}; a two-dimensional or a structured one "
            "is wanted."
        )
        raise InvalidDataError(msg)
    return {f"x{at}": _type(array.dtype) for at in range(array.shape[1])}


def _type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind in "US":
        return np.dtype(object)
    return dtype if dtype.kind in "fiubmM" else OTHER


def _plain(column: Array) -> Array:
    """Return one field of a structured array; text as objects."""
    if column.dtype.kind == "S":
        column = np.char.decode(column, "utf-8")
    return column.astype(object) if column.dtype.kind == "U" else column
