"""Answers that don't come as they should, in everything that asks a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer, outcomes

LONG = "one two three four"
# A stream, how the command ends that reads one answer, its code, and what came of the answer.
Trouble = tuple[outcomes.Outcome, int, str, str]
TROUBLES: dict[str, Trouble] = {
    "stops": (outcomes.stream_breaks_after(1, LONG), 7, "broken_off", "one two"),
    "stops before it begins": (outcomes.stream_breaks_after(0, LONG), 7, "broken_off", ""),
    "garbage": (outcomes.garbage_stream(), 1, "not_an_api", ""),
    "flat error": (outcomes.stream_error_event(), 7, "failed", "hello t"),
    "nested error": (outcomes.stream_error_event(flat=False), 7, "failed", "hello t"),
    "limit in the stream": (
        outcomes.stream_error_event(code="rate_limit_exceeded"), 5, "rate_limited", "hello t",
    ),
    "signs of life for ever": (outcomes.never_ends(after=1), 1, "timeout", "hello t"),
    "silence": (outcomes.never_ends(keepalive=False, after=1), 1, "timeout", "hello t"),
    "no response at all": (outcomes.hangs(), 1, "timeout", ""),
    "web page": (outcomes.http_error(200, body="<html>"), 1, "not_an_api", ""),
}  # fmt: skip
LIMIT = "0.4"


@pytest.fixture(params=TROUBLES)
def trouble(request: pytest.FixtureRequest) -> Trouble:
    return TROUBLES[request.param]


@pytest.fixture
def asked(cli: Cli, trouble: Trouble, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """As `cli`, with a limit where nothing else would end it."""

    def run(*words: str | Path, stdin: bytes | None = None) -> Ran:
        if trouble[2] == "timeout":
            monkeypatch.setenv("GPTASST_TIMEOUT", LIMIT)
        ran = cli(*words, stdin=stdin)
        monkeypatch.delenv("GPTASST_TIMEOUT", raising=False)
        return ran

    return run


def failed(ran: Ran, code: int, error: str) -> None:
    assert (ran.code, ran.error["code"]) == (code, error)
    assert "Traceback" not in ran.stderr


def test_into_a_file(asked: Cli, server: LoopbackServer, write: Write, trouble: Trouble) -> None:
    outcome, code, error, _ = trouble
    server.outcomes.extend([outcome] * 3)
    old = write("out.md", "old")
    failed(asked("run", "CommitMessage", "-t", "hello there", "-o", old, "--json"), code, error)
    assert old.read_text() == "old"
    assert [path.name for path in Path().iterdir()] == ["out.md"]


def test_to_stdout(asked: Cli, server: LoopbackServer, trouble: Trouble) -> None:
    """What came is there, byte for byte, and the error is elsewhere."""
    outcome, code, _, came = trouble
    server.outcomes.extend([outcome] * 3)
    ran = asked("run", "CommitMessage", "-t", "hello there")
    assert (ran.code, ran.text) == (code, came)
    assert ran.stderr.startswith("error: ")


@pytest.mark.parametrize("words", ["run DocWriter -c", "chat DocWriter -c"])
def test_in_a_conversation(
    cli: Cli,
    asked: Cli,
    project: LoopbackServer,
    trouble: Trouble,
    words: str,
) -> None:
    """Each question is there once, with the answer, or as much of it as came."""
    outcome, code, error, came = trouble
    text = ["-t", "hello there"] if words.startswith("run") else []
    assert cli("run", "DocWriter", "-c", "-t", "first").code == 0
    project.outcomes.extend([outcome] * 3)
    ran = asked(*words.split(), *text, "--json", stdin=b"hello there\n")
    failed(ran, code, error)
    project.outcomes.clear()
    (conversation,) = project.conversations.values()
    said = [item["content"] for item in conversation.items if item.get("role") == "user"]
    assert [part[0]["text"] for part in said] == ["first"] + ["hello there"] * bool(came)
    assert len(conversation.items) == (4 if came else 2)


def test_one_of_many(
    cli: Cli, asked: Cli, server: LoopbackServer, trouble: Trouble, write: Write
) -> None:
    """The others are written, and the same command asks for this one only."""
    outcome, *_ = trouble
    for name in ("a", "b"):
        write(f"in/{name}.md", f"text {name}\n")
    server.outcomes.extend([outcome, outcomes.answer("right")])
    words = ("run", "CommitMessage", "in", "--each", "-o", "out", "-j", "1", "--json")
    ran = asked(*words)
    server.outcomes.clear()
    if ran.code == 0:  # it was asked for again by itself
        assert len(list(Path("out").iterdir())) == 2
        return
    assert ran.code in (1, 6)
    sent = len(server.requests)
    assert cli(*words).code == 0
    assert len(server.requests) - sent <= 2
    assert len(list(Path("out").iterdir())) == 2


def test_a_chat_that_fails_midway_tells_what_was_answered(cli: Cli, server: LoopbackServer) -> None:
    server.outcomes.extend([outcomes.answer("first answer"), outcomes.refusal("No.")])
    ran = cli("chat", "DocWriter", "--json", stdin=b"one\ntwo\n")
    assert (ran.code, ran.error["code"]) == (7, "refused")
    assert [result["answer"] for result in ran.json["results"]] == ["first answer"]
    assert ran.json["conversation"]["messages"] == 2
