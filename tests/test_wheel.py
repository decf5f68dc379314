"""What is in the wheel and the sdist, and what a checkout and an installation have in common."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

import gptasst
from tests.workers import made_once

ROOT = Path(__file__).parents[1]
_NOT_SOURCE = (".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "site", "dist", "build")


def build(source: Path, *targets: str) -> None:
    """Build in this environment, into `dist/`."""
    words = [word for target in targets for word in ("-t", target)]
    subprocess.run([sys.executable, "-m", "hatchling", "build", *words], cwd=source, check=True)


def contents(archive: Path) -> dict[str, bytes]:
    """The files of a wheel."""
    with zipfile.ZipFile(archive) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with a wheel and an sdist, built from a copy of the sources."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install '.[dev]'")

    def make(directory: Path) -> None:
        source = directory / "gptasst"
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*_NOT_SOURCE))
        build(source, "wheel", "sdist")

    return made_once(tmp_path_factory, "distributions", make) / "gptasst" / "dist"


@pytest.fixture
def wheel(distributions: Path) -> Path:
    (built,) = distributions.glob("*.whl")
    return built


@pytest.fixture
def unpacked_sdist(distributions: Path, tmp_path: Path) -> Path:
    (built,) = distributions.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / built.name.removesuffix(".tar.gz")


@pytest.fixture
def metadata(wheel: Path) -> Message:
    (name,) = (name for name in contents(wheel) if name.endswith(".dist-info/METADATA"))
    return BytesParser().parsebytes(contents(wheel)[name])


def test_everything_is_in_it(wheel: Path) -> None:
    names = set(contents(wheel))
    instructions = {f"gptasst/instructions/{p.name}" for p in (ROOT / "instructions").iterdir()}
    package = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src/gptasst").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "gptasst/py.typed" in package
    scripts = {f"gptasst/completion/scripts/gptasst.{s}" for s in ("bash", "zsh", "fish", "ps1")}
    assert scripts <= package
    inside, about = {n for n in names if n.startswith("gptasst/")}, names - package - instructions
    assert inside == instructions | package
    assert {name.partition("/")[2] for name in about} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "licenses/LICENSE",
        "sboms/sbom.cdx.json",
        "data/share/man/man1/gptasst.1",
    }


def test_the_sdist_has_what_people_need(unpacked_sdist: Path) -> None:
    """The sources with their tests and pages, as they are here."""
    there = {p.relative_to(unpacked_sdist).as_posix() for p in unpacked_sdist.rglob("*")}
    wanted = [
        *ROOT.glob("[A-Z]*.md"),  # not what README's first command leaves
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "instructions").glob("*.toml"),
        *(ROOT / name for name in ("LICENSE", "pyproject.toml", "mkdocs.yml", "man/gptasst.1")),
    ]
    assert {path.relative_to(ROOT).as_posix() for path in wanted} <= there


def test_the_sdist_makes_the_same_wheel(wheel: Path, unpacked_sdist: Path) -> None:
    build(unpacked_sdist, "wheel")
    (again,) = (unpacked_sdist / "dist").glob("*.whl")
    assert again.name == wheel.name
    assert contents(again) == contents(wheel)


def test_it_says_what_is_true(metadata: Message) -> None:
    assert metadata["Version"] == gptasst.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    minimum = metadata["Requires-Python"].removeprefix(">=")
    classifiers = metadata.get_all("Classifier") or []
    versions = [c.rpartition(" ")[2] for c in classifiers if re.search(r":: 3\.\d+$", c)]
    assert versions[0] == minimum
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in versions
    assert "Typing :: Typed" in classifiers


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
    shipped = (p.stem for p in (ROOT / "instructions").iterdir())
    assert listed.stdout.split() == sorted(name for name in shipped if "." not in name)
