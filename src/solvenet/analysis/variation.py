"""How targets vary between neighbouring rows: smooth, in steps, in places, or as noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from solvenet._array_api import Array

_NEAR, _FAR = 4, 16
"""Neighbours that count as near, and as further apart. One nearest neighbour would not do: of two
rows at a jump each may have its nearest on its own side."""

_ACTIVE = 0.9


@dataclass(frozen=True)
class Variation:
    """Squared differences of targets between near neighbours.

    Attributes
    ----------
    nearest : float
        Half the mean squared difference between nearest neighbours, over the variance:
        1 where neighbours say nothing of each other.
    growth : float
        The largest differences to one of 16 neighbours over those to one of 4: 1 where targets
        jump or are noise, up to ``4**(1 / d)`` where they are smooth.
    active : float
        Share of the rows that holds nine tenths of the squared differences to 4 neighbours.
    jump : float
        The largest differences to one of 4 neighbours (their root mean square over one row in
        500, at least two) in units of the range of the targets.
    wavenumber : float
        Root mean square of differences over that of distances between nearest neighbours, in
        units of the standard deviation: the angular frequency of a wave that varies as much.
    """

    nearest: float
    growth: float
    active: float
    jump: float
    wavenumber: float


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Which rows lie near each row.

    Parameters
    ----------
    rows : array of shape (n_rows, n_inputs)
        Inputs in comparable units; at least eight rows.

    Notes
    -----
    *Cost.* A k-d tree, once: n log(n) in few dimensions, n^2 in many; a sort in one.
    """

    rows: Array = field(repr=False)

    @cached_property
    def _found(self) -> tuple[Array, Array]:
        n = len(self.rows)
        if self.rows.shape[1] == 1:
            # On a line those on both sides: no jump lies between rows that do not meet.
            order = np.argsort(self.rows[:, 0], kind="stable")
            steps = np.arange(min(_FAR, n - 1)) // 2 + 1
            steps[1::2] *= -1
            place = np.abs(np.arange(n)[:, None] + np.concatenate([[0], steps]))
            at = np.empty(place.shape, dtype=int)
            at[order] = order[n - 1 - np.abs(n - 1 - place)]  # reflected at both ends
            return np.abs(self.rows[at, 0] - self.rows), at
        distances, at = cKDTree(self.rows).query(self.rows, k=min(_FAR + 1, n))
        return distances, at

    @cached_property
    def distance(self) -> float:
        """Median distance of nearest neighbours, over the median distance of any two rows."""
        other = np.linalg.norm(self.rows - np.roll(self.rows, len(self.rows) // 2, axis=0), axis=1)
        apart = float(np.median(other))
        return float(np.median(self._found[0][:, 1])) / apart if apart > 0 else 0.0

    def squares(self, Y: Array, most: int = 1) -> Array:
        """Return half the squared differences to neighbours, over the variance, by row.

        Parameters
        ----------
        Y : array of shape (n_rows, n_targets)
            Targets, of which at least one varies.
        most : int, default=1
            How many neighbours, the nearest first.

        Returns
        -------
        array of shape (n_rows, most)
            Of mean 1 for noise.
        """
        D = Y[self._found[1][:, 1 : most + 1]] - Y[:, None]
        spread = float(((Y - Y.mean(axis=0)) ** 2).sum()) / len(Y)
        return np.asarray(np.einsum("ikj,ikj->ik", D, D) / (2.0 * spread))

    def wavenumbers(self, Y: Array) -> Array:
        """Return differences over distances (root mean squares), per deviation of each column."""
        # Not the mean of ratios: rows that nearly coincide would be all of it.
        apart, spread = float((self._found[0][:, 1] ** 2).sum()), Y.var(axis=0) * len(Y)
        D = Y[self._found[1][:, 1]] - Y
        steps = len(Y) * np.einsum("ij,ij->j", D, D)
        scale = apart * spread
        ratios = np.divide(steps, scale, out=np.zeros_like(steps), where=scale > 0)
        return np.asarray(np.sqrt(ratios))

    def wavenumber(self, Y: Array) -> float:
        """Return the same of all columns together."""
        spread = Y.var(axis=0)
        return math.sqrt(float(self.wavenumbers(Y) ** 2 @ spread) / float(spread.sum()))

    def variation(self, Y: Array) -> Variation:
        """Return how targets vary between neighbours.

        Parameters
        ----------
        Y : array of shape (n_rows, n_targets)
            Targets, of which at least one varies.

        Returns
        -------
        Variation
            Of all targets together.
        """
        n = len(Y)
        squares = self.squares(Y, _FAR)
        near = squares[:, :_NEAR]
        summed = np.cumsum(np.sort(near.mean(axis=1))[::-1])
        few = max(2, n // 500)
        largest, further = (
            float(np.sort(part.max(axis=1))[-few:].mean()) for part in (near, squares)
        )
        span = float((Y.max(axis=0) - Y.min(axis=0)).max())
        return Variation(
            nearest=float(near[:, 0].mean()),
            growth=math.sqrt(further / largest) if largest > 0 else math.inf,
            active=float(np.searchsorted(summed, _ACTIVE * summed[-1]) + 1) / n,
            jump=math.sqrt(2.0 * float(Y.var(axis=0).sum()) * largest) / span,
            wavenumber=self.wavenumber(Y),
        )
