"""How inputs are scaled before hidden weights are sampled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_choice
from solvenet.blocks import as_row_blocks
from solvenet.features.layers import InputScaling
from solvenet.reductions import ColumnMoments, Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array

_NORMAL_IQR = 1.3489795

LIGHT_TAIL = 2.0
"""Columns within this many standard deviations of their mean are not bent."""

QUARTILES = np.array([0.25, 0.5, 0.75]) + 1e-9
"""Not where a whole number of rows ends, which rounding would put on either side."""

KNEE = 3.0
"""Where heavy-tailed columns bend, in robust standard deviations."""

MARGIN = 0.1
"""Clipping starts this far outside the training data, as a share of their range."""


def scale_inputs(
    X: Array,
    weights: Array | None,
    scaling: str | None,
    *,
    clip: bool,
    moments: ColumnMoments | None = None,
) -> InputScaling:
    """Return the scaling that makes the inputs fit for sampling.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
        Training inputs.
    weights : array of shape (n_rows,), optional
        Weights of the rows.
    scaling : {"columns", "isotropic"} or None
        ``"columns"``: each to mean zero and variance one; columns that reach further than
        four standard deviations are scaled by their quartiles and bent first.
        ``"isotropic"``: mean to zero, one factor for all columns so that their mean
        variance is one. None: as they are.
    clip : bool
        Whether inputs far outside the training data are brought back to their edge: to the
        range of each column, or (isotropic) to the largest distance from the mean, each
        with a margin of a tenth.
    moments : ColumnMoments, optional
        Those of all rows, where X is a sample of them.

    Returns
    -------
    InputScaling
        The map from inputs to scaled inputs.
    """
    if scaling is not None:
        check_choice("scaling", scaling, ("columns", "isotropic"))
    if weights is not None:
        X, weights = X[weights > 0], weights[weights > 0]
    if moments is None:
        moments = _moments(X, weights)
    # Columns whose spread is rounding noise count as constant.
    size = np.maximum(np.abs(moments.low), np.abs(moments.high))
    varies = moments.high - moments.low > 8 * np.finfo(X.dtype).eps * size
    ones = np.ones(X.shape[1])
    if scaling == "columns":
        plain = _columns(X, weights, moments, varies)
    elif scaling == "isotropic":
        spread = float(np.sqrt(moments.variance.mean()))
        plain = InputScaling(moments.mean, ones / spread if varies.any() else ones)
    else:
        plain = InputScaling(0.0 * ones, ones)
    if not clip:
        return plain
    if scaling == "isotropic":
        reach = Reach(plain)
        for _, block in as_row_blocks(X).blocks():
            reach.update(block)
        return reach.scaling()
    margin = MARGIN * (moments.high - moments.low)
    return replace(plain, low=moments.low - margin, high=moments.high + margin)


class Reach(Reduction):
    """The largest distance of scaled inputs from their mean.

    Parameters
    ----------
    scaling : InputScaling
        Applied first; a radius that it has is left out.
    """

    def __init__(self, scaling: InputScaling) -> None:
        self._plain = replace(scaling, radius=None)
        self.largest = 0.0

    def update(
        self,
        A: Array,
        B: Array | None = None,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows of A; those of weight zero do not count."""
        Z = self._plain(A if weights is None else A[weights > 0])
        squares = np.einsum("ij,ij->i", Z, Z)
        self.largest = max(self.largest, float(np.sqrt(squares.max(initial=0.0))))

    def merge(self, other: Reach) -> None:
        """Add the rows of `other`."""
        self.largest = max(self.largest, other.largest)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return 8

    def scaling(self) -> InputScaling:
        """Return the scaling with a radius a little beyond the rows."""
        return replace(self._plain, radius=(1.0 + MARGIN) * self.largest)


def _columns(
    X: Array, weights: Array | None, moments: ColumnMoments, varies: Array
) -> InputScaling:
    """Standardise each column; where one reaches far out, by its quartiles, and bend it."""
    deviation = np.sqrt(np.where(varies, moments.variance, 1.0))
    precision = np.where(varies, 1.0 / deviation, 0.0)
    center, factor = moments.mean.copy(), precision.copy()
    reach = np.maximum(moments.high - center, center - moments.low) * factor
    heavy = np.flatnonzero(reach > LIGHT_TAIL)
    plain = InputScaling(center, factor, mean=moments.mean, precision=precision)
    if len(heavy) == 0:
        return plain
    for j in heavy:
        # Column by column: sorting needs a copy, and one of a column is small.
        low, middle, high = np.quantile(X[:, j], QUARTILES, weights=weights, method="inverted_cdf")
        if high > low:
            center[j], factor[j] = middle, _NORMAL_IQR / (high - low)
    bend = np.zeros(X.shape[1])
    bend[heavy] = 1.0 / KNEE
    bent = replace(plain, bend=bend, gain=np.ones(X.shape[1]))
    spread = np.sqrt(_moments(X, weights, bent).variance)
    return replace(bent, gain=np.where(spread > 0, 1.0 / np.where(spread > 0, spread, 1.0), 0.0))


def _moments(X: Array, weights: Array | None, scaling: InputScaling | None = None) -> ColumnMoments:
    moments = ColumnMoments(X.shape[1])
    for rows, block in as_row_blocks(X).blocks():
        if scaling is not None:
            block = scaling(block)
        moments.update(block, weights=None if weights is None else weights[rows])
    return moments
