"""The published studies are rebuilt by one command each, and their verdicts are computed."""

import csv
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

STUDIES = Path(__file__).parents[1] / "reproduce"
STUDY, REPRESENTATION = STUDIES / "least_squares", STUDIES / "representation"


def quick_run(study: Path, folder: Path) -> Path:
    command = [sys.executable, study / "run.py", "--quick", "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_run(STUDY, tmp_path_factory.mktemp("results"))


def scripts_of(study: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports a script as it imports its neighbours."""
    monkeypatch.syspath_prepend(study)
    # Both studies have a run.py and a compare.py.
    for name in [path.stem for folder in STUDIES.iterdir() for path in folder.glob("*.py")]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return import_module


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    return scripts_of(STUDY, monkeypatch)


@pytest.fixture
def study(script) -> ModuleType:
    return script("compare")


def table(study: Path, name: str) -> list[dict[str, str]]:
    with (study / name).open(newline="") as file:
        return list(csv.DictReader(file))


def published() -> list[dict[str, str]]:
    return table(STUDY, "published.csv")


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
    assert len(study.verdicts.failed(lines)) == len(lines)


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
        ("=24", 24.4, True),
        ("=24", 24.6, False),
        ("=0.09", 0.0851, True),
        ("=0.09", 0.0951, False),
        ("=24", float("nan"), False),
        ("-4", -3.9, True),
        ("-4", 4.0, False),
        ("-4", 0.0, False),
    ],
)
def test_verdicts_can_fail(study, value, ours, agrees):
    verdict = study.verdicts.verdict(value, ours, within=1.5)
    assert (verdict == "agrees") == agrees
    assert verdict.startswith(("agrees", "differs"))
    assert study.verdicts.verdict(value, None, within=1.5) == "not run"


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
        return lines[1].verdict, lines[1].reason, len(study.verdicts.failed(lines))

    reason = {key: row[key] for key in ("table", "item", "quantity")} | {"reason": "the moon"}
    assert verdict("1.2e-7", []) == ("agrees", "", 0)
    assert verdict("2.58e-7", []) == ("differs: 2.00 times more", "", 1)
    assert verdict("2.58e-7", [reason]) == ("explained, 2.00 times more", "the moon", 0)
    assert verdict("1.2e-7", [reason]) == ("agrees", "", 0)


@pytest.mark.parametrize("study", [STUDY, REPRESENTATION], ids=lambda path: path.name)
def test_reasons_are_for_published_numbers_only(study):
    known = {(row["table"], row["item"], row["quantity"]) for row in table(study, "published.csv")}
    explained = table(study, "explained.csv")
    assert {(row["table"], row["item"], row["quantity"]) for row in explained} <= known
    assert all(len(row["reason"]) > 20 for row in explained)


@pytest.fixture(scope="module")
def representation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_run(REPRESENTATION, tmp_path_factory.mktemp("representation"))


def test_every_part_of_representation_leaves_numbers_and_a_figure(representation, monkeypatch):
    script = scripts_of(REPRESENTATION, monkeypatch)
    names = {path.name for path in representation.iterdir()}
    assert {f"{part}.csv" for part in [*script("run").PARTS, "provenance"]} <= names
    assert {f"{figure}.svg" for figure in script("figures").FIGURES} <= names


def test_every_published_number_of_representation_has_a_verdict(representation, monkeypatch):
    compare = scripts_of(REPRESENTATION, monkeypatch)("compare")
    lines = compare.comparison(compare.Results(representation))
    assert len(lines) == len(table(REPRESENTATION, "published.csv"))
    assert all(line.verdict.startswith(("agrees", "differs", "explained")) for line in lines)


def test_the_results_of_representation_agree_or_are_explained(monkeypatch, capsys):
    compare = scripts_of(REPRESENTATION, monkeypatch)("compare")
    with pytest.raises(SystemExit, match="False"):
        compare.main([])
    assert "; 0 differ or were not run" in capsys.readouterr().out
