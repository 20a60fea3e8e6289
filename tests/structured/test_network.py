"""Structured networks as arrays: sizes, values, Jacobians, starts."""

import mpmath
import numpy as np
import pytest
from scipy.optimize._numdiff import approx_derivative

from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features.slopes import SLOPES
from solvenet.structured import MMNN, Layer, balanced, random_mmnn
from solvenet.structured.initial import solved_last
from solvenet.structured.linearization import Linearization


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def like(vector, arrays):
    cuts = np.cumsum([array.size for array in arrays])[:-1]
    return [p.reshape(a.shape) for p, a in zip(np.split(vector, cuts), arrays, strict=True)]


@pytest.mark.parametrize(
    ("size", "n_inputs", "fitted", "all_numbers"),
    [
        ((10, 3, 5), 1, 143, 323),
        ((100, 10, 6), 2, 5151, 10951),
        ((300, 5, 4), 1, 4816, 10816),
        ((500, 3, 5), 1, 6513, None),
        ((500, 5, 5), 2, 10521, None),
        ((600, 30, 15), 2, 253021, None),
    ],
)
def test_the_published_sizes(size, n_inputs, fitted, all_numbers):
    network = random_mmnn(*size, n_inputs=n_inputs)
    assert (network.width, network.rank, network.depth) == size
    assert network.n_parameters == fitted
    if all_numbers is not None:
        assert network.n_numbers == all_numbers
        assert random_mmnn(*size, n_inputs=n_inputs, fixed=False).n_parameters == all_numbers


def test_values_against_mpmath():
    network = random_mmnn(
        6, 3, 4, n_inputs=2, n_outputs=2, activation="tanh", residual=True, low=0.0, high=3.0
    )
    X = np.array([[0.2, 2.9], [1.5, 0.0]])
    with mpmath.workdps(40):
        for row, found in zip(X, network(X), strict=True):
            h = [(mpmath.mpf(float(x)) - mpmath.mpf(1.5)) / mpmath.mpf(1.5) for x in row]
            for number, layer in enumerate(network.layers):
                W, b, A, c = (array.tolist() for array in (layer.W, layer.b, layer.A, layer.c))
                s = [
                    mpmath.tanh(mpmath.fsum(h[i] * W[i][j] for i in range(len(h))) + b[j])
                    for j in range(6)
                ]
                new = [mpmath.fsum(s[j] * A[j][k] for j in range(6)) + c[k] for k in range(len(c))]
                if number in (1, 2):
                    new = [value + old for value, old in zip(new, h, strict=True)]
                h = new
            assert [float(value) for value in h] == pytest.approx(found, rel=0, abs=1e-14)


