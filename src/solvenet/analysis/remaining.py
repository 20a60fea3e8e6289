"""How long a run of training still takes, by the rates at which it now learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.optimize

from solvenet._validation import check_finite, check_nonnegative
from solvenet.analysis.laws import checked_frequencies, fitted_line
from solvenet.analysis.linear_flow import checked_times
from solvenet.errors import InvalidDataError, InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_FEWEST = 4  # records from which a rate is estimated
_CLEAR = 3.0  # standard errors from which a rate counts as positive
_NOISE = 1e-12  # relative size at which a projection has been learned to rounding


@dataclass(frozen=True, eq=False)
class RemainingTime:
    """What a run of training still takes, by the rates at which it now learns.

    Attributes
    ----------
    time : float
        Until the residual, over the modes that were measured, has fallen to the tolerance;
        infinite if some mode that matters does not decay.
    rates : array of shape (p,)
        Of decay, mode by mode; zero where none can be told from zero.
    from_law : array of shape (p,), bool
        Which rates were extrapolated by the power law of the others.
    times : array of shape (p,)
        Until each mode alone has fallen to its share of the tolerance.
    """

    time: float
    rates: Array
    from_law: Array
    times: Array


def predict_remaining(
    times: Array,
    projections: Array,
    *,
    tolerance: float,
    frequency: Array | None = None,
    window: float = 0.5,
) -> RemainingTime:
    """Predict how long training still takes, from the residual mode by mode so far.

    Parameters
    ----------
    times : array of shape (r,)
        Increasing: times, steps or seconds; the answer has the same unit.
    projections : array of shape (r, p)
        The residual on each of p orthonormal modes, as recorded by :func:`descend`.
    tolerance : float
        Wanted norm of the residual, relative to that of the first record.
    frequency : array of shape (p,), optional
        Of the modes. Rates that cannot be told from zero are then extrapolated by a power law
        fitted to the others, with the exponent -4 of fixed biases if only one is known.
    window : float, default=0.5
        Share of the time, at its end, in which rates are measured.

    Returns
    -------
    RemainingTime
        Zero if the tolerance is reached already.

    Raises
    ------
    InvalidDataError
        Fewer than four records in the window, times that do not increase, values that are not
        finite, shapes that do not fit.
    InvalidSettingError
        A tolerance or window outside of (0, 1].

    Notes
    -----
    A rate is the slope of the logarithm of a projection in the window, and counts if it
    exceeds three standard errors. Projections on functions that are no eigenmodes slow down:
    then the answer is a lower estimate, better the later it is asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import predict_remaining
    >>> t = np.linspace(0, 10, 50)
    >>> modes = np.exp(-t[:, None] * [1.0, 0.1])
    >>> round(predict_remaining(t, modes, tolerance=0.01).time, 2)
    32.59
    """
    t = checked_times(times)
    values = np.asarray(projections, dtype=np.float64)
    for name, given in (("tolerance", tolerance), ("window", window)):
        if not 0 < check_nonnegative(name, given) <= 1:
            msg = f"{name}={given} was given; a number above 0 and up to 1 is wanted."
            raise InvalidSettingError(msg)
    if t.ndim != 1 or values.ndim != 2 or len(t) != len(values) or values.shape[1] == 0:
        msg = (
            f"Times of shape {t.shape} and projections of shape {values.shape} were given; "
            "(r,) and (r, p) are wanted."
        )
        raise InvalidDataError(msg)
    check_finite("times", t)
    check_finite("projections", values)
    if len(t) and (np.diff(t) <= 0).any():
        msg = "Times have to increase from record to record."
        raise InvalidDataError(msg)
    late = t >= t[-1] - window * (t[-1] - t[0]) if len(t) else t > 0
    if late.sum() < _FEWEST:
        msg = (
            f"{int(late.sum())} records lie in the window; at least {_FEWEST} are wanted. "
            "Record more often, or widen the window."
        )
        raise InvalidDataError(msg)
    rates = np.array([_rate(t[late], column) for column in np.abs(values[late]).T])
    now, goal = np.abs(values[-1]), tolerance * float(np.linalg.norm(values[0]))
    learned = now <= _NOISE * np.linalg.norm(values[0])
    from_law = np.zeros(len(rates), dtype=bool)
    if frequency is not None:
        from_law = (rates == 0) & ~learned
        rates = _extrapolated(checked_frequencies(frequency), rates, from_law, values.shape[1])
        from_law &= rates > 0

    def beyond(log_time: float) -> float:
        left = now * np.exp(-rates * math.exp(log_time))
        return float(np.linalg.norm(left)) - goal

    share = goal / math.sqrt(len(now))
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = np.where(now > share, np.log(now / share) / rates, 0.0)
    if np.linalg.norm(now) <= goal:
        time = 0.0
    elif np.linalg.norm(now[rates == 0]) >= goal:
        time = math.inf
    else:
        slowest, fastest = rates[rates > 0].min(), rates.max()
        bracket = math.log(1e-16 / fastest), math.log(800 / slowest)
        time = math.exp(scipy.optimize.brentq(beyond, *bracket, xtol=1e-12))
    return RemainingTime(time, rates, from_law, alone)


def _rate(t: Array, size: Array) -> float:
    """Return the rate of exponential decay, or 0 if it cannot be told from none."""
    used = size > 0
    if used.sum() < _FEWEST:
        return 0.0
    slope, error, _ = fitted_line(t[used], np.log(size[used]))
    return -slope if -slope > _CLEAR * error else 0.0


def _extrapolated(m: Array, rates: Array, wanted: Array, n_modes: int) -> Array:
    if m.shape != (n_modes,):
        msg = f"{m.shape} frequencies were given for {n_modes} modes; one a mode is wanted."
        raise InvalidDataError(msg)
    known = rates > 0
    if not known.any() or not wanted.any():
        return rates
    slope, constant = -4.0, float(np.mean(np.log(rates[known]) + 4.0 * np.log(m[known])))
    if len(np.unique(m[known])) > 1:
        slope, _, constant = fitted_line(np.log(m[known]), np.log(rates[known]))
    return np.where(wanted, np.exp(constant + slope * np.log(m)), rates)
