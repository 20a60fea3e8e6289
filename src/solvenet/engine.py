"""Where reductions run: rows are dealt to stripes, stripes run on threads.

Block number i belongs to stripe ``i mod STRIPES`` whatever the number of threads, and
stripes merge in order: the result has the same bits on one thread and on many.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from solvenet.reductions import Reduction

STRIPES = 2
"""Reductions that run side by side; BLAS shares the other cores among them."""

_AHEAD = 1

R = TypeVar("R", bound=Reduction)
T = TypeVar("T")


def reduce_rows(make: Callable[[], R], work: Callable[[R, T], None], tasks: Iterable[T]) -> R:
    """Reduce the rows of many tasks to one summary.

    Parameters
    ----------
    make : callable
        Returns an empty reduction.
    work : callable
        Adds the rows of one task to a reduction; runs on a thread.
    tasks : iterable
        Taken one after the other, and not faster than they are worked off.

    Returns
    -------
    Reduction
        The merged summary.

    Notes
    -----
    *Memory:* `STRIPES` reductions and twice as many tasks.
    """
    stripes = [make() for _ in range(STRIPES)]
    threads = min(STRIPES, os.cpu_count() or 1)
    pools = [ThreadPoolExecutor(1) for _ in range(threads)]
    waiting: deque[Future[None]] = deque()
    try:
        with _blas().limit(limits=_blas_threads(threads), user_api="blas"):
            for number, task in enumerate(tasks):
                if len(waiting) >= threads * (1 + _AHEAD):
                    waiting.popleft().result()
                k = number % STRIPES
                waiting.append(pools[k % threads].submit(work, stripes[k], task))
            while waiting:
                waiting.popleft().result()
    finally:
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)
    for stripe in stripes[1:]:
        stripes[0].merge(stripe)
    return stripes[0]


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def _blas_threads(threads: int) -> int:
    """Return the share of BLAS threads of each stripe, at most what was set before."""
    allowed = max((int(pool["num_threads"]) for pool in _blas().info()), default=1)
    return max(1, allowed // threads)
