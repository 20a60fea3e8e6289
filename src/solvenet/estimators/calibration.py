"""From least-squares scores to probabilities, on scores that a row had no part in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

if TYPE_CHECKING:
    from solvenet._array_api import Array

_SLOPE_RIDGE = 1e-4
_OFFSET_RIDGE = 1e-6


def fit_calibration(scores: Array, codes: Array, weights: Array) -> tuple[float, Array]:
    """Fit ``softmax(slope * scores + offset)`` to classes by maximum likelihood.

    Parameters
    ----------
    scores : array of shape (n_rows, n_classes)
        Leave-one-out scores (estimated class indicators).
    codes : array of shape (n_rows,), int
        Class of each row.
    weights : array of shape (n_rows,)
        Weights of the rows.

    Returns
    -------
    slope : float
        At least zero.
    offset : array of shape (n_classes,)
        Offsets of the logits.

    Notes
    -----
    Multinomial logistic regression with one slope for all classes: convex, solved by
    Newton's method with a trust region. A ridge of 1e-4 of a row's weight keeps the slope
    of separable data finite. *Cost:* ``n_rows n_classes**2`` flops an iteration.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger (2017), On calibration of modern neural
    networks, ICML, arXiv:1706.04599.
    """
    n_classes = scores.shape[1]
    total = weights.sum()
    share = weights / total
    rows = np.arange(len(codes))
    target = np.zeros_like(scores)
    target[rows, codes] = 1.0
    ridge = np.concatenate([[_SLOPE_RIDGE], np.full(n_classes, _OFFSET_RIDGE)]) / total

    def loss(parameters: Array) -> tuple[float, Array]:
        logits = parameters[0] * scores + parameters[1:]
        value = -float(share @ log_softmax(logits, axis=1)[rows, codes])
        error = share[:, None] * (softmax(logits, axis=1) - target)
        gradient = np.concatenate([[np.einsum("ij,ij->", error, scores)], error.sum(axis=0)])
        return value + 0.5 * float(ridge @ parameters**2), gradient + ridge * parameters

    def hessian(parameters: Array) -> Array:
        p = softmax(parameters[0] * scores + parameters[1:], axis=1)
        weighted = share[:, None] * p
        mean = np.einsum("ij,ij->i", p, scores)
        H = np.empty((n_classes + 1, n_classes + 1))
        H[1:, 1:] = np.diag(weighted.sum(axis=0)) - weighted.T @ p
        H[0, 1:] = H[1:, 0] = np.einsum("ij,ij->j", weighted, scores - mean[:, None])
        H[0, 0] = np.einsum("ij,ij->", weighted, (scores - mean[:, None]) ** 2)
        return H + np.diag(ridge)

    start = np.concatenate([[1.0], np.zeros(n_classes)])
    found = minimize(
        loss, start, jac=True, hess=hessian, method="trust-exact", options={"gtol": 1e-10}
    ).x
    if found[0] <= 0:  # the scores say less than nothing: keep the frequencies only
        return 0.0, np.log(np.maximum(share @ target, np.finfo(float).tiny))
    return float(found[0]), found[1:] - found[1:].mean()


def expected_calibration_error(
    probabilities: Array, codes: Array, weights: Array | None = None, *, n_bins: int = 15
) -> float:
    """Return the expected calibration error of the predicted class.

    Parameters
    ----------
    probabilities : array of shape (n_rows, n_classes)
        Predicted probabilities.
    codes : array of shape (n_rows,), int
        True classes, as columns of `probabilities`.
    weights : array of shape (n_rows,), optional
        Weights of the rows.
    n_bins : int, default=15
        Bins of equal width of the confidence.

    Returns
    -------
    float
        ``sum_b (weight_b / total) |accuracy_b - confidence_b|``, between 0 and 1.
    """
    weights = np.ones(len(codes)) if weights is None else weights
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == codes
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gap = np.bincount(bins, weights * (correct - confidence), n_bins)
    return float(np.abs(gap).sum() / weights.sum())
