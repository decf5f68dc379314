"""A key is in no output, no error and no file, whatever command runs and whatever goes wrong."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import gptasst
from gptasst.completion.names import profiles
from gptasst.completion.table import COMMANDS
from tests.conftest import Cli, Ran, Write
from tests.echo_server import (
    Refusal,
    detail_error,
    echo_server,
    event_error,
    no_object,
    openai_error,
    plain_text,
    web_page,
)
from tests.every_command import lines, ready_for_every_command, run_every_command
from tests.loopback import LoopbackServer

KEY = "sk-test-" + "0123456789abcdefghij" * 2
HEADER = "header-secret-0123456789"
PASSWORD = "pass-word-0123456789"
SECRETS = (KEY, HEADER, PASSWORD)


def test_no_command_is_forgotten() -> None:
    leaves = {path for path, entry in COMMANDS.items() if not entry["commands"] and path}
    run = {path for path in leaves for line in lines() if f"{line} ".startswith(f"{path} ")}
    assert leaves == run


Everything = Callable[..., list[Ran]]


@pytest.fixture
def everything(cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch) -> Everything:
    """Run every command; gives what each said."""
    ready_for_every_command(write, monkeypatch)
    return lambda *options: run_every_command(cli, *options, key=KEY)


def holds(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def assert_nothing_shown(ran: list[Ran], home: Path) -> None:
    for one in ran:
        assert holds(one.stdout.decode("utf-8", "replace") + one.stderr) == []
    for path in [*home.rglob("*"), *Path().rglob("*")]:
        if path.is_file() and path.name not in ("keys.json", "config.toml"):
            assert holds(path.read_bytes().decode("latin-1")) == [], path


@contextmanager
def logged() -> Iterator[list[str]]:
    """All that is logged meanwhile, at the finest level."""
    told: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    root, handler = logging.getLogger(), Keep()
    loggers = [root, *map(logging.getLogger, ("openai", "httpx2", "httpcore2", "gptasst"))]
    levels = [logger.level for logger in loggers]
    root.addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield told
    finally:
        root.removeHandler(handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def configured(home: Path, url: str, *, store: str = "openai") -> None:
    """A profile that has a key and secret headers."""
    file = home / "config/config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'profile = "mine"\n[profiles.mine]\nbase_url = "{url}"\nmodel = "gpt-6-luna"\n'
        f'store = "{store}"\napi_key_env = "MY_KEY"\nbatch_file_search = true\n'
        f'headers = {{ "X-Gate" = "{HEADER}", "X-Auth" = "Bearer {HEADER}" }}\n'
    )


def with_password(url: str) -> str:
    """In place of the key: a server takes one of the two."""
    return url.replace("://", f"://me:{PASSWORD}@")


class TestSuccess:
    @pytest.mark.parametrize("options", [["-v"], ["--json", "-v"]])
    def test_from_the_environment(
        self, project: LoopbackServer, everything: Everything, home: Path,
        monkeypatch: pytest.MonkeyPatch, options: list[str],
    ) -> None:  # fmt: skip
        project.api_key = KEY
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        ran = everything(*options)
        failed = [one for one in ran if one.code]
        assert len(failed) <= 3, failed  # what there is nothing for, such as a finished batch
        assert_nothing_shown(ran, home)

    def test_from_the_file_of_keys(
        self, project: LoopbackServer, cli: Cli, everything: Everything, home: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        project.api_key = KEY
        monkeypatch.delenv("OPENAI_API_KEY")
        assert cli("auth", "login", stdin=KEY.encode()).code == 0
        assert KEY in (home / "config/keys.json").read_text()
        assert_nothing_shown(everything("-v"), home)

    @pytest.mark.parametrize("store", ["openai", "local"])
    def test_with_headers_and_a_password(
        self, server: LoopbackServer, everything: Everything, home: Path,
        monkeypatch: pytest.MonkeyPatch, store: str,
    ) -> None:  # fmt: skip
        for name in ("GPTASST_STORE", "OPENAI_API_KEY", "OPENAI_BASE_URL", "GPTASST_MODEL"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("MY_KEY", KEY)
        configured(home, with_password(server.base_url), store=store)
        with logged() as told:
            assert_nothing_shown(everything("-v"), home)
        assert server.requests[-1].headers["x-gate"] == HEADER
        assert server.requests[-1].headers["authorization"].startswith("Basic ")
        assert [line for line in told if holds(line)] == []


REFUSALS = [
    openai_error(400), openai_error(401), openai_error(404), openai_error(429), openai_error(500),
    detail_error(400), web_page(200), web_page(401), plain_text(400), plain_text(200),
    no_object(200), event_error(200),
]  # fmt: skip


class TestRefusals:
    """A server that quotes all that it was sent, in every form that errors have."""

    @pytest.mark.parametrize("refusal", REFUSALS)
    def test_what_is_said(
        self, everything: Everything, home: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
    ) -> None:
        monkeypatch.setenv("MY_KEY", KEY)
        with echo_server(refusal) as url:
            configured(home, url)
            with logged() as told:
                assert_nothing_shown(everything("--json", "-v"), home)
        assert [line for line in told if holds(line)] == []

    @pytest.mark.parametrize("refusal", [openai_error(400), web_page(401)])
    def test_a_password_in_the_url(
        self, everything: Everything, home: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
    ) -> None:
        with echo_server(refusal) as url:
            configured(home, with_password(url))
            monkeypatch.setenv("MY_KEY", "x")
            assert_nothing_shown(everything("-v"), home)


def told_by(error: BaseException) -> str:
    """All that an exception says: itself, and what a traceback shows of what it came from."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))


