"""Where rows come from, when they are not an array in memory."""

from solvenet.sources._base import Table
from solvenet.sources.blocks import TableBlocks
from solvenet.sources.csv import CSVTable
from solvenet.sources.dask import DaskBlocks, DaskTable
from solvenet.sources.hdf5 import HDF5Blocks
from solvenet.sources.iterables import IterableBlocks, iterable_blocks
from solvenet.sources.memory import MemoryTable
from solvenet.sources.npy import NpyBlocks, NpyTable
from solvenet.sources.opening import open_source, open_table
from solvenet.sources.parquet import ParquetTable
from solvenet.sources.parts import FileTable
from solvenet.sources.sparse import SparseBlocks
from solvenet.sources.stored import StoredBlocks
from solvenet.sources.training import TrainingSource, is_source, open_inputs, open_training
from solvenet.sources.zarr import ZarrBlocks

__all__ = [
    "CSVTable",
    "DaskBlocks",
    "DaskTable",
    "FileTable",
    "HDF5Blocks",
    "IterableBlocks",
    "MemoryTable",
    "NpyBlocks",
    "NpyTable",
    "ParquetTable",
    "SparseBlocks",
    "StoredBlocks",
    "Table",
    "TableBlocks",
    "TrainingSource",
    "ZarrBlocks",
    "is_source",
    "iterable_blocks",
    "open_inputs",
    "open_source",
    "open_table",
    "open_training",
]
