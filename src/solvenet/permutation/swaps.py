"""Local search by swaps of two values, each tried in constant time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.permutation.quadratic import Quadratic

_GAIN = 1e-13
_KICKED = 6


def improve_by_swaps(quadratic: Quadratic, coef: Array, *, max_sweeps: int = 20) -> Array:
    """Return coefficients that no swap of two of them improves, from given ones.

    Parameters
    ----------
    quadratic : Quadratic
        The error of coefficients.
    coef : array of shape (n_units,)
        Where to start.
    max_sweeps : int, default=20
        Sweeps over all units; it ends before where a sweep changes nothing.

    Returns
    -------
    array of shape (n_units,)
        A rearrangement of `coef`, not worse.

    Notes
    -----
    Swapping the values of units a and b, with ``d = v_b - v_a``, changes
    ``h.v`` by ``d (h_a - h_b)`` and ``v.G v`` by
    ``2 d ((G v)_a - (G v)_b) + d^2 (G_aa + G_bb - 2 G_ab)``.

    *Cost.* ``O(n_units**2)`` a sweep and ``O(n_units)`` more a swap that is made.
    """
    G, h, yy, fixed = quadratic.G, quadratic.h, quadratic.yy, quadratic.gamma
    v = np.array(coef, dtype=np.float64)
    diagonal = np.diagonal(G).copy()
    for _ in range(max_sweeps):
        # Once a sweep anew: updates do not drift.
        Gv = G @ v
        s, u = float(h @ v), float(v @ Gv)
        swapped = False
        for a in range(len(v)):
            d = v - v[a]
            new_s = s + d * (h[a] - h)
            new_u = u + d * (2 * (Gv[a] - Gv) + d * (diagonal[a] + diagonal - 2 * G[a]))
            if fixed == "free":
                error = yy - new_s**2 / np.maximum(new_u, np.finfo(np.float64).tiny)
            else:
                error = yy - 2 * fixed * new_s + fixed**2 * new_u
            b = int(np.argmin(error))
            if error[b] < error[a] - _GAIN * yy:
                Gv += d[b] * (G[a] - G[b])
                s, u = float(new_s[b]), float(new_u[b])
                v[a], v[b] = v[b], v[a]
                swapped = True
        if not swapped:
            break
    return v


def improve_by_kicks(
    quadratic: Quadratic,
    coef: Array,
    rng: np.random.Generator,
    *,
    rounds: int = 30,
    enough: float = 0.0,
) -> Array:
    """Return coefficients improved by disturbing a few values and swapping again.

    Parameters
    ----------
    quadratic : Quadratic
        The error of coefficients.
    coef : array of shape (n_units,)
        Where to start.
    rng : numpy.random.Generator
        For the values that are disturbed.
    rounds : int, default=30
        Each moves three to six values round, then :func:`improve_by_swaps`; the better is kept.
    enough : float, default=0.0
        Root mean squared error at which it ends.

    Returns
    -------
    array of shape (n_units,)
        A rearrangement of `coef`, not worse (iterated local search).
    """
    best, least = coef, quadratic.error(coef)
    for _ in range(rounds):
        if least <= enough**2:
            break
        moved = rng.permutation(len(best))[: int(rng.integers(3, _KICKED + 1))]
        kicked = best.copy()
        kicked[moved] = best[np.roll(moved, 1)]
        kicked = improve_by_swaps(quadratic, kicked)
        error = quadratic.error(kicked)
        if error < least:
            best, least = kicked, error
    return best
