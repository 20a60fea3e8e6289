"""What a matrix is: something that hands out row blocks."""

from solvenet.blocks._base import Columns, RowBlocks
from solvenet.blocks.arrays import ArrayBlocks, as_row_blocks
from solvenet.blocks.joined import SplitRecords, ZippedRecords
from solvenet.blocks.lazy import (
    Centered,
    MappedBlocks,
    OnePassBlocks,
    Scaled,
    Weighted,
    WithIntercept,
)
from solvenet.blocks.operators import OperatorBlocks
from solvenet.blocks.planning import FeaturePlan, plan_features, rows_per_block
from solvenet.blocks.records import HeldRecords, MappedRecords, Records
from solvenet.blocks.spill import free_bytes, spilled

__all__ = [
    "ArrayBlocks",
    "Centered",
    "Columns",
    "FeaturePlan",
    "HeldRecords",
    "MappedBlocks",
    "MappedRecords",
    "OnePassBlocks",
    "OperatorBlocks",
    "Records",
    "RowBlocks",
    "Scaled",
    "SplitRecords",
    "Weighted",
    "WithIntercept",
    "ZippedRecords",
    "as_row_blocks",
    "free_bytes",
    "plan_features",
    "rows_per_block",
    "spilled",
]
