"""Engines of one machine: a loop, threads, processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_info, threadpool_limits

from solvenet._validation import check_count
from solvenet.engine._base import Engine
from solvenet.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator


class SerialEngine(Engine):
    """One part after the other, in this process."""

    n_slots = 1

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run the function now."""
        done: Future[Any] = Future()
        done.set_result(function(*args))
        return done

    def gather(self, handles: Sequence[Future[Any]]) -> list[Any]:
        """Return the results."""
        return [handle.result() for handle in handles]

    def first_done(self, handles: Sequence[Future[Any]]) -> Future[Any]:
        """Return the first handle."""
        return handles[0]

    def running(self) -> AbstractContextManager[Any]:
        """Run parts with one BLAS thread, as every engine does."""
        return one_thread


class _PoolEngine(Engine):
    """What threads and processes share."""

    def __init__(self, n_workers: int | None = None) -> None:
        self._n_workers = None if n_workers is None else check_count("n_workers", n_workers)
        self._pool: Executor | None = None

    @property
    def n_slots(self) -> int:
        """Number of workers; by default the threads of the BLAS, or the processors."""
        return self._n_workers or blas_threads()

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Give the function to the pool."""
        assert self._pool is not None
        return self._pool.submit(function, *args)

    def gather(self, handles: Sequence[Future[Any]]) -> list[Any]:
        """Return the results."""
        return [handle.result() for handle in handles]

    def first_done(self, handles: Sequence[Future[Any]]) -> Future[Any]:
        """Wait for one of the handles."""
        done, _ = wait(handles, return_when=FIRST_COMPLETED)
        return next(handle for handle in handles if handle in done)

    def cancel(self, handles: Sequence[Future[Any]]) -> None:
        """Cancel what has not begun."""
        for handle in handles:
            handle.cancel()


class ThreadEngine(_PoolEngine):
    """Threads of this process; products and activations run outside Python's lock.

    Parameters
    ----------
    n_workers : int, optional
        By default as many as the BLAS would use.
    """

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run parts with one BLAS thread each."""
        n_workers = self.n_slots
        with one_thread, ThreadPoolExecutor(n_workers) as self._pool:
            self._n_workers, before = n_workers, self._n_workers
            try:
                yield
            finally:
                self._n_workers, self._pool = before, None


class ProcessEngine(_PoolEngine):
    """Processes of joblib's loky, for activations that hold Python's lock.

    Parameters
    ----------
    n_workers : int, optional
        By default as many as there are processors.

    Notes
    -----
    Every part is sent to a process: rows that are held in memory are copied, rows on disk
    are read there. A process that dies ends the work with :class:`solvenet.errors.EngineError`; the
    cluster engine goes on.
    """

    @property
    def n_slots(self) -> int:
        """Number of processes."""
        return self._n_workers or os.cpu_count() or 1

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run parts with one BLAS thread each."""
        from joblib.externals.loky import get_reusable_executor

        self._pool = get_reusable_executor(self.n_slots)
        try:
            yield
        finally:
            self._pool = None

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Send the function to a process."""
        return super().submit(with_one_thread, function, *args)

    def gather(self, handles: Sequence[Future[Any]]) -> list[Any]:
        """Return the results."""
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        try:
            return super().gather(handles)
        except TerminatedWorkerError as error:
            msg = (
                "A worker process died, which usually means that memory ran out. Use fewer "
                "workers, a smaller memory_limit, or a Dask cluster, whose workers are "
                "started again."
            )
            raise EngineError(msg) from error


class _OneThread:
    """A context with one BLAS thread, which several threads may be in at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limits = threadpool_limits(1, user_api="blas")
            self._inside += 1

    def __exit__(self, *details: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limits.restore_original_limits()


one_thread = _OneThread()
"""The bits of a product depend on the number of BLAS threads: parts have one each."""


def with_one_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function with one BLAS thread."""
    with one_thread:
        return function(*args)


def blas_threads() -> int:
    """Return the largest number of threads that a loaded BLAS uses."""
    used = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
    return max(used, default=1)
