"""Regression and classification by networks whose output weights are only rearranged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from solvenet._validation import check_choice, check_count
from solvenet.errors import InvalidSettingError
from solvenet.estimators._classes import check_classes
from solvenet.features import DenseMap
from solvenet.features.layers import LayeredMap
from solvenet.features.scaling import scale_inputs
from solvenet.networks import HiddenMap, Readout, SampledNetwork
from solvenet.permutation import (
    MultisetRecipe,
    PermutationProblem,
    PermutationResult,
    random_units,
    relu_pairs,
    solve_permutation,
    storage_size,
)

if TYPE_CHECKING:
    from solvenet._array_api import Array

MOST_UNITS = 300
"""Units that ``n_units="auto"`` does not exceed: beyond, the search takes long."""

_FEWEST_UNITS = 10
_ROWS_PER_UNIT = 5
_COVERED = 0.99


class PermutationNetworkBase(BaseEstimator):
    """Settings and steps of both estimators."""

    def __init__(
        self,
        n_units: int | str = "auto",
        *,
        values: str = "equidistant",
        bits: int | None = None,
        zeros: float = 0.0,
        method: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.n_units = n_units
        self.values = values
        self.bits = bits
        self.zeros = zeros
        self.method = method
        self.random_state = random_state

    def _scores(self, X: Any) -> Array:
        """Return the outputs of the network, one column a permutation."""
        check_is_fitted(self)
        return self.network_(validate_data(self, X, dtype=np.float64, reset=False))

    def _solve(self, X: Array, Y: Array) -> None:
        """Place the values for each column of targets; store what every fitted estimator has."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        n_units = self._width(len(X))
        self.recipe_ = MultisetRecipe(self.values, bits=self.bits, zeros=self.zeros, seed=seed)
        values = self.recipe_.draw(n_units)
        scaling = scale_inputs(X, None, "columns", clip=True)
        Z = scaling(X)
        units = _units(Z, n_units, seed)
        self.results_: list[PermutationResult] = []
        problem = None
        for y in Y.T:
            # The targets share the units, so the matrix of their products is formed once.
            problem = (
                PermutationProblem(units, values, Z, y)
                if problem is None
                else problem.with_target(y)
            )
            self.results_.append(solve_permutation(problem, method=self.method, random_state=seed))
        coef = np.stack([result.gamma * result.coef for result in self.results_], axis=1)
        shifts = np.array([result.alpha for result in self.results_])
        hidden = HiddenMap(scaling, LayeredMap((units,)))
        self.network_ = SampledNetwork(hidden, Readout(coef, shifts))
        self.n_units_ = n_units
        self.storage_ = storage_size(np.tile(values, (len(self.results_), 1)))

    def _width(self, n_rows: int) -> int:
        if isinstance(self.n_units, str):
            check_choice("n_units", self.n_units, ("auto",))
            return max(_FEWEST_UNITS, min(MOST_UNITS, n_rows // _ROWS_PER_UNIT) // 2 * 2)
        n_units = check_count("n_units", self.n_units, minimum=2)
        if n_units % 2:
            msg = f"n_units={n_units} was given; an even number is wanted: two units a kink."
            raise InvalidSettingError(msg)
        return n_units


class PermutationNetworkRegressor(RegressorMixin, PermutationNetworkBase):
    """Regression by a network whose output weights are given values, only rearranged.

    The hidden units are fixed: pairs of ReLU with equidistant kinks for one input, random
    directions for more. The values of the output weights are drawn before the data are seen;
    what is solved for is which unit gets which value, and two numbers: scale and shift. With
    ``bits=1`` the weights are plus and minus one.

    Parameters
    ----------
    n_units : int or "auto", default="auto"
        Hidden units, an even number; ``"auto"`` is one for five rows, at least 10 and at
        most 300. Nothing else limits overfitting.
    values : {"equidistant", "normal", "uniform", "pairwise"}, default="equidistant"
        How the values are drawn; see :class:`~solvenet.permutation.MultisetRecipe`.
    bits : int, optional
        With ``"equidistant"``: only ``2**bits`` different values.
    zeros : float, default=0.0
        Share of values that are zero.
    method : str, default="auto"
        The search; see :func:`~solvenet.permutation.solve_permutation`.
    random_state : int, RandomState or None, default=None
        Seed of values, directions and search.

    Attributes
    ----------
    results_ : list of PermutationResult
        The permutation of each target, on the scaled inputs.
    network_ : SampledNetwork
        The fitted function as plain arrays.
    recipe_ : MultisetRecipe
        What the values are drawn by.
    storage_ : StorageSize
        How many bits the permutations take.
    n_units_ : int
        Hidden units.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str
        Names of the columns, if X had them.

    See Also
    --------
    SampledNetworkRegressor : Output weights of any value: far smaller errors.
    PermutationNetworkClassifier : The same for classes.

    Notes
    -----
    Inputs far outside the training data are moved to their edge.

    *Cost.* That of :func:`~solvenet.permutation.solve_permutation` for each target, and
    ``n_rows n_units**2`` flops.

    References
    ----------
    Y. Cai, G. Chen, Z. Qiao (2025), Neural networks trained by weight permutation are
    universal approximators, Neural Networks 187, 107277, arXiv:2407.01033.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import PermutationNetworkRegressor
    >>> X = np.linspace(-1, 1, 400)[:, None]
    >>> y = np.sin(3 * X[:, 0])
    >>> model = PermutationNetworkRegressor(80, bits=1, random_state=0).fit(X, y)
    >>> bool(abs(model.predict(X) - y).max() < 0.2)
    True
    >>> round(model.storage_.bits_per_weight, 2)
    0.96
    """

    def __sklearn_tags__(self) -> Any:
        """Declare what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> PermutationNetworkRegressor:
        """Search the permutation.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
            Targets; each has a permutation of its own.

        Returns
        -------
        PermutationNetworkRegressor
            Itself, fitted.

        Raises
        ------
        InvalidSettingError
            A setting out of range.
        ValueError
            Data that scikit-learn refuses: NaN, other lengths, fewer than 2 rows.
        """
        X, y = validate_data(
            self, X, y, dtype=np.float64, ensure_min_samples=2, y_numeric=True, multi_output=True
        )
        self._one_target = y.ndim == 1
        self._solve(X, y.astype(np.float64).reshape(len(y), -1))
        return self

    def predict(self, X: Any) -> Array:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_rows,) or (n_rows, n_targets)
            Predictions.
        """
        out = self._scores(X)
        return out[:, 0] if self._one_target else out


class PermutationNetworkClassifier(ClassifierMixin, PermutationNetworkBase):
    """Classification by a network whose output weights are given values, only rearranged.

    A permutation for each class regresses its indicator; the class with the largest score is
    predicted. Two classes need one permutation.

    Parameters
    ----------
    n_units : int or "auto", default="auto"
        Hidden units, an even number; ``"auto"`` is one for five rows, at least 10 and at
        most 300. Nothing else limits overfitting.
    values : {"equidistant", "normal", "uniform", "pairwise"}, default="equidistant"
        How the values are drawn; see :class:`~solvenet.permutation.MultisetRecipe`.
    bits : int, optional
        With ``"equidistant"``: only ``2**bits`` different values.
    zeros : float, default=0.0
        Share of values that are zero.
    method : str, default="auto"
        The search; see :func:`~solvenet.permutation.solve_permutation`.
    random_state : int, RandomState or None, default=None
        Seed of values, directions and search.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels.
    results_ : list of PermutationResult
        The permutation of each class, or the one of two classes.
    network_ : SampledNetwork
        The scores as plain arrays.
    recipe_ : MultisetRecipe
        What the values are drawn by.
    storage_ : StorageSize
        How many bits the permutations take.
    n_units_ : int
        Hidden units.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str
        Names of the columns, if X had them.

    See Also
    --------
    PermutationNetworkRegressor : The same for numbers, with more on the method.
    SampledNetworkClassifier : Output weights of any value, and probabilities.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from solvenet import PermutationNetworkClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> PermutationNetworkClassifier(bits=1, random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> PermutationNetworkClassifier:
        """Search the permutations.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.
        y : array-like of shape (n_rows,)
            Class labels: numbers or strings.

        Returns
        -------
        PermutationNetworkClassifier
            Itself, fitted.

        Raises
        ------
        InvalidSettingError
            A setting out of range.
        InvalidDataError
            One class only.
        ValueError
            Data that scikit-learn refuses: NaN, other lengths, fewer than 2 rows.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        check_classes(self.classes_)
        signs = 2.0 * np.eye(len(self.classes_))[codes] - 1.0
        self._solve(X, signs[:, 1:] if len(self.classes_) == 2 else signs)
        return self

    def decision_function(self, X: Any) -> Array:
        """Return the scores.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_rows,) or (n_rows, n_classes)
            Of two classes the score of the second, positive where it is predicted.
        """
        scores = self._scores(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> Array:
        """Predict classes.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_rows,)
            Labels.
        """
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        labels: Array = self.classes_[best]
        return labels


def _units(Z: Array, n_units: int, seed: int) -> DenseMap:
    """Return units whose kinks cover the scaled inputs."""
    if Z.shape[1] == 1 and np.ptp(Z) > 0:
        return relu_pairs(np.linspace(Z.min(), Z.max(), n_units // 2))
    units = random_units(n_units, Z.shape[1], radius=1.0, random_state=seed)
    reach = float(np.quantile(np.abs(Z @ units.weights), _COVERED)) or 1.0
    return DenseMap(units.weights, reach * units.biases, units.activation)
