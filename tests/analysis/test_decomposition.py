"""A function as a sum of small networks of clamped and stretched inputs."""

import numpy as np
import pytest

from solvenet.analysis import decompose, equal_mode_breakpoints, modes_needed
from solvenet.errors import InvalidDataError, InvalidSettingError, SolvenetWarning

GRID = np.linspace(-1, 1, 20_001)


def peak(x):
    return 1 / (1000 * x**2 + 1)


def chirp(x):
    return np.cos(6 * np.pi * x) ** 2 + np.sin(10 * np.pi * x**2)


def wave(x):
    return np.sin(16 * np.pi * x)


EXAMPLES = [
    (peak, [-1, -0.2, 0, 0.2, 1]),
    (chirp, [-1, -0.7, 0, 0.7, 1]),
    (wave, np.linspace(-1, 1, 9)),
]


def relative_error(parts, f, x=GRID):
    return np.sqrt(np.mean((parts(x) - f(x)) ** 2)) / f(x).std()


@pytest.mark.parametrize(("f", "breakpoints"), EXAMPLES)
def test_the_identity_holds_to_rounding(f, breakpoints):
    parts = decompose(f, breakpoints, tol=0.5)
    assert np.abs(parts.exact(GRID) - f(GRID)).max() <= 2e-14


def test_the_identity_holds_for_any_break_points():
    rng = np.random.default_rng(0)
    steepest = np.abs(np.gradient(chirp(GRID), GRID)).max()
    for n in (1, 2, 7, 20):
        knots = np.sort(rng.uniform(-3, 2, n + 1))
        x = rng.uniform(knots[0], knots[-1], 2000)
        parts = decompose(np.cos, knots, tol=0.5)
        assert np.abs(parts.exact(x) - np.cos(x)).max() <= 4 * (n + 4) * np.finfo(float).eps
    assert steepest > 50  # what the examples above multiply the rounding of x by


@pytest.mark.parametrize(("f", "breakpoints"), EXAMPLES)
@pytest.mark.parametrize("activation", ["relu", "sine"])
def test_pieces_reach_the_tolerance_and_take_fewer_modes(f, breakpoints, activation):
    parts = decompose(f, breakpoints, activation=activation)
    assert relative_error(parts, f) <= 0.01
    assert parts.error == pytest.approx(relative_error(parts, f), rel=0.02)
    assert max(piece.n_modes for piece in parts.pieces) < parts.n_modes_direct / 2
    assert parts.n_units == sum(len(piece.coefficients) for piece in parts.pieces)
    np.testing.assert_array_equal(parts.breakpoints, breakpoints)


def test_modes_of_one_piece_are_those_of_the_function():
    parts = decompose(wave, [-1.0, 1.0], tol=0.05)
    assert parts.pieces[0].n_modes == parts.n_modes_direct
    # sin(16 pi x) vanishes at -1 and in the mean, so that both scales are the same
    assert parts.n_modes_direct == modes_needed(wave, 0.05)


@pytest.mark.parametrize("activation", ["relu", "sine"])
def test_errors_do_not_add_up_over_pieces(activation):
    parts = decompose(chirp, np.linspace(-1, 1, 21), activation=activation)
    ends = parts.breakpoints
    np.testing.assert_allclose(parts(ends), chirp(ends), rtol=0, atol=1e-11)
    assert relative_error(parts, chirp) <= 0.01


def test_smaller_tolerances_are_reached():
    parts = decompose(np.exp, np.linspace(0, 2, 4), tol=1e-6, activation="sine")
    x = np.linspace(0, 2, 1001)
    assert relative_error(parts, np.exp, x) <= 1e-6


def test_outside_the_function_goes_on_as_a_constant():
    parts = decompose(peak, [-0.5, 0, 0.5])
    np.testing.assert_allclose(parts(np.array([-3.0, 9.0])), peak(np.array([-0.5, 0.5])), atol=1e-9)


@pytest.mark.parametrize(("f", "n_pieces"), [(chirp, 4), (peak, 3)])
def test_break_points_share_the_modes(f, n_pieces):
    parts = decompose(f, n_pieces=n_pieces)
    modes = [piece.n_modes for piece in parts.pieces]
    assert len(modes) == n_pieces
    assert max(modes) - min(modes) <= 2
    # the break points of the talk, or equal lengths, leave more in one of the pieces
    assert max(modes) < max(
        p.n_modes for p in decompose(f, np.linspace(-1, 1, n_pieces + 1)).pieces
    )
    assert relative_error(parts, f) <= 0.01


def test_break_points_follow_the_detail():
    cuts = equal_mode_breakpoints(lambda x: np.arctan(100 * x), 3)
    assert cuts[0] == -1
    assert cuts[-1] == 1
    assert -0.1 < cuts[1] < 0 < cuts[2] < 0.1


def test_break_points_on_another_interval_are_stretched_with_it():
    near = equal_mode_breakpoints(peak, 3)
    far = equal_mode_breakpoints(lambda x: 5 * peak((x - 30) / 10), 3, interval=(20, 40))
    np.testing.assert_allclose((far - 30) / 10, near, atol=2e-3)


def test_what_has_no_modes_takes_no_pieces():
    cuts = equal_mode_breakpoints(lambda x: 3.0 + 0 * x, 4)
    np.testing.assert_allclose(cuts, np.linspace(-1, 1, 5))
    parts = decompose(lambda x: 2 * x + 1, [-1.0, 0.3, 1.0])
    np.testing.assert_allclose(parts(GRID), 2 * GRID + 1, atol=1e-13)


def test_a_jump_is_out_of_reach_and_said_to_be(monkeypatch):
    monkeypatch.setattr("solvenet.analysis.decomposition._WIDEST", 100)
    with pytest.warns(SolvenetWarning, match="a jump is out of reach"):
        parts = decompose(lambda x: np.sign(x - 0.3), [-1.0, 0.1, 1.0], tol=0.001)
    assert parts.error > 0.001
    with pytest.raises(InvalidDataError, match="more than 512 modes in each"):
        equal_mode_breakpoints(lambda x: np.sign(np.sin(50 * x)), 2, tol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"breakpoints": [-1.0, 0.5, 0.5, 1.0]}, InvalidDataError, "strictly increasing"),
        ({"breakpoints": [1.0, -1.0]}, InvalidDataError, "strictly increasing"),
        ({"breakpoints": [0.0]}, InvalidDataError, "at least two"),
        ({"breakpoints": [0.0, np.nan]}, InvalidDataError, "NaN"),
        ({"tol": 0.0}, InvalidSettingError, "tol=0"),
        ({"tol": -1.0}, InvalidSettingError, "tol=-1"),
        ({"n_pieces": 0}, InvalidSettingError, "n_pieces=0"),
        ({"interval": (1.0, -1.0)}, InvalidDataError, "interval"),
        ({"activation": "tanh"}, InvalidSettingError, "activation='tanh'"),
    ],
)
def test_impossible_settings_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        decompose(np.sin, **arguments)


@pytest.mark.filterwarnings("ignore:.*divide:RuntimeWarning", "ignore:.*invalid:RuntimeWarning")
@pytest.mark.parametrize("f", [lambda x: 1 / (x - x), lambda x: x[:-1]])
def test_functions_without_values_are_refused(f):
    with pytest.raises(InvalidDataError, match=r"NaN or infinite|one real number"):
        decompose(f)


def test_points_that_are_not_finite_are_refused():
    parts = decompose(np.sin, [-1.0, 1.0])
    with pytest.raises(InvalidDataError, match="NaN or infinite"):
        parts(np.array([0.0, np.nan]))
