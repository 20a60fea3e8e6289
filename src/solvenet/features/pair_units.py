"""Units from pairs of rows in any metric, dense and sparse, and the probes made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from solvenet.features.gradients import Probe, fit_probe
from solvenet.features.pairs import (
    candidate_pairs,
    draw_without_replacement,
    pair_density,
    shortest,
)
from solvenet.features.rows import RowSet
from solvenet.features.slopes import SLOPES

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features.activations import Activation

FLOOR = 0.05
"""Pairs closer than this part of the median distance make no steeper units."""

MOST_COORDINATES = 4
"""A sparse unit sees one to four inputs."""


@dataclass(frozen=True)
class PairUnits:
    """Rows that units are drawn from, with what all draws share.

    Attributes
    ----------
    Z : array of shape (n_rows, n_features)
        Scaled inputs.
    T : array of shape (n_rows, n_targets)
        Targets.
    weights : array of shape (n_rows,)
        A row of weight w counts as w repetitions.
    activation : Activation
        One whose derivative is known.
    sparse : float
        Share of units that see one to four inputs.
    """

    Z: Array = field(repr=False)
    T: Array = field(repr=False)
    weights: Array = field(repr=False)
    activation: Activation
    sparse: float

    def probe(self, W: Array, biases: Array) -> Probe:
        """Return the network with these units."""
        arguments = self.Z @ W + biases
        units = np.asarray(self.activation.function(arguments.copy()))
        slopes = SLOPES[self.activation.name](arguments, units)
        return fit_probe(units, slopes, self.Z, self.T, self.weights)

    def units(
        self, count: int, metric: Array | None, importance: Array, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Draw units.

        Parameters
        ----------
        count : int
            How many; fewer where there are not so many pairs.
        metric : array of shape (n_features, n_features) or None
            Symmetric map of the inputs in which dense units are sampled.
        importance : array of shape (n_features,)
            Of the inputs to sparse units.
        rng : Generator
            Random numbers.

        Returns
        -------
        W : array of shape (n_features, n_units)
            Weights on the inputs.
        biases : array of shape (n_units,)
            Constants.
        """
        n_sparse = round(self.sparse * count)
        parts = []
        if count > n_sparse:
            parts.append(self._dense(count - n_sparse, metric, rng))
        if n_sparse:
            parts.append(self._sparse(n_sparse, importance, rng))
        W, biases = zip(*parts, strict=True)
        return np.concatenate(W, axis=1), np.concatenate(biases)

    def _dense(
        self, count: int, metric: Array | None, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        first, second, multiplicity = self._candidates(count, rng)
        V = self.Z if metric is None else self.Z @ metric
        D = V[second] - V[first]
        kept, D = self._drawn(D, first, second, multiplicity, count, rng)
        W = D if metric is None else D @ metric
        return self._made(W, first[kept], second[kept])

    def _sparse(
        self, count: int, importance: Array, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        first, second, multiplicity = self._candidates(count, rng)
        D = self.Z[second] - self.Z[first]
        most = min(MOST_COORDINATES, D.shape[1])
        sizes = rng.integers(1, most + 1, size=len(D))
        keys = rng.gumbel(size=D.shape)
        with np.errstate(divide="ignore"):
            keys += 0.5 * np.log(importance)
        keys[D == 0] = -np.inf
        order = np.argpartition(-keys, most - 1, axis=1)[:, :most]
        order = np.take_along_axis(
            order, np.argsort(-np.take_along_axis(keys, order, axis=1), axis=1), axis=1
        )
        known = np.isfinite(np.take_along_axis(keys, order, axis=1))
        seen = np.take_along_axis(D, order, axis=1) * known * (np.arange(most) < sizes[:, None])
        D = np.zeros_like(D)
        np.put_along_axis(D, order, seen, axis=1)
        kept, D = self._drawn(D, first, second, multiplicity, count, rng)
        return self._made(D, first[kept], second[kept])

    def _candidates(self, count: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        rows = RowSet(np.arange(len(self.weights)), self.weights)
        return candidate_pairs(rows, 8 * count, rng, unordered=self.activation.symmetric)

    def _drawn(
        self,
        D: Array,
        first: Array,
        second: Array,
        multiplicity: Array,
        count: int,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        """Return which pairs are drawn, and their weights in the space of the differences D."""
        distance = np.sqrt(np.einsum("ij,ij->i", D, D))
        jump = np.abs(self.T[second] - self.T[first]).max(axis=1, initial=0.0)
        density = pair_density(distance, jump, FLOOR) * multiplicity
        kept = draw_without_replacement(density, distance > 0, count, rng)
        length = np.maximum(distance[kept], shortest(distance, FLOOR))[:, None]
        return kept, self.activation.slope * (D[kept] / length) / length

    def _made(self, W: Array, first: Array, second: Array) -> tuple[Array, Array]:
        """Return units that are between their two values in the middle of the pair."""
        middle = 0.5 * (self.Z[first] + self.Z[second])
        center = 0.5 * self.activation.slope - self.activation.shift
        return W.T, center - np.einsum("ij,ij->i", W, middle)
