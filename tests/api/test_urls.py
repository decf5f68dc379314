"""Base URLs, proxies and certificates as people have them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes


def configured(write: Write, home: Path, base_url: str) -> None:
    write(
        str(home / "config/config.toml"),
        f"profile = 'x'\n[profiles.x]\nbase_url = '{base_url}'\nmodel = 'gpt-6-luna'\n",
    )


@pytest.fixture(autouse=True)
def no_variables(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "GPTASST_MODEL"):
        monkeypatch.delenv(name)


@pytest.mark.parametrize("url", ["{}?api-version=preview&x=1", "{}/?api-version=preview&x=1"])
def test_queries_go_with_each_request(
    cli: Cli, server: LoopbackServer, write: Write, home: Path, url: str
) -> None:
    """As Azure's `api-version`."""
    configured(write, home, url.format(server.base_url))
    assert cli("run", "DocWriter", "-t", "x").text == "x"
    assert cli("model", "list").code == 0
    assert [r.path for r in server.requests] == ["/v1/responses", "/v1/models"]
    assert all(
        r.query.items() >= {"api-version": "preview", "x": "1"}.items() for r in server.requests
    )


def test_user_and_password_are_sent_without_a_key(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.base_url.replace("://", "://me:secret-word@")
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")
    assert cli("run", "DocWriter", "-t", "x").text == "x"
    (request,) = server.requests
    basic = base64.b64encode(b"me:secret-word").decode()
    assert request.headers["authorization"] == f"Basic {basic}"


@pytest.mark.parametrize("key", [None, "sk-other-0123456789"])
def test_a_user_and_password_that_are_refused(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    """The hint is not about a key, which is not sent."""
    url = server.base_url.replace("://", "://me:secret-word@")
    monkeypatch.setenv("GPTASST_BASE_URL", url)
    monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")
    if key:
        monkeypatch.setenv("GPTASST_API_KEY", key)
    server.disturb("*", "*", outcomes.http_error(401, message="who is me?"), times=9)
    ran = cli("run", "DocWriter", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (4, "wrong_key")
    assert "does not accept the user and password of its URL: who is me?" in ran.error["message"]
    assert ran.error["hint"].startswith("they are read from GPTASST_BASE_URL")
    assert "secret-word" not in ran.text
    (found,) = (f for f in cli("doctor", "--json").json["findings"] if f["severity"] == "problem")
    assert (found["topic"], found["fix"]) == ("key", None)


def test_the_query_of_a_url_is_listed_by_its_names(cli: Cli) -> None:
    url = "https://host/v1?api-version=preview&code=abc"
    ran = cli("config", "set", "profiles.x.base_url", url)
    assert "`https://host/v1?api-version=…&code=…`" in ran.stderr
    assert (
        "base_url=https://host/v1?api-version=…&code=…"
        in cli("config", "show", "--profile", "x", "-q").lines
    )


@pytest.mark.parametrize(
    "url", ["https://me:secret-word@host/v1", "https://host/v1?api-version=1&key=secret-word"]
)
def test_a_secret_in_a_url_is_not_kept(cli: Cli, home: Path, url: str) -> None:
    ran = cli("config", "set", "profiles.x.base_url", url, "--json")
    assert (ran.code, ran.error["code"]) == (2, "secret")
    assert "secret-word" not in ran.text
    assert not (home / "config/config.toml").exists()


@pytest.mark.parametrize(
    "ending", ["/responses", "/responses/", "/", "///", "/chat/completions", "  ", "#part"]
)
def test_what_a_request_url_ends_in(
    cli: Cli, server: LoopbackServer, write: Write, home: Path, ending: str
) -> None:
    configured(write, home, server.base_url + ending)
    assert cli("run", "DocWriter", "-t", "x").text == "x"
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["http://host/v 1", "http://ho\tst/v1", "http://host/v1\n/x"])
def test_white_space_in_a_url_is_refused(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("GPTASST_BASE_URL", url)
    ran = cli("run", "DocWriter", "-t", "x", "--json")
    assert ran.code == 2
    assert "is not a base URL" in ran.error["message"]


def test_a_key_in_the_query_goes_through_no_open_channel(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_BASE_URL", "http://example.invalid/v1?code=1&access_token=secret")
    ran = cli("run", "DocWriter", "-t", "x", "-m", "m", "--json")
    assert (ran.code, ran.error["code"]) == (4, "insecure_endpoint")


def test_a_key_in_the_query_is_masked(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_BASE_URL", f"{server.base_url}?key=secret-word&api-version=preview")
    monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")
    words = "secret-word is not valid for preview"
    server.outcomes.append(outcomes.http_error(401, message=words))
    ran = cli("run", "DocWriter", "-t", "x")
    assert "[key] is not valid for preview" in ran.stderr


class TestWithoutVersion:
    def test_what_is_not_shown_is_not_lost_by_the_fix(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = server.base_url.removesuffix("/v1").replace("://", "://me:secret-word@")
        monkeypatch.setenv("GPTASST_BASE_URL", f"{url}?api-version=preview")
        monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")
        ran = cli("run", "DocWriter", "-t", "x")
        assert ran.text == "x"
        assert "write `/v1` at the end of its path in GPTASST_BASE_URL" in ran.stderr
        assert "secret-word" not in ran.stderr

    def test_a_host_in_capitals(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = server.base_url.removesuffix("/v1").replace("127.0.0.1", "LocalHost")
        monkeypatch.setenv("GPTASST_BASE_URL", url)
        monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")
        assert cli("run", "DocWriter", "-t", "x").text == "x"
        assert [r.path for r in server.requests] == ["/responses", "/v1/responses"]

    def test_is_tried_with_it_once(
        self, cli: Cli, server: LoopbackServer, write: Write, home: Path
    ) -> None:
        configured(write, home, server.base_url.removesuffix("/v1"))
        ran = cli("run", "DocWriter", "-t", "x")
        assert ran.text == "x"
        fix = f"config set profiles.x.base_url {server.base_url}"
        assert f"`gptasst {fix}`" in ran.stderr
        assert [r.path for r in server.requests] == ["/responses", "/v1/responses"]
        assert cli(*fix.split()).code == 0
        assert cli("run", "DocWriter", "-t", "x").stderr == ""
        assert [r.path for r in server.requests][2:] == ["/v1/responses"]

    def test_all_requests_of_a_command_go_there(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, write: Write
    ) -> None:
        monkeypatch.delenv("GPTASST_STORE")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url.removesuffix("/v1"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        path = write("a.md", "text\n")
        ran = cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", path, "-m", "gpt-6-luna")
        assert ran.code == 0
        assert f"set OPENAI_BASE_URL={server.base_url}" in ran.stderr
        assert [r.path for r in server.requests if not r.path.startswith("/v1/")] == [
            server.requests[0].path
        ]

    def test_neither_is_one(
        self, cli: Cli, server: LoopbackServer, write: Write, home: Path
    ) -> None:
        configured(write, home, server.base_url.replace("/v1", "/elsewhere"))
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (1, "no_endpoint")
        assert len(server.requests) == 2


class TestSurroundings:
    @pytest.fixture(autouse=True)
    def chosen(self, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")

    @pytest.fixture
    def encrypted(self, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url.replace("http:", "https:"))

    @pytest.mark.usefixtures("encrypted")
    def test_certificates_that_are_not_there(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such.pem")
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (2, "bad_value")
        assert ran.error["message"] == "SSL_CERT_FILE is `/no/such.pem`, which is not there"

    @pytest.mark.usefixtures("encrypted")
    def test_certificates_that_are_none(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, write: Write
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(write("a.pem", "nothing\n").absolute()))
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (2, "bad_value")
        assert "which can't be used" in ran.error["message"]

    def test_certificates_are_not_read_where_nothing_is_encrypted(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such.pem")
        assert cli("run", "DocWriter", "-t", "x").text == "x"
        monkeypatch.setenv("HTTP_PROXY", "https://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "")
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (2, "bad_value")

    def test_socks(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("httpx2")
        monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert ran.error["code"] in ("bad_proxy", "unreachable")
        if ran.error["code"] == "bad_proxy":
            assert "socks" in ran.error["hint"]


@pytest.mark.parametrize("variable", ["GPTASST_BASE_URL", "OPENAI_BASE_URL"])
def test_the_variable_that_the_hint_names_works(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """What is in OPENAI_API_KEY is not sent to GPTASST_BASE_URL."""
    server.api_key = "sk-right"
    monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")
    monkeypatch.setenv(variable, server.base_url)
    ran = cli("run", "DocWriter", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (4, "no_key")
    name = ran.error["hint"].split()[0]
    monkeypatch.setenv(name, "sk-right")
    assert cli("run", "DocWriter", "-t", "x").text == "x"
