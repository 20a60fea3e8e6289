"""From bytes to rows: how large a block may be, and whether features are kept."""

from __future__ import annotations

from dataclasses import dataclass

from solvenet.errors import MemoryLimitError

BLOCK_BYTES = 16 * 2**20
"""Bytes of an ordinary block: large enough for BLAS, small beside any machine."""

KEEP_BYTES = 2**30
"""Feature matrices above this are recomputed block by block rather than kept."""

CACHE_BYTES = 4 * 2**20
"""Blocks of this size stay in a processor's cache between one operation and the next."""

DISK_MARGIN = 2
"""Features are spilled where so many times their size is free."""

MINIMUM_ROWS = 64

WIDE_ROWS = 512
"""Rows of a block however many columns: fewer spend more on reading the Gram matrix."""

BLOCKS_AT_ONCE = 6
"""Blocks that exist at the same time: a block of features, its inputs and its copies."""

STATE_TRIANGLES, LEAST_TRIANGLES = 12, 1.1
"""Size of the largest solver state and of the smallest of a wide matrix, that of the normal
equations, in squares of the number of columns."""

WIDE_COLUMNS = 700
"""Columns from which on the normal equations need no more than that."""

ROWS_TO_CHOOSE_BY, LEAST_TO_CHOOSE_BY = 2000, 400
"""Most rows by which a regularisation is chosen, and how many where each is expensive."""


def rows_per_block(n_cols: int, itemsize: int = 8, block_bytes: int = BLOCK_BYTES) -> int:
    """Return how many rows of `n_cols` numbers fit into `block_bytes` (at least one)."""
    return max(1, block_bytes // max(1, n_cols * itemsize))


def _feature_rows(n_cols: int, block_bytes: int) -> int:
    """Return the rows of a block of features: within the cache, yet half as many as columns.

    Shorter blocks would spend more on reading the Gram matrix than on adding to it.
    """
    cached = rows_per_block(n_cols, 8, CACHE_BYTES)
    return max(1, min(rows_per_block(n_cols, 8, block_bytes), max(cached, n_cols // 2)))


@dataclass(frozen=True)
class FeaturePlan:
    """How a feature matrix is held while it is solved.

    Attributes
    ----------
    hold : {"memory", "disk", "recompute"}
        Whether the whole matrix is kept in memory, is written to a file that is mapped into
        memory, or is computed anew in each pass.
    rows_per_block : int
        Rows of a block.
    peak_bytes : int
        Memory of the solve beyond the data: solver state, blocks, kept features.
    reason : str
        Why, in words.
    """

    hold: str
    rows_per_block: int
    peak_bytes: int
    reason: str


def plan_features(
    n_rows: int,
    n_cols: int,
    n_targets: int = 1,
    *,
    n_layers: int = 1,
    memory_limit: int | None = None,
    n_passes: int = 1,
    free_disk: int = 0,
) -> FeaturePlan:
    """Decide between keeping the features, spilling them to disk, and recomputing them.

    Parameters
    ----------
    n_rows, n_cols, n_targets : int
        Shape of the feature matrix, and the number of right-hand sides.
    n_layers : int, default=1
        Hidden layers that a recomputation passes through. One layer is always computed
        anew: that is faster than memory that is touched for the first time, and than a disk.
    memory_limit : int, optional
        Bytes that the solve may take beyond the data. By default a matrix of up to
        1 GiB may be kept.
    n_passes : int, default=1
        Passes that the solver makes. What is read once is not written first.
    free_disk : int, default=0
        Bytes that may be written.

    Returns
    -------
    FeaturePlan
        The decision with its reason.

    Raises
    ------
    MemoryLimitError
        If not even the state of a one-pass solver and a few small blocks fit.
    """
    # The largest state is that of QR: a triangle, rows that wait to be factored with it,
    # both stacked, and the SVD. Rows are kept to choose the regularisation by.
    state = _state_bytes(n_rows, n_cols, n_targets, STATE_TRIANGLES)
    matrix = 8 * n_rows * n_cols
    block = max(BLOCK_BYTES, 8 * n_cols * WIDE_ROWS)
    least = BLOCKS_AT_ONCE * 8 * n_cols * min(MINIMUM_ROWS, n_rows)
    limit = memory_limit
    if limit is None:
        limit = state + BLOCKS_AT_ONCE * block + KEEP_BYTES
    elif n_cols >= WIDE_COLUMNS and state + least > limit:
        state = _state_bytes(n_rows, n_cols, n_targets, LEAST_TRIANGLES)
    smallest = state + least
    if smallest > limit:
        msg = (
            f"memory_limit is {limit / 1e6:.1f} MB, but {n_cols} columns need at least "
            f"{smallest / 1e6:.1f} MB (solver state and blocks of {MINIMUM_ROWS} rows). "
            "Raise the limit or use fewer neurons."
        )
        raise MemoryLimitError(msg)
    block = min(block, max(1, (limit - state) // BLOCKS_AT_ONCE))
    rows = min(_feature_rows(n_cols, block), max(1, n_rows))
    streaming = state + BLOCKS_AT_ONCE * 8 * n_cols * rows
    if n_layers == 1:
        reason = "features of one layer are computed anew in each pass, which costs little"
        return FeaturePlan("recompute", rows, streaming, reason)
    if streaming + matrix <= limit:
        reason = f"features kept: {matrix / 1e6:.0f} MB fit into {limit / 1e6:.0f} MB"
        return FeaturePlan("memory", rows, streaming + matrix, reason)
    too_large = f"{matrix / 1e6:.0f} MB do not fit into {limit / 1e6:.0f} MB"
    on_disk = 8 * n_rows * (n_cols + n_targets + 1)
    if n_passes > 1 and DISK_MARGIN * on_disk <= free_disk:
        reason = (
            f"features of {n_layers} layers written to disk ({on_disk / 1e9:.1f} GB) and read "
            f"{n_passes} times: {too_large}, and computing them costs more than reading"
        )
        return FeaturePlan("disk", rows, streaming, reason)
    why = "they are read once" if n_passes == 1 else "there is no room on disk"
    reason = f"features recomputed in blocks of {rows} rows: {too_large}, and {why}"
    return FeaturePlan("recompute", rows, streaming, reason)


def _state_bytes(n_rows: int, n_cols: int, n_targets: int, triangles: float) -> int:
    """Return the bytes of a solver's state, and of the rows kept to choose by."""
    width = n_cols + n_targets + 1
    most = ROWS_TO_CHOOSE_BY if n_cols < WIDE_COLUMNS else LEAST_TO_CHOOSE_BY
    return int(8 * width * (triangles * width + 3 * min(n_rows, most)))
