"""`gptasst assistant import` of what people saved of the Assistants API."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Write

_SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def saved(**changes: Any) -> dict[str, Any]:
    """An assistant object as the Assistants API gave it."""
    return {
        "id": "asst_1",
        "object": "assistant",
        "created_at": 1698984975,
        "name": "Math Tutor",
        "description": "Helps with homework",
        "model": "gpt-6-luna",
        "instructions": "You are a maths tutor.\n",
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
    } | changes


def dumped(*assistants: dict[str, Any]) -> str:
    return json.dumps({"object": "list", "data": assistants, "has_more": False})


@pytest.fixture
def definition(cli: Cli, write: Write) -> Any:
    """The definition that a saved assistant comes to."""

    def made(**changes: Any) -> Any:
        write("old.json", json.dumps(saved(**changes)))
        return cli("assistant", "import", "old.json", "--json").json["assistant"]["definition"]

    return made


def test_what_comes_along(definition: Any) -> None:
    made = definition(
        tools=[{"type": "file_search"}, {"type": "code_interpreter"}],
        temperature=0.2,
        top_p=0.5,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": _SCHEMA}},
    )
    assert said(made) == {
        "name": "Math Tutor",
        "instructions": "You are a maths tutor.\n",
        "description": "Helps with homework",
        "model": "gpt-6-luna",
        "tools": {"file_search": True, "code_interpreter": True},
        "settings": {"temperature": 0.2, "top_p": 0.5},
        "schema": _SCHEMA,
    }


def said(value: Any) -> Any:
    """A definition without what it leaves open."""
    if not isinstance(value, dict):
        return value
    pairs = {key: said(inner) for key, inner in value.items()}
    return {key: inner for key, inner in pairs.items() if inner not in (None, False, [], {}, "")}


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        ({"tools": [{"type": "retrieval"}]}, ("tools", "file_search"), True),
        ({}, ("tools", "file_search"), None),
        ({"temperature": 1}, ("settings", "temperature"), None),
        ({"temperature": None, "top_p": None}, ("settings", "top_p"), None),
        ({"reasoning_effort": "low"}, ("settings", "reasoning_effort"), "low"),
        ({"name": None}, ("name",), "old"),
        ({"description": None}, ("description",), ""),
        ({"response_format": {"type": "text"}}, ("schema",), None),
        ({"model": "gpt-4o-2024-08-06-of-our-own"}, ("model",), "gpt-4o-2024-08-06-of-our-own"),
    ],
)
def test_values_of_the_two_versions_of_the_api(
    definition: Any, changes: dict[str, Any], path: tuple[str, ...], value: object
) -> None:
    found = definition(**changes)
    for key in path:
        found = found[key]
    assert found == value


@pytest.mark.parametrize(
    ("model", "successor"),
    [
        ("gpt-4-1106-preview", "gpt-6-luna"),
        ("gpt-3.5-turbo-0125", "gpt-6-luna"),
        ("gpt-4-turbo-2024-04-09", "gpt-6.2-sol"),
        ("gpt-4-turbo-preview", "gpt-6.2-sol"),
    ],
)
def test_a_retired_model_is_replaced_by_none(
    cli: Cli, write: Write, model: str, successor: str
) -> None:
    write("old.json", json.dumps(saved(model=model)))
    ran = cli("assistant", "import", "old.json", "--name", "Tutor", "--json")
    assert ran.json["assistant"]["definition"]["model"] is None
    (note,) = ran.json["notes"]
    assert note == (
        f"model `{model}` was shut down on 2026-10-23, so the profile's is used;"
        f" its successor is `{successor}`"
    )
    assert ran.stderr == note + "\n"


def test_what_can_not_come_along_is_listed(cli: Cli, write: Write) -> None:
    resources = {
        "code_interpreter": {"file_ids": ["file-2", "file-1"]},
        "file_search": {"vector_store_ids": ["vs_1"]},
    }
    function = {"type": "function", "function": {"name": "send_mail", "parameters": {}}}
    given = saved(
        tools=[{"type": "retrieval"}, function],
        file_ids=["file-1"],
        tool_resources=resources,
        metadata={"team": "docs"},
        response_format={"type": "json_object"},
    )
    write("old.json", json.dumps(given))
    ran = cli("assistant", "import", "old.json", "--json")
    assert set(ran.json) == {"assistant", "notes", "left_behind"}
    left = ran.json["left_behind"]
    assert [set(each) for each in left] == [{"kind", "name", "reason"}] * 6
    listed = [(each["kind"], each["name"]) for each in left]
    assert listed == [
        ("function", "send_mail"),
        ("file", "file-1"),
        ("file", "file-2"),
        ("vector_store", "vs_1"),
        ("metadata", "team"),
        ("response_format", "json_object"),
    ]
    for (kind, name), line in zip(listed, ran.stderr.splitlines(), strict=True):
        assert line.startswith(f"left behind: {kind} `{name}`: ")


def test_people_are_told_the_same(cli: Cli, write: Write) -> None:
    write("old.json", json.dumps(saved(metadata={"team": "docs"})))
    ran = cli("assistant", "import", "old.json")
    assert (ran.code, ran.text) == (0, "")
    assert ran.stderr.splitlines() == [
        "left behind: metadata `team`: definitions have no such key",
        "created `Math Tutor`",
    ]


class TestList:
    def test_of_one(self, cli: Cli, write: Write) -> None:
        write("all.json", dumped(saved()))
        assert cli("assistant", "import", "all.json", "--name", "New", "-q").lines == ["New"]

    @pytest.mark.parametrize("name", ["Two", "asst_2"])
    def test_of_several_by_name_or_id(self, cli: Cli, write: Write, name: str) -> None:
        write("all.json", dumped(saved(), saved(id="asst_2", name="Two")))
        assert cli("assistant", "import", "all.json", "--name", name, "-q").lines == ["Two"]

    @pytest.mark.parametrize(
        ("words", "message", "hint"),
        [
            ([], "`all.json` holds 3 assistants", "--name picks one: `One`, `Two`, `Two`"),
            (["--name", "Three"], "`all.json` holds no assistant `Three`", "it has `One`, `Two`"),
            (["--name", "Two"], "`all.json` holds 2 assistants `Two`", "--name takes an id"),
        ],
    )
    def test_asks_for_a_name(
        self, cli: Cli, write: Write, words: list[str], message: str, hint: str
    ) -> None:
        listed = [saved(id=f"asst_{n}", name=name) for n, name in enumerate(["One", "Two", "Two"])]
        write("all.json", dumped(*listed))
        ran = cli("assistant", "import", "all.json", *words, "--json")
        assert (ran.code, ran.error["message"]) == (2, message)
        assert ran.error["hint"].startswith(hint)
        assert cli("assistant", "list", "-q").lines == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "old.json: not JSON: "),
        ("[]", "old.json: not an assistant of the Assistants API or a list of them"),
        ('{"object": "thread", "model": "m"}', "old.json: not an assistant of the Assistants API"),
        ('{"data": 3}', "old.json: not an assistant of the Assistants API"),
        (json.dumps(saved(instructions=None)), "old.json: `Math Tutor` has no `instructions`"),
        (json.dumps(saved(name=7)), "old.json: key `name` must be a string"),
        (json.dumps(saved(temperature=3)), "old.json: key `temperature` must be a number from 0"),
        (json.dumps(saved(tools=["x"])), "old.json: key `tools` must be a list of objects"),
        (json.dumps(saved(name="a/b")), "the name `a/b` has a slash"),
        (b"\xff\xfe{}", "old.json: not JSON: "),
        ("[" * 100_000, "old.json: not JSON: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused(cli: Cli, write: Write, content: str | bytes, message: str) -> None:
    write("old.json", content)
    ran = cli("assistant", "import", "old.json", "--json")
    assert ran.code == 2
    assert ran.error["message"].startswith(message)
    assert cli("assistant", "list", "-q").lines == []


class TestPipes:
    """What is read from a pipe is read once."""

    TOML = b'name = "Piped"\ninstructions = "Do it."\n'
    JSON = b'{"object": "assistant", "name": "Piped", "instructions": "Do it."}'

    @pytest.mark.parametrize("content", [TOML, JSON])
    def test_standard_input(self, cli: Cli, content: bytes) -> None:
        assert cli("assistant", "import", "-", stdin=content).code == 0
        shown = cli("assistant", "show", "Piped", "--json").json
        assert shown["definition"]["instructions"] == "Do it."

    @pytest.mark.parametrize(
        "content",
        [b'{"object": "assistant", "instructions": "Do it."}', b'instructions = "Do it."\n'],
    )
    def test_without_a_name(self, cli: Cli, content: bytes) -> None:
        ran = cli("assistant", "import", "-", stdin=content)
        assert (ran.code, "--name" in ran.stderr) == (2, True)
        assert cli("assistant", "import", "-", "--name", "B", stdin=content).code == 0

    def test_a_key(self, cli: Cli) -> None:
        key = b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB\n"
        ran = cli("assistant", "import", "-", stdin=self.TOML + b"# " + key)
        assert ran.code == 2
        assert "counts as secret" in ran.stderr

    @pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd")
    @pytest.mark.parametrize("command", ["assistant import", "instruction validate"])
    @pytest.mark.parametrize("content", [TOML, JSON])
    def test_of_the_shell(self, cli: Cli, command: str, content: bytes) -> None:
        read, write = os.pipe()
        with os.fdopen(write, "wb") as stream:
            stream.write(content)
        ran = cli(*command.split(), f"/dev/fd/{read}")
        os.close(read)
        assert ran.code == (2 if content == self.JSON and "validate" in command else 0), ran.stderr
