"""The figures of learning dynamics, from the numbers in results/."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from common.records import Results, Row, curve

from solvenet.analysis import half_time_law
from solvenet.plots import plot_half_times, plot_residual_modes


def half_times(results: Results):
    """Times with fixed and trained biases, steps of Adam, steps of smoother units."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    linear = results.read("dynamics_linear")
    n = 400
    fixed = [row for row in linear if row.item.endswith(f"n = {n}")]
    named = {
        "half-time": fixed + results.read("dynamics_trained"),
        "steps": results.read("dynamics_adam"),
    }
    laws = {
        "half-time": {
            "law, fixed": lambda m: half_time_law(m, n),
            "law, A = 10": lambda m: half_time_law(m, n, amplitude=10.0),
        }
    }
    for ax, (quantity, rows) in zip(axes, named.items(), strict=False):
        points(ax, rows, quantity, laws.get(quantity))
    points(axes[2], results.read("dynamics_units"), "steps", None)
    axes[0].set_title(f"n = {n} ReLUs, gradient flow")
    axes[1].set_title("the same, Adam")
    axes[2].set_title("fixed biases, by activation")
    for ax in axes[1:]:
        ax.set_ylabel("steps to halve")
    return figure


def points(ax, rows: list[Row], quantity: str, laws) -> None:
    """Draw a series an item; all of them have to share their frequencies."""
    series = {
        item: dict(curve(rows, item, quantity)) for item in dict.fromkeys(r.item for r in rows)
    }
    m = sorted(set().union(*series.values()))
    times = {item: np.array([s.get(f, np.inf) for f in m]) for item, s in series.items()}
    plot_half_times(np.array(m), times, laws=laws, ax=ax)
    ax.legend(frameon=False, fontsize=7)


def modes(results: Results):
    """What is left of each frequency of a sum of cosines."""
    rows = results.read("dynamics_modes")
    items = list(dict.fromkeys(row.item for row in rows))
    figure, axes = plt.subplots(1, len(items), figsize=(9, 4), layout="constrained", sharey=True)
    for ax, item in zip(axes, items, strict=True):
        names = list(dict.fromkeys(row.quantity for row in rows if row.item == item))
        lines = [list(curve(rows, item, name)) for name in names]
        times = [t for t, _ in lines[0]]
        left = np.array([[value for _, value in line] for line in lines]).T
        frequency = [float(name.removeprefix("m = ")) for name in names]
        plot_residual_modes(times, left, frequency=frequency, ax=ax)
        ax.set(title=item, ylim=(1e-3, 2))
    return figure


FIGURES = {"dynamics": half_times, "dynamics_modes": modes}
