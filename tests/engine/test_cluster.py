"""A Dask cluster: the bits of the serial engine, whoever is killed and whenever."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

from solvenet import SampledNetworkRegressor
from solvenet.blocks import HeldRecords, as_row_blocks
from solvenet.engine import Checkpoint, DaskEngine, Run, SerialEngine, as_engine, run
from solvenet.errors import EngineError, InvalidDataError
from solvenet.reductions import ColumnMoments
from solvenet.solvers import make_solver

REASON = "distributed is not installed: pip install 'solvenet[dask]'"
distributed = pytest.importorskip("distributed", reason=REASON)
# The workers cannot import a test: it is sent.
pytest.importorskip("cloudpickle", reason=REASON).register_pickle_by_value(sys.modules[__name__])

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3000, 12)) @ np.diag(0.5 ** np.arange(12))
B = RNG.standard_normal((3000, 2))
W = RNG.random(3000)
RECORDS = HeldRecords(as_row_blocks(A), B)
N_PARTS = 47


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Cut few rows into many parts."""
    monkeypatch.setattr(run, "LEAST_ROWS", 64)
    monkeypatch.setattr(run, "LEAST_NUMBERS", 64)
    monkeypatch.setattr(run, "ROWS_PER_COLUMN", 2)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=60
    ) as made:
        yield made


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as made:
        made.wait_for_workers(2, timeout=30)
        yield made


class Noted(ColumnMoments):
    """Notes each part that is begun, and takes its time."""

    def __init__(self, log, seconds=0.05):
        super().__init__(12)
        self.log, self.seconds = str(log), seconds

    def update(self, A, B=None, weights=None, *, start=0, overwrite=False):
        with Path(self.log).open("a") as file:
            file.write(f"{start}\n")
        time.sleep(self.seconds)
        super().update(A, B, weights)


class Deadly(ColumnMoments):
    def update(self, A, B=None, weights=None, *, start=0, overwrite=False):
        if start > 1000:
            os._exit(9)
        super().update(A, B, weights)


class Refusing(ColumnMoments):
    def update(self, A, B=None, weights=None, *, start=0, overwrite=False):
        msg = f"bad row {start}"
        raise InvalidDataError(msg)


def begun(log):
    return log.read_text().split() if log.exists() else []


