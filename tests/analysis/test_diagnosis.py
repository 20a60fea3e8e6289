"""The diagnosis names what limits a network, and each of its statements holds when tried."""

import numpy as np
import pytest

from solvenet.analysis import NetworkSpec, diagnose
from solvenet.errors import InvalidDataError, InvalidSettingError


def line(n: int = 1000) -> np.ndarray:
    return np.linspace(-1, 1, n)


def scattered(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (n, d))


def wave(x: np.ndarray, cycles: float) -> np.ndarray:
    """A wave with so many cycles across [-1, 1]."""
    return np.sin(np.pi * cycles * x)


def noisy(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * x) + 0.3 * np.random.default_rng(2).standard_normal(len(x))


def local(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 0.05, np.sin(40 * np.pi * x), 0.0)


def radial(X: np.ndarray) -> np.ndarray:
    return np.cos(2 * np.linalg.norm(X, axis=1)) + X[:, 0] * X[:, 1]


X12 = scattered(800, 12)
X2 = scattered(800, 2)

CASES = {
    # name: cause, specification, rows, targets, tolerance
    "nothing": ("none", NetworkSpec(width=60), line(), wave(line(), 1), 0.02),
    "too wide": ("too wide", NetworkSpec(width=1000), line(), wave(line(), 1), 0.01),
    "float32 Gram": (
        "precision", NetworkSpec(precision="float32", gram=True), line(), wave(line(), 25), 0.05,
    ),
    "bfloat16": ("precision", NetworkSpec(precision="bfloat16"), line(), wave(line(), 20), 0.05),
    "Gram matrix in float64": (
        "precision", NetworkSpec(width=60, activation="tanh", scale=4.0, gram=True), line(),
        np.exp(np.sin(3 * line())), 1e-9,
    ),
    "too few units": ("width", NetworkSpec(width=16), line(), wave(line(), 5), 0.02),
    "too few modes: tanh too smooth": (
        "scale", NetworkSpec(width=300, activation="tanh"), line(), wave(line(), 16), 0.01,
    ),
    "sine scale too small": (
        "scale", NetworkSpec(width=300, activation="sin", scale=8.0), line(), wave(line(), 16),
        0.01,
    ),
    "sine scale too large": (
        "scale", NetworkSpec(width=300, activation="sin", scale=2000.0), line(200),
        wave(line(200), 2), 0.01,
    ),
    "wrong activation for many digits": (
        "activation", NetworkSpec(width=200), line(), np.exp(np.sin(6 * line())), 1e-8,
    ),
    "noise": ("noise", NetworkSpec(width=300), line(), noisy(line()), 0.01),
    "noise in the plane": (
        "noise", NetworkSpec(width=300, activation="tanh", scale=2.0), X2,
        np.sin(2 * X2[:, 0]) + 0.4 * np.random.default_rng(3).standard_normal(800), 0.01,
    ),
    "step": ("step", NetworkSpec(width=300), line(), np.sign(line() - 0.1), 0.01),
    "step in the plane": (
        "step", NetworkSpec(width=300, activation="tanh", scale=2.0), X2,
        np.sign(X2[:, 0] + 0.5 * X2[:, 1]), 0.01,
    ),
    "local detail": (
        "local", NetworkSpec(width=100, activation="tanh", scale=10.0), line(), local(line()), 0.01,
    ),
    "high dimension": ("dimension", NetworkSpec(width=400), X12, radial(X12), 0.01),
    "few rows": (
        "rows", NetworkSpec(width=300, activation="sin", scale=12.0), scattered(80, 2),
        np.prod(np.cos(9 * scattered(80, 2)), axis=1), 0.01,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_named(name: str) -> None:
    cause, spec, x, y, tol = CASES[name]
    found = diagnose(spec, x, y, tol=tol)
    assert found.cause == cause, f"{found}\n{found.numbers}"


def fresh_error(spec: NetworkSpec, f, *, cut: float = 1e-14, n: int = 1000) -> float:
    """Return the error of a network that is really solved, between the rows it was fitted to."""
    x = line(n)
    layer = spec.layer(1)
    A = layer(x[:, None])
    center, mean = A.mean(axis=0), f(x).mean()
    coef = np.linalg.lstsq(A - center, f(x) - mean, rcond=cut)[0]
    between = (x[1:] + x[:-1]) / 2
    predicted = (layer(between[:, None]) - center) @ coef + mean
    return float(np.sqrt(np.mean((predicted - f(between)) ** 2)) / f(x).std())


class TestStatements:
    """What the advice says happens when it is done."""

    def test_representable_modes_are_those_that_single_precision_finds(self) -> None:
        """Really in float32: a Gram matrix summed up and decomposed by single LAPACK."""
        spec = NetworkSpec(width=300, precision="float32", gram=True)
        x = line()
        found = diagnose(spec, x, wave(x, 25), tol=0.05)
        A = spec.layer(1)(x[:, None])
        A = (A - A.mean(axis=0)).astype(np.float32)
        values = np.linalg.eigvalsh(A.T @ A)[::-1]
        clean = np.maximum(np.linalg.svd(A.astype(np.float64), compute_uv=False) ** 2, 1e-30)
        # The eigenvalues are right to a factor of two as far as the modes are said to reach.
        right = np.abs(np.log2(np.maximum(values, 1e-30) / clean)) < 1
        trusted = int(np.argmin(right)) if not right.all() else len(right)
        assert 0.5 * trusted <= found.numbers.modes <= 1.5 * trusted

    def test_float64_without_the_gram_matrix_helps_as_said(self) -> None:
        spec = NetworkSpec(width=400, precision="float32", gram=True)
        found = diagnose(spec, line(), wave(line(), 25), tol=0.05)
        assert found.cause == "precision"
        f = lambda x: wave(x, 25)  # noqa: E731
        assert fresh_error(spec, f, cut=2.0**-11.5) > 0.5
        assert fresh_error(spec, f) < 2 * np.sqrt(found.numbers.errors["float64"])

    def test_the_width_that_would_do_does(self) -> None:
        spec = NetworkSpec(width=1000)
        found = diagnose(spec, line(), wave(line(), 1), tol=0.01)
        assert found.cause == "too wide"
        assert found.numbers.best_width is not None
        narrow = NetworkSpec(width=found.numbers.best_width)
        assert fresh_error(narrow, lambda x: wave(x, 1)) < 0.01

    def test_twice_the_units_help_as_said(self) -> None:
        spec = NetworkSpec(width=16)
        found = diagnose(spec, line(), wave(line(), 5), tol=0.02)
        said = np.sqrt(found.numbers.errors["twice the units"])
        tried = fresh_error(NetworkSpec(width=32), lambda x: wave(x, 5))
        assert tried == pytest.approx(said, rel=0.5)
        assert tried < 0.5 * fresh_error(spec, lambda x: wave(x, 5))

    @pytest.mark.parametrize("name", ["too few modes: tanh too smooth", "sine scale too small"])
    def test_the_scale_helps_as_said(self, name: str) -> None:
        _, spec, _, _, _ = CASES[name]
        found = diagnose(spec, line(), wave(line(), 16), tol=0.01)
        assert found.numbers.best_scale is not None
        better = NetworkSpec(
            width=spec.width, activation=spec.activation,
            scale=spec.scale * found.numbers.best_scale,
        )  # fmt: skip
        assert fresh_error(better, lambda x: wave(x, 16)) < 0.01
        assert fresh_error(spec, lambda x: wave(x, 16)) > 0.3

    def test_more_units_hurt_in_float32_as_said(self) -> None:
        """The cutoff of a Gram matrix in float32 rises with its size (MATLAB's n * eps)."""
        f = lambda x: np.arctan(25 * x)  # noqa: E731
        found = diagnose(NetworkSpec(width=600, precision="float32", gram=True), line(), f(line()))
        assert "rounding grows" in str(found)
        narrow, wide = (
            fresh_error(NetworkSpec(width=width), f, cut=np.sqrt(width * 2.0**-23))
            for width in (60, 600)
        )
        assert wide > 1.5 * narrow

    def test_the_noise_is_the_noise(self) -> None:
        found = diagnose(NetworkSpec(width=300), line(), noisy(line()), tol=0.01)
        assert np.sqrt(found.numbers.error) == pytest.approx(0.3 / noisy(line()).std(), rel=0.15)

    def test_gradient_descent_halves_the_finest_mode_as_predicted(self) -> None:
        spec = NetworkSpec(width=200)
        found = diagnose(spec, line(400), wave(line(400), 3), tol=0.1)
        steps = found.numbers.halving_steps
        assert steps is not None
        A = spec.layer(1)(line(400)[:, None])
        A -= A.mean(axis=0)
        U, s, _ = np.linalg.svd(A, full_matrices=False)
        mode = U[:, found.numbers.needed - 1]
        coef, rate = np.zeros(200), 1.0 / s[0] ** 2
        for _ in range(round(steps)):
            coef -= rate * (A.T @ (A @ coef - mode))
        assert mode @ (mode - A @ coef) == pytest.approx(0.5, abs=0.02)

    def test_the_resolution_is_that_of_the_modes(self) -> None:
        """A wave within it is represented, one of twice its frequency is not."""
        spec = NetworkSpec(width=300, precision="float32", gram=True)
        cycles = diagnose(spec, line(), wave(line(), 3)).numbers.frequency
        within, beyond = (
            fresh_error(spec, lambda x, c=c: np.cos(np.pi * c * x), cut=2.0**-11.5)
            for c in (round(0.7 * cycles), round(2 * cycles))
        )
        assert within < 0.2
        assert beyond > 0.8

    def test_units_placed_by_the_data_help_where_detail_is_local(self) -> None:
        from solvenet import SampledNetworkRegressor

        x = line(2000)
        model = SampledNetworkRegressor(100, random_state=0).fit(x[:, None], local(x))
        found = diagnose(CASES["local detail"][1], line(), local(line()))
        assert found.cause == "local"
        left = 1 - model.score(line(1777)[:, None], local(line(1777)))
        assert left < 0.5 * found.numbers.error


class TestFitted:
    def test_a_narrow_network_wants_more_units(self) -> None:
        from sklearn.datasets import make_friedman1

        from solvenet import SampledNetworkRegressor

        X, y = make_friedman1(3000, random_state=0)
        found = diagnose(SampledNetworkRegressor(60, random_state=0).fit(X, y), X, y)
        assert found.cause == "width"
        wider = SampledNetworkRegressor(240, random_state=0).fit(X, y)
        assert wider.result_.curve.score < 0.5 * found.numbers.error

    def test_noise_in_a_table(self) -> None:
        from sklearn.datasets import make_friedman1

        from solvenet import SampledNetworkRegressor

        X, y = make_friedman1(4000, random_state=0, noise=2.0)
        found = diagnose(SampledNetworkRegressor(random_state=0).fit(X, y), X, y)
        assert found.cause == "noise"
        assert 1.0 <= found.numbers.error / (4.0 / y.var()) <= 1.4

    def test_classes_pipelines_networks_and_loaded_models(self, tmp_path) -> None:
        from sklearn.datasets import load_wine
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from solvenet import SampledNetworkClassifier, load, save

        X, y = load_wine(return_X_y=True)
        model = SampledNetworkClassifier(random_state=0).fit(X, y)
        direct = diagnose(model, X, y)
        assert direct.numbers.classes
        assert direct.cause not in ("step", "local")
        piped = make_pipeline(StandardScaler(), SampledNetworkClassifier(random_state=0)).fit(X, y)
        assert diagnose(piped, X, y).numbers.width == direct.numbers.width
        save(model, tmp_path / "wine.safetensors")
        assert diagnose(load(tmp_path / "wine.safetensors"), X, y).numbers.crowding is None
        indicators = (y[:, None] == np.unique(y)).astype(float)
        assert diagnose(model.network_, X, indicators).numbers.width == direct.numbers.width

    def test_same_seed_same_words(self) -> None:
        _, spec, x, y, _ = CASES["noise in the plane"]
        assert str(diagnose(spec, x, y)) == str(diagnose(spec, x, y))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"tol": 0.0}, InvalidSettingError, "above zero"),
        ({"tol": np.nan}, InvalidSettingError, "above zero"),
        ({"random_state": -1}, InvalidSettingError, "random_state"),
        ({"y": np.ones(100)}, InvalidDataError, "equal"),
        ({"y": np.full(100, np.nan)}, InvalidDataError, "NaN"),
        ({"y": np.ones(99)}, InvalidDataError, "as many targets"),
        ({"X": np.full(100, np.inf)}, InvalidDataError, "X holds"),
        ({"X": np.ones(8), "y": np.arange(8.0)}, InvalidDataError, "at least 16"),
        ({"model": "relu"}, InvalidSettingError, "NetworkSpec"),
    ],
)
def test_bad_input(change: dict, error: type, match: str) -> None:
    given = {"model": NetworkSpec(width=20), "X": line(100), "y": line(100)} | change
    with pytest.raises(error, match=match):
        diagnose(given.pop("model"), given.pop("X"), given.pop("y"), **given)


@pytest.mark.parametrize(
    "settings", [{"width": 0}, {"scale": 0.0}, {"scale": -1.0}, {"activation": "swish"},
                 {"precision": "float8"}]
)  # fmt: skip
def test_impossible_specifications_are_refused(settings: dict) -> None:
    with pytest.raises(InvalidSettingError):
        NetworkSpec(**settings)
