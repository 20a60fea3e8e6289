"""Sampled networks for scikit-learn: regressor, classifier, transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.callback import with_callbacks
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from solvenet._array_api import like
from solvenet._validation import parse_bytes
from solvenet.errors import InvalidDataError
from solvenet.estimators._base import (
    SampledBase,
    readout_of,
    report_step,
    solve_readout,
    stopwatch,
    to_plain,
    with_uncertainty,
)
from solvenet.estimators.calibration import expected_calibration_error, fit_calibration
from solvenet.features.rows import row_set
from solvenet.networks import SampledNetwork
from solvenet.solvers import Solver, leave_one_out

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.blocks import RowBlocks
    from solvenet.features import FeatureSampler

CALIBRATION_ROWS = 20_000


class _SampledNetwork(SampledBase):
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
    ) -> RowBlocks:
        """Sample, solve and store the network; return the features as row blocks."""
        lap = stopwatch()
        deviation = np.sqrt(np.average((Y - Y.mean(axis=0)) ** 2, axis=0, weights=weights))
        hidden, distinct = self._sample(
            X_plain, Y / np.where(deviation > 0, deviation, 1.0), weights, context
        )
        sampling = lap()
        H = self._blocks(X_plain, hidden, Y.shape[1])
        features = lap()
        limit = None if self.memory_limit is None else parse_bytes("memory_limit", self.memory_limit)
        self.result_ = solve_readout(
            H,
            Y,
            weights,
            solver=self.solver,
            alpha=self.alpha,
            rcond=self.rcond,
            memory_limit=limit,
            distinct=distinct,
        )
        report_step(context, self, "solve read-out")
        self.seconds_ = {"sample": sampling, "features": features, "solve": lap()}
        self._keep(X, hidden)
        self.network_ = SampledNetwork(hidden, readout_of(self.result_, *bounds))
        self.alpha_ = self.result_.alpha
        return H

    def _ensure_uncertainty(self) -> SampledNetwork:
        """Add the covariance of the read-out to the network on first use."""
        network = self.network_
        if network.readout.root is None:
            network = SampledNetwork(
                network.hidden, with_uncertainty(network.readout, self.result_)
            )
            self.network_ = network
        return network


class SampledNetworkRegressor(RegressorMixin, _SampledNetwork):  # type: ignore[misc]
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
    sampler : {"swim", "random", "fourier"} or FeatureSampler, default="swim"
        How the hidden weights are drawn.
    scaling : {"columns", "isotropic"} or None, default="columns"
        Scaling of the inputs inside the network. ``"columns"`` standardises each column,
        which is right for tables. With ``"isotropic"`` (one factor for all) predictions
        are invariant to rotations, shifts and scalings of the inputs. None takes the
        inputs as they are.
    linear_skip : bool, default=True
        Pass the scaled inputs to the read-out beside the units.
    clip : bool, default=True
        Predictions cannot explode far from the data: inputs outside the training data
        are moved to their edge (per column, or by distance for ``"isotropic"``), and
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
    mean_ : array of shape (n_features_in_,)
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

    @with_callbacks  # type: ignore[misc]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SampledNetworkRegressor:
        """Sample the hidden layers and solve for the read-out.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs: array, DataFrame or array-API array (torch tensor on the CPU).
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
            Targets.
        sample_weight : array-like of shape (n_rows,), optional
            Non-negative weights; an integer weight equals as many repetitions.

        Returns
        -------
        SampledNetworkRegressor
            Itself, fitted.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        X_plain, y_plain = self._read_fit(X, y, y_numeric=True, multi_output=True)
        weights = _plain_weights(sample_weight, X_plain)
        Y = y_plain.astype(np.float64, copy=False).reshape(len(y_plain), -1)
        used = Y if weights is None else Y[weights > 0]
        low, high = used.min(axis=0), used.max(axis=0)
        bounds = (low - (high - low), high + (high - low)) if self.clip else (None, None)
        self._solve(X, X_plain, Y, weights, bounds, context)
        self._one_target = y_plain.ndim == 1
        readout = self.network_.readout
        self.coef_ = like(readout.coef[:, 0] if self._one_target else readout.coef.T, X)
        self.intercept_ = (
            float(readout.intercept[0]) if self._one_target else like(readout.intercept, X)
        )
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

    def _shape(self, values: Array, X: Any) -> Any:
        return like(values[:, 0] if self._one_target else values, X)


