"""solvenet: neural networks that are solved, not trained."""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("solvenet")

_HOMES = {
    "solvers": [
        "CGLS",
        "LSMR",
        "LSQR",
        "LSRN",
        "QR",
        "SPIR",
        "SVD",
        "SWG",
        "Accumulator",
        "Auto",
        "DeflatedSplit",
        "HessianSketch",
        "NormalEquations",
        "PivotedQR",
        "SketchAndSolve",
        "SolveResult",
        "SplitAndSolve",
        "StopReason",
        "plan",
        "solve",
    ],
    "analysis": ["NetworkSpec", "diagnose"],
    "engine": ["Checkpoint", "DaskEngine", "ProcessEngine", "SerialEngine", "ThreadEngine"],
    "sources": ["open_source", "open_table"],
    "features": ["SWIM", "Activation", "FourierFeatures", "GivenFeatures", "RandomFeatures"],
    "estimators": [
        "MMNNRegressor",
        "PermutationNetworkClassifier",
        "PermutationNetworkRegressor",
        "SampledFeatures",
        "SampledNetworkClassifier",
        "SampledNetworkRegressor",
        "TableEncoder",
    ],
    "growing": ["Growth", "grow_network"],
    "onnx_export": ["to_onnx"],
    "persistence": ["load", "save"],
}
_WHERE = {name: room for room, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_WHERE)]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: ``import solvenet`` itself loads nothing."""
    if name not in _WHERE:
        msg = f"module 'solvenet' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"solvenet.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
