"""LSRN does what its paper says, and loses what it is known to lose; SPIR does not."""

import warnings

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator

from solvenet import LSRN, SPIR
from solvenet.blocks import ArrayBlocks, as_row_blocks
from solvenet.blocks.operators import OperatorBlocks
from solvenet.errors import IllConditionedWarning, InvalidSettingError, UnsupportedProblemError
from solvenet.linalg.accuracy import karlson_walden
from solvenet.linalg.rank import EPS
from solvenet.linalg.sketching import Gaussian
from solvenet.solvers import StopReason
from solvenet.solvers.lsrn import _Refinement
from solvenet.solvers.problem import make_problem
from solvenet.solvers.whitened import whiten
from solvenet.testing import hard_matrices, reference_solution

SOLVERS = [LSRN(), LSRN(inner="chebyshev"), SPIR(), SPIR(sketch="dct", oversampling=2.0)]
all_solvers = pytest.mark.parametrize("solver", SOLVERS, ids=repr)
HARD = {problem.name: problem for problem in hard_matrices()}


def with_spectrum(rng, m, s):
    U = np.linalg.qr(rng.standard_normal((m, len(s))))[0]
    V = np.linalg.qr(rng.standard_normal((len(s), len(s))))[0]
    return (U * s) @ V.T


@pytest.fixture(scope="module")
def network():
    """Features of a sampled tanh network for sin(x + y), to learn and to test by."""
    rng = np.random.default_rng(0)
    X, X_test = rng.uniform(-np.pi, np.pi, (1500, 2)), rng.uniform(-np.pi, np.pi, (1000, 2))
    pairs = rng.integers(0, 1500, (900, 2))
    way = X[pairs[:, 1]] - X[pairs[:, 0]]
    length = np.linalg.norm(way, axis=1) + 1e-9
    y = np.sin(X.sum(axis=1))
    slope = np.abs(y[pairs[:, 1]] - y[pairs[:, 0]]) / length
    chosen = rng.choice(900, 300, replace=False, p=slope / slope.sum())
    W = way[chosen] / length[chosen, None] ** 2 * np.log(3)
    b = -(X[pairs[chosen, 0]] * W).sum(axis=1) - np.log(3) / 2
    A, A_test = np.tanh(X @ W.T + b), np.tanh(X_test @ W.T + b)
    return A, y, A_test, np.sin(X_test.sum(axis=1)), np.linalg.svd(A, full_matrices=False)


@pytest.mark.parametrize("cutoff", [1e-6, 1e-8, 1e-10, 1e-12, 1e-14])
def test_cold_preconditioning_loses_small_cutoffs_and_refinement_does_not(network, cutoff):
    """LSRN below 1e-10: errors of eps / cutoff, which it tells. SPIR: those of the SVD."""
    A, y, A_test, y_test, (U, s, Vt) = network
    kept = s > cutoff * s[0]
    best = Vt[kept].T @ ((U.T @ y)[kept] / s[kept])
    error = np.abs(A_test @ best - y_test).mean()
    spir = SPIR().solve(A, y, rcond=cutoff)
    assert spir.stop_reason.success
    assert np.abs(A_test @ spir.coef - y_test).mean() <= 1.5 * error
    assert abs(spir.rank - kept.sum()) <= 3
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lsrn = LSRN().solve(A, y, rcond=cutoff)
    lost = np.abs(A_test @ lsrn.coef - y_test).mean() / error
    if cutoff >= 1e-10:
        assert lost <= 1.5
        assert lsrn.stop_reason.success
        assert not caught
    else:
        assert lost > {1e-12: 3, 1e-14: 300}[cutoff]
        assert lsrn.stop_reason is StopReason.STAGNATED
        assert [w.category for w in caught] == [IllConditionedWarning]
        if cutoff == 1e-14:
            assert "far above what the sketch promises" in str(caught[0].message)
            assert "Use SPIR, SWG or QR" in lsrn.warnings[0]


