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


FIGURES = {"noise": _noise} | dynamics_figures.FIGURES | spectra_figures.FIGURES
