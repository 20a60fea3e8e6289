"""Adam for any torch model on rows: schedules, progress, and checkpoints that go on exactly."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from solvenet._random import stream
from solvenet._validation import check_choice, check_count, check_finite, check_positive
from solvenet.blocks.records import digest_of
from solvenet.engine import Checkpoint
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.structured import Ending
from solvenet.torchnets.adam import AdamRun, mean_square

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.torchnets.monitor import ModewiseResidual

COMPILE_FROM = 20_000
"""Steps from which compiling pays on a GPU; it takes about half a minute."""

_COPIES = 100  # of the parameters in a run, to go back to where it diverges
_PASS = "training"


class TrainingRecord(NamedTuple):
    """What a callback of :func:`train_adam` gets after each epoch.

    Attributes
    ----------
    epoch, epochs : int
        Epochs made, and wanted.
    loss : float
        Mean squared error of the epoch's batches, each before its step.
    learning_rate : float
        Of the epoch.
    seconds : float
        Since the call.
    remaining : float
        Seconds that the rest will take at this pace.
    """

    epoch: int
    epochs: int
    loss: float
    learning_rate: float
    seconds: float
    remaining: float


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What :func:`train_adam` returns.

    Attributes
    ----------
    module : torch.nn.Module
        The module that was given, trained.
    losses : array of shape (n_epochs,)
        Of all epochs, those before a restart as well.
    ending : Ending
        Why it ended; its value is advice.
    n_steps : int
        Steps of Adam.
    resumed_from : int
        Epochs that came from the checkpoint.
    device : str
        Where it ran.
    compiled : bool
        Whether by ``torch.compile``.
    seconds : float
        Wall time of this call.
    """

    module: Any = field(repr=False)
    losses: Array = field(repr=False)
    ending: Ending
    n_steps: int
    resumed_from: int
    device: str
    compiled: bool
    seconds: float


