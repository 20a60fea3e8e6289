"""The commands that think about networks: diagnose and plan."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from solvenet import NetworkSpec, diagnose
from solvenet.cli.analysis import app
from solvenet.commands import diagnose_table, fit_table, plan_table
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.tables import write_table


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def waves(n=400, cycles=25.0):
    x = np.linspace(0, 10, n)
    return {"x": x, "y": np.sin(np.pi * cycles * (x / 5 - 1))}


def test_diagnose_before_there_is_a_network(run):
    write_table("waves.csv", waves())
    result = run("diagnose", "waves.csv", "-t", "y", "--precision", "float32", "--gram")
    assert result.exit_code == 0, result.output
    first, *lines = result.stdout.splitlines()
    assert first == "cause: precision"
    assert all(line.startswith(("note: ", "warning: ")) for line in lines)
    spec = NetworkSpec(precision="float32", gram=True)
    assert lines[0].endswith(diagnose(spec, waves()["x"], waves()["y"]).findings[0].text)
    better = run("diagnose", "waves.csv", "-t", "y", "--tol", 0.1)
    assert better.stdout.splitlines()[0] in ("cause: none", "cause: too wide")


def test_a_figure_is_drawn_in_the_format_of_its_name(run):
    write_table("waves.csv", waves())
    result = run("diagnose", "waves.csv", "-t", "y", "--width", 50, "--figure", "modes.png")
    assert result.exit_code == 0, result.output
    assert Path("modes.png").read_bytes().startswith(b"\x89PNG")
    result = run("diagnose", "waves.csv", "-t", "y", "--width", 50, "--figure", "modes.xyz")
    assert isinstance(result.exception, InvalidSettingError) or "ends in .svg" in result.output
    assert result.exit_code != 0


def test_diagnose_a_saved_model(run):
    rng = np.random.default_rng(0)
    table = {"a": rng.random(500), "town": rng.choice(["north", "south"], 500)}
    table["price"] = table["a"] + (table["town"] == "south") + 0.5 * rng.standard_normal(500)
    write_table("t.parquet", table)
    assert run("fit", "t.parquet", "-t", "price", "-o", "m.st", "-q").exit_code == 0
    result = run("diagnose", "t.parquet", "-t", "price", "-m", "m.st")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "cause: noise"


def test_classes_are_classes(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    table = {"a": X[:, 0], "b": X[:, 1], "kind": (X.sum(axis=1) > 0).astype(int)}
    fitted = fit_table(table, "kind", output=tmp_path / "m.st")
    for found in (
        diagnose_table(table, "kind"),
        diagnose_table(table, "kind", model=fitted.model),
        diagnose_table(table, "kind", model=tmp_path / "m.st"),
    ):
        assert found.task == "classification"
        assert found.diagnosis.numbers.classes
        assert found.n_rows == 300


def test_a_large_table_is_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr("solvenet.commands._steps.LARGE_BYTES", 1000)
    monkeypatch.setattr("solvenet.commands.diagnosis.SAMPLE_ROWS", 500)
    x = np.linspace(-1, 1, 5000)
    write_table(tmp_path / "t.parquet", {"x": x, "y": np.sin(3 * x)})
    found = diagnose_table(tmp_path / "t.parquet", "y")
    assert found.n_rows == 500
    assert found.diagnosis.cause == "too wide"


def test_plan(run):
    write_table("waves.csv", waves(600, 3.0))
    result = run("plan", "waves.csv", "-t", "y", "--tol", 0.01, "--max-size", 64)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("reach 0.01:\n  components: ")
    assert "\n  sin: " in result.stdout
    assert str(plan_table(waves(600, 3.0), "y", max_size=64)) == result.stdout.rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["diagnose", "t.csv", "-t", "y", "--tol", 0], "above 0"),
        (["diagnose", "t.csv", "-t", "y", "--width", 0], "width"),
        (["diagnose", "t.csv", "-t", "y", "--activation", "swish"], "activation"),
        (["diagnose", "t.csv", "-t", "z"], "'z'"),
        (["diagnose", "t.csv", "-t", "y", "-m", "m.st", "--width", 5], "exclude each other"),
        (["diagnose", "t.csv", "-t", "y", "-m", "absent.st"], "absent.st"),
        (["plan", "t.csv", "-t", "y", "--max-size", 2], "max_size"),
    ],
)
def test_bad_input_is_one_line(run, arguments, message):
    write_table("t.csv", waves(100))
    result = run(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert message in result.stderr


def test_model_and_specification_exclude_each_other():
    with pytest.raises(InvalidDataError, match="one of them"):
        diagnose_table(waves(), "y", model="m.st", spec=NetworkSpec())
