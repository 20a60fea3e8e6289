"""Sizes that are found: networks grow while a mode of the residual falls."""

import numpy as np
import pytest

from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.estimators import MMNNRegressor
from solvenet.structured import Field, grow_mmnn
from solvenet.structured.growing import FIRST
from solvenet.structured.modes import ModeBands

x = np.linspace(-1, 1, 300)


@pytest.mark.parametrize(("d", "n"), [(1, 200), (2, 400), (5, 500), (9, 300)])
def test_bands_are_orthonormal_and_sum_to_the_mean_square(d, n, rng):
    Z = rng.uniform(-1, 1, (n, d))
    bands = ModeBands(Z)
    gram = bands.modes.T @ bands.modes
    assert np.allclose(gram, np.eye(len(gram)), rtol=0, atol=1e-12)
    assert (np.diff(bands.band) >= 0).all()
    residual = rng.standard_normal((n, 2))
    parts = bands.parts(residual)
    assert sum(parts) == pytest.approx(np.mean(residual**2), rel=1e-12)
    assert len(parts) == bands.band.max() + 2


@pytest.mark.parametrize(("waves", "band"), [(0, 0), (1, 1), (2, 2), (3, 2), (5, 3), (9, 4)])
def test_a_cosine_lies_in_its_band(waves, band):
    Z = (np.arange(200) + 0.5)[:, None] / 100 - 1  # where cosines are orthogonal
    parts = ModeBands(Z).parts(np.cos(waves * np.pi / 2 * (Z + 1)))
    assert np.argmax(parts) == band
    assert parts[band] == pytest.approx(sum(parts), rel=1e-12)


def test_a_network_grows_until_nothing_falls():
    noise = 0.1 * np.random.default_rng(0).standard_normal(300)
    growth = grow_mmnn(x, np.sin(3 * x) + noise, max_steps=12, most_parameters=4 * FIRST)
    assert growth.reason == "in two rounds no mode of the residual fell"
    assert growth.result.n_parameters <= 2 * FIRST
    sizes = [t.n_parameters for t in growth.tried]
    assert max(sizes) > growth.result.n_parameters  # larger ones were tried
    assert growth.size in [t[:3] for t in growth.tried]
    assert min(t.mse for t in growth.tried) < 0.02


def test_detail_takes_more():
    smooth = grow_mmnn(x, np.sin(2 * x), max_steps=10, most_parameters=FIRST)
    fine = grow_mmnn(x, np.sin(20 * x), max_steps=15, most_parameters=200)
    assert fine.result.n_parameters > smooth.result.n_parameters
    assert fine.reason.startswith(("most_parameters=200", "in two"))
    assert all(t.n_parameters <= 200 for t in fine.tried)


def test_a_field_of_two_inputs():
    field = Field(lambda X: np.tanh(4 * X[:, 0]) * X[:, 1])
    growth = grow_mmnn(field, n_inputs=2, max_steps=12, most_parameters=120)
    assert growth.result.network.n_inputs == 2
    assert growth.result.mse < 1e-3


def test_what_is_given_stays():
    growth = grow_mmnn(x, np.sin(5 * x), rank=2, depth=3, max_steps=5, most_parameters=120)
    assert {t[1:3] for t in growth.tried} == {(2, 3)}
    growth = grow_mmnn(x, np.sin(5 * x), width=7, max_steps=5, most_parameters=60)
    assert {t.width for t in growth.tried} == {7}


def test_the_same_seed_gives_the_same_network():
    one, other = (grow_mmnn(x, np.sin(9 * x), max_steps=4, most_parameters=60) for _ in range(2))
    assert one.tried == other.tried
    assert np.array_equal(one.result(x), other.result(x))


def test_the_regressor_grows():
    model = MMNNRegressor(rank="auto", depth="auto", random_state=0, max_steps=5)
    model.fit(x[:150, None], np.sin(4 * x[:150]))
    assert model.growth_.size[0] >= 2
    assert model.score(x[:150, None], np.sin(4 * x[:150])) > 0.999


def test_bad_input():
    with pytest.raises(InvalidDataError, match="20 rows"):
        grow_mmnn(x[:9], x[:9])
    with pytest.raises(InvalidDataError, match="20 rows"):
        grow_mmnn(x)
    with pytest.raises(InvalidDataError, match="No network fits"):
        grow_mmnn(x, x, rank=50, depth=9, most_parameters=100)
    with pytest.raises(InvalidSettingError, match="rank=0"):
        grow_mmnn(x, x, rank=0)
    with pytest.raises(InvalidSettingError, match="max_steps=0"):
        grow_mmnn(x, x, max_steps=0)
    with pytest.raises(InvalidSettingError, match="rank='low'"):
        MMNNRegressor(rank="low", depth="auto").fit(x[:, None], x)
