"""`solve` and `plan`: any matrix, the solver that fits, and what it takes."""

import gc
import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import solvenet
from solvenet import (
    CGLS,
    LSMR,
    LSQR,
    LSRN,
    QR,
    SPIR,
    SVD,
    SWG,
    DeflatedSplit,
    NormalEquations,
    PivotedQR,
    SketchAndSolve,
    SplitAndSolve,
    plan,
    solve,
)
from solvenet.blocks import ArrayBlocks, OnePassBlocks, OperatorBlocks, as_row_blocks
from solvenet.errors import (
    IllConditionedWarning,
    InvalidDataError,
    InvalidSettingError,
    MemoryLimitError,
    UnsupportedProblemError,
)
from solvenet.solvers import SOLVERS
from solvenet.testing import with_spectrum

RNG = np.random.default_rng(0)


def graded(m, n, decades):
    k = min(m, n)
    return with_spectrum(RNG, (m, n), 10.0 ** (-decades * np.arange(k) / k))


TALL = graded(1500, 240, 14)
B = TALL @ RNG.standard_normal((240, 2))
NOISE = RNG.standard_normal(B.shape)
NOISY = B + 1e-6 * NOISE


def test_the_cutoff_is_chosen_by_default():
    """With noise of 1e-6 the solution is far shorter than that of least squares."""
    found = solve(TALL, NOISY)
    assert found.curve.parameter == "rcond"
    assert found.curve.criterion == "gcv"
    assert 1e-9 < found.rcond < 1e-3
    assert np.linalg.norm(TALL @ found.coef - B) < 0.5 * np.linalg.norm(NOISY - B)
    plain = solve(TALL, NOISY, rcond=None)
    assert np.linalg.norm(plain.coef) > 100 * np.linalg.norm(found.coef)


@pytest.mark.parametrize("criterion", ["loo", "gcv"])
@pytest.mark.parametrize("solver", ["svd", "qr", "swg", "normal"])
@pytest.mark.parametrize("what", ["alpha", "rcond"])
def test_either_criterion_finds_the_noise(what, solver, criterion):
    options = {"alpha": "auto"} if what == "alpha" else {"rcond": "auto"}
    # A Gram matrix resolves half as many digits.
    noisy = B + (1e-3 if solver == "normal" else 1e-6) * NOISE
    found = solve(TALL, noisy, solver=solver, criterion=criterion, **options)
    assert found.curve.criterion == criterion
    assert found.curve.parameter == what
    assert np.linalg.norm(TALL @ found.coef - B) < 0.6 * np.linalg.norm(noisy - B)
    if criterion == "loo":
        assert found.curve.others["gcv"].shape == found.curve.scores.shape


def test_cross_validation_without_a_spectrum():
    noisy = B + 1e-3 * NOISE
    found = NormalEquations(spectrum=False).solve(TALL, noisy, alpha="auto", criterion="gcv")
    assert found.singular_values is None
    assert found.curve.criterion == "gcv"
    assert np.linalg.norm(TALL @ found.coef - B) < 0.6 * np.linalg.norm(noisy - B)


def test_gcv_is_the_textbook_formula():
    A, b = graded(80, 12, 3), RNG.standard_normal((80, 1))
    found = QR().solve(A, b, alpha="auto", criterion="gcv", intercept=True)
    values, scores = found.curve.values, found.curve.scores
    Ac, bc = A - A.mean(axis=0), b - b.mean(axis=0)
    for alpha, score in list(zip(values, scores, strict=True))[::7]:
        H = Ac @ np.linalg.solve(Ac.T @ Ac + alpha * np.eye(12), Ac.T)
        left = bc - H @ bc
        expected = 80**2 * (left**2).sum() / (80 - 1 - np.trace(H)) ** 2
        assert np.isclose(score, expected / (bc**2).sum(), rtol=1e-6)


