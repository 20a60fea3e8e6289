"""Krylov methods for least squares: many right-hand sides, one pass an iteration.

The matrix A is known by one product, ``step(V, U)``, which returns ``R = A V - U`` and
``A' R`` and reads A once. A ridge and a preconditioner are changes of that product
(:func:`augmented`, :func:`preconditioned`), so that the methods know of neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np

from solvenet.linalg.iteration import Iteration, KrylovSolution, Options, Step, Stop, augmented
from solvenet.linalg.recurrences import CGLS, LSMR, LSQR, Chebyshev

if TYPE_CHECKING:
    from solvenet._array_api import Array

__all__ = [
    "KrylovSolution",
    "Options",
    "Step",
    "Stop",
    "augmented",
    "cgls",
    "chebyshev",
    "chebyshev_iterations",
    "lsmr",
    "lsqr",
    "preconditioned",
]


def lsqr(step: Step, B: Array, start: Array, **options: Unpack[Options]) -> KrylovSolution:
    """Minimise ``||A W - B||`` by LSQR: the residual falls in every iteration.

    Parameters
    ----------
    step : callable
        ``step(V, U)`` returns ``R = A V - U`` and ``A' R`` for V (n_cols, k), U (n_rows, k).
    B : array of shape (n_rows, n_targets)
        Right-hand sides.
    start : array of shape (n_cols, n_targets)
        First guess. From zero (or any guess in the range of A') the limit is the solution
        of least norm; from any other, the solution nearest to it.
    **options
        See :class:`Options`.

    Returns
    -------
    KrylovSolution
        The solution and its history.

    Notes
    -----
    *Cost.* A call of `step` before the first iteration, one an iteration, one after the
    last; memory for 1 vector of n_rows and 5 of n_cols a column; flops beside `step` of
    the order of that.

    The next vector of the bidiagonalisation, ``beta u = A v - alpha u``, and ``A' u`` come
    from one look at each row.

    References
    ----------
    C. C. Paige, M. A. Saunders (1982), ACM Trans. Math. Softw. 8, 43-71,
    https://doi.org/10.1145/355984.355989
    """
    return Iteration(LSQR, step, B, start, **options).run()


def lsmr(step: Step, B: Array, start: Array, **options: Unpack[Options]) -> KrylovSolution:
    """Minimise ``||A W - B||`` by LSMR: the normal residual falls in every iteration.

    So does the residual, which is never far from that of LSQR; LSMR can be stopped
    earlier on least-squares problems. Parameters, result and cost are those of
    :func:`lsqr`, with one vector of n_cols more a column.

    References
    ----------
    D. C.-L. Fong, M. A. Saunders (2011), SIAM J. Sci. Comput. 33, 2950-2971,
    https://doi.org/10.1137/10079687X
    """
    return Iteration(LSMR, step, B, start, **options).run()


def cgls(step: Step, B: Array, start: Array, **options: Unpack[Options]) -> KrylovSolution:
    """Minimise ``||A W - B||`` by conjugate gradients: the iterates of LSQR, simpler.

    Parameters, result and cost are those of :func:`lsqr`.

    Notes
    -----
    ``A' r`` of the new residual is wanted before the length of the step is known. To read A
    once an iteration it is updated by ``A' q`` instead (CGLS2 of Björck, Elfving and
    Strakoš), which by itself limits the accuracy; the check of claims measures ``A' r`` and
    starts anew from it, which restores the accuracy.

    References
    ----------
    M. R. Hestenes, E. Stiefel (1952), J. Res. Nat. Bur. Standards 49, 409-436, section 10.
    Å. Björck, T. Elfving, Z. Strakoš (1998), SIAM J. Matrix Anal. Appl. 19, 720-736,
    https://doi.org/10.1137/S089547989631202X
    """
    return Iteration(CGLS, step, B, start, **options).run()


def chebyshev(
    step: Step,
    B: Array,
    start: Array,
    *,
    interval: tuple[float, float],
    **options: Unpack[Options],
) -> KrylovSolution:
    """Minimise ``||A W - B||`` by the Chebyshev semi-iteration: no inner products.

    Parameters
    ----------
    step, B, start, **options
        As for :func:`lsqr`.
    interval : tuple of (float, float)
        Positive bounds of the non-zero singular values of A. The iteration diverges in
        directions above the interval and is slow below it.

    Returns
    -------
    KrylovSolution
        The solution and its history, whose norms are those of the residual itself.

    Notes
    -----
    *Cost.* As for :func:`lsqr`. The error falls by ``(upper - lower) / (upper + lower)``
    an iteration (:func:`chebyshev_iterations`).

    References
    ----------
    X. Meng, M. A. Saunders, M. W. Mahoney (2014), SIAM J. Sci. Comput. 36, C95-C118,
    section 5.2, https://doi.org/10.1137/120866580
    G. H. Golub, R. S. Varga (1961), Numer. Math. 3, 147-156.
    """

    def begin(U: Array, gradient: Array, norm: Array) -> Chebyshev:
        return Chebyshev(U, gradient, norm, interval)

    return Iteration(begin, step, B, start, **options).run()


def chebyshev_iterations(interval: tuple[float, float], tolerance: float) -> int:
    """Return after how many iterations the error is below `tolerance` of the first one.

    ``log(tolerance / 2) / log((upper - lower) / (upper + lower))``: also an upper bound
    for LSQR, whose iterates are at least as good (Meng, Saunders and Mahoney 2014,
    section 5.2).
    """
    lower, upper = interval
    rate = (upper - lower) / (upper + lower)
    return 1 if rate <= 0 else max(1, int(np.ceil(np.log(tolerance / 2) / np.log(rate))))


def preconditioned(step: Step, N: Array) -> Step:
    """Return the product of ``A N`` for N of shape (n_cols, k): ``W = N Y`` solves.

    ``4 n_cols k`` flops a column beside `step`.
    """

    def whitened(Y: Array, U: Array) -> tuple[Array, Array]:
        R, gradient = step(N @ Y, U)
        return R, N.T @ gradient

    return whitened
