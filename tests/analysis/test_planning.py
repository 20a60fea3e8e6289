"""What is proposed reaches the accuracy, on points that nobody has seen."""

import numpy as np
import pytest
from scipy import linalg

from solvenet.analysis import plan
from solvenet.errors import InvalidDataError, InvalidSettingError

FUNCTIONS = {
    "wave": (lambda x: np.sin(16 * np.pi * x), 1, 1e-4),
    "steep": (lambda x: np.arctan(25 * x), 1, 1e-3),
    "kink": (lambda x: np.abs(x - 0.1), 1, 1e-3),
    "step": (lambda x: np.sign(x - 0.1), 1, 0.03),
    "local": (lambda x: np.where(np.abs(x) < 0.05, np.sin(40 * np.pi * x), 0.0), 1, 0.03),
    "plane": (lambda X: np.sin(3 * X[:, 0]) * np.cos(2 * X[:, 1]), 2, 1e-3),
    "space": (lambda X: np.exp(-(X**2).sum(axis=1)), 3, 1e-2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_proposals_reach_the_accuracy(name: str) -> None:
    f, d, tol = FUNCTIONS[name]
    found = plan(f, dimension=d, tol=tol, max_size=256)
    X = np.random.default_rng(99).uniform(-1, 1, (5000, d))
    X = X[:, 0] if d == 1 else X
    assert found.proposals
    for proposal in found.proposals:
        error = np.sqrt(np.mean((proposal.function(X) - f(X)) ** 2)) / f(X).std()
        # Another sample of points: the error of a jump is that of few of them.
        assert error <= (3.0 if name == "step" else 1.3) * tol, proposal
    for proposal in found.failed:
        assert proposal.error > tol


def test_what_is_known_to_suit_is_proposed() -> None:
    assert plan(FUNCTIONS["wave"][0], tol=1e-6, max_size=128).best.kind == "sin"
    assert plan(FUNCTIONS["step"][0], tol=0.03, max_size=64).best.kind == "graded elements"
    assert "elements" in [
        p.kind for p in plan(FUNCTIONS["kink"][0], tol=1e-3, max_size=128).proposals
    ]


def test_the_precision_that_is_proposed_is_enough() -> None:
    f = FUNCTIONS["wave"][0]
    best = next(p for p in plan(f, tol=1e-3, max_size=128).proposals if p.spec is not None)
    assert best.precision.startswith("float32")
    assert best.spec is not None
    x = np.random.default_rng(5).uniform(-1, 1, 2000)
    A = best.spec.layer(1)(x[:, None])
    A32, y32 = (A - A.mean(axis=0)).astype(np.float32), (f(x) - f(x).mean()).astype(np.float32)
    if best.precision.endswith("Gram matrix"):
        # Single LAPACK, another routine than the library's.
        coef = linalg.pinvh(A32.T @ A32, rtol=4 * 2.0**-23) @ (A32.T @ y32)
    else:
        coef = linalg.lstsq(A32, y32, cond=4 * 2.0**-23, lapack_driver="gelss")[0]
    assert coef.dtype == np.float32
    assert np.sqrt(np.mean((A32 @ coef - y32) ** 2)) <= 1.3e-3 * f(x).std()


def test_data_in_their_own_units() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform([5.0, -300.0], [9.0, 500.0], (900, 2))
    y = 100.0 + 7.0 * np.sin(X[:, 0]) + 0.01 * X[:, 1]
    best = plan(X, y, tol=0.01, max_size=128).best
    fresh = rng.uniform([5.0, -300.0], [9.0, 500.0], (900, 2))
    wanted = 100.0 + 7.0 * np.sin(fresh[:, 0]) + 0.01 * fresh[:, 1]
    assert np.sqrt(np.mean((best.function(fresh) - wanted) ** 2)) <= 0.02 * wanted.std()


@pytest.mark.parametrize("size", [1.0, 1e-200, 1e200])
def test_components_are_proposed_for_functions_and_for_data(size: float) -> None:
    """Many waves in the middle, few outside: fewer numbers than one network of these units."""
    f = lambda x: size * np.sin(8 * np.pi * np.tanh(3 * x))  # noqa: E731
    x = np.random.default_rng(3).uniform(-1, 1, 1500)
    for given in [(f,), (x[:, None], f(x)[:, None])]:
        found = {p.kind: p for p in plan(*given, tol=1e-2, max_size=128).proposals}
        parts = found["components"]
        fresh = np.random.default_rng(4).uniform(x.min(), x.max(), 2000)
        error = np.sqrt(np.mean(((parts.function(fresh) - f(fresh)) / size) ** 2))
        assert error <= 1.5e-2 * (f(fresh) / size).std()
        assert all(parts.n_parameters < p.n_parameters for p in found.values() if "tanh" in p.kind)


def test_what_cannot_be_reached_is_said() -> None:
    rng = np.random.default_rng(0)
    found = plan(rng.uniform(-1, 1, 200), rng.standard_normal(200), tol=1e-3)
    assert not found.proposals
    assert all(proposal.error > 0.5 for proposal in found.failed)
    with pytest.raises(InvalidDataError, match="least error"):
        _ = found.best


def test_same_seed_same_plan() -> None:
    f = FUNCTIONS["plane"][0]
    first, again = (plan(f, dimension=2, tol=0.01, max_size=100, random_state=3) for _ in range(2))
    assert str(first) == str(again)


@pytest.mark.parametrize(
    ("given", "options", "error", "match"),
    [
        ((np.cos,), {"tol": 0.0}, InvalidSettingError, "above 0 and below 1"),
        ((np.cos,), {"random_state": None}, InvalidSettingError, "random_state"),
        ((np.cos, np.ones(100)), {}, InvalidDataError, "a function alone"),
        ((lambda x: float(x),), {}, InvalidDataError, "np.vectorize"),
        ((np.zeros((100, 1)), np.full(100, "a")), {}, InvalidDataError, "real numbers"),
        ((np.cos,), {"dimension": 0}, InvalidSettingError, "dimension"),
        ((lambda x: x * np.nan,), {}, InvalidDataError, "NaN"),
        ((lambda x: 0 * x,), {}, InvalidDataError, "equal"),
        ((lambda x: x[:3],), {}, InvalidDataError, "for each"),
        ((np.zeros((50, 1)), np.zeros(50)), {}, InvalidDataError, "at least 64"),
        ((np.zeros((100, 1)),), {}, InvalidDataError, "for each"),
    ],
)
def test_bad_input(given: tuple, options: dict, error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        plan(*given, **options)
