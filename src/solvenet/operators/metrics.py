"""How far predicted fields are from true ones: the error measures of operator learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import as_numbers, check_finite
from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array


def relative_l2(predicted: Any, true: Any) -> float:
    """Return the mean over fields of ``||predicted - true|| / ||true||``.

    Parameters
    ----------
    predicted, true : array-like of shape (n_fields, ...)
        Fields: all axes but the first are those of one field, channels included. Channels of
        different units should be measured one by one.

    Returns
    -------
    float
        The error of operator learning's tables (``LpLoss(p=2).rel`` of neuraloperator).

    Raises
    ------
    InvalidDataError
        Shapes that differ, no field, NaN, or a true field that is zero everywhere.

    Examples
    --------
    >>> from solvenet.operators import relative_l2
    >>> round(relative_l2([[3.0, 4.4]], [[3.0, 4.0]]), 3)
    0.08
    """
    predicted, true = _checked(predicted, true)
    return float(np.mean(_norm(predicted - true) / _nonzero(_norm(true), "is zero everywhere")))


def nrmse(predicted: Any, true: Any) -> float:
    """Return the root mean square error over the root mean square of the true values.

    Parameters
    ----------
    predicted, true : array-like of shape (n_fields, n_channels, ...)
        Fields; each channel of each field is measured by itself.

    Returns
    -------
    float
        The mean over fields and channels (PDEBench's nRMSE).

    Raises
    ------
    InvalidDataError
        As :func:`relative_l2`, for a channel of a field.
    """
    predicted, true = _by_channel(predicted, true)
    return float(np.mean(_norm(predicted - true) / _nonzero(_norm(true), "is zero everywhere")))


def vrmse(predicted: Any, true: Any) -> float:
    """Return the root mean square error over the standard deviation of the true values.

    Parameters
    ----------
    predicted, true : array-like of shape (n_fields, n_channels, ...)
        Fields; each channel of each field is measured by itself.

    Returns
    -------
    float
        The mean over fields and channels (The Well's VRMSE, without its 1e-7 beneath the
        root): 1 is what predicting the mean of each field would get.

    Raises
    ------
    InvalidDataError
        As :func:`relative_l2`; or a channel of a true field is constant.
    """
    predicted, true = _by_channel(predicted, true)
    spread = _norm(true - true.mean(axis=1, keepdims=True))
    rounding = 8 * np.finfo(np.float64).eps * _norm(true)
    spread = np.where(spread > rounding, spread, 0.0)
    return float(np.mean(_norm(predicted - true) / _nonzero(spread, "is constant")))


def relative_h1(predicted: Any, true: Any, *, lengths: Any = 1.0) -> float:
    """Return the mean relative error of values and slopes together, on periodic fields.

    Parameters
    ----------
    predicted, true : array-like of shape (n_fields, n_channels, grid...)
        Fields on a uniform grid that leaves out the last point of each period.
    lengths : float or sequence of float, default=1.0
        Period of each axis.

    Returns
    -------
    float
        The mean of ``||e||_H1 / ||true||_H1`` with ``||v||_H1^2 = ||v||^2 + ||grad v||^2``;
        derivatives by Fourier series.

    Raises
    ------
    InvalidDataError
        As :func:`relative_l2`; or there is no axis after the channels.
    """
    predicted, true = _checked(predicted, true)
    if true.ndim < 3:
        msg = f"Fields of shape {true.shape} were given; (n_fields, n_channels, grid...) is wanted."
        raise InvalidDataError(msg)
    axes = tuple(range(2, true.ndim))
    periods = np.broadcast_to(as_numbers("lengths", lengths), (len(axes),))
    weight = 1.0 + sum(
        np.expand_dims(
            (2 * np.pi * np.fft.fftfreq(true.shape[axis], 1 / true.shape[axis]) / period) ** 2,
            tuple(i for i in range(true.ndim) if i != axis),
        )
        for axis, period in zip(axes, periods, strict=True)
    )

    def norm(fields: Array) -> Array:
        modes = np.fft.fftn(fields, axes=axes, norm="forward")
        out: Array = np.sqrt((weight * np.abs(modes) ** 2).reshape(len(fields), -1).sum(axis=1))
        return out

    return float(np.mean(norm(predicted - true) / _nonzero(norm(true), "is zero everywhere")))


def _checked(predicted: Any, true: Any) -> tuple[Array, Array]:
    predicted, true = as_numbers("predicted", predicted), as_numbers("true", true)
    if predicted.shape != true.shape or true.ndim < 2 or true.size == 0:
        msg = (
            f"predicted has shape {predicted.shape} and true {true.shape}; equal shapes "
            "(n_fields, ...) with at least one field are wanted."
        )
        raise InvalidDataError(msg)
    check_finite("predicted", predicted)
    check_finite("true", true)
    return predicted, true


def _by_channel(predicted: Any, true: Any) -> tuple[Array, Array]:
    """Return one row for each channel of each field; without a grid, one for each field."""
    predicted, true = _checked(predicted, true)
    rows = true.shape[0] * (true.shape[1] if true.ndim > 2 else 1)
    return predicted.reshape(rows, -1), true.reshape(rows, -1)


def _norm(fields: Array) -> Array:
    return np.asarray(np.linalg.norm(fields.reshape(len(fields), -1), axis=1))


def _nonzero(norms: Array, what: str) -> Array:
    zero = np.flatnonzero(norms == 0)
    if len(zero):
        msg = (
            f"True field {int(zero[0])} {what}: a relative error says nothing of it. Leave it out."
        )
        raise InvalidDataError(msg)
    return norms
