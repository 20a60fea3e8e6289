"""Rows of a table as records: which of them train, which validate, which are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks import HeldRecords, Records, as_row_blocks
from solvenet.blocks.planning import CACHE_BYTES
from solvenet.blocks.planning import rows_per_block as plan_rows
from solvenet.errors import InvalidDataError
from solvenet.estimators.encoding import numbers_of, text_of
from solvenet.reductions.rows import row_hashes
from solvenet.sources import Table
from solvenet.sources.columns import is_missing, missing_rows

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks.records import Record
    from solvenet.estimators.tables import TableEncoder

LEFT_OUT, TRAINS, VALIDATES = 0, 1, 2
"""What a row is for."""

_NUMBERS = ("number", "date", "duration")


@dataclass(frozen=True)
class Split:
    """Which rows of a table validate: those whose content says so.

    The choice does not depend on the order of the rows or columns, on files, batches or
    workers, and equal rows are on the same side.

    Attributes
    ----------
    fraction : float
        Part of the (different) rows that validate, up to chance.
    seed : int
        Another one chooses other rows.
    """

    fraction: float
    seed: int

    def validates(self, batch: Mapping[str, Array], kinds: Mapping[str, str]) -> Array:
        """Return which rows of a batch validate, shape (n_rows,)."""
        keys = _content_hashes(batch, kinds)
        # Samples are taken by hashes too: these must know nothing of the split.
        keys ^= np.uint64(int.from_bytes(_digest(f"split {self.seed}"), "little"))
        for factor, shift in ((0xFF51AFD7ED558CCD, 33), (0xC4CEB9FE1A85EC53, 33)):
            keys ^= keys >> np.uint64(shift)
            keys *= np.uint64(factor)
        keys ^= keys >> np.uint64(33)
        chosen: Array = keys < np.uint64(min(int(self.fraction * 2.0**64), 2**64 - 1))
        return chosen


class TableRecords(Records):
    """Rows of a table as its columns come, with what each row is for in place of a target.

    What stands where others have a matrix is a mapping of names to columns; for reductions
    that know what to do with it.

    Parameters
    ----------
    table : Table
        The table.
    columns : sequence of str
        Those to hand out.
    target : str, optional
        Rows in which this column is missing are left out.
    split : Split, optional
        Without one, all other rows train.
    """

    n_targets = 1
    dtype = np.dtype(np.float64)

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        target: str | None = None,
        split: Split | None = None,
    ) -> None:
        self._table, self._target, self._split = table, target, split
        self._columns = tuple(columns) + ((target,) if target is not None else ())
        self._read = table.names if split is not None else self._columns
        table.check_names(self._read)
        self._kinds = {name: table.kinds[name] for name in self._read}
        for name, kind in self._kinds.items():
            if kind == "other":
                msg = (
                    f"Column {name!r} holds lists or structures; numbers, text, truth values "
                    "or dates are wanted. Leave the column out, or spread it over several."
                )
                raise InvalidDataError(msg)
        self._start = 0
        self.shape = (table.n_rows, len(self._columns))

    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, columns, roles, None)``."""
        for rows, batch, roles in self._batches(plan_rows(len(self._read), 8, CACHE_BYTES)):
            columns: Any = {name: batch[name] for name in self._columns}
            yield rows, columns, roles[:, None].astype(np.float64), None

    def _batches(self, most: int) -> Iterator[tuple[slice, dict[str, Array], Array]]:
        """Yield rows, columns and roles; infinite numbers are refused."""
        stop = self._start + self.shape[0]
        for first, batch in self._table.batches(
            self._read, start=self._start, stop=stop, rows=most
        ):
            n = len(batch[self._read[0]])
            self._check_finite(batch, first)
            roles = np.full(n, TRAINS, dtype=np.int8)
            if self._split is not None:
                roles[self._split.validates(batch, self._kinds)] = VALIDATES
            if self._target is not None:
                roles[missing_rows(batch[self._target])] = LEFT_OUT
            at = first - self._start
            yield slice(at, at + n), batch, roles

    def _check_finite(self, batch: Mapping[str, Array], first: int) -> None:
        for name in self._columns:
            values = batch[name]
            if values.dtype.kind == "f" and np.isinf(values).any():
                row = first + int(np.flatnonzero(np.isinf(values))[0])
                msg = (
                    f"Column {name!r} holds an infinite value: {self._table.where(row)}. Replace "
                    "it by a number, or by a missing value (NaN)."
                )
                raise InvalidDataError(msg)

    def between(self, start: int, stop: int) -> Records:
        """Return some rows; only the parts of files that hold them are read."""
        out = object.__new__(type(self))
        out.__dict__.update(self.__dict__)
        out._start, out.shape = self._start + start, (stop - start, self.shape[1])
        return out

    def taken(self, index: Array) -> Records:
        """Return some rows, held in memory; not as long as the columns are mixed.

        Raises
        ------
        NotImplementedError
            Always; encoded rows can be taken.
        """
        raise NotImplementedError

    def cuts(self) -> Array:
        """Return the limits of the parts of the table within these rows."""
        cuts = self._table.cuts() - self._start
        inside = cuts[(cuts > 0) & (cuts < self.shape[0])]
        return np.concatenate([[0], inside, [self.shape[0]]])

    def identity(self) -> str:
        """Return that of the table, and what tells the rows apart."""
        mine = (self._columns, self._target, self._split, self._start, self.shape)
        return f"{self._table.identity()} {mine}"


