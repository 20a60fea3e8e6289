"""Structured networks in torch: the same function as in NumPy."""

import io

import numpy as np
import pytest

from solvenet.errors import InvalidSettingError
from solvenet.structured import random_mmnn, solve_mmnn

torch = pytest.importorskip("torch", reason="torch is an optional extra")

from solvenet.torchnets import MMNN  # noqa: E402

SETTINGS = {"n_inputs": 2, "n_outputs": 2, "activation": "sin", "residual": True, "high": 2.0}


def test_the_same_numbers_and_values(rng):
    network = random_mmnn(12, 4, 4, **SETTINGS)
    module = MMNN(12, 4, 4, dtype=torch.float64, **SETTINGS)
    X = rng.uniform(-1, 2, (30, 2))
    assert np.allclose(module(torch.from_numpy(X)).detach().numpy(), network(X), rtol=0, atol=1e-13)
    back = module.to_arrays()
    assert np.array_equal(back(X), network(X))
    assert (back.residual, back.fixed, back.activation) == (True, True, "sin")


def test_a_solved_network_in_torch():
    x = np.linspace(-1, 1, 100)
    result = solve_mmnn(random_mmnn(15, 3, 3, activation="tanh"), x, x**3, method="lm", max_steps=5)
    module = MMNN.from_arrays(result.network)
    values = module(torch.from_numpy(x[:, None])).detach().numpy()[:, 0]
    assert np.allclose(values, result(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("fixed", [True, False])
def test_training_changes_what_is_not_fixed(fixed):
    module = MMNN(10, 3, 3, fixed=fixed)
    before = module.to_arrays()
    trained = [p for p in module.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trained) == before.n_parameters
    optimiser = torch.optim.Adam(trained, lr=1e-2)
    x = torch.linspace(-1, 1, 50)[:, None]
    losses = []
    for _ in range(20):
        loss = (module(x) - x**2).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    after = module.to_arrays()
    for old, new in zip(before.layers, after.layers, strict=True):
        assert np.array_equal(old.W, new.W) == fixed
        assert not np.array_equal(old.A, new.A)


def test_numbers_come_back_from_a_file():
    module, other = MMNN(10, 3, 3, **SETTINGS), MMNN(10, 3, 3, random_state=1, **SETTINGS)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.rand(5, 2)
    assert torch.equal(module(x), other(x))


def test_what_is_no_dtype_is_refused():
    with pytest.raises(InvalidSettingError, match="dtype"):
        MMNN(10, 3, 3, dtype=torch.int64)
