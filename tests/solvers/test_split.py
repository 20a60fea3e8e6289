"""Split-and-Solve: parts of the columns, plain and deflated."""

import itertools
import warnings

import numpy as np
import pytest

from solvenet.blocks import MappedBlocks, as_row_blocks
from solvenet.errors import (
    IllConditionedWarning,
    InvalidDataError,
    InvalidSettingError,
    MemoryLimitError,
    UnsupportedProblemError,
)
from solvenet.features import SWIM, Activation, DenseMap, get_activation
from solvenet.linalg.rank import EPS
from solvenet.solvers import (
    LSQR,
    QR,
    SVD,
    SWG,
    DeflatedBasis,
    DeflatedSplit,
    NormalEquations,
    SplitAndSolve,
    StopReason,
)
from solvenet.solvers.parts import split_columns
from solvenet.solvers.problem import make_problem
from solvenet.testing import hard_matrices, reference_solution

ORDERS = ("ordered", "sorted", "random")
HARD = {problem.name: problem for problem in hard_matrices()}


def quiet(solver, A, B, **options):
    """Solve without the warning that a sweep is not the least-squares solution."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IllConditionedWarning)
        return solver.solve(A, B, **options)


class Toy:
    """sin(a (x + y)) on the unit square, tanh units sampled by SWIM on the raw inputs."""

    def __init__(self, a, n_rows, n_units, seed=0):
        rng = np.random.default_rng(seed)
        X, X_test = rng.random((2, n_rows, 2))
        self.y, self.truth = (np.sin(a * points.sum(axis=1)) for points in (X, X_test))
        layer = SWIM().sample(
            X, self.y[:, None], n_units, activation=get_activation("tanh"), seed=seed
        )
        self.H = MappedBlocks(as_row_blocks(X), layer, n_units)
        self.H_test = layer(X_test)

    def error(self, solver, rcond):
        coef = quiet(solver, self.H, self.y, rcond=rcond, audit="skip").coef
        return float(np.abs(self.H_test @ coef - self.truth).mean())


@pytest.fixture(scope="module", params=[1, 10], ids=lambda a: f"a={a}")
def toy(request):
    return Toy(request.param, 1200, 300)


# -- deflated ---------------------------------------------------------------------------


@pytest.mark.parametrize("rcond", [1e-8, 1e-10, 1e-12])
def test_deflated_is_never_worse_than_the_truncated_svd(toy, rcond):
    """At equal cutoff, for every order; benchmarks/split.py shows it at full size."""
    reference = toy.error(SVD(), rcond)
    for k, order in itertools.product((2, 5, 9, 20), ORDERS):
        assert toy.error(DeflatedSplit(k, order), rcond) <= reference, (k, order)


def test_deflated_gains_orders_of_magnitude_where_parts_are_sorted():
    toy = Toy(1, 1500, 300)
    assert toy.error(DeflatedSplit(9), 1e-8) < toy.error(SVD(), 1e-8) / 300
    # The published method loses instead.
    assert toy.error(SplitAndSolve(9), 1e-8) > toy.error(SVD(), 1e-8)


def test_deflated_reaches_what_the_project_wants():
    """At most 5e-11 at cutoff 1e-8, where the truncated SVD has 1.5e-7."""
    assert Toy(1, 5000, 1000).error(DeflatedSplit(9), 1e-8) <= 5e-11


@pytest.mark.parametrize("rcond", [0.0, 1e-15, 1e-14, 1e-13])
def test_deflated_stays_accurate_below_the_level_of_rounding(toy, rcond):
    """Without the second orthogonalisation errors of 1e8 were measured here."""
    best = toy.error(SVD(), 1e-14)
    for k, order in itertools.product((3, 20), ORDERS):
        assert toy.error(DeflatedSplit(k, order), rcond) < 3 * best


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("hard", HARD)
def test_deflated_residual_keeps_the_bound_of_the_cutoff(hard, order):
    """``||A w - b|| <= ||A z - b|| + rcond s1 ||z||`` for every z, such as the solution."""
    problem = HARD[hard]
    A, B = problem.A.astype(float), problem.B
    s1 = np.linalg.norm(A, 2)
    z = reference_solution(A, B)
    for k, rcond in itertools.product((2, 5), (1e-2, 1e-6)):
        result = DeflatedSplit(k, order).solve(problem.A, B, rcond=rcond)
        bound = np.linalg.norm(A @ z - B, axis=0) + rcond * s1 * np.linalg.norm(z, axis=0)
        left = np.linalg.norm(A @ result.coef - B, axis=0)
        rounding = 1e3 * EPS * (np.linalg.norm(B, axis=0) + s1 * result.coef_norm)
        assert (left <= bound + rounding).all()
        # The residual that is claimed is that of the weights, not of a truncated model.
        assert (np.abs(left - result.residual_norm) <= rounding).all()


@pytest.mark.parametrize("cutoff", [0.0, 1e-8])
@pytest.mark.parametrize("hard", HARD)
def test_the_basis_is_orthonormal_and_holds_the_parts(hard, cutoff):
    A = HARD[hard].A.astype(float)
    w = np.random.default_rng(0).integers(0, 3, len(A)).astype(float) + (len(A) == 1)
    basis = DeflatedBasis(np.ones((len(A), 1)), weights=w, intercept=True, cutoff=cutoff)
    parts = np.array_split(np.arange(A.shape[1]), min(4, A.shape[1]))
    for part in parts:
        basis.append(A[:, part])
    root = np.sqrt(w)[:, None]
    Q = np.hstack([root / np.linalg.norm(root), *basis._basis])
    assert np.abs(Q.T @ Q - np.eye(Q.shape[1])).max() < 200 * EPS
    centred = root * (A - np.average(A, axis=0, weights=w))
    s1 = np.linalg.norm(centred, 2) if w.any() else 0.0
    left = centred - Q @ (Q.T @ centred)
    rounding = 200 * EPS * np.linalg.norm(root * A, 2)
    assert np.linalg.norm(left, 2) <= len(parts) ** 0.5 * cutoff * s1 + rounding
    # The directions that are used are held to rounding, whatever the cutoff.
    factors = basis.factorization()
    used = centred @ factors.right_vectors
    assert np.abs(used - Q @ (Q.T @ used)).max(initial=0.0) <= rounding


@pytest.mark.parametrize("options", [{"alpha": "auto"}, {"rcond": "auto"}, {"alpha": 1e-3}, {}])
@pytest.mark.parametrize("weighted", [False, True])
def test_without_a_cutoff_deflated_is_the_svd(options, weighted, rng):
    A = HARD["condition 1e8"].A + 3.0
    B = A[:, :2] + 1e-3 * rng.standard_normal((len(A), 2))
    options = options | {"intercept": True}
    if weighted:
        options["weights"] = rng.integers(0, 3, len(A))
    wanted = SVD().solve(A, B, **options)
    found = DeflatedSplit(4).solve(A, B, **options)
    assert np.allclose(A @ found.coef + found.intercept, A @ wanted.coef + wanted.intercept)
    assert np.allclose(found.singular_values, wanted.singular_values, atol=1e-13 * wanted.condition)
    assert found.degrees_of_freedom == pytest.approx(wanted.degrees_of_freedom, rel=1e-6)
    assert found.n_rows == wanted.n_rows
    if wanted.curve is not None:
        assert found.curve.value == pytest.approx(wanted.curve.value, rel=1e-6)
        assert np.allclose(found.curve.scores, wanted.curve.scores, rtol=1e-5)
    P, wanted_P = found.covariance_root(), wanted.covariance_root()
    scale = np.linalg.norm(wanted_P) ** 2
    assert np.allclose(P @ P.T, wanted_P @ wanted_P.T, atol=1e-6 * scale)


@pytest.mark.parametrize(
    "solver",
    [
        DeflatedSplit(3, "ordered"),
        SplitAndSolve(3, "ordered"),
        SplitAndSolve(3, "ordered", QR()),
        SplitAndSolve(3, "ordered", sweeps=3),
        SplitAndSolve(3, "random", accelerate="lsqr"),
    ],
    ids=["deflated", "split", "split qr", "sweeps", "lsqr"],
)
@pytest.mark.parametrize("options", [{"rcond": 1e-6}, {"alpha": 0.1}], ids=["cutoff", "ridge"])
def test_weights_and_intercept_equal_the_explicit_transformation(solver, options, rng):
    A, B = HARD["condition 1e2"].A + 5.0, rng.standard_normal((240, 2)) - 7.0
    w = rng.integers(0, 4, len(A)).astype(float)
    found = quiet(solver, A, B, weights=w, intercept=True, **options)
    root = np.sqrt(w)[:, None]
    mean_A, mean_B = (np.average(M, axis=0, weights=w) for M in (A, B))
    explicit = quiet(solver, root * (A - mean_A), root * (B - mean_B), **options)
    assert np.allclose(found.coef, explicit.coef, rtol=1e-8, atol=1e-10)
    assert np.allclose(found.intercept, mean_B - mean_A @ explicit.coef, rtol=1e-8)
    assert np.allclose(found.residual_norm, explicit.residual_norm)
    left = root * (B - A @ found.coef - found.intercept)
    assert np.allclose(found.residual_norm, np.linalg.norm(left, axis=0))
    for end in (slice(0, 4), slice(-1, None)):
        norms = (r.history.residual_norms[end] for r in (found, explicit))
        assert np.allclose(*norms)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_leave_one_out_of_the_basis_is_that_of_fits_without_the_row(intercept, weighted, rng):
    A, B = rng.standard_normal((30, 6)) + 1.0, rng.standard_normal((30, 2))
    w = rng.integers(0, 3, 30).astype(float) if weighted else np.ones(30)
    basis = DeflatedBasis(B, weights=w if weighted else None, intercept=intercept)
    for columns in (slice(0, 4), slice(4, 6)):
        basis.append(A[:, columns])
    design = np.column_stack([A, np.ones(30)]) if intercept else A
    squares = []
    for i in np.flatnonzero(w):
        without = w - (np.arange(30) == i)  # one of its repetitions
        root = np.sqrt(without)[:, None]
        W = np.linalg.lstsq(root * design, root * B, rcond=None)[0]
        squares.append(w[i] * (B[i] - design[i] @ W) ** 2)
    spread = B - (np.average(B, axis=0, weights=w) if intercept else 0.0)
    variance = np.average(spread**2, axis=0, weights=w)
    assert basis.leave_one_out() == pytest.approx(
        (np.sum(squares, axis=0) / variance).mean() / w.sum()
    )
    root = np.sqrt(w)[:, None]
    left = B - design @ np.linalg.lstsq(root * design, root * B, rcond=None)[0]
    assert np.allclose(basis.errors, (w > 0)[:, None] * left)


def test_a_part_can_be_taken_back(rng):
    A, B = rng.standard_normal((40, 9)), rng.standard_normal((40, 1))
    one, two = (DeflatedBasis(B, intercept=True, cutoff=1e-3) for _ in range(2))
    one.append(A[:, :5])
    two.append(A[:, :5])
    two.append(A[:, 5:])
    assert (two.n_parts, two.rank) == (2, 9)
    two.forget()
    assert (two.n_parts, two.rank, two.nbytes) == (1, 5, one.nbytes)
    assert two.leave_one_out() == pytest.approx(one.leave_one_out(), rel=1e-12)
    assert np.allclose(two.residual, one.residual)
    assert np.allclose(two.factorization().coef(0.0), one.factorization().coef(0.0))


def noisy_polynomials(rng):
    """A cubic with noise, on Chebyshev polynomials: parts beyond the first fit noise."""
    x = np.sort(rng.uniform(-1, 1, 150))
    A = np.polynomial.chebyshev.chebvander(x, 39)
    return A, x - x**3 + 0.1 * rng.standard_normal(len(x))


def test_parts_are_added_until_leave_one_out_stops_falling(rng):
    A, y = noisy_polynomials(rng)
    read = []

    class Watched(MappedBlocks):
        def columns(self, index):
            read.append(len(index))
            return super().columns(index)

    source = Watched(as_row_blocks(A), np.copy, 40)
    found = DeflatedSplit(10, "ordered", patience=1).solve(source, y)
    assert found.stop_reason is StopReason.STOPPED_EARLY
    assert read == [4, 4]  # the third part was never looked at
    assert np.flatnonzero(found.coef).max() == 3
    alone = SVD().solve(A[:, :4], y)
    assert np.allclose(found.coef[:4], alone.coef)
    assert found.residual_norm == pytest.approx(alone.residual_norm)
    assert found.degrees_of_freedom == pytest.approx(4)
    assert (found.curve.parameter, found.curve.value) == ("columns", 4.0)
    assert found.curve.scores[1] > found.curve.scores[0]
    patient = DeflatedSplit(10, "ordered", patience=20).solve(A, y)
    assert len(patient.curve.scores) == 10
    assert patient.curve.score == patient.curve.scores.min()


def test_parts_are_all_used_where_leave_one_out_goes_on_falling(toy):
    found = DeflatedSplit(3, patience=1).solve(toy.H, toy.y, rcond=1e-10)
    assert found.stop_reason is not StopReason.STOPPED_EARLY
    assert np.allclose(found.coef, DeflatedSplit(3).solve(toy.H, toy.y, rcond=1e-10).coef)
    assert (np.diff(found.curve.scores) < 0).all()


def test_deflated_keeps_to_the_memory_limit(toy):
    n_rows, n_cols = toy.H.shape
    limit = 8 * n_rows * n_cols
    with pytest.raises(MemoryLimitError, match="Use more parts"):
        DeflatedSplit(2).solve(toy.H, toy.y, rcond=1e-4, memory_limit=limit)
    assert DeflatedSplit(20).solve(toy.H, toy.y, rcond=1e-4, memory_limit=limit).rank > 20


# -- plain ------------------------------------------------------------------------------


def test_one_part_is_the_inner_solver(rng):
    A, B = rng.standard_normal((50, 8)), rng.standard_normal((50, 2))
    for inner in (SVD(), QR(), NormalEquations()):
        found, wanted = SplitAndSolve(1, inner=inner).solve(A, B), inner.solve(A, B)
        assert np.array_equal(found.coef, wanted.coef)
        assert found.stop_reason is StopReason.DIRECT
        assert found.solver == "SplitAndSolve"


def test_a_sweep_solves_each_part_for_what_is_left(rng):
    """The definition, in seven lines."""
    A, B = rng.standard_normal((60, 12)), rng.standard_normal((60, 2))
    found = quiet(SplitAndSolve(3, "ordered", sweeps=2), A, B)
    W, norms = np.zeros((12, 2)), [np.linalg.norm(B, axis=0)]
    for _ in range(2):
        for part in np.split(np.arange(12), 3):
            W[part] += np.linalg.lstsq(A[:, part], B - A @ W, rcond=None)[0]
        norms.append(np.linalg.norm(B - A @ W, axis=0))
    assert np.allclose(found.coef, W)
    assert np.allclose(found.history.residual_norms, norms)
    assert found.stop_reason is StopReason.SWEEPS_ENDED
    assert found.audited
    assert np.allclose(found.normal_residual_norm, np.linalg.norm(A.T @ (B - A @ W), axis=0))
    with pytest.warns(IllConditionedWarning, match="not the least-squares solution of all"):
        SplitAndSolve(3).solve(A, B)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
@pytest.mark.parametrize("inner", [SVD(), QR(), SWG(), NormalEquations(), LSQR()], ids=repr)
def test_sweeps_converge_to_the_solution(inner, alpha, rng):
    A, B = rng.standard_normal((80, 12)), rng.standard_normal((80, 2))
    wanted = SVD().solve(A, B, alpha=alpha).coef
    few, many = (
        quiet(SplitAndSolve(3, inner=inner, sweeps=n), A, B, alpha=alpha).coef for n in (2, 40)
    )
    assert np.abs(many - wanted).max() < 1e-7 < np.abs(few - wanted).max()


def test_orthogonal_parts_need_one_sweep(rng):
    A = np.linalg.qr(rng.standard_normal((40, 9)))[0]
    found = SplitAndSolve(3, "random", seed=5).solve(A, A @ np.arange(9.0))
    assert found.stop_reason is StopReason.CONVERGED
    assert np.allclose(found.coef, np.arange(9.0))


@pytest.mark.parametrize("rcond", [1e-8, 1e-12])
@pytest.mark.parametrize("order", ["sorted", "random"])
def test_acceleration_goes_on_from_the_sweeps_and_beats_more_of_them(order, rcond):
    """An iteration of LSQR costs less than a sweep; 30 of them against 30.

    At a fine cutoff the basis of a part is orthogonal to a few digits only. LSQR for the
    targets rather than for what the sweeps have left lost all that they had gained.
    """
    toy = Toy(1, 600, 150)
    one, more, fast = (
        quiet(solver, toy.H, toy.y, rcond=rcond)
        for solver in (
            SplitAndSolve(4, order),
            SplitAndSolve(4, order, sweeps=30),
            SplitAndSolve(4, order, accelerate="lsqr", iterations=30),
        )
    )
    assert fast.audited
    assert fast.residual_norm < one.residual_norm / 1.5
    assert fast.residual_norm < more.residual_norm
    assert np.allclose(fast.history.residual_norms[:2], one.history.residual_norms)
    assert fast.history.n_iterations == 31
    assert fast.history.residual_norms[-1] == pytest.approx(fast.residual_norm, rel=1e-2)


def test_acceleration_needs_a_solver_that_factors(rng):
    A, B = rng.standard_normal((30, 6)), rng.standard_normal(30)
    with pytest.raises(UnsupportedProblemError, match="does not factor"):
        SplitAndSolve(2, inner=LSQR(), accelerate="lsqr").solve(A, B)


def test_published_study_in_small():
    """Sorted parts gain a little on the truncated SVD at a coarse cutoff, random ones lose."""
    toy = Toy(1, 2000, 600)
    whole = toy.error(SVD(), 1e-8)
    assert toy.error(SplitAndSolve(2, "sorted"), 1e-8) < whole
    assert toy.error(SplitAndSolve(9, "random"), 1e-8) > 3 * whole


# -- parts ------------------------------------------------------------------------------


def parts(A, k, **options):
    settings = {"order": "ordered", "key": None, "seed": 0} | options
    return split_columns(
        make_problem(A, np.ones(A.shape[0]), 0.0, None, False, None, None), k, **settings
    )


def test_orders():
    A = np.array([[3.0, 0, 1, 0, 2], [-3, 0, -1, 0, -2]])
    found, n_passes = parts(A, 2)
    assert [list(p) for p in found] == [[0, 1, 2], [3, 4]]
    assert n_passes == 0
    found, n_passes = parts(A, 3, order="sorted")  # by standard deviation
    assert [list(p) for p in found] == [[1, 3], [2, 4], [0]]
    assert n_passes == 1
    found, n_passes = parts(A, 5, order="sorted", key=[5, 4, 3, 2, 1])
    assert [list(p) for p in found] == [[4], [3], [2], [1], [0]]
    assert n_passes == 0
    layer = DenseMap(np.array([[4.0, 1.0, 2.0]]), np.zeros(3), get_activation("tanh"))
    found, n_passes = parts(
        MappedBlocks(as_row_blocks(np.ones((4, 1))), layer, 3), 3, order="sorted"
    )
    assert [list(p) for p in found] == [[1], [2], [0]]  # by the norms of the weights
    assert n_passes == 0
    assert len(parts(A, 100)[0]) == 5


def test_random_order_depends_on_the_seed_alone():
    A = np.zeros((2, 50))
    one, again, other = (parts(A, 4, order="random", seed=s)[0] for s in (1, 1, 2))
    assert all(np.array_equal(p, q) for p, q in zip(one, again, strict=True))
    assert any(not np.array_equal(p, q) for p, q in zip(one, other, strict=True))
    assert sorted(np.concatenate(one)) == list(range(50))


@pytest.mark.parametrize("kind", [SplitAndSolve, DeflatedSplit])
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"n_parts": 0}, InvalidSettingError, "n_parts=0"),
        ({"order": "best"}, InvalidSettingError, "order='best' is unknown"),
        ({"order": "random", "seed": -1}, InvalidSettingError, "seed=-1"),
        ({"key": [1.0]}, InvalidDataError, r"key of shape \(1,\)"),
        ({"key": [1.0, np.nan, 2.0]}, InvalidDataError, "key holds 1 NaN"),
    ],
)
def test_wrong_settings_are_refused(kind, settings, error, message):
    with pytest.raises(error, match=message):
        kind(**settings).solve(np.eye(4)[:, :3], np.ones(4))


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (SplitAndSolve(sweeps=0), "sweeps=0"),
        (SplitAndSolve(accelerate="magic"), "accelerate='magic' is unknown"),
        (SplitAndSolve(accelerate="lsqr", iterations=0), "iterations=0"),
        (DeflatedSplit(patience=0), "patience=0"),
    ],
)
def test_wrong_settings_of_one_are_refused(solver, message):
    with pytest.raises(InvalidSettingError, match=message):
        solver.solve(np.eye(4), np.ones(4))


@pytest.mark.parametrize(
    ("solver", "times"),
    [
        (DeflatedSplit(4), 1),
        (DeflatedSplit(4, "random"), 1),
        (SplitAndSolve(4), 1),
        (SplitAndSolve(4, inner=QR()), 2),  # once for the factor, once for the product
        (SplitAndSolve(4, sweeps=3), 3),
    ],
)
def test_how_often_each_neuron_is_computed(solver, times, rng):
    computed = 0

    def watched(Z):
        nonlocal computed
        computed += Z.shape[1]
        return np.tanh(Z)

    layer = DenseMap(
        rng.standard_normal((2, 20)), np.zeros(20), Activation("watched", watched, 1, 1)
    )
    source = MappedBlocks(as_row_blocks(rng.random((50, 2))), layer, 20)
    result = quiet(solver, source, np.ones(50), rcond=1e-10, audit="skip")
    assert computed == 20 * times
    assert result.n_passes == 4 * times
