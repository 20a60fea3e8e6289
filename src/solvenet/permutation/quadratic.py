"""The error of coefficients as a quadratic, and features by chunks of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solvenet._array_api import Array
    from solvenet.features import FeatureMap
    from solvenet.permutation.problem import PermutationProblem

Setting = float | Literal["free"]
"""Of gamma and alpha: a number, or free."""

_NUMBERS = 2**22
_NEAR = 1.2


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The mean squared error of coefficients v: ``yy - 2 gamma h.v + gamma^2 v.G v``.

    Parameters
    ----------
    G : array of shape (n_units, n_units)
        Mean products of the features, about their means where alpha is free.
    h : array of shape (n_units,)
        Mean products of the features with the targets.
    yy : float
        Mean square of the targets.
    gamma : float or "free"
        Of the problem; a free one is at its best for every v.
    means : array of shape (n_units,)
        Of the features, where alpha is free; else zero.
    """

    G: Array
    h: Array
    yy: float
    gamma: Setting
    means: Array

    @classmethod
    def of(cls, problem: PermutationProblem) -> Quadratic:
        """Return the quadratic of a problem, in two passes over its rows, chunk by chunk."""
        N, rows = problem.n_units, len(problem.y)
        means = np.zeros(N)
        if problem.alpha == "free":
            for _, A in chunks(problem.features, problem.X):
                means += A.sum(axis=0)
            means /= rows
        G = np.zeros((N, N))
        for _, A in chunks(problem.features, problem.X):
            A -= means
            G += A.T @ A
        G /= rows
        bare = cls(G, np.zeros(N), 0.0, problem.gamma, means)
        return bare.with_target(problem, problem.y)

    def with_target(self, problem: PermutationProblem, y: Array) -> Quadratic:
        """Return the quadratic of another target on the same rows."""
        shift = float(y.mean()) if problem.alpha == "free" else float(problem.alpha)
        h = np.zeros(len(self.h))
        for start, A in chunks(problem.features, problem.X):
            h += (y[start : start + len(A)] - shift) @ (A - self.means)
        yy = float((y - shift) @ (y - shift)) / len(y)
        other = replace(self, h=h / len(y), yy=yy)
        if "eigen" in self.__dict__:
            other.__dict__["eigen"] = self.eigen
        return other

    def scale(self, v: Array) -> float:
        """Return gamma for the coefficients v."""
        if self.gamma != "free":
            return float(self.gamma)
        size = float(v @ (self.G @ v))
        return float(self.h @ v) / size if size > 0 else 0.0

    def error(self, v: Array) -> float:
        """Return the mean squared error of v, gamma as :meth:`scale` says."""
        gamma = self.scale(v)
        return self.yy - 2 * gamma * float(self.h @ v) + gamma**2 * float(v @ (self.G @ v))

    @cached_property
    def eigen(self) -> tuple[Array, Array]:
        """Eigenvalues, ascending and not negative, and eigenvectors of G."""
        w, Q = np.linalg.eigh(self.G)
        return np.maximum(w, 0.0), Q

    @property
    def free_coef(self) -> Array:
        """Coefficients of least squares without any constraint (gamma = 1), shape (n_units,)."""
        w, Q = self.eigen
        kept = w > w[-1] * len(w) * np.finfo(np.float64).eps
        return np.asarray(Q[:, kept] @ ((Q[:, kept].T @ self.h) / w[kept]))

    @property
    def modest_coef(self) -> Array:
        """The smallest coefficients that come near the floor (ridge), shape (n_units,)."""
        w, Q = self.eigen
        h = Q.T @ self.h
        # Error of a ridge: what no coefficient explains, and what the ridge leaves.
        ridges = w[-1] * 10.0 ** np.arange(-15.0, 1.0)[:, None]
        left = (h**2 / np.maximum(w, ridges[0]) * (ridges / (w + ridges)) ** 2).sum(axis=1)
        near = np.nonzero(left <= (_NEAR**2 - 1) * self.floor**2)[0]
        ridge = ridges[near[-1] if len(near) else 0]
        return np.asarray(Q @ (h / (w + ridge)))

    @property
    def floor(self) -> float:
        """Root mean squared error of least squares: no rearrangement has a smaller one."""
        theta = self.free_coef
        left = self.yy - 2 * float(self.h @ theta) + float(theta @ (self.G @ theta))
        return math.sqrt(max(left, 0.0))


def as_rows(X: Array) -> Array:
    """Return inputs of shape (rows,) or (rows, d) as float64 of shape (rows, d)."""
    rows = np.asarray(X, dtype=np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2:
        msg = f"X of shape {rows.shape} was given; rows (n_rows, d) are wanted."
        raise InvalidDataError(msg)
    return rows


def combined(features: FeatureMap, X: Array, coef: Array) -> Array:
    """Return ``features(X) @ coef``, shape (rows,), without all features at once."""
    parts = [A @ coef for _, A in chunks(features, X)]
    return np.concatenate(parts) if parts else np.zeros(0)


def chunks(features: FeatureMap, X: Array) -> Iterator[tuple[int, Array]]:
    """Yield the first row and the features of one chunk of rows after the other."""
    step = max(1, _NUMBERS // features.n_features_out)
    for start in range(0, len(X), step):
        yield start, features(X[start : start + step])
