"""The first screen of the README: its example runs, its files exist."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import solvenet
from solvenet import SampledNetworkRegressor
from solvenet.sources import MemoryTable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def python_blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_example_is_short_and_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    example, *_ = python_blocks(README)
    assert len(example.splitlines()) <= 10
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    claimed = float(re.search(r"about ([0-9.e-]+)", example)[1])  # type: ignore[index]
    assert names["error"] < 10 * claimed  # type: ignore[operator]
    assert "rank" in capsys.readouterr().out


def test_least_squares_without_a_network_is_as_accurate_as_it_can_be() -> None:
    _, example, *_ = python_blocks(README)
    assert len(example.splitlines()) <= 6
    names: dict[str, Any] = {"np": np}
    exec(compile(example, "README.md", "exec"), names)
    A, result = names["A"], names["result"]
    assert np.linalg.cond(A) > 1e16
    assert np.abs(A @ result.coef - np.exp(A[:, -2])).max() < 1e-13
    assert result.curve.parameter == "rcond"


def test_files_are_fitted_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq

    _, _, example, _ = python_blocks(README)
    rng = np.random.default_rng(0)
    (tmp_path / "sales").mkdir()
    for number in range(2):
        x = rng.random(300)
        pq.write_table(pa.table({"x": x, "price": np.sin(x)}), tmp_path / f"sales/{number}.parquet")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"SampledNetworkRegressor": SampledNetworkRegressor, "client": "serial"}
    exec(compile(example, "README.md", "exec"), names)
    x = np.linspace(0, 1, 50)
    predicted = names["model"].predict(MemoryTable({"x": x}))
    assert np.abs(predicted - np.sin(x)).max() < 1e-8
    assert [path.name for path in tmp_path.iterdir()] == ["sales"]


def test_the_diagnosis_says_what_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    *_, example = python_blocks(README)
    exec(compile(example, "README.md", "exec"), {"np": np, "solvenet": solvenet})
    shown = capsys.readouterr().out
    there, needed = re.search(r"# (\d+) modes .* (\d+) are needed", example).groups()  # type: ignore[union-attr]
    assert f"represent {there} modes; the data need {needed}," in shown


def test_the_two_commands_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ make (\w+)", README, flags=re.MULTILINE)
    assert commands == ["demo", "test"]
    for command in commands:
        assert re.search(rf"^{command}:", makefile, flags=re.MULTILINE)


def test_every_file_it_points_to_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)|(?:src|srcset)=\"([^\"]+)\"", README)
    local = {a or b for a, b in links if not (a or b).startswith("http")}
    assert local
    assert [link for link in sorted(local) if not (ROOT / link).exists()] == []


def test_the_rooms_of_the_table_exist() -> None:
    table = README.split("## What is inside")[1].split("##")[0]
    rooms = [
        room
        for row in table.splitlines()
        if row.startswith("| `")
        for room in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    source = ROOT / "src" / "solvenet"
    missing = [r for r in rooms if not (source / r).is_dir() and not (source / f"{r}.py").exists()]
    assert missing == []
