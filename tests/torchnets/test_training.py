"""Training by Adam: what it reaches, schedules, watching, going on after a break, bad input."""

import hashlib
import os
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from solvenet.errors import CheckpointError, InvalidDataError, InvalidSettingError
from solvenet.structured import Ending

torch = pytest.importorskip("torch", reason="torch is an optional extra")

from solvenet.torchnets import MMNN, ModewiseResidual, train_adam  # noqa: E402

x = np.linspace(-1, 1, 120)
y = np.sin(4 * np.pi * x)


def module(**settings):
    return MMNN(20, 3, 3, **({"activation": "sin", "scale": 15.0} | settings))


def bits(module):
    numbers = b"".join(p.detach().numpy().tobytes() for p in module.parameters())
    return hashlib.sha256(numbers).hexdigest()


@pytest.mark.parametrize("batch_size", [None, 30])
def test_the_loss_falls_and_is_that_of_the_module(batch_size):
    trained = module()
    run = train_adam(trained, x, y, epochs=150, batch_size=batch_size, learning_rate=2e-2)
    assert run.module is trained
    assert run.ending is Ending.STEPS_ENDED
    assert run.losses.shape == (150,)
    assert run.losses[-1] < 1e-2 * run.losses[0]
    assert run.n_steps == 150 * (1 if batch_size is None else 4)
    now = np.mean((trained.to_arrays()(x) - y) ** 2)
    assert now == pytest.approx(run.losses[-1], rel=0.1)
    assert trained.training


