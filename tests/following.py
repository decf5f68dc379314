"""Following printed commands: what a command suggests is done as it is printed.

`watch` notes which places of the source make commands, so that a test knows that the printed one
is of the place that it is about.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import gptasst
from gptasst import hints
from tests.conftest import Cli, Ran, Write
from tests.hint_places import Place, places
from tests.loopback import LoopbackServer
from tests.printed_commands import printed

ALL = tuple(places())
PLACES = {place.key: place for place in ALL}
_MADE = "cmd", "install_command", "upgrade_command"
# What people put in place of what a command leaves open.
FILLED = {
    "NAME": "Docs", "NEW": "Newer", "INSTRUCTION": "DocWriter", "FILE": "a.md", "FILE...": "a.md",
    "FILE…": "a.md", "SHELL": "bash", "DIR": "out", "ID": "conv_1", "PATH...": "a.toml",
}  # fmt: skip


@dataclass
class Around:
    """What a row prepares its command with."""

    cli: Cli
    server: LoopbackServer
    home: Path
    write: Write
    patch: pytest.MonkeyPatch
    opened: ExitStack = field(default_factory=ExitStack)

    def config(self, text: str) -> None:
        path = self.home / "config" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def without_key(self) -> None:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GPTASST_MODEL", "GPTASST_STORE"):
            self.patch.delenv(name, raising=False)


Prepare = Callable[[Around], object]


@dataclass(frozen=True)
class Hint:
    """A command that prints the next step, and how that is done.

    `places` are keys of `hint_places` whose command is printed; `filled` is what is put in for its
    open words; `then` happens between the two, as a user would do it; `ends` are the exit codes
    that lead on; with `again`, the first command succeeds afterwards. `more` is added to a step;
    `given` and `stdin` are what the first command and a step read.
    """

    prepare: Prepare | None
    line: str
    places: str | Sequence[str]
    filled: dict[str, str] = field(default_factory=dict)
    then: Prepare | None = None
    ends: tuple[int, ...] = (0,)
    again: bool = False
    more: str = ""
    given: bytes | None = None
    stdin: bytes = b"sk-0123456789abcdef\n"

    @property
    def keys(self) -> list[str]:
        return [self.places] if isinstance(self.places, str) else list(self.places)


@contextmanager
def watched() -> Iterator[list[tuple[Place, str]]]:
    """Notes the commands that are made, each with its place."""
    seen: list[tuple[Place, str]] = []
    by_file: dict[str, list[Place]] = {}
    for place in ALL:
        by_file.setdefault(str(place.file), []).append(place)

    def noting(make: Callable[..., str]) -> Callable[..., str]:
        def made(*words: str) -> str:
            frame = sys._getframe(1)
            here = by_file.get(frame.f_code.co_filename, [])
            text = words[0] if make is hints.cmd else make(*words)
            seen.extend(
                (place, text)
                for place in here
                if frame.f_lineno in place.lines and _fits(place, make, words)
            )
            return make(*words)

        return made

    makers: dict[str, Callable[..., str]] = {name: getattr(hints, name) for name in _MADE}
    with pytest.MonkeyPatch.context() as patch:
        for module in _modules():
            for name, make in makers.items():
                if module is not hints and getattr(module, name, None) is make:
                    patch.setattr(module, name, noting(make))
        yield seen


def _fits(place: Place, make: Callable[..., str], words: Sequence[str]) -> bool:
    if make is hints.cmd:
        return place.makes(words[0])
    return place.template.startswith(make.__name__)


@functools.cache
def _modules() -> list[Any]:
    for found in pkgutil.walk_packages(gptasst.__path__, "gptasst."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    return [module for name, module in sys.modules.items() if name.startswith("gptasst.")]


def steps(ran: Ran, place: Place, seen: Sequence[tuple[Place, str]]) -> list[str]:
    """What was printed of a place: whole command lines of a shell."""
    text = f"{ran.stderr}\n{ran.stdout.decode('utf-8', 'replace')}"
    lines = [command for command, _ in printed(text)]
    if ran.stdout.startswith(b"{") and "findings" in ran.json:
        lines += [finding["fix"] for finding in ran.json["findings"] if finding["fix"]]
    if place.template.split(" ")[0] in ("rm", "mv", "export", "unset", "mkdir", "chmod", "python"):
        pattern = re.compile(r"[^\s`;,]+".join(map(re.escape, place.template.split("{}"))))
        whole = [line for line in lines if pattern.search(line)]
        return whole or [found[0] for found in [pattern.search(text)] if found]
    if "_command(" in place.template:
        return [made for at, made in seen if at.key == place.key and made in text]
    made = {words for at, words in seen if at.key == place.key}
    if not made and not place.key.partition(":")[0].isupper():  # a constant is made at import
        return []
    wanted = {f"gptasst {words}" for words in made}
    found = [
        line
        for line in lines
        for part in line.split(" && ")
        if part in wanted
        or (not made and place.makes(part.removeprefix("gptasst ")))
        or re.sub(r"^gptasst --profile \S+", "gptasst", part) in wanted
    ]
    return list(dict.fromkeys(found))


def do(around: Around, line: str, hint: Hint) -> Ran:
    """What a shell would do with a printed line; how its last command ended."""
    ran = Ran(0, b"", "")
    for part in line.split(" && "):
        words = shlex.split(part)
        if words[0] == "gptasst":
            ran = _gptasst(around, words[1:], hint)
        elif words[0] == "export":
            name, _, value = words[1].partition("=")
            around.patch.setenv(name, hint.filled.get(value, value))
        elif words[0] == "unset":
            around.patch.delenv(words[1], raising=False)
        elif "gptasst[" in words[-1]:
            extra = words[-1].partition("[")[2].removesuffix("]")
            assert extra in importlib.metadata.metadata("gptasst").get_all("Provides-Extra", [])
        elif words[-1] == "ensurepip":  # it would change this Python
            assert importlib.util.find_spec("ensurepip")
        elif words[-1] == "gptasst":  # the newest version of it
            assert line == "pip install -U gptasst"
        else:
            done = subprocess.run(["sh", "-c", part], check=False)
            ran = Ran(done.returncode, b"", "")
    return ran


def _gptasst(around: Around, words: Sequence[str], hint: Hint) -> Ran:
    typed: list[str] = []
    filled = FILLED | hint.filled
    for word in words:
        typed += shlex.split(filled[word]) if word in filled else [word]
    return around.cli(*typed, *shlex.split(hint.more), stdin=hint.stdin)


def follow(around: Around, hint: Hint) -> None:
    """Do what is printed, for each place of a row."""
    if hint.prepare:
        hint.prepare(around)
    line = [os.path.expandvars(word) for word in shlex.split(hint.line)]
    with watched() as seen:
        ran = around.cli(*line, stdin=hint.given)
    found = {key: steps(ran, PLACES[key], seen) for key in hint.keys}
    assert all(found.values()), (found, [at.key for at, _ in seen], ran.stderr, ran.text)
    if hint.then:
        hint.then(around)
    for key, commands in found.items():
        ended = do(around, commands[0], hint)
        assert ended.code in hint.ends, (key, commands, ran.stderr, ended.stderr, ended.text)
    if hint.again:
        ended = around.cli(*line)
        assert ended.code == 0, (ended.stderr, ended.text)
