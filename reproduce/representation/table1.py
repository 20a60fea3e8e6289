"""Table 1: a network of ReLUs beside finite elements, in two precisions.

f(x) = arctan(25 x) on (-1, 1), n biases or nodes, uniform or with equal variation of f between
neighbours. The network is f(-1) + sum_i a_i relu(x - b_i), and a solves the normal equations
G a = r of the L2 projection. What the published numbers identify:

* the constant is f(-1), and is not fitted (a fitted one gives 2.92e-3, not 3.93e-3, for 100
  adaptive biases in float64; none gives 1.5);
* "float32" means that G and r, computed in float64, are rounded to it: numpy.linalg.lstsq then
  computes in float64 all the same. The part ``table1_solvers`` has honest single precision, the
  design matrix instead of G, and what else was tried;
* errors are the largest and the mean square of 10,000 equidistant points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy.linalg
from common.records import Row

from solvenet.analysis import Elements, adaptive_biases, gauss_rule, relu_gram, uniform_biases

STEEPNESS = 25.0
GRID = np.linspace(-1, 1, 10_000)
SINGLE = float(np.finfo(np.float32).eps)


def f(x: np.ndarray) -> np.ndarray:
    return np.arctan(STEEPNESS * x)


BIASES: dict[str, Callable[[int], np.ndarray]] = {
    "uniform": uniform_biases,
    "adaptive": lambda n: adaptive_biases(n, distribution=f),
}


def load(b: np.ndarray) -> np.ndarray:
    """Return the integrals of (f - f(-1)) relu(x - b_i), in closed form."""
    c = STEEPNESS

    def once(z):
        return z * np.arctan(c * z) - np.log1p((c * z) ** 2) / (2 * c)

    def times_z(z):
        return ((c * z) ** 2 + 1) / (2 * c**2) * np.arctan(c * z) - z / (2 * c)

    return times_z(1.0) - times_z(b) - b * (once(1.0) - once(b)) - f(-1.0) * (1 - b) ** 2 / 2


def network_error(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    return errors(f(-1.0) + np.maximum(GRID[:, None] - b, 0.0) @ a.astype(np.float64))


def errors(values: np.ndarray) -> tuple[float, float]:
    """Return the largest and the mean square error."""
    error = values - f(GRID)
    return float(np.abs(error).max()), float(np.mean(error**2))


def network(b: np.ndarray, dtype: str) -> tuple[float, float]:
    G, r = relu_gram(b).astype(dtype), load(b).astype(dtype)
    return network_error(np.linalg.lstsq(G, r, rcond=-1)[0], b)


def elements(b: np.ndarray, dtype: str) -> tuple[float, float]:
    space = Elements(b)
    mass, right = space.mass.toarray().astype(dtype), space.load(f).astype(dtype)
    values = np.linalg.lstsq(mass, right, rcond=-1)[0].astype(np.float64)
    return errors(np.interp(GRID, b, values))


def table1(*, widths: Sequence[int]) -> Iterator[Row]:
    """The 32 numbers: x is n."""
    for name, biases in BIASES.items():
        for n in widths:
            b = biases(n)
            for dtype in ("float32", "float64"):
                for method, measure in (("network", network), ("elements", elements)):
                    yield from rows(f"{method}, {name}, {dtype}", n, measure(b, dtype))


def table1_solvers(*, widths: Sequence[int]) -> Iterator[Row]:
    """Other ways to solve the float32 cells of uniform biases: x is n."""
    for n in widths:
        b = uniform_biases(n)
        for item, solve in SOLVERS.items():
            yield from rows(item, n, network_error(solve(b), b))


def rows(item: str, n: int, found: tuple[float, float]) -> Iterator[Row]:
    for quantity, value in zip(("max", "mse"), found, strict=True):
        yield Row(item, n, 0, quantity, value)


def rounded(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return G and r, computed in float64 and rounded to float32."""
    return relu_gram(b).astype(np.float32), load(b).astype(np.float32)


def as_published(b: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(*rounded(b), rcond=-1)[0]


def numpy_cutoff(b: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(*rounded(b), rcond=None)[0]


def single_lapack(b: np.ndarray) -> np.ndarray:
    """Solve by LAPACK's sgelsd, which computes in single precision throughout."""
    return scipy.linalg.lstsq(*rounded(b), cond=SINGLE, lapack_driver="gelsd")[0]


def single_eigenvectors(b: np.ndarray) -> np.ndarray:
    """Keep the eigenvalues above the machine epsilon, in single precision throughout."""
    G, r = rounded(b)
    values, vectors = scipy.linalg.eigh(G)
    kept = values > np.float32(SINGLE) * values[-1]
    return vectors[:, kept] @ ((vectors[:, kept].T @ r) / values[kept])


def single_pinv(b: np.ndarray) -> np.ndarray:
    """Keep the eigenvalues above n times the machine epsilon, as MATLAB's pinv does."""
    G, r = rounded(b)
    values, vectors = scipy.linalg.eigh(G)
    kept = values > np.float32(len(b) * SINGLE) * values[-1]
    return vectors[:, kept] @ ((vectors[:, kept].T @ r) / values[kept])


def design_matrix(b: np.ndarray) -> np.ndarray:
    """Solve with the quadrature-weighted features, in single precision throughout."""
    x, weights = gauss_rule(b, 4)
    root = np.sqrt(weights)
    A = (root[:, None] * np.maximum(x[:, None] - b, 0.0)).astype(np.float32)
    right = (root * (f(x) - f(-1.0))).astype(np.float32)
    return scipy.linalg.lstsq(A, right, cond=SINGLE, lapack_driver="gelsd")[0]


SOLVERS = {
    "as published": as_published,
    "default cutoff of numpy": numpy_cutoff,
    "single precision throughout": single_lapack,
    "single precision, eigenvalues above eps": single_eigenvectors,
    "single precision, eigenvalues above n eps": single_pinv,
    "single precision, design matrix": design_matrix,
}

PARTS = {
    "table1": (table1, {"widths": (100, 1000)}, {"widths": (100, 1000)}),
    "table1_solvers": (table1_solvers, {"widths": (100, 1000)}, {"widths": (100,)}),
}
