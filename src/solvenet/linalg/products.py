"""Matrix products by one BLAS.

NumPy and SciPy each bring a BLAS with threads of its own. Where calls to the two
alternate, the threads of one wait for those of the other to go to sleep, which costs
milliseconds a call. Work that factors by SciPy therefore multiplies by SciPy too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import blas

if TYPE_CHECKING:
    from solvenet._array_api import Array


def multiply(A: Array, B: Array, *, out: Array | None = None) -> Array:
    """Return ``A @ B`` in C order.

    Parameters
    ----------
    A : array of shape (m, k), float64
        Best in C order.
    B : array of shape (k, n), float64
        Best in C order.
    out : array of shape (m, n), float64, C order, optional
        Memory for the result.
    """
    if 0 in (*A.shape, *B.shape):
        empty: Array = np.matmul(A, B, out=out)
        return empty
    # BLAS counts by columns: the transposed views of C-ordered arrays need no copy.
    if out is None or not out.flags.c_contiguous or out.dtype != np.float64:
        product: Array = blas.dgemm(1.0, np.ascontiguousarray(B).T, np.ascontiguousarray(A).T).T
        if out is not None:
            out[...] = product
            return out
        return product
    blas.dgemm(1.0, np.ascontiguousarray(B).T, np.ascontiguousarray(A).T, c=out.T, overwrite_c=1)
    return out
