"""Propose the smallest network, or elements, that reach an accuracy: by trying them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from solvenet._validation import check_count
from solvenet.analysis.candidates import PlanRows, Proposal, Try, candidates
from solvenet.analysis.modes import check_tolerance
from solvenet.errors import InvalidDataError

_SMALLEST = 8
_BISECTIONS = 2
_MUCH_LARGER = 8


@dataclass(frozen=True)
class NetworkPlan:
    """What reaches an accuracy, smallest first, and what does not.

    Attributes
    ----------
    tol : float
        Error that was wanted.
    proposals : tuple of Proposal
        All that reach it, by the numbers that they store.
    failed : tuple of Proposal
        The best of each kind that does not.
    """

    tol: float
    proposals: tuple[Proposal, ...]
    failed: tuple[Proposal, ...]

    @property
    def best(self) -> Proposal:
        """The smallest proposal that reaches the accuracy."""
        if not self.proposals:
            least = min((p.error for p in self.failed), default=math.inf)
            msg = (
                f"Nothing that was tried reaches tol={self.tol:g}; the least error is {least:.1e}. "
                "Give more rows, or a larger tol; diagnose() says what limits it."
            )
            raise InvalidDataError(msg)
        return self.proposals[0]

    def __str__(self) -> str:
        """Return the proposals, one a line."""
        reached = [f"reach {self.tol:g}:", *(f"  {p}" for p in self.proposals)]
        missed = ["do not:", *(f"  {p}" for p in self.failed)] if self.failed else []
        return "\n".join((reached if self.proposals else []) + missed)


def plan(
    f: Any,
    y: Any = None,
    *,
    tol: float = 1e-3,
    dimension: int = 1,
    max_size: int = 1000,
    random_state: int = 0,
) -> NetworkPlan:
    """Propose networks and elements that represent a function, or data, to an accuracy.

    Each kind is fitted in growing sizes by least squares to two thirds of the rows, until the
    others are met to `tol`; then its size is reduced by bisection.

    Parameters
    ----------
    f : callable or array-like of shape (n_rows, d)
        A function on [-1, 1]^d that takes an array of shape (m, d), or (m,) where d is 1, and
        returns (m,); or the rows of data, at least 64.
    y : array-like of shape (n_rows,), optional
        Targets, with data.
    tol : float, default=1e-3
        Root mean squared error wanted on rows that are not fitted, over the targets'
        standard deviation.
    dimension : int, default=1
        d, for a function.
    max_size : int, default=1000
        Most units, or nodes, to try; at most half of the rows that are fitted.
    random_state : int, default=0
        Seed of the points, of the split and of drawn weights.

    Returns
    -------
    NetworkPlan
        Its ``best`` is the smallest; printed, all are listed with their costs.

    Raises
    ------
    InvalidDataError
        Values are not finite or all equal, or shapes do not match.
    InvalidSettingError
        `tol` is not above 0 and below 1, or another setting is out of range.

    Notes
    -----
    Kinds: ReLU networks with evenly spread biases, in one dimension also with biases that
    follow the variation; tanh and sine networks whose scale follows it; tanh units sampled from
    pairs of rows (SWIM); in one dimension sums of components, tanh networks each of which sees
    the input held in its part and stretched (as :func:`decompose`); linear elements (one
    dimension) and bilinear ones (two), even and graded. An arithmetic is tried in full: features,
    products and decomposition are rounded.

    *Cost.* Up to about 40 singular value decompositions of 2000 rows by at most `max_size` columns;
    a kind stops where it is eight times larger than the smallest that was found.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import plan
    >>> best = plan(lambda x: np.sin(8 * np.pi * x), tol=1e-4).best
    >>> best.kind, best.error < 1e-4
    ('sin', True)
    """
    tol = check_tolerance(tol)
    check_count("random_state", random_state, minimum=0)
    if callable(f) and y is not None:
        msg = "A function and targets were given; a function alone, or rows and targets."
        raise InvalidDataError(msg)
    max_size = check_count("max_size", max_size, minimum=_SMALLEST)
    data = PlanRows.of(f, y, check_count("dimension", dimension), random_state)
    found: list[Proposal] = []
    failed: list[Proposal] = []
    for kind in candidates(data, random_state):
        smallest = min((p.n_parameters for p in found), default=None)
        good, best = _smallest(kind, min(max_size, len(data.y) // 2), tol, smallest)
        if good is not None:
            found.append(good)
        elif best is not None:
            failed.append(best)
    # Of one kind with several scales the smallest stands for all.
    reached = _one_of_each(found, _numbers)
    kinds = {proposal.kind for proposal in reached}
    missed = [proposal for proposal in failed if proposal.kind not in kinds]
    return NetworkPlan(tol, reached, _one_of_each(missed, _error))


def _numbers(p: Proposal) -> float:
    return p.n_parameters


def _error(p: Proposal) -> float:
    return p.error


def _one_of_each(
    proposals: list[Proposal], key: Callable[[Proposal], float]
) -> tuple[Proposal, ...]:
    best: dict[str, Proposal] = {}
    for p in sorted(proposals, key=key):
        best.setdefault(p.kind, p)
    return tuple(best.values())


def _smallest(
    kind: Try, largest: int, tol: float, smallest: int | None
) -> tuple[Proposal | None, Proposal | None]:
    """Return the smallest that reaches `tol`, if any, and the best of those that do not."""
    size, best, good = _SMALLEST, None, None
    while True:
        tried = kind(size, tol)
        if tried.error <= tol:
            good = tried
            break
        best = tried if best is None or tried.error < best.error else best
        if smallest is not None and tried.n_parameters > _MUCH_LARGER * smallest:
            break
        if size == largest:
            break
        size = min(2 * size, largest)
    if good is None:
        return None, best
    low, high = size // 2, size
    for _ in range(_BISECTIONS if size > _SMALLEST else 0):
        middle = (low + high) // 2
        tried = kind(middle, tol)
        if tried.error <= tol:
            good, high = tried, middle
        else:
            low = middle
    return good, best
