"""Split-and-Solve: parts of the columns, each solved for what those before it have left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from solvenet._validation import check_choice, check_count
from solvenet.blocks import ArrayBlocks, RowBlocks
from solvenet.linalg.accuracy import column_norms
from solvenet.linalg.krylov import Stop, lsqr
from solvenet.linalg.rank import EPS, ORTHOGONAL_RESOLUTION
from solvenet.solvers._base import Cost, Needs, Solver, Supports
from solvenet.solvers.approximate import ApproximateSolution, History
from solvenet.solvers.audit import RawSolution
from solvenet.solvers.parts import split_columns
from solvenet.solvers.problem import Problem
from solvenet.solvers.result import StopReason
from solvenet.solvers.svd import SVD

if TYPE_CHECKING:
    from solvenet._array_api import Array

TOLERANCE = 1e-13
"""Relative residual or gradient, in the joint basis, at which LSQR has converged."""

LARGEST_CONDITION = 1e7
"""Beyond this condition of the joint basis a gradient of that size says too little."""


@dataclass(frozen=True)
class SplitAndSolve(Solver):
    """Parts of the columns one after the other, each on the residual of those before it.

    One sweep is the published Split-and-Solve: a forward sweep of block Gauss-Seidel on
    the normal equations. **It does not end at the least-squares solution of all columns**,
    and the result says so; it ends at a residual that is small where the parts complement
    each other, as units sorted from smooth to steep do. :class:`DeflatedSplit` is the
    method to use; this one is the reference, and the one that takes any inner solver.

    Parameters
    ----------
    n_parts : int, default=8
        Parts of the columns, of equal size.
    order : {"sorted", "ordered", "random"}, default="sorted"
        Columns by ascending `key` (the smooth units first), as they come, or at random.
    inner : Solver, default=SVD()
        What solves a part. Its cutoff is relative to the largest singular value of the
        part.
    sweeps : int, default=1
        Sweeps over the parts. Further ones solve each part again for all that the others
        leave; they converge slowly where parts span nearly the same.
    accelerate : {"lsqr"}, optional
        Continue after the sweeps by LSQR on the joint basis ``[U_1, ..., U_k]`` of the
        parts, ``U_i = A_i P_i`` with ``P_i P_i' = (A_i' A_i + alpha I)^-1``: an iteration
        costs less than a sweep and gains more. Needs an inner solver that factors.
    iterations : int, default=200
        Most iterations of LSQR.
    key : array-like of shape (n_cols,), optional
        What columns are sorted by. By default the norms of the hidden weights, where the
        source knows them, otherwise the standard deviations of the columns, in one more
        pass.
    seed : int, default=0
        Of the random order.

    Notes
    -----
    *Cost.* n rows, m columns, k parts: a sweep costs k solves of m / k columns, for SVD and
    QR about ``1 / k`` of the one large solve, and as many products. *Memory:* that of the
    inner solver for a part, so ``24 n m / k`` bytes for SVD, and ``8 n r`` bytes where
    accelerated, r the sum of the ranks of the parts. Parts of features on the fly are
    computed anew each time.

    *When not to use.* For the least-squares solution: one sweep leaves 10 to 1e6 times the
    error of DeflatedSplit (``benchmarks/split.py``).

    References
    ----------
    S. Tu, R. Roelofs, S. Venkataraman, B. Recht (2016), Large scale kernel learning using
    block coordinate descent, arXiv:1602.05310, for the sweeps;
    Å. Björck (1996), Numerical Methods for Least Squares Problems, section 7.3, for block
    methods as preconditioners.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import SplitAndSolve
    >>> A = np.kron(np.eye(2), np.ones((3, 1)))  # the parts are orthogonal
    >>> result = SplitAndSolve(n_parts=2).solve(A, A @ np.array([1.0, 2.0]))
    >>> result.coef.round(12), result.stop_reason.name
    (array([1., 2.]), 'CONVERGED')
    """

    n_parts: int = 8
    order: str = "sorted"
    inner: Solver = field(default_factory=SVD)
    sweeps: int = 1
    accelerate: str | None = None
    iterations: int = 200
    key: Any = field(default=None, compare=False, repr=False)
    seed: int = 0

    needs: ClassVar[Needs] = Needs.MANY_PASSES
    supports: ClassVar[Supports] = Supports.ALPHA | Supports.RANK_DEFICIENT | Supports.WIDE

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve, the iterations of LSQR included."""
        k = min(self.n_parts, n_cols)
        inner = self.inner.cost(n_rows, -(-n_cols // k), n_targets)
        steps = self.sweeps + (0 if self.accelerate is None else self.iterations)
        passes = k * (2 * self.sweeps) + (0 if self.accelerate is None else k)
        products = 4.0 * n_rows * n_cols * n_targets * steps
        # The parts, side by side, and what LSQR makes of them.
        basis = 0 if self.accelerate is None else 3 * 8 * n_rows * min(n_rows, n_cols)
        state = inner.state_bytes + basis + 8 * n_targets * (4 * n_rows + 4 * n_cols)
        return Cost(k * self.sweeps * inner.flops + products, passes, state)

    def _solve(self, problem: Problem) -> RawSolution:
        sweeps = check_count("sweeps", self.sweeps)
        if self.accelerate is not None:
            check_choice("accelerate", self.accelerate, ("lsqr",))
            check_count("iterations", self.iterations)
        split, n_passes = split_columns(
            problem, self.n_parts, order=self.order, key=self.key, seed=self.seed
        )
        work = _Work(problem, split, self.inner)
        for _ in range(sweeps):
            for number in range(len(split)):
                raw = work.solve(number)
                if len(split) == 1:
                    raw.solver, raw.reason = type(self).__name__, f"one part: {raw.reason}"
                    return raw
            work.note()
        stop = StopReason.SWEEPS_ENDED
        if self.accelerate is not None and not work.is_consistent():
            stop = work.accelerate(self.iterations)
        if work.is_consistent():
            stop = StopReason.CONVERGED
        unsolved = [r.stop_reason for r in work.solved.values() if not r.stop_reason.success]
        solution = work.solution()
        how = "" if self.accelerate is None else f", then {self.accelerate}"
        return RawSolution(
            solution,
            type(self).__name__,
            f"{sweeps} sweep(s) over {len(split)} parts of the columns{how}",
            solution.ratio(float(problem.alpha)),
            problem.cutoff(),
            unsolved[0] if unsolved else stop,
            n_passes + work.n_passes,
            history=History(np.array(work.norms)),
            residual_is_exact=False,
        )


class _Work:
    """A solve under way: the weights so far, and what they leave of the targets."""

    def __init__(self, problem: Problem, split: list[Array], inner: Solver) -> None:
        self.problem, self.split, self.inner = problem, split, inner
        w = np.ones(len(problem.B)) if problem.weights is None else problem.weights
        self.root = np.sqrt(w)[:, None]
        n_cols, n_targets = problem.A.shape[1], problem.n_targets
        self.mean_A, self.mean_B = np.zeros(n_cols), np.zeros(n_targets)
        if problem.intercept:
            self.mean_B = np.average(problem.B, axis=0, weights=w)
        self.left = problem.B - self.mean_B
        self.W = np.zeros((n_cols, n_targets))
        self.solved: dict[int, RawSolution] = {}
        self.norms: list[Array] = []
        self.n_passes, self.condition = 0, 1.0
        self.note()

    def note(self) -> None:
        """Write the norms of what is left down."""
        self.norms.append(column_norms(self.root * self.left))

    def is_consistent(self) -> bool:
        """Return whether nothing but rounding is left, which no other weights can better."""
        rounding = sum(self.problem.A.shape) * EPS * self.norms[0].max()
        return self.problem.alpha == 0 and float(self.norms[-1].max()) <= rounding

    def solve(self, number: int) -> RawSolution:
        """Solve one part for all that the others leave."""
        columns = self.split[number]
        source = self.problem.A.columns(columns)
        explicit = Needs.MATRIX in self.inner.needs
        if explicit:  # made once, for the solve and for its product
            source = ArrayBlocks(source.to_array(self.problem.memory_limit))
        target = self.left
        if number in self.solved:
            target = target + self.product(source, columns, self.W[columns])
        part = self.problem.with_matrix(source, target)
        self.inner.check(part, audit="skip")
        raw = self.inner._solve(part)
        self.mean_A[columns] = raw.factorization.facts.mean_A
        self.W[columns] = raw.factorization.coef(raw.ratio)
        self.left = target - self.product(source, columns, self.W[columns])
        self.n_passes += 1 if explicit else raw.n_passes + 1 + (number in self.solved)
        self.solved[number] = raw
        return raw

    def product(self, source: RowBlocks, columns: Array, V: Array) -> Array:
        """Return the (centred) columns times V."""
        out = source.matmat(V)
        out -= self.mean_A[columns] @ V
        return out

    def accelerate(self, iterations: int) -> StopReason:
        """Go on by LSQR on the joint basis of the parts, for what the sweeps have left.

        A correction: what rounding does to the basis of nearly dependent columns is then
        relative to the residual, not to the targets.
        """
        roots, bases = [], []
        for number, columns in enumerate(self.split):
            raw = self.solved[number]
            roots.append(raw.factorization.covariance_root(raw.ratio))
            bases.append(self.product(self.problem.A.columns(columns), columns, roots[-1]))
        self.n_passes += len(self.split)
        ends = np.cumsum([P.shape[1] for P in roots])[:-1]
        U, damp = self.root * np.concatenate(bases, axis=1), float(self.problem.alpha) ** 0.5
        n_rows = len(U)

        def weights(Z: Array) -> Array:
            W = np.empty((len(self.W), Z.shape[1]))
            for columns, P, part in zip(self.split, roots, np.split(Z, ends), strict=True):
                W[columns] = P @ part
            return W

        def transposed(W: Array) -> Array:
            parts = zip(self.split, roots, strict=True)
            return np.concatenate([P.T @ W[columns] for columns, P in parts])

        def step(Z: Array, V: Array) -> tuple[Array, Array]:
            R = U @ Z - V[:n_rows]
            if damp == 0:
                return R, U.T @ R
            below = damp * weights(Z) - V[n_rows:]
            return np.concatenate([R, below]), U.T @ R + damp * transposed(below)

        left = self.root * self.left
        B = left if damp == 0 else np.concatenate([left, -damp * self.W])
        start = np.zeros((U.shape[1], B.shape[1]))
        found = lsqr(step, B, start, atol=TOLERANCE, btol=TOLERANCE, max_iterations=iterations)
        self.W += weights(found.W)
        self.norms.extend(found.residual_norms[1:-1])
        self.norms.append(column_norms(left - U @ found.W))
        self.condition = float(found.condition.max())
        if self.condition > LARGEST_CONDITION:
            return StopReason.CONDITION_LIMIT
        return StopReason[Stop(int(found.stop.max())).name]

    def solution(self) -> ApproximateSolution:
        """Return the solution so far."""
        factors = [raw.factorization for raw in self.solved.values()]
        facts = self.problem.facts(self.norms[0] ** 2, self.mean_A, self.mean_B)
        return ApproximateSolution(
            facts=facts,
            largest=max(factor.largest for factor in factors),
            resolution=ORTHOGONAL_RESOLUTION,
            W=self.W,
            sumsq=self.norms[-1] ** 2,
            condition_estimate=max(self.condition, *(factor.condition() for factor in factors)),
            frobenius_norm=float(np.linalg.norm([factor.frobenius() for factor in factors])),
        )