class TestFromPython:
    @pytest.mark.parametrize("refusal", REFUSALS)
    def test_exceptions(self, write: Write, refusal: Refusal) -> None:
        write("a.md", "one\n")
        with (
            echo_server(refusal) as url,
            gptasst.Client(base_url=url, api_key=KEY, model="m", store="openai") as client,
        ):
            assert holds(repr(client.profile)) == []
            for call in (
                lambda: client.run("DocWriter", "a.md"),
                client.assistants.list,
                client.files.list,
                client.batches.list,
                lambda: client.files.upload("a.md"),
                client.conversations.start,
                lambda: client.assistants.create("A", instruction="DocWriter", files="a.md"),
            ):
                with pytest.raises(gptasst.GptasstError) as caught:
                    call()
                assert holds(told_by(caught.value)) == []


@pytest.mark.parametrize("line", ["auth login {}", "run --api-key={}", "{}", "config set {} x"])
def test_typed_where_none_belongs(cli: Cli, line: str) -> None:
    ran = cli(*line.format(KEY).split(), "-v")
    assert (ran.code, holds(ran.text + ran.stderr)) == (2, [])


class TestUnexpected:
    @pytest.mark.parametrize("options", [["-v"], ["--json", "-v"]])
    def test_a_broken_gateway(
        self, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
    ) -> None:
        def breaks(request: object, endpoint: object) -> None:
            raise RuntimeError(f"{request!r} to {endpoint!r}")

        monkeypatch.setenv("MY_KEY", KEY)
        monkeypatch.setattr("gptasst.api.gateway.request_body", breaks)
        configured(home, "http://127.0.0.1:9/v1", store="local")
        ran = cli("run", "DocWriter", "-t", "x", *options)
        assert (ran.code, "RuntimeError" in ran.stderr) == (1, True)
        assert holds(ran.text + ran.stderr) == []

    def test_headers_that_can_not_be_sent(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Gate: {HEADER}\rx")
        ran = cli("run", "DocWriter", "-t", "x", "-v")
        assert (ran.code, "Illegal header" in ran.stderr) == (1, True)
        assert holds(ran.text + ran.stderr) == []

    @pytest.mark.parametrize("value", ["a\\nb", "\\u0007", "ü"])
    def test_headers_of_the_configuration(
        self, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        configured(home, "http://127.0.0.1:9/v1")
        file = home / "config/config.toml"
        file.write_text(file.read_text().replace(HEADER, HEADER + value))
        ran = cli("run", "DocWriter", "-t", "x", "-v")
        assert (ran.code, "this header holds what no header can hold" in ran.stderr) == (2, True)
        assert holds(ran.text + ran.stderr) == []


class TestUrls:
    def test_what_is_no_url(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        for url in (
            f"ftp://me:{PASSWORD}@host/v1",
            f"me:{PASSWORD}@host/v1",
            f"http://me:{PASSWORD}@host:port/v1",
            f"http://me:{PASSWORD}@[::1/v1",
        ):
            monkeypatch.setenv("GPTASST_BASE_URL", url)
            ran = cli("run", "DocWriter", "-t", "x", "-v")
            assert (ran.code, "is not a base URL" in ran.stderr) == (2, True)
            assert holds(ran.text + ran.stderr) == []

    def test_that_are_set(self, cli: Cli, home: Path) -> None:
        for key, url, code in (
            ("profiles.x.base_url", f"https://me:{PASSWORD}@host/v1", 2),
            ("local.model", f"https://me:{PASSWORD}@host/m.gguf", 0),
        ):
            for options in ([], ["--json"]):
                ran = cli("config", "set", key, url, *options)
                assert (ran.code, holds(ran.text + ran.stderr)) == (code, [])
        assert cli("config", "set", "profiles.x.base_url", "https://host/v1").code == 0
        for command in ("config show", "config show --profile x", "local status"):
            ran = cli(*command.split(), "--json")
            assert (ran.code, holds(ran.text)) == (0, [])
        assert PASSWORD in (home / "config/config.toml").read_text()  # where the user put it

    def test_completion_does_not_show_them(self, cli: Cli, home: Path) -> None:
        configured(home, with_password("http://127.0.0.1:9/v1"))
        assert holds(str(profiles([]))) == []
        assert "127.0.0.1:9" in str(profiles([]))

    @pytest.mark.parametrize(
        ("proxy", "code", "told"),
        [
            (f"http://me:{PASSWORD}@127.0.0.1:9", 1, "can't be reached"),
            (f"http://me:{PASSWORD}@127.0.0.1:port", 2, "not the URL of a proxy"),
            (f"ftp://me:{PASSWORD}@127.0.0.1:9", 2, "not the URL of a proxy"),
        ],
    )
    def test_of_proxies(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, proxy: str, code: int, told: str
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("GPTASST_STORE", "local")
        ran = cli("run", "DocWriter", "-t", "x", "-v", "--timeout", "60")
        assert (ran.code, told in ran.stderr) == (code, True), ran.stderr
        assert holds(ran.text + ran.stderr) == []

    @pytest.mark.parametrize("proxy", [f"me:{PASSWORD}@127.0.0.1:9", f"http://me:{PASSWORD}@[::9"])
    def test_a_proxy_that_is_no_url(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, proxy: str
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("GPTASST_BASE_URL", "http://elsewhere.invalid/v1")
        for words in ("run DocWriter -t x -m m -v", "doctor"):
            ran = cli(*words.split())
            assert ran.code in (1, 2)
            assert holds(ran.text + ran.stderr) == []

    def test_a_proxy_that_refuses_and_quotes(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with echo_server(plain_text(407)) as url:
            proxy = with_password(url.removesuffix("/v1"))
            monkeypatch.setenv("HTTP_PROXY", proxy)
            monkeypatch.setenv("GPTASST_BASE_URL", "http://elsewhere.invalid/v1")
            ran = cli("run", "DocWriter", "-t", "x", "-m", "m", "-v")
        assert ran.code == 4
        assert holds(ran.text + ran.stderr) == []


class TestRedirects:
    """Neither a key nor content goes to a server that only another server named."""

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_are_not_followed(
        self, cli: Cli, server: LoopbackServer, home: Path, write: Write,
        monkeypatch: pytest.MonkeyPatch, status: int,
    ) -> None:  # fmt: skip
        write("a.md", "one\n")
        monkeypatch.setenv("MY_KEY", KEY)
        monkeypatch.delenv("GPTASST_STORE")
        elsewhere = server.base_url.replace("127.0.0.1", "localhost")
        with echo_server(plain_text(status), Location=f"{elsewhere}/responses?x=y") as url:
            configured(home, url)
            for line in ("run DocWriter a.md", "assistant list", "file upload a.md", "file list"):
                ran = cli(*line.split())
                assert ran.code == 1
                assert f"redirects to {elsewhere}/responses;" in ran.stderr
        assert server.requests == []
