"""A multiset in a few words: what is stored or wired instead of its values."""

from __future__ import annotations

import hashlib
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_choice, check_count, check_finite
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.permutation.multisets import equidistant, few_levels, pairwise, uniform

if TYPE_CHECKING:
    from solvenet._array_api import Array

DISTRIBUTIONS = ("equidistant", "normal", "pairwise", "uniform")


@dataclass(frozen=True)
class MultisetRecipe:
    """How a multiset is drawn: the same words, the same values, of any number.

    Parameters
    ----------
    distribution : {"normal", "uniform", "pairwise", "equidistant"}, default="normal"
        Standard normal; uniform on [-1, 1]; uniform with the negative of every value; or
        from -1 to 1 in equal steps, which needs no seed.
    bits : int, optional
        With ``"equidistant"``: a value takes so many bits, that is ``2**bits`` levels
        from -1 to 1, equally often. 1 stands for the levels -1 and 1.
    zeros : float, default=0.0
        Share of zeros; the others are drawn as said. With ``bits=1`` the multiset is ternary.
    seed : int, default=0
        Of the random numbers.

    Raises
    ------
    InvalidSettingError
        Another distribution, bits with a random one or beyond 1 to 16, a share that is not
        from 0 to below 1, a negative seed.

    Examples
    --------
    >>> from solvenet.permutation import MultisetRecipe
    >>> MultisetRecipe("equidistant", bits=1, zeros=0.5).draw(8).tolist()
    [-1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    """

    distribution: str = "normal"
    _: KW_ONLY
    bits: int | None = None
    zeros: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_count("seed", self.seed, minimum=0)
        if not 0 <= self.zeros < 1:
            msg = f"zeros={self.zeros!r} was given; a share from 0 to below 1 is wanted."
            raise InvalidSettingError(msg)
        if self.bits is None:
            return
        check_count("bits", self.bits)
        if self.distribution != "equidistant" or self.bits > 16:
            msg = (
                f"bits={self.bits} was given with the distribution {self.distribution!r}; 1 to "
                '16 with "equidistant" are wanted.'
            )
            raise InvalidSettingError(msg)

    def draw(self, n_values: int, *, n_rows: int | None = None) -> Array:
        """Return the values.

        Parameters
        ----------
        n_values : int
            How many; of an odd number of levels or pairs the last lacks its counterpart.
        n_rows : int, optional
            Draw so many multisets of `n_values` each.

        Returns
        -------
        array of shape (n_values,) or (n_rows, n_values)
            Each multiset ascending.
        """
        n = check_count("n_values", n_values)
        rows = 1 if n_rows is None else check_count("n_rows", n_rows)
        n_zeros = min(round(self.zeros * n), n - 1)
        out = np.zeros((rows, n))
        out[:, n_zeros:] = self._others(n - n_zeros, rows)
        out.sort(axis=1)
        return out[0] if n_rows is None else out

    def _others(self, n: int, rows: int) -> Array:
        even = n + n % 2
        if self.bits is not None:
            return few_levels(even, bits=self.bits)[:n]
        if self.distribution == "equidistant":
            return equidistant(n)
        if self.distribution == "normal":
            return stream(self.seed, "multiset", "normal").standard_normal((rows, n))
        if self.distribution == "uniform":
            return uniform(rows * n, random_state=self.seed).reshape(rows, n)
        pairs = pairwise(rows * even, random_state=self.seed).reshape(2, rows, even // 2)
        return np.concatenate([pairs[0], pairs[1]], axis=1)[:, :n]


def multiset_digest(values: Any) -> str:
    """Return what identifies a multiset, whatever the order of its values.

    Parameters
    ----------
    values : array-like of shape (n_values,) or (n_rows, n_values)
        One multiset, or one a row.

    Returns
    -------
    str
        SHA-256 of the sorted values as float64, 64 hexadecimal digits. Values that differ in
        the last bit have another one.

    Raises
    ------
    InvalidDataError
        Another shape, no values, NaN or infinity.
    """
    given = np.array(values, dtype=np.float64)
    if given.ndim not in (1, 2) or given.size == 0:
        msg = f"Values of shape {given.shape}: (n_values,) or (n_rows, n_values) is wanted."
        raise InvalidDataError(msg)
    check_finite("values", given)
    given += 0.0  # there is one zero
    given.sort(axis=-1)
    digest = hashlib.sha256(repr(given.shape).encode())
    digest.update(given.astype("<f8").tobytes())
    return digest.hexdigest()