class EncodedRecords(TableRecords):
    """Rows of a table as encoded inputs, a target, and weights of one or zero.

    One table serves twice: for training, rows that validate have weight zero, and the
    other way round. Rows without a target have weight zero in both.

    Parameters
    ----------
    table : Table
        The table.
    encoder : TableEncoder
        Fitted.
    target : TargetCode
        What becomes of the target column.
    split : Split, optional
        Without one, all rows train.
    role : int, default=TRAINS
        Which rows have weight one.
    """

    weighted = True
    fresh = True

    def __init__(
        self,
        table: Table,
        encoder: TableEncoder,
        target: TargetCode,
        *,
        split: Split | None = None,
        role: int = TRAINS,
    ) -> None:
        names = [column.name for column in encoder.columns_]
        super().__init__(table, names, target=target.name, split=split)
        self._encoder, self._code, self._role = encoder, target, role
        self.shape = (table.n_rows, len(encoder.get_feature_names_out()))
        self._step = plan_rows(self.shape[1])

    def stream(self) -> Iterator[Record]:
        """Yield ``(rows, inputs, target, weights)`` in blocks that no file cuts."""
        n_rows, n_cols = self.shape
        step = min(self._step, n_rows)
        # The encoded rows may be many times wider than those of the table.
        most = min(step, plan_rows(len(self._read), 8, CACHE_BYTES))
        A = np.empty((step, n_cols))
        B, weights = np.zeros((step, 1)), np.empty(step)
        done = filled = 0
        for rows, batch, roles in self._batches(most):
            inputs = self._encoder.encode(batch, self._start + rows.start)
            targets = self._code(batch[self._code.name])
            at = 0
            while at < len(inputs):
                n = min(step - filled, len(inputs) - at)
                here, there = slice(filled, filled + n), slice(at, at + n)
                A[here], B[here, 0] = inputs[there], targets[there]
                weights[here] = roles[there] == self._role
                at, filled = at + n, filled + n
                if filled == step or done + filled == n_rows:
                    yield slice(done, done + filled), A[:filled], B[:filled], weights[:filled]
                    done, filled = done + filled, 0

    def taken(self, index: Array) -> Records:
        """Return some rows, held in memory: one pass."""
        parts = []
        for rows, A, B, weights in self.stream():
            low, high = np.searchsorted(index, [rows.start, rows.stop])
            some = index[low:high] - rows.start
            assert weights is not None
            parts.append((A[some], B[some], weights[some]))
        A, B, w = (np.concatenate([part[at] for part in parts]) for at in range(3))
        return HeldRecords(as_row_blocks(A), B, w)

    def identity(self) -> str:
        """Return that of the table, encoder and target, and what tells the rows apart."""
        learnt = _digest(repr((self._encoder.to_dict(), self._code.labels))).hex()
        return f"{super().identity()} {learnt} {self._role}"


@dataclass(frozen=True)
class TargetCode:
    """What becomes of a target column: numbers, or the numbers of its classes.

    Attributes
    ----------
    name : str
        The column.
    codes : dict or None
        Number of each value of a column of classes; None for numbers to learn. Missing and
        other values become zero.
    labels : array or None
        What the numbers of classes stand for, ascending.
    """

    name: str
    codes: dict[Any, float] | None = None
    labels: Array | None = None

    def __call__(self, values: Array) -> Array:
        """Return the target as finite numbers, shape (n_rows,)."""
        if self.codes is None:
            numbers = numbers_of(self.name, values)[1]
            return np.where(np.isnan(numbers), 0.0, numbers)
        if values.dtype.kind in "iuf":
            values = values.astype(np.float64)
        codes = self.codes
        return np.array([codes.get(value, 0.0) for value in values.tolist()])


def _content_hashes(batch: Mapping[str, Array], kinds: Mapping[str, str]) -> Array:
    """Return a hash of the values of each row, the same whatever batch the row is in."""
    names = sorted(batch)
    bits = np.empty((len(batch[names[0]]), len(names)), dtype=np.uint64)
    for at, name in enumerate(names):
        if kinds[name] in _NUMBERS:
            numbers = numbers_of(name, batch[name], wanted=kinds[name])[1] + 0.0
            numbers[np.isnan(numbers)] = np.nan  # one of many patterns of bits
            bits[:, at] = numbers.view(np.uint64)
        else:
            values = batch[name].tolist()
            different = list(set(values))
            known = dict(zip(different, _text_hashes(different), strict=True))
            bits[:, at] = [known[value] for value in values]
    return row_hashes(bits.view(np.float64))


def _text_hashes(values: list[Any]) -> list[int]:
    """Return a hash of each value as text, 0 for missing ones."""
    digests = [
        _digest(value)
        if type(value) is str  # by far the most frequent case
        else (bytes(8) if is_missing(value) else _digest(text_of(value)))
        for value in values
    ]
    hashes: list[int] = np.frombuffer(b"".join(digests), "<u8").tolist()
    return hashes


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
