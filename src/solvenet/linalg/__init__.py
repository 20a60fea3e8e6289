"""Kernels on plain arrays: no sources, no settings, no state."""
