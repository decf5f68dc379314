"""The old module's functions over the loopback server."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import gptasst
from gptasst import hchatgpt
from gptasst.inputs.reading import MAX_TEXT_BYTES
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import HttpAnswer, http_error, refusal
from tests.loopback.wire import Reply


@pytest.fixture(autouse=True)
def fresh(project: LoopbackServer) -> Iterator[None]:
    """A client of this test's own server."""
    with gptasst.Client() as client:
        hchatgpt.use_client(client)
        yield
    hchatgpt.use_client(None)


@pytest.fixture
def writer(project: LoopbackServer) -> str:
    project.answer = "done"
    return hchatgpt.create_assistant("Writer", "Write.", use_code_interpreter=False)


def asked(server: LoopbackServer) -> list[str]:
    """The texts of the last question."""
    last = [r for r in server.requests if r.path.endswith("/responses")][-1]
    return [part["text"] for part in last.json["input"][-1]["content"]]


def message(text: str, *files: str) -> str:
    """A thread with one message."""
    thread = hchatgpt.create_thread()
    hchatgpt.create_message_on_thread_with_file_names(thread, text, files)
    return thread


class TestAssistants:
    def test_created_with_the_old_defaults(self, project: LoopbackServer, cli: Cli) -> None:
        ident = hchatgpt.create_assistant("Writer", "Write.", model="gpt-6.2-sol")
        shown = cli("assistant", "show", "Writer", "--json").json
        assert shown["id"] == ident
        assert shown["definition"]["model"] == "gpt-6.2-sol"
        assert shown["definition"]["tools"]["code_interpreter"] is True

    def test_created_to_run_on_a_server_without_a_code_interpreter(
        self, project: LoopbackServer, cli: Cli
    ) -> None:
        """As on llama.cpp, which calls itself so in each reply."""
        reply = Reply(b'{"error": {"message": "no"}}', 400, headers={"Server": "llama.cpp"})
        project.disturb("POST", "/v1/responses", HttpAnswer(reply))
        hchatgpt.create_assistant("Writer", "Write.")
        shown = cli("assistant", "show", "Writer", "--json").json
        assert shown["definition"]["tools"]["code_interpreter"] is False
        assert hchatgpt.e2e_assistant_runner("Writer", "hello", output_file_path="out.md")

    def test_functions_are_refused(self, project: LoopbackServer) -> None:
        with pytest.raises(gptasst.UsageError, match="call your functions"):
            hchatgpt.create_assistant("Writer", "Write.", use_function={"type": "function"})

    def test_updated_with_uploaded_files(self, writer: str, write: Write, cli: Cli) -> None:
        write("a.md", "A\n")
        ids = [hchatgpt.upload_to_gpt("a.md")]
        hchatgpt.update_assistant_by_id(writer, file_ids=ids, tools=[{"type": "code_interpreter"}])
        shown = cli("assistant", "show", "Writer", "--json").json
        assert [file["path"] for file in shown["knowledge"]] == ["a.md"]
        assert shown["definition"]["tools"]["file_search"] is False
        assert shown["definition"]["tools"]["code_interpreter"] is True
        assert shown["definition"]["instructions"] == "Write."

    def test_a_file_that_is_not_here_can_not_be_given_by_its_id(
        self, writer: str, write: Write
    ) -> None:
        path = write("a.md", "A\n")
        ident = hchatgpt.upload_to_gpt("a.md")
        path.unlink()
        with pytest.raises(gptasst.InvalidInput):
            hchatgpt.create_message_on_thread(hchatgpt.create_thread(), "x", [ident])


