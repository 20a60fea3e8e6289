"""Torch: the only room that imports it, and only once one of its names is asked for."""

from importlib import import_module
from typing import Any

from solvenet._validation import import_optional

_WHERE = {
    "LaPerm": "laperm",
    "LaPermRun": "laperm",
    "MMNN": "mmnn",
    "ModewiseResidual": "monitor",
    "PermutedConv2d": "permuted",
    "PermutedLinear": "permuted",
    "RankMatch": "matching",
    "TorchNetwork": "convert",
    "TrainingRecord": "training",
    "TrainingRun": "training",
    "permute_": "permuted",
    "permuted_layers": "permuted",
    "tangent_kernel": "monitor",
    "to_torch": "convert",
    "train_adam": "training",
    "train_laperm": "laperm",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    """Import a name of this room on first use, or say that torch is missing."""
    if name not in _WHERE:
        msg = f"module 'solvenet.torchnets' has no attribute {name!r}"
        raise AttributeError(msg)
    import_optional("torch", extra="torch", purpose=f"solvenet.torchnets.{name}")
    return getattr(import_module(f"solvenet.torchnets.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
