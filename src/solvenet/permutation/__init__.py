"""Networks whose weights are only rearranged."""

from solvenet.permutation.export import (
    StorageSize,
    StoredPermutation,
    load_permutation,
    save_permutation,
    storage_size,
)
from solvenet.permutation.feasibility import InitCheck, Verdict, check_init
from solvenet.permutation.gain import full_gain, is_majorised
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
from solvenet.permutation.ordering import cycles_of, levels_of, rank_of, swaps_of
from solvenet.permutation.problem import PermutationProblem, PermutationResult, permutation_of
from solvenet.permutation.recipe import MultisetRecipe, multiset_digest
from solvenet.permutation.routing import RoutingNetwork, SwitchStage, routing_network
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
    "InitCheck",
    "MultisetRecipe",
    "PermutationProblem",
    "PermutationResult",
    "RoutingNetwork",
    "StorageSize",
    "StoredPermutation",
    "SwitchStage",
    "Verdict",
    "centred",
    "check_init",
    "cycles_of",
    "directed_units",
    "equidistant",
    "few_levels",
    "full_gain",
    "he_normal",
    "is_majorised",
    "knots_of",
    "levels_of",
    "load_permutation",
    "mirrored",
    "multiset_digest",
    "pairwise",
    "permutation_of",
    "published_directions",
    "published_initialisation",
    "published_units",
    "random_units",
    "rank_of",
    "relu_pairs",
    "routing_network",
    "sampled_units",
    "save_permutation",
    "solve_permutation",
    "sparse",
    "storage_size",
    "swaps_of",
    "uniform",
    "xavier_uniform",
]