class TestAuto:
    @pytest.mark.parametrize(
        ("shape", "options", "solver"),
        [
            ((300, 240), {"rcond": 1e-8}, "SVD"),
            ((240, 300), {}, "SVD"),
            ((1500, 240), {"rcond": 1e-8}, "QR"),
            ((4000, 240), {"rcond": 1e-8}, "SWG"),
            ((2400, 700), {"rcond": 1e-8}, "SWG"),
            ((1500, 240), {"rcond": 1e-15}, "QR"),
            ((1500, 240), {}, "QR"),
            ((1500, 240), {"alpha": 1e-9}, "QR"),
            ((8000, 240), {}, "SWG"),
            ((8000, 50), {"rcond": 1e-8}, "QR"),
            ((1500, 240), {"alpha": 1e-3}, "QR"),
            ((1500, 240), {"alpha": "auto"}, "NormalEquations"),
        ],
    )
    def test_picks_by_shape_and_says_why(self, shape, options, solver):
        A, b = RNG.standard_normal(shape), RNG.standard_normal(shape[0])
        wanted = plan(A, b, **options)
        found = solve(A, b, **options)
        assert wanted.solver == found.solver == solver
        assert wanted.reason == found.reason
        assert wanted.n_passes == found.n_passes - found.audited
        assert wanted.seconds > 0

    def test_goes_on_when_a_gram_matrix_is_too_coarse(self):
        found = solve(TALL, B, alpha="auto")
        assert found.solver == "QR"
        assert found.n_passes == 2
        assert "Gram matrix" in found.reason

    def test_goes_on_when_swg_is_too_coarse(self):
        """Rows enough for SWG, and no noise: the cutoff chosen is at the level of rounding."""
        t = np.linspace(0, 1, 3000)
        A = np.tanh(np.outer(t, np.linspace(-9, 9, 120)) + np.linspace(-4, 4, 120))
        b = np.exp(t)
        found = solve(A, b)
        assert found.solver == "QR"
        assert found.n_passes == 3
        assert "level of rounding" in found.reason
        noisy = solve(A, b + 1e-6 * RNG.standard_normal(3000))
        assert noisy.solver == "SWG"
        assert noisy.n_passes == 2

    def test_one_pass(self):
        found = solve(OnePassBlocks([TALL[:700], TALL[700:]], TALL.shape), B, rcond=1e-8)
        assert found.solver == "QR"
        assert found.n_passes == 1


class TestOperators:
    @pytest.mark.parametrize("shape", [(300, 40), (40, 300)])
    @pytest.mark.parametrize("name", ["auto", "svd", "qr", "swg", "normal", "lsqr", "cgls"])
    @pytest.mark.parametrize("intercept", [False, True])
    def test_products_give_what_the_array_gives(self, shape, name, intercept):
        A = graded(*shape, 1)
        b = A @ RNG.standard_normal((shape[1], 2)) + 1.0
        w = RNG.random(shape[0])
        options = {"alpha": 1e-3, "intercept": intercept, "weights": w, "solver": name}
        found, expected = (solve(X, b, **options) for X in (aslinearoperator(A), A))
        assert np.allclose(found.coef, expected.coef, rtol=1e-6, atol=1e-8)
        assert np.allclose(found.intercept, expected.intercept, rtol=1e-6)
        assert np.allclose(found.residual_norm, expected.residual_norm, rtol=1e-6)

    def test_krylov_uses_products_and_forms_nothing(self):
        shape, counts = (4000, 3000), [0, 0]
        d = np.geomspace(1, 0.1, 3000)

        def forward(v):
            counts[0] += 1
            assert v.size <= 4000
            return np.concatenate([d * v.ravel(), np.zeros(1000)])

        def back(u):
            counts[1] += 1
            assert u.size <= 4000
            return d * u.ravel()[:3000]

        operator = LinearOperator(shape, matvec=forward, rmatvec=back, dtype=float)
        found = solve(operator, np.ones(4000), solver="lsqr")
        assert np.allclose(found.coef, 1 / d, rtol=1e-6)
        assert max(counts) < 120

    def test_row_blocks_of_an_operator(self):
        A = graded(30, 7, 1)
        source = as_row_blocks(aslinearoperator(A))
        assert isinstance(source, OperatorBlocks)
        assert np.allclose(np.concatenate([b for _, b in source.blocks()]), A)
        assert np.allclose(source.to_array(), A)
        assert np.allclose(source.matmat(np.ones(7)), A.sum(axis=1))
        assert np.allclose(source.rmatmat(np.ones((30, 2))), np.tile(A.sum(axis=0)[:, None], 2))

    def test_complex_is_refused(self):
        with pytest.raises(InvalidDataError, match="real numbers are wanted"):
            solve(aslinearoperator(np.eye(3) * 1j), np.ones(3))


