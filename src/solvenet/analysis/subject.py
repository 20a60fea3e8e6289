"""What is diagnosed: a specification, a fitted network or a feature map, seen alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._validation import as_numbers, check_finite
from solvenet.analysis.specification import NetworkSpec
from solvenet.analysis.spectra import captured_rank
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features import DenseMap, FeatureMap

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.analysis.trials import Trial


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What the solve of a fitted network said of all rows.

    Attributes
    ----------
    error : float
        Leave-one-out squared error over the variance.
    modes_in_use : int
        Directions above the ridge.
    crowding : float
        Effective parameters over rows: near 1 the fit has a parameter for each row.
    """

    error: float
    modes_in_use: int
    crowding: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """Hidden units, the rows that they see, and how their read-out is found.

    Attributes
    ----------
    inputs : array of shape (n_rows, d)
        The rows, each column scaled to [-1, 1].
    below : array of shape (n_rows, n)
        What the last hidden layer sees.
    layer : DenseMap or None
        The last hidden layer, where it is known.
    features : array of shape (n_rows, n_columns) or None
        All that the read-out sees, where that is more than the layer's units.
    targets : array of shape (n_rows, n_targets)
        Numbers; classes as indicators.
    width : int
        Units of the last hidden layer.
    precision : str
        In which the read-out is found.
    gram : bool
        Whether by a Gram matrix.
    spec : NetworkSpec or None
        If it is not fitted yet.
    n_rows : int
        Rows of which these are a sample.
    classes : bool
        Whether the targets are indicators of classes.
    fit : Fit or None
        If it is fitted, and chose its ridge by leave-one-out.
    random_state : int
        Seed of the weights of a specification.
    """

    inputs: Array = field(repr=False)
    below: Array = field(repr=False)
    layer: DenseMap | None = field(repr=False)
    features: Array | None = field(repr=False)
    targets: Array = field(repr=False)
    width: int
    precision: str
    gram: bool
    spec: NetworkSpec | None
    n_rows: int
    classes: bool
    fit: Fit | None = None
    random_state: int = 0

    def columns(self) -> Array:
        """Return what the read-out sees, shape (n_rows, n_columns)."""
        if self.features is not None:
            return self.features
        assert self.layer is not None
        return self.layer(self.below)

    def changed(self, trial: Trial) -> Array:
        """Return the units of a specification with a change."""
        assert self.spec is not None
        layer = trial.of(self.spec).layer(self.inputs.shape[1], random_state=self.random_state)
        return layer(self.below)

    @property
    def scalable(self) -> bool:
        """Whether the scale of the last hidden layer changes more than a factor."""
        return self.layer is not None and self.layer.activation.name not in _HOMOGENEOUS


