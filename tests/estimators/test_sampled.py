"""The estimators: scikit-learn's contract, the promises of the docstrings, bad input."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from scipy.stats import ortho_group
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from solvenet.errors import SolvenetError, SolvenetWarning
from solvenet.estimators import (
    SampledFeatures,
    SampledNetworkClassifier,
    SampledNetworkRegressor,
)
from solvenet.estimators.calibration import expected_calibration_error
from solvenet.features import SWIM, FourierFeatures, GivenFeatures, RandomFeatures
from solvenet.solvers import QR, NormalEquations

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (400, 3))
Y = np.sin(2 * X.sum(axis=1))
LABELS = np.where(Y > 0.5, "high", np.where(Y < -0.5, "low", "middle"))

# What scikit-learn 1.9 runs. Fewer means that a tag made it skip silently (#33003).
EXPECTED = {
    SampledNetworkRegressor: 80,
    SampledNetworkClassifier: 83,
    SampledFeatures: 74,
}
NEEDS = ("cupy", "dpnp", "cuda", "XPU", "MPS", "torch", "array_api_strict", "SCIPY_ARRAY_API")


@pytest.mark.parametrize("kind", EXPECTED)
def test_scikit_learns_checks(kind):
    """All checks pass; those skipped need a device or a library that is not here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(kind(), on_skip=None, on_fail=None)
    assert len(results) >= EXPECTED[kind]
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert failed == []
    skipped = [str(r["exception"]) for r in results if r["status"] == "skipped"]
    assert all(any(need in reason for need in NEEDS) for reason in skipped)


@pytest.mark.parametrize("kind", [SampledNetworkRegressor, SampledNetworkClassifier])
def test_torch_tensors_in_torch_tensors_out(kind):
    torch = pytest.importorskip("torch", reason="torch is an optional extra")
    y = Y if kind is SampledNetworkRegressor else (Y > 0).astype(int)
    plain = kind(50, random_state=0).fit(X, y)
    with config_context(array_api_dispatch=True):
        model = kind(50, random_state=0).fit(torch.asarray(X), torch.asarray(y))
        out = model.predict(torch.asarray(X))
    assert isinstance(out, torch.Tensor)
    assert np.allclose(out.numpy(), plain.predict(X), rtol=1e-12)


# -- accuracy ------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "most"), [(1, 5e-12), (10, 2e-8)])
def test_smooth_functions_to_many_digits(a, most):
    """5000 points, 1000 tanh units, defaults: the published solvers stop at 1.3e-7 (a = 1)."""
    rng = np.random.default_rng(1)
    points, test = rng.random((5000, 2)), rng.random((5000, 2))
    model = SampledNetworkRegressor((1000,), random_state=0)
    model.fit(points, np.sin(a * points.sum(axis=1)))
    error = np.abs(model.predict(test) - np.sin(a * test.sum(axis=1))).mean()
    assert error <= most


