"""The problem: features, values that may only be rearranged, rows; and its result."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from solvenet._validation import check_finite
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.permutation.quadratic import Quadratic, Setting, as_rows, chunks, combined

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.features import FeatureMap


@dataclass(frozen=True, eq=False)
class PermutationResult:
    """A network whose output weights are a rearrangement of given values.

    ``f(x) = alpha + gamma * sum_j values[permutation[j]] * features(x)_j``.

    Attributes
    ----------
    features : FeatureMap
        The hidden units.
    values : array of shape (n_units,)
        The multiset, in the order in which it was given.
    permutation : array of shape (n_units,), int
        Unit j has the value ``values[permutation[j]]``. Equal values keep their order.
    gamma, alpha : float
        Output scale and shift.
    rmse, max_error : float
        Root mean squared and largest error on the rows of the problem.
    method : str
        The search that found it.
    reason : str
        Why this search, in words.
    seconds : float
        Wall time of the search.
    """

    features: FeatureMap = field(repr=False)
    values: Array = field(repr=False)
    permutation: Array = field(repr=False)
    gamma: float
    alpha: float
    rmse: float
    max_error: float
    method: str = "given"
    reason: str = ""
    seconds: float = 0.0

    @property
    def coef(self) -> Array:
        """The rearranged values, shape (n_units,)."""
        return np.asarray(self.values[self.permutation])

    def __call__(self, X: Array) -> Array:
        """Return the network's values, shape (rows,), at `X` of shape (rows, d) or (rows,)."""
        rows = as_rows(X)
        return self.alpha + self.gamma * combined(self.features, rows, self.coef)


