"""BLAS on parts of arrays, in place.

SciPy's wrappers copy whatever is not a whole array, and OpenBLAS, which they call, writes
past its buffers in ``syrk`` and ``potrf`` from about 18,000 columns on where two threads
share them. Here the routines behind SciPy's Cython interface are called with the stride
between columns, so that a large product is a few smaller ones, each in its place.

Arrays are float64 with columns of adjacent numbers (Fortran order), or parts of such arrays.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cython_blas, cython_lapack

if TYPE_CHECKING:
    from solvenet._array_api import Array

WIDEST = 8192
"""Columns up to which one ``syrk`` or ``potrf`` is safe with any number of threads."""

GRAM_PANEL, FACTOR_PANEL = 1024, 2048
"""Columns of the parts of a product, and of a factorisation, that is wider than that."""

_LETTERS = {"gemm": 2, "syrk": 2, "trsm": 4, "potrf": 1}


@cache
def _routine(name: str) -> Any:
    """Return a routine of BLAS or LAPACK: letters first, then pointers."""
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    library = cython_lapack if name == "potrf" else cython_blas
    capsule = library.__pyx_capi__[f"d{name}"]
    signature = api.PyCapsule_GetName(capsule)
    letters = _LETTERS[name]
    pointers = signature.count(b"*") - letters
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_char_p] * letters, *[ctypes.c_void_p] * pointers)
    return prototype(api.PyCapsule_GetPointer(capsule, signature))


def _int(value: int) -> Any:
    return ctypes.byref(ctypes.c_int(value))


def _real(value: float) -> Any:
    return ctypes.byref(ctypes.c_double(value))


def _place(A: Array) -> tuple[int, Any]:
    """Return where an array starts and the stride between its columns."""
    stride = A.strides[1] // 8 if A.shape[1] > 1 else len(A)
    if A.dtype != np.float64 or (len(A) > 1 and A.strides[0] != 8) or stride < len(A):
        msg = "BLAS wants float64 and columns of adjacent numbers."
        raise ValueError(msg)
    return A.ctypes.data, _int(max(1, stride))


def add_product(C: Array, A: Array, B: Array, *, factor: float = 1.0, trans: bool = False) -> None:
    """Add ``factor A B`` (or ``factor A' B``) to `C`, in place.

    Parameters
    ----------
    C : array of shape (m, n)
        Changed.
    A : array of shape (m, k), or (k, m) with `trans`
        Left factor.
    B : array of shape (k, n)
        Right factor; in Fortran or in C order, or a part of such an array.
    factor : float
        Of the product.
    trans : bool
        Whether A is transposed.
    """
    (m, n), k = C.shape, len(B)
    if 0 in (m, n, k):
        return
    flip = k > 1 and B.strides[0] != 8
    at_A, at_B, at_C = _place(A), _place(B.T if flip else B), _place(C)
    _routine("gemm")(
        b"T" if trans else b"N", b"T" if flip else b"N", _int(m), _int(n), _int(k),
        _real(factor), *at_A, *at_B, _real(1.0), *at_C,
    )  # fmt: skip


def add_gram(C: Array, A: Array) -> None:
    """Add ``A A'`` to the lower triangle of `C`, in place.

    Parameters
    ----------
    C : array of shape (n, n)
        The lower triangle is changed.
    A : array of shape (n, k)
        Such as the transpose of k rows in C order.
    """
    n, k = A.shape
    step = n if n <= WIDEST else GRAM_PANEL
    for start in range(0, n if k else 0, max(step, 1)):
        here = slice(start, min(start + step, n))
        _routine("syrk")(
            b"L", b"N", _int(here.stop - start), _int(k), _real(1.0), *_place(A[here]),
            _real(1.0), *_place(C[here, here]),
        )  # fmt: skip
        add_product(C[here.stop :, here], A[here.stop :], A[here].T)


def solve_triangle(U: Array, B: Array, *, trans: bool = False) -> None:
    """Overwrite `B` by ``U^-1 B`` (or ``U'^-1 B``), in place.

    Parameters
    ----------
    U : array of shape (m, m)
        The upper triangle counts.
    B : array of shape (m, n)
        Changed.
    trans : bool
        Whether U is transposed.
    """
    m, n = B.shape
    if 0 in (m, n):
        return
    _routine("trsm")(
        b"L", b"U", b"T" if trans else b"N", b"N", _int(m), _int(n), _real(1.0),
        *_place(U), *_place(B),
    )  # fmt: skip


def factor_in_place(A: Array) -> bool:
    """Overwrite the upper triangle of `A` by U with ``U' U = A``.

    The rest of A is neither read nor changed. ``n**3 / 3`` flops.

    Returns
    -------
    bool
        Whether A is positive definite to rounding; otherwise the triangle means nothing.
    """
    n = len(A)
    step = n if n <= WIDEST else FACTOR_PANEL
    for start in range(0, n, max(step, 1)):
        above, here, right = slice(0, start), slice(start, start + step), slice(start + step, n)
        corner, info = A[here, here], ctypes.c_int(0)
        width = len(corner)
        if start:
            _routine("syrk")(
                b"U", b"T", _int(width), _int(start), _real(-1.0), *_place(A[above, here]),
                _real(1.0), *_place(corner),
            )  # fmt: skip
        _routine("potrf")(b"U", _int(width), *_place(corner), ctypes.byref(info))
        if info.value != 0 or not np.isfinite(corner[-1, -1]):
            return False
        add_product(A[here, right], A[above, here], A[above, right], factor=-1.0, trans=True)
        solve_triangle(corner, A[here, right], trans=True)
    return True
