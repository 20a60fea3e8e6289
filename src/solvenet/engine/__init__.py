"""Where passes run: a loop, threads, processes, a cluster. One code path, one answer.

An engine is three functions: ``submit`` a function of a part of the data, ``gather`` results,
and ``tree_reduce``, which merges the summaries of parts in an order that is fixed by their
numbers.
"""

from solvenet.engine._base import Engine
from solvenet.engine.checkpoint import Checkpoint
from solvenet.engine.cluster import DaskEngine
from solvenet.engine.local import ProcessEngine, SerialEngine, ThreadEngine
from solvenet.engine.run import Run, part_bounds
from solvenet.engine.starting import ENGINES, as_engine, start_run
from solvenet.engine.tree import MergeTree

__all__ = [
    "ENGINES",
    "Checkpoint",
    "DaskEngine",
    "Engine",
    "MergeTree",
    "ProcessEngine",
    "Run",
    "SerialEngine",
    "ThreadEngine",
    "as_engine",
    "part_bounds",
    "start_run",
]
