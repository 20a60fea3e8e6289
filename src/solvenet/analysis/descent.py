"""Training step by step: gradient descent, Adam, and the flow by an integrator of SciPy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.integrate

from solvenet._validation import check_choice, check_count, check_nonnegative, check_positive
from solvenet.analysis.problems import Problem, Workspace, checked_parameters
from solvenet.errors import SolvenetWarning

if TYPE_CHECKING:
    from solvenet._array_api import Array

_ADAM_STEP = 1e-3
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_EXPLODED = 1e6  # times the loss at the start
_INTEGRATORS = ("BDF", "DOP853", "LSODA", "RK23", "RK45", "Radau")


class Ending(Enum):
    """Why a run of training ended; the value says what that means."""

    FINISHED = "all steps, or the whole time, were run"
    STOPPED = "the callback returned True"
    INTERRUPTED = "interrupted from the keyboard; what was reached is returned"
    DIVERGED = "the loss exploded; use a smaller step"
    FAILED = "the integrator could not go on; use another method, or looser tolerances"


class TrainingRecord(NamedTuple):
    """What is recorded, and what a callback gets.

    Attributes
    ----------
    step : int
        Steps made.
    time : float
        Time reached: the sum of the step sizes.
    loss : float
        ``1/2 ||h - f||**2``.
    projections : array of shape (n_probes,)
        Inner products of the residual f - h with the probes.
    """

    step: int
    time: float
    loss: float
    projections: Array


Callback = Callable[[TrainingRecord], bool | None]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run of training: its records, and where it arrived.

    Attributes
    ----------
    steps, times, losses : array of shape (n_records,)
        Of the records, the first at the start.
    projections : array of shape (n_records, n_probes)
        Inner products of the residual with the probes.
    a, b : array of shape (n,)
        Weights and biases at the end, in the order in which they were given.
    ending : Ending
        Why it ended.
    """

    steps: Array
    times: Array
    losses: Array
    projections: Array
    a: Array
    b: Array
    ending: Ending

    def half_times(self) -> Array:
        """Return when each projection had first halved, interpolated; infinite if it did not.

        Returns
        -------
        array of shape (n_probes,)
            Times.
        """
        return self._crossings(self.times)

    def half_steps(self) -> Array:
        """Return after how many steps each projection had first halved, interpolated.

        Returns
        -------
        array of shape (n_probes,)
            Numbers of steps, infinite where it did not halve.
        """
        return self._crossings(self.steps.astype(float))

    def _crossings(self, clock: Array) -> Array:
        size = np.abs(self.projections)
        half = size[0] / 2
        out = np.full(size.shape[1], np.inf)
        below = size <= half
        for j in np.flatnonzero(below.any(0) & (half > 0)):
            i = int(np.argmax(below[:, j]))
            share = (size[i - 1, j] - half[j]) / (size[i - 1, j] - size[i, j])
            out[j] = clock[i - 1] + share * (clock[i] - clock[i - 1])
        return out


class _Run:
    """The state of a run: parameters in one vector, records, and the reason to end."""

    def __init__(
        self, problem: Problem, a: Array, b: Array, train_biases: bool, callback: Callback | None
    ) -> None:
        a, b = checked_parameters(a, b)
        self.n, self.fixed_b = len(a), b
        self.theta = np.concatenate([a, b]) if train_biases else a
        self.slopes = np.empty_like(self.theta)
        self.train_biases, self.callback = train_biases, callback
        self.workspace: Workspace = problem.workspace(b, train_biases=train_biases)
        self.records: list[TrainingRecord] = []
        self.ending = Ending.FINISHED

    @property
    def a(self) -> Array:
        return self.theta[: self.n]

    @property
    def b(self) -> Array:
        return self.theta[self.n :] if self.train_biases else self.fixed_b

    def gradient(self) -> Array:
        """Return the gradient at theta, in a buffer."""
        grad_b = self.slopes[self.n :] if self.train_biases else None
        self.workspace.gradient(self.a, self.b, self.slopes[: self.n], grad_b)
        return self.slopes

    def record(self, step: int, time: float) -> bool:
        """Measure, tell the callback, and return whether to go on."""
        loss, projections = self.workspace.measure(self.a, self.b)
        record = TrainingRecord(step, time, loss, projections)
        self.records.append(record)
        if not loss <= _EXPLODED * self.records[0].loss:
            self.ending = Ending.DIVERGED
            msg = f"Training diverged by step {step} (loss {loss:.3g}): {Ending.DIVERGED.value}."
            warnings.warn(msg, SolvenetWarning, stacklevel=4)
        elif self.callback is not None and self.callback(record):
            self.ending = Ending.STOPPED
        return self.ending is Ending.FINISHED

    def trajectory(self) -> Trajectory:
        steps, times, losses, projections = zip(*self.records, strict=True)
        return Trajectory(
            steps=np.array(steps),
            times=np.array(times),
            losses=np.array(losses),
            projections=np.array(projections),
            a=self.a.copy(),
            b=self.b.copy(),
            ending=self.ending,
        )


