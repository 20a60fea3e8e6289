"""Figures: a result in, matplotlib Axes out. matplotlib loads on first use."""

from solvenet.plots.dynamics import plot_half_times, plot_residual_modes
from solvenet.plots.permutation import (
    plot_approximation,
    plot_kinks,
    plot_movement,
    plot_permutation,
    plot_rate,
)
from solvenet.plots.predictions import (
    plot_calibration,
    plot_confusion,
    plot_coverage,
    plot_predictions,
)
from solvenet.plots.reach import plot_reach
from solvenet.plots.representation import plot_decomposition, plot_rashomon
from solvenet.plots.solves import plot_convergence, plot_selection, plot_spectrum
from solvenet.plots.spectra import plot_eigenvalues, plot_modes, plot_projection

__all__ = [
    "plot_approximation",
    "plot_calibration",
    "plot_confusion",
    "plot_convergence",
    "plot_coverage",
    "plot_decomposition",
    "plot_eigenvalues",
    "plot_half_times",
    "plot_kinks",
    "plot_modes",
    "plot_movement",
    "plot_permutation",
    "plot_predictions",
    "plot_projection",
    "plot_rashomon",
    "plot_rate",
    "plot_reach",
    "plot_residual_modes",
    "plot_selection",
    "plot_spectrum",
]
