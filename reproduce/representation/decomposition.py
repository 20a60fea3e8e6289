"""Functions as sums of pieces, and as compositions.

The sum ``f = sum_i f_i(psi_i(x)) - sum_{i < n} f(x_i)`` with the break points of the published
examples and with chosen ones. And compositions ``f = g(h(x))`` with a piecewise linear h: Example
1 stretches the middle of exp(-(10 x)^2) by 9, such that g is smooth there; what h squeezes is used
by g as well, and is steep in it. In place of the published Example 2, whose formula is not known to
us, stands a fold: a triangle wave that takes the oscillations over from a slow g.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from common.records import Row

from solvenet.analysis import decompose, modes_needed

GRID = np.linspace(-1, 1, 20_001)


def peak(x: np.ndarray) -> np.ndarray:
    return 1 / (1000 * x**2 + 1)


def chirp(x: np.ndarray) -> np.ndarray:
    return np.cos(6 * np.pi * x) ** 2 + np.sin(10 * np.pi * x**2)


def wave(x: np.ndarray) -> np.ndarray:
    return np.sin(16 * np.pi * x)


def bump(x: np.ndarray) -> np.ndarray:
    return np.exp(-((10 * x) ** 2))


FUNCTIONS = {
    "peak": (peak, (-1, -0.2, 0, 0.2, 1)),
    "chirp": (chirp, (-1, -0.7, 0, 0.7, 1)),
    "wave": (wave, tuple(np.linspace(-1, 1, 9).tolist())),
    "bump": (bump, (-1, -0.3, 0, 0.3, 1)),
}


def decomposition(*, functions: Sequence[str], tol: float) -> Iterator[Row]:
    """Modes and units of every piece (x counts them), and the errors."""
    for name in functions:
        f, published = FUNCTIONS[name]
        for knots in (published, None):
            for activation in ("relu", "sine"):
                where = "chosen" if knots is None else "given"
                item = f"{name}, {where} break points, {activation}"
                parts = decompose(
                    f, knots, n_pieces=len(published) - 1, tol=tol, activation=activation
                )
                yield from numbers(item, parts, f)


def numbers(item: str, parts, f) -> Iterator[Row]:
    modes = [piece.n_modes for piece in parts.pieces]
    for i, piece in enumerate(parts.pieces, 1):
        yield Row(item, i, 0, "left", piece.left)
        yield Row(item, i, 0, "modes", piece.n_modes)
        yield Row(item, i, 0, "units", piece.n_units)
    yield Row(item, 0, 0, "modes of f", parts.n_modes_direct)
    yield Row(item, 0, 0, "most modes of a piece / modes of f", max(modes) / parts.n_modes_direct)
    yield Row(item, 0, 0, "relative error", parts.error)
    error = np.abs(parts(GRID) - f(GRID)).max()
    yield Row(item, 0, 0, "largest error", error)
    yield Row(item, 0, 0, "identity error", np.abs(parts.exact(GRID) - f(GRID)).max())


def pieces(*, functions: Sequence[str], points: int) -> Iterator[Row]:
    """The functions and their pieces on [-1, 1] (x), for the figure."""
    for name in functions:
        f, knots = FUNCTIONS[name]
        parts = decompose(f, knots)
        x = np.linspace(-1, 1, points)
        for place, value in zip(x, f(x), strict=True):
            yield Row(name, place, 0, "f", value)
        for i, piece in enumerate(parts.pieces, 1):
            for y, value in zip(x, piece(x), strict=True):
                yield Row(name, y, 0, f"f_{i}", value)


def stretch(x: np.ndarray) -> np.ndarray:
    """Stretch |x| < 0.1 by 9, and squeeze the rest into what is left of [-1, 1]."""
    size = np.abs(x)
    return np.sign(x) * np.where(size < 0.1, 9 * size, 0.9 + (size - 0.1) / 9)


def unstretch(y: np.ndarray) -> np.ndarray:
    size = np.abs(y)
    return np.sign(y) * np.where(size < 0.9, size / 9, 0.1 + 9 * (size - 0.9))


def fold(x: np.ndarray) -> np.ndarray:
    """Return the triangle wave from -1 to 1 with 8 periods: 16 ReLUs."""
    return 4 * np.abs(4 * x - np.floor(4 * x + 0.5)) - 1


def compositions(*, tol: float) -> Iterator[Row]:
    """Modes of f, of g and of h, and how steep f and g are."""
    cases = {
        "Example 1, stretched": (bump, stretch, lambda y: bump(unstretch(y))),
        "fold": (lambda x: np.cos(8 * np.pi * x), fold, lambda y: -np.sin(np.pi / 2 * y)),
    }
    for item, (f, h, g) in cases.items():
        yield Row(item, 0, 0, "identity error", np.abs(g(h(GRID)) - f(GRID)).max())
        needed = {name: modes_needed(function, tol, limit=4096)
                  for name, function in {"f": f, "g": g, "h": h}.items()}  # fmt: skip
        for name, modes in needed.items():
            yield Row(item, 0, 0, f"modes of {name}", np.nan if modes is None else modes)
        yield Row(item, 0, 0, "modes of g / modes of f", needed["g"] / needed["f"])
        for name, function in {"f": f, "g": g}.items():
            slope = np.abs(np.diff(function(GRID)) / np.diff(GRID)).max()
            yield Row(item, 0, 0, f"largest slope of {name}", slope)


PARTS = {
    "decomposition": (
        decomposition,
        {"functions": ("peak", "chirp", "wave", "bump"), "tol": 0.01},
        {"functions": ("peak", "chirp"), "tol": 0.3},
    ),
    "decomposition_pieces": (
        pieces,
        {"functions": ("peak", "chirp"), "points": 401},
        {"functions": ("peak",), "points": 21},
    ),
    "compositions": (compositions, {"tol": 0.01}, {"tol": 0.5}),
}
