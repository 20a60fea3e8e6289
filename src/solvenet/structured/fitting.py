"""One fit of a structured network: its rows, what is tried, what is kept."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvenet._random import stream
from solvenet.errors import FewRowsWarning, InvalidDataError, MemoryLimitError
from solvenet.structured.initial import balanced, solved_last
from solvenet.structured.marquardt import levenberg_marquardt
from solvenet.structured.result import Ending, MMNNResult
from solvenet.structured.samples import Field, Grading, RowSamples, checked_rows
from solvenet.structured.shallow import Shallow, best_shallow, mean_square
from solvenet.structured.spring import spring

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN
    from solvenet.structured.samples import Samples
    from solvenet.structured.watching import Watch

MOST_ROWS = 3000
"""Up to so many rows, times outputs, "auto" uses all of them in each step."""

_KINKED = ("relu", "gelu")
_STEPS = {"lm": 200, "als": 400, "spring": 300}
_HELD_OUT = 10  # one row of so many is kept apart to compare by
_FEWEST_TO_SPLIT = 20
_FIELD_ROWS, _FIELD_TEST = 2000, 5000
_ROUNDS = 4  # of looking for the detail of a field
_ENOUGH_ROWS = 0.1  # rows a parameter below which a warning is due


@dataclass(frozen=True)
class Settings:
    """What the solvers are asked for, checked."""

    max_steps: int | None
    tolerance: float
    damping: tuple[float, float]
    momentum: float
    batch: int | None
    share: float | None
    memory: int
    seed: int


def memory_bytes(network: MMNN, n_rows: int) -> int:
    """Return a bound on what a step on so many rows takes.

    Parameters
    ----------
    network : MMNN
        The network.
    n_rows : int
        Rows of a step.

    Returns
    -------
    int
        Bytes beyond the data: three square matrices of the smaller of rows (times outputs) and
        parameters, and values and gradients of every unit.
    """
    T = network.n_outputs
    rows, P = T * n_rows, network.n_parameters
    square = 3 * rows**2 + n_rows**2 if rows <= P else 3 * P**2 + 3 * max(2**21, P)
    a_layer = 6 * network.width + (4 + 2 * T) * (network.rank + network.n_inputs + T)
    gradients = T * network.width * (2 + (0 if network.fixed else network.depth))
    return 8 * (square + n_rows * (a_layer * network.depth + gradients) + 4 * P)


def suitable_method(network: MMNN, n_targets: int | None) -> tuple[str, str]:
    """Return the method that suits a network and so many targets (None: a field), and why."""
    smooth = network.activation not in _KINKED
    if n_targets is None and not (smooth and network.n_inputs == 1):
        return "spring", "fresh samples of a field each step"
    if n_targets is not None and min(n_targets, network.n_parameters) > MOST_ROWS:
        return "spring", f"{n_targets} targets are too many to use all in each step"
    return "lm", "all rows in each step"


class Fit:
    """One call of :func:`solve_mmnn`."""

    def __init__(
        self,
        network: MMNN,
        X: Array | Field,
        y: Array | None,
        method: str,
        settings: Settings,
        watch: Watch,
    ) -> None:
        self.start, self.settings, self.watch = network, settings, watch
        self.rng = stream(settings.seed, "solve_mmnn")
        self.wanted = method
        self.is_field = isinstance(X, Field)
        self.samples: Samples
        usual = 0.5 if self.is_field else 0.0
        self.share = usual if settings.share is None else settings.share
        if isinstance(X, Field):
            if y is not None:
                msg = "Targets were given with a Field, which computes them. Leave out y."
                raise InvalidDataError(msg)
            self.samples = X.within(network)
            self.Z_test, self.Y_test = self.samples.draw(self.rng, _FIELD_TEST)
            if self.Y_test.shape[1] != network.n_outputs:
                msg = (
                    f"The function has {self.Y_test.shape[1]} outputs and the network "
                    f"{network.n_outputs}."
                )
                raise InvalidDataError(msg)
            self.Z, self.Y = self._field_rows()
        else:
            if y is None:
                msg = "X was given without y. Give targets, or a Field, which computes them."
                raise InvalidDataError(msg)
            self.Z, self.Y = checked_rows(network, X, y)
            self._warn_few(network)
            self.Z_test, self.Y_test = self.Z, self.Y
        self.chosen, self.why = self._choose()
        self.network: MMNN | None = None
        self.correction: Shallow | None = None
        self.ending = Ending.DIRECT
        self.error: float | None = None

    def _warn_few(self, network: MMNN) -> None:
        if self.Y.size < _ENOUGH_ROWS * network.n_parameters:
            msg = (
                f"{self.Y.size} targets for {network.n_parameters} parameters were given: between "
                "the rows the network is hardly determined. Use a smaller width, rank or depth."
            )
            warnings.warn(msg, FewRowsWarning, stacklevel=4)

    def _choose(self) -> tuple[str, str]:
        """Return the method for structured networks, and why."""
        if self.wanted != "auto":
            return self.wanted, "asked for"
        return suitable_method(self.start, None if self.is_field else self.Y.size)

    def prepare(self) -> None:
        """Balance the channels and solve the last layer."""
        rows = self._some_rows(MOST_ROWS)
        X = self._unscaled(self.Z[rows])
        ridge = 1e-6 if self.start.activation in _KINKED else 1e-3
        self.start = solved_last(balanced(self.start, X), X, self.Y[rows], ridge=ridge)

    def _field_rows(self) -> tuple[Array, Array]:
        """Return the rows of methods on fixed rows: more where the detail of a field is."""
        # The residual of the best constant says where.
        middle = np.median(self.Y_test, axis=0)
        grading = Grading(self.samples, self.share)
        for _ in range(_ROUNDS):
            Z, Y = grading.draw(
                lambda _, Y: Y - middle, self.rng, self.settings.batch or _FIELD_ROWS
            )
        return Z, Y

    def _some_rows(self, n: int) -> Array:
        return np.arange(len(self.Z)) if len(self.Z) <= n else self.rng.permutation(len(self.Z))[:n]

    def _unscaled(self, Z: Array) -> Array:
        low, high = self.start.low, self.start.high
        assert low is not None
        assert high is not None
        return (low + high) / 2 + Z * ((high - low) / 2)

    def run(self, *, correct: bool) -> None:
        """Solve by the wanted method, and compare where that is wanted."""
        compared = self.wanted in ("auto", "shallow") or correct
        if compared and not self.is_field:
            self._hold_out()
        if self.wanted in ("auto", "shallow"):
            alone, error = self._shallow(self.Y, self.Y_test, n_parameters=self.start.n_parameters)
            self.correction, self.error = alone, error
            least = self.settings.tolerance**2 * _variance(self.Y_test)
            if self.wanted == "shallow" or error <= least:
                self.chosen, self.why = "shallow", f"{self.why}; {alone.name}, error {error:.1e}"
                return
            self.correction = None
            self._structured()
            if correct:
                self._correct()
            own = self._network_error()
            self.why += f"; mean squared error {own:.1e} against {error:.1e} of "
            self.why += alone.name
            if error <= own:
                self.network, self.correction, self.error = None, alone, error
                self.chosen = "shallow"
                if self.ending not in (Ending.INTERRUPTED, Ending.STOPPED):
                    self.ending = Ending.DIRECT
            else:
                self.error = own
            return
        self._structured()
        if correct:
            self._correct()
            self.error = self._network_error()

    def _hold_out(self) -> None:
        n = len(self.Z)
        if n < _FEWEST_TO_SPLIT:
            return
        order = self.rng.permutation(n)
        test, train = np.sort(order[: n // _HELD_OUT]), np.sort(order[n // _HELD_OUT :])
        self.Z_test, self.Y_test = self.Z[test], self.Y[test]
        self.Z, self.Y = self.Z[train], self.Y[train]

    def _structured(self) -> None:
        s, least = self.settings, self.settings.tolerance**2 * _variance(self.Y)
        steps = s.max_steps or _STEPS[self.chosen]
        if self.chosen == "spring":
            if not self.is_field:
                self.samples = RowSamples(self.Z, self.Y)
            P, T = self.start.n_parameters, self.start.n_outputs
            batch = s.batch or max(1, min(1000, max(100, P)) // T)
            self._fits(batch if self.is_field else min(batch, len(self.Z)))
            self.network, self.ending = spring(
                self.start,
                self.samples,
                batch=batch,
                max_steps=steps,
                tolerance=least,
                damping=s.damping,
                momentum=s.momentum,
                share=self.share,
                rng=self.rng,
                watch=self.watch,
            )
        else:
            self._fits(len(self.Z))
            self.network, self.ending = levenberg_marquardt(
                self.start,
                self.Z,
                self.Y,
                max_steps=steps,
                tolerance=least,
                damping=s.damping[0],
                alternating=self.chosen == "als",
                watch=self.watch,
            )
        self._solve_last_again()

    def _fits(self, n_rows: int) -> None:
        """Refuse steps that take more memory than allowed."""
        wanted = memory_bytes(self.start, n_rows)
        if wanted > self.settings.memory:
            msg = (
                f"A step on {n_rows} rows for {self.start.n_parameters} parameters takes up to "
                f"{wanted / 1e9:.2g} GB, above memory_limit. Use "
                'method="spring" with a smaller batch, or raise the limit.'
            )
            raise MemoryLimitError(msg)

    def _solve_last_again(self) -> None:
        """Solve the last layer once more on many rows, and keep it where that helps."""
        if self.ending in (Ending.INTERRUPTED, Ending.CONVERGED):
            return
        assert self.network is not None
        Z, Y = self.Z, self.Y
        if self.is_field:
            Z, Y = self.samples.draw(self.rng, 4 * max(_FIELD_ROWS, self.network.width))
        elif len(Z) > 20 * MOST_ROWS:
            rows = self._some_rows(20 * MOST_ROWS)
            Z, Y = Z[rows], Y[rows]
        again = solved_last(self.network, self._unscaled(Z), Y, ridge=1e-12)
        if self.is_field:
            Z, Y = self.Z_test, self.Y_test
        if mean_square(Y - again.values(Z)) < mean_square(Y - self.network.values(Z)):
            self.network = again

    def _shallow(self, Y: Array, Y_test: Array, *, n_parameters: int) -> tuple[Shallow, float]:
        return best_shallow(
            self.start,
            self.Z,
            Y,
            self.Z_test,
            Y_test,
            n_parameters=n_parameters,
            seed=self.settings.seed,
        )

    def _correct(self) -> None:
        """Add a shallow network for the residual where it helps on rows held out."""
        if self.ending is Ending.INTERRUPTED:
            return
        assert self.network is not None
        residual, left = (
            Y - self.network.values(Z) for Z, Y in ((self.Z, self.Y), (self.Z_test, self.Y_test))
        )
        try:
            found, error = self._shallow(residual, left, n_parameters=10**9)
        except KeyboardInterrupt:
            self.ending = Ending.INTERRUPTED
            return
        if error < mean_square(left):
            self.correction = found

    def _network_error(self) -> float:
        return mean_square(self.Y_test - self._values(self.Z_test))

    def _values(self, Z: Array) -> Array:
        values = 0.0 if self.network is None else self.network.values(Z)
        return np.asarray(
            values + (0.0 if self.correction is None else self.correction.on_scaled(Z))
        )

    def result(self, seconds: float) -> MMNNResult:
        """Return what was found."""
        Z, Y = (self.Z_test, self.Y_test) if self.is_field else (self.Z, self.Y)
        parts = [part for part in (self.network, self.correction) if part is not None]
        return MMNNResult(
            network=self.network,
            correction=self.correction,
            method=self.chosen,
            reason=self.why,
            ending=self.ending,
            mse=mean_square(Y - self._values(Z)),
            held_out=self.error,
            history=tuple(self.watch.history),
            n_parameters=sum(part.n_parameters for part in parts),
            seconds=seconds,
        )


def _variance(Y: Array) -> float:
    return float(np.mean((Y - Y.mean(axis=0)) ** 2))