@dataclass(frozen=True, eq=False)
class PermutationProblem:
    """Approximate targets by a network whose output weights may only be rearranged.

    Minimise ``mean_i (y_i - alpha - gamma * sum_j coef_j features(x_i)_j)^2`` over all
    rearrangements `coef` of `values`, and over the scale gamma and the shift alpha where these
    are free. For any `coef` free ones are eliminated exactly (variable projection).

    Parameters
    ----------
    features : FeatureMap
        The hidden units, such as :func:`~solvenet.permutation.relu_pairs`.
    values : array of shape (n_units,)
        The multiset, in any order; not all equal.
    X : array of shape (n_rows, d) or (n_rows,)
        Inputs.
    y : array of shape (n_rows,)
        Targets.
    gamma : float or "free", default="free"
        Output scale; a fixed one is not zero.
    alpha : float or "free", default="free"
        Output shift.

    Raises
    ------
    InvalidDataError
        For wrong shapes, NaN, a wrong number of values, all values equal, or features that are
        all constant on the rows.
    InvalidSettingError
        For a gamma or alpha that is neither a number nor "free".

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.permutation import PermutationProblem, equidistant, relu_pairs
    >>> x = np.linspace(-1, 1, 101)
    >>> units = relu_pairs(np.linspace(-1, 1, 10))
    >>> problem = PermutationProblem(units, equidistant(20), x, x**3)
    >>> problem.result(np.arange(20)).coef.shape
    (20,)
    """

    features: FeatureMap = field(repr=False)
    values: Array = field(repr=False)
    X: Array = field(repr=False)
    y: Array = field(repr=False)
    _: KW_ONLY
    gamma: Setting = "free"
    alpha: Setting = "free"

    def __post_init__(self) -> None:
        """Convert and check the arrays."""
        X, y = as_rows(self.X), np.asarray(self.y, dtype=np.float64)
        v = np.asarray(self.values, dtype=np.float64)
        for name, array in (("X", X), ("y", y), ("values", v)):
            check_finite(name, array)
            object.__setattr__(self, name, array)
        if y.shape != (len(X),) or not len(y):
            msg = f"y has shape {y.shape} and X {X.shape}; one target a row is wanted."
            raise InvalidDataError(msg)
        if X.shape[1] != self.features.n_features_in:
            msg = f"X has {X.shape[1]} columns and the features take {self.features.n_features_in}."
            raise InvalidDataError(msg)
        self._check_values(v)
        for name in ("gamma", "alpha"):
            object.__setattr__(self, name, _setting(name, getattr(self, name)))
        if len(X) > 1 and not self._varies():
            msg = "No feature varies over the rows of X: knots and inputs lie apart."
            raise InvalidDataError(msg)

    def _varies(self) -> bool:
        first: Array | None = None
        for _, A in chunks(self.features, self.X):
            first = A[0] if first is None else first
            if np.any(first != A):
                return True
        return False

    def _check_values(self, v: Array) -> None:
        n_units = self.features.n_features_out
        if v.shape != (n_units,):
            msg = (
                f"values of shape {v.shape} were given; the features need {n_units}, "
                "one a unit (2n for n knots)."
            )
            raise InvalidDataError(msg)
        if len(v) > 1 and np.all(v == v[0]):
            msg = (
                f"All {len(v)} values equal {v[0]}: every rearrangement is the same network. "
                "Give values that differ."
            )
            raise InvalidDataError(msg)

    @property
    def n_units(self) -> int:
        """Number of units, and of values."""
        return len(self.values)

    @cached_property
    def quadratic(self) -> Quadratic:
        """The error as a function of the coefficients: the Gram matrix and its vector."""
        return Quadratic.of(self)

    def with_target(self, y: Array) -> PermutationProblem:
        """Return the problem of another target on the same rows; the Gram matrix is shared.

        Parameters
        ----------
        y : array of shape (n_rows,)
            Targets.

        Returns
        -------
        PermutationProblem
            With the same settings.
        """
        other = replace(self, y=y)
        if "quadratic" in self.__dict__:
            other.__dict__["quadratic"] = self.quadratic.with_target(self, other.y)
        return other

    def scaled(self, coef: Array) -> tuple[float, float]:
        """Return the best gamma and alpha for these coefficients, or the fixed ones.

        Parameters
        ----------
        coef : array of shape (n_units,)
            Any numbers.

        Returns
        -------
        gamma, alpha : float
            By least squares on the rows (variable projection).
        """
        return self._scale(combined(self.features, self.X, coef))

    def _scale(self, z: Array) -> tuple[float, float]:
        z_mean, y_mean = 0.0, float(self.alpha) if self.alpha != "free" else 0.0
        if self.alpha == "free":
            z_mean, y_mean = float(z.mean()), float(self.y.mean())
        gamma = self.gamma
        if gamma == "free":
            size = float((z - z_mean) @ (z - z_mean))
            gamma = float((z - z_mean) @ (self.y - y_mean)) / size if size > 0 else 0.0
        alpha = y_mean - gamma * z_mean if self.alpha == "free" else float(self.alpha)
        return float(gamma), alpha

    def error(self, coef: Array) -> float:
        """Return the root mean squared error of these coefficients, scaled by :meth:`scaled`."""
        z = combined(self.features, self.X, coef)
        gamma, alpha = self._scale(z)
        return math.sqrt(float(np.mean((self.y - alpha - gamma * z) ** 2)))

    def result(
        self, permutation: Array, *, method: str = "given", reason: str = "", seconds: float = 0.0
    ) -> PermutationResult:
        """Return the network of a permutation, with its errors on the rows.

        Parameters
        ----------
        permutation : array of shape (n_units,), int
            Unit j gets ``values[permutation[j]]``.
        method, reason : str
            Kept in the result.
        seconds : float
            Kept in the result.

        Returns
        -------
        PermutationResult
            Its errors are measured on the rows, not on the Gram matrix.
        """
        order = np.asarray(permutation)
        if order.shape != self.values.shape or not np.array_equal(
            np.sort(order), np.arange(len(order))
        ):
            msg = f"permutation must hold each of 0 to {self.n_units - 1} once."
            raise InvalidDataError(msg)
        z = combined(self.features, self.X, self.values[order])
        gamma, alpha = self._scale(z)
        residual = self.y - alpha - gamma * z
        return PermutationResult(
            features=self.features,
            values=self.values,
            permutation=order,
            gamma=gamma,
            alpha=alpha,
            rmse=math.sqrt(float(residual @ residual) / len(residual)),
            max_error=float(np.abs(residual).max()),
            method=method,
            reason=reason,
            seconds=seconds,
        )


def permutation_of(values: Array, coef: Array) -> Array:
    """Return the permutation with ``values[permutation] == coef``; equal values in order.

    Parameters
    ----------
    values, coef : array of shape (n_units,)
        The same numbers in two orders.

    Returns
    -------
    array of shape (n_units,), int
        Of a stable sort.

    Raises
    ------
    InvalidDataError
        Where `coef` is not a rearrangement of `values`.
    """
    permutation = np.empty(len(values), dtype=np.intp)
    permutation[np.argsort(coef, kind="stable")] = np.argsort(values, kind="stable")
    if np.shape(coef) != np.shape(values) or not np.array_equal(values[permutation], coef):
        msg = "The coefficients are not a rearrangement of the values."
        raise InvalidDataError(msg)
    return permutation


def _setting(name: str, value: object) -> Setting:
    if isinstance(value, str) and value == "free":
        return "free"
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not math.isfinite(value):  # type: ignore[arg-type]
        msg = f'{name}={value!r} was given; a finite number or "free" is wanted.'
        raise InvalidSettingError(msg)
    if name == "gamma" and value == 0:
        msg = 'gamma=0 was given: the network would be constant. Give another number or "free".'
        raise InvalidSettingError(msg)
    return float(value)  # type: ignore[arg-type]
