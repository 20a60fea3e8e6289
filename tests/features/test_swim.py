"""SWIM as published, and none of the defects that the anchor library was shown to have."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from solvenet.errors import FewPairsWarning, SolvenetError
from solvenet.estimators import SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.features import ACTIVATIONS, SWIM, get_activation, sample_layers
from solvenet.features.rows import row_set

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (300, 3))
Y = np.sin(3 * X.sum(axis=1, keepdims=True))
TANH = get_activation("tanh")
RELU = get_activation("relu")


def pair_of(unit_weights, unit_bias, X, slope, shift):
    """Recover the two points of a unit: w'x + b = -shift and slope - shift."""
    z = X @ unit_weights + unit_bias
    first = np.flatnonzero(np.abs(z + shift) < 1e-9)
    second = np.flatnonzero(np.abs(z - slope + shift) < 1e-9)
    direction = unit_weights / (unit_weights @ unit_weights) * slope
    for i in first:
        for j in second:
            if np.allclose(X[j] - X[i], direction, atol=1e-9):
                return i, j
    return None


# -- what the paper says -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "relu", "sigmoid", "gelu", "sin", "identity"])
def test_units_take_fixed_values_at_their_two_points(name):
    activation = ACTIVATIONS[name]
    layer = SWIM().sample(X, Y, 40, activation=activation)
    at_first, at_second = (
        float(activation.function(np.array([z]))[0])
        for z in (-activation.shift, activation.slope - activation.shift)
    )
    values = layer(X)
    for k in range(40):
        pair = pair_of(layer.weights[:, k], layer.biases[k], X, activation.slope, activation.shift)
        assert pair is not None
        assert values[pair[0], k] == pytest.approx(at_first, abs=1e-9)
        assert values[pair[1], k] == pytest.approx(at_second, abs=1e-9)
    expected = {"tanh": (-0.5, 0.5), "relu": (0, 1), "sigmoid": (0.25, 0.75), "identity": (0, 1)}
    if name in expected:
        assert (at_first, at_second) == pytest.approx(expected[name])


def test_density_is_that_of_definition_2():
    """All pairs of a small set are candidates: the frequencies follow the density."""
    points = np.array([[0.0], [1.0], [3.0], [3.5], [7.0]])
    target = np.array([[0.0], [2.0], [2.5], [0.0], [1.0]])
    i, j = np.triu_indices(5, 1)
    density = np.abs(target[i, 0] - target[j, 0]) / np.abs(points[i, 0] - points[j, 0])
    counts = np.zeros(len(i))
    for seed in range(4000):
        layer = SWIM().sample(points, target, 1, activation=TANH, seed=seed)
        pair = pair_of(layer.weights[:, 0], layer.biases[0], points, TANH.slope, TANH.shift)
        counts[np.flatnonzero((i == min(pair)) & (j == max(pair)))] += 1
    assert counts[density == 0].sum() == 0
    some = density > 0
    expected = 4000 * density[some] / density.sum()
    assert chisquare(counts[some], expected).pvalue > 1e-3


def test_density_uses_the_largest_output_and_the_euclidean_input_distance():
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    target = np.array([[0.0, 0.0], [1.0, -10.0], [0.0, 0.1]])
    # Pairs: 10/5, 0.1/1, 10.1/sqrt(18).
    density = np.array([2.0, 0.1, 10.1 / np.sqrt(18)])
    first = []
    for seed in range(3000):
        layer = SWIM().sample(points, target, 1, activation=TANH, seed=seed)
        first.append(round(float(np.linalg.norm(layer.weights) ** -1), 6))
    lengths = np.round(np.array([5.0, 1.0, np.sqrt(18)]) / TANH.slope, 6)
    counts = [first.count(length) for length in lengths]
    assert chisquare(counts, 3000 * density / density.sum()).pvalue > 1e-3


def test_later_layers_are_sampled_on_images_of_the_same_rows():
    layers = sample_layers(SWIM(), X, Y, (30, 20), activation=TANH).layers
    images = layers[0](X)
    for k in range(20):
        pair = pair_of(layers[1].weights[:, k], layers[1].biases[k], images, TANH.slope, TANH.shift)
        assert pair is not None


def test_without_differences_in_the_target_pairs_are_uniform():
    layer = SWIM().sample(X, np.ones((300, 1)), 50, activation=TANH)
    assert layer.n_features_out == 50
    assert np.isfinite(layer.weights).all()


