"""What is in the wheel, and what a checkout and an installation have in common."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, in this environment."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install '.[dev]'")
    source = tmp_path_factory.mktemp("source") / "gptasst"
    leave_out = shutil.ignore_patterns(".*", "__pycache__", "tests")
    shutil.copytree(ROOT, source, ignore=leave_out)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=source, check=True
    )
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_everything_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    instructions = {f"gptasst/instructions/{p.name}" for p in (ROOT / "instructions").iterdir()}
    package = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src/gptasst").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "gptasst/py.typed" in package
    inside, about = {n for n in names if n.startswith("gptasst/")}, names - package - instructions
    assert inside == instructions | package
    assert {name.partition("/")[2] for name in about} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "licenses/LICENSE",
        "data/share/man/man1/gptasst.1",
    }


def test_its_instructions_are_found(wheel: Path, tmp_path: Path) -> None:
    """As installed: the package and its instructions are side by side."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "import sys; sys.path.insert(0, 'site')\nfrom gptasst.__main__ import main\nmain()"
    listed = subprocess.run(
        [sys.executable, "-c", code, "instruction", "list", "--quiet"],
        cwd=tmp_path,
        env={"PATH": "", "GPTASST_HOME": str(tmp_path / "home")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert listed.stdout.split() == sorted(p.stem for p in (ROOT / "instructions").iterdir())
