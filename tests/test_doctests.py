"""The examples in the docstrings run, and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import solvenet
from solvenet.errors import MissingExtraError

MODULES = sorted(m.name for m in pkgutil.walk_packages(solvenet.__path__, "solvenet."))


@pytest.mark.parametrize("name", [m for m in MODULES if not m.endswith("__main__")])
def test_examples(name):
    if name.startswith("solvenet.torchnets."):
        pytest.importorskip("torch", reason="torch is an optional extra")
    try:
        module = importlib.import_module(name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    failed, _ = doctest.testmod(module, raise_on_error=False)
    assert failed == 0


def test_there_are_examples():
    """At least the solvers, the estimators, a sampler and the row blocks show how."""
    counts = {
        name: doctest.testmod(importlib.import_module(name)).attempted
        for name in MODULES
        if name.startswith(("solvenet.solvers", "solvenet.estimators", "solvenet.features"))
    }
    assert sum(counts.values()) >= 20
