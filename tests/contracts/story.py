"""Every command under `--json`, one after the other in one project and on one machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import HttpAnswer, answer, function_calls, refusal
from tests.loopback.wire import json_reply

SCHEMA = '{"type": "object", "properties": {"n": {"type": "integer"}}}'
DEFINITION = f"""
description = "Describes"
default_text = "Describe it."
model = "gpt-6-luna"
knowledge = ["docs"]
schema = '{SCHEMA}'
instructions = "Describe what you get."

[tools]
web_search = true

[settings]
reasoning_effort = "low"
max_output_tokens = 2000
"""
# The newer keys, each with a value.
ALL = """\
instructions = "{{lang}}"
[variables.lang]
default = "x"
description = "what it is"
choices = ["x"]
[settings]
verbosity = "low"
reasoning_summary = "auto"
service_tier = "fast"
max_tool_calls = 3
tool_choice = "auto"
safety_identifier = "somebody"
[settings.context_management]
compact_threshold = 2000
[tools.web_search]
allowed_domains = ["example.com"]
context_size = "high"
[tools.web_search.location]
country = "DE"
region = "Berlin"
city = "Berlin"
timezone = "Europe/Berlin"
[tools.code_interpreter]
memory = "4g"
network = false
[[tools.mcp]]
label = "docs"
url = "https://mcp.example.com/mcp"
description = "the docs"
allowed_tools = ["search"]
key_env = "DOCS_KEY"
"""
COOL = """
instructions = "Stay cool."

[tools.file_search]
max_results = 5
score_threshold = 0.1
filters = ["*.md"]
text_weight = 0.5

[settings]
temperature = 0.2
top_p = 0.5
"""
SKILL = (
    "---\nname: tell\ndescription: d: x\nlicense: MIT\nallowed-tools: WebSearch\n---\nTell all.\n"
)
TESTED = """
messages: [{role: system, content: Sum it up.}, {role: user, content: "{{input}}"}]
testData: [{input: one}]
evaluators: [{name: a, string: {contains: o}}]
"""
PROMPT = """---
input:
  schema:
    mood(enum, of the answer): [glad, sad]
    name: string
  default:
    name: Jane
---
Greet {{name}}, {{mood}}.
"""
EVERY_KEY = """
[[case]]
name = "all"
input = "alpha"
file = "a.md"
text = "Describe."
vars = { a = "b" }
equals = "x"
contains = "x"
not_contains = "y"
matches = "x"
not_matches = "y"
schema = { type = "object" }
json = { "n" = 1 }
unchanged = true
keeps = "code"
max_change = 0.5
cites = "docs/a.md"
not_cites = "docs/b.md"
max_tokens = 100
max_cost = 0.1
max_seconds = 9
judge = "Is it one?"
judge_model = "gpt-6-luna"
"""
CASES = """
[[case]]
name = "judged"
text = "alpha"
judge = "Is it one?"