@pytest.mark.parametrize("layers", [(60,), (60, 40), (60, 40, 30)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sin", "sigmoid", "gelu", np.arctan])
def test_every_activation_and_depth_fits(layers, activation):
    model = SampledNetworkRegressor(layers, activation, random_state=0).fit(X, Y)
    assert model.score(X, Y) > 0.85  # stacking loses accuracy: a known fact, not a promise
    assert model.n_units_ == layers


@pytest.mark.parametrize(
    "sampler",
    ["random", "fourier", SWIM(first_floor=0.1), RandomFeatures(distribution="uniform")],
)
def test_other_samplers_fit(sampler):
    assert SampledNetworkRegressor(100, sampler=sampler, random_state=0).fit(X, Y).score(X, Y) > 0.9


def test_given_features_are_used_as_given(rng):
    W, b = rng.standard_normal((3, 20)), rng.standard_normal(20)
    features = SampledFeatures(20, sampler=GivenFeatures(W, b), scaling=None).fit(X)
    assert np.allclose(features.transform(X), np.tanh(X @ W + b))


def test_fourier_features_approximate_the_gaussian_kernel():
    features = SampledFeatures(
        20000, sampler=FourierFeatures(length_scale=0.7), scaling=None, random_state=0
    )
    with pytest.warns(SolvenetWarning, match="more neurons than rows"):
        H = features.fit_transform(X[:20]) * np.sqrt(2 / 20000)
    distance = ((X[:20, None] - X[None, :20]) ** 2).sum(axis=-1)
    assert np.abs(H @ H.T - np.exp(-distance / (2 * 0.7**2))).max() < 5 / np.sqrt(20000)


@pytest.mark.parametrize(
    ("load", "least"), [(load_iris, 0.9), (load_breast_cancer, 0.95), (load_digits, 0.97)]
)
def test_classifies_real_tables(load, least):
    inputs, labels = load(return_X_y=True)
    train, test, train_y, test_y = train_test_split(inputs, labels, random_state=0)
    model = SampledNetworkClassifier(random_state=0).fit(train, train_y)
    assert model.score(test, test_y) >= least
    codes = np.searchsorted(model.classes_, test_y)
    measured = expected_calibration_error(model.predict_proba(test), codes)
    # An error of calibration itself, and the noise of 15 bins of so many rows.
    assert measured < 0.03 + 0.5 * np.sqrt(15 / len(test))
    assert model.calibration_error_ < 0.03 + 0.5 * np.sqrt(15 / len(train))


def test_regresses_a_real_table():
    inputs, target = load_diabetes(return_X_y=True)
    predicted = cross_val_predict(SampledNetworkRegressor(random_state=0), inputs, target)
    assert 1 - ((predicted - target) ** 2).mean() / target.var() > 0.45


# -- invariances ---------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_iris, load_diabetes])
def test_isotropic_scaling_is_invariant_to_rigid_motions_and_scaling(load, rng):
    """Theorem 3 of the paper, to rounding (amplified by the condition of the solve)."""
    inputs, target = load(return_X_y=True)
    rotation = ortho_group.rvs(inputs.shape[1], random_state=0)
    moved = 7.3 * (inputs @ rotation) + rng.standard_normal(inputs.shape[1])
    options = {"scaling": "isotropic", "random_state": 0, "alpha": 1e-3}
    one = SampledNetworkRegressor(100, **options).fit(inputs, target.astype(float))
    other = SampledNetworkRegressor(100, **options).fit(moved, target.astype(float))
    spread = target.std()
    assert np.abs(one.predict(inputs) - other.predict(moved)).max() < 1e-9 * spread


def test_columns_may_be_in_any_unit():
    units = np.array([1.0, 1e6, 1e-6])
    one = SampledNetworkRegressor(100, random_state=0).fit(X, Y)
    other = SampledNetworkRegressor(100, random_state=0).fit(X * units, Y)
    assert np.abs(one.predict(X) - other.predict(X * units)).max() < 1e-6


@pytest.mark.parametrize("limit", ["8MB", "9MB", None])
def test_memory_limit_changes_nothing(limit):
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((5000, 4))
    target = np.sin(inputs.sum(axis=1)) + 0.1 * rng.standard_normal(5000)
    free = SampledNetworkRegressor((50, 100), random_state=0).fit(inputs, target)
    tight = SampledNetworkRegressor((50, 100), random_state=0, memory_limit=limit)
    tight.fit(inputs, target)
    assert (tight.plan_.hold == "memory") == (limit is None)
    assert np.abs(tight.predict(inputs) - free.predict(inputs)).max() < 1e-8


def test_same_seed_same_network_other_seed_other_network():
    one, two, other = (SampledNetworkRegressor(50, random_state=s).fit(X, Y) for s in (1, 1, 2))
    assert np.array_equal(one.coef_, two.coef_)
    assert not np.array_equal(one.coef_, other.coef_)


# -- promises ------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["columns", "isotropic", None])
def test_far_away_predictions_stay_in_range(scaling):
    model = SampledNetworkRegressor(300, scaling=scaling, random_state=0).fit(X, Y)
    far = model.predict(np.vstack([X * 1e3, X * 1e12, -X * 1e6]))
    spread = Y.max() - Y.min()
    assert far.max() <= Y.max() + spread
    assert far.min() >= Y.min() - spread
    if scaling != "isotropic":  # one point of the edge stands for all that lie beyond it
        assert np.allclose(model.predict(X * 1e12), model.predict(X * 1e9))


def test_predictive_deviation_covers_new_observations():
    rng = np.random.default_rng(5)
    inputs = rng.uniform(-2, 2, (2000, 2))
    target = np.sin(inputs).sum(axis=1) + 0.3 * rng.standard_normal(2000)
    model = SampledNetworkRegressor(100, random_state=0).fit(inputs[:1000], target[:1000])
    mean, std = model.predict(inputs[1000:], return_std=True)
    covered = np.mean(np.abs(target[1000:] - mean) < 1.96 * std)
    assert 0.93 < covered < 0.97
    assert std.shape == mean.shape
    assert 0.28 < std.mean() < 0.36


def test_several_targets_are_as_good_as_one():
    both = SampledNetworkRegressor(200, random_state=0).fit(X, np.column_stack([Y, 1e6 * Y]))
    assert both.predict(X).shape == (400, 2)
    assert both.coef_.shape == (2, 203)
    assert np.allclose(both.predict(X)[:, 1], 1e6 * both.predict(X)[:, 0], rtol=1e-6)
    _, std = both.predict(X, return_std=True)
    assert std.shape == (400, 2)


def test_string_labels_probabilities_and_decision_function_agree():
    model = SampledNetworkClassifier(100, random_state=0).fit(X, LABELS)
    proba = model.predict_proba(X)
    assert list(model.classes_) == ["high", "low", "middle"]
    assert np.allclose(proba.sum(axis=1), 1)
    assert np.array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
    assert np.allclose(model.predict_log_proba(X), np.log(proba))
    assert np.array_equal(model.decision_function(X).argmax(axis=1), proba.argmax(axis=1))


def test_class_weight_moves_the_border(rng):
    rare = (rng.random(400) < 0.1 * (1 + np.sign(Y))).astype(int)
    plain = SampledNetworkClassifier(50, random_state=0).fit(X, rare).predict(X).mean()
    even = SampledNetworkClassifier(50, class_weight="balanced", random_state=0).fit(X, rare)
    assert even.predict(X).mean() > plain + 0.2


def test_a_class_between_two_others_is_not_masked():
    """Regression of indicators never gives the middle class the largest score."""
    line = np.linspace(-1, 1, 600)[:, None]
    middle = np.digitize(line[:, 0], [-1 / 3, 1 / 3])
    model = SampledNetworkClassifier(1, "identity", random_state=0).fit(line, middle)
    assert model.score(line, middle) > 0.95


def test_frames_names_output_and_metadata():
    pandas = pytest.importorskip("pandas", reason="pandas is not needed by solvenet")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    features = SampledFeatures(4, random_state=0).set_output(transform="pandas").fit(frame, Y)
    out = features.transform(frame)
    assert list(out.columns) == [f"sampledfeatures{i}" for i in range(4)]
    assert list(features.get_feature_names_out()) == list(out.columns)
    with pytest.raises(ValueError, match="feature names"):
        features.transform(frame.rename(columns={"a": "z"}))
    with config_context(enable_metadata_routing=True):
        model = SampledNetworkRegressor(20, random_state=0).set_fit_request(sample_weight=True)
        features = SampledFeatures(10).set_fit_request(sample_weight=False)
        pipeline = make_pipeline(features, model)
        pipeline.fit(X, Y, sample_weight=np.ones(400))


def test_html_shows_the_settings():
    html = SampledNetworkRegressor(17)._repr_html_()
    assert "SampledNetworkRegressor" in html
    assert "17" in html


def test_callbacks_see_every_layer_and_the_solve():
    from sklearn.callback import FitCallback

    class Recorder(FitCallback):
        def __init__(self):
            self.names = []

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **_):
            pass

        def on_fit_task_end(self, estimator, context, **_):
            self.names.append(context.task_name)

    recorder = Recorder()
    SampledNetworkRegressor((20, 10), random_state=0).set_callbacks(recorder).fit(X, Y)
    assert recorder.names == ["sample layer 1", "sample layer 2", "solve read-out", "fit"]


def test_settings_are_left_alone():
    model = SampledNetworkRegressor([20, 10], sampler=SWIM(), solver=QR(), random_state=0)
    before = dict(model.get_params().items())
    model.fit(X, Y)
    assert model.get_params() == before
    assert clone(model).get_params() == before


def test_the_solver_is_the_one_that_was_asked_for():
    model = SampledNetworkRegressor(20, solver="qr", random_state=0).fit(X, Y)
    assert model.result_.solver == "QR"
    model = SampledNetworkRegressor(20, solver=NormalEquations(), alpha=1.0).fit(X, Y)
    assert (model.result_.solver, model.alpha_) == ("NormalEquations", pytest.approx(1.0))
    cut = SampledNetworkRegressor(200, alpha=0.0, rcond="auto", solver="qr", random_state=0)
    assert 0 < cut.fit(X, Y).result_.rcond < 1
    assert cut.score(X, Y) > 0.99


def test_constant_targets_and_columns():
    constant = SampledNetworkRegressor(20, random_state=0).fit(X, np.full(400, 7.0))
    assert np.allclose(constant.predict(X), 7.0, rtol=1e-14)
    padded = np.column_stack([X, np.full(400, 1e9), np.zeros(400)])
    model = SampledNetworkRegressor(100, random_state=0).fit(padded, Y)
    assert model.score(padded, Y) > 0.99
    with pytest.warns(SolvenetWarning, match="All inputs are identical"):
        flat = SampledNetworkRegressor(5, random_state=0).fit(np.ones((10, 2)), np.arange(10.0))
    assert np.allclose(flat.predict(np.ones((1, 2))), 4.5)


# -- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "target", "message"),
    [
        (np.where(X > 0.99, np.nan, X), Y, "contains NaN"),
        (np.where(X > 0.99, np.inf, X), Y, "contains infinity"),
        (X, np.where(Y > 0.9, np.nan, Y), "y contains NaN"),
        (X[:1], Y[:1], "minimum of 2 is required"),
        (X, Y[:10], "inconsistent numbers of samples"),
        (X[:, 0], Y, "Reshape your data"),
        (X[:, :0], Y, "0 feature"),
        (X[:0], Y[:0], "0 sample"),
        (scipy.sparse.csr_array(X), Y, "dense data is required. Use '.toarray\\(\\)'"),
        (X.astype(complex), Y, "Complex data not supported"),
    ],
)
def test_bad_data_is_refused(inputs, target, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SampledNetworkRegressor(10).fit(inputs, target)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes=0 was given"),
        ({"hidden_layer_sizes": -3}, "whole number >= 1"),
        ({"hidden_layer_sizes": 2.5}, "hidden_layer_sizes=2.5"),
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes=\(\) was given"),
        ({"hidden_layer_sizes": "wide"}, "hidden_layer_sizes='wide' is unknown"),
        ({"activation": "swish"}, "activation='swish' is unknown"),
        ({"sampler": "best"}, "sampler='best' is unknown"),
        ({"solver": "lu"}, "solver='lu' is unknown"),
        ({"scaling": "rows"}, "scaling='rows' is unknown"),
        ({"alpha": -1.0}, "alpha=-1.0 was given"),
        ({"alpha": "ridge"}, "alpha='ridge' is unknown"),
        ({"rcond": 1.5}, "would drop every direction"),
        ({"memory_limit": "lots"}, "memory_limit='lots' is not a size"),
        ({"memory_limit": "1KB"}, "memory_limit is 0.0 MB, but"),
        ({"sampler": RandomFeatures(distribution="cauchy")}, "distribution='cauchy'"),
        ({"sampler": FourierFeatures(length_scale=0.0)}, "length_scale=0"),
        ({"sampler": GivenFeatures(np.ones((2, 3)), np.ones(3))}, r"weights of shape \(2, 3\)"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    model = SampledNetworkRegressor(10).set_params(**settings)
    with pytest.raises(SolvenetError, match=message):
        model.fit(X, Y)


def test_more_neurons_than_rows_are_used_with_a_warning():
    with pytest.warns(SolvenetWarning, match="500 neurons were asked for and there are 400"):
        model = SampledNetworkRegressor(500, random_state=0).fit(X, Y)
    assert model.score(X, Y) > 0.999


def test_one_class_is_refused():
    with pytest.raises(SolvenetError, match=r"y holds one class only \('high'\)"):
        SampledNetworkClassifier(10).fit(X, np.full(400, "high"))
    weights = (LABELS == "low").astype(float)
    with pytest.raises(SolvenetError, match="one class only"):
        SampledNetworkClassifier(10).fit(X, LABELS, sample_weight=weights)


def test_continuous_labels_are_refused():
    with pytest.raises(ValueError, match="Unknown label type"):
        SampledNetworkClassifier(10).fit(X, Y)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_unfitted_and_wrong_width(method):
    with pytest.raises(NotFittedError):
        getattr(SampledNetworkClassifier(), method)(X)
    model = SampledNetworkClassifier(10, random_state=0).fit(X, LABELS)
    with pytest.raises(ValueError, match="2 features, but SampledNetworkClassifier is expecting 3"):
        getattr(model, method)(X[:, :2])
