"""Export to ONNX, run and measured before the file is written."""

from solvenet.onnx_export.exporting import to_onnx

__all__ = ["to_onnx"]