[[case]]
name = "wrong"
text = "alpha"
equals = "two"
"""
OLD_ASSISTANT = {
    "id": "asst_1",
    "object": "assistant",
    "name": "Old",
    "model": "gpt-4",
    "instructions": "You are old.",
    "tools": [{"type": "function", "function": {"name": "look_up"}}],
}


@dataclass(frozen=True)
class Told:
    """A document, and the command (with the options that change what it is) that wrote it."""

    command: str
    document: Any


class Story:
    """Runs commands and keeps what they wrote."""

    def __init__(
        self, cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._cli = cli
        self._server = server
        self._write = write
        self._environ = monkeypatch
        self.told: list[Told] = []

    def tell(self) -> list[Told]:
        for chapter in (
            self._instructions,
            self._assistants,
            self._code,
            self._knowledge,
            self._files,
            self._runs,
            self._batches,
            self._conversations,
            self._machine,
            self._errors,
            self._ends,
        ):
            chapter()
        return self.told

    def _do(self, command: str, *words: str, code: int = 0, stdin: bytes | None = None) -> Any:
        """Run a command; `command` is its name and the options that change its document."""
        ran = self._cli(*command.split(), *words, "--json", stdin=stdin)
        assert ran.code == code, (command, ran)
        document = json.loads(ran.stdout)  # one, and nothing else
        self.told.append(Told(command, document))
        return document

    def _instructions(self) -> None:
        self._write("instructions/Mine.toml", DEFINITION)
        self._write("instructions/Broken.toml", "instruction = 1")
        self._write("editor.py", "")
        self._environ.setenv("EDITOR", f"{sys.executable} editor.py")
        self._write("instructions/Cool.toml", COOL)
        self._do("instruction list")
        self._do("instruction show", "Mine")
        self._do("instruction new", "Yours", "--project")
        self._do("instruction edit", "Mine")
        self._write("instructions/All.toml", ALL)
        self._write("instructions/More.toml", "extends = 'CommitMessage'\n[variables.unused]\n")
        self._write("instructions/CommitMessage.toml", "instructions = 'x'\n")
        self._do("instruction show", "All")
        self._do("instruction show", "More")
        self._do("instruction validate", code=2)
        for name in ("All", "More", "CommitMessage"):
            Path(f"instructions/{name}.toml").unlink()
        Path("instructions/Broken.toml").unlink()
        self._write("other/tell/SKILL.md", SKILL)
        self._write("other/tell/references/a.md", "a")
        self._write("other/ask.prompt", PROMPT)
        self._write("other/broken.prompty", "system:\n{% if x %}\n")
        self._write("other/code.py", "x = 1\n")
        self._write("other/sum.prompt.yml", TESTED)
        self._do("instruction import", "other", "--project", code=6)
        self._do("instruction export", "ask", "--format", "skill", "-o", "made")

    def _assistants(self) -> None:
        self._write("docs/a.md", "alpha")
        self._write("instructions/Mine.cases.toml", EVERY_KEY)
        self._write("docs/b.md", "beta")
        self._write("docs/bad.md", "bad")
        self._server.index_failures["bad.md"] = ("invalid_file", "it is bad")
        self._write("docs/empty.md", "")
        self._do("assistant create", "A", "-i", "Mine", "-f", "docs", code=6)
        self._do("assistant edit", "A", "-m", "gpt-6.2-sol")
        self._do("assistant list")
        self._do("assistant show", "A")
        self._do("assistant history", "A")
        self._do("assistant search", "A", "alpha")
        self._do("assistant rollback", "A", "1", "--yes")
        self._do("assistant export", "A")
        self._do("assistant export -o", "a.toml", "A")
        self._write("old.json", json.dumps(OLD_ASSISTANT))
        self._do("assistant import", "old.json")

    def _code(self) -> None:
        self._write("code/c.toml", 'name = "C"\ninstructions = "x"\nknowledge = ["../docs"]\n')
        self._write("code/d.toml", 'name = "D"\ninstructions = "x"\n[tools]\nweb_search = true\n')
        self._write("code/base.toml", 'instructions = "x"\n')
        self._do("apply --dry-run", "code")
        self._do("apply", "code", "--yes", code=6)
        self._write("code/d.toml", 'name = "D"\ninstructions = "y"\n')
        self._do("assistant show", "D")
        self._write("code/d.toml", 'name = "D"\ninstructions = "x"\n[tools]\nweb_search = true\n')
        self._write("docs/d.md", "delta")
        Path("docs/b.md").rename("b.md")
        self._write("docs/a.md", "alpha, too")
        self._do("apply", "code", "--yes", code=6)
        Path("b.md").rename("docs/b.md")
        Path("docs/d.md").unlink()
        self._do("assistant export --all", "-o", "exported", "--with-files", "own", code=6)
        outside = Path.cwd().parent / "outside.md"
        outside.write_text("x")
        words = f'knowledge = ["{outside.as_posix()}"]'
        self._write("code/c.toml", f'name = "A"\nextends = "Mine"\n{words}\n')
        self._write("code/d.toml", 'name = "E"\ninstructions = "x"\n')
        self._do("apply --check", "code", code=6)
        for name in ("c", "d"):
            Path(f"code/{name}.toml").unlink()
        self._do("apply --dry-run", "code/base.toml", code=2)
        self._write("code/f.toml", 'name = "F"\ninstructions = "x"\n')
        self._do("apply", "code", "--yes")
        self._do("apply", "code", "--prune", "--yes")

    def _knowledge(self) -> None:
        self._do("assistant files list", "A")
        self._write("more.md", "more")
        self._do("assistant files add", "A", "more.md")
        self._do("assistant files remove", "A", "more.md")
        self._write("docs/a.md", "alpha, changed")
        self._write("docs/c.md", "gamma")
        Path("docs/b.md").unlink()
        self._do("assistant files sync --dry-run", "A")
        self._do("assistant files set --dry-run", "A", "docs/a.md", "more.md")
        self._do("assistant files add --dry-run", "A", "more.md", "--encoding", "latin-1")
        self._do("assistant files remove --dry-run", "A", "docs/a.md")
        self._do("assistant files sync", "A", code=6)
        self._do("assistant files set", "A", "docs/a.md")

    def _files(self) -> None:
        self._write("in.txt", "input")
        self._do("file upload --dry-run", "in.txt")
        self._do("file upload", "in.txt", "--expires", "1d")
        self._do("file upload", "docs/c.md", "--purpose", "assistants")
        self._write("secret/id_rsa", "KEY=1")
        self._write("secret/fine.txt", "fine")
        refused = HttpAnswer(json_reply({"error": {"message": "no"}}, 400))
        self._server.disturb("POST", "/v1/files", refused)
        self._do("file upload", "secret", code=6)
        self._do("file list")
        self._do("file show", "in.txt")
        self._do("file delete --dry-run", "in.txt", "docs/a.md")
        self._do("file delete", "in.txt", "--yes")
        for name in ("one.txt", "two.txt"):
            self._write(name, name)
        self._do("file upload", "one.txt", "two.txt")
        self._server.disturb("DELETE", "/v1/files/*", refused)
        self._do("file delete", "one.txt", "two.txt", "--yes", code=6)
        self._do("file prune --dry-run")
        self._do("file prune", "--yes")
        self._do("file prune", "--yes")

    def _runs(self) -> None:
        self._environ.setenv("GPTASST_STORE", "local")  # whose excerpts are citations
        self._do("assistant create", "L", "-i", "DocWriter", "-f", "docs/a.md")
        self._server.models.append("gpt-5")  # it ends soon, which is a warning
        self._server.outcomes.append(function_calls(("search_knowledge", '{"query": "beta"}')))
        self._do("run", "L", "-t", "alpha", "-m", "gpt-5")
        self._do("run --dry-run", "L", "-f", "in.txt", "-t", "alpha")
        self._do(
            "run", "L", "-t", "alpha", "-f", "in.txt", "-c"
        )  # a conversation that is kept here
        (talk,) = self._do("conversation list")["conversations"]
        self._do("conversation show", talk["id"])
        self._cases()
        self._environ.delenv("GPTASST_STORE")
        self._server.outcomes.append(answer('{"n": 1}', [("file-1", "a.md")]))
        self._do("run", "A", "-t", "alpha")
        self._write("in/a.md", "one")
        self._write("in/bad.md", b"\0")
        self._do("run --each --dry-run", "DocWriter", "in/a.md", "in/bad.md", "-o", "out", code=6)
        self._do("run --each", "DocWriter", "in", "-o", "out", code=6)
        self._do("run --each", "DocWriter", "in/a.md", "--diff")
        self._do("run --each", "DocWriter", "in/a.md")
        theirs = "instructions = 'x'\n[tools]\nweb_search = true\n"
        hiding = self._write("instructions/CommitMessage.toml", theirs)
        self._do("instruction show", "CommitMessage")
        self._do("run --dry-run", "CommitMessage", "-t", "alpha")
        self._do("run", "CommitMessage", "-t", "alpha")
        hiding.unlink()

    def _cases(self) -> None:
        self._write("d.cases.toml", CASES)
        self._server.outcomes.append(answer("one\n"))
        self._server.outcomes.append(answer('{"reason": "So it is.", "verdict": "yes"}'))
        self._do("test", "L", "--cases", "d.cases.toml", "--case", "judged", "-j", "1")
        self._write("other.toml", "instructions = 'x'")
        only = ("--cases", "d.cases.toml", "--case", "wrong")
        self._do("test --compare", "other.toml", "L", *only, code=6)
        self._server.models.append("odd-1")  # whose price nobody knows
        self._server.outcomes.append(answer("one\n"))
        self._server.outcomes.append(refusal("no"))
        self._do(
            "test", "L", "--cases", "d.cases.toml", "-m", "odd-1", "-j", "1", "--force", code=7
        )

    def _batches(self) -> None:
        self._server.batch_fails_on = "two"
        self._write("in/b.md", "two")
        each = ("DocWriter", "in/a.md", "in/b.md", "-o", "later", "--force")
        submitted = self._do("run --each --batch", *each, "in/bad.md", code=6)
        (batch,) = (batch["id"] for batch in submitted["submission"]["batches"])
        self._do("batch list")
        self._do("batch show", batch)
        self._do("batch fetch", batch, code=6)
        self._do("run --each --batch --wait", *each, code=6)
        self._do("run --each --batch --wait", "DocWriter", "in/a.md", "-o", "later")
        self._server.batch_delay = 60
        submitted = self._do("run --each --batch", *each)
        self._do("run --each --batch", *each[:-1], "-m", "gpt-5")
        self._do("run --each --batch", *each[:-1])
        (batch,) = (batch["id"] for batch in submitted["submission"]["batches"])
        self._do("batch cancel", batch)

    def _conversations(self) -> None:
        self._do("chat", "DocWriter", stdin=b"hello\n")
        self._server.outcomes.append(refusal("no"))
        self._do("chat", "DocWriter", stdin=b"hello\n", code=7)
        self._do("run", "DocWriter", "-f", "in/a.md", "-c")
        (first, *_) = self._do("conversation list")["conversations"]
        self._do("conversation show", first["id"])
        self._do("conversation show -o", "talk.md", first["id"])
        self._do("conversation delete", first["id"], "--yes")

    def _machine(self) -> None:
        models = [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "openai"}]
        self._server.disturb("GET", "/v1/models", HttpAnswer(json_reply({"data": models})))
        self._do("model list")
        self._do("usage")
        self._do("usage", "--since", "2026-01-01")
        self._do("cache show")
        self._do("cache path")
        self._write("docs/c.md", "gamma, changed")
        Path("more.md").unlink()
        self._server.files.pop(next(iter(self._server.files)))
        self._do("cache verify")
        self._do("cache rebuild", ".")
        self._do("cache clear", "--yes")
        self._do("config show")
        self._do("config path")
        self._do("config set", "profiles.openai.model", "gpt-6-luna")
        self._do("auth status")
        self._do("auth login", stdin=b"sk-0123456789abcdef")
        self._do("auth logout")
        self._do("auth login", "--header", "X-Gate", stdin=b"0123456789abcdef")
        self._do("local status")
        self._environ.setenv("SHELL", "/bin/bash")
        failed = HttpAnswer(json_reply({"error": {"message": "overloaded"}}, 503))
        self._server.disturb("GET", "/v1/batches", failed)
        self._do("doctor", code=6)  # a knowledge file is gone
        self._do("completion install", "bash")
        self._do("completion show", "bash")
        self._environ.setenv("GPTASST_LOCAL_MODEL", str(self._write("m.gguf", b"GGUF").absolute()))
        self._do("local setup")

    def _errors(self) -> None:
        self._do("assistant show", "Nobody", code=3)
        self._do("run", code=2)
        self._do("assistant", "nonsense", code=2)

    def _ends(self) -> None:
        self._do("assistant delete", "A", "--yes")


def every_command() -> Iterator[str]:
    """The commands of the program, as they are typed."""
    import typer

    from gptasst.cli.app import app

    root: Any = typer.main.get_command(app)
    with root.make_context("gptasst", [], resilient_parsing=True) as context:
        yield from _below(root, context, "")


def _below(command: Any, context: Any, path: str) -> Iterator[str]:
    if not hasattr(command, "list_commands"):
        yield path
        return
    for name in command.list_commands(context):
        yield from _below(command.get_command(context, name), context, f"{path} {name}".strip())