def test_blocks_of_rows_do_not_change_values(monkeypatch):
    network = random_mmnn(8, 2, 3, activation="sin")
    x = np.linspace(-1, 1, 100)
    whole = network(x)
    monkeypatch.setattr("solvenet.structured.network._NUMBERS", 80)
    assert np.allclose(network(x), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", sorted(SLOPES))
def test_slopes_are_derivatives(name):
    from solvenet.features.activations import ACTIVATIONS

    function = ACTIVATIONS[name].function
    z = np.array([-2.3, -0.7, 0.1, 0.9, 3.1])
    h = 1e-6
    found = SLOPES[name](z, function(z.copy()))
    assert np.allclose(found, (function(z + h) - function(z - h)) / (2 * h), rtol=0, atol=1e-9)


@pytest.mark.parametrize("activation", ["sin", "tanh", "gelu"])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize(("fixed", "residual"), [(True, False), (False, True)])
def test_the_factors_are_those_of_the_jacobian(activation, n_outputs, fixed, residual, rng):
    network = random_mmnn(
        7,
        3,
        4,
        n_inputs=2,
        n_outputs=n_outputs,
        activation=activation,
        scale=2.0,
        residual=residual,
        fixed=fixed,
    )
    Z = rng.uniform(-1, 1, (9, 2))
    network = balanced(network, Z)
    at = Linearization(network, Z)
    J, start = at.jacobian(), network.parameters()

    def values(vector):
        moved = network.with_parameters(like(vector, start))
        return Linearization(moved, Z).values.T.ravel()

    scale = np.abs(J).max()
    differences = approx_derivative(values, flat(start), method="3-point", rel_step=1e-5)
    assert np.abs(J - differences).max() < 1e-7 * scale
    weights = rng.uniform(0.5, 2, len(start))
    each = np.concatenate([np.full(a.size, w) for a, w in zip(start, weights, strict=True)])
    assert np.allclose(
        at.gram(weights), (J * each) @ J.T, rtol=0, atol=1e-12 * scale**2 * len(each)
    )
    assert np.allclose(
        at.normal(weights),
        (J * each).T @ J * np.sqrt(each)[None] / np.sqrt(each)[:, None],
        rtol=0,
        atol=1e-12 * scale**2 * len(J) * 4,
    )
    u, d = rng.standard_normal(len(J)), rng.standard_normal(J.shape[1])
    assert np.allclose(
        flat(at.transposed(u, weights)), each * (J.T @ u), rtol=0, atol=1e-12 * scale * 9
    )
    assert np.allclose(at.times(like(d, start)), J @ d, rtol=0, atol=1e-12 * scale * len(d))
    squares = [
        float(np.sum(part**2)) / len(J)
        for part in np.split(J, np.cumsum([a.size for a in start])[:-1], axis=1)
    ]
    assert at.squares() == pytest.approx(squares, rel=1e-12)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", ["relu", "sin", "tanh"])
def test_balanced_channels(activation, residual, rng):
    network = random_mmnn(30, 4, 4, n_inputs=2, activation=activation, residual=residual)
    Z = rng.uniform(-1, 1, (200, 2))
    inside = list(balanced(network, Z).passes(Z))[:-1]
    for number, (H, _, _, values) in enumerate(inside):
        added = values - H if residual and number else values
        assert np.allclose(added.mean(axis=0), 0, rtol=0, atol=1e-12)
        assert np.allclose(added.std(axis=0), 0.5, rtol=1e-12)


def test_the_last_layer_is_the_ridge_solution(rng):
    network = random_mmnn(10, 3, 2, activation="tanh", n_outputs=2)
    Z, Y = rng.uniform(-1, 1, (50, 1)), rng.standard_normal((50, 2))
    solved = solved_last(network, Z, Y, ridge=1e-2)
    *_, (_, _, S, values) = solved.passes(Z)
    S = S - S.mean(axis=0)
    alpha = 1e-2 * np.sum(S**2) / 10
    wanted = np.linalg.solve(S.T @ S + alpha * np.eye(10), S.T @ Y)
    assert np.allclose(solved.layers[-1].A, wanted, rtol=0, atol=1e-11)
    assert np.allclose((Y - values).mean(axis=0), 0, rtol=0, atol=1e-12)


def test_starts_are_what_they_say():
    sphere = random_mmnn(50, 5, 3, n_inputs=2)
    for layer in sphere.layers:
        assert np.allclose(np.linalg.norm(layer.W, axis=0), 1)
        assert np.abs(layer.b).max() <= 1
    default = random_mmnn(50, 5, 3, n_inputs=2, initial="default")
    scaled = random_mmnn(50, 5, 3, n_inputs=2, initial="scaled")
    factor = 25**0.5 * 2**0.5
    assert np.allclose(scaled.layers[0].W, factor * default.layers[0].W)
    assert np.array_equal(scaled.layers[1].W, default.layers[1].W)
    assert np.abs(default.layers[1].W).max() <= 5**-0.5
    again = random_mmnn(50, 5, 3, n_inputs=2)
    assert all(
        np.array_equal(a, b) for a, b in zip(again.parameters(), sphere.parameters(), strict=True)
    )
    other = random_mmnn(50, 5, 3, n_inputs=2, random_state=1)
    assert not np.array_equal(other.layers[0].W, sphere.layers[0].W)


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"rank": 11}, "rank of at most the width"),
            ({"depth": 0}, "depth=0"),
            ({"width": 2.5}, "width=2.5"),
            ({"activation": "swish"}, "activation='swish' is unknown"),
            ({"initial": "xavier"}, "initial='xavier'"),
            ({"scale": -1.0}, "scale=-1.0"),
            ({"low": 1.0}, "low < high"),
            ({"random_state": -1}, "random_state=-1"),
        ],
    )
    def test_settings(self, settings, says):
        with pytest.raises((InvalidSettingError, InvalidDataError), match=says):
            random_mmnn(**({"width": 10, "rank": 3, "depth": 2} | settings))

    def test_arrays(self):
        layer = random_mmnn(4, 2, 1).layers[0]
        with pytest.raises(InvalidDataError, match="at least one"):
            MMNN(())
        with pytest.raises(InvalidDataError, match="1 outputs stands before one of 2 inputs"):
            MMNN((layer, random_mmnn(4, 2, 1, n_inputs=2).layers[0]))
        with pytest.raises(InvalidDataError, match="NaN"):
            Layer(layer.W, layer.b * np.nan, layer.A, layer.c)
        with pytest.raises(InvalidDataError, match="are wanted"):
            Layer(layer.W, layer.b[1:], layer.A, layer.c)
        with pytest.raises(InvalidDataError, match="n_rows, 1"):
            MMNN((layer,))(np.zeros((3, 2)))
