"""Pairs of rows in a metric of the inputs that is learned from the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count, check_nonnegative
from solvenet.errors import InvalidSettingError
from solvenet.features._base import FeatureMap, FeatureSampler
from solvenet.features.gradients import metric_of
from solvenet.features.layers import DenseMap
from solvenet.features.pair_units import PairUnits
from solvenet.features.rows import RowSet, row_set
from solvenet.features.slopes import SLOPES
from solvenet.features.swim import SWIM, images

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features.activations import Activation

FEWEST_ROWS = 200
"""Fewer distinct rows do not tell a metric from chance."""

MOST_COLUMNS = 1000
"""More inputs make the metric, which is a square matrix, dearer than the fit."""

MOST_ROWS = 4096
"""Of more distinct rows every k-th is learned from."""

LEAST_SCALE = 1e-3
"""Of a direction in which the gradients say nothing, against one of mean importance."""


@dataclass(frozen=True)
class LearnedMetric(FeatureSampler):
    """Sample each hidden unit from a pair of rows, as SWIM, in a metric learned from the targets.

    A probe, a small network with few units, is fitted to some of the rows. The average outer
    product of its gradients says which directions of the inputs the target depends on, and how
    much; its square root is a metric in which the next probe samples its pairs. The units of
    the layer are sampled in the metrics of all rounds. Beside dense units there are sparse
    ones, which see one to four inputs, the important ones more often.

    Parameters
    ----------
    rounds : int, default=2
        Probes, each sampled in the metric of the one before.
    probe_width : int, default=300
        Units of a probe.
    sparse : float, default=0.5
        Share of sparse units. With 0 the layer turns with the inputs: predictions are
        invariant to rotations.
    smooth : float, default=1e-3
        Where the first probe leaves less than this part of the targets' variance unexplained
        (by leave-one-out errors), there is no noise to learn the metric for: plain SWIM.

    See Also
    --------
    solvenet.SWIM : The pairs, without a metric.

    Notes
    -----
    One quarter of the units is sampled in the inputs as they are, one quarter in each metric
    but the last, and the rest in the last. A probe is fitted by ridge regression with exact
    leave-one-out errors; the outer product is cross-fitted between halves of the rows, so
    that noise cancels. Plain SWIM samples deeper layers, and where there are fewer than 200
    distinct rows, one input or more than 1000, or an activation of the user's own, whose
    derivative is not known.

    *Cost.* Of each round: ``n (m + d)^2`` flops and ``10 (m + d)^3`` for a probe of m units, d
    inputs and n rows, of which there are at most 4096.

    References
    ----------
    A. Radhakrishnan, D. Beaglehole, P. Pandit, M. Belkin (2024), Mechanism for feature learning
    in neural networks and backpropagation-free machine learning models, Science 383,
    arXiv:2212.13881 (average gradient outer product). Here in linear time, cross-fitted, and
    with all metrics in one network instead of the last alone.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.features import LearnedMetric, get_activation
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((500, 5))
    >>> Y = np.sin(3 * X[:, :1]) + 0.1 * rng.standard_normal((500, 1))
    >>> layer = LearnedMetric(sparse=0.0).sample(X, Y, 100, activation=get_activation("tanh"))
    >>> size = (layer.weights**2).sum(axis=1)
    >>> bool(size[0] > 5 * size[1:].max())  # the first input matters
    True
    """

    rounds: int = 2
    probe_width: int = 300
    sparse: float = 0.5
    smooth: float = 1e-3

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
        rounds = check_count("rounds", self.rounds)
        probe_width = check_count("probe_width", self.probe_width)
        if check_nonnegative("sparse", self.sparse) > 1:
            msg = f"sparse={self.sparse!r} was given; a share of the units, 0 to 1, is wanted."
            raise InvalidSettingError(msg)
        if rows is None:
            rows = row_set(X, Y, inputs=previous)
        n_in = X.shape[1] if previous is None else previous.n_features_out
        few = len(rows.index) < FEWEST_ROWS or not 1 < n_in <= MOST_COLUMNS
        if layer > 0 or few or activation.name not in SLOPES:
            return self._plain(X, Y, width, activation, rows, previous, seed, layer)
        step = -(-len(rows.index) // MOST_ROWS)
        at = rows.index[::step]
        Z = images(X, at, previous)
        pairs = PairUnits(Z, Y[at], rows.weights[::step], activation, self.sparse)
        metrics: list[tuple[Array | None, Array]] = [(None, np.ones(n_in))]
        for number in range(rounds):
            rng = stream(seed, "probe", number)
            W, biases = pairs.units(min(probe_width, len(at)), *metrics[-1], rng)
            probe = pairs.probe(W, biases)
            if number == 0 and probe.unexplained < self.smooth:
                return self._plain(X, Y, width, activation, rows, previous, seed, layer)
            G = probe.gradient_product(W)
            metric = metric_of(G)
            if metric is None:
                break
            importance = np.einsum("ij,ij->i", metric, metric)
            metrics.append((metric + LEAST_SCALE * np.eye(n_in), importance))
        rng = stream(seed, "metric")
        counts = _counts(width, len(metrics))
        parts = [
            pairs.units(count, *metric, rng)
            for count, metric in zip(counts, metrics, strict=True)
            if count
        ]
        W = np.concatenate([part[0] for part in parts], axis=1)
        if W.shape[1] < width:
            return self._plain(X, Y, width, activation, rows, previous, seed, layer)
        biases = np.concatenate([part[1] for part in parts])
        return DenseMap(np.ascontiguousarray(W), biases, activation)

    def _plain(
        self,
        X: Array,
        Y: Array,
        width: int,
        activation: Activation,
        rows: RowSet,
        previous: FeatureMap | None,
        seed: int,
        layer: int,
    ) -> DenseMap:
        return SWIM().sample(
            X,
            Y,
            width,
            activation=activation,
            rows=rows,
            previous=previous,
            seed=seed,
            layer=layer,
        )


def _counts(width: int, n_metrics: int) -> list[int]:
    """Return how many units are sampled in each metric: a quarter, and the rest in the last."""
    early = width // (2 + n_metrics - 1) if n_metrics > 1 else 0
    return [early] * (n_metrics - 1) + [width - early * (n_metrics - 1)]
