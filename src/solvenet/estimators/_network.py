"""What regressor and classifier share: sample the hidden layers, solve the read-out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._array_api import like
from solvenet.blocks import (
    ArrayBlocks,
    FeaturePlan,
    HeldRecords,
    MappedBlocks,
    Records,
    RowBlocks,
    as_row_blocks,
    free_bytes,
    plan_features,
    spilled,
)
from solvenet.engine import Run
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.estimators._base import (
    Arrays,
    SampledBase,
    Seen,
    readout_of,
    report_step,
    stopwatch,
    with_uncertainty,
)
from solvenet.estimators._stream import RowStream, hidden_of
from solvenet.features.rows import RowSet, row_set
from solvenet.features.survey import PAIR_ROWS
from solvenet.networks import HiddenMap, SampledNetwork
from solvenet.reductions import ColumnMoments, DistinctRows
from solvenet.solvers import Auto, KeptRows, Solver, make_solver, rows_to_choose_by

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import FeatureSampler

PRECISE = 1e-3
"""Networks that leave less of the variance unexplained may leave the range of the targets."""


@dataclass(frozen=True)
class Learnt:
    """The rows that the hidden layers were sampled from.

    Attributes
    ----------
    X, Y, weights : array
        Inputs, targets and weights.
    distinct : RowSet
        Which of them differ, in canonical order.
    H : RowBlocks
        Their features.
    complete : bool
        Whether they stand for all rows, and not for a sample.
    """

    X: Array
    Y: Array
    weights: Array | None
    distinct: RowSet
    H: RowBlocks
    complete: bool


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
        sampler: str | FeatureSampler = "auto",
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
        self,
        X: Any,
        records: Records,
        run: Run,
        context: Any,
        *,
        arrays: Arrays | None,
        strata: bool = False,
        bounded: bool = False,
    ) -> Learnt:
        """Survey the rows, sample the layers, solve for the read-out, store the network.

        `arrays` are inputs, targets and weights of all rows, where those are few. Of more
        rows some are sampled, and all are read for the read-out.
        """
        self.__dict__.pop("_stream", None)
        if records.n_passes is not None:
            return self._solve_once(X, records, run, context, bounded=bounded)
        lap = stopwatch()
        seen = self._survey(records, arrays, run, strata=strata)
        plain, Y, weights, moments = seen.X, seen.Y, seen.weights, seen.targets
        hidden, distinct = self._layers(seen, context)
        sampling = lap()
        step = -(-len(distinct.index) // rows_to_choose_by(hidden.n_features_out))
        at, importance = distinct.index[::step], distinct.weights[::step]
        width = hidden.n_features_out
        subset = None
        choose_by: Any = (at, importance)
        if seen.sample is None:
            records = HeldRecords(as_row_blocks(plain), Y, weights)
        else:
            choose_by = KeptRows(hidden(plain[at]), Y[at], importance)
        plan = self._plan(records, hidden)
        features = features_of(records, hidden, plan.rows_per_block)
        if seen.sample is not None:
            subset = _subset(seen.sample, hidden, plan.rows_per_block)
        with held(features, plan) as ready:
            self.result_ = make_solver(self.solver).solve(
                ready,
                None,
                alpha=self.alpha,
                rcond=self.rcond,
                intercept=True,
                memory_limit=self._memory_bytes,
                choose_by=choose_by,
                run=run,
                subset=subset,
            )
        H = MappedBlocks(as_row_blocks(plain), hidden, width, into=True)
        report_step(context, self, "solve read-out")
        self.seconds_ = {"sample": sampling, "solve": lap()}
        self._store(X, hidden, moments if bounded else None)
        run.end()
        return Learnt(plain, Y, weights, distinct, H, complete=seen.complete)

    def _layers(self, seen: Seen, context: Any) -> tuple[HiddenMap, RowSet]:
        """Sample the hidden layers; return the distinct rows in canonical order as well."""
        # Targets of any unit guide the sampling alike.
        deviation = np.sqrt(seen.targets.variance)
        scaled = seen.Y
        if len(deviation) > 1:
            scaled = seen.Y / np.where(deviation > 0, deviation, 1.0)
        distinct = row_set(seen.X, scaled, seen.weights, inputs=seen.scaling)
        return self._sample(seen.X, scaled, distinct, seen.scaling, context), distinct

    def _store(self, X: Any, hidden: HiddenMap, bounds: ColumnMoments | None) -> None:
        """Store the network that `result_` solves."""
        self._keep(X, hidden)
        low = high = None
        if bounds is not None:
            noise = self.result_.noise_variance / np.where(
                bounds.variance > 0, bounds.variance, 1.0
            )
            spread = np.where(noise < PRECISE, bounds.high - bounds.low, 0.0)
            low, high = bounds.low - spread, bounds.high + spread
        self.network_ = SampledNetwork(hidden, readout_of(self.result_, low, high))
        self.alpha_ = self.result_.alpha

    def _solve_once(
        self, X: Any, records: Records, run: Run, context: Any, *, bounded: bool
    ) -> Learnt:
        """Fit to rows that can be read once: the layers are sampled from the first of them."""
        rows, first, count = records.stream(), [], 0
        for _, A, B, w in rows:
            first.append((A.copy(), B, np.ones(len(A)) if w is None else w))
            count += len(A)
            if count >= PAIR_ROWS:
                break
        A, B, w = (np.concatenate(parts) for parts in zip(*first, strict=True))
        stream = self._begin_stream(A, B, w, run, context, features=None, strata=False)
        stream.add(A, B, w)
        for _, A, B, w in rows:
            stream.add(A, B, w)
        return self._finish_stream(X, stream, bounded=bounded)

    def _begin_stream(
        self,
        X: Array,
        Y: Array,
        weights: Array | None,
        run: Run,
        context: Any,
        *,
        features: Any,
        strata: bool,
    ) -> RowStream:
        """Sample the hidden layers from the first rows, unless they are given."""
        if features is None:
            records = HeldRecords(as_row_blocks(X), Y, weights)
            seen = self._survey(records, (X, Y, weights), run, strata=strata)
            hidden, _ = self._layers(seen, context)
        else:
            hidden = hidden_of(features)
            if hidden.n_features_in != X.shape[1]:
                msg = (
                    f"X has {X.shape[1]} columns and the given features take "
                    f"{hidden.n_features_in}. Give the same columns."
                )
                raise InvalidDataError(msg)
        return RowStream(hidden, Y.shape[1], solver=self.solver, strata=strata)

    def _finish_stream(self, X: Any, stream: RowStream, *, bounded: bool) -> Learnt:
        """Solve for the rows so far and store the network."""
        lap = stopwatch()
        self._stream = stream
        self.result_ = stream.solve(self.alpha, self.rcond)
        self.seconds_ = {"sample": 0.0, "solve": lap()}
        hidden = stream.hidden
        shape = (stream.readout.n_rows, stream.readout.n_cols, stream.readout.n_targets)
        self.plan_ = plan_features(*shape)
        self._store(X, hidden, stream.targets if bounded else None)
        plain, Y, weights, distinct = stream.rows()
        H = MappedBlocks(as_row_blocks(plain), hidden, hidden.n_features_out, into=True)
        return Learnt(plain, Y, weights, distinct, H, complete=stream.sample.complete)

    def _plan(self, records: Records, hidden: HiddenMap) -> FeaturePlan:
        """Decide how the features of some inputs are held."""
        shape = (records.shape[0], hidden.n_features_out)
        solver = make_solver(self.solver)
        if isinstance(solver, Auto):
            ridge = self.rcond is None and self.alpha != 0
            solver = solver.for_shape(shape, ridge=ridge)
        self.plan_ = plan_features(
            *shape,
            records.n_targets,
            n_layers=len(hidden.layers.layers),
            memory_limit=self._memory_bytes,
            n_passes=solver.cost(*shape, records.n_targets).passes,
            free_disk=free_bytes(),
        )
        return self.plan_

    def gradient(self, X: Any) -> Any:
        """Return the derivatives of predictions by the inputs, in closed form.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_rows, n_features) or (n_rows, n_targets, n_features)
            Of the prediction, or of each; of a classifier, of the logits of its classes
            (of the log-odds of the second, where there are two). Zero by inputs that are
            clipped; that predictions are kept in their range is not counted.

        Raises
        ------
        InvalidSettingError
            The activation is a function of the user's own.

        Notes
        -----
        *Cost:* about that of a prediction for each target.
        """
        plain = self._read(X, method="gradient")
        if not isinstance(plain, np.ndarray):
            plain = plain.to_array()
        return like(self._one_gradient(self.network_.gradient(plain)), X)

    def importances(self, X: Any) -> Any:
        """Return how much the predictions change with each input.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs, such as those of the training data.

        Returns
        -------
        array of shape (n_features,)
            Root mean square of the gradient by each input times the standard deviation of
            that input, as shares that sum to one. Nothing is permuted, so that no impossible
            rows are made up.
        """
        plain = self._read(X, method="importances")
        if not isinstance(plain, np.ndarray):
            plain = plain.to_array()
        G = self.network_.gradient(plain)
        size = np.sqrt((G**2).mean(axis=0).sum(axis=0)) * plain.std(axis=0, dtype=np.float64)
        total = size.sum()
        return like(size / total if total > 0 else size, X)

    def _one_gradient(self, G: Array) -> Array:
        return G

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


def features_of(records: Records, hidden: HiddenMap, rows_per_block: int) -> Records:
    """Return records with their features in place of the inputs, computed when asked for."""
    width = hidden.n_features_out
    if not isinstance(records, HeldRecords):
        return records.mapped(hidden, width, rows_per_block=rows_per_block)
    B, weights = records.labels()
    X = records.matrix
    if isinstance(X, ArrayBlocks):
        X = X.with_rows(rows_per_block)
        return HeldRecords(MappedBlocks(X, hidden, width, into=True), B, weights)
    return records.mapped(hidden, width, rows_per_block=rows_per_block)


@contextmanager
def held(features: Records, plan: FeaturePlan) -> Iterator[Records]:
    """Hold features in memory or on disk, as planned."""
    if plan.hold == "disk":
        with spilled(features, rows_per_block=plan.rows_per_block) as ready:
            yield ready
    elif plan.hold == "memory":
        B, weights = features.labels()
        kept = as_row_blocks(features.matrix.to_array(), rows_per_block=plan.rows_per_block)
        yield HeldRecords(kept, B, weights)
    else:
        yield features


def _subset(sample: DistinctRows, hidden: HiddenMap, rows_per_block: int) -> tuple[Records, float]:
    """Return the features of sampled rows, and their share of the weight of all rows."""
    X, Y, weights = sample.rows()
    records = HeldRecords(as_row_blocks(X), Y, weights)
    share = float(weights.sum() / sample.totals.sum())
    return features_of(records, hidden, rows_per_block), share
