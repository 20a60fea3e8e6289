"""Classification by a sampled network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.callback import with_callbacks
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from solvenet._array_api import like
from solvenet.blocks import HeldRecords, Records, as_row_blocks
from solvenet.engine import Run
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.estimators._base import plain_weights
from solvenet.estimators._classes import IndicatorRecords, check_classes, class_values
from solvenet.estimators._network import Learnt, SampledNetworkBase
from solvenet.estimators.calibration import calibrated_readout
from solvenet.estimators.scoring import score_source
from solvenet.networks import SampledNetwork
from solvenet.solvers import Solver
from solvenet.sources import TrainingSource, is_source

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import FeatureSampler


class SampledNetworkClassifier(ClassifierMixin, SampledNetworkBase):
    """Classification by a neural network that is solved, not trained.

    Class indicators are regressed on sampled features; the scores become logits by a
    multinomial logistic regression on the leave-one-out scores, which come from the same
    factorisation, and on the inputs themselves where those are few beside the rows. Both
    steps are linear in the features, so the network has one read-out.
    Predictions are the most probable classes.

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
    sampler : {"auto", "metric", "swim", "random", "fourier"} or FeatureSampler, default="auto"
        As in :class:`SampledNetworkRegressor`; pairs are of different classes.
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
    network_ : SampledNetwork
        The fitted function as plain arrays: the logits of the classes.
    coef_ : array of shape (n_classes, n_features_out)
        Weights of the logits.
    intercept_ : array of shape (n_classes,)
        Constants of the logits.
    result_, alpha_, n_units_, mean_, plan_, seconds_
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
    *Cost.* That of the regressor, and the leave-one-out scores of at most 20,000 rows; of
    fewer where they would take more than a twentieth of the solve (but 2000).

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

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        engine: Any = None,
        checkpoint: Any = None,
    ) -> SampledNetworkClassifier:
        """Sample the hidden layers, solve for the read-out, calibrate.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features), or source
            Inputs, or a source that is read in blocks; see :meth:`SampledNetworkRegressor.fit`.
        y : array-like of shape (n_rows,), or str
            Class labels: numbers or strings; or the name of their column in a source.
        sample_weight : array-like of shape (n_rows,) or str, optional
            Non-negative weights, or the name of their column in a source; an integer weight
            equals as many repetitions.
        engine : {"serial", "threads", "processes"}, Engine or distributed.Client, optional
            Where passes over many rows run; see :meth:`SampledNetworkRegressor.fit`.
        checkpoint : path or Checkpoint, optional
            Folder for what has been summed up so far; see :meth:`SampledNetworkRegressor.fit`.

        Returns
        -------
        SampledNetworkClassifier
            Itself, fitted.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        arrays = None
        records: Records
        if is_source(X):
            opened = self._open(X, y, sample_weight, classes=True)
            if opened.records.n_targets != 1:
                msg = f"y has {opened.records.n_targets} columns; class labels in one are wanted."
                raise InvalidDataError(msg)
            if opened.records.n_passes is not None:
                msg = "These rows can be read once: call partial_fit(X, y, classes) block by block."
                raise InvalidDataError(msg)
            run = self._run(opened.records, engine, checkpoint)
            records, classes = self._indicators(opened, run)
        else:
            X_plain, y_plain = self._read_fit(X, y)
            check_classification_targets(y_plain)
            weights = plain_weights(sample_weight, X_plain)
            kept = slice(None) if weights is None else weights > 0
            classes = np.unique(y_plain[kept])
            check_classes(classes)
            if weights is not None:
                X_plain, y_plain, weights = X_plain[kept], y_plain[kept], weights[kept]
            codes = np.searchsorted(classes, y_plain)
            weights = self._with_class_weight(weights, classes, codes)
            source = as_row_blocks(X_plain)
            records = IndicatorRecords(
                HeldRecords(source, codes[:, None].astype(np.float64), weights),
                np.arange(len(classes), dtype=np.float64),
            )
            indicators = np.broadcast_to(0.0, (len(codes), len(classes)))
            if self._few(X_plain, indicators):
                arrays = (X_plain, np.eye(len(classes))[codes], weights)
            run = self._run(records, engine, checkpoint)
        learnt = self._solve(X, records, run, context, arrays=arrays, strata=True)
        self.classes_ = classes
        self._show(X, learnt)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _show(self, X: Any, learnt: Learnt) -> None:
        """Calibrate and store weights and constants of the logits."""
        readout, self.calibration_error_ = calibrated_readout(
            self.network_, self.result_, learnt, with_inputs=self.linear_skip
        )
        self.network_ = SampledNetwork(self.hidden_, readout)
        self.coef_ = like(readout.coef.T, X)
        self.intercept_ = like(readout.intercept, X)

    @with_callbacks
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        features: Any = None,
        forgetting: float = 1.0,
        solve: bool = True,
    ) -> SampledNetworkClassifier:
        """Learn from further rows; exact for the read-out, calibrated on a sample of all.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.
        y : array-like of shape (n_rows,)
            Class labels.
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; needed in the first call, unless `fit` has seen them.
        sample_weight : array-like of shape (n_rows,), optional
            Non-negative weights.
        features : fitted SampledFeatures or network, or HiddenMap, optional
            In the first call: the hidden layers.
        forgetting : float, default=1.0
            Multiplies the weights of all rows before these.
        solve : bool, default=True
            Solve for the read-out now; see :meth:`SampledNetworkRegressor.partial_fit`.

        Returns
        -------
        SampledNetworkClassifier
            Itself; `fit` begins anew.

        Raises
        ------
        InvalidDataError
            The first call has no `classes`, or a label is not among them.
        InvalidSettingError
            As for the regressor; ``class_weight="balanced"``, which needs all rows.
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        first = not hasattr(self, "_stream")
        least = 2 if first and features is None else 1
        X_plain, y_plain = self._read_fit(X, y, least=least, reset=first)
        check_classification_targets(y_plain)
        labels: Array | None = getattr(self, "classes_", None)
        if classes is not None:
            given = np.unique(np.asarray(classes))
            if not first and not np.array_equal(given, self.classes_):
                msg = f"classes={given.tolist()} was given; it was {self.classes_.tolist()} before."
                raise InvalidDataError(msg)
            labels = given
        if labels is None:
            msg = "classes must be passed on the first call to partial_fit: all labels there are."
            raise InvalidDataError(msg)
        check_classes(labels)
        codes = np.minimum(np.searchsorted(labels, y_plain), len(labels) - 1)
        strange = labels[codes] != y_plain
        if strange.any():
            msg = f"y holds {y_plain[strange][0]!r}, which is not among classes={labels.tolist()}."
            raise InvalidDataError(msg)
        if self.class_weight == "balanced":
            msg = 'class_weight="balanced" needs all rows at once. Give the weights as a dict.'
            raise InvalidSettingError(msg)
        weights = self._with_class_weight(plain_weights(sample_weight, X_plain), labels, codes)
        Y = np.eye(len(labels))[codes]
        if first:
            stream = self._begin_stream(
                X_plain, Y, weights, Run(), context, features=features, strata=True
            )
        else:
            stream = self._stream
        stream.add(X_plain, Y, weights, forgetting)
        self._stream, self.classes_ = stream, labels
        if solve:
            self._show(X, self._finish_stream(X, stream, bounded=False))
        context.call_on_fit_task_end(estimator=self)
        return self

    def _indicators(self, opened: TrainingSource, run: Run) -> tuple[Records, Array]:
        """Return the records of a source with class indicators for targets, and the classes."""
        counted = class_values(opened.records, run)
        values = counted.values
        if opened.labels is not None:
            classes = opened.labels[values.astype(int)]
        else:
            check_classification_targets(values)
            whole = (values == np.round(values)).all()
            classes = values.astype(np.int64) if whole else values
        check_classes(classes)
        importance = None
        if self.class_weight is not None:
            by_class = compute_class_weight(
                self.class_weight,
                classes=classes,
                y=classes,
                sample_weight=counted.weights,
            )
            importance = by_class / by_class.max()
        return IndicatorRecords(opened.records, values, importance), classes

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
        importance: Array = (by_class / by_class.max())[codes]
        return importance if weights is None else weights * importance

    def _logits(self, X: Any, method: str) -> Array:
        plain = self._read(X, method=method)
        return self.network_(plain)

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

    def _one_gradient(self, G: Array) -> Array:
        return G[:, 1] - G[:, 0] if G.shape[1] == 2 else G

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

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, engine: Any = None) -> float:
        """Return the share of rows whose class is predicted rightly.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features), or source
            Inputs; a source is read in blocks and may have other columns too.
        y : array-like of shape (n_rows,), or str
            Class labels, or the name of their column in a source.
        sample_weight : array-like of shape (n_rows,) or str, optional
            Weights, or the name of their column in a source.
        engine : str, Engine or distributed.Client, optional
            Where a source is read; as for :meth:`fit`.

        Returns
        -------
        float
            Between 0 and 1.
        """
        if is_source(X):
            check_is_fitted(self)
            return score_source(self, X, y, sample_weight, engine=engine)
        plain: float = super().score(X, y, sample_weight)
        return plain
