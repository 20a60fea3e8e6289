"""Parquet: tables whose row groups are read one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import import_optional
from solvenet.errors import InvalidDataError
from solvenet.sources.arrow import dtype_of, to_numpy
from solvenet.sources.files import PathLike, StoredFile, find_files
from solvenet.sources.parts import FileTable, damaged, is_damage, joined_types

if TYPE_CHECKING:
    from solvenet._array_api import Array

BUFFER_BYTES = 2**20
"""Column chunks are read through buffers of at most this size, and never as a whole."""

ALL_BUFFERS = 2**25
"""Bytes of all buffers together, while they are no smaller than 64 kB."""


class ParquetTable(FileTable):
    """A table in Parquet files.

    Only the footers are read when it is opened; values are read a few megabytes at a time,
    the columns that are asked for and no others. The memory this takes does not depend on
    the size of a row group: some 50 MB, and for hundreds of columns 2 MB for each of them
    (its dictionary and a page).

    Parameters
    ----------
    paths : path or sequence of path
        A file, a folder (all ``*.parquet`` in and below it, sorted by name), a pattern such
        as ``"data/2024-*.parquet"``, or a list of these. Columns are matched by name. Values
        in names of folders (``year=2024/``) are no columns.

    Raises
    ------
    OSError
        A file is missing or may not be read.
    InvalidDataError
        A file is damaged, has no rows or two columns of one name, or two files differ in
        their columns: the file is named.
    MissingExtraError
        pyarrow is not installed.

    Notes
    -----
    A range that begins inside a row group decodes that group from its beginning; cut at
    :meth:`cuts` where there is a choice.

    Files with checksums of their pages (``pyarrow.parquet.write_table(...,
    write_page_checksum=True)``) are checked against them. Without these, a value that was
    altered on the disk reads as another value, which no one can notice.
    """

    format = "Parquet"
    part = "row group"

    def __init__(self, paths: PathLike | Sequence[PathLike]) -> None:
        files = [StoredFile.of(path) for path in find_files(paths, (".parquet", ".pq"))]
        schemas, rows = [], []
        for file in files:
            schema, counts = _read_footer(file)
            schemas.append(schema)
            rows.append(counts)
        super().__init__(files, list(schemas[0]), joined_types(files, schemas), rows)

    @contextmanager
    def _open(self, file: int, columns: list[str]) -> Iterator[Any]:
        arrow = import_optional("pyarrow", extra="disk", purpose="Reading Parquet")
        buffer = min(max(ALL_BUFFERS // len(columns), 2**16), BUFFER_BYTES)
        with _open_parquet(self.files[file].path, buffer) as handle:
            try:
                yield handle
            finally:
                # Otherwise the pool keeps for itself what the largest batch has taken.
                arrow.default_memory_pool().release_unused()

    def _read(
        self, handle: Any, part: int, columns: list[str], start: int, stop: int, rows: int
    ) -> Iterator[dict[str, Array]]:
        at = 0
        # One thread: several readers share the processors by parts, not inside one.
        batches = handle.iter_batches(rows, row_groups=[part], columns=columns, use_threads=False)
        for batch in batches:
            low, high = max(start - at, 0), min(stop - at, batch.num_rows)
            at += batch.num_rows
            if low < high:
                wanted = batch.slice(low, high - low)
                yield {name: to_numpy(wanted.column(name)) for name in columns}
            if at >= stop:
                return


def _open_parquet(path: str, buffer: int = BUFFER_BYTES) -> Any:
    parquet = import_optional("pyarrow.parquet", extra="disk", purpose=f"Reading {path}")
    return parquet.ParquetFile(
        path, pre_buffer=False, buffer_size=buffer, page_checksum_verification=True
    )


def _read_footer(file: StoredFile) -> tuple[dict[str, np.dtype[Any] | None], Array]:
    """Return the types of the columns and the rows of each row group."""
    try:
        with _open_parquet(file.path) as handle:
            schema, facts = handle.schema_arrow, handle.metadata
            rows = [facts.row_group(g).num_rows for g in range(facts.num_row_groups)]
    except (OSError, ValueError) as error:
        if not is_damage(error):
            raise
        raise damaged(file.path, "Parquet", error) from error
    # pandas stores the row labels of a frame beside its columns.
    names = [name for name in schema.names if not name.startswith("__index_level_")]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"{file.path} has more than one column {repeated[0]!r}. Rename one of them."
        raise InvalidDataError(msg)
    if not names:
        msg = f"{file.path} has no columns; at least one is wanted."
        raise InvalidDataError(msg)
    types = {name: dtype_of(schema.field(name).type) for name in names}
    return types, np.array(rows, dtype=np.int64)
