"""Where passes run: a loop, threads, processes, a cluster. One code path, one answer.

An engine is three functions: ``submit`` a function of a part of the data, ``gather`` results,
and ``tree_reduce``, which merges the summaries of parts in an order that is fixed by their
numbers.
"""

from typing import Any

from solvenet._validation import check_choice
from solvenet.engine._base import Engine
from solvenet.engine.checkpoint import Checkpoint
from solvenet.engine.cluster import DaskEngine
from solvenet.engine.local import ProcessEngine, SerialEngine, ThreadEngine
from solvenet.engine.run import Run, part_bounds
from solvenet.engine.tree import MergeTree
from solvenet.errors import InvalidSettingError

ENGINES = {"serial": SerialEngine, "threads": ThreadEngine, "processes": ProcessEngine}
"""Names of the engines that need nothing else."""

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
]


def as_engine(engine: Any) -> Engine | None:
    """Return an engine: by name, as given, or of a Dask client; None stays None.

    Parameters
    ----------
    engine : {"serial", "threads", "processes"}, Engine, distributed.Client or None
        A Dask client stands for its cluster.
    """
    if engine is None or isinstance(engine, Engine):
        return engine
    if isinstance(engine, str):
        made: Engine = ENGINES[check_choice("engine", engine, ENGINES)]()
        return made
    if hasattr(engine, "submit") and hasattr(engine, "scheduler_info"):
        return DaskEngine(engine)
    msg = (
        f"engine={engine!r} was given; one of {', '.join(sorted(ENGINES))}, an Engine or a "
        "dask.distributed Client is wanted."
    )
    raise InvalidSettingError(msg)
