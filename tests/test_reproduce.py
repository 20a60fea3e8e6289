"""The published study is rebuilt by one command, and its verdicts are computed."""

import csv
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

STUDY = Path(__file__).parents[1] / "reproduce" / "least_squares"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    command = [sys.executable, STUDY / "run.py", "--quick", "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports a script as it imports its neighbours."""
    monkeypatch.syspath_prepend(STUDY)
    return import_module


@pytest.fixture
def study(script) -> ModuleType:
    return script("compare")


def published() -> list[dict[str, str]]:
    with (STUDY / "published.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_part_leaves_numbers_where_they_are_from_and_figures(folder):
    names = {path.name for path in folder.iterdir()}
    tables = {"table1", "convergence", "time_ratio", "split_narrow_a1", "split_wide_a10"}
    tables |= {"mnist_published", "mnist_default"}
    figures = {"convergence", "time_ratio", "split_narrow", "split_wide", "mnist"}
    assert {f"{name}.csv" for name in tables | {"provenance"}} <= names
    assert {f"{name}.png" for name in figures} <= names
    assert not [name for name in names if name.startswith(".")]  # nothing half-written


def test_finished_parts_are_not_run_again_unless_asked(folder, script, capsys):
    options = ["--quick", "--output", str(folder), "--only", "convergence"]
    script("run").main(options)
    assert "convergence: finished before" in capsys.readouterr().out
    script("run").main([*options, "--again"])
    assert "convergence: finished before" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--only", "table7"], "unknown parts"), (["--quick"], "needs an --output")],
)
def test_impossible_options_are_refused(options, message, script, capsys):
    with pytest.raises(SystemExit, match="2"):
        script("run").main(options)
    assert message in capsys.readouterr().err


def test_every_published_number_has_ours_beside_it_and_a_verdict(folder, study, capsys):
    with pytest.raises(SystemExit, match="True"):  # too small for the published errors
        study.main(["--results", str(folder)])
    out = capsys.readouterr().out
    lines = out.split("\n\n")[0].splitlines()[2:]
    assert len(lines) == len(published())
    verdicts = ("agrees", "differs", "explained", "no number")  # none that was not run
    assert all(line.split(" | ")[-1].startswith(verdicts) for line in lines)
    assert "automatic cutoff" in out


def test_a_part_that_was_not_run_is_a_difference(study, tmp_path):
    lines = study.compare(study.Results(tmp_path), published(), [])
    assert {line.verdict for line in lines} == {"not run"}
    assert len(study.failed(lines)) == len(lines)


@pytest.mark.parametrize(
    ("value", "ours", "agrees"),
    [
        ("1.29e-7", 1.0e-7, True),
        ("1.29e-7", 1.9e-7, True),
        ("1.29e-7", 2.0e-7, False),
        ("1.29e-7", 0.8e-7, False),
        ("<1", 0.99, True),
        ("<1", 1.01, False),
        (">1", 1.01, True),
        (">1", 0.99, False),
        ("<0", -0.5, True),
        ("<0", 0.5, False),
        ("~2", 3.9, True),
        ("~2", 4.1, False),
        ("~1", 0.51, True),
        ("~1", 0.49, False),
        ("<~0.02", 0.039, True),
        ("<~0.02", 0.001, True),
        ("<~0.02", 0.041, False),
        (">1", float("nan"), False),
        ("1.0", float("nan"), False),
    ],
)
def test_verdicts_can_fail(study, value, ours, agrees):
    assert (study.verdict(value, ours) == "agrees") == agrees
    assert study.verdict(value, ours).startswith(("agrees", "differs"))


def test_altered_numbers_change_the_verdict_and_a_reason_explains_it(study, folder, tmp_path):
    row = next(r for r in published() if (r["item"], r["quantity"]) == ("SVD", "test_mae"))
    unit = published()[0]
    table = (folder / "table1.csv").read_text().splitlines()

    def verdict(error: str, explained: list[dict[str, str]]) -> tuple[str, str, int]:
        altered = [
            line.rsplit(",", 1)[0] + "," + error if line.startswith("gelsd") and "test" in line
            else line
            for line in table
        ]  # fmt: skip
        (tmp_path / "table1.csv").write_text("\n".join(altered))
        lines = study.compare(study.Results(tmp_path), [unit, row], explained)
        return lines[1].verdict, lines[1].reason, len(study.failed(lines))

    reason = {key: row[key] for key in ("table", "item", "quantity")} | {"reason": "the moon"}
    assert verdict("1.2e-7", []) == ("agrees", "", 0)
    assert verdict("2.58e-7", []) == ("differs: 2.00 times more", "", 1)
    assert verdict("2.58e-7", [reason]) == ("explained, 2.00 times more", "the moon", 0)
    assert verdict("1.2e-7", [reason]) == ("agrees", "", 0)


def test_reasons_are_for_published_numbers_only():
    with (STUDY / "explained.csv").open(newline="") as file:
        explained = list(csv.DictReader(file))
    known = {(row["table"], row["item"], row["quantity"]) for row in published()}
    assert {(row["table"], row["item"], row["quantity"]) for row in explained} <= known
    assert all(len(row["reason"]) > 20 for row in explained)
