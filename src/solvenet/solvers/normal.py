"""Cross products: the fastest pass, and the least accurate."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from solvenet.blocks import Records
from solvenet.devices import DeviceGram, algebra_on, device_gram, get_device, get_precision
from solvenet.linalg.algebra import HOST
from solvenet.reductions import GramReduction, Reduction
from solvenet.solvers._base import EVERYTHING, Cost, Needs, Solver, Supports
from solvenet.solvers.audit import RawSolution, solution_of
from solvenet.solvers.cholesky import COARSER, SCOUT_COLUMNS, cholesky_from_gram
from solvenet.solvers.factorization import Factorization, KeptRows, spectral_from_gram
from solvenet.solvers.passes import Pass, one_pass
from solvenet.solvers.problem import Problem, check_state, rows_to_choose_by

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
    device : str, torch.device, Device or module, optional
        Form features and products and factor on a device: ``"cuda"``, ``"cuda:1"``,
        ``"cupy"``, or ``"cpu"`` by torch. By default on the host, by BLAS.
    precision : {"float64", "mixed", "float32"}, default="float64"
        On a device: of features and sums. ``"mixed"`` has features of float32 and sums of
        float64; the smallest ridge it resolves is 1e-6 of the largest squared singular
        value, instead of 1e-14.

    Notes
    -----
    *Cost.* One pass; ``m n**2`` flops for the products, then ``9 n**3`` with the
    spectrum or ``n**3 / 3`` a ridge without; memory ``8 * 5 n**2`` bytes with the
    spectrum, ``8 n**2`` without, and two blocks.

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
    device: Any = None
    precision: str = "float64"

    needs: ClassVar[Needs] = Needs.ONE_PASS
    supports: ClassVar[Supports] = EVERYTHING

    def cost(self, n_rows: int, n_cols: int, n_targets: int = 1) -> Cost:
        """Return the flops, passes and memory of a solve."""
        products = 1.0 * n_rows * n_cols * (n_cols + 2 * n_targets)
        if self.spectrum is not False:
            flops = products + 9.0 * n_cols**3
            return Cost(flops, 1, 8 * n_cols * (5 * n_cols + 4 * n_targets))
        # Rows to choose by and copies of some; every fourth column; the whole curve of a few.
        kept, few = rows_to_choose_by(n_cols), min(n_cols, SCOUT_COLUMNS)
        numbers = n_cols * (n_cols + 3 * kept + 12 * n_targets) + (n_cols // COARSER) ** 2
        numbers += few * (5 * few + 4 * kept)
        return Cost(products + 2 / 3 * n_cols**3, 1, 8 * numbers)

    def check(self, problem: Problem, *, audit: str = "auto") -> None:
        """Refuse, before any row is read, what this solver cannot do."""
        super().check(problem, audit=audit)
        get_precision(self.precision)
        if self.device is not None:
            get_device(self.device)

    def _solve(self, problem: Problem) -> RawSolution:
        if self.device is not None:
            return self.finish(*_read_on_device(problem, self.device, self.precision))
        n_cols, n_targets = problem.A.shape[1], problem.n_targets
        make = partial(GramReduction, n_cols, n_targets, center=problem.intercept)
        return self.finish(problem, one_pass(problem, make, name="Gram matrix"))

    def finish(self, problem: Problem, done: Pass) -> RawSolution:
        """Solve from the summary of all rows, which must not be used any more."""
        n_cols = problem.A.shape[1]
        assert isinstance(done.inner, GramReduction)
        products = done.inner.products()
        # What is not finite anywhere is not finite on the diagonal: no temporary is needed.
        check_state(np.diagonal(products.lower))
        facts = done.facts(problem, products.BB, products.mean_A, products.mean_B)
        resolution = get_precision(self.precision).resolution
        where = "" if self.device is None else f" on {get_device(self.device)}"
        spectrum = self.spectrum
        if spectrum == "auto":
            spectrum = n_cols < CHOLESKY_COLUMNS or problem.alpha == 0 or problem.rcond is not None
        factorization: Factorization
        if spectrum or not np.diagonal(products.lower).any():
            how = "its eigenvalues"
            factorization = spectral_from_gram(
                products.gram(), products.AB, facts=facts, resolution=resolution
            )
        else:
            how = "Cholesky factors"
            factorization = cholesky_from_gram(
                products.lower,
                products.AB,
                facts=facts,
                resolution=resolution,
                algebra=HOST if self.device is None else algebra_on(get_device(self.device)),
            )
        raw = solution_of(
            problem,
            factorization,
            solver="NormalEquations",
            reason=f"Gram matrix{where} and {how}",
            n_passes=1,
        )
        # B'B - ... loses half the digits when the fit is nearly exact.
        left = raw.factorization.residual_sumsq(raw.ratio)
        raw.residual_is_exact = bool((left >= 1e-6 * products.BB).all())
        raw.seconds["pass"] = done.seconds
        return raw


@dataclass(frozen=True)
class DevicePart:
    """Summarise one part of the rows on a device: what a worker is sent.

    Attributes
    ----------
    features : FeatureMap or None
        From the rows of the part to the columns of the matrix, if there is one.
    n_cols, n_targets : int
        Columns of the matrix and of the targets.
    center : bool
        Whether means are taken out.
    device, precision : str
        Where, and how exactly.
    """

    features: Any
    n_cols: int
    n_targets: int
    center: bool
    device: Any
    precision: str

    def __call__(self, part: tuple[Records, int]) -> Reduction:
        """Return the summary on the host, where it merges with the others."""
        rows = part[0].stream()
        if self.features is None:
            gram = DeviceGram(
                self.n_cols,
                self.n_targets,
                center=self.center,
                device=get_device(self.device),
                precision=self.precision,
            )
            for _, A, B, weights in rows:
                gram.update(A, B, weights)
        else:
            gram = device_gram(
                rows,
                self.features,
                self.n_targets,
                center=self.center,
                device=self.device,
                precision=self.precision,
            )
        return gram.reduction()


def _read_on_device(problem: Problem, device: Any, precision: str) -> tuple[Problem, Pass]:
    """Return the cross products of all rows, formed on a device, and the rows to choose by."""
    start = time.perf_counter()
    n_cols, n_targets = problem.A.shape[1], problem.n_targets
    if problem.chooses and not isinstance(problem.choose_by, KeptRows):
        index, weights = problem.rows_to_keep()
        some = problem.records.taken(index)
        B, w = some.labels()
        importance = (np.ones(len(B)) if w is None else w) if weights is None else weights
        kept = KeptRows(some.matrix.to_array().astype(np.float64, copy=False), B, importance)
        problem = replace(problem, choose_by=kept)
    records, features = problem.records.unmapped()
    make = partial(GramReduction, n_cols, n_targets, center=problem.intercept)
    function = DevicePart(features, n_cols, n_targets, problem.intercept, device, precision)
    gram = problem.run.reduce(
        records, make, name="Gram matrix on a device", function=function, most=1
    )
    assert isinstance(gram, GramReduction)
    done = Pass(gram, np.empty(0, dtype=np.int64))
    done.weight = gram.weight
    done.n_positive = min(gram.weight, problem.A.shape[0]) if records.weighted else gram.weight
    done.seconds = time.perf_counter() - start
    return problem, done
