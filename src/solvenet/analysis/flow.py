"""Gradient flow of the read-out of fixed features: solved by one decomposition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_finite
from solvenet.analysis.linear_flow import LinearFlow, checked_columns
from solvenet.errors import InvalidDataError
from solvenet.linalg.rank import relative_cutoff

if TYPE_CHECKING:
    from solvenet._array_api import Array

_SMALLEST = 1e-140
"""Singular value whose square is far from the end of the range of float64."""


def gradient_flow(
    features: Array,
    target: Array,
    *,
    weights: Array | None = None,
    start: Array | None = None,
) -> LinearFlow:
    """Return the gradient flow of the read-out of fixed features, in closed form.

    It descends on ``1/2 sum_j weights[j] (features[j] @ a - target[j])**2``.

    Parameters
    ----------
    features : array of shape (m, n)
        Values of n features at m points: any features, with a column of ones for a constant.
    target : array of shape (m,) or (m, q)
        Values to be learned; several targets share one decomposition.
    weights : array of shape (m,), optional
        Of a quadrature (see :func:`gauss_rule`), or of data; ``1 / m`` by default.
    start : array of shape (n,) or (n, q), optional
        Coefficients at time 0; zero by default.

    Returns
    -------
    LinearFlow
        Coefficients, residuals, projections and half-times at any time.

    Raises
    ------
    InvalidDataError
        Shapes that do not fit, values that are not finite, negative weights.

    Notes
    -----
    Rates are squared singular values of the weighted design matrix: accurate down to
    ``1e-30`` of the largest, where eigenvalues of its Gram matrix are noise below ``1e-16``.
    The cost is that decomposition, about ``6 m n**2 + 20 n**3`` operations.

    Examples
    --------
    ReLU units with fixed biases need 2**4 times as long for twice the frequency:

    >>> import numpy as np
    >>> from solvenet.analysis import gauss_rule, gradient_flow, uniform_biases
    >>> b = uniform_biases(100)
    >>> x, weights = gauss_rule(b, 4)
    >>> cosines = np.cos(np.pi * x[:, None] * [4, 8, 16])
    >>> flow = gradient_flow(np.maximum(x[:, None] - b, 0), cosines, weights=weights)
    >>> [f"{t:.0f}" for t in flow.half_times()]
    ['329', '5433', '88342']
    """
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or 0 in features.shape:
        msg = (
            f"features have shape {features.shape}; a matrix of m points and n features, at "
            "least one of each, is wanted."
        )
        raise InvalidDataError(msg)
    check_finite("features", features)
    m, n = features.shape
    weights = _weights_of(weights, m)
    Y = checked_columns("target", target, m)
    begin = np.zeros((n, Y.shape[1])) if start is None else checked_columns("start", start, n)
    _check_same_targets(begin, Y)
    root = np.sqrt(weights)[:, None]
    U, s, Vt = np.linalg.svd(root * features, full_matrices=False)
    if s[0] > 0 and not _SMALLEST < s[0] < 1 / _SMALLEST:
        msg = (
            f"features reach {np.abs(features).max():.2g}; their squares leave the range of "
            "float64. Scale them to an ordinary size."
        )
        raise InvalidDataError(msg)
    kept = s > relative_cutoff(None, (m, n), np.dtype(np.float64)) * s[0]
    residual = root * (Y - features @ begin)
    return LinearFlow(
        rates=s[kept] ** 2,
        right=Vt[kept].T,
        left=U[:, kept],
        start=begin,
        residual_at_start=residual,
        amplitudes_at_start=U[:, kept].T @ residual,
        weights=weights,
        step=None,
        single=np.ndim(target) == 1,
    )


def gram_flow(gram: Array, load: Array, *, start: Array | None = None) -> LinearFlow:
    """Return the flow ``da/dt = -G a + f`` from a Gram matrix and inner products alone.

    Parameters
    ----------
    gram : array of shape (n, n)
        G, symmetric and positive semidefinite.
    load : array of shape (n,) or (n, q)
        f, the inner products of the targets with the features.
    start : array of shape (n,) or (n, q), optional
        Coefficients at time 0; zero by default.

    Returns
    -------
    LinearFlow
        Its "points" are the modes themselves, with weight 1: ``residual`` and ``amplitudes``
        are the same, and what lies outside of the span of the features is unknown.

    Raises
    ------
    InvalidDataError
        A matrix that is not square, not symmetric or has negative eigenvalues beyond rounding;
        values that are not finite.

    Notes
    -----
    Only rates above ``n`` times the machine epsilon of the largest are known. Give
    :func:`gradient_flow` a design matrix to see the others. Cost ``9 n**3``.
    """
    gram = np.asarray(gram, dtype=np.float64)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or len(gram) == 0:
        msg = f"gram has shape {gram.shape}; a square matrix is wanted."
        raise InvalidDataError(msg)
    check_finite("gram", gram)
    tolerance = relative_cutoff(None, gram.shape, np.dtype(np.float64)) * float(np.abs(gram).max())
    if np.abs(gram - gram.T).max() > 10 * tolerance:
        msg = "gram is not symmetric; the inner products of features with one another are wanted."
        raise InvalidDataError(msg)
    f = checked_columns("load", load, len(gram))
    values, vectors = np.linalg.eigh(gram)
    if values[0] < -10 * len(gram) * tolerance:
        msg = (
            f"gram has the eigenvalue {values[0]:.3g} beside {values[-1]:.3g}; a positive "
            "semidefinite matrix is wanted."
        )
        raise InvalidDataError(msg)
    values, vectors = values[::-1], vectors[:, ::-1]
    known = values > relative_cutoff(None, gram.shape, np.dtype(np.float64)) * values[0]
    rates, V = values[known], vectors[:, known]
    begin = np.zeros_like(f) if start is None else checked_columns("start", start, len(gram))
    _check_same_targets(begin, f)
    root = np.sqrt(rates)[:, None]
    amplitudes = (V.T @ f) / root - root * (V.T @ begin)
    return LinearFlow(
        rates=rates,
        right=V,
        left=np.eye(len(rates)),
        start=begin,
        residual_at_start=amplitudes,
        amplitudes_at_start=amplitudes,
        weights=np.ones(len(rates)),
        step=None,
        single=np.ndim(load) == 1,
    )


def _check_same_targets(start: Array, targets: Array) -> None:
    if start.shape[1] != targets.shape[1]:
        msg = (
            f"start has {start.shape[1]} columns for {targets.shape[1]} targets; as many are "
            "wanted."
        )
        raise InvalidDataError(msg)


def _weights_of(weights: Array | None, m: int) -> Array:
    if weights is None:
        return np.full(m, 1.0 / m)
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (m,):
        msg = f"weights have shape {values.shape} for {m} points; one a point is wanted."
        raise InvalidDataError(msg)
    check_finite("weights", values)
    if values.min() < 0 or values.max() <= 0:
        msg = (
            f"weights reach from {values.min():g} to {values.max():g}; numbers >= 0, not all "
            "zero, are wanted."
        )
        raise InvalidDataError(msg)
    return values
