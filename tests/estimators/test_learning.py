"""Learning from a table in parts: the same encoder, the same split, bounded memory."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solvenet.engine import Checkpoint, Run, SerialEngine, run
from solvenet.errors import InvalidDataError
from solvenet.estimators import TableEncoder, learning
from solvenet.estimators.learning import LearntTable, Levels, learn_table
from solvenet.estimators.table_rows import (
    TRAINS,
    VALIDATES,
    EncodedRecords,
    Split,
    TableRecords,
    TargetCode,
)
from solvenet.sources import open_table


def mixed(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    texts = rng.choice(["a", "b", "c", "d", "longer"], n).astype(object)
    texts[rng.random(n) < 0.1] = None
    gaps = rng.normal(size=n)
    gaps[rng.random(n) < 0.2] = np.nan
    flags = (rng.random(n) < 0.3).astype(object)
    flags[rng.random(n) < 0.1] = None
    days = np.datetime64("2020-01-01", "s") + rng.integers(0, 10**7, n).astype("m8[s]")
    days[::11] = "NaT"
    return {
        "text": texts,
        "gaps": gaps,
        "whole": rng.integers(0, 50, n),
        "flag": flags,
        "day": days,
        "same": np.ones(n),
        "nothing": np.full(n, np.nan),
        "id": np.array([f"row {i}" for i in range(n)], dtype=object),
        "y": np.where(rng.random(n) < 0.05, np.nan, rng.normal(size=n)),
    }


def write(folder, table, parts=3, group=200):
    """Write a table as a folder of Parquet files with small row groups."""
    folder.mkdir()
    arrow = pa.table({k: pa.array(v, from_pandas=True) for k, v in table.items()})
    step = -(-len(arrow) // parts)
    for number in range(parts):
        some = arrow.slice(number * step, step)
        pq.write_table(some, folder / f"{number}.parquet", row_group_size=group)
    return folder


@pytest.fixture
def many_parts(monkeypatch):
    """Cut passes over few rows into parts, as those over many are."""
    monkeypatch.setattr(run, "LEAST_ROWS", 100)
    monkeypatch.setattr(run, "LEAST_NUMBERS", 1000)


def test_encoder_of_files_is_that_of_memory(tmp_path, many_parts):
    table = mixed()
    path = write(tmp_path / "t", table)
    stored = TableEncoder().fit(open_table(path))
    held = TableEncoder().fit(table)
    assert stored.to_dict() == held.to_dict()
    assert {"same", "nothing", "id"} == set(stored.dropped_)
    np.testing.assert_array_equal(stored.transform(open_table(path)), held.transform(table))


def test_few_levels_are_kept_as_in_memory(tmp_path, many_parts):
    rng = np.random.default_rng(1)
    table = {"hue": rng.zipf(1.5, 2000).astype(str).astype(object), "x": rng.random(2000)}
    path = write(tmp_path / "t", table)
    for most in (1, 5, 10_000):
        stored = TableEncoder(max_levels=most).fit(open_table(path))
        assert stored.to_dict() == TableEncoder(max_levels=most).fit(table).to_dict()


def test_frequent_levels_survive_among_many_rare_ones(tmp_path, monkeypatch, many_parts):
    monkeypatch.setattr(learning, "MOST_LEVELS", 100)
    n = 5000
    hue = np.array([f"rare {i}" for i in range(n)], dtype=object)
    hue[::5], hue[1::20] = "often", "seldom"
    path = write(tmp_path / "t", {"hue": hue, "x": np.arange(n)})
    learnt = learn_table(open_table(path))
    assert learnt.given_up == ["hue"]
    counts = learnt._levels["hue"]
    assert len(counts.counts) <= 200
    for level, true in (("often", n // 5), ("seldom", n // 20)):
        assert counts.counts[level] <= true <= counts.counts[level] + counts.short
    column = TableEncoder().take(learnt).columns_[0]
    assert column.levels == ("often", "seldom")
    assert column.other


def test_long_texts_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(learning, "MOST_CHARACTERS", 10_000)
    levels = Levels(most=1000)
    for start in range(0, 1000, 50):
        texts = [f"{i} {'x' * 300}" for i in range(start, start + 50)] + ["often"] * 20
        levels.add("t", np.array(texts, dtype=object))
        assert sum(map(len, levels.counts)) < 40_000
    assert levels.counts["often"] + levels.short >= 400
    assert levels.column("t", 30).levels == ("often",)


def test_medians_of_many_rows_come_from_a_sample(tmp_path, monkeypatch, many_parts):
    monkeypatch.setattr(learning, "MEDIAN_ROWS", 4096)
    x = np.random.default_rng(0).normal(size=20_000)
    x[0] = np.nan
    learnt = learn_table(open_table(write(tmp_path / "t", {"x": x}, group=1000)))
    assert not learnt.exact_medians
    (column,), _ = learnt.columns(30)
    assert abs(column.median) < 0.1


@pytest.mark.parametrize("values", [[3.0], [1.0, 2.0], [5.0, 1.0, 1.0], [2.0, 2.0, 9.0, 4.0]])
def test_weighted_median_is_that_of_repeated_rows(values):
    distinct, counts = np.unique(values, return_counts=True)
    found = learning._weighted_median(np.append(distinct, np.nan), np.append(counts, 7.0))
    assert found == np.median(values)


def test_engines_and_checkpoints_learn_the_same(tmp_path, many_parts):
    table = open_table(write(tmp_path / "t", mixed()))
    split = Split(0.3, 0)
    first = learn_table(table, target="y", split=split, run=Run())
    serial = learn_table(table, target="y", split=split, run=Run(engine=SerialEngine()))
    checkpoint = Checkpoint(tmp_path / "c", every=0)
    checkpoint.begin({"data": table.identity()})
    kept = learn_table(table, target="y", split=split, run=Run(checkpoint=checkpoint))
    checkpoint.begin({"data": table.identity()})
    again = learn_table(table, target="y", split=split, run=Run(checkpoint=checkpoint))
    for other in (serial, kept, again):
        assert other.columns(30) == first.columns(30)
        assert other.train.counts == first.train.counts
        assert other.valid.dtype == first.valid.dtype
        assert (other.n_rows, other.n_missing) == (first.n_rows, first.n_missing)


def test_state_of_a_summary_is_complete(tmp_path):
    table = open_table(write(tmp_path / "t", mixed(200)))
    records = TableRecords(table, ["text", "gaps", "flag"], target="y")
    kinds = {name: table.kinds[name] for name in ("text", "gaps", "flag")}
    whole, half = LearntTable(kinds, "y"), LearntTable(kinds, "y")
    pieces = list(records.stream())
    for at, (rows, A, B, _) in enumerate(pieces):
        whole.update(A, B, start=rows.start)
        half.update(A, B, start=rows.start)
        state = half.state()
        half = LearntTable(kinds, "y")
        half.restore(state)
        assert half.columns(30) == whole.columns(30), at
    assert half.train.counts == whole.train.counts


def roles_of(table, split):
    records = TableRecords(table, ["id"], split=split)
    return {
        name: int(role)
        for _, A, B, _ in records.stream()
        for name, role in zip(A["id"], B[:, 0], strict=True)
    }


def test_split_depends_on_the_rows_and_nothing_else(tmp_path):
    table = mixed()
    order = np.random.default_rng(5).permutation(3000)
    names = list(table)[::-1]
    turned = {name: table[name][order] for name in names}
    first = roles_of(open_table(write(tmp_path / "one", table)), Split(0.2, 0))
    second = roles_of(open_table(write(tmp_path / "two", turned, parts=7, group=33)), Split(0.2, 0))
    assert first == second
    share = np.mean([role == VALIDATES for role in first.values()])
    assert abs(share - 0.2) < 4 * np.sqrt(0.16 / 3000)
    other = roles_of(open_table(tmp_path / "one"), Split(0.2, 1))
    both = [first[name] == other[name] == VALIDATES for name in first]
    assert abs(np.mean(both) - 0.04) < 4 * np.sqrt(0.04 / 3000)


def test_split_knows_nothing_of_samples_and_targets(tmp_path):
    n = 20_000
    rng = np.random.default_rng(0)
    table = {"x": rng.random(n), "y": rng.random(n), "id": np.arange(n).astype(str)}
    validates = roles_of(open_table(write(tmp_path / "t", table)), Split(0.5, 0))
    validates = np.array([validates[name] == VALIDATES for name in table["id"]])
    for name in ("x", "y"):
        assert abs(table[name][validates].mean() - 0.5) < 4 * np.sqrt(1 / 12 / n)


def test_records_of_both_roles_have_the_same_rows_and_complementary_weights(tmp_path):
    table = mixed()
    stored = open_table(write(tmp_path / "t", table))
    split = Split(0.25, 3)
    encoder = TableEncoder().take(learn_table(stored, target="y", split=split))
    code = TargetCode("y")
    train = EncodedRecords(stored, encoder, code, split=split)
    valid = EncodedRecords(stored, encoder, code, split=split, role=VALIDATES)
    inputs = encoder.transform({name: v for name, v in table.items() if name != "y"})
    weights = []
    for records in (train, valid):
        A = np.concatenate([A.copy() for _, A, _, _ in records.stream()])
        np.testing.assert_array_equal(A, inputs)
        B, w = records.labels()
        weights.append(w)
        known = ~np.isnan(table["y"])
        np.testing.assert_array_equal(B[known, 0], table["y"][known])
        np.testing.assert_array_equal(B[~known, 0], 0)
    np.testing.assert_array_equal(weights[0] + weights[1], known)
    assert train.identity() != valid.identity()
    part = pickle.loads(pickle.dumps(train.between(150, 1234)))
    np.testing.assert_array_equal(
        np.concatenate([w for *_, w in part.stream()]), weights[0][150:1234]
    )
    assert part.cuts()[0] == 0
    assert part.cuts()[-1] == 1234 - 150
    some = train.taken(np.array([3, 700, 2999]))
    ((_, A, _, w),) = list(some.stream())
    np.testing.assert_array_equal(A, inputs[[3, 700, 2999]])
    np.testing.assert_array_equal(w, weights[0][[3, 700, 2999]])


def test_encoder_learns_from_training_rows_alone(tmp_path):
    table = mixed()
    stored = open_table(write(tmp_path / "t", table))
    split = Split(0.25, 3)
    encoder = TableEncoder().take(learn_table(stored, target="y", split=split))
    roles = roles_of(stored, split)
    trains = np.array([roles[name] == TRAINS for name in table["id"]]) & ~np.isnan(table["y"])
    held = TableEncoder().fit({k: v[trains] for k, v in table.items() if k != "y"})
    assert encoder.to_dict() == held.to_dict()


def test_values_that_cannot_be_learnt_from_are_named(tmp_path):
    x = np.arange(500.0)
    x[321] = np.inf
    stored = open_table(write(tmp_path / "t", {"x": x}, parts=2, group=100))
    with pytest.raises(InvalidDataError, match=r"'x' holds an infinite value: row 71 of .*1\.parq"):
        TableEncoder().fit(stored)
    pq.write_table(pa.table({"l": [[1], [2, 3]], "x": [1, 2]}), tmp_path / "l.parquet")
    with pytest.raises(InvalidDataError, match="'l' holds lists or structures"):
        TableEncoder().fit(open_table(tmp_path / "l.parquet"))
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "one.parquet")
    with pytest.raises(InvalidDataError, match="1 sample"):
        TableEncoder().fit(open_table(tmp_path / "one.parquet"))
