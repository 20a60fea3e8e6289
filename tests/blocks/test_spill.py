"""Features on disk: the same rows, read again and again, and nothing left behind."""

import contextlib
import io
import pathlib

import numpy as np
import pytest

from solvenet import SampledNetworkRegressor
from solvenet.blocks import HeldRecords, as_row_blocks, free_bytes, plan_features, spilled
from solvenet.errors import InvalidDataError, SpillError
from solvenet.solvers import LSQR, SWG

RNG = np.random.default_rng(0)
A = RNG.standard_normal((500, 7))
B = RNG.standard_normal((500, 2))
W = RNG.random(500)


@pytest.mark.parametrize("weights", [None, W])
def test_the_same_rows_come_back(tmp_path, weights):
    records = HeldRecords(as_row_blocks(A, rows_per_block=33), B, weights)
    with spilled(records, tmp_path, rows_per_block=50) as rows:
        assert len(list(tmp_path.iterdir())) == 1
        for _ in range(2):
            found = list(rows.stream())
            assert np.array_equal(np.concatenate([a for _, a, _, _ in found]), A)
            assert np.array_equal(np.concatenate([b for _, _, b, _ in found]), B)
            if weights is not None:
                assert np.array_equal(np.concatenate([w for *_, w in found]), W)
            assert {len(a) for _, a, _, _ in found} == {50}
    assert list(tmp_path.iterdir()) == []


class Full(io.FileIO):
    """A file on a disk that is full after some bytes."""

    def write(self, data):
        if self.tell() + len(bytes(data)) > 10_000:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "open", lambda self, mode: Full(self, mode))
    records = HeldRecords(as_row_blocks(A, rows_per_block=33), B)
    with (
        pytest.raises(SpillError, match=r"No space left on device.*They take .*TMPDIR"),
        spilled(records, tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path):
    records = HeldRecords(as_row_blocks(A), B)
    with pytest.raises(SpillError, match=r"could not be spilled to .*nowhere"):
        spilled(records, tmp_path / "nowhere").__enter__()


def test_the_error_of_the_source_is_its_own(tmp_path):
    def broken():
        yield A[:100], B[:100]
        msg = "row group 3 is damaged"
        raise InvalidDataError(msg)

    records = HeldRecords(as_row_blocks(A), B)
    records.stream = lambda: ((slice(0, 100), a, b, None) for a, b in broken())
    with pytest.raises(InvalidDataError, match="row group 3"), spilled(records, tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


class TestPlan:
    limit = 50_000_000

    @pytest.mark.parametrize(
        ("n_layers", "n_passes", "free", "hold", "reason"),
        [
            (1, 3, 10**12, "recompute", "costs little"),
            (2, 1, 10**12, "recompute", "read once"),
            (2, 3, 10**12, "disk", "read 3 times"),
            (2, 3, 10**8, "recompute", "no room on disk"),
        ],
    )
    def test_what_does_not_fit_is_spilled_if_that_pays(
        self, n_layers, n_passes, free, hold, reason
    ):
        plan = plan_features(
            10**6,
            100,
            n_layers=n_layers,
            memory_limit=self.limit,
            n_passes=n_passes,
            free_disk=free,
        )
        assert plan.hold == hold
        assert reason in plan.reason

    def test_what_fits_is_kept(self):
        plan = plan_features(1000, 100, n_layers=2, memory_limit=self.limit, n_passes=3)
        assert plan.hold == "memory"

    @pytest.mark.parametrize("solver", [SWG(), LSQR(max_iterations=5)])
    def test_a_deep_network_is_the_same_from_disk(self, solver, tmp_path, monkeypatch):
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        assert free_bytes() > 0
        X = RNG.random((3000, 3))
        y = np.sin(X.sum(axis=1))
        options = {"random_state": 0, "solver": solver, "alpha": 1e-3}
        models = [
            SampledNetworkRegressor((20, 40), memory_limit=limit, **options)
            for limit in (None, "4MB")
        ]
        found = []
        for model in models:
            with pytest.warns() if isinstance(solver, LSQR) else contextlib.nullcontext():
                found.append(model.fit(X, y).predict(X))
        assert [model.plan_.hold for model in models] == ["memory", "disk"]
        assert np.allclose(*found, atol=1e-9)
        assert list(tmp_path.iterdir()) == []
