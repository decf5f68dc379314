"""What SECURITY.md says of removing everything is so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.docs.pages import ROOT, section
from tests.every_command import ready_for_every_command, run_every_command
from tests.loopback import LoopbackServer
from tests.shell_program import program_for_shells

KEY = "sk-test-0123456789"
PAGE = ROOT / "SECURITY.md"


def test_on_the_server(
    cli: Cli, project: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_for_every_command(write, monkeypatch)
    run_every_command(cli, key=KEY)
    cli("assistant", "create", "A2", "-i", "DocWriter", "-f", "b.md")
    cli("assistant", "edit", "A2", "-f", "a.md")
    cli("run", "DocWriter", "a.md", "-c")
    cli("file", "upload", "a.md", "b.md")
    assert cli("run", "DocWriter", "b.md", "--each", "--batch", "--force", "-o", "o").code == 0

    for name in cli("assistant", "list", "--quiet").lines:
        assert cli("assistant", "delete", name, "-y").code == 0
    for ident in cli("conversation", "list", "--quiet").lines:
        assert cli("conversation", "delete", ident, "-y").code == 0
    assert cli("file", "prune", "-y").code == 0
    for ident in cli("file", "list", "--quiet").lines:
        assert cli("file", "delete", ident, "-y").code == 0

    assert (project.stores, project.conversations, project.files) == ({}, {}, {})
    kept = [response for response in project.responses.values() if response]
    assert all(response["conversation"] for response in kept)  # for 30 days, as the page says
    commands = section(PAGE, "How to remove everything")
    for command in ("assistant delete", "conversation delete", "file prune", "file delete"):
        assert f"gptasst {command}" in commands


@pytest.mark.skipif(shutil.which("sh") is None, reason="a command of a shell")
@pytest.mark.parametrize("store", ["openai", "local"])
def test_on_this_machine(
    cli: Cli, server: LoopbackServer, home: Path, write: Write, monkeypatch: pytest.MonkeyPatch,
    store: str, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("GPTASST_STORE", store)
    ready_for_every_command(write, monkeypatch)
    run_every_command(cli, key=KEY)
    cli("auth", "login", stdin=KEY.encode())
    (line,) = (
        line
        for line in section(PAGE, "How to remove everything").splitlines()
        if line.startswith("rm -r ")
    )
    with program_for_shells(tmp_path / "bin") as program:
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        subprocess.run(["sh", "-c", line], check=True)
    assert list(home.rglob("*")) == []
