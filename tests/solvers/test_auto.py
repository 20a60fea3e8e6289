"""Auto says what it chose and why; results say how far they can be trusted."""

import json

import numpy as np
import pytest

from solvenet.blocks import ArrayBlocks, MappedBlocks, OnePassBlocks
from solvenet.errors import IllConditionedWarning, MemoryLimitError, UnsupportedProblemError
from solvenet.solvers import QR, SVD, Auto, NormalEquations, StopReason, auto

RNG = np.random.default_rng(0)
POINTS = RNG.random((2000, 2))
SMOOTH = np.tanh(POINTS @ RNG.standard_normal((2, 100)) * 2 + RNG.uniform(-2, 2, 100))
TARGET = np.sin(POINTS.sum(axis=1))


def test_noisy_targets_need_the_gram_matrix_only(rng):
    result = Auto().solve(SMOOTH, TARGET + 0.1 * rng.standard_normal(2000), alpha="auto")
    assert result.solver == "NormalEquations"
    assert "resolves" in result.reason
    assert result.n_passes == 1


def test_smooth_targets_go_on_to_qr():
    result = Auto().solve(SMOOTH, TARGET, alpha="auto", intercept=True)
    assert result.solver == "QR"
    assert "below" in result.reason
    assert result.n_passes == 2
    assert result.curve.score < 1e-14


def test_a_second_try_stays_within_the_memory_limit():
    """The ridge that a Gram matrix resolves, and a warning, where QR would be too large."""
    W = np.random.default_rng(1).standard_normal((2, 800))
    A = np.tanh(POINTS @ W)
    needed = NormalEquations(spectrum=False).cost(2000, 800).state_bytes
    with pytest.warns(IllConditionedWarning, match="less regularisation"):
        result = Auto().solve(A, TARGET, alpha="auto", memory_limit=needed)
    assert result.solver == "NormalEquations"
    assert Auto().solve(A, TARGET, alpha="auto").solver == "QR"
    with pytest.raises(MemoryLimitError, match="NormalEquations"):
        Auto().solve(A, TARGET, alpha="auto", memory_limit=needed - 1)


def test_a_given_ridge_of_a_wide_matrix_is_squared_first(monkeypatch):
    """Reflections of 20,000 columns would take ten times the memory."""
    rng = np.random.default_rng(1)
    A = np.tanh(POINTS @ rng.standard_normal((2, 800)))
    y = TARGET + 0.1 * rng.standard_normal(2000)
    limit = NormalEquations(spectrum=False).cost(2000, 800).state_bytes
    found = [Auto().solve(A, y, alpha=0.1), Auto().solve(A, y, alpha=0.1, memory_limit=limit)]
    monkeypatch.setattr(auto, "WIDE", 800)
    found.append(Auto().solve(A, y, alpha=0.1))
    assert [result.solver for result in found] == ["QR", "NormalEquations", "NormalEquations"]
    for result in found[1:]:
        assert np.allclose(A @ result.coef, A @ found[0].coef, atol=1e-8)
    tiny = Auto().solve(A, y, alpha=1e-14)
    assert tiny.solver == "QR"
    assert "there is a ridge below" in tiny.reason


def test_a_stream_is_read_once():
    source = OnePassBlocks((SMOOTH[i : i + 100] for i in range(0, 2000, 100)), SMOOTH.shape)
    result = Auto().solve(source, TARGET, alpha="auto")
    assert (result.solver, result.n_passes) == ("QR", 1)
    assert not result.audited


def test_few_rows_are_solved_whole():
    result = Auto().solve(SMOOTH[:150], TARGET[:150], alpha="auto")
    assert result.solver == "SVD"
    assert "at most twice as many rows" in result.reason


def test_without_a_ridge_nothing_is_squared():
    assert Auto().solve(SMOOTH, TARGET).solver == "QR"


