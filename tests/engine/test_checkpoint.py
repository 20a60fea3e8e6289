"""What a run has merged survives it: the same call goes on, with the same bits."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from solvenet import SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.blocks import ArrayBlocks, HeldRecords, MappedBlocks
from solvenet.engine import Checkpoint, Run, SerialEngine, run
from solvenet.errors import CheckpointError, InvalidSettingError
from solvenet.solvers import make_solver

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3000, 12)) @ np.diag(0.5 ** np.arange(12))
B = RNG.standard_normal((3000, 2))


@pytest.fixture(params=["parts", "one part"])
def cut(request, monkeypatch):
    """Cut few rows into many parts, or into blocks of one part."""
    if request.param == "parts":
        monkeypatch.setattr(run, "LEAST_ROWS", 64)
        monkeypatch.setattr(run, "LEAST_NUMBERS", 64)
        monkeypatch.setattr(run, "ROWS_PER_COLUMN", 2)
    return request.param


class Interrupting:
    """A function of rows that is interrupted after some of them."""

    def __init__(self, after):
        self.left, self.seen = after, 0

    def __call__(self, X):
        self.seen += len(X)
        self.left -= len(X)
        if self.left < 0:
            raise KeyboardInterrupt
        return X.copy()


def records(function=None):
    source = ArrayBlocks(A, rows_per_block=50)
    return HeldRecords(source if function is None else MappedBlocks(source, function, 12), B)


def solve(name, rows, folder, every=0.0, **options):
    kept = Checkpoint(folder, every=every)
    kept.begin({"data": records().identity(), "solver": name})
    options = {"alpha": 0.1, "intercept": True} | options
    return make_solver(name).solve(rows, None, run=Run(SerialEngine(), kept), **options)


@pytest.mark.parametrize("name", ["normal", "qr", "swg", "sketch"])
@pytest.mark.parametrize("after", [0, 100, 1700, 3000, 4000])
def test_an_interrupted_solve_goes_on(name, after, cut, tmp_path):
    expected = make_solver(name).solve(
        records(), None, alpha=0.1, intercept=True, run=Run(SerialEngine())
    )
    folder, function = tmp_path / "kept", Interrupting(after)
    done = True
    try:
        solve(name, records(function), folder)
    except KeyboardInterrupt:
        done = False
    first = function.seen
    function = Interrupting(10**9)
    found = solve(name, records(function), folder)
    assert found.coef.tobytes() == expected.coef.tobytes()
    assert found.residual_norm.tobytes() == expected.residual_norm.tobytes()
    assert done == (function.seen == 0)
    if not done:  # at most a part, or a block, is computed again
        passes = 2 if name in ("swg", "sketch") else 1
        again = first + function.seen - passes * len(A)
        assert again <= (300 if cut == "parts" else 50)


def test_nothing_is_saved_before_its_time(tmp_path, cut):
    with pytest.raises(KeyboardInterrupt):
        solve("qr", records(Interrupting(1000)), tmp_path / "kept", every=3600)
    # The interruption saves whole parts, but not one that it may have torn.
    files = {path.name for path in (tmp_path / "kept").iterdir()}
    parts = {"01-triangle.npz"} if cut == "parts" else set()
    assert files == {"solvenet-checkpoint.json"} | parts


SCRIPT = """
import sys, time
import numpy as np
from solvenet.engine import Checkpoint, run
run.LEAST_ROWS = run.LEAST_NUMBERS = 64
run.ROWS_PER_COLUMN = 2
if sys.argv[2] == "one part":
    run.LEAST_PARTS = 10**9
from solvenet import SampledNetworkRegressor
from solvenet.features import survey
survey.SAMPLE_ROWS = survey.PAIR_ROWS = survey.FEWEST_ROWS = 256
slow = float(sys.argv[3])
from solvenet.networks import HiddenMap
plain = HiddenMap.__call__
def slowly(self, X, *, out=None):
    time.sleep(slow)
    return plain(self, X, out=out)
