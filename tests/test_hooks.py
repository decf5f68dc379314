"""The hooks that this repository offers to pre-commit, and those of its page, run by pre-commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pre_commit.clientlib import load_manifest  # type: ignore[import-untyped]

from tests.cli.each import file_text, shout
from tests.conftest import Cli, Write
from tests.docs.pages import DOCS, blocks
from tests.loopback import LoopbackServer
from tests.shell_program import program_for_shells

PAGE = DOCS / "how-to/pre-commit.md"
CONFIGURATION, FROM_THIS_REPOSITORY, *_ = [
    block.text for block in blocks(PAGE) if block.language == "yaml"
]
ARGUMENTS = ["MarkdownLinter", "--"]

HOOKS = {
    hook["id"]: hook for hook in load_manifest(Path(__file__).parents[1] / ".pre-commit-hooks.yaml")
}


@pytest.mark.parametrize(
    ("hook", "code", "left"),
    [("gptasst-check", 6, "words\n"), ("gptasst-fix", 0, "WORDS\n")],
)
def test_runs_as_pre_commit_runs_it(
    cli: Cli, server: LoopbackServer, write: Write, hook: str, code: int, left: str
) -> None:
    server.answer = shout
    file = write("a.md", "words\n")
    program, *words = HOOKS[hook]["entry"].split()
    assert program == "gptasst"
    ran = cli(*words, "DocWriter", "a.md")
    assert ran.code == code
    assert ("+WORDS" in ran.lines) == (hook == "gptasst-check")
    assert file.read_text() == left


def test_the_page_names_arguments_that_end_the_options() -> None:
    assert f"args: [{', '.join(ARGUMENTS)}]" in FROM_THIS_REPOSITORY
    assert re.findall(r"- id: (\S+)", FROM_THIS_REPOSITORY) == ["gptasst-check"]


def test_a_name_that_looks_like_an_option(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("--allow-secrets", "Getting startd.\n")
    server.answer = "Getting started.\n"
    _, *words = HOOKS["gptasst-check"]["entry"].split()
    ran = cli(*words, *ARGUMENTS, "--allow-secrets")
    assert (ran.code, ran.lines[-1]) == (6, "+Getting started.")


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command in a git repository that has the configuration of the page."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)

    def words_run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    with program_for_shells(tmp_path / "bin") as program:
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        for words in ("init -q", "config user.name A", "config user.email a@example.com"):
            words_run("git", *words.split())
        Path(".pre-commit-config.yaml").write_text(CONFIGURATION)
        yield words_run


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_the_configuration_of_the_page(run: Run, server: LoopbackServer, write: Write) -> None:
    server.answer = lambda body: file_text(body).replace("startd", "started")
    pre_commit = [sys.executable, "-m", "pre_commit"]
    guide = write("guide.md", "Getting startd.\n")
    write("-o right.md", "Nothing wrong.\n")
    write("notes.txt", "startd\n")
    assert run(*pre_commit, "install").returncode == 0
    run("git", "add", "-A")

    stopped = run("git", "commit", "-m", "A guide")
    assert stopped.returncode == 1
    assert "-Getting startd.\n+Getting started.\n" in stopped.stderr
    assert guide.read_text() == "Getting startd.\n"
    sent = len(server.requests)
    assert sent == 2

    fixed = run(*pre_commit, *"run gptasst-fix --hook-stage manual".split())
    assert "files were modified by this hook" in fixed.stdout
    assert guide.read_text() == "Getting started.\n"
    run("git", "add", "-A")
    committed = run("git", "commit", "-m", "A guide")
    assert (committed.returncode, len(server.requests)) == (0, sent)


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_no_key(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit stops, and the hook says why; `SKIP` lets it through."""
    monkeypatch.setenv("GPTASST_PROFILE", "openai")
    write("guide.md", "Getting startd.\n")
    run(sys.executable, "-m", "pre_commit", "install")
    run("git", "add", "-A")
    stopped = run("git", "commit", "-m", "A guide")
    assert stopped.returncode == 1
    assert "OPENAI_API_KEY is not set" in stopped.stderr
    assert "exit code: 4" in stopped.stderr
    monkeypatch.setenv("SKIP", "gptasst-check")
    assert run("git", "commit", "-m", "A guide").returncode == 0
