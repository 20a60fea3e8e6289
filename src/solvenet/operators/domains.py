"""Boxes in any dimension: where equations are solved, with points inside and on the faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import qmc

from solvenet._random import stream
from solvenet._validation import as_numbers, check_count, check_finite
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_MOST_TENSOR_AXES = 3


@dataclass(frozen=True, eq=False)
class Box:
    """A product of intervals.

    Parameters
    ----------
    low, high : array-like of shape (d,), or float for one dimension
        Its corners.

    Raises
    ------
    InvalidDataError
        Corners of different shape, not finite, or not in order.

    Examples
    --------
    >>> from solvenet.operators import Box
    >>> Box([0, 0], [1, 2]).volume
    2.0
    """

    low: Array
    high: Array

    def __post_init__(self) -> None:
        """Check the corners."""
        low, high = (np.atleast_1d(as_numbers(n, getattr(self, n))) for n in ("low", "high"))
        if low.ndim != 1 or low.shape != high.shape or len(low) == 0:
            msg = f"low has shape {low.shape} and high {high.shape}; the same (d,) is wanted."
            raise InvalidDataError(msg)
        check_finite("low", low)
        check_finite("high", high)
        if (low >= high).any():
            at = int(np.argmax(low >= high))
            msg = f"Axis {at} reaches from {low[at]:g} to {high[at]:g}; low < high is wanted."
            raise InvalidDataError(msg)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def n_axes(self) -> int:
        """Dimension."""
        return len(self.low)

    @property
    def volume(self) -> float:
        """Volume."""
        return float(np.prod(self.high - self.low))

    def quadrature(self, n_points: int, *, random_state: int = 0) -> tuple[Array, Array]:
        """Return points inside and weights of a quadrature.

        Parameters
        ----------
        n_points : int
            How many, about: Gauss-Legendre products up to three dimensions, which have the
            same number an axis; Sobol points beyond.
        random_state : int, default=0
            Of the Sobol points.

        Returns
        -------
        points : array of shape (n, d)
            Inside.
        weights : array of shape (n,)
            Positive; their sum is the volume.
        """
        n_points = check_count("n_points", n_points)
        if self.n_axes > _MOST_TENSOR_AXES:
            rng = stream(random_state, "box")
            sobol = qmc.Sobol(self.n_axes, rng=rng).random_base2(int(np.ceil(np.log2(n_points))))
            points = self.low + (self.high - self.low) * sobol
            return points, np.full(len(points), self.volume / len(points))
        count = max(1, round(n_points ** (1 / self.n_axes)))
        x, w = np.polynomial.legendre.leggauss(count)
        mesh = np.meshgrid(*((x,) * self.n_axes), indexing="ij")
        points = np.stack([part.ravel() for part in mesh], axis=1)
        weights = np.ones(1)
        for _ in range(self.n_axes):
            weights = np.multiply.outer(weights, w / 2).ravel()
        points = self.low + (self.high - self.low) * (points + 1) / 2
        return points, weights * self.volume

    def faces(self, n_points: int, *, random_state: int = 0) -> Array:
        """Return points on the boundary, about so many, evenly over the ``2 d`` faces."""
        each = max(1, check_count("n_points", n_points) // (2 * self.n_axes))
        if self.n_axes == 1:
            return np.stack([self.low, self.high])
        parts = []
        for axis in range(self.n_axes):
            others = np.arange(self.n_axes) != axis
            side = Box(self.low[others], self.high[others])
            for number, end in enumerate((self.low, self.high)):
                inner, _ = side.quadrature(each, random_state=random_state + 2 * axis + number)
                part = np.empty((len(inner), self.n_axes))
                part[:, others], part[:, axis] = inner, end[axis]
                parts.append(part)
        if self.n_axes == 2:  # Gauss points leave out the corners
            parts.append(
                np.array(
                    [
                        [x, y]
                        for x in (self.low[0], self.high[0])
                        for y in (self.low[1], self.high[1])
                    ]
                )
            )
        return np.concatenate(parts)

    def opposite(self, axis: int, n_points: int) -> tuple[Array, Array]:
        """Return points on the low face of an axis, and those across on the high face."""
        if self.n_axes == 1:
            return self.low[None], self.high[None]
        others = np.arange(self.n_axes) != axis
        inner, _ = Box(self.low[others], self.high[others]).quadrature(n_points)
        both = []
        for end in (self.low, self.high):
            part = np.empty((len(inner), self.n_axes))
            part[:, others], part[:, axis] = inner, end[axis]
            both.append(part)
        return both[0], both[1]
