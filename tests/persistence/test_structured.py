"""Structured networks on disk and in ONNX: the same numbers; what was altered is refused."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from solvenet import MMNNRegressor, load, save
from solvenet.errors import InvalidDataError, InvalidSettingError, ModelFileError
from solvenet.persistence import container
from solvenet.structured import random_mmnn

RNG = np.random.default_rng(0)
X = RNG.uniform(1, 3, (150, 2))
Y = np.stack([np.sin(X.sum(axis=1)), X[:, 0] * X[:, 1]], axis=1)


def fitted(targets=Y, method="lm", **settings):
    model = MMNNRegressor(12, 3, 3, method=method, max_steps=4, random_state=0, **settings)
    return model.fit(X, targets)


def again(model, folder):
    save(model, folder / "model.safetensors")
    return load(folder / "model.safetensors")


@pytest.mark.parametrize("method", ["lm", "shallow", "auto"])
@pytest.mark.parametrize("targets", [Y, Y[:, :1], Y[:, 0]])
def test_predictions_are_equal_bit_for_bit(method, targets, tmp_path):
    model = fitted(targets, method)
    loaded = again(model, tmp_path)
    far = 3 * X
    assert np.array_equal(loaded.predict(far), model.predict(far))
    mine, theirs = loaded.result_, model.result_
    assert (mine.ending, mine.reason, mine.history) == (
        theirs.ending,
        theirs.reason,
        theirs.history,
    )
    assert (mine.mse, mine.held_out, mine.n_parameters) == (
        theirs.mse,
        theirs.held_out,
        theirs.n_parameters,
    )
    assert loaded.get_params() == model.get_params()


@pytest.mark.parametrize("activation", ["relu", "gelu", "sin"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_networks(activation, n_outputs, tmp_path):
    network = random_mmnn(
        9, 4, 4, n_inputs=2, n_outputs=n_outputs, activation=activation, residual=True,
        fixed=False, low=1.0, high=3.0,
    )  # fmt: skip
    loaded = again(network, tmp_path)
    assert np.array_equal(loaded(X), network(X))
    assert (loaded.residual, loaded.fixed, loaded.activation) == (True, False, activation)
    with pytest.raises(InvalidDataError, match="is wanted"):
        loaded(X[:, :1])


def test_a_pipeline(tmp_path):
    model = make_pipeline(StandardScaler(), fitted()).fit(X, Y)
    with pytest.raises(InvalidSettingError, match="StandardScaler"):
        save(model, tmp_path / "model.safetensors")
    model = make_pipeline(fitted()).fit(X, Y)
    assert np.array_equal(again(model, tmp_path).predict(X), model.predict(X))


def test_names_of_columns(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=["a", "b"])
    model = MMNNRegressor(8, 2, 2, method="lm", max_steps=2, random_state=0).fit(table, Y)
    loaded = again(model, tmp_path)
    assert loaded.feature_names_in_.tolist() == ["a", "b"]
    assert np.array_equal(loaded.predict(table), model.predict(table))


@pytest.mark.parametrize(
    "change",
    [
        lambda _, arrays: arrays.pop("network.layers.1.A"),
        lambda _, arrays: arrays.update(more=np.zeros(3)),
        lambda _, arrays: arrays.update({"reach.low": np.zeros(3)}),
        lambda document, _: document["model"].update(shape=[3]),
        lambda document, _: document["model"].update(shape=[2, 2]),
        lambda document, _: document["model"].update(network=None),
        lambda document, _: document["model"].update(ending="DONE"),
        lambda document, _: document["model"].update(made_by=[]),
        lambda document, _: document["model"].update(feature_names=["a"]),
        lambda document, _: document["model"]["network"].update(activation="step"),
        lambda document, _: document["model"]["network"].update(sizes=[]),
        lambda document, _: document["model"]["network"]["sizes"][0].__setitem__(1, 10**12),
        lambda _, arrays: arrays["network.low"].fill(9.0),
    ],
)
def test_what_was_altered_is_refused(change, tmp_path):
    path = tmp_path / "model.safetensors"
    save(fitted(), path)
    document, arrays = container.unpack(path.read_bytes())
    change(document, arrays)
    path.write_bytes(container.pack(document, arrays))
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        load(path)


class TestONNX:
    @pytest.fixture(autouse=True)
    def packages(self):
        pytest.importorskip("onnx", reason="needs the extra solvenet[onnx]")
        self.runtime = pytest.importorskip("onnxruntime", reason="needs solvenet[onnx]")

    def run(self, path, rows):
        session = self.runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(["prediction"], {"X": rows})[0]

    @pytest.mark.parametrize("method", ["lm", "shallow", "auto"])
    @pytest.mark.parametrize("targets", [Y, Y[:, 0]])
    def test_regressors(self, method, targets, tmp_path):
        from solvenet.onnx_export import to_onnx

        model = fitted(targets, method)
        report = to_onnx(model, tmp_path / "model.onnx")
        assert report["max_relative_error"] < 1e-9
        found, wanted = self.run(tmp_path / "model.onnx", 3 * X), model.predict(3 * X)
        assert found.shape == wanted.shape
        assert np.allclose(found, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max())

    @pytest.mark.parametrize("activation", ["relu", "gelu", "sin", "tanh"])
    @pytest.mark.parametrize("residual", [False, True])
    def test_networks(self, activation, residual, tmp_path):
        from solvenet.onnx_export import to_onnx

        network = random_mmnn(
            9, 3, 4, n_inputs=2, activation=activation, residual=residual, low=1.0, high=3.0
        )
        report = to_onnx(network, tmp_path / "model.onnx", sample=X)
        assert report["max_absolute_error"] < 1e-12
        assert np.allclose(self.run(tmp_path / "model.onnx", X), network(X), rtol=0, atol=1e-12)
        with pytest.raises(InvalidDataError, match="2 finite"):
            to_onnx(network, tmp_path / "model.onnx", sample=X[:, :1])
