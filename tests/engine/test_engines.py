"""One code path, one answer: the bits do not depend on where parts are computed."""

import copy
import threading
from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from solvenet.blocks import HeldRecords, OnePassBlocks, as_row_blocks
from solvenet.engine import (
    ENGINES,
    ProcessEngine,
    Run,
    SerialEngine,
    ThreadEngine,
    as_engine,
    part_bounds,
    run,
)
from solvenet.errors import EngineError, InvalidDataError, InvalidSettingError
from solvenet.reductions import ColumnMoments, GramReduction, QRReduction
from solvenet.solvers import SOLVERS, make_solver

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3000, 12)) @ np.diag(0.5 ** np.arange(12))
B = RNG.standard_normal((3000, 2))
W = RNG.random(3000)


@pytest.fixture
def small_parts(monkeypatch):
    """Cut few rows into many parts."""
    monkeypatch.setattr(run, "LEAST_ROWS", 64)
    monkeypatch.setattr(run, "LEAST_NUMBERS", 64)
    monkeypatch.setattr(run, "ROWS_PER_COLUMN", 2)


class TestPartBounds:
    @pytest.mark.parametrize(
        ("n_rows", "n_cols"), [(1, 1), (10**5, 1000), (10**7, 1000), (10**10, 4000), (10**8, 5)]
    )
    def test_parts_are_even_and_not_too_many(self, n_rows, n_cols):
        bounds = part_bounds(n_rows, n_cols)
        sizes = np.diff(bounds)
        assert bounds[0] == 0
        assert bounds[-1] == n_rows
        assert sizes.max() - sizes.min() <= 1
        assert len(sizes) <= run.MOST_PARTS
        assert len(sizes) == 1 or sizes.min() >= run.ROWS_PER_COLUMN * n_cols - 1

    def test_parts_end_where_the_source_may_be_cut(self):
        cuts = np.append(np.arange(0, 10**6, 33_333), 10**6)
        bounds = part_bounds(10**6, 300, cuts)
        assert set(bounds) <= set(cuts)
        assert len(bounds) > 8
        assert part_bounds(10**6, 300, np.array([0, 10**6])).tolist() == [0, 10**6]


@pytest.mark.usefixtures("small_parts")
class TestSameBits:
    @pytest.mark.parametrize("engine", ["threads", "three threads", "processes", None])
    @pytest.mark.parametrize("name", ["normal", "qr", "swg", "sketch", "hessian", "auto"])
    def test_every_engine_gives_the_bits_of_the_serial_one(self, name, engine):
        options = {"weights": W, "intercept": True, "alpha": 0.1, "audit": "full"}
        made = ThreadEngine(3) if engine == "three threads" else as_engine(engine)
        expected = make_solver(name).solve(A, B, run=Run(SerialEngine()), **options)
        found = make_solver(name).solve(A, B, run=Run(made), **options)
        for field in ("coef", "intercept", "residual_norm", "normal_residual_norm"):
            assert getattr(found, field).tobytes() == getattr(expected, field).tobytes()

    @pytest.mark.parametrize("name", ["normal", "qr", "swg", "sketch", "hessian"])
    def test_parts_give_what_one_block_gives(self, name, monkeypatch):
        options = {"weights": W, "intercept": True, "alpha": 0.1}
        parts = make_solver(name).solve(A, B, **options)
        monkeypatch.setattr(run, "LEAST_PARTS", 10**9)
        whole = make_solver(name).solve(A, B, **options)
        assert np.allclose(parts.coef, whole.coef, rtol=1e-9, atol=1e-12)

    def test_chosen_regularisation_does_not_depend_on_the_engine(self):
        for name in ("normal", "qr", "hessian"):
            found = [
                make_solver(name).solve(A, B, alpha="auto", intercept=True, run=Run(engine))
                for engine in (SerialEngine(), ThreadEngine(2))
            ]
            assert found[0].alpha == found[1].alpha
            assert found[0].coef.tobytes() == found[1].coef.tobytes()

    @pytest.mark.filterwarnings("ignore::solvenet.errors.IllConditionedWarning")
    def test_every_solver_takes_a_run(self):
        for name in SOLVERS:
            make_solver(name).solve(A[:200], B[:200], run=Run(SerialEngine()), audit="skip")


