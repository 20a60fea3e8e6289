"""The residual of torch training mode by mode: the modes fall as the tangent kernel says."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra solvenet[torch]")

from solvenet.errors import InvalidDataError, InvalidSettingError  # noqa: E402
from solvenet.torchnets import ModewiseResidual, tangent_kernel  # noqa: E402


class Shallow(torch.nn.Module):
    """Fixed tanh features and a read-out: training is linear."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("W", 3 * torch.randn(1, 40, generator=generator).double())
        self.register_buffer("b", 2 * torch.randn(40, generator=generator).double())
        self.a = torch.nn.Parameter(torch.zeros(40, 1).double())

    def forward(self, x):
        return torch.tanh(x @ self.W + self.b) @ self.a


X = torch.linspace(-1, 1, 80).double()[:, None]


def train(model, y, watch, *, steps: int, rate: float) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    watch(model, 0)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        (0.5 * torch.sum((model(X) - y) ** 2)).backward()
        optimizer.step()
        watch(model, step)


def test_tangent_kernel_of_a_linear_model_is_its_gram_matrix() -> None:
    model = Shallow()
    H = torch.tanh(X @ model.W + model.b).numpy()
    np.testing.assert_allclose(tangent_kernel(model, X), H @ H.T, rtol=1e-12)


def test_tangent_modes_decay_at_the_rates_of_the_kernel() -> None:
    model, y = Shallow(), torch.sin(4 * X)
    values = np.linalg.eigvalsh(tangent_kernel(model, X))[::-1]
    watch = ModewiseResidual(X, y, modes="tangent", n_modes=6, model=model)
    rate = 1.0 / values[0]
    train(model, y, watch, steps=60, rate=rate)
    wanted = watch.projections[0] * (1 - rate * values[:6]) ** watch.steps[:, None]
    np.testing.assert_allclose(watch.projections, wanted, atol=1e-9)


def test_low_frequencies_are_learned_first_and_the_rest_is_predicted() -> None:
    model = Shallow()
    y = torch.cos(torch.pi * (X + 1)) + torch.cos(4 * torch.pi * (X + 1))  # k = 2 and k = 8
    watch = ModewiseResidual(X, y, n_modes=10)
    values = np.linalg.eigvalsh(tangent_kernel(model, X))[::-1]
    train(model, y, watch, steps=400, rate=1.0 / values[0])
    left = np.abs(watch.projections[-1, [2, 8]] / watch.projections[0, [2, 8]])
    assert left[0] < 0.5 * left[1]
    assert watch.losses[-1] < watch.losses[0]
    assert watch.remaining(0.1).time > 0


def test_the_predicted_steps_are_those_it_takes() -> None:
    model, y = Shallow(), torch.sin(2 * X)
    values = np.linalg.eigvalsh(tangent_kernel(model, X))[::-1]
    rate = 1.0 / values[0]
    watch = ModewiseResidual(X, y, modes="tangent", n_modes=4, model=model)
    train(model, y, watch, steps=30, rate=rate)
    predicted = watch.remaining(1e-2).time
    start = watch.projections[0]
    steps = 30
    while np.linalg.norm(start * (1 - rate * values[:4]) ** steps) > 1e-2 * np.linalg.norm(start):
        steps += 1
    assert predicted == pytest.approx(steps - 30, rel=0.1, abs=2)


def test_every_and_counting() -> None:
    watch = ModewiseResidual(X, torch.sin(X), n_modes=3, every=4)
    for _ in range(9):
        watch(lambda x: 0 * x)
    assert watch.steps.tolist() == [1, 5, 9]
    assert watch.projections.shape == (3, 3)


def test_functions_of_your_own() -> None:
    watch = ModewiseResidual(X, torch.sin(X), modes=np.stack([np.ones(80), np.arange(80.0)], 1))
    watch(lambda x: torch.sin(x) - 1)
    assert abs(watch.projections[0, 0]) == pytest.approx(np.sqrt(80))
    assert watch.projections[0, 1] == pytest.approx(0, abs=1e-12)


def test_watching_leaves_no_trace() -> None:
    """Dropout draws nothing, batch statistics stay, parts that were frozen stay so."""
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
    )
    model[2].eval()
    before, seed = [b.clone() for b in model.buffers()], torch.random.get_rng_state()
    watch = ModewiseResidual(X.float(), torch.sin(X), modes="tangent", model=model, n_modes=4)
    watch(model)
    watch(model)
    assert (watch.projections[0] == watch.projections[1]).all()
    assert all(torch.equal(old, new) for old, new in zip(before, model.buffers(), strict=True))
    assert torch.equal(seed, torch.random.get_rng_state())
    assert [part.training for part in model] == [True, True, False, True]


def test_arrays_are_given_as_the_model_wants_them() -> None:
    x = np.linspace(-1, 1, 30)[:, None]
    for rows in (x, x.tolist(), np.arange(30)[:, None]):
        watch = ModewiseResidual(rows, np.sin(x), n_modes=4)
        watch(torch.nn.Linear(1, 1))  # of float32
        assert np.isfinite(watch.losses).all()


def test_outputs_for_other_rows_are_refused() -> None:
    watch = ModewiseResidual(X, torch.sin(X))
    with pytest.raises(InvalidDataError, match="3 values for 80 rows"):
        watch(lambda x: x[:3])


def test_the_first_mode_that_depends_on_others_is_named() -> None:
    with pytest.raises(InvalidDataError, match="Mode 1 is a combination"):
        ModewiseResidual(np.zeros((20, 1)), np.arange(20.0))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"y": torch.zeros(3)}, InvalidDataError, "a target a row"),
        ({"y": torch.full((80,), torch.nan)}, InvalidDataError, "NaN"),
        ({"y": torch.zeros(80, 2)}, InvalidDataError, "one number a row"),
        ({"X": torch.zeros(80, 2)}, InvalidSettingError, "Cosines of 2 inputs"),
        ({"modes": "sines"}, InvalidSettingError, "unknown"),
        ({"modes": "tangent"}, InvalidSettingError, "model="),
        ({"modes": np.ones((80, 2))}, InvalidDataError, "combination"),
        ({"modes": np.ones((7, 2))}, InvalidDataError, "is wanted"),
        ({"every": 0}, InvalidSettingError, "every"),
        ({"n_modes": 0}, InvalidSettingError, "n_modes"),
    ],
)
def test_bad_input(change: dict, error: type, match: str) -> None:
    given = {"X": X, "y": torch.sin(X)} | change
    with pytest.raises(error, match=match):
        ModewiseResidual(given.pop("X"), given.pop("y"), **given)
