"""The path of a gradient flow in closed form: each mode decays at a rate of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.optimize

from solvenet._validation import check_finite, check_nonnegative
from solvenet.errors import InvalidDataError, InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_PER_DECADE = 24  # of the times that are scanned for the first crossing of a half
_EARLY, _LATE = 1e-4, 1e2  # where the scan starts and ends, in units of the time of a mode


@dataclass(frozen=True, eq=False)
class LinearFlow:
    """The path of ``da/dt = -Phi^T W (Phi a - y)``, known at every time.

    With the singular value decomposition ``W^(1/2) Phi = U S V^T``, the k-th mode of the
    residual decays like ``exp(-rates[k] t)``, ``rates = S**2``. Stopping at a time t is the
    filter ``1 - exp(-rates t)`` on the least-squares solution: modes with ``rates > 1 / t``
    are learned, the others are not.

    Attributes
    ----------
    rates : array of shape (k,)
        Descending; directions below rounding are left out, as no descent ever learns them.
    right : array of shape (n, k)
        V, the modes as coefficients.
    left : array of shape (m, k)
        U, the modes as weighted values at the points.
    start : array of shape (n, q)
        Coefficients at time 0.
    residual_at_start : array of shape (m, q)
        ``W^(1/2) (y - Phi a)`` at time 0.
    amplitudes_at_start : array of shape (k, q)
        ``U^T`` times that.
    weights : array of shape (m,)
        The diagonal of W.
    step : float or None
        Step of explicit descent, at whose multiples the path is then meant; None is the flow.
    single : bool
        Whether one target of shape (m,) was given: results then have no axis q.
    """

    rates: Array
    right: Array
    left: Array
    start: Array
    residual_at_start: Array
    amplitudes_at_start: Array
    weights: Array
    step: float | None
    single: bool

    @property
    def largest_step(self) -> float:
        """Step of explicit descent that no mode oscillates at: one over the largest rate."""
        return 1.0 / float(self.rates[0]) if len(self.rates) else math.inf

    def stepped(self, step: float | None = None) -> LinearFlow:
        """Return the path of explicit descent instead of the flow.

        Parameters
        ----------
        step : float, optional
            Learning rate, by default :attr:`largest_step`.

        Returns
        -------
        LinearFlow
            Its decay is ``(1 - step rates)**i`` at times ``i step <= t``.

        Raises
        ------
        InvalidSettingError
            A step that is not positive, or at which descent diverges (twice the
            :attr:`largest_step`).
        """
        step = self.largest_step if step is None else check_nonnegative("step", step)
        if not 0 < step < 2 * self.largest_step:
            msg = (
                f"step={step:g} was given; descent converges for positive steps below "
                f"{2 * self.largest_step:.4g}, twice the reciprocal of the largest rate."
            )
            raise InvalidSettingError(msg)
        return replace(self, step=step)

    def decay(self, times: float | Array) -> Array:
        """Return what is left of each mode.

        Parameters
        ----------
        times : float or array of shape (...)
            Not negative.

        Returns
        -------
        array of shape (..., k)
            Factors of the amplitudes at the start.
        """
        times = checked_times(times)[..., None]
        if self.step is None:
            return np.exp(-times * self.rates)  # type: ignore[no-any-return]
        # A time that is a multiple of the step but for rounding counts as reached.
        return (1.0 - self.step * self.rates) ** np.floor(times / self.step * (1 + 1e-12))

    def filter(self, times: float | Array) -> Array:
        """Return what has been learned of each mode, ``1 - decay``, of shape (..., k).

        Parameters
        ----------
        times : float or array of shape (...)
            Not negative.

        Returns
        -------
        array of shape (..., k)
            Between 0 and 1, also for tiny rates to full relative accuracy.
        """
        if self.step is None:
            return -np.expm1(-checked_times(times)[..., None] * self.rates)  # type: ignore[no-any-return]
        return 1.0 - self.decay(times)

    def coefficients(self, time: float) -> Array:
        """Return the coefficients at a time.

        Parameters
        ----------
        time : float
            Not negative; infinity gives the least-squares solution nearest to the start.

        Returns
        -------
        array of shape (n,) or (n, q)
            The path a(t).
        """
        learned = self.filter(_one_time(time)) / np.sqrt(self.rates)
        return self._shaped(self.start + self.right @ (learned[:, None] * self.amplitudes_at_start))

    def amplitudes(self, time: float) -> Array:
        """Return the residual mode by mode at a time.

        Parameters
        ----------
        time : float
            Not negative.

        Returns
        -------
        array of shape (k,) or (k, q)
            ``U^T W^(1/2) (y - Phi a)``.
        """
        return self._shaped(self.decay(_one_time(time))[:, None] * self.amplitudes_at_start)

    def residual(self, time: float) -> Array:
        """Return the residual at the points at a time.

        Parameters
        ----------
        time : float
            Not negative.

        Returns
        -------
        array of shape (m,) or (m, q)
            ``y - Phi a``; zero where a point has no weight.
        """
        learned = self.left @ (self.filter(_one_time(time))[:, None] * self.amplitudes_at_start)
        root = np.sqrt(self.weights)[:, None]
        weighted = self.residual_at_start - learned
        return self._shaped(np.divide(weighted, root, out=np.zeros_like(weighted), where=root > 0))

    def projections(self, times: float | Array, probes: Array | None = None) -> Array:
        """Return the inner products of the residual with functions, over time.

        Parameters
        ----------
        times : float or array of shape (...)
            Not negative.
        probes : array of shape (m,) or (m, p), optional
            Values of the functions at the points, for example cosines: any number of them
            for one target, one a target for several. By default the residual at the start.

        Returns
        -------
        array of shape (..., p)
            ``sum_j weights[j] residual[j] probes[j]``.

        Raises
        ------
        InvalidDataError
            Probes whose number does not fit, or that are not finite; negative times.
        """
        parts, rest = self._parts(probes)
        return self.decay(times) @ parts + rest

    def half_times(self, probes: Array | None = None) -> Array:
        """Return when each projection has first fallen to half of its absolute value.

        Parameters
        ----------
        probes : array of shape (m,) or (m, p), optional
            As in :meth:`projections`.

        Returns
        -------
        array of shape (p,)
            Infinite where that never happens. A time of explicit descent is a multiple of its
            step.

        Raises
        ------
        InvalidDataError
            Probes whose number does not fit, or that are not finite.

        Notes
        -----
        A projection is a sum of exponentials: it is scanned at 24 times a decade, and the
        first crossing found is refined to relative 1e-12.
        """
        parts, rest = self._parts(probes)
        if len(self.rates) == 0:
            return np.full(len(rest), math.inf)
        first, last = _EARLY / self.rates[0], _LATE / self.rates[-1]
        n_times = 2 + int(_PER_DECADE * math.log10(last / first))
        times = np.geomspace(first, last, n_times)
        at_start = np.abs(parts.sum(0) + rest)
        fallen = np.abs(self.decay(times) @ parts + rest) <= at_start / 2
        out = np.full(len(rest), math.inf)
        for j in np.flatnonzero(fallen.any(0) & (at_start > 0)).tolist():

            def above(log_time: float, j: int = j) -> float:
                value = self.decay(math.exp(log_time)) @ parts[:, j] + rest[j]
                return float(abs(value) - at_start[j] / 2)

            i = int(np.argmax(fallen[:, j]))
            low = math.log(times[i - 1]) if i else math.log(times[0]) - 60.0
            out[j] = math.exp(scipy.optimize.brentq(above, low, math.log(times[i]), xtol=1e-13))
        return out if self.step is None else np.ceil(out / self.step * (1 - 1e-9)) * self.step

    def steps(self, times: float | Array) -> Array:
        """Return how many steps of explicit descent reach a time, as floats.

        Parameters
        ----------
        times : float or array of shape (...)
            Not negative; infinite ones stay so.

        Returns
        -------
        array of shape (...)
            Times over ``step``, or over :attr:`largest_step` for the flow.
        """
        step = self.step if self.step is not None else self.largest_step
        return np.ceil(checked_times(times) / step * (1 - 1e-12))

    def _parts(self, probes: Array | None) -> tuple[Array, Array]:
        """Return the share of each mode in each projection, and what no mode reaches."""
        if probes is None:
            weighted = self.residual_at_start
        else:
            values = checked_columns("probes", probes, len(self.weights))
            weighted = np.sqrt(self.weights)[:, None] * values
        n_targets = self.residual_at_start.shape[1]
        if weighted.shape[1] != n_targets and n_targets != 1:
            msg = (
                f"{weighted.shape[1]} probes were given for {n_targets} targets; one a target is "
                "wanted, or a flow with a single target."
            )
            raise InvalidDataError(msg)
        parts = (self.left.T @ weighted) * self.amplitudes_at_start
        rest = (weighted * self.residual_at_start).sum(0) - parts.sum(0)
        return parts, rest

    def _shaped(self, values: Array) -> Array:
        return values[:, 0] if self.single else values


def checked_times(times: float | Array) -> Array:
    """Return times as an array, checked to be numbers of at least zero."""
    values = np.asarray(times, dtype=np.float64)
    if not (values >= 0).all():
        bad = values[~(values >= 0)].flat[0]
        msg = f"A time of {bad:g} was given; times from 0 on are wanted."
        raise InvalidDataError(msg)
    return values


def _one_time(time: float) -> float:
    """Return a single time, checked."""
    if np.ndim(time):
        msg = f"Times of shape {np.shape(time)} were given; one number is wanted. Ask one by one."
        raise InvalidDataError(msg)
    return float(checked_times(time))


def checked_columns(name: str, values: Array, n_rows: int) -> Array:
    """Return values as a finite float64 matrix with so many rows."""
    array = np.asarray(values, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[0] != n_rows or array.shape[1] == 0:
        msg = (
            f"{name} has shape {np.shape(values)}; {n_rows} rows, of one number or of at least "
            "one column, are wanted."
        )
        raise InvalidDataError(msg)
    check_finite(name, array)
    return array
