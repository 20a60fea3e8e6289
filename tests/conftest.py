"""Fixtures that many tests share."""

import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

# scikit-learn's array API dispatch wants it, before SciPy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# Where a change is judged the examples are the same in every run; elsewhere each run
# looks at new ones. A failure found there becomes an example of its own.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """One BLAS thread a worker: results and times do not depend on the machine."""
    with threadpool_limits(1):
        yield
