"""Tables that are read in parts: what comes out is what tables in memory give."""

import errno
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solvenet import load
from solvenet.commands import _steps, _streamed, fit_table, predict, predict_table
from solvenet.engine import run
from solvenet.errors import CheckpointError, EngineError, InvalidDataError
from solvenet.estimators import scoring
from solvenet.features import survey
from solvenet.sources import open_table
from solvenet.tables import read_table, write_table

SMALL = {"hidden_layer_sizes": 30}


@pytest.fixture
def large(monkeypatch):
    """Read every table in parts, as those beyond 64 MB are."""
    monkeypatch.setattr(_steps, "LARGE_BYTES", 0)


@pytest.fixture
def many_parts(monkeypatch):
    """Cut passes into parts and sample rows, as with millions of them."""
    monkeypatch.setattr(run, "LEAST_ROWS", 128)
    monkeypatch.setattr(run, "LEAST_NUMBERS", 512)
    monkeypatch.setattr(survey, "FEWEST_ROWS", 300)
    monkeypatch.setattr(survey, "SAMPLE_ROWS", 400)


def houses(n=1200, seed=0):
    """A table with numbers, text, truth values, dates and gaps, also in its targets."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(50, 200, n)
    town = rng.choice(["north", "south", "east"], n).astype(object)
    age = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 90, n))
    garden = rng.random(n) < 0.4
    price = 2 * size + 40 * (town == "south") - 0.3 * np.nan_to_num(age, nan=40) + 9 * garden
    price += rng.normal(0, 3, n)
    dear = np.where(price > 300, "yes", "no").astype(object)
    town[rng.random(n) < 0.05] = None
    dear[::50] = None
    return {
        "size": size,
        "town": town,
        "age": age,
        "garden": garden,
        "sold": np.datetime64("2020-01-01", "s") + rng.integers(0, 10**8, n).astype("m8[s]"),
        "same": np.ones(n),
        "dear": dear,
        "rooms": np.clip(size // 40, 1, 4).astype(int),
        "price": np.where(rng.random(n) < 0.05, np.nan, price),
    }


def names(path):
    return sorted(file.name for file in path.iterdir())


def without(table, *names):
    return {name: column for name, column in table.items() if name not in names}


def folder(path, table, parts=3, group=150):
    path.mkdir()
    arrow = pa.table({k: pa.array(v, from_pandas=True) for k, v in table.items()})
    step = -(-len(arrow) // parts)
    for number in range(parts):
        some = arrow.slice(number * step, step)
        pq.write_table(some, path / f"{number}.parquet", row_group_size=group)
    return path


@pytest.mark.parametrize(("target", "others"), [
    ("price", ("dear", "rooms")),
    ("dear", ("price", "rooms")),
    ("rooms", ("price", "dear", "size")),
    ("garden", ("price", "dear")),
])  # fmt: skip
def test_fit_in_parts_is_that_in_memory(tmp_path, monkeypatch, target, others):
    table, valid = without(houses(), *others), without(houses(seed=1), *others)
    held = fit_table(table, target, valid=valid, **SMALL)
    paths = folder(tmp_path / "t", table), folder(tmp_path / "v", valid, parts=2)
    monkeypatch.setattr(_steps, "LARGE_BYTES", 0)
    fit = fit_table(paths[0], target, valid=paths[1], output=tmp_path / "m.st", **SMALL)
    assert (fit.task, fit.n_rows, fit.n_valid) == (held.task, held.n_rows, held.n_valid)
    assert fit.n_features == held.n_features
    assert fit.model[0].to_dict() == held.model[0].to_dict()
    for name in ("value", "low", "high", "constant", "error"):
        assert getattr(fit.score, name) == pytest.approx(getattr(held.score, name), abs=1e-6)
    inputs = without(valid, target)
    if fit.task == "classification":
        assert fit.model[-1].classes_.tolist() == held.model[-1].classes_.tolist()
        assert fit.model[-1].classes_.dtype.kind == held.model[-1].classes_.dtype.kind
        np.testing.assert_allclose(
            fit.model.predict_proba(inputs), held.model.predict_proba(inputs), atol=1e-6
        )
    else:
        np.testing.assert_allclose(fit.model.predict(inputs), held.model.predict(inputs))
    np.testing.assert_array_equal(
        load(tmp_path / "m.st").predict(inputs), fit.model.predict(inputs)
    )
    expected = [note for note in held.notes if not note.startswith("Task")]
    for note in expected:
        assert note[:14] in " ".join(fit.notes)
    assert any("read in parts" in note for note in fit.notes)


def test_part_that_is_set_aside_is_not_learnt_from(tmp_path, large):
    table = without(houses(), "dear", "rooms")
    path = folder(tmp_path / "t", table)
    fit = fit_table(path, "price", **SMALL)
    known = int((~np.isnan(table["price"])).sum())
    assert fit.n_rows + fit.n_valid == known
    assert abs(fit.n_valid - 0.2 * known) < 4 * np.sqrt(0.16 * known)
    assert fit.score.value > 0.97
    # The weights of the fit are those of the training rows alone.
    assert fit.model[-1].result_.n_rows == fit.n_rows
    other = fit_table(path, "price", random_state=1, **SMALL)
    assert other.n_valid != fit.n_valid
    half = fit_table(path, "price", valid_fraction=0.5, **SMALL)
    assert abs(half.n_valid - 0.5 * known) < 4 * np.sqrt(0.25 * known)


@pytest.mark.parametrize("target", ["price", "dear"])
def test_engines_give_the_same_bits(tmp_path, large, monkeypatch, target):
    # Sizes of samples are settings here: workers do not know what a test has patched.
    monkeypatch.setattr(run, "LEAST_ROWS", 512)
    monkeypatch.setattr(run, "LEAST_NUMBERS", 512)
    table = without(houses(12_000), *({"price", "dear", "rooms"} - {target}))
    path = folder(tmp_path / "t", table, group=1000)
    settings = SMALL | {"memory_limit": "5MB"}
    fits = [fit_table(path, target, engine=e, **settings) for e in (None, "serial", "processes")]
    assert fits[0].score.value > 0.9
    first = fits[0].model[-1].network_
    for fit in fits[1:]:
        assert fit.score == fits[0].score
        np.testing.assert_array_equal(fit.model[-1].network_.readout.coef, first.readout.coef)


def test_sampled_fit_is_as_good_as_that_in_memory(tmp_path, monkeypatch, many_parts):
    table, valid = (without(houses(4000, s), "dear", "rooms") for s in (0, 1))
    held = fit_table(table, "price", valid=valid, **SMALL)
    monkeypatch.setattr(_steps, "LARGE_BYTES", 0)
    fit = fit_table(folder(tmp_path / "t", table), "price", valid=valid, **SMALL)
    assert fit.score.error < 1.05 * held.score.error


def test_files_of_a_pattern_and_a_list_are_one_table(tmp_path, large):
    table = without(houses(300), "dear", "rooms")
    path = folder(tmp_path / "t", table)
    whole = fit_table(path, "price", **SMALL).score
    assert fit_table(path / "*.parquet", "price", **SMALL).score == whole
    assert fit_table(sorted(path.iterdir()), "price", **SMALL).score == whole
    assert fit_table(open_table(path), "price", **SMALL).score == whole


def test_small_folders_are_read_whole(tmp_path):
    table = without(houses(300), "dear", "rooms")
    held = fit_table(table, "price", **SMALL)
    fit = fit_table(folder(tmp_path / "t", table), "price", **SMALL)
    assert fit.score == held.score
    assert not any("read in parts" in note for note in fit.notes)


def test_interrupted_fit_goes_on_from_its_checkpoint(tmp_path, large, many_parts, monkeypatch):
    path = folder(tmp_path / "t", without(houses(6000), "dear", "rooms"))
    whole = fit_table(path, "price", **SMALL)
    update, calls = scoring.SquaredErrors.update, []

    def interrupted(self, *arguments, **settings):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        update(self, *arguments, **settings)

    monkeypatch.setattr(scoring.SquaredErrors, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_table(path, "price", checkpoint=tmp_path / "c", engine="serial", **SMALL)
    monkeypatch.setattr(scoring.SquaredErrors, "update", update)
    with pytest.raises(CheckpointError, match="another run"):
        fit_table(path, "price", checkpoint=tmp_path / "c", random_state=1, **SMALL)
    told = []
    again = fit_table(
        path, "price", checkpoint=tmp_path / "c", progress=lambda *t: told.append(t[2]), **SMALL
    )
    assert again.score == whole.score
    assert not any("survey" in name or "columns," in name for name in told)
    assert not (tmp_path / "c").exists()


def test_progress_tells_rows(tmp_path, large, many_parts, monkeypatch):
    monkeypatch.setattr(_steps, "_PAUSE", 0.0)
    told = []
    path = folder(tmp_path / "t", without(houses(3000), "dear", "rooms"))
    fit_table(
        path, "price", report=tmp_path / "r.html", progress=lambda *t: told.append(t), **SMALL
    )
    texts = [text for *_, text in told]
    assert "learn the columns: columns, 3,000 of 3,000 rows" in texts
    assert any(text.startswith("sample and solve: survey, ") for text in texts)
    assert any(text.startswith("validate: score, ") for text in texts)
    done = [done for done, _, _ in told]
    assert done == sorted(done)
    assert max(done) + 1 == told[-1][1]


@pytest.mark.parametrize("target", ["price", "dear"])
def test_report_says_that_it_rests_on_a_sample(tmp_path, large, monkeypatch, target):
    monkeypatch.setattr(_streamed, "REPORT_ROWS", 200)
    table = without(houses(), *({"price", "dear", "rooms"} - {target}))
    page = tmp_path / "r.html"
    fit = fit_table(folder(tmp_path / "t", table), target, report=page, **SMALL)
    text = page.read_text()
    assert f"200 of {fit.n_rows:,} training rows, 200 validation rows" in text
    assert f"{fit.n_valid:,} validation rows" in text
    assert fit.score.short in text
    assert "<svg" in text
    assert fit.findings is not None


NUMBERS = np.arange(60.0)
TOO_MANY = np.array([f"class {i}" for i in range(60)], dtype=object)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"x": NUMBERS, "Prize": NUMBERS}, r"no column 'price' \(did you mean 'Prize'\?\)"),
        ({"price": NUMBERS}, "is the only column"),
        ({"x": NUMBERS, "price": np.full(60, np.nan)}, "missing in every row"),
        ({"x": NUMBERS, "price": np.full(60, 2.5)}, "is 2.5 in every row"),
        ({"x": NUMBERS, "price": np.full(60, "a")}, r"one class only \(a\)"),
        ({"x": NUMBERS[:3], "price": NUMBERS[:3] + 0.5}, "There are 3 rows with a target"),
        ({"x": NUMBERS, "price": np.r_[NUMBERS[1:], np.inf]}, "'price' .* infinite .* row 59 of"),
        ({"x": np.r_[NUMBERS[1:], np.inf], "price": NUMBERS}, "'x' .* infinite .* row 59 of"),
        ({"x": np.ones(60), "price": NUMBERS}, "'x' is constant"),
    ],
)
def test_bad_tables_are_refused(tmp_path, large, table, message):
    write_table(tmp_path / "t.parquet", table)
    with pytest.raises(InvalidDataError, match=message) as error:
        fit_table(tmp_path / "t.parquet", "price", output=tmp_path / "m.st", **SMALL)
    assert str(error.value).count("t.parquet") <= 1
    assert names(tmp_path) == ["t.parquet"]


def test_targets_that_do_not_suit_are_refused(tmp_path, large, monkeypatch):
    write_table(tmp_path / "t.parquet", {"x": NUMBERS, "y": TOO_MANY, "z": NUMBERS + 0.5})
    with pytest.raises(InvalidDataError, match="'class 0' in its first row; regression wants"):
        fit_table(tmp_path / "t.parquet", "y", task="regression")
    with pytest.raises(InvalidDataError, match=r"0\.5 in its first row; classification wants"):
        fit_table(tmp_path / "t.parquet", "z", task="classification")
    monkeypatch.setattr("solvenet.estimators.learning.MOST_VALUES", 20)
    with pytest.raises(InvalidDataError, match="different values, too many"):
        fit_table(tmp_path / "t.parquet", "y")


def test_validation_table_may_hold_other_classes(tmp_path, large):
    table = {"x": np.arange(40.0), "y": np.repeat(["a", "b"], 20)}
    valid = {"x": np.array([1.0, 39.0, 20.0]), "y": np.array(["a", "b", "new"])}
    write_table(tmp_path / "t.parquet", table)
    write_table(tmp_path / "v.parquet", valid)
    fit = fit_table(tmp_path / "t.parquet", "y", valid=tmp_path / "v.parquet", **SMALL)
    assert fit.score.value == pytest.approx(2 / 3)
    assert fit.model[-1].classes_.tolist() == ["a", "b"]
    write_table(tmp_path / "n.parquet", {"x": np.arange(40.0), "y": np.repeat([0, 1], 20)})
    with pytest.raises(InvalidDataError, match=r"text in .*v\.parquet and numbers"):
        fit_table(tmp_path / "n.parquet", "y", valid=tmp_path / "v.parquet", **SMALL)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    path = tmp_path_factory.mktemp("models")
    for target in ("price", "dear"):
        table = without(houses(), *({"price", "dear", "rooms"} - {target}))
        fit_table(table, target, output=path / f"{target}.st", **SMALL)
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "npy"])
@pytest.mark.parametrize("target", ["price", "dear"])
def test_predictions_in_parts_are_those_of_the_whole(
    tmp_path, models, large, monkeypatch, ending, target
):
    monkeypatch.setattr(predict, "BATCH_ROWS", 97)
    table = houses(seed=2)
    held = predict_table(models / f"{target}.st", table).columns
    path = folder(tmp_path / "t", table)
    out = tmp_path / f"out.{ending}"
    result = predict_table(models / f"{target}.st", path, out)
    assert result.columns is None
    assert result.names == tuple(held)
    assert result.n_rows == 1200
    written = read_table(out)
    assert list(written) == list(held)
    for name, values in held.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(written[name], values, rtol=1e-9, atol=1e-12)
        else:
            np.testing.assert_array_equal(written[name], values)
    back = predict_table(models / f"{target}.st", path).columns
    np.testing.assert_array_equal(back[name], written[name])


def test_engines_predict_in_order(tmp_path, models, large, many_parts):
    path = folder(tmp_path / "t", houses(3000, seed=2))
    plain = predict_table(models / "price.st", path).columns
    told = []
    for engine in ("serial", "threads", "processes"):
        columns = predict_table(
            models / "price.st", path, engine=engine, progress=lambda *t: told.append(t[2])
        ).columns
        np.testing.assert_allclose(columns["prediction"], plain["prediction"], rtol=1e-10)
    assert told.count("predict: predicted, 3,000 of 3,000 rows") == 3


@pytest.mark.parametrize("ending", ["csv", "parquet", "npy"])
@pytest.mark.parametrize("failure", ["bad value", "full disk", "interrupt"])
def test_predictions_that_fail_leave_nothing(tmp_path, models, large, monkeypatch, ending, failure):
    monkeypatch.setattr(predict, "BATCH_ROWS", 100)
    table = houses(seed=2)
    error, message = InvalidDataError, "'size' holds 1 infinite values, the first in row 1150"
    if failure == "bad value":
        table["size"][1150] = np.inf
    elif failure == "full disk":
        error, message = OSError, "No space left"

        def full(handle):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
    else:
        error, message = KeyboardInterrupt, None
        whole = predict._columns

        def interrupted(network, X):
            interrupted.calls += 1
            if interrupted.calls == 4:
                raise KeyboardInterrupt
            return whole(network, X)

        interrupted.calls = 0
        monkeypatch.setattr(predict, "_columns", interrupted)
    path = folder(tmp_path / "t", table)
    out = tmp_path / f"out.{ending}"
    for content in (None, "precious"):
        if content is not None:
            out.write_text(content)
        if failure == "interrupt":
            interrupted.calls = 0
        before = names(tmp_path)
        with pytest.raises(error, match=message):
            predict_table(models / "price.st", path, out)
        assert names(tmp_path) == before
    assert out.read_text() == "precious"


@pytest.mark.parametrize("ending", ["csv", "parquet", "npy"])
def test_disk_that_is_full_while_parts_are_written(tmp_path, models, large, monkeypatch, ending):
    """A file of at most 16 kB stands in for a disk: the system refuses what is beyond."""
    resource = pytest.importorskip("resource")
    import signal

    monkeypatch.setattr(predict, "BATCH_ROWS", 100)
    path = folder(tmp_path / "t", houses(seed=2))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            predict_table(models / "price.st", path, tmp_path / f"out.{ending}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert names(tmp_path) == ["t"]


def test_dask_cluster_gives_the_same_fit(tmp_path, large, many_parts):
    distributed = pytest.importorskip("distributed", reason="the cluster needs distributed")
    path = folder(tmp_path / "t", without(houses(3000), "dear", "rooms"))
    here = fit_table(path, "price", output=tmp_path / "m.st", **SMALL)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        there = fit_table(path, "price", engine=client, **SMALL)
        predicted = predict_table(tmp_path / "m.st", path, engine=client).columns
    assert there.score == here.score
    plain = predict_table(tmp_path / "m.st", path).columns
    np.testing.assert_allclose(predicted["prediction"], plain["prediction"], rtol=1e-10)


def test_cluster_that_is_not_there_is_named(tmp_path):
    pytest.importorskip("distributed", reason="the cluster needs distributed")
    dask = pytest.importorskip("dask")
    from solvenet.engine import DaskEngine

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "500ms"}),
        pytest.raises(EngineError, match="no Dask scheduler at 'tcp://127"),
    ):
        DaskEngine("tcp://127.0.0.1:9")
