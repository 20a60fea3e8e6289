"""Iterative Hessian sketch: the Gram matrix of some rows, the gradient of all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from solvenet._random import stream
from solvenet._validation import check_count, check_nonnegative
from solvenet.blocks.planning import rows_per_block
from solvenet.linalg.leave_one_out import relative_squares
from solvenet.linalg.products import multiply
from solvenet.linalg.rank import GRAM_RESOLUTION
from solvenet.linalg.regularization import SelectionCurve, pick, ratio_grid
from solvenet.reductions import GramReduction, Reduction
from solvenet.solvers._base import EVERYTHING, Cost, Needs, Solver, Supports
from solvenet.solvers.approximate import History
from solvenet.solvers.audit import RawSolution
from solvenet.solvers.factorization import SpectralFactorization, spectral_from_gram
from solvenet.solvers.normal import NormalEquations
from solvenet.solvers.passes import Pass, one_pass
from solvenet.solvers.problem import Problem, check_state
from solvenet.solvers.result import StopReason

if TYPE_CHECKING:
    from solvenet._array_api import Array

FEWEST_PER_COLUMN = 64
"""Rows a column that a Gram matrix of some rows must have to stand for that of all."""

PROBES = 4
"""Random vectors that measure how well it does."""

_NEAR_BYTES = 2**20
"""Rows of this size stay in the nearest cache of one processor."""

WORST_CONTRACTION = 0.25
"""Share of the excess that a pass may leave; beyond, some rows are like no others."""


@dataclass(frozen=True)
class HessianSketch(Solver):
    """Gram matrix of a sample of the rows, then gradient steps with all of them.

    For very many rows and a ridge: rounds of one pass each, at the price of a product with a
    vector instead of a Gram matrix. The sample gives the ridge, the first solution and
    the metric of the steps; each pass gives the exact gradient. How much a step leaves is
    measured with random vectors in the same pass, and the solver stops where the distance to
    the exact solution is a small part of the standard error of that solution.

    Parameters
    ----------
    tolerance : float, default=0.01
        Stop where ``||A (w - w*)||^2`` is at most this share of what noise adds to it,
        ``variance * degrees of freedom``. With n rows a column, errors of predictions are then
        at most ``tolerance / n`` above those of the exact solution, relatively; 0.01 stops
        within a tenth of the standard error of w.
    rows_per_column : int, default=1024
        Most rows of the sample a column; a tenth of all rows if that is less.
    max_passes : int, default=8
        Passes, after which the Gram matrix of all rows is formed.
    seed : int, default=0
        Of the random vectors.

    Notes
    -----
    With m sampled rows and n columns a pass leaves about n / m of the excess. If the rows are
    too uneven for a sample, which the first pass tells, NormalEquations takes over.
    The residual is that of the last pass, less what its step takes away.

    *Cost.* Two passes over all rows as a rule, ``4 n_rows n_cols`` flops each, and
    ``m n_cols**2`` for the sample; memory ``8 * 6 n_cols**2`` bytes and two blocks.

    *When not to use.* Without a ridge, or for few rows, where NormalEquations does the
    work; for errors below 1e-7.

    References
    ----------
    M. Pilanci, M. Wainwright (2016), Iterative Hessian sketch, JMLR 17, 1-38. Here the rows
    are sampled, one sketch serves all rounds, and the rate is measured.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.solvers import HessianSketch, NormalEquations
    >>> rng = np.random.default_rng(0)
    >>> A, noise = rng.standard_normal((20_000, 5)), rng.standard_normal(20_000)
    >>> y = A.sum(axis=1) + noise
    >>> fast = HessianSketch().solve(A, y, alpha=1.0)
    >>> exact = NormalEquations().solve(A, y, alpha=1.0)
    >>> bool(abs(fast.coef - exact.coef).max() < 1e-3)
    True
    """

    tolerance: float = 0.01
    rows_per_column: int = 1024
    max_passes: int = 8
    seed: int = 0

    needs: ClassVar[Needs] = Needs.MANY_PASSES
    supports: ClassVar[Supports] = EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve that takes two passes."""
        m = self.sample_rows(n_rows, n_cols)
        flops = 1.0 * m * n_cols**2 + 9.0 * n_cols**3
        flops += 8.0 * n_rows * n_cols * (n_targets + PROBES)
        return Cost(flops, 3, 8 * n_cols * (6 * n_cols + 4 * n_targets))

    def sample_rows(self, n_rows: int, n_cols: int) -> int:
        """Return how many rows the Gram matrix is formed of."""
        return min(n_rows // 10, self.rows_per_column * n_cols)

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what this solver cannot do."""
        super().check(problem, audit=audit)
        check_nonnegative("tolerance", self.tolerance)
        check_count("rows_per_column", self.rows_per_column)
        check_count("max_passes", self.max_passes)

    def _solve(self, problem: Problem) -> RawSolution:
        n_rows, n_cols = problem.A.shape
        count = self.sample_rows(n_rows, n_cols)
        if problem.alpha == 0 or problem.rcond is not None:
            return _by_all_rows(problem, "without a ridge a sample cannot stand for all", 0)
        if count < FEWEST_PER_COLUMN * n_cols:
            return _by_all_rows(problem, "too few rows for a sample to stand for them", 0)
        sampled = problem.sampled(count)
        metric, curve, ratio = _metric(sampled.problem, sampled.share)
        if curve is not None and curve.asks_for_less():
            raw = _by_all_rows(problem, "", 1)
            raw.stop_reason = StopReason.BELOW_RESOLUTION
            return raw
        W, alpha = metric.coef(ratio), metric.alpha(ratio)
        constant = metric.facts.mean_B - metric.facts.mean_A @ W
        root = metric.covariance_root(ratio)
        rng = stream(self.seed, "probes")
        Z = multiply(root, rng.standard_normal((root.shape[1], PROBES)))
        left_by_step, excesses, done = 0.0, [], None
        for passes in range(1, self.max_passes + 1):
            done = one_pass(
                problem,
                partial(GradientReduction, W, constant, Z if passes == 1 else Z[:, :0]),
                name="gradient",
                keep=False,
            )
            found = done.inner
            assert isinstance(found, GradientReduction)
            mean_A, gradient, sumsq = found.centred(problem.intercept)
            check_state(gradient)
            q = W.shape[1]
            if passes == 1:
                # In the metric a step leaves z - P (H + alpha) z of an error z.
                answer = Z - root @ (root.T @ (gradient[:, q:] + alpha * Z))
                left_by_step = _metric_norm(metric, ratio, answer) / _metric_norm(metric, ratio, Z)
                if not left_by_step <= WORST_CONTRACTION:
                    why = "some rows are like no others, which a sample of them cannot tell"
                    return _by_all_rows(problem, why, passes + 1)
            slope = gradient[:, :q] - alpha * W
            inside = root.T @ slope
            excess = np.einsum("ij,ij->j", inside, inside)
            objective = sumsq + alpha * np.einsum("ij,ij->j", W, W) - excess
            W = W + root @ inside
            if problem.intercept:
                constant = found.sum_B / done.weight - mean_A @ W
            left = np.maximum(objective - alpha * np.einsum("ij,ij->j", W, W), 0.0)
            used = metric.degrees_of_freedom(ratio)
            noise = left / max(done.weight - used, 1.0)
            excesses.append(np.sqrt(excess))
            if (left_by_step * excess <= self.tolerance * noise * used).all():
                break
        else:
            return _by_all_rows(problem, "too many passes", self.max_passes + 1)
        factorization = _with_solution(metric, ratio, W, left, done, found, problem, mean_A)
        raw = RawSolution(
            factorization,
            "HessianSketch",
            f"{count} rows give the metric, {passes} pass(es) of all rows the gradient",
            factorization.ratio(alpha),
            0.0,
            StopReason.CONVERGED,
            passes + 1,
            curve,
            history=History(np.array(excesses)),
        )
        raw.seconds["gradient"] = done.seconds * passes
        return raw


def _metric(
    sample: Problem, share: float
) -> tuple[SpectralFactorization, SelectionCurve | None, float]:
    """Return the spectrum of the sampled rows in the scale of all, and the ridge ratio."""
    make = partial(GramReduction, sample.A.shape[1], sample.n_targets, center=sample.intercept)
    done = one_pass(sample, make, name="Gram matrix of the sample")
    assert isinstance(done.inner, GramReduction)
    products = done.inner.products()
    check_state(products.lower)
    facts = done.facts(sample, products.BB / share, products.mean_A, products.mean_B)
    facts = replace(facts, weight=facts.weight / share, n_rows=facts.n_rows / share)
    metric = spectral_from_gram(
        products.gram() / share, products.AB / share, facts=facts, resolution=GRAM_RESOLUTION
    )
    if not isinstance(sample.alpha, str):
        return metric, None, max(metric.ratio(sample.alpha), GRAM_RESOLUTION)
    ratios = ratio_grid(metric.resolution)
    rows = metric.projected_rows(facts.rows_to_choose_by)
    residual, leverage = rows.fit(metric.filters(ratios))
    # The residual of a row in the fit of the sample tells its noise; the fit of all rows
    # adds less to it, by the share of the sample.
    used = np.minimum(leverage * np.minimum(rows.weights, 1.0)[:, None] / share, 1.0 - 1e-8)
    honest = residual * np.sqrt((1.0 + share * used) / (1.0 - used))[:, :, None]
    scores, chosen = pick(relative_squares(honest, facts.variance), rows.weights)
    values = metric.alpha(1.0) * ratios
    curve = SelectionCurve("alpha", values, scores, chosen, len(rows.rows), "loo")
    return metric, curve, float(ratios[chosen])


def _metric_norm(metric: SpectralFactorization, ratio: float, Z: Array) -> float:
    """Return ``sum z' (H + alpha) z`` over the columns, by the sampled H."""
    inside = metric.right_vectors[:, : metric.rank].T @ Z
    weights = metric.singular_values[: metric.rank] ** 2 + metric.alpha(ratio)
    return float(np.einsum("i,ij,ij->", weights, inside, inside))


def _with_solution(
    metric: SpectralFactorization,
    ratio: float,
    W: Array,
    left: Array,
    done: Pass,
    found: GradientReduction,
    problem: Problem,
    mean_A: Array,
) -> SpectralFactorization:
    """Return the spectrum with the right-hand sides whose solution is W."""
    k = metric.rank
    s = metric.singular_values[:k]
    projected = ((s**2 + metric.alpha(ratio)) / s)[:, None] * (metric.right_vectors[:, :k].T @ W)
    shrunk = metric.alpha(ratio) / (s**2 + metric.alpha(ratio))
    outside = np.maximum(left - shrunk**2 @ projected**2, 0.0)
    mean_B = found.sum_B / done.weight if problem.intercept else 0.0 * found.sum_B
    total = found.sumsq_B - done.weight * mean_B**2
    facts = done.facts(problem, np.maximum(total, 0.0), mean_A, mean_B)
    return replace(metric, facts=facts, projected=projected, outside=outside)


def _by_all_rows(problem: Problem, reason: str, passes: int) -> RawSolution:
    """Return the solution by the Gram matrix of all rows."""
    raw = NormalEquations()._solve(problem)
    raw.n_passes += passes
    if reason:
        raw.reason = f"the Gram matrix of all rows: {reason}"
    return raw


class GradientReduction(Reduction):
    """Residual and gradient of a solution, and the Gram matrix times some vectors.

    Parameters
    ----------
    W : array of shape (n_cols, n_targets)
        The solution.
    constant : array of shape (n_targets,)
        Its intercept.
    Z : array of shape (n_cols, k)
        The vectors.
    """

    def __init__(self, W: Array, constant: Array, Z: Array) -> None:
        self._V = np.concatenate([W, Z], axis=1)
        self._constant = constant
        n_cols, n = self._V.shape
        q = W.shape[1]
        self.gradient = np.zeros((n_cols, n))
        self.sums, self.sumsq = np.zeros(n), np.zeros(q)
        self.sum_A, self.sum_B, self.sumsq_B = np.zeros(n_cols), np.zeros(q), np.zeros(q)
        self.weight = 0.0

    def update(
        self,
        A: Array,
        B: Array,
        weights: Array | None = None,
        *,
        start: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Add rows."""
        w = np.ones(len(A)) if weights is None else weights
        # Two products with the same few rows: the second finds them in the nearest cache.
        step = rows_per_block(A.shape[1], 8, _NEAR_BYTES)
        for first in range(0, len(A), step):
            some = slice(first, first + step)
            self._update(A[some], B[some], w[some], weighted=weights is not None)
        self.sum_B += w @ B
        self.sumsq_B += w @ B**2
        self.weight += float(w.sum())

    def _update(self, A: Array, B: Array, w: Array, *, weighted: bool) -> None:
        q, n = B.shape[1], self._V.shape[1]
        # As rows, which BLAS multiplies fastest by the rows of A.
        T = np.empty((n + 1, len(A)))
        np.matmul(self._V.T, A.T, out=T[:n])
        T[:q] = B.T - T[:q] - self._constant[:, None]
        T[n] = w
        squares = T[:q] ** 2
        if weighted:
            T[:n] *= w
            squares *= w
        self.sumsq += squares.sum(axis=1)
        self.sums += T[:n].sum(axis=1)
        product = T @ A
        self.gradient += product[:n].T
        self.sum_A += product[n]

    def merge(self, other: GradientReduction) -> None:
        """Add the rows of `other`."""
        for name in ("gradient", "sums", "sumsq", "sum_A", "sum_B", "sumsq_B", "weight"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return 2 * self.gradient.nbytes + self.sum_A.nbytes

    def compact(self) -> None:
        """Forget what only further rows would need."""
        self._V = np.empty((0, 0))

    def centred(self, intercept: bool) -> tuple[Array, Array, Array]:
        """Return the means of A, the gradient, and the squares, about the best constant."""
        if not intercept:
            return np.zeros(len(self.sum_A)), self.gradient, self.sumsq
        mean = self.sum_A / self.weight
        q = len(self.sumsq)
        sumsq = self.sumsq - self.sums[:q] ** 2 / self.weight
        # A' W (A z) about the mean: the probes were not centred, their sums are known. For
        # the residuals the sums are those of the best constant's error.
        return mean, self.gradient - np.outer(mean, self.sums), sumsq
