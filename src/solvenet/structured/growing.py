"""How wide, of which rank, how deep: grown until no mode of the residual falls any more."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count
from solvenet.errors import InvalidDataError
from solvenet.structured.fitting import suitable_method
from solvenet.structured.initial import random_mmnn
from solvenet.structured.modes import ModeBands
from solvenet.structured.samples import Field, FieldSamples
from solvenet.structured.solving import solve_mmnn

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN
    from solvenet.structured.result import MMNNResult

FIRST = 60
"""Fitted numbers of the first networks; each round has twice as many."""

FALLS = 0.5
"""A band of modes falls if its part of the residual, squared, shrinks to this."""

_PATIENCE = 2  # rounds in which nothing falls
_MATTERS = 0.1  # of the squared residual: what a band that counts has at least
_TEST, _FIELD_TEST = 5, 2000  # one row of so many is held out; points of a field
_RANKS: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 18)
_DEPTHS: tuple[int, ...] = (2, 3, 4, 5, 6, 8)


class Tried(NamedTuple):
    """A network that was solved on the way.

    Attributes
    ----------
    width, rank, depth : int
        Its size.
    n_parameters : int
        Fitted numbers.
    mse : float
        Mean squared error on rows held out, or on points of a field.
    bands : tuple of float
        What part of it lies in each band of modes, from low to high frequencies.
    """

    width: int
    rank: int
    depth: int
    n_parameters: int
    mse: float
    bands: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Growth:
    """What :func:`grow_mmnn` found.

    Attributes
    ----------
    result : MMNNResult
        The network of the chosen size.
    size : (int, int, int)
        Width, rank, depth.
    tried : tuple of Tried
        All networks that were solved, in order.
    reason : str
        Why it was not grown further.
    """

    result: MMNNResult = field(repr=False)
    size: tuple[int, int, int]
    tried: tuple[Tried, ...] = field(repr=False)
    reason: str


def grow_mmnn(
    X: Array | Field,
    y: Array | None = None,
    *,
    n_inputs: int = 1,
    width: int | None = None,
    rank: int | None = None,
    depth: int | None = None,
    most_parameters: int | None = None,
    max_steps: int = 80,
    random_state: int = 0,
    low: Array | float | None = None,
    high: Array | float | None = None,
    **settings: Any,
) -> Growth:
    """Find a size: networks grow until the residual stops falling, mode by mode.

    In each round networks of equal numbers of parameters compete: the ranks and depths next to
    the best of the round before, with the width that fits. The next round has twice as many.

    Parameters
    ----------
    X : array of shape (n_rows, n_inputs) or (n_rows,), or Field
        Inputs, or a function.
    y : array of shape (n_rows,) or (n_rows, n_outputs), optional
        Targets; none for a field.
    n_inputs : int, default=1
        Of a field.
    width, rank, depth : int, optional
        Sizes that are given and not looked for.
    most_parameters : int, optional
        Fitted numbers, at most; half of the targets by default, of a field 5000.
    max_steps : int, default=80
        Steps of each solve, and as many again for the network that is chosen.
    random_state : int, default=0
        Seed.
    low, high : float or array of shape (n_inputs,), optional
        The domain; of rows their range by default, of a field -1 to 1.
    **settings : object
        Of :func:`random_mmnn`: activation (tanh by default), residual, fixed, initial, scale.

    Returns
    -------
    Growth
        The network, what was tried, and why it ended.

    Raises
    ------
    InvalidDataError
        Fewer than 20 rows; what :func:`solve_mmnn` refuses.
    InvalidSettingError
        A setting out of range.

    Notes
    -----
    *Modes* are products of cosines on the held-out rows, made orthonormal, in bands that double
    in frequency; what is above them is the last band. Growth ends where in two rounds no band
    that holds a tenth of the residual has shrunk to a half.

    *Cost.* About six solves a round, and the rounds double: some fifteen times the last solve.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.structured import grow_mmnn
    >>> x = np.linspace(-1, 1, 300)
    >>> growth = grow_mmnn(x, np.tanh(5 * x), max_steps=15)
    >>> growth.result.mse < 1e-6, growth.result.n_parameters < 300
    (True, True)
    """
    seed = check_count("random_state", random_state, minimum=0)
    given = tuple(
        None if value is None else check_count(name, value)
        for name, value in (("width", width), ("rank", rank), ("depth", depth))
    )
    max_steps = check_count("max_steps", max_steps)
    build, data, test, n_targets = _data(X, y, n_inputs, low, high, seed, settings)
    most = n_targets // 2 if n_targets is not None else 5000
    most = (
        max(FIRST // 2, most)
        if most_parameters is None
        else check_count("most_parameters", most_parameters)
    )
    bands = ModeBands(build(2, 1, 1).scaled(test[0]))
    tried: list[Tried] = []
    results: dict[tuple[int, int, int], MMNNResult] = {}
    best: Tried | None = None
    reason = f"most_parameters={most} reached"
    still, budget = 0, min(FIRST, most)
    n_outputs = test[1].shape[1]
    while budget <= most:
        before = best
        for size in _sizes(budget, n_outputs, given, best):
            if size in results:
                continue
            network = build(*size)
            method = suitable_method(network, n_targets)[0]
            results[size] = result = solve_mmnn(
                network, *data, method=method, max_steps=max_steps, random_state=seed
            )
            left = test[1] - result(test[0]).reshape(test[1].shape)
            parts = bands.parts(left)
            found = Tried(*size, network.n_parameters, sum(parts), parts)
            tried.append(found)
            if best is None or found.mse < best.mse:
                best = found
        if before is not None and best is not None:
            still = 0 if best is not before and _falls(before.bands, best.bands) else still + 1
            if still == _PATIENCE:
                reason = "in two rounds no mode of the residual fell"
                break
        if budget == most:
            break
        budget = min(2 * budget, most)
    if best is None:
        msg = f"No network fits within most_parameters={most}. Allow more, or a smaller rank."
        raise InvalidDataError(msg)
    size = best[:3]
    first = results[size]
    assert first.network is not None
    again = solve_mmnn(
        first.network,
        *data,
        method=first.method,
        max_steps=max_steps,
        prepare=False,
        random_state=seed,
    )
    better = np.mean((test[1] - again(test[0]).reshape(test[1].shape)) ** 2) < best.mse
    return Growth(again if better else first, size, tuple(tried), reason)


def _falls(before: tuple[float, ...], after: tuple[float, ...]) -> bool:
    """Return whether a band that matters has shrunk."""
    least = _MATTERS * sum(before)
    return any(b >= least and a <= FALLS * b for b, a in zip(before, after, strict=True))


def _sizes(
    budget: int, n_outputs: int, given: tuple[int | None, ...], best: Tried | None
) -> list[tuple[int, int, int]]:
    """Return widths, ranks and depths of about so many parameters: near the best, else many."""
    width, rank, depth = given
    ranks, depths = _RANKS, _DEPTHS
    if best is None:
        ranks, depths = ranks[1:4], depths[:3]
    else:
        ranks, depths = _beside(ranks, best.rank), _beside(depths, best.depth)
    ranks = ranks if rank is None else (rank,)
    depths = depths if depth is None else (depth,)
    sizes = []
    for r, L in itertools.product(ranks, depths):
        # One step away in one direction, not in both.
        if best is not None and r != best.rank and best.depth != L:
            continue
        w = budget // (r * (L - 1) + n_outputs) - 1 if width is None else width
        if w >= max(r, 2):
            sizes.append((w, r, L))
    return sizes


def _beside(values: tuple[int, ...], now: int) -> tuple[int, ...]:
    near = sorted({*values, now})
    at = near.index(now)
    return tuple(near[max(0, at - 1) : at + 2])


def _data(
    X: Array | Field,
    y: Array | None,
    n_inputs: int,
    low: Array | float | None,
    high: Array | float | None,
    seed: int,
    settings: dict[str, Any],
) -> tuple[Callable[..., MMNN], tuple[Any, ...], tuple[Array, Array], int | None]:
    """Return how networks are made, what they are solved on, rows held out, and targets."""
    settings = {"activation": "tanh", "random_state": seed} | settings
    rng = stream(seed, "grow_mmnn")
    if isinstance(X, Field):
        ends = {"low": -1.0 if low is None else low, "high": 1.0 if high is None else high}
        frame = random_mmnn(2, 1, 1, n_inputs=n_inputs, low=ends["low"], high=ends["high"])
        Z, Y = FieldSamples(X, frame).draw(rng, _FIELD_TEST)
        assert frame.low is not None
        assert frame.high is not None
        rows = (frame.low + frame.high) / 2 + Z * (frame.high - frame.low) / 2
        shape = {"n_inputs": n_inputs, "n_outputs": Y.shape[1]}
        return _builder(shape | ends | settings), (X,), (rows, Y), None
    rows, Y = np.asarray(X, dtype=np.float64), np.asarray(() if y is None else y, dtype=np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or len(rows) < 4 * _TEST or len(rows) != len(Y):
        msg = (
            f"X of shape {rows.shape} and y of shape {Y.shape} were given; at least "
            f"{4 * _TEST} rows, with a target each, are wanted."
        )
        raise InvalidDataError(msg)
    Y = Y.reshape(len(Y), -1)
    bottom, top = rows.min(axis=0), rows.max(axis=0)
    top = np.where(top > bottom, top, bottom + 1)
    shape = {"n_inputs": rows.shape[1], "n_outputs": Y.shape[1]}
    ends = {"low": bottom if low is None else low, "high": top if high is None else high}
    order = rng.permutation(len(rows))
    cut = math.ceil(len(rows) / _TEST)
    held, kept = np.sort(order[:cut]), np.sort(order[cut:])
    train = (rows[kept], Y[kept])
    return _builder(shape | ends | settings), train, (rows[held], Y[held]), Y[kept].size


def _builder(settings: dict[str, Any]) -> Callable[..., MMNN]:
    return lambda width, rank, depth: random_mmnn(width, rank, depth, **settings)
