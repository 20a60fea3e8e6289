"""Figures of learning dynamics show the numbers that they are given."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

from matplotlib import pyplot as plt

from solvenet import plots
from solvenet.analysis import half_time_law
from solvenet.errors import InvalidDataError


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_residual_modes_are_relative_to_the_start():
    t = np.array([0.0, 1.0, 2.0, 4.0])
    modes = np.stack([4 * np.exp(-t), -2 * np.exp(-t / 8)], axis=1)
    ax = plots.plot_residual_modes(t, modes, frequency=[1, 8], xlabel="epochs")
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), t[1:])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.exp(-t[1:]))
    np.testing.assert_allclose(ax.lines[1].get_ydata(), np.exp(-t[1:] / 8))
    assert legend(ax) == ["m = 1", "m = 8"]
    assert set(ax.lines[2].get_ydata()) == {0.5}
    assert (ax.get_xlabel(), ax.get_xscale(), ax.get_yscale()) == ("epochs", "log", "log")


def test_many_modes_have_colours_of_their_own():
    ax = plots.plot_residual_modes([0, 1, 2], np.ones((3, 8)))
    assert len({mpl.colors.to_hex(line.get_color()) for line in ax.lines[:8]}) == 8
    assert legend(ax)[7] == "mode 7"


def test_modes_that_were_never_there_are_not_drawn():
    ax = plots.plot_residual_modes([0, 1], [[0.0, 1.0], [0.0, 0.5]])
    assert np.isnan(ax.lines[0].get_ydata()).all()


def test_half_times_stand_beside_their_laws():
    m = np.array([1.0, 2.0, 4.0])
    times = {"fixed": half_time_law(m, 10), "trained": np.array([1.0, 2.0, np.inf])}
    _, given = plt.subplots()
    ax = plots.plot_half_times(m, times, laws={"law": lambda f: half_time_law(f, 10)}, ax=given)
    assert ax is given
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), times["fixed"])
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), [1, 2])  # the third never halved
    curve = ax.lines[2]
    np.testing.assert_allclose(curve.get_ydata(), half_time_law(curve.get_xdata(), 10))
    assert legend(ax) == ["fixed", "trained", "law"]
    assert plots.plot_half_times(m, times["fixed"]).lines[0].get_label() == "measured"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.plot_residual_modes([0, 1], np.ones(2)), r"\(r, p\)"),
        (lambda: plots.plot_residual_modes([], np.ones((0, 1))), "not empty"),
        (lambda: plots.plot_residual_modes([0, np.nan], np.ones((2, 1))), "times"),
        (lambda: plots.plot_residual_modes([0, 1], np.full((2, 1), np.inf)), "projections"),
        (lambda: plots.plot_residual_modes([0, 1], np.ones((2, 2)), frequency=[1]), "2 modes"),
        (lambda: plots.plot_half_times([1, 2], [1.0]), "of one length"),
        (lambda: plots.plot_half_times([1, 2], {}), "No times"),
        (lambda: plots.plot_half_times([1, 2], [1, 2], laws={"x": lambda _: 1.0}), "one length"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InvalidDataError, match=message):
        call()
