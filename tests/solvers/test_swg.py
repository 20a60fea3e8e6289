"""SWG: the truncated SVD's solution from matrix products."""

import numpy as np
import pytest

from solvenet import QR, SVD, SWG, SketchAndSolve
from solvenet.blocks import ArrayBlocks, MappedBlocks, OnePassBlocks
from solvenet.errors import InvalidSettingError, UnsupportedProblemError
from solvenet.features import SWIM
from solvenet.features.activations import get_activation
from solvenet.linalg import sketching

N, M = 1600, 250


class Toy:
    """f(x, y) = sin(a (x + y)) with tanh features sampled by SWIM."""

    def __init__(self, a, seed=0):
        rng = np.random.default_rng(seed)
        self.X, X_test = rng.random((2, N, 2))
        self.y, self.y_test = (np.sin(a * x.sum(axis=1)) for x in (self.X, X_test))
        self.map = SWIM().sample(
            self.X, self.y[:, None], M, activation=get_activation("tanh"), seed=seed
        )
        self.A, self.A_test = self.map(self.X), self.map(X_test)

    def error(self, result):
        return float(np.abs(self.A_test @ result.coef + result.intercept - self.y_test).mean())


TOYS = {a: Toy(a) for a in (1, 10)}


@pytest.mark.parametrize("sketch", ["sparse_sign", "gaussian", "dct"])
@pytest.mark.parametrize("rcond", [1e-6, 1e-8, 1e-10, 1e-12, 1e-14])
@pytest.mark.parametrize("a", TOYS)
def test_truncated_svd_at_every_cutoff(a, rcond, sketch):
    toy = TOYS[a]
    result = SWG(sketch=sketch).solve(toy.A, toy.y, rcond=rcond)
    reference = SVD().solve(toy.A, toy.y, rcond=rcond)
    assert abs(result.rank - reference.rank) <= (1 if rcond > 1e-14 else 3)
    assert toy.error(result) < (1.1 if rcond > 1e-14 else 1.5) * toy.error(reference)
    shared = min(result.rank, reference.rank)
    found, s = result.singular_values[:shared], reference.singular_values[:shared]
    # What the margin leaves out is at most half the cutoff; values lose half its square.
    assert np.abs(found - s).max() < max(0.15 * rcond, 4e-15) * s[0]
    assert np.isclose(result.residual_norm[0], reference.residual_norm[0], rtol=0.1, atol=1e-12)


@pytest.mark.parametrize("solver", [SVD(), QR(), SWG()])
@pytest.mark.parametrize("rcond", [1e-5, 1e-6, 1e-7])
@pytest.mark.parametrize("a", TOYS)
def test_single_precision_features_down_to_their_rounding(a, rcond, solver):
    toy = TOYS[a]
    double = SVD().solve(toy.A, toy.y, rcond=rcond)
    single = solver.solve(toy.A.astype(np.float32), toy.y, rcond=rcond)
    assert toy.error(single) < 1.5 * toy.error(double)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 1e-6])
def test_block_size_and_source_change_rounding_only(intercept, alpha):
    toy = TOYS[1]
    options = {"rcond": None if alpha else 1e-8, "alpha": alpha, "intercept": intercept}
    whole = SWG().solve(toy.A, toy.y, **options)
    for source in (
        ArrayBlocks(toy.A, rows_per_block=333),
        ArrayBlocks(np.asfortranarray(toy.A), rows_per_block=1000),
        MappedBlocks(ArrayBlocks(toy.X, rows_per_block=500), toy.map, M),
    ):
        other = SWG().solve(source, toy.y, **options)
        assert other.rank == whole.rank
        assert abs(toy.error(other) / toy.error(whole) - 1) < 1e-4


@pytest.mark.parametrize("solver", [QR(), SWG(), SVD()])
def test_weights_and_intercept_as_the_reference(solver):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((700, 6)) + 5.0
    B = rng.standard_normal((700, 2)) - 3.0
    w = rng.integers(0, 3, 700).astype(float)
    found = solver.solve(A, B, intercept=True, weights=w)
    root = np.sqrt(w)[:, None]
    exact = np.linalg.lstsq(np.column_stack([np.ones(700), A]) * root, B * root, rcond=None)[0]
    assert np.allclose(found.coef, exact[1:], rtol=1e-10, atol=1e-12)
    assert np.allclose(found.intercept, exact[0], rtol=1e-10)
    left = (B - A @ found.coef - found.intercept) * root
    assert np.allclose(found.residual_norm, np.linalg.norm(left, axis=0), rtol=1e-10)
    assert np.allclose(found.column_means, np.average(A, axis=0, weights=w))


def test_residual_of_a_nearly_exact_fit_does_not_cancel():
    """Nine digits are fitted: the claimed residual still equals the measured one."""
    toy = TOYS[1]
    result = SWG().solve(toy.A, toy.y, rcond=1e-13, audit="skip")
    left = np.linalg.norm(toy.y - toy.A @ result.coef)
    assert left < 1e-8 * np.linalg.norm(toy.y)
    assert np.isclose(result.residual_norm[0], left, rtol=0.05)


