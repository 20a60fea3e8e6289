"""Stochastic Levenberg-Marquardt with momentum (SPRING): fresh samples each step."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from solvenet.structured.linearization import Linearization
from solvenet.structured.marquardt import DampedSystem
from solvenet.structured.result import Ending
from solvenet.structured.samples import Grading
from solvenet.structured.watching import packed, unpacked

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN
    from solvenet.structured.samples import Samples
    from solvenet.structured.watching import State, Watch

_RETRIES, _RAISED = 6, 10.0
_AVERAGED = 5  # steps over which fresh samples are averaged
_EXPLODED = 1e4  # times the error of the targets' mean


def spring(
    network: MMNN,
    samples: Samples,
    *,
    batch: int,
    max_steps: int,
    tolerance: float,
    damping: tuple[float, float],
    momentum: float,
    share: float,
    rng: np.random.Generator,
    watch: Watch,
) -> tuple[MMNN, Ending]:
    """Lower the error on samples that are new in each step.

    Parameters
    ----------
    network : MMNN
        Start.
    samples : Samples
        Drawn from.
    batch : int
        Samples a step.
    max_steps : int
        Steps.
    tolerance : float
        Mean squared error on fresh samples, averaged over some steps, at which to end.
    damping : (float, float)
        First and last, falling geometrically, in units of the mean squared row of the Jacobian.
    momentum : float
        Share of the last step that a step starts from.
    share : float
        Of samples drawn where the residual is large.
    rng : numpy.random.Generator
        Random numbers.
    watch : Watch
        Told of every step.

    Returns
    -------
    network : MMNN
        The last; the best of the steps if it diverged.
    ending : Ending
        Why it ended.

    Notes
    -----
    ``d_k = m d_{k-1} + J' (J J' + damping)^-1 (r - m J d_{k-1})``.

    References
    ----------
    G. Goldshlager, N. Abrahamsen, L. Lin (2024), A Kaczmarz-inspired approach to accelerate the
    optimization of neural network wavefunctions, J. Comput. Phys. 516, 113351.
    """
    step = [np.zeros_like(p) for p in network.parameters()]
    best, least = network, math.inf
    recent: list[float] = []
    number = 0
    grading = Grading(samples, share)
    state = watch.restored("spring")
    if state is not None:
        network, best = (
            network.with_parameters(unpacked(name, state)) for name in ("parameters", "best")
        )
        step, recent = unpacked("step", state), state["recent"].tolist()
        least, number = state["least"], state["number"]
        rng.bit_generator.state = json.loads(state["rng"])
        grading.restore(state)
    first, last = damping
    try:
        while number < max_steps:
            Z, Y = grading.draw(partial(_residual, network), rng, batch)
            at = Linearization(network, Z)
            r = (Y - at.values).T.ravel()
            mse = float(r @ r) / r.size
            if not mse <= _EXPLODED * (float(np.var(Y)) or 1.0):
                return best, Ending.DIVERGED
            if mse < least:
                best, least = network, mse
            recent = [*recent[1 - _AVERAGED :], mse]
            level = first * (last / first) ** (number / max(1, max_steps - 1))
            number += 1
            stop = watch(number, mse, level)
            if len(recent) == _AVERAGED and np.mean(recent) <= tolerance:
                return network, Ending.CONVERGED
            network, step = _one_step(network, at, Z, Y, r, step, momentum, level)
            watch.keep(partial(_state, network, best, step, recent, least, number, rng, grading))
            if stop:
                return network, Ending.STOPPED
    except KeyboardInterrupt:
        return network, Ending.INTERRUPTED
    return network, Ending.STEPS_ENDED


def _one_step(
    network: MMNN,
    at: Linearization,
    Z: Array,
    Y: Array,
    r: Array,
    step: list[Array],
    momentum: float,
    level: float,
) -> tuple[MMNN, list[Array]]:
    """Return the next network and the step to it; without momentum where that does not help."""
    system = DampedSystem(at)
    pushed = [momentum * d for d in step]
    for attempt in range(_RETRIES):
        ahead = at.times(pushed) if attempt == 0 else 0.0
        found = system.solve(r - ahead, level)
        level *= _RAISED
        if found is None:
            continue
        new = found[0]
        step = [d + e for d, e in zip(pushed, new, strict=True)] if attempt == 0 else new
        trial = network.with_parameters(
            [p + d for p, d in zip(network.parameters(), step, strict=True)]
        )
        left = _residual(trial, Z, Y)
        if float(np.vdot(left, left)) <= float(r @ r):
            return trial, step
    return network, [0.0 * d for d in step]


def _residual(network: MMNN, Z: Array, Y: Array) -> Array:
    return Y - network.values(Z)


def _state(
    network: MMNN,
    best: MMNN,
    step: list[Array],
    recent: list[float],
    least: float,
    number: int,
    rng: np.random.Generator,
    grading: Grading,
) -> State:
    """Return all that the next step depends on."""
    return (
        packed("parameters", network.parameters())
        | packed("best", best.parameters())
        | packed("step", step)
        | {"recent": np.array(recent), "least": least, "number": number}
        | {"rng": json.dumps(rng.bit_generator.state)}
        | grading.state()
    )
