"""Triangular factors, singular values and Cholesky factors, by LAPACK without copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
from scipy.linalg import blas, lapack

if TYPE_CHECKING:
    from solvenet._array_api import Array


NEARLY_ORTHONORMAL = 1e-2
"""Columns whose inner products are this small need one step of Cholesky QR, not two."""

NEARLY_DEPENDENT = 1e-6
"""Distance of a unit column from the span of the others below which Cholesky QR fails."""


def unit_reflector(vector: Array) -> Array:
    """Return u such that ``I - 2 u u'`` maps `vector` (not zero) onto the first axis."""
    u = vector / np.linalg.norm(vector)
    u[0] += 1.0 if u[0] >= 0 else -1.0
    return u / np.linalg.norm(u)  # type: ignore[no-any-return]


def reflect(u: Array, A: Array) -> Array:
    """Return ``(I - 2 u u') A``."""
    return A - np.outer(2.0 * u, u @ A)


def triangular_factor(A: Array) -> Array:
    """Return R of the QR factorisation of `A`, with a non-negative diagonal.

    Parameters
    ----------
    A : array of shape (n_rows, n_cols), float64
        Overwritten if it is in Fortran order.

    Returns
    -------
    array of shape (min(n_rows, n_cols), n_cols)
        Upper trapezoidal. The sign rule makes it independent of how rows were split.

    Notes
    -----
    ``2 n_rows n_cols**2`` flops. LAPACK ``geqrf`` is called with its own optimal
    workspace: the default of the wrappers costs several times the time.
    """
    if A.size == 0:
        return np.zeros((min(A.shape), A.shape[1]))
    A = np.asarray(A, dtype=np.float64, order="F")
    lwork = int(lapack.dgeqrf_lwork(*A.shape)[0].real)
    factored, _, _, _ = lapack.dgeqrf(A, lwork=lwork, overwrite_a=1)
    R: Array = np.triu(factored[: min(A.shape)])
    R[np.diagonal(R) < 0] *= -1
    return R


def orthonormal(Y: Array) -> tuple[Array, Array]:
    """Return Q with orthonormal columns and upper triangular R, ``Q R = Y``.

    Parameters
    ----------
    Y : array of shape (m, k), m >= k
        Best in C order or in Fortran order; kept as it is.

    Notes
    -----
    Cholesky QR, twice (once for columns that are nearly orthonormal), on columns scaled to
    length one: ``4 m k**2`` flops in matrix products. Where the scaled columns are too
    nearly dependent for it (condition beyond about 1e6), Householder QR, at half the speed.

    References
    ----------
    Y. Yamamoto, Y. Nakatsukasa, Y. Yanagisawa, T. Fukaya (2015), ETNA 44, 306-326.
    """
    norms = np.linalg.norm(Y, axis=0)
    if Y.shape[1] and norms.all() and np.isfinite(norms).all():
        Q, R = np.array(Y / norms, order="F"), np.diag(norms)
        for _ in range(2):
            G = blas.dsyrk(1.0, Q, trans=1, lower=1)
            nearly = float(np.abs(G - np.eye(len(G))).max()) < NEARLY_ORTHONORMAL
            L, info = lapack.dpotrf(G, lower=1, clean=1)
            if info != 0 or np.diagonal(L).min() < NEARLY_DEPENDENT:
                break
            Q = blas.dtrsm(1.0, L, Q, side=1, lower=1, trans_a=1, overwrite_b=1)
            R = blas.dtrmm(1.0, L, R, lower=1, trans_a=1)
            if nearly:
                return Q, R
        else:
            return Q, R
    return scipy.linalg.qr(Y, mode="economic", check_finite=False)  # type: ignore[no-any-return]


def thin_svd(A: Array) -> tuple[Array, Array, Array]:
    """Return U, s, Vt; falls back to ``gesvd`` where divide and conquer fails."""
    try:
        return scipy.linalg.svd(A, full_matrices=False, check_finite=False)  # type: ignore[no-any-return]
    except np.linalg.LinAlgError:
        return scipy.linalg.svd(  # type: ignore[no-any-return]
            A, full_matrices=False, check_finite=False, lapack_driver="gesvd"
        )


def least_norm(A: Array, B: Array, cutoff: float) -> tuple[Array, Array, int]:
    """Return the truncated solution of least norm, the singular values and the rank.

    LAPACK ``gelsd``: a bidiagonalisation, without the singular vectors.
    """
    X, _, rank, s = scipy.linalg.lstsq(A, B, cond=cutoff, lapack_driver="gelsd", check_finite=False)
    return X, s, int(rank)


def symmetric_eigen(G: Array) -> tuple[Array, Array]:
    """Return eigenvalues, descending and clipped at zero, and the eigenvectors of `G`."""
    values, vectors = scipy.linalg.eigh(G, check_finite=False, driver="evd")
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


def cholesky(G: Array, shift: float, *, out: Array | None = None) -> Array | None:
    """Return L with ``L L' = G + shift I``, or None if that is not positive definite.

    Only the lower triangle of the result means anything.

    Parameters
    ----------
    G : array of shape (n, n), float64
        Symmetric, of which the lower triangle counts; kept as it is.
    shift : float
        Added to the diagonal.
    out : array of shape (n, n), Fortran order, optional
        Memory for L.
    """
    shifted = np.empty(G.shape, order="F") if out is None else out
    shifted[...] = G
    shifted.ravel(order="K")[:: len(G) + 1] += shift
    L, info = lapack.dpotrf(shifted, lower=1, clean=0, overwrite_a=1)
    return L if info == 0 else None


def cholesky_solve(L: Array, B: Array) -> Array:
    """Return ``(L L')^-1 B``."""
    X, _ = lapack.dpotrs(L, np.asfortranarray(B), lower=1)
    return X  # type: ignore[no-any-return]


def frobenius(A: Array) -> float:
    """Return the Frobenius norm of `A`, without a copy and without overflow."""
    return float(lapack.dlange("F", A))


def triangular_solve(L: Array, B: Array, *, lower: bool = True) -> Array:
    """Return ``L^-1 B`` for the lower (or upper) triangle of `L`."""
    return blas.dtrsm(1.0, L, np.asfortranarray(B), lower=lower)  # type: ignore[no-any-return]


def triangular_inverse(L: Array) -> Array:
    """Return the inverse of the lower triangle of `L`, zero above the diagonal."""
    inverse, _ = lapack.dtrtri(L, lower=1)
    return np.tril(inverse)


def triangular_condition(R: Array) -> float:
    """Return LAPACK's estimate of the 1-norm condition number of an upper triangle."""
    rcond, _ = lapack.dtrcon(np.asfortranarray(R), norm="1", uplo="U")
    return 1.0 / rcond if rcond > 0 else float("inf")


def pivoted_triangle(R: Array) -> tuple[Array, Array, Array]:
    """Return ``Q, T, pivots`` of the column-pivoted QR factorisation ``R[:, pivots] = Q T``.

    The diagonal of T falls; LAPACK ``geqp3``, ``4/3 n**3`` flops for a square R.
    """
    return scipy.linalg.qr(  # type: ignore[no-any-return]
        R, mode="economic", pivoting=True, check_finite=False
    )


def cholesky_condition(L: Array, one_norm: float) -> float:
    """Return LAPACK's estimate of the 1-norm condition number of ``L L'``."""
    rcond, _ = lapack.dpocon(L, one_norm, uplo="L")
    return 1.0 / rcond if rcond > 0 else float("inf")
