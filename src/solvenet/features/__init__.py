"""How hidden weights are sampled."""

from typing import Any

from solvenet.features._base import FeatureMap, FeatureSampler, SelectedMap
from solvenet.features.activations import ACTIVATIONS, Activation, get_activation
from solvenet.features.layers import DenseMap, InputScaling, LayeredMap, sample_layers
from solvenet.features.metric import LearnedMetric
from solvenet.features.random_features import FourierFeatures, GivenFeatures, RandomFeatures
from solvenet.features.swim import SWIM

SAMPLERS: dict[str, type[Any]] = {
    "swim": SWIM,
    "metric": LearnedMetric,
    "random": RandomFeatures,
    "fourier": FourierFeatures,
}
"""Names by which estimators and the command line know the samplers."""

__all__ = [
    "ACTIVATIONS",
    "SAMPLERS",
    "SWIM",
    "Activation",
    "DenseMap",
    "FeatureMap",
    "FeatureSampler",
    "FourierFeatures",
    "GivenFeatures",
    "InputScaling",
    "LayeredMap",
    "LearnedMetric",
    "RandomFeatures",
    "SelectedMap",
    "get_activation",
    "sample_layers",
]
