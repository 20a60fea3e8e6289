"""Layers whose weights are only rearranged: what moves, what stays, what is saved."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra solvenet[torch]")

from torch import nn  # noqa: E402 (after the skip)
from torch.nn.utils import parametrize  # noqa: E402

from solvenet.errors import InvalidDataError, InvalidSettingError, ModelFileError  # noqa: E402
from solvenet.permutation import (  # noqa: E402
    MultisetRecipe,
    load_permutation,
    multiset_digest,
    save_permutation,
)
from solvenet.torchnets import (  # noqa: E402
    PermutedConv2d,
    PermutedLinear,
    permute_,
    permuted_layers,
)

ONE_BIT = MultisetRecipe("equidistant", bits=1)
TERNARY = MultisetRecipe("equidistant", bits=1, zeros=0.9)
X = torch.linspace(-1, 1, 40).reshape(5, 8)


def sorted_values(weight, scope="layer"):
    return weight.detach().reshape(len(weight) if scope == "row" else 1, -1).sort(dim=1).values


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


@pytest.mark.parametrize("scope", ["layer", "row"])
@pytest.mark.parametrize("values", [None, ONE_BIT, TERNARY, MultisetRecipe("normal", seed=1)])
def test_training_moves_values_and_changes_none(scope, values):
    torch.manual_seed(0)
    layer = PermutedLinear(20, 6, values=values, scope=scope)
    before = layer.weight.detach().clone()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
    x, y = torch.randn(64, 20), torch.randn(64, 6)
    losses = []
    for _ in range(20):
        loss = nn.functional.mse_loss(layer(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert not torch.equal(layer.weight, before)
    assert torch.equal(sorted_values(layer.weight, scope), sorted_values(before, scope))
    assert {name for name, _ in layer.named_parameters()} == {
        "bias",
        "parametrizations.weight.original",
    }


def test_each_weight_is_the_value_of_its_rank():
    values = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 6.0])
    layer = PermutedLinear(3, 2, values=values)
    latent = layer.parametrizations.weight.original
    with torch.no_grad():
        latent.copy_(torch.tensor([[0.3, -2.0, 9.0], [0.1, 0.2, -7.0]]))
    assert layer.weight.tolist() == [[5.0, 2.0, 6.0], [3.0, 4.0, 1.0]]
    # The nearest arrangement there is.
    distance = (layer.weight - latent).square().sum()
    for _ in range(50):
        other = torch.tensor(np.random.default_rng(_).permutation(values).reshape(2, 3))
        assert (other - latent).square().sum() >= distance


def test_gradients_go_straight_to_the_latent():
    layer = PermutedLinear(8, 3, values=ONE_BIT)
    plain = nn.Linear(8, 3)
    with torch.no_grad():
        plain.weight.copy_(layer.weight)
        plain.bias.copy_(layer.bias)
    for module in (layer, plain):
        module(X).square().sum().backward()
    assert torch.equal(layer.parametrizations.weight.original.grad, plain.weight.grad)


def test_equal_latents_keep_their_order():
    layer = PermutedLinear(4, 1, values=[1.0, 2.0, 3.0, 4.0])
    with torch.no_grad():
        layer.parametrizations.weight.original.zero_()
    assert layer.weight.tolist() == [[1.0, 2.0, 3.0, 4.0]]


@pytest.mark.parametrize("scope", ["layer", "row"])
def test_convolutions(scope):
    torch.manual_seed(0)
    layer = PermutedConv2d(2, 4, 3, values=TERNARY, scope=scope, padding=1, stride=2, bias=False)
    out = layer(torch.randn(3, 2, 8, 8))
    assert out.shape == (3, 4, 4, 4)
    out.sum().backward()
    zero = (layer.weight == 0).float().reshape(4, -1).mean(dim=1)
    if scope == "row":
        assert torch.allclose(zero, torch.tensor(16 / 18))
    assert zero.mean() == pytest.approx(16 / 18 if scope == "row" else 65 / 72)


def test_the_size_is_that_of_he():
    layer = PermutedLinear(400, 300, values=ONE_BIT, bias=False)
    assert layer.weight.square().mean().item() == pytest.approx(2 / 400, rel=0.02)


# -- whole modules -------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["layer", "row"])
def test_own_values_change_nothing_at_first(scope):
    net = network()
    before = net(X)
    assert permute_(net, scope=scope) is net
    assert torch.equal(net(X), before)


def test_back_to_the_initial_values_in_one_shot():
    net = network()
    initial = copy.deepcopy(net.state_dict())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    trained = copy.deepcopy(net.state_dict())
    permute_(net, scope="row", values=initial)
    assert torch.equal(
        sorted_values(net[0].weight, "row"), sorted_values(initial["0.weight"], "row")
    )
    # No arrangement is nearer to the trained weights, the initial one least of all.
    moved, start = net[0].weight - trained["0.weight"], initial["0.weight"] - trained["0.weight"]
    assert 0 < moved.norm() < start.norm()
    assert torch.equal(net[0].bias, trained["0.bias"])


def test_fresh_values_differ_from_layer_to_layer_and_keep_the_size():
    net = nn.Sequential(nn.Linear(30, 30), nn.Linear(30, 30))
    sizes = [layer.weight.square().mean().item() for layer in net]
    permute_(net, values=MultisetRecipe("normal", seed=2))
    (_, one, _), (_, other, _) = permuted_layers(net)
    assert one.digest != other.digest
    for layer, size in zip(net, sizes, strict=True):
        assert layer.weight.square().mean().item() == pytest.approx(size, rel=1e-5)


def test_a_layer_alone_and_every_kind_of_convolution():
    layer = permute_(nn.Linear(4, 4), values=ONE_BIT)
    assert len(layer.weight.unique()) == 2
    net = permute_(nn.Sequential(nn.Conv1d(2, 2, 3), nn.Conv3d(1, 2, 2)), values=ONE_BIT)
    assert all(len(each.weight.unique()) == 2 for each in net)


def test_the_permuted_weights_can_be_left_in_an_ordinary_layer():
    net = permute_(network(), values=ONE_BIT)
    out = net(X)
    for layer in (net[0], net[2]):
        parametrize.remove_parametrizations(layer, "weight")
    assert torch.equal(net(X), out)
    assert type(net[0]) is nn.Linear


def test_copies_are_independent():
    layer = PermutedLinear(8, 3, values=ONE_BIT)
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other.parametrizations.weight.original.neg_()
    assert not torch.equal(layer.weight, other.weight)
    assert torch.equal(sorted_values(layer.weight), sorted_values(other.weight))


def test_double_precision():
    layer = PermutedLinear(8, 3, values=MultisetRecipe("uniform"), dtype=torch.float64)
    drawn = MultisetRecipe("uniform").draw(24)
    gain = layer.parametrizations.weight[0].gain.item()
    assert np.array_equal(sorted_values(layer.weight)[0].numpy(), gain * drawn)


# -- saving --------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [ONE_BIT, MultisetRecipe("normal", seed=4)])
def test_a_state_goes_into_layers_of_the_same_recipe(values, tmp_path):
    net = permute_(network(), values=values)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    state = torch.load(tmp_path / "net.pt", weights_only=True)
    assert not any(key.endswith(".values") for key in state)
    torch.manual_seed(9)
    other = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    permute_(other, values=values).load_state_dict(state)
    assert torch.equal(other(X), net(X))


def test_values_without_a_recipe_are_in_the_state():
    net = permute_(network())
    state = net.state_dict()
    torch.manual_seed(9)
    other = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    permute_(other, values=state).load_state_dict(state)
    assert torch.equal(other(X), net(X))


def test_a_state_of_another_multiset_is_refused():
    state = permute_(network(), values=MultisetRecipe("normal", seed=1)).state_dict()
    for values in (MultisetRecipe("normal", seed=2), ONE_BIT, None):
        with pytest.raises(ModelFileError, match="another multiset"):
            permute_(network(), values=values).load_state_dict(state)
    with pytest.raises(ModelFileError, match="another multiset"):
        permute_(network(), values=MultisetRecipe("normal", seed=1), scope="row").load_state_dict(
            state
        )


def test_an_altered_state_is_refused():
    state = permute_(network()).state_dict()
    key = "0.parametrizations.weight.0.values"
    with pytest.raises(ModelFileError, match="altered"):
        permute_(network()).load_state_dict(state | {key: state[key] + 1})
    del state["0.parametrizations.weight.0._extra_state"]
    with pytest.raises(ModelFileError, match="has no"):
        permute_(network()).load_state_dict(state)


def test_to_a_permutation_file_and_back(tmp_path):
    net = permute_(network(), values=TERNARY, scope="row")
    found = {name: (match, placed) for name, match, placed in permuted_layers(net)}
    save_permutation(
        tmp_path / "net",
        {name: placed for name, (_, placed) in found.items()},
        recipes={name: match.recipe for name, (match, _) in found.items()},
        info={name: match.gain.item() for name, (match, _) in found.items()},
    )
    stored = load_permutation(tmp_path / "net")
    for name in ("0", "2"):
        weight = torch.from_numpy(stored.arrangements[name]) * stored.info[name]
        layer = net.get_submodule(name)
        assert torch.allclose(weight.float().reshape(layer.weight.shape), layer.weight)


def test_float32_values_can_be_stored(tmp_path):
    net = permute_(network())
    arrangements = {name: placed for name, _, placed in permuted_layers(net)}
    save_permutation(tmp_path / "net", arrangements)
    stored = load_permutation(
        tmp_path / "net", values={n: np.sort(a) for n, a in arrangements.items()}
    )
    assert np.array_equal(
        stored.arrangements["0"].reshape(16, 8), net[0].weight.detach().double().numpy()
    )
    assert [m.digest for _, m, _ in permuted_layers(net)] == [
        multiset_digest(a[None]) for a in arrangements.values()
    ]


# -- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(5), "as many as weights"),
        (np.full((3, 8), np.nan), "NaN"),
        ([np.inf] * 24, "infinite"),
        (np.ones(24), "values that differ"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(InvalidDataError, match=message):
        PermutedLinear(8, 3, values=values)


def test_a_layer_that_has_only_zeros_has_nothing_to_permute():
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight)
    with pytest.raises(InvalidDataError, match="All values equal: "):
        permute_(layer)
    with pytest.raises(InvalidDataError, match="All values equal in every row"):
        permute_(nn.Linear(1, 5), scope="row")


def test_bad_settings_are_refused():
    with pytest.raises(InvalidSettingError, match="scope"):
        PermutedLinear(8, 3, scope="net")
    with pytest.raises(InvalidSettingError, match="scope"):
        permute_(network(), scope="net")
    with pytest.raises(InvalidSettingError, match="no linear"):
        permute_(nn.ReLU())
    with pytest.raises(InvalidSettingError, match="no linear"):
        permute_(permute_(network()))
    with pytest.raises(InvalidSettingError, match="MultisetRecipe"):
        permute_(network(), values=np.ones(3))


def test_a_module_is_permuted_as_a_whole_or_not_at_all():
    net = network()
    with pytest.raises(InvalidDataError, match=r"no values for 2\.weight"):
        permute_(net, values={"0.weight": net[0].weight})
    assert not parametrize.is_parametrized(net[0])
