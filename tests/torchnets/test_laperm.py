"""LaPerm: the published algorithm, step by step, and for any module."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra solvenet[torch]")

from torch import nn  # noqa: E402 (after the skip)

from solvenet.errors import InvalidSettingError, UnsupportedProblemError  # noqa: E402
from solvenet.features import DenseMap, get_activation  # noqa: E402
from solvenet.permutation import (  # noqa: E402
    PermutationProblem,
    equidistant,
    pairwise,
    random_units,
    relu_pairs,
)
from solvenet.torchnets import LaPerm, train_laperm  # noqa: E402

x = np.linspace(-1, 1, 40)


def problem(seed=0, n=6, rows=x, **options):
    values = np.random.default_rng(seed).permutation(equidistant(2 * n))
    units = relu_pairs(np.linspace(-1, 1, n))
    return PermutationProblem(units, values, rows, np.sin(3 * rows), **options)


def published(given, orders, alpha, *, batch, rate, decay, n_epochs, period):
    """The published program, with torch's own Adam and autograd, one network."""
    units = given.features
    H = torch.from_numpy(np.maximum(given.X @ units.weights + units.biases, 0))
    y = torch.from_numpy(given.y)
    coef = nn.Parameter(torch.from_numpy(given.values.copy()))
    gamma, alpha = (nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (1.0, alpha))
    optimiser = torch.optim.Adam([coef, gamma, alpha], lr=rate)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimiser, decay)
    ordered = coef.detach().sort().values
    last = 0
    for epoch in range(n_epochs):
        for rows in torch.from_numpy(orders[epoch]).split(batch):
            loss = nn.functional.mse_loss(gamma * (H[rows] @ coef) + alpha, y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        scheduler.step()
        if epoch + 1 - last == period or epoch + 1 == n_epochs:
            last = epoch
            with torch.no_grad():
                coef.copy_(ordered[coef.argsort().argsort()])
    return coef.detach().numpy(), gamma.item(), alpha.item()


@pytest.mark.parametrize("batch", [8, 7])
def test_many_at_once_is_the_published_program_on_each(monkeypatch, batch):
    problems = [problem(seed) for seed in range(3)]
    orders = []

    class Recorded(np.random.Generator):
        def permuted(self, rows, axis):
            orders.append(super().permuted(rows, axis=axis))
            return orders[-1]

    import solvenet.torchnets.laperm as room

    real = room.stream
    monkeypatch.setattr(room, "stream", lambda *keys: Recorded(real(*keys).bit_generator))
    options = {"n_epochs": 14, "period": 5, "batch_size": batch}
    runs = train_laperm(problems, learning_rate=0.02, decay=0.9, dtype="float64", **options)
    for i, (given, run) in enumerate(zip(problems, runs, strict=True)):
        alpha = real(0, "laperm", "alpha", i).uniform(-1, 1)
        coef, gamma, alpha = published(
            given, [o[i] for o in orders], alpha, batch=batch, rate=0.02, decay=0.9,
            n_epochs=14, period=5,
        )  # fmt: skip
        assert np.array_equal(run.result.coef, coef)
        assert run.result.gamma == pytest.approx(gamma, rel=1e-9)
        assert run.result.alpha == pytest.approx(alpha, rel=1e-9)
        assert run.epochs.tolist() == [5, 9, 13, 14]


def test_it_learns_and_only_permutes():
    problems = [problem(seed, n=10, rows=np.linspace(-1, 1, 400)) for seed in range(6)]
    runs = train_laperm(problems, n_epochs=300, learning_rate=3e-3, decay=0.99)
    starts = [given.result(np.arange(20)).rmse for given in problems]
    assert np.median([run.result.rmse for run in runs] / np.array(starts)) < 0.5
    given, run = problems[0], runs[0]
    assert sorted(run.result.coef) == sorted(given.values)
    errors = given.y - run.result(given.X)
    assert run.result.rmse == pytest.approx(np.sqrt((errors**2).mean()))
    assert run.result.max_error == pytest.approx(np.abs(errors).max())
    assert run.result.method == "laperm"


def test_the_same_seed_gives_the_same_network():
    one, same, other = (
        train_laperm(problem(), n_epochs=8, random_state=seed)[0].result for seed in (0, 0, 1)
    )
    assert one.gamma == same.gamma
    assert np.array_equal(one.permutation, same.permutation)
    assert one.gamma != other.gamma


def test_fixed_gamma_and_alpha_stay():
    (run,) = train_laperm(problem(gamma=2.0, alpha=0.5), n_epochs=6)
    assert (run.result.gamma, run.result.alpha) == (2.0, 0.5)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"period": 1}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        ({"period": 3}, [3, 5, 7, 9, 11, 12]),
        # k = ceil(2 * 1.5^(epoch / 10)): 2, then 3 from epoch 1 on, 4 from epoch 11 on.
        ({"period": 2, "relaxed": True, "decay": 0.5}, [3, 5, 7, 9, 11, 12]),
        ({"period": 50}, [12]),
    ],
)
def test_when_values_are_permuted(options, wanted):
    (run,) = train_laperm(problem(), n_epochs=12, **options)
    assert run.epochs.tolist() == wanted


