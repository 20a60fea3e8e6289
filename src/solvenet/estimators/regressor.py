"""Regression by a sampled network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted

from solvenet._array_api import like
from solvenet.blocks import HeldRecords, Records, as_row_blocks
from solvenet.engine import Run
from solvenet.estimators._base import plain_weights
from solvenet.estimators._network import SampledNetworkBase
from solvenet.estimators.scoring import score_source
from solvenet.sources import is_source

if TYPE_CHECKING:
    from solvenet._array_api import Array


class SampledNetworkRegressor(RegressorMixin, SampledNetworkBase):
    """Regression by a neural network that is solved, not trained.

    The hidden weights are sampled from pairs of data points (SWIM), the read-out solves
    ``min sum_i w_i ||W'h(x_i) + b - y_i||^2 + alpha ||W||^2`` directly.

    Parameters
    ----------
    hidden_layer_sizes : "auto", int or sequence of int, default="auto"
        Units of each hidden layer. ``"auto"`` is one layer of 1000 units, or as many as
        there are distinct rows if those are fewer.
    activation : str, Activation or callable, default="tanh"
        ``"tanh"``, ``"relu"``, ``"sin"``, ``"cos"``, ``"sigmoid"``, ``"gelu"``,
        ``"identity"``, or an elementwise function.
    alpha : float or "auto", default="auto"
        Ridge; multiplies ``||W||^2`` with no ``1 / n``. ``"auto"`` chooses it by
        exact leave-one-out errors, from the one factorisation.
    solver : {"auto", "svd", "qr", "normal"} or Solver, default="auto"
        How the read-out is solved; ``result_.reason`` says what was chosen and why.
    rcond : float, None or "auto", default=None
        Relative cutoff of the singular values; ``"auto"`` (with ``alpha=0``) chooses it
        by leave-one-out.
    sampler : {"auto", "metric", "swim", "random", "fourier"} or FeatureSampler, default="auto"
        How the hidden weights are drawn. ``"metric"`` learns which directions and columns of
        the inputs the targets depend on (:class:`solvenet.features.LearnedMetric`) and leaves
        out columns that say nothing where there are many; ``"auto"`` is that for columns
        scaled one by one, and ``"swim"`` otherwise.
    scaling : {"columns", "isotropic"} or None, default="columns"
        Scaling of the inputs inside the network. ``"columns"`` standardises each column,
        which is right for tables. With ``"isotropic"`` (one factor for all) predictions
        are invariant to rotations, shifts and scalings of the inputs. None takes the
        inputs as they are.
    linear_skip : bool, default=True
        Pass the scaled inputs to the read-out beside the units.
    clip : bool, default=True
        Predictions cannot explode far from the data: inputs beyond the training data (by
        more than a tenth of their range) are moved to that edge, per column or by distance
        for ``"isotropic"``, and
        predictions stay within the range of the training targets, extended by that range
        on both sides.
    memory_limit : int or str, optional
        Memory of the solve beyond the data, such as ``"500MB"``. Features that do not
        fit are recomputed block by block. By default up to 1 GiB of features is kept.
    random_state : int, RandomState or None, default=None
        Seed of the sampling. The same seed gives the same network whatever the order of
        the rows, the block size or the number of threads.

    Attributes
    ----------
    network_ : SampledNetwork
        The fitted function as plain arrays.
    result_ : SolveResult
        The solve with its diagnostics; ``print(result_.summary())``.
    coef_ : array of shape (n_targets, n_features_out) or (n_features_out,)
        Read-out weights.
    intercept_ : float or array of shape (n_targets,)
        Read-out constants.
    alpha_ : float
        The ridge that was used.
    n_units_ : tuple of int
        Units of each layer.
    mean_ : array of shape (n_features,)
        Subtracted from the inputs.
    plan_ : FeaturePlan
        Whether features were kept or recomputed, and why.
    seconds_ : dict
        Time of sampling, features and solve.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str
        Names of the columns, if X had them.

    See Also
    --------
    SampledNetworkClassifier : The same for classes.
    SampledFeatures : The hidden layers alone, as a transformer.

    Notes
    -----
    *Cost.* Sampling: one sort of the rows and eight candidate pairs a unit. Solve:
    ``n_rows width**2`` flops with the Gram matrix, about 2.5 times that and
    ``20 width**3`` where the data ask for full accuracy. Memory: data, plus what
    `memory_limit` allows.

    References
    ----------
    E. Bolager, I. Burak, C. Datar, Q. Sun, F. Dietrich (2023), Sampling weights of deep
    neural networks, NeurIPS 36, arXiv:2306.16830.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import SampledNetworkRegressor
    >>> X = np.random.default_rng(0).random((2000, 2))
    >>> model = SampledNetworkRegressor(random_state=0).fit(X, np.sin(X.sum(axis=1)))
    >>> bool(abs(model.predict(X) - np.sin(X.sum(axis=1))).max() < 1e-9)
    True
    """

    def __sklearn_tags__(self) -> Any:
        """Declare what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        engine: Any = None,
        checkpoint: Any = None,
    ) -> SampledNetworkRegressor:
        """Sample the hidden layers and solve for the read-out.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features), or source
            Inputs: array, DataFrame or array-API array (torch tensor on the CPU); or a source
            that is read in blocks: a path (Parquet, CSV, npy, HDF5, Zarr; file, folder,
            pattern), row blocks, a Dask array or frame. See :func:`solvenet.sources.open_source`.
        y : array-like of shape (n_rows,) or (n_rows, n_targets), str or list of str
            Targets, or the names of their columns in a source.
        sample_weight : array-like of shape (n_rows,) or str, optional
            Non-negative weights, or the name of their column in a source; an integer weight
            equals as many repetitions.
        engine : {"serial", "threads", "processes"}, Engine or distributed.Client, optional
            Where passes over many rows run; the result does not depend on it. By default
            threads.
        checkpoint : path or Checkpoint, optional
            Folder for what has been summed up so far: after a crash the same call goes on
            there. Needs a seed. Removed at the end.

        Returns
        -------
        SampledNetworkRegressor
            Itself, fitted.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        arrays = None
        records: Records
        if is_source(X):
            opened = self._open(X, y, sample_weight, classes=False)
            records, self._one_target = opened.records, opened.one_target
        else:
            X_plain, y_plain = self._read_fit(X, y, y_numeric=True, multi_output=True)
            weights = plain_weights(sample_weight, X_plain)
            Y = y_plain.astype(np.float64, copy=False).reshape(len(y_plain), -1)
            records = HeldRecords(as_row_blocks(X_plain), Y, weights)
            self._one_target = y_plain.ndim == 1
            if self._few(X_plain, Y):
                arrays = (X_plain, Y, weights)
        run = self._run(records, engine, checkpoint)
        self._solve(X, records, run, context, arrays=arrays, bounded=self.clip)
        self._show(X)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _show(self, X: Any) -> None:
        """Store weights and constants of the read-out in the form that y had."""
        readout = self.network_.readout
        self.coef_ = like(readout.coef[:, 0] if self._one_target else readout.coef.T, X)
        self.intercept_ = (
            float(readout.intercept[0]) if self._one_target else like(readout.intercept, X)
        )

    @with_callbacks
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        features: Any = None,
        forgetting: float = 1.0,
        solve: bool = True,
    ) -> SampledNetworkRegressor:
        """Learn from further rows; exact for the read-out.

        The hidden layers are sampled from the rows of the first call, or given, and stay. The
        read-out is that of all rows of all calls, as if they had come together.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
            Targets.
        sample_weight : array-like of shape (n_rows,), optional
            Non-negative weights.
        features : fitted SampledFeatures or network, or HiddenMap, optional
            In the first call: the hidden layers.
        forgetting : float, default=1.0
            Multiplies the weights of all rows before these: 0.99 a call forgets a row over
            about a hundred calls. The range that predictions are kept in is not forgotten.
        solve : bool, default=True
            Solve for the read-out now. With many small calls, do so in the last only.

        Returns
        -------
        SampledNetworkRegressor
            Itself; `fit` begins anew. Rows that were given to `fit` are not remembered.

        Raises
        ------
        InvalidSettingError
            The solver reads rows more than once (``"auto"`` stands for ``"qr"`` here), or
            `forgetting` is not above 0 and up to 1.

        Notes
        -----
        *Cost.* As for :class:`solvenet.solvers.Accumulator`.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        first = not hasattr(self, "_stream")
        X_plain, y_plain = self._read_fit(
            X,
            y,
            least=2 if first and features is None else 1,
            y_numeric=True,
            multi_output=True,
            reset=first,
        )
        weights = plain_weights(sample_weight, X_plain)
        Y = y_plain.astype(np.float64, copy=False).reshape(len(y_plain), -1)
        if first:
            self._one_target = y_plain.ndim == 1
            stream = self._begin_stream(
                X_plain, Y, weights, Run(), context, features=features, strata=False
            )
        else:
            stream = self._stream
        stream.add(X_plain, Y, weights, forgetting)
        self._stream = stream
        if solve:
            self._finish_stream(X, stream, bounded=self.clip)
            self._show(X)
        context.call_on_fit_task_end(estimator=self)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.
        return_std : bool, default=False
            Return the standard deviation of a new observation as well: noise of the
            targets and uncertainty of the read-out. The hidden weights count as known.

        Returns
        -------
        y : array of shape (n_rows,) or (n_rows, n_targets)
            Predictions.
        std : array of the same shape
            Only with `return_std`.
        """
        plain = self._read(X, method="predict")
        out = self._shape(self.network_(plain), X)
        if not return_std:
            return out
        return out, self._shape(self._ensure_uncertainty().std(plain), X)

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, engine: Any = None) -> float:
        """Return the coefficient of determination, averaged over the targets.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features), or source
            Inputs; a source is read once, in blocks, and may have other columns too.
        y : array-like of shape (n_rows,) or (n_rows, n_targets), str or list of str
            Targets, or the names of their columns in a source.
        sample_weight : array-like of shape (n_rows,) or str, optional
            Weights, or the name of their column in a source.
        engine : str, Engine or distributed.Client, optional
            Where a source is read; as for :meth:`fit`.

        Returns
        -------
        float
            ``1 - sum (y - prediction)**2 / sum (y - mean)**2``.
        """
        if is_source(X):
            check_is_fitted(self)
            return score_source(self, X, y, sample_weight, engine=engine)
        plain: float = super().score(X, y, sample_weight)
        return plain

    def _one_gradient(self, G: Array) -> Array:
        return G[:, 0] if self._one_target else G

    def _shape(self, values: Array, X: Any) -> Any:
        return like(values[:, 0] if self._one_target else values, X)
