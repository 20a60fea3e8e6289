"""Every solver on every hard matrix from every source: one contract for all."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from solvenet.errors import IllConditionedWarning, SolvenetError, UnsupportedProblemError
from solvenet.linalg.rank import EPS
from solvenet.solvers import LSRN, QR, SOLVERS, SVD, Needs, NormalEquations, SplitAndSolve
from solvenet.solvers.split import TOLERANCE
from solvenet.testing import excess, hard_matrices, reference_solution, row_sources

HARD = {problem.name: problem for problem in hard_matrices()}
CASES = {name: kind() for name, kind in SOLVERS.items()}
CASES["normal, Cholesky"] = NormalEquations(spectrum=False)
CASES["svd, no spectrum"] = SVD(spectrum=False)
CASES["qr, no spectrum"] = QR(spectrum=False)
CASES["split, lsqr"] = SplitAndSolve(accelerate="lsqr")
CASES["lsrn, chebyshev"] = LSRN(inner="chebyshev")
SOURCES = [
    "array",
    "small blocks",
    "fortran order",
    "read only",
    "memory map",
    "on the fly",
    "scaled",
    "one pass",
]
GRAM = ("normal", "normal, Cholesky", "hessian")
SPLIT = ("split", "split, lsqr")
KRYLOV = ("lsqr", "lsmr", "cgls")
PUBLISHED = ("lsrn", "lsrn, chebyshev")
EASY = ("condition 1e2", "rank deficient", "wide", "one column", "one row", "zero column")
EASY += ("zero matrix", "repeated rows", "repeated columns", "two levels", "coherent rows")
EASY += ("kahan", "tiny", "huge", "float32")
AT_THE_CUTOFF = ("condition 1e12", "condition 1e16", "tanh features", "float32")


def solve(solver, source, B, **options):
    """Solve and say whether the solver itself asked for caution."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = solver.solve(source, B, **options)
    assert all(issubclass(w.category, IllConditionedWarning) for w in caught)
    return result, bool(caught)


def backward_bound(A, B, W, alpha=0.0):
    """Return Stewart's bound of the backward error of each column, without overflow."""
    A = A.astype(float)
    n_cols = A.shape[1]
    largest = np.linalg.norm(A, 2) or 1.0
    size = np.abs(B).max() or 1.0
    W, tall = W * (largest / size), np.vstack([A, np.sqrt(alpha) * np.eye(n_cols)]) / largest
    b = np.linalg.norm(B / size, axis=0)
    left = np.vstack([B / size, np.zeros((n_cols, B.shape[1]))]) - tall @ W
    r, g = np.linalg.norm(left, axis=0), np.linalg.norm(tall.T @ left, axis=0)
    fitted = np.linalg.norm(tall, 2) * np.linalg.norm(W, axis=0)
    with np.errstate(invalid="ignore"):
        return np.minimum(np.where(r > 0, r / (b + fitted), 0), np.where(g > 0, g / r, 0))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("name", KRYLOV)
def test_krylov_converges_or_says_that_it_has_not(name, hard, source):
    """A backward error within the tolerance, or a warning; never a silent wrong answer."""
    problem, solver = HARD[hard], CASES[name]
    with row_sources(problem.A) as sources:
        if source == "one pass":
            with pytest.raises(UnsupportedProblemError, match=r"more than once.*Use QR"):
                solver.solve(sources[source], problem.B)
            return
        result, cautioned = solve(solver, sources[source], problem.B)
    bound = backward_bound(problem.A, problem.B, result.coef)
    assert result.stop_reason.success is not cautioned
    assert not result.stop_reason.success or (bound <= 2.1 * solver.atol).all()
    if hard in EASY:
        assert result.stop_reason.success
    # Never worse than nothing, never longer than the solution of least norm.
    scale = float(np.abs(problem.A).max()) or 1.0
    size = np.linalg.norm(problem.B / scale, axis=0)
    left = np.linalg.norm((problem.B - problem.A @ result.coef) / scale, axis=0)
    assert (left <= size * (1 + 10 * EPS)).all()
    reference = reference_solution(problem.A, problem.B)
    _, norm, _ = excess(problem.A, problem.B, result.coef, reference)
    assert hard in AT_THE_CUTOFF or (norm < 1 + 1e-3).all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("name", PUBLISHED)