@pytest.mark.parametrize("hard", ["condition 1e8", "condition 1e12", "condition 1e16", "kahan"])
def test_spir_is_backward_stable(hard):
    problem = HARD[hard]
    result = SPIR().solve(problem.A, problem.B[:, :2])
    _, s, Vt = np.linalg.svd(problem.A, full_matrices=False)
    k = result.rank
    left = problem.B[:, :2] - problem.A @ result.coef
    error = karlson_walden(
        s[:k], Vt[:k].T, result.coef, problem.A.T @ left, np.linalg.norm(left, axis=0), 0.0
    )
    assert error < 100 * EPS
    assert result.stop_reason.success


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(900, 60), (60, 900)])
def test_the_whitened_matrix_has_the_singular_values_of_the_paper(rng, shape, seed):
    A = with_spectrum(rng, 900, np.geomspace(1, 1e-4, 60))
    A = A if shape[0] > shape[1] else A.T
    problem = make_problem(A, np.ones(shape[0]), 0.0, None, False, None, None)
    solver = LSRN(inner="chebyshev", seed=seed, gamma=4.0)
    whitened = whiten(problem, 240, lambda d, n: Gaussian(d, n, seed=seed))
    k = whitened.n_unknowns
    zero = np.zeros((len(whitened.target(whitened.B)), k))
    s = np.linalg.svd(whitened.step(np.eye(k), zero)[0], compute_uv=False)[:60]
    lower, upper = solver._interval(whitened)
    assert lower <= s[-1] <= s[0] <= upper
    # Sure, and not empty words.
    assert upper - lower < 2.5 * (s[0] - s[-1])
    assert whitened.norm == pytest.approx(1.0, rel=0.3)
    assert whitened.frobenius == pytest.approx(np.linalg.norm(A), rel=0.1)


@pytest.mark.parametrize("inner", ["lsqr", "chebyshev"])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-10])
def test_iterations_and_passes_of_lsrn_are_predicted(rng, inner, tolerance):
    A, b = with_spectrum(rng, 800, np.geomspace(1, 1e-3, 50)), rng.standard_normal(800)
    solver = LSRN(inner=inner, tolerance=tolerance)
    result = solver.solve(A, b, audit="skip")
    n = result.history.n_iterations
    rate = 50**0.5 / 100**0.5
    if inner == "chebyshev":
        assert n > np.log(tolerance / 2) / np.log(rate)
    else:
        assert n <= np.ceil(np.log(tolerance / 2) / np.log(rate))
        assert result.n_passes <= solver.cost(800, 50).passes
    assert result.n_passes == n + 3
    best = np.linalg.lstsq(A, b)[0]
    assert np.linalg.norm(A @ (result.coef - best)) <= 2 * tolerance * np.linalg.norm(A @ best)
    assert result.reason == f"Gaussian sketch and {n} iterations of {inner}"
    assert (result.rank, result.rcond) == (50, 800 * EPS)


@all_solvers
@pytest.mark.parametrize("alpha", [0.0, 1e-4])
@pytest.mark.parametrize("rank", [25, 40])
def test_wide_problems_have_the_solution_of_least_norm(rng, solver, alpha, rank):
    A = with_spectrum(rng, 500, np.r_[np.geomspace(1, 1e-2, rank), np.zeros(40 - rank)]).T
    B = rng.standard_normal((40, 3))
    result = solver.solve(ArrayBlocks(A, rows_per_block=9), B, alpha=alpha)
    wanted = reference_solution(A, B, alpha=alpha)
    assert result.stop_reason.success
    assert result.rank == rank
    assert np.abs(result.coef - wanted).max() <= 1e-9 * np.abs(wanted).max()
    left = np.linalg.norm(B - A @ wanted, axis=0)
    assert np.allclose(result.residual_norm, left, atol=1e-9)
    assert result.alpha == pytest.approx(alpha)


def test_spir_solves_ill_conditioned_wide_problems(rng):
    A = with_spectrum(rng, 600, np.geomspace(1, 1e-8, 50)).T
    B = np.column_stack([rng.standard_normal(50), A @ rng.standard_normal(600)])
    result = SPIR().solve(A, B)
    assert result.stop_reason.success
    size = np.linalg.norm(B, axis=0) + np.linalg.norm(result.coef, axis=0)
    assert (np.linalg.norm(B - A @ result.coef, axis=0) <= 1e-13 * size).all()
    wanted = np.linalg.norm(reference_solution(A, B), axis=0)
    assert np.allclose(np.linalg.norm(result.coef, axis=0), wanted, rtol=1e-6)


@all_solvers
@pytest.mark.parametrize("shape", [(400, 30), (30, 400)])
def test_weights_and_intercept_are_the_explicit_transformation(rng, solver, shape):
    A = rng.standard_normal(shape) + 1.0
    B, w = rng.standard_normal((shape[0], 2)), rng.uniform(0, 2, shape[0])
    result = solver.solve(A, B, alpha=0.1, weights=w, intercept=True)
    mean_A, mean_B = (np.average(M, axis=0, weights=w) for M in (A, B))
    root = np.sqrt(w)[:, None]
    wanted = reference_solution((A - mean_A) * root, (B - mean_B) * root, alpha=0.1)
    assert np.allclose(result.coef, wanted, rtol=1e-9, atol=1e-12)
    assert np.allclose(result.intercept, mean_B - mean_A @ wanted, rtol=1e-9)
    if shape[0] > shape[1]:
        # The means are taken in the pass that sketches.
        passes = result.history.n_iterations + 4
        rounds = int(result.reason.split()[-2]) if isinstance(solver, SPIR) else 1
        assert result.n_passes <= passes + rounds


