"""What the command line does, as functions."""

from solvenet.commands._steps import Progress
from solvenet.commands.demonstration import demo
from solvenet.commands.diagnosis import TableDiagnosis, diagnose_table, plan_table
from solvenet.commands.fit import TASKS, TableFit, fit_table
from solvenet.commands.inspection import inspect_model
from solvenet.commands.predict import TablePrediction, predict_table

__all__ = [
    "TASKS",
    "Progress",
    "TableDiagnosis",
    "TableFit",
    "TablePrediction",
    "demo",
    "diagnose_table",
    "fit_table",
    "inspect_model",
    "plan_table",
    "predict_table",
]