class TestThreads:
    def test_messages_newest_first(self, writer: str) -> None:
        thread = message("one")
        hchatgpt.wait_for_run_result(thread, hchatgpt.run_thread_on_assistant(writer, thread))
        hchatgpt.create_message_on_thread(thread, "two", [])
        run = hchatgpt.run_thread_on_assistant_by_name("Writer", thread)
        said = hchatgpt.wait_for_run_result(thread, run)
        assert [(m.role, m.content[0].text.value) for m in said] == [
            ("assistant", "done"),
            ("user", "two"),
            ("assistant", "done"),
            ("user", "one"),
        ]

    def test_files_are_seen_in_their_thread_only(
        self, project: LoopbackServer, writer: str, write: Write
    ) -> None:
        write("a.md", "secret\n")
        for thread in (message("one", "a.md"), message("two")):
            hchatgpt.wait_for_run_result(thread, hchatgpt.run_thread_on_assistant(writer, thread))
        assert asked(project) == ["two"]
        assert not hchatgpt.get_all_assistants()[0].files

    def test_several_messages_are_one_turn(self, project: LoopbackServer, writer: str) -> None:
        thread = message("one")
        hchatgpt.create_message_on_thread(thread, "two", [])
        hchatgpt.wait_for_run_result(thread, hchatgpt.run_thread_on_assistant(writer, thread))
        assert asked(project) == ["one\n\ntwo"]

    def test_a_run_is_not_waited_for_longer_than_asked(
        self, project: LoopbackServer, writer: str
    ) -> None:
        project.latency = 0.5
        thread = message("one")
        run = hchatgpt.run_thread_on_assistant(writer, thread)
        with pytest.raises(TimeoutError, match=f"no answer of run `{run}` within 0.01 s"):
            hchatgpt.wait_for_run_result(thread, run, timeout=0.01)
        assert hchatgpt.wait_for_run_result(thread, run)[0].content[0].text.value == "done"

    def test_after_a_failure_the_message_is_still_there(
        self, project: LoopbackServer, writer: str
    ) -> None:
        project.outcomes.append(refusal("no"))
        thread = message("one")
        with pytest.raises(gptasst.NoAnswer):
            hchatgpt.wait_for_run_result(thread, hchatgpt.run_thread_on_assistant(writer, thread))
        hchatgpt.wait_for_run_result(thread, hchatgpt.run_thread_on_assistant(writer, thread))
        assert asked(project) == ["one"]

    def test_nothing_to_run(self, writer: str) -> None:
        thread = hchatgpt.create_thread()
        with pytest.raises(gptasst.UsageError, match="no unanswered message"):
            hchatgpt.run_thread_on_assistant(writer, thread)

    def test_an_unknown_run(self, writer: str) -> None:
        with pytest.raises(gptasst.NotFound, match="no run `run_1`"):
            hchatgpt.wait_for_run_result(hchatgpt.create_thread(), "run_1")


class TestEndToEnd:
    def test_without_a_file_the_answer_is_written_to_stdout(
        self, writer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert hchatgpt.e2e_assistant_runner("Writer", "x") == "done"
        assert capsys.readouterr().out == "done"

    def test_into_a_file(self, writer: str, capsys: pytest.CaptureFixture[str]) -> None:
        hchatgpt.e2e_assistant_runner("Writer", "x", output_file_path="out.md")
        assert (Path("out.md").read_text(), capsys.readouterr().out) == ("done", "")

    def test_a_failure_leaves_the_file(
        self, project: LoopbackServer, writer: str, write: Write
    ) -> None:
        write("out.md", "old")
        project.outcomes.append(http_error(400))
        with pytest.raises(gptasst.GptasstError):
            hchatgpt.e2e_assistant_runner("Writer", "x", output_file_path="out.md")
        assert Path("out.md").read_text() == "old"

    def test_as_an_editor_filter(
        self,
        project: LoopbackServer,
        writer: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("from stdin"))
        hchatgpt.e2e_assistant_runner("Writer", "x", vim_mode=True, output_file_path="out.md")
        assert asked(project) == ["from stdin"]
        assert capsys.readouterr().out == Path("out.md").read_text() == "done"

    def test_an_editor_that_sends_too_much(
        self, project: LoopbackServer, writer: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("x" * (MAX_TEXT_BYTES + 1)))
        before = len(project.requests)
        with pytest.raises(gptasst.InvalidInput, match="standard input is too large"):
            hchatgpt.e2e_assistant_runner("Writer", vim_mode=True)
        assert len(project.requests) == before

    def test_an_editor_that_sends_no_end(
        self,
        writer: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        read, write = os.pipe()
        with os.fdopen(read) as stdin, os.fdopen(write, "wb"):
            monkeypatch.setattr("sys.stdin", stdin)
            with gptasst.Client(environ={**os.environ, "GPTASST_TIMEOUT": "0.2"}) as client:
                hchatgpt.use_client(client)
                with pytest.raises(gptasst.InvalidInput, match="did not end within"):
                    hchatgpt.e2e_assistant_runner("Writer", vim_mode=True)
        assert "waiting for the end of standard input" in capsys.readouterr().err

    def test_the_model_is_of_this_run_only(
        self, project: LoopbackServer, writer: str, cli: Cli
    ) -> None:
        hchatgpt.e2e_assistant_runner("Writer", "x", model="gpt-6.2-sol")
        assert project.requests[-1].json["model"] == "gpt-6.2-sol"
        assert cli("assistant", "show", "Writer", "--json").json["definition"]["model"] is None
