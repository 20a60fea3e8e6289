"""The page on tables larger than memory: its examples run."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "larger_than_memory.md"


def test_its_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    (tmp_path / "sales").mkdir()
    for name in ("sales/1", "sales/2", "new"):
        x = rng.random(300)
        table = pa.table({"x": x, "price": np.sin(x), "weight": 1.0 + x})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(distributed, "Client", lambda _: "serial")
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.M | re.S)
    assert len(blocks) == 2
    for block in blocks:
        quick = block.replace("/shared/", "").replace("(1000, ", "(50, ")
        exec(compile(quick, PAGE.name, "exec"), names)
    x = pq.read_table("new.parquet")["x"].to_numpy()
    assert names["prices"].shape == (300,)
    assert np.abs(names["prices"] - np.sin(x)).max() < 1e-6
    assert not (tmp_path / "kept").exists()