def train_adam(
    module: Any,
    X: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int | None = None,
    learning_rate: float = 1e-3,
    schedule: str | tuple[float, int] | Callable[[int], float] = "cosine",
    device: str = "auto",
    compile: bool | str = "auto",
    watch: ModewiseResidual | None = None,
    callback: Callable[[Any, TrainingRecord], object] | None = None,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    random_state: int = 0,
) -> TrainingRun:
    """Train a torch module by Adam on the mean squared error.

    Parameters
    ----------
    module : torch.nn.Module
        From (n_rows, n_inputs) to (n_rows, n_outputs), for example a
        :class:`~solvenet.torchnets.MMNN`. Changed in place.
    X : array of shape (n_rows, n_inputs) or (n_rows,)
        Inputs; given to the module in the dtype of its parameters.
    y : array of shape (n_rows,) or (n_rows, n_outputs)
        Targets.
    epochs : int
        Passes over the rows.
    batch_size : int, optional
        Rows a step, in a new random order each epoch; all rows by default.
    learning_rate : float, default=1e-3
        Of the first epoch.
    schedule : {"cosine", "constant"}, (float, int) or callable, default="cosine"
        What the rate is multiplied by: half a cosine, down to 0 after the last epoch; nothing; a
        factor after every so many epochs, as published; or a function of the epochs made.
    device : str, default="auto"
        "auto" is a GPU if there is one, else where the module is. The module comes back.
    compile : bool or "auto", default="auto"
        Whether to use ``torch.compile``; "auto" does on a GPU from 20,000 steps on.
    watch : ModewiseResidual, optional
        Called after each epoch; its records are part of the checkpoint.
    callback : callable, optional
        Gets the module and a :class:`TrainingRecord` after each epoch; returning True stops.
    checkpoint : path or Checkpoint, optional
        A folder that holds the state, at most every 30 seconds and where training was stopped.
        The same call goes on from there, to the same bits as without a break. It is removed when
        all epochs are made.
    random_state : int, default=0
        Seed of the orders of the rows, and of random numbers that the module draws.

    Returns
    -------
    TrainingRun
        After Ctrl-C what was reached by then. Where the loss is no longer finite, the module as
        it was not more than a hundredth of the epochs before.

    Raises
    ------
    InvalidSettingError
        A setting out of range, a module without trained parameters.
    InvalidDataError
        NaN, no rows, different numbers of rows, outputs of another shape.
    CheckpointError
        The checkpoint belongs to another run.

    Notes
    -----
    Going on is exact on the same machine, with the same version of torch and number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.torchnets import MMNN, train_adam
    >>> x = np.linspace(-1, 1, 100)
    >>> run = train_adam(MMNN(20, 3, 3), x, x**2, epochs=50, learning_rate=1e-2)
    >>> run.losses.shape, run.ending.name, bool(run.losses[-1] < 0.1 * run.losses[0])
    ((50,), 'STEPS_ENDED', True)
    """
    start = time.perf_counter()
    epochs = check_count("epochs", epochs)
    rate = check_positive("learning_rate", learning_rate)
    factor = _factor(schedule, epochs)
    seed = check_count("random_state", random_state, minimum=0)
    x, wanted = _rows(module, X, y)
    batch = len(x) if batch_size is None else min(len(x), check_count("batch_size", batch_size))
    if compile != "auto" and not isinstance(compile, bool):
        msg = f"compile={compile!r} was given; True, False or 'auto' is wanted."
        raise InvalidSettingError(msg)
    run = AdamRun(module, rate, watch)
    kept = Checkpoint(checkpoint) if isinstance(checkpoint, str | os.PathLike) else checkpoint
    path = None
    if kept is not None:
        told = f"{batch=} {rate=} schedule={_name(schedule)} {epochs=} {seed=}"
        data = "".join(map(digest_of, (x.double().numpy(), wanted.double().numpy())))
        begun = "".join(map(digest_of, run.tensors().values()))
        kept.begin({"data": data, "module": begun, "settings": told})
        path = kept.next_pass(_PASS)
        run.restore(kept.load(path, told))
    home = next(module.parameters()).device
    place = _device(device, home)
    resumed = run.epoch
    copies = max(1, epochs // _COPIES)
    ending = Ending.STEPS_ENDED
    with _on(module, place), torch.random.fork_rng([place] if place.type == "cuda" else []):
        run.follow()
        x, wanted = x.to(place), wanted.to(place)
        n_steps = epochs * math.ceil(len(x) / batch)
        compiled = compile is True or (
            compile == "auto" and place.type == "cuda" and n_steps >= COMPILE_FROM
        )
        loss_of = torch.compile(mean_square) if compiled else mean_square
        before = run.copy()
        try:
            while run.epoch < epochs:
                if run.epoch % copies == 0:
                    before = run.copy()
                torch.manual_seed(seed + run.epoch)
                order = stream(seed, "train_adam", run.epoch).permutation(len(x))
                now = rate * factor(run.epoch)
                loss = run.one_epoch(loss_of, x, wanted, order, batch, now)
                if not math.isfinite(loss):
                    run.put(before)
                    ending = Ending.DIVERGED
                    break
                if watch is not None:
                    watch(module, step=run.epoch)
                spent = time.perf_counter() - start
                left = spent / (run.epoch - resumed) * (epochs - run.epoch)
                record = TrainingRecord(run.epoch, epochs, loss, now, spent, left)
                stop = callback is not None and callback(module, record) is True
                if kept is not None and path is not None and (stop or kept.is_time()):
                    kept.save(path, told, run.state())
                if stop:
                    ending = Ending.STOPPED
                    break
        except KeyboardInterrupt:
            ending = Ending.INTERRUPTED
    if kept is not None and ending is Ending.STEPS_ENDED:
        kept.end()
    return TrainingRun(
        module=module,
        losses=np.array(run.losses),
        ending=ending,
        n_steps=run.epoch * math.ceil(len(x) / batch),
        resumed_from=resumed,
        device=str(place),
        compiled=compiled,
        seconds=time.perf_counter() - start,
    )


def _factor(
    schedule: str | tuple[float, int] | Callable[[int], float], epochs: int
) -> Callable[[int], float]:
    if callable(schedule):
        return schedule
    if isinstance(schedule, tuple):
        factor, every = check_positive("schedule[0]", schedule[0]), schedule[1]
        check_count("schedule[1]", every)
        return lambda epoch: factor ** (epoch // every)
    if check_choice("schedule", schedule, ("cosine", "constant")) == "constant":
        return lambda _: 1.0
    return lambda epoch: (1 + math.cos(math.pi * epoch / epochs)) / 2


def _name(schedule: Any) -> str:
    return getattr(schedule, "__qualname__", repr(schedule))


def _rows(module: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Return inputs and targets as tensors of the module's dtype, on the CPU."""
    parameter = next(iter(module.parameters()), None)
    if parameter is None:
        msg = "The module has no parameters."
        raise InvalidSettingError(msg)
    x, wanted = _numbers("X", X), _numbers("y", y)
    if len(x) != len(wanted) or not len(x):
        msg = f"{len(x)} rows and {len(wanted)} targets were given; one a row, and one row at least"
        raise InvalidDataError(msg + ", are wanted.")
    x, wanted = (torch.as_tensor(a).to(parameter.dtype) for a in (x, wanted))
    with torch.no_grad(), _mode(module, training=False):
        found = tuple(module(x[:1].to(parameter.device)).shape)
    if found != (1, wanted.shape[1]):
        msg = f"The module returns shape {found} for one row; (1, {wanted.shape[1]}) is wanted."
        raise InvalidDataError(msg)
    return x, wanted


def _numbers(name: str, values: Any) -> Array:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    array = np.asarray(values, dtype=np.float64)
    check_finite(name, array)
    if array.ndim not in (1, 2):
        msg = f"{name} of shape {array.shape} was given; one or two axes are wanted."
        raise InvalidDataError(msg)
    return array.reshape(len(array), -1)


def _device(wanted: str, home: Any) -> Any:
    if wanted != "auto":
        return torch.device(wanted)
    return torch.device("cuda", 0) if torch.cuda.is_available() else home


@contextmanager
def _on(module: Any, device: Any) -> Iterator[None]:
    """Have a module on a device, in training, for a while."""
    home = next(module.parameters()).device
    with _mode(module, training=True):
        module.to(device)
        try:
            yield
        finally:
            module.to(home)


@contextmanager
def _mode(module: Any, *, training: bool) -> Iterator[None]:
    before = [(part, part.training) for part in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for part, was in before:
            part.training = was
