"""Where samples come from: rows of a table, or fresh points of a domain."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from solvenet._validation import check_finite
from solvenet.errors import DomainWarning, InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN

CANDIDATES = 4
"""Points looked at for each that is drawn where the residual is large."""

_DISTANCES = (-3.0, -0.5)  # powers of ten, in half-widths of the domain


class Samples(Protocol):
    """What a stochastic solver draws from."""

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Return n scaled inputs and their targets."""
        ...


@dataclass(frozen=True, eq=False)
class Field:
    """A function on a box, sampled afresh as often as one likes.

    Parameters
    ----------
    function : callable
        Takes points of shape (n, d), for one input of shape (n,), and returns (n,) or
        (n, n_outputs).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.structured import Field, random_mmnn, solve_mmnn
    >>> field = Field(lambda x: np.sin(3 * x))
    >>> network = random_mmnn(20, 3, 2, activation="tanh", scale=5)
    >>> result = solve_mmnn(network, field, method="spring", max_steps=30)
    >>> result.mse < 1e-6
    True
    """

    function: Callable[[Array], Array] = field(repr=False)

    def values(self, X: Array) -> Array:
        """Return the function as (n, n_outputs), checked.

        Parameters
        ----------
        X : array of shape (n, d)
            Points.

        Returns
        -------
        array of shape (n, n_outputs)
            Values.

        Raises
        ------
        InvalidDataError
            Other shapes, NaN.
        """
        Y = np.asarray(self.function(X[:, 0] if X.shape[1] == 1 else X), dtype=np.float64)
        if Y.ndim not in (1, 2) or len(Y) != len(X):
            msg = (
                f"The function returned shape {Y.shape} for {len(X)} points; one number, or one "
                "row, a point is wanted."
            )
            raise InvalidDataError(msg)
        check_finite("the function's values", Y)
        return Y.reshape(len(X), -1)

    def within(self, network: MMNN) -> FieldSamples:
        """Return the samples of the network's domain."""
        return FieldSamples(self, network)


@dataclass(frozen=True, eq=False)
class FieldSamples:
    """Uniform points of a network's domain.

    Parameters
    ----------
    field : Field
        The function.
    network : MMNN
        Whose domain, which scaled inputs fill as [-1, 1]^d.
    """

    field: Field
    network: MMNN

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Return n fresh points, one in each cell of a Latin hypercube, and their values."""
        d = self.network.n_inputs
        cells = rng.permuted(np.tile(np.arange(n)[:, None], d), axis=0)
        Z = (cells + rng.random((n, d))) * (2 / n) - 1
        return Z, self.at(Z)

    def at(self, Z: Array) -> Array:
        """Return the values at scaled inputs."""
        low, high = self.network.low, self.network.high
        assert low is not None
        assert high is not None
        return self.field.values((low + high) / 2 + Z * ((high - low) / 2))


@dataclass(frozen=True, eq=False)
class RowSamples:
    """Rows of a table.

    Parameters
    ----------
    Z : array of shape (n_rows, n_inputs)
        Scaled inputs.
    Y : array of shape (n_rows, n_outputs)
        Targets.
    """

    Z: Array
    Y: Array

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Return n rows, none twice; all rows where there are no more."""
        if n >= len(self.Z):
            return self.Z, self.Y
        rows = rng.choice(len(self.Z), n, replace=False)
        return self.Z[rows], self.Y[rows]


