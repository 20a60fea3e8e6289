"""The rooms: who may import whom, what an import costs, how large a file may be."""

import ast
import importlib.util
import os
import pkgutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import solvenet

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "solvenet"
FILES = sorted(SOURCE.rglob("*.py"))
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(solvenet.__path__, "solvenet.", onerror=lambda _: None)
)
LONGEST_FILE = 400
HEAVY = ("torch", "dask", "distributed", "matplotlib", "pandas", "polars", "pyarrow", "click")
EXTRAS = ("torch", "onnx", "onnxruntime", "dask")


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_contracts_hold() -> None:
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [command, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("public", ["", "; solvenet.QR; solvenet.SWIM"])
def test_importing_solvenet_loads_nothing_heavy(public: str) -> None:
    code = f"import sys, solvenet{public}; print(*sorted(set(sys.modules) & set({HEAVY})))"
    assert python(code) == ""


def test_estimators_load_nothing_heavy_beside_what_scikit_learn_loads() -> None:
    code = (
        "import sys, sklearn.base, sklearn.callback; before = set(sys.modules)\n"
        "import solvenet; solvenet.SampledNetworkRegressor; solvenet.SampledFeatures\n"
        f"print(*sorted((set(sys.modules) - before) & set({HEAVY})))"
    )
    assert python(code) == ""


def test_importing_solvenet_loads_no_room() -> None:
    loaded = python("import sys, solvenet; print(*(m for m in sys.modules if 'solvenet' in m))")
    assert loaded == "solvenet"
    assert python("import sys, solvenet; print('numpy' in sys.modules)") == "False"


def test_importing_solvenet_is_quick() -> None:
    code = "import time; t = time.perf_counter(); import solvenet; print(time.perf_counter() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.5


def test_the_solvers_load_without_scikit_learn() -> None:
    assert python("import sys, solvenet.networks; print('sklearn' in sys.modules)") == "False"


def test_every_module_can_be_imported_alone() -> None:
    absent = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    # One interpreter for all, in which solvenet is forgotten before each. A room whose extra
    # is absent may say so, and nothing else.
    failed = python(
        "import importlib, sys\n"
        f"for module in {MODULES}:\n"
        "    for name in [m for m in sys.modules if m.split('.')[0] == 'solvenet']:\n"
        "        del sys.modules[name]\n"
        "    try:\n"
        "        importlib.import_module(module)\n"
        "    except ImportError as error:\n"
        f"        if error.name not in {absent}:\n"
        "            print(f'{module}: {error}')\n"
    )
    assert failed == ""


def test_public_names_resolve() -> None:
    for name in solvenet.__all__:
        assert getattr(solvenet, name) is not None
    assert dir(solvenet) == sorted(solvenet.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = solvenet.no_such_name


@pytest.mark.parametrize("module", [m for m in MODULES if m.rpartition(".")[2][0] != "_"])
def test_all_of_each_room_resolves(module: str) -> None:
    if "torchnets" in module:
        pytest.importorskip("torch")
    room = importlib.import_module(module)
    assert [name for name in getattr(room, "__all__", []) if not hasattr(room, name)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_file_is_in_order(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    n_lines = text.count("\n")
    assert n_lines <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}: print"
