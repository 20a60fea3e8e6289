"""Watch the training of any torch model mode by mode: what it has learned, what it has not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.func import functional_call, jacrev, vmap

from solvenet._validation import check_count, check_finite
from solvenet.analysis import RemainingTime, predict_remaining
from solvenet.errors import InvalidDataError, InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array

_MOST_ROWS = 512
_ONTO = 1e-8


class ModewiseResidual:
    """A callback that records the residual of a torch model on orthonormal modes.

    Call it with the model, in the loop of your own training. The residual on a mode that is
    learned falls; the modes that stay say what the network is slow at. To see it:
    ``solvenet.plots.plot_residual_modes(watch.steps, watch.projections)``.

    Parameters
    ----------
    X : array-like or Tensor of shape (n_rows, d) or (n_rows,)
        Rows on which the residual is looked at: a tensor as the model wants it, or an array, which
        is given to the model in the dtype and on the device of its parameters, one number a
        row as a column.
    y : array-like or Tensor of shape (n_rows,) or (n_rows, 1)
        Their targets.
    modes : {"cosines", "tangent"} or array of shape (n_rows, p), default="cosines"
        ``"cosines"``: ``cos(k pi t)`` of the place t in [0, 1] of the only input, k = 0, 1, ...
        orthonormalised on the rows. ``"tangent"``: eigenvectors of the tangent kernel of `model`
        as it is given here, the modes that gradient descent learns one by one, fastest first
        (at most 512 rows). An array: functions of yours on the rows, orthonormalised in order.
    n_modes : int, default=16
        How many of the named modes.
    every : int, default=1
        Record at every so many calls.
    model : torch.nn.Module, optional
        For ``"tangent"``.

    Attributes
    ----------
    steps : array of shape (n_records,), int
        Calls, or the steps that were given.
    projections : array of shape (n_records, n_modes)
        Inner products of the residual ``y - model(X)`` with the modes.
    losses : array of shape (n_records,)
        Mean squared residual.
    frequency : array of shape (n_modes,)
        Half waves k of cosines across the rows; the number of the mode for others.

    Raises
    ------
    InvalidDataError
        Shapes that do not match, values that are not finite, modes that depend on each other.
    InvalidSettingError
        Unknown modes, cosines of several inputs, ``"tangent"`` without a model.

    Notes
    -----
    Watching leaves no trace: the model is evaluated in its evaluation mode (no dropout, no update
    of batch statistics), without gradients, and set back.

    *Cost.* A forward pass over the rows a record; the tangent kernel once, n_rows backward
    passes.

    Examples
    --------
    >>> import torch
    >>> from solvenet.torchnets import ModewiseResidual
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> y = torch.sin(3 * x)
    >>> model = torch.nn.Linear(1, 1)
    >>> watch = ModewiseResidual(x, y, n_modes=4)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> for step in range(20):
    ...     optimizer.zero_grad()
    ...     loss = torch.mean((model(x) - y) ** 2)
    ...     loss.backward()
    ...     _ = optimizer.step()
    ...     watch(model)
    >>> watch.projections.shape
    (20, 4)
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        *,
        modes: Any = "cosines",
        n_modes: int = 16,
        every: int = 1,
        model: Any = None,
    ) -> None:
        self._given = isinstance(X, torch.Tensor)
        self._X = X if self._given else torch.as_tensor(np.asarray(X))
        self._y = _numbers(y)
        if len(self._X) != len(self._y) or len(self._y) < 2:
            msg = (
                f"X of shape {tuple(self._X.shape)} and y of {len(self._y)} values were given; a "
                "target a row, and at least two rows, are wanted."
            )
            raise InvalidDataError(msg)
        check_finite("y", self._y)
        self.every = check_count("every", every)
        count = min(check_count("n_modes", n_modes), len(self._y))
        functions = self._functions(modes, count, model)
        self.modes, R = np.linalg.qr(functions)
        sizes = np.abs(np.diag(R))
        dependent = np.flatnonzero(sizes <= _ONTO * sizes.max())
        if len(dependent):
            msg = (
                f"Mode {dependent[0]} is a combination of those before it on these rows. "
                "Give fewer modes, or more rows."
            )
            raise InvalidDataError(msg)
        self.frequency = np.arange(functions.shape[1], dtype=np.float64)
        self._calls = 0
        self._records: list[tuple[int, float, Array]] = []

    def __call__(self, model: Any, step: int | None = None) -> None:
        """Record the residual of a model.

        Parameters
        ----------
        model : callable
            From X to outputs of shape (n_rows,) or (n_rows, 1); a torch module.
        step : int, optional
            Number of the step; by default calls are counted.
        """
        self._calls += 1
        if (self._calls - 1) % self.every:
            return
        found = _predicted(model, self._X, self._given)
        if len(found) != len(self._y):
            msg = f"The model returned {len(found)} values for {len(self._y)} rows, not one each."
            raise InvalidDataError(msg)
        residual = self._y - found
        at = self._calls if step is None else int(step)
        self._records.append((at, float(np.mean(residual**2)), self.modes.T @ residual))

    @property
    def steps(self) -> Array:
        """Steps of the records, shape (n_records,)."""
        return np.array([step for step, _, _ in self._records], dtype=np.int64)

    @property
    def losses(self) -> Array:
        """Mean squared residuals, shape (n_records,)."""
        return np.array([loss for _, loss, _ in self._records])

    @property
    def projections(self) -> Array:
        """Residual on the modes, shape (n_records, n_modes)."""
        kept = [projection for _, _, projection in self._records]
        return np.array(kept).reshape(len(kept), len(self.frequency))

    def remaining(self, tolerance: float) -> RemainingTime:
        """Predict how many steps are left, by the rates at which the modes now fall.

        Parameters
        ----------
        tolerance : float
            Wanted residual on the modes, relative to that of the first record.

        Returns
        -------
        RemainingTime
            In steps; see :func:`solvenet.analysis.predict_remaining`.

        Raises
        ------
        InvalidDataError
            There are fewer than eight records.
        """
        return predict_remaining(self.steps, self.projections, tolerance=tolerance)

    def state(self) -> dict[str, Array]:
        """Return calls and records as arrays, for checkpoints.

        Returns
        -------
        dict of str to array
            What :meth:`restore` takes.
        """
        return {
            "calls": np.array(self._calls),
            "steps": self.steps,
            "losses": self.losses,
            "projections": self.projections,
        }

    def restore(self, state: dict[str, Array]) -> None:
        """Go on from what :meth:`state` returned.

        Parameters
        ----------
        state : dict of str to array
            Of a residual with the same rows and modes.
        """
        self._calls = int(state["calls"])
        columns = (state["steps"].tolist(), state["losses"].tolist(), state["projections"])
        self._records = list(zip(*columns, strict=True))

    def _functions(self, modes: Any, count: int, model: Any) -> Array:
        """Return the modes on the rows before they are made orthonormal."""
        if not isinstance(modes, str):
            given = np.asarray(modes, dtype=np.float64)
            n = len(self._y)
            if given.ndim != 2 or given.shape[0] != n or not 0 < given.shape[1] <= n:
                msg = f"Modes of shape {given.shape} were given; ({n}, p), p <= {n}, is wanted."
                raise InvalidDataError(msg)
            check_finite("modes", given)
            return given
        if modes == "cosines":
            x = _numbers(self._X) if self._X[0].numel() == 1 else None
            if x is None:
                msg = (
                    f"Cosines of {self._X[0].numel()} inputs are not defined. Use modes="
                    '"tangent" with model=..., or give functions of yours.'
                )
                raise InvalidSettingError(msg)
            place = (x - x.min()) / max(float(np.ptp(x)), 1e-300)
            return np.asarray(np.cos(np.pi * place[:, None] * np.arange(count)))
        if modes != "tangent":
            msg = f"modes={modes!r} is unknown. Use 'cosines', 'tangent' or an array."
            raise InvalidSettingError(msg)
        if model is None or len(self._y) > _MOST_ROWS:
            msg = (
                f"The tangent kernel needs model=..., and at most {_MOST_ROWS} rows "
                f"({len(self._y)} were given)."
            )
            raise InvalidSettingError(msg)
        rows = _as_wanted(model, self._X, self._given)
        _, vectors = np.linalg.eigh(tangent_kernel(model, rows))
        return np.ascontiguousarray(vectors[:, ::-1][:, :count])


