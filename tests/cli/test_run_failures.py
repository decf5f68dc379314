"""`gptasst run` when something is wrong: one clear message, the exit code, nothing left behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import names
from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer, outcomes

pytestmark = pytest.mark.usefixtures("local_store")

NO_RETRY = {"retry-after": "500"}  # longer than anybody waits for


@pytest.fixture(autouse=True)
def old_output(write: Write) -> None:
    """A result of an earlier run, which a run that fails must not touch."""
    write("out/old.md", "old")


@pytest.fixture
def fails(cli: Cli) -> Callable[..., Ran]:
    """A run into an existing file that is to fail, and what the user sees of it."""

    def run(*words: str, code: int) -> Ran:
        ran = cli("run", *words, "-o", "out/old.md")
        assert ran.code == code, ran.stderr
        assert ran.stdout == b""
        assert Path("out/old.md").read_text() == "old"
        assert [path.name for path in Path("out").iterdir()] == ["old.md"]
        said = [line for line in ran.stderr.splitlines() if not line.startswith("hint: ")]
        assert len(said) == 1
        assert said[0].startswith("error: ")
        return ran

    return run


Fails = Callable[..., Ran]


class TestBadInput:
    """Refused before anything is sent."""

    @pytest.fixture(autouse=True)
    def nothing_sent(self, server: LoopbackServer) -> object:
        yield
        assert server.requests == []

    def test_no_such_file(self, fails: Fails, write: Write) -> None:
        write("guide.md", "x")
        ran = fails("MarkdownLinter", "-f", "giude.md", code=2)
        assert ran.stderr == "error: no such file: `giude.md`\nhint: did you mean `guide.md`?\n"

    def test_name_too_long(self, fails: Fails) -> None:
        assert "no such file" in fails("MarkdownLinter", "-f", "x" * 300, code=2).stderr

    def test_empty_directory(self, fails: Fails) -> None:
        Path("docs").mkdir()
        assert "no files in directory `docs`" in fails("MarkdownLinter", "docs", code=2).stderr

    def test_pattern_without_match(self, fails: Fails) -> None:
        assert "no file matches `*.rst`" in fails("MarkdownLinter", "*.rst", code=2).stderr

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "`a.md` is empty"),
            (b" \n\t\n", "`a.md` contains only whitespace"),
            (bytes(range(256)), "`a.md` is not text: it holds binary data"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "`a.md` is not text"),
            (b"\xff\xfe\x00", "`a.md` is not text"),
            (b"caf\xe9 \x81", "`a.md` can't be read: its encoding can't be told"),
        ],
    )
    def test_unusable_content(
        self, fails: Fails, write: Write, content: bytes, reason: str
    ) -> None:
        write("a.md", content)
        assert reason in fails("MarkdownLinter", "-f", "a.md", code=2).stderr

    def test_one_bad_file_of_three(self, fails: Fails, write: Write) -> None:
        write("a.md", "a")
        write("b.md", b"\0")
        write("c.md", "c")
        ran = fails("MarkdownLinter", "-f", "a.md", "b.md", "c.md", code=2)
        assert "`b.md` is not text" in ran.stderr

    def test_too_large(self, fails: Fails, write: Write) -> None:
        with write("big.md", "").open("wb") as stream:
            stream.truncate(4 * 10_485_760 + 1)
        ran = fails("DocWriter", "-f", "big.md", code=2)
        assert "`big.md` is too large: 41,943,041 bytes" in ran.stderr

    def test_too_long_together(self, fails: Fails, write: Write) -> None:
        for name in ("a.md", "b.md"):
            write(name, "x" * 5_300_000)
        ran = fails("DocWriter", "-f", "a.md", "b.md", code=2)
        assert "a request takes 10,485,760" in ran.stderr

    def test_not_readable(self, fails: Fails, write: Write) -> None:
        write("a.md", "x").chmod(0)
        if os.access("a.md", os.R_OK):
            pytest.skip("this user may read everything")
        ran = fails("MarkdownLinter", "-f", "a.md", code=2)
        assert "`a.md` can't be read: Permission denied" in ran.stderr

    def test_nothing_to_work_on(self, fails: Fails) -> None:
        ran = fails("MarkdownLinter", code=2)
        assert "there is nothing to work on\nhint: give files (-f FILE…)" in ran.stderr

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("MarkdownLintr", "did you mean `MarkdownLinter`?"),
            ("markdownlinter", "did you mean `MarkdownLinter`?"),
            ("Zebra", "`gptasst assistant list` and `gptasst instruction list` show"),
            ("none.toml", "`gptasst assistant list`"),
        ],
    )
    def test_unknown_assistant(self, fails: Fails, name: str, hint: str) -> None:
        ran = fails(name, "-t", "x", code=3)
        assert f"error: no assistant or instruction `{name}`\nhint: {hint}" in ran.stderr

    def test_nearest_assistant(self, cli: Cli, fails: Fails) -> None:
        cli("assistant", "create", "Documenter", "-i", "DocWriter")
        assert "did you mean `Documenter`?" in fails("Documentr", "-t", "x", code=3).stderr

    @pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e12", "soon"])
    def test_timeout(self, fails: Fails, seconds: str) -> None:
        assert "--timeout" in fails("DocWriter", "-t", "x", "--timeout", seconds, code=2).stderr

    def test_unknown_option(self, fails: Fails) -> None:
        ran = fails("DocWriter", "-t", "x", "--each-of", code=2)
        assert "no such option: --each-of" in ran.stderr

    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ("out", "output `out` is a directory"),
            ("none/out.md", "output directory `"),
            ("out/old.md/x", "output `out/old.md/x` can't be written: Not a directory"),
            ("x" * 300, "can't be written: File name too long"),
        ],
    )
    def test_output_that_can_not_be_written(self, cli: Cli, target: str, reason: str) -> None:
        ran = cli("run", "DocWriter", "-t", "x", "-o", target)
        assert ran.code == 2
        assert reason in ran.stderr
        assert names() == ["out"]


class TestService:
    @pytest.mark.parametrize(
        ("status", "code", "exit_code", "message"),
        [
            (401, "invalid_api_key", 4, "does not accept the key"),
            (403, None, 4, "HTTP 403"),
            (429, "rate_limit_exceeded", 5, "too many requests"),
            (429, "insufficient_quota", 5, "the quota is used up"),
            (400, "context_length_exceeded", 2, "the input is too long for the model"),
            (400, "whatever", 1, "refused the request: HTTP 400"),
            (413, None, 2, "the request is larger than"),
            (404, None, 1, "has nothing at /v1/responses"),
            (503, None, 1, "failed: HTTP 503"),
        ],
    )
    def test_status(
        self,
        fails: Fails,
        server: LoopbackServer,
        status: int,
        code: str | None,
        exit_code: int,
        message: str,
    ) -> None:
        server.outcomes.append(outcomes.http_error(status, code, headers=NO_RETRY))
        assert message in fails("DocWriter", "-t", "x", code=exit_code).stderr
        assert [r.path for r in server.requests].count("/v1/responses") == 1

    def test_after_the_retries(self, fails: Fails, server: LoopbackServer) -> None:
        limit = outcomes.http_error(429, "rate_limit_exceeded", headers={"retry-after": "0.01"})
        server.outcomes.extend([limit] * 3)
        fails("DocWriter", "-t", "x", code=5)
        assert len(server.requests) == 3

    def test_no_retry_that_the_timeout_forbids(self, fails: Fails, server: LoopbackServer) -> None:
        server.outcomes.append(outcomes.http_error(429, headers={"retry-after": "60"}))
        fails("DocWriter", "-t", "x", "--timeout", "30", code=5)
        assert len(server.requests) == 1

    def test_wrong_key(self, fails: Fails, server: LoopbackServer) -> None:
        server.api_key = "another"
        ran = fails("DocWriter", "-t", "x", code=4)
        assert ran.stderr.endswith("hint: it is read from OPENAI_API_KEY\n")

    @pytest.mark.parametrize("status", [401, 403, 400, 503])
    @pytest.mark.parametrize("more", [[], ["--verbose"], ["--json", "-v"]])
    def test_key_is_never_shown(
        self,
        cli: Cli,
        server: LoopbackServer,
        monkeypatch: pytest.MonkeyPatch,
        status: int,
        more: list[str],
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
        body = {"error": {"message": "the key sk-very-secret is bad", "code": "sk-very-secret"}}
        server.outcomes.append(outcomes.http_error(status, body=body, headers=NO_RETRY))
        ran = cli("run", "DocWriter", "-t", "x", *more)
        assert ran.code in (1, 4)
        assert "very-secret" not in ran.text + ran.stderr
        assert ("Traceback" in ran.stderr) == bool(more)

    def test_no_key(
        self, fails: Fails, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        monkeypatch.delenv("OPENAI_BASE_URL")
        ran = fails("DocWriter", "-t", "x", "--profile", "openai", code=4)
        assert "OPENAI_API_KEY is not set\nhint: export OPENAI_API_KEY=…" in ran.stderr
        assert server.requests == []

    def test_unknown_model(self, fails: Fails, server: LoopbackServer) -> None:
        ran = fails("DocWriter", "-t", "x", "-m", "gpt-7", code=3)
        assert f"{server.base_url} has no model `gpt-7`\nhint: -m MODEL" in ran.stderr

    def test_retired_model(self, fails: Fails, server: LoopbackServer) -> None:
        ran = fails("DocWriter", "-t", "x", "-m", "gpt-4-1106-preview", code=3)
        assert "`gpt-4-1106-preview` was shut down on 2026-10-23" in ran.stderr
        assert "its successor is `gpt-6-luna`\nhint: -m gpt-6-luna" in ran.stderr

    def test_unreachable(self, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # not listening
            url = f"http://me:pass@127.0.0.1:{taken.getsockname()[1]}/v1?key=pass"
            monkeypatch.setenv("GPTASST_BASE_URL", url)
            monkeypatch.setenv("GPTASST_MODEL", "m")
            ran = fails("DocWriter", "-t", "x", code=1)
        assert "can't be reached: " in ran.stderr
        assert "Connection refused" in ran.stderr
        assert "pass" not in ran.stderr

    @pytest.mark.parametrize("status", [200, 404, 502])
    def test_web_page(self, fails: Fails, server: LoopbackServer, status: int) -> None:
        page = outcomes.http_error(status, body="<html>Welcome</html>", headers=NO_RETRY)
        server.outcomes.append(page)
        ran = fails("DocWriter", "-t", "x", code=1)
        assert "<html>" not in ran.stderr

    def test_unknown_model_elsewhere(self, fails: Fails, server: LoopbackServer) -> None:
        body = {"error": "model 'qwen3' not found"}
        server.outcomes.append(outcomes.http_error(404, body=body))
        assert "has no model `qwen3`" in fails("DocWriter", "-t", "x", "-m", "qwen3", code=3).stderr

    @pytest.mark.parametrize("body", [{"detail": "odd thing"}, {"error": "odd thing"}])
    def test_errors_of_other_servers(
        self, fails: Fails, server: LoopbackServer, body: dict[str, str]
    ) -> None:
        server.outcomes.append(outcomes.http_error(400, body=body))
        assert "refused the request: odd thing" in fails("DocWriter", "-t", "x", code=1).stderr

    @pytest.mark.parametrize(
        "outcome",
        [outcomes.never_ends(after=1), outcomes.never_ends(keepalive=False), outcomes.hangs()],
    )
    def test_timeout(self, fails: Fails, server: LoopbackServer, outcome: outcomes.Outcome) -> None:
        server.outcomes.append(outcome)
        ran = fails("DocWriter", "-t", "hello there", "--timeout", "0.3", code=1)
        assert "no whole answer within 0.3 s\nhint: --timeout SECONDS" in ran.stderr
        assert len(server.requests) <= 1  # never again; none where even connecting took as long


class TestNoAnswer:
    @pytest.mark.parametrize(
        ("outcome", "code", "message"),
        [
            (outcomes.refusal("I won't."), 7, "the model refused: I won't"),
            (outcomes.incomplete(), 7, "the answer was cut off: max_output_tokens"),
            (outcomes.incomplete("content_filter"), 7, "stopped by the content filter"),
            (outcomes.failed(), 7, "`gpt-6-luna` failed: The model failed."),
            (outcomes.failed("rate_limit_exceeded"), 5, "too many requests"),
            (outcomes.empty_answer(), 7, "the model returned an empty answer"),
            (outcomes.stream_breaks_after(0), 7, "the answer broke off: the connection was lost"),
            (outcomes.stream_breaks_after(1), 7, "the answer broke off: the connection was lost"),
            (outcomes.stream_error_event(message="Oh"), 7, "`gpt-6-luna` failed: Oh"),
            (outcomes.stream_error_event(flat=False, message="Oh"), 7, "failed: Oh"),
            (outcomes.stream_error_event(code="insufficient_quota"), 5, "quota is used up"),
            (outcomes.garbage_stream(), 7, "which is no event"),
        ],
        ids=lambda value: getattr(value, "kind", None) or getattr(value, "status", None),
    )
    def test_each(
        self,
        cli: Cli,
        fails: Fails,
        server: LoopbackServer,
        outcome: outcomes.Outcome,
        code: int,
        message: str,
    ) -> None:
        server.outcomes.extend([outcome] * 2)
        assert message in fails("CommitMessage", "-t", "hello there", code=code).stderr

        ran = cli("run", "CommitMessage", "-t", "hello there", "--json")
        assert (ran.code, ran.stderr) == (code, "")
        assert set(ran.error) == {"code", "message", "hint"}
        assert message in ran.error["message"]

    def test_where_a_limit_is_set(self, fails: Fails, server: LoopbackServer, write: Write) -> None:
        write("short.toml", 'instructions = "x"\n[settings]\nmax_output_tokens = 16\n')
        server.outcomes.append(outcomes.incomplete())
        ran = fails("short.toml", "-t", "x", code=7)
        assert "was cut off at 16 tokens\nhint: raise `max_output_tokens`" in ran.stderr
