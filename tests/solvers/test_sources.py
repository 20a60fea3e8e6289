"""`solve` takes what rows come in, and very many rows are solved by a sample and gradients."""

import numpy as np
import pytest
import scipy.sparse as sp

import solvenet
from solvenet.blocks import HeldRecords, as_row_blocks
from solvenet.engine import Run, SerialEngine
from solvenet.errors import InvalidDataError
from solvenet.solvers import HessianSketch, NormalEquations, solve

RNG = np.random.default_rng(0)
A = RNG.standard_normal((1200, 6))
Y = A @ RNG.standard_normal((6, 2)) + 0.1 * RNG.standard_normal((1200, 2))
W = RNG.random(1200)
NAMES = [*"abcdef", "u", "v", "w"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("files")
    table = pa.table([*A.T, *Y.T, W], names=NAMES)
    pq.write_table(table, folder / "t.parquet", row_group_size=100)
    pc.write_csv(table, folder / "t.csv")
    np.save(folder / "A.npy", A)
    np.save(folder / "Y.npy", Y)
    return folder


class TestSources:
    expected = solve(A, Y, weights=W, intercept=True).coef

    @pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
    def test_a_table_with_names_of_columns(self, files, name):
        found = solve(files / name, ["u", "v"], weights="w", intercept=True)
        assert np.allclose(found.coef, self.expected, atol=1e-12)
        one = solve(files / name, "u", weights="w", intercept=True)
        assert one.coef.shape == (7,)  # v is an input now
        assert solvenet.plan(files / name, "u", weights="w").n_passes == 1

    def test_files_side_by_side(self, files):
        found = solve(files / "A.npy", files / "Y.npy", intercept=True)
        assert np.allclose(found.coef, solve(A, Y, intercept=True).coef, atol=1e-12)
        held = solve(str(files / "A.npy"), Y[:, 0], weights=W, intercept=True)
        assert held.coef.shape == (6,)
        assert np.allclose(held.coef, self.expected[:, 0], atol=1e-12)

    def test_sparse_and_dask_matrices(self):
        found = solve(sp.csr_array(A), Y, weights=W, intercept=True)
        assert np.allclose(found.coef, self.expected, atol=1e-12)
        da = pytest.importorskip("dask.array", reason="dask is not installed")
        found = solve(
            da.from_array(A, chunks=(333, 3)), Y, weights=W, intercept=True, engine="serial"
        )
        assert np.allclose(found.coef, self.expected, atol=1e-12)

    def test_a_checkpoint_of_the_same_call_and_no_other(self, files, tmp_path):
        folder = tmp_path / "kept"
        options = {"weights": "w", "intercept": True, "checkpoint": folder}
        found = solve(files / "t.parquet", ["u", "v"], **options)
        assert np.allclose(found.coef, self.expected, atol=1e-12)
        assert not folder.exists()
        held = solve(A, Y, weights=W, intercept=True, checkpoint=folder)
        assert np.allclose(held.coef, self.expected, atol=1e-12)

    @pytest.mark.parametrize(
        ("B", "options", "message"),
        [
            ("z", {}, "'z'"),
            (["u", "z"], {}, "'z'"),
            ("u", {"weights": "z"}, "'z'"),
            (NAMES, {}, "at least one"),
            (np.ones(3), {}, "1200"),
        ],
    )
    def test_bad_names_and_shapes(self, files, B, options, message):
        with pytest.raises(InvalidDataError, match=message):
            solve(files / "t.parquet", B, **options)


def tall(n_rows, n_cols, noise, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 5))
    H = np.tanh(X @ rng.standard_normal((5, n_cols)) + rng.standard_normal(n_cols))
    clean = np.stack([np.sin(X[:, 0] * X[:, 1]), X[:, 2] ** 2], axis=1)
    return H, clean + noise * rng.standard_normal((n_rows, 2))


class TestHessianSketch:
    @pytest.mark.parametrize("weights", [False, True])
    @pytest.mark.parametrize("noise", [1.0, 0.01])
    @pytest.mark.parametrize("alpha", ["auto", 5.0])
    @pytest.mark.parametrize("intercept", [True, False])
    def test_within_a_tenth_of_a_standard_error(self, intercept, alpha, noise, weights):
        H, B = tall(60_000, 40, noise)
        w = np.random.default_rng(1).random(60_000) + 0.1 if weights else None
        options = {"intercept": intercept, "weights": w}
        found = HessianSketch().solve(H, B, alpha=alpha, **options)
        exact = NormalEquations().solve(H, B, alpha=found.alpha, **options)
        assert found.solver == "HessianSketch"
        centred = H - np.average(H, axis=0, weights=w) if intercept else H
        root = np.ones((len(H), 1)) if w is None else np.sqrt(w)[:, None]
        off = np.linalg.norm(root * (centred @ (found.coef - exact.coef)), axis=0) ** 2
        factorization = exact.factorization
        used = factorization.degrees_of_freedom(factorization.ratio(exact.alpha))
        assert (off <= 0.01 * exact.noise_variance * used).all()
        assert np.allclose(found.residual_norm, exact.residual_norm, rtol=1e-4)
        assert np.allclose(found.noise_variance, exact.noise_variance, rtol=1e-3)
        roots = (found.covariance_root(), exact.covariance_root())
        variances = [np.einsum("ij,ij->i", P, P) for P in roots]
        assert np.allclose(*variances, rtol=0.25)

    def test_the_ridge_is_that_of_all_rows(self):
        H, B = tall(60_000, 40, 0.3)
        found = HessianSketch().solve(H, B, alpha="auto", intercept=True)
        exact = NormalEquations().solve(H, B, alpha="auto", intercept=True)
        clean = tall(20_000, 40, 0.0, seed=0)[1][:20_000]
        fresh = tall(60_000, 40, 0.0)[0][:20_000]
        errors = [np.mean((fresh @ r.coef + r.intercept - clean) ** 2) for r in (found, exact)]
        assert errors[0] <= 1.01 * errors[1]

    def test_rows_like_no_others_are_left_to_all_rows(self):
        H, B = tall(60_000, 40, 0.3)
        H[12_345] *= 1e4  # not among the sampled rows
        found = HessianSketch().solve(H, B, alpha=1.0, intercept=True)
        exact = NormalEquations().solve(H, B, alpha=1.0, intercept=True)
        assert "like no others" in found.reason
        assert np.allclose(found.coef, exact.coef, rtol=1e-8, atol=1e-10)

    def test_few_rows_and_no_ridge_are_left_to_all_rows(self):
        for options, why in (({"alpha": 1.0}, "too few rows"), ({}, "without a ridge")):
            found = HessianSketch().solve(A, Y, **options)
            assert why in found.reason

    def test_rows_that_stand_for_all_may_be_given(self):
        H, B = tall(60_000, 40, 0.3)
        records = HeldRecords(as_row_blocks(H), B)
        part = HeldRecords(as_row_blocks(H[::10]), B[::10])
        found = HessianSketch().solve(
            records, None, alpha=1.0, subset=(part, 0.1), run=Run(SerialEngine())
        )
        exact = NormalEquations().solve(records, None, alpha=1.0)
        off = np.linalg.norm(H @ (found.coef - exact.coef), axis=0) ** 2
        assert (off <= 0.01 * exact.noise_variance * 40).all()

    def test_nan_is_refused(self):
        H, B = tall(60_000, 40, 0.3)
        for row in (0, 12_345):
            bad = H.copy()
            bad[row, 3] = np.nan
            with pytest.raises(InvalidDataError, match="NaN"):
                HessianSketch().solve(bad, B, alpha=1.0)
