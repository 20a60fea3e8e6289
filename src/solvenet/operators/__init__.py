"""Learning maps between functions, and solving for functions: data, modes, errors."""

from solvenet.operators.bases import Basis, Jet, sample_basis
from solvenet.operators.collocation import Condition, FieldFunction, periodic, solve_pde
from solvenet.operators.domains import Box
from solvenet.operators.elliptic import solve_darcy, solve_poisson
from solvenet.operators.equations import (
    solve_advection,
    solve_burgers,
    solve_kuramoto_sivashinsky,
)
from solvenet.operators.files import Trajectories, read_pairs, read_pdebench, read_well
from solvenet.operators.fourier import FourierSeries, Galilean, Shift, Symmetry
from solvenet.operators.lines import Evolution, evolve
from solvenet.operators.metrics import nrmse, relative_h1, relative_l2, vrmse
from solvenet.operators.pod import POD, fit_pod
from solvenet.operators.random_fields import gaussian_field

__all__ = [
    "POD",
    "Basis",
    "Box",
    "Condition",
    "Evolution",
    "FieldFunction",
    "FourierSeries",
    "Galilean",
    "Jet",
    "Shift",
    "Symmetry",
    "Trajectories",
    "evolve",
    "fit_pod",
    "gaussian_field",
    "nrmse",
    "periodic",
    "read_pairs",
    "read_pdebench",
    "read_well",
    "relative_h1",
    "relative_l2",
    "sample_basis",
    "solve_advection",
    "solve_burgers",
    "solve_darcy",
    "solve_kuramoto_sivashinsky",
    "solve_pde",
    "solve_poisson",
    "vrmse",
]
