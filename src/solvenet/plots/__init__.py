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
from solvenet.plots.structured import (
    plot_channels,
    plot_components,
    plot_error_map,
    plot_film_strip,
    plot_residual_spectrum,
)

__all__ = [
    "plot_approximation",
    "plot_calibration",
    "plot_channels",
    "plot_components",
    "plot_confusion",
    "plot_convergence",
    "plot_coverage",
    "plot_decomposition",
    "plot_eigenvalues",
    "plot_error_map",
    "plot_film_strip",
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
    "plot_residual_spectrum",
    "plot_selection",
    "plot_spectrum",
]
