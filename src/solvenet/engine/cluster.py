"""The engine of a Dask cluster: workers may die, the result stays the same."""

from __future__ import annotations

import asyncio
import concurrent.futures
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from solvenet._validation import import_optional
from solvenet.engine._base import Engine
from solvenet.engine.local import with_one_thread
from solvenet.errors import EngineError

LOST = (
    "The connection to the Dask scheduler is lost. Start a cluster and call again; with "
    "checkpoint= the work goes on where it was."
)


class DaskEngine(Engine):
    """The workers of a ``dask.distributed`` cluster.

    Parameters
    ----------
    client : distributed.Client or str
        A client, or the address of a scheduler such as ``"tcp://10.0.0.1:8786"``. Clusters
        on SLURM, Kubernetes or SSH come from Dask's own deployments.

    Notes
    -----
    A worker gets one part a thread at a time and hands its summary over before the next, so
    a worker that dies costs the parts it was computing. Those are computed again by
    another, and merged once. Parts of files are read by the worker: the paths must be
    valid there.
    """

    def __init__(self, client: Any) -> None:
        distributed = _distributed()
        if isinstance(client, str):
            try:
                client = distributed.Client(client, set_as_default=False)
            except OSError as error:
                msg = (
                    f"There is no Dask scheduler at {client!r} ({error}). Give the address "
                    "that `dask scheduler` prints, such as tcp://10.0.0.1:8786."
                )
                raise EngineError(msg) from error
        self.client = client

    @property
    def n_slots(self) -> int:
        """Threads of all workers that are there now."""
        return max(1, int(sum(self.client.nthreads().values())))

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """Send the function to a worker."""
        with warnings.catch_warnings():
            # Dask advises to scatter large parts; those could not be made again.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self.client.submit(with_one_thread, function, *args, pure=False)

    def first_done(self, handles: Sequence[Any]) -> Any:
        """Wait for one of the handles."""
        with _as_engine_error():
            _distributed().wait(handles, return_when="FIRST_COMPLETED")
        return next(handle for handle in handles if handle.done())

    def gather(self, handles: Sequence[Any]) -> list[Any]:
        """Fetch the results, which leave the workers."""
        with _as_engine_error():
            results = [handle.result() for handle in handles]
        for handle in handles:
            handle.release()
        return results

    def cancel(self, handles: Sequence[Any]) -> None:
        """Tell the workers to stop."""
        if handles and self.client.status == "running":
            self.client.cancel(handles)


@contextmanager
def _as_engine_error() -> Iterator[None]:
    """Say what the failures of a cluster mean."""
    distributed = _distributed()
    try:
        yield
    except distributed.KilledWorker as error:
        msg = (
            f"A part of the data killed every worker that tried it ({error}). Their memory "
            "is most likely too small: give the workers more, or lower memory_limit."
        )
        raise EngineError(msg) from error
    except (
        asyncio.CancelledError,
        concurrent.futures.CancelledError,
        distributed.comm.CommClosedError,
    ) as error:
        raise EngineError(LOST) from error


def _distributed() -> Any:
    return import_optional("distributed", extra="dask", purpose="A Dask cluster")