class SampledNetworkClassifier(ClassifierMixin, _SampledNetwork):  # type: ignore[misc]
    """Classification by a neural network that is solved, not trained.

    Class indicators are regressed on sampled features; the scores become probabilities
    by one slope and one offset a class, fitted to leave-one-out scores, which come from
    the same factorisation. Predictions are the most probable classes.

    Parameters
    ----------
    hidden_layer_sizes : "auto", int or sequence of int, default="auto"
        Units of each hidden layer. ``"auto"`` is one layer of 1000 units, or as many as
        there are distinct rows if those are fewer.
    activation : str, Activation or callable, default="tanh"
        As in :class:`SampledNetworkRegressor`.
    alpha : float or "auto", default="auto"
        Ridge of the read-out; ``"auto"`` chooses it by leave-one-out.
    solver : {"auto", "svd", "qr", "normal"} or Solver, default="auto"
        How the read-out is solved.
    rcond : float, None or "auto", default=None
        Relative cutoff of the singular values.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; ``"balanced"`` weights inversely to their frequency.
    sampler : {"swim", "random", "fourier"} or FeatureSampler, default="swim"
        How the hidden weights are drawn; SWIM draws pairs of different classes.
    scaling : {"columns", "isotropic"} or None, default="columns"
        Scaling of the inputs inside the network.
    linear_skip : bool, default=True
        Pass the scaled inputs to the read-out beside the units.
    clip : bool, default=True
        Move inputs outside the training data to their edge.
    memory_limit : int or str, optional
        Memory of the solve beyond the data, such as ``"500MB"``.
    random_state : int, RandomState or None, default=None
        Seed of the sampling.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Class labels.
    calibration_error_ : float
        Expected calibration error (15 bins) of the leave-one-out probabilities.
    slope_, offset_ : float, array of shape (n_classes,)
        Probabilities are ``softmax(slope_ * scores + offset_)``.
    network_, result_, alpha_, coef_, intercept_, n_units_, mean_, plan_, seconds_
        As in :class:`SampledNetworkRegressor`.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str
        Names of the columns, if X had them.

    See Also
    --------
    SampledNetworkRegressor : The same for numbers.

    Notes
    -----
    *Cost.* That of the regressor, and a second pass over at most 20,000 rows for the
    leave-one-out scores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from solvenet import SampledNetworkClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SampledNetworkClassifier(random_state=0).fit(X, y)
    >>> model.predict_proba(X[:1]).round(1)
    array([[1., 0., 0.]])
    """

    def __init__(
        self,
        hidden_layer_sizes: str | int | Sequence[int] = "auto",
        activation: Any = "tanh",
        *,
        alpha: float | str = "auto",
        solver: str | Solver = "auto",
        rcond: float | str | None = None,
        class_weight: Any = None,
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
            alpha=alpha,
            solver=solver,
            rcond=rcond,
            sampler=sampler,
            scaling=scaling,
            linear_skip=linear_skip,
            clip=clip,
            memory_limit=memory_limit,
            random_state=random_state,
        )
        self.class_weight = class_weight

    @with_callbacks  # type: ignore[misc]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SampledNetworkClassifier:
        """Sample the hidden layers, solve for the read-out, calibrate.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.
        y : array-like of shape (n_rows,)
            Class labels: numbers or strings.
        sample_weight : array-like of shape (n_rows,), optional
            Non-negative weights; an integer weight equals as many repetitions.

        Returns
        -------
        SampledNetworkClassifier
            Itself, fitted.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        X_plain, y_plain = self._read_fit(X, y)
        check_classification_targets(y_plain)
        weights = _plain_weights(sample_weight, X_plain)
        kept = slice(None) if weights is None else weights > 0
        classes = np.unique(y_plain[kept])
        if len(classes) < 2:
            msg = (
                f"y holds one class only ({classes[0]!r}) where it has weight; a classifier "
                "needs at least 2 classes. Check the target column."
            )
            raise InvalidDataError(msg)
        if weights is not None:
            X_plain, y_plain, weights = X_plain[kept], y_plain[kept], weights[kept]
        codes = np.searchsorted(classes, y_plain)
        weights = self._with_class_weight(weights, classes, codes)
        Y = np.zeros((len(codes), len(classes)))
        Y[np.arange(len(codes)), codes] = 1.0
        H = self._solve(X, X_plain, Y, weights, (None, None), context)
        self.classes_ = classes
        self.offset_ = like(self._calibrate(X_plain, H, Y, codes, weights), X)
        readout = self.network_.readout
        self.coef_ = like(readout.coef.T, X)
        self.intercept_ = like(readout.intercept, X)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _with_class_weight(
        self, weights: Array | None, classes: Array, codes: Array
    ) -> Array | None:
        if self.class_weight is None:
            return weights
        by_class = compute_class_weight(
            self.class_weight, classes=classes, y=classes[codes], sample_weight=weights
        )
        # Class weights are importances, not repetitions: at most one, so that leave-one-out
        # leaves out whole rows.
        importance = (by_class / by_class.max())[codes]
        return importance if weights is None else weights * importance

    def _calibrate(
        self, X: Array, H: RowBlocks, Y: Array, codes: Array, weights: Array | None
    ) -> Array:
        """Fit the slope to leave-one-out scores, on a sample of many rows; return offsets."""
        w = np.ones(len(codes)) if weights is None else weights
        if len(codes) > CALIBRATION_ROWS:
            # Every k-th row in canonical order: the choice does not depend on the order.
            rows = row_set(self.hidden_.scaling(X), Y, weights)
            step = -(-len(rows.index) // CALIBRATION_ROWS)
            at, w = rows.index[::step], rows.weights[::step]
            loo = leave_one_out(self.hidden_(X[at]), Y[at], self.result_)
            codes = codes[at]
        else:
            loo = leave_one_out(H, Y, self.result_, weights=weights)
        self.slope_, offset = fit_calibration(loo.predictions, codes, w)
        probabilities = softmax(self.slope_ * loo.predictions + offset, axis=1)
        self.calibration_error_ = expected_calibration_error(probabilities, codes, w)
        return offset

    def _logits(self, X: Any, method: str) -> Array:
        plain = self._read(X, method=method)
        return self.slope_ * self.network_(plain) + to_plain(self.offset_)

    def decision_function(self, X: Any) -> Any:
        """Return the calibrated logits.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_rows, n_classes), or (n_rows,) for two classes
            Logarithms of the probabilities up to a constant a row; for two classes the
            log-odds of the second.
        """
        logits = self._logits(X, "decision_function")
        out = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits
        return like(out, X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the classes, shape (n_rows, n_classes)."""
        return like(softmax(self._logits(X, "predict_proba"), axis=1), X)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of the probabilities, shape (n_rows, n_classes)."""
        return like(log_softmax(self._logits(X, "predict_log_proba"), axis=1), X)

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row, shape (n_rows,)."""
        best = self._logits(X, "predict").argmax(axis=1)
        labels = self.classes_[best]
        return like(labels, X) if labels.dtype.kind in "fiub" else labels