def descend(
    problem: Problem,
    a: Array,
    b: Array,
    *,
    n_steps: int,
    optimizer: str = "gradient",
    step: float | None = None,
    train_biases: bool = True,
    n_records: int = 400,
    callback: Callback | None = None,
) -> Trajectory:
    """Train weights, and biases if they are not fixed, by full-batch steps.

    Parameters
    ----------
    problem : Problem
        :class:`ReLUProblem`, or :class:`QuadratureProblem` for other activations.
    a, b : array of shape (n,)
        Weights and biases at the start.
    n_steps : int
        Steps at most.
    optimizer : {"gradient", "adam"}, default="gradient"
        Gradient descent: explicit steps of the gradient flow, whose time is the sum of the
        steps. Adam with its usual constants (0.9, 0.999, 1e-8).
    step : float, optional
        Learning rate. By default 1e-3 for Adam; for gradient descent the reciprocal of the
        trace of the tangent kernel, lowered where weights grow: half of what is stable for
        sure, and close to the reciprocal of the largest rate, as that dominates the trace.
    train_biases : bool, default=True
        Whether biases move too.
    n_records : int, default=400
        Records at most, at the start and at steps in geometric progression.
    callback : callable, optional
        Gets each :class:`TrainingRecord`; returning True ends the run.

    Returns
    -------
    Trajectory
        Also after an interrupt from the keyboard: with what was reached.

    Raises
    ------
    InvalidDataError
        Weights or biases that are not finite or of different lengths.
    InvalidSettingError
        An unknown optimizer, a step that is not positive, fewer than one step or two records.

    Warns
    -----
    SolvenetWarning
        The loss exploded.

    Notes
    -----
    With 1000 ReLU units and trained biases 100,000 steps take about ten seconds on one core.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.analysis import ReLUProblem, descend, uniform_biases
    >>> problem = ReLUProblem(lambda x: np.cos(2 * np.pi * x))
    >>> b = uniform_biases(100)
    >>> fixed = descend(problem, np.zeros(100), b, n_steps=3000, train_biases=False)
    >>> trained = descend(problem, np.zeros(100), b, n_steps=3000)
    >>> bool(trained.half_steps()[0] < fixed.half_steps()[0])
    True
    """
    check_choice("optimizer", optimizer, ("gradient", "adam"))
    n_steps = check_count("n_steps", n_steps)
    n_records = check_count("n_records", n_records, minimum=2)
    step = None if step is None else check_positive("step", step)
    run = _Run(problem, a, b, train_biases, callback)
    times = (
        _gradient_steps(run, step)
        if optimizer == "gradient"
        else _adam_steps(run, _ADAM_STEP if step is None else step)
    )
    due = np.unique(np.round(np.geomspace(1, n_steps, n_records - 1)).astype(int))
    due[-1] = n_steps
    try:
        # Where a run explodes, the next record says so; NaN until then is no news.
        with np.errstate(over="ignore", invalid="ignore"):
            going, done = run.record(0, 0.0), 0
            for target in due.tolist():
                if not going:
                    break
                while done < target:
                    time = next(times)
                    done += 1
                going = run.record(done, time)
    except KeyboardInterrupt:
        run.ending = Ending.INTERRUPTED
    return run.trajectory()


