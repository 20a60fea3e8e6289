"""LaPerm as published: Adam, and every few epochs back to the arrangement of the same ranks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from solvenet._random import stream
from solvenet._validation import check_choice, check_count, check_nonnegative
from solvenet.errors import InvalidSettingError, UnsupportedProblemError
from solvenet.features import DenseMap
from solvenet.permutation import PermutationProblem, PermutationResult
from solvenet.torchnets.matching import rank_matched
from solvenet.torchnets.permuted import SCOPES

if TYPE_CHECKING:
    from solvenet._array_api import Array

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_REASON = "asked for: Adam with rank matching, as published"


@dataclass(frozen=True, eq=False)
class LaPermRun:
    """A network found by :func:`train_laperm`, and how.

    Attributes
    ----------
    result : PermutationResult
        The network, with gamma and alpha as trained.
    epochs : array of shape (n_permutations,), int
        After how many epochs the values were permuted.
    permutations : array of shape (n_permutations, n_units), int
        Then, as in `result`; with no rows unless ``history=True``.
    losses : array of shape (n_epochs,)
        Mean squared error of the batches of each epoch.
    """

    result: PermutationResult
    epochs: Array = field(repr=False)
    permutations: Array = field(repr=False)
    losses: Array = field(repr=False)


class LaPerm:
    """LaPerm for any torch module: call its ``step`` after each step of the optimiser.

    Every `period` steps each weight becomes the initial value of its rank; the state of the
    optimiser stays. Between two such steps training is free. For comparison: see
    :class:`PermutedLinear` for what trains few levels as well.

    Parameters
    ----------
    module : torch.nn.Module
        The values are those that its weights have now: of all parameters named ``weight``
        with at least two axes. Biases and normalisations are left alone, as published.
    scope : {"row", "layer"}, default="row"
        Whether values stay in their output unit or filter, as published, or may go anywhere
        in the layer.
    period : int, default=20
        Optimiser steps between two permutations. Too few, and the order never changes.

    Raises
    ------
    InvalidSettingError
        Another scope, a period below 1, or no weight to permute.

    References
    ----------
    Y. Qiu, R. Suda (2020), Train-by-reconnect: decoupling locations of weights from their
    values, NeurIPS 33, arXiv:2003.02570.

    Examples
    --------
    >>> import torch
    >>> from solvenet.torchnets import LaPerm
    >>> layer = torch.nn.Linear(3, 2)
    >>> optimiser, laperm = torch.optim.Adam(layer.parameters()), LaPerm(layer, period=1)
    >>> before = layer.weight.detach().sort().values
    >>> layer(torch.ones(1, 3)).sum().backward()
    >>> optimiser.step(); laperm.step()
    >>> bool((layer.weight.sort().values == before).all())
    True
    """

    def __init__(self, module: Any, *, scope: str = "row", period: int = 20) -> None:
        check_choice("scope", scope, SCOPES)
        self._period = check_count("period", period)
        self._steps = 0
        self._weights = [
            (weight, weight.detach().reshape(len(weight) if scope == "row" else 1, -1).sort(1)[0])
            for name, weight in module.named_parameters()
            if name.rpartition(".")[2] == "weight" and weight.ndim >= 2
        ]
        if not self._weights:
            msg = "The module has no weight of two or more axes to permute."
            raise InvalidSettingError(msg)

    def step(self) -> None:
        """Count an optimiser step, and permute after every `period` of them."""
        self._steps += 1
        if self._steps % self._period == 0:
            self.permute()

    def permute(self) -> None:
        """Give every weight the initial value of its rank now, as after the last step."""
        with torch.no_grad():
            for weight, values in self._weights:
                weight.copy_(rank_matched(weight, values))


def train_laperm(
    problems: PermutationProblem | Sequence[PermutationProblem],
    *,
    n_epochs: int = 6400,
    batch_size: int = 8,
    learning_rate: float = 1e-3,
    decay: float = 0.998,
    period: int = 5,
    relaxed: bool = False,
    history: bool = False,
    random_state: int = 0,
    dtype: str = "float32",
    progress: Callable[[int, Array], object] | None = None,
) -> list[LaPermRun]:
    """Search permutations by LaPerm, the published algorithm, for many problems at once.

    Adam on coefficients, gamma and alpha; every `period` epochs the coefficients become the
    value of their rank. It is what :func:`~solvenet.permutation.solve_permutation` is compared
    with, and far from it in error and time.

    Parameters
    ----------
    problems : PermutationProblem or sequence of them
        With ReLU units (:func:`~solvenet.permutation.relu_pairs` or others of one layer), and
        as many units, rows and inputs in all. Each begins with its values in the order in which
        they are, gamma = 1 and alpha uniform on [-1, 1], unless these are fixed.
    n_epochs : int, default=6400
        Passes over the rows.
    batch_size : int, default=8
        Rows a step.
    learning_rate, decay : float, default=1e-3, 0.998
        Of Adam, and its factor an epoch.
    period : int, default=5
        The published k: the first permutation follows after so many epochs, all others after
        one less, as in the published program.
    relaxed : bool, default=False
        Let k grow to ``ceil(k (2 - decay)**(epoch / 10))``.
    history : bool, default=False
        Keep every permutation.
    random_state : int, default=0
        Seed of alpha and of the order of the rows; each problem has its own stream.
    dtype : {"float32", "float64"}, default="float32"
        Of the training.
    progress : callable, optional
        Called after every epoch as ``progress(epoch, losses)``, with the losses of shape
        (n_problems,); training ends where it returns True.

    Returns
    -------
    list of LaPermRun
        One a problem.

    Raises
    ------
    InvalidSettingError
        A setting out of range, or no problem.
    UnsupportedProblemError
        Problems of different shapes, or units of another kind.

    Notes
    -----
    *Cost.* Twice ``n_epochs * n_rows * n_units`` multiplications a problem, but for small
    networks about 60 microseconds a step whatever their number: 25 problems of 1600 rows take
    about two minutes on one core, as one does.

    *Differences from the paper.* The last permutation follows after the last epoch; in the
    paper a few free epochs end the training, at a learning rate of 3e-9.

    References
    ----------
    Y. Cai, G. Chen, Z. Qiao (2025), Neural networks trained by weight permutation are
    universal approximators, Neural Networks 187, 107277, arXiv:2407.01033, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.permutation import PermutationProblem, equidistant, relu_pairs
    >>> from solvenet.torchnets import train_laperm
    >>> x = np.linspace(-1, 1, 64)
    >>> values = np.random.default_rng(0).permutation(equidistant(20))
    >>> problem = PermutationProblem(relu_pairs(np.linspace(-1, 1, 10)), values, x, x**3)
    >>> (run,) = train_laperm(problem, n_epochs=20)
    >>> run.epochs.tolist()
    [5, 9, 13, 17, 20]
    >>> bool(np.array_equal(np.sort(run.result.coef), equidistant(20)))
    True
    """
    given = [problems] if isinstance(problems, PermutationProblem) else list(problems)
    _check_problems(given)
    n_epochs, batch = check_count("n_epochs", n_epochs), check_count("batch_size", batch_size)
    rate, decay = check_nonnegative("learning_rate", learning_rate), float(decay)
    if not 0 < decay <= 1:
        msg = f"decay={decay!r} was given; a factor above 0 and up to 1 is wanted."
        raise InvalidSettingError(msg)
    check_count("period", period)
    check_choice("dtype", dtype, ("float32", "float64"))
    seed = check_count("random_state", random_state, minimum=0)
    start = time.perf_counter()
    state = _Networks(given, seed, getattr(torch, dtype))
    rng = stream(seed, "laperm", "rows")
    rows = np.tile(np.arange(len(given[0].y)), (len(given), 1))
    epochs, kept, last = [], [], 0
    # Filled, not appended to: small arrays between large ones that come and go cost memory.
    losses = np.empty((n_epochs, len(given)))
    with torch.inference_mode():
        for epoch in range(n_epochs):
            losses[epoch] = state.epoch(rng.permuted(rows, axis=1), batch, rate * decay**epoch)
            stop = (
                bool(progress(epoch + 1, losses[epoch].copy())) if progress is not None else False
            )
            k = math.ceil(period * (2 - decay) ** (epoch / 10)) if relaxed else period
            # A period of 1 is met in the published program by relaxing it: every epoch.
            due = epoch + 1 - last >= k
            if due or stop or epoch + 1 == n_epochs:
                last = epoch
                epochs.append(epoch + 1)
                order = state.permute()
                if history:
                    kept.append(order)
            if stop:
                break
    seconds = time.perf_counter() - start
    permutations = np.stack(kept, axis=1) if kept else np.empty((len(given), 0, state.n_units), int)
    found = state.results(given, order, seconds)
    return [
        LaPermRun(result, np.array(epochs), permutations[i], losses[: epochs[-1], i])
        for i, result in enumerate(found)
    ]


class _Networks:
    """Many networks of one shape, their parameters in one matrix, and Adam on it.

    Written out by hand: a step of torch's own Adam and of autograd costs ten times as much
    for networks of this size.
    """

    def __init__(self, problems: Sequence[PermutationProblem], seed: int, dtype: Any) -> None:
        def tensor(arrays: list[Array]) -> Any:
            return torch.as_tensor(np.stack(arrays), dtype=dtype)

        maps = [problem.features for problem in problems]
        self.weights = tensor([m.weights for m in maps])  # type: ignore[attr-defined]
        self.biases = tensor([m.biases for m in maps])[:, None]  # type: ignore[attr-defined]
        self.X, self.y = (tensor([getattr(p, name) for p in problems]) for name in ("X", "y"))
        self.index = torch.arange(len(problems))[:, None]
        self.sorters = np.stack([np.argsort(p.values, kind="stable") for p in problems])
        starts = [np.r_[p.values, *_start(p, seed, i)] for i, p in enumerate(problems)]
        self.parameters = tensor(starts)
        self.n_units = n = self.parameters.shape[1] - 2
        self.values = tensor([np.sort(p.values) for p in problems])
        self.free = tensor([np.r_[p.gamma == "free", p.alpha == "free"] for p in problems])
        self.gradient = torch.zeros_like(self.parameters)
        self.first = torch.zeros_like(self.parameters)
        self.second = torch.zeros_like(self.parameters)
        self.coef, self.gamma, self.alpha = self.parameters.split([n, 1, 1], dim=1)
        self.n_steps = 0

    def epoch(self, rows: Array, batch: int, rate: float) -> Array:
        """Take a pass over the rows of each network in these orders; return mean losses."""
        order = torch.from_numpy(rows)
        X, y = self.X[self.index, order], self.y[self.index, order]
        total = torch.zeros(len(y), dtype=y.dtype)
        for xs, ys in zip(X.split(batch, dim=1), y.split(batch, dim=1), strict=True):
            self._step(xs, ys, rate, total)
        losses: Array = (total / y.shape[1]).double().numpy()
        return losses

    def _step(self, x: Any, y: Any, rate: float, total: Any) -> None:
        gradient, n = self.gradient, self.n_units
        H = torch.baddbmm(self.biases, x, self.weights).relu_()
        z = torch.bmm(H, self.coef[:, :, None])[:, :, 0]
        residual = torch.addcmul(self.alpha, self.gamma, z).sub_(y)
        total.add_((residual * residual).sum(dim=1))
        residual.mul_(2.0 / y.shape[1])
        torch.mul(torch.bmm(residual[:, None], H)[:, 0], self.gamma, out=gradient[:, :n])
        torch.sum(residual * z, dim=1, out=gradient[:, n])
        torch.sum(residual, dim=1, out=gradient[:, n + 1])
        gradient[:, n:].mul_(self.free)
        self.n_steps += 1
        self.first.lerp_(gradient, 1 - _BETA_1)
        self.second.mul_(_BETA_2).addcmul_(gradient, gradient, value=1 - _BETA_2)
        unbiased = 1.0 / math.sqrt(1 - _BETA_2**self.n_steps)
        size = self.second.sqrt().mul_(unbiased).add_(_EPSILON)
        self.parameters.addcdiv_(self.first, size, value=-rate / (1 - _BETA_1**self.n_steps))

    def permute(self) -> Array:
        """Give every coefficient the value of its rank; return the permutations."""
        order = self.coef.argsort(dim=1, stable=True)
        self.coef.scatter_(1, order, self.values)
        permutations = np.empty_like(self.sorters)
        np.put_along_axis(permutations, order.numpy(), self.sorters, axis=1)
        return permutations

    def results(
        self, problems: Sequence[PermutationProblem], permutations: Array, seconds: float
    ) -> list[PermutationResult]:
        """Return the networks with their errors, in float64."""
        scales = self.parameters[:, self.n_units :].double().tolist()
        found = []
        for problem, order, (gamma, alpha) in zip(problems, permutations, scales, strict=True):
            refitted = problem.result(order, method="laperm", reason=_REASON, seconds=seconds)
            trained = replace(refitted, gamma=gamma, alpha=alpha)
            errors = problem.y - trained(problem.X)
            size, largest = math.sqrt(float(np.square(errors).mean())), float(abs(errors).max())
            found.append(replace(trained, rmse=size, max_error=largest))
        return found


def _start(problem: PermutationProblem, seed: int, i: int) -> tuple[float, float]:
    alpha = stream(seed, "laperm", "alpha", i).uniform(-1, 1)
    return (
        1.0 if problem.gamma == "free" else float(problem.gamma),
        float(alpha) if problem.alpha == "free" else float(problem.alpha),
    )


def _check_problems(problems: Sequence[PermutationProblem]) -> None:
    if not problems:
        msg = "No problem was given; at least one PermutationProblem is wanted."
        raise InvalidSettingError(msg)
    for problem in problems:
        units = problem.features
        if not isinstance(units, DenseMap) or units.activation.name != "relu":
            msg = (
                f"Units of type {type(units).__name__} were given; LaPerm trains one layer of ReLU "
                "units, such as relu_pairs or random_units give."
            )
            raise UnsupportedProblemError(msg)
    shapes = sorted({(p.n_units, *p.X.shape) for p in problems})
    if len(shapes) > 1:
        msg = (
            f"Problems of (units, rows, inputs) = {shapes} were given; those of one call have "
            "one shape. Call once for each."
        )
        raise UnsupportedProblemError(msg)
