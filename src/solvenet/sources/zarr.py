"""Zarr: an array of a store, opened when it is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from solvenet._validation import import_optional
from solvenet.blocks import ArrayBlocks, RowBlocks
from solvenet.errors import InvalidDataError
from solvenet.sources.files import PathLike
from solvenet.sources.parts import damaged
from solvenet.sources.stored import StoredBlocks


class ZarrBlocks(StoredBlocks):
    """Row blocks of a Zarr array in a folder.

    The array is opened for each pass. Blocks end with chunks (shards, where the array has
    them), so that each of them is read once.

    Parameters
    ----------
    path : path
        The folder of an array or a group, or ``"folder.zarr::name"``.
    dataset : str, optional
        Name of the array inside a group.

    Raises
    ------
    OSError
        The folder is missing or may not be read.
    InvalidDataError
        It holds no array of numbers under that name.
    MissingExtraError
        zarr is not installed.

    Notes
    -----
    A chunk without a file means the fill value, by the rules of Zarr: an array that lost
    chunks before it was opened cannot be told from one that never had them. Files that
    come, go or change later are noticed; this looks at the facts of every file, twice a
    pass.
    """

    format = "Zarr"

    def __init__(self, path: PathLike, dataset: str | None = None) -> None:
        name, _, inside = str(path).partition("::")
        self.path = str(Path(name).absolute())
        self.dataset = (inside or dataset or "").strip("/")
        if not Path(self.path).exists():
            msg = f"There is no file or folder {name}. Check the name."
            raise FileNotFoundError(msg)
        with self._open() as array:
            if not hasattr(array, "chunks"):
                held = ", ".join(sorted(array.array_keys())) or "no arrays"
                msg = (
                    f"{self.title()} is a group, which holds {held}. Name an array: "
                    f"{name}::name, or dataset='name'."
                )
                raise InvalidDataError(msg)
            shards = getattr(array, "shards", None)
            rows = (shards or array.chunks or (1,))[0]
            shape, dtype = array.shape, array.dtype
        self._files = _look(self.path)
        super().__init__(shape, dtype, rows)

    def title(self) -> str:
        """Return the names of folder and array."""
        return f"{self.path}::{self.dataset}" if self.dataset else self.path

    def check_unchanged(self) -> None:
        """Refuse an array of which some file has changed since the source was made.

        Raises
        ------
        InvalidDataError
            A file was written, added or removed.
        OSError
            A file is gone or may not be read.
        """
        now = _look(self.path)
        if now[0] != self._files[0]:
            msg = (
                f"{self.title()} has changed between passes: {self._files[1]} files when it was "
                f"opened, {now[1]} now, the latest written is {now[2]}. Open it again once it "
                "no longer changes."
            )
            raise InvalidDataError(msg)

    def _stamp(self) -> str:
        return f"{self.title()} {self._files[0]}"

    @contextmanager
    def _open(self) -> Iterator[Any]:
        zarr = import_optional("zarr", extra="disk", purpose=f"Reading {self.path}")
        try:
            array = zarr.open(self.path, path=self.dataset or None, mode="r")
        except (FileNotFoundError, KeyError, ValueError) as error:
            raise damaged(self.title(), self.format, error) from error
        yield array


def zarr_blocks(array: Any) -> RowBlocks:
    """Return row blocks of a ``zarr.Array``, by the name of its folder where it has one.

    Parameters
    ----------
    array : zarr.Array
        Arrays in other stores (memory, the network) are held as they are.
    """
    if not hasattr(array, "chunks"):
        msg = f"{array!r} is no array; open_source(group['name']) is wanted."
        raise InvalidDataError(msg)
    root = getattr(getattr(array, "store", None), "root", None)
    if isinstance(root, Path):
        return ZarrBlocks(root, array.path)
    return ArrayBlocks(array)


def _look(path: str) -> tuple[str, int, str]:
    """Return a text that differs once a file has changed, their number, and the newest."""
    digest, count, newest = hashlib.blake2b(digest_size=16), 0, (0, "")
    if Path(path).is_file():
        facts = Path(path).stat()
        return f"{facts.st_size} {facts.st_mtime_ns}", 1, path
    folders = [path]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir():
                    folders.append(entry.path)
                    continue
                facts = entry.stat()
                count += 1
                newest = max(newest, (facts.st_mtime_ns, entry.path))
                known = f"{entry.path}\0{facts.st_size}\0{facts.st_mtime_ns}\n"
                digest.update(known.encode())
    return digest.hexdigest(), count, newest[1]