# -- the anchor's defects (notes/swim.md, section 2) ----------------------------------------


def test_d1_repeated_inputs_do_not_collapse_the_network(rng):
    grid = rng.integers(0, 10, (1000, 2)).astype(float)
    y = np.sin(grid.sum(axis=1)) + 0.05 * rng.standard_normal(1000)
    for seed in range(3):
        model = SampledNetworkRegressor(100, random_state=seed).fit(grid, y)
        assert (np.abs(model.hidden_.layers.layers[0].weights).sum(axis=0) > 0).all()
        assert model.score(grid, np.sin(grid.sum(axis=1))) > 0.95


def test_d1_classes_with_label_noise_on_discrete_inputs(rng):
    inputs = rng.integers(0, 3, (500, 4)).astype(float)
    clean = (inputs.sum(axis=1) > 4).astype(int)
    noisy = np.where(rng.random(500) < 0.1, 1 - clean, clean)
    for seed in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = SampledNetworkClassifier(random_state=seed).fit(inputs, noisy)
        assert model.score(inputs, clean) > 0.95


def test_d2_near_duplicates_do_not_take_all_units(rng):
    clean = rng.uniform(-1, 1, (500, 2))
    near = clean[:50] + 1e-7 * rng.standard_normal((50, 2))
    inputs = np.vstack([clean, near])
    target = np.sin(2 * inputs.sum(axis=1)) + 0.01 * rng.standard_normal(550)
    test = rng.uniform(-0.9, 0.9, (500, 2))
    truth = np.sin(2 * test.sum(axis=1))
    errors = []
    for rows in (slice(0, 500), slice(0, 550)):
        model = SampledNetworkRegressor(100, random_state=0).fit(inputs[rows], target[rows])
        errors.append(np.sqrt(np.mean((model.predict(test) - truth) ** 2)))
    assert errors[1] < 2 * errors[0]


@pytest.mark.parametrize("width", [50, 200, 1000])
def test_d16_no_unit_is_wasted(width, rng):
    """As many distinct pairs as units, also when mirrored pairs count as one."""
    layer = SWIM().sample(
        rng.uniform(-1, 1, (width, 2)), rng.random((width, 1)), width, activation=TANH
    )
    columns = np.vstack([layer.weights, layer.biases])
    columns = columns * np.sign(columns[:1])
    assert np.unique(columns.round(9), axis=1).shape[1] == width


def test_d16_few_rows_give_fewer_units_and_say_so():
    with pytest.warns(FewPairsWarning, match="200 neurons were asked for and the data have 45"):
        layer = SWIM().sample(X[:10], Y[:10], 200, activation=TANH)
    assert layer.n_features_out == 45
    with pytest.warns(FewPairsWarning, match="have 90 distinct"):
        assert SWIM().sample(X[:10], Y[:10], 200, activation=RELU).n_features_out == 90


def test_d18_each_layer_has_its_own_pairs():
    layers = sample_layers(SWIM(), X, Y, (40, 40), activation=RELU, seed=3).layers
    images = layers[0](X)
    pairs = [
        {pair_of(layer.weights[:, k], layer.biases[k], inputs, 1.0, 0.0) for k in range(40)}
        for layer, inputs in ((layers[0], X), (layers[1], images))
    ]
    assert len(pairs[0] & pairs[1]) < 10


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, bool])
def test_d9_integers_do_not_wrap_around(dtype, rng):
    inputs = rng.integers(0, 2 if dtype is bool else 100, (200, 5)).astype(dtype)
    y = inputs.astype(float).sum(axis=1)
    same = [
        SampledNetworkRegressor(20, random_state=0).fit(data, y).predict(inputs[:20])
        for data in (inputs, inputs.astype(float))
    ]
    assert np.array_equal(same[0], same[1])


@pytest.mark.parametrize("scale", [1e-11, 1e-150, 1e150])
def test_d19_no_absolute_threshold(scale):
    """A power of two changes nothing at all, whatever its size."""
    factor = 2.0 ** round(np.log2(scale))
    one = SWIM().sample(X, Y, 50, activation=TANH)
    other = SWIM().sample(X * factor, Y, 50, activation=TANH)
    assert np.array_equal(one.weights, other.weights * factor)
    assert np.allclose(one.biases, other.biases)


