"""Krylov kernels follow the theory, agree with SciPy, and do not believe themselves."""

import numpy as np
import pytest
import scipy.sparse.linalg as sparse
from numpy.polynomial.chebyshev import chebval

from solvenet.linalg import krylov
from solvenet.linalg.krylov import Stop

METHODS = {"lsqr": krylov.lsqr, "lsmr": krylov.lsmr, "cgls": krylov.cgls}
all_methods = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


class Product:
    """The product of a matrix, with a count of its calls and of their columns."""

    def __init__(self, A, noise=0.0):
        self.A, self.noise, self.calls, self.columns = A, noise, 0, 0
        self.rng = np.random.default_rng(1)

    def __call__(self, V, U):
        assert V.shape[1] == U.shape[1]
        self.calls += 1
        self.columns += V.shape[1]
        fitted = self.A @ V
        R = fitted * (1 + self.noise * self.rng.standard_normal(fitted.shape)) - U
        return R, self.A.T @ R


def with_spectrum(rng, m, s):
    U = np.linalg.qr(rng.standard_normal((m, len(s))))[0]
    V = np.linalg.qr(rng.standard_normal((len(s), len(s))))[0]
    return (U * s) @ V.T


@pytest.fixture
def problem(rng):
    A = with_spectrum(rng, 80, np.linspace(1, 5, 12))
    return A, rng.standard_normal((80, 3)), np.zeros((12, 3))


def error(A, B, W, damp=0.0):
    """Return ``||A'(B - A W) - damp^2 W|| / (||A|| ||r||)`` for the worst column."""
    left = B - A @ W
    g = np.linalg.norm(A.T @ left - damp**2 * W, axis=0)
    r = np.hypot(np.linalg.norm(left, axis=0), damp * np.linalg.norm(W, axis=0))
    return (g / np.linalg.norm(A, 2) / r).max()


def scipy_lsqr(A, b, damp, k):
    found = sparse.lsqr(A, b, damp=damp, atol=0, btol=0, conlim=0, iter_lim=k)
    return found[0], found[4], found[7]


def scipy_lsmr(A, b, damp, k):
    found = sparse.lsmr(A, b, damp=damp, atol=0, btol=0, conlim=0, maxiter=k)
    return found[0], found[3], found[4]


@pytest.mark.parametrize("k", [1, 2, 3, 6])
@pytest.mark.parametrize("damp", [0.0, 0.7])
@pytest.mark.parametrize(
    ("method", "reference"),
    [(krylov.lsqr, scipy_lsqr), (krylov.lsmr, scipy_lsmr), (krylov.cgls, scipy_lsqr)],
)
def test_iterates_and_norms_are_those_of_scipy(problem, method, reference, damp, k):
    A, B, start = problem
    found = method(Product(A), B, start, damp=damp, atol=0, btol=0, max_iterations=k, check=False)
    assert found.residual_norms.shape == (k + 1, 3)
    assert (found.stop == Stop.ITERATION_LIMIT).all()
    for j in range(3):
        x, residual, normal = reference(A, B[:, j], damp, k)
        np.testing.assert_allclose(found.W[:, j], x, rtol=1e-9, atol=1e-12)
        assert found.residual_norms[-1, j] == pytest.approx(residual, rel=1e-12)
        assert found.normal_residual_norms[-1, j] == pytest.approx(normal, rel=1e-8)


@all_methods
def test_k_distinct_singular_values_take_k_iterations(rng, method):
    A = with_spectrum(rng, 60, np.repeat([1.0, 2.0, 5.0, 9.0], 5))
    B, start = rng.standard_normal((60, 2)), np.zeros((20, 2))
    found = method(Product(A), B, start, atol=1e-10, btol=1e-10)
    assert (found.iterations == 4).all()
    assert (found.stop == Stop.CONVERGED_NORMAL).all()
    before = method(Product(A), B, start, atol=1e-10, btol=1e-10, max_iterations=3)
    assert error(A, B, before.W) > 1e-4


@pytest.mark.parametrize("damp", [0.0, 0.05])
def test_what_falls_falls_in_every_iteration(rng, damp):
    """The residual of LSQR; of LSMR both norms, and the normal residual below LSQR's."""
    A = with_spectrum(rng, 90, np.geomspace(1, 1e-3, 25))
    B, start = rng.standard_normal((90, 3)), np.zeros((25, 3))
    options = {"damp": damp, "max_iterations": 20}
    lsqr, lsmr, cgls = (method(Product(A), B, start, **options) for method in METHODS.values())
    for norms in (
        lsqr.residual_norms,
        cgls.residual_norms,
        lsmr.residual_norms,
        lsmr.normal_residual_norms,
    ):
        assert (np.diff(norms, axis=0) <= 1e-12 * norms[0]).all()
    assert (np.diff(lsqr.normal_residual_norms, axis=0) > 0).any()
    assert (lsmr.normal_residual_norms <= lsqr.normal_residual_norms * (1 + 1e-9)).all()
    assert (lsqr.residual_norms <= lsmr.residual_norms * (1 + 1e-12)).all()