def subject_of(
    model: Any, X: Any, y: Any, *, n_spec_rows: int, n_fitted_rows: int, random_state: int
) -> Subject:
    """Return a model or a specification on a sample of rows.

    Parameters
    ----------
    model : NetworkSpec, fitted estimator, Pipeline, network or FeatureMap
        What is diagnosed.
    X, y : array-like
        Rows and targets.
    n_spec_rows, n_fitted_rows : int
        Rows to take at most of a specification, and of what is fitted.
    random_state : int
        Which.

    Returns
    -------
    Subject
        On these rows.
    """
    if hasattr(model, "named_steps"):
        return subject_of(
            model[-1], model[:-1].transform(X), y, n_spec_rows=n_spec_rows,
            n_fitted_rows=n_fitted_rows, random_state=random_state,
        )  # fmt: skip
    X, Y = _checked(X, y, getattr(model, "classes_", None))
    total = len(X)
    fit = _fit(getattr(model, "result_", None), Y)
    hidden = None if isinstance(model, NetworkSpec) else _hidden(model)
    n_rows = n_spec_rows
    if hidden is not None and hasattr(model, "result_"):
        size = math.isqrt(total * hidden.n_features_out)
        n_rows = min(n_fitted_rows, max(_FEWEST_FITTED, size // 10))
    # Also where all are kept: rows may come in an order, and halves of them are to be alike.
    keep = np.random.default_rng(random_state).permutation(total)[:n_rows]
    X, Y = X[keep], Y[keep]
    low, high = X.min(axis=0), X.max(axis=0)
    inputs = (X - low) * (2.0 / np.where(high > low, high - low, 1.0)) - 1.0
    classes = Y.dtype == bool
    Y = Y.astype(np.float64)
    Y /= np.abs(Y).max()  # squares of what is very large or small would leave float64
    if hidden is None:
        layer = model.layer(X.shape[1], random_state=random_state)
        return Subject(
            inputs=inputs, below=inputs, layer=layer, features=None, targets=Y,
            width=model.width, precision=model.precision, gram=model.gram, spec=model,
            n_rows=total, classes=classes, random_state=random_state,
        )  # fmt: skip
    if hidden.n_features_in not in (None, X.shape[1]):
        msg = (
            f"X has {X.shape[1]} columns; the {type(model).__name__} takes {hidden.n_features_in}."
        )
        raise InvalidDataError(msg)
    layers = getattr(getattr(hidden, "layers", None), "layers", None)
    layer = None if layers is None else layers[-1]
    result = getattr(model, "result_", None)
    return Subject(
        inputs=inputs, below=X, layer=layer, features=hidden(X), targets=Y,
        width=hidden.n_features_out if layer is None else layer.n_features_out,
        precision="float64", gram=getattr(result, "solver", "") == "NormalEquations", spec=None,
        n_rows=total, classes=classes, fit=fit,
    )  # fmt: skip


def _fit(result: Any, Y: Array) -> Fit | None:
    """Return what a solve with a chosen ridge said, None of any other."""
    if result is None or result.curve is None:
        return None
    # Leave-one-out errors are those of the fit over 1 - leverage: the ratio tells the mean
    # leverage, without the trace of an inverse.
    train = float((np.asarray(result.residual_norm) ** 2).sum()) / (len(Y) * _spread(Y))
    error = float(result.curve.score)
    crowding = min(max(1.0 - math.sqrt(train / error), 0.0), 1.0) if error > 0 else 0.0
    s = result.singular_values
    used = (
        math.ceil(crowding * len(Y))
        if s is None
        else captured_rank(s, result.alpha, result.rcond, result.rank)
    )
    return Fit(error=error, modes_in_use=used, crowding=crowding)


def _spread(Y: Array) -> float:
    """Return the variance of all targets together."""
    return float(Y.var(axis=0).sum())


def _hidden(model: Any) -> Any:
    """Return the feature map of a model: from rows to what its read-out sees."""
    for hidden in (getattr(model, "hidden_", None), getattr(model, "hidden", None), model):
        if isinstance(hidden, FeatureMap):
            return hidden
    msg = (
        f"{type(model).__name__} was given; a NetworkSpec, a fitted solvenet estimator (or a "
        "Pipeline that ends in one), a network or a FeatureMap is wanted. Fit the estimator "
        "first, or describe the network by NetworkSpec(width=..., activation=...)."
    )
    raise InvalidSettingError(msg)


def _checked(X: Any, y: Any, classes: Any) -> tuple[Array, Array]:
    """Return rows and targets as matrices of numbers."""
    X, y = as_numbers("X", X), np.asarray(y)
    X = X[:, None] if X.ndim == 1 else X
    y = np.array(y.tolist()) if y.dtype == object else y
    if X.ndim != 2 or y.ndim not in (1, 2) or len(X) != len(y) or len(X) < _FEWEST:
        msg = (
            f"X of shape {X.shape} and y of shape {y.shape} were given; a row a sample, at least "
            f"{_FEWEST} of them, and as many targets are wanted."
        )
        raise InvalidDataError(msg)
    if classes is not None or y.dtype.kind in "bUST":
        labels = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        known = np.unique(labels) if classes is None else np.asarray(classes)
        if labels.ndim != 1 or not np.isin(labels, known).all():
            msg = (
                f"y of shape {y.shape} was given for classes {', '.join(map(str, known[:5]))}"
                f"{' ...' if len(known) > 5 else ''}; one of them for each row is wanted."
            )
            raise InvalidDataError(msg)
        y = labels[:, None] == known
    else:
        y = as_numbers("y", y)
        check_finite("y", y)
    Y = y[:, None] if y.ndim == 1 else y
    check_finite("X", X)
    if (Y[:1] == Y).all():
        msg = "All targets are equal: a constant represents them. Give targets that vary."
        raise InvalidDataError(msg)
    return X, Y


_FEWEST, _FEWEST_FITTED = 16, 48
_HOMOGENEOUS = ("relu", "identity")
