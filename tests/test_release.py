"""What a release says of its packages, and the script that makes one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from scripts.release_files import EXTRAS, licences, packages, sbom
from tests.docs.pages import ROOT

_NOT_SOURCE = (
    ".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "site", "dist", "build", "home",
)  # fmt: skip
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_each_dependency_is_pinned_with_hashes_and_has_a_licence() -> None:
    pinned = {package.name: package for package in packages()}
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *(line for name in EXTRAS for line in extras[name])]:
        wanted = Requirement(line)
        package = pinned[re.sub(r"[-_.]+", "-", wanted.name).lower()]
        assert wanted.specifier.contains(package.version), line
    assert all(package.hashes for package in pinned.values())
    text = (ROOT / "release/constraints.txt").read_text("utf-8")
    assert len(re.findall("^[a-z0-9].*==", text, re.MULTILINE)) == len(pinned) > 40
    assert set(licences()) == set(pinned)


def test_the_bill_of_materials_is_up_to_date() -> None:
    assert (ROOT / "release/sbom.cdx.json").read_text("utf-8") == sbom(), (
        "run `python scripts/release_files.py`"
    )


def test_the_bill_of_materials_is_whole() -> None:
    document = json.loads(sbom())
    refs = {document["metadata"]["component"]["bom-ref"]}
    refs |= {component["bom-ref"] for component in document["components"]}
    assert {entry["ref"] for entry in document["dependencies"]} == refs
    assert {ref for entry in document["dependencies"] for ref in entry["dependsOn"]} <= refs
    scopes = {component["name"]: component["scope"] for component in document["components"]}
    assert (scopes["openai"], scopes["xllamacpp"]) == ("required", "optional")


def test_the_workflow() -> None:
    """Expressions are no text of scripts, and what publishes can do nothing else."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]
    assert "python scripts/release --build --single-file" in [step.get("run") for step in steps]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the sources as they are, in the working directory."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    place = tmp_path / "checkout"
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*_NOT_SOURCE))
    monkeypatch.chdir(place)
    for words in ("init -q -b main", "config user.name A", "config user.email a@example.com"):
        git(*words.split())
    commit("base")
    return place


def git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(message: str) -> None:
    git("add", "-A")
    git("commit", "-q", "-m", message)


def release(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/release", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
class TestScript:
    def test_a_release(self, checkout: Path) -> None:
        before = git("rev-parse", "HEAD")
        shown = release("9.8.7")
        assert shown.returncode == 0, shown.stderr
        assert "nothing was changed" in shown.stdout
        assert (git("rev-parse", "HEAD"), git("tag"), git("status", "-s")) == (before, "", "")
        sums = Path("dist/SHA256SUMS").read_text()
        assert sorted(re.findall(r"  (.+)", sums)) == [
            "gptasst-9.8.7-py3-none-any.whl",
            "gptasst-9.8.7.tar.gz",
        ]

        done = release("9.8.7", "--yes")
        assert done.returncode == 0, done.stderr
        assert git("tag", "--points-at", "HEAD") == "v9.8.7"
        assert git("rev-parse", "HEAD^") == before
        assert git("show", "HEAD:src/gptasst/__init__.py").count('__version__ = "9.8.7"') == 1
        head, _, rest = (
            Path("CHANGELOG.md").read_text().partition("## [Unreleased]\n\n## [9.8.7] - ")
        )
        assert head
        assert re.match(r"\d{4}-\d\d-\d\d\n\n### ", rest)
        assert '"version": "9.8.7"' in Path("release/sbom.cdx.json").read_text()
        assert "gptasst 9.8.7" in Path("man/gptasst.1").read_text()

        assert release("9.8.7").stderr.startswith("error: v9.8.7 is a tag already")
        git("tag", "v9.9.9")
        assert "the tag is v9.8.7, v9.9.9, and the version is 9.8.7" in release("--build").stderr

    def test_what_it_refuses(self, checkout: Path) -> None:
        refused = release("two")
        assert (refused.returncode, refused.stderr) == (
            2, "error: two is no version: 1.2.3, or 1.2.3rc1\n",
        )  # fmt: skip
        changelog = Path("CHANGELOG.md")
        changelog.write_text("# Changelog\n\n## [Unreleased]\n\n## [0.0.1] - 2020-01-01\n")
        assert release("9.8.7").stderr.startswith("error: there are changes that are not committed")
        commit("nothing new")
        assert "nothing under Unreleased" in release("9.8.7").stderr
        assert not Path("dist").exists()