class Grading:
    """Draws samples, a share of them where the residual is large.

    Hard samples of a field are looked for uniformly and around the last hard ones, at distances
    of all sizes: detail that fills a thousandth of the domain is found once and kept in sight.

    Parameters
    ----------
    samples : Samples
        Drawn from.
    share : float
        Of samples drawn in proportion to the length of the residual, among four times as many.
    """

    def __init__(self, samples: Samples, share: float) -> None:
        self._samples, self._share = samples, share
        self._hard: tuple[Array, Array] | None = None

    def draw(
        self, residual: Callable[[Array, Array], Array], rng: np.random.Generator, n: int
    ) -> tuple[Array, Array]:
        """Return scaled inputs and targets, n rows (fewer where there are no more).

        Parameters
        ----------
        residual : callable
            From scaled inputs and targets to targets minus values.
        rng : numpy.random.Generator
            Random numbers.
        n : int
            Samples.

        Returns
        -------
        Z, Y : array
            Scaled inputs and targets.
        """
        extra = round(self._share * n)
        Z, Y = self._samples.draw(rng, n - extra)
        if not extra:
            return Z, Y
        more, targets = self._candidates(rng, CANDIDATES * extra)
        size = np.linalg.norm(residual(more, targets), axis=1)
        total = float(size.sum())
        if total == 0 or not np.isfinite(total):
            return Z, Y
        # Gumbel keys: without replacement, in proportion to the size.
        keys = np.log(np.maximum(size, total * 1e-300)) + rng.gumbel(size=len(size))
        chosen = np.argsort(-keys, kind="stable")[:extra]
        self._hard = more, size / total
        return np.concatenate([Z, more[chosen]]), np.concatenate([Y, targets[chosen]])

    def state(self) -> dict[str, Array]:
        """Return where the hard samples were, as arrays."""
        names = ("hard_points", "hard_chances")
        return {} if self._hard is None else dict(zip(names, self._hard, strict=True))

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        if "hard_points" in state:
            self._hard = state["hard_points"], state["hard_chances"]

    def _candidates(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        if self._hard is None or not isinstance(self._samples, FieldSamples):
            return self._samples.draw(rng, n)
        Z, Y = self._samples.draw(rng, n // 2)
        points, chances = self._hard
        near = points[rng.choice(len(points), n - n // 2, p=chances)]
        distance = 10 ** rng.uniform(*_DISTANCES, size=(len(near), 1))
        near = near + distance * rng.standard_normal(near.shape)
        near = 1 - np.abs((near + 1) % 4 - 2)  # reflected at the faces of the cube
        return np.concatenate([Z, near]), np.concatenate([Y, self._samples.at(near)])


def checked_rows(network: MMNN, X: Array, y: Array) -> tuple[Array, Array]:
    """Return scaled inputs and targets as columns; warn of rows outside the domain.

    Parameters
    ----------
    network : MMNN
        Which they are for.
    X : array of shape (n_rows, n_inputs), or (n_rows,) for one input
        Inputs.
    y : array of shape (n_rows,) or (n_rows, n_outputs)
        Targets.

    Returns
    -------
    Z : array of shape (n_rows, n_inputs)
        Scaled inputs.
    Y : array of shape (n_rows, n_outputs)
        Targets.

    Raises
    ------
    InvalidDataError
        Other shapes, no rows, NaN.

    Warns
    -----
    DomainWarning
        Rows outside of the network's domain.
    """
    X, Y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    check_finite("X", X)
    check_finite("y", Y)
    Z = network.scaled(X)
    wanted = (len(Z), network.n_outputs)
    if Y.shape not in ((wanted,) if wanted[1] > 1 else (wanted, wanted[:1])) or not len(Z):
        msg = (
            f"y of shape {Y.shape} was given for {len(Z)} rows; at least one row, and "
            f"{wanted[1]} targets each, are wanted."
        )
        raise InvalidDataError(msg)
    outside = np.any(np.abs(Z) > 1 + 1e-9, axis=1)
    if outside.any():
        msg = (
            f"{int(outside.sum())} of {len(Z)} rows lie outside of the domain from {network.low} "
            f"to {network.high}, the first at {np.ravel(X[outside][0])}: the network's units are "
            "spread over the domain. Give low= and high= that hold the rows."
        )
        warnings.warn(msg, DomainWarning, stacklevel=4)
    return Z, Y.reshape(wanted)
