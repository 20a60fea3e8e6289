"""The default solver: picks by shape, passes and regularisation, and says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from solvenet.linalg.rank import GRAM_RESOLUTION
from solvenet.solvers._base import Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution
from solvenet.solvers.direct import QR, SVD, NormalEquations
from solvenet.solvers.problem import Problem
from solvenet.solvers.result import StopReason

EXPLICIT_BYTES = 2**28


@dataclass(frozen=True)
class Auto(Solver):
    """Choose a direct solver for the problem; ``result.reason`` says why.

    The rules, in order:

    1. At most twice as many rows as columns, and A within 256 MB (or the memory limit):
       SVD of the explicit matrix.
    2. A source that can be read once: QR.
    3. A ridge to be chosen: NormalEquations first. If the leave-one-out score still
       falls at the smallest ridge that a Gram matrix resolves, QR in a second pass.
    4. Anything else: QR.

    Notes
    -----
    *Cost.* That of the chosen solver; in case 3 with a second pass the sum of both.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import Auto
    >>> result = Auto().solve(np.ones((4, 3)), np.ones(4))
    >>> result.solver, result.reason
    ('SVD', 'at most twice as many rows as columns, and the matrix fits into memory')
    """

    needs: ClassVar[Needs] = Needs.ONE_PASS
    supports: ClassVar[Supports] = QR.supports

    def choose(self, problem: Problem) -> tuple[Solver, str]:
        """Return the solver that is tried first, and the reason."""
        n_rows, n_cols = problem.A.shape
        size = 8 * n_rows * n_cols
        limit = EXPLICIT_BYTES if problem.memory_limit is None else problem.memory_limit / 4
        if n_rows <= 2 * n_cols and size <= min(EXPLICIT_BYTES, limit):
            return SVD(), ("at most twice as many rows as columns, and the matrix fits into memory")
        if problem.A.n_passes is not None:
            return QR(), "the rows can be read once, and QR needs one pass at full accuracy"
        if problem.alpha == "auto" and problem.rcond is None:
            return NormalEquations(), (
                "the Gram matrix resolves the ridge that leave-one-out chose"
            )
        return QR(), "full accuracy without a ridge to rely on"

    def _solve(self, problem: Problem) -> RawSolution:
        solver, reason = self.choose(problem)
        raw = solver._solve(problem)
        if isinstance(solver, NormalEquations) and raw.stop_reason is StopReason.BELOW_RESOLUTION:
            passes, spent = raw.n_passes, sum(raw.seconds.values())
            raw = QR()._solve(problem)
            raw.n_passes += passes
            raw.seconds["first try"] = spent
            reason = (
                "leave-one-out asks for a ridge below the "
                f"{GRAM_RESOLUTION:.0e} s1^2 that a Gram matrix resolves"
            )
        raw.reason = reason
        return raw
