"""Files of a source: found by name, folder or pattern, and watched for changes."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from solvenet.errors import InvalidDataError

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class StoredFile:
    """A file as it was when a source was made.

    Attributes
    ----------
    path : str
        Its name, with its folders.
    size : int
        Bytes.
    modified_ns : int
        When it was last written, in nanoseconds since 1970.
    inode : int
        Number of the file on its disk: a file that was replaced has another.
    """

    path: str
    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: PathLike) -> StoredFile:
        """Look at a file that can be read.

        Parameters
        ----------
        path : path
            The file.

        Raises
        ------
        FileNotFoundError, PermissionError, IsADirectoryError
            It is missing, may not be read, or is a folder.
        InvalidDataError
            It is empty.
        """
        full = Path(path).absolute()
        if full.is_dir():
            msg = f"{path} is a folder; a file is wanted."
            raise IsADirectoryError(msg)
        try:
            with full.open("rb") as file:
                facts = os.fstat(file.fileno())
        except FileNotFoundError as error:
            msg = f"There is no file {path}. Check the name and the folder."
            raise FileNotFoundError(msg) from error
        if facts.st_size == 0:
            msg = f"{path} is empty (0 bytes); rows are wanted."
            raise InvalidDataError(msg)
        return cls(str(full), facts.st_size, facts.st_mtime_ns, facts.st_ino)

    def check(self) -> None:
        """Refuse a file that is not what it was.

        Raises
        ------
        InvalidDataError
            It was written to or replaced.
        OSError
            It is gone.
        """
        facts = Path(self.path).stat()
        now = (facts.st_size, facts.st_mtime_ns, facts.st_ino)
        if now != (self.size, self.modified_ns, self.inode):
            msg = (
                f"{self.path} has changed between passes: it had {self.size} bytes when it was "
                f"opened and has {facts.st_size} now, or was written anew. Rows of different "
                "data would be mixed. Open it again once it no longer changes."
            )
            raise InvalidDataError(msg)


def identity_of(files: Iterable[StoredFile], *more: object) -> str:
    """Return a text for these files and whatever else tells data apart."""
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(f"{file.path}\0{file.size}\0{file.modified_ns}\n".encode())
    digest.update(repr(more).encode())
    return digest.hexdigest()


def find_files(paths: PathLike | Sequence[PathLike], endings: Sequence[str]) -> list[Path]:
    """Return the files that a name, a folder, a pattern or a list of these stands for.

    Parameters
    ----------
    paths : path or sequence of path
        A file; a folder, of which all files with one of the `endings` are taken, those in
        folders below it too; or a pattern with ``*``, ``?`` or ``**``. Names that begin
        with a dot or an underscore are left out of folders, as every tool does.
    endings : sequence of str
        Such as ``(".parquet",)``.

    Returns
    -------
    list of Path
        Sorted by name within each folder or pattern.

    Raises
    ------
    FileNotFoundError
        There is no such file, or none in the folder or of the pattern.
    InvalidDataError
        A file was named twice, or none was named.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    found = [file for path in given for file in _expand(Path(path), endings)]
    if not found:
        msg = "An empty list of files was given; at least one is wanted."
        raise InvalidDataError(msg)
    seen: set[Path] = set()
    for file in found:
        if file in seen:
            msg = f"{file} is named twice; its rows would count double. Name each file once."
            raise InvalidDataError(msg)
        seen.add(file)
    return found


def is_pattern(path: PathLike) -> bool:
    """Tell whether a name stands for several files."""
    return glob.has_magic(os.fspath(path)) and not Path(path).exists()


def _expand(path: Path, endings: Sequence[str]) -> list[Path]:
    if is_pattern(path):
        out = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207
        out = [file for file in out if file.is_file()]
        if not out:
            msg = f"No file matches {path}. Check the pattern and the folder."
            raise FileNotFoundError(msg)
        return out
    if path.is_dir():
        out = [file for file in path.rglob("*") if file.suffix.lower() in endings]
        out = sorted(file for file in out if file.is_file() and not _hidden(file, path))
        if not out:
            msg = f"The folder {path} holds no file that ends in {' or '.join(endings)}."
            raise FileNotFoundError(msg)
        return out
    return [path]


def _hidden(file: Path, folder: Path) -> bool:
    """Tell what other programs leave beside the data: _metadata, .crc, _temporary/."""
    return any(part[0] in "._" for part in file.relative_to(folder).parts)
