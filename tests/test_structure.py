"""The rooms of the package: who may import whom, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from faceqa.curation.table import row, write_csv
from faceqa.types import Assessment

PACKAGE = Path(__file__).parent.parent / "faceqa"

FOUNDATION = {"types", "errors"}
VERDICT = {"reasons", "fusion"}
MATERIAL = {"image", "weights", "alignment", "networks"}
STAGES = {"detection", "pose", "ser_fiq", "mask", "iqa"}
ALLOWED = {
    "errors": set(),
    "types": {"errors"},
    "reasons": {"types"},
    "fusion": {"types", "reasons"},
    "calibration": {"types", "fusion", "weights"},
    **{room: FOUNDATION for room in MATERIAL},
    **{room: FOUNDATION | MATERIAL for room in STAGES},
    "scorer": FOUNDATION | MATERIAL | STAGES | VERDICT | {"calibration"},
    "sources": FOUNDATION | MATERIAL,
    **{room: {"types"} for room in ("draw", "plots", "stress")},
    "table": FOUNDATION | {"fusion"},
    "report": {"reasons", "table"},
    "journal": FOUNDATION | {"sources", "table", "weights"},
    "export": FOUNDATION | MATERIAL | {"journal", "sources", "table"},
    "curation": FOUNDATION | {"export", "journal", "report", "scorer", "sources", "table"},
    "cli": FOUNDATION | {"curation", "fusion", "image", "journal", "scorer", "sources", "table", "weights"},
    "__main__": {"cli"},
    "__init__": FOUNDATION | {"fusion", "scorer"},
}


def rooms() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} uses a relative import"
            if node.module == "faceqa":
                names |= {f"faceqa.{alias.name}" for alias in node.names}
            elif node.module:
                names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("faceqa.")}


@pytest.mark.parametrize("path", rooms(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_the_rooms_before_it(path):
    room = room_of(path)
    beyond = imported_rooms(path) - ALLOWED[room] - {room}
    assert not beyond, f"{room} must not import {beyond}"


@pytest.mark.parametrize("module", ["faceqa", "faceqa.cli"])
def test_importing_the_package_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"torch", "cv2", "numpy", "PIL", "onnx", "onnxruntime", "insightface", "huggingface_hub"}
    assert not heavy & set(loaded.split())


@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["rejudge", "scores.csv"]])
def test_what_runs_no_model_loads_no_torch(arguments, tmp_path):
    write_csv([row(Assessment(image="a.jpg", verdict="reject"))], tmp_path / "scores.csv")
    code = f"""
import sys
from faceqa import cli
try:
    exit_code = cli.main({arguments})
except SystemExit as exit:
    exit_code = exit.code
print(exit_code, *sys.modules, file=sys.stderr)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    exit_code, *loaded = run.stderr.split()
    assert exit_code == "0", run.stderr
    assert not {"torch", "timm", "torchvision", "onnx"} & set(loaded)


def test_the_shop_window_holds_what_it_names():
    import faceqa

    for name in faceqa.__all__:
        assert getattr(faceqa, name).__name__ == name
    with pytest.raises(AttributeError, match="Scorerr"):
        _ = faceqa.Scorerr


def test_the_networks_load_without_torchs_compiler_and_leave_it_usable():
    code = """
import sys
from faceqa import Scorer
scorer = Scorer("cpu")
print("torch._dynamo" in sys.modules)
import torch._dynamo, torchvision
print(torch._dynamo.is_compiling(), torch.compiler.is_compiling(), callable(torch._dynamo.optimize))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False", "False", "True"]
