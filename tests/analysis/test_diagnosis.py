"""The diagnosis names what limits a network, and each of its statements holds when tried."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg

from solvenet.analysis import NetworkSpec, decompose, diagnose
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
        "precision", NetworkSpec(width=400, precision="float32", gram=True), line(),
        wave(line(), 25), 0.05,
    ),
    "bfloat16": (
        "precision", NetworkSpec(width=400, precision="bfloat16"), line(), wave(line(), 20), 0.05,
    ),
    "Gram matrix in float64": (
        "precision", NetworkSpec(width=60, activation="tanh", scale=4.0, gram=True), line(),
        np.exp(np.sin(3 * line())), 1e-9,
    ),
    "too few units": ("width", NetworkSpec(width=16), line(), wave(line(), 5), 0.02),
    "far too few units": ("width", NetworkSpec(width=4), line(), wave(line(), 25), 0.05),
    "too few units of a bad scale": (
        "width", NetworkSpec(width=16, activation="tanh"), line(), wave(line(), 16), 0.02,
    ),
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
    "step between rows of any distance": (
        "step", NetworkSpec(width=100), scattered(400, 1), np.sign(scattered(400, 1)[:, 0] - 0.1),
        0.01,
    ),
    "step on a slope": (
        "step", NetworkSpec(width=100), scattered(400, 1),
        np.sin(2 * scattered(400, 1)[:, 0]) + (scattered(400, 1)[:, 0] > 0.2), 0.01,
    ),
    "rows in order": (
        "scale", NetworkSpec(width=200, activation="sin", scale=4.0), line(300),
        wave(line(300), 12), 0.01,
    ),
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


SETTINGS = [  # rows, cycles of waves, seed
    (300, 12, 1),
    (500, 20, 2),
    (2000, 30, 3),
]


@pytest.mark.parametrize(("n", "cycles", "seed"), SETTINGS)
def test_causes_do_not_hang_on_size_frequency_or_seed(n: int, cycles: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = line(n), wave(line(n), cycles)
    drawn = np.sort(rng.uniform(-1, 1, n))
    plane = rng.uniform(-1, 1, (n, 2))
    high = rng.uniform(-1, 1, (n, 12))
    coarse = "bfloat16" if cycles < 25 else "float32"
    cases = [
        ("too wide", NetworkSpec(), x, wave(x, cycles / 10), 0.01),
        ("precision", NetworkSpec(precision=coarse, gram=coarse == "float32"), x, y, 0.05),
        ("width", NetworkSpec(width=cycles // 2), x, y, 0.05),
        ("scale", NetworkSpec(width=200, activation="sin", scale=cycles / 2), x, y, 0.01),
        ("scale", NetworkSpec(width=200, activation="tanh"), x, y, 0.01),
        (
            "noise", NetworkSpec(width=200), drawn,
            np.sin(7 * drawn) + rng.choice([0.1, 0.3, 1.0]) * rng.standard_normal(n), 0.01,
        ),
        ("step", NetworkSpec(width=100), drawn, np.sign(drawn - rng.uniform(-0.5, 0.5)), 0.005),
        (
            "step", NetworkSpec(width=200, activation="tanh", scale=2.0), plane,
            np.sign(plane @ rng.standard_normal(2)), 0.01,
        ),
        ("dimension", NetworkSpec(width=200), high, np.prod(np.cos(4 * high[:, :3]), axis=1), 0.01),
    ]  # fmt: skip
    for cause, spec, rows, targets, tol in cases:
        found = diagnose(spec, rows, targets, tol=tol, random_state=seed)
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
        assert fresh_error(spec, f) < 2 * np.sqrt(found.numbers.best("precision").error)

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
        said = np.sqrt(next(t.error for t in found.numbers.trials if t.units == 32))
        tried = fresh_error(NetworkSpec(width=32), lambda x: wave(x, 5))
        assert tried == pytest.approx(said, rel=0.5)
        assert tried < 0.5 * fresh_error(spec, lambda x: wave(x, 5))

    @pytest.mark.parametrize("name", ["too few modes: tanh too smooth", "sine scale too small"])
    def test_the_scale_helps_as_said(self, name: str) -> None:
        _, spec, _, _, _ = CASES[name]
        found = diagnose(spec, line(), wave(line(), 16), tol=0.01)
        better = found.numbers.best("scale")
        assert fresh_error(better.of(spec), lambda x: wave(x, 16)) < 0.01
        assert fresh_error(spec, lambda x: wave(x, 16)) > 0.3

    def test_another_activation_helps_as_said(self) -> None:
        _, spec, _, _, _ = CASES["wrong activation for many digits"]
        f = lambda x: np.exp(np.sin(6 * x))  # noqa: E731
        found = diagnose(spec, line(), f(line()), tol=1e-8)
        better = found.numbers.best("activation")
        assert f"With {better.activation} units" in str(found)
        said, tried = np.sqrt(better.error), fresh_error(better.of(spec), f)
        assert tried < 1e-8
        assert 0.05 * said < tried < 20 * said  # both are near rounding
        assert fresh_error(spec, f) > 1e-6

    @pytest.mark.parametrize("name", ["far too few units", "too few units of a bad scale"])
    def test_the_units_that_would_do_do(self, name: str) -> None:
        _, spec, x, y, tol = CASES[name]
        found = diagnose(spec, x, y, tol=tol)
        change = found.numbers.best("width")
        assert f"With {change}" in str(found)
        cycles = 25 if name.startswith("far") else 16
        wide = replace(change.of(spec), width=max(found.numbers.best_width, 2 * spec.width))
        assert wide.width < 400
        assert fresh_error(wide, lambda x: wave(x, cycles)) < 1.5 * tol
        assert fresh_error(spec, lambda x: wave(x, cycles)) > 0.3

    @pytest.mark.parametrize(
        ("spec", "f", "tol", "said", "works"),
        [
            (NetworkSpec(width=100), lambda x: wave(x, 2), 0.02, "even by the Gram", (True, True)),
            (
                NetworkSpec(width=400), lambda x: wave(x, 25), 0.03, "not for the Gram",
                (True, False),
            ),
            (
                NetworkSpec(width=60, activation="tanh", scale=4.0),
                lambda x: np.exp(np.sin(3 * x)), 1e-9, "float32 is not enough", (False, False),
            ),
        ],
    )  # fmt: skip
    def test_float32_is_enough_where_it_is_said(self, spec, f, tol, said, works) -> None:
        """Solved by single LAPACK: the features by gelsd, their Gram matrix by syevr."""
        x = line()
        assert said in str(diagnose(spec, x, f(x), tol=tol))
        A = spec.layer(1)(x[:, None])
        A = (A - A.mean(axis=0)).astype(np.float32)
        y = (f(x) - f(x).mean()).astype(np.float32)
        eps = 4 * np.finfo(np.float32).eps
        direct = scipy.linalg.lstsq(A, y, cond=eps, lapack_driver="gelsd")[0]
        squared = scipy.linalg.pinvh(A.T @ A, rtol=eps) @ (A.T @ y)
        assert direct.dtype == squared.dtype == np.float32
        for coef, good in zip((direct, squared), works, strict=True):
            error = np.sqrt(np.mean((A @ coef - y) ** 2)) / y.std()
            assert (error < 1.5 * tol) == good, (error, tol)

    def test_rounding_hides_what_more_units_would_add(self) -> None:
        spec = NetworkSpec(width=300, precision="float32", gram=True)
        found = diagnose(spec, line(), wave(line(), 3), tol=0.02)
        assert "more add few" in str(found)
        twice = diagnose(replace(spec, width=600), line(), wave(line(), 3), tol=0.02)
        assert twice.numbers.modes <= 1.1 * found.numbers.modes

    def test_components_bring_modes_in_reach_as_said(self) -> None:
        spec = NetworkSpec(width=400, precision="float32", gram=True)
        found = diagnose(spec, line(), wave(line(), 25), tol=0.05)
        assert "Several components" in str(found)
        parts = decompose(lambda x: wave(x, 25), np.linspace(-1, 1, 9), tol=0.05)
        assert parts.n_modes_direct > found.numbers.modes
        assert max(piece.n_modes for piece in parts.pieces) < found.numbers.modes

    def test_components_save_nothing_where_the_variation_is_everywhere(self) -> None:
        f = lambda x: wave(x, 6)  # noqa: E731
        found = diagnose(NetworkSpec(width=400), line(), f(line()), tol=0.02)
        assert "as many numbers as one hidden layer" in str(found)
        parts = decompose(f, np.linspace(-1, 1, 5), tol=0.02)
        assert sum(piece.n_modes for piece in parts.pieces) >= parts.n_modes_direct

    def test_components_save_numbers_where_it_is_local(self) -> None:
        f = lambda x: np.exp(-((x / 0.01) ** 2))  # noqa: E731
        found = diagnose(NetworkSpec(width=100), line(4001), f(line(4001)), tol=0.02)
        assert found.cause == "local"
        parts = decompose(f, np.array([-1.0, -0.05, 0.05, 1.0]), tol=0.02)
        assert sum(piece.n_modes for piece in parts.pieces) < 0.5 * parts.n_modes_direct

    def test_too_many_units_fit_the_noise_as_said(self) -> None:
        x = line(200)
        rng = np.random.default_rng(0)
        y = np.sin(2 * np.pi * x) + 0.3 * rng.standard_normal(200)
        spec = NetworkSpec(width=400)
        found = diagnose(spec, x, y)
        assert "400 units for 200 rows" in str(found)
        A = spec.layer(1)(x[:, None])
        between = spec.layer(1)((x[1:, None] + x[:-1, None]) / 2)
        truth = np.sin(np.pi * (x[1:] + x[:-1]))
        errors = []
        for cut in (1e-14, 1e-3):
            coef = np.linalg.lstsq(A, y, rcond=cut)[0]
            errors.append(np.sqrt(np.mean((between @ coef - truth) ** 2)))
            left = np.sqrt(np.mean((A @ coef - y) ** 2))
            assert (left < 0.01) == (cut == 1e-14)
        assert errors[0] > 2 * errors[1]

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

    def test_a_scale_that_is_about_right_is(self) -> None:
        f = noisy(line())
        spec = NetworkSpec(width=60, activation="sin", scale=8.0)
        found = diagnose(spec, line(), f)
        assert "The scale of the first layer is about right" in str(found)
        tried = [t for t in found.numbers.trials if t.kind == "scale"]
        assert len(tried) >= 6
        for trial in tried:
            error = diagnose(trial.of(spec), line(), f).numbers.error
            assert error == pytest.approx(trial.error)
            assert error > 0.25 * found.numbers.error

    def test_nothing_is_said_of_scales_that_were_not_tried(self) -> None:
        spec = NetworkSpec(width=60, activation="sin", scale=60.0)
        found = diagnose(spec, line(), wave(line(), 16), tol=0.1)
        assert found.cause in ("none", "too wide")
        assert "is enough for this error" in str(found)

    def test_the_noise_is_the_noise(self) -> None:
        found = diagnose(NetworkSpec(width=300), line(), noisy(line()), tol=0.01)
        assert np.sqrt(found.numbers.error) == pytest.approx(0.3 / noisy(line()).std(), rel=0.15)

    def test_gradient_descent_halves_the_finest_mode_as_predicted(self) -> None:
        spec = NetworkSpec(width=200)
        found = diagnose(spec, line(400), wave(line(400), 3), tol=0.1)
        assert len(found.numbers.halving) == 4
        A = spec.layer(1)(line(400)[:, None])
        A -= A.mean(axis=0)
        U, s, _ = np.linalg.svd(A, full_matrices=False)
        for share, (_, steps) in zip((0.125, 0.25, 0.5, 1.0), found.numbers.halving, strict=True):
            mode = U[:, max(1, round(share * found.numbers.needed)) - 1]
            coef, rate = np.zeros(200), 1.0 / s[0] ** 2
            for _ in range(round(steps)):
                coef -= rate * (A.T @ (A @ coef - mode))
            # A whole number of steps is made.
            assert mode @ (mode - A @ coef) == pytest.approx(0.5, abs=0.02 + 0.35 / steps)

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
        assert "Judge the classifier by its accuracy" in str(direct)
        piped = make_pipeline(StandardScaler(), SampledNetworkClassifier(random_state=0)).fit(X, y)
        assert diagnose(piped, X, y).numbers.width == direct.numbers.width
        save(model, tmp_path / "wine.safetensors")
        assert diagnose(load(tmp_path / "wine.safetensors"), X, y).numbers.crowding is None
        indicators = (y[:, None] == np.unique(y)).astype(float)
        assert diagnose(model.network_, X, indicators).numbers.width == direct.numbers.width

    def test_same_seed_same_words(self) -> None:
        spec = NetworkSpec(width=60, activation="tanh", scale=2.0)
        x, y = X2[:200], np.sin(2 * X2[:200, 0])
        words, again, other = (str(diagnose(spec, x, y, random_state=s)) for s in (0, 0, 1))
        assert words == again
        assert words != other  # rows are all taken, but other weights are drawn


def test_rows_and_targets_of_any_kind() -> None:
    pd = pytest.importorskip("pandas")
    spec, x, y = NetworkSpec(width=50), line(200), wave(line(200), 1)
    numbers = diagnose(spec, x, y).numbers
    for rows, targets in [
        (x.tolist(), y.tolist()),
        (pd.DataFrame({"x": x}), pd.DataFrame({"y": y})),
        (x.astype(object), y.astype(object)),
        (x * 1e300, y * 1e200),
        (x, y * 1e-200),
    ]:
        error = diagnose(spec, rows, targets).numbers.error
        assert error == pytest.approx(numbers.error, rel=1e-6)
    words = np.where(y > 0, "up", "down")
    for labels in (words, y > 0, words[:, None], words.astype(object)):
        assert diagnose(spec, x, labels).numbers.classes
    assert not diagnose(spec, x, np.round(5 * y).astype(int)).numbers.classes


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"tol": 0.0}, InvalidSettingError, "above 0 and below 1"),
        ({"tol": np.nan}, InvalidSettingError, "above 0 and below 1"),
        ({"X": line(100) + 0j}, InvalidDataError, "complex128; real numbers"),
        ({"X": np.full(100, "a")}, InvalidDataError, "Encode categories"),
        ({"y": np.array(["a", None] * 50, dtype=object)}, InvalidDataError, "real numbers"),
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


def test_columns_and_classes_of_a_fit_are_checked() -> None:
    from solvenet import SampledNetworkClassifier

    X, y = scattered(100, 2), np.where(scattered(100, 2)[:, 0] > 0, "a", "b")
    model = SampledNetworkClassifier(20, random_state=0).fit(X, y)
    with pytest.raises(InvalidDataError, match=r"X has 1 columns; .* takes 2"):
        diagnose(model, X[:, :1], y)
    with pytest.raises(InvalidDataError, match="for classes a, b"):
        diagnose(model, X, np.where(y == "a", "a", "z"))
    assert diagnose(model, X, y[:, None]).numbers.classes


@pytest.mark.parametrize(
    "settings", [{"width": 0}, {"scale": 0.0}, {"scale": -1.0}, {"activation": "swish"},
                 {"precision": "float8"}]
)  # fmt: skip
def test_impossible_specifications_are_refused(settings: dict) -> None:
    with pytest.raises(InvalidSettingError):
        NetworkSpec(**settings)
