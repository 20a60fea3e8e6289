"""The names of scikit-learn that are not public yet, in one place.

The estimator checks of scikit-learn ask for ``check_same_namespace`` by name; making it
public is an open issue there (scikit-learn #34135).
"""

from sklearn.utils._array_api import check_same_namespace

__all__ = ["check_same_namespace"]
