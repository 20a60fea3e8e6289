"""What the numbers of a fit say: scores with their uncertainty, and advice in words."""

from solvenet.analysis.advice import Finding, FitNumbers, advise, enough_units
from solvenet.analysis.scores import (
    Score,
    accuracy,
    calibration_gap,
    calibration_noise,
    flat_share,
    r_squared,
)
from solvenet.analysis.spectra import captured_rank, cutoff_level

__all__ = [
    "Finding",
    "FitNumbers",
    "Score",
    "accuracy",
    "advise",
    "calibration_gap",
    "calibration_noise",
    "captured_rank",
    "cutoff_level",
    "enough_units",
    "flat_share",
    "r_squared",
]
