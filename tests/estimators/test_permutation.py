"""The permuted estimators: scikit-learn's contract, what is placed, bad input."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from solvenet import PermutationNetworkClassifier, PermutationNetworkRegressor
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.permutation import MultisetRecipe, storage_size

X = np.linspace(-2, 5, 300)[:, None]
Y = np.sin(2 * X[:, 0])

# What scikit-learn 1.9 runs. Fewer means that a tag made it skip silently (#33003).
EXPECTED = {PermutationNetworkRegressor: 53, PermutationNetworkClassifier: 55}
NEEDS = ("cupy", "dpnp", "cuda", "XPU", "MPS", "torch", "array_api_strict", "SCIPY_ARRAY_API")


@pytest.mark.parametrize("kind", EXPECTED)
def test_scikit_learns_checks(kind):
    """All checks pass; those skipped need a device or a library that is not here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(kind(), on_skip=None, on_fail=None)
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert failed == []
    assert len(results) >= EXPECTED[kind]
    skipped = [str(r["exception"]) for r in results if r["status"] == "skipped"]
    assert all(any(need in reason for need in NEEDS) for reason in skipped)


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 0.03),
        ({"values": "normal"}, 0.03),
        ({"values": "pairwise"}, 0.05),
        ({"bits": 1}, 0.1),
        ({"bits": 2}, 0.05),
        ({"bits": 1, "zeros": 0.5}, 0.1),
    ],
    ids=str,
)
def test_values_are_only_rearranged(options, most):
    model = PermutationNetworkRegressor(80, random_state=0, **options).fit(X, Y)
    assert np.abs(model.predict(X) - Y).max() <= most
    (result,) = model.results_
    drawn = model.recipe_.draw(80)
    assert np.array_equal(np.sort(result.coef), drawn)
    assert model.recipe_ == MultisetRecipe(
        options.get("values", "equidistant"),
        bits=options.get("bits"),
        zeros=options.get("zeros", 0.0),
        seed=model.recipe_.seed,
    )
    assert model.storage_ == storage_size(drawn)
    coef = model.network_.readout.coef[:, 0]
    np.testing.assert_allclose(coef, result.gamma * result.coef, rtol=1e-15)


def test_several_inputs(rng):
    inputs = rng.uniform(-1, 1, (500, 2))
    target = np.sin(3 * inputs[:, 0]) * inputs[:, 1]
    model = PermutationNetworkRegressor(160, random_state=0).fit(inputs[:400], target[:400])
    assert model.score(inputs[400:], target[400:]) > 0.97
    assert model.n_units_ == 160


def test_several_targets_have_a_permutation_each():
    targets = np.stack([Y, X[:, 0] ** 2], axis=1)
    model = PermutationNetworkRegressor(60, random_state=0).fit(X, targets)
    one = PermutationNetworkRegressor(60, random_state=0).fit(X, targets[:, 1])
    assert model.predict(X).shape == (300, 2)
    assert not np.array_equal(model.results_[0].coef, model.results_[1].coef)
    np.testing.assert_allclose(model.predict(X)[:, 1], one.predict(X), atol=1e-9)
    assert model.score(X, targets) > 0.999


@pytest.mark.parametrize(("load", "least"), [(load_iris, 0.9), (load_breast_cancer, 0.93)])
@pytest.mark.parametrize("bits", [None, 1])
def test_classifies_real_tables(load, least, bits):
    inputs, labels = load(return_X_y=True)
    model = PermutationNetworkClassifier(bits=bits, random_state=0)
    assert cross_val_score(model, inputs, labels, cv=5).mean() >= least


def test_regresses_a_real_table():
    inputs, target = load_diabetes(return_X_y=True)
    model = PermutationNetworkRegressor(40, random_state=0)
    predicted = cross_val_predict(model, inputs, target)
    assert 1 - ((predicted - target) ** 2).mean() / target.var() > 0.35


def test_labels_may_be_text():
    labels = np.where(Y > 0, "up", "down")
    model = PermutationNetworkClassifier(60, random_state=0).fit(X, labels)
    scores = model.decision_function(X)
    assert scores.shape == (300,)
    assert np.array_equal(model.predict(X) == "up", scores > 0)
    assert model.score(X, labels) > 0.95
    assert len(model.results_) == 1
    three = np.digitize(Y, [-0.5, 0.5])
    model.fit(X, three)
    assert model.decision_function(X).shape == (300, 3)
    assert len(model.results_) == 3


def test_the_same_seed_gives_the_same_model():
    one, same, other = (
        PermutationNetworkRegressor(40, values="uniform", random_state=seed).fit(X, Y)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one.predict(X), same.predict(X))
    assert not np.array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize(("n_rows", "units"), [(2, 10), (61, 12), (300, 60)])
def test_units_by_default_follow_the_rows(n_rows, units):
    model = PermutationNetworkRegressor(random_state=0).fit(X[:n_rows], Y[:n_rows])
    assert model.n_units_ == units


def test_far_inputs_stay_at_the_edge():
    model = PermutationNetworkRegressor(40, random_state=0).fit(X, Y)
    assert np.array_equal(model.predict([[50.0]]), model.predict([[1e6]]))


def test_targets_and_inputs_that_do_not_vary():
    model = PermutationNetworkRegressor(20, random_state=0).fit(X, np.full(300, 2.5))
    np.testing.assert_allclose(model.predict(X), 2.5)
    model = PermutationNetworkRegressor(20, random_state=0)
    with pytest.raises(InvalidDataError, match="varies"):
        model.fit(np.ones((30, 1)), Y[:30])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_units": 1}, "n_units"),
        ({"n_units": 7}, "even"),
        ({"n_units": "many"}, "n_units"),
        ({"values": "cauchy"}, "distribution"),
        ({"values": "normal", "bits": 1}, "bits"),
        ({"zeros": 1.0}, "zeros"),
        ({"method": "guess"}, "method"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", EXPECTED)
def test_bad_settings_are_refused(kind, options, message):
    model = clone(kind(**options))
    with pytest.raises(InvalidSettingError, match=message):
        model.fit(X, (Y > 0).astype(int))


def test_one_class_and_nan_are_refused():
    with pytest.raises(InvalidDataError, match="2 classes"):
        PermutationNetworkClassifier().fit(X, np.zeros(300))
    with pytest.raises(ValueError, match="NaN"):
        PermutationNetworkRegressor().fit(np.where(X > 4, np.nan, X), Y)
