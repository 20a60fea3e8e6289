"""Figures from numbers in results/: only those missing or older than their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

from common.records import Results, write_whole

# Okabe and Ito's colours, told apart by colour-blind readers.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PINK = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73"),
    *("#0072B2", "#D55E00", "#CC79A7"),
)

Figure = Callable[[Results], Any]
"""From the numbers to a matplotlib figure."""


def draw(results: Results, figures: Mapping[str, Figure], *, suffix: str) -> None:
    """Draw every figure that is missing or older than the parts whose names it begins."""
    for name, figure in figures.items():
        numbers = [path.stat().st_mtime for path in results.folder.glob(f"{name}*.csv")]
        drawn = results.folder / f"{name}{suffix}"
        if numbers and not (drawn.exists() and drawn.stat().st_mtime >= max(numbers)):
            save(figure(results), results, drawn.name)


def save(figure, results: Results, name: str) -> None:
    # Without a date and with fixed identifiers the same numbers give the same file.
    vector = {"metadata": {"Date": None}} if name.endswith(".svg") else {}
    with mpl.rc_context({"svg.hashsalt": name}):
        write_whole(results.folder / name, lambda path: figure.savefig(path, dpi=90, **vector))
    plt.close(figure)
