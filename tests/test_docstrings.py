"""Every public function and method of the library has an example, and each example works."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterator

import pytest

import gptasst
from gptasst.client import Client
from gptasst.client.assistants import Assistants
from gptasst.client.conversations import Conversations
from gptasst.client.instructions import Instructions
from tests.conftest import Write
from tests.loopback import LoopbackServer

_CLASSES = (Client, Assistants, Conversations, Instructions)


def examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(recurse=False)
    yield from finder.find(Client, "Client", globs={})
    for each in _CLASSES:
        for name, member in vars(each).items():
            if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                yield from finder.find(member, f"{each.__name__}.{name}", globs={})


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_example(project: LoopbackServer, write: Write, example: doctest.DocTest) -> None:
    project.answer = "# A guide"
    write("guide.md", "# A guid\n")
    write("style.md", "Short sentences.\n")
    write("docs/billing.md", "# Billing\n\nMonthly.\n")
    search = {"file_search": {"vector_store_ids": ["vs_1"]}}
    tutor = {"name": "Tutor", "model": "gpt-6-luna", "instructions": "x", "tool_resources": search}
    write("tutor.json", json.dumps(tutor))
    client = Client()
    client.assistants.create("DocWriter-1", instruction="DocWriter", files="style.md")
    example.globs |= {"gptasst": gptasst, "client": client}
    runner = doctest.DocTestRunner(verbose=False)
    report: list[str] = []
    failed, tried = runner.run(example, out=report.append)
    client.close()
    assert tried, f"{example.name} has no example"
    assert not failed, "".join(report)


@pytest.mark.parametrize("each", _CLASSES)
def test_every_public_method_has_a_docstring(each: type) -> None:
    names = {example.name for example in examples()}
    assert {f"{each.__name__}.{name}" for name in vars(each) if not name.startswith("_")} <= names
