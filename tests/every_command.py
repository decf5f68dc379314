"""Every command once, in an order in which each finds what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptasst.completion.table import COMMANDS
from tests.conftest import Cli, Ran, Write

LINES = """
instruction list
instruction show DocWriter
instruction new Mine
instruction edit Mine
instruction validate
instruction import a.prompty --project
instruction export DocWriter --format skill -o skills
assistant create A -i DocWriter -f a.md
assistant list
assistant show A
assistant edit A -m gpt-6.2-sol
assistant files list A
assistant files add A b.md
assistant files set A a.md
assistant files sync A
assistant files remove A a.md
assistant history A
assistant search A words
assistant rollback A 1 -y
assistant export A -o a.toml
assistant import a.toml --name B
apply code -y
run DocWriter a.md
run A -t x -c
run DocWriter a.md b.md --each -o out
run DocWriter a.md --each --batch --force -o out2
run DocWriter a.md --dry-run
test Tested
usage
chat DocWriter
conversation list
conversation show {conversation}
conversation delete {conversation} -y
batch list
batch show {batch}
batch cancel {batch}
batch fetch {batch}
file upload a.md
file list
file show a.md
file prune -n
file delete a.md -y
model list
cache show
cache path
cache verify
cache rebuild
cache clear -y
auth status
auth login
auth logout
config show
config path
config set profiles.openai.timeout 5
config set profiles.openai.headers.X-Other other
completion show bash
completion install bash
local status
local setup
doctor
assistant delete A -y
""".strip().splitlines()


def existing(line: str) -> bool:
    return any(" ".join(line.split()[:n]) in COMMANDS for n in (1, 2, 3))


def lines() -> list[str]:
    return [line for line in LINES if existing(line)]


def ready_for_every_command(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files and variables that they need."""
    write("a.md", "one\n")
    write("b.md", "two\n")
    write("a.prompty", "system:\nBe brief.\n")
    write("instructions/Tested.toml", 'instructions = "x"\n')
    write(
        "instructions/Tested.cases.toml",
        '[[case]]\nname = "a"\ninput = "one"\ncontains = "one"\n',
    )
    write("code/c.toml", 'name = "C"\ninstructions = "x"\n')
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.setenv("HOME", str(Path.cwd()))


def run_every_command(cli: Cli, *options: str, key: str) -> list[Ran]:
    """What each said; `key` is what `auth login` is given."""
    names = {"conversation": "conv_1", "batch": "batch_1"}
    ran = []
    for line in lines():
        if line == "local setup":
            continue  # it fetches a model, and knows of no key
        stdin = key.encode() if line == "auth login" else b"question?\n"
        words = [word.format(**names) for word in line.split()]
        ran.append(cli(*words, *options, stdin=stdin))
        if line.startswith("run"):
            names |= {noun: (cli(noun, "list", "-q").lines or ["none"])[0] for noun in names}
    return ran
