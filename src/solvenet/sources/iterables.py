"""Blocks that come from a user's own code: functions, generators, lists of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_count
from solvenet.blocks import ArrayBlocks, OnePassBlocks, RowBlocks
from solvenet.blocks.lazy import numbered_blocks
from solvenet.errors import InvalidDataError
from solvenet.sources.blocks import first_gap

if TYPE_CHECKING:
    from solvenet._array_api import Array

Blocks = Iterable[Any] | Callable[[], Iterable[Any]]


class IterableBlocks(RowBlocks):
    """Row blocks of anything that gives them again and again.

    Parameters
    ----------
    source : callable or iterable
        A function that returns a fresh iterator, or something that can be iterated over more
        than once; each gives arrays of shape (rows, n_cols) in row order. It can be pickled
        if this can.
    n_rows : int, optional
        Rows of all blocks together; by default they are counted in a first pass. The type
        and number of columns are then those of the first block.

    Raises
    ------
    InvalidDataError
        A block is no matrix of numbers or has another number of columns, there are none, or
        this can be read only once. In later passes: another number of rows, a missing
        value. The number of the block is named, counted from 0.

    See Also
    --------
    iterable_blocks : The same for a generator, which can be read once.
    """

    def __init__(self, source: Blocks, *, n_rows: int | None = None) -> None:
        if is_one_pass(source):
            msg = f"{source!r} can be read once; a function that returns it anew is wanted."
            raise InvalidDataError(msg)
        self._source = source
        if n_rows is None:
            rows, n_cols, self.dtype = _counted(self._begin())
        else:
            first = next(iter(self._begin()), None)
            _, n_cols, self.dtype = _counted([] if first is None else [first])
            rows = check_count("n_rows", n_rows)
        self.shape = (rows, n_cols)

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` from a fresh iterator."""
        blocks = _without_gaps(self._begin())
        return numbered_blocks(blocks, self.shape, self.dtype, again=True)

    def cuts(self) -> Array:
        """Return first and last row: reading can begin nowhere else."""
        return np.array([0, self.shape[0]])

    def _begin(self) -> Iterable[Any]:
        made = self._source() if callable(self._source) else self._source
        if not hasattr(made, "__iter__"):
            msg = f"The function returned {made!r}; an iterator of blocks is wanted."
            raise InvalidDataError(msg)
        return made


def iterable_blocks(source: Blocks, *, n_rows: int | None = None) -> RowBlocks:
    """Return row blocks of a function, an iterable or an iterator.

    Parameters
    ----------
    source : callable, iterable or iterator
        Gives arrays of shape (rows, n_cols) in row order. An iterator, such as a generator,
        can be read once.
    n_rows : int, optional
        Rows of all blocks together; compulsory for an iterator.

    Returns
    -------
    RowBlocks
        With ``n_passes`` 1 for an iterator, and without limit otherwise.

    Raises
    ------
    InvalidDataError
        As :class:`IterableBlocks`; or an iterator was given without `n_rows`.
    """
    if not is_one_pass(source):
        return IterableBlocks(source, n_rows=n_rows)
    if n_rows is None:
        msg = (
            "An iterator can be read once, so that its rows cannot be counted first. Give "
            "n_rows, or a function that returns a fresh iterator."
        )
        raise InvalidDataError(msg)
    blocks = iter(source)  # type: ignore[arg-type]
    first = next(blocks, None)
    _, n_cols, dtype = _counted([] if first is None else [first])
    shape = (check_count("n_rows", n_rows), n_cols)
    return OnePassBlocks(_without_gaps(chain([first], blocks)), shape, dtype=dtype)


def is_one_pass(source: Any) -> bool:
    """Tell whether something is an iterator, which is used up by reading it."""
    return not callable(source) and hasattr(source, "__next__")


def _counted(blocks: Iterable[Any]) -> tuple[int, int, np.dtype[np.floating]]:
    """Return rows, columns and type of all blocks."""
    rows, n_cols, kinds = 0, 0, set()
    for number, block in enumerate(blocks):
        array = np.asarray(block)
        if array.ndim != 2 or array.dtype.kind not in "fiub" or array.shape[1] == 0:
            msg = (
                f"Block {number} has shape {array.shape} and dtype {array.dtype}; a matrix of "
                "numbers of shape (rows, n_cols) is wanted."
            )
            raise InvalidDataError(msg)
        n_cols = n_cols or array.shape[1]
        if array.shape[1] != n_cols:
            msg = f"Block {number} has {array.shape[1]} columns; those before have {n_cols}."
            raise InvalidDataError(msg)
        rows += len(array)
        kinds.add(ArrayBlocks(array).dtype)
    if rows == 0:
        msg = "No rows came; at least one block with one row is wanted."
        raise InvalidDataError(msg)
    return rows, n_cols, np.result_type(*kinds)


def _without_gaps(blocks: Iterable[Any]) -> Iterator[Array]:
    start = 0
    for number, given in enumerate(blocks):
        block = np.asarray(given)
        found = first_gap(block) if block.ndim == 2 and block.dtype.kind == "f" else None
        if found is not None:
            msg = (
                f"Block {number} holds a missing or infinite value in row {start + found[0]}, "
                f"column {found[1]}. Remove or fill such rows first."
            )
            raise InvalidDataError(msg)
        yield block
        start += len(block)
