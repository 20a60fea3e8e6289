"""The search for a permutation: a default that picks, and says why."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from solvenet._random import stream
from solvenet._validation import check_choice, check_count
from solvenet.permutation.problem import permutation_of
from solvenet.permutation.swaps import improve_by_swaps

if TYPE_CHECKING:
    from solvenet.permutation.problem import PermutationProblem, PermutationResult

METHODS = ("auto", "swaps")


def solve_permutation(
    problem: PermutationProblem, *, method: str = "auto", random_state: int = 0
) -> PermutationResult:
    """Search the rearrangement of the values that approximates the targets best.

    Parameters
    ----------
    problem : PermutationProblem
        Features, values, rows.
    method : str, default="auto"
        The search; "auto" picks.
    random_state : int, default=0
        Seed of random starts.

    Returns
    -------
    PermutationResult
        The network; its `reason` says why this search.
    """
    check_choice("method", method, METHODS)
    rng = stream(check_count("random_state", random_state, minimum=0), "solve_permutation")
    start = time.perf_counter()
    coef = improve_by_swaps(problem.quadratic, rng.permutation(problem.values))
    permutation = permutation_of(problem.values, coef)
    return problem.result(permutation, method="swaps", seconds=time.perf_counter() - start)
