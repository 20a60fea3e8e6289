"""The figures of the study, from the numbers in results/."""

from __future__ import annotations

import dynamics_figures
import matplotlib.pyplot as plt
import spectra_figures
from common.drawing import BLACK, BLUE, GREEN, ORANGE, RED
from common.records import Results, curve

FITS = {
    "network, no cut": ORANGE,
    "network, cut samples * eps32": GREEN,
    "network, cut sqrt(eps32)": BLUE,
    "network, cut by the data": RED,
    "finite elements": BLACK,
}


def _noise(results: Results):
    parts = {
        "noise": "noise, equidistant samples",
        "noise_random": "noise, random samples",
        "width": "unknowns, at noise 0.5",
    }
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", sharey=True)
    for ax, (part, label) in zip(axes, parts.items(), strict=True):
        rows = results.read(part)
        for item, colour in FITS.items():
            points = list(curve(rows, item, "rmse"))
            if points:
                ax.plot(*zip(*points, strict=True), color=colour, marker="o", ms=3, label=item)
        ax.set(yscale="log", xlabel=label)
    axes[0].set_ylabel("root mean square error to f")
    axes[0].legend(frameon=False)
    axes[2].set_xscale("log")
    return figure


def _rashomon_width(results: Results):
    rows = results.read("rashomon_width")
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    quantities = {"bound": BLACK, "inner product": BLUE, "approximation": RED}
    for quantity, colour in quantities.items():
        points = list(curve(rows, "width", quantity))
        ax.plot(*zip(*points, strict=True), color=colour, marker="o", ms=3, label=quantity)
    ax.set(yscale="log", xlabel="units", ylabel="probability")
    ax.legend(frameon=False)
    return figure


def _decomposition_pieces(results: Results):
    rows = results.read("decomposition_pieces")
    names = list(dict.fromkeys(row.item for row in rows))
    figure, axes = plt.subplots(
        len(names), 2, figsize=(11, 3.5 * len(names)), layout="constrained", squeeze=False
    )
    for (left, right), name in zip(axes, names, strict=True):
        left.plot(*zip(*curve(rows, name, "f"), strict=True), color=BLACK, lw=1)
        left.set(xlabel="x", ylabel=name)
        for piece, colour in {1: BLUE, 2: ORANGE, 3: GREEN, 4: RED}.items():
            points = zip(*curve(rows, name, f"f_{piece}"), strict=True)
            right.plot(*points, color=colour, lw=1.5, label=f"piece {piece}")
        right.set(xlabel="y, the stretched input")
        right.legend(frameon=False)
    return figure


FIGURES = {
    "noise": _noise,
    "rashomon_width": _rashomon_width,
    "decomposition_pieces": _decomposition_pieces,
}
FIGURES |= dynamics_figures.FIGURES | spectra_figures.FIGURES