def test_the_solvers_agree_on_what_was_chosen(rng):
    y = TARGET + 0.01 * rng.standard_normal(2000)
    found = [s.solve(SMOOTH, y, alpha="auto") for s in (SVD(), QR(), NormalEquations(), Auto())]
    for result in found[1:]:
        assert result.alpha == pytest.approx(found[0].alpha, rel=10)
        assert np.allclose(SMOOTH @ result.coef, SMOOTH @ found[0].coef, atol=3e-3)


def test_nothing_is_decided_by_block_size_or_threads(monkeypatch, rng):
    y = TARGET + 0.01 * rng.standard_normal(2000)
    solutions = []
    for rows in (2000, 611, 100):
        result = NormalEquations().solve(ArrayBlocks(SMOOTH, rows_per_block=rows), y, alpha=1e-3)
        solutions.append(SMOOTH @ result.coef)
    assert all(np.allclose(solutions[0], other, atol=1e-9) for other in solutions[1:])
    source = ArrayBlocks(SMOOTH, rows_per_block=100)
    many = QR().solve(source, y, alpha=1e-3).coef
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert np.array_equal(QR().solve(source, y, alpha=1e-3).coef, many)


def test_users_rows_are_never_overwritten():
    before = SMOOTH.copy()
    for source in (
        SMOOTH,
        OnePassBlocks([SMOOTH], SMOOTH.shape),
        MappedBlocks(ArrayBlocks(SMOOTH), lambda X: X, 100),
        MappedBlocks(OnePassBlocks([SMOOTH], SMOOTH.shape), lambda X: X, 100),
        MappedBlocks(OnePassBlocks([SMOOTH], SMOOTH.shape), lambda X: X[:, :50], 50),
    ):
        NormalEquations().solve(source, TARGET, alpha=1.0, intercept=True)
    assert np.array_equal(before, SMOOTH)


def test_errors_on_threads_reach_the_caller():
    def fails(X):
        raise RuntimeError("this block cannot be computed")

    with pytest.raises(RuntimeError, match="cannot be computed"):
        QR().solve(MappedBlocks(ArrayBlocks(SMOOTH, rows_per_block=10), fails, 5), TARGET)


def test_a_stream_cannot_be_audited():
    source = OnePassBlocks([SMOOTH], SMOOTH.shape)
    with pytest.raises(UnsupportedProblemError, match="reads the rows more than once"):
        QR().solve(source, TARGET, audit="full")


def test_memory_limit_of_the_explicit_solver():
    with pytest.raises(MemoryLimitError, match="Use a solver that reads row"):
        SVD().solve(SMOOTH, TARGET, memory_limit=10**5)


def test_stop_reasons_give_advice():
    assert all(reason.advice.endswith(".") for reason in StopReason)
    assert StopReason.DIRECT.success
    assert not StopReason.BELOW_RESOLUTION.success


def test_truncation_is_reported(rng):
    A = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 6))
    result = QR().solve(A, rng.standard_normal(50))
    assert result.stop_reason is StopReason.TRUNCATED
    assert result.rank == 3


def test_summary_and_dict_hold_the_facts():
    result = Auto().solve(SMOOTH, TARGET, alpha="auto", intercept=True)
    text = result.summary()
    for fact in ("QR", "rank", "condition", "alpha", "passes", result.stop_reason.name):
        assert fact in text
    facts = json.loads(json.dumps(result.to_dict()))
    assert facts["solver"] == "QR"
    assert facts["stop_reason"]["success"] is True
    assert len(facts["singular_values"]) == 100


def test_chosen_cutoff(rng):
    y = TARGET + 1e-3 * rng.standard_normal(2000)
    result = QR().solve(SMOOTH, y, rcond="auto", intercept=True)
    assert result.curve.parameter == "rcond"
    assert 0 < result.rank < 60
    full = QR().solve(SMOOTH, y, intercept=True)
    errors = [np.abs(SMOOTH @ r.coef + r.intercept - TARGET).mean() for r in (result, full)]
    assert errors[0] < errors[1]