@all_methods
def test_many_right_hand_sides_equal_one_by_one(rng, method):
    A = with_spectrum(rng, 70, np.geomspace(1, 0.1, 15))
    B = np.column_stack([rng.standard_normal((70, 2)), A @ rng.standard_normal(15), np.zeros(70)])
    start = np.zeros((15, 4))
    product = Product(A)
    together = method(product, B, start)
    assert together.stop.tolist() == [1, 1, 0, 0]
    for j in range(4):
        alone = method(Product(A), B[:, [j]], start[:, [j]])
        assert alone.stop[0] == together.stop[j]
        assert abs(int(alone.iterations[0]) - together.iterations[j]) <= 1
        np.testing.assert_allclose(together.W[:, j], alone.W[:, 0], rtol=1e-8, atol=1e-10)
    # Columns that have stopped cost nothing: each was in as many products as it needed.
    assert product.columns == (together.iterations + 1 + (together.iterations > 0)).sum()
    assert (together.residual_norms[-3:, 3] == 0).all()


@all_methods
@pytest.mark.parametrize("check", [False, True])
def test_the_matrix_is_read_once_an_iteration(problem, method, check):
    A, B, start = problem
    product = Product(A)
    found = method(product, B[:, :1], start[:, :1], check=check)
    assert product.calls == found.iterations[0] + 1 + check
    assert len(found.residual_norms) == found.iterations[0] + 1


@all_methods
@pytest.mark.parametrize("damp", [0.0, 0.7])
def test_start_at_the_solution_ends_at_once(problem, method, damp):
    A, B, _ = problem
    solution = np.linalg.solve(A.T @ A + damp**2 * np.eye(12), A.T @ B)
    product = Product(A)
    found = method(product, B, solution, damp=damp)
    assert (found.iterations == 0).all()
    assert (product.calls, found.stop.tolist()) == (1, [1, 1, 1])
    np.testing.assert_array_equal(found.W, solution)


@all_methods
@pytest.mark.parametrize("damp", [0.0, 0.7])
def test_a_ridge_penalises_the_solution_not_the_way_from_the_start(rng, problem, method, damp):
    A, B, _ = problem
    solution = np.linalg.solve(A.T @ A + damp**2 * np.eye(12), A.T @ B)
    found = method(Product(A), B, 10 * rng.standard_normal((12, 3)), damp=damp)
    np.testing.assert_allclose(found.W, solution, rtol=1e-9, atol=1e-11)
    left = np.vstack([B - A @ solution, -damp * solution])
    np.testing.assert_allclose(found.residual_norms[-1], np.linalg.norm(left, axis=0))


@all_methods
def test_an_interrupted_iteration_goes_on_where_it_was(rng, method):
    A = with_spectrum(rng, 60, np.geomspace(1, 1e-2, 20))
    B, start = rng.standard_normal((60, 2)), np.zeros((20, 2))
    seen = []

    def callback(iteration, norms):
        seen.append((iteration, norms))
        return iteration == 7

    first = method(Product(A), B, start, callback=callback)
    assert [iteration for iteration, _ in seen] == list(range(8))
    assert (first.stop == Stop.INTERRUPTED).all()
    np.testing.assert_allclose([norms for _, norms in seen], first.residual_norms, rtol=1e-12)
    second = method(Product(A), B, first.W, max_iterations=200)
    assert (second.stop == Stop.CONVERGED_NORMAL).all()
    np.testing.assert_allclose(second.residual_norms[0], first.residual_norms[-1], rtol=1e-12)
    np.testing.assert_allclose(second.W, np.linalg.lstsq(A, B)[0], rtol=1e-8, atol=1e-9)


@all_methods
def test_a_wide_system_is_solved_nearest_to_the_start(rng, method):
    A = with_spectrum(rng, 40, np.linspace(1, 3, 10)).T
    B, start = rng.standard_normal((10, 2)), rng.standard_normal((40, 2))
    found = method(Product(A), B, start)
    assert (found.stop == Stop.CONVERGED).all()
    wanted = start + np.linalg.pinv(A) @ (B - A @ start)
    np.testing.assert_allclose(found.W, wanted, atol=1e-9)