HiddenMap.__call__ = slowly
X = np.random.default_rng(0).random((3000, 3))
model = SampledNetworkRegressor(20, random_state=0, memory_limit="2MB")
print("fitting", flush=True)
model.fit(X, np.sin(X.sum(axis=1)), engine="serial", checkpoint=Checkpoint(sys.argv[1], every=0))
print(model.coef_.tobytes().hex())
"""


@pytest.mark.parametrize("mode", ["parts", "one part"])
def test_a_fit_that_was_killed_goes_on(tmp_path, mode):
    folder = tmp_path / "kept"

    def call(where, slow):
        command = [sys.executable, "-c", SCRIPT, str(where), mode, str(slow)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    expected = call(tmp_path / "other", 0.0).communicate()[0].splitlines()[-1]
    assert not (tmp_path / "other").exists()  # removed at the end
    process = call(folder, 0.05)
    deadline = time.monotonic() + 60
    while not list(folder.glob("02-*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    # At once: a fast machine would be at the end a moment later.
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert {path.name[:2] for path in folder.glob("*.npz")} == {"01", "02"}
    found = call(folder, 0.0).communicate()[0].splitlines()[-1]
    assert found == expected
    assert not folder.exists()


class TestRefused:
    def begun(self, tmp_path):
        kept = Checkpoint(tmp_path / "kept")
        kept.begin({"data": "a", "settings": "width 10"})
        return tmp_path / "kept"

    def test_other_data_or_settings(self, tmp_path):
        folder = self.begun(tmp_path)
        for about in ({"data": "b"}, {"settings": "width 20"}):
            about = {"data": "a", "settings": "width 10"} | about
            with pytest.raises(CheckpointError, match=r"another run: .* was .* is .*Give another"):
                Checkpoint(folder).begin(about)
        Checkpoint(folder).begin({"data": "a", "settings": "width 10"})

    def test_a_folder_that_is_something_else(self, tmp_path):
        (tmp_path / "letter.txt").write_text("dear")
        with pytest.raises(CheckpointError, match=r"not empty and holds no checkpoint"):
            Checkpoint(tmp_path).begin({"data": "a"})
        assert (tmp_path / "letter.txt").read_text() == "dear"

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null"])
    def test_a_damaged_description(self, tmp_path, damage):
        folder = self.begun(tmp_path)
        (folder / "solvenet-checkpoint.json").write_bytes(damage)
        with pytest.raises(CheckpointError, match=r"damaged|another run"):
            Checkpoint(folder).begin({"data": "a"})

    @pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
    def test_a_truncated_pass(self, tmp_path, keep):
        folder = tmp_path / "kept"
        with pytest.raises(KeyboardInterrupt):
            solve("qr", records(Interrupting(1000)), folder)
        path = folder / "01-triangle.npz"
        whole = path.read_bytes()
        path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
        with pytest.raises(CheckpointError, match=r"01-triangle.npz is damaged"):
            solve("qr", records(), folder)

    def test_another_method(self, tmp_path):
        folder = tmp_path / "kept"
        with pytest.raises(KeyboardInterrupt):
            solve("qr", records(Interrupting(1000)), folder)
        about = folder / "solvenet-checkpoint.json"
        about.write_text(json.dumps(json.loads(about.read_text()) | {"solver": "normal"}))
        (folder / "01-triangle.npz").rename(folder / "01-Gram-matrix.npz")
        with pytest.raises(CheckpointError, match=r"other parts of the data or another method"):
            solve("normal", records(), folder)

    def test_arrays_that_would_run_code(self, tmp_path):
        folder = self.begun(tmp_path)
        np.savez(folder / "01-x.npz", about=np.array([print], dtype=object))
        with pytest.raises(CheckpointError, match="damaged"):
            Checkpoint(folder).load(folder / "01-x.npz", "x")

    def test_no_seed(self, tmp_path):
        X = RNG.random((50, 2))
        for model in (SampledNetworkRegressor(5), SampledNetworkClassifier(5)):
            with pytest.raises(InvalidSettingError, match=r"checkpoint.*random_state=0"):
                model.fit(X, (X[:, 0] > 0.5).astype(int), checkpoint=tmp_path / "kept")

    def test_other_rows_for_an_estimator(self, tmp_path):
        X = RNG.random((50, 2))
        kept = Checkpoint(tmp_path / "kept")
        model = SampledNetworkRegressor(5, random_state=0)
        settings = sorted(model.get_params().items())
        kept.begin({"data": "of yesterday", "settings": str(settings)})
        with pytest.raises(CheckpointError, match=r"belongs to another run: data was"):
            model.fit(X, X[:, 0], checkpoint=tmp_path / "kept")


def test_a_full_disk_leaves_the_last_whole_state(tmp_path, monkeypatch):
    folder = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        solve("qr", records(Interrupting(1000)), folder)
    before = (folder / "01-triangle.npz").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        solve("qr", records(), folder)
    assert (folder / "01-triangle.npz").read_bytes() == before
    assert len(list(folder.iterdir())) == 2
