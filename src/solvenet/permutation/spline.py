"""The one-dimensional network as a linear spline: which kinks and which slope it needs.

``ReLU(b - x) = ReLU(x - b) + (b - x)``, so the network of
:func:`~solvenet.permutation.relu_pairs` is a linear spline. With ``c_i = p_i + q_i`` its
slope changes by ``gamma * c_i`` at the knot b_i, and left of all knots it is
``-gamma * sum_i q_i``. Which member of a pair is q_i moves the slope alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.linalg import solveh_banded

from solvenet.permutation.units import knots_of

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.permutation.problem import PermutationProblem

SMOOTHNESS = (1e-17, 1e-21)
"""Ridges on the third derivative, tried in turn: rows may leave nodes undetermined."""

_COSTS_LITTLE = 1.05

CONTROL = 1e-4
"""Price of a kink that is not the wanted one, relative to that of the error it causes."""

_EXCHANGES = 8


@dataclass(frozen=True, eq=False)
class SplineTarget:
    """The least-squares spline on the knots of a problem, and how errors are fed back.

    Attributes
    ----------
    order : array of shape (n,), int
        Sorts the knots.
    knots : array of shape (n,)
        Sorted.
    n_left, n_right : int
        Knots that do not lie strictly between the rows. Their units are linear or zero
        on the rows: one value of each pair moves the slope, the other one does nothing.
    gaps : array of shape (m + 1,)
        Between the nodes: first row, the m inner knots, last row.
    value, slope : float
        Of the spline at the first row.
    kinks : array of shape (m,)
        Its changes of slope at the inner knots.
    weights : array of shape (m,)
        Share of the node after each inner knot in the squared error.
    gains : array of shape (m, 2)
        Wanted change of the slope at each knot, for an error of the value and of the slope.
    to_go : array of shape (m, 3)
        Least cost still to come, as a quadratic of both errors after the knot's gap.
    control : float
        Price of the square of a change of slope.
    rmse : float
        Of the spline on the rows.
    """

    order: Array
    knots: Array
    n_left: int
    n_right: int
    gaps: Array
    value: float
    slope: float
    kinks: Array
    weights: Array
    gains: Array
    to_go: Array
    control: float
    rmse: float

    @classmethod
    def of(cls, problem: PermutationProblem) -> SplineTarget | None:
        """Return the target of a problem with :func:`relu_pairs`, None for other features."""
        b = knots_of(problem.features)
        x = problem.X[:, 0]
        low, high = float(x.min()), float(x.max())
        if b is None or not np.any((b > low) & (b < high)):
            return None
        order = np.argsort(b)
        b = b[order]
        n_left, n_right = int(np.sum(b <= low)), int(np.sum(b >= high))
        nodes = np.concatenate([[low], b[n_left : len(b) - n_right], [high]])
        s = fit_spline(x, problem.y, nodes)
        gaps = np.diff(nodes)
        slopes = np.diff(s) / gaps
        weights = (gaps[1:] + np.append(gaps[2:], 0.0)) / 2
        control = CONTROL * float(np.median(weights * gaps[1:] ** 2))
        gains, to_go = _feedback(gaps[1:], weights, control)
        residual = problem.y - np.interp(x, nodes, s)
        return cls(
            order=order,
            knots=b,
            n_left=n_left,
            n_right=n_right,
            gaps=gaps,
            value=float(s[0]),
            slope=float(slopes[0]),
            kinks=np.diff(slopes),
            weights=weights,
            gains=gains,
            to_go=to_go,
            control=control,
            rmse=float(np.sqrt(np.mean(residual**2))),
        )

    @property
    def n_free(self) -> int:
        """Number of values that belong to no inner knot."""
        return 2 * (self.n_left + self.n_right)

    def assembled(
        self, pairs: Array, free: Array, gamma: float, *, slope: float, offset: float | None
    ) -> tuple[Array, float]:
        """Decide which member of each pair is q so that the first slope is as wanted.

        Parameters
        ----------
        pairs : array of shape (m, 2)
            Values of the inner knots.
        free : array of shape (n_free,)
            Values of the other knots.
        gamma : float
            Output scale.
        slope : float
            Wanted at the first row.
        offset : float or None
            Wanted value at the first row less alpha where alpha is fixed.

        Returns
        -------
        coef : array of shape (2 * n,)
            In the order of the problem's units.
        left_over : float
            The slope at the first row is too large by this.
        """
        n_left, n_right, m = self.n_left, self.n_right, len(pairs)
        p_left, q_left, p_right, q_right = np.split(free, np.cumsum([n_left, n_left, n_right]))
        low = self.knots[n_left] - self.gaps[0]
        reach = self.knots - low
        # The slope, and where alpha is fixed the value, as sums over the q of inner knots.
        wanted = [float(p_left.sum() - q_right.sum()) - slope / gamma]
        factors = [np.ones(m)]
        if offset is not None:
            outer = p_left @ -reach[:n_left] + q_right @ reach[n_left + m :]
            wanted.append(float(offset / gamma - outer))
            factors.append(reach[n_left : n_left + m])
        small, large = pairs.min(axis=1), pairs.max(axis=1)
        F = np.stack(factors, axis=1)
        takes_large, rest = partition((large - small)[:, None] * F, np.array(wanted) - small @ F)
        q = np.where(takes_large, large, small)
        p = np.where(takes_large, small, large)
        coef = np.empty(2 * len(self.knots))
        coef[self.order] = np.concatenate([p_left, p, p_right])
        coef[len(self.knots) + self.order] = np.concatenate([q_left, q, q_right])
        return coef, gamma * float(rest[0])


def fit_spline(x: Array, y: Array, nodes: Array) -> Array:
    """Return the values at the nodes of the linear spline of least squares.

    Parameters
    ----------
    x, y : array of shape (n_rows,)
        Points between the first and the last node.
    nodes : array of shape (k,)
        Ascending.

    Returns
    -------
    array of shape (k,)
        Where rows leave them undetermined, the third derivative is least. The stronger
        of two ridges is used where it costs less than 5 % of the error. Cost:
        ``O(n_rows + k)``.
    """
    k, n_rows = len(nodes), len(x)
    h = np.diff(nodes)
    i = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, k - 2)
    t = (x - nodes[i]) / h[i]
    band = np.zeros((4, k))
    band[3] = np.bincount(i, (1 - t) ** 2, k) + np.bincount(i + 1, t**2, k)
    band[2, 1:] = np.bincount(i, (1 - t) * t, k)[:-1]
    right = (np.bincount(i, (1 - t) * y, k) + np.bincount(i + 1, t * y, k)) / n_rows
    band /= n_rows
    rough = _roughness(nodes)
    fits = [solveh_banded(band + ridge * rough, right) for ridge in SMOOTHNESS]
    smooth, close = (float(np.mean((s[i] + t * (s[i + 1] - s[i]) - y) ** 2)) for s in fits)
    return np.asarray(fits[0] if smooth <= _COSTS_LITTLE**2 * close else fits[1])


def _roughness(nodes: Array) -> Array:
    """Return the squared third derivative of node values as a band, in units of the range."""
    k = len(nodes)
    band = np.zeros((4, k))
    if k < 4:
        # Too few nodes to be rough: a ridge on the values alone.
        band[3] = 1.0
        return band
    z = nodes / (nodes[-1] - nodes[0])
    h = np.diff(z)
    around = np.maximum((h[1:] + h[:-1]) / 2, 1e-3 * float(h.mean()))
    identity = sparse.eye_array(k, format="csr")
    slopes = sparse.diags_array(1 / h) @ (identity[1:] - identity[:-1])
    second = sparse.diags_array(1 / around) @ (slopes[1:] - slopes[:-1])
    third = sparse.diags_array(h[1:-1] ** -0.5) @ (second[1:] - second[:-1])
    square = (third.T @ third).tocsr()
    for offset in range(4):
        band[3 - offset, offset:] = square.diagonal(offset)
    return band


def _feedback(gaps: Array, weights: Array, control: float) -> tuple[Array, Array]:
    """Return gains and costs to go of the linear-quadratic regulator (Riccati's recursion).

    The state is the error (e, s) of value and slope at a knot; a kink that is too large by u
    makes it ``(e + h (s + u), s + u)`` at the next node and costs ``w e^2 + control u^2``.
    """
    m = len(gaps)
    gains, to_go = np.empty((m, 2)), np.empty((m, 3))
    a = b = c = 0.0  # the cost to go: a e^2 + 2 b e s + c s^2
    for i in range(m - 1, -1, -1):
        to_go[i] = a, b, c
        h, a = gaps[i], a + weights[i]
        # The cost as a function of e and of z = s + u: a e^2 + 2 f e z + g z^2 + control u^2.
        f = a * h + b
        g = a * h * h + 2 * b * h + c
        gains[i] = f / (g + control), g / (g + control)
        a, b, c = (
            a - f * f / (g + control),
            f * control / (g + control),
            g * control / (g + control),
        )
    return gains, to_go


def partition(weights: Array, target: Array) -> tuple[Array, Array]:
    """Choose rows whose sum is near a target (number partitioning).

    Parameters
    ----------
    weights : array of shape (m, r)
        Rows to choose from.
    target : array of shape (r,)
        The wanted sum.

    Returns
    -------
    chosen : array of shape (m,), bool
        The rows.
    rest : array of shape (r,)
        The target less the sum.

    Notes
    -----
    Greedy from the largest row down, then single flips and exchanges of two while they help.
    Cost: ``O(m**2)`` a step, at most eight steps.
    """
    size = np.abs(weights).max(axis=0) if len(weights) else np.ones(len(target))
    scale = np.where(size > 0, size, 1.0)
    W, rest = weights / scale, target / scale
    signs = np.ones(len(W))
    rest = rest - W.sum(axis=0) / 2
    for i in np.argsort(-W[:, 0], kind="stable") if len(W) else []:
        signs[i] = 1.0 if rest @ W[i] >= 0 else -1.0
        rest = rest - signs[i] * W[i] / 2
    for _ in range(_EXCHANGES):
        plus, minus = np.nonzero(signs > 0)[0], np.nonzero(signs < 0)[0]
        # Flipping i moves the rest by sign * row; a flip of none is a row of zeros.
        gain = np.concatenate([W[plus], np.zeros((1, W.shape[1]))])
        loss = np.concatenate([W[minus], np.zeros((1, W.shape[1]))])
        left = np.zeros((len(gain), len(loss)))
        for r in range(W.shape[1]):
            left += (rest[r] + gain[:, r][:, None] - loss[:, r]) ** 2
        i, j = divmod(int(np.argmin(left)), len(loss))
        if left[i, j] >= float(rest @ rest) * (1 - 1e-9):
            break
        rest = rest + gain[i] - loss[j]
        if i < len(plus):
            signs[plus[i]] = -1.0
        if j < len(minus):
            signs[minus[j]] = 1.0
    return signs > 0, np.asarray(rest * scale)