def test_lsrn_is_right_or_says_that_it_is_not(name, hard, source):
    """What cold implicit preconditioning loses shows in the residual, and is told."""
    problem, solver = HARD[hard], CASES[name]
    with row_sources(problem.A) as sources:
        if source == "one pass":
            with pytest.raises(UnsupportedProblemError, match=r"more than once.*Use QR"):
                solver.solve(sources[source], problem.B)
            return
        result, cautioned = solve(solver, sources[source], problem.B)
    assert result.stop_reason.success is not cautioned
    if hard in EASY and hard != "two levels":
        assert not cautioned
    if cautioned:
        return
    reference = reference_solution(problem.A, problem.B)
    residual, norm, sensitivity = excess(problem.A, problem.B, result.coef, reference)
    allowed = max(100 * solver.tolerance, 4 * result.rcond)
    assert (residual < 10 * allowed * sensitivity).all()
    assert (backward_bound(problem.A, problem.B, result.coef) <= 4 * allowed).all()
    assert hard in AT_THE_CUTOFF or (norm < 1 + 1e-3).all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("name", SPLIT)
def test_split_is_right_or_says_that_it_is_not(name, hard, source):
    """A sweep is not the least-squares solution: a warning, except where it is."""
    problem, solver = HARD[hard], CASES[name]
    with row_sources(problem.A) as sources:
        if source == "one pass":
            with pytest.raises(UnsupportedProblemError, match=r"more than once.*Use QR"):
                solver.solve(sources[source], problem.B)
            return
        result, cautioned = solve(solver, sources[source], problem.B)
    reference = reference_solution(problem.A, problem.B)
    residual, _, sensitivity = excess(problem.A, problem.B, result.coef, reference)
    eps = max(EPS, float(np.finfo(problem.A.dtype).eps))
    rounding = 10 * sum(problem.A.shape) * eps * sensitivity
    assert result.stop_reason.success is not cautioned
    assert cautioned or (residual < rounding).all()
    if name == "split, lsqr" and hard in EASY and hard != "two levels":
        assert not cautioned
    # The residual falls from part to part, to what is measured in the end.
    norms = np.r_[[np.linalg.norm(problem.B, axis=0)], result.residual_norm[None]]
    assert (norms[1] <= norms[0] * (1 + 10 * EPS)).all()
    if result.history is not None:
        found = result.history.residual_norms
        assert (np.diff(found, axis=0) <= 1e-10 * norms[0]).all()
        assert np.allclose(found[-1], norms[1], rtol=1e-3, atol=rounding.max() * norms[0].max())


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("name", [n for n in CASES if n not in KRYLOV + SPLIT + PUBLISHED])
def test_least_squares(name, hard, source):
    """Residual as the reference's, norm no larger, or the result says it is not."""
    problem = HARD[hard]
    reference = reference_solution(problem.A, problem.B)
    with row_sources(problem.A) as sources:
        if source == "one pass" and Needs.MANY_PASSES in CASES[name].needs:
            with pytest.raises(UnsupportedProblemError, match=r"more than once.*Use QR"):
                CASES[name].solve(sources[source], problem.B)
            return
        result, cautioned = solve(CASES[name], sources[source], problem.B)
    assert np.isfinite(result.coef).all()
    residual, norm, sensitivity = excess(problem.A, problem.B, result.coef, reference)
    eps = max(EPS, float(np.finfo(problem.A.dtype).eps))
    rounding = 10 * sum(problem.A.shape) * eps * sensitivity
    s = np.linalg.svd(problem.A.astype(float), compute_uv=False)
    condition = s[0] / s[s > 1e-13 * s[0]][-1] if s[0] > 0 else 1.0
    if name in GRAM:
        # Squaring the condition: where that is too much, the result must say so.
        error = 100 * EPS * condition**2
        fine = error < 0.1 and (residual < error).all() and (np.abs(norm - 1) < error).all()
        assert fine or cautioned
    elif name == "sketch":
        # At most twice the least residual (theory: 1.15 times, on average).
        least = np.linalg.norm(problem.B - problem.A @ reference, axis=0)
        least /= np.maximum(np.linalg.norm(problem.B, axis=0), np.finfo(float).tiny)
        assert (residual < least + rounding).all()
        assert result.stop_reason.name in ("SKETCHED", "DIRECT", "TRUNCATED")
        assert not cautioned
    else:
        assert (residual < rounding).all()
        # Directions at the cutoff itself may be kept or not; theirs is the longest part.
        assert hard in AT_THE_CUTOFF or (norm < 1 + 10 * EPS * condition).all()
        assert not cautioned


