"""What a network represents: eigenvalues, modes, and how many of them a precision captures.

Eigenvalues are squares of singular values of quadrature-weighted design matrices, or exact;
nothing here rests on eigenvalues of a Gram matrix, which end at 1e-16 of the largest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from common.records import Row
from table1 import BIASES, SINGLE, STEEPNESS, f, load, network, network_error

from solvenet.analysis import (
    Spectrum,
    adaptive_biases,
    ball_spectrum,
    captured_modes,
    project,
    random_biases,
    relu_gram,
    relu_modes,
    relu_spectrum,
    uniform_biases,
    unit_modes,
    unit_spectrum,
)

THRESHOLDS = tuple(10.0**-digits for digits in range(3, 11))
WAVES = (1, 3, 9)

SPLINES = np.sqrt(np.pi / 4 * STEEPNESS**3 / 1440)
"""Root mean square error of the best linear splines over the square of their step, as it falls:
``|f''| / 1440**(1/2)``, and the integral of ``f''**2`` is ``pi c**3 / 4`` nearly."""


def wave(x: np.ndarray) -> np.ndarray:
    return np.cos(6 * np.pi * x) - np.sin(2 * np.pi * x)


def eigenvalues(*, width: int, degree: int) -> Iterator[Row]:
    """Relative eigenvalues (x is their number) of the kernel, of given biases and on balls."""
    spectra = {
        "d = 1, exact": relu_spectrum(width),
        "d = 1, uniform biases": unit_spectrum(uniform_biases(width)),
        "d = 1, random biases": unit_spectrum(random_biases(width)),
        "d = 1, adaptive biases": unit_spectrum(adaptive_biases(width, f)),
    } | {f"d = {d}": ball_spectrum(d, degree=degree) for d in (2, 3)}
    for item, spectrum in spectra.items():
        yield from shown(item, spectrum)
        yield Row(item, 2.0**-23, 0, "modes above", spectrum.count(2.0**-23))


def shown(item: str, spectrum: Spectrum) -> Iterator[Row]:
    """Yield about 40 eigenvalues a decade of their number."""
    n = min(spectrum.n_modes, 100_000)
    values = spectrum.expanded(n)
    for k in np.unique(np.geomspace(1, n, 40 * len(str(n))).astype(int)):
        if values[k - 1] > 0:
            yield Row(item, k, 0, "eigenvalue", values[k - 1] / values[0])


def slopes(*, powers: Sequence[int], degree: int) -> Iterator[Row]:
    """Exponents of the eigenvalues of ReLU^p (x is p), fitted over the last of those resolved."""
    for power in powers:
        found = {1: relu_spectrum(150, power=power)}
        found |= {d: ball_spectrum(d, power=power, degree=degree) for d in (2, 3)}
        for d, spectrum in found.items():
            n = min(spectrum.n_modes, 10**6)
            item = f"d = {d}"
            exponent, slope = -(d + 2 * power + 1) / d, spectrum.slope(n // 4, n)
            yield Row(item, power, 0, "slope", slope)
            yield Row(item, power, 0, "corrected", exponent)
            yield Row(item, power, 0, "slope / corrected", slope / exponent)


def condition(*, widths: Sequence[int], random_widths: Sequence[int], runs: int) -> Iterator[Row]:
    """Condition numbers of Gram matrices: x is the number of biases, without that at 1."""
    for n in widths:
        value = unit_spectrum(uniform_biases(n)[:-1]).condition
        yield Row("uniform", n, 0, "condition", value)
        yield Row("uniform", n, 0, "condition / n^4", value / n**4)
    for n in random_widths:
        bound = n**3 / np.log(n)
        values = [unit_spectrum(random_biases(n, random_state=k)).condition for k in range(runs)]
        for seed, value in enumerate(values):
            yield Row("random", n, seed, "condition", value)
            yield Row("random", n, seed, "condition / n^7", value / n**7)
        yield Row("random", n, 0, "smallest condition / (n^3 / log n)", min(values) / bound)


def eigenfunctions(*, numbers: Sequence[int], points: int, width: int) -> Iterator[Row]:
    """Modes on a grid (x): exact ones, and those of adaptive biases."""
    grid = np.linspace(-1, 1, points)
    found = {"exact": relu_modes(max(numbers)), "adaptive": unit_modes(adaptive_biases(width, f))}
    for item, modes in found.items():
        values = modes(grid)
        for k in numbers:
            for x, value in zip(grid, values[:, k - 1], strict=True):
                yield Row(item, x, 0, f"mode {k}", value)


def modes_above(*, width: int) -> Iterator[Row]:
    """Numbers of relative eigenvalues above thresholds (x)."""
    spectra = {"exact": relu_spectrum(200), "units": unit_spectrum(uniform_biases(width))}
    for item, spectrum in spectra.items():
        for threshold in THRESHOLDS:
            yield Row(item, threshold, 0, "modes", spectrum.count(threshold))


def precision(*, dimensions: Sequence[int], by_every_rule: Sequence[int]) -> Iterator[Row]:
    """Published frequencies and modes, and ours by several rules: x is the dimension."""
    rules = {
        "Gram, eps": {},
        "Gram, 100 eps": {"cut": "n eps", "n": 100},
        "Gram, 1000 eps": {"cut": "n eps", "n": 1000},
        "Gram, n eps for n modes": {"cut": "self-consistent"},
        "design, eps": {"matrix": "design"},
    }
    for name in ("float16", "bfloat16", "float32", "float64"):
        for d in dimensions:
            for rule, settings in rules.items() if d in by_every_rule else ():
                found = captured_modes(name, dimension=d, **settings)
                yield Row(f"{name}, {rule}", d, 0, "modes", found.n_modes)
                yield Row(f"{name}, {rule}", d, 0, "frequency / pi", found.frequency / np.pi)
            found = captured_modes(name, dimension=d)
            yield Row(name, d, 0, "published frequency", found.published_frequency)
            yield Row(name, d, 0, "published modes", found.published_modes)


def waves(*, width: int) -> Iterator[Row]:
    """Mean squared errors of f(j x), projected on the modes above a threshold (x)."""
    found = {"exact": relu_modes(200), "units": unit_modes(uniform_biases(width), n_modes=200)}
    for item, modes in found.items():
        for j in WAVES:
            projection = project(lambda x, j=j: wave(j * x), modes)
            for threshold in THRESHOLDS[1:]:
                kept = projection.first(modes.spectrum.count(threshold))
                yield Row(item, threshold, 0, f"mse of f_{j}", kept.mean_squared_errors[-1])
            for tol in (0.1, 0.01):
                needed = projection.needed(tol)
                yield Row(item, tol, 0, f"modes for f_{j}", np.nan if needed is None else needed)


def projections(*, widths: Sequence[int]) -> Iterator[Row]:
    """Relative errors of arctan(25 x) against the number of modes (x), and modes needed."""
    for n in widths:
        needed = {}
        for name, biases in BIASES.items():
            item, modes = f"{name}, n = {n}", unit_modes(biases(n))
            projection = project(f, modes)
            for k, error in enumerate(projection.relative_errors[:101]):
                yield Row(item, k, 0, "relative error", error)
            for tol in (0.01, 0.001):
                needed[name, tol] = projection.needed(tol)
                yield Row(item, tol, 0, "modes", needed[name, tol])
            values = modes.spectrum.eigenvalues
            yield Row(item, 20, 0, "eigenvalue", values[19] / values[0])
        for tol in (0.01, 0.001):
            ratio = needed["adaptive", tol] / needed["uniform", tol]
            yield Row(f"adaptive / uniform, n = {n}", tol, 0, "modes", ratio)


def activations(*, width: int) -> Iterator[Row]:
    """Modes above epsilons on the Gram and the design matrix; x is the number of units."""
    rng = np.random.default_rng(0)
    b = uniform_biases(width)
    found = {
        "relu": {}, "relu^2": {"activation": "relu^2"}, "relu^3": {"activation": "relu^3"},
        "heaviside": {"activation": "heaviside"}, "sigmoid": {"activation": "sigmoid"},
        "gelu, 5": {"activation": "gelu", "scale": 5.0},
        "gaussian, 10": {"activation": "gaussian", "scale": 10.0},
        "hat": {"activation": "hat", "scale": (width - 1) / 2},
    }  # fmt: skip
    found |= {f"tanh, {s}": {"activation": "tanh", "scale": float(s)} for s in (1, 5, 20, 100)}
    for top in (10, 50, 150, 300):
        w, phase = rng.uniform(-top, top, width), rng.uniform(-np.pi, np.pi, width)
        found[f"random sin, {top}"] = {"activation": "sin", "weights": w, "biases": -phase / w}
    for name in ("relu", "tanh"):
        for top in (1, 10, 100):
            w, c = rng.uniform(-top, top, (2, width))
            found[f"random {name}, {top}"] = {"activation": name, "weights": w, "biases": -c / w}
    cuts = {"Gram, eps32": 2.0**-23, "Gram, eps64": 2.0**-52, "design, eps32": 2.0**-46}
    for item, settings in found.items():
        spectrum = unit_spectrum(**({"biases": b} | settings))
        for quantity, cut in cuts.items():
            yield Row(item, width, 0, quantity, spectrum.count(cut))


def widths_in_precision(*, widths: Sequence[int]) -> Iterator[Row]:
    """Root mean square errors of arctan(25 x) by the protocol of Table 1: x is n."""
    for n in widths:
        b = uniform_biases(n)
        for dtype in ("float32", "float64"):
            yield Row(dtype, n, 0, "rmse", network(b, dtype)[1] ** 0.5)
        values, vectors = np.linalg.eigh(relu_gram(b))
        kept = values > n * SINGLE * values[-1]
        a = vectors[:, kept] @ ((vectors[:, kept].T @ load(b)) / values[kept])
        yield Row("pinv, n eps32", n, 0, "rmse", network_error(a, b)[1] ** 0.5)
        yield Row("pinv, n eps32", n, 0, "modes", np.count_nonzero(kept))
        yield Row("best linear splines, by their law", n, 0, "rmse", SPLINES * (2 / (n - 1)) ** 2)


PARTS = {
    "spectra": (eigenvalues, {"width": 1000, "degree": 150}, {"width": 100, "degree": 80}),
    "slopes": (
        slopes,
        {"powers": (0, 1, 2, 3), "degree": 200},
        {"powers": (0, 1, 2, 3), "degree": 40},
    ),
    "condition": (
        condition,
        {"widths": (20, 40, 80, 160, 320, 640), "random_widths": (10, 20, 40, 80), "runs": 40},
        {"widths": (20,), "random_widths": (20, 80), "runs": 3},
    ),
    "modes": (
        eigenfunctions,
        {"numbers": (1, 2, 3, 4, 10), "points": 201, "width": 1000},
        {"numbers": (1, 2), "points": 21, "width": 40},
    ),
    "modes_above": (modes_above, {"width": 1000}, {"width": 300}),
    "precision": (
        precision,
        {"dimensions": (1, 2, 3, 4, 10), "by_every_rule": (1, 2, 3, 4, 10)},
        {"dimensions": (1, 2, 3, 10), "by_every_rule": (1,)},
    ),
    "waves": (waves, {"width": 1000}, {"width": 400}),
    "projections": (projections, {"widths": (100, 1000)}, {"widths": (100,)}),
    "activations": (activations, {"width": 600}, {"width": 60}),
    "network_widths": (
        widths_in_precision,
        {"widths": (8, 16, 32, 64, 128, 256, 512)},
        {"widths": (8, 16)},
    ),
}