@all_solvers
def test_blocks_do_not_change_the_numbers_and_the_seed_does(rng, solver):
    A, B = with_spectrum(rng, 3000, np.geomspace(1, 1e-2, 20)), rng.standard_normal((3000, 2))
    whole, parts = (solver.solve(ArrayBlocks(A, rows_per_block=k), B) for k in (3000, 171))
    assert np.allclose(whole.coef, parts.coef, rtol=1e-10, atol=1e-12)
    # The history hangs on the sketch, which a few digits of its first rows tell apart.
    assert np.allclose(whole.history.residual_norms[:5], parts.history.residual_norms[:5])
    other = type(solver)(**(vars(solver) | {"seed": 7})).solve(A, B)
    assert not np.allclose(whole.history.residual_norms[1], other.history.residual_norms[1])
    assert np.allclose(whole.coef, other.coef, rtol=1e-9, atol=1e-11)


@all_solvers
@pytest.mark.parametrize("shape", [(700, 30), (30, 700)])
@pytest.mark.parametrize("intercept", [False, True])
def test_a_linear_operator_is_never_formed(rng, solver, shape, intercept, monkeypatch):
    A, B = rng.standard_normal(shape), rng.standard_normal((shape[0], 2))
    asked = []

    def product(matrix):
        return lambda V: asked.append(V.shape[1]) or matrix @ V

    operator = LinearOperator(
        shape,
        dtype=float,
        matvec=lambda v: A @ v,
        rmatvec=lambda u: A.T @ u,
        matmat=product(A),
        rmatmat=product(A.T),
    )
    monkeypatch.setattr(OperatorBlocks, "blocks", None)
    result = solver.solve(as_row_blocks(operator), B, alpha=0.1, intercept=intercept)
    explicit = solver.solve(A, B, alpha=0.1, intercept=intercept)
    assert np.allclose(result.coef, explicit.coef, rtol=1e-9, atol=1e-12)
    assert max(asked) <= 64
    assert sum(asked) < 0.9 * max(shape) + 20 * result.history.n_iterations


@all_solvers
def test_the_callback_shows_progress_and_may_stop(rng, solver):
    A, B = with_spectrum(rng, 500, np.geomspace(1, 1e-2, 20)), rng.standard_normal((500, 2))
    seen = []

    def callback(iteration, norms):
        seen.append((iteration, norms))
        return iteration == 4

    stopped = type(solver)(**(vars(solver) | {"callback": callback})).solve(A, B)
    assert [k for k, _ in seen] in (list(range(5)), list(range(1, 5)))
    assert stopped.stop_reason is StopReason.INTERRUPTED
    assert stopped.history.n_iterations == 4
    assert np.allclose(seen[-1][1], stopped.history.residual_norms[-1])


@pytest.mark.parametrize("shape", [(800, 40), (40, 800)])
@pytest.mark.parametrize("alpha", [0.0, 1e-6])
def test_the_guess_of_the_sketch_is_close_and_its_coordinates_round(rng, shape, alpha):
    """However ill-conditioned the matrix, and with a ridge that hides part of its spectrum."""
    A = with_spectrum(rng, 800, np.geomspace(1, 1e-7, 40))
    A = A if shape[0] > shape[1] else A.T
    b = np.linalg.svd(A, full_matrices=False)[0] @ rng.standard_normal((40, 1))
    problem = make_problem(A, b, alpha, None, False, None, None)
    whitened = whiten(problem, 160, lambda d, n: Gaussian(d, n, seed=0))
    k = whitened.n_unknowns
    zero = np.zeros((len(whitened.target(whitened.B)), k))
    s = np.linalg.svd(whitened.step(np.eye(k), zero)[0], compute_uv=False)[:40]
    assert s[0] / s[-1] < 5
    residual, excess = whitened.measure(whitened.guess)
    if shape[0] < shape[1]:  # a first step, which reduces every part
        left, before = (np.linalg.norm(whitened.target(R)) for R in (residual, b))
        assert left <= 0.85 * before
        return
    W = reference_solution(A, b, alpha=alpha)
    least = np.hypot(np.linalg.norm(b - A @ W), alpha**0.5 * np.linalg.norm(W))
    allowed = 1.25 * least + 1e-8 * np.linalg.norm(b)
    assert np.linalg.norm(residual) <= allowed
    assert excess[0] <= allowed


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_the_residual_that_the_sketch_expects(rng, alpha):
    A, B = with_spectrum(rng, 900, np.linspace(5, 10, 40)), rng.standard_normal((900, 3))
    problem = make_problem(A, B, alpha, None, False, None, None)
    W = reference_solution(A, B, alpha=alpha)
    least = np.hypot(np.linalg.norm(B - A @ W, axis=0), alpha**0.5 * np.linalg.norm(W, axis=0))
    whitened = whiten(problem, 80, lambda d, n: Gaussian(d, n, seed=0))
    assert np.allclose(whitened.expected, least, rtol=0.3)
    consistent = make_problem(A, A @ W, 0.0, None, False, None, None)
    whitened = whiten(consistent, 80, lambda d, n: Gaussian(d, n, seed=0))
    assert (whitened.expected <= 1e-13 * np.linalg.norm(A @ W, axis=0)).all()