class TestMemory:
    @pytest.mark.parametrize(
        ("solver", "options"),
        [
            (QR(), {"rcond": 1e-8}),
            (QR(spectrum=False), {"rcond": 1e-8}),
            (QR(spectrum=False), {"alpha": 1e-6}),
            (NormalEquations(), {"alpha": 1e-6}),
            (NormalEquations(spectrum=False), {"alpha": "auto"}),
            (NormalEquations(spectrum=True), {"rcond": 1e-6}),
            (SWG(), {"rcond": 1e-8}),
            (SWG(), {"rcond": 1e-15}),
            (SWG(sketch="gaussian"), {"rcond": 1e-8}),
            (SWG(sketch="dct"), {"rcond": 1e-8}),
            (SketchAndSolve(), {"rcond": 1e-8}),
            (PivotedQR(), {"rcond": 1e-8}),
            (LSQR(max_iterations=20), {}),
            (LSMR(max_iterations=20), {}),
            (CGLS(max_iterations=20), {}),
            (LSRN(), {"rcond": 1e-8}),
            (SPIR(), {"rcond": 1e-8}),
            (SplitAndSolve(), {"rcond": 1e-8}),
            (SplitAndSolve(accelerate="lsqr", iterations=20), {"rcond": 1e-8}),
            (DeflatedSplit(), {"rcond": 1e-8}),
            (SVD(), {"rcond": 1e-8}),
            (SVD(spectrum=False), {"rcond": 1e-8}),
        ],
        ids=str,
    )
    def test_peak_is_the_declared_state_and_two_blocks(self, solver, options):
        """No allocation grows with the rows, except where the solver says so."""
        n_rows, n_cols, rows = 6000, 300, 600
        A, b = graded(n_rows, n_cols, 14), RNG.standard_normal(n_rows)
        source = ArrayBlocks(A, rows_per_block=rows)
        warnings.simplefilter("ignore", IllConditionedWarning)  # few iterations, one sweep
        solver.solve(source, b, **options)  # what is loaded once is not counted
        gc.collect()
        tracemalloc.start()
        solver.solve(source, b, **options)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        state = solver.cost(n_rows, n_cols).state_bytes
        # Besides: a few vectors as long as the right-hand side.
        assert peak < state + 2 * 8 * rows * n_cols + 12 * b.nbytes + 2**20
        assert state < 8 * peak

    def test_plan_says_the_same(self):
        source = ArrayBlocks(TALL, rows_per_block=100)
        found = plan(source, B, rcond=1e-8)
        assert found.peak_bytes == QR().cost(1500, 240, 2).state_bytes + 2 * 8 * 100 * 240

    def test_a_limit_too_small_is_refused_before_any_row_is_read(self):
        class Untouched(ArrayBlocks):
            def blocks(self):
                raise AssertionError

        for call in (solve, plan):
            with pytest.raises(MemoryLimitError, match=r"takes .* MB and the memory limit is"):
                call(Untouched(TALL), B, rcond=1e-8, memory_limit="1 MB")


def test_every_solver_says_what_it_costs():
    for name, kind in SOLVERS.items():
        cost = kind().cost(10_000, 100, 3)
        assert cost.flops > 0, name
        assert cost.passes >= 1
        assert cost.state_bytes > 0
        more = kind().cost(20_000, 200, 3)
        assert more.flops > cost.flops


@pytest.mark.parametrize("call", [solve, plan])
@pytest.mark.parametrize(
    ("A", "b", "options", "error", "message"),
    [
        (np.ones((4, 2)), np.ones(3), {}, InvalidDataError, r"shape \(3,\)"),
        (np.ones((0, 2)), np.ones(0), {}, InvalidDataError, "nothing to solve"),
        (np.ones((4, 2)), np.ones(4), {"solver": "cholesky"}, InvalidSettingError, "is unknown"),
        (np.ones((4, 2)), np.ones(4), {"rcond": 1.5}, InvalidSettingError, "every direction"),
        (np.ones((4, 2)), np.ones(4), {"alpha": "best"}, InvalidSettingError, "is unknown"),
        (np.ones((4, 2)), np.ones(4), {"memory_limit": "big"}, InvalidSettingError, "not a size"),
        (
            OnePassBlocks([np.ones((4, 2))], (4, 2)),
            np.ones(4),
            {"solver": "lsqr"},
            UnsupportedProblemError,
            "more than once",
        ),
    ],
)
def test_bad_input_is_refused_at_the_door(call, A, b, options, error, message):
    with pytest.raises(error, match=message):
        call(A, b, **options)


def test_bad_criterion():
    with pytest.raises(InvalidSettingError, match="criterion='aic' is unknown"):
        solve(np.ones((4, 2)), np.ones(4), criterion="aic")


def test_degenerate_problems_are_solved_as_documented():
    """Zero matrix, zero target, zero rows and columns: the solution of least norm."""
    A = graded(60, 8, 2)
    A[:, 3] = 0.0
    A[10:20] = 0.0
    for name in ("auto", "svd", "qr", "pivoted", "swg", "sketch"):
        assert not solve(np.zeros((30, 4)), np.ones(30), solver=name).coef.any()
        assert not solve(A, np.zeros(60), solver=name).coef.any()
        found = solve(A, A @ np.ones(8), solver=name)
        assert abs(found.coef[3]) < 1e-12
        assert np.allclose(A @ found.coef, A @ np.ones(8), atol=1e-10)


def test_the_floor_bounds_what_the_cutoff_costs():
    """rcond s1 ||w|| / sqrt(n) predicts the error of a noise-free fit within a factor of 30."""
    for rcond in (1e-4, 1e-8):
        found = solve(TALL, B, rcond=rcond)
        rms = found.residual_norm / np.sqrt(1500)
        assert (rms < found.floor).all()
        assert found.floor.shape == (2,)
    assert np.isclose(found.to_dict()["floor"][0], found.floor[0])


def test_the_readme_of_the_function():
    assert solvenet.solve is solve
    assert "alpha" in solve.__doc__
