"""Structured multi-component, multi-layer networks: solved instead of trained."""

from solvenet.structured.fitting import memory_bytes
from solvenet.structured.growing import Growth, Tried, grow_mmnn
from solvenet.structured.initial import balanced, random_mmnn
from solvenet.structured.network import MMNN, Layer
from solvenet.structured.result import Ending, MMNNResult, StepRecord
from solvenet.structured.samples import Field
from solvenet.structured.shallow import Shallow
from solvenet.structured.solving import solve_mmnn

__all__ = [
    "MMNN",
    "Ending",
    "Field",
    "Growth",
    "Layer",
    "MMNNResult",
    "Shallow",
    "StepRecord",
    "Tried",
    "balanced",
    "grow_mmnn",
    "memory_bytes",
    "random_mmnn",
    "solve_mmnn",
]