def integrate_flow(
    problem: Problem,
    a: Array,
    b: Array,
    *,
    duration: float,
    method: str = "RK45",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    train_biases: bool = True,
    n_records: int = 400,
    callback: Callback | None = None,
) -> Trajectory:
    """Integrate the gradient flow by a method of SciPy, with control of its error.

    Parameters
    ----------
    problem : Problem
        :class:`ReLUProblem`, or :class:`QuadratureProblem` for other activations.
    a, b : array of shape (n,)
        Weights and biases at the start.
    duration : float
        Time at which to end.
    method : str, default="RK45"
        RK23, RK45, DOP853, LSODA, Radau or BDF, as in ``scipy.integrate.solve_ivp``.
        The flow is stiff: explicit methods make about ``duration`` times the largest rate
        steps; implicit ones fewer, each with matrices of the order of the parameters.
    rtol, atol : float, default=1e-6, 1e-9
        Tolerances of a step.
    train_biases : bool, default=True
        Whether biases move too.
    n_records : int, default=400
        Records at most, at the start and at times in geometric progression.
    callback : callable, optional
        Gets each :class:`TrainingRecord`; returning True ends the run.

    Returns
    -------
    Trajectory
        Its steps are those of the integrator, which interpolates at the times of the records.

    Raises
    ------
    InvalidDataError
        Weights or biases that are not finite or of different lengths.
    InvalidSettingError
        An unknown method; a duration that is not positive; negative tolerances; fewer than
        two records.
    """
    check_choice("method", method, _INTEGRATORS)
    n_records = check_count("n_records", n_records, minimum=2)
    duration = check_positive("duration", duration)
    rtol, atol = check_nonnegative("rtol", rtol), check_nonnegative("atol", atol)
    run = _Run(problem, a, b, train_biases, callback)

    def slope(_: float, theta: Array) -> Array:
        run.theta = theta
        return -run.gradient()

    first = min(0.1 * _stable_step(run), duration / 10)
    due = np.geomspace(first, duration, n_records - 1)
    due[-1] = duration
    start = run.theta
    solver = getattr(scipy.integrate, method)(
        slope, 0.0, start.copy(), duration, rtol=rtol, atol=atol
    )
    reached, steps = start, 0
    try:
        run.theta = start
        run.record(0, 0.0)
        while run.ending is Ending.FINISHED and solver.status == "running":
            solver.step()
            steps += 1
            reached = solver.y
            if solver.status == "failed":
                run.ending = Ending.FAILED
                break
            between = solver.dense_output()
            for time in due[(due > solver.t_old) & (due <= solver.t)]:
                reached = run.theta = between(time)
                if not run.record(steps, float(time)):
                    break
    except KeyboardInterrupt:
        run.ending = Ending.INTERRUPTED
    run.theta = reached
    return run.trajectory()


def _gradient_steps(run: _Run, step: float | None) -> Iterator[float]:
    """Make a step each time, and yield the time reached."""
    largest = size = _stable_step(run) if step is None else step
    time = 0.0
    while True:
        if step is None:
            # Not above the first: a unit about to leave the interval has hardly any curvature,
            # and a large step would throw it out.
            size = min(largest, _stable_step(run))
        slopes = run.gradient()
        np.multiply(slopes, size, out=slopes)
        np.subtract(run.theta, slopes, out=run.theta)
        time += size
        yield time


def _stable_step(run: _Run) -> float:
    """Return half of a stable step; 1 if every unit is zero on (-1, 1), as nothing moves then."""
    return 1.0 / (run.workspace.curvature(run.a, run.b) or 1.0)


def _adam_steps(run: _Run, step: float) -> Iterator[float]:
    """Make a step each time, and yield the time reached."""
    mean, square = np.zeros_like(run.theta), np.zeros_like(run.theta)
    move, i = np.empty_like(run.theta), 0
    while True:
        i += 1
        slopes = run.gradient()
        np.multiply(mean, _BETA1, out=mean)
        np.multiply(slopes, 1 - _BETA1, out=move)
        np.add(mean, move, out=mean)
        np.multiply(square, _BETA2, out=square)
        np.multiply(slopes, slopes, out=move)
        np.multiply(move, 1 - _BETA2, out=move)
        np.add(square, move, out=square)
        np.sqrt(square, out=move)
        np.multiply(move, 1 / np.sqrt(1 - _BETA2**i), out=move)
        np.add(move, _EPSILON, out=move)
        np.divide(mean, move, out=move)
        np.multiply(move, step / (1 - _BETA1**i), out=move)
        np.subtract(run.theta, move, out=run.theta)
        yield i * step
