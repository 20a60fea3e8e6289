"""The solvers by name."""

from __future__ import annotations

from typing import Any

from solvenet._validation import check_choice
from solvenet.solvers._base import Solver
from solvenet.solvers.auto import Auto
from solvenet.solvers.deflated import DeflatedSplit
from solvenet.solvers.iterative import CGLS, LSMR, LSQR
from solvenet.solvers.lsrn import LSRN, SPIR
from solvenet.solvers.normal import NormalEquations
from solvenet.solvers.qr import QR, PivotedQR
from solvenet.solvers.refined import HessianSketch
from solvenet.solvers.sketched import SketchAndSolve
from solvenet.solvers.split import SplitAndSolve
from solvenet.solvers.svd import SVD
from solvenet.solvers.swg import SWG

SOLVERS: dict[str, type[Any]] = {
    "auto": Auto,
    "svd": SVD,
    "qr": QR,
    "pivoted": PivotedQR,
    "normal": NormalEquations,
    "swg": SWG,
    "hessian": HessianSketch,
    "sketch": SketchAndSolve,
    "lsqr": LSQR,
    "lsmr": LSMR,
    "cgls": CGLS,
    "lsrn": LSRN,
    "spir": SPIR,
    "split": SplitAndSolve,
    "deflated": DeflatedSplit,
}
"""Names by which estimators and the command line know the solvers."""


def make_solver(solver: str | Solver) -> Solver:
    """Return a solver by its name, or the one given."""
    if isinstance(solver, Solver):
        return solver
    made: Solver = SOLVERS[check_choice("solver", solver, SOLVERS)]()
    return made