@all_methods
@pytest.mark.parametrize("far", [1e5, 1e9])
def test_a_claim_that_does_not_hold_is_found_out(rng, method, far):
    """A start far off leaves rounding of its own size, of which the recurrences know nothing."""
    A = with_spectrum(rng, 60, np.linspace(1, 2, 10))
    x = rng.standard_normal((10, 1))
    start = far * rng.standard_normal((10, 1))
    believed = method(Product(A), A @ x, start, check=False)
    checked = method(Product(A), A @ x, start)
    allowed = 1e-12 * (np.linalg.norm(A @ x) + 2 * np.linalg.norm(x))
    assert believed.stop[0] <= Stop.CONVERGED_NORMAL
    assert np.linalg.norm(A @ believed.W - A @ x) > 3 * allowed
    assert checked.stop[0] == Stop.CONVERGED
    left = np.linalg.norm(A @ checked.W - A @ x)
    assert left <= 2.1 * allowed
    assert checked.residual_norms[-1, 0] == pytest.approx(left, rel=0.3)
    assert checked.condition[0] >= 0.99 * believed.condition[0]


@all_methods
@pytest.mark.parametrize("near", [0.0, 0.9])
@pytest.mark.parametrize("rule", ["atol", "btol"])
def test_a_consistent_system_is_solved_to_the_tolerance_and_no_further(rng, method, near, rule):
    A = with_spectrum(rng, 60, np.linspace(1, 4, 20))
    x = 100 * rng.standard_normal((20, 1))
    options = {"atol": 0.0, "btol": 0.0} | {rule: 1e-4}
    found = method(Product(A), A @ x, near * x, **options)
    assert found.stop[0] == Stop.CONVERGED
    scale = 4 * np.linalg.norm(x) if rule == "atol" else np.linalg.norm(A @ x)
    assert found.residual_norms[-1, 0] <= 1.01e-4 * scale
    assert found.residual_norms[-2, 0] > 0.6e-4 * scale


@all_methods
def test_the_best_iterate_is_kept(rng, method):
    """Products that turn bad during the iteration do not take away what was reached."""
    A = with_spectrum(rng, 60, np.linspace(1, 2, 10))
    B, product = rng.standard_normal((60, 1)), Product(A)

    def spoil(iteration, _):
        product.noise = 10.0 if iteration >= 2 else 0.0

    start = np.linalg.lstsq(A, B)[0] + 1e-3
    found = method(product, B, start, callback=spoil, max_iterations=20)
    np.testing.assert_array_equal(found.W, start)
    assert found.stop[0] >= Stop.STAGNATED


@all_methods
def test_noise_in_the_products_ends_in_stagnation(rng, method):
    """Neither ten times the iterations nor a silent success; the best iterate is kept."""
    A = with_spectrum(rng, 60, np.linspace(1, 2, 10))
    B, start = rng.standard_normal((60, 1)), np.zeros((10, 1))
    options = {"max_iterations": 5000, "window": 20}
    found = method(Product(A, noise=1e-5), B, start, **options)
    assert found.stop[0] == Stop.STAGNATED
    assert found.iterations[0] < 500
    assert error(A, B, found.W) < 1e-4


@all_methods
def test_the_window_is_how_long_nothing_may_happen(rng, method):
    A = with_spectrum(rng, 120, np.geomspace(1, 1e-8, 40))
    B, start = rng.standard_normal((120, 1)), np.zeros((40, 1))
    short, long = (
        method(Product(A), B, start, max_iterations=3000, window=window) for window in (5, 100)
    )
    assert short.stop[0] == long.stop[0] == Stop.STAGNATED
    assert 5 < short.iterations[0] < 0.2 * long.iterations[0]
    assert long.residual_norms[-1, 0] < short.residual_norms[-1, 0]


@all_methods
def test_condition_limit_and_estimates(rng, method):
    A = with_spectrum(rng, 60, np.geomspace(3, 3e-4, 12))
    B, start = rng.standard_normal((60, 2)), np.zeros((12, 2))
    stopped = method(Product(A), B, start, conlim=1e2, max_iterations=500)
    assert (stopped.stop == Stop.CONDITION_LIMIT).all()
    assert (stopped.condition > 1e2).all()
    found = method(Product(A), B, start, max_iterations=500, atol=1e-10)
    assert (found.stop == Stop.CONVERGED_NORMAL).all()
    assert (stopped.iterations < found.iterations).all()
    assert ((found.norm >= 0.7 * 3) & (found.norm <= 3 * (1 + 1e-12))).all()
    # The Frobenius norm of the inverse: from 1e4 to sqrt(iterations) times that.
    assert ((found.condition >= 0.7e4) & (found.condition <= 1e5)).all()


@all_methods
def test_the_condition_is_that_of_the_whole_matrix_in_the_end(problem, method):
    A, B, start = problem
    found = method(Product(A), B, start, atol=0, btol=0, max_iterations=12, check=False)
    inverse = np.linalg.norm(np.linalg.pinv(A))
    np.testing.assert_allclose(found.condition, found.norm * inverse, rtol=1e-3)


