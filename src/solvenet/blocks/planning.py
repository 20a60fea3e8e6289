"""From bytes to rows: how large a block may be, and whether features are kept."""

from __future__ import annotations

from dataclasses import dataclass

from solvenet.errors import MemoryLimitError

BLOCK_BYTES = 32 * 2**20
"""Bytes of an ordinary block: large enough for BLAS, small beside any machine."""

KEEP_BYTES = 2**30
"""Feature matrices above this are recomputed block by block rather than kept."""

MINIMUM_ROWS = 64


def rows_per_block(n_cols: int, itemsize: int = 8, block_bytes: int = BLOCK_BYTES) -> int:
    """Return how many rows of `n_cols` numbers fit into `block_bytes` (at least one)."""
    return max(1, block_bytes // max(1, n_cols * itemsize))


@dataclass(frozen=True)
class FeaturePlan:
    """How a feature matrix is held while it is solved.

    Attributes
    ----------
    keep : bool
        Whether the whole matrix is kept; otherwise each pass computes it anew.
    rows_per_block : int
        Rows of a block.
    peak_bytes : int
        Memory of the solve beyond the data: solver state, blocks, kept features.
    reason : str
        Why, in words.
    """

    keep: bool
    rows_per_block: int
    peak_bytes: int
    reason: str


def plan_features(
    n_rows: int, n_cols: int, n_targets: int = 1, *, memory_limit: int | None = None
) -> FeaturePlan:
    """Decide between keeping the features and recomputing them block by block.

    Parameters
    ----------
    n_rows, n_cols, n_targets : int
        Shape of the feature matrix, and the number of right-hand sides.
    memory_limit : int, optional
        Bytes that the solve may take beyond the data. By default a matrix of up to
        1 GiB is kept.

    Returns
    -------
    FeaturePlan
        The decision with its reason.

    Raises
    ------
    MemoryLimitError
        If not even the state of a one-pass solver and two small blocks fit.
    """
    # Gram matrix or triangular factor, its working copy and the eigenvectors.
    state = 8 * 4 * (n_cols + n_targets + 1) ** 2
    matrix = 8 * n_rows * n_cols
    limit = state + 4 * BLOCK_BYTES + KEEP_BYTES if memory_limit is None else memory_limit
    smallest = state + 3 * 8 * n_cols * min(MINIMUM_ROWS, n_rows)
    if smallest > limit:
        msg = (
            f"memory_limit is {limit / 1e6:.0f} MB, but {n_cols} columns need at least "
            f"{smallest / 1e6:.0f} MB (solver state and three blocks of {MINIMUM_ROWS} "
            "rows). Raise the limit or use fewer neurons."
        )
        raise MemoryLimitError(msg)
    # A block, its centred copy and the next one exist at the same time.
    block = min(BLOCK_BYTES, max(1, (limit - state) // 3))
    rows = min(rows_per_block(n_cols, 8, block), max(1, n_rows))
    streaming = state + 3 * 8 * n_cols * rows
    if streaming + matrix <= limit:
        return FeaturePlan(
            keep=True,
            rows_per_block=rows,
            peak_bytes=streaming + matrix,
            reason=(
                f"features kept: {matrix / 1e6:.0f} MB fit into the limit of "
                f"{limit / 1e6:.0f} MB"
            ),
        )
    return FeaturePlan(
        keep=False,
        rows_per_block=rows,
        peak_bytes=streaming,
        reason=(
            f"features recomputed in blocks of {rows} rows: {matrix / 1e6:.0f} MB do not "
            f"fit into the limit of {limit / 1e6:.0f} MB"
        ),
    )
