"""Regression by structured multi-component, multi-layer networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from solvenet._validation import check_choice, check_count
from solvenet.structured import MMNNResult, grow_mmnn, random_mmnn, solve_mmnn

if TYPE_CHECKING:
    from solvenet._array_api import Array

MARGIN = 0.1
"""Inputs are moved back to so far outside the training data, as a share of their range."""

_ROWS_PER_PARAMETER = 2
_WIDEST = 100


class MMNNRegressor(RegressorMixin, BaseEstimator):
    """Regression by a composition of shallow networks with few channels between them.

    The network is solved by Levenberg-Marquardt steps on all rows, or on fresh rows each step
    where there are many, and compared with solved shallow networks on rows held out: the
    better is kept, and `result_` says which and why. Good for sharp detail of few inputs.

    Parameters
    ----------
    width : int or "auto", default="auto"
        Units of each layer; "auto" has one parameter for two targets, 5 to 100 units.
    rank : int or "auto", default=5
        Channels between layers, at most the width. With rank or depth "auto" the network grows
        until no mode of its residual falls any more: see
        :func:`solvenet.structured.grow_mmnn`. That takes some fifteen times as long.
    depth : int or "auto", default=3
        Number of layers.
    activation : str, default="tanh"
        A name of ``solvenet.features.ACTIVATIONS``.
    residual : bool, default=False
        Whether hidden layers add their inputs.
    fixed : bool, default=True
        Whether the random inner weights stay as they are.
    method : {"auto", "lm", "als", "spring", "shallow"}, default="auto"
        See :func:`solvenet.structured.solve_mmnn`.
    max_steps : int, optional
        Steps of the method.
    random_state : int, RandomState or None, default=None
        Seed of weights and samples.

    Attributes
    ----------
    result_ : MMNNResult
        The fitted function, with history, reason and what to do next.
    growth_ : Growth
        Sizes that were tried; where rank or depth is "auto".
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str
        Names of the columns, if X had them.

    See Also
    --------
    SampledNetworkRegressor : One solve, for tables of any size.

    Notes
    -----
    Inputs far outside the training data are moved to their edge.

    References
    ----------
    S. Zhang, H. Zhao, Y. Zhong, H. Zhou (2024), arXiv:2407.00765, trained there by Adam.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import MMNNRegressor
    >>> X = np.linspace(-1, 1, 300)[:, None]
    >>> y = np.tanh(20 * X[:, 0])
    >>> model = MMNNRegressor(max_steps=20, random_state=0).fit(X, y)
    >>> bool(abs(model.predict(X) - y).max() < 1e-3)
    True
    """

    def __init__(
        self,
        width: int | str = "auto",
        rank: int | str = 5,
        depth: int | str = 3,
        *,
        activation: str = "tanh",
        residual: bool = False,
        fixed: bool = True,
        method: str = "auto",
        max_steps: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.width = width
        self.rank = rank
        self.depth = depth
        self.activation = activation
        self.residual = residual
        self.fixed = fixed
        self.method = method
        self.max_steps = max_steps
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Declare what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> MMNNRegressor:
        """Solve the network.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Inputs.
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
            Targets.

        Returns
        -------
        MMNNRegressor
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
        y = y.astype(np.float64)
        self._shape = y.shape[1:]
        Y = y.reshape(len(y), -1)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        low, high = X.min(axis=0), X.max(axis=0)
        middle, half = (low + high) / 2, (high - low) / 2
        half = np.where(half > 0, half, 1.0)
        settings: dict[str, Any] = {
            "activation": self.activation,
            "residual": self.residual,
            "fixed": self.fixed,
            "low": middle - half,
            "high": middle + half,
            "random_state": seed,
        }
        grows = "auto" in (self.rank, self.depth)
        if grows:
            sizes: dict[str, Any] = {n: self._size(n) for n in ("width", "rank", "depth")}
            self.growth_ = grow_mmnn(X, Y, **sizes, **settings)
            network = self.growth_.result.network
            assert network is not None
        else:
            size: tuple[Any, ...] = (self._width(Y), self.rank, self.depth)
            network = random_mmnn(*size, n_inputs=X.shape[1], n_outputs=Y.shape[1], **settings)
        self.result_: MMNNResult = solve_mmnn(
            network,
            X,
            Y,
            method=self.method,
            max_steps=self.max_steps,
            prepare=not grows,
            random_state=seed,
        )
        self._reach = middle - (1 + MARGIN) * half, middle + (1 + MARGIN) * half
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
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.values(X)

    def values(self, X: Array) -> Array:
        """Return predictions for rows that were checked, as float64 of shape (n_rows, n_inputs)."""
        return self.result_(np.clip(X, *self._reach)).reshape(len(X), *self._shape)

    def _size(self, name: str) -> int | None:
        """Return a size that was given; None where it is to be found."""
        value = getattr(self, name)
        if isinstance(value, str):
            check_choice(name, value, ("auto",))
            return None
        return check_count(name, value)

    def _width(self, Y: Array) -> int:
        width = self._size("width")
        if width is not None:
            return width
        rank = check_count("rank", self.rank)
        channels = rank * (check_count("depth", self.depth) - 1)
        wanted: int = Y.size // (_ROWS_PER_PARAMETER * (channels + Y.shape[1])) - 1
        return int(max(rank, 5, min(_WIDEST, wanted)))
