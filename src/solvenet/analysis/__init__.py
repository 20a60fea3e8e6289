"""What a network can represent, and what the numbers of a fit say."""

from solvenet.analysis.advice import Finding, FitNumbers, advise, enough_units
from solvenet.analysis.biases import adaptive_biases, random_biases, uniform_biases
from solvenet.analysis.descent import (
    Ending,
    TrainingRecord,
    Trajectory,
    descend,
    integrate_flow,
)
from solvenet.analysis.elements import ElementFunction, Elements
from solvenet.analysis.flow import gradient_flow, gram_flow
from solvenet.analysis.kernels import relu_gram
from solvenet.analysis.laws import (
    PowerLaw,
    fit_power_law,
    half_time_bound,
    half_time_law,
    lazy_limit,
)
from solvenet.analysis.linear_flow import LinearFlow
from solvenet.analysis.nonlinear import ReLUProblem
from solvenet.analysis.problems import (
    Problem,
    QuadratureProblem,
    balanced_weights,
    cosine_probes,
)
from solvenet.analysis.quadrature import gauss_rule
from solvenet.analysis.remaining import RemainingTime, predict_remaining
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
    "ElementFunction",
    "Elements",
    "Ending",
    "Finding",
    "FitNumbers",
    "LinearFlow",
    "PowerLaw",
    "Problem",
    "QuadratureProblem",
    "ReLUProblem",
    "RemainingTime",
    "Score",
    "TrainingRecord",
    "Trajectory",
    "accuracy",
    "adaptive_biases",
    "advise",
    "balanced_weights",
    "calibration_gap",
    "calibration_noise",
    "captured_rank",
    "cosine_probes",
    "cutoff_level",
    "descend",
    "enough_units",
    "fit_power_law",
    "flat_share",
    "gauss_rule",
    "gradient_flow",
    "gram_flow",
    "half_time_bound",
    "half_time_law",
    "integrate_flow",
    "lazy_limit",
    "predict_remaining",
    "r_squared",
    "random_biases",
    "relu_gram",
    "uniform_biases",
]
