"""Fields as arrays (n_fields, n_channels, grid...): reading, checking, and other grids."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import make_interp_spline

from solvenet._validation import as_numbers, check_finite, check_positive
from solvenet.errors import InvalidDataError, InvalidSettingError, SolvenetWarning

if TYPE_CHECKING:
    from solvenet._array_api import Array

_JUMP = 3.0
"""A slope across the end of the period so many times the steepest inside is a jump."""

_SAME = 1e-9
"""Relative differences below this are rounding."""


@dataclass(frozen=True, eq=False)
class Axis:
    """The points of one axis of a grid.

    Parameters
    ----------
    points : array of shape (n,)
        Strictly increasing, at least 4.
    period : float or None
        Distance after which functions repeat; None if they do not.

    Raises
    ------
    InvalidDataError
        Points that are too few, not increasing or not finite, or reach over a period.
    """

    points: Array
    period: float | None

    def __post_init__(self) -> None:
        """Check the points."""
        points = as_numbers("grid", self.points)
        if points.ndim != 1 or len(points) < 4:
            msg = (
                f"A grid axis has shape {points.shape}; at least 4 points are wanted. (Are the "
                "channels in the place of an axis? See channel_axis.)"
            )
            raise InvalidDataError(msg)
        check_finite("grid", points)
        if (np.diff(points) <= 0).any():
            at = int(np.argmax(np.diff(points) <= 0))
            msg = f"Grid points must increase; point {at + 1} is not above the one before it."
            raise InvalidDataError(msg)
        if self.period is not None:
            check_positive("period", self.period)
            if points[-1] - points[0] >= self.period * (1 - _SAME):
                msg = (
                    f"The grid reaches over {points[-1] - points[0]:g} with a period of "
                    f"{self.period:g}: leave out the last point, which is the first again; or "
                    "set period=None for fields that are not periodic."
                )
                raise InvalidDataError(msg)
        object.__setattr__(self, "points", points)

    @property
    def uniform(self) -> bool:
        """Whether all gaps are equal; with a period, also the one across its end."""
        gaps = np.diff(self.points)
        if self.period is not None:
            gaps = np.append(gaps, self.period - (self.points[-1] - self.points[0]))
        return bool(np.ptp(gaps) <= 1e-6 * gaps.mean())

    def interpolation(self, points: Array) -> Array:
        """Return the matrix from values on this axis to values at other points.

        Trigonometric on uniform periodic axes, cubic splines elsewhere.

        Parameters
        ----------
        points : array of shape (m,)
            Where values are wanted.

        Returns
        -------
        array of shape (m, n)
            Dense.

        Raises
        ------
        InvalidDataError
            Points outside of an axis that is not periodic.
        """
        own, n = self.points, len(self.points)
        if len(points) == n and np.abs(points - own).max() <= _SAME * np.ptp(own):
            return np.eye(n)
        if self.period is None:
            slack = _SAME * np.ptp(own)
            if points.min() < own[0] - slack or points.max() > own[-1] + slack:
                msg = (
                    f"Values are wanted from {points.min():g} to {points.max():g}, and the grid "
                    f"reaches from {own[0]:g} to {own[-1]:g}: give fields on the whole domain."
                )
                raise InvalidDataError(msg)
            spline = make_interp_spline(own, np.eye(n), k=3)
            return np.asarray(spline(np.clip(points, own[0], own[-1])))
        if self.uniform:
            # A product of two small matrices: the waves there and here.
            k = 2 * np.pi / self.period * np.arange(1, (n + 1) // 2)
            here, there = (np.multiply.outer(x - own[0], k) for x in (own, points))
            out = 1.0 + 2.0 * (np.cos(there) @ np.cos(here).T + np.sin(there) @ np.sin(here).T)
            if n % 2 == 0:
                # The highest mode is known at the grid points alone: its cosine is taken.
                shift = 2 * np.pi / self.period * (points - own[0]) * (n // 2)
                out += np.cos(shift)[:, None] * (-1.0) ** np.arange(n)
            return np.asarray(out / n)
        knots = np.append(own, own[0] + self.period)
        values = np.vstack([np.eye(n), np.eye(1, n)])
        spline = make_interp_spline(knots, values, k=3, bc_type="periodic")
        return np.asarray(spline(own[0] + np.mod(points - own[0], self.period)))


@dataclass(frozen=True, eq=False)
class Grid:
    """A tensor grid of one or more axes.

    Attributes
    ----------
    axes : tuple of Axis
        One an axis of the fields, in their order.
    """

    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Points of each axis."""
        return tuple(len(axis.points) for axis in self.axes)

    @property
    def points(self) -> Array:
        """All points, shape (n_points, n_axes), the last axis running fastest."""
        mesh = np.meshgrid(*(axis.points for axis in self.axes), indexing="ij")
        return np.stack([part.ravel() for part in mesh], axis=1)

    def resample(self, fields: Array, other: Grid) -> Array:
        """Return fields of shape (n_fields, n_channels, grid...) on another grid."""
        for i, (axis, new) in enumerate(zip(self.axes, other.axes, strict=True)):
            if len(axis.points) == len(new.points) and (axis.points == new.points).all():
                continue
            fields = along(axis.interpolation(new.points), fields, 2 + i)
        return fields


def along(matrix: Array, fields: Array, axis: int) -> Array:
    """Apply a matrix to one axis of an array."""
    return np.moveaxis(np.moveaxis(fields, axis, -1) @ matrix.T, -1, axis)


