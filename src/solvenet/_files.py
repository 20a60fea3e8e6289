"""Files that are either written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: str | os.PathLike[str], payload: bytes | memoryview) -> None:
    """Write a file so that no failure leaves it half-written.

    Parameters
    ----------
    path : path-like
        The file; replaced if it exists. A link is followed.
    payload : bytes or memoryview
        Its whole content.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    OSError
        The disk is full, the folder is read-only, ... The old file is as it was.
    """
    with replacing(path) as file:
        file.write(payload)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a file to write piece by piece, which takes its name when all has been written.

    Parameters
    ----------
    path : path-like
        The file; replaced if it exists. A link is followed.

    Yields
    ------
    binary file
        After any exception nothing is left of it, and an old file is as it was.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    OSError
        The disk is full, the folder is read-only, ...
    """
    target = Path(path).resolve()
    if not target.parent.is_dir():
        msg = f"The folder {target.parent} does not exist. Create it before writing {target.name}."
        raise FileNotFoundError(msg)
    if target.is_dir():
        msg = f"{target} is a folder; the name of a file is wanted."
        raise IsADirectoryError(msg)
    # In the same folder, so that the final rename stays on one file system and is atomic.
    partial = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
