"""The command line, from table to page: results on stdout, everything else on stderr."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import solvenet
from solvenet.cli.app import app
from solvenet.tables import read_table, write_table


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def names():
    return sorted(path.name for path in Path().iterdir())


def houses(n=120):
    rng = np.random.default_rng(0)
    size = rng.uniform(50, 200, n)
    town = rng.choice(["north", "south"], n)
    return {"size": size, "town": town, "price": 2 * size + 40 * (town == "south")}


def refused(result):
    """Return the one line on stderr of a command that ended with 2 and no traceback."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    (line,) = [text for text in result.stderr.splitlines() if text]
    assert line.startswith("Error: ")
    return line


@pytest.mark.parametrize("ending", ["csv", "parquet", "npy"])
def test_from_table_to_page(run, tmp_path, ending):
    write_table(f"houses.{ending}", houses())
    fit = run(
        "fit", f"houses.{ending}", "--target", "price", "-o", "m.st", "--report", "r.html",
        "--width", 30,
    )  # fmt: skip
    assert fit.exit_code == 0, fit.output
    (line,) = fit.stdout.splitlines()
    assert line.startswith("regression of 'price': R^2 ")
    assert line.endswith("; model m.st; report r.html")
    assert "note: Task regression" in fit.stderr

    predict = run("predict", "m.st", f"houses.{ending}", "-o", f"out.{ending}")
    assert predict.exit_code == 0, predict.output
    assert predict.stdout == f"120 predictions in out.{ending}: columns prediction, std\n"
    error = read_table(f"out.{ending}")["prediction"] - houses()["price"]
    assert np.abs(error).max() < 1

    inspect = run("inspect", "m.st")
    assert "SampledNetworkRegressor" in inspect.stdout
    assert "numbers     size" in inspect.stdout
    assert "text        town" in inspect.stdout
    facts = json.loads(run("inspect", "m.st", "--json").stdout)
    assert facts["units"] == [30]

    page = (tmp_path / "r.html").read_text()
    assert "<svg" in page
    assert "price: regression" in page
    assert names() == sorted([f"houses.{ending}", "m.st", "r.html", f"out.{ending}"])


