"""Where to cut a function of one variable: pieces that take equally many modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count
from solvenet.analysis.biases import values_at
from solvenet.analysis.modes import check_tolerance, relu_modes
from solvenet.analysis.quadrature import checked_knots, gauss_rule
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_HALVINGS = 20
"""Of the interval in which a break point is looked for."""

_MOST_MODES = 512


def equal_mode_breakpoints(
    f: Callable[[Array], Array],
    n_pieces: int,
    *,
    tol: float = 0.01,
    interval: tuple[float, float] = (-1.0, 1.0),
) -> Array:
    """Return break points between which a function takes equally many modes.

    Parameters
    ----------
    f : callable
        Vectorised function of one variable.
    n_pieces : int
        How many pieces.
    tol : float, default=0.01
        Root mean square error on every piece, over the standard deviation of f on all.
    interval : (float, float), default=(-1, 1)
        What is cut.

    Returns
    -------
    array of shape (n_pieces + 1,)
        From the left, each piece is as long as K modes allow, where K is the smallest number by
        which `n_pieces` of them reach the end. No piece takes more, and the last may take fewer.

    Raises
    ------
    InvalidDataError
        The function is not finite, or takes more than 512 modes in every piece.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import equal_mode_breakpoints
    >>> cuts = equal_mode_breakpoints(lambda x: np.arctan(100 * x), 3)
    >>> bool(cuts[2] - cuts[1] < 0.2)  # one short piece at the step
    True
    """
    n_pieces = check_count("n_pieces", n_pieces)
    left, right = checked_knots("interval", np.asarray(interval))
    level, _ = error_level(f, np.array([left, right]), check_tolerance(tol))
    count = ModeErrors(f)
    fewest, most = -1, count.needed(left, right, level)
    if most is None:
        most = _MOST_MODES
        if _cut(count, most, level, left, right, n_pieces) is None:
            msg = (
                f"f takes more than {_MOST_MODES} modes in each of {n_pieces} pieces. Allow more "
                "pieces or a larger tol; a function with jumps is out of reach."
            )
            raise InvalidDataError(msg)
    while most - fewest > 1:
        middle = (fewest + most) // 2
        if _cut(count, middle, level, left, right, n_pieces) is None:
            fewest = middle
        else:
            most = middle
    # The same number of modes, and as small an error as reaches the end: the last is no rest.
    knots, low, high = _cut(count, most, level, left, right, n_pieces), -6.0, 0.0
    for _ in range(_HALVINGS // 2):
        middle_level = (low + high) / 2
        found = _cut(count, most, level * 10**middle_level, left, right, n_pieces)
        if found is None:
            low = middle_level
        else:
            knots, high = found, middle_level
    return np.array(knots, dtype=np.float64)


def _cut(
    count: ModeErrors, n_modes: int, level: float, left: float, right: float, n_pieces: int
) -> list[float] | None:
    """Return break points of pieces as long as they may be; None if they do not reach."""
    knots = [left]
    for remaining in range(n_pieces, 0, -1):
        if count.error(knots[-1], right, n_modes) <= level:
            # Reached early: what is left is shared equally.
            return knots + list(np.linspace(knots[-1], right, remaining + 1)[1:])
        low, high = knots[-1], right
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            fits = count.error(knots[-1], middle, n_modes) <= level
            low, high = (middle, high) if fits else (low, middle)
        if low == knots[-1]:
            return None
        knots.append(low)
    return None


class ModeErrors:
    """What is left of a function on a piece after the first modes of ReLU networks."""

    def __init__(self, f: Callable[[Array], Array]) -> None:
        self._f = f
        self._known = 0

    def _know(self, n_modes: int) -> None:
        modes = relu_modes(n_modes)
        self._nodes, self._root = modes.nodes, np.sqrt(modes.weights)
        self._matrix = modes(modes.nodes) * self._root[:, None]
        self._known = n_modes

    def _errors(self, left: float, right: float) -> Array:
        """Return root mean squares after 0, 1, ... modes."""
        x = left + (self._nodes + 1) / 2 * (right - left)
        values = values_at(self._f, np.append(x, left), name="f")
        rest = self._root * (values[:-1] - values[-1])
        coefficients = rest @ self._matrix
        remainder = rest - self._matrix @ coefficients
        squares = np.append(remainder @ remainder, coefficients[::-1] ** 2)
        return np.asarray(np.sqrt(np.cumsum(squares)[::-1] / 2))

    def error(self, left: float, right: float, n_modes: int) -> float:
        """Return the root mean square error with so many modes."""
        if n_modes > self._known:
            self._know(max(64, n_modes))
        return float(self._errors(left, right)[n_modes])

    def needed(self, left: float, right: float, level: float) -> int | None:
        """Return the number of modes to a root mean square error; None beyond 512."""
        while True:
            if self._known:
                reached = np.flatnonzero(self._errors(left, right) <= level)
                if len(reached):
                    return int(reached[0])
            if self._known >= _MOST_MODES:
                return None
            self._know(max(64, 2 * self._known))


def error_level(f: Callable[[Array], Array], knots: Array, tol: float) -> tuple[float, float]:
    """Return the root mean square error that is allowed, and the standard deviation of f."""
    x, weights = gauss_rule(np.linspace(knots[0], knots[-1], 2001))
    values = values_at(f, x, name="f")
    share = weights / weights.sum()
    scale = float(np.sqrt(share @ (values - share @ values) ** 2))
    # Of a constant only rounding is left.
    scale = max(scale, 1e-10 * float(np.abs(values).max()), 1e-300)
    return tol * scale, scale
