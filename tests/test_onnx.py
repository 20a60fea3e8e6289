"""The exported graph runs in ONNX Runtime and agrees; the report is what one measures."""

import errno
import json
import os
import sys
import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra solvenet[onnx]")
runtime = pytest.importorskip("onnxruntime", reason="needs the extra solvenet[onnx]")

from scipy.special import ndtr  # noqa: E402 (after the skips)
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from solvenet import (  # noqa: E402
    GivenFeatures,
    SampledFeatures,
    SampledNetworkClassifier,
    SampledNetworkRegressor,
)
from solvenet.errors import (  # noqa: E402
    ExportAccuracyWarning,
    InvalidDataError,
    InvalidSettingError,
    MissingExtraError,
)
from solvenet.features import ACTIVATIONS  # noqa: E402
from solvenet.onnx_export import to_onnx  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 3))
Y = np.stack([np.sin(X.sum(axis=1)), X[:, 0] * X[:, 1]], axis=1)
LABELS = np.array(["a", "b", "c"])[np.digitize(Y[:, 0], [-0.3, 0.3])]
FAR = np.concatenate([X, 10 * X, np.zeros((1, 3)), X.mean(axis=0)[None]])


def regressor(size=20, activation="tanh", **settings):
    settings = {"alpha": 1e-4, "random_state": 0} | settings
    return SampledNetworkRegressor(size, activation, **settings)


