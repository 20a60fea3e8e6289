"""The singular triplets above a cutoff, at the cost of the rank rather than the size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet.linalg.factor import orthonormal, thin_svd
from solvenet.linalg.products import multiply
from solvenet.linalg.rank import numerical_rank

if TYPE_CHECKING:
    from solvenet._array_api import Array

FINEST_CUTOFF = 1e-13
"""Below this, rounding in the random projection would show in the last directions."""

SMALL = 160
"""Up to this many rows or columns a plain decomposition is faster."""

WORTHWHILE = 0.6
"""Beyond this share of the directions a plain decomposition is faster."""

CAPTURED = 0.1
"""The search stops when what is left is below this share of the cutoff."""


def leading_svd(A: Array, cutoff: float, *, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return ``U, s, Vt`` with every singular value above ``cutoff * s1``, and a few more.

    Parameters
    ----------
    A : array of shape (m, n), float64
        The matrix.
    cutoff : float
        Relative. Zero asks for all.
    seed : int, default=0
        Of the random projections.

    Returns
    -------
    U : array of shape (m, k)
    s : array of shape (k,)
        Descending.
    Vt : array of shape (k, n)

    Notes
    -----
    A random projection of the columns is widened, block after block, until the diagonal of
    its triangular factor falls below a tenth of the cutoff; the decomposition is then that
    of the projected matrix (Halko, Martinsson and Tropp 2011, algorithms 4.2 and 5.1, with
    the stopping rule of Martinsson and Voronin 2016). Where more than 0.6 of the
    directions are needed, or a cutoff below 1e-13, all are computed by LAPACK.

    *Cost:* ``4 m n k + 2 (m + n) k**2 + 20 k**3`` flops, almost all in matrix products,
    where a full decomposition takes ``2 m n**2 + 20 n**3``.

    References
    ----------
    N. Halko, P.-G. Martinsson, J. A. Tropp (2011), SIAM Review 53, 217-288;
    P.-G. Martinsson, S. Voronin (2016), SIAM J. Sci. Comput. 38, S485-S507.
    """
    found = try_leading_svd(A, cutoff, seed=seed)
    return thin_svd(A) if found is None else found


def truncated_svd(A: Array, cutoff: float) -> tuple[Array, Array, Array]:
    """Return the singular triplets above ``cutoff * s1`` and no more: :func:`leading_svd`, cut."""
    U, s, Vt = leading_svd(A, cutoff)
    r = numerical_rank(s, cutoff)
    return U[:, :r], s[:r], Vt[:r]


def try_leading_svd(
    A: Array, cutoff: float, *, smallest: int = SMALL, worthwhile: float = WORTHWHILE, seed: int = 0
) -> tuple[Array, Array, Array] | None:
    """Return what :func:`leading_svd` does, or None where it would not be faster.

    That is for at most `smallest` rows or columns, and for more than a share of
    `worthwhile` of the directions, which a look at a part of them tells.
    """
    if min(A.shape) <= smallest or cutoff < FINEST_CUTOFF:
        return None
    Q = _range(A, cutoff, worthwhile, seed=seed)
    if Q is None:
        return None
    # The projected matrix is short: the SVD of its triangular factor is cheaper still.
    right, R = orthonormal(multiply(Q.T, A).T)
    U, s, Vt = thin_svd(R.T)
    return multiply(Q, U), s, multiply(Vt, right.T)


def largest_singular_value(A: Array, *, steps: int = 8) -> float:
    """Return an estimate of ``||A||_2`` from below, by power iteration without overflow.

    Within a per cent for the decaying spectra of features. *Cost:* ``4 m n steps`` flops.
    """
    size = float(np.abs(A).max(initial=0.0))
    if size == 0:
        return 0.0
    A = A / size
    v = A[[int(np.argmax(np.abs(A).max(axis=1)))]].T
    norm = 0.0
    for _ in range(steps):
        w = multiply(A, v / np.linalg.norm(v))
        norm = float(np.linalg.norm(w))
        v = multiply(w.T, A).T
    return norm * size


def _range(A: Array, cutoff: float, worthwhile: float, *, seed: int) -> Array | None:
    """Return an orthonormal basis of what A maps to above the cutoff; None if that is wide."""
    rng = stream(seed, "range")
    limit = int(worthwhile * min(A.shape))
    width = limit // 3
    Q = np.empty((A.shape[0], 0))
    largest = 0.0
    while width > 0:
        Y = multiply(A, rng.standard_normal((A.shape[1], width)))
        Y -= multiply(Q, multiply(Q.T, Y))
        new, R = orthonormal(Y)
        diagonal = np.abs(np.diagonal(R))
        if Q.shape[1]:
            # The columns differ in size by many orders: only orthonormal ones can be
            # freed of what is left of the earlier directions.
            new, _ = orthonormal(new - multiply(Q, multiply(Q.T, new)))
        largest = max(largest, float(diagonal.max(initial=0.0)))
        Q = np.hstack([Q, new])
        # One entry may be small by chance; ten in a row are not.
        left = float(diagonal[-10:].max(initial=0.0)) / (largest or 1.0)
        wanted = CAPTURED * cutoff
        if left <= wanted:
            return Q
        # As if the singular values went on falling at the same rate.
        done = Q.shape[1]
        needed = done * np.log(wanted) / np.log(min(left, 0.5)) * 1.03 + 5
        if needed > limit:
            return None
        width = max(int(needed) - done, 10)
        width = min(width, limit - done)
    return None
