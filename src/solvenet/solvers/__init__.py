"""How linear least squares is solved."""

from solvenet.solvers._base import Cost, Needs, Solver, Supports
from solvenet.solvers.accumulator import Accumulator
from solvenet.solvers.approximate import History
from solvenet.solvers.auto import Auto
from solvenet.solvers.basis import DeflatedBasis
from solvenet.solvers.deflated import DeflatedSplit
from solvenet.solvers.factorization import KeptRows
from solvenet.solvers.front import Plan, plan, solve
from solvenet.solvers.iterative import CGLS, LSMR, LSQR
from solvenet.solvers.loo import LeaveOneOut, leave_one_out, loo_curve
from solvenet.solvers.lsrn import LSRN, SPIR
from solvenet.solvers.normal import NormalEquations
from solvenet.solvers.problem import rows_to_choose_by
from solvenet.solvers.qr import QR, PivotedQR
from solvenet.solvers.refined import HessianSketch
from solvenet.solvers.registry import SOLVERS, make_solver
from solvenet.solvers.result import SolveResult, StopReason
from solvenet.solvers.sketched import SketchAndSolve
from solvenet.solvers.split import SplitAndSolve
from solvenet.solvers.svd import SVD
from solvenet.solvers.swg import SWG

__all__ = [
    "CGLS",
    "LSMR",
    "LSQR",
    "LSRN",
    "QR",
    "SOLVERS",
    "SPIR",
    "SVD",
    "SWG",
    "Accumulator",
    "Auto",
    "Cost",
    "DeflatedBasis",
    "DeflatedSplit",
    "HessianSketch",
    "History",
    "KeptRows",
    "LeaveOneOut",
    "Needs",
    "NormalEquations",
    "PivotedQR",
    "Plan",
    "SketchAndSolve",
    "SolveResult",
    "Solver",
    "SplitAndSolve",
    "StopReason",
    "Supports",
    "leave_one_out",
    "loo_curve",
    "make_solver",
    "plan",
    "rows_to_choose_by",
    "solve",
]
