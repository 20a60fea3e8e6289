"""Where rows come from, when they are not an array in memory."""

from solvenet.sources._base import Table
from solvenet.sources.blocks import TableBlocks
from solvenet.sources.csv import CSVTable
from solvenet.sources.hdf5 import HDF5Blocks
from solvenet.sources.memory import MemoryTable
from solvenet.sources.npy import NpyBlocks, NpyTable
from solvenet.sources.opening import open_source, open_table
from solvenet.sources.parquet import ParquetTable
from solvenet.sources.zarr import ZarrBlocks

__all__ = [
    "CSVTable",
    "HDF5Blocks",
    "MemoryTable",
    "NpyBlocks",
    "NpyTable",
    "ParquetTable",
    "Table",
    "TableBlocks",
    "ZarrBlocks",
    "open_source",
    "open_table",
]