class Failing(ColumnMoments):
    def update(self, A, B=None, weights=None, *, start=0, overwrite=False):
        if start >= 2000:
            msg = f"bad row {start}"
            raise InvalidDataError(msg)
        super().update(A, B, weights)


class Dying(ColumnMoments):
    def update(self, A, B=None, weights=None, *, start=0, overwrite=False):
        import os

        os._exit(9)


@pytest.mark.usefixtures("small_parts")
class TestFailures:
    records = HeldRecords(as_row_blocks(A), B)

    @pytest.mark.parametrize("engine", ENGINES)
    def test_the_error_of_a_part_is_that_of_the_pass(self, engine):
        with pytest.raises(InvalidDataError, match="bad row 2"):
            Run(as_engine(engine)).reduce(self.records, partial(Failing, 12), name="test")

    def test_a_process_that_dies_is_told(self):
        with pytest.raises(EngineError, match=r"worker process died.*fewer workers.*Dask"):
            Run(ProcessEngine(2)).reduce(self.records, partial(Dying, 12), name="test")

    def test_blas_threads_are_as_before_afterwards(self):
        n_threads = threading.active_count()
        before = [lib["num_threads"] for lib in threadpool_info()]
        for engine in (SerialEngine(), ThreadEngine(2)):
            with pytest.raises(InvalidDataError):
                Run(engine).reduce(self.records, partial(Failing, 12), name="test")
        assert [lib["num_threads"] for lib in threadpool_info()] == before
        assert threading.active_count() <= n_threads

    @pytest.mark.parametrize("wrong", ["cluster", 3, object()])
    def test_an_unknown_engine_is_refused(self, wrong):
        with pytest.raises(InvalidSettingError, match="engine="):
            as_engine(wrong)


@pytest.mark.usefixtures("small_parts")
class TestRun:
    def test_progress_is_told_in_parts_and_in_rows(self):
        told = []
        follow = Run(SerialEngine(), progress=lambda *step: told.append(step))
        follow.reduce(TestFailures.records, partial(ColumnMoments, 12), name="moments")
        assert told[-1] == ("moments", len(told), len(told))
        assert len(told) > 8
        told.clear()
        once = HeldRecords(OnePassBlocks(iter([A[:1000], A[1000:]]), A.shape), B)
        follow.reduce(once, partial(ColumnMoments, 12), name="moments")
        assert told == [("moments", 1000, 3000), ("moments", 3000, 3000)]

    def test_memory_limits_the_parts_that_run_at_a_time(self):
        inside, most = [], 0

        class Counting(GramReduction):
            def update(self, *args, **options):
                nonlocal most
                inside.append(1)
                most = max(most, len(inside))
                super().update(*args, **options)
                inside.pop()

        make = partial(Counting, 12, 2, center=True)
        limit = 3 * make().nbytes
        Run(ThreadEngine(4), memory_limit=limit).reduce(TestFailures.records, make, name="test")
        assert most == 1

    @pytest.mark.parametrize(
        "make",
        [
            partial(GramReduction, 12, 2, center=True),
            partial(QRReduction, 12, 2, center=True),
            partial(ColumnMoments, 12),
        ],
    )
    def test_a_state_can_be_stored_and_taken_over(self, make):
        first, second = make(), make()
        first.update(A[:500], B[:500], W[:500])
        second.restore(copy.deepcopy(first.state()))
        for summary in (first, second):
            summary.update(A[500:900], B[500:900], W[500:900], start=500)
        one, two = first.state(), second.state()
        assert one.keys() == two.keys()
        assert all(np.array_equal(one[key], two[key]) for key in one)
