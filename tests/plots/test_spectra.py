"""Figures of spectra, modes, projections and diagnoses show the numbers they are given."""

import numpy as np
import pytest

plt = pytest.importorskip("matplotlib.pyplot", reason="needs the extra solvenet[plots]")

from solvenet.analysis import (  # noqa: E402
    NetworkSpec,
    ball_spectrum,
    diagnose,
    project,
    relu_modes,
    relu_spectrum,
    uniform_biases,
    unit_spectrum,
)
from solvenet.errors import InvalidDataError, InvalidSettingError  # noqa: E402
from solvenet.plots import (  # noqa: E402
    plot_eigenvalues,
    plot_modes,
    plot_projection,
    plot_reach,
)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_eigenvalues_with_their_slope_and_the_modes_above_a_level():
    exact = relu_spectrum(500)
    spectra = {"exact": exact, "tanh": unit_spectrum(uniform_biases(60), activation="tanh")}
    ax = plot_eigenvalues(spectra, fit=(5, 10), thresholds=(2.0**-23, 1e-20))
    shown = labels(ax)
    assert f"exact, slope {exact.slope(5, 10):.2f}" in shown
    assert "1.2e-07: 32 modes" in shown
    assert "1e-20" in shown  # below what is known: no number
    lines = [line for line in ax.lines if len(line.get_xdata()) > 2]
    np.testing.assert_allclose(lines[0].get_ydata(), exact.eigenvalues / exact.eigenvalues[0])
    assert (lines[1].get_ydata() > 0).all()


def test_multiple_eigenvalues_are_drawn_as_often_as_they_count():
    disk = ball_spectrum(2)
    drawn = plot_eigenvalues(disk).lines[0].get_ydata()
    assert len(drawn) == disk.n_modes
    assert drawn[1] == drawn[2]


def test_modes_are_those_asked_for():
    modes = relu_modes(30)
    ax = plot_modes(modes, which=[1, 30, 99])
    assert labels(ax) == ["k = 1", "k = 30"]
    x, y = ax.lines[1].get_data()
    np.testing.assert_allclose(y, modes(x)[:, 29])
    assert labels(plot_modes(modes, which=3)) == ["k = 3"]


def test_projections_with_the_modes_that_are_needed():
    wave = project(lambda x: np.cos(6 * np.pi * x) - np.sin(2 * np.pi * x), relu_modes(40))
    ax = plot_projection({"f": wave}, tolerances=[0.1, 1e-4])
    assert labels(ax) == ["f", "0.1: 14 modes", "0.0001: more than 40 modes"]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), wave.relative_errors)


def test_a_diagnosis_shows_what_is_there_and_what_is_wanted():
    x = np.linspace(-1, 1, 300)
    spec = NetworkSpec(width=80, precision="float32", gram=True)
    found = diagnose(spec, x, np.sin(60 * x), tol=0.02)
    ax = plot_reach(found)
    assert f"{found.numbers.modes} modes in float32, Gram" in labels(ax)
    assert "error wanted" in labels(ax)
    values = ax.lines[0].get_ydata()
    assert (values[: found.numbers.modes] > 2.0**-11.5).all()
    assert "error wanted" not in labels(plot_reach(diagnose(spec, x, np.sin(x), tol=0.5)))


@pytest.mark.parametrize("draw", [plot_eigenvalues, plot_projection])
@pytest.mark.parametrize("things", [{}, [1], {"a": 1}, relu_modes(3)])
def test_other_things_are_refused(draw, things):
    with pytest.raises(InvalidDataError, match="is wanted"):
        draw(things)


@pytest.mark.parametrize("which", [[0], [9], -1, []])
def test_modes_that_are_not_there_are_refused(which):
    with pytest.raises(InvalidSettingError, match=r"wanted"):
        plot_modes(relu_modes(5), which=which)
