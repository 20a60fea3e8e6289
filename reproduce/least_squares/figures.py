"""The figures of the study, from the numbers in results/."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
from common.drawing import BLACK, BLUE, GREEN, ORANGE, RED
from common.records import Results, curve

ORDERS = {"sorted": BLUE, "ordered": ORANGE, "random": RED}
INNER = {"SVD": "-", "LSRN": "--", "SWG": ":"}


def _convergence(results: Results):
    rows = results.read("convergence")
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for item, colour in {"LSQR": ORANGE, "LSRN": BLUE}.items():
        x, y = zip(*curve(rows, item, "residual_norm"), strict=True)
        ax.plot(x, y, color=colour, lw=2, label=item)
    for item, style in {"SVD": "--", "QR": ":"}.items():
        (_, norm), *_ = curve(rows, item, "residual_norm")
        ax.axhline(norm, color=BLACK, lw=1.2, ls=style, label=item)
    ax.set(xscale="symlog", yscale="log", xlabel="iteration", ylabel="residual norm")
    ax.set_xlim(left=0)
    ax.legend(frameon=False)
    return figure


def _time_ratio(results: Results):
    rows = results.read("time_ratio")
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    reference = dict(curve(rows, "gelsd", "seconds"))
    for item, colour in {"LSRN": RED, "SVD": GREEN, "SWG": BLUE, "default": ORANGE}.items():
        points = [(x, y / reference[x]) for x, y in curve(rows, item, "seconds")]
        ax.plot(*zip(*points, strict=True), color=colour, lw=2, marker="o", label=item)
    ax.axhline(1.0, color=BLACK, lw=1, ls="--", label="SVD by LAPACK's gelsd")
    ax.set(xscale="log", yscale="log", xlabel="N / M", ylabel="seconds / seconds of gelsd")
    ax.legend(frameon=False)
    return figure


def _split(results: Results, name: str):
    parts = {a: results.read(f"{name}_a{a}") for a in (1, 2, 5, 10)}
    # Not all solvers ran on all samples: lines are compared on the first.
    parts = {a: [row for row in rows if row.seed == 0] for a, rows in parts.items() if rows}
    labels = {"test_mae": "test MAE", "train_mae": "train MAE", "seconds": "seconds"}
    figure, axes = plt.subplots(
        3, len(parts), figsize=(1.5 + 3 * len(parts), 8), layout="constrained", squeeze=False,
        sharex=True, sharey="row",
    )  # fmt: skip
    for column, (a, rows) in zip(axes.T, parts.items(), strict=True):
        column[0].set_title(f"a = {a}")
        for ax, quantity in zip(column, labels, strict=True):
            _split_axes(ax, rows, quantity)
        column[-1].set_xlabel("splits")
    for ax, label in zip(axes[:, 0], labels.values(), strict=True):
        ax.set_ylabel(label)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _split_axes(ax, rows, quantity: str) -> None:
    for order, colour in ORDERS.items():
        for inner, style in INNER.items():
            start = list(curve(rows, f"direct {inner}", quantity))
            points = [*start, *curve(rows, f"{order} {inner}", quantity)]
            _line(ax, points, f"{order}, {inner}", color=colour, ls=style)
        points = list(curve(rows, f"{order} deflated", quantity))
        _line(ax, points, f"{order}, deflated", color=colour, marker="o", ms=3, alpha=0.6)
    for item, colour in {"direct SVD": BLACK, "automatic cutoff": GREEN}.items():
        for _, level in curve(rows, item, quantity):
            ax.axhline(level, color=colour, lw=1, ls="--", label=item)
    ax.set_yscale("log")


def _line(ax, points, label: str, **style) -> None:
    if len(points) > 1:
        ax.plot(*zip(*points, strict=True), lw=1.5, label=label, **style)


def _mnist(results: Results):
    rows = results.read("mnist_published") + results.read("mnist_default")
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    colours = {"LSRN": RED, "truncated SVD": GREEN, "default": BLUE}
    for item, colour in colours.items():
        for quantity, style in {"train_error": "--", "test_error": "-"}.items():
            points = [(x, 100 * y) for x, y in curve(rows, item, quantity)]
            label = f"{item}, {quantity.removesuffix('_error')}"
            _line(ax, points, label, color=colour, ls=style, marker="o", ms=3)
    ax.set(xscale="log", yscale="log", xlabel="neurons", ylabel="misclassified, %")
    ax.legend(frameon=False)
    return figure


FIGURES = {
    "convergence": _convergence,
    "time_ratio": _time_ratio,
    "split_narrow": partial(_split, name="split_narrow"),
    "split_wide": partial(_split, name="split_wide"),
    "mnist": _mnist,
}
