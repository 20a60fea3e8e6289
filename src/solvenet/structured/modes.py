"""How much of a residual lies at which frequency, on rows of any dimension."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from solvenet._array_api import Array

_ROWS_PER_MODE = 4
_MOST = 128
_ONTO = 1e-8


class ModeBands:
    """Bands of modes on some rows: products of cosines, made orthonormal.

    Parameters
    ----------
    Z : array of shape (n_rows, n_inputs)
        Scaled inputs, in [-1, 1].

    Attributes
    ----------
    modes : array of shape (n_rows, n_modes)
        Orthonormal; a quarter of the rows, at most 128, from low to high frequencies.
    band : array of shape (n_modes,), int
        Band k has the frequencies from ``2**(k - 1)`` to below ``2**k`` half waves; 0 is the
        constant.
    """

    def __init__(self, Z: Array) -> None:
        n, d = Z.shape
        count = max(1, min(_MOST, n // _ROWS_PER_MODE))
        waves = _lowest(count, d)
        functions = np.cos(np.pi / 2 * (Z[:, None, :] + 1) * waves).prod(axis=2)
        Q, R = np.linalg.qr(functions)
        sizes = np.abs(np.diag(R))
        independent = sizes > _ONTO * sizes.max()
        length = np.linalg.norm(waves[independent], axis=1)
        self.modes = Q[:, independent]
        self.band = np.where(length > 0, np.floor(np.log2(np.maximum(length, 1))) + 1, 0).astype(
            int
        )

    def parts(self, residual: Array) -> tuple[float, ...]:
        """Return which part of the mean square lies in each band; the last is what is above.

        Parameters
        ----------
        residual : array of shape (n_rows, n_outputs)
            On the rows.

        Returns
        -------
        tuple of float
            They sum to the mean square.
        """
        on = np.sum((self.modes.T @ residual) ** 2, axis=1)
        parts = np.bincount(self.band, weights=on, minlength=self.band.max() + 1)
        above = max(0.0, float(np.sum(residual**2)) - float(on.sum()))
        return (*(parts / residual.size).tolist(), above / residual.size)


def _lowest(count: int, d: int) -> Array:
    """Return the wave numbers of the lowest frequencies, shape (count, d)."""
    if d > 6:  # beyond, products of two inputs at most: there are too many others
        alone = [np.eye(d)[i] * k for k in (1, 2) for i in range(d)]
        pairs = [np.eye(d)[i] + np.eye(d)[j] for i, j in itertools.combinations(range(d), 2)]
        waves = np.array([np.zeros(d), *alone, *pairs])
    else:
        side = 2
        while side**d < 2 ** (d - 1) * count and side < count + 1:
            side += 1
        axes = np.meshgrid(*[np.arange(side)] * d, indexing="ij")
        waves = np.stack([axis.ravel() for axis in axes], axis=1).astype(float)
    order = np.argsort(np.linalg.norm(waves, axis=1), kind="stable")
    return np.asarray(waves[order][:count])
