"""Which of many inputs say something of the target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet.features.metric import FEWEST_ROWS, MOST_COLUMNS, MOST_ROWS
from solvenet.features.pair_units import PairUnits
from solvenet.features.slopes import SLOPES

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features.activations import Activation
    from solvenet.features.layers import InputScaling
    from solvenet.features.rows import RowSet

FEWEST_COLUMNS = 50
"""Fewer inputs are not screened."""

GROUPS = 8
"""Groups of equal size that the rows are put into by each input."""

DEVIATIONS = 3.5
"""An input says something if the groups differ by so many deviations more than by chance."""

PROBE_WIDTH = 300


def screen_inputs(
    scaling: InputScaling, X: Array, Y: Array, rows: RowSet, activation: Activation, seed: int
) -> InputScaling:
    """Return the scaling without the inputs that say nothing, where a network is better so.

    Parameters
    ----------
    scaling : InputScaling
        Of the inputs.
    X : array of shape (n_rows, n_features)
        Inputs.
    Y : array of shape (n_rows, n_targets)
        Targets.
    rows : RowSet
        The distinct rows.
    activation : Activation
        Of the units.
    seed : int
        Of the two networks that are compared.

    Returns
    -------
    InputScaling
        `scaling` itself, or one that makes constants of more than half of the inputs.

    Notes
    -----
    An input is kept if the correlation ratio of the target on eight groups of it is 3.5
    standard deviations above chance. Both networks have 300 sampled units; the smaller
    leave-one-out error decides. What matters only together with other inputs is not seen by
    this, hence the comparison. Nothing is screened with fewer than 50 or more than
    1000 inputs. *Cost:* a sort of each input and two probes, of at most 4096 rows.
    """
    n_in = scaling.n_features_out
    if not (FEWEST_COLUMNS <= n_in <= MOST_COLUMNS and len(rows.index) >= FEWEST_ROWS):
        return scaling
    if activation.name not in SLOPES:
        return scaling
    step = -(-len(rows.index) // MOST_ROWS)
    at, weights = rows.index[::step], rows.weights[::step]
    Z, T = scaling(X[at].astype(np.float64, copy=False)), Y[at]
    kept = informative(Z, T, weights)
    if not 0 < kept.sum() < n_in / 2:
        return scaling
    errors = []
    for mask in (np.ones(n_in), kept.astype(np.float64)):
        pairs = PairUnits(Z * mask, T, weights, activation, sparse=0.5)
        width = min(PROBE_WIDTH, len(at))
        W, biases = pairs.units(width, None, mask, stream(seed, "screening"))
        errors.append(pairs.probe(W, biases).unexplained)
    if errors[1] >= errors[0]:
        return scaling
    precision = None if scaling.precision is None else scaling.precision * kept
    return replace(scaling, factor=scaling.factor * kept, precision=precision)


def informative(Z: Array, T: Array, weights: Array) -> Array:
    """Tell of each input whether the target differs between groups of its values.

    Parameters
    ----------
    Z : array of shape (n_rows, n_features)
        Inputs.
    T : array of shape (n_rows, n_targets)
        Targets.
    weights : array of shape (n_rows,)
        A row of weight w counts as w repetitions.

    Returns
    -------
    array of shape (n_features,), bool
        Whether the correlation ratio (between-group over total sum of squares) exceeds its
        mean without a relation by 3.5 standard deviations.
    """
    total = weights.sum()
    centred = T - weights @ T / total
    squares = float(np.einsum("i,ij,ij->", weights, centred, centred))
    if squares <= 0 or total <= 1:
        return np.ones(Z.shape[1], dtype=bool)
    sums = weights[:, None] * centred
    # Not where a whole number of rows ends, which rounding would put on either side.
    levels = np.arange(1, GROUPS) / GROUPS + 1e-9
    edges = np.quantile(Z, levels, axis=0, weights=weights, method="inverted_cdf")
    ratio, freedom = np.zeros(Z.shape[1]), np.zeros(Z.shape[1])
    for j in range(Z.shape[1]):
        group = np.searchsorted(edges[:, j], Z[:, j])
        size = np.bincount(group, weights, GROUPS)
        some = size > 0
        by_group = np.stack([np.bincount(group, column, GROUPS) for column in sums.T])
        ratio[j] = float((by_group[:, some] ** 2 / size[some]).sum()) / squares
        freedom[j] = some.sum() - 1
    chance = freedom / (total - 1)
    deviation = np.sqrt(2.0 * freedom) / (total - 1)
    kept: Array = ratio - chance > DEVIATIONS * deviation
    return kept
