"""Rows that keep coming: what is remembered of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.blocks.planning import rows_per_block
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features.rows import RowSet, row_set
from solvenet.features.survey import PAIR_ROWS, sample_capacity
from solvenet.networks import HiddenMap
from solvenet.reductions import ColumnMoments, DistinctRows
from solvenet.solvers import (
    QR,
    Accumulator,
    KeptRows,
    NormalEquations,
    Solver,
    SolveResult,
    rows_to_choose_by,
)

if TYPE_CHECKING:
    from solvenet._array_api import Array


class RowStream:
    """The rows seen so far, summed up for the read-out, with a sample of them.

    Parameters
    ----------
    hidden : HiddenMap
        The features, which stay as they are.
    n_targets : int
        Columns of the targets.
    solver : str or Solver
        ``"normal"`` sums up cross products, everything else a triangle.
    strata : bool
        Whether targets are class indicators.
    """

    def __init__(
        self, hidden: HiddenMap, n_targets: int, *, solver: str | Solver, strata: bool
    ) -> None:
        self.hidden = hidden
        self.readout = Accumulator(hidden.n_features_out, n_targets, solver=summary_of(solver))
        n_in = hidden.n_features_in
        capacity = min(PAIR_ROWS, sample_capacity(n_in + n_targets))
        self.sample = DistinctRows(n_in, n_targets, capacity, strata=strata)
        self.targets = ColumnMoments(n_targets)

    def add(self, X: Array, Y: Array, weights: Array | None, forgetting: float = 1.0) -> None:
        """Add rows, after the weights of those before were multiplied by `forgetting`."""
        if Y.shape[1] != self.readout.n_targets:
            msg = (
                f"y has {Y.shape[1]} columns and had {self.readout.n_targets} before. Give the "
                "same targets, or call fit to begin anew."
            )
            raise InvalidDataError(msg)
        self.readout.forget(forgetting)
        if forgetting < 1:
            self.sample.forget(forgetting)
            self.targets.forget(forgetting)
        step = rows_per_block(self.readout.n_cols)
        for start in range(0, len(X), step):
            part = slice(start, start + step)
            w = None if weights is None else weights[part]
            self.readout.add(self.hidden(X[part]), Y[part], w)
        self.sample.update(X, Y, weights)
        self.targets.update(Y, weights=weights)

    def rows(self) -> tuple[Array, Array, Array, RowSet]:
        """Return sampled inputs, targets and weights, and their canonical order."""
        X, Y, weights = self.sample.rows()
        deviation = np.sqrt(self.targets.variance)
        scaled = Y if Y.shape[1] == 1 else Y / np.where(deviation > 0, deviation, 1.0)
        return X, Y, weights, row_set(X, scaled, weights, inputs=self.hidden.scaling)

    def solve(self, alpha: float | str, rcond: float | str | None) -> SolveResult:
        """Return the read-out for all rows so far."""
        X, Y, _, distinct = self.rows()
        step = -(-len(distinct.index) // rows_to_choose_by(self.readout.n_cols))
        at = distinct.index[::step]
        kept = KeptRows(self.hidden(X[at]), Y[at], distinct.weights[::step])
        return self.readout.solve(alpha=alpha, rcond=rcond, choose_by=kept)


def summary_of(solver: str | Solver) -> str:
    """Return what rows are summed up into for a solver.

    Raises
    ------
    InvalidSettingError
        The solver reads rows more than once.
    """
    if solver in ("auto", "qr") or isinstance(solver, QR):
        return "qr"
    if solver == "normal" or isinstance(solver, NormalEquations):
        return "normal"
    msg = (
        f"solver={solver!r} was given; rows that come once need a solver that reads once: "
        '"qr" (accurate) or "normal" (fast).'
    )
    raise InvalidSettingError(msg)


def hidden_of(features: Any) -> HiddenMap:
    """Return the hidden layers of a fitted estimator, or those given."""
    hidden = getattr(features, "hidden_", features)
    if not isinstance(hidden, HiddenMap):
        msg = (
            f"features={features!r} was given; a fitted SampledFeatures, network or HiddenMap is "
            "wanted."
        )
        raise InvalidSettingError(msg)
    return hidden
