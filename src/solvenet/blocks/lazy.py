"""Row blocks made from other row blocks, computed when they are asked for.

Centring, scaling, weighting and the intercept never touch the data: they are applied
to each block as it passes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count
from solvenet.blocks._base import RowBlocks
from solvenet.errors import InvalidDataError, PassesExhaustedError

if TYPE_CHECKING:
    from solvenet._array_api import Array


class _Derived(RowBlocks):
    """Row blocks of another source, changed block by block."""

    fresh = True

    def __init__(self, source: RowBlocks, n_cols: int, dtype: np.dtype[np.floating]) -> None:
        self._source = source
        self.shape = (source.shape[0], n_cols)
        self.dtype = dtype
        self.n_passes = source.n_passes
        self.rows_per_block = source.rows_per_block

    @abstractmethod
    def _change(self, rows: slice, block: Array) -> Array:
        """Return what becomes of one block of the source."""

    @abstractmethod
    def _with(self, source: RowBlocks, rows: slice | Array) -> RowBlocks:
        """Return what becomes of some rows of the source."""

    def between(self, start: int, stop: int) -> RowBlocks:
        """Return some rows: chosen first, changed afterwards."""
        start, stop = self.check_range(start, stop)
        return self._with(self._source.between(start, stop), slice(start, stop))

    def taken(self, index: Array) -> RowBlocks:
        """Return some rows; only these are changed."""
        return self._with(self._source.taken(index), index)

    def cuts(self) -> Array | None:
        """Return those of the source."""
        return self._source.cuts()

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` of the changed matrix."""
        for rows, block in self._source.blocks():
            yield rows, self._change(rows, block)

    def stream(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` of the changed matrix, each to be looked at once."""
        for rows, block in self._source.stream():
            yield rows, self._change(rows, block)


class _SameColumns(_Derived):
    """A derived source whose columns are those of its source, each changed by itself."""

    def columns(self, index: Array) -> RowBlocks:
        """Return some of the columns: chosen first, changed afterwards."""
        return self._of(self._source.columns(index), self.check_columns(index))

    @abstractmethod
    def _of(self, source: RowBlocks, index: Array) -> RowBlocks:
        """Return what becomes of these columns of the source."""

    def weight_norms(self) -> Array | None:
        """Return those of the source."""
        return self._source.weight_norms()


class MappedBlocks(_Derived):
    """``function(A)`` row by row, never held: the way features reach a solver.

    Parameters
    ----------
    source : RowBlocks
        The inputs.
    function : callable
        Maps a block of shape (rows, source columns) to (rows, `n_cols`); each row of
        the result depends on that row alone. Its methods ``part(index)`` (the function
        of some columns) and ``weight_norms()`` are used where it has them, as a
        :class:`solvenet.features.FeatureMap` does.
    n_cols : int
        Columns of the result.
    dtype : dtype, default=float64
        Dtype of the result.
    into : bool, default=False
        Whether the function takes ``out``, memory for its result. Touching new memory can
        cost more than the features themselves.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.blocks import MappedBlocks, as_row_blocks
    >>> X = as_row_blocks(np.arange(6.0).reshape(3, 2))
    >>> MappedBlocks(X, np.square, 2).gram()
    array([[272., 436.],
           [436., 707.]])
    """

    def __init__(
        self,
        source: RowBlocks,
        function: Callable[..., Array],
        n_cols: int,
        *,
        dtype: np.dtype[np.floating] | type[np.floating] = np.float64,
        into: bool = False,
    ) -> None:
        super().__init__(source, check_count("n_cols", n_cols), np.dtype(dtype))
        self.function = function
        self._into = into

    @property
    def source(self) -> RowBlocks:
        """The rows before the function."""
        return self._source

    def columns(self, index: Array) -> RowBlocks:
        """Return some of the columns; the function of the others is not computed."""
        index = self.check_columns(index)
        part = getattr(self.function, "part", None)
        if part is None:
            return super().columns(index)
        return MappedBlocks(
            self._source, part(index), len(index), dtype=self.dtype.type, into=self._into
        )

    def weight_norms(self) -> Array | None:
        """Return what the function knows of them."""
        known = getattr(self.function, "weight_norms", None)
        norms: Array | None = None if known is None else known()
        return norms

    def _with(self, source: RowBlocks, rows: slice | Array) -> RowBlocks:
        return MappedBlocks(
            source, self.function, self.shape[1], dtype=self.dtype.type, into=self._into
        )

    def _change(self, rows: slice, block: Array) -> Array:
        out = np.asarray(self.function(block), dtype=self.dtype)
        return out.copy() if np.may_share_memory(out, block) else out

    def stream(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)``; a function that can write to given memory reuses it."""
        if not self._into:
            yield from super().stream()
            return
        memory = np.empty((0, self.shape[1]), dtype=self.dtype)
        for rows, block in self._source.stream():
            if len(block) > len(memory):
                memory = np.empty((len(block), self.shape[1]), dtype=self.dtype)
            yield rows, self.function(block, out=memory[: len(block)])


class WithIntercept(_Derived):
    """``[1, A]``: a column of ones before the columns of `source`."""

    def __init__(self, source: RowBlocks) -> None:
        super().__init__(source, source.shape[1] + 1, source.dtype)

    def _with(self, source: RowBlocks, rows: slice | Array) -> RowBlocks:
        return WithIntercept(source)

    def _change(self, rows: slice, block: Array) -> Array:
        return np.concatenate([np.ones((len(block), 1), self.dtype), block], axis=1)


class Centered(_SameColumns):
    """``A - mean``, with one number a column."""

    def __init__(self, source: RowBlocks, mean: Array) -> None:
        super().__init__(source, source.shape[1], source.dtype)
        self._mean = _per_column("mean", mean, source)

    def _change(self, rows: slice, block: Array) -> Array:
        return np.subtract(block, self._mean, dtype=self.dtype)

    def _of(self, source: RowBlocks, index: Array) -> RowBlocks:
        return Centered(source, self._mean[index] if self._mean.ndim else self._mean)

    def _with(self, source: RowBlocks, rows: slice | Array) -> RowBlocks:
        return Centered(source, self._mean)


class Scaled(_SameColumns):
    """``A * factor``, with one number a column."""

    def __init__(self, source: RowBlocks, factor: Array) -> None:
        super().__init__(source, source.shape[1], source.dtype)
        self._factor = _per_column("factor", factor, source)

    def _change(self, rows: slice, block: Array) -> Array:
        return np.multiply(block, self._factor, dtype=self.dtype)

    def _of(self, source: RowBlocks, index: Array) -> RowBlocks:
        return Scaled(source, self._factor[index] if self._factor.ndim else self._factor)

    def _with(self, source: RowBlocks, rows: slice | Array) -> RowBlocks:
        return Scaled(source, self._factor)


class Weighted(_SameColumns):
    """``sqrt(weights)[:, None] * A``: least squares on it weights the squared residuals."""

    def __init__(self, source: RowBlocks, weights: Array) -> None:
        super().__init__(source, source.shape[1], source.dtype)
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != source.shape[:1] or not np.all(weights >= 0):
            msg = (
                f"weights of shape {weights.shape} were given for {source.shape[0]} rows; "
                "one weight >= 0 a row is wanted."
            )
            raise InvalidDataError(msg)
        self._weights = weights
        self._root = np.sqrt(weights)[:, None].astype(self.dtype)

    def _change(self, rows: slice, block: Array) -> Array:
        return block * self._root[rows]

    def _of(self, source: RowBlocks, index: Array) -> RowBlocks:
        return Weighted(source, self._weights)

    def _with(self, source: RowBlocks, rows: slice | Array) -> RowBlocks:
        return Weighted(source, self._weights[rows])


class OnePassBlocks(RowBlocks):
    """Row blocks from an iterable that can be read once, such as a stream.

    Parameters
    ----------
    iterable : iterable of array of shape (rows, n_cols)
        The blocks in row order.
    shape : tuple of (int, int)
        ``(n_rows, n_cols)`` of the whole matrix.
    dtype : dtype, default=float64
        Dtype of the blocks.
    """

    def __init__(
        self,
        iterable: Iterable[Array],
        shape: tuple[int, int],
        *,
        dtype: np.dtype[np.floating] | type[np.floating] = np.float64,
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.n_passes = 1
        self._iterable: Iterable[Array] | None = iterable

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Yield ``(rows, block)`` the one time that is possible."""
        if self._iterable is None:
            msg = (
                "These row blocks can be read once and have been read. Use a one-pass "
                "solver (QR, NormalEquations) without a second look, or a source that "
                "can be read again."
            )
            raise PassesExhaustedError(msg)
        iterable, self._iterable = self._iterable, None
        yield from numbered_blocks(iterable, self.shape, self.dtype)


def numbered_blocks(
    iterable: Iterable[Array],
    shape: tuple[int, int],
    dtype: np.dtype[np.floating],
    *,
    again: bool = False,
) -> Iterator[tuple[slice, Array]]:
    """Yield blocks with their rows, and refuse those that make no matrix of this shape.

    Parameters
    ----------
    iterable : iterable of array of shape (rows, n_cols)
        The blocks in row order.
    shape : tuple of (int, int)
        ``(n_rows, n_cols)`` of all of them together.
    dtype : numpy.dtype
        What they are handed out as.
    again : bool, default=False
        Whether the shape was counted in an earlier pass rather than declared.
    """
    known = "came in an earlier pass" if again else "were declared"
    start = 0
    for number, given in enumerate(iterable):
        block = np.asarray(given, dtype=dtype)
        rows = slice(start, start + len(block) if block.ndim else start)
        if block.ndim != 2 or block.shape[1] != shape[1] or rows.stop > shape[0]:
            msg = (
                f"A block of shape {block.shape} came at row {start}, as block {number}; "
                f"{shape[0]} rows and {shape[1]} columns {known}."
            )
            raise InvalidDataError(msg)
        if len(block) > 0:
            yield rows, block
        start = rows.stop
    if start != shape[0]:
        msg = f"The source gave {start} rows; {shape[0]} {known}."
        raise InvalidDataError(msg)


def _per_column(name: str, values: Array, source: RowBlocks) -> Array:
    values = np.asarray(values, dtype=np.float64)
    if values.shape not in ((), source.shape[1:]):
        msg = (
            f"{name} of shape {values.shape} was given for {source.shape[1]} columns; one "
            "number, or one a column, is wanted."
        )
        raise InvalidDataError(msg)
    return values
