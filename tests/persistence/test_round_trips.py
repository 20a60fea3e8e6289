"""What is saved comes back bit for bit; what was altered does not come back at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from solvenet import (
    QR,
    SWIM,
    Activation,
    GivenFeatures,
    RandomFeatures,
    SampledFeatures,
    SampledNetworkClassifier,
    SampledNetworkRegressor,
    load,
    save,
)
from solvenet.errors import InvalidDataError, InvalidSettingError, ModelFileError
from solvenet.estimators.tables import TableEncoder
from solvenet.features import ACTIVATIONS

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = np.stack([np.sin(X.sum(axis=1)), X[:, 0] * X[:, 1]], axis=1)
LABELS = np.array(["low", "mid", "high"])[np.digitize(Y[:, 0], [-0.4, 0.4])]


def regressor(size=12, activation="tanh", **settings):
    settings.setdefault("random_state", 0)
    return SampledNetworkRegressor(size, activation, **settings)


def again(model, folder, **options):
    save(model, folder / "model.safetensors", **options)
    return load(folder / "model.safetensors")


# -- round trips -----------------------------------------------------------------------


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("scaling", ["columns", "isotropic", None])
def test_predictions_are_equal_bit_for_bit(activation, scaling, tmp_path):
    model = regressor((9, 12), activation, scaling=scaling).fit(X, Y)
    loaded = again(model, tmp_path)
    far = 3 * X
    assert np.array_equal(loaded.predict(far), model.predict(far))
    for mine, theirs in zip(
        loaded.predict(far, return_std=True), model.predict(far, return_std=True), strict=True
    ):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize(
    "options",
    [
        {"solver": "svd"},
        {"solver": "qr", "alpha": 1e-3},
        {"solver": QR(), "alpha": 0.0, "rcond": "auto"},
        {"sampler": "random"},
        {"sampler": RandomFeatures(scale=0.5)},
        {"sampler": SWIM(candidates=100), "clip": False},
        {"sampler": "fourier", "linear_skip": False},
        {"size": (np.int64(4), 5), "memory_limit": "10MB"},
        {"size": [6]},
        {"activation": Activation("tanh", ACTIVATIONS["tanh"].function, 1.0, 0.5)},
    ],
    ids=lambda options: ",".join(options),
)
@pytest.mark.parametrize("wide", [False, True])
def test_settings_and_attributes_come_back(options, wide, tmp_path):
    model = regressor(**options).fit(X, Y if wide else Y[:, 0])
    loaded = again(model, tmp_path)
    check_is_fitted(loaded)
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert loaded.predict(X).shape == model.predict(X).shape
    assert np.array_equal(loaded.coef_, model.coef_)
    assert np.array_equal(loaded.intercept_, model.intercept_)
    assert type(loaded.intercept_) is type(model.intercept_)
    for name in ("alpha_", "n_units_", "n_features_in_", "plan_", "seconds_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert str(loaded.diagnostics_) == str(model.result_.to_dict())
    refitted, same = clone(loaded).fit(X, Y), clone(model).fit(X, Y)
    assert np.array_equal(refitted.predict(X), same.predict(X))


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        LABELS.astype(object),
        np.digitize(Y[:, 0], [-0.4, 0.4]) + 10,
        Y[:, 0] > 0,
        np.where(Y[:, 0] > 0, 1.0, -1.0).astype(np.float32),
    ],
    ids=["text", "object", "int", "bool", "float32"],
)
def test_classifiers(labels, tmp_path):
    model = SampledNetworkClassifier(12, random_state=0, class_weight="balanced").fit(X, labels)
    loaded = again(model, tmp_path)
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert loaded.classes_.dtype == model.classes_.dtype
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.calibration_error_ == model.calibration_error_
    assert loaded.get_params() == model.get_params()


def test_class_weight_by_label(tmp_path):
    weight = {"low": 1.0, "mid": np.float64(2.0), "high": 1}
    model = SampledNetworkClassifier(12, random_state=0, class_weight=weight).fit(X, LABELS)
    assert again(model, tmp_path).class_weight == weight


def test_float32_data_keep_their_precision(tmp_path):
    X32 = X.astype(np.float32)
    model = regressor().fit(X32, Y)
    loaded = again(model, tmp_path)
    assert np.array_equal(loaded.predict(X32), model.predict(X32))
    assert loaded.mean_.dtype == model.mean_.dtype


def test_features(tmp_path):
    model = SampledFeatures((5, 7), linear_skip=True, random_state=0).fit(X, Y)
    loaded = again(model, tmp_path)
    assert np.array_equal(loaded.transform(X), model.transform(X))
    assert list(loaded.get_feature_names_out()) == list(model.get_feature_names_out())


def test_names_of_the_columns(tmp_path):
    pd = pytest.importorskip("pandas", reason="data frames are pandas frames")
    frame = pd.DataFrame(X, columns=["a", "b", 'Länge "c"'])
    model = regressor().fit(frame, Y)
    loaded = again(model, tmp_path)
    assert list(loaded.feature_names_in_) == list(frame)
    assert np.array_equal(loaded.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["b", "a", 'Länge "c"']])


@pytest.mark.parametrize("labels", [Y, LABELS], ids=["regressor", "classifier"])
def test_pipelines_of_a_table(labels, tmp_path):
    table = {"size": X[:, 0].copy(), "colour": np.array(["red", "blue", None] * 20, dtype=object)}
    table["size"][::7] = np.nan
    network = SampledNetworkClassifier if labels is LABELS else SampledNetworkRegressor
    model = make_pipeline(TableEncoder(), network(12, random_state=0)).fit(table, labels)
    loaded = again(model, tmp_path)
    assert isinstance(loaded, Pipeline)
    assert [name for name, _ in loaded.steps] == [name for name, _ in model.steps]
    assert np.array_equal(loaded.predict(table), model.predict(table))


def test_given_features_come_back_from_the_first_layer(tmp_path):
    sampler = GivenFeatures(RNG.standard_normal((3, 4)), np.zeros(4))
    model = regressor(4, sampler=sampler).fit(X, Y)
    loaded = again(model, tmp_path)
    assert np.array_equal(loaded.sampler.weights, sampler.weights)
    assert np.array_equal(clone(loaded).fit(X, Y).predict(X), model.predict(X))


def test_models_fitted_to_torch_tensors_become_numpy(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra solvenet[torch]")
    model = regressor().fit(torch.from_numpy(X), torch.from_numpy(Y))
    loaded = again(model, tmp_path)
    assert isinstance(loaded.coef_, np.ndarray)
    assert isinstance(loaded.mean_, np.ndarray)
    assert np.array_equal(loaded.predict(X), model.predict(torch.from_numpy(X)).numpy())


def test_the_same_bits_in_another_process(tmp_path):
    model = regressor((9, 12)).fit(X, Y)
    save(model, tmp_path / "model")
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys, numpy, solvenet\n"
        "out = solvenet.load('model').predict(numpy.load('X.npy'))\n"
        "assert 'torch' not in sys.modules\n"
        "sys.stdout.buffer.write(out.tobytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True
    )
    assert done.stdout == model.predict(X).tobytes()


def test_the_same_model_gives_the_same_bytes_again_and_again(tmp_path):
    save(regressor().fit(X, Y), tmp_path / "a")
    save(load(tmp_path / "a"), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_any_safetensors_reader_opens_the_file(tmp_path):
    model = regressor().fit(X, Y)
    save(model, tmp_path / "model")
    arrays = safetensors.numpy.load_file(tmp_path / "model")
    assert np.array_equal(arrays["readout.coef"], model.network_.readout.coef)


def test_without_uncertainty_the_file_is_smaller_and_says_so(tmp_path):
    model = regressor().fit(X, Y)
    save(model, tmp_path / "all")
    loaded = again(model, tmp_path, uncertainty=False)
    assert (tmp_path / "model.safetensors").stat().st_size < (tmp_path / "all").stat().st_size
    assert np.array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(InvalidSettingError, match="uncertainty=True"):
        loaded.predict(X, return_std=True)
    again(loaded, tmp_path, uncertainty=False)
    with pytest.raises(InvalidSettingError, match="uncertainty=True"):
        save(loaded, tmp_path / "more")


def test_noise_that_has_no_estimate_stays_unknown(tmp_path):
    model = regressor(80, sampler="random", alpha=0.0)
    with pytest.warns(UserWarning, match="neurons"):
        model.fit(X[:20], Y[:20])
    assert np.isnan(model.predict(X, return_std=True)[1]).all()
    assert np.isnan(again(model, tmp_path).predict(X, return_std=True)[1]).all()


def test_a_loaded_model_fits_again(tmp_path):
    loaded = again(regressor().fit(X, Y), tmp_path)
    loaded.fit(X[:30], Y[:30])
    assert loaded.diagnostics_["n_rows"] == 30


# -- what cannot be saved --------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (regressor(activation=np.tanh), "activation of yours"),
        (regressor(random_state=np.random.RandomState(0)), r"set_params\(random_state=\.\.\.\)"),
        (make_pipeline(StandardScaler(), regressor()), "StandardScaler was given"),
    ],
)
def test_what_needs_code_is_refused(model, match, tmp_path):
    with pytest.raises(InvalidSettingError, match=match):
        save(model.fit(X, Y), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_the_advice_for_settings_helps(tmp_path):
    model = regressor(random_state=np.random.RandomState(0)).fit(X, Y)
    model.set_params(random_state=None)
    assert np.array_equal(again(model, tmp_path).predict(X), model.predict(X))


def test_a_solver_of_a_subclass_is_refused(tmp_path):
    class Mine(QR):
        pass

    with pytest.raises(InvalidSettingError, match="solver="):
        save(regressor(solver=Mine()).fit(X, Y), tmp_path / "model")


def test_unfitted_and_broken_models_are_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save(regressor(), tmp_path / "model")
    model = regressor().fit(X, Y)
    model.network_.readout.coef[0, 0] = np.nan
    with pytest.raises(InvalidDataError, match=r"readout\.coef"):
        save(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


# -- failures while saving -------------------------------------------------------------


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(at, tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    model = regressor().fit(X, Y)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((os, "fsync") if at == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        save(model, path)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert path.read_bytes() == b"old"


def test_folders_are_named_in_messages(tmp_path):
    model = regressor().fit(X, Y)
    with pytest.raises(FileNotFoundError, match="Create it"):
        save(model, tmp_path / "absent" / "model")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        save(model, tmp_path)
    with pytest.raises(FileNotFoundError, match="Check the path"):
        load(tmp_path / "absent")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load(tmp_path)


def test_links_are_followed_and_the_mode_is_the_usual_one(tmp_path):
    (tmp_path / "model").write_bytes(b"old")
    mode = (tmp_path / "model").stat().st_mode
    (tmp_path / "link").symlink_to(tmp_path / "model")
    save(regressor().fit(X, Y), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "model").stat().st_mode == mode
    load(tmp_path / "model")
