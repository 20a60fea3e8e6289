"""Networks whose weights are only rearranged."""

from solvenet.permutation.multisets import (
    INITIALISATIONS,
    centred,
    equidistant,
    few_levels,
    he_normal,
    mirrored,
    pairwise,
    published_initialisation,
    sparse,
    uniform,
    xavier_uniform,
)
from solvenet.permutation.problem import PermutationProblem, PermutationResult, permutation_of
from solvenet.permutation.searching import solve_permutation
from solvenet.permutation.units import (
    directed_units,
    knots_of,
    published_directions,
    published_units,
    random_units,
    relu_pairs,
    sampled_units,
)

__all__ = [
    "INITIALISATIONS",
    "PermutationProblem",
    "PermutationResult",
    "centred",
    "directed_units",
    "equidistant",
    "few_levels",
    "he_normal",
    "knots_of",
    "mirrored",
    "pairwise",
    "permutation_of",
    "published_directions",
    "published_initialisation",
    "published_units",
    "random_units",
    "relu_pairs",
    "sampled_units",
    "solve_permutation",
    "sparse",
    "uniform",
    "xavier_uniform",
]
