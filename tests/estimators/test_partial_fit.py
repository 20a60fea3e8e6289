"""Rows that keep coming: the read-out is that of all of them together."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet import SampledFeatures, SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.blocks import OnePassBlocks, ZippedRecords, as_row_blocks
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.features import survey
from solvenet.solvers import QR, Accumulator, KeptRows

RNG = np.random.default_rng(0)
X = RNG.random((900, 3))
Y = np.stack([np.sin(3 * X.sum(axis=1)), X[:, 0]], axis=1) + 0.05 * RNG.standard_normal((900, 2))
LABELS = np.array(["low", "middle", "high"])[np.digitize(Y[:, 0], [-0.5, 0.5])]
W = RNG.random(900)
FEATURES = SampledFeatures(40, linear_skip=True, random_state=0).fit(X, Y)


def pieces(n_rows, cuts):
    bounds = [0, *sorted(cuts), n_rows]
    return [slice(a, b) for a, b in itertools.pairwise(bounds) if b > a]


class TestAccumulator:
    A = RNG.standard_normal((200, 6)) @ np.diag(10.0 ** -np.arange(6))
    B = RNG.standard_normal((200, 2))

    @given(st.lists(st.integers(0, 200), max_size=8), st.sampled_from(["qr", "normal"]))
    @settings(max_examples=30, deadline=None)
    def test_any_cut_gives_the_solution_of_all_rows(self, cuts, solver):
        rows = Accumulator(6, 2, solver=solver)
        for part in pieces(200, cuts):
            rows.add(self.A[part], self.B[part], W[:200][part])
        assert rows.n_rows == 200
        expected = QR().solve(self.A, self.B, intercept=True, weights=W[:200], alpha=1e-6)
        found = rows.solve(alpha=1e-6)
        assert np.allclose(found.coef, expected.coef, rtol=1e-6, atol=1e-8)
        assert np.allclose(found.residual_norm, expected.residual_norm, rtol=1e-9)
        assert np.isclose(found.n_rows, expected.n_rows)

    @pytest.mark.parametrize("solver", ["qr", "normal"])
    def test_forgetting_is_weighting(self, solver):
        rows, w = Accumulator(6, 2, solver=solver), np.ones(200)
        for part in pieces(200, [50, 120]):
            rows.forget(0.5)
            w[: part.start] *= 0.5
            rows.add(self.A[part], self.B[part])
        expected = QR().solve(self.A, self.B, intercept=True, weights=w, alpha=1e-3)
        found = rows.solve(alpha=1e-3)
        assert np.allclose(found.coef, expected.coef, rtol=1e-6, atol=1e-9)
        assert np.isclose(rows.weight, w.sum())

    def test_a_solution_leaves_the_summary_as_it_was(self):
        rows = Accumulator(6, 2)
        rows.add(self.A, self.B)
        kept = KeptRows(self.A[:50], self.B[:50], np.ones(50))
        first = rows.solve(alpha="auto", choose_by=kept)
        again = rows.solve(alpha="auto", choose_by=kept)
        assert first.coef.tobytes() == again.coef.tobytes()

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda r: r.add(np.ones((3, 5)), np.ones((3, 2))), InvalidDataError, r"\(rows, 6\)"),
            (lambda r: r.add(np.ones((3, 6)), np.ones((4, 2))), InvalidDataError, "wanted"),
            (lambda r: r.add(np.full((3, 6), np.nan), np.ones((3, 2))), InvalidDataError, "NaN"),
            (lambda r: r.add(np.ones((3, 6)), np.full((3, 2), np.inf)), InvalidDataError, "NaN"),
            (lambda r: r.forget(0.0), InvalidSettingError, "share=0.0"),
            (lambda r: r.forget(1.5), InvalidSettingError, "share=1.5"),
            (lambda r: r.solve(alpha="auto"), InvalidSettingError, "choose_by"),
            (lambda r: r.solve(alpha=-1.0), InvalidSettingError, "alpha"),
            (lambda _: Accumulator(6, 2, solver="svd"), InvalidSettingError, "solver='svd'"),
        ],
    )
    def test_bad_input_is_refused(self, call, error, message):
        rows = Accumulator(6, 2)
        rows.add(self.A, self.B)
        with pytest.raises(error, match=message):
            call(rows)
        assert rows.n_rows == 200


class TestRegressor:
    def model(self, **options):
        return SampledNetworkRegressor(40, random_state=0, **({"solver": "qr"} | options))

    @pytest.mark.parametrize("alpha", ["auto", 1e-3])
    @pytest.mark.parametrize("weights", [None, W])
    def test_one_call_is_a_fit(self, alpha, weights):
        whole = self.model(alpha=alpha).fit(X, Y, weights)
        streamed = self.model(alpha=alpha).partial_fit(X, Y, weights)
        assert np.isclose(streamed.alpha_, whole.alpha_, rtol=1e-9)
        assert np.allclose(streamed.predict(X), whole.predict(X), atol=1e-9)
        assert np.allclose(
            streamed.predict(X, return_std=True)[1], whole.predict(X, return_std=True)[1], rtol=1e-8
        )

    @given(st.lists(st.integers(1, 899), max_size=6), st.sampled_from(["qr", "normal"]))
    @settings(max_examples=10, deadline=None)
    def test_many_calls_are_one(self, cuts, solver):
        whole = self.model(solver=solver).partial_fit(X, Y, W, features=FEATURES)
        parts = self.model(solver=solver)
        for number, part in enumerate(pieces(900, cuts)):
            first = {"features": FEATURES} if number == 0 else {}
            parts.partial_fit(X[part], Y[part], W[part], solve=part.stop == 900, **first)
        assert np.isclose(parts.alpha_, whole.alpha_, rtol=1e-9)
        assert np.allclose(parts.predict(X), whole.predict(X), atol=1e-7)

    def test_hidden_layers_stay(self):
        model = self.model().partial_fit(X[:500], Y[:500, 0])
        before = model.hidden_
        model.partial_fit(X[500:], Y[500:, 0])
        assert model.hidden_ is before
        assert model.coef_.shape == (43,)
        assert model.result_.n_rows == 900

    def test_forgetting_follows_a_target_that_moves(self):
        moved = Y + 1.0
        model, slow = self.model(), self.model()
        for target in (Y, moved):
            for _ in range(5):
                model.partial_fit(X, target, forgetting=0.1)
                slow.partial_fit(X, target)
        assert abs((model.predict(X) - moved).mean()) < 1e-4
        assert abs((slow.predict(X) - moved).mean() + 0.5) < 1e-3

    def test_fit_begins_anew(self):
        model = self.model().partial_fit(X, Y).fit(X[:100], Y[:100])
        assert model.result_.n_rows == 100
        assert model.partial_fit(X[:50], Y[:50]).result_.n_rows == 50

    def test_a_stream_survives_pickling(self):
        model = self.model().partial_fit(X[:500], Y[:500])
        again = pickle.loads(pickle.dumps(model))
        for m in (model, again):
            m.partial_fit(X[500:], Y[500:])
        assert np.array_equal(model.coef_, again.coef_)

    def test_rows_that_can_be_read_once(self, monkeypatch):
        from solvenet.estimators import _network

        monkeypatch.setattr(_network, "PAIR_ROWS", 900)
        joined = np.column_stack([X, Y])
        blocks = OnePassBlocks(iter(np.array_split(joined, 7)), joined.shape)
        found = self.model().fit(blocks, ["x3", "x4"])
        assert np.allclose(found.predict(X), self.model().fit(X, Y).predict(X), atol=1e-7)
        monkeypatch.setattr(_network, "PAIR_ROWS", 200)
        blocks = OnePassBlocks(iter(np.array_split(joined, 7)), joined.shape)
        found = self.model().fit(blocks, ["x3", "x4"])
        expected = self.model().partial_fit(X[:258], Y[:258]).partial_fit(X[258:], Y[258:])
        assert np.allclose(found.predict(X), expected.predict(X), atol=1e-7)

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda m: m.partial_fit(X[:, :2], Y), ValueError, "2 features"),
            (lambda m: m.partial_fit(X, Y[:, 0]), InvalidDataError, "had 2 before"),
            (lambda m: m.partial_fit(X, Y, forgetting=0), InvalidSettingError, "share=0"),
            (
                lambda m: m.set_params(solver="svd").fit(X, Y).partial_fit(X, Y),
                InvalidSettingError,
                "need a solver that reads once",
            ),
            (
                lambda m: m.fit(X, Y).partial_fit(X, Y, features="swim"),
                InvalidSettingError,
                "features='swim'",
            ),
            (
                lambda m: m.fit(X, Y).partial_fit(X[:, :2], Y, features=FEATURES),
                InvalidDataError,
                "given features take 3",
            ),
        ],
    )
    def test_bad_input_is_refused(self, call, error, message):
        model = self.model().partial_fit(X, Y)
        with pytest.raises(error, match=message):
            call(model)


class TestClassifier:
    def model(self, **options):
        return SampledNetworkClassifier(40, random_state=0, **({"solver": "qr"} | options))

    @pytest.mark.parametrize("class_weight", [None, {"low": 2.0, "middle": 1.0, "high": 1.0}])
    def test_one_call_is_a_fit(self, class_weight):
        whole = self.model(class_weight=class_weight).fit(X, LABELS)
        streamed = self.model(class_weight=class_weight)
        streamed.partial_fit(X, LABELS, classes=["high", "low", "middle"])
        assert np.allclose(streamed.predict_proba(X), whole.predict_proba(X), atol=1e-6)

    def test_many_calls_are_one(self):
        whole, parts = self.model(), self.model()
        classes = np.unique(LABELS)
        whole.partial_fit(X, LABELS, classes, features=FEATURES)
        order = np.argsort(LABELS, kind="stable")  # one class after the other
        parts.partial_fit(X[order[:1]], LABELS[order[:1]], classes, features=FEATURES, solve=False)
        parts.partial_fit(X[order[1:400]], LABELS[order[1:400]], solve=False)
        parts.partial_fit(X[order[400:]], LABELS[order[400:]])
        assert np.allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-6)

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda m: m.partial_fit(X, LABELS), InvalidDataError, "classes must be passed"),
            (
                lambda m: m.partial_fit(X, LABELS, ["low", "high"]),
                InvalidDataError,
                r"'middle'.*not among",
            ),
            (lambda m: m.partial_fit(X, LABELS, ["low"]), InvalidDataError, "one class only"),
            (
                lambda m: (
                    m.fit(X, LABELS).partial_fit(X, LABELS).partial_fit(X, LABELS, ["low", "high"])
                ),
                InvalidDataError,
                "before",
            ),
            (
                lambda m: m.set_params(class_weight="balanced").partial_fit(X, LABELS, LABELS),
                InvalidSettingError,
                "balanced",
            ),
        ],
    )
    def test_bad_input_is_refused(self, call, error, message):
        with pytest.raises(error, match=message):
            call(self.model())


def test_records_of_two_sources_are_read_side_by_side():
    A, B = (as_row_blocks(Z, rows_per_block=n) for Z, n in ((X, 70), (Y, 110)))
    records = ZippedRecords(A, B, W)
    for rows, a, b, w in records.stream():
        assert np.array_equal(a, X[rows])
        assert np.array_equal(b, Y[rows])
        assert np.array_equal(w, W[rows])
    assert survey.sample_capacity(10**9) == survey.FEWEST_ROWS
