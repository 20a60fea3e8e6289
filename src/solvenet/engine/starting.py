"""From what a user names (a word, a client, a folder) to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvenet._validation import check_choice
from solvenet.engine._base import Engine
from solvenet.engine.checkpoint import Checkpoint
from solvenet.engine.cluster import DaskEngine
from solvenet.engine.local import ProcessEngine, SerialEngine, ThreadEngine
from solvenet.engine.run import Run
from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet.blocks import Records

ENGINES: dict[str, type[Engine]] = {
    "serial": SerialEngine,
    "threads": ThreadEngine,
    "processes": ProcessEngine,
}
"""Names of the engines that need nothing else."""


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
        return ENGINES[check_choice("engine", engine, ENGINES)]()
    if hasattr(engine, "submit") and hasattr(engine, "scheduler_info"):
        return DaskEngine(engine)
    msg = (
        f"engine={engine!r} was given; one of {', '.join(sorted(ENGINES))}, an Engine or a "
        "dask.distributed Client is wanted."
    )
    raise InvalidSettingError(msg)


def start_run(
    records: Records | None, engine: Any, checkpoint: Any, memory: int | None, settings: Any
) -> Run:
    """Return a run on an engine; its checkpoint, if any, is begun.

    A run in place of the engine is shared with other work: whoever made it begins and ends
    its checkpoint.
    """
    if isinstance(engine, Run):
        return engine
    made = as_engine(engine)
    kept = checkpoint
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        kept = Checkpoint(checkpoint)
    if kept is not None and records is not None:
        kept.begin({"data": records.identity(), "settings": str(settings)})
    return Run(engine=made, checkpoint=kept, memory_limit=memory)
