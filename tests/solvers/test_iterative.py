"""Krylov solvers as solvers: settings, stop reasons, warm start, weights, intercept, passes."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from solvenet import CGLS, LSMR, LSQR, QR, SampledNetworkRegressor
from solvenet.blocks import ArrayBlocks, OnePassBlocks
from solvenet.errors import IllConditionedWarning, InvalidSettingError, UnsupportedProblemError
from solvenet.solvers import StopReason
from solvenet.testing import with_spectrum

SOLVERS = [LSQR(), LSMR(), CGLS()]
all_solvers = pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: type(s).__name__)


def graded(rng, m, n, condition):
    return with_spectrum(rng, (m, n), np.geomspace(1, 1 / condition, n))


@pytest.fixture
def problem(rng):
    return graded(rng, 150, 20, 30.0), rng.standard_normal((150, 2))


@all_solvers
@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_weights_and_intercept_are_the_explicit_transformation(rng, problem, solver, alpha):
    A, B = problem
    A = A + 0.3
    w = rng.uniform(0, 2, 150)
    solver = replace(solver, atol=1e-13)
    source = ArrayBlocks(A, rows_per_block=37)
    result = solver.solve(source, B, alpha=alpha, weights=w, intercept=True)
    mean_A, mean_B = (np.average(M, axis=0, weights=w) for M in (A, B))
    root = np.sqrt(w)[:, None]
    plain = solver.solve((A - mean_A) * root, (B - mean_B) * root, alpha=alpha)
    assert np.allclose(result.coef, plain.coef, rtol=1e-9)
    assert np.allclose(result.intercept, mean_B - mean_A @ plain.coef, rtol=1e-9)
    assert np.allclose(result.residual_norm, plain.residual_norm, rtol=1e-11)
    exact = QR().solve(A, B, alpha=alpha, weights=w, intercept=True)
    assert np.allclose(result.coef, exact.coef, rtol=1e-7)
    assert result.alpha == pytest.approx(alpha)
    assert result.stop_reason is StopReason.CONVERGED_NORMAL


@all_solvers
def test_passes_are_iterations_and_a_few(problem, solver):
    A, B = problem
    for options, more in [
        ({"audit": "skip"}, 2),
        ({"audit": "auto"}, 3),
        ({"audit": "skip", "intercept": True}, 3),
    ]:
        result = solver.solve(A, B[:, 0], **options)
        assert result.n_passes == result.history.n_iterations + more
        assert result.reason == f"{result.history.n_iterations} iterations, one pass each"
    assert result.history.residual_norms.shape == (result.history.n_iterations + 1, 1)


@all_solvers
def test_history_ends_with_what_the_audit_measures(problem, solver):
    A, B = problem
    result = solver.solve(A, B, audit="full")
    assert result.audited
    assert np.allclose(result.history.residual_norms[0], np.linalg.norm(B, axis=0))
    assert np.allclose(result.history.residual_norms[-1], result.residual_norm, rtol=1e-12)
    last = result.history.normal_residual_norms[-1]
    assert np.allclose(last, result.normal_residual_norm, rtol=1e-3, atol=1e-13)
    assert 0 < result.backward_error <= 3 * solver.atol


@all_solvers
def test_facts_of_a_solution_that_was_not_factored(problem, solver):
    A, B = problem
    result = solver.solve(A, B[:, 0])
    assert (result.rank, result.singular_values, result.rcond) == (None, None, 0.0)
    assert 15 < result.condition < 30 * 20**0.5
    assert 0.7 <= result.factorization.frobenius() <= 1 + 1e-12
    assert np.isnan(result.degrees_of_freedom)
    with pytest.raises(UnsupportedProblemError, match="Use SWG, QR"):
        result.covariance_root()
    assert "iterations" in result.summary()
    json.dumps(result.to_dict())


@all_solvers
def test_each_stop_reason(rng, solver):
    A, B = graded(rng, 150, 20, 1e6), rng.standard_normal((150, 1))
    spread = graded(rng, 150, 20, 30.0)
    many = {"conlim": np.inf, "max_iterations": 3000}
    for matrix, targets, settings, reason in [
        (spread, spread @ np.ones(20), {}, StopReason.CONVERGED),
        (spread, B, {}, StopReason.CONVERGED_NORMAL),
        (A, B, {"atol": 0.0, **many}, StopReason.STAGNATED),
        (A, B, {"conlim": 1e3}, StopReason.CONDITION_LIMIT),
        (A, B, {"max_iterations": 5}, StopReason.ITERATION_LIMIT),
        (A, B, {"callback": lambda k, _: k == 3}, StopReason.INTERRUPTED),
    ]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = replace(solver, **settings).solve(matrix, targets)
        assert result.stop_reason is reason
        assert result.stop_reason.success is (reason.name.startswith("CONVERGED"))
        # Who asked for the stop needs no warning; who did not gets the advice.
        told = reason not in (
            StopReason.CONVERGED,
            StopReason.CONVERGED_NORMAL,
            StopReason.INTERRUPTED,
        )
        assert [w.category for w in caught] == [IllConditionedWarning] * told
        assert result.stop_reason.success or reason.advice in result.warnings
        assert not told or reason.advice in str(caught[0].message)


@all_solvers
def test_the_worst_column_is_the_reason(rng, solver):
    A = graded(rng, 150, 20, 1e3)
    B = np.column_stack([A @ np.ones(20), rng.standard_normal(150), np.zeros(150)])
    assert solver.solve(A, B).stop_reason is StopReason.CONVERGED_NORMAL
    with pytest.warns(IllConditionedWarning, match="max_iterations was reached"):
        result = replace(solver, max_iterations=3).solve(A, B)
    assert result.stop_reason is StopReason.ITERATION_LIMIT


@all_solvers
def test_an_interrupted_solve_goes_on_from_its_solution(rng, solver):
    A, B = graded(rng, 150, 20, 100.0), rng.standard_normal((150, 2))
    options = {"alpha": 1e-6, "intercept": True, "weights": rng.uniform(0.5, 2, 150)}
    stopped = replace(solver, callback=lambda k, _: k == 10).solve(A, B, **options)
    assert stopped.history.n_iterations == 10
    result = solver.solve(A, B, start=stopped.coef, **options)
    assert result.stop_reason.success
    before, after = stopped.history.residual_norms, result.history.residual_norms
    assert np.allclose(after[0], before[-1], rtol=1e-12)
    exact = QR().solve(A, B, **options)
    assert np.allclose(result.coef, exact.coef, rtol=1e-5, atol=1e-7)
    again = solver.solve(A, B, start=result.coef, **options)
    # One or two iterations: how large A is has to be seen again.
    assert again.history.n_iterations <= 3
    assert np.allclose(again.coef, result.coef, rtol=1e-6)


def test_the_callback_sees_every_iteration(problem):
    A, B = problem
    seen = []
    result = LSQR(callback=lambda *facts: seen.append(facts)).solve(A, B)
    assert [k for k, _ in seen] == list(range(result.history.n_iterations + 1))
    # A stop is measured after the callback has seen the claim.
    assert np.allclose([norms for _, norms in seen], result.history.residual_norms, rtol=1e-8)
    assert LSQR(callback=print) == LSQR()


@all_solvers
@pytest.mark.parametrize(("shape", "limit"), [((200, 40), 160), ((40, 200), 160), ((90, 5), 100)])
def test_default_limit_of_iterations(rng, solver, shape, limit):
    A = graded(rng, max(shape), min(shape), 1e12)
    A = A if shape[0] > shape[1] else A.T
    hard = replace(solver, atol=0.0, btol=0.0, conlim=np.inf, window=1000)
    with pytest.warns(IllConditionedWarning):
        result = hard.solve(A, rng.standard_normal(shape[0]))
    assert result.history.n_iterations <= limit
    if min(shape) == 40:
        assert result.stop_reason is StopReason.ITERATION_LIMIT
        assert result.history.n_iterations == limit


@all_solvers
def test_what_is_refused(problem, solver):
    A, B = problem
    name = type(solver).__name__
    with pytest.raises(UnsupportedProblemError, match=rf"{name} .* cannot cut .* alpha=\(rcond"):
        solver.solve(A, B, rcond=1e-8)
    solver.solve(A, B, rcond=0.0)
    with pytest.raises(UnsupportedProblemError, match="AUTO_RIDGE"):
        solver.solve(A, B, alpha="auto")
    with pytest.raises(UnsupportedProblemError, match="AUTO_CUTOFF"):
        solver.solve(A, B, rcond="auto")
    once = OnePassBlocks(iter([A]), A.shape)
    with pytest.raises(UnsupportedProblemError, match=r"more than once; .* allows 1 pass\. Use QR"):
        solver.solve(once, B)
    for settings, message in [
        ({"atol": -1.0}, "atol=-1.0"),
        ({"btol": np.nan}, "btol=nan"),
        ({"conlim": 0.5}, "conlim=0.5"),
        ({"conlim": np.nan}, "conlim=nan"),
        ({"max_iterations": 0}, "max_iterations=0"),
        ({"window": 0}, "window=0"),
    ]:
        with pytest.raises(InvalidSettingError, match=message):
            replace(solver, **settings).solve(A, B)


def test_estimators_take_them(rng):
    X = rng.uniform(-1, 1, (300, 2))
    y = np.sin(X.sum(axis=1))
    options = {"hidden_layer_sizes": (40,), "alpha": 1e-4, "random_state": 0}
    model = SampledNetworkRegressor(solver="lsqr", **options).fit(X, y)
    exact = SampledNetworkRegressor(solver="qr", **options).fit(X, y)
    assert np.allclose(model.predict(X), exact.predict(X), atol=1e-5)
