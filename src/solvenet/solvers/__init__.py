"""How linear least squares is solved."""

from typing import Any

from solvenet.solvers._base import Needs, Solver, Supports
from solvenet.solvers.auto import Auto
from solvenet.solvers.direct import QR, SVD, NormalEquations
from solvenet.solvers.loo import LeaveOneOut, leave_one_out, loo_curve
from solvenet.solvers.problem import rows_to_choose_by
from solvenet.solvers.result import SolveResult, StopReason

SOLVERS: dict[str, type[Any]] = {"auto": Auto, "svd": SVD, "qr": QR, "normal": NormalEquations}
"""Names by which estimators and the command line know the solvers."""

__all__ = [
    "QR",
    "SOLVERS",
    "SVD",
    "Auto",
    "LeaveOneOut",
    "Needs",
    "NormalEquations",
    "SolveResult",
    "Solver",
    "StopReason",
    "Supports",
    "leave_one_out",
    "loo_curve",
    "rows_to_choose_by",
]
