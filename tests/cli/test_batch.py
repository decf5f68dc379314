"""`gptasst run --each --batch` and `gptasst batch`."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from gptasst.batches.types import BatchItem, BatchManifest
from gptasst.context import AppContext
from tests.assistants.project import new_machine
from tests.cli.conftest import names
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, batches, outcomes
from tests.loopback.world import BatchJob, StoredFile, last_input_text
from tests.openapi import assert_valid_request
from tests.processes import processes

COMMAND = ("run", "DocWriter", "in", "--each", "--batch", "-o", "out")


def shout(body: dict[str, Any]) -> str:
    """An answer that tells which file it is for."""
    return last_input_text(body).upper()


@pytest.fixture
def files(server: LoopbackServer, write: Write) -> list[str]:
    server.answer = shout
    for number in range(20):
        write(f"in/{number:02}.md", f"number {number}\n")
    return [f"{number:02}.md" for number in range(20)]


def requests(server: LoopbackServer, number: int = -1) -> list[Any]:
    """The requests of a batch on the server."""
    job = list(server.batches.values())[number]
    return [json.loads(line) for line in job.requests.splitlines()]


def answers(directory: str = "out") -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(Path(directory).iterdir())}


def is_answer(text: str, number: int) -> bool:
    return f"NUMBER {number}\n" in text


def submit(cli: Cli, *more: str) -> str:
    ran = cli(*COMMAND, *more)
    assert ran.code == 0, ran.stderr
    (batch_id,) = ran.lines
    return batch_id


def an_ended_batch(
    cli: Cli, server: LoopbackServer, write: Write, stems: str
) -> tuple[str, StoredFile]:
    """The id of a batch over files of these names, and its output on the server."""
    for name in stems:
        write(f"in/{name}.md", f"{name}\n")
    assert cli("run", "DocWriter", "in", "--each", "--batch", "-o", "out").code == 0
    (batch,) = server.batches
    assert cli("batch", "show", batch).code == 0
    return batch, next(f for f in server.files.values() if f.about["purpose"] == "batch_output")


def test_answers_find_their_files(cli: Cli, server: LoopbackServer, files: list[str]) -> None:
    batch_id = submit(cli)
    ran = cli("batch", "fetch", batch_id)

    assert (ran.code, ran.stdout) == (0, b"")
    assert ran.stderr.startswith("20 files: 20 written; ")
    found = answers()
    assert list(found) == files
    assert all(is_answer(found[name], number) for number, name in enumerate(files))
    again = cli("batch", "fetch", batch_id)
    assert (again.code, again.stderr.split(";")[0]) == (0, "20 files: 20 unchanged")


def test_tokens_add_up(cli: Cli, server: LoopbackServer, files: list[str], write: Write) -> None:
    write("in/99.md", "number 0\n")  # shares what one of them takes
    ran = cli("batch", "fetch", submit(cli), "--json")
    (batch,) = ran.json["batches"]
    used = [file["usage"] for file in batch["files"] if file["usage"]]
    assert (len(batch["files"]), len(used)) == (21, 20)
    total = {key: sum(usage[key] for usage in used) for key in used[0]}
    assert min(total[key] for key in ("input", "output", "reasoning")) > 0
    assert total == {key: ran.json["summary"][f"{key}_tokens"] for key in total}


def test_valid_request(cli: Cli, server: LoopbackServer, files: list[str]) -> None:
    submit(cli)
    assert_valid_request(server.requests[-1])


def test_as_without_batch(cli: Cli, server: LoopbackServer, files: list[str]) -> None:
    server.answer = "```markdown\n# Title\n```\n"
    command = ("run", "DocWriter", "in", "--each", "-o")
    cli(*command, "one")
    assert cli(*command, "two", "--batch", "--wait", "--force").code == 0

    assert answers("one") == answers("two")
    sent = [r.json for r in server.requests if r.path == "/v1/responses"]
    assert sorted(map(ordered, sent)) == sorted(ordered(r["body"]) for r in requests(server))


def ordered(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True)


def test_failures_are_named_and_submitted_again(
    cli: Cli, server: LoopbackServer, files: list[str], write: Write
) -> None:
    write("in/bad.md", "a bad one\n")
    write("in/late.md", "a late one\n")
    server.batch_fails_on, server.batch_expires_on = "bad one", "late one"
    batch_id = submit(cli)
    ran = cli("batch", "fetch", batch_id)

    assert ran.code == 6
    assert ran.stderr.splitlines()[:2] == [
        "warning: `in/bad.md` failed: The server had an error. (HTTP 500)",
        "warning: `in/late.md` failed: The request did not run in time. (batch_expired)",
    ]
    assert ran.stderr.endswith(
        "error: 2 of 22 files failed\n"
        "hint: `gptasst run DocWriter in --each --batch -o out` submits only what is missing\n"
    )
    assert sorted(answers()) == files

    server.batch_fails_on = server.batch_expires_on = None
    again = submit(cli)
    assert len(requests(server)) == 2
    assert cli("batch", "fetch", again).code == 0
    assert len(answers()) == 22
    nothing = cli(*COMMAND)
    assert (nothing.code, nothing.stdout) == (0, b"")
    assert nothing.stderr == "nothing to submit; 22 answered before\n"
    assert len(server.batches) == 2


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (outcomes.refusal("No."), "the model refused: No."),
        (outcomes.incomplete(), "the answer was cut off: max_output_tokens"),
        (outcomes.empty_answer(), "the model returned an empty answer"),
        (outcomes.failed(), "`gpt-6-luna` failed: The model failed."),
        (outcomes.http_error(429, "rate_limit_exceeded", "Slow."), "Slow. (HTTP 429)"),
        (
            outcomes.http_error(200, body={"output": [5]}),
            "{url} sent something that is not an answer of the API",
        ),
    ],
)
def test_answers_of_no_use(
    cli: Cli, server: LoopbackServer, write: Write, outcome: outcomes.Outcome, reason: str
) -> None:
    write("in/a.md", "a\n")
    batch_id = submit(cli)
    server.outcomes.append(outcome)
    ran = cli("batch", "fetch", batch_id)

    assert ran.code == 6
    reason = reason.format(url=server.base_url)
    assert ran.stderr.splitlines()[0] == f"warning: `in/a.md` failed: {reason}"
    assert not Path("out").exists()


def test_same_content_is_one_request(cli: Cli, server: LoopbackServer, write: Write) -> None:
    for name in ("a", "b", "c"):
        write(f"in/{name}.md", "the same\n")
    server.answer = "answer"
    cli("batch", "fetch", submit(cli))

    assert len(requests(server)) == 1
    assert answers() == {"a.md": "answer", "b.md": "answer", "c.md": "answer"}


def test_nothing_is_submitted_twice(
    cli: Cli, server: LoopbackServer, files: list[str], write: Write, home: Path
) -> None:
    """Neither while a batch runs, nor after its process was killed, nor on another machine."""
    server.batch_delay = 1000
    batch_id = submit(cli)
    assert "nothing to submit; 20 on their way in earlier ones" in cli(*COMMAND).stderr
    new_machine(home)
    write("in/new.md", "a new one\n")
    ran = cli(*COMMAND)
    assert "1 file submitted in 1 batch; 20 on their way in earlier ones" in ran.stderr
    assert batch_id in ran.stderr
    assert len(requests(server)) == 1
    assert len(server.batches) == 2

    server.batch_delay = 0
    new_machine(home)
    ran = cli(*COMMAND)  # what was answered meanwhile is put in place
    assert ran.stderr == "nothing to submit; 21 answered before\n"
    assert len(answers()) == 21


def test_what_can_not_be_read_just_now_is_not_taken_for_gone(
    cli: Cli, server: LoopbackServer, files: list[str], home: Path
) -> None:
    """Who knows what the batch has of these files: they would be submitted twice."""
    server.batch_delay = 1000
    submit(cli)
    new_machine(home)
    server.disturb("GET", "/v1/files/*/content", outcomes.http_error(500), times=3)
    ran = cli(*COMMAND, "--json")
    assert (ran.code, ran.error["code"]) == (1, "service_error")
    assert len(server.batches) == 1
    assert "nothing to submit; 20 on their way" in cli(*COMMAND).stderr


@pytest.mark.parametrize("change", [{"manifest": "file-none"}, {"manifest": ""}], ids=str)
def test_a_batch_without_its_manifest_is_nobodys(
    cli: Cli, server: LoopbackServer, files: list[str], home: Path, change: dict[str, str]
) -> None:
    batch_id = submit(cli)
    server.batches[batch_id].about["metadata"].update(change)
    new_machine(home)
    assert cli("batch", "fetch", batch_id, "--json").error["code"] in ("gone", "unknown_manifest")
    assert submit(cli) != batch_id


def test_lost_answer_to_the_create(cli: Cli, server: LoopbackServer, files: list[str]) -> None:
    server.disturb("POST", "/v1/batches", done=True, skip=1)  # the first asks whether it has any
    batch_id = submit(cli)
    assert list(server.batches) == [batch_id]


def test_file_of_an_earlier_upload_is_gone(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("in/a.md", "bad\n")
    server.batch_fails_on = "bad"
    assert cli("batch", "fetch", submit(cli)).code == 6
    server.files.clear()
    server.batch_fails_on = None
    assert cli("batch", "fetch", submit(cli)).code == 0


class TestAnotherMachine:
    def test_same_paths(
        self,
        cli: Cli,
        server: LoopbackServer,
        files: list[str],
        home: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        batch_id = submit(cli)
        new_machine(home)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)

        assert cli("batch", "list", "-q").lines == [batch_id]
        ran = cli("batch", "fetch", batch_id, "--json")
        assert (ran.code, ran.error["code"]) == (2, "not_submitted_here")
        assert f"gptasst batch fetch {batch_id} -o DIR" in ran.error["hint"]
        assert names() == []
        assert cli("batch", "fetch", batch_id, "-o", "there").code == 0
        assert list(answers("there/out")) == files
        assert names() == ["there"]

    def test_outside_of_the_directory(
        self, cli: Cli, server: LoopbackServer, write: Write, home: Path
    ) -> None:
        """What others submitted has no say over paths elsewhere."""
        write("in/a.md", "a\n")
        server.answer = "answer"
        batch_id = cli(*COMMAND[:-1], "../out").lines[0]
        new_machine(home)
        assert cli("batch", "fetch", batch_id).code == 2
        assert not Path("../out").exists()
        assert cli("batch", "fetch", batch_id, "-o", "there").code == 0
        assert answers("there/out") == {"a.md": "answer"}

    def test_same_machine_other_directory(
        self, cli: Cli, files: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batch_id = submit(cli)
        Path("sub").mkdir()
        monkeypatch.chdir("sub")
        assert cli("batch", "fetch", batch_id).code == 0
        assert list(answers("../out")) == files


def test_in_place(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("a.md", "bad text\r\n")
    write("b.md", "worse text\n")
    server.answer = "good text"
    ran = cli("run", "DocWriter", "a.md", "b.md", "--each", "--batch", "--in-place")
    write("b.md", "mine\n")
    ran = cli("batch", "fetch", ran.lines[0])

    assert ran.code == 6
    assert "`b.md` changed after it was submitted; not overwritten" in ran.stderr
    assert Path("a.md").read_bytes() == b"good text\r\n"
    assert Path("b.md").read_bytes() == b"mine\n"


class TestFileSearch:
    @pytest.fixture
    def command(self, project: LoopbackServer, cli: Cli, write: Write) -> tuple[str, ...]:
        write("in/a.md", "task\n")
        write("known.md", "what is known\n")
        ran = cli("assistant", "create", "Clever", "-i", "DocWriter", "-f", "known.md")
        assert ran.code == 0, ran.stderr
        project.requests.clear()
        return ("run", "Clever", "in", "--each", "--batch", "-o", "out")

    def test_refused_before_anything_is_sent(
        self, cli: Cli, project: LoopbackServer, command: tuple[str, ...]
    ) -> None:
        ran = cli(*command)
        assert ran.code == 2
        assert "`Clever` searches its knowledge, and batches may not support that" in ran.stderr
        assert "--no-file-search" in ran.stderr
        assert {request.method for request in project.requests} == {"GET"}

    def test_without_knowledge(
        self, cli: Cli, project: LoopbackServer, command: tuple[str, ...]
    ) -> None:
        assert cli(*command, "--no-file-search", "--wait").code == 0
        assert "tools" not in requests(project)[0]["body"]
        assert list(answers()) == ["a.md"]

    @pytest.mark.parametrize("refuses", [False, True])
    def test_where_the_server_is_known_to_do_it(
        self,
        cli: Cli,
        project: LoopbackServer,
        command: tuple[str, ...],
        home: Path,
        refuses: bool,
    ) -> None:
        (home / "config").mkdir(parents=True, exist_ok=True)
        (home / "config/config.toml").write_text("[profiles.openai]\nbatch_file_search = true\n")
        project.batch_refused_tools |= {"file_search"} if refuses else set()
        ran = cli(*command, "--wait")
        assert ran.code == (6 if refuses else 0)
        assert requests(project)[0]["body"]["tools"][0]["type"] == "file_search"
        assert ("the batch failed: line 1: Refused: unsupported_tool." in ran.stderr) == refuses


def test_waiting_showing_cancelling(cli: Cli, server: LoopbackServer, files: list[str]) -> None:
    server.batch_delay = 1000
    batch_id = submit(cli)
    ran = cli("batch", "fetch", batch_id, "--json")
    assert (ran.code, ran.error["code"]) == (1, "not_over")
    assert "0 of 20 requests are done" in ran.error["message"]
    assert "--wait" in ran.error["hint"]
    shown = cli("batch", "show", batch_id, "--json").json
    assert (shown["id"], shown["status"]) == (batch_id, "validating")
    server.batches[batch_id].created -= 500
    assert "10 of 20" in cli("batch", "show", batch_id).text

    assert cli("batch", "cancel", batch_id).stderr == f"batch `{batch_id}` is cancelling\n"
    ran = cli("batch", "fetch", batch_id, "--wait")
    assert ran.code == 6
    assert "`in/00.md` failed: the batch was cancelled before it was processed" in ran.stderr
    ran = cli("batch", "cancel", batch_id)
    assert (ran.code, "can't be cancelled" in ran.stderr) == (2, True)


def test_wait(cli: Cli, server: LoopbackServer, files: list[str]) -> None:
    server.batch_delay = 1.0
    ran = cli(*COMMAND, "--wait", "--json")
    assert ran.code == 0
    assert set(ran.json) == {"submission", "batches", "summary", "error"}
    assert ran.json["summary"]["written"] == 20
    assert list(answers()) == files


def test_wait_for_nothing(cli: Cli, server: LoopbackServer, files: list[str], write: Write) -> None:
    first = cli(*COMMAND, "--wait", "--json").json
    again = cli(*COMMAND, "--wait", "--json")
    assert (again.code, set(again.json)) == (0, set(first))
    assert (again.json["batches"], again.json["error"]) == ([], None)
    assert set(again.json["summary"]) == set(first["summary"])
    assert set(again.json["summary"].values()) == {0}

    write("in/binary.md", b"\0")
    ran = cli(*COMMAND, "--wait", "--json")
    assert (ran.code, ran.json["batches"], ran.error["code"]) == (6, [], "partly_done")
    write("in/new.md", "new\n")
    ran = cli(*COMMAND, "--wait", "--json")
    assert (ran.code, ran.json["summary"]["written"], ran.error["code"]) == (6, 1, "partly_done")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--each", "--batch", "--check"), "--batch needs a place for the answers"),
        (("--batch", "-o", "out"), "--batch needs --each"),
        (("--by", "24h", "-o", "out"), "--by needs --each"),
        (("--each", "--wait", "-o", "out"), "--wait needs --batch"),
    ],
)
def test_wrong_use(
    cli: Cli, server: LoopbackServer, write: Write, words: tuple[str, ...], message: str
) -> None:
    write("in/a.md", "a\n")
    ran = cli("run", "DocWriter", "in", *words)
    assert (ran.code, ran.stderr.splitlines()[0]) == (2, f"error: {message}")
    assert server.requests == []


def test_only_own_batches(cli: Cli, server: LoopbackServer, files: list[str]) -> None:
    own = submit(cli)
    server.batches["batch_other"] = server.batches[own]
    server.batches[own].about["metadata"] = {}
    assert cli("batch", "list").stdout == b""
    for words in (("show",), ("fetch",), ("cancel",)):
        ran = cli("batch", *words, own)
        assert (ran.code, "was not submitted by gptasst" in ran.stderr) == (3, True)
    ran = cli("batch", "show", "batch_none", "--json")
    assert (ran.code, ran.error["code"]) == (3, "gone")


def test_unreadable_input(cli: Cli, server: LoopbackServer, files: list[str], write: Write) -> None:
    write("in/binary.md", b"\xff\x00\xfe\x00\x01")
    write("in/empty.md", "")
    ran = cli(*COMMAND)
    assert ran.code == 6
    assert "`in/binary.md` failed: " in ran.stderr
    assert "20 files submitted in 1 batch; 1 empty; 1 failed" in ran.stderr


def test_split_at_the_limit(server: LoopbackServer, home: Path) -> None:
    """50,000 requests are one batch, one more is another."""
    body = {"model": "gpt-6-luna", "input": "x"}

    def line(number: int) -> bytes:
        request = {"custom_id": f"{number}", "method": "POST", "url": "/v1/responses"}
        return json.dumps(request | {"body": body}).encode() + b"\n"

    items = ((BatchItem(f"{n}", "", f"{n}.md", f"out/{n}.md"), line(n)) for n in range(50_001))
    manifest = BatchManifest("DocWriter", "gpt-6-luna", "basis", "command")
    with AppContext(os.environ) as context:
        made = list(context.batches.submitter.submit(manifest, items, lambda _: None))
        sizes = [job.requests.count(b"\n") for job in server.batches.values()]
        known = [context.batches.records.runs(context.profile.scope, b.id) for b in made]

    assert sizes == [50_000, 1]
    assert [len(runs) for runs in known] == sizes
    assert not list((home / "data").glob("batch-*"))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"response": {"status_code": 500, "body": "no healthy upstream"}}, "no healthy upstream"),
        (
            {"response": {"status_code": 400, "body": {"detail": [{"msg": "odd"}]}}},
            "odd (HTTP 400)",
        ),
        ({"response": None, "error": "expired"}, "expired"),
        ({"response": None, "error": {"code": "batch_expired", "message": "late"}}, "late (batch_"),
    ],
)
def test_why_a_line_failed_in_the_servers_words(
    cli: Cli, server: LoopbackServer, write: Write, result: dict[str, Any], said: str
) -> None:
    batch, output = an_ended_batch(cli, server, write, "ab")
    first, *rest = output.data.splitlines()
    line = json.dumps({"custom_id": json.loads(first)["custom_id"], **result}).encode()
    output.data = b"\n".join([line, *rest, b""])
    ran = cli("batch", "fetch", batch)
    assert (ran.code, said in ran.stderr) == (6, True)


@pytest.mark.parametrize("broken", [b'{"custom_id": "%b", "respo', b"\xff\xfe", b"[" * 100_000])
def test_a_line_that_is_broken_costs_no_other(
    cli: Cli, server: LoopbackServer, write: Write, broken: bytes
) -> None:
    batch, output = an_ended_batch(cli, server, write, "abc")
    first, *rest = output.data.splitlines()
    custom_id = json.loads(first)["custom_id"].encode()
    line = broken % custom_id if b"%b" in broken else broken
    output.data = b"\n".join([line, *rest, b""])
    ran = cli("batch", "fetch", batch)
    assert ran.code == 6
    assert len(list(Path("out").iterdir())) == 2


class TestAmongBatchesOfOthers:
    """Other programs' batches, which are listed with ours, page by page."""

    @pytest.fixture(autouse=True)
    def others(self, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
        real = batches._current
        monkeypatch.setattr(
            batches,
            "_current",
            lambda world, job: job.about if job.call is None else real(world, job),
        )

    def add(self, server: LoopbackServer, count: int, days: int) -> None:
        at = int(time.time()) - days * 86_400
        for number in range(count):
            ident = f"batch_{days}_{number}"
            about = {"id": ident, "object": "batch", "status": "completed", "created_at": at}
            server.batches[ident] = BatchJob(about, b"", cast("Any", None))

    def test_old_ones_are_not_read_for_a_new_one(
        self, cli: Cli, server: LoopbackServer, files: list[str]
    ) -> None:
        """Nothing that is older than its files can be fetched."""
        self.add(server, 950, days=40)
        self.add(server, 50, days=1)
        submit(cli)
        assert sum(r.path == "/v1/batches" and r.method == "GET" for r in server.requests) == 1

    def test_a_server_that_lists_the_oldest_first(
        self,
        cli: Cli,
        server: LoopbackServer,
        files: list[str],
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What runs there is not submitted, and paid for, once more."""
        monkeypatch.setattr("tests.loopback.paging._ordered", lambda found, _: list(found))
        server.batch_delay = 1000
        self.add(server, 3, days=40)
        submit(cli)
        new_machine(home)
        assert "nothing to submit; 20 on their way in earlier ones" in cli(*COMMAND).stderr

    def test_they_are_listed_as_they_come(
        self, cli: Cli, server: LoopbackServer, files: list[str]
    ) -> None:
        self.add(server, 250, days=1)
        batch_id = submit(cli)
        broken = outcomes.http_error(403, message="not for you")
        server.disturb("GET", "/v1/batches", broken, skip=1, times=99)
        ran = cli("batch", "list")
        assert (ran.code, [line.split("\t")[0] for line in ran.lines]) == (4, [batch_id])
        assert "not for you" in ran.stderr
        server.disturbances[0].skip = 1
        found = cli("batch", "list", "--json").json
        assert [batch["id"] for batch in found["batches"]] == [batch_id]
        assert "not for you" in found["error"]["message"]

    def test_one_is_printed_before_the_next_page_is_there(
        self, server: LoopbackServer, cli: Cli, files: list[str]
    ) -> None:
        self.add(server, 250, days=1)
        batch_id = submit(cli)
        printed, in_time = threading.Event(), []
        server.meanwhile("GET", "/v1/batches", lambda: in_time.append(printed.wait(60)), skip=1)
        with processes() as start:
            process = start("batch", "list", "-q")
            assert process.stdout is not None
            assert process.stdout.readline() == f"{batch_id}\n".encode()
            printed.set()
            assert process.wait() == 0
        assert in_time == [True]
