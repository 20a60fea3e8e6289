"""The functions of the study, and where errors are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def local(x: Array) -> Array:
    return np.where(np.abs(x) < 0.02, np.sin(50 * np.pi * x), 0.0)


def arctan(x: Array) -> Array:
    return np.arctan(25 * x)


def wave(x: Array) -> Array:
    return np.sin(16 * np.pi * x)


def chirp(x: Array) -> Array:
    return np.sin(16 * np.pi * np.abs(x) ** 1.5)


def waves(x: Array) -> Array:
    """The one-dimensional example of the authors' program."""
    return np.cos(36 * np.pi * x**2) - 0.8 * np.cos(12 * np.pi * x**2)


def star(X: Array) -> Array:
    """Published as "otherwise 5 rho - 5 r + 0.5", which is not continuous: 25 is."""
    r, angle = np.hypot(X[:, 0], X[:, 1]), np.arctan2(X[:, 1], X[:, 0])
    rho = 0.1 + 0.02 * np.cos(np.pi * angle**2)
    return np.clip(25 * rho - 25 * r + 0.5, 0, 1)


def clipped_star(X: Array) -> Array:
    """The two-dimensional example of the authors' program."""
    r, angle = np.hypot(X[:, 0], X[:, 1]), np.arctan2(X[:, 1], X[:, 0])
    return np.clip(0.5 - 5 * (r - 0.5 - 0.2 * np.cos(np.pi**2 * angle**2)), 0, 1)


def sines(X: Array, *, s: float = 1.0) -> Array:
    """A sum of sines and cosines; the argument of the cosine is read as that of the sine."""
    a = np.array([[0.3, 0.2], [0.2, 0.3]])
    b = s * np.array([2.4, 4.8]) * np.pi
    c = s * np.array([[2.4, 4.8], [9.6, 4.8]]) * np.pi
    d = s * np.array([[4.8, 7.2], [9.6, 7.2]]) * np.pi
    x, out = X.T, 0.0
    product = x[0] * x[1]
    for i in range(2):
        for j in range(2):
            first = np.sin(b[i] * x[i] + c[i, j] * product)
            out = out + a[i, j] * first * np.abs(np.cos(b[j] * x[j] + d[i, j] * product))
    return np.asarray(out)


def gaussian(X: Array) -> Array:
    """The four-dimensional example of the authors' program, with its largest value 1."""
    i = np.arange(1, 5)
    inverse = 20 * (np.minimum(i[:, None], i) - 0.1 * np.abs(i[:, None] - i))
    return np.exp(-0.5 * np.einsum("ni,ij,nj->n", X, inverse, X))


@dataclass(frozen=True)
class Target:
    """A function, its inputs, and points off every sample to measure errors at."""

    function: Callable[[Array], Array]
    n_inputs: int = 1
    n_test: int = 5001

    def test(self) -> Array:
        if self.n_inputs == 1:
            return np.linspace(-1, 1, self.n_test)
        if self.n_inputs > 2:
            return np.random.default_rng(1).uniform(-1, 1, (self.n_test, self.n_inputs))
        axis = (np.arange(self.n_test) + 0.5) * (2 / self.n_test) - 1
        return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)

    def samples(self, n: int) -> Array:
        """Return a uniform grid of n points an axis, as columns."""
        axis = np.linspace(-1, 1, n)
        grids = np.meshgrid(*[axis] * self.n_inputs, indexing="ij")
        return np.stack([grid.ravel() for grid in grids], axis=1)

    def of(self, X: Array) -> Array:
        return self.function(X[:, 0] if X.ndim == 2 and self.n_inputs == 1 else X)

    def errors(self, model: Callable[[Array], Array]) -> tuple[float, float]:
        """Return mean squared and largest error."""
        X = self.test()
        error = model(X) - self.of(X)
        return float(np.mean(error**2)), float(np.abs(error).max())


TARGETS = {
    "wave": Target(wave),
    "chirp": Target(chirp),
    "local": Target(local, n_test=50_001),
    "arctan": Target(arctan),
    "waves": Target(waves),
    "star": Target(star, 2, 500),
    "clipped star": Target(clipped_star, 2, 258),
    "sines": Target(sines, 2, 400),
    "sines, s = 3": Target(lambda X: sines(X, s=3.0), 2, 400),
    "gaussian": Target(gaussian, 4, 20_000),
}
