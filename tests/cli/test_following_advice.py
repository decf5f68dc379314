"""A command that was printed after `--profile NAME` asks that profile's server, and no other."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assistants.project import contents
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes

OWN = "--profile", "my own"
BATCH = ("run", "DocWriter", "in", "--each", "--batch", "-o", "out")


@pytest.fixture
def own(project: LoopbackServer, home: Path) -> Iterator[LoopbackServer]:
    """The server of a profile that is not the one in force."""
    with LoopbackServer() as running:
        config = home / "config" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(f'[profiles."my own"]\nbase_url = "{running.base_url}"\nstore = "openai"')
        yield running


def advice(text: str) -> list[str]:
    """The words of the only command that was printed, without its program."""
    (command,) = re.findall(r"`(gptasst [^`]*)`", text)
    return shlex.split(command)[1:]


def test_a_list_that_is_empty(cli: Cli, own: LoopbackServer, project: LoopbackServer) -> None:
    words = advice(cli(*OWN, "assistant", "list").stderr)
    assert words == [*OWN, *"assistant create NAME -i INSTRUCTION".split()]
    assert cli(*words[:-1], "DocWriter").code == 0
    assert len(own.stores) == 1
    assert project.requests == []


@pytest.mark.parametrize(
    "words", [[*OWN, "assistant", "show", "X"], ["assistant", "show", "X", *OWN]]
)
def test_an_error(cli: Cli, own: LoopbackServer, project: LoopbackServer, words: list[str]) -> None:
    ran = cli(*words)
    assert ran.code == 3
    assert advice(ran.stderr) == [*OWN, "assistant", "list"]
    assert cli(*words, "--json").error["hint"] == ran.stderr.splitlines()[-1].removeprefix("hint: ")


def test_a_command_that_is_not_there(cli: Cli, own: LoopbackServer) -> None:
    ran = cli(*OWN, "assistant", "shwo")
    assert "did you mean `gptasst --profile 'my own' assistant show`?" in ran.stderr
    ran = cli(*OWN, "assistnat")
    assert "did you mean `gptasst --profile 'my own' assistant`?" in ran.stderr


def test_a_chat(cli: Cli, own: LoopbackServer, project: LoopbackServer) -> None:
    words = advice(cli("chat", "DocWriter", *OWN, stdin=b"one\n").stderr)
    ran = cli(*words, stdin=b"two\n")
    assert (ran.code, "continuing" in ran.stderr) == (0, True)
    assert len([r for r in own.requests if r.path == "/v1/responses"]) == 2
    assert project.requests == []


def test_an_answer_that_failed_in_a_chat(cli: Cli, own: LoopbackServer) -> None:
    own.outcomes.append(outcomes.http_error(403, "insufficient_permissions", "No permission."))
    ran = cli("chat", "DocWriter", *OWN, stdin=b"one\n")
    assert "`gptasst --profile 'my own' doctor` shows" in ran.stderr


@pytest.mark.parametrize("text", ["plain", "what's `gptasst run X` with --profile"])
def test_a_batch(
    cli: Cli, own: LoopbackServer, project: LoopbackServer, write: Write, text: str
) -> None:
    write("in/good.md", "a good one\n")
    write("in/bad.md", "a bad one\n")
    own.batch_fails_on = "bad one"
    fetch = advice(cli(*BATCH, "-t", text, *OWN).stderr)
    ran = cli(*fetch)
    assert ran.code == 6
    assert list(Path("out").iterdir()) == [Path("out/good.md")]

    hint = ran.stderr.splitlines()[-1].removeprefix("hint: ")
    assert json.dumps(cli(*fetch, "--json").json).count(json.dumps(hint)) == 1
    own.batch_fails_on = None
    submits = shlex.split(hint.removeprefix("`").removesuffix("` submits only what is missing"))[1:]
    assert submits == [*OWN, *BATCH, "-t", text]
    ran = cli(*submits)
    assert ran.stderr.startswith("1 file submitted in 1 batch; 1 answered before\n")
    assert cli(*advice(ran.stderr)).code == 0
    assert len(list(Path("out").iterdir())) == 2
    assert project.requests == []


@pytest.mark.parametrize("where", ["variable", "config"])
def test_a_batch_names_its_profile_wherever_that_was_named(
    cli: Cli, own: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Its command may be typed another day, and sends files."""
    write("in/bad.md", "a bad one\n")
    own.batch_fails_on = "bad one"
    (batch_id,) = cli(*BATCH, *OWN).lines
    if where == "variable":
        monkeypatch.setenv("GPTASST_PROFILE", "my own")
    else:
        assert cli("config", "set", "profile", "my own").code == 0
    hint = cli("batch", "fetch", batch_id).stderr.splitlines()[-1]
    assert advice(hint) == [*OWN, *BATCH]


def test_a_profile_of_the_environment(
    cli: Cli, own: LoopbackServer, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next command has the same environment."""
    monkeypatch.setenv("GPTASST_PROFILE", "my own")
    words = advice(cli("assistant", "list").stderr)
    assert words[0] == "assistant"
    assert project.requests == []


def test_what_the_doctor_finds(
    cli: Cli, own: LoopbackServer, project: LoopbackServer, write: Write
) -> None:
    write("a.md", "alpha")
    write("b.md", "beta beta")
    cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md", "b.md", *OWN)
    cli("assistant", "files", "set", "A", "a.md", "--keep-files", *OWN)
    ran = cli("doctor", *OWN, "--json")
    fixes = [finding["fix"] for finding in ran.json["findings"] if finding["topic"] == "files"]
    assert fixes == ["gptasst --profile 'my own' file prune"]
    assert cli(*shlex.split(fixes[0])[1:], "-y").code == 0
    assert contents(own) == [b"alpha"]
    assert project.requests == []
