"""Spectra of Gram matrices and kernels, and what they say about a regularisation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_count, check_finite
from solvenet.blocks import MappedBlocks, as_row_blocks
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.reductions import QRReduction

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks import RowBlocks
    from solvenet.features import FeatureMap


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """Eigenvalues of a Gram matrix or of the kernel of a network.

    Attributes
    ----------
    eigenvalues : array of shape (k,), float64
        Distinct by origin, descending; squares of singular values. Those that rounding
        has swallowed are zero.
    multiplicities : array of shape (k,), int64, or None
        How often each counts; None where each counts once.
    dimension : int
        Of the inputs.
    complete : bool
        Whether these are all (a matrix), or the first of infinitely many (a kernel).
    resolution : float
        Eigenvalues of at most this share of the largest are not resolved, or missing.
    method : str
        How they were computed.
    """

    eigenvalues: Array = field(repr=False)
    multiplicities: Array | None = field(default=None, repr=False)
    dimension: int = 1
    complete: bool = True
    resolution: float = 0.0
    method: str

    @property
    def n_modes(self) -> int:
        """Number of eigenvalues, with their multiplicities."""
        if self.multiplicities is None:
            return len(self.eigenvalues)
        return int(self.multiplicities.sum())

    @property
    def condition(self) -> float:
        """Largest over smallest eigenvalue: the condition number of the Gram matrix.

        Its root is that of the design matrix. Infinite for kernels, for singular matrices,
        and where the smallest eigenvalue is lost to rounding: then it is at least
        ``1 / resolution``.
        """
        smallest = float(self.eigenvalues[-1])
        if not self.complete or smallest <= 0:
            return math.inf
        return float(self.eigenvalues[0]) / smallest

    def count(self, threshold: float) -> int:
        """Return how many eigenvalues are at least `threshold` times the largest.

        Parameters
        ----------
        threshold : float
            Relative, above 0 and at most 1.

        Returns
        -------
        int
            With multiplicities.

        Raises
        ------
        InvalidSettingError
            `threshold` is not in (0, 1], or below what this spectrum resolves.

        Examples
        --------
        >>> from solvenet.analysis import relu_spectrum
        >>> relu_spectrum(100).count(1e-6)
        19
        """
        threshold = check_threshold(threshold)
        if threshold <= self.resolution:
            msg = (
                f"threshold={threshold:.3g} was given, and this spectrum ({self.method}) is "
                f"known above {self.resolution:.3g} only. Use a larger threshold, or compute "
                "more of it: n of relu_spectrum, degree of ball_spectrum."
            )
            raise InvalidSettingError(msg)
        n = int(np.searchsorted(-self.eigenvalues, -threshold * self.eigenvalues[0], side="right"))
        return n if self.multiplicities is None else int(self.multiplicities[:n].sum())

    def slope(self, first: int, last: int) -> float:
        """Return the exponent e of ``lambda_k ~ k**e``, fitted by least squares in logarithms.

        Parameters
        ----------
        first, last : int
            The eigenvalues from which it is taken, counted from 1 with multiplicities.

        Returns
        -------
        float
            Negative. For ReLU^p in dimension d it tends to ``-(d + 2 p + 1) / d``.

        Raises
        ------
        InvalidSettingError
            Fewer than two positive eigenvalues lie there.
        """
        first, last = check_count("first", first), check_count("last", last)
        known = np.count_nonzero(self.eigenvalues > 0)
        n = known if self.multiplicities is None else int(self.multiplicities[:known].sum())
        if not first < last <= n:
            msg = (
                f"first={first} and last={last} were given; first < last <= {n} is wanted, the "
                "number of eigenvalues that are known and positive."
            )
            raise InvalidSettingError(msg)
        values = self.expanded(last)[first - 1 :]
        return float(np.polyfit(np.log(np.arange(first, last + 1)), np.log(values), 1)[0])

    def expanded(self, n: int) -> Array:
        """Return the first n eigenvalues, each as often as it counts, shape (n,)."""
        if self.multiplicities is None:
            return self.eigenvalues[:n]
        needed = int(np.searchsorted(np.cumsum(self.multiplicities), n)) + 1
        return np.repeat(self.eigenvalues[:needed], self.multiplicities[:needed])[:n]


def feature_spectrum(
    features: FeatureMap | Array | RowBlocks,
    X: Array | RowBlocks | None = None,
    *,
    center: bool = True,
) -> Spectrum:
    """Return the eigenvalues of the Gram matrix of features on data, ``H' H / n_rows``.

    Parameters
    ----------
    features : FeatureMap, array or RowBlocks of shape (n_rows, n_features)
        The features; or the map that makes them of `X`, such as ``network.hidden`` of a
        :class:`solvenet.networks.SampledNetwork`.
    X : array or RowBlocks of shape (n_rows, n_features_in), optional
        Inputs, where `features` is a map.
    center : bool, default=True
        Whether the means of the features are taken off, as a constant in the read-out does.

    Returns
    -------
    Spectrum
        One eigenvalue a feature.

    Raises
    ------
    InvalidDataError
        A map without `X` or an array with it, no rows, or values that are not finite.

    Notes
    -----
    One pass over blocks of rows into a triangular factor, whose singular values are
    squared: nothing below 1e-16 is lost as it is in ``H' H``. About
    ``2 n_rows n_features**2`` flops.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import feature_spectrum
    >>> H = np.vander(np.linspace(-1, 1, 50), 20)
    >>> f"{feature_spectrum(H, center=False).condition:.2g}"
    '7.4e+13'
    """
    blocks = _feature_blocks(features, X)
    n_rows, n_cols = blocks.shape
    if n_rows == 0:
        msg = "The features have no rows; at least one is wanted."
        raise InvalidDataError(msg)
    reduction = QRReduction(n_cols, 0, center=center)
    for rows, block in blocks.stream():
        check_finite(f"The block of features from row {rows.start} on", block)
        reduction.update(block, np.zeros((len(block), 0)), start=rows.start)
    R, _, _, mean, _ = reduction.factors()
    values = np.linalg.svd(R, compute_uv=False) / math.sqrt(n_rows)
    # What is left of features after their means is rounded relative to the means.
    largest = float(values.max(initial=0.0))
    size = math.hypot(largest, float(np.linalg.norm(mean)))
    level = max(n_rows, n_cols) * float(np.finfo(blocks.dtype).eps) * size
    values = np.where(values > level, values, 0.0)
    return Spectrum(
        eigenvalues=np.concatenate([values, np.zeros(n_cols - len(values))]) ** 2,
        dimension=blocks.shape[1] if X is None else int(as_row_blocks(X).shape[1]),
        resolution=(level / largest) ** 2 if largest > 0 else 0.0,
        method="singular values of the features",
    )


def _feature_blocks(
    features: FeatureMap | Array | RowBlocks, X: Array | RowBlocks | None
) -> RowBlocks:
    if callable(features) != (X is not None):
        msg = (
            "Give a feature map and its inputs X, such as feature_spectrum(network.hidden, X), "
            "or a matrix of features alone."
        )
        raise InvalidDataError(msg)
    if not callable(features):
        return as_row_blocks(features)
    return MappedBlocks(as_row_blocks(X), features, features.n_features_out)


def check_threshold(threshold: float, name: str = "threshold") -> float:
    """Return `threshold` if it is a number above 0 and at most 1."""
    number = isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool)
    if not number or not 0 < threshold <= 1:
        msg = (
            f"{name}={threshold!r} was given; a number above 0 and at most 1 is wanted, "
            "relative to the largest eigenvalue, such as 2.0**-23 for float32."
        )
        raise InvalidSettingError(msg)
    return float(threshold)


def cutoff_level(singular_values: Array, alpha: float, rcond: float) -> tuple[float, str]:
    """Return the level below which directions count little.

    Parameters
    ----------
    singular_values : array of shape (k,)
        Descending.
    alpha, rcond : float
        Ridge and relative cutoff.

    Returns
    -------
    level : float
        Relative to the largest singular value.
    name : {"ridge", "cutoff"}
        Which of the two sets it.
    """
    largest = float(singular_values[0]) if len(singular_values) else 0.0
    ridge = math.sqrt(alpha) / largest if largest > 0 else 0.0
    return (ridge, "ridge") if ridge > rcond else (rcond, "cutoff")


def captured_rank(
    singular_values: Array, alpha: float, rcond: float, kept: int | None = None
) -> int:
    """Return how many singular values stand above the ridge and the cutoff.

    Parameters
    ----------
    singular_values : array of shape (k,)
        Descending.
    alpha, rcond : float
        Ridge and relative cutoff.
    kept : int, optional
        Directions that the solver kept; the rank is at most that.
    """
    if len(singular_values) == 0 or singular_values[0] <= 0:
        return 0
    level, _ = cutoff_level(singular_values, alpha, rcond)
    above = int(np.count_nonzero(singular_values > level * singular_values[0]))
    return above if kept is None else min(above, kept)
