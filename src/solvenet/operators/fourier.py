"""Fourier series of fields as real numbers, on any grid; symmetries of what acts on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from solvenet._validation import check_positive
from solvenet.errors import InvalidDataError
from solvenet.operators.fields import Axis, Grid, along

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class FourierAxis:
    """Waves along one axis, orthonormal in the mean over it.

    On a periodic axis ``1, sqrt(2) cos(2 pi x / L), sqrt(2) sin(2 pi x / L), ...``; on one that
    is not, ``sqrt(2) cos(pi k x / L)``, the waves of the even continuation.

    Attributes
    ----------
    start, length : float
        Where the axis begins, and its period or extent.
    n_modes : int
        The highest frequency.
    periodic : bool
        Which waves.
    """

    start: float
    length: float
    n_modes: int
    periodic: bool = True

    @classmethod
    def of(cls, axis: Axis, n_modes: int) -> FourierAxis:
        """Return the waves that a grid axis can tell apart, up to a frequency."""
        n = len(axis.points)
        if axis.period is None:
            extent = float(np.ptp(axis.points))
            return cls(float(axis.points[0]), extent, min(n_modes, n - 1), periodic=False)
        return cls(float(axis.points[0]), axis.period, min(n_modes, (n - 1) // 2))

    @property
    def frequencies(self) -> Array:
        """The wave number of each coefficient, shape (n_coefficients,)."""
        if self.periodic:
            return 2 * np.pi / self.length * ((np.arange(2 * self.n_modes + 1) + 1) // 2)
        return np.pi / self.length * np.arange(self.n_modes + 1)

    def values(self, points: Array) -> Array:
        """Return the waves at points, shape (n_points, n_coefficients)."""
        angle = np.multiply.outer(points - self.start, self.frequencies)
        waves = np.cos(angle) * np.sqrt(2)
        if self.periodic:
            waves[:, 2::2] = np.sin(angle[:, 2::2]) * np.sqrt(2)
        waves[:, 0] = 1.0
        return np.asarray(waves)

    def analysis(self, axis: Axis) -> Array:
        """Return the matrix from values on a grid axis to coefficients.

        Exact on uniform grids that resolve the values; on other grids a spline goes through
        the values first.
        """
        own = axis.points
        if self.periodic and axis.uniform and len(own) > 2 * self.n_modes:
            return (self.values(own) / len(own)).T
        n = max(2 * self.n_modes + 2, 2 * len(own))
        points = self.start + self.length * (np.arange(n) + 0.5) / n
        return (self.values(points) / n).T @ axis.interpolation(points)


@dataclass(frozen=True)
class FourierSeries:
    """Coefficients of fields on a box: products of the waves of each axis.

    Attributes
    ----------
    axes : tuple of FourierAxis
        One an axis of the grid.
    """

    axes: tuple[FourierAxis, ...]

    @classmethod
    def of(cls, grid: Grid, n_modes: Any) -> FourierSeries:
        """Return the series up to a frequency an axis, as far as the grid resolves it."""
        each = np.broadcast_to(n_modes, (len(grid.axes),))
        return cls(tuple(FourierAxis.of(a, int(n)) for a, n in zip(grid.axes, each, strict=True)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Coefficients an axis."""
        return tuple(len(axis.frequencies) for axis in self.axes)

    @property
    def frequencies(self) -> Array:
        """The length of the wave vector of each coefficient, shape `shape`."""
        return np.asarray(np.sqrt(sum(np.ix_(*(axis.frequencies**2 for axis in self.axes)))))

    def analyse(self, fields: Array, grid: Grid) -> Array:
        """Return the coefficients of fields, shape (n_fields, n_channels, shape...)."""
        for i, (waves, axis) in enumerate(zip(self.axes, grid.axes, strict=True)):
            fields = along(waves.analysis(axis), fields, 2 + i)
        return fields

    def synthesise(self, coefficients: Array, grid: Grid) -> Array:
        """Return the fields of some coefficients on a grid."""
        for i, (waves, axis) in enumerate(zip(self.axes, grid.axes, strict=True)):
            coefficients = along(waves.values(axis.points), coefficients, 2 + i)
        return coefficients

    def shift(self, coefficients: Array, axis: int, distance: Array) -> Array:
        """Return the coefficients of ``f(x - distance)`` along one periodic axis, field by field.

        Parameters
        ----------
        coefficients : array of shape (n_fields, n_channels, shape...)
            Of the fields f.
        axis : int
            Number of the grid axis.
        distance : array of shape (n_fields,)
            To the right.

        Returns
        -------
        array of the same shape
            New.
        """
        waves = self.axes[axis]
        if not waves.periodic:
            msg = f"Grid axis {axis} is not periodic: nothing is shifted along it."
            raise InvalidDataError(msg)
        moved = np.moveaxis(coefficients, 2 + axis, -1)
        angle = np.multiply.outer(distance, waves.frequencies[1::2])
        angle = angle.reshape(len(distance), *(1,) * (moved.ndim - 2), -1)
        out = moved.copy()
        cosine, sine = moved[..., 1::2], moved[..., 2::2]
        out[..., 1::2] = cosine * np.cos(angle) - sine * np.sin(angle)
        out[..., 2::2] = cosine * np.sin(angle) + sine * np.cos(angle)
        return np.moveaxis(out, -1, 2 + axis)


