"""Truncated powers as B-splines: small singular values of ReLU^p units to full accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.interpolate
import scipy.linalg

from solvenet.analysis.quadrature import gauss_rule

if TYPE_CHECKING:
    from solvenet._array_api import Array


def inverse_singular_values(biases: Array, slopes: Array, power: int) -> Array:
    """Return the inverse singular values of units ``max(slope (x - b), 0)**p``, descending.

    Shape (n,), for distinct biases in [-1, 1) and positive slopes, in L2(-1, 1). The largest
    are accurate to rounding, where the singular values of the units themselves are lost:
    divided differences C of the units A are B-splines, well conditioned, ``A C = Q R``; the
    pseudoinverse of A is ``C inv(R) Q'``; and the entries of C are products of differences of
    biases, without cancellation.
    """
    order = np.argsort(biases)
    b, slopes = biases[order], slopes[order]
    n, p = len(b), power
    # Knots from 1 on: their truncated powers vanish on (-1, 1).
    step = 1.0 - b[-1]
    knots = np.concatenate([b, 1.0 + step * np.arange(p + 1)])
    differences = np.zeros((n, n))
    for i in range(p + 2):
        gaps = np.ones(n)
        for j in range(p + 2):
            if j != i:
                gaps *= knots[i : i + n] - knots[j : j + n]
        scaled = (knots[p + 1 : p + 1 + n] - knots[:n]) / gaps
        inside = np.arange(n - i) if i else np.arange(n)
        differences[inside + i, inside] = (-1.0) ** (p + 1) * scaled[inside]
    nodes, weights = gauss_rule(np.unique(np.concatenate([b, [1.0]])), p + 1)
    left = b[0] - step * np.arange(p, 0, -1)
    splines = scipy.interpolate.BSpline.design_matrix(nodes, np.concatenate([left, knots]), p)
    B = splines.toarray()[:, p:] * np.sqrt(weights)[:, None]
    # Columns of very different length would hide the small ones from a relative error.
    lengths = np.linalg.norm(B, axis=0)
    R = scipy.linalg.qr(B / lengths, mode="r")[0][:n]
    inverse = scipy.linalg.solve_triangular(R, (differences / lengths).T, trans="T").T
    inverse /= (slopes**p)[:, None]
    values: Array = np.linalg.svd(inverse, compute_uv=False)
    return values
