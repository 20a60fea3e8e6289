"""The search for a permutation: a default that picks, and says why."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice, check_count
from solvenet.errors import UnsupportedProblemError
from solvenet.permutation.constructive import ENOUGH, follow_spline
from solvenet.permutation.orbit import search_orbit
from solvenet.permutation.problem import permutation_of
from solvenet.permutation.rounding import shaped_error
from solvenet.permutation.spline import SplineTarget
from solvenet.permutation.step_blocks import step_blocks
from solvenet.permutation.swaps import improve_by_kicks, improve_by_swaps

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.permutation.problem import PermutationProblem, PermutationResult

METHODS = ("auto", "constructive", "orbit", "swaps", "step blocks")

TINY, FEW_UNITS, MANY_UNITS = 16, 256, 1024
NEAR, FAR, KICKED, KEPT, HOPELESS = 1.25, 4.0, 2.0, 1.5, 2.0
"""The orbit is searched where the error is above NEAR times the floor, with more than few units
FAR times and only where following the spline did not come within KEPT times what it promises. Few
units are kicked and swapped again above KICKED times the floor, TINY numbers always. With many
units a kept promise is enough: the Gram matrix is costly. Kicks do not lower an error HOPELESS
times."""


def solve_permutation(
    problem: PermutationProblem, *, method: str = "auto", random_state: int = 0
) -> PermutationResult:
    """Search the rearrangement of the values that approximates the targets best.

    Parameters
    ----------
    problem : PermutationProblem
        Features, values, rows.
    method : {"auto", "constructive", "orbit", "swaps", "step blocks"}, default="auto"
        "constructive": in one dimension, follow the least-squares spline from left to right,
        feeding errors back, no search at all. "orbit": alternate between least squares and the
        projection onto all rearrangements (ADMM), for any features. "swaps": swap two values
        while that helps, from a random start. "step blocks": the construction of the
        paper's proof, made an algorithm. "auto": the constructive one where there are knots,
        then swaps where the error is above 1.02 times that of least squares without any
        constraint, then the orbit and repeated swaps where it is a multiple of that; the best
        is returned.
    random_state : int, default=0
        Seed of random starts and chains.

    Returns
    -------
    PermutationResult
        The network; its `reason` says why this search.

    Raises
    ------
    UnsupportedProblemError
        Where a method needs :func:`~solvenet.permutation.relu_pairs` and the features are others.

    Notes
    -----
    *Cost.* Constructive: ``O(n**2)`` simple operations, below a second for 1280 knots. Others
    form the Gram matrix, ``2 n_rows n_units**2`` operations; swaps cost ``O(n_units**2)`` a sweep
    and the orbit ``4 n_units**2`` an iteration and start.

    *Differences from the paper*, which trains by Adam and rearranges every few epochs
    (LaPerm): no gradient is used anywhere, and errors fall with the square of the number
    of knots instead of its root.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.permutation import PermutationProblem, equidistant, relu_pairs
    >>> from solvenet.permutation import solve_permutation
    >>> x = np.linspace(-1, 1, 401)
    >>> units = relu_pairs(np.linspace(-1, 1, 40))
    >>> problem = PermutationProblem(units, equidistant(80), x, np.sin(np.pi * x))
    >>> result = solve_permutation(problem)
    >>> result.max_error < 0.01
    True
    """
    check_choice("method", method, METHODS)
    rng = search_stream(check_count("random_state", random_state, minimum=0))
    start = time.perf_counter()
    if method == "auto":
        coef, method, reason = search(problem, rng)
    else:
        coef, reason = _named(problem, method, rng), "asked for"
    permutation = permutation_of(problem.values, coef)
    seconds = time.perf_counter() - start
    return problem.result(permutation, method=method, reason=reason, seconds=seconds)


def search_stream(random_state: int) -> np.random.Generator:
    """Return the random numbers of a search."""
    return stream(random_state, "solve_permutation")


def _named(problem: PermutationProblem, method: str, rng: np.random.Generator) -> Array:
    if method == "orbit":
        return search_orbit(problem.quadratic, problem.values, rng)
    if method == "swaps":
        return improve_by_swaps(problem.quadratic, rng.permutation(problem.values))
    if method == "step blocks":
        return step_blocks(problem)
    target = SplineTarget.of(problem)
    if target is None:
        msg = (
            'method="constructive" was given; it needs the features of relu_pairs with knots '
            'between the rows. Use method="orbit", or "auto".'
        )
        raise UnsupportedProblemError(msg)
    return np.asarray(follow_spline(problem, target, rng)[0])


def search(
    problem: PermutationProblem, rng: np.random.Generator, *, wanted: float = 0.0
) -> tuple[Array, str, str]:
    """Return coefficients, the name of the search that found them, and why.

    Parameters
    ----------
    problem : PermutationProblem
        Features, values, rows.
    rng : numpy.random.Generator
        For starts and chains.
    wanted : float, default=0.0
        Error at which it ends; also where it is not worth while to go on to it.

    Returns
    -------
    coef : array of shape (n_units,)
        A rearrangement of the values.
    method, reason : str
        As in :class:`PermutationResult`.
    """
    target = SplineTarget.of(problem)
    said: list[str] = []
    coef, least, method, kept = problem.values, math.inf, "given", False
    if target is not None:
        starts = follow_spline(problem, target, rng, enough=wanted)
        coef, method = starts[0], "constructive"
        least, floor = problem.error(coef), target.rmse
        said.append(f"following the spline of these knots gave {least:.2g}")
        promised = math.hypot(floor, shaped_error(problem, target))
        kept = problem.n_units > FEW_UNITS and least <= KEPT * promised < math.inf
        near = least <= max(wanted, ENOUGH * floor)
        if near or (kept and problem.n_units > MANY_UNITS):
            return coef, method, _sentence(said, floor)
        for start in starts:
            swapped = improve_by_swaps(problem.quadratic, start)
            error = problem.error(swapped)
            if error < least:
                coef, least = swapped, error
        said.append(f"swaps {least:.2g}")
    floor = problem.quadratic.floor
    few = problem.n_units <= FEW_UNITS
    # With many units the orbit is not better than noise shaping that kept its promise.
    if least > max(wanted, (NEAR if few else FAR) * floor) and not kept:
        found = search_orbit(problem.quadratic, problem.values, rng, enough=wanted)
        error = problem.error(found)
        said.append(f"the orbit {error:.2g}")
        if error < least:
            coef, least, method = found, error, "orbit"
    open_ = least > wanted and not least > HOPELESS * wanted > 0
    if open_ and ((few and least > KICKED * floor) or problem.n_units <= TINY):
        coef = improve_by_kicks(problem.quadratic, coef, rng, enough=wanted)
        said.append(f"kicks {problem.error(coef):.2g}")
    return coef, method, _sentence(said, floor)


def _sentence(said: list[str], floor: float) -> str:
    text = ", ".join(said)
    return f"{text[0].upper()}{text[1:]}; least squares without any constraint: {floor:.2g}."
