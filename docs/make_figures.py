"""Draw the figure of the README and of the front page, from real fits.

    python docs/make_figures.py

Test error against width on sin(10 (x + y)): a network that is solved, and one of the same
width that is trained (scikit-learn's MLPRegressor: Adam, 300 epochs, inputs standardised,
ReLU, which does better here than tanh, and the learning rate that did best at width 128).
About two minutes on two cores.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from solvenet import SampledNetworkRegressor

STATIC = Path(__file__).parent / "_static"
EPOCHS = 300
WIDTHS = (16, 32, 64, 128, 256, 512, 1000)
COLOURS = {
    "light": {"text": "#1f2328", "faint": "#d0d7de", "solved": "#0969da", "trained": "#bc4c00"},
    "dark": {"text": "#e6edf3", "faint": "#373e47", "solved": "#58a6ff", "trained": "#f0883e"},
}


def measure(model, train, test):
    """Return the test error (mean absolute) and the seconds of the fit."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(*train)
    seconds = time.perf_counter() - start
    return float(np.abs(model.predict(test[0]) - test[1]).mean()), seconds


def run():
    """Fit both kinds of network at every width."""
    rng = np.random.default_rng(0)
    X, X_test = rng.random((5000, 2)), rng.random((2000, 2))
    train, test = ((A, np.sin(10 * A.sum(axis=1))) for A in (X, X_test))
    train = tuple(train)
    results = {"solved": [], "trained": []}
    for width in WIDTHS:
        solved = SampledNetworkRegressor(width, random_state=0)
        trained = make_pipeline(
            StandardScaler(),
            MLPRegressor(
                hidden_layer_sizes=(width,),
                alpha=0.0,
                learning_rate_init=3e-3,
                max_iter=EPOCHS,
                n_iter_no_change=EPOCHS,
                random_state=0,
            ),
        )
        results["solved"].append(measure(solved, train, test))
        results["trained"].append(measure(trained, train, test))
        print(width, results["solved"][-1], results["trained"][-1], flush=True)
    return results


def draw(results, colours):
    """Return the figure."""
    fig = Figure(figsize=(7.6, 3.5), layout="constrained")
    ax = fig.subplots()
    labels = {"solved": "solved (solvenet)", "trained": f"trained (Adam, {EPOCHS} epochs)"}
    for kind, measured in results.items():
        errors, seconds = zip(*measured, strict=True)
        ax.loglog(
            WIDTHS,
            errors,
            "o-",
            color=colours[kind],
            linewidth=2.2,
            markersize=5.5,
            markeredgewidth=0,
        )
        ax.annotate(
            f"{labels[kind]}\n{errors[-1]:.0e} in {seconds[-1]:.1f} s".replace("e-0", "e-"),
            (WIDTHS[-1], errors[-1]),
            xytext=(12, 0),
            textcoords="offset points",
            color=colours[kind],
            va="center",
            fontsize=11,
            annotation_clip=False,
        )
    ax.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    ax.minorticks_off()
    ax.set_yticks([10.0**k for k in range(0, -10, -3)])
    ax.set_ylim(3e-10, 2)
    ax.set_xlabel("width of the hidden layer", color=colours["text"], fontsize=11)
    ax.set_title(
        "Test error on  f(x, y) = sin(10 (x + y)),  5000 points, one hidden layer",
        loc="left",
        color=colours["text"],
        fontsize=11,
        pad=12,
    )
    ax.tick_params(colors=colours["text"], length=0, labelsize=10)
    ax.grid(axis="y", color=colours["faint"], linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[:].set_visible(False)
    return fig


def main():
    """Measure once, draw for light and dark pages."""
    results = run()
    style = {"svg.fonttype": "path", "svg.hashsalt": "solvenet", "font.family": "DejaVu Sans"}
    with mpl.rc_context(style):
        for name, colours in COLOURS.items():
            draw(results, colours).savefig(
                STATIC / f"solved-{name}.svg", transparent=True, metadata={"Date": None}
            )


if __name__ == "__main__":
    main()
