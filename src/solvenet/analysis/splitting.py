"""Probabilities of rare events by multilevel splitting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr
from scipy.stats import beta, t

from solvenet._random import stream
from solvenet._validation import check_count

if TYPE_CHECKING:
    from solvenet._array_api import Array

Score = Callable[["Array"], "Array"]
"""Takes points of the unit cube, shape (n, ...), and returns a number for each."""

KEPT = 0.25
"""Share of the particles that is kept from one level to the next."""

_ACCEPTED = 0.35
"""Share of accepted moves that the size of the moves is adapted to."""

_MOST_LEVELS = 60


@dataclass(frozen=True)
class Probability:
    """A probability that was measured.

    Attributes
    ----------
    value : float
        The estimate.
    error : float
        Its standard error. Where an event never (or always) happened it is one over the
        number of draws.
    low, high : float
        95 % interval: exact (Clopper and Pearson) for plain draws, by Student's t over
        the independent runs for splitting.
    method : {"plain", "splitting"}
        How it was measured.
    evaluations : int
        How many random points were looked at.
    runs : tuple of float
        Estimates of the independent runs; empty for plain draws.
    """

    value: float
    error: float
    low: float
    high: float
    method: str
    evaluations: int
    runs: tuple[float, ...] = field(default=(), repr=False)


def share(hits: int, draws: int) -> Probability:
    """Return the share of independent draws that hit, with its uncertainty."""
    value = hits / draws
    low = float(beta.ppf(0.025, hits, draws - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, draws - hits)) if hits < draws else 1.0
    error = max(float(np.sqrt(value * (1 - value) / draws)), 1 / draws)
    return Probability(value, error, low, high, "plain", draws)


def split_probability(
    score: Score,
    shape: tuple[int, ...],
    threshold: float,
    *,
    particles: int = 2000,
    runs: int = 10,
    moves: int = 10,
    seed: int = 0,
) -> Probability:
    r"""Return the probability that the score of a uniform point is at least a threshold.

    Parameters
    ----------
    score : callable
        Takes points of the unit cube, shape (n, \*shape), and returns n numbers.
    shape : tuple of int
        Of a point: rows are what is drawn anew at a time, such as the units of a network.
    threshold : float
        What the score has to reach.
    particles : int, default=2000
        Points that are moved at a time.
    runs : int, default=10
        Independent estimates, of which the mean is returned and the spread gives the error.
    moves : int, default=10
        Metropolis steps of every particle at every level.
    seed : int, default=0
        Of all random numbers.

    Returns
    -------
    Probability
        Its error is of the order of ``5 sqrt(n_levels / (particles * runs))`` of its value,
        where ``n_levels = log(value) / log(1/4)``: 13 % at 1e-9. Where the threshold was never
        reached the value is zero, and `high` the level at which the search ended.

    Raises
    ------
    InvalidSettingError
        Fewer than two particles or runs, or no moves.

    Notes
    -----
    Adaptive multilevel splitting (subset simulation): at every level the quarter of the
    particles with the highest scores is kept, multiplied, and moved such that none falls below
    the level: in turn by preconditioned Crank-Nicolson steps in normal coordinates, in each
    as wide as the particles are spread (Papaioannou, Betz, Zwirglmaier, Straub, 2015), and by
    drawing one row anew, which reaches other ways to the event. A pilot run chooses levels
    and step sizes; the runs that count keep them fixed, so that each of them is unbiased
    (Cerou, Del Moral, Furon, Guyader, 2012), and their spread is an honest error as long as
    the particles find every way to reach the event.

    *Cost.* ``(runs + 1) * n_levels * moves * particles`` evaluations of the score, and a few
    times ``particles * size of a point`` numbers of memory.

    Examples
    --------
    Two uniform numbers whose sum is above 1.9999, the corner of a square:

    >>> from solvenet.analysis import split_probability
    >>> found = split_probability(lambda u: u.sum(axis=(1, 2)), (2, 1), 1.9999, particles=200)
    >>> found.low < 0.0001**2 / 2 < found.high
    True
    """
    particles = check_count("particles", particles, minimum=2)
    runs = check_count("runs", runs, minimum=2)
    moves = check_count("moves", moves)
    levels, steps, reached = _pilot(
        score, shape, threshold, particles, moves, stream(seed, "pilot")
    )
    cost = particles * (1 + moves * (len(levels) - 1))
    if levels[-1] < threshold:
        # Rarer than the last level, if it is possible at all.
        return Probability(0.0, reached, 0.0, reached, "splitting", cost)
    found = tuple(
        _run(score, shape, levels, steps, particles, moves, stream(seed, "splitting", run))
        for run in range(runs)
    )
    value, error = float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(runs))
    if value == 0:
        error = reached
    half = error * float(t.ppf(0.975, runs - 1))
    interval = max(value - half, 0.0), min(value + half, 1.0)
    return Probability(value, error, *interval, "splitting", cost * (runs + 1), found)


def _pilot(
    score: Score,
    shape: tuple[int, ...],
    threshold: float,
    particles: int,
    moves: int,
    rng: np.random.Generator,
) -> tuple[list[float], list[Array], float]:
    """Return levels up to the threshold, sizes of the steps at each, and the share at the last."""
    z = rng.standard_normal((particles, *shape))
    scores = score(ndtr(z))
    levels: list[float] = []
    steps: list[Array] = []
    factor = reached = 1.0
    while len(levels) < _MOST_LEVELS:
        level = min(float(np.quantile(scores, 1 - KEPT)), threshold)
        if levels and level == levels[-1]:
            break
        alive = np.flatnonzero(scores >= level)
        reached *= len(alive) / particles
        levels.append(level)
        # Where the event is narrow in one coordinate and wide in another, steps are so too.
        spread = np.minimum(z[alive].std(axis=0), 1.0)
        steps.append(np.minimum(factor * spread, 1.0))
        if level == threshold:
            break
        chosen = rng.choice(alive, particles)
        z, scores = z[chosen], scores[chosen]
        for i in range(moves):
            accepted = _move(score, z, scores, level, _proposal(z, steps[-1], i, rng))
            if i % 2 == 0:
                factor = float(np.clip(factor * np.exp(accepted - _ACCEPTED), 1e-3, 10.0))
                steps[-1] = np.minimum(factor * spread, 1.0)
    return levels, steps, reached


def _run(
    score: Score,
    shape: tuple[int, ...],
    levels: list[float],
    steps: list[Array],
    particles: int,
    moves: int,
    rng: np.random.Generator,
) -> float:
    """Return the product of the shares that reach each level from the one before."""
    z = rng.standard_normal((particles, *shape))
    scores = score(ndtr(z))
    value = 1.0
    for i, (level, step) in enumerate(zip(levels, steps, strict=True)):
        alive = np.flatnonzero(scores >= level)
        value *= len(alive) / particles
        if len(alive) == 0 or i == len(levels) - 1:
            break
        chosen = rng.choice(alive, particles)
        z, scores = z[chosen], scores[chosen]
        for j in range(moves):
            _move(score, z, scores, level, _proposal(z, step, j, rng))
    return value


def _proposal(z: Array, step: Array, move: int, rng: np.random.Generator) -> Array:
    """Return where the particles might go: all coordinates a little, or one row anew."""
    if move % 2 == 0:
        return np.asarray(np.sqrt(1 - step * step) * z + step * rng.standard_normal(z.shape))
    proposed, chosen = z.copy(), rng.integers(z.shape[1], size=len(z))
    proposed[np.arange(len(z)), chosen] = rng.standard_normal((len(z), *z.shape[2:]))
    return proposed


def _move(score: Score, z: Array, scores: Array, level: float, proposed: Array) -> float:
    """Move the particles that stay above the level, in place; return their share.

    Proposals leave the normal distribution as it is, so no other rule accepts them.
    """
    reached = score(ndtr(proposed))
    accepted = reached >= level
    z[accepted], scores[accepted] = proposed[accepted], reached[accepted]
    return float(accepted.mean())
