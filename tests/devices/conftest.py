"""Devices that every test runs on, where they are there."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from solvenet.devices import Device, get_device
from solvenet.features import DenseMap, InputScaling, LayeredMap, get_activation
from solvenet.networks import HiddenMap

N_ROWS, N_INPUTS, N_TARGETS = 1500, 4, 2


def _device(name: str) -> Device:
    module = {"cpu": "torch", "cuda": "torch"}.get(name, name)
    pytest.importorskip(module, reason=f"needs the package {module}")
    if name == "cuda":
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs an NVIDIA GPU")
    if name == "cupy" and importlib.util.find_spec("cupyx") is None:
        pytest.skip("needs an NVIDIA GPU")
    return get_device(name)


@pytest.fixture(
    params=[
        "cpu",
        "array_api_strict",
        pytest.param("cuda", marks=pytest.mark.gpu),
        pytest.param("cupy", marks=pytest.mark.gpu),
    ]
)
def device(request) -> Device:
    """Torch on the CPU, array-api-strict, and the GPU by torch and by CuPy."""
    return _device(request.param)


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs with a large offset, targets, and weights of which some are zero."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, N_INPUTS)) + np.array([0.0, 100.0, -5.0, 2000.0])
    weights = rng.random(N_ROWS)
    weights[::7] = 0.0
    return X, np.stack([np.sin(X.sum(axis=1)), X[:, 0] + 30.0], axis=1), weights


def network(X, *, widths=(40,), activation="tanh", skip=0.0, bend=False, seed=1) -> HiddenMap:
    """Return random layers on scaled inputs."""
    rng = np.random.default_rng(seed)
    n = X.shape[1]
    more = {}
    if bend:
        more = {
            "bend": np.linspace(0.0, 1.0, n),
            "gain": np.linspace(1.0, 1.5, n),
            "low": np.quantile(X, 0.1, axis=0),
            "high": np.quantile(X, 0.9, axis=0),
            "radius": 1.5,
            "mean": np.median(X, axis=0),
            "precision": 1.0 / X.std(axis=0),
        }
    scaling = InputScaling(X.mean(axis=0), 1.0 / X.std(axis=0), **more)
    layers, before = [], n
    for width in widths:
        weights = rng.standard_normal((before, width)) * 2.0 / np.sqrt(before)
        layers.append(DenseMap(weights, rng.standard_normal(width), get_activation(activation)))
        before = width
    return HiddenMap(scaling, LayeredMap(tuple(layers)), skip)


def records(X, B, weights=None, cuts=(0, 1, 700, 701)):
    """Yield the rows in blocks that begin at these rows."""
    for start, stop in zip(cuts, (*cuts[1:], len(X)), strict=True):
        here = slice(start, stop)
        yield here, X[here], B[here], None if weights is None else weights[here]
