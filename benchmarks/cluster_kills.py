"""Kill workers, the scheduler and the driver of a fit on a Dask cluster: the same bits?

    python benchmarks/cluster_kills.py [--rows 1300000] [--width 500] [--kills 20] [--folder DIR]

A network is fitted from a Parquet file by two workers on this machine (processes of one thread,
started again by Dask's nannies). In each of ``--kills`` runs one of them, drawn by chance, gets
SIGKILL at a random moment; in one more run three do. Every part notes in a file that it was
begun, so what died with a worker is counted as well. Then, with a scheduler, workers and
driver as processes of their own and a checkpoint: the scheduler is killed, the driver must say
so, and the same call on a new cluster must go on; the driver is killed, and the same call too.

Wanted, and 1 as exit status where missed: coefficients equal to the last bit to those of the
serial engine; at most one part begun again per kill; EngineError with advice within 30 s.
About 8 minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, LocalCluster

from solvenet import SampledNetworkRegressor
from solvenet.engine import Checkpoint, DaskEngine, Engine, SerialEngine
from solvenet.errors import EngineError

ADVICE_WITHIN = 30.0


def write(path: Path, rows: int) -> None:
    """Write a table of ten inputs and a noisy target, in row groups of 16384 rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(rows)
    names = [f"x{j}" for j in range(10)] + ["y"]
    with pq.ParquetWriter(path, pa.schema([(name, pa.float64()) for name in names])) as writer:
        for start in range(0, rows, 2**14):
            X = rng.random((min(2**14, rows - start), 10))
            y = np.sin(6 * X[:, 0] * X[:, 1]) + X[:, 2] ** 2 + 0.1 * rng.standard_normal(len(X))
            writer.write_table(pa.table([*X.T, y], names=names))


def noted(log: str, function: Callable[..., Any], part: Any) -> Any:
    """Note that a part was begun, then compute it."""
    with Path(log).open("a") as file:
        file.write(f"{part[1]}\n")
    return function(part)


class NotedDask(DaskEngine):
    """Notes each part when a worker begins it."""

    log = ""

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return super().submit(noted, self.log, function, *args)


class NotedSerial(SerialEngine):
    """The same in this process."""

    log = ""

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return super().submit(noted, self.log, function, *args)


def begun(log: Path) -> int:
    return len(log.read_text().split()) if log.exists() else 0


def fit(path: Path, width: int, engine: Engine, checkpoint: Any = None) -> tuple[bytes, float]:
    """Return the coefficients and the seconds of a fit."""
    model = SampledNetworkRegressor(width, solver="normal", random_state=0)
    start = time.perf_counter()
    model.fit(path, "y", engine=engine, checkpoint=checkpoint)
    return model.coef_.tobytes() + np.float64(model.intercept_).tobytes(), (
        time.perf_counter() - start
    )


def counted(
    path: Path, width: int, engine: Any, folder: Path, checkpoint: Any = None
) -> tuple[bytes, float, int]:
    """Return the coefficients, the seconds, and how many parts were begun."""
    engine.log = str(folder / "begun")
    Path(engine.log).unlink(missing_ok=True)
    bits, seconds = fit(path, width, engine, checkpoint)
    return bits, seconds, begun(Path(engine.log))


def killed(
    cluster: LocalCluster,
    log: Path,
    moments: Sequence[float],
    rng: np.random.Generator,
    work: Callable[[], Any],
) -> tuple[Any, int]:
    """Do some work while workers are killed; return its result and how many were.

    Moments are numbers of parts that were begun: 7.3 is 0.3 of a part after the seventh.
    """
    done, n_killed = threading.Event(), 0

    def kill() -> None:
        nonlocal n_killed
        start = time.perf_counter()
        for moment in moments:
            while begun(log) < int(moment):
                if done.wait(0.01):
                    return
            pace = (time.perf_counter() - start) / int(moment)
            # One that works: a nanny takes a second or two to start the next, and gives up
            # where that is killed before it has begun.
            alive: list[int] = []
            while not alive:
                if done.wait(0.01 + 2 * pace * (moment % 1)):
                    return
                there = {worker.name for worker in cluster.scheduler.workers.values()}
                alive = [n.pid for name, n in cluster.workers.items() if name in there and n.pid]
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(rng.choice(alive)), signal.SIGKILL)
                n_killed += 1

    killer = threading.Thread(target=kill)
    killer.start()
    result = work()
    done.set()
    killer.join()
    return result, n_killed


@contextlib.contextmanager
def local_cluster() -> Iterator[tuple[LocalCluster, Client]]:
    """Start two workers of one thread, which nannies start again."""
    options = {"dashboard_address": ":0", "silence_logs": 60}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield cluster, client


