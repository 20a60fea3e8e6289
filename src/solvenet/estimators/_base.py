"""What the sampled estimators share: settings, scaling, sampling, solving."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from solvenet._array_api import is_foreign, like, to_numpy
from solvenet._validation import check_choice, check_count, parse_bytes
from solvenet.blocks import (
    Records,
    RowBlocks,
)
from solvenet.engine import Run, start_run
from solvenet.errors import InvalidDataError, InvalidSettingError, SolvenetWarning
from solvenet.estimators._sklearn import check_same_namespace
from solvenet.features import (
    SAMPLERS,
    FeatureSampler,
    LearnedMetric,
    get_activation,
    sample_layers,
)
from solvenet.features.layers import InputScaling
from solvenet.features.rows import RowSet
from solvenet.features.scaling import scale_inputs
from solvenet.features.screening import screen_inputs
from solvenet.features.survey import PAIR_ROWS, sample_capacity, survey_rows
from solvenet.networks import HiddenMap, Readout
from solvenet.reductions import ColumnMoments, DistinctRows
from solvenet.solvers import SolveResult
from solvenet.sources import TrainingSource, is_source, open_inputs, open_training

if TYPE_CHECKING:
    from solvenet._array_api import Array

DEFAULT_WIDTH = 1000


Arrays = tuple["Array", "Array", "Array | None"]
"""Inputs, targets, weights."""


@dataclass(frozen=True)
class Seen:
    """Rows to sample hidden weights from.

    Attributes
    ----------
    X, Y, weights : array
        Inputs, targets, weights.
    scaling : InputScaling
        Of the inputs, for all rows.
    targets : ColumnMoments
        Of the targets of all rows.
    sample : DistinctRows or None
        The larger sample that these rows are taken from; None if they are all rows (or all
        different ones, with summed weights).
    """

    X: Array
    Y: Array
    weights: Array | None
    scaling: InputScaling
    targets: ColumnMoments
    sample: DistinctRows | None = None

    @property
    def complete(self) -> bool:
        """Whether no row is missing."""
        return self.sample is None


class SampledBase(CallbackSupportMixin, BaseEstimator):
    """Settings and steps of every estimator with sampled hidden layers."""

    def __init__(
        self,
        hidden_layer_sizes: str | int | Sequence[int] = "auto",
        activation: Any = "tanh",
        *,
        sampler: str | FeatureSampler = "auto",
        scaling: str | None = "columns",
        linear_skip: bool = True,
        clip: bool = True,
        memory_limit: int | str | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.sampler = sampler
        self.scaling = scaling
        self.linear_skip = linear_skip
        self.clip = clip
        self.memory_limit = memory_limit
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Declare what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags

    # -- input ----------------------------------------------------------------------

    def _read_fit(self, X: Any, y: Any, *, least: int = 2, **options: Any) -> tuple[Array, Array]:
        """Check the training data, `least` rows, and return X and y as NumPy arrays."""
        X, y = to_plain(X), to_plain(y)
        X, y = validate_data(
            self, X, y, dtype=[np.float64, np.float32], ensure_min_samples=least, **options
        )
        return X, y

    def _read(self, X: Any, *, method: str) -> Array | RowBlocks:
        """Check data given to a fitted estimator and return X as a NumPy array, or as blocks."""
        check_is_fitted(self)
        if is_source(X):
            return open_inputs(X, getattr(self, "feature_names_in_", None), self.n_features_in_)
        check_same_namespace(X, self, attribute="mean_", method=method)
        plain: Array = validate_data(self, to_plain(X), dtype=[np.float64, np.float32], reset=False)
        return plain

    def _open(self, X: Any, y: Any, sample_weight: Any, *, classes: bool) -> TrainingSource:
        """Open a source to learn from and note its columns."""
        opened = open_training(X, y, sample_weight, classes=classes)
        n_rows, self.n_features_in_ = opened.records.shape
        if n_rows < 2:
            msg = f"The source has {n_rows} rows (samples); at least 2 are wanted."
            raise InvalidDataError(msg)
        if opened.names is not None:
            self.feature_names_in_ = np.array(opened.names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return opened

    def _run(self, records: Records, engine: Any, checkpoint: Any) -> Run:
        """Return engine and checkpoint of a fit."""
        if checkpoint is not None and not isinstance(self.random_state, Integral):
            msg = (
                f"checkpoint was given with random_state={self.random_state!r}; a fit that can be "
                "resumed needs a seed, such as random_state=0."
            )
            raise InvalidSettingError(msg)
        return start_run(
            records, engine, checkpoint, self._memory_bytes, sorted(self.get_params().items())
        )

    # -- steps ----------------------------------------------------------------------

    def _widths(self, n_distinct: int) -> tuple[int, ...]:
        """Return the units of each layer."""
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str):
            check_choice("hidden_layer_sizes", sizes, ("auto",))
            return (max(1, min(DEFAULT_WIDTH, n_distinct)),)
        if isinstance(sizes, Integral) and not isinstance(sizes, bool):
            sizes = (int(sizes),)
        if isinstance(sizes, np.ndarray | list | tuple) and len(sizes) > 0:
            widths = tuple(check_count("hidden_layer_sizes", size) for size in sizes)
            if widths[-1] > n_distinct:
                msg = (
                    f"{widths[-1]} neurons were asked for and there are {n_distinct} distinct "
                    "rows: more neurons than rows are determined by the ridge alone. "
                    'hidden_layer_sizes="auto" takes at most one a row.'
                )
                warnings.warn(msg, SolvenetWarning, stacklevel=4)
            return widths
        msg = (
            f"hidden_layer_sizes={self.hidden_layer_sizes!r} was given; whole numbers >= 1, "
            'such as (1000,), or "auto" are wanted.'
        )
        raise InvalidSettingError(msg)

    def _few(self, X: Array, Y: Array) -> bool:
        """Tell whether rows in memory are learnt from as a whole, without a survey."""
        capacity = sample_capacity(X.shape[1] + Y.shape[1], self._memory_bytes)
        return bool(len(X) <= capacity)

    def _survey(self, records: Records, arrays: Arrays | None, run: Run, *, strata: bool) -> Seen:
        """Return rows to sample from, and the scaling of the inputs.

        `arrays` are all rows, where they are few. Of more rows a part is kept.
        """
        if arrays is None:
            survey = survey_rows(records, strata=strata, run=run)
            if not survey.distinct.complete:
                X, Y, weights = survey.distinct.rows(PAIR_ROWS)
                scaling = survey.scaling(records, self.scaling, clip=self.clip, run=run)
                return Seen(X, Y, weights, scaling, survey.targets, survey.distinct)
            arrays = survey.distinct.rows()
        X, Y, w = arrays
        moments = ColumnMoments(Y.shape[1])
        moments.update(Y, weights=w)
        scaling = scale_inputs(X, w, self.scaling, clip=self.clip)
        return Seen(X, Y, w, scaling, moments)

    def _sample(
        self, X: Array, Y: Array, distinct: RowSet, scaling: InputScaling, context: Any
    ) -> HiddenMap:
        """Sample the hidden layers from some distinct rows."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        widths = self._widths(len(distinct.index))
        sampler, activation = (
            make_sampler(self.sampler, self.scaling),
            get_activation(self.activation),
        )
        if isinstance(sampler, LearnedMetric) and self.scaling == "columns":
            scaling = screen_inputs(scaling, X, Y, distinct, activation, seed)
        layers = sample_layers(
            sampler,
            X,
            Y,
            widths,
            activation=activation,
            inputs=scaling,
            rows=distinct,
            seed=seed,
            progress=lambda layer: report_step(context, self, f"sample layer {layer + 1}"),
        )
        return HiddenMap(scaling, layers, 1.0 if self.linear_skip else 0.0)

    def to_torch(self, *, dtype: Any = None) -> Any:
        """Return the network as a torch module, which is the same function.

        Parameters
        ----------
        dtype : torch.dtype, default=torch.float64
            Precision of its parameters and results.

        Returns
        -------
        torch.nn.Module
            From (n_rows, n_features) to (n_rows, n_targets): predictions of a regressor;
            logits of a classifier, whose ``softmax(dim=1)`` are the probabilities;
            features of a transformer. See :class:`solvenet.torchnets.TorchNetwork`.
        """
        from solvenet.torchnets import to_torch

        check_is_fitted(self)
        return to_torch(getattr(self, "network_", self.hidden_), dtype=dtype)

    def _keep(self, X: Any, hidden: HiddenMap) -> None:
        """Store what every fitted estimator has."""
        self.hidden_ = hidden
        self.mean_ = like(hidden.scaling.center, X)
        self.n_units_ = tuple(layer.n_features_out for layer in hidden.layers.layers)

    @property
    def _memory_bytes(self) -> int | None:
        limit = self.memory_limit
        return None if limit is None else parse_bytes("memory_limit", limit)


