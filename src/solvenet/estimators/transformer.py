"""The hidden layers of a sampled network as a transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from solvenet._array_api import like
from solvenet.blocks import HeldRecords, MappedBlocks, Records, RowBlocks, as_row_blocks
from solvenet.estimators._base import SampledBase, plain_weights, to_plain
from solvenet.features.rows import row_set
from solvenet.sources import is_source, open_source

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import FeatureSampler


class SampledFeatures(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    SampledBase,
):
    """The hidden layers of a sampled network as a transformer.

    Parameters
    ----------
    hidden_layer_sizes : "auto", int or sequence of int, default="auto"
        Units of each hidden layer.
    activation : str, Activation or callable, default="tanh"
        As in :class:`SampledNetworkRegressor`.
    sampler : {"auto", "metric", "swim", "random", "fourier"} or FeatureSampler, default="auto"
        How the hidden weights are drawn. ``"metric"`` learns which directions and columns of
        the inputs the targets depend on (:class:`solvenet.features.LearnedMetric`) and leaves
        out columns that say nothing where there are many; ``"auto"`` is that for columns
        scaled one by one, and ``"swim"`` otherwise.
    scaling : {"columns", "isotropic"} or None, default="columns"
        Scaling of the inputs inside the network.
    linear_skip : bool, default=False
        Append the scaled inputs to the features.
    clip : bool, default=True
        Move inputs outside the training data to their edge.
    memory_limit : int or str, optional
        Kept for symmetry with the networks; the result of ``transform`` is always whole.
    random_state : int, RandomState or None, default=None
        Seed of the sampling.

    Attributes
    ----------
    hidden_ : HiddenMap
        Scaling and layers as plain arrays.
    n_units_ : tuple of int
        Units of each layer.
    mean_ : array of shape (n_features,)
        Subtracted from the inputs.
    n_features_in_ : int
        Columns of X.

    See Also
    --------
    SampledNetworkRegressor : Features and read-out in one.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from solvenet import SampledFeatures
    >>> X, y = load_iris(return_X_y=True)
    >>> features = SampledFeatures(hidden_layer_sizes=50, random_state=0)
    >>> make_pipeline(features, LogisticRegression(max_iter=1000)).fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: str | int | Sequence[int] = "auto",
        activation: Any = "tanh",
        *,
        sampler: str | FeatureSampler = "auto",
        scaling: str | None = "columns",
        linear_skip: bool = False,
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

    def __sklearn_tags__(self) -> Any:
        """Declare what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        engine: Any = None,
        checkpoint: Any = None,
    ) -> SampledFeatures:
        """Sample the hidden layers.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features), or source
            Inputs, or a source that is read in blocks; see :meth:`SampledNetworkRegressor.fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_targets), or str, optional
            Targets that guide the sampling; classes are recognised in arrays. Without them
            pairs are drawn uniformly.
        sample_weight : array-like of shape (n_rows,) or str, optional
            Non-negative weights.
        engine : {"serial", "threads", "processes"}, Engine or distributed.Client, optional
            Where passes over many rows run; see :meth:`SampledNetworkRegressor.fit`.
        checkpoint : path or Checkpoint, optional
            Folder for what has been summed up so far; see :meth:`SampledNetworkRegressor.fit`.

        Returns
        -------
        SampledFeatures
            Itself, fitted.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        arrays = None
        records: Records
        if is_source(X):
            nothing = np.broadcast_to(0.0, (open_source(X).shape[0],)) if y is None else y
            records = self._open(X, nothing, sample_weight, classes=False).records
        else:
            if y is None:
                X_plain = validate_data(
                    self, to_plain(X), dtype=[np.float64, np.float32], ensure_min_samples=2
                )
                Y = np.zeros((len(X_plain), 1))
            else:
                X_plain, y_plain = self._read_fit(X, y, multi_output=True)
                Y = _targets(y_plain)
            weights = plain_weights(sample_weight, X_plain)
            records = HeldRecords(as_row_blocks(X_plain), Y, weights)
            if self._few(X_plain, Y):
                arrays = (X_plain, Y, weights)
        run = self._run(records, engine, checkpoint)
        seen = self._survey(records, arrays, run, strata=False)
        deviation = np.sqrt(seen.targets.variance)
        Y = seen.Y / np.where(deviation > 0, deviation, 1.0) if is_source(X) else seen.Y
        distinct = row_set(seen.X, Y, seen.weights, inputs=seen.scaling)
        self._keep(X, self._sample(seen.X, Y, distinct, seen.scaling, context))
        run.end()
        context.call_on_fit_task_end(estimator=self)
        return self

    def transform(self, X: Any) -> Any:
        """Return the features, shape (n_rows, n_features_out), in the dtype of X."""
        plain = self._read(X, method="transform")
        if isinstance(plain, RowBlocks):
            features = MappedBlocks(plain, self.hidden_, self.hidden_.n_features_out)
            return features.to_array().astype(plain.dtype, copy=False)
        return like(self.hidden_(plain).astype(plain.dtype, copy=False), X)

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return self.hidden_.n_features_out


def _targets(y: Array) -> Array:
    """Return numbers scaled to variance one, or class indicators."""
    if y.ndim == 1 and type_of_target(y) in ("binary", "multiclass") and y.dtype.kind != "f":
        indicators: Array = (y[:, None] == np.unique(y)).astype(np.float64)
        return indicators
    Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    deviation = Y.std(axis=0)
    scaled: Array = Y / np.where(deviation > 0, deviation, 1.0)
    return scaled
