"""The figures of spectra, from the numbers in results/."""

from __future__ import annotations

import matplotlib.pyplot as plt
from common.drawing import BLACK, BLUE, GREEN, ORANGE, PINK, RED
from common.records import Results, curve

KERNELS = {
    "d = 1, exact": BLACK,
    "d = 1, uniform biases": BLUE,
    "d = 1, random biases": RED,
    "d = 1, adaptive biases": ORANGE,
    "d = 2": GREEN,
    "d = 3": PINK,
}


def _spectra(results: Results):
    rows = results.read("spectra")
    figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
    for item, colour in KERNELS.items():
        points = zip(*curve(rows, item, "eigenvalue"), strict=True)
        ax.plot(*points, color=colour, lw=1.5, ls="--" if "exact" in item else "-", label=item)
    for bits in (23, 52):
        ax.axhline(2.0**-bits, color=BLACK, lw=0.7, ls=":")
        ax.annotate(f"2^-{bits}", (1, 2.0**-bits), va="bottom")
    ax.set(xscale="log", yscale="log", xlabel="k", ylabel="eigenvalue / largest")
    ax.legend(frameon=False)
    return figure


def _modes(results: Results):
    rows = results.read("modes")
    names = sorted({row.quantity for row in rows}, key=lambda name: int(name.split()[1]))
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
    for ax, item in zip(axes, ("exact", "adaptive"), strict=True):
        for name, colour in zip(names, (BLUE, ORANGE, GREEN, RED, PINK), strict=False):
            ax.plot(*zip(*curve(rows, item, name), strict=True), color=colour, label=name)
        ax.set(xlabel="x", title=f"{item} modes")
    axes[0].legend(frameon=False)
    return figure


def _waves(results: Results):
    rows = [row for row in results.read("waves") if row.quantity.startswith("mse")]
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    names = sorted({row.quantity for row in rows})
    for name, colour in zip(names, (BLUE, ORANGE, GREEN), strict=True):
        for item, style in (("exact", "-"), ("units", "o")):
            points = zip(*curve(rows, item, name), strict=True)
            ax.plot(*points, style, color=colour, label=name if style == "-" else None)
    ax.set(xscale="log", yscale="log", xlabel="threshold", ylabel="mean squared error")
    ax.invert_xaxis()
    ax.legend(frameon=False)
    return figure


def _projections(results: Results):
    rows = results.read("projections")
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    items = sorted({row.item for row in rows if row.quantity == "relative error"})
    for item in items:
        points = zip(*curve(rows, item, "relative error"), strict=True)
        ax.plot(*points, color=ORANGE if "adaptive" in item else BLUE,
                ls="--" if "1000" in item else "-", label=item)  # fmt: skip
    ax.set(yscale="log", xlabel="modes", ylabel="relative error of arctan(25 x)")
    ax.legend(frameon=False)
    return figure


FIGURES = {"spectra": _spectra, "modes": _modes, "waves": _waves, "projections": _projections}
