"""A function of one variable as a sum of smooth functions of clamped and stretched inputs.

On an interval cut at ``x_0 < x_1 < ... < x_n``,

    f(x) = sum_i f_i(psi_i(x)) - sum_{i < n} f(x_i),

where psi_i holds x in ``[x_{i-1}, x_i]`` and stretches this to [-1, 1] (two ReLUs), and f_i is f on
that piece, seen as a function on [-1, 1]. What is fast in f is slow in every f_i, so that each
takes a small shallow network, where f itself takes a wide one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice, check_finite
from solvenet.analysis.biases import uniform_biases, values_at
from solvenet.analysis.breakpoints import ModeErrors, equal_mode_breakpoints, error_level
from solvenet.analysis.modes import check_tolerance
from solvenet.analysis.quadrature import checked_knots, gauss_rule
from solvenet.errors import SolvenetWarning
from solvenet.features.activations import get_activation
from solvenet.features.layers import DenseMap
from solvenet.solvers import solve

if TYPE_CHECKING:
    from solvenet._array_api import Array

_WIDEST = 1000
"""Units of a piece, at most."""


@dataclass(frozen=True)
class Piece:
    """One f_i: a solved shallow network on [-1, 1].

    Attributes
    ----------
    left, right : float
        Where the piece lies: x_{i-1} and x_i.
    layer : DenseMap
        Its hidden units.
    coefficients : array of shape (n_units,)
        Their weights in the output.
    offset, slope : float
        The rest of the output is ``offset + slope y``.
    n_modes : int or None
        Modes that the piece takes at the tolerance; None beyond 512.
    error : float
        Root mean square error on the piece, in units of f.
    """

    left: float
    right: float
    layer: DenseMap = field(repr=False)
    coefficients: Array = field(repr=False)
    offset: float = field(repr=False)
    slope: float = field(repr=False)
    n_modes: int | None
    error: float

    @property
    def n_units(self) -> int:
        """Number of hidden units."""
        return len(self.coefficients)

    def inner(self, x: Array) -> Array:
        """Return psi(x) in [-1, 1]: x held in the piece and stretched, by two ReLUs."""
        s = 2 / (self.right - self.left)
        rising, falling = np.maximum(x - self.left, 0.0), np.maximum(x - self.right, 0.0)
        return np.asarray(s * (rising - falling) - 1)

    def place(self, y: Array) -> Array:
        """Return where y in [-1, 1] lies in the piece."""
        return np.asarray((self.left + self.right) / 2 + y * ((self.right - self.left) / 2))

    def __call__(self, y: Array) -> Array:
        """Return the network's values at y in [-1, 1], shape (n,)."""
        units = self.layer(np.asarray(y, dtype=np.float64)[:, None])
        return np.asarray(units @ self.coefficients + self.offset + self.slope * y)


@dataclass(frozen=True)
class Decomposition:
    """A function as a sum of solved shallow networks of stretched inputs.

    Attributes
    ----------
    pieces : tuple of Piece
        From left to right.
    joints : tuple of float
        f at the inner break points.
    error : float
        Root mean square error on the whole interval over the standard deviation of f.
    n_modes_direct : int or None
        Modes that f takes at the tolerance as a single shallow network; None beyond 512.
    function : callable
        f.
    """

    pieces: tuple[Piece, ...]
    joints: tuple[float, ...] = field(repr=False)
    error: float
    n_modes_direct: int | None
    function: Callable[[Array], Array] = field(repr=False)

    @property
    def breakpoints(self) -> Array:
        """Ends of the pieces, shape (n_pieces + 1,)."""
        return np.array([self.pieces[0].left, *(piece.right for piece in self.pieces)])

    @property
    def n_units(self) -> int:
        """Hidden units of all networks together, without the two ReLUs of each psi."""
        return sum(piece.n_units for piece in self.pieces)

    def __call__(self, x: Array) -> Array:
        """Return the values of the sum of networks, shape (n,); constant outside."""
        return self._sum(x, lambda piece: piece)

    def exact(self, x: Array) -> Array:
        """Return the same sum with f itself on every piece: f(x) up to rounding."""
        return self._sum(x, lambda piece: lambda y: self.function(piece.place(y)))

    def _sum(self, x: Array, outer: Callable[[Piece], Callable[[Array], Array]]) -> Array:
        x = np.asarray(x, dtype=np.float64)
        check_finite("x", x)
        values = np.full(x.shape, -sum(self.joints), dtype=np.float64)
        for piece in self.pieces:
            values += outer(piece)(piece.inner(x))
        return values


