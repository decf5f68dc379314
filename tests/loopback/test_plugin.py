"""The server as a distribution of its own: what is in it, and that its README is true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.openapi import _PLACE

from . import API_VERSION, LoopbackServer, outcomes, server

PLUGIN = ROOT / "plugins/pytest-openai-loopback"
README = PLUGIN / "README.md"
TEXT = README.read_text("utf-8") if README.exists() else ""

pytestmark = pytest.mark.skipif(not TEXT, reason="the plugin is not part of gptasst's sdist")


def hatchling(target: str, source: Path, out: Path) -> Path:
    words = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    subprocess.run(words, cwd=source, check=True, capture_output=True)
    (built,) = out.iterdir()
    return built


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_readme_runs_as_installed(tmp_path: Path) -> None:
    """The wheel that is built from the sdist, by a pytest that knows nothing of this repository."""
    pytest.importorskip("hatchling")
    sdist = hatchling("sdist", PLUGIN, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    wheel = hatchling("wheel", unpacked, tmp_path / "wheel")
    assert names(wheel) == names(hatchling("wheel", PLUGIN, tmp_path / "direct"))
    modules = {name for name in names(wheel) if name.startswith("openai_loopback/")}
    assert {"openai_loopback/plugin.py", "openai_loopback/py.typed"} <= modules
    assert not [name for name in modules if "test_" in name or "conftest" in name]

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "own").mkdir()
    tests, alone = (block.text for block in blocks(README) if block.language == "python")
    (tmp_path / "own/test_readme.py").write_text(tests)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        environ.pop(name, None)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=tmp_path / "own", env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{tests.count('def test_')} passed" in ran.stdout, ran.stdout
    printed = subprocess.run(
        [sys.executable, "-c", alone], env=environ, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1\n", printed.stdout)


def test_the_readme_lists_what_there_is() -> None:
    listed = {
        (method, path)
        for path, methods in re.findall(r"^\| `(/v1/\S+)` \| (.+) \|$", TEXT, re.MULTILINE)
        for method in methods.split(", ")
    }
    assert listed == {(route.method, route.path) for route in server._ROUTES}
    for cell in re.findall(r"^\| (`\w+\(.*?)`.* \|", TEXT, re.MULTILINE):
        for name in re.findall(r"`(\w+)\(", cell):
            assert callable(getattr(outcomes, name))
    settings = TEXT.partition("## Settings")[2].partition("## Outcomes")[0]
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.+?) \|", settings, re.MULTILINE)))
    assert len(named) > 10
    assert all(hasattr(LoopbackServer(), name) for name in named)


def test_its_paths_are_those_of_the_api() -> None:
    """And the document of that version has them all."""
    assert f"**{API_VERSION}**" in TEXT
    if not _PLACE.exists():
        pytest.skip(f"{_PLACE} is not there")
    document = json.loads(_PLACE.read_text("utf-8"))
    assert document["info"]["version"] == API_VERSION
    known = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, methods in document["paths"].items()
        for method in methods
    }
    played = {(r.method, re.sub(r"\{\w+\}", "{}", r.path[3:])) for r in server._ROUTES}
    assert played <= known
