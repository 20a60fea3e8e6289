"""How linear least squares is solved."""

from typing import Any

from solvenet.solvers._base import Needs, Solver, Supports
from solvenet.solvers.auto import Auto
from solvenet.solvers.basis import DeflatedBasis
from solvenet.solvers.deflated import DeflatedSplit
from solvenet.solvers.direct import QR, SVD, NormalEquations
from solvenet.solvers.iterative import CGLS, LSMR, LSQR
from solvenet.solvers.loo import LeaveOneOut, leave_one_out, loo_curve
from solvenet.solvers.problem import rows_to_choose_by
from solvenet.solvers.result import SolveResult, StopReason
from solvenet.solvers.split import SplitAndSolve
from solvenet.solvers.swg import SWG

SOLVERS: dict[str, type[Any]] = {
    "auto": Auto,
    "svd": SVD,
    "qr": QR,
    "normal": NormalEquations,
    "swg": SWG,
    "lsqr": LSQR,
    "lsmr": LSMR,
    "cgls": CGLS,
    "split": SplitAndSolve,
    "deflated": DeflatedSplit,
}
"""Names by which estimators and the command line know the solvers."""

__all__ = [
    "CGLS",
    "LSMR",
    "LSQR",
    "QR",
    "SOLVERS",
    "SVD",
    "SWG",
    "Auto",
    "DeflatedBasis",
    "DeflatedSplit",
    "LeaveOneOut",
    "Needs",
    "NormalEquations",
    "SolveResult",
    "Solver",
    "SplitAndSolve",
    "StopReason",
    "Supports",
    "leave_one_out",
    "loo_curve",
    "rows_to_choose_by",
]
