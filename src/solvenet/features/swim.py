"""SWIM: hidden weights from pairs of data points (Sampling Where It Matters)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count, check_nonnegative
from solvenet.errors import FewPairsWarning
from solvenet.features._base import FeatureMap, FeatureSampler
from solvenet.features.layers import DenseMap
from solvenet.features.pairs import candidate_pairs, draw_without_replacement, pair_density
from solvenet.features.rows import RowSet, row_set

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features.activations import Activation

_CHUNK_NUMBERS = 2**21
_MOST_DEFAULT_CANDIDATES = 2**16


@dataclass(frozen=True)
class SWIM(FeatureSampler):
    """Sample each hidden unit from a pair of data points.

    A pair (x1, x2) is drawn with probability proportional to
    ``||f(x2) - f(x1)||_inf / max(||x2 - x1||_2, eps)``, zero for identical inputs, and
    gives the unit ``activation(w'x + b)`` with ``w = s1 (x2 - x1) / ||x2 - x1||^2`` and
    ``b = -w'x1 - s2``: a unit that takes fixed values at its two points (relu 0 and 1,
    tanh -1/2 and 1/2), steep where the target is. Deeper layers are sampled on the images
    of the same rows under the layers before them.

    Parameters
    ----------
    candidates : int, optional
        Pairs among which the units are drawn. By default eight a unit, as many as there
        are distinct rows up to 65,536, and at least 1024. Where a table has no more pairs than
        that, all pairs are candidates and the density is exact.
    first_floor : float, default=0.0
        eps of the first layer, in units of the median distance of the candidates.
    floor : float, default=0.01
        eps of the later layers, likewise.

    Notes
    -----
    *Differences from the paper.* (1) Units are drawn without replacement, and mirrored
    pairs count as one where the activation is odd: no two units are equal. (2) The
    number of candidates follows the width as well as the number of rows. (3) Where fewer
    pairs have a positive density than units are asked for, pairs with equal targets fill
    up; where there are too few distinct pairs at all, fewer units are sampled, with a
    warning. (4) The draw depends on the weighted set of rows and the seed alone.

    *Cost.* One sort of the rows; ``candidates * n_features`` operations (times the cost
    of the layers before); memory 16 MB besides a few numbers a row and candidate.

    References
    ----------
    E. Bolager, I. Burak, C. Datar, Q. Sun, F. Dietrich (2023), Sampling weights of deep
    neural networks, NeurIPS 36, arXiv:2306.16830, Definition 2 and Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import SWIM
    >>> from solvenet.features import get_activation
    >>> X = np.linspace(0, 1, 5)[:, None]
    >>> layer = SWIM().sample(X, X**2, 3, activation=get_activation("relu"))
    >>> layer(X).shape
    (5, 3)
    """

    candidates: int | None = None
    first_floor: float = 0.0
    floor: float = 0.01

    def sample(
        self,
        X: Array,
        Y: Array,
        width: int,
        *,
        activation: Activation,
        rows: RowSet | None = None,
        previous: FeatureMap | None = None,
        seed: int = 0,
        layer: int = 0,
    ) -> DenseMap:
        """Draw the weights of one layer."""
        name, floor = ("first_floor", self.first_floor) if layer == 0 else ("floor", self.floor)
        floor = check_nonnegative(name, floor)
        if rows is None:
            rows = row_set(X, Y, inputs=previous)
        rng = stream(seed, "swim", layer)
        n = len(rows.index)
        wanted = (
            max(1024, 8 * width, min(n, _MOST_DEFAULT_CANDIDATES))
            if self.candidates is None
            else check_count("candidates", self.candidates)
        )
        first, second, multiplicity = candidate_pairs(
            rows, wanted, rng, unordered=activation.symmetric
        )
        first, second = rows.index[first], rows.index[second]
        distance, jump = pair_distances(X, Y, first, second, previous)
        density = pair_density(distance, jump, floor) * multiplicity
        chosen = draw_without_replacement(density, distance > 0, width, rng)
        if len(chosen) == 0:
            n_in = X.shape[1] if previous is None else previous.n_features_out
            msg = "All inputs are identical: the network can only be constant."
            warnings.warn(msg, FewPairsWarning, stacklevel=3)
            return DenseMap(np.zeros((n_in, 1)), np.zeros(1), activation)
        if len(chosen) < width:
            msg = (
                f"{width} neurons were asked for and the data have {len(chosen)} distinct "
                f"pairs of points; {len(chosen)} neurons are used."
            )
            warnings.warn(msg, FewPairsWarning, stacklevel=3)
        start, end = images(X, first[chosen], previous), images(X, second[chosen], previous)
        length = distance[chosen][:, None]
        # Divided twice: the square of a tiny distance would underflow.
        W = activation.slope * ((end - start) / length) / length
        biases = -np.einsum("ij,ij->i", W, start) - activation.shift
        return DenseMap(np.ascontiguousarray(W.T), biases, activation)


def pair_distances(
    X: Array, Y: Array, first: Array, second: Array, previous: FeatureMap | None
) -> tuple[Array, Array]:
    """Return ``||x2 - x1||_2`` in the layer's inputs and ``||y2 - y1||_inf`` of each pair."""
    widest = X.shape[1] if previous is None else max(X.shape[1], previous.n_features_out)
    step = max(1, _CHUNK_NUMBERS // (widest + Y.shape[1]))
    distance, jump = np.empty(len(first)), np.empty(len(first))
    for at in range(0, len(first), step):
        part = slice(at, at + step)
        difference = images(X, second[part], previous) - images(X, first[part], previous)
        # Scaled by the largest entry: squares of tiny or huge numbers stay in range.
        size = np.abs(difference).max(axis=1, initial=0.0)
        difference /= np.where(size > 0, size, 1.0)[:, None]
        distance[part] = size * np.sqrt(np.einsum("ij,ij->i", difference, difference))
        jump[part] = np.abs(Y[second[part]] - Y[first[part]]).max(axis=1, initial=0.0)
    return distance, jump


def images(X: Array, index: Array, previous: FeatureMap | None) -> Array:
    """Return the layer's inputs at some rows."""
    rows = X[index].astype(np.float64, copy=False)
    return rows if previous is None else previous(rows)