class Symmetry(Protocol):
    """A group that an operator commutes with: inputs are moved to one place of each orbit.

    The operator is learnt there alone, and what it gives is moved back.
    """

    def place(self, a: Array, series: FourierSeries) -> Array:
        """Return where each field stands in its orbit, shape (n_fields, k)."""

    def remove(self, a: Array, series: FourierSeries, place: Array) -> Array:
        """Return inputs moved to the one place of their orbit."""

    def restore(self, u: Array, series: FourierSeries, place: Array) -> Array:
        """Return outputs moved to the place of their inputs."""

    def undo(self, u: Array, series: FourierSeries, place: Array) -> Array:
        """Return outputs moved to the one place; the inverse of `restore`."""


@dataclass(frozen=True)
class Shift:
    """The operator commutes with shifts along a periodic axis.

    Fields are shifted until the first wave of the first channel is a cosine.

    Parameters
    ----------
    axis : int, default=0
        Number of the grid axis.
    """

    axis: int = 0

    def place(self, a: Array, series: FourierSeries) -> Array:
        """Return the position of the first wave's crest."""
        first = np.moveaxis(a, 2 + self.axis, -1)[:, 0]
        first = first.reshape(len(a), -1, first.shape[-1])[:, 0]
        waves = series.axes[self.axis]
        angle = np.arctan2(first[:, 2], first[:, 1])
        return np.asarray(angle / waves.frequencies[1])[:, None]

    def remove(self, a: Array, series: FourierSeries, place: Array) -> Array:
        """Shift inputs back."""
        return series.shift(a, self.axis, -place[:, 0])

    def restore(self, u: Array, series: FourierSeries, place: Array) -> Array:
        """Shift outputs with their inputs."""
        return series.shift(u, self.axis, place[:, 0])

    def undo(self, u: Array, series: FourierSeries, place: Array) -> Array:
        """Shift outputs back."""
        return series.shift(u, self.axis, -place[:, 0])


@dataclass(frozen=True)
class Galilean:
    """A constant added to the field moves it: ``u_t + u u_x = ...`` for a time.

    With ``S(v)`` the operator, ``S(v + c)(x) = c + S(v)(x - c time)``. Fields are freed of their
    mean.

    Parameters
    ----------
    time : float
        From inputs to outputs.
    axis : int, default=0
        Number of the grid axis.
    """

    time: float
    axis: int = 0

    def __post_init__(self) -> None:
        """Check the time."""
        check_positive("time", self.time)

    def place(self, a: Array, series: FourierSeries) -> Array:
        """Return the mean."""
        return a.reshape(len(a), -1)[:, :1].copy()

    def remove(self, a: Array, series: FourierSeries, place: Array) -> Array:
        """Subtract the mean."""
        return self._plus(a, -place)

    def restore(self, u: Array, series: FourierSeries, place: Array) -> Array:
        """Move outputs with the mean, and add it."""
        return self._plus(series.shift(u, self.axis, self.time * place[:, 0]), place)

    def undo(self, u: Array, series: FourierSeries, place: Array) -> Array:
        """Subtract the mean from outputs and move them back."""
        return series.shift(self._plus(u, -place), self.axis, -self.time * place[:, 0])

    def _plus(self, coefficients: Array, constant: Array) -> Array:
        out = coefficients.copy()
        out.reshape(len(out), -1)[:, :1] += constant
        return out
