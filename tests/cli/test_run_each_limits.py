"""`run --each` and servers that refuse, limit and fail."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptasst.api.limits import Deadline
from gptasst.each import pace
from gptasst.each.service import EachRun
from tests.cli.each import asked_for, file_text, make_files, shout
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.events import encode
from tests.loopback.wire import ApiError, ConnectionCut, Json, Reply

Dislike = Callable[..., int]

EACH = ("run", "DocWriter", "--each", "in", "-o", "out")


@pytest.fixture(autouse=True)
def _shouting(server: LoopbackServer) -> None:
    server.answer = shout


def limited(after: str, code: str = "rate_limit_exceeded") -> outcomes.HttpAnswer:
    return outcomes.http_error(429, code, headers={"Retry-After": after})


def test_a_third_of_the_requests_is_limited(cli: Cli, server: LoopbackServer) -> None:
    files = make_files(30)
    for _ in range(15):
        server.outcomes.extend([limited("0.02"), outcomes.answer(), outcomes.answer()])
    ran = cli(*EACH, "-j", "8")
    assert ran.code == 0
    assert ran.stderr.startswith("30 files: 30 written; ")
    assert [Path("out", f.name).read_text() for f in files] == [
        f.read_text().upper() for f in files
    ]
    assert len(server.requests) == 45


def test_retry_after_is_waited_for_by_all(cli: Cli, server: LoopbackServer) -> None:
    make_files(6)
    server.outcomes.append(limited("0.5"))
    assert cli(*EACH, "-j", "1").code == 0
    moments = [record.at for record in server.requests]
    assert moments[1] - moments[0] >= 0.5


def test_what_the_server_says_is_left_is_not_exceeded(cli: Cli, server: LoopbackServer) -> None:
    """After an answer that leaves nothing, the next request comes after the reset."""
    make_files(2)
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"}
    end = {"id": "resp_1", "status": "completed", "output": []}
    events: list[Json] = [
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "A"},
        {"type": "response.completed", "response": end},
    ]
    reply = Reply(b"".join(encode(events)), 200, "text/event-stream", headers)
    server.outcomes.append(outcomes.HttpAnswer(reply))
    assert cli(*EACH, "-j", "1").code == 0
    first, second = (record.at for record in server.requests)
    assert second - first >= 0.4


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        (limited("1", "insufficient_quota"), 5, "the quota is used up"),
        (limited("100000"), 5, "too many requests"),
        (outcomes.http_error(401, "invalid_api_key"), 4, "does not accept the key"),
        (outcomes.http_error(404, "model_not_found", "no such model"), 3, "has no model"),
        (outcomes.http_error(404, None, "Not Found"), 1, "has nothing at"),
    ],
    ids=["quota", "a wait of a day", "key", "model", "no endpoint"],
)
def test_what_every_file_would_fail_at_ends_all(
    cli: Cli, server: LoopbackServer, outcome: outcomes.HttpAnswer, code: int, message: str
) -> None:
    make_files(5)
    server.outcomes.extend([outcomes.answer(), outcome])
    ran = cli(*EACH, "-j", "1")
    assert ran.code == code
    assert ran.stderr.count("error: ") == 1
    assert message in ran.stderr.partition("error: ")[2]
    assert "5 files: 1 written, 1 failed, 3 not done; " in ran.stderr
    assert len(server.requests) == 2

    server.requests.clear()
    assert cli(*EACH).code == 0
    assert "file number 0\n" not in asked_for(server)


def test_at_a_limit_what_is_in_flight_is_kept(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer under way comes after the limit was noticed, and is written."""
    make_files(3)
    noticed = threading.Event()
    note = EachRun._note

    def note_and_tell(run: EachRun, arrival: Any) -> None:
        note(run, arrival)
        if run.ended_by is not None:
            noticed.set()

    def answer(body: Json) -> str:
        assert noticed.wait(60)
        return shout(body)

    monkeypatch.setattr(EachRun, "_note", note_and_tell)
    server.answer = answer
    server.outcomes.extend([outcomes.answer(), limited("1", "insufficient_quota")])
    ran = cli(*EACH, "-j", "2")
    assert ran.code == 5
    assert "3 files: 1 written, 1 failed, 1 not done; " in ran.stderr


def test_unreachable(cli: Cli, server: LoopbackServer) -> None:
    make_files(5)
    server.close()
    ran = cli(*EACH, "-j", "2", "--json")
    assert (ran.code, ran.error["code"]) == (1, "unreachable")
    assert ran.json["summary"]["not_run"] + ran.json["summary"]["failed"] == 5


