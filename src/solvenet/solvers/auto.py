"""The default solver: picks by shape, passes and regularisation, and says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from solvenet.errors import MemoryLimitError
from solvenet.linalg.leading import FINEST_CUTOFF
from solvenet.linalg.rank import GRAM_RESOLUTION
from solvenet.solvers._base import Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution
from solvenet.solvers.least_norm import FEW_COLUMNS
from solvenet.solvers.normal import CHOLESKY_COLUMNS, NormalEquations
from solvenet.solvers.problem import Problem
from solvenet.solvers.qr import QR
from solvenet.solvers.refined import HessianSketch
from solvenet.solvers.result import StopReason
from solvenet.solvers.svd import SVD
from solvenet.solvers.swg import SWG

EXPLICIT_BYTES = 2**28
"""Largest matrix that is decomposed as a whole."""

NEARLY_SQUARE = 1.3
"""Rows a column up to which few columns at a fixed cutoff are not reduced to a triangle."""

FEWEST_COLUMNS = 100
"""Up to this many columns one pass beats two."""

FEWEST_FOR_SAMPLE, ROWS_FOR_SAMPLE = 250, 1000
"""Columns, and rows a column, from which a ridge problem is solved by a sample of the rows
and gradients of all."""

WIDE = 3000
"""Columns from which a given ridge is solved by the normal equations first, as a chosen one."""

TALL, VERY_TALL, TALL_OF_FEW = 3, 8, 16
"""Rows a column from which two passes of products are faster than one of reflections:
where a fixed cutoff keeps few directions, where all are wanted, and for few columns."""


MANY_COLUMNS = 300
"""Columns from which a Gram matrix is tried before the SVD of a nearly square matrix."""

_DECOMPOSED = (
    SVD(spectrum=False),
    "at most twice as many rows as columns, and the matrix fits into memory",
)


@dataclass(frozen=True)
class Auto(Solver):
    """Choose a solver for the problem; ``result.reason`` says why.

    The rules, in order:

    1. At most twice as many rows as columns (1.3 times for up to 600 columns and a fixed
       cutoff), and A within 256 MB (or the memory limit): SVD of the explicit matrix, as
       far as the cutoff. Where a ridge is to be chosen and there are 300 columns, rule 4 first.
    2. A source that can be read once: QR.
    3. A ridge, at least 250 columns and 1000 rows a column: HessianSketch.
    4. A ridge to be chosen: NormalEquations first. If the leave-one-out score still
       falls at the smallest ridge that a Gram matrix resolves, and the memory limit leaves
       room, the next rule. A given ridge likewise, for at least 3000 columns or where the
       memory limit leaves room for nothing else.
    5. More than 600 columns, and three times as many rows (eight times where no number
       says which directions may be left out), or more than 100 columns and 16 times as
       many rows: SWG.
    6. Anything else: QR.

    Notes
    -----
    *Cost.* That of the chosen solver; in cases 3 and 4 with a second try the sum of both.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import Auto
    >>> result = Auto().solve(np.ones((3, 3)), np.ones(3))
    >>> result.solver, result.reason
    ('SVD', 'at most twice as many rows as columns, and the matrix fits into memory')
    """

    needs: ClassVar[Needs] = Needs.ONE_PASS
    supports: ClassVar[Supports] = QR.supports

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return what the costlier of its one-pass solvers takes; `plan` knows the problem."""
        return QR().cost(n_rows, n_cols, n_targets)

    def choose(self, problem: Problem) -> tuple[Solver, str]:
        """Return the solver that is tried first, and the reason."""
        n_cols = problem.A.shape[1]
        chosen = problem.alpha == "auto" and problem.rcond is None
        again = problem.A.n_passes is None
        if _nearly_square(problem) and not (chosen and again and n_cols >= MANY_COLUMNS):
            return _DECOMPOSED
        if not again:
            return QR(), "the rows can be read once, and QR needs one pass at full accuracy"
        if _ridge(problem) and _many_rows(problem.A.shape):
            return HessianSketch(), (
                "so many rows and a ridge: a sample of them gives the metric, all the gradient"
            )
        if chosen:
            return _squared(n_cols), ("the Gram matrix resolves the ridge that leave-one-out chose")
        accurate, squared = _accurate(problem), NormalEquations(spectrum=False)
        least = _fits(squared, problem) and not _fits(accurate[0], problem)
        if _ridge(problem) and (n_cols >= WIDE or least):
            return squared, "a wide matrix and a ridge that its Gram matrix resolves"
        return accurate

    def for_shape(self, shape: tuple[int, int], *, ridge: bool) -> Solver:
        """Return the solver that is tried first for rows that can be read again."""
        if ridge and _many_rows(shape):
            return HessianSketch()
        return NormalEquations() if ridge else _by_shape(shape, fixed=False)

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what no solver can do."""
        super().check(problem, audit=audit)
        if problem.memory_limit is None:
            return
        solver, _ = self.choose(problem)
        shape = (*problem.A.shape, problem.n_targets)
        needed = solver.cost(*shape).state_bytes
        if needed > problem.memory_limit:
            least = _squared(shape[1]).cost(*shape).state_bytes
            msg = (
                f"{type(solver).__name__} for a matrix of shape {problem.A.shape} takes "
                f"{needed / 1e6:.1f} MB and the memory limit is "
                f"{problem.memory_limit / 1e6:.1f} MB. Raise the limit, use fewer columns, or "
                f"a solver with less state: NormalEquations ({least / 1e6:.1f} MB, needs a "
                "ridge), LSQR (vectors only)."
            )
            raise MemoryLimitError(msg)

    def _solve(self, problem: Problem) -> RawSolution:
        solver, reason = self.choose(problem)
        raw = solver._solve(problem)
        one_pass = isinstance(solver, NormalEquations | HessianSketch)
        below = one_pass and raw.stop_reason is StopReason.BELOW_RESOLUTION
        if below and _fits(_accurate(problem)[0], problem):
            passes, spent = raw.n_passes, sum(raw.seconds.values())
            del raw
            solver, _ = _accurate(problem)
            raw = solver._solve(problem)
            raw.n_passes += passes
            raw.seconds["first try"] = spent
            who = "leave-one-out asks for" if problem.alpha == "auto" else "there is"
            reason = (
                f"{who} a ridge below the {GRAM_RESOLUTION:.0e} s1^2 that a Gram matrix resolves"
            )
        if not (isinstance(solver, SWG) and raw.solver != "SWG"):  # which says why itself
            raw.reason = reason
        return raw


def _squared(n_cols: int) -> NormalEquations:
    """Return the normal equations, without eigenvalues where these cost more."""
    return NormalEquations(spectrum=False if n_cols >= CHOLESKY_COLUMNS else "auto")


def _nearly_square(problem: Problem) -> bool:
    """Tell whether there are few rows a column, and the matrix may be decomposed as a whole."""
    n_rows, n_cols = problem.A.shape
    quick = _fixed(problem) and n_cols <= FEW_COLUMNS
    return n_rows <= (NEARLY_SQUARE if quick else 2) * n_cols and _explicit(problem)


def _fits(solver: Solver, problem: Problem) -> bool:
    """Tell whether the state of a solver is within the memory limit."""
    if problem.memory_limit is None:
        return True
    shape = (*problem.A.shape, problem.n_targets)
    return solver.cost(*shape).state_bytes <= problem.memory_limit


def _fixed(problem: Problem) -> bool:
    """Tell whether the cutoff is a number, and there is no ridge."""
    return not problem.chooses and problem.alpha == 0


def _many_rows(shape: tuple[int, int]) -> bool:
    """Tell whether the gradients of a few passes cost far less than one Gram matrix."""
    n_rows, n_cols = shape
    return n_cols >= FEWEST_FOR_SAMPLE and n_rows >= ROWS_FOR_SAMPLE * n_cols


def _ridge(problem: Problem) -> bool:
    """Tell whether there is a ridge, and nothing is cut."""
    given = not isinstance(problem.alpha, str) and problem.alpha > 0
    return problem.rcond is None and (problem.alpha == "auto" or given)


def _explicit(problem: Problem) -> bool:
    """Tell whether the matrix may be held, and decomposed, as a whole."""
    n_rows, n_cols = problem.A.shape
    if 8 * n_rows * n_cols > EXPLICIT_BYTES:
        return False
    needed = SVD().cost(n_rows, n_cols, problem.n_targets).state_bytes
    return problem.memory_limit is None or needed <= problem.memory_limit


def _accurate(problem: Problem) -> tuple[Solver, str]:
    """Return a solver of full accuracy for rows that can be read again."""
    if _nearly_square(problem):
        return _DECOMPOSED
    fixed = _fixed(problem) and problem.cutoff() >= FINEST_CUTOFF
    solver = _by_shape(problem.A.shape, fixed=fixed)
    if isinstance(solver, SWG):
        return solver, "a tall matrix: two passes of products beat one of reflections"
    return solver, "full accuracy without a ridge to rely on"


def _by_shape(shape: tuple[int, int], *, fixed: bool) -> Solver:
    n_rows, n_cols = shape
    tall = TALL if fixed else VERY_TALL
    if n_cols <= FEW_COLUMNS:
        tall = TALL_OF_FEW
    if n_cols > FEWEST_COLUMNS and n_rows >= tall * n_cols:
        return SWG()
    return QR(spectrum=False)
