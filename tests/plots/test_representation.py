"""Figures of decompositions and of how rare good parameters are."""

import numpy as np
import pytest

from solvenet.analysis import decompose, oscillating_target, rashomon_ratio
from solvenet.errors import InvalidDataError
from solvenet.plots import plot_decomposition, plot_rashomon

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_pieces_are_drawn_as_they_are():
    parts = decompose(lambda x: np.cos(np.pi * x), [-1.0, 0.0, 0.5, 1.0])
    ax = plot_decomposition(parts, n_points=11)
    assert len(ax.lines) == 3
    np.testing.assert_allclose(ax.lines[1].get_ydata(), parts.pieces[1](np.linspace(-1, 1, 11)))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[1].startswith("0 to 0.5: ")
    assert labels[1].endswith(f"{parts.pieces[1].n_units} units")


def test_probabilities_are_drawn_in_order_and_none_where_none_was_measured():
    setting = {"eps": 0.95, "amplitude": 20.0, "method": "plain", "draws": 2000}
    cases = ((0, 8), (4, 1), (0, 4))
    ratios = [rashomon_ratio(oscillating_target(nu), n, **setting) for nu, n in cases]
    assert [ratio.approximation.value > 0 for ratio in ratios] == [True, False, True]
    ax = plot_rashomon(ratios)
    bound, inner, found = ax.lines[:3]
    np.testing.assert_array_equal(bound.get_xdata(), [1, 4, 8])
    np.testing.assert_allclose(inner.get_ydata(), [ratios[i].inner_product for i in (1, 2, 0)])
    np.testing.assert_array_equal(found.get_xdata(), [4, 8])
    assert ax.get_yscale() == "log"


def test_nothing_to_draw_is_refused():
    with pytest.raises(InvalidDataError, match="No ratios"):
        plot_rashomon([])
