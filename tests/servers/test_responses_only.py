"""Servers that have `/v1/responses` and no stores: LiteLLM's proxy, llama.cpp's server, vLLM."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Write
from tests.knowledge import documents

from .conftest import Machine

_ALL = [
    pytest.param(name, marks=pytest.mark.servers(name)) for name in ("litellm", "llama", "vllm")
]
# Those of the servers in `SERVERS`.
_KEYS = {
    "litellm": "sk-litellm-0123456789abcdef0123456789abcdef",
    "vllm": "sk-vllm-0123456789abcdef",
}
_SEEKER = """
instructions = "Answer with one word."
[tools]
web_search = true
"""
_BRIEF = """
name = "Brief"
instructions = "Answer with one word."
[settings]
temperature = 0
max_output_tokens = 400
"""


@pytest.fixture(params=_ALL)
def machine(
    request: pytest.FixtureRequest,
    on: Callable[[str], Machine],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Machine:
    """A machine with a profile for the server, as docs/how-to/servers.md describes it."""
    run = on("one")
    run("config", "set", "profiles.own.base_url", url)
    run("config", "set", "profile", "own")
    if request.param in _KEYS:
        run("config", "set", "profiles.own.api_key_env", "PROXY_KEY")
        variable = f"SERVERS_{request.param.upper()}_KEY"
        monkeypatch.setenv("PROXY_KEY", os.environ.get(variable, _KEYS[request.param]))
    run("config", "set", "profiles.own.model", run("model", "list", "--quiet").lines[0])
    return run


@pytest.fixture
def which(request: pytest.FixtureRequest) -> str:
    """The name of the server."""
    name: str = request.node.callspec.params["machine"]
    return name


@pytest.fixture(autouse=True)
def brief(write: Write) -> None:
    """An instruction that a slow machine is quick with, and a small model comes to an end with."""
    write("instructions/Brief.toml", _BRIEF)


def test_a_run_answers_on_stdout(machine: Machine, write: Write) -> None:
    write("guide.md", "What is the capital of France?\n")
    ran = machine("run", "Brief", "-f", "guide.md", "-o", "out.md")
    assert Path("out.md").read_text(encoding="utf-8").strip()
    assert ran.text == ""
    assert machine("run", "Brief", stdin=b"def double(x): return 2 * x").text.strip()
    assert machine("run", "Brief", "-t", "Hello", "--json").json["answer"].strip()


def test_each_file_is_a_run_of_its_own(machine: Machine, write: Write) -> None:
    for country in ("France", "Italy", "Spain"):
        write(f"in/{country}.txt", f"What is the capital of {country}?\n")
    machine("run", "Brief", "--each", "-f", "in", "-o", "out/")
    assert len(list(Path("out").rglob("*.txt"))) == 3


def test_a_local_assistant_brings_its_knowledge(machine: Machine, write: Write) -> None:
    write("kb/refund.md", "# Refunds\n\nThe Tapir refund is 12 days.\n")
    machine("assistant", "create", "Helper", "-i", "Brief", "-f", "kb")
    ran = machine("run", "Helper", "-t", "How long is the Tapir refund?", "--json")
    assert [citation["path"] for citation in ran.json["citations"]] == ["kb/refund.md"]
    machine("assistant", "edit", "Helper", "--description", "second")
    assert len(machine("assistant", "history", "Helper", "--quiet").lines) == 2
    machine("assistant", "delete", "Helper", "-y")


def test_a_conversation_goes_on(machine: Machine) -> None:
    ident = machine("run", "Brief", "-t", "one", "-c", "--json").json["conversation"]
    machine("run", "Brief", "-t", "two", "-c")
    messages = machine("conversation", "show", ident, "--json").json["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant"] * 2
    machine("conversation", "delete", ident, "-y")


def test_a_document_is_sent_as_text(machine: Machine, write: Write) -> None:
    write("travel.docx", documents.docx())
    ran = machine("run", "Brief", "-f", "travel.docx")
    assert "`travel.docx` is sent as text" in ran.stderr
    assert ran.text.strip()


def test_web_search_is_refused_or_noted(machine: Machine, which: str, write: Write) -> None:
    """llama.cpp calls itself so; vLLM repeats the tool and passes over it."""
    write("instructions/Seeker.toml", _SEEKER)
    noted = which == "vllm"
    ran = machine("run", "Seeker", "-t", "Who won?", code=0 if noted else 2)
    said = "shows no sign of web search" if noted else "does not have web search"
    assert said in ran.stderr


def test_an_input_that_is_too_long(machine: Machine, which: str, write: Write) -> None:
    if which == "litellm":
        pytest.skip("the model behind it takes any length")
    write("long.txt", "word " * 40_000)
    ran = machine("run", "Brief", "-f", "long.txt", "--json", code=2)
    assert ran.error["code"] == "too_long"


def test_the_store_of_a_project_is_refused_in_words(machine: Machine, which: str) -> None:
    machine("config", "set", "profiles.own.store", "openai")
    ran = machine("assistant", "list", "--json", code=1)
    if which != "litellm":  # which asks api.openai.com
        assert ran.error["code"] == "no_vector_stores"
    machine("config", "set", "profiles.own.store", "local")
    machine("doctor")


@pytest.mark.servers("litellm")
def test_a_wrong_key_is_no_access(
    on: Callable[[str], Machine], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = on("one")
    run("config", "set", "profiles.own.base_url", url)
    run("config", "set", "profiles.own.model", "stub/stub")
    run("config", "set", "profiles.own.api_key_env", "PROXY_KEY")
    run("config", "set", "profile", "own")
    monkeypatch.setenv("PROXY_KEY", "sk-wrong")
    assert run("run", "Brief", "-t", "x", "--json", code=4).error["code"] == "wrong_key"
