"""The diagnosis names what limits a network, and each of its statements holds when tried."""

import numpy as np
import pytest

from solvenet.analysis import NetworkSpec, diagnose


def line(n: int = 1000) -> np.ndarray:
    return np.linspace(-1, 1, n)


def scattered(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (n, d))


def wave(x: np.ndarray, cycles: float) -> np.ndarray:
    """A wave with so many cycles across [-1, 1]."""
    return np.sin(np.pi * cycles * x)


def noisy(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * x) + 0.3 * np.random.default_rng(2).standard_normal(len(x))


def local(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 0.05, np.sin(40 * np.pi * x), 0.0)


def radial(X: np.ndarray) -> np.ndarray:
    return np.cos(2 * np.linalg.norm(X, axis=1)) + X[:, 0] * X[:, 1]


X12 = scattered(800, 12)
X2 = scattered(800, 2)

CASES = {
    # name: cause, specification, rows, targets, tolerance
    "nothing": ("none", NetworkSpec(width=60), line(), wave(line(), 1), 0.02),
    "too wide": ("too wide", NetworkSpec(width=1000), line(), wave(line(), 1), 0.01),
    "float32 Gram": (
        "precision", NetworkSpec(precision="float32", gram=True), line(), wave(line(), 25), 0.05,
    ),
    "bfloat16": ("precision", NetworkSpec(precision="bfloat16"), line(), wave(line(), 20), 0.05),
    "Gram matrix in float64": (
        "precision", NetworkSpec(width=60, activation="tanh", scale=4.0, gram=True), line(),
        np.exp(np.sin(3 * line())), 1e-9,
    ),
    "too few units": ("width", NetworkSpec(width=16), line(), wave(line(), 5), 0.02),
    "too few modes: tanh too smooth": (
        "scale", NetworkSpec(width=300, activation="tanh"), line(), wave(line(), 16), 0.01,
    ),
    "sine scale too small": (
        "scale", NetworkSpec(width=300, activation="sin", scale=8.0), line(), wave(line(), 16),
        0.01,
    ),
    "sine scale too large": (
        "scale", NetworkSpec(width=300, activation="sin", scale=2000.0), line(200),
        wave(line(200), 2), 0.01,
    ),
    "wrong activation for many digits": (
        "activation", NetworkSpec(width=200), line(), np.exp(np.sin(6 * line())), 1e-8,
    ),
    "noise": ("noise", NetworkSpec(width=300), line(), noisy(line()), 0.01),
    "noise in the plane": (
        "noise", NetworkSpec(width=300, activation="tanh", scale=2.0), X2,
        np.sin(2 * X2[:, 0]) + 0.4 * np.random.default_rng(3).standard_normal(800), 0.01,
    ),
    "step": ("step", NetworkSpec(width=300), line(), np.sign(line() - 0.1), 0.01),
    "step in the plane": (
        "step", NetworkSpec(width=300, activation="tanh", scale=2.0), X2,
        np.sign(X2[:, 0] + 0.5 * X2[:, 1]), 0.01,
    ),
    "local detail": (
        "local", NetworkSpec(width=100, activation="tanh", scale=10.0), line(), local(line()), 0.01,
    ),
    "high dimension": ("dimension", NetworkSpec(width=400), X12, radial(X12), 0.01),
    "few rows": (
        "rows", NetworkSpec(width=300, activation="sin", scale=12.0), scattered(80, 2),
        np.prod(np.cos(9 * scattered(80, 2)), axis=1), 0.01,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_named(name: str) -> None:
    cause, spec, x, y, tol = CASES[name]
    found = diagnose(spec, x, y, tol=tol)
    assert found.cause == cause, f"{found}\n{found.numbers}"
