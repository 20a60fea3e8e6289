"""The sketched problem, and its solution as an approximate one."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from solvenet._validation import check_choice, check_count, check_nonnegative
from solvenet.errors import InvalidSettingError, UnsupportedProblemError
from solvenet.linalg.leading import leading_svd
from solvenet.linalg.rank import ORTHOGONAL_RESOLUTION
from solvenet.linalg.sketching import SKETCHES, RowSampling, Sketch
from solvenet.reductions import ColumnMoments, Reduction, SketchReduction
from solvenet.solvers._base import Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.factorization import ProblemFacts, spectral_from_matrix
from solvenet.solvers.passes import Together, one_pass
from solvenet.solvers.problem import Problem, check_state
from solvenet.solvers.result import StopReason

if TYPE_CHECKING:
    from solvenet._array_api import Array

LEAST_OVERSAMPLING = 1.1


def make_sketch(kind: str, n_sketch: int, n_rows: int, seed: int) -> Sketch:
    """Return the sketch of that name; all rows themselves where it would not be shorter."""
    if n_sketch >= n_rows:
        return RowSampling(n_rows, n_rows, seed=seed)
    return SKETCHES[check_choice("sketch", kind, SKETCHES)](n_sketch, n_rows, seed=seed)


def tall_sketch(problem: Problem, kind: str, oversampling: float, seed: int) -> Sketch:
    """Return a sketch with `oversampling` rows a column of the problem."""
    check_count("seed", seed, minimum=0)
    if check_nonnegative("oversampling", oversampling) < LEAST_OVERSAMPLING:
        msg = f"oversampling={oversampling} was given; at least {LEAST_OVERSAMPLING} is wanted."
        raise InvalidSettingError(msg)
    n_rows, n_cols = problem.A.shape
    n_sketch = math.ceil(oversampling * (n_cols + problem.intercept)) + 8
    return make_sketch(kind, n_sketch, n_rows, seed)


@dataclass(frozen=True)
class SketchedProblem:
    """A sketch of the rows, and what else the pass has seen.

    Attributes
    ----------
    SA, SB : array
        The sketched matrix and targets, centred where an intercept is solved for.
    facts : ProblemFacts
        Means, weights, sums of squares.
    """

    SA: Array
    SB: Array
    facts: ProblemFacts


def read_sketch(problem: Problem, sketch: Sketch) -> SketchedProblem:
    """Read the rows once, into a sketch and the moments of all columns."""
    n_cols, n_targets, center = problem.A.shape[1], problem.n_targets, problem.intercept
    make = partial(
        Together,
        partial(SketchReduction, sketch, n_cols, n_targets, center=center),
        partial(LabelledMoments, n_cols if center else 0, n_targets),
    )
    done = one_pass(problem, make, name="sketch", keep=False)
    both = done.inner
    assert isinstance(both, Together)
    reduction, moments = both.first, both.second
    assert isinstance(reduction, SketchReduction)
    assert isinstance(moments, LabelledMoments)
    SA, SB = reduction.sketched()
    check_state(SA)
    mean_A, mean_B = np.zeros(n_cols), np.zeros(n_targets)
    total = moments.B.sumsq
    if center:
        mean_A, mean_B = moments.A.mean, moments.B.mean
    else:
        total = total + moments.B.weight * moments.B.mean**2
    return SketchedProblem(SA, SB, done.facts(problem, total, mean_A, mean_B))


class LabelledMoments(Reduction):
    """Moments of the columns of A, as many as are wanted, and of B."""

    def __init__(self, n_cols: int, n_targets: int) -> None:
        self.A, self.B = ColumnMoments(n_cols), ColumnMoments(n_targets)

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
        if len(self.A.mean):
            self.A.update(A, B, weights)
        self.B.update(B, weights=weights)

    def merge(self, other: LabelledMoments) -> None:
        """Add the rows of `other`."""
        self.A.merge(other.A)
        self.B.merge(other.B)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self.A.nbytes + self.B.nbytes


@dataclass(frozen=True)
class SketchAndSolve(Solver):
    """Solve a random compression of the rows: one pass, an approximate solution.

    Parameters
    ----------
    sketch : {"sparse_sign", "dct", "gaussian", "rows"}, default="sparse_sign"
        The random matrix S. Sampled rows (``"rows"``) may miss those that matter, which
        only another look at the data tells: not for rows that can be read once.
    oversampling : float, default=4.0
        Rows of the sketch a column.
    seed : int, default=0
        Seed of the random numbers, which belong to rows: any block size gives the same.

    Notes
    -----
    *Accuracy.* For targets with noise the residual norm is about
    ``sqrt(1 + r / (d - r))`` times the least, with d rows in the sketch and rank r: 1.15
    for the default. The claimed residual is that of the sketch times ``d / (d - r)``.

    *Cost.* One pass and the audit's; ``8 m n`` flops for the sparse sketch, then
    ``2 d n**2 + 20 n**3``; memory ``8 (3 d n + 3 n**2)`` bytes and two blocks.

    *When not to use.* Wherever a second pass is possible: SWG gives the exact solution.

    References
    ----------
    P. Drineas, M. Mahoney, S. Muthukrishnan, T. Sarlos (2011), Numer. Math. 117, 219-249.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import SketchAndSolve
    >>> A = np.vander(np.linspace(0, 1, 500), 12)
    >>> float(abs(SketchAndSolve().solve(A, A @ np.ones(12)).coef - 1).max()) < 1e-6
    True
    """

    sketch: str = "sparse_sign"
    oversampling: float = 4.0
    seed: int = 0

    needs: ClassVar[Needs] = Needs.ONE_PASS
    supports: ClassVar[Supports] = Supports.ALPHA | Supports.RANK_DEFICIENT | Supports.WIDE

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        d = min(n_rows, self.oversampling * n_cols + 9)
        flops = 8.0 * n_rows * n_cols + 2.0 * d * n_cols**2 + 20.0 * n_cols**3
        return Cost(flops, 1, int(8 * (3 * d * (n_cols + n_targets + 1) + 3 * n_cols**2)))

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what this solver cannot do."""
        super().check(problem, audit=audit)
        check_choice("sketch", self.sketch, SKETCHES)
        if self.sketch == "rows" and problem.A.n_passes is not None:
            msg = (
                "Sampled rows may miss those that matter, and rows that can be read once "
                'cannot be checked. Use sketch="sparse_sign".'
            )
            raise UnsupportedProblemError(msg)

    def _solve(self, problem: Problem) -> RawSolution:
        start = time.perf_counter()
        sketch = tall_sketch(problem, self.sketch, self.oversampling, self.seed)
        read = read_sketch(problem, sketch)
        SA, SB = read.SA, read.SB
        spent = time.perf_counter() - start
        factorization = spectral_from_matrix(
            SA,
            SB,
            np.zeros(problem.n_targets),
            facts=read.facts,
            resolution=ORTHOGONAL_RESOLUTION,
            triplets=leading_svd(SA, problem.negligible(SA)),
        )
        raw = solution_of(
            problem,
            factorization,
            solver="SketchAndSolve",
            reason=f"{len(SA)} random combinations of the rows",
            n_passes=1,
        )
        if len(SA) < problem.A.shape[0] - 1:
            # What the sketched fit takes up of the sketched noise it leaves in the data.
            used = raw.factorization.degrees_of_freedom(raw.ratio)
            raw.residual_factor = len(SA) / max(len(SA) - used, 1.0)
            raw.residual_tolerance = 0.5
            raw.residual_is_exact = False
            raw.stop_reason = StopReason.SKETCHED
        raw.seconds["sketch"] = spent
        return raw