def decompose(
    f: Callable[[Array], Array],
    breakpoints: Array | None = None,
    *,
    n_pieces: int = 4,
    tol: float = 0.01,
    interval: tuple[float, float] = (-1.0, 1.0),
    activation: str = "relu",
    seed: int = 0,
) -> Decomposition:
    """Write a function as a sum of small shallow networks, and solve them.

    Parameters
    ----------
    f : callable
        Vectorised continuous function of one variable.
    breakpoints : array of shape (n_pieces + 1,), optional
        Ends of the pieces, ascending; by default chosen by :func:`equal_mode_breakpoints`.
    n_pieces : int, default=4
        How many pieces, where they are chosen.
    tol : float, default=0.01
        Root mean square error over the standard deviation of f, on every piece.
    interval : (float, float), default=(-1, 1)
        Where f is wanted, where break points are chosen.
    activation : {"relu", "sine"}, default="relu"
        Hidden units: ReLUs with uniform biases, or sines of random frequencies, the higher the
        wider the network.
    seed : int, default=0
        Of the sines.

    Returns
    -------
    Decomposition
        Can be called; each piece has as many units as its tolerance takes.

    Warns
    -----
    SolvenetWarning
        A piece does not reach the tolerance with 1000 units.

    Raises
    ------
    InvalidDataError
        Break points that do not ascend, or f is not finite.
    InvalidSettingError
        A tolerance outside of (0, 1), or an unknown activation.

    Notes
    -----
    Networks are exact at the ends of their pieces (by a straight line that is added), so that
    errors do not add up over the pieces. What is gained is fewer modes in each network, and
    with them the conditioning and the time of training; the sum over all pieces is of the order
    of the modes of f itself. Stretching by a composition ``f = g(h(x))``, as in the talk, looks
    as if it could do without pieces, but what h squeezes becomes steep in g: see
    ``reproduce/representation``.

    *Cost.* Choosing n break points takes about ``500 n`` projections on modes, a few seconds;
    a piece of m units ``O(m**2)`` for each of 4000 points.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import decompose
    >>> parts = decompose(lambda x: np.sin(16 * np.pi * x), np.linspace(-1, 1, 9))
    >>> parts.error < 0.01
    True
    >>> parts.n_modes_direct, {piece.n_modes for piece in parts.pieces}
    (141, {36})
    """
    check_choice("activation", activation, ("relu", "sine"))
    tol = check_tolerance(tol)
    if breakpoints is None:
        knots = equal_mode_breakpoints(f, n_pieces, tol=tol, interval=interval)
    else:
        knots = checked_knots("breakpoints", breakpoints)
    level, scale = error_level(f, knots, tol)
    count = ModeErrors(f)
    # What lies below says nothing at this tolerance, and large coefficients cancel.
    cutoff = max(1e-4 * tol, 1e-12)
    rng = stream(seed, "decompose")
    pieces = tuple(
        _fitted(f, float(left), float(right), level, count, cutoff, activation, rng)
        for left, right in pairwise(knots)
    )
    worst = max(piece.error for piece in pieces)
    if worst > level:
        warnings.warn(
            f"A piece has an error of {worst / scale:.1e} with {_WIDEST} units, more than "
            f"tol={tol:g}. Put break points where f bends or ask for less; a jump is out of reach.",
            SolvenetWarning,
            stacklevel=2,
        )
    joints = tuple(float(v) for v in values_at(f, knots[1:-1], name="f"))
    lengths = np.diff(knots) / (knots[-1] - knots[0])
    squared = float(lengths @ np.array([piece.error for piece in pieces]) ** 2)
    return Decomposition(
        pieces, joints, squared**0.5 / scale, count.needed(knots[0], knots[-1], level), f
    )


def _fitted(
    f: Callable[[Array], Array],
    left: float,
    right: float,
    level: float,
    count: ModeErrors,
    cutoff: float,
    activation: str,
    rng: np.random.Generator,
) -> Piece:
    """Solve wider and wider networks on a piece until one reaches the level."""
    n_modes = count.needed(left, right, level)
    y, weights = gauss_rule(np.linspace(-1, 1, 2 * _WIDEST + 1), 2)
    # Errors are measured where nothing was fitted.
    check, check_weights = gauss_rule(np.linspace(-1, 1, 2 * _WIDEST + 1), 3)
    goal, goal_check, ends = (
        values_at(f, left + (z + 1) / 2 * (right - left), name="f")
        for z in (y, check, np.array([-1.0, 1.0]))
    )
    width = _WIDEST // 2 if n_modes is None else min(max(n_modes, 4), 64)
    while True:
        layer = _layer(width, activation, rng)
        columns = [layer(y[:, None]), y[:, None], np.ones((len(y), 1))]
        A = np.concatenate(columns, axis=1)
        coef = solve(A, goal, rcond=cutoff, weights=weights).coef
        piece = Piece(left, right, layer, coef[:-2], coef[-1], coef[-2], n_modes, 0.0)
        first, last = ends - piece(np.array([-1.0, 1.0]))
        offset, slope = float(coef[-1] + (first + last) / 2), float(coef[-2] + (last - first) / 2)
        piece = replace(piece, offset=offset, slope=slope)
        error = float(np.sqrt(check_weights @ (piece(check) - goal_check) ** 2 / 2))
        if error <= level or width >= _WIDEST:
            return replace(piece, error=error)
        width = min(width * 3 // 2, _WIDEST)


def _layer(width: int, activation: str, rng: np.random.Generator) -> DenseMap:
    if activation == "relu":
        return DenseMap(np.ones((1, width)), -uniform_biases(width), get_activation("relu"))
    # Sines of frequencies up to W span about 2 W / pi + 10 functions: these are half as many again.
    highest = np.pi / 2 * max(width / 1.5 - 10, 1.0)
    frequencies = rng.uniform(0, highest, (1, width))
    return DenseMap(frequencies, rng.uniform(0, 2 * np.pi, width), get_activation("sin"))
