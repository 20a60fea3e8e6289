"""Features on a device are those of NumPy, in float64 to rounding and in float32 to theirs."""

import itertools

import numpy as np
import pytest
from tests.devices.conftest import network

from solvenet.devices import get_device
from solvenet.errors import InvalidSettingError, UnsupportedProblemError
from solvenet.features import (
    ACTIVATIONS,
    DenseMap,
    FeatureMap,
    LayeredMap,
    SelectedMap,
    get_activation,
)
from solvenet.features.layers import ComposedMap

U32 = 2.0**-24


def on(features, device, X, dtype="float64", **options):
    return device.to_numpy(features.on(device, dtype)(device.to_device(X), **options))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize(("widths", "skip"), [((30,), 0.0), ((20, 30), 0.7)])
def test_the_features_of_a_network(device, data, activation, widths, skip):
    X = data[0]
    features = network(X, widths=widths, activation=activation, skip=skip)
    wanted = features(X)
    assert np.abs(on(features, device, X) - wanted).max() <= 1e-13 * np.abs(wanted).max()


@pytest.mark.parametrize("skip", [0.0, 0.5])
def test_inputs_that_are_bent_and_clipped(device, data, skip):
    X = np.concatenate([data[0], 100 * data[0], np.zeros((1, 4))])
    features = network(data[0], bend=True, skip=skip)
    assert np.abs(on(features, device, X) - features(X)).max() < 1e-12


def test_parts_and_chains_of_maps(device, data):
    X = data[0]
    whole = network(X, skip=0.5)
    index = np.array([3, 41, 0, 17])
    for features in (
        SelectedMap(whole, index),
        whole.part(index),
        ComposedMap(whole.scaling, whole.layers),
        whole.scaling,
        LayeredMap(whole.layers.layers),
    ):
        wanted = features(X)
        assert np.abs(on(features, device, X) - wanted).max() <= 1e-13 * np.abs(wanted).max()


def test_features_go_into_given_memory(device, data):
    features = network(data[0], skip=0.5)
    room = device.zeros((len(data[0]), features.n_features_out + 2), "float64")
    there = device.to_device(data[0])
    for chosen in (features, SelectedMap(features, np.arange(features.n_features_out))):
        chosen.on(device)(there, out=room[:, 1:-1])
        found = device.to_numpy(room)
        assert np.abs(found[:, 1:-1] - features(data[0])).max() < 1e-12
        assert not found[:, [0, -1]].any()


@pytest.mark.parametrize("activation", ["tanh", "sin", "relu", "identity"])
def test_float32_features_are_as_far_off_as_rounding_explains(device, data, activation):
    """The bound of a product of d + 1 terms, carried through a function of slope at most 1.

    Inputs are scaled in float64, so an offset of 2000 beside a spread of 1 costs nothing.
    """
    X = data[0]
    features = network(X, activation=activation)
    layer = features.layers.layers[0]
    Z = np.abs(features.scaling(X)) @ np.abs(layer.weights) + np.abs(layer.biases)
    # Rounded inputs, weights, products and sums; the function is good to a few units.
    bound = (X.shape[1] + 4) * U32 * Z + 8 * U32 * np.maximum(1.0, np.abs(features(X)))
    found = on(features, device, X, "float32")
    assert found.dtype == np.float32
    assert (np.abs(found - features(X)) <= bound).all()


def test_inputs_in_float32_are_taken_as_they_are(device, data):
    X = data[0].astype(np.float32)
    features = network(data[0])
    assert np.abs(on(features, device, X) - features(X.astype(float))).max() < 1e-12


def test_a_function_of_the_user_is_refused_with_what_to_do(data):
    features = network(data[0], activation=np.arctan)
    with pytest.raises(InvalidSettingError, match=r"runs no NumPy functions.*one of: cos, gelu"):
        features.on(get_device("array_api_strict"))
    skipping = network(data[0], activation=np.arctan, skip=1.0)
    with pytest.raises(InvalidSettingError, match="runs no NumPy functions"):
        skipping.on(get_device("array_api_strict"))


def test_a_map_without_a_form_for_devices_says_so():
    class Squares(FeatureMap):
        def __call__(self, X):
            return X**2

        def arrays(self):
            return {}

    with pytest.raises(UnsupportedProblemError, match="Squares has no form"):
        Squares().on(get_device("array_api_strict"))


def test_extreme_values_stay_finite_where_numpy_s_do(device):
    z = np.array([-1e4, -800.0, -40.0, 0.0, 40.0, 800.0, 1e4])[:, None]
    for name, dtype in itertools.product(sorted(ACTIVATIONS), ("float64", "float32")):
        layer = DenseMap(np.ones((1, 1)), np.zeros(1), get_activation(name))
        found = on(layer, device, z, dtype)
        assert np.allclose(found, layer(z.copy()), rtol=1e-5, atol=1e-3), name