def test_a_whole_epoch_is_a_step_of_torchs_adam():
    """The same numbers as a loop written by hand."""
    ours, theirs = module(dtype=torch.float64), module(dtype=torch.float64)
    train_adam(ours, x, y, epochs=5, learning_rate=1e-2, schedule=(0.5, 2))
    trained = [p for p in theirs.parameters() if p.requires_grad]
    adam = torch.optim.Adam(trained, lr=1e-2)
    inputs, wanted = (torch.from_numpy(a)[:, None] for a in (x, y))
    for epoch in range(5):
        adam.param_groups[0]["lr"] = 1e-2 * 0.5 ** (epoch // 2)
        adam.zero_grad()
        (theirs(inputs) - wanted).square().mean().backward()
        adam.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        ("cosine", [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        ((0.1, 2), [1, 1, 0.1, 0.1]),
        (lambda epoch: 1 / (1 + epoch), [1, 1 / 2, 1 / 3, 1 / 4]),
    ],
)
def test_schedules(schedule, factors):
    records = []
    train_adam(
        module(), x, y, epochs=4, learning_rate=2.0e-3, schedule=schedule,
        callback=lambda _, record: records.append(record),
    )  # fmt: skip
    assert [r.learning_rate for r in records] == pytest.approx([2e-3 * f for f in factors])
    assert [(r.epoch, r.epochs) for r in records] == [(k, 4) for k in (1, 2, 3, 4)]
    assert records[-1].remaining == 0
    assert all(a.seconds <= b.seconds for a, b in pairwise(records))


def test_the_callback_stops():
    run = train_adam(module(), x, y, epochs=9, callback=lambda _, record: record.epoch == 4)
    assert (run.ending, len(run.losses)) == (Ending.STOPPED, 4)


def test_the_keyboard_stops():
    def interrupt(_, record):
        if record.epoch == 3:
            raise KeyboardInterrupt

    run = train_adam(module(), x, y, epochs=9, callback=interrupt)
    assert (run.ending, len(run.losses)) == (Ending.INTERRUPTED, 3)


def test_what_diverges_goes_back_to_finite_numbers():
    trained = module(activation="relu")
    with torch.no_grad():
        trained.A[2].mul_(1e15)
    run = train_adam(trained, x, y, epochs=300, learning_rate=1e15)
    assert run.ending is Ending.DIVERGED
    assert np.isfinite(run.losses).all()
    assert all(p.isfinite().all() for p in trained.parameters())
    assert "learning rate" in run.ending.value


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # its own, at its own import
def test_compiled_training_takes_the_same_steps():
    runs = [train_adam(module(), x, y, epochs=4, batch_size=50, compile=c) for c in (True, False)]
    assert [run.compiled for run in runs] == [True, False]
    np.testing.assert_allclose(runs[0].losses, runs[1].losses, rtol=1e-4)


def test_the_residual_is_watched_mode_by_mode():
    watch = ModewiseResidual(x, y, n_modes=8)
    train_adam(module(), x, y, epochs=200, learning_rate=5e-3, watch=watch)
    assert watch.steps.tolist() == list(range(1, 201))
    assert np.linalg.norm(watch.projections[-1]) < 0.1 * np.linalg.norm(watch.projections[0])


class WithDropout(torch.nn.Module):
    """Draws random numbers while it is trained."""

    def __init__(self):
        super().__init__()
        self.inner, self.drop = module(), torch.nn.Dropout(0.1)

    def forward(self, x):
        return self.inner(self.drop(x))


@pytest.mark.parametrize("kind", [module, WithDropout])
@pytest.mark.parametrize("batch_size", [None, 50])
def test_stopped_training_goes_on_to_the_same_bits(kind, batch_size, tmp_path):
    def run(epochs_now, checkpoint):
        trained, watch = kind(), ModewiseResidual(x, y, n_modes=4)
        found = train_adam(
            trained, x, y, epochs=12, batch_size=batch_size, watch=watch, checkpoint=checkpoint,
            callback=lambda _, record: record.epoch == epochs_now,
        )  # fmt: skip
        return found, bits(trained), watch

    whole, wanted, watched = run(None, None)
    before = torch.random.get_rng_state()
    for epoch in (3, 7):
        assert run(epoch, tmp_path / "state")[0].ending is Ending.STOPPED
    again, found, watch = run(None, tmp_path / "state")
    assert again.resumed_from == 7
    assert found == wanted
    assert np.array_equal(again.losses, whole.losses)
    assert np.array_equal(watch.projections, watched.projections)
    assert np.array_equal(watch.steps, watched.steps)
    assert not (tmp_path / "state").exists()
    assert torch.equal(torch.random.get_rng_state(), before)


KILLED = """
import sys, hashlib, numpy as np, torch
from solvenet.engine import Checkpoint
from solvenet.torchnets import MMNN, train_adam
torch.set_num_threads(1)
x = np.linspace(-1, 1, 120)
module = MMNN(20, 3, 3, activation="sin", scale=8.0)
train_adam(module, x, np.sin(4 * np.pi * x), epochs=60, batch_size=20,
           checkpoint=Checkpoint(sys.argv[1], every=0.0) if sys.argv[1] else None,
           callback=lambda _, record: print(record.epoch, flush=True))
numbers = b"".join(p.detach().numpy().tobytes() for p in module.parameters())
print("bits", hashlib.sha256(numbers).hexdigest())
"""


def start(folder):
    command = [sys.executable, "-c", KILLED, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_killed_training_goes_on_to_the_same_bits(tmp_path):
    with start("") as whole:
        wanted = whole.communicate(timeout=120)[0].splitlines()
    with start(tmp_path / "state") as killed:
        while int(killed.stdout.readline()) < 25:
            pass
        os.kill(killed.pid, signal.SIGKILL)
        assert killed.wait(timeout=60) == -signal.SIGKILL
    with start(tmp_path / "state") as again:
        found = again.communicate(timeout=120)[0].splitlines()
    assert found[-1] == wanted[-1]
    assert int(found[0]) > 24  # not begun anew


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    def run(seed=0, targets=y, **settings):
        settings = {"epochs": 5, "checkpoint": tmp_path / "state"} | settings
        return train_adam(module(random_state=seed), x, targets, **settings)

    run(callback=lambda _, record: record.epoch == 2)
    for other in ({"seed": 1}, {"targets": 2 * y}, {"epochs": 6}, {"learning_rate": 1e-2}):
        with pytest.raises(CheckpointError, match="belongs to another run"):
            run(**other)


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"epochs": 0}, "epochs=0"),
            ({"batch_size": 0}, "batch_size=0"),
            ({"learning_rate": 0.0}, "learning_rate=0.0"),
            ({"schedule": "linear"}, "schedule='linear'"),
            ({"schedule": (0.9, 0)}, "schedule"),
            ({"compile": "yes"}, "compile='yes'"),
            ({"random_state": -1}, "random_state=-1"),
        ],
    )
    def test_settings(self, settings, says):
        with pytest.raises(InvalidSettingError, match=says):
            train_adam(module(), x, y, **({"epochs": 2} | settings))

    def test_data(self):
        with pytest.raises(InvalidDataError, match="NaN"):
            train_adam(module(), x, np.where(x > 0, np.nan, y), epochs=2)
        with pytest.raises(InvalidDataError, match="119 targets"):
            train_adam(module(), x, y[1:], epochs=2)
        with pytest.raises(InvalidDataError, match=r"\(1, 2\) is wanted"):
            train_adam(module(), x, np.stack([y, y], axis=1), epochs=2)
        with pytest.raises(InvalidDataError, match="one or two axes"):
            train_adam(module(), x, np.zeros((120, 2, 2)), epochs=2)

    def test_modules_without_anything_to_train(self):
        frozen = module()
        for p in frozen.parameters():
            p.requires_grad_(False)
        with pytest.raises(InvalidSettingError, match="no parameter that is trained"):
            train_adam(frozen, x, y, epochs=2)
        with pytest.raises(InvalidSettingError, match="no parameters"):
            train_adam(torch.nn.Identity(), x, y, epochs=2)
