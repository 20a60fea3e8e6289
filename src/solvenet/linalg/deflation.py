"""Block Gram-Schmidt with truncation: what a block of columns adds to those before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from solvenet.linalg.factor import thin_svd

if TYPE_CHECKING:
    from solvenet._array_api import Array


def project_out(basis: Sequence[Array], A: Array) -> Array:
    """Take the span of `basis` out of the columns of A, in place; return the coefficients.

    Parameters
    ----------
    basis : sequence of array of shape (n_rows, r_i)
        Orthonormal columns, also from one array to the next.
    A : array of shape (n_rows, m)
        Overwritten by ``A - Q Q' A``, Q the columns of all of `basis`.

    Returns
    -------
    array of shape (r, m)
        ``Q' A``.

    Notes
    -----
    Rounding leaves eps ``||A||`` of the span: little beside A, but not beside a part of A
    that is itself small (see :func:`new_directions`). ``4 n_rows r m`` flops.
    """
    ends = np.cumsum([0, *(Q.shape[1] for Q in basis)])
    C = np.empty((ends[-1], A.shape[1]))
    for Q, start, stop in zip(basis, ends[:-1], ends[1:], strict=True):
        C[start:stop] = Q.T @ A
        A -= Q @ C[start:stop]
    return C


def new_directions(basis: Sequence[Array], A: Array, cutoff: float) -> tuple[Array, Array]:
    """Return the singular directions of A above an absolute cutoff, orthonormal to `basis`.

    Parameters
    ----------
    basis : sequence of array of shape (n_rows, r_i)
        Orthonormal columns.
    A : array of shape (n_rows, m)
        Free of their span up to rounding (:func:`project_out`).
    cutoff : float
        Singular values of at most this are left out.

    Returns
    -------
    U : array of shape (n_rows, k)
        Orthonormal, and orthogonal to `basis`, to rounding, whatever the cutoff.
    V : array of shape (m, k)
        The right singular vectors: ``A V`` is spanned by U and the basis.

    Notes
    -----
    A singular vector of value s carries eps ``||A|| / s`` of the span with it. That is
    taken out, twice: once is enough (Giraud, Langou and Rozložník 2005) except where the
    cutoff is near rounding and the vector nearly all of the span. The projection of the
    part itself need not be repeated: only the k directions that are kept are.
    ``6 n_rows m**2 + 8 n_rows r k`` flops.

    References
    ----------
    L. Giraud, J. Langou, M. Rozložník (2005), The loss of orthogonality in the
    Gram-Schmidt orthogonalization process, Comput. Math. Appl. 50, 1069-1075,
    https://doi.org/10.1016/j.camwa.2005.08.009
    """
    U, s, Vt = thin_svd(A)
    k = int(np.count_nonzero(s > cutoff))
    U = U[:, :k]
    for _ in range(2 if basis else 0):
        project_out(basis, U)
        U = scipy.linalg.qr(U, mode="economic", check_finite=False)[0]
    return U, Vt[:k].T
