"""What a network can represent, and what the numbers of a fit say."""

from solvenet.analysis.advice import Finding, FitNumbers, advise, enough_units
from solvenet.analysis.biases import adaptive_biases, random_biases, uniform_biases
from solvenet.analysis.kernels import relu_gram
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
    "adaptive_biases",
    "advise",
    "calibration_gap",
    "calibration_noise",
    "captured_rank",
    "cutoff_level",
    "enough_units",
    "flat_share",
    "r_squared",
    "random_biases",
    "relu_gram",
    "uniform_biases",
]