class SampledFeatures(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    SampledBase,
):
    """The hidden layers of a sampled network as a transformer.

    Parameters
    ----------
    hidden_layer_sizes : "auto", int or sequence of int, default="auto"
        Units of each hidden layer.
    activation : str, Activation or callable, default="tanh"
        As in :class:`SampledNetworkRegressor`.
    sampler : {"swim", "random", "fourier"} or FeatureSampler, default="swim"
        How the hidden weights are drawn.
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
    mean_ : array of shape (n_features_in_,)
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
        sampler: str | FeatureSampler = "swim",
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

    @with_callbacks  # type: ignore[misc]
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> SampledFeatures:
        """Sample the hidden layers.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.
        y : array-like of shape (n_rows,) or (n_rows, n_targets), optional
            Targets that guide the sampling; classes are recognised. Without them pairs
            are drawn uniformly.
        sample_weight : array-like of shape (n_rows,), optional
            Non-negative weights.

        Returns
        -------
        SampledFeatures
            Itself, fitted.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        if y is None:
            X_plain = validate_data(
                self, to_plain(X), dtype=[np.float64, np.float32], ensure_min_samples=2
            )
            Y = np.zeros((len(X_plain), 1))
        else:
            X_plain, y_plain = self._read_fit(X, y, multi_output=True)
            Y = _targets(y_plain)
        weights = _plain_weights(sample_weight, X_plain)
        self._keep(X, self._sample(X_plain, Y, weights, context)[0])
        context.call_on_fit_task_end(estimator=self)
        return self

    def transform(self, X: Any) -> Any:
        """Return the features, shape (n_rows, n_features_out), in the dtype of X."""
        plain = self._read(X, method="transform")
        return like(self.hidden_(plain).astype(plain.dtype, copy=False), X)

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return self.hidden_.n_features_out


def _plain_weights(sample_weight: Any, X: Array) -> Array | None:
    """Return the weights as a float64 array, or None."""
    if sample_weight is None:
        return None
    return _check_sample_weight(  # type: ignore[no-any-return]
        to_plain(sample_weight), X, dtype=np.float64, ensure_non_negative=True
    )


def _targets(y: Array) -> Array:
    """Return numbers scaled to variance one, or class indicators."""
    if y.ndim == 1 and type_of_target(y) in ("binary", "multiclass") and y.dtype.kind != "f":
        return (y[:, None] == np.unique(y)).astype(np.float64)
    Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    deviation = Y.std(axis=0)
    return Y / np.where(deviation > 0, deviation, 1.0)
