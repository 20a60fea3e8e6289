"""Shallow networks, solved: what a structured network is compared with, and corrected by."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet.errors import FewPairsWarning
from solvenet.features import SWIM, FeatureMap, get_activation
from solvenet.features.layers import DenseMap
from solvenet.solvers import solve
from solvenet.structured.network import to_cube

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN

_ROWS_PER_UNIT = 2
_RCOND = 1e-13
MOST_UNITS = 2000
"""Units of a shallow network, at most: a solve takes ``n_rows * units**2`` flops."""


@dataclass(frozen=True, eq=False)
class Shallow:
    """A shallow network whose outer weights were solved for.

    Attributes
    ----------
    low, high : array of shape (n_inputs,)
        The domain; it is mapped to [-1, 1]^d, as by an MMNN.
    features : FeatureMap
        Its units, on scaled inputs.
    coef : array of shape (width, n_outputs)
        Outer weights.
    intercept : array of shape (n_outputs,)
        Constants.
    name : str
        Which kind of units.
    """

    low: Array = field(repr=False)
    high: Array = field(repr=False)
    features: FeatureMap = field(repr=False)
    coef: Array = field(repr=False)
    intercept: Array = field(repr=False)
    name: str

    @property
    def n_inputs(self) -> int:
        """Columns of the inputs."""
        return len(self.low)

    @property
    def n_outputs(self) -> int:
        """Columns of the outputs."""
        return len(self.intercept)

    @property
    def n_parameters(self) -> int:
        """Solved numbers."""
        return self.coef.size + self.intercept.size

    def on_scaled(self, Z: Array) -> Array:
        """Return the values at scaled inputs, shape (n_rows, n_outputs)."""
        step = max(1, 2**22 // len(self.coef))
        out = np.empty((len(Z), self.coef.shape[1]))
        for start in range(0, len(Z), step):
            out[start : start + step] = self.features(Z[start : start + step]) @ self.coef
        return out + self.intercept

    def __call__(self, X: Array) -> Array:
        """Return the values, shape (n_rows,) for one output, else (n_rows, n_outputs)."""
        values = self.on_scaled(to_cube(X, self.low, self.high))
        return values[:, 0] if values.shape[1] == 1 else values


def shallow_sines(
    frame: MMNN, Z: Array, Y: Array, width: int, *, scale: float, seed: int
) -> Shallow:
    """Return solved sines, ``sin(w'z + b)`` with w uniform up to `scale`.

    Parameters
    ----------
    frame : MMNN
        Whose domain.
    Z : array of shape (n_rows, n_inputs)
        Scaled inputs.
    Y : array of shape (n_rows, n_outputs)
        Targets.
    width : int
        Units.
    scale : float
        Highest angular frequency of each input.
    seed : int
        Of the weights.

    Returns
    -------
    Shallow
        Solved with singular values below 1e-13 of the largest cut off.
    """
    rng = stream(seed, "structured sines", width)
    W = rng.uniform(-scale, scale, (Z.shape[1], width))
    units = DenseMap(W, rng.uniform(-np.pi, np.pi, width), get_activation("sin"))
    return _solved(frame, units, Z, Y, f"{width} sines up to {scale:.0f}")


def shallow_swim(frame: MMNN, Z: Array, Y: Array, width: int, *, seed: int) -> Shallow:
    """Return solved tanh units sampled from pairs of rows (SWIM).

    Parameters
    ----------
    frame : MMNN
        Whose domain.
    Z : array of shape (n_rows, n_inputs)
        Scaled inputs.
    Y : array of shape (n_rows, n_outputs)
        Targets.
    width : int
        Units.
    seed : int
        Of the pairs.

    Returns
    -------
    Shallow
        Solved with singular values below 1e-13 of the largest cut off.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewPairsWarning)
        units = SWIM().sample(Z, Y, width, activation=get_activation("tanh"), seed=seed)
    return _solved(frame, units, Z, Y, f"{units.n_features_out} tanh by SWIM")


def best_shallow(
    frame: MMNN, Z: Array, Y: Array, Z_test: Array, Y_test: Array, *, n_parameters: int, seed: int
) -> tuple[Shallow, float]:
    """Return the best shallow network of a few kinds and sizes, and its error.

    Parameters
    ----------
    frame : MMNN
        Whose domain.
    Z, Y : array of shape (n_rows, n_inputs), (n_rows, n_outputs)
        Scaled inputs and targets.
    Z_test, Y_test : array
        Rows to choose by.
    n_parameters : int
        No shallow network has more: those of the network that it is compared with.
    seed : int
        Of the weights.

    Returns
    -------
    shallow : Shallow
        The best.
    mse : float
        Its mean squared error on the rows to choose by.
    """
    n, d = Z.shape
    largest = max(1, min(n // _ROWS_PER_UNIT, n_parameters // Y.shape[1] - 1, MOST_UNITS))
    best, least = None, np.inf
    for width in sorted({max(1, largest // 8), max(1, largest // 3), largest}):
        # Half of the Nyquist frequency of as many points as units.
        scale = np.pi / 4 * width ** (1 / d)
        for shallow in (
            shallow_sines(frame, Z, Y, width, scale=scale, seed=seed),
            shallow_sines(frame, Z, Y, width, scale=3 * scale, seed=seed),
            shallow_swim(frame, Z, Y, width, seed=seed),
        ):
            mse = mean_square(Y_test - shallow.on_scaled(Z_test))
            if best is None or mse < least:
                best, least = shallow, mse
    assert best is not None
    return best, least


def mean_square(residual: Array) -> float:
    """Return the mean of the squares, infinite where something is not finite."""
    mse = float(np.einsum("ij,ij->", residual, residual)) / max(1, residual.size)
    return mse if np.isfinite(mse) else float("inf")


def _solved(frame: MMNN, units: DenseMap, Z: Array, Y: Array, name: str) -> Shallow:
    found = solve(units(Z), Y, solver="qr", rcond=_RCOND, intercept=True, audit="skip")
    assert frame.low is not None
    assert frame.high is not None
    return Shallow(frame.low, frame.high, units, found.coef, np.ravel(found.intercept), name)
