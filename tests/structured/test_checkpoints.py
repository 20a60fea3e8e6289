"""A fit that was stopped or killed goes on, to the same bits as without a break."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from solvenet.engine import Checkpoint
from solvenet.errors import CheckpointError
from solvenet.structured import Ending, Field, random_mmnn, solve_mmnn

x = np.linspace(-1, 1, 200)
y = np.where(np.abs(x) < 0.3, np.sin(10 * np.pi * x), 0.0)


def fit(method, checkpoint=None, *, data=(x, y), seed=0, **settings):
    network = random_mmnn(15, 3, 3, activation="tanh", random_state=seed)
    settings = {"max_steps": 12, "tolerance": 0.0, "batch": 120} | settings
    return solve_mmnn(network, *data, method=method, checkpoint=checkpoint, **settings)


def bits(result):
    return b"".join(a.tobytes() for a in (*result.network.parameters(), result(x)))


def stop_at(step):
    return lambda record: record.step == step


@pytest.mark.parametrize("method", ["lm", "als", "spring", "auto"])
@pytest.mark.parametrize("kind", ["rows", "field"])
def test_a_stopped_fit_goes_on_to_the_same_bits(method, kind, tmp_path):
    def wave(x):
        return np.where(np.abs(x) < 0.3, np.sin(10 * np.pi * x), 0.0)

    data = (Field(wave),) if kind == "field" else (x, y)
    correct = False if method == "auto" else None
    whole = fit(method, data=data, correct=correct)
    folder = tmp_path / "state"
    for step in (3, 8):
        part = fit(method, folder, data=data, correct=correct, callback=stop_at(step))
        assert part.ending is Ending.STOPPED
        assert len(part.history) == step
        assert any(folder.iterdir())
    again = fit(method, folder, data=data, correct=correct)
    assert again.history == whole.history
    if whole.network is None:  # "auto" may find a shallow network better
        assert np.array_equal(again(x), whole(x))
    else:
        assert bits(again) == bits(whole)
    assert not folder.exists()


KILLED = """
import sys, numpy as np
from solvenet.engine import Checkpoint
from solvenet.structured import Field, random_mmnn, solve_mmnn
def wave(x):
    return np.where(np.abs(x) < 0.3, np.sin(10 * np.pi * x), 0.0)
network = random_mmnn(15, 3, 3, activation="tanh")
folder, method = sys.argv[1:]
def tell(record):
    print(record.step, flush=True)
result = solve_mmnn(network, Field(wave), method=method, max_steps=60, batch=150, tolerance=0.0,
                    checkpoint=Checkpoint(folder, every=0.0) if folder else None, callback=tell)
import hashlib
numbers = b"".join(a.tobytes() for a in result.network.parameters())
print("bits", hashlib.sha256(numbers).hexdigest())
"""


def start(folder, method):
    command = [sys.executable, "-c", KILLED, str(folder), method]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("method", ["lm", "spring"])
def test_a_killed_fit_goes_on_to_the_same_bits(method, tmp_path):
    with start("", method) as whole:
        wanted = whole.communicate(timeout=120)[0].splitlines()
    folder = tmp_path / "state"
    with start(folder, method) as killed:
        while int(killed.stdout.readline()) < 20:
            pass
        os.kill(killed.pid, signal.SIGKILL)
        assert killed.wait(timeout=60) == -signal.SIGKILL
    assert any(folder.glob("*.npz"))
    with start(folder, method) as again:
        found = again.communicate(timeout=120)[0].splitlines()
    assert found[-1].startswith("bits")
    assert found[-1] == wanted[-1]
    assert int(found[0]) > 19  # not begun anew


def test_a_checkpoint_of_another_fit_is_refused(tmp_path):
    fit("lm", tmp_path / "state", callback=stop_at(2))
    for other in ({"data": (x, 2 * y)}, {"seed": 1}, {"max_steps": 13}):
        with pytest.raises(CheckpointError, match="belongs to another run"):
            fit("lm", tmp_path / "state", **other)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        fit("spring", tmp_path / "state")


def test_states_are_saved_from_time_to_time(tmp_path):
    seen = []

    def look(record):
        seen.append(len(list(tmp_path.glob("state/*.npz"))))
        time.sleep(0.01)

    fit("lm", Checkpoint(tmp_path / "state", every=3600.0), callback=look)
    assert max(seen) == 0
    fit("lm", Checkpoint(tmp_path / "state", every=0.02), callback=look)
    assert max(seen) == 1
