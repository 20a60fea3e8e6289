"""What a network can represent, and what the numbers of a fit say."""

from solvenet.analysis.advice import Finding, FitNumbers, advise, enough_units
from solvenet.analysis.ball import ball_spectrum, weyl_count
from solvenet.analysis.beam import relu_spectrum
from solvenet.analysis.biases import adaptive_biases, random_biases, uniform_biases
from solvenet.analysis.breakpoints import equal_mode_breakpoints
from solvenet.analysis.candidates import Proposal
from solvenet.analysis.causes import CAUSES, RepresentationNumbers
from solvenet.analysis.decomposition import Decomposition, Piece, decompose
from solvenet.analysis.descent import Ending, TrainingRecord, Trajectory, descend, integrate_flow
from solvenet.analysis.diagnosis import Diagnosis, cutoff, diagnose
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
from solvenet.analysis.modes import Modes, Projection, modes_needed, project, relu_modes, unit_modes
from solvenet.analysis.nonlinear import ReLUProblem
from solvenet.analysis.planning import NetworkPlan, plan
from solvenet.analysis.precision import (
    PRECISIONS,
    CapturedModes,
    captured_modes,
    low_pass,
    machine_epsilon,
    precision_error,
    width_error,
)
from solvenet.analysis.problems import Problem, QuadratureProblem, balanced_weights, cosine_probes
from solvenet.analysis.quadrature import gauss_rule
from solvenet.analysis.rashomon import (
    RashomonRatio,
    inner_product_probability,
    rashomon_bound,
    rashomon_probability,
    rashomon_ratio,
)
from solvenet.analysis.reach import Reach
from solvenet.analysis.remaining import RemainingTime, predict_remaining
from solvenet.analysis.scores import (
    Score,
    accuracy,
    calibration_gap,
    calibration_noise,
    flat_share,
    r_squared,
)
from solvenet.analysis.specification import NetworkSpec
from solvenet.analysis.spectra import Spectrum, captured_rank, cutoff_level, feature_spectrum
from solvenet.analysis.splitting import Probability, split_probability
from solvenet.analysis.targets import ReLUTarget, oscillating_target, relu_target
from solvenet.analysis.trials import Trial
from solvenet.analysis.units import unit_spectrum
from solvenet.analysis.variation import Variation

__all__ = [
    "CAUSES",
    "PRECISIONS",
    "CapturedModes",
    "Decomposition",
    "Diagnosis",
    "ElementFunction",
    "Elements",
    "Ending",
    "Finding",
    "FitNumbers",
    "LinearFlow",
    "Modes",
    "NetworkPlan",
    "NetworkSpec",
    "Piece",
    "PowerLaw",
    "Probability",
    "Problem",
    "Projection",
    "Proposal",
    "QuadratureProblem",
    "RashomonRatio",
    "ReLUProblem",
    "ReLUTarget",
    "Reach",
    "RemainingTime",
    "RepresentationNumbers",
    "Score",
    "Spectrum",
    "TrainingRecord",
    "Trajectory",
    "Trial",
    "Variation",
    "accuracy",
    "adaptive_biases",
    "advise",
    "balanced_weights",
    "ball_spectrum",
    "calibration_gap",
    "calibration_noise",
    "captured_modes",
    "captured_rank",
    "cosine_probes",
    "cutoff",
    "cutoff_level",
    "decompose",
    "descend",
    "diagnose",
    "enough_units",
    "equal_mode_breakpoints",
    "feature_spectrum",
    "fit_power_law",
    "flat_share",
    "gauss_rule",
    "gradient_flow",
    "gram_flow",
    "half_time_bound",
    "half_time_law",
    "inner_product_probability",
    "integrate_flow",
    "lazy_limit",
    "low_pass",
    "machine_epsilon",
    "modes_needed",
    "oscillating_target",
    "plan",
    "precision_error",
    "predict_remaining",
    "project",
    "r_squared",
    "random_biases",
    "rashomon_bound",
    "rashomon_probability",
    "rashomon_ratio",
    "relu_gram",
    "relu_modes",
    "relu_spectrum",
    "relu_target",
    "split_probability",
    "uniform_biases",
    "unit_modes",
    "unit_spectrum",
    "weyl_count",
    "width_error",
]