def tangent_kernel(model: Any, X: Any) -> Array:
    """Return the tangent kernel of a torch model with one output on some rows.

    Parameters
    ----------
    model : torch.nn.Module
        From (n_rows, ...) to (n_rows,) or (n_rows, 1).
    X : Tensor of shape (n_rows, ...)
        Rows.

    Returns
    -------
    array of shape (n_rows, n_rows)
        ``J J'`` with the Jacobian J of the outputs in all parameters that are trained.
    """
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}

    def output(parameters: Any, row: Any) -> Any:
        return functional_call(model, parameters, (row[None],)).sum()

    with _evaluating(model):
        jacobian = vmap(jacrev(output), (None, 0))(trained, X)
    K = 0.0
    for part in jacobian.values():
        J = part.reshape(len(X), -1).double()
        K = K + J @ J.T
    return np.asarray(K)


def _predicted(model: Any, X: Any, given: bool) -> Array:
    """Return the outputs of a model, which stays as it is."""
    with torch.no_grad(), _evaluating(model):
        return _numbers(model(_as_wanted(model, X, given)))


def _as_wanted(model: Any, X: Any, given: bool) -> Any:
    """Return rows that came as an array in the dtype and on the device of a model."""
    parameter = next(iter(model.parameters()), None) if isinstance(model, torch.nn.Module) else None
    if given or parameter is None:
        return X
    rows = X if X.ndim > 1 else X[:, None]
    return rows.to(parameter.device, parameter.dtype)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Set a model to evaluation for a while, part by part back to what it was."""
    parts = model.modules() if isinstance(model, torch.nn.Module) else ()
    training = [module for module in parts if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _numbers(values: Any) -> Array:
    """Return a number a row as float64."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    array = np.asarray(values, dtype=np.float64)
    if array.ndim > 1 and array[0].size != 1:
        msg = f"Values of shape {array.shape} were given; one number a row is wanted."
        raise InvalidDataError(msg)
    return array.reshape(len(array))
