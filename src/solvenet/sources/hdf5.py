"""HDF5: a dataset of a file, opened when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from solvenet._validation import import_optional
from solvenet.errors import InvalidDataError
from solvenet.sources.columns import unknown_columns
from solvenet.sources.files import PathLike, StoredFile, identity_of
from solvenet.sources.parts import damaged, is_damage
from solvenet.sources.stored import StoredBlocks

LARGEST_CACHE = 2**28
"""Bytes of chunks that may be kept where a chunk holds more rows than a block."""


class HDF5Blocks(StoredBlocks):
    """Row blocks of a dataset in an HDF5 file.

    The file is opened for each pass and closed after it. Blocks end with chunks, so that
    each chunk is decompressed once.

    Parameters
    ----------
    path : path
        The file, or ``"file.h5::name"``.
    dataset : str, optional
        Name of the dataset; may be left out if the file holds only one of one or two
        dimensions.

    Raises
    ------
    OSError
        The file is missing or may not be read.
    InvalidDataError
        It is damaged, or the dataset is unknown or holds something else than numbers.
    MissingExtraError
        h5py is not installed.
    """

    format = "HDF5"

    def __init__(self, path: PathLike, dataset: str | None = None) -> None:
        name, _, inside = str(path).partition("::")
        self.file = StoredFile.of(name)
        self.dataset = (inside or dataset or "").strip("/")
        self._cache = 0
        try:
            with self._file() as file:
                self.dataset = self.dataset or _only_dataset(file, name)
                array = _dataset(file, name, self.dataset)
                shape, dtype, chunks = array.shape, array.dtype, array.chunks
        except OSError as error:
            if not is_damage(error):
                raise
            raise damaged(name, self.format, error) from error
        if shape is None:
            msg = f"{self.title()} is empty; a matrix with at least one row is wanted."
            raise InvalidDataError(msg)
        super().__init__(shape, dtype, chunks[0] if chunks else 1)
        if chunks and self._chunk_rows > self.rows_per_block:
            # Chunks are read in several blocks and must stay unpacked between these.
            needed = 2 * self._chunk_rows * self.shape[1] * dtype.itemsize
            self._cache = min(needed, LARGEST_CACHE)

    @classmethod
    def of(cls, dataset: Any) -> HDF5Blocks:
        """Return row blocks of an open ``h5py.Dataset``, by the name of its file.

        Parameters
        ----------
        dataset : h5py.Dataset
            What was written to it must have been flushed.
        """
        if not hasattr(dataset, "chunks"):
            msg = f"{dataset!r} is no dataset; open_source(file['name']) is wanted."
            raise InvalidDataError(msg)
        return cls(dataset.file.filename, dataset.name)

    def title(self) -> str:
        """Return the names of file and dataset."""
        return f"{self.file.path}::{self.dataset}"

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
        return identity_of([self.file], self.dataset)

    def _file(self) -> Any:
        h5py = import_optional("h5py", extra="disk", purpose=f"Reading {self.file.path}")
        cache = {"rdcc_nbytes": self._cache} if self._cache else {}
        return h5py.File(self.file.path, "r", **cache)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        with self._file() as file:
            yield file[self.dataset]


def _only_dataset(file: Any, path: str) -> str:
    """Return the name of the dataset, if there is but one that may be a matrix."""
    names: list[str] = []

    def visit(name: str, item: Any) -> None:
        if hasattr(item, "chunks") and item.shape is not None and len(item.shape) in (1, 2):
            names.append(name)

    file.visititems(visit)
    if len(names) != 1:
        held = f"holds {', '.join(names[:12])}" if names else "holds no dataset that is a matrix"
        msg = f"{path} {held}. Name one: {path}::name, or dataset='name'."
        raise InvalidDataError(msg)
    return names[0]


def _dataset(file: Any, path: str, name: str) -> Any:
    item = file.get(name)
    if item is None:
        known: list[str] = []
        file.visit(known.append)
        hint = unknown_columns([name], known).replace(
            "The table has no column", "It holds no array"
        )
        msg = f"{path}: {hint}"
        raise InvalidDataError(msg)
    if not hasattr(item, "chunks"):
        msg = f"{path}::{name} is a group; a dataset in it is wanted: {', '.join(item)}."
        raise InvalidDataError(msg)
    return item
