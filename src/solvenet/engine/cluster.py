"""The engine of a Dask cluster: workers may die, the result stays the same."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import importlib.util
import pickle
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from solvenet._validation import check_nonnegative, import_optional
from solvenet.engine._base import Engine
from solvenet.engine.local import with_one_thread
from solvenet.errors import EngineError

LOST = (
    "The connection to the Dask scheduler is lost, or its work was cancelled. Start a cluster "
    "and call again; with checkpoint= the work goes on where it was."
)

UNLOADED = (
    "The cluster cannot load what it was sent ({error}). Scheduler and workers need the same "
    "packages as this process, solvenet among them, and modules that they can import."
)

PACKAGE = __name__.partition(".")[0]

REACHED_WITHIN = 2.0
"""Seconds for the first connection to a worker."""

LOOK_EVERY, ASK_EVERY = 2.0, 0.5
"""Seconds between two looks at whether there are workers, and between two questions of how
many at most."""


class DaskEngine(Engine):
    """The workers of a ``dask.distributed`` cluster.

    Parameters
    ----------
    client : distributed.Client or str
        A client, or the address of a scheduler such as ``"tcp://10.0.0.1:8786"``. Clusters
        on SLURM, Kubernetes or SSH come from Dask's own deployments.
    patience : float, default=600.0
        Seconds to wait for a worker where there is none, because all are being started
        (again) or wait in a queue.

    Notes
    -----
    A worker gets one part a thread at a time and hands its summary over before the next, so
    a worker that dies costs the parts it was computing. Those are computed again by
    another, and merged once. Parts of files are read by the worker: the paths must be
    valid there.
    """

    elsewhere = True

    def __init__(self, client: Any, *, patience: float = 600.0) -> None:
        distributed = _distributed()
        self.patience = check_nonnegative("patience", patience)
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
        self._open: bool | None = None
        self._asked = -ASK_EVERY
        self._known: dict[str, int] = {}
        self._checked: set[str] = set()

    @property
    def n_slots(self) -> int:
        """Threads of all workers that are there now."""
        return self.slots()

    def slots(self, most: int | None = None) -> int:
        """Return the same where each worker's memory holds `most` summaries."""
        return max(1, sum(min(threads, most or threads) for threads in self._workers().values()))

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """Send the function to a worker."""
        try:
            # As bytes: a worker that cannot load a message of Dask itself falls silent.
            sent = importlib.import_module("cloudpickle").dumps((function, args))
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            msg = (
                f"The work cannot be sent to workers ({error}). What it holds must be "
                "picklable: functions at the top of a module, sources that open files when "
                "they are read, no locks and no open files."
            )
            raise EngineError(msg) from error
        with warnings.catch_warnings(), _as_engine_error():
            # Dask advises to scatter large parts; those could not be made again.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self.client.submit(run_sent, sent, pure=False)

    def first_done(self, handles: Sequence[Any]) -> Any:
        """Wait for one of the handles."""
        seen = time.monotonic()
        while True:
            with _as_engine_error(), self.client.as_current():
                try:
                    _distributed().wait(handles, LOOK_EVERY, return_when="FIRST_COMPLETED")
                except TimeoutError:
                    if self._workers():
                        seen = time.monotonic()
            # None is done where the worker died that held the only one: it is computed again.
            for handle in handles:
                if handle.done():
                    return handle
            if time.monotonic() - seen > self.patience:
                msg = (
                    f"The Dask cluster has had no worker for {self.patience:g} s. Start workers "
                    "and call again, or allow more time: DaskEngine(client, patience=seconds)."
                )
                raise EngineError(msg)

    def gather(self, handles: Sequence[Any]) -> list[Any]:
        """Fetch the results, which leave the workers."""
        with _as_engine_error():
            results: list[Any] = self.client.gather(list(handles), direct=self._direct())
        for handle in handles:
            handle.release()
        return results

    def _direct(self) -> bool | None:
        """Tell whether results come straight from the workers: half the way, where it is open.

        Otherwise, or where it was closed since, they come through the scheduler.
        """
        if self._open is None:
            workers = self._workers()
            if not workers:
                return None
            self._open = False
            with suppress(OSError, ValueError, NotImplementedError):  # no network, no port
                comm = _distributed().comm
                address = comm.get_address_host_port(next(iter(workers)))
                socket.create_connection(address, timeout=REACHED_WITHIN).close()
                self._open = True
        return self._open or None

    def cancel(self, handles: Sequence[Any]) -> None:
        """Tell the workers to stop."""
        if handles and self.client.status == "running":
            with suppress(OSError):  # the scheduler is gone, and its work with it
                self.client.cancel(handles)

    def _workers(self) -> dict[str, int]:
        """Return the threads of each worker; those last known while nobody answers."""
        if self.client.status == "closed":
            raise EngineError(LOST)
        if time.monotonic() - self._asked > ASK_EVERY:
            with suppress(OSError):
                self._known = dict(self.client.nthreads())
                self._check(set(self._known) - self._checked)
            self._asked = time.monotonic()
        return self._known

    def _check(self, workers: set[str]) -> None:
        """Refuse workers without this package, on which the work would wait for ever."""
        if workers:
            find = importlib.util.find_spec
            found = self.client.run(find, PACKAGE, workers=list(workers), on_error="ignore")
            for address, spec in found.items():
                if spec is None:
                    raise EngineError(UNLOADED.format(error=f"no {PACKAGE} at {address}"))
            self._checked |= set(found)


def run_sent(sent: bytes) -> Any:
    """Call what :meth:`DaskEngine.submit` has sent."""
    try:
        function, args = pickle.loads(sent)
    except (ImportError, AttributeError) as error:
        raise EngineError(UNLOADED.format(error=error)) from error
    return with_one_thread(function, *args)


@contextmanager
def _as_engine_error() -> Iterator[None]:
    """Say what the failures of a cluster mean."""
    distributed = _distributed()
    try:
        yield
    except distributed.KilledWorker as error:
        msg = (
            f"A part of the data killed every worker that tried it ({error}). Most likely their "
            "memory is too small: give the workers more, or lower memory_limit. Dask's setting "
            "distributed.scheduler.allowed-failures says how many a part may kill."
        )
        raise EngineError(msg) from error
    except RuntimeError as error:
        if "deserialization" not in str(error):
            raise
        told = f"its scheduler says: {error.__cause__ or error}"
        raise EngineError(UNLOADED.format(error=told)) from error
    except (
        asyncio.CancelledError,
        concurrent.futures.CancelledError,
        distributed.comm.CommClosedError,
    ) as error:
        raise EngineError(LOST) from error


def _distributed() -> Any:
    return import_optional("distributed", extra="dask", purpose="A Dask cluster")
