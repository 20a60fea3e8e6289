"""Random matrices S, tall problems made short: ``S A`` accumulated tile by tile.

Randomness belongs to *tiles* of 2048 consecutive rows and is keyed by the seed and the
number of the tile. Blocks of any size, in any order, on any worker therefore see the same
S, and sketches of disjoint rows add up to the sketch of their union.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.fft
import scipy.sparse as sp
from scipy.sparse import _sparsetools  # the one product that adds to its output in place

from solvenet._random import stream
from solvenet._validation import check_count

if TYPE_CHECKING:
    from solvenet._array_api import Array

TILE = 2048
"""Rows that share a random stream."""


class Sketch(ABC):
    """A random matrix S of shape (n_sketch, n_rows) with ``E[S' S] = I``, never formed.

    Parameters
    ----------
    n_sketch : int
        Rows of S.
    n_rows : int
        Columns of S: rows of the matrices it is applied to.
    seed : int, default=0
        Seed.
    """

    def __init__(self, n_sketch: int, n_rows: int, *, seed: int = 0) -> None:
        self.n_sketch = check_count("n_sketch", n_sketch)
        self.n_rows = check_count("n_rows", n_rows)
        self.seed = seed

    @final
    def add(self, SA: Array, A: Array, start: int, scale: Array | None = None) -> None:
        """Add the contribution of some rows to ``S A``, in place.

        Parameters
        ----------
        SA : array of shape (n_sketch, n_cols), float64, C order
            Changed in place.
        A : array of shape (rows, n_cols)
            Consecutive rows of the matrix.
        start : int
            Number of the first of them.
        scale : array of shape (rows,), optional
            Factors of the rows (square roots of weights).
        """
        stop = start + len(A)
        for tile in range(start // TILE, -(-stop // TILE)):
            low, high = max(start, tile * TILE), min(stop, (tile + 1) * TILE)
            part = slice(low - start, high - start)
            inside = slice(low - tile * TILE, high - tile * TILE)
            self._add_tile(SA, A[part], tile, inside, None if scale is None else scale[part])

    def apply(self, A: Array) -> Array:
        """Return ``S A`` of a whole matrix, shape (n_sketch, n_cols)."""
        SA = np.zeros((self.n_sketch, A.shape[1]))
        self.add(SA, A, 0)
        return SA

    @abstractmethod
    def _add_tile(self, SA: Array, A: Array, tile: int, inside: slice, scale: Array | None) -> None:
        """Add rows that lie within one tile, at the places `inside` it."""

    def _tile_rows(self, tile: int) -> int:
        return min(TILE, self.n_rows - tile * TILE)

    def _share(self, tile: int) -> slice:
        """Return the rows of S that belong to a tile, for sketches that keep tiles apart."""
        ends = [min(TILE * t, self.n_rows) * self.n_sketch // self.n_rows for t in (tile, tile + 1)]
        return slice(*ends)


def _scaled(A: Array, scale: Array | None) -> Array:
    return A if scale is None else A * scale[:, None]


class SparseSign(Sketch):
    """Each row is added, with random signs, to `nonzeros` rows of the sketch.

    Notes
    -----
    The rows of S are cut into as many sections as there are nonzeros, with one nonzero in
    each. *Cost:* ``2 nonzeros n_rows n_cols`` flops, bound by memory traffic.

    References
    ----------
    D. Kane, J. Nelson (2014), J. ACM 61, 4. E. Epperly, M. Meier, Y. Nakatsukasa (2024),
    arXiv 2406.03468, take 8 nonzeros; 4 distort as little on rows in general position, 10 %
    more on isolated ones, and cost half.
    """

    def __init__(self, n_sketch: int, n_rows: int, *, seed: int = 0, nonzeros: int = 4) -> None:
        super().__init__(n_sketch, n_rows, seed=seed)
        self.nonzeros = min(check_count("nonzeros", nonzeros), n_sketch)

    def entries(self, start: int, stop: int) -> tuple[Array, Array]:
        """Return the nonzeros of S that belong to some rows.

        Parameters
        ----------
        start, stop : int
            Numbers of the first row and of the one after the last.

        Returns
        -------
        places, values : array of shape (stop - start, nonzeros)
            Rows of S to which each row is added, all different, and with which factors.
        """
        first, last = start // TILE, max(-(-stop // TILE), start // TILE + 1)
        tiles = [
            _sparse_signs(self.seed, tile, self.n_sketch, self.nonzeros)
            for tile in range(first, last)
        ]
        inside = slice(start - first * TILE, stop - first * TILE)
        places, values = (np.concatenate(part)[inside] for part in zip(*tiles, strict=True))
        return places, values

    def _add_tile(self, SA: Array, A: Array, tile: int, inside: slice, scale: Array | None) -> None:
        made = _sparse_signs(self.seed, tile, self.n_sketch, self.nonzeros)
        places, values = (x[inside] for x in made)
        values = _scaled(values, scale)
        S = sp.csc_array(
            (values.ravel(), places.ravel(), np.arange(0, places.size + 1, self.nonzeros)),
            shape=(self.n_sketch, len(A)),
        ).tocsr()
        flat = np.ascontiguousarray(A, dtype=np.float64).ravel()

        # One thread: those of the BLAS are still spinning after the product that made A.
        _sparsetools.csr_matvecs(
            self.n_sketch,
            len(A),
            A.shape[1],
            S.indptr,
            S.indices,
            S.data,
            flat,
            SA.reshape(-1),
        )


@lru_cache(maxsize=16)  # a tile comes in several blocks
def _sparse_signs(seed: int, tile: int, n_sketch: int, nonzeros: int) -> tuple[Array, Array]:
    """Return the places and values of the nonzeros of a tile, shape (2048, nonzeros)."""
    rng = stream(seed, "sparse sign", tile)
    ends = np.arange(nonzeros + 1) * n_sketch // nonzeros
    places = rng.integers(ends[:-1], ends[1:], (TILE, nonzeros), dtype=np.int32)
    signs = 2.0 * rng.integers(0, 2, (TILE, nonzeros), dtype=np.int8) - 1.0
    return places, signs / np.sqrt(nonzeros)


class Gaussian(Sketch):
    """Independent normal entries of variance ``1 / n_sketch``, drawn tile by tile.

    Notes
    -----
    *Cost:* ``2 n_sketch n_rows n_cols`` flops: for n_sketch > n_cols more than a QR
    factorisation of the matrix itself. Kept for LSRN as published.
    """

    def _add_tile(self, SA: Array, A: Array, tile: int, inside: slice, scale: Array | None) -> None:
        S = stream(self.seed, "gaussian", tile).standard_normal((TILE, self.n_sketch))[inside]
        SA += (S.T @ _scaled(A, scale)) / np.sqrt(self.n_sketch)


class RowSampling(Sketch):
    """Uniformly chosen rows, without repetition and in proportion from each tile.

    Notes
    -----
    The cheapest sketch, and the only one that a few important rows defeat: nothing
    spreads a row of high leverage. *Cost:* a copy of n_sketch rows.
    """

    def _add_tile(self, SA: Array, A: Array, tile: int, inside: slice, scale: Array | None) -> None:
        rows, factor, share = self._chosen(tile)
        here = (rows >= inside.start) & (rows < inside.stop)
        chosen = rows[here] - inside.start
        SA[share][here] = factor * _scaled(
            A[chosen].astype(np.float64), None if scale is None else scale[chosen]
        )

    def _chosen(self, tile: int) -> tuple[Array, float, slice]:
        share, n = self._share(tile), self._tile_rows(tile)
        count = min(share.stop - share.start, n)
        share = slice(share.start, share.start + count)
        rows = stream(self.seed, "rows", tile).permutation(n)[:count]
        return rows, float(np.sqrt(n / max(count, 1))), share


class TrigonometricTransform(Sketch):
    """Rows of a tile shuffled, with signs, cosine-transformed, sampled, and summed over tiles.

    The transform spreads rows of high leverage over their tile. Every tile reaches every
    row of the sketch, so that none is short of room for what it holds.

    Notes
    -----
    *Cost:* ``(5 log2(2048) + n_sketch / 1024) n_rows n_cols`` flops. A tile that arrives in
    parts is transformed once a part, because the transform is linear.

    References
    ----------
    H. Avron, P. Maymounkov, S. Toledo (2010), SIAM J. Sci. Comput. 32, 1217-1236 (the
    transform); O. Balabanov, M. Beaupere, L. Grigori, V. Lederer (2023), ICML (the sum).
    """

    def _add_tile(self, SA: Array, A: Array, tile: int, inside: slice, scale: Array | None) -> None:
        n = self._tile_rows(tile)
        rng = stream(self.seed, "dct", tile)
        before = 2.0 * rng.integers(0, 2, n) - 1.0
        after = 2.0 * rng.integers(0, 2, self.n_sketch) - 1.0
        # Every row once before any a second time.
        order = [rng.permutation(n) for _ in range(-(-self.n_sketch // n))]
        rows = np.concatenate(order)[: self.n_sketch]
        whole = np.zeros((n, A.shape[1]))
        # In random places: neighbours could line up to a smooth wave, which stays narrow.
        place = rng.permutation(n)[inside]
        whole[place] = _scaled(_scaled(A, scale), before[inside])
        turned = scipy.fft.dct(whole, axis=0, norm="ortho", overwrite_x=True)
        SA += (after * np.sqrt(n / self.n_sketch))[:, None] * turned[rows]


SKETCHES: dict[str, type[Sketch]] = {
    "sparse_sign": SparseSign,
    "gaussian": Gaussian,
    "rows": RowSampling,
    "dct": TrigonometricTransform,
}
"""Names by which solvers know the sketches."""
