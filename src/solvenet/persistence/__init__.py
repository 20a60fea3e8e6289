"""Saving fitted models without pickle: arrays and JSON in one safetensors file."""

from solvenet.persistence.files import load, save

__all__ = ["load", "save"]