def test_options_reach_the_network(run):
    write_table("t.csv", houses())
    result = run(
        "fit", "t.csv", "-t", "price", "-o", "m.st", "--width", "20,10", "--activation", "relu",
        "--seed", 7, "--memory-limit", "50MB", "--valid", "t.csv", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    facts = json.loads(run("inspect", "m.st", "--json").stdout)
    assert facts["units"] == [20, 10]
    assert facts["settings"]["activation"] == "relu"
    assert facts["settings"]["random_state"] == 7
    assert facts["settings"]["memory_limit"] == "50MB"
    assert "on 120 validation rows" in result.stdout


def test_version_and_help(run):
    assert run("--version").stdout == f"solvenet {solvenet.__version__}\n"
    for command in ([], ["fit"], ["predict"], ["inspect"], ["demo"]):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= 82


NUMBERS = np.arange(40.0)
BAD_TABLES = {
    "unknown column": (
        {"x": NUMBERS, "Prize": NUMBERS},
        "(did you mean 'Prize'?)",
    ),
    "target missing": ({"x": NUMBERS, "price": np.full(40, np.nan)}, "missing in every row"),
    "one row": ({"x": NUMBERS[:1], "price": NUMBERS[:1] + 0.5}, "in every row"),
    "few rows": ({"x": NUMBERS[:3], "price": NUMBERS[:3] + 0.5}, "There are 3 rows"),
    "one class": ({"x": NUMBERS, "price": np.full(40, "a")}, "one class only (a)"),
    "constant target": ({"x": NUMBERS, "price": np.full(40, 2.5)}, "is 2.5 in every row"),
    "constant column": ({"x": np.ones(40), "price": NUMBERS}, "'x' is constant"),
    "infinite": ({"x": np.r_[np.inf, NUMBERS[1:]], "price": NUMBERS}, "'x' holds 1 infinite"),
    "infinite target": ({"x": NUMBERS, "price": np.r_[np.inf, NUMBERS[1:]]}, "'price' holds 1 inf"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_end_with_one_line(run, case):
    table, message = BAD_TABLES[case]
    write_table("t.parquet", table)
    assert message in refused(run("fit", "t.parquet", "--target", "price", "-o", "m.st"))
    assert names() == ["t.parquet"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.csv", None, "There is no file nowhere.csv"),
        ("t.csv", b"", "is empty (0 bytes)"),
        ("t.csv", b"x,price\n", "no rows"),
        ("t.parquet", b"PAR1 garbage", "cannot be read as Parquet"),
        ("t.npy", b"garbage", "cannot be read as NumPy"),
        ("t.docx", b"garbage", "Use one of: .csv, .tsv, .parquet, .npy"),
    ],
)
def test_files_that_cannot_be_read_end_with_one_line(run, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert message in refused(run("fit", name, "--target", "price"))


def test_settings_that_are_wrong_end_with_one_line(run):
    write_table("t.csv", houses())
    fit = ("fit", "t.csv", "-t", "price")
    assert "activation='foo' is unknown" in refused(run(*fit, "--activation", "foo"))
    assert "'lots' is not a size" in refused(run(*fit, "--memory-limit", "lots"))
    assert "Raise the limit or use fewer" in refused(run(*fit, "--memory-limit", "1kB"))
    assert "between 0 and 1" in refused(run(*fit, "--valid-fraction", 2))
    assert "There is no folder no" in refused(run(*fit, "-o", "no/m.st"))
    usage = run(*fit, "--width", "wide")
    assert usage.exit_code == 2
    assert "neither 'auto' nor whole numbers" in usage.stderr


def test_more_neurons_than_rows_is_noted(run):
    write_table("t.csv", houses(40))
    result = run("fit", "t.csv", "-t", "price", "--width", 300)
    assert result.exit_code == 0, result.output
    assert "note: 300 neurons were asked for" in result.stderr


def test_missing_values_are_welcome(run):
    table = houses()
    table["size"][::7] = np.nan
    table["town"] = np.where(np.arange(120) % 5, table["town"], None)
    write_table("t.csv", table)
    assert run("fit", "t.csv", "-t", "price", "-o", "m.st").exit_code == 0
    assert run("predict", "m.st", "t.csv", "-o", "p.csv").exit_code == 0
    assert np.isfinite(read_table("p.csv")["prediction"]).all()


def test_prediction_that_cannot_be_made_ends_with_one_line(run, tmp_path):
    write_table("t.csv", houses())
    assert run("fit", "t.csv", "-t", "price", "-o", "m.st", "--width", 20).exit_code == 0
    (tmp_path / "p.csv").write_text("precious")
    write_table("other.csv", {"Size": NUMBERS, "town": np.full(40, "north")})
    line = refused(run("predict", "m.st", "other.csv", "-o", "p.csv"))
    assert "no column 'size' (did you mean 'Size'?)" in line
    write_table("text.csv", {"size": np.tile(["big", "x"], 20), "town": np.full(40, "north")})
    line = refused(run("predict", "m.st", "text.csv", "-o", "p.csv"))
    assert "row 0 holds 'big'" in line
    assert "Use one of" in refused(run("predict", "m.st", "t.csv", "-o", "p.xls"))
    (tmp_path / "m.st").write_bytes(b"not a model")
    assert "m.st" in refused(run("predict", "m.st", "t.csv", "-o", "p.csv"))
    assert "m.st" in refused(run("inspect", "m.st"))
    assert (tmp_path / "p.csv").read_text() == "precious"


@pytest.mark.parametrize("command", ["fit", "report", "predict"])
def test_full_disk_leaves_what_was_there(run, tmp_path, monkeypatch, command):
    write_table("t.csv", houses())
    assert run("fit", "t.csv", "-t", "price", "-o", "m.st", "--width", 20).exit_code == 0
    out = tmp_path / "out.csv"
    out.write_text("precious")
    before = names()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    arguments = {
        "fit": ["fit", "t.csv", "-t", "price", "-o", out, "--width", 20],
        "report": ["fit", "t.csv", "-t", "price", "--report", out, "--width", 20],
        "predict": ["predict", "m.st", "t.csv", "-o", out],
    }[command]
    assert "No space left on device" in refused(run(*arguments))
    assert out.read_text() == "precious"
    assert names() == before


@pytest.fixture
def large(monkeypatch, run):
    """A folder of files that is read in parts, as those beyond 64 MB are."""
    from solvenet.commands import _steps

    monkeypatch.setattr(_steps, "LARGE_BYTES", 0)
    table = houses(600)
    table["size"][::7] = np.nan
    table["town"] = np.where(np.arange(600) % 5, table["town"], None)
    Path("rows").mkdir()
    for number in range(3):
        some = slice(200 * number, 200 * (number + 1))
        write_table(f"rows/{number}.parquet", {k: v[some] for k, v in table.items()})
    return table


def test_folder_that_is_larger_than_memory(run, large):
    fit = ("fit", "rows", "-t", "price", "-o", "m.st", "--width", 30)
    result = run(*fit, "--engine", "threads", "--checkpoint", "c", "--report", "r.html")
    assert result.exit_code == 0, result.output
    assert "note: The table (600 rows) is read in parts" in result.stderr
    assert "this page, figures and advice, rests on a random sample" in Path("r.html").read_text()
    for out in ("p.csv", "p.parquet"):
        result = run("predict", "m.st", "rows", "-o", out, "--engine", "serial")
        assert result.exit_code == 0, result.output
        assert result.stdout == f"600 predictions in {out}: columns prediction, std\n"
        known = ~np.isnan(large["size"]) & (large["town"] != None)  # noqa: E711
        error = (read_table(out)["prediction"] - large["price"])[known]
        assert np.sqrt(np.mean(error**2)) < 10
    assert names() == ["m.st", "p.csv", "p.parquet", "r.html", "rows"]


def test_several_files_are_one_table(run, large):
    files = sorted(Path("rows").iterdir())
    one = run("fit", "rows", "-t", "price", "--width", 20)
    assert (
        run("fit", *files, "-t", "price", "--width", 20).stdout.split(" in ")[0]
        == (one.stdout.split(" in ")[0])
    )
    assert run("fit", "rows", "-t", "price", "-o", "m.st", "--width", 20).exit_code == 0
    assert run("predict", "m.st", *files, "-o", "p.csv").stdout.startswith("600 predictions")


def test_large_table_that_cannot_be_predicted_leaves_nothing(run, large):
    assert run("fit", "rows", "-t", "price", "-o", "m.st", "--width", 20).exit_code == 0
    bad = {"size": np.r_[np.ones(40), np.inf], "town": np.full(41, "north")}
    write_table("bad.parquet", bad)
    before = names()
    line = refused(run("predict", "m.st", "bad.parquet", "-o", "p.csv"))
    assert "the first in row 40" in line
    assert names() == before


def test_interrupt_says_how_to_go_on(run, large, monkeypatch):
    from solvenet.estimators import scoring

    update = scoring.SquaredErrors.update

    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    fit = ("fit", "rows", "-t", "price", "--width", 20)
    monkeypatch.setattr(scoring.SquaredErrors, "update", interrupted)
    result = run(*fit, "--checkpoint", "c")
    assert result.exit_code == 130
    assert "summed up is in c; the same command goes on" in result.stderr.replace("\n", " ")
    assert run(*fit).stderr.strip() == "Interrupted."
    assert "belongs to another run" in refused(run(*fit, "--checkpoint", "c", "--seed", 1))
    monkeypatch.setattr(scoring.SquaredErrors, "update", update)
    again = run(*fit, "--checkpoint", "c")
    assert again.exit_code == 0, again.output
    assert names() == ["rows"]


def test_cluster_that_is_not_there_ends_with_one_line(run, large):
    pytest.importorskip("distributed", reason="the cluster needs distributed")
    dask = pytest.importorskip("dask")
    fit = ("fit", "rows", "-t", "price")
    with dask.config.set({"distributed.comm.timeouts.connect": "500ms"}):
        line = refused(run(*fit, "--dask", "tcp://127.0.0.1:9"))
    assert "There is no Dask scheduler at 'tcp://127.0.0.1:9'" in line
    assert refused(run(*fit, "--dask", "nonsense"))
    usage = run(*fit, "--dask", "tcp://127.0.0.1:9", "--engine", "serial")
    assert usage.exit_code == 2
    assert "exclude each other" in usage.stderr


def test_interrupt_ends_with_130(run, monkeypatch):
    import solvenet.commands

    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(solvenet.commands, "fit_table", interrupted)
    result = run("fit", "t.csv", "-t", "price")
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted."


def test_errors_in_the_library_keep_their_traceback(run, monkeypatch):
    import solvenet.commands

    def broken(path):
        raise ZeroDivisionError

    monkeypatch.setattr(solvenet.commands, "inspect_model", broken)
    assert isinstance(run("inspect", "m.st").exception, ZeroDivisionError)


def test_progress_bar_shows_steps_on_a_terminal(run, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    write_table("t.csv", houses())
    result = run("fit", "t.csv", "-t", "price", "--width", 20)
    assert result.exit_code == 0, result.output
    assert "sample and solve" in result.stderr
    assert "sample and solve" not in result.stdout


def test_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "solvenet", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, f"solvenet {solvenet.__version__}\n")


def test_missing_click_says_what_to_install():
    code = (
        "import sys; sys.modules['click'] = None; sys.argv = ['solvenet', '--help']\n"
        "from solvenet.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "solvenet[cli]"' in done.stderr
    assert "Traceback" not in done.stderr