def run(path, rows, *names):
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(list(names) or None, {"X": rows})


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("scaling", ["columns", "isotropic", None])
def test_float64_agrees_everywhere(activation, scaling, tmp_path):
    model = regressor((15, 20), activation, scaling=scaling).fit(X, Y)
    report = to_onnx(model, tmp_path / "model.onnx")
    assert report["max_relative_error"] < 1e-9
    (found,) = run(tmp_path / "model.onnx", FAR)
    wanted = model.predict(FAR)
    assert found.dtype == np.float64
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-9 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "options",
    [
        {"clip": False},
        {"linear_skip": False},
        {"sampler": "fourier"},
        {"clip": False, "scaling": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("scaling", ["columns", "isotropic"])
def test_float64_agrees_with_other_settings(options, scaling, tmp_path):
    model = regressor(**({"scaling": scaling} | options)).fit(X, Y[:, 0])
    assert to_onnx(model, tmp_path / "model.onnx")["max_relative_error"] < 1e-9
    (found,) = run(tmp_path / "model.onnx", FAR, "prediction")
    wanted = model.predict(FAR)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-9 * np.abs(wanted).max()


def test_gelu_is_exact_in_both_precisions(tmp_path):
    # One unit whose pre-activation is the input itself.
    z = np.linspace(-40, 40, 4001)[:, None]
    given = GivenFeatures(np.ones((1, 1)), np.zeros(1))
    model = SampledFeatures(1, "gelu", sampler=given, scaling=None).fit(z)
    for dtype, tolerance in (("float64", 2e-15), ("float32", 1e-6)):
        to_onnx(model, tmp_path / "gelu.onnx", dtype=dtype, sample=z)
        (found,) = run(tmp_path / "gelu.onnx", z.astype(dtype))
        assert (np.abs(found - z * ndtr(z)) <= tolerance * np.maximum(np.abs(z), 1)).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers(classes, tmp_path):
    labels = LABELS if classes == 3 else LABELS == "a"
    model = SampledNetworkClassifier(20, random_state=0).fit(X, labels)
    report = to_onnx(model, tmp_path / "model.onnx", sample=FAR)
    assert report["outputs"] == ["probabilities", "label_index"]
    probabilities, index = run(tmp_path / "model.onnx", FAR)
    assert np.abs(probabilities - model.predict_proba(FAR)).max() < 1e-12
    facts = {p.key: p.value for p in onnx.load(tmp_path / "model.onnx").metadata_props}
    named = np.array(json.loads(facts["classes"]))[index]
    assert np.array_equal(named, model.predict(FAR))


def test_transformers(tmp_path):
    model = SampledFeatures((5, 7), linear_skip=True, random_state=0).fit(X, Y)
    to_onnx(model, tmp_path / "model.onnx")
    (found,) = run(tmp_path / "model.onnx", FAR, "features")
    assert np.abs(found - model.transform(FAR)).max() < 1e-12


def test_the_report_is_what_one_measures(tmp_path):
    model = regressor(alpha=1e-6).fit(X, Y)
    with pytest.warns(ExportAccuracyWarning, match="Export in float64"):
        report = to_onnx(model, tmp_path / "model.onnx", sample=FAR, dtype="float32")
    (found,) = run(tmp_path / "model.onnx", FAR.astype(np.float32))
    error = np.abs(found.astype(float) - model.predict(FAR)).max(axis=0)
    assert report["max_absolute_error"] == error.max()
    assert report["max_relative_error"] == (error / np.abs(model.predict(FAR)).max(axis=0)).max()
    assert report["max_relative_error"] > 1e-6
    assert (report["sample"], report["n_rows"], report["dtype"]) == ("given", len(FAR), "float32")
    assert report["n_bytes"] == (tmp_path / "model.onnx").stat().st_size


def test_a_solve_that_cancels_is_measured_in_float32(tmp_path):
    # Large read-out weights cancel: in float32 few digits are left, and the report says so.
    t = np.linspace(0, 1, 200)[:, None]
    model = regressor(100, alpha=0.0).fit(t, np.sin(9 * t[:, 0]))
    assert to_onnx(model, tmp_path / "a.onnx", sample=t)["max_relative_error"] < 1e-6
    with pytest.warns(ExportAccuracyWarning, match="differs"):
        report = to_onnx(model, tmp_path / "b.onnx", sample=t, dtype="float32")
    assert report["max_relative_error"] > 1e-5


def test_a_model_that_is_exact_in_float32_is_not_warned_of(tmp_path):
    given = GivenFeatures(np.eye(3), np.zeros(3))
    model = SampledFeatures(3, "relu", sampler=given, scaling=None).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = to_onnx(model, tmp_path / "model.onnx", dtype="float32")
    assert 0 < report["max_relative_error"] < 1e-6


@pytest.mark.parametrize("options", [{}, {"clip": False}, {"scaling": "isotropic"}], ids=str)
def test_rows_are_drawn_from_the_range_of_the_data(options, tmp_path):
    model = regressor(**options).fit(100 + X, Y)
    report = to_onnx(model, tmp_path / "model.onnx")
    assert report["sample"] == "drawn"
    assert report["max_relative_error"] < 1e-9


def test_constant_columns_and_names(tmp_path):
    pd = pytest.importorskip("pandas", reason="data frames are pandas frames")
    frame = pd.DataFrame({"a": X[:, 0], "b": 1.0, "c": X[:, 2]})
    model = regressor().fit(frame, Y)
    to_onnx(model, tmp_path / "model.onnx", sample=frame)
    (found,) = run(tmp_path / "model.onnx", frame.to_numpy())
    assert np.allclose(found, model.predict(frame), rtol=0, atol=1e-12)
    facts = {p.key: p.value for p in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert json.loads(facts["feature_names"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (regressor(activation=np.tanh), "activation of yours"),
        (make_pipeline(StandardScaler(), regressor()), r"pipeline\[-1\]"),
    ],
)
def test_what_cannot_be_exported_is_refused(model, match, tmp_path):
    with pytest.raises(InvalidSettingError, match=match):
        to_onnx(model.fit(X, Y), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_arguments_are_checked(tmp_path):
    model = regressor()
    with pytest.raises(NotFittedError):
        to_onnx(model, tmp_path / "model.onnx")
    model.fit(X, Y)
    with pytest.raises(InvalidSettingError, match="float64"):
        to_onnx(model, tmp_path / "model.onnx", dtype="float16")
    for sample in (X[:, :2], X[0], X[:0], np.full((1, 3), np.nan)):
        with pytest.raises(InvalidDataError, match="3 finite"):
            to_onnx(model, tmp_path / "model.onnx", sample=sample)
    with pytest.raises(FileNotFoundError, match="Create it"):
        to_onnx(model, tmp_path / "absent" / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    model = regressor().fit(X, Y)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        to_onnx(model, path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_packages_the_message_says_what_to_install(package, tmp_path, monkeypatch):
    model = regressor().fit(X, Y)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"solvenet\[onnx\]"):
        to_onnx(model, tmp_path / "model.onnx")
