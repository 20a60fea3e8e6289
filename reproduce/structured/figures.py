"""The figures of the study, from the numbers in results/."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from common.drawing import BLACK, BLUE, GREEN, ORANGE, RED
from common.records import Results, curve
from targets import TARGETS


def _adam_local(results: Results):
    rows = results.read("adam_local")
    names = list(dict.fromkeys(row.item for row in rows if row.quantity == "fit"))
    figure, axes = plt.subplots(
        2, len(names), figsize=(2.8 * len(names), 5), layout="constrained", sharex=True,
        sharey="row", squeeze=False,
    )  # fmt: skip
    for (above, below), name in zip(axes.T, names, strict=True):
        x, fit = np.array(list(curve(rows, name, "fit"))).T
        target = TARGETS["local"].function(x)
        above.plot(x, target, color=BLACK, lw=2, alpha=0.4)
        above.plot(x, fit, color=BLUE, lw=0.8)
        below.plot(x, fit - target, color=ORANGE, lw=0.8)
        above.set(title=name, xlim=(-0.1, 0.1))
    axes[0, 0].set_ylabel("fit")
    axes[1, 0].set_ylabel("error")
    return figure


def _adam_star(results: Results):
    rows = results.read("adam_star")
    names = list(dict.fromkeys(row.item for row in rows if row.quantity == "fit"))
    figure, axes = plt.subplots(
        2, len(names), figsize=(2.8 * len(names), 5), layout="constrained", squeeze=False
    )
    for (above, below), name in zip(axes.T, names, strict=True):
        fit = np.array([value for _, value in curve(rows, name, "fit")])
        side = round(len(fit) ** 0.5)
        aim = TARGETS["star"]
        error = np.abs(fit - aim.function(aim.samples(side)))
        for ax, values, limits in ((above, fit, (0, 1)), (below, np.log10(error + 1e-16), (-6, 0))):
            image = ax.imshow(
                values.reshape(side, side).T, origin="lower", extent=(-1, 1, -1, 1),
                vmin=limits[0], vmax=limits[1],
            )  # fmt: skip
        above.set_title(name)
    figure.colorbar(image, ax=axes[1].tolist(), label="log10 of the error")
    return figure


def _epochs(*parts: str):
    def figure(results: Results):
        figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        for part, colour in zip(parts, (BLUE, GREEN, ORANGE, RED), strict=False):
            rows = results.read(part)
            items = [row.item for row in rows if row.quantity == "mse"]
            if items:
                points = list(curve(rows, items[0], "mse"))
                ax.plot(*zip(*points, strict=True), color=colour, marker="o", ms=3, label=part)
        ax.set(yscale="log", xlabel="epoch", ylabel="mean squared error")
        ax.legend(frameon=False)
        return figure

    return figure


FIGURES = {
    "adam_local": _adam_local,
    "adam_star": _adam_star,
    "adam_wave": _epochs("adam_wave", "adam_chirp", "adam_500_3_5", "adam_wave_sine"),
}