@all_methods
@pytest.mark.parametrize("power", [-530, -300, 300, 530])
def test_scale_changes_nothing(problem, method, power):
    A, B, start = problem
    scale = 2.0**power
    plain = method(Product(A), B, start, damp=0.5)
    scaled = method(Product(A * scale), B * scale, start, damp=0.5 * scale)
    np.testing.assert_allclose(scaled.W, plain.W, rtol=1e-11, atol=1e-13)
    assert scaled.iterations.tolist() == plain.iterations.tolist()
    np.testing.assert_allclose(scaled.residual_norms, scale * plain.residual_norms, rtol=1e-9)
    small = method(Product(A * scale), B, start)
    np.testing.assert_allclose(small.W * scale, method(Product(A), B, start).W, atol=1e-11)


@all_methods
@pytest.mark.filterwarnings("error")
def test_nothing_to_do(rng, method):
    A, start = with_spectrum(rng, 30, np.linspace(1, 2, 5)), np.zeros((5, 1))
    across = np.linalg.qr(np.column_stack([A, rng.standard_normal(30)]))[0][:, [5]]
    for matrix, B, stop in [
        (A, np.zeros((30, 1)), Stop.CONVERGED),
        (np.zeros((30, 5)), np.ones((30, 1)), Stop.CONVERGED_NORMAL),
        (A, across, Stop.CONVERGED_NORMAL),
    ]:
        found = method(Product(matrix), B, start)
        assert found.stop[0] == stop
        np.testing.assert_allclose(found.W, 0, atol=1e-14)
    # A residual of exactly zero has no direction, and its history no NaN.
    found = method(Product(np.array([[2.0, 0.0]])), np.ones((1, 1)), np.zeros((2, 1)))
    assert found.residual_norms[-1, 0] == found.normal_residual_norms[-1, 0] == 0
    # A start away from a solution of zero is brought back.
    found = method(Product(A), np.zeros((30, 1)), np.ones((5, 1)))
    np.testing.assert_allclose(found.W, 0, atol=1e-11)


@all_methods
def test_preconditioned_and_augmented_products_are_those_of_the_matrices(problem, rng, method):
    A, B, _ = problem
    N = rng.standard_normal((12, 7))
    step = krylov.preconditioned(Product(A), N)
    zero = np.zeros((7, 3))
    implicit, explicit = (method(p, B, zero, max_iterations=4) for p in (step, Product(A @ N)))
    np.testing.assert_allclose(implicit.W, explicit.W, rtol=1e-9)
    step, tall = krylov.augmented(Product(A), B, 12, 0.3)
    V, U = rng.standard_normal((12, 2)), rng.standard_normal((92, 2))
    matrix = np.vstack([A, 0.3 * np.eye(12)])
    R, gradient = step(V, U)
    np.testing.assert_allclose(R, matrix @ V - U)
    np.testing.assert_allclose(gradient, matrix.T @ (matrix @ V - U))
    np.testing.assert_array_equal(tall, np.vstack([B, np.zeros((12, 3))]))


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_the_error_of_the_semi_iteration_is_a_chebyshev_polynomial(rng, k):
    s = np.array([1.0, 1.3, 2.2, 3.0])
    A, x = np.vstack([np.diag(s), np.zeros((2, 4))]), rng.standard_normal((4, 1))
    B = np.vstack([s[:, None] * x, [[0.4], [-2.0]]])
    found = krylov.chebyshev(Product(A), B, np.zeros((4, 1)), interval=(1.0, 3.0), max_iterations=k)
    d, c = 5.0, 4.0
    degree = np.eye(k + 1)[k]
    wanted = 1 - chebval((d - s**2) / c, degree) / chebval(d / c, degree)
    np.testing.assert_allclose(found.W[:, 0] / x[:, 0], wanted, rtol=1e-12, atol=1e-13)
    left = np.linalg.norm(B - A @ found.W)
    assert found.residual_norms[-1, 0] == pytest.approx(left, rel=1e-12)


@pytest.mark.parametrize("upper", [1.0, 1e150])
def test_the_number_of_iterations_is_predicted(rng, upper):
    A = upper * with_spectrum(rng, 50, np.linspace(0.2, 1, 9))
    B, interval = rng.standard_normal((50, 2)), (0.2 * upper, upper)
    for tolerance in (1e-3, 1e-8):
        k = krylov.chebyshev_iterations(interval, tolerance)
        best, start = np.linalg.lstsq(A, B)[0], np.zeros((9, 2))
        for method, options in ((krylov.chebyshev, {"interval": interval}), (krylov.lsqr, {})):
            found = method(Product(A), B, start, atol=0, btol=0, max_iterations=k, **options)
            off = np.linalg.norm(A @ (found.W - best) / upper, axis=0)
            assert (off <= tolerance * np.linalg.norm(A @ best / upper, axis=0)).all()
    assert krylov.chebyshev_iterations((1.0, 1.0), 1e-9) == 1
