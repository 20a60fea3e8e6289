"""Stochastic Levenberg-Marquardt with momentum (SPRING): fresh samples each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from solvenet.structured.linearization import Linearization
from solvenet.structured.marquardt import DampedSystem
from solvenet.structured.result import Ending
from solvenet.structured.samples import Grading

if TYPE_CHECKING:
    from solvenet.structured.network import MMNN
    from solvenet.structured.result import Watch
    from solvenet.structured.samples import Samples

_RETRIES, _RAISED = 6, 10.0
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
    first, last = damping
    grading = Grading(samples, share)
    try:
        for number in range(max_steps):
            current = network
            Z, Y = grading.draw(lambda Z, Y: Y - current.values(Z), rng, batch)  # noqa: B023
            at = Linearization(network, Z)
            r = (Y - at.values).T.ravel()
            mse = float(r @ r) / r.size
            if not mse <= _EXPLODED * (float(np.var(Y)) or 1.0):
                return best, Ending.DIVERGED
            if mse < least:
                best, least = network, mse
            recent.append(mse)
            level = first * (last / first) ** (number / max(1, max_steps - 1))
            if watch("spring", number + 1, mse, level):
                return network, Ending.STOPPED
            if len(recent) >= 5 and np.mean(recent[-5:]) <= tolerance:
                return network, Ending.CONVERGED
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
                changed = [p + d for p, d in zip(network.parameters(), step, strict=True)]
                trial = network.with_parameters(changed)
                left = Y - trial.values(Z)
                if float(np.vdot(left, left)) <= mse * r.size:
                    network = trial
                    break
            else:
                step = [0.0 * d for d in step]
    except KeyboardInterrupt:
        return network, Ending.INTERRUPTED
    return network, Ending.STEPS_ENDED