def workers_killed(
    path: Path, options: argparse.Namespace, folder: Path
) -> tuple[bool, bytes, int]:
    """Kill workers, and print what it cost."""
    expected, seconds, n_parts = counted(path, options.width, NotedSerial(), folder)
    print(f"serial: {seconds:.1f} s, {n_parts} parts begun")
    good, worst, log = True, 0, folder / "begun"
    rng = np.random.default_rng(options.seed)
    with local_cluster() as (cluster, client):
        bits, whole, n_begun = counted(path, options.width, NotedDask(client), folder)
    good &= bits == expected and n_begun == n_parts
    print(
        f"two workers, none killed: {whole:.1f} s, {n_begun} parts begun, "
        f"{'same bits' if bits == expected else 'OTHER BITS'}\n"
    )
    print("| run | killed after parts | seconds | parts begun again | bits |")
    print("|---|---|---|---|---|", flush=True)
    run = tries = 0
    while run < options.kills + 1 and tries < 3 * options.kills + 9:
        tries += 1
        n_kills = 1 if run < options.kills else 3
        moments = sorted(rng.uniform(1, n_parts, n_kills))
        log.unlink(missing_ok=True)
        with local_cluster() as (cluster, client):
            engine = NotedDask(client)
            (bits, seconds, n_begun), n_killed = killed(
                cluster, log, moments, rng, partial(counted, path, options.width, engine, folder)
            )
        if n_killed < n_kills:
            continue  # the fit was done before
        run += 1
        again = n_begun - n_parts
        worst = max(worst, again - n_kills)
        good &= bits == expected and again <= n_kills
        print(
            f"| {run} | {', '.join(f'{at:.1f}' for at in moments)} | {seconds:.1f} | {again} "
            f"| {'same' if bits == expected else 'OTHER'} |",
            flush=True,
        )
    good &= run == options.kills + 1
    print(f"\nmore than one part a kill begun again: {'never' if worst <= 0 else 'YES'}")
    return good, expected, n_parts


@contextlib.contextmanager
def cluster_of_processes(folder: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """Start a scheduler and two workers; yield the scheduler and its address."""
    about = folder / f"scheduler-{time.monotonic_ns()}.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    scheduler_file = ["--no-dashboard", "--scheduler-file", str(about)]
    tool = [sys.executable, "-m"]
    with contextlib.ExitStack() as stack:

        def start(*command: str) -> subprocess.Popen:
            process = stack.enter_context(subprocess.Popen([*tool, *command], **quiet))
            stack.callback(process.terminate)
            return process

        scheduler = start(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *scheduler_file
        )
        while not about.exists():
            time.sleep(0.05)
        for _ in range(2):
            start("distributed.cli.dask_worker", "--nthreads", "1", *scheduler_file)
        yield scheduler, json.loads(about.read_text())["address"]


def drive(path: Path, width: int, address: str, folder: Path) -> None:
    """Fit on a cluster with a checkpoint, and print how it ended; a process of its own."""
    engine = NotedDask(address)
    engine.client.wait_for_workers(2, timeout=60)
    (folder / "ready").touch()
    try:
        checkpoint = Checkpoint(folder / "saved", every=1.0)
        bits, seconds, n_begun = counted(path, width, engine, folder, checkpoint)
    except EngineError as error:
        facts = {"error": str(error), "at": time.time()}
    else:
        facts = {"bits": bits.hex(), "seconds": seconds, "begun": n_begun}
    print(json.dumps(facts), flush=True)
    with contextlib.suppress(Exception):
        engine.client.close(timeout=1)


def driver(path: Path, width: int, address: str, folder: Path) -> subprocess.Popen:
    """Start a driver and return once its cluster is there."""
    (folder / "ready").unlink(missing_ok=True)
    command = [sys.executable, __file__, "--drive", address, "--folder", str(folder)]
    process = subprocess.Popen(
        [*command, "--table", str(path), "--width", str(width)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    while not (folder / "ready").exists() and process.poll() is None:
        time.sleep(0.02)
    return process


def after(log: Path, count: int, process: subprocess.Popen) -> None:
    """Wait until so many parts were begun."""
    while begun(log) < count and process.poll() is None:
        time.sleep(0.02)


def others_killed(path: Path, width: int, expected: bytes, n_parts: int, folder: Path) -> bool:
    """Kill the scheduler, then the driver, and print how the same call goes on."""
    log, good = folder / "begun", True
    for what in ("scheduler", "driver"):
        log.unlink(missing_ok=True)
        with cluster_of_processes(folder) as (scheduler, address):
            process = driver(path, width, address, folder)
            after(log, n_parts // 2, process)
            kill_at = time.time()
            (scheduler if what == "scheduler" else process).kill()
            out, _ = process.communicate(timeout=300)
        first = begun(log)
        print(f"\n{what} killed after {first} of {n_parts} parts were begun")
        if what == "scheduler":
            facts = json.loads(out)
            told = facts.get("at", np.inf) - kill_at
            good &= told <= ADVICE_WITHIN and "checkpoint" in facts.get("error", "")
            print(f"  the driver said after {told:.1f} s: {facts.get('error')}")
        with cluster_of_processes(folder) as (_, address):
            out, _ = driver(path, width, address, folder).communicate(timeout=600)
        facts = json.loads(out)
        same = facts.get("bits") == expected.hex()
        good &= same and facts["begun"] < n_parts and not (folder / "saved").exists()
        print(
            f"  the same call on a new cluster: {facts.get('seconds', np.nan):.1f} s, "
            f"{facts.get('begun')} parts begun, {'same bits' if same else 'OTHER BITS'}",
            flush=True,
        )
    return good


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_300_000)
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20, help="runs with one kill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="for files; a temporary one")
    parser.add_argument("--drive", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        drive(options.table, options.width, options.drive, options.folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        path = folder / f"cluster-kills-{options.rows}.parquet"
        if not path.exists():
            write(path, options.rows)
        good, expected, n_parts = workers_killed(path, options, folder)
        good &= others_killed(path, options.width, expected, n_parts, folder)
    print(f"\n{'reached' if good else 'MISSED'}")
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