def test_d19_one_column_on_another_scale():
    y = np.sin(X).sum(axis=1)
    scaled = X * np.array([1.0, 1e4, 1e-8])
    model = SampledNetworkRegressor(200, random_state=0).fit(scaled, y)
    assert model.score(scaled, y) > 0.9999


def test_d12_noise_does_not_make_the_error_explode_with_the_width(rng):
    """Double descent at width = rows: the ridge that is chosen by itself prevents it."""
    inputs = rng.uniform(-1, 1, (500, 5))
    truth = np.sin(inputs.sum(axis=1))
    noisy = truth + 0.2 * rng.standard_normal(500)
    test = rng.uniform(-1, 1, (1000, 5))
    errors = []
    for width in (100, 500, 1000):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # more neurons than rows: on purpose here
            model = SampledNetworkRegressor(width, random_state=0).fit(inputs, noisy)
        errors.append(np.sqrt(np.mean((model.predict(test) - np.sin(test.sum(axis=1))) ** 2)))
    assert max(errors) < 0.2  # the noise itself


def test_d10_predictions_have_the_shape_of_the_target():
    model = SampledNetworkRegressor(20, random_state=0)
    assert model.fit(X, Y[:, 0]).predict(X).shape == (300,)
    assert model.fit(X, Y).predict(X).shape == (300, 1)
    assert model.fit(X, np.hstack([Y, Y])).predict(X).shape == (300, 2)


def test_d3_grid_search_really_searches():
    from sklearn.model_selection import GridSearchCV

    grid = {"hidden_layer_sizes": [2, 10, 100], "activation": ["tanh", "relu"]}
    search = GridSearchCV(SampledNetworkRegressor(random_state=0), grid, cv=3).fit(X, Y[:, 0])
    assert len(set(search.cv_results_["mean_test_score"])) == 6
    width = search.best_params_["hidden_layer_sizes"]
    assert search.best_estimator_.n_units_ == (width,)


# -- one weighted set of rows, one network --------------------------------------------------


@given(seed=st.integers(0, 100), order=st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_row_order_and_weights_do_not_matter(seed, order):
    weights = np.array([order.randint(0, 3) for _ in range(300)], dtype=float)
    if np.count_nonzero(weights) < 2:
        return
    shuffled = list(range(300))
    order.shuffle(shuffled)
    layers = [
        SWIM().sample(X, Y, 30, activation=TANH, rows=row_set(X, Y, weights), seed=seed),
        SWIM().sample(
            X[shuffled],
            Y[shuffled],
            30,
            activation=TANH,
            rows=row_set(X[shuffled], Y[shuffled], weights[shuffled]),
            seed=seed,
        ),
        SWIM().sample(
            X.repeat(weights.astype(int), axis=0),
            Y.repeat(weights.astype(int), axis=0),
            30,
            activation=TANH,
            seed=seed,
        ),
    ]
    for other in layers[1:]:
        assert np.array_equal(layers[0].weights, other.weights)
        assert np.array_equal(layers[0].biases, other.biases)


def test_row_set_merges_repetitions_only():
    inputs = np.array([[0.0], [1.0], [0.0], [2.0], [0.0]])
    target = np.array([[1.0], [1.0], [1.0], [1.0], [3.0]])
    rows = row_set(inputs, target, np.array([1.0, 2.0, 3.0, 0.0, 1.0]))
    found = {(inputs[i, 0], target[i, 0]): w for i, w in zip(rows.index, rows.weights, strict=True)}
    assert found == {(0.0, 1.0): 4.0, (1.0, 1.0): 2.0, (0.0, 3.0): 1.0}


def test_identical_inputs_give_a_constant_with_a_warning():
    with pytest.warns(FewPairsWarning, match="All inputs are identical"):
        layer = SWIM().sample(np.ones((5, 2)), np.arange(5.0)[:, None], 4, activation=TANH)
    assert layer.n_features_out == 1
    assert not layer.weights.any()


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"candidates": 0}, "candidates=0 was given"),
        ({"floor": -1.0}, "floor=-1.0"),
        ({"first_floor": np.nan}, "first_floor=nan"),
    ],
)
def test_bad_settings_are_refused(settings_, message):
    with pytest.raises(SolvenetError, match=message):
        sample_layers(SWIM(**settings_), X, Y, (5, 5), activation=TANH)


def test_unknown_activation_is_refused():
    with pytest.raises(SolvenetError, match="activation='swish' is unknown"):
        get_activation("swish")