class TestOneThatTheServerDislikes:
    """Where the server answers others, it is that file's trouble, and the others go on."""

    @pytest.fixture(params=["hung up", "web page", "403"])
    def dislike(
        self,
        server: LoopbackServer,
        request: pytest.FixtureRequest,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Dislike:
        """Let requests with these texts have no answer; returns the exit code of the error."""

        monkeypatch.setattr(pace, "_FIRST_WAIT", 0.001)

        def answer(body: Json, texts: tuple[str, ...]) -> str:
            if file_text(body).strip() not in texts:
                return shout(body)
            if request.param == "hung up":
                raise ConnectionCut
            raise ApiError(403, "blocked")

        def dislike(*texts: str) -> int:
            if request.param == "web page":
                page = outcomes.HttpAnswer(Reply(b"<html>blocked</html>", 200, "text/html"))
                server.disturb("POST", "/v1/responses", page, skip=1, times=len(texts))
            else:
                server.answer = lambda body: answer(body, texts)
            return 4 if request.param == "403" else 1

        return dislike

    def test_the_others_go_on(self, cli: Cli, dislike: Dislike) -> None:
        make_files(4)
        dislike("file number 1")
        ran = cli(*EACH, "-j", "1")
        assert "4 files: 3 written, 1 failed; " in ran.stderr
        assert (ran.code, ran.stderr.count("warning: `in/1.md` failed: ")) == (6, 1)

    def test_the_other_cases_are_run(
        self, cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pace, "_FIRST_WAIT", 0.001)
        write("instructions/Shouter.toml", "instructions = 'Shout.'\n")
        case = "[[case]]\nname = '{0}'\ninput = '{0}'\ncontains = 'X'\n"
        write("instructions/Shouter.cases.toml", "\n".join(map(case.format, "abc")))
        server.answer = lambda _: "X"
        blocked = outcomes.http_error(403, "blocked")
        server.outcomes += [outcomes.answer(), blocked, outcomes.answer()]
        ran = cli("test", "Shouter", "-j", "1", "--json")
        assert len(server.requests) == 3
        assert (ran.code, ran.json["summary"]["passed"]) == (4, 2)

    def test_the_others_are_handed_over(self, cli: Cli, server: LoopbackServer) -> None:
        make_files(4)
        server.answer = lambda _: "X"
        page = outcomes.HttpAnswer(Reply(b"<html>blocked</html>", 200, "text/html"))
        server.disturb("POST", "/v1/responses", page, skip=1)
        ran = cli(*EACH, "--by", "8h", "-j", "1")
        assert "4 files: 3 written, 1 failed; " in ran.stderr
        assert ran.code == 6

    def test_two_in_a_row_end_it(self, cli: Cli, dislike: Dislike) -> None:
        make_files(4)
        code = dislike("file number 1", "file number 2", "file number 3")
        ran = cli(*EACH, "-j", "1")
        assert "4 files: 1 written, 2 failed, 1 not done; " in ran.stderr
        assert ran.code == code


def test_an_edit_asks_again_only_for_the_part_that_failed(
    cli: Cli, server: LoopbackServer, write: Write, home: Path
) -> None:
    """The tokens of all attempts are counted."""
    write(str(home / "config/config.toml"), "[profiles.openai]\ncontext = 4096\n")
    for name in ("a.md", "b.md"):
        write(name, f"# {name}\n\n" + "Some more words that fill a line of the text.\n\n" * 250)
    server.answer = file_text
    words = ("run", "MarkdownLinter", "a.md", "b.md", "--each", "--check", "-j", "1", "--json")
    whole = cli(*words)
    parts = len(server.requests)
    assert (whole.code, parts > 4) == (0, True)
    server.requests.clear()
    server.outcomes += [outcomes.answer(), outcomes.http_error(503), outcomes.answer()]
    again = cli(*words, "--force")
    assert (again.code, len(server.requests)) == (0, parts + 1)
    for counted in ("input_tokens", "output_tokens"):
        assert again.json["summary"][counted] == whole.json["summary"][counted]


@pytest.mark.parametrize(
    "outcome",
    [
        outcomes.http_error(500),
        outcomes.http_error(503),
        outcomes.stream_breaks_after(1),
        outcomes.stream_error_event(),
        outcomes.stream_error_event(flat=False),
        outcomes.stream_error_event(code="rate_limit_exceeded"),
        outcomes.failed(),
    ],
    ids=["500", "503", "broken off", "error event", "nested", "limit in a stream", "failed"],
)
def test_what_may_pass_is_tried_again(
    cli: Cli, server: LoopbackServer, outcome: outcomes.Outcome
) -> None:
    make_files(2)
    server.outcomes.append(outcome)
    ran = cli(*EACH)
    assert (ran.code, len(server.requests)) == (0, 3)
    assert Path("out/0.md").read_text() == "FILE NUMBER 0\n"


class TestRestarts:
    """A server that loads its model, or is gone for a while."""

    LOADING = outcomes.http_error(503, message="Loading model", headers={"Retry-After": "0"})

    @pytest.mark.parametrize("command", [EACH, ("test", "Shouter")], ids=["each", "test"])
    def test_a_server_that_loads_its_model_is_waited_for(
        self, cli: Cli, server: LoopbackServer, write: Write, command: tuple[str, ...]
    ) -> None:
        make_files(1)
        write("instructions/Shouter.toml", 'instructions = "Shout."\n')
        case = '[[case]]\nname = "one"\ninput = "a"\ncontains = "A"\n'
        write("instructions/Shouter.cases.toml", case)
        server.outcomes.extend([self.LOADING] * 7)
        ran = cli(*command, "-j", "1")
        assert (ran.code, len(server.requests)) == (0, 8)

    def test_one_that_stays_so_ends_the_job(self, cli: Cli, server: LoopbackServer) -> None:
        make_files(3)
        server.disturb("POST", "/v1/responses", self.LOADING, times=100)
        ran = cli(*EACH, "-j", "1")
        assert (ran.code, len(server.requests)) == (1, 16)
        assert "3 files: 2 failed, 1 not done; " in ran.stderr
        assert "Loading model" in ran.stderr.partition("error: ")[2]

    @pytest.mark.parametrize("command", [EACH, ("test", "Shouter")], ids=["each", "test"])
    def test_while_it_is_down_one_file_at_a_time_is_tried(
        self,
        cli: Cli,
        server: LoopbackServer,
        monkeypatch: pytest.MonkeyPatch,
        write: Write,
        command: tuple[str, ...],
    ) -> None:
        """Each pauses all others: the time until the job ends does not grow with `-j`."""
        monkeypatch.setattr(pace, "_FIRST_WAIT", 0.001)
        make_files(9)
        write("instructions/Shouter.toml", 'instructions = "Shout."\n')
        case = '[[case]]\nname = "{0}"\ninput = "{0}"\ncontains = "A"\n'
        write("instructions/Shouter.cases.toml", "\n".join(map(case.format, "abcdefghi")))
        together, first = threading.Barrier(8), itertools.count()

        def answer(_: Json) -> str:
            if next(first) < 8:
                together.wait(60)
            raise ApiError(503, "Loading model")

        server.answer = answer
        ran = cli(*command, "-j", "8")
        assert ran.code == 1
        assert "Loading model" in ran.stderr.partition("error: ")[2]
        assert len(server.requests) <= 2 * 8 + 6 * 3  # the others while `-j` was reduced

    def test_a_file_that_brings_it_down_each_time_stops_no_other(
        self, cli: Cli, server: LoopbackServer
    ) -> None:
        make_files(3)
        server.disturb("POST", "/v1/responses", self.LOADING, times=8)
        ran = cli(*EACH, "-j", "1")
        assert (ran.code, len(server.requests)) == (6, 10)
        assert "3 files: 2 written, 1 failed; " in ran.stderr

    def test_one_that_answered_before_is_waited_for(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pace, "_FIRST_WAIT", 0.001)
        make_files(3)
        server.disturb("POST", "/v1/responses", times=7, skip=1)
        ran = cli(*EACH, "-j", "1")
        assert (ran.code, len(server.requests)) == (0, 10)
        assert len(list(Path("out").iterdir())) == 3

    def test_one_that_was_killed_in_its_first_answer_is_waited_for(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pace, "_FIRST_WAIT", 0.001)
        make_files(1)
        server.outcomes.append(outcomes.stream_breaks_after(1))
        server.disturb("POST", "/v1/responses", times=6, skip=1)
        ran = cli(*EACH, "-j", "1")
        assert (ran.code, len(server.requests)) == (0, 8)


def test_what_does_not_pass_is_named(cli: Cli, server: LoopbackServer) -> None:
    make_files(1)
    server.outcomes.extend([outcomes.http_error(500, message="busy")] * 3)
    ran = cli(*EACH)
    assert ran.code == 6
    assert "warning: `in/0.md` failed: " in ran.stderr
    assert "busy" in ran.stderr
    assert "error: 1 of 1 file failed\n" in ran.stderr


@pytest.mark.parametrize(
    "outcome",
    [outcomes.refusal("no"), outcomes.incomplete(), outcomes.http_error(400, None, "bad")],
    ids=["refused", "cut off", "bad request"],
)
def test_what_is_final_is_not_tried_again(
    cli: Cli, server: LoopbackServer, outcome: outcomes.Outcome
) -> None:
    make_files(2)
    server.outcomes.append(outcome)
    ran = cli(*EACH, "--json")
    assert (ran.code, len(server.requests)) == (6, 2)


@pytest.mark.parametrize(
    "outcome", [outcomes.never_ends(), outcomes.never_ends(keepalive=False), outcomes.hangs()]
)
def test_an_answer_that_never_ends_is_given_up(
    cli: Cli, server: LoopbackServer, outcome: outcomes.Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_files(2)
    seconds = iter([0.5])  # for the first; the second has all of its time on a busy machine

    def deadline(usual: float, **more: Any) -> Deadline:
        return Deadline(next(seconds, usual), **more)

    monkeypatch.setattr("gptasst.api.gateway.Deadline", deadline)
    server.outcomes.append(outcome)
    ran = cli(*EACH, "-j", "1", "--timeout", "60")
    assert ran.code == 6
    assert "`in/0.md` failed: " in ran.stderr
    assert "gave no whole answer within 0.5 s" in ran.stderr
    assert len(server.requests) == 2  # a second attempt would take the time once more
    assert Path("out/1.md").read_text() == "FILE NUMBER 1\n"
