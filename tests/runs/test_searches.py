"""A model that searches the knowledge itself, in its own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gptasst.client import Client
from gptasst.runs.tools import MOST_SEARCHES
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes

REFUNDS = "Refunds take 12 days.\n"


@pytest.fixture
def assistant(cli: Cli, write: Write, server: LoopbackServer) -> str:
    """An assistant whose knowledge is searched here."""
    write("kb/refunds.md", REFUNDS)
    write("kb/tapir.md", "The tapir ships in spring.\n")
    assert cli("assistant", "create", "Helper", "-i", "DocWriter", "-f", "kb").code == 0
    return "Helper"


def search(query: str) -> tuple[str, str]:
    return ("search_knowledge", json.dumps({"query": query}))


def asked(server: LoopbackServer) -> list[Any]:
    return [r.json for r in server.requests if r.path == "/v1/responses"]


def outputs(body: Any) -> list[str]:
    return [item["output"] for item in body["input"] if item["type"] == "function_call_output"]


def test_the_model_asks_and_what_it_got_is_cited(
    cli: Cli, server: LoopbackServer, assistant: str
) -> None:
    server.outcomes += [
        outcomes.function_calls(search("tapir")),
        outcomes.answer("In spring."),
    ]
    ran = cli("run", assistant, "-t", "When does the animal come?", "--json")
    first, second = asked(server)
    assert [tool["name"] for tool in first["tools"]] == ["search_knowledge"]
    assert outputs(first) == []
    (call,) = [item for item in second["input"] if item["type"] == "function_call"]
    assert "id" not in call  # a server that stores nothing does not know it
    assert "The tapir ships in spring." in outputs(second)[0]
    assert ran.json["answer"] == "In spring."
    assert ran.json["searches"] == ["tapir"]
    assert [(c["path"], c["place"]) for c in ran.json["citations"]] == [("kb/tapir.md", "line 1")]
    assert ran.json["usage"]["output"] > 1
    assert "nothing in the knowledge" not in ran.stderr


def test_passages_of_the_question_are_there_before_and_are_cited_once(
    cli: Cli, server: LoopbackServer, assistant: str
) -> None:
    server.outcomes += [
        outcomes.function_calls(search("refunds"), search("refund"), search("zebra")),
        outcomes.answer("12 days."),
    ]
    ran = cli("run", assistant, "-t", "How long do refunds take?", "--json")
    first, second = asked(server)
    assert REFUNDS.strip() in json.dumps(first["input"])
    again, twice, nothing = outputs(second)
    assert REFUNDS.strip() in again
    assert (twice, nothing) == ("Nothing but what you got already.", "Nothing was found.")
    assert [citation["path"] for citation in ran.json["citations"]] == ["kb/refunds.md"]


def test_a_remark_before_a_search_is_not_part_of_the_answer(
    cli: Cli, server: LoopbackServer, assistant: str
) -> None:
    server.outcomes += [
        outcomes.function_calls(search("tapir"), text="Let me look that up."),
        outcomes.answer("In spring."),
    ]
    ran = cli("run", assistant, "-t", "When?", "-o", "out.md")
    assert ran.code == 0
    assert Path("out.md").read_text(encoding="utf-8") == "In spring."


def test_searches_are_bounded(cli: Cli, server: LoopbackServer, assistant: str) -> None:
    server.outcomes += [outcomes.function_calls(search(f"tapir {n}")) for n in range(20)]
    ran = cli("run", assistant, "-t", "When?", "--json")
    assert ran.code == 7
    assert "searched the knowledge but gave no answer" in ran.error["message"]
    assert len(asked(server)) == MOST_SEARCHES + 1
    assert asked(server)[-1]["tool_choice"] == "none"


@pytest.mark.parametrize(
    "call",
    [
        ("search_knowledge", "no JSON {"),
        ("search_knowledge", '{"words": 3}'),
        ("search_knowledge", "[" * 100_000),
        ("search_knowledge", ""),
        ("another", "{}"),
    ],
)
def test_a_call_that_makes_no_sense_is_answered(
    cli: Cli, server: LoopbackServer, assistant: str, call: tuple[str, str]
) -> None:
    server.outcomes += [outcomes.function_calls(call), outcomes.answer("Done.")]
    ran = cli("run", assistant, "-t", "When?")
    assert (ran.code, ran.text) == (0, "Done.")
    assert len(outputs(asked(server)[1])) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "registry.ollama.ai/library/tiny does not support tools"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice'),
        (422, "extra fields not permitted: tools"),
    ],
)
def test_a_server_that_takes_no_functions_gets_the_passages_alone(
    cli: Cli, server: LoopbackServer, assistant: str, status: int, message: str
) -> None:
    server.outcomes += [outcomes.http_error(status, message=message), outcomes.answer("12 days.")]
    ran = cli("run", assistant, "-t", "How long do refunds take?", "--json")
    assert ran.json["answer"] == "12 days."
    assert "tools" not in asked(server)[1]
    assert [citation["path"] for citation in ran.json["citations"]] == ["kb/refunds.md"]


def test_a_refusal_is_remembered(cli: Cli, server: LoopbackServer, assistant: str) -> None:
    server.outcomes.append(outcomes.http_error(400, message="tools are not supported"))
    for _ in range(2):
        assert cli("run", assistant, "-t", "How long do refunds take?").code == 0
    assert ["tools" in body for body in asked(server)] == [True, False, False]


def test_a_server_that_refuses_only_the_output_gets_what_was_found(
    cli: Cli, server: LoopbackServer, assistant: str
) -> None:
    server.outcomes += [
        outcomes.function_calls(search("tapir")),
        outcomes.http_error(400, message="unknown item type: function_call_output"),
        outcomes.answer("In spring."),
    ]
    ran = cli("run", assistant, "-t", "When?", "--json")
    assert "The tapir ships in spring." in json.dumps(asked(server)[2]["input"])
    assert "tools" not in asked(server)[2]
    assert [citation["path"] for citation in ran.json["citations"]] == ["kb/tapir.md"]


def test_another_error_is_that_error(cli: Cli, server: LoopbackServer, assistant: str) -> None:
    server.outcomes.append(outcomes.http_error(400, message="temperature is not supported"))
    ran = cli("run", assistant, "-t", "When?", "--json")
    assert (ran.code, ran.error["code"]) == (1, "bad_request")


def test_each_file_and_a_refusal_is_remembered(
    cli: Cli, write: Write, server: LoopbackServer, assistant: str
) -> None:
    for number in range(3):
        write(f"in/{number}.txt", f"Number {number}\n")
    server.outcomes.append(outcomes.http_error(400, message="tools are not supported"))
    assert cli("run", assistant, "--each", "-j", "1", "-f", "in", "-o", "out/").code == 0
    assert ["tools" in body for body in asked(server)] == [True, False, False, False]


def test_each_file_searches_for_itself(
    cli: Cli, write: Write, server: LoopbackServer, assistant: str
) -> None:
    write("in/1.txt", "One\n")
    server.outcomes += [outcomes.function_calls(search("tapir")), outcomes.answer("In spring.")]
    assert cli("run", assistant, "--each", "-f", "in", "-o", "out/").code == 0
    assert Path("out/1.txt").read_text(encoding="utf-8") == "In spring."


def test_files_for_which_nothing_was_found_are_named(
    cli: Cli, write: Write, server: LoopbackServer, assistant: str
) -> None:
    write("in/1.txt", "How long do refunds take?\n")
    write("in/2.txt", "Zebra crossing\n")
    ran = cli("run", assistant, "--each", "-f", "in", "-o", "out/", "-t", "?")
    assert ran.code == 0
    assert "nothing in the knowledge matches: no passages are sent: `in/2.txt`" in ran.stderr
    assert "in/1.txt" not in ran.stderr


def test_a_conversation_keeps_question_and_answer_only(
    cli: Cli, server: LoopbackServer, assistant: str
) -> None:
    server.outcomes += [outcomes.function_calls(search("tapir")), outcomes.answer("In spring.")]
    assert cli("run", assistant, "-t", "When?", "-c").text == "In spring."
    cli("run", assistant, "-t", "Sure?", "-c")
    last = asked(server)[-1]
    assert [item["type"] for item in last["input"]] == ["message"] * 3
    assert [tool["name"] for tool in last["tools"]] == ["search_knowledge"]


def test_from_python(server: LoopbackServer, assistant: str) -> None:
    server.outcomes += [outcomes.function_calls(search("tapir")), outcomes.answer("In spring.")]
    with Client() as client:
        result = client.run(assistant, text="When?")
    assert (result.answer, result.searches) == ("In spring.", ("tapir",))


def test_it_is_not_offered_where_it_makes_no_sense(
    cli: Cli, write: Write, server: LoopbackServer, assistant: str, home: Path
) -> None:
    write("in.md", "Some text.\n")
    cli("run", assistant, "-t", "When?", "--no-file-search")
    cli("run", "DocWriter", "-t", "When?")
    (home / "config").mkdir(exist_ok=True)
    (home / "config/config.toml").write_text("[profiles.openai]\nfunction_tools = false\n")
    cli("run", assistant, "-t", "When?")
    assert [body.get("tools") for body in asked(server)] == [None] * 3


def test_a_dry_run_shows_it(cli: Cli, assistant: str) -> None:
    plan = cli("run", assistant, "-t", "When?", "--dry-run", "--json").json
    assert plan["functions"] == ["search_knowledge"]
    assert "search_knowledge" in cli("run", assistant, "-t", "When?", "--dry-run").text


def test_the_time_of_a_run_is_that_of_all_its_requests(
    cli: Cli, server: LoopbackServer, assistant: str
) -> None:
    server.outcomes += [outcomes.function_calls(search("tapir")), outcomes.hangs()]
    ran = cli("run", assistant, "-t", "When?", "--timeout", "3", "--json")
    assert (ran.code, ran.error["code"]) == (1, "timeout")


def test_a_batch_brings_passages_and_no_function(
    cli: Cli, write: Write, server: LoopbackServer, assistant: str
) -> None:
    write("in/1.txt", "How long do refunds take?\n")
    write("in/2.txt", "Zebra crossing\n")
    ran = cli("run", assistant, "--each", "--batch", "-f", "in", "-o", "out/", "-t", "?")
    assert ran.code == 0
    assert "no passages are sent: `in/2.txt`" in ran.stderr
    lines = [f.data for f in server.files.values() if f.about["purpose"] == "batch"]
    (body, _) = [json.loads(line)["body"] for data in lines for line in data.splitlines()
               if b'"body"' in line]  # fmt: skip
    assert "tools" not in body
    assert REFUNDS.strip() in json.dumps(body["input"])
