"""The study of structured networks is rebuilt by one command, and its verdicts can fail."""

import csv
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

STUDY = Path(__file__).parents[1] / "reproduce" / "structured"


def table(name):
    with (STUDY / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def script(monkeypatch):
    """Return a function that imports a script as it imports its neighbours."""
    monkeypatch.syspath_prepend(STUDY.parent)
    monkeypatch.syspath_prepend(STUDY)
    # Other studies have scripts of the same names.
    for path in STUDY.parent.glob("*/*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return import_module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("torch", reason="needs the extra solvenet[torch]")
    folder = tmp_path_factory.mktemp("structured")
    command = [sys.executable, STUDY / "run.py", "--quick", "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_every_part_leaves_numbers_and_a_figure(folder, script):
    names = {path.name for path in folder.iterdir()}
    assert {f"{part}.csv" for part in [*script("run").PARTS, "provenance"]} <= names
    assert {f"{figure}.svg" for figure in script("figures").FIGURES} <= names
    assert not [name for name in names if name.startswith(".")]  # nothing half-written


def test_reasons_are_for_published_numbers_only():
    known = {(row["table"], row["item"], row["quantity"]) for row in table("published.csv")}
    explained = table("explained.csv")
    assert {(row["table"], row["item"], row["quantity"]) for row in explained} <= known
    assert all(len(row["reason"]) > 20 for row in explained)


def test_a_part_that_was_not_run_is_a_difference(script, tmp_path):
    compare = script("compare")
    lines = compare.comparison(compare.Results(tmp_path))
    verdicts = {line.verdict.removeprefix("explained, ") for line in lines}
    assert verdicts == {"not run"}


@pytest.mark.parametrize(("factor", "verdict"), [(9.0, "differs"), (11.0, "agrees")])
def test_ratios_are_of_what_they_say(script, tmp_path, factor, verdict):
    compare = script("compare")
    results = compare.Results(tmp_path)
    records = script("common.records")
    item = "star, (100, 10, 6)"
    epochs = [records.Row(item, e, s, "mse", m) for s in (0, 1) for e, m in ((9, 1.0), (400, 1e-5))]
    rows = [*epochs, records.Row(item, 400, 0, "unknowns", 100)]
    results.write("adam_star", rows, "", 0.0)
    rows = [
        records.Row("star, uniform elements", n, 0, "mse", factor * 1e-5 * scale)
        for n, scale in ((99, 5.0), (101, 1.0), (200, 0.1))
    ]
    results.write("elements", rows, "", 0.0)
    ours = compare.measured(results, "adam_star", item, "elements over network")
    assert ours == pytest.approx(factor)
    assert compare.compare.__globals__["verdict"](">10", ours, within=2.0).startswith(verdict)


def test_targets_are_what_the_text_says(script):
    targets = script("targets")
    X = np.array([[0.0, 0.0], [0.9, 0.0], [0.12 * np.cos(1.0), 0.12 * np.sin(1.0)]])
    rho = 0.1 + 0.02 * np.cos(np.pi)
    wanted = [1.0, 0.0, np.clip(25 * rho - 3.0 + 0.5, 0, 1)]
    np.testing.assert_allclose(targets.star(X), wanted, atol=1e-12)
    x = np.random.default_rng(0).uniform(-1, 1, (10**5, 2))
    assert np.var(targets.sines(x)) == pytest.approx(0.0606, abs=0.002)  # published variance


def test_widths_have_as_many_parameters_as_they_may(script):
    width_of, count = (getattr(script("connected"), n) for n in ("width_of", "_count"))
    for numbers in (143, 5151, 48160):
        width = width_of(numbers, 4, 2)
        assert count(width, 4, 2) <= numbers < count(width + 1, 4, 2)
    # Published: depth 4, width 39 has 4798 parameters.
    assert count(39, 4, 1) == 4798
