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

FARTHEST = 30.0
"""Inputs so many robust standard deviations out are kept there: they say no more than that."""

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
        two standard deviations are scaled by their quartiles and bent first.
        ``"isotropic"``: mean to zero, one factor for all columns so that their mean
        variance is one. None: as they are.
    clip : bool
        Whether inputs far outside the training data are brought back to their edge: to the
        range of each column, or (isotropic) to the largest distance from the mean, each
        with a margin of a tenth. Columns with far outliers are cut at 30 robust standard
        deviations.
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
        plain = _columns(X, weights, moments, varies, clip=clip)
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
    low, high = moments.low - margin, moments.high + margin
    if plain.low is not None and plain.high is not None:
        low, high = np.maximum(low, plain.low), np.minimum(high, plain.high)
    return replace(plain, low=low, high=high)


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
    X: Array, weights: Array | None, moments: ColumnMoments, varies: Array, *, clip: bool
) -> InputScaling:
    """Standardise each column; where one reaches far out, by its quartiles, and bend it.

    With `clip` there are bounds, of which only those far inside the range matter.
    """
    deviation = np.sqrt(np.where(varies, moments.variance, 1.0))
    mean, precision = moments.mean.copy(), np.where(varies, 1.0 / deviation, 0.0)
    center, factor = mean.copy(), precision.copy()
    reach = np.maximum(moments.high - center, center - moments.low)
    heavy = np.flatnonzero(reach * factor > LIGHT_TAIL)
    if len(heavy) == 0:
        return InputScaling(center, factor, mean=mean, precision=precision)
    low, high = np.full(X.shape[1], -np.inf), np.full(X.shape[1], np.inf)
    for j in heavy:
        # Column by column: sorting needs a copy, and one of a column is small.
        x = X[:, j]
        quarter, middle, other = np.quantile(x, QUARTILES, weights=weights, method="inverted_cdf")
        if other > quarter:
            center[j], factor[j] = middle, _NORMAL_IQR / (other - quarter)
        farthest = FARTHEST / factor[j]
        beyond = max(moments.high[j] - center[j], center[j] - moments.low[j]) > farthest
        if clip and beyond:
            low[j], high[j] = center[j] - farthest, center[j] + farthest
            kept = np.clip(x, low[j], high[j])
            mean[j] = np.average(kept, weights=weights)
            precision[j] = 1.0 / np.sqrt(np.average((kept - mean[j]) ** 2, weights=weights))
    bend = np.zeros(X.shape[1])
    bend[heavy] = 1.0 / KNEE
    bent = InputScaling(
        center, factor, bend, np.ones(X.shape[1]), low, high, mean=mean, precision=precision
    )
    spread = np.sqrt(_moments(X, weights, bent).variance)
    gain = np.where(spread > 0, 1.0 / np.where(spread > 0, spread, 1.0), 0.0)
    return replace(bent, gain=gain) if clip else replace(bent, gain=gain, low=None, high=None)


def _moments(X: Array, weights: Array | None, scaling: InputScaling | None = None) -> ColumnMoments:
    moments = ColumnMoments(X.shape[1])
    for rows, block in as_row_blocks(X).blocks():
        if scaling is not None:
            block = scaling(block)
        moments.update(block, weights=None if weights is None else weights[rows])
    return moments
