"""Figures of structured networks draw the numbers that they say."""

import numpy as np
import pytest

from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.plots import (
    plot_channels,
    plot_components,
    plot_error_map,
    plot_film_strip,
    plot_residual_spectrum,
)
from solvenet.structured import random_mmnn

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_a_film_strip_of_lines():
    axes = plot_film_strip({0: np.zeros_like, 9: np.sin}, np.sin, n_points=21)
    assert axes.shape == (2, 2)
    x = np.linspace(-1, 1, 21)
    target, fit = axes[0, 0].lines
    np.testing.assert_allclose(target.get_ydata(), np.sin(x))
    np.testing.assert_allclose(fit.get_ydata(), 0)
    np.testing.assert_allclose(axes[1, 0].lines[0].get_ydata(), -np.sin(x))
    mse = np.mean(np.sin(x) ** 2)
    assert axes[0, 0].get_title() == f"0\nMSE {mse:.1e}"
    assert axes[0, 1].get_title() == "9\nMSE 0.0e+00"


def test_a_film_strip_of_images_has_one_scale_and_the_first_input_to_the_right():
    def target(X):
        return 2 * X[:, 0] + X[:, 1]

    frames = {"a": lambda X: X[:, 0], "b": target}
    axes = plot_film_strip(frames, target, n_inputs=2, n_points=5)
    images = [ax.images[0] for ax in axes[0]]
    assert {image.get_clim() for image in images} == {(-3.0, 3.0)}
    assert {ax.images[0].get_clim() for ax in axes[1]} == {(-2.0, 2.0)}
    np.testing.assert_allclose(images[0].get_array()[0], np.linspace(-1, 1, 5))


def test_an_error_map():
    ax = plot_error_map(lambda X: X[:, 0], lambda X: X[:, 0] + 0.01, n_points=4)
    np.testing.assert_allclose(ax.images[0].get_array(), -2, rtol=1e-12)
    ax = plot_error_map(lambda x: x, lambda x: x, n_inputs=1, n_points=7)
    assert ax.get_yscale() == "log"
    assert (ax.lines[0].get_ydata() > 0).all()


@pytest.mark.parametrize("n_inputs", [1, 2])
def test_channels_of_each_layer(n_inputs):
    network = random_mmnn(8, 3, 4, n_inputs=n_inputs, activation="tanh")
    axes = plot_channels(network, n_points=11)
    assert axes.shape == (4, 3)
    assert [ax.axison for ax in axes[-1]] == [True, False, False]
    Z = np.linspace(-1, 1, 11)[:, None]
    if n_inputs == 1:
        wanted = [values for *_, values in network.passes(Z)]
        np.testing.assert_allclose(axes[1, 2].lines[0].get_ydata(), wanted[1][:, 2])
    assert plot_channels(network, n_points=5, most=2).shape == (4, 2)


def test_components_of_a_layer():
    network = random_mmnn(8, 3, 4, n_inputs=2, activation="tanh")
    axes = plot_components(network, 2, n_points=9)
    assert axes.shape == (3, 3)
    assert plot_components(network, 1, X=np.zeros((4, 2)), n_points=5).shape == (3, 2)
    line = axes[1, 2].lines[0]
    layer = network.layers[1]
    rows = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
    H = next(iter(network.passes(rows)))[3]
    h = np.tile(np.median(H, axis=0), (9, 1))
    h[:, 2] = line.get_xdata()
    assert line.get_xdata()[[0, -1]] == pytest.approx([H[:, 2].min(), H[:, 2].max()])
    wanted = np.tanh(h @ layer.W + layer.b) @ layer.A + layer.c
    np.testing.assert_allclose(line.get_ydata(), wanted[:, 1])


def test_a_spectrum_over_time():
    projections = np.array([[1.0, 0.1], [0.01, 0.0], [1e-3, 1e-4]])
    ax = plot_residual_spectrum([1, 2, 4], projections, frequency=[0, 3], xlabel="step")
    drawn = np.asarray(ax.collections[0].get_array()).reshape(2, 3)
    np.testing.assert_allclose(drawn, [[0, -2, -3], [-1, -16, -4]], atol=1e-12)
    assert ax.get_xlabel() == "step"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InvalidDataError, match="at least one model"):
        plot_film_strip({}, np.sin)
    with pytest.raises(InvalidDataError, match=r"shape \(3, 2\)"):
        plot_error_map(lambda _: np.zeros((3, 2)), np.sin, n_inputs=1, n_points=3)
    with pytest.raises(InvalidSettingError, match="3 inputs"):
        plot_channels(random_mmnn(4, 2, 2, n_inputs=3))
    with pytest.raises(InvalidSettingError, match="layer=5"):
        plot_components(random_mmnn(4, 2, 2), 5)
    with pytest.raises(InvalidDataError, match="p are wanted"):
        plot_residual_spectrum([1, 2], np.zeros((3, 2)))
