"""scikit-learn estimators: the only room that imports scikit-learn."""

from solvenet.estimators.sampled import (
    SampledFeatures,
    SampledNetworkClassifier,
    SampledNetworkRegressor,
)

__all__ = ["SampledFeatures", "SampledNetworkClassifier", "SampledNetworkRegressor"]