@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("name", [name for name in CASES if name != "split"])
def test_ridge(name, hard):
    """With a ridge of 1e-6 s1^2 every solver, Gram or not, gives the same solution."""
    problem = HARD[hard]
    s1 = float(np.linalg.norm(problem.A.astype(float), 2))
    alpha = 1e-6 * s1**2 if s1 > 0 else 1.0
    reference = reference_solution(problem.A, problem.B, alpha=alpha)
    result, cautioned = solve(CASES[name], problem.A, problem.B, alpha=alpha)
    scale = np.abs(reference).max()
    if name == "split, lsqr" and hard in ("wide", "tanh features"):
        assert result.stop_reason.name == "ITERATION_LIMIT"
        return
    assert not cautioned
    if name in KRYLOV:
        # ||A'r - alpha w|| is at most this, and the smallest eigenvalue alpha.
        r = np.sqrt(result.residual_norm**2 + alpha * result.coef_norm**2)
        bound = 2.1 * CASES[name].atol * np.hypot(s1, alpha**0.5) / alpha * r
        assert (np.linalg.norm(result.coef - reference, axis=0) <= bound).all()
        assert np.abs(result.coef - reference).max() <= 1e-6 * scale
        return
    if name == "sketch":
        found, best = (
            np.hypot(
                np.linalg.norm(problem.B - problem.A @ W, axis=0),
                alpha**0.5 * np.linalg.norm(W, axis=0),
            )
            for W in (result.coef, reference)
        )
        assert (found <= 2 * best).all()
        return
    # Condition of the ridge problem is 1e6 for Gram matrices, 1e3 for orthogonal methods.
    eps = max(EPS, float(np.finfo(problem.A.dtype).eps) if name in GRAM else EPS)
    assert np.abs(result.coef - reference).max() <= 1e6 * 100 * eps * scale


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_audit_measures_what_it_says(name, intercept):
    """Norms in the result equal those computed here from the solution."""
    problem = HARD["condition 1e2"]
    result, _ = solve(
        CASES[name], problem.A, problem.B, alpha=0.1, intercept=intercept, audit="full"
    )
    left = problem.B - problem.A @ result.coef - result.intercept
    gradient = problem.A.T @ left - 0.1 * result.coef
    if intercept:
        gradient -= np.outer(problem.A.mean(axis=0), left.sum(axis=0))
    assert np.allclose(result.residual_norm, np.linalg.norm(left, axis=0), rtol=1e-12, atol=1e-13)
    assert np.allclose(result.normal_residual_norm, np.linalg.norm(gradient, axis=0), atol=1e-12)
    assert np.allclose(result.coef_norm, np.linalg.norm(result.coef, axis=0))
    assert result.audited
    if result.stop_reason.name == "SKETCHED":
        assert name == "sketch"
    elif result.backward_error is not None and result.stop_reason.success:
        iterated = {"split, lsqr": TOLERANCE} | {n: CASES[n].atol for n in KRYLOV}
        wanted = iterated.get(name, 50 * EPS)
        assert result.backward_error <= 2.1 * wanted


