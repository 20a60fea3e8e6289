"""The figures of the study, from the numbers in results/."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from common.drawing import BLACK, BLUE, GREEN, ORANGE, RED, SKY
from common.records import Results, Row, read_table
from compare import mean_of, read_all, values_of

STARTS = {"equidistant": BLUE, "pairwise": ORANGE, "random": RED}
PUBLISHED = read_table(Path(__file__).parent / "published.csv")


def _points(rows: list[Row], item: str, quantity: str) -> tuple[list[float], list[float]]:
    """Return sizes and geometric means over the seeds."""
    sizes = sorted({row.x for row in rows if (row.item, row.quantity) == (item, quantity)})
    return sizes, [mean_of(values_of(rows, item, quantity, n)) or 0.0 for n in sizes]


def _published(table: str, item: str, quantity: str) -> tuple[list[float], list[float]]:
    found = [
        (float(row["quantity"].partition(" at ")[2]), float(row["value"]))
        for row in PUBLISHED
        if (row["table"], row["item"]) == (table, item) and row["quantity"].startswith(quantity)
    ]
    return [n for n, _ in found], [value for _, value in found]


def _reference(ax, n: list[float], start: float, rate: float, label: str) -> None:
    ax.plot(n, start * (np.array(n) / n[0]) ** -rate, color=BLACK, lw=1, ls=":", label=label)


def line(results: Results):
    """Errors against the number of knots: figures 2 (a) and (b)."""
    trained, solved = read_all(results, "laperm_"), read_all(results, "solved_")
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained", sharey=True)
    for ax, target in zip(axes, ("-sin", "P3"), strict=True):
        for start, colour in STARTS.items():
            item = f"{target} {start}"
            ax.plot(*_published("laperm", item, "largest"), "x", color=colour, ms=6, alpha=0.7)
            style = {"color": colour, "lw": 1.5, "marker": "o", "ms": 4}
            ax.plot(*_points(trained, item, "largest error"), **style, label=f"LaPerm, {start}")
            points = _points(solved, item, "largest error")
            ax.plot(*points, **style, ls="--", mfc="none", label=f"solved, {start}")
        free = _points(solved, f"{target} equidistant", "free largest error")
        ax.plot(*free, color=GREEN, lw=1, label="any weights")
        if free[0]:
            _reference(ax, free[0], 0.5, 0.5, "rate 1/2")
        title = {"-sin": "-sin(2 pi x)", "P3": "Legendre P3"}[target]
        ax.set(xscale="log", yscale="log", xlabel="n", title=title)
    axes[0].plot([], [], "x", color=BLACK, label="published")
    axes[0].set_ylabel("largest error")
    axes[0].legend(frameon=False, fontsize=7, ncols=2)
    return figure


def initialisations(results: Results):
    """The largest error of each initialisation at n = 320: figure 5."""
    trained, solved = read_all(results, "laperm_320"), read_all(results, "solved_")
    names = ["equidistant", "pairwise", "random", *(f"random {k}" for k in range(3, 9))]
    figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
    for i, name in enumerate(names):
        for rows, colour, marker in ((trained, BLUE, "o"), (solved, ORANGE, "s")):
            found = values_of(rows, f"-sin {name}", "largest error", 320)
            ax.plot(np.full(len(found), i), found, marker, color=colour, ms=5, alpha=0.6)
        sizes, values = _published("laperm", f"-sin {name}", "largest")
        if 320 in sizes:
            ax.plot(i, values[sizes.index(320)], "x", color=BLACK, ms=8)
    for label, colour, marker in (("LaPerm", BLUE, "o"), ("solved", ORANGE, "s"),
                                  ("published", BLACK, "x")):  # fmt: skip
        ax.plot([], [], marker, color=colour, label=label)
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    ax.set(yscale="log", ylabel="largest error at n = 320")
    ax.legend(frameon=False)
    return figure


def periods(results: Results):
    """The largest error against k: figure 7."""
    rows = results.read("periods")
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    steps = sorted({int(row.item.removeprefix("k = ")) for row in rows})
    sizes = sorted({row.x for row in rows})
    for colour, n in zip((BLUE, ORANGE, GREEN), sizes, strict=False):
        found = [values_of(rows, f"k = {k}", "largest error", n) for k in steps]
        ax.plot(np.repeat(steps, [len(f) for f in found]), np.concatenate(found), ".",
                color=colour, ms=4, alpha=0.5)  # fmt: skip
        means = [mean_of(values) or np.nan for values in found]
        ax.plot(steps, means, color=colour, marker="o", ms=4, label=f"n = {n:.0f}")
    for k in steps:
        at, values = _published("periods", f"k = {k}", "largest")
        ax.plot([k] * len(at), values, "x", color=BLACK)
    ax.plot([], [], "x", color=BLACK, label="published, n = 320")
    ax.set(xscale="log", yscale="log", xlabel="k", ylabel="largest error, equidistant")
    ax.legend(frameon=False)
    return figure


def levels(results: Results):
    """The largest error with few different values."""
    rows = results.read("levels")
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    items = list(dict.fromkeys(row.item for row in rows))
    for colour, item in zip((BLUE, ORANGE, GREEN, RED), items, strict=False):
        ax.plot(*_points(rows, item, "largest error"), color=colour, marker="o", ms=4, label=item)
    published = _published("laperm", "-sin equidistant", "largest")
    ax.plot(*published, "x", color=BLACK, label="LaPerm, 2n levels, published")
    ax.set(xscale="log", yscale="log", xlabel="n", ylabel="largest error, -sin(2 pi x)")
    ax.legend(frameon=False)
    return figure


def _cube(results: Results, name: str, rate: float):
    rows, trained = results.read(name), read_all(results, f"laperm_{name}")
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for item, colour in {"published directions": BLUE, "random directions": ORANGE}.items():
        points = _points(rows, item, "rmse")
        ax.plot(*points, color=colour, marker="o", ms=4, label=f"solved, {item}")
        ax.plot(*_points(rows, item, "free rmse"), color=colour, lw=1, ls=":",
                label=f"any weights, {item}")  # fmt: skip
        if points[0] and item == "random directions":
            _reference(ax, points[0], 0.2, rate, f"rate {rate:.2g}")
    if trained:
        ax.plot(*_points(trained, "LaPerm", "rmse"), color=SKY, marker="o", ms=4, label="LaPerm")
    if name == "plane":
        ax.plot(*_published(name, "LaPerm", "rmse"), "x", color=BLACK, label="LaPerm, published")
    ax.set(xscale="log", yscale="log", xlabel="n", ylabel="root mean square error")
    ax.legend(frameon=False, fontsize=8)
    return figure


def pattern(results: Results):
    """Which values move at each permutation, how many, and the error: figure 6."""
    rows = results.read("pattern")
    parts = sorted({row.item for row in rows if row.item.startswith("moved, ")},
                   key=lambda item: float(item.split()[-1]))  # fmt: skip
    shares = np.array([[r.value for r in rows if r.item == part] for part in parts])
    figure, axes = plt.subplots(1, 3, figsize=(10, 4), layout="constrained", sharey=True)
    axes[0].imshow(
        np.sqrt(shares.T), aspect="auto", cmap="Greys", extent=(-1, 1, shares.shape[1], 0)
    )
    axes[0].set(xlabel="value", ylabel="permutation", title="share that moves (shade: its root)")
    for ax, item, label in zip(
        axes[1:], ("moved", "error"), ("share that moves", "largest error"), strict=True
    ):
        found = [(row.value, row.x) for row in rows if row.item == item]
        ax.plot(*zip(*found, strict=True), color=BLUE, lw=1)
        ax.set_xlabel(label)
    axes[1].set_xscale("symlog", linthresh=0.01)
    axes[2].set_xscale("log")
    return figure


FIGURES = {
    "solved_line": line,
    "laperm_320": initialisations,
    "periods": periods,
    "levels": levels,
    "plane": lambda results: _cube(results, "plane", 1 / 4),
    "space": lambda results: _cube(results, "space", 1 / 6),
    "pattern": pattern,
}
