"""Gradients of fitted networks against differences, and what they say of the inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvenet import SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.errors import InvalidSettingError

RNG = np.random.default_rng(0)
X = RNG.standard_t(3, (400, 4))  # heavy tails, so that inputs are bent
Y = np.stack([np.sin(X[:, 0]) + X[:, 1] ** 2, X[:, 0] * X[:, 2]], axis=1)


def differences(function, X, step=1e-5):
    columns = []
    for j in range(X.shape[1]):
        forward, back = X.copy(), X.copy()
        forward[:, j] += step
        back[:, j] -= step
        columns.append((function(forward) - function(back)) / (2 * step))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("activation", ["tanh", "sin", "gelu", "sigmoid"])
@pytest.mark.parametrize("scaling", ["columns", "isotropic", None])
@pytest.mark.parametrize("sizes", ["auto", (40, 30)])
def test_the_gradient_is_that_of_the_predictions(activation, scaling, sizes):
    model = SampledNetworkRegressor(
        sizes, activation, scaling=scaling, alpha=1e-2, random_state=0
    ).fit(X, Y)
    points = 0.5 * X[:50]  # inside, where nothing is clipped
    readout = replace(model.network_.readout, low=None, high=None)
    expected = differences(replace(model.network_, readout=readout), points)
    G = model.gradient(points)
    assert G.shape == (50, 2, 4)
    np.testing.assert_allclose(G, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_one_target_has_no_axis_and_classes_have_logits():
    one = SampledNetworkRegressor(random_state=0).fit(X, Y[:, 0])
    assert one.gradient(X[:5]).shape == (5, 4)
    two = SampledNetworkClassifier(random_state=0).fit(X, Y[:, 0] > 1)
    points = 0.5 * X[:20]
    expected = differences(two.decision_function, points)
    np.testing.assert_allclose(
        two.gradient(points), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )
    three = SampledNetworkClassifier(random_state=0).fit(X, np.digitize(Y[:, 0], [0, 2]))
    assert three.gradient(points).shape == (20, 3, 4)


@pytest.mark.parametrize("scaling", ["columns", "isotropic"])
def test_far_outside_the_predictions_stand_still_along_the_clipping(scaling):
    model = SampledNetworkRegressor(scaling=scaling, clip=True, random_state=0).fit(X, Y)
    outward = 1e3 * np.eye(4)
    far = model.hidden_.scaling.center + outward
    G = model.gradient(far)
    expected = differences(model.network_, far, step=1e-2)
    np.testing.assert_allclose(np.einsum("itj,ij->it", G, outward), 0.0, atol=1e-6)
    if scaling == "columns":
        np.testing.assert_allclose(np.einsum("itj,ij->it", expected, outward), 0.0, atol=1e-6)


def test_inputs_that_do_not_matter_are_not_important():
    target = np.sin(X[:, 0]) + 0.1 * RNG.standard_normal(400)
    model = SampledNetworkRegressor(random_state=0).fit(X, target)
    shares = model.importances(X)
    assert shares.shape == (4,)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] > 0.6


def test_a_function_of_the_users_own_is_refused():
    model = SampledNetworkRegressor(activation=np.arctan, random_state=0).fit(X, Y)
    with pytest.raises(InvalidSettingError, match="derivative"):
        model.gradient(X)