def soon(log, count):
    """Wait until so many parts were begun."""
    deadline = time.monotonic() + 30
    while len(begun(log)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def saved(folder):
    checkpoint = Checkpoint(folder)
    checkpoint.begin({"data": "some"})
    return checkpoint


def moments(engine, make, **options):
    return Run(engine, **options).reduce(RECORDS, make, name="moments")


def bits(summary):
    return summary.mean.tobytes() + summary.variance.tobytes()


@functools.cache
def expected_bits():
    return bits(moments(SerialEngine(), functools.partial(ColumnMoments, 12)))


class TestSameBits:
    @pytest.mark.parametrize("name", ["normal", "qr", "swg", "hessian"])
    def test_a_cluster_gives_the_bits_of_the_serial_engine(self, client, name):
        options = {"weights": W, "intercept": True, "alpha": 0.1, "audit": "full"}
        expected = make_solver(name).solve(A, B, run=Run(SerialEngine()), **options)
        found = make_solver(name).solve(A, B, run=Run(as_engine(client)), **options)
        for field in ("coef", "intercept", "residual_norm", "normal_residual_norm"):
            assert getattr(found, field).tobytes() == getattr(expected, field).tobytes()

    def test_the_memory_limit_is_that_of_each_worker(self, client):
        engine = DaskEngine(client)
        assert [engine.slots(most) for most in (None, 1, 5)] == [2, 2, 2]
        assert [SerialEngine().slots(most) for most in (None, 1, 5)] == [1, 1, 1]
        engine._workers = lambda: {"one": 8, "two": 2}
        assert [engine.slots(most) for most in (None, 1, 5)] == [10, 2, 7]

    def test_a_fit_of_a_file_by_the_address_of_the_scheduler(self, client, tmp_path):
        path = tmp_path / "rows.npy"
        np.save(path, np.column_stack([A[:, :3], B[:, 0]]))
        engine = DaskEngine(client.scheduler.address)
        try:
            found = [
                SampledNetworkRegressor(20, alpha=1e-3, solver="normal", random_state=0)
                .fit(path, "x3", engine=one)
                .coef_
                for one in (engine, "serial")
            ]
        finally:
            engine.client.close()
        assert found[0].tobytes() == found[1].tobytes()


class TestKilled:
    def test_a_worker_that_is_killed_costs_its_part_and_no_bit(self, cluster, client, tmp_path):
        log = tmp_path / "begun"

        def kill():
            soon(log, 10)
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        found = moments(DaskEngine(client), functools.partial(Noted, log))
        killer.join()
        assert bits(found) == expected_bits()
        parts = begun(log)
        assert len(set(parts)) == N_PARTS
        assert len(parts) <= N_PARTS + 1

    def test_a_part_that_kills_its_workers_is_told(self, cluster, client, monkeypatch):
        monkeypatch.setattr(cluster.scheduler, "allowed_failures", 1)
        with pytest.raises(EngineError, match=r"killed every worker.*memory_limit"):
            moments(DaskEngine(client), functools.partial(Deadly, 12))

    def test_a_lost_scheduler_is_told_and_the_checkpoint_goes_on(self, client, tmp_path):
        log = tmp_path / "begun"
        make = functools.partial(Noted, log)
        with started_scheduler(tmp_path) as (process, address):
            engine = DaskEngine(address)
            engine.client.wait_for_workers(1, timeout=30)

            def kill():
                soon(log, 10)
                process.kill()

            killer = threading.Thread(target=kill)
            killer.start()
            start = time.monotonic()
            with pytest.raises(EngineError, match=r"connection.*is lost.*checkpoint="):
                moments(engine, make, checkpoint=saved(tmp_path / "saved"))
            assert time.monotonic() - start < 20
            killer.join()
            engine.client.close()
            with pytest.raises(EngineError, match=r"connection.*is lost"):
                moments(engine, make)
        before = len(begun(log))
        found = moments(DaskEngine(client), make, checkpoint=saved(tmp_path / "saved"))
        assert bits(found) == expected_bits()
        assert len(begun(log)) - before <= N_PARTS - before + 1

    def test_a_killed_driver_leaves_what_the_next_one_takes_up(self, tmp_path):
        folder, log = tmp_path / "saved", tmp_path / "begun"
        folder.mkdir()
        (folder / ".0123456789abcdef.tmp").write_bytes(b"half a file")  # killed while it wrote
        checkpoint = Checkpoint(folder, every=0)
        checkpoint.begin({"data": "some"})
        states = []

        class Stop(BaseException):
            """No chance to save."""

        def stop(name, done, total):
            states.append({path: path.read_bytes() for path in folder.iterdir()})
            if done == 20:
                raise Stop

        make = functools.partial(Noted, log, 0.0)
        with pytest.raises(Stop):
            moments(SerialEngine(), make, checkpoint=checkpoint, progress=stop)
        for path, payload in states[9].items():  # as after the tenth part
            path.write_bytes(payload)
        log.unlink()
        again = saved(folder)
        found = moments(SerialEngine(), make, checkpoint=again)
        assert bits(found) == expected_bits()
        assert len(begun(log)) == N_PARTS - 10
        again.end()
        assert not folder.exists()


class TestTold:
    def test_what_cannot_be_sent_is_named(self, client):
        with pytest.raises(EngineError, match=r"cannot be sent.*lock.*picklable"):
            moments(DaskEngine(client), functools.partial(Noted, threading.Lock()))

    def test_what_a_cluster_cannot_load_is_told(self, client):
        missing = types.ModuleType("missing_here")
        exec("from solvenet.reductions import ColumnMoments as Made", vars(missing))
        exec("def make(): return Made(12)", vars(missing))
        sys.modules["missing_here"] = missing
        try:
            with pytest.raises(EngineError, match=r"cannot load.*missing_here.*same packages"):
                moments(DaskEngine(client), missing.make)
        finally:
            del sys.modules["missing_here"]

    def test_a_worker_without_the_package_is_told(self, client, monkeypatch):
        monkeypatch.setattr("solvenet.engine.cluster.PACKAGE", "not_installed_there")
        with pytest.raises(EngineError, match=r"no not_installed_there at tcp://.*same packages"):
            moments(DaskEngine(client), functools.partial(ColumnMoments, 12))

    def test_the_error_of_a_part_is_that_of_the_pass(self, client):
        with pytest.raises(InvalidDataError, match="bad row"):
            moments(DaskEngine(client), functools.partial(Refusing, 12))

    def test_a_cluster_without_workers_is_waited_for_with_patience(self, monkeypatch):
        monkeypatch.setattr("solvenet.engine.cluster.LOOK_EVERY", 0.1)
        with (
            distributed.LocalCluster(
                n_workers=0, dashboard_address=":0", processes=False, silence_logs=60
            ) as empty,
            distributed.Client(empty, set_as_default=False) as client,
            pytest.raises(EngineError, match=r"no worker for 0\.3 s.*patience"),
        ):
            moments(DaskEngine(client, patience=0.3), functools.partial(ColumnMoments, 12))

    def test_an_address_without_a_scheduler_is_told(self):
        import dask

        with (
            dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}),
            pytest.raises(EngineError, match=r"no Dask scheduler at 'tcp://127\.0\.0\.1:9'"),
        ):
            DaskEngine("tcp://127.0.0.1:9")


@contextlib.contextmanager
def started_scheduler(folder):
    """Start a scheduler and a worker as processes of their own."""
    about = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    command += ["--port", "0", "--no-dashboard", "--scheduler-file", str(about)]
    with contextlib.ExitStack() as stack:
        scheduler = stack.enter_context(subprocess.Popen(command, **quiet))
        stack.callback(scheduler.kill)
        deadline = time.monotonic() + 30
        while not about.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny"]
        command += ["--no-dashboard", "--nthreads", "1", "--scheduler-file", str(about)]
        worker = stack.enter_context(subprocess.Popen(command, **quiet))
        stack.callback(worker.kill)
        yield scheduler, json.loads(about.read_text())["address"]
