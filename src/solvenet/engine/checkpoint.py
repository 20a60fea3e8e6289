"""Summaries on disk, from time to time: after a crash the same call goes on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from solvenet._files import write_atomically
from solvenet._validation import check_nonnegative
from solvenet.errors import CheckpointError

FORMAT = 1
ABOUT = "solvenet-checkpoint.json"


class Checkpoint:
    """A folder that holds what a run has merged so far.

    Parameters
    ----------
    folder : path
        Made if it does not exist. One run at a time.
    every : float, default=30.0
        Seconds between two saves of the same pass.

    Notes
    -----
    Files are replaced whole. They hold arrays and numbers only: reading one runs no code.
    What a run is (data, settings) is written first, and a folder that belongs to another
    run is refused.
    """

    def __init__(self, folder: str | os.PathLike[str], *, every: float = 30.0) -> None:
        self.folder = Path(folder)
        self.every = check_nonnegative("every", every)
        self._saved = time.monotonic()
        self._names: list[str] = []

    def begin(self, about: Mapping[str, Any]) -> None:
        """Say what the run is; refuse the folder of another one.

        Parameters
        ----------
        about : mapping of str to str or number
            Data and settings, by what they are called in messages.

        Raises
        ------
        CheckpointError
            The folder belongs to other data or settings, or is damaged.
        OSError
            It cannot be made or written.
        """
        self._names = []
        mine = {"format": FORMAT} | {name: _plain(value) for name, value in about.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / ABOUT
        self._remove_partial()
        if not path.exists():
            if any(self.folder.iterdir()):
                msg = f"{self.folder} is not empty and holds no checkpoint. Give another folder."
                raise CheckpointError(msg)
            write_atomically(path, json.dumps(mine, indent=1).encode())
            return
        try:
            theirs = json.loads(path.read_text())
            other = [name for name in mine if theirs.get(name) != mine[name]]
        except (ValueError, AttributeError) as error:
            raise CheckpointError(_damaged(path)) from error
        if other:
            msg = (
                f"The checkpoint in {self.folder} belongs to another run: "
                + "; ".join(f"{name} was {theirs.get(name)}, is {mine[name]}" for name in other)
                + ". Give another folder, or delete this one to begin anew."
            )
            raise CheckpointError(msg)

    def next_pass(self, name: str) -> Path:
        """Return the file of the next pass of the run; passes are numbered."""
        self._names.append(name)
        return self.folder / f"{len(self._names):02d}-{name.replace(' ', '-')}.npz"

    def load(self, path: Path, about: str) -> dict[str, Any] | None:
        """Return what was saved of a pass; None if nothing was."""
        if not path.exists():
            return None
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
            digest = found.pop("about").item()
        except (ValueError, OSError, KeyError, EOFError, BadZipFile) as error:
            raise CheckpointError(_damaged(path)) from error
        if digest != _digest(about):
            msg = (
                f"{path} was written for other parts of the data or another method ({about}). "
                f"Give another folder, or delete {self.folder} to begin anew."
            )
            raise CheckpointError(msg)
        return {name: value.item() if value.ndim == 0 else value for name, value in found.items()}

    def is_time(self) -> bool:
        """Tell whether the last save is long enough ago."""
        return time.monotonic() - self._saved >= self.every

    def save(self, path: Path, about: str, state: Mapping[str, Any]) -> None:
        """Save what is known of a pass."""
        buffer = io.BytesIO()
        known = {name: value for name, value in state.items() if value is not None}
        np.savez(buffer, allow_pickle=False, about=_digest(about), **known)
        write_atomically(path, buffer.getbuffer())
        self._saved = time.monotonic()

    def end(self) -> None:
        """Remove what was saved: the run is done."""
        # A process that was killed while it wrote has left a file of a temporary name.
        for pattern in ("[0-9][0-9]-*.npz", ".*.tmp", ABOUT):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)
        self._remove_partial()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _remove_partial(self) -> None:
        """Remove what a process left that was killed while it wrote."""
        for path in self.folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else repr(value)


def _digest(about: str) -> str:
    return hashlib.blake2b(about.encode(), digest_size=16).hexdigest()


def _damaged(path: Path) -> str:
    return f"{path} is damaged. Delete the folder of the checkpoint and begin anew."
