"""What people do with gptasst, each as one command on a project that has one of everything.

`prepare` makes that project; `OPERATIONS` are commands that work on it, by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Cli, Ran
from tests.loopback import LoopbackServer


@dataclass(frozen=True)
class Operation:
    """A command. `reads` says that it changes nothing on the server."""

    words: tuple[str, ...]
    stdin: bytes | None = None
    reads: bool = False

    def run(self, cli: Cli, *more: str) -> Ran:
        return cli(*self.words, *more, stdin=self.stdin)


def _changing(line: str, stdin: bytes | None = None) -> Operation:
    return Operation(tuple(line.split()), stdin)


def _reading(line: str) -> Operation:
    return Operation(tuple(line.split()), reads=True)


OPERATIONS = {
    "run": _reading("run MarkdownLinter in/1.md -o answer.md"),
    "run an assistant": _reading("run Docs -t hello"),
    "run --each": _reading("run MarkdownLinter in --each -o out"),
    "run -c": _changing("run Docs -t again -c"),
    "chat": _changing("chat Docs", b"hello\n"),
    "create": _changing("assistant create New -i DocWriter -f docs more.md"),
    "list": _reading("assistant list"),
    "show": _reading("assistant show Docs"),
    "history": _reading("assistant history Docs"),
    "edit": _changing("assistant edit Docs -m gpt-6.2-sol"),
    "edit -f": _changing("assistant edit Docs -m gpt-6.2-sol -f docs/a.md more.md"),
    "rename": _changing("assistant edit Docs --rename Guides"),
    "rollback": _changing("assistant rollback Docs 1 -y"),
    "delete": _changing("assistant delete Docs -y"),
    "files add": _changing("assistant files add Docs more.md"),
    "files remove": _changing("assistant files remove Docs docs/a.md"),
    "files sync": _changing("assistant files sync Docs"),
    "upload": _changing("file upload in/1.md more.md in/2.md"),
    "file list": _reading("file list"),
    "file delete": _changing("file delete in/1.md -y"),
    "prune": _changing("file prune -y"),
    "verify": _reading("cache verify"),
    "rebuild": _reading("cache rebuild ."),
    "submit": _changing("run MarkdownLinter more.md in --each --batch -o out"),
    "batch list": _reading("batch list"),
    "fetch": _reading("batch fetch FINISHED"),
    "cancel": _changing("batch cancel RUNNING"),
    "conversation show": _reading("conversation show hello"),
    "conversation delete": _changing("conversation delete hello -y"),
    "model list": _reading("model list"),
}
CHANGING = {name: one for name, one in OPERATIONS.items() if not one.reads}


def prepare(cli: Cli, server: LoopbackServer) -> dict[str, Operation]:
    """One assistant, knowledge that changed since, uploads, a conversation, a batch.

    Gives the operations with the ids that they need.
    """
    for name in ("docs/a.md", "docs/b.md", "docs/c.md", "in/1.md", "in/2.md", "gone.md"):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"This is {name}.\n")
    _done(cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs", "gone.md"))
    _done(cli("assistant", "edit", "Docs", "--description", "ours"))
    _done(cli("assistant", "files", "remove", "Docs", "gone.md"))
    _done(cli("run", "Docs", "-t", "hello", "-c"))
    _done(cli("file", "upload", "in/1.md"))
    server.batch_delay = 1000.0
    ids = {
        word: _done(cli("run", name, "in", "--each", "--batch", "-o", "batch")).lines[0]
        for word, name in (("FINISHED", "DocWriter"), ("RUNNING", "CodeReviewer"))
    }
    server.batches[ids["FINISHED"]].created -= 1000.0
    Path("docs/b.md").write_text("This is new.\n")
    Path("docs/c.md").unlink()
    Path("docs/d.md").write_text("This was added.\n")
    Path("more.md").write_text("One more.\n")
    server.requests.clear()
    return {
        name: Operation(
            tuple(ids.get(word, word) for word in operation.words),
            operation.stdin,
            operation.reads,
        )
        for name, operation in OPERATIONS.items()
    }


def _done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.stderr
    return ran