def test_a_bad_start_is_refined_away(rng):
    """One round leaves rounding of the size of the start; the next does not."""
    A = with_spectrum(rng, 600, np.geomspace(1, 1e-3, 30))
    x = rng.standard_normal((30, 2))
    problem = make_problem(A, A @ x, 0.0, None, False, None, None)
    whitened = whiten(problem, 120, lambda d, n: Gaussian(d, n, seed=0))
    whitened.guess = 1e8 * rng.standard_normal((30, 2))
    refinement = _Refinement(whitened, 1e-15, None)
    assert refinement.run() is StopReason.CONVERGED
    assert refinement.rounds >= 2
    assert np.linalg.norm(A @ (refinement.Z - x)) <= 1e-13 * np.linalg.norm(x)


def test_the_best_of_the_rounds_is_kept(rng):
    """A round that makes it worse, here because the products turn bad, is not taken."""
    A, b = with_spectrum(rng, 300, np.geomspace(1, 1e-2, 20)), rng.standard_normal((300, 1))
    problem = make_problem(A, b, 0.0, None, False, None, None)
    whitened = whiten(problem, 80, lambda d, n: Gaussian(d, n, seed=0))
    guess = whitened.guess.copy()
    whitened.lift = lambda Y: 1e3 * (whitened.N @ Y)
    refinement = _Refinement(whitened, 1e-15, None)
    assert refinement.run() is StopReason.STAGNATED
    assert (refinement.rounds, np.array_equal(refinement.Z, guess)) == (1, True)


def test_products_with_noise_end_in_stagnation(rng):
    A, b = with_spectrum(rng, 300, np.geomspace(1, 1e-2, 20)), rng.standard_normal(300)

    def noisy(V):
        out = A @ V
        return out * (1 + 1e-7 * rng.standard_normal(out.shape))

    operator = LinearOperator(
        A.shape, dtype=float, matvec=noisy, matmat=noisy, rmatvec=A.T.dot, rmatmat=A.T.dot
    )
    with pytest.warns(IllConditionedWarning, match="Rounding allows no further progress"):
        result = SPIR().solve(as_row_blocks(operator), b)
    assert result.stop_reason is StopReason.STAGNATED
    best = np.linalg.lstsq(A, b)[0]
    assert np.linalg.norm(A @ (result.coef - best)) < 1e-4 * np.linalg.norm(b)


def test_what_is_refused(rng):
    A, b = rng.standard_normal((40, 4)), rng.standard_normal(40)
    for solver, message in [
        (LSRN(gamma=1.0), r"gamma=1\.0"),
        (LSRN(inner="cg"), "inner='cg'"),
        (LSRN(tolerance=-1.0), "tolerance"),
        (LSRN(seed=-1), "seed"),
        (SPIR(oversampling=1.0), r"oversampling=1\.0"),
        (SPIR(sketch="rows"), "sketch='rows'"),
        (SPIR(tolerance=np.nan), "tolerance"),
    ]:
        with pytest.raises(InvalidSettingError, match=message):
            solver.solve(A, b)
    for solver in (LSRN(), SPIR()):
        for options in ({"alpha": "auto"}, {"rcond": "auto"}, {"start": np.zeros(4)}):
            with pytest.raises(UnsupportedProblemError, match="does not support"):
                solver.solve(A, b, **options)
