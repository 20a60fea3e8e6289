"""One pass over the rows of a problem, into a summary."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import check_finite
from solvenet.reductions import Reduction
from solvenet.solvers.factorization import KeptRows, ProblemFacts
from solvenet.solvers.problem import Problem

if TYPE_CHECKING:
    from solvenet._array_api import Array


class Pass(Reduction):
    """A summary of rows, with their number and some of them as they are.

    Parameters
    ----------
    inner : Reduction
        The summary.
    index : array of int, ascending
        Numbers of the rows that are kept.

    Attributes
    ----------
    inner : Reduction
        The summary.
    weight, n_positive : float
        Sum of the weights, and how many are positive.
    seconds : float
        Time of the pass.
    """

    def __init__(self, inner: Reduction, index: Array) -> None:
        self.inner = inner
        self.weight = 0.0
        self.n_positive = 0.0
        self.seconds = 0.0
        self._index = index
        self._A: list[Array] = []
        self._labels: list[Array] = []

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows."""
        check_finite(f"The targets from row {start} on", B)
        low, high = np.searchsorted(self._index, [start, start + len(A)])
        w = np.ones(len(A)) if weights is None else weights
        if low < high:
            here = self._index[low:high] - start
            self._A.append(A[here].astype(np.float64))
            self._labels.append(np.column_stack([B[here], w[here]]))
        self.weight += float(w.sum())
        self.n_positive += float(np.count_nonzero(w))
        self.inner.update(A, B, weights, start=start, overwrite=overwrite)

    def merge(self, other: Pass) -> None:
        """Add the rows of `other`, which come after these."""
        self.weight += other.weight
        self.n_positive += other.n_positive
        self._A += other._A
        self._labels += other._labels
        self.inner.merge(other.inner)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        kept = sum(rows.nbytes for rows in [*self._A, *self._labels])
        return self.inner.nbytes + kept

    def forget(self, share: float) -> None:
        """Multiply the weights of all rows so far by `share`."""
        self.weight *= share
        self.n_positive *= share
        self.inner.forget(share)

    def compact(self) -> None:
        """Make the summary small."""
        self.inner.compact()

    def kept(self, weights: Array | None) -> KeptRows:
        """Return the rows that were kept, those of weight zero left out."""
        A, labels = np.concatenate(self._A), np.concatenate(self._labels)
        w = labels[:, -1] if weights is None else weights
        counted = w > 0
        return KeptRows(A[counted], labels[counted, :-1], w[counted])

    def facts(
        self, problem: Problem, total_sumsq: Array, mean_A: Array, mean_B: Array
    ) -> ProblemFacts:
        """Return what a factorisation knows of the problem besides the matrix."""
        kept = None
        if isinstance(problem.choose_by, KeptRows):
            kept = problem.choose_by
        elif self._A:
            kept = self.kept(problem.rows_to_keep()[1])
        counted = (self.weight, self.n_positive)
        return problem.facts(total_sumsq, mean_A, mean_B, kept, counted=counted)


def one_pass(
    problem: Problem, make: Callable[[], Reduction], *, name: str, keep: bool = True
) -> Pass:
    """Read the rows once, into a summary that `make` makes empty.

    With `keep`, rows to choose by are kept where something is chosen by leave-one-out.
    """
    start = time.perf_counter()
    index = np.empty(0, dtype=np.int64)
    if keep and problem.chooses:
        index, _ = problem.rows_to_keep()
    done = problem.run.reduce(problem.records, partial(_make_pass, make, index), name=name)
    assert isinstance(done, Pass)
    done.seconds = time.perf_counter() - start
    return done


def _make_pass(make: Callable[[], Reduction], index: Array) -> Pass:
    return Pass(make(), index)


def keep_rows(problem: Problem, A: Array) -> KeptRows:
    """Return the rows to choose by of a matrix that is held."""
    if isinstance(problem.choose_by, KeptRows):
        return problem.choose_by
    index, weights = problem.rows_to_keep()
    if weights is None:
        weights = np.ones(len(index)) if problem.weights is None else problem.weights[index]
    return KeptRows(A[index], problem.B[index], weights)


class Together(Reduction):
    """Several summaries of the same rows, in one pass.

    Parameters
    ----------
    makers : sequence of callable
        Make the summaries empty.
    """

    def __init__(self, *makers: Callable[[], Reduction]) -> None:
        self.first = makers[0]()
        self.second = makers[1]()

    def update(self, A: Array, B: Array, weights: Array | None = None, **options: Any) -> None:
        """Add rows to both; the second may overwrite them."""
        self.first.update(A, B, weights, start=options.get("start", 0))
        self.second.update(A, B, weights, **options)

    def merge(self, other: Together) -> None:
        """Add the rows of `other`."""
        self.first.merge(other.first)
        self.second.merge(other.second)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self.first.nbytes + self.second.nbytes

    def compact(self) -> None:
        """Make both small."""
        self.first.compact()
        self.second.compact()