@pytest.mark.parametrize("hard", ["condition 1e8", "condition 1e12", "condition 1e16", "kahan"])
@pytest.mark.parametrize("name", ["svd", "qr", "swg", "auto", "deflated"])
def test_backward_stable(name, hard):
    """Orthogonal solvers have a backward error of a few eps whatever the condition."""
    problem = HARD[hard]
    result, _ = solve(CASES[name], problem.A, problem.B[:, 0], audit="full")
    assert result.backward_error < 100 * EPS


@pytest.mark.parametrize(
    "name", ["svd", "qr", "normal", "swg", "auto", "deflated", "spir", *SPLIT, *KRYLOV, *PUBLISHED]
)
def test_weights_are_repetitions(name):
    """An integer weight is as many copies; zero removes the row."""
    rng = np.random.default_rng(3)
    A, B = rng.standard_normal((60, 5)), rng.standard_normal((60, 2))
    w = rng.integers(0, 4, 60)
    options = {"alpha": 0.5, "intercept": True}
    solver = replace(CASES[name], atol=1e-14) if name in KRYLOV else CASES[name]
    weighted, _ = solve(solver, A, B, weights=w, **options)
    repeated, _ = solve(solver, A.repeat(w, axis=0), B.repeat(w, axis=0), **options)
    assert np.allclose(weighted.coef, repeated.coef, rtol=1e-11)
    assert np.allclose(weighted.intercept, repeated.intercept, rtol=1e-11)
    assert np.allclose(weighted.residual_norm, repeated.residual_norm, rtol=1e-11)
    assert weighted.n_rows == repeated.n_rows


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("A", "B", "options", "message"),
    [
        (np.ones((3, 2)), np.ones(4), {}, r"B of shape \(4,\)"),
        (np.ones((0, 2)), np.ones(0), {}, "nothing to solve"),
        (np.ones((3, 0)), np.ones(3), {}, "nothing to solve"),
        (np.ones(3), np.ones(3), {}, "two dimensions"),
        (np.array([[1.0, np.nan], [1, 1], [1, 2]]), np.ones(3), {}, "A holds NaN"),
        (np.array([[1.0, np.inf], [1, 1], [1, 2]]), np.ones(3), {}, "A holds NaN or inf"),
        (np.ones((3, 2)), np.array([1.0, np.nan, 1.0]), {}, "B holds 1 NaN"),
        (np.ones((3, 2)), np.ones(3), {"alpha": -1.0}, "alpha=-1.0"),
        (np.ones((3, 2)), np.ones(3), {"alpha": "best"}, "alpha='best' is unknown"),
        (np.ones((3, 2)), np.ones(3), {"rcond": 2.0}, "would drop every direction"),
        (np.ones((3, 2)), np.ones(3), {"alpha": "auto", "rcond": "auto"}, "choose one of them"),
        (np.ones((3, 2)), np.ones(3), {"weights": [1, 1]}, r"weights of shape \(2,\)"),
        (np.ones((3, 2)), np.ones(3), {"weights": [1, -1, 1]}, "weights must be >= 0"),
        (np.ones((3, 2)), np.ones(3), {"weights": [0, 0, 0]}, "weights must be >= 0"),
        (np.ones((3, 2), complex), np.ones(3), {}, "real numbers are wanted"),
        (np.ones((3, 2)), np.ones(3), {"audit": "often"}, "audit='often' is unknown"),
    ],
)
def test_bad_input_is_refused(name, A, B, options, message):
    with pytest.raises(SolvenetError, match=message):
        CASES[name].solve(A, B, **options)
