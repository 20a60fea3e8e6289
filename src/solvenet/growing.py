"""A network that grows: new units are sampled where the old ones leave an error."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count, check_finite, check_nonnegative
from solvenet.blocks import MappedBlocks, as_row_blocks
from solvenet.features import (
    SWIM,
    Activation,
    DenseMap,
    FeatureSampler,
    LayeredMap,
    get_activation,
)
from solvenet.features.rows import row_set
from solvenet.features.scaling import scale_inputs
from solvenet.linalg.accuracy import column_norms
from solvenet.linalg.rank import relative_cutoff
from solvenet.linalg.regularization import SelectionCurve
from solvenet.networks import HiddenMap, Readout, SampledNetwork
from solvenet.solvers import DeflatedBasis, SolveResult, StopReason
from solvenet.solvers.approximate import History
from solvenet.solvers.audit import audit_solution
from solvenet.solvers.deflated import restricted_solution
from solvenet.solvers.problem import make_problem

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class Growth:
    """A network that was grown, and how.

    Attributes
    ----------
    network : SampledNetwork
        The network, with the uncertainty of its weights.
    result : SolveResult
        The solution of its read-out. ``result.curve`` holds the leave-one-out error (mean
        squared, over the variance of the targets) against the number of units,
        ``result.history`` the norms of the residuals.
    """

    network: SampledNetwork
    result: SolveResult


def grow_network(
    X: Any,
    y: Any,
    *,
    n_units_per_step: int = 100,
    max_units: int = 1000,
    activation: str | Activation | Callable[[Array], Array] = "tanh",
    sampler: FeatureSampler | None = None,
    scaling: str | None = "columns",
    weights: Any = None,
    rcond: float = 1e-12,
    tolerance: float = 0.0,
    patience: int = 2,
    seed: int = 0,
) -> Growth:
    """Grow a network of one hidden layer until leave-one-out stops falling.

    In each step units are sampled for the residual of those before them instead of for
    the targets, and deflated (:class:`solvenet.solvers.DeflatedBasis`): nothing is solved
    again. The weights of all units follow at the end by back substitution.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Inputs.
    y : array-like of shape (n_rows,) or (n_rows, n_targets)
        Targets.
    n_units_per_step : int, default=100
        Units of a step. Fewer follow the residual more closely and cost more.
    max_units : int, default=1000
        Most units.
    activation : str, Activation or callable, default="tanh"
        Of the units.
    sampler : FeatureSampler, default=SWIM()
        What samples units.
    scaling : {"columns", "isotropic"} or None, default="columns"
        Of the inputs, as in the estimators.
    weights : array-like of shape (n_rows,), optional
        Weights of the rows: as many repetitions.
    rcond : float, default=1e-12
        What is left of a step's features below ``rcond`` of the largest norm of a step
        is left out.
    tolerance : float, default=0.0
        Stop as soon as the leave-one-out error, root mean square over the standard
        deviation of the targets, is at most this.
    patience : int, default=2
        Stop when the leave-one-out error has not fallen for so many steps, and take
        these back.
    seed : int, default=0
        Of the sampling.

    Returns
    -------
    Growth
        The network and its solution.

    Notes
    -----
    *Cost.* For m units in k steps with rank r on n rows, besides the sampling:
    ``4 n r (m + r) + 6 n m**2 / k + 20 r**3`` flops, as :class:`solvenet.DeflatedSplit`; memory
    ``8 n (r + 4 m / k)`` bytes.

    *When not to use.* Where the width is known and the rank is near it: sampling all units
    at once and solving by QR costs less.

    References
    ----------
    Y. Wang, C.-Y. Lai (2024), Multi-stage neural networks, J. Comput. Phys. 504, 112865,
    arXiv:2307.08934, for stages that fit the residual of those before;
    E. Bolager et al. (2023), NeurIPS 36, arXiv:2306.16830, for the sampling.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.growing import grow_network
    >>> X = np.linspace(0, 1, 200)[:, None]
    >>> growth = grow_network(X, np.sin(6 * X), n_units_per_step=10, tolerance=1e-5)
    >>> growth.result.curve.values
    array([10., 20., 30.])
    >>> bool(abs(growth.network(X) - np.sin(6 * X)).max() < 1e-4)
    True
    """
    started = time.perf_counter()
    step = check_count("n_units_per_step", n_units_per_step)
    most = check_count("max_units", max_units)
    patience = check_count("patience", patience)
    tolerance = check_nonnegative("tolerance", tolerance)
    function, sampler = get_activation(activation), sampler or SWIM()
    X = np.asarray(X, dtype=np.float64)
    check_finite("X", X)
    problem = make_problem(as_row_blocks(X), y, 0.0, rcond, True, weights, None)
    w = problem.weights
    n_steps = -(-most // step)
    cutoff = relative_cutoff(rcond, X.shape, X.dtype) / n_steps**0.5
    basis = DeflatedBasis(problem.B, weights=w, intercept=True, cutoff=cutoff)
    inputs = scale_inputs(X, w, scaling, clip=scaling is not None)
    # Which rows are repetitions is decided by the data, not by residuals and their rounding.
    rows = row_set(X, problem.B, w, inputs=inputs)
    layers: list[DenseMap] = []
    norms, scores = [column_norms(basis.residual)], np.empty(0)
    for number in range(n_steps):
        layer = sampler.sample(
            X,
            basis.errors,
            min(step, most - number * step),
            activation=function,
            rows=rows,
            previous=inputs,
            seed=int(stream(seed, "growth", number).integers(2**31)),
        )
        layers.append(layer)
        basis.append(layer(inputs(X)))
        norms.append(column_norms(basis.residual))
        scores = np.append(scores, basis.leave_one_out())
        if len(scores) - 1 - scores.argmin() >= patience or scores[-1] <= tolerance**2:
            break
    best = int(scores.argmin()) + 1
    while basis.n_parts > best:
        basis.forget()
    hidden = HiddenMap(inputs, LayeredMap((_joined(layers[:best]),)))
    source = MappedBlocks(as_row_blocks(X), hidden, hidden.n_features_out, into=True)
    problem = problem.with_matrix(source)
    raw = restricted_solution(
        problem,
        basis.factorization(),
        solver="grow_network",
        reason=f"{best} steps of {step} units, each sampled for the residual of those before",
        n_passes=len(layers),
    )
    if best < len(layers):
        raw.stop_reason = StopReason.STOPPED_EARLY
    raw.history = History(np.array(norms))
    widths = np.cumsum([layer.n_features_out for layer in layers]).astype(np.float64)
    raw.curve = SelectionCurve("units", widths, scores, best - 1, len(X))
    raw.seconds["solve"] = time.perf_counter() - started
    result = audit_solution(problem, raw, "auto", one_target=np.ndim(y) == 1)
    return Growth(SampledNetwork(hidden, _readout(result)), result)


def _joined(layers: list[DenseMap]) -> DenseMap:
    """Return one layer of all these units."""
    return DenseMap(
        np.concatenate([layer.weights for layer in layers], axis=1),
        np.concatenate([layer.biases for layer in layers]),
        layers[0].activation,
    )


def _readout(result: SolveResult) -> Readout:
    coef = result.coef.reshape(len(result.coef), -1)
    return Readout(
        coef,
        np.broadcast_to(np.atleast_1d(result.intercept), coef.shape[1:]).astype(np.float64),
        root=result.covariance_root(),
        center=result.column_means,
        noise_variance=result.noise_variance,
        n_rows=result.n_rows,
    )
