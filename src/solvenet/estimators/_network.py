"""What regressor and classifier share: sample the hidden layers, solve the read-out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import InvalidSettingError
from solvenet.estimators._base import (
    SampledBase,
    readout_of,
    report_step,
    solve_readout,
    stopwatch,
    with_uncertainty,
)
from solvenet.networks import SampledNetwork
from solvenet.reductions import ColumnMoments
from solvenet.solvers import Solver

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks import RowBlocks
    from solvenet.features import FeatureSampler
    from solvenet.features.rows import RowSet


class SampledNetworkBase(SampledBase):
    """Regressor and classifier alike: sample the hidden layers, solve the read-out."""

    def __init__(
        self,
        hidden_layer_sizes: str | int | Sequence[int] = "auto",
        activation: Any = "tanh",
        *,
        alpha: float | str = "auto",
        solver: str | Solver = "auto",
        rcond: float | str | None = None,
        sampler: str | FeatureSampler = "swim",
        scaling: str | None = "columns",
        linear_skip: bool = True,
        clip: bool = True,
        memory_limit: int | str | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            sampler=sampler,
            scaling=scaling,
            linear_skip=linear_skip,
            clip=clip,
            memory_limit=memory_limit,
            random_state=random_state,
        )
        self.alpha = alpha
        self.solver = solver
        self.rcond = rcond

    def _solve(
        self, X: Any, X_plain: Array, Y: Array, weights: Array | None, bounds: Any, context: Any
    ) -> tuple[RowBlocks, RowSet]:
        """Sample, solve and store the network; return features and distinct rows."""
        lap = stopwatch()
        # Targets of any unit guide the sampling alike.
        moments = ColumnMoments(Y.shape[1])
        moments.update(Y, weights=weights)
        deviation = np.sqrt(moments.variance)
        scaled = Y if len(deviation) == 1 else Y / np.where(deviation > 0, deviation, 1.0)
        hidden, distinct = self._sample(X_plain, scaled, weights, context)
        sampling = lap()
        H = self._blocks(X_plain, hidden, Y.shape[1])
        features = lap()
        self.result_ = solve_readout(
            H,
            Y,
            weights,
            solver=self.solver,
            alpha=self.alpha,
            rcond=self.rcond,
            memory_limit=self._memory_bytes,
            distinct=distinct,
        )
        report_step(context, self, "solve read-out")
        self.seconds_ = {"sample": sampling, "features": features, "solve": lap()}
        self._keep(X, hidden)
        self.network_ = SampledNetwork(hidden, readout_of(self.result_, *bounds))
        self.alpha_ = self.result_.alpha
        return H, distinct

    @property
    def diagnostics_(self) -> dict[str, Any]:
        """Facts of the solve as plain values; what a loaded model has of ``result_``."""
        return self.result_.to_dict() if hasattr(self, "result_") else self._diagnostics

    def _ensure_uncertainty(self) -> SampledNetwork:
        """Add the covariance of the read-out to the network on first use."""
        network = self.network_
        if network.readout.root is None:
            if not hasattr(self, "result_"):
                msg = (
                    "This model was saved without what standard deviations need. Save the "
                    "fitted model again with uncertainty=True."
                )
                raise InvalidSettingError(msg)
            network = SampledNetwork(
                network.hidden, with_uncertainty(network.readout, self.result_)
            )
            self.network_ = network
        return network