def to_plain(array: Any) -> Any:
    """Convert arrays of other array-API libraries; leave frames and lists to scikit-learn."""
    return to_numpy(array) if is_foreign(array) else array


def plain_weights(sample_weight: Any, X: Array) -> Array | None:
    """Return the weights as a float64 array, or None."""
    if sample_weight is None:
        return None
    plain: Array = _check_sample_weight(
        to_plain(sample_weight), X, dtype=np.float64, ensure_non_negative=True
    )
    return plain


def report_step(context: Any, estimator: Any, name: str) -> None:
    """Tell scikit-learn's callbacks that a step of the fit is done."""
    step = context.subcontext(task_name=name)
    step.call_on_fit_task_begin(estimator=estimator)
    step.call_on_fit_task_end(estimator=estimator)


def make_sampler(sampler: str | FeatureSampler, scaling: str | None) -> FeatureSampler:
    """Return a sampler by its name, or the one given."""
    if isinstance(sampler, FeatureSampler):
        return sampler
    if check_choice("sampler", sampler, ("auto", *SAMPLERS)) == "auto":
        # Sparse units and a learned metric know columns; only plain pairs turn with the inputs.
        sampler = "metric" if scaling == "columns" else "swim"
    made: FeatureSampler = SAMPLERS[sampler]()
    return made


def readout_of(result: SolveResult, low: Array | None = None, high: Array | None = None) -> Readout:
    """Return the read-out of a solution, without its uncertainty (see `with_uncertainty`)."""
    coef = result.coef.reshape(len(result.coef), -1)
    intercept = np.broadcast_to(np.atleast_1d(result.intercept), coef.shape[1:]).astype(float)
    return Readout(coef, intercept, low=low, high=high)


def with_uncertainty(readout: Readout, result: SolveResult) -> Readout:
    """Return the read-out with the covariance of its weights."""
    return replace(
        readout,
        root=result.covariance_root(),
        center=result.column_means,
        noise_variance=result.noise_variance,
        n_rows=result.n_rows,
    )


def stopwatch() -> Any:
    """Return a function that gives the seconds since it was last called."""
    last = time.perf_counter()

    def lap() -> float:
        nonlocal last
        now = time.perf_counter()
        spent, last = now - last, now
        return spent

    return lap
