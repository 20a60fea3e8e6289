"""The torch module is the same function as the network, and it trains."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra solvenet[torch]")

from solvenet import (  # noqa: E402 (after the skip)
    Activation,
    SampledFeatures,
    SampledNetworkClassifier,
    SampledNetworkRegressor,
)
from solvenet.errors import InvalidSettingError, MissingExtraError  # noqa: E402
from solvenet.features import ACTIVATIONS  # noqa: E402
from solvenet.torchnets import TorchNetwork, to_torch  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 3))
Y = np.stack([np.sin(X.sum(axis=1)), X[:, 0] * X[:, 1]], axis=1)
FAR = np.concatenate([X, 10 * X, np.zeros((1, 3)), X.mean(axis=0)[None]])


def same(found, wanted, tolerance=1e-12):
    scale = np.abs(wanted).max()
    assert np.abs(found.detach().numpy() - wanted).max() <= tolerance * scale


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("scaling", ["columns", "isotropic", None])
def test_the_same_function_everywhere(activation, scaling):
    model = SampledNetworkRegressor(
        (15, 20), activation, scaling=scaling, alpha=1e-4, random_state=0
    ).fit(X, Y)
    same(model.to_torch()(torch.from_numpy(FAR)), model.predict(FAR))


@pytest.mark.parametrize(
    "options",
    [
        {"clip": False},
        {"linear_skip": False},
        {"clip": False, "scaling": None, "linear_skip": False},
        {"sampler": "fourier"},
    ],
    ids=str,
)
def test_the_same_function_with_other_settings(options):
    model = SampledNetworkRegressor(20, alpha=1e-4, random_state=0, **options).fit(X, Y)
    same(model.to_torch()(torch.from_numpy(FAR)), model.predict(FAR))
    same(to_torch(model.network_)(torch.from_numpy(FAR)), model.predict(FAR))


def test_one_target_keeps_its_column():
    model = SampledNetworkRegressor(20, alpha=1e-4, random_state=0).fit(X, Y[:, 0])
    same(model.to_torch()(torch.from_numpy(FAR)), model.predict(FAR)[:, None])


def test_classifiers_give_logits():
    labels = np.array(["a", "b", "c"])[np.digitize(Y[:, 0], [-0.3, 0.3])]
    model = SampledNetworkClassifier(20, random_state=0).fit(X, labels)
    logits = model.to_torch()(torch.from_numpy(FAR))
    same(logits, model.decision_function(FAR))
    same(logits.softmax(dim=1), model.predict_proba(FAR))


def test_transformers_give_features():
    model = SampledFeatures((15, 20), linear_skip=True, random_state=0).fit(X, Y)
    same(model.to_torch()(torch.from_numpy(FAR)), model.transform(FAR))


def test_models_fitted_to_tensors_convert_as_well():
    tensors = torch.from_numpy(X), torch.from_numpy(Y)
    model = SampledNetworkRegressor(20, alpha=1e-4, random_state=0).fit(*tensors)
    same(model.to_torch()(tensors[0]), model.predict(tensors[0]).numpy())


def test_float32_when_asked_for():
    model = SampledNetworkRegressor(20, alpha=1e-2, random_state=0).fit(X, Y)
    module = model.to_torch(dtype=torch.float32)
    out = module(torch.from_numpy(FAR))
    assert {p.dtype for p in (*module.parameters(), *module.buffers())} == {torch.float32}
    assert out.dtype == torch.float32
    same(out.double(), model.predict(FAR), 1e-4)


def test_a_step_of_gradient_descent_trains_every_weight():
    model = SampledNetworkRegressor((10, 10), alpha=1.0, random_state=0).fit(X, Y)
    module = model.to_torch()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    # Other targets: at its own the solved read-out has no gradient left.
    inputs, targets = torch.from_numpy(X), torch.from_numpy(np.cos(Y))
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-2)
    loss = torch.nn.functional.mse_loss(module(inputs), targets)
    loss.backward()
    optimiser.step()
    assert torch.nn.functional.mse_loss(module(inputs), targets) < loss
    trained = {name for name, _ in module.named_parameters()}
    assert trained == {f"layers.{i}.{n}" for i in (0, 1) for n in ("weight", "bias")} | {
        "readout.weight",
        "readout.bias",
    }
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]) == (name not in trained)


def test_training_leaves_the_model_alone():
    model = SampledNetworkRegressor(10, alpha=1.0, random_state=0).fit(X, Y)
    before = model.predict(FAR)
    with torch.no_grad():
        for parameter in model.to_torch().parameters():
            parameter.zero_()
    assert np.array_equal(model.predict(FAR), before)


@pytest.mark.parametrize("scaling", ["columns", "isotropic"])
def test_gradients_of_the_inputs_are_right_and_finite(scaling):
    model = SampledNetworkRegressor(10, scaling=scaling, alpha=1e-2, random_state=0).fit(X, Y)
    module = model.to_torch()
    center = torch.from_numpy(model.hidden_.scaling.center)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(module(center).sum(), center)
    assert torch.isfinite(gradient).all()
    inside = torch.from_numpy(0.3 * X[:5]).requires_grad_()
    assert torch.autograd.gradcheck(module, inside)


def test_state_dicts_go_from_one_module_to_another():
    options = {"alpha": 1e-4}
    first = SampledNetworkRegressor(20, random_state=0, **options).fit(X, Y)
    second = SampledNetworkRegressor(20, random_state=1, **options).fit(2 * X, Y).to_torch()
    second.load_state_dict(first.to_torch().state_dict())
    same(second(torch.from_numpy(FAR)), first.predict(FAR))


def test_functions_without_a_name_are_refused():
    for activation in (np.tanh, Activation("tanh", np.tanh, 1.0, 0.5)):
        model = SampledNetworkRegressor(10, activation, random_state=0).fit(X, Y)
        with pytest.raises(InvalidSettingError, match="activation of yours"):
            model.to_torch()


@pytest.mark.parametrize("dtype", [torch.int64, "float32", np.float32])
def test_precisions_are_torch_precisions(dtype):
    model = SampledNetworkRegressor(10, random_state=0).fit(X, Y)
    with pytest.raises(InvalidSettingError, match=r"torch\.float64"):
        model.to_torch(dtype=dtype)


def test_the_room_has_no_other_names():
    import solvenet.torchnets

    assert {"TorchNetwork", "to_torch"} <= set(dir(solvenet.torchnets))
    assert isinstance(TorchNetwork, type)
    with pytest.raises(AttributeError, match="nothing"):
        _ = solvenet.torchnets.nothing


def test_torch_is_loaded_on_first_use_only():
    code = (
        "import sys, solvenet, solvenet.torchnets\n"
        "solvenet.SampledNetworkRegressor\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_torch_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    model = SampledNetworkRegressor(10, random_state=0).fit(X, Y)
    with pytest.raises(MissingExtraError, match=r"solvenet\[torch\]"):
        model.to_torch()
