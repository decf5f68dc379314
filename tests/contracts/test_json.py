"""docs/json.md has the documents of every command exactly as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.contracts.notation import Checker, Form, Page, read_page, to_fill
from tests.contracts.story import Story, every_command
from tests.docs.pages import DOCS, blocks
from tests.loopback import LoopbackServer

# What takes more to be seen than is worth it here: a batch that fails as a whole, a file that
# could not be indexed and stays, an answer that breaks off, knowledge that somebody deleted or put
# there on the server, an edit of which a part was kept. The server of the story searches by itself,
# and does not say why.
NEVER_SEEN = [
    "Applied.doubtful",
    "Assistant.gone",
    "Batch.errors",
    "EditSettings.unit",
    "FileResult.kept",
    "Found.passages.similarity",
    "Found.passages.words",
    "KnowledgeFile.problem",
    "KnowledgeOutcome.left",
    "KnowledgeOutcome.notes",
    "NewInstruction.cases_path",
    "NewInstruction.notes",
    "RunPlan.notes",
    "RunResult.kept",
    "Transcript.messages.broken_off",
]


@pytest.fixture(scope="module")
def page() -> Page:
    return read_page([b.text for b in blocks(DOCS / "json.md") if b.language == "ts"])


def test_every_command_has_a_form(page: Page) -> None:
    described = {command.partition(" -")[0] for command in page.commands}
    assert described == set(every_command())


def test_every_type_is_used(page: Page) -> None:
    used = {*page.commands.values(), "Failure"}
    waiting = list(used)
    while waiting:
        for name in _names(page.types[waiting.pop()]):
            if name not in used:
                used.add(name)
                waiting.append(name)
    assert used == set(page.types)


def _names(form: Form) -> set[str]:
    inner = {name for part in form.parts for name in _names(part)}
    return inner | {form.name} if form.kind == "name" else inner


def test_documents(
    page: Page,
    cli: Cli,
    project: LoopbackServer,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # for the shell's own files
    checker = Checker(page)
    told = Story(cli, project, write, monkeypatch).tell()
    problems = []
    for one in told:
        name = "Failure" if set(one.document) == {"error"} else page.commands[one.command]
        found = checker.problems(one.document, page.types[name], name)
        problems += [f"{one.command}: {problem}" for problem in found]
    assert not problems
    written = {one.command for one in told if set(one.document) != {"error"}}
    assert written == set(page.commands)
    assert sorted(set(to_fill(page)) - checker.filled) == NEVER_SEEN
