"""Levenberg-Marquardt steps whose Jacobian is never formed, and alternating ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from solvenet.structured.linearization import Linearization
from solvenet.structured.result import Ending
from solvenet.structured.watching import packed, unpacked

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN
    from solvenet.structured.watching import State, Watch

_LEAST, _MOST = 1e-16, 1e8  # dampings, in units of the mean squared row of the Jacobian
_PATIENCE, _LITTLE = 12, 1e-3  # accepted steps that together gain less than this end a run
_RETRIES = 40


class DampedSystem:
    """``min |r - J d|^2 + damping |d|_M^2`` in the smaller of its two forms.

    Parameters
    ----------
    at : Linearization
        Where.
    active : sequence of int, optional
        Parameter arrays that may change; all by default.

    Notes
    -----
    The metric M makes every parameter array count alike: it divides by the mean squared row of
    the array's part of the Jacobian. Without it a solved last layer, whose weights are large,
    lets the layers before it take all of the step.

    With at most as many rows as parameters ``d = W J' u, (J W J' + damping I) u = r``, W the
    inverse of M; else the normal equations, summed up over blocks of rows.
    """

    def __init__(self, at: Linearization, *, active: Sequence[int] | None = None) -> None:
        squares = at.squares()
        active = range(len(squares)) if active is None else active
        alive = [i for i in active if squares[i] > 0]
        self._weights = [1 / squares[i] if i in alive else 0.0 for i in range(len(squares))]
        self._shapes = [(right.shape[1], left.shape[2]) for left, right in at.factors()]
        self._at = at
        n_columns = sum(math.prod(self._shapes[i]) for i in alive)
        self.dual = at.n_rows <= n_columns
        self._K = at.gram(self._weights) if self.dual else at.normal(self._weights)
        self.unit = float(np.trace(self._K)) / at.n_rows
        """Mean squared length of a row of the Jacobian, in the metric."""

    def solve(self, r: Array, damping: float) -> tuple[list[Array], float] | None:
        """Return the step, and by how much ``|r|^2`` falls to first order; None if singular."""
        ridge = damping * self.unit
        work = self._K.copy()
        work.flat[:: len(work) + 1] += ridge
        try:
            # Symmetric, so its transpose is the column-major matrix that LAPACK wants.
            factor = scipy.linalg.cho_factor(work.T, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            return None
        if self.dual:
            u = scipy.linalg.cho_solve(factor, r, check_finite=False)
            left = ridge * u
            return self._at.transposed(u, self._weights), float((r + left) @ (r - left))
        roots = [math.sqrt(weight) for weight in self._weights]
        parts = zip(self._at.transposed(r, roots), roots, strict=True)
        rhs = np.concatenate([part.ravel() for part, root in parts if root > 0])
        d = scipy.linalg.cho_solve(factor, rhs, check_finite=False)
        return self._as_arrays(d), float(d @ rhs) + ridge * float(d @ d)

    def _as_arrays(self, d: Array) -> list[Array]:
        out, start = [], 0
        for weight, shape in zip(self._weights, self._shapes, strict=True):
            size = math.prod(shape) if weight > 0 else 0
            part = math.sqrt(weight) * d[start : start + size]
            out.append(part.reshape(shape) if size else np.zeros(shape))
            start += size
        return out


def levenberg_marquardt(
    network: MMNN,
    Z: Array,
    Y: Array,
    *,
    max_steps: int,
    tolerance: float,
    damping: float,
    alternating: bool,
    watch: Watch,
) -> tuple[MMNN, Ending]:
    """Lower the squared error on fixed rows.

    Parameters
    ----------
    network : MMNN
        Start.
    Z : array of shape (n_rows, n_inputs)
        Scaled inputs.
    Y : array of shape (n_rows, n_outputs)
        Targets.
    max_steps : int
        Accepted steps.
    tolerance : float
        Mean squared error at which to end.
    damping : float
        First damping, in units of the mean squared row of the Jacobian.
    alternating : bool
        Change one layer at a time, from last to first and again; each has a damping of its own.
    watch : Watch
        Told of every step.

    Returns
    -------
    network : MMNN
        The best.
    ending : Ending
        Why it ended.

    Notes
    -----
    The damping follows the gain ratio, actual over predicted (H. B. Nielsen 1999): after a good
    step it falls by up to 3, after a refused one it grows by 2, 4, 8, ...
    """
    groups = _groups(network) if alternating else [None]
    dampings = [damping] * len(groups)
    gains: list[float] = []
    refused = number = 0
    state = watch.restored("als" if alternating else "lm")
    if state is not None:
        network = network.with_parameters(unpacked("parameters", state))
        dampings, gains = state["dampings"].tolist(), state["gains"].tolist()
        refused, number = state["refused"], state["number"]
    at = Linearization(network, Z)
    r = (Y - at.values).T.ravel()
    loss = float(r @ r)
    patience = _PATIENCE * len(groups)
    try:
        while number < max_steps and loss > tolerance * r.size:
            if len(gains) >= patience and np.prod(gains[-patience:]) > 1 - _LITTLE:
                return network, Ending.STAGNATED
            which = number % len(groups)
            number += 1
            found = _one_step(network, at, r, Z, Y, groups[which], dampings[which])
            if found is None:
                refused += 1
                if refused == len(groups):
                    return network, Ending.STAGNATED
                continue
            refused = 0
            network, at, dampings[which] = found
            r = (Y - at.values).T.ravel()
            before, loss = loss, float(r @ r)
            gains.append(loss / before)
            stop = watch(number, loss / r.size, dampings[which])
            watch.keep(partial(_state, network, dampings, gains, refused, number))
            if stop:
                return network, Ending.STOPPED
    except KeyboardInterrupt:
        return network, Ending.INTERRUPTED
    return network, Ending.CONVERGED if loss <= tolerance * r.size else Ending.STEPS_ENDED


def _state(
    network: MMNN, dampings: list[float], gains: list[float], refused: int, number: int
) -> State:
    """Return all that the next step depends on."""
    numbers = {"dampings": np.array(dampings), "gains": np.array(gains)}
    at = {"refused": refused, "number": number}
    return packed("parameters", network.parameters()) | numbers | at


def _one_step(
    network: MMNN,
    at: Linearization,
    r: Array,
    Z: Array,
    Y: Array,
    active: list[int] | None,
    damping: float,
) -> tuple[MMNN, Linearization, float] | None:
    """Return the next network, its linearization and damping; None where no step helps."""
    system = DampedSystem(at, active=active)
    loss, growth = float(r @ r), 2.0
    for _ in range(_RETRIES):
        found = system.solve(r, damping)
        if found is not None:
            step, predicted = found
            old = network.parameters()
            trial = network.with_parameters([p + d for p, d in zip(old, step, strict=True)])
            there = Linearization(trial, Z)
            difference = (Y - there.values).ravel()
            actual = loss - float(difference @ difference)
            if actual > 0 and predicted > 0:
                ratio = actual / predicted
                damping *= max(1 / 3, 1 - (2 * ratio - 1) ** 3)
                return trial, there, max(damping, _LEAST)
        damping *= growth
        growth *= 2
        if damping > _MOST:
            return None
    return None


def _groups(network: MMNN) -> list[list[int]]:
    """Return the parameter arrays of each layer, last layer first."""
    each = 1 if network.fixed else 2
    layers = [list(range(each * i, each * (i + 1))) for i in range(network.depth)]
    return layers[::-1]
