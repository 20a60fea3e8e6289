"""The first screen of the README: its example runs, its files exist."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def python_blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_example_is_short_and_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    example, _ = python_blocks(README)
    assert len(example.splitlines()) <= 10
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    claimed = float(re.search(r"about ([0-9.e-]+)", example)[1])  # type: ignore[index]
    assert names["error"] < 10 * claimed  # type: ignore[operator]
    assert "rank" in capsys.readouterr().out


def test_least_squares_without_a_network_is_as_accurate_as_it_can_be() -> None:
    _, example = python_blocks(README)
    assert len(example.splitlines()) <= 6
    names: dict[str, Any] = {"np": np}
    exec(compile(example, "README.md", "exec"), names)
    A, result = names["A"], names["result"]
    assert np.linalg.cond(A) > 1e16
    assert np.abs(A @ result.coef - np.exp(A[:, -2])).max() < 1e-13
    assert result.curve.parameter == "rcond"


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
