"""Learning dynamics: how long each frequency takes.

f(x) = cos(m pi x) on (-1, 1), n ReLUs with biases that begin uniform, and the loss
1/2 ||h - f||**2: the time until the projection of the residual on f has halved; x is m. Weights
begin at A (1, -1, -1, 1, ...), a network that nearly vanishes; biases are fixed or trained. With
fixed biases times are in closed form, otherwise steps are made: of gradient descent, at the
reciprocal of the trace of the tangent kernel, or of Adam at a learning rate of 1e-3.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from common.records import Row

from solvenet.analysis import (
    LinearFlow,
    QuadratureProblem,
    ReLUProblem,
    Trajectory,
    balanced_weights,
    cosine_probes,
    descend,
    fit_power_law,
    gauss_rule,
    gradient_flow,
    half_time_bound,
    half_time_law,
    lazy_limit,
    uniform_biases,
)

FROM = 4  # the frequency from which slopes are fitted


def cosines(x: np.ndarray, frequencies: Sequence[float]) -> np.ndarray:
    return np.stack([cosine(x) for cosine in cosine_probes(frequencies)], axis=1)


def flow_of_relus(n: int, frequencies: Sequence[int]) -> LinearFlow:
    b = uniform_biases(n)
    x, weights = gauss_rule(b, 4)
    units = np.maximum(x[:, None] - b, 0.0)
    return gradient_flow(units, cosines(x, frequencies), weights=weights)


def slope(item: str, frequencies: Sequence[int], values: Iterable[float], end=np.inf) -> Row:
    """Return the exponent fitted to frequencies from 4 on, up to `end`."""
    m, t = np.array(frequencies, dtype=float), np.array(list(values))
    used = m <= end
    return Row(item, 0, 0, "slope", fit_power_law(m[used], t[used], start=FROM).slope)


def dynamics_linear(*, widths: Sequence[int], frequencies: Sequence[int]) -> Iterator[Row]:
    """Fixed biases: times, steps of the largest size without oscillation, and the law."""
    for n in widths:
        flow = flow_of_relus(n, frequencies)
        times, item = flow.half_times(), f"fixed biases, n = {n}"
        for m, t in zip(frequencies, times, strict=True):
            yield Row(item, m, 0, "half-time", t)
            yield Row(item, m, 0, "steps", flow.steps(t))
            yield Row(item, m, 0, "half-time / law", t / half_time_law(m, n))
            yield Row(item, m, 0, "half-time / bound", t / half_time_bound(m, n))
        yield slope(item, frequencies, times)


def halving(n: int, m: int, amplitude: float, **setting) -> Trajectory:
    """Train until the projection has halved."""
    (target,) = cosine_probes([m])
    return descend(
        ReLUProblem(target),
        balanced_weights(n, amplitude),
        uniform_biases(n),
        callback=lambda record: record.step > 0 and record.projections[0] < 0.45,
        n_records=1000,
        **setting,
    )


def dynamics_trained(
    *, n: int, amplitudes: Sequence[float], frequencies: Sequence[int], n_steps: int
) -> Iterator[Row]:
    """Trained biases: times beside the lazy law; infinite where that many steps do not halve."""
    for amplitude in amplitudes:
        item, times = f"trained biases, A = {amplitude:g}", []
        for m in frequencies:
            run = halving(n, m, amplitude, n_steps=n_steps)
            t = run.half_times()[0]
            times.append(t)
            yield Row(item, m, 0, "half-time", t)
            yield Row(item, m, 0, "steps", run.half_steps()[0])
            yield Row(item, m, 0, "half-time / law", t / half_time_law(m, n, amplitude=amplitude))
            bound = half_time_bound(m, n, amplitude=amplitude)
            yield Row(item, m, 0, "half-time / bound", t / bound)
        end = lazy_limit(n, amplitude)[0] if amplitude else np.inf
        if (
            sum(
                np.isfinite(times)
                & np.less_equal(frequencies, end)
                & (np.array(frequencies) >= FROM)
            )
            > 1
        ):
            yield slope(item, frequencies, times, end)


def dynamics_adam(*, n: int, cases: Sequence[tuple[str, float, Sequence[int]]], n_steps: int):
    """Adam: steps to halve, with biases fixed (weights from zero) and trained."""
    for biases, amplitude, frequencies in cases:
        item, steps = f"Adam, {biases} biases, A = {amplitude:g}", []
        for m in frequencies:
            train = biases == "trained"
            run = halving(n, m, amplitude, n_steps=n_steps, optimizer="adam", train_biases=train)
            steps.append(run.half_steps()[0])
            yield Row(item, m, 0, "steps", steps[-1])
        # With trained biases the barrier begins at the last frequency, which the law leaves out.
        end = lazy_limit(n, amplitude)[1] if amplitude else np.inf
        yield slope(item, frequencies, steps, end)


def dynamics_units(*, n: int, units: Sequence[tuple[str, float]], frequencies: Sequence[int]):
    """Fixed biases and other activations, in closed form: smoother ones are slower."""
    b = uniform_biases(n)
    for unit, scale in units:
        problem = QuadratureProblem(np.cos, activation=unit, scale=scale, n_points=16 * n)
        features = problem.features(problem.points, b)
        target = cosines(problem.points, frequencies)
        flow = gradient_flow(features, target, weights=problem.weights)
        item = unit if scale == 1 else f"{unit}, scale {scale:g}"
        for m, steps in zip(frequencies, flow.steps(flow.half_times()), strict=True):
            yield Row(item, m, 0, "steps", steps)
        yield slope(item, frequencies, flow.half_times())


def dynamics_modes(
    *, n: int, frequencies: Sequence[int], amplitude: float, n_steps: int
) -> Iterator[Row]:
    """A sum of cosines: x is the time, and the quantity what is left of a frequency."""
    probes = cosine_probes(frequencies)
    problem = ReLUProblem(lambda x: sum(probe(x) for probe in probes), probes=probes)
    b = uniform_biases(n)
    for item, a, train in (
        ("fixed biases", np.zeros(n), False),
        (f"trained biases, A = {amplitude:g}", balanced_weights(n, amplitude), True),
    ):
        run = descend(problem, a, b, n_steps=n_steps, train_biases=train, n_records=80)
        for t, left in zip(run.times, run.projections, strict=True):
            for m, value in zip(frequencies, left, strict=True):
                yield Row(item, t, 0, f"m = {m}", value)


def dynamics_speed(*, n: int, n_steps: int) -> Iterator[Row]:
    """Seconds of training weights and biases, on one core."""
    (target,) = cosine_probes([4])
    for optimizer in ("gradient", "adam"):
        start = time.perf_counter()
        run = descend(
            ReLUProblem(target),
            balanced_weights(n, 1.0),
            uniform_biases(n),
            n_steps=n_steps,
            optimizer=optimizer,
        )
        yield Row(optimizer, n, 0, "seconds", time.perf_counter() - start)
        yield Row(optimizer, n, 0, "loss", run.losses[-1])


MANY = (1, 2, 4, 8, 16, 32)
PARTS = {
    "dynamics_linear": (
        dynamics_linear,
        {"widths": (100, 400, 1000), "frequencies": MANY},
        {"widths": (400,), "frequencies": (4, 8)},
    ),
    "dynamics_trained": (
        dynamics_trained,
        {
            "n": 400,
            "amplitudes": (0, 1, 3, 10),
            "frequencies": (2, 3, 4, 6, 8, 12, 16, 24),
            "n_steps": 300_000,
        },
        {"n": 400, "amplitudes": (0, 10), "frequencies": (2, 3, 4, 8, 16), "n_steps": 6000},
    ),
    "dynamics_adam": (
        dynamics_adam,
        {
            "n": 400,
            "cases": (
                ("fixed", 0, (1, 2, 4, 6, 8, 12, 16)),
                ("trained", 1, (1, 2, 4, 6, 8, 12)),
            ),
            "n_steps": 100_000,
        },
        {"n": 100, "cases": (("fixed", 0, (4, 6)), ("trained", 3, (4, 6))), "n_steps": 4000},
    ),
    "dynamics_units": (
        dynamics_units,
        {
            "n": 200,
            "units": (
                *(("relu", 1), ("relu^2", 1), ("relu^3", 1)),
                *(("tanh", 1), ("tanh", 5), ("tanh", 20), ("gelu", 5), ("gaussian", 10)),
            ),
            "frequencies": (1, 2, 4, 6, 8, 12, 16),
        },
        {"n": 40, "units": (("relu^2", 1), ("relu^3", 1)), "frequencies": (1, 4, 6)},
    ),
    "dynamics_modes": (
        dynamics_modes,
        {"n": 400, "frequencies": (1, 2, 4, 8), "amplitude": 3, "n_steps": 200_000},
        {"n": 50, "frequencies": (1, 2), "amplitude": 3, "n_steps": 500},
    ),
    "dynamics_speed": (
        dynamics_speed,
        {"n": 1000, "n_steps": 100_000},
        {"n": 1000, "n_steps": 500},
    ),
}