def test_history_is_every_permutation():
    given = problem()
    runs = train_laperm([given, problem(1)], n_epochs=13, history=True)
    for run in runs:
        assert run.permutations.shape == (len(run.epochs), 12)
        assert np.array_equal(run.permutations[-1], run.result.permutation)
    assert train_laperm(given, n_epochs=3)[0].permutations.shape == (0, 12)


def test_progress_is_told_and_may_stop():
    seen = []

    def progress(epoch, losses):
        seen.append((epoch, losses.shape))
        return epoch == 7

    runs = train_laperm([problem(), problem(1)], n_epochs=50, progress=progress)
    assert seen == [(epoch, (2,)) for epoch in range(1, 8)]
    assert len(runs[0].losses) == 7
    assert runs[0].epochs.tolist() == [5, 7]
    assert sorted(runs[0].result.coef) == sorted(problem().values)


def test_several_inputs_and_equal_values():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (64, 2))
    units = random_units(30, 2)
    given = PermutationProblem(units, np.repeat([-1.0, 1.0], 15), X, X[:, 0] * X[:, 1])
    (run,) = train_laperm(given, n_epochs=10, batch_size=16)
    assert sorted(run.result.coef) == sorted(given.values)


# -- bad input -----------------------------------------------------------------------------


def test_problems_have_one_shape_and_relu_units():
    tanh = DenseMap(np.ones((1, 4)), np.linspace(-1, 1, 4), get_activation("tanh"))
    with pytest.raises(UnsupportedProblemError, match="ReLU"):
        train_laperm(PermutationProblem(tanh, equidistant(4), x, x))
    with pytest.raises(UnsupportedProblemError, match="one shape"):
        train_laperm([problem(), problem(n=7)])
    with pytest.raises(InvalidSettingError, match="No problem"):
        train_laperm([])


@pytest.mark.parametrize(
    "options",
    [
        {"n_epochs": 0},
        {"batch_size": 0},
        {"learning_rate": -1},
        {"decay": 0},
        {"decay": 1.1},
        {"period": 0},
        {"dtype": "float16"},
        {"random_state": -1},
    ],
    ids=str,
)
def test_bad_settings_are_refused(options):
    with pytest.raises(InvalidSettingError, match=next(iter(options))):
        train_laperm(problem(), **{"n_epochs": 1} | options)


# -- any module ----------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["row", "layer"])
def test_weights_of_a_module_go_back_to_their_values(scope):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))

    def values():
        return [
            w.detach().reshape(len(w) if scope == "row" else 1, -1).sort(dim=1).values
            for w in (net[0].weight, net[3].weight)
        ]

    before, norm = values(), net[1].weight.detach().clone()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    laperm = LaPerm(net, scope=scope, period=3)
    images = torch.randn(8, 1, 4, 4)
    for step in range(1, 7):
        net(images).square().mean().backward()
        optimiser.step()
        laperm.step()
        same = all(torch.equal(a, b) for a, b in zip(values(), before, strict=True))
        assert same == (step % 3 == 0)
    assert not torch.equal(net[1].weight, norm)  # normalisations train freely
    assert all(len(state) > 0 for state in optimiser.state.values())


def test_laperm_is_the_nearest_arrangement():
    layer = nn.Linear(5, 3)
    laperm = LaPerm(layer, period=10)
    initial = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(3, 5))
    wanted = layer.weight.detach().clone()
    laperm.permute()
    for row, target, values in zip(layer.weight.tolist(), wanted, initial, strict=True):
        ranks = target.argsort().argsort()
        assert row == values.sort().values[ranks].tolist()


def test_a_module_without_weights_is_refused():
    with pytest.raises(InvalidSettingError, match="no weight"):
        LaPerm(nn.ReLU())
    with pytest.raises(InvalidSettingError, match="period"):
        LaPerm(nn.Linear(2, 2), period=0)
    with pytest.raises(InvalidSettingError, match="scope"):
        LaPerm(nn.Linear(2, 2), scope="net")


def test_pairs_keep_their_order_at_the_start():
    """The published pairwise start: knot i has p_i and -p_i."""
    values = pairwise(12)
    given = PermutationProblem(relu_pairs(np.linspace(-1, 1, 6)), values, x, x)
    (run,) = train_laperm(given, n_epochs=1, learning_rate=0.0)
    assert np.array_equal(run.result.coef, values)
    assert run.losses[0] == pytest.approx(run.result.rmse**2, rel=1e-5)
