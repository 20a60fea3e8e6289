"""The normal equations on a device: the same network, whole, in parts, from a file."""

import numpy as np
import pytest

from solvenet import SampledNetworkRegressor
from solvenet.engine import Run, SerialEngine, run
from solvenet.errors import IllConditionedWarning, InvalidSettingError
from solvenet.solvers import NormalEquations

array_api_strict = pytest.importorskip("array_api_strict")

RNG = np.random.default_rng(0)
X = RNG.random((1500, 3))
Y = np.stack([np.sin(X.sum(axis=1)), X[:, 0]], axis=1) + 0.1 * RNG.standard_normal((1500, 2))
W = RNG.random(1500)


@pytest.fixture(params=["strict", "torch"])
def device(request):
    if request.param == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
        return "cpu"
    return array_api_strict


@pytest.mark.parametrize("weights", [None, W])
@pytest.mark.parametrize("spectrum", [True, False])
def test_a_network_is_the_same_to_rounding(device, spectrum, weights):
    host, there = (
        SampledNetworkRegressor(40, random_state=0, solver=solver).fit(X, Y, sample_weight=weights)
        for solver in (
            NormalEquations(spectrum=spectrum),
            NormalEquations(spectrum=spectrum, device=device),
        )
    )
    assert there.result_.reason.startswith("Gram matrix on ")
    assert np.isclose(there.alpha_, host.alpha_, rtol=1e-9)
    assert np.allclose(there.predict(X), host.predict(X), atol=1e-8)
    assert np.allclose(there.result_.residual_norm, host.result_.residual_norm, rtol=1e-9)


def test_parts_on_a_device_merge(device, monkeypatch):
    expected = NormalEquations().solve(X, Y, alpha=0.1, intercept=True)
    monkeypatch.setattr(run, "LEAST_ROWS", 64)
    monkeypatch.setattr(run, "LEAST_NUMBERS", 64)
    told = []
    follow = Run(SerialEngine(), progress=lambda *step: told.append(step))
    there = NormalEquations(device=device)
    found = there.solve(X, Y, alpha=0.1, intercept=True, run=follow)
    assert len(told) > 8
    assert np.allclose(found.coef, expected.coef, rtol=1e-10)


def test_single_precision_stops_at_what_it_resolves(device):
    solver = NormalEquations(device=device, precision="mixed")
    with pytest.warns(IllConditionedWarning, match="less regularisation than this solver resolves"):
        result = solver.solve(np.vander(X[:, 0], 12), Y, alpha=0.0)
    assert result.alpha / result.singular_values[0] ** 2 >= 1e-7 or result.rank < 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "quantum"}, "device"),
        ({"precision": "float8"}, "precision='float8' is unknown"),
    ],
)
def test_unknown_settings_are_refused_before_any_row_is_read(options, message):
    with pytest.raises(InvalidSettingError, match=message):
        NormalEquations(**options).solve(X, Y, alpha=0.1)
