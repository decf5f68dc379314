"""Every public function and method of the library has an example, and each example works."""

from __future__ import annotations

import asyncio
import builtins
import collections.abc
import doctest
import inspect
import json
import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import gptasst
from gptasst import hchatgpt
from gptasst.client import Client
from gptasst.client.assistants import Assistants
from gptasst.client.asynchronous import AsyncClient
from gptasst.client.instructions import Instructions
from gptasst.client.knowledge import AssistantKnowledge
from gptasst.client.options import AssistantOptions, MapOptions, RunOptions
from gptasst.client.project import Batches, Cache, Conversations, ProjectFiles
from tests.conftest import Write
from tests.loopback import LoopbackServer

_CLASSES = (
    Client, AsyncClient, Assistants, AssistantKnowledge, Batches, Cache, Conversations,
    Instructions, ProjectFiles,
)  # fmt: skip


def public_members() -> Iterator[tuple[str, object]]:
    yield "Client", Client
    yield "AsyncClient", AsyncClient
    for each in _CLASSES:
        for name, member in vars(each).items():
            if not name.startswith("_"):
                yield f"{each.__name__}.{name}", member
    for name, function in vars(hchatgpt).items():
        own = inspect.isfunction(function) and function.__module__ == hchatgpt.__name__
        if own and not name.startswith("_"):
            yield f"hchatgpt.{name}", function


_MEMBERS = dict(public_members())


@pytest.mark.parametrize("name", _MEMBERS)
def test_example(project: LoopbackServer, write: Write, name: str) -> None:
    project.answer = "# A guide"
    project.batch_delay = 3600 if name == "Batches.cancel" else 0
    write("guide.md", "# A guid\n")
    write("style.md", "Short sentences.\n")
    write("docs/billing.md", "# Billing\n\nMonthly.\n")
    search = {"file_search": {"vector_store_ids": ["vs_1"]}}
    tutor = {"name": "Tutor", "model": "gpt-6-luna", "instructions": "x", "tool_resources": search}
    write("assistants/editor.toml", 'name = "Editor"\ninstructions = "x"\n')
    case = '[[case]]\nname = "fixes a word"\ninput = "# A guid"\nequals = "# A guide"\n'
    write("guide.cases.toml", case)
    prompt = "messages:\n- role: system\n  content: Summarize in one sentence.\n"
    write("summarize.prompt.yml", prompt)
    write("tutor.json", json.dumps(tutor))
    client, awaited = Client(), AsyncClient()
    made = client.assistants.create("DocWriter-1", instruction="DocWriter", files="style.md")
    hchatgpt.use_client(client)
    known = vars(hchatgpt) | {
        "asyncio": asyncio,
        "gptasst": gptasst,
        "client": awaited if name.startswith("AsyncClient") else client,
        "assistant_id": made.assistant.id,
    }
    (example,) = doctest.DocTestFinder(recurse=False).find(_MEMBERS[name], name, globs=known)
    report: list[str] = []
    failed, tried = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    hchatgpt.use_client(None)
    client.close()
    awaited.sync.close()
    assert tried, f"{name} has no example"
    assert not failed, "".join(report)


_OPTIONS = {
    option
    for declared in (AssistantOptions, MapOptions, RunOptions)
    for option in declared.__annotations__
}
_KNOWN = {
    *vars(builtins),
    *vars(typing),
    *vars(collections.abc),
    "os",
    "PathLike",
    "Future",
    "Path",
    *("_P", "_T", "args", "kwargs"),  # those of the function that `AsyncClient.call` is given
}


@pytest.mark.parametrize("name", [name for name in _MEMBERS if not name.startswith("hchatgpt")])
def test_help_shows_each_option_and_what_it_names_can_be_imported(name: str) -> None:
    member = _MEMBERS[name]
    function: Any = member.fget if isinstance(member, property) else member
    signature = inspect.signature(function)
    assert name == "AsyncClient.call" or not [
        p for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD
    ]
    for parameter in signature.parameters.values():
        assert parameter.name == "self" or parameter.annotation
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name in _OPTIONS:
            assert re.search(rf"^ +{parameter.name}: \w", function.__doc__, re.MULTILINE)
    annotations = [p.annotation for p in signature.parameters.values()]
    named = re.findall(
        r"[A-Za-z_]\w*", " ".join(map(str, [*annotations, signature.return_annotation]))
    )
    missing = {word for word in named if word not in _KNOWN and not hasattr(gptasst, word)}
    assert not missing - {"inspect", "_empty", "class"}
