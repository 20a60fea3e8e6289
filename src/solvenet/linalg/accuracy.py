"""How good a least-squares solution is, by numbers that do not depend on the solver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array


def column_norms(X: Array) -> Array:
    """Return the 2-norms of the columns of `X`, without overflow or underflow."""
    size = np.abs(X).max(axis=0, initial=0.0)
    norms: Array = size * np.linalg.norm(X / np.where(size > 0, size, 1.0), axis=0)
    return norms


def karlson_walden(
    singular_values: Array,
    right_vectors: Array,
    coef: Array,
    normal_residual: Array,
    residual_norm: Array,
    alpha: float,
) -> float:
    """Estimate the relative backward error of a ridge least-squares solution.

    Parameters
    ----------
    singular_values : array of shape (k,)
        Retained singular values of A.
    right_vectors : array of shape (n_cols, k)
        Their right singular vectors.
    coef : array of shape (n_cols, n_targets)
        The solution W.
    normal_residual : array of shape (n_cols, n_targets)
        ``A' (B - A W) - alpha W``.
    residual_norm : array of shape (n_targets,)
        ``||B - A W||`` a column.
    alpha : float
        Ridge parameter.

    Returns
    -------
    float
        The largest over the targets of
        ``||(A'A + (alpha + eta**2) I)^-1/2 g|| / (||w|| ||A||_F)``, where g is the normal
        residual in the retained directions and ``eta**2 = (||r||**2 + alpha ||w||**2) /
        ||w||**2``. Within a factor of sqrt(2) of the size of the smallest change of A
        that makes W exact.

    Notes
    -----
    The ridge problem is the least-squares problem of ``[A; sqrt(alpha) I]``; the
    estimate is that of Karlson and Walden for it.

    References
    ----------
    R. Karlson, B. Walden (1997), BIT 37, 862-869, https://doi.org/10.1007/BF02510356
    """
    scale = float(np.linalg.norm(singular_values))
    if scale == 0:
        return 0.0
    errors = []
    for w, g, r in zip(coef.T, normal_residual.T, residual_norm, strict=True):
        norm = float(np.linalg.norm(w))
        if norm == 0:
            # The zero vector is exact exactly when the normal residual vanishes.
            reference = scale * float(r)
            size = float(column_norms((right_vectors.T @ g)[:, None])[0])
            errors.append(size / reference if reference > 0 else 0.0)
            continue
        # Relative to ||A||_F, so that matrices of any scale neither over- nor underflow.
        eta = float(r) / norm / scale
        ridge = alpha / scale / scale
        weight = np.sqrt((singular_values / scale) ** 2 + 2 * ridge + eta**2)
        projected = (right_vectors.T @ g) / scale / norm / scale
        errors.append(float(np.linalg.norm(projected / np.where(weight > 0, weight, np.inf))))
    return max(errors, default=0.0)


def stewart(
    frobenius: float, coef: Array, normal_residual_norm: Array, residual_norm: Array, alpha: float
) -> float:
    """Bound the relative backward error from above where no spectrum is known.

    Parameters
    ----------
    frobenius : float
        ``||A||_F``.
    normal_residual_norm : array of shape (n_targets,)
        ``||A' (B - A W) - alpha W||`` a column.
    coef, residual_norm, alpha
        As for :func:`karlson_walden`.

    Returns
    -------
    float
        The largest over the targets of ``min(||g|| / ||r||, ||r|| / ||w||) / ||A||_F``:
        the two changes of A that Stewart constructs, of which the smaller counts. May
        exceed the optimal backward error by orders of magnitude, never fall below it.

    References
    ----------
    G. W. Stewart (1977), in Mathematical Software III, 1-14.
    """
    w = column_norms(coef)
    r = np.sqrt(residual_norm**2 + alpha * w**2)
    g = normal_residual_norm
    with np.errstate(divide="ignore", invalid="ignore"):
        by_gradient = np.where(g > 0, g / r, 0.0)
        by_residual = np.where(r > 0, r / w, 0.0)
    if frobenius == 0:
        return 0.0
    return float(np.fmin(by_gradient, by_residual).max(initial=0.0) / frobenius)
