"""Cross products: the fastest pass, and the least accurate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from solvenet.linalg.rank import GRAM_RESOLUTION
from solvenet.reductions import GramReduction
from solvenet.solvers._base import EVERYTHING, Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.cholesky import cholesky_from_gram
from solvenet.solvers.factorization import (
    spectral_from_gram,
)
from solvenet.solvers.passes import one_pass
from solvenet.solvers.problem import Problem, check_state

CHOLESKY_COLUMNS = 700
"""From this many columns on, Cholesky factors are cheaper than one eigendecomposition."""


@dataclass(frozen=True)
class NormalEquations(Solver):
    """Gram matrix in one pass, then its eigenvalues or Cholesky factors.

    The fastest one-pass solver, and the least accurate: singular values below 1e-7 of
    the largest are lost in the rounding of the products.

    Parameters
    ----------
    spectrum : bool or "auto", default="auto"
        Whether to compute the eigenvalues (rank, spectrum, cutoffs). ``"auto"`` does so
        below 700 columns, without a ridge, and for a chosen cutoff.

    Notes
    -----
    *Cost.* One pass; ``m n**2`` flops for the products, then ``9 n**3`` with the
    spectrum or ``n**3 / 3`` a ridge without; memory ``8 * 5 n**2`` bytes and two blocks.

    *When not to use.* Without a ridge on ill-conditioned matrices, or for errors below
    1e-7: use QR. The result says so (``StopReason.BELOW_RESOLUTION``).

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet import NormalEquations
    >>> A = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    >>> NormalEquations().solve(A, np.array([1.0, 2.0, 3.0])).coef.round(12)
    array([1., 1.])
    """

    spectrum: bool | str = "auto"

    needs: ClassVar[Needs] = Needs.ONE_PASS
    supports: ClassVar[Supports] = EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        flops = 1.0 * n_rows * n_cols * (n_cols + 2 * n_targets) + 9.0 * n_cols**3
        return Cost(flops, 1, 8 * n_cols * (5 * n_cols + 4 * n_targets))

    def _solve(self, problem: Problem) -> RawSolution:
        n_cols, n_targets = problem.A.shape[1], problem.n_targets
        make = partial(GramReduction, n_cols, n_targets, center=problem.intercept)
        done = one_pass(problem, make, name="Gram matrix")
        assert isinstance(done.inner, GramReduction)
        products = done.inner.products()
        # What is not finite anywhere is not finite on the diagonal: no temporary is needed.
        check_state(np.diagonal(products.lower))
        facts = done.facts(problem, products.BB, products.mean_A, products.mean_B)
        spectrum = self.spectrum
        if spectrum == "auto":
            spectrum = n_cols < CHOLESKY_COLUMNS or problem.alpha == 0 or problem.rcond is not None
        if spectrum or not np.diagonal(products.lower).any():
            factorization = spectral_from_gram(
                products.gram(),
                products.AB,
                facts=facts,
                resolution=GRAM_RESOLUTION,
            )
            raw = solution_of(
                problem,
                factorization,
                solver="NormalEquations",
                reason="Gram matrix and its eigenvalues",
                n_passes=1,
            )
        else:
            raw = solution_of(
                problem,
                cholesky_from_gram(
                    products.lower, products.AB, facts=facts, resolution=GRAM_RESOLUTION
                ),
                solver="NormalEquations",
                reason="Gram matrix and Cholesky factors",
                n_passes=1,
            )
        # B'B - ... loses half the digits when the fit is nearly exact.
        left = raw.factorization.residual_sumsq(raw.ratio)
        raw.residual_is_exact = bool((left >= 1e-6 * products.BB).all())
        raw.seconds["pass"] = done.seconds
        return raw