def make_grid(grid: Any, shape: tuple[int, ...], period: Any) -> Grid:
    """Return the grid of fields.

    Parameters
    ----------
    grid : array-like of shape (n,), sequence of such arrays, or None
        Points of each axis. None: uniform on the unit interval, without the last point if
        periodic.
    shape : tuple of int
        Points an axis of the fields.
    period : float, None, "auto", or a sequence of them
        Period of each axis; ``"auto"`` is that of a uniform grid which leaves out its last
        point; None is not periodic.

    Returns
    -------
    Grid
        With the axes in order.

    Raises
    ------
    InvalidDataError
        A grid that does not match the fields.
    InvalidSettingError
        A period that is no number, or unknown for a grid that is not uniform.
    """
    one = period is None or np.ndim(period) == 0
    periods = (period,) * len(shape) if one else tuple(period)
    if len(periods) != len(shape):
        msg = f"period={period!r} was given for {len(shape)} axes; one for each is wanted."
        raise InvalidSettingError(msg)
    if grid is None:
        axes = []
        for n, length in zip(shape, periods, strict=True):
            if n < 4:
                _refuse_channels(shape)
            size = 1.0 if length in (None, "auto") else length
            end = length is None
            points = np.linspace(0, check_positive("period", size), n, endpoint=end)
            axes.append(Axis(points, None if end else float(size)))
        return Grid(tuple(axes))
    given = grid_arrays(grid, len(shape))
    found = tuple(np.size(points) for points in given)
    if found != shape:
        msg = (
            f"The grid has {_times(found)} points and the fields have {_times(shape)}: they must "
            "match, axis by axis. (Where are the channels? See channel_axis.)"
        )
        raise InvalidDataError(msg)
    return Grid(tuple(_axis(p, length) for p, length in zip(given, periods, strict=True)))


def grid_arrays(grid: Any, n_axes: int) -> tuple[Array, ...]:
    """Return the arrays of a grid, of which a single one needs no tuple."""
    if isinstance(grid, np.ndarray) or (len(grid) > 0 and np.ndim(grid[0]) == 0):
        grid = (grid,)
    if len(grid) != n_axes:
        msg = (
            f"The grid has {len(grid)} axes and the fields have {n_axes}: give a tuple with the "
            "points of each axis."
        )
        raise InvalidDataError(msg)
    return tuple(as_numbers("grid", points) for points in grid)


def read_fields(name: str, fields: Any, *, channel_axis: int | None, n_axes: int | None) -> Array:
    """Return fields as float64 of shape (n_fields, n_channels, grid...).

    Parameters
    ----------
    name : str
        For messages.
    fields : array-like
        Values.
    channel_axis : int or None
        Where the channels stand; None if there are none.
    n_axes : int or None
        Axes of the grid if known.

    Returns
    -------
    array
        Channels second.

    Raises
    ------
    InvalidDataError
        NaN, nothing, or another number of axes.
    """
    values = as_numbers(name, fields)
    plain = channel_axis is None or values.ndim == 2
    if values.ndim >= 2 and plain:
        values = values[:, None]
    elif values.ndim >= 3 and channel_axis is not None:
        values = np.moveaxis(values, channel_axis, 1)
    found = values.ndim - 2
    if found < 1 or values.size == 0 or (n_axes is not None and found != n_axes):
        wanted = "(n_fields, n_channels, grid...)" if n_axes is None else f"{n_axes} grid axes"
        msg = (
            f"{name} has shape {np.shape(fields)} with channel_axis={channel_axis}; {wanted} "
            "wanted. Fields without a channel axis need channel_axis=None."
        )
        raise InvalidDataError(msg)
    check_finite(name, values)
    return values


def warn_if_not_periodic(name: str, fields: Array, grid: Grid) -> None:
    """Warn of fields that jump where their period ends, or that hold its end twice."""
    for i, axis in enumerate(grid.axes):
        if axis.period is None:
            continue
        values = np.moveaxis(fields, 2 + i, -1)
        gaps = np.diff(axis.points)
        inside = np.abs(np.diff(values, axis=-1)) / gaps
        last = axis.period - (axis.points[-1] - axis.points[0])
        across = np.abs(values[..., 0] - values[..., -1])
        steepest = float(np.sqrt((inside.max(axis=-1) ** 2).mean()))
        jump = float(np.sqrt((across**2).mean())) / last
        if jump > _JUMP * steepest:
            msg = (
                f"{name} is not periodic along grid axis {i}: across the end of the period it is "
                f"{jump / steepest:.2g} times as steep as anywhere inside. Set period=None."
            )
            warnings.warn(msg, SolvenetWarning, stacklevel=4)
        elif steepest > 0 and jump * last <= _SAME * steepest * gaps.min():
            msg = (
                f"{name} has the same values at the first and the last point of grid axis {i}: a "
                "periodic grid leaves out the end of the period. Drop the last point, or set "
                "period=None."
            )
            warnings.warn(msg, SolvenetWarning, stacklevel=4)


def _axis(points: Array, period: Any) -> Axis:
    if period != "auto":
        return Axis(points, None if period is None else check_positive("period", period))
    free = Axis(points, None)
    if not free.uniform:
        msg = (
            "The grid is not uniform: its period cannot be guessed. Set period= to a number, or "
            "to None for fields that are not periodic."
        )
        raise InvalidSettingError(msg)
    return Axis(points, float(np.diff(points).mean()) * len(points))


def _refuse_channels(shape: tuple[int, ...]) -> None:
    msg = (
        f"The fields have {_times(shape)} grid points: fewer than 4 an axis. Channels stand "
        "second, (n_fields, n_channels, grid...); if they stand last, set channel_axis=-1."
    )
    raise InvalidDataError(msg)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
