"""scikit-learn estimators: the only room that imports scikit-learn."""

from solvenet.estimators.classifier import SampledNetworkClassifier
from solvenet.estimators.permutation import (
    PermutationNetworkClassifier,
    PermutationNetworkRegressor,
)
from solvenet.estimators.regressor import SampledNetworkRegressor
from solvenet.estimators.structured import MMNNRegressor
from solvenet.estimators.tables import TableEncoder
from solvenet.estimators.transformer import SampledFeatures

__all__ = [
    "MMNNRegressor",
    "PermutationNetworkClassifier",
    "PermutationNetworkRegressor",
    "SampledFeatures",
    "SampledNetworkClassifier",
    "SampledNetworkRegressor",
    "TableEncoder",
]
