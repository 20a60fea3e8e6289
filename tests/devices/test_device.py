"""Devices are found by name, say why they are not there, and travel by name."""

import pickle
import sys

import array_api_strict
import numpy as np
import pytest

from solvenet.devices import Device, exact_products, get_device, get_precision
from solvenet.errors import InvalidSettingError, MissingExtraError


def test_a_device_is_known_by_its_name_its_module_and_itself():
    strict = get_device(array_api_strict)
    assert strict == get_device("array_api_strict") == get_device(strict)
    assert str(strict) == "array_api_strict"
    assert not strict.is_accelerator


def test_torch_devices_are_known_by_torch_s_own_object():
    torch = pytest.importorskip("torch", reason="needs the package torch")
    assert get_device("cpu") == get_device(torch.device("cpu")) == get_device(torch)
    assert str(get_device("cpu")) == "cpu"
    with pytest.raises(InvalidSettingError, match="no float64"):
        get_device(torch.device("mps"))


def test_an_unknown_device_is_refused_with_the_known_ones():
    for name in ("gpu", "cuda:x", "tpu"):
        with pytest.raises(InvalidSettingError, match=r'unknown.*"cuda:1"'):
            get_device(name)


def test_a_gpu_that_is_not_there_is_asked_for():
    torch = pytest.importorskip("torch", reason="needs the package torch")
    if torch.cuda.is_available():
        n_devices = torch.cuda.device_count()
        with pytest.raises(InvalidSettingError, match=f"torch sees {n_devices} GPUs"):
            get_device(f"cuda:{n_devices}")
    else:
        with pytest.raises(InvalidSettingError, match=r"'cuda' was asked for and torch .* no GPU"):
            get_device("cuda")


@pytest.mark.parametrize(("name", "module"), [("cpu", "torch"), ("cupy", "cupy")])
def test_a_library_that_is_not_installed_is_named(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install"):
        get_device(name)


def test_a_device_is_pickled_by_name(device):
    assert device.xp is not None
    copy = pickle.loads(pickle.dumps(device))
    assert copy == device
    assert isinstance(copy, Device)
    assert np.array_equal(copy.to_numpy(copy.to_device(np.eye(2))), np.eye(2))


def test_arrays_go_there_and_back_as_copies(device):
    values = np.arange(6.0).reshape(2, 3)
    values.flags.writeable = False
    there = device.to_device(values[:, ::-1], "float32")
    back = device.to_numpy(there)
    assert back.dtype == np.float32
    assert np.array_equal(back, values[:, ::-1])
    there *= 2.0
    assert np.array_equal(values, np.arange(6.0).reshape(2, 3))
    assert back[0, 0] == 2.0
    device.synchronize()


def test_an_unknown_precision_is_refused():
    with pytest.raises(InvalidSettingError, match="float32, float64, mixed"):
        get_precision("half")


def _settings(torch):
    def of(read):
        try:
            return read()
        except RuntimeError:  # torch refuses the older names after the newer
            return "refused"

    matmul = torch.backends.cuda.matmul
    mkldnn = getattr(torch.backends.mkldnn, "matmul", None)
    return [
        of(torch.get_float32_matmul_precision),
        of(lambda: matmul.allow_tf32),
        of(lambda: getattr(matmul, "fp32_precision", None)),
        of(lambda: getattr(mkldnn, "fp32_precision", None)),
    ]


def _older(torch):
    torch.set_float32_matmul_precision("high")


def _oldest(torch):
    torch.backends.cuda.matmul.allow_tf32 = True


def _newer(torch):
    torch.backends.cuda.matmul.fp32_precision = "tf32"


def _medium(torch):
    torch.set_float32_matmul_precision("medium")


@pytest.mark.parametrize("choose", [None, _older, _oldest, _newer, _medium])
def test_reduced_precision_is_off_inside_and_as_before_afterwards(choose):
    torch = pytest.importorskip("torch", reason="needs the package torch")
    cpu = get_device("cpu")
    if choose is _newer and not hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        pytest.skip("torch before 2.9 has no such setting")
    untouched = _settings(torch)
    try:
        if choose is not None:
            choose(torch)
        before = _settings(torch)
        inside = []

        def work():
            with exact_products(cpu), exact_products(cpu):
                inside.extend(_settings(torch))
                raise KeyError

        with pytest.raises(KeyError):
            work()
        assert not {"tf32", "bf16"} & set(inside)
        assert inside[1] in (False, "refused")
        assert _settings(torch) == before
    finally:
        newer = hasattr(torch.backends.cuda.matmul, "fp32_precision")
        holders = [torch.backends.cuda.matmul, torch.backends.mkldnn.matmul] if newer else []
        for holder in holders:
            holder.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")
        for holder in holders:
            holder.fp32_precision = "none"
    assert _settings(torch) == untouched


def test_nothing_heavy_is_loaded_by_the_room():
    import subprocess

    code = (
        "import sys, solvenet.devices; from solvenet.devices import get_device\n"
        "get_device('array_api_strict'); print('torch' in sys.modules, 'cupy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
