"""The study of permutation training is rebuilt by one command, and its verdicts can fail."""

import csv
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

STUDY = Path(__file__).parents[1] / "reproduce" / "permutation"


def table(name):
    with (STUDY / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def script(monkeypatch):
    """Return a function that imports a script as it imports its neighbours."""
    monkeypatch.syspath_prepend(STUDY.parent)
    monkeypatch.syspath_prepend(STUDY)
    # Other studies have scripts of the same names.
    for path in STUDY.glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return import_module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("torch", reason="needs the extra solvenet[torch]")
    folder = tmp_path_factory.mktemp("permutation")
    command = [sys.executable, STUDY / "run.py", "--quick", "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_part_leaves_numbers_and_a_figure(folder, script):
    names = {path.name for path in folder.iterdir()}
    parts = script("laperm").PARTS | script("solved").PARTS
    assert {f"{part}.csv" for part in [*parts, "provenance"]} <= names
    assert {f"{figure}.svg" for figure in script("figures").FIGURES} <= names
    assert not [name for name in names if name.startswith(".")]  # nothing half-written


def test_the_results_agree_or_are_explained(script, capsys):
    with pytest.raises(SystemExit, match="False"):
        script("compare").main([])
    out = capsys.readouterr().out
    assert f"{len(table('published.csv'))} published numbers; 0 differ or were not run" in out
    assert "LaPerm / solved" in out


def test_reasons_are_for_published_numbers_only():
    known = {(row["table"], row["item"], row["quantity"]) for row in table("published.csv")}
    explained = table("explained.csv")
    assert {(row["table"], row["item"], row["quantity"]) for row in explained} <= known
    assert all(len(row["reason"]) > 20 for row in explained)


def test_a_part_that_was_not_run_is_a_difference(script, tmp_path):
    compare = script("compare")
    rows = [row for row in table("published.csv") if row["quantity"] != "two dimensions"]
    lines = compare.comparison(compare.Results(tmp_path), rows, [])
    assert {line.verdict for line in lines} == {"not run"}


def test_what_is_allowed_is_welchs_interval(script):
    from scipy.stats import ttest_ind

    compare = script("compare")
    rng = np.random.default_rng(0)
    theirs, ours = rng.normal(0.0, 0.3, 10), rng.normal(0.2, 0.6, 5)
    within = compare.allowed_factor(np.exp(ours), theirs.std(ddof=1), 10)
    # A difference of just that factor has a p-value of just the level.
    moved = ours - ours.mean() + theirs.mean() + np.log(within)
    assert ttest_ind(theirs, moved, equal_var=False).pvalue == pytest.approx(compare.LEVEL)


@pytest.mark.parametrize(("factor", "verdict"), [(1.5, "agrees"), (4.0, "differs")])
def test_verdicts_can_fail(script, tmp_path, factor, verdict):
    compare = script("compare")
    row = next(row for row in table("published.csv") if row["item"] == "-sin equidistant")
    value, spread = float(row["value"]), float(row["spread"])
    assert row["quantity"] == "largest error at 10"
    shifts = np.array([-1.0, 0.0, 1.0, 0.5, -0.5]) * spread * 2
    rows = [
        compare.Row("-sin equidistant", 10, seed, "largest error", factor * value * np.exp(shift))
        for seed, shift in enumerate(shifts)
    ]
    compare.Results(tmp_path).write("laperm_10", rows, "", 0.0)
    (line,) = compare.comparison(compare.Results(tmp_path), [row], [])
    assert line.verdict.startswith(verdict)
    assert line.ours == pytest.approx(factor * value, rel=1e-3)
    reason = {key: row[key] for key in ("table", "item", "quantity")} | {"reason": "the moon"}
    (line,) = compare.comparison(compare.Results(tmp_path), [row], [reason])
    assert line.verdict.startswith("agrees" if verdict == "agrees" else "explained")


def test_the_program_and_the_theory_are_one_network_for_equidistant_knots(script):
    problems = script("problems")
    x = np.linspace(-1, 1, 50)[:, None]
    knots = np.linspace(-1, 1, 8)
    from solvenet.permutation import relu_pairs

    program, theory = problems.program_units(knots)(x), relu_pairs(knots)(x)
    # The rising units come in the opposite order, the falling ones in the same.
    np.testing.assert_allclose(program[:, :8], theory[:, 7::-1], atol=1e-15)
    np.testing.assert_allclose(program[:, 8:], theory[:, 8:], atol=1e-15)