def test_automatic_cutoff_with_noise():
    """Within 1.3 times of the best cutoff in hindsight, as the other solvers."""
    toy = TOYS[1]
    y = toy.y + 1e-6 * np.random.default_rng(1).standard_normal(N)
    result = SWG().solve(toy.A, y, rcond="auto")
    assert result.curve.parameter == "rcond"
    assert result.curve.criterion == "gcv"
    full = SVD().solve(toy.A, y, rcond="auto").factorization
    errors = [
        np.abs(toy.A_test @ full.truncated(c).coef(0.0)[:, 0] - toy.y_test).mean()
        for c in np.geomspace(1e-14, 1e-2, 49)
    ]
    assert toy.error(result) < 1.3 * min(errors)


def test_directions_at_the_level_of_rounding_are_left_to_qr():
    """Without noise the data ask for all digits, which two products do not have."""
    toy = TOYS[1]
    result = SWG().solve(toy.A, toy.y, rcond="auto")
    assert result.solver == "QR"
    assert result.n_passes == 3
    assert "level of rounding" in result.reason
    assert toy.error(result) < 1.01 * toy.error(QR().solve(toy.A, toy.y, rcond="auto"))
    fixed = SWG().solve(toy.A, toy.y, rcond=1e-15)
    assert fixed.solver == "SWG"


def test_leave_one_out_and_covariance_from_its_factorisation():
    toy = TOYS[10]
    y = toy.y + 1e-3 * np.random.default_rng(1).standard_normal(N)
    swg, svd = (s.solve(toy.A, y, alpha="auto", intercept=True) for s in (SWG(), SVD()))
    assert 0.3 < swg.alpha / svd.alpha < 3
    assert np.isclose(swg.degrees_of_freedom, svd.degrees_of_freedom, rtol=0.1)
    assert np.isclose(swg.curve.score, svd.curve.score, rtol=0.05)


@pytest.mark.parametrize("spike", [1.0, 1e9])
def test_a_failed_sketch_is_noticed(monkeypatch, spike):
    """Sampled rows in place of a real sketch miss the spikes: QR takes over, and says why."""
    rng = np.random.default_rng(0)
    A, b = 1e-3 * rng.standard_normal((2000, 40)), rng.standard_normal(2000)
    A[:40] += spike * np.eye(40)
    monkeypatch.setitem(sketching.SKETCHES, "sparse_sign", sketching.SKETCHES["rows"])
    result = SWG().solve(A, b, rcond=1e-10)
    assert np.allclose(result.coef, np.linalg.lstsq(A, b)[0], rtol=1e-6)
    if spike > 1:
        assert result.solver == "QR"
        assert result.n_passes == 3
        assert "missed directions" in result.reason


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (SWG(sketch="rows"), "sketch='rows' is unknown"),
        (SWG(oversampling=1.0), "at least 1.1 is wanted"),
        (SWG(seed=-1), "seed=-1"),
        (SketchAndSolve(sketch="fft"), "sketch='fft' is unknown"),
    ],
)
def test_bad_settings_are_refused(solver, message):
    with pytest.raises(InvalidSettingError, match=message):
        solver.solve(np.ones((50, 3)), np.ones(50))


class TestSketchAndSolve:
    @pytest.mark.parametrize("sketch", ["sparse_sign", "dct", "gaussian", "rows"])
    @pytest.mark.parametrize("intercept", [False, True])
    def test_residual_is_near_the_least(self, sketch, intercept):
        """sqrt(1 + r / (d - r)) = 1.15 for four rows a column."""
        rng = np.random.default_rng(0)
        A, b = rng.standard_normal((6000, 50)) + 1.0, rng.standard_normal(6000) + 4.0
        found = SketchAndSolve(sketch=sketch).solve(A, b, intercept=intercept)
        least = SVD().solve(A, b, intercept=intercept)
        assert 1.0 <= found.residual_norm[0] / least.residual_norm[0] < 1.3
        assert found.stop_reason.name == "SKETCHED"
        assert found.audited

    def test_one_pass_claims_what_it_cannot_measure(self):
        rng = np.random.default_rng(0)
        A, b = rng.standard_normal((6000, 50)), rng.standard_normal(6000)
        found = SketchAndSolve().solve(OnePassBlocks([A], A.shape), b)
        assert not found.audited
        left = np.linalg.norm(b - A @ found.coef)
        assert np.isclose(found.residual_norm[0], left, rtol=0.2)

    def test_sampled_rows_that_miss_are_warned_about(self):
        A = np.zeros((5000, 3))
        A[:, 0] = 1.0
        A[7, 1] = A[9, 2] = 1.0
        b = A @ np.array([1.0, 1e3, 1e3])
        with pytest.warns(UserWarning, match="differs from the solver's own"):
            SketchAndSolve(sketch="rows").solve(A, b)

    def test_sampled_rows_want_a_second_look(self):
        A = np.ones((50, 2))
        with pytest.raises(UnsupportedProblemError, match="cannot be checked"):
            SketchAndSolve(sketch="rows").solve(OnePassBlocks([A], A.shape), np.ones(50))
