"""A sketch of the rows: a short problem whose solution is close to that of the tall one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvenet.linalg.factor import reflect, unit_reflector
from solvenet.linalg.sketching import Sketch
from solvenet.reductions._base import Reduction

if TYPE_CHECKING:
    from solvenet._array_api import Array


class SketchReduction(Reduction):
    """``S [1, A, B]`` for a random S, block after block.

    Parameters
    ----------
    sketch : Sketch
        The random matrix; its randomness depends on the numbers of the rows alone.
    n_cols, n_targets : int
        Columns of A and of B.
    center : bool
        Whether an intercept is solved for.

    Notes
    -----
    State ``8 n_sketch (n_cols + n_targets + 1)`` bytes. Sketches of disjoint rows add.
    """

    def __init__(self, sketch: Sketch, n_cols: int, n_targets: int, *, center: bool) -> None:
        self._sketch = sketch
        self._center = center
        self._SA = np.zeros((sketch.n_sketch, n_cols))
        self._SB = np.zeros((sketch.n_sketch, n_targets + 1))  # the last column: ones

    @classmethod
    def from_sums(cls, sketch: Sketch, SA: Array, SB: Array, *, center: bool) -> SketchReduction:
        """Return the reduction of rows that were sketched elsewhere, on a GPU for example.

        Parameters
        ----------
        sketch : Sketch
            By which they were sketched.
        SA : array of shape (n_sketch, n_cols), float64, C order
            Taken over.
        SB : array of shape (n_sketch, n_targets + 1), float64, C order
            Of B and, in the last column, of a column of ones; taken over.
        center : bool
            Whether an intercept is solved for.
        """
        out = cls(sketch, 0, 0, center=center)
        out._SA, out._SB = SA, SB
        return out

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows."""
        if len(A) == 0:
            return
        root = None if weights is None else np.sqrt(weights)
        self._sketch.add(self._SA, A, start, root)
        self._sketch.add(self._SB, np.column_stack([B, np.ones(len(B))]), start, root)

    def merge(self, other: SketchReduction) -> None:
        """Add the rows of `other`, which must have the same sketch."""
        self._SA += other._SA
        self._SB += other._SB

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._SA.nbytes + self._SB.nbytes

    def sketched(self) -> tuple[Array, Array]:
        """Return ``S A`` and ``S B``; the reduction must not be used any more.

        With an intercept the sketched constant is projected out of both, which leaves one
        row less: a sketch of the matrices centred by means that are close to the true ones.
        """
        SA, SB, ones = self._SA, self._SB[:, :-1], self._SB[:, -1]
        if self._center and ones.any():
            u = unit_reflector(ones)
            return reflect(u, SA)[1:], reflect(u, SB)[1:]
        return SA, SB
