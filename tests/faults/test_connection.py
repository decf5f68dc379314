"""No way to the server, whatever is done: what is wrong, where, and nothing is changed."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.faults.operations import OPERATIONS, Operation, prepare
from tests.faults.project_state import Checkpoint, held
from tests.loopback import LoopbackServer, outcomes

BODY = "<html>Please log in to the network</html>"
ASKED_TO_WAIT = {"retry-after": "600"}


@dataclass(frozen=True)
class Said:
    """What a command says and how it ends."""

    code: str
    exit_code: int
    message: str
    hint: str


UNREACHABLE = Said("unreachable", 1, "can't be reached: ", "is a server running there")
NOT_AN_API = Said("not_an_api", 1, "sent something that is not an answer of", "base URL")

REPLIES = {
    "reset": (None, UNREACHABLE),
    "web page": (outcomes.http_error(200, body=BODY), NOT_AN_API),
    "not JSON": (outcomes.http_error(200, body=b"\xff nonsense"), NOT_AN_API),
    "web page of a gateway": (
        outcomes.http_error(502, body=BODY),
        Said("service_error", 1, "failed: HTTP 502", "try again later"),
    ),
    "overloaded": (
        outcomes.http_error(503, headers=ASKED_TO_WAIT),
        Said("service_error", 1, "failed: HTTP 503", "try again"),
    ),
    "limited": (
        outcomes.http_error(429, "rate_limit_exceeded"),
        Said("rate_limited", 5, "too many requests", "try again later"),
    ),
    "limited for ten minutes": (
        outcomes.http_error(429, "rate_limit_exceeded", headers=ASKED_TO_WAIT),
        Said("rate_limited", 5, "too many requests", "try again in 10 minutes"),
    ),
    "quota": (
        outcomes.http_error(429, "insufficient_quota"),
        Said("quota", 5, "the quota is used up", "plan and billing"),
    ),
    "wrong key": (
        outcomes.http_error(401, "invalid_api_key"),
        Said("wrong_key", 4, "does not accept the key", "OPENAI_API_KEY"),
    ),
    "no permission": (
        outcomes.http_error(403, message="Missing scopes: api.files"),
        Said("no_permission", 4, "Missing scopes: api.files", "gptasst doctor"),
    ),
}


FOR_ALL = ("reset", "web page", "limited for ten minutes")
# One for each kind of object that the first request is about.
ONE_OF_A_KIND = ("run", "edit", "upload", "submit", "fetch", "conversation show", "model list")


@pytest.fixture
def operations(cli: Cli, project: LoopbackServer) -> dict[str, Operation]:
    return prepare(cli, project)


def test_every_request_is_answered_so(
    cli: Cli,
    project: LoopbackServer,
    operations: dict[str, Operation],
    subtests: pytest.Subtests,
) -> None:
    for reply, (outcome, said) in REPLIES.items():
        project.disturbances.clear()
        project.disturb("*", "*", outcome, times=1_000_000)
        with subtests.test(reply):
            each_says(said, cli, project, operations, None if reply in FOR_ALL else ONE_OF_A_KIND)


def each_says(
    said: Said,
    cli: Cli,
    server: LoopbackServer,
    operations: dict[str, Operation],
    names: Sequence[str] | None = None,
) -> None:
    """Every command fails in the same way, and the server holds what it held."""
    before, at = held(server), server.base_url
    for name in names or operations:
        ran = operations[name].run(cli, "--json")
        assert (name, ran.error["code"]) == (name, said.code)
        assert (name, ran.code) == (name, said.exit_code)
        assert at.partition("://")[2] in ran.error["message"]
        assert said.message in ran.error["message"]
        assert said.hint in (ran.error["hint"] or "")
        assert "Traceback" not in ran.stderr
    assert held(server) == before


def test_refused(cli: Cli, project: LoopbackServer, operations: dict[str, Operation]) -> None:
    project.close()
    each_says(UNREACHABLE, cli, project, operations, ONE_OF_A_KIND)


def test_silence(
    cli: Cli,
    project: LoopbackServer,
    operations: dict[str, Operation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looked up, a server is given up after the timeout or a minute, whichever is less."""
    monkeypatch.setenv("GPTASST_TIMEOUT", "0.02")
    monkeypatch.setattr(project, "latency", 3600.0)
    said = Said("timeout", 1, "did not answer", "GPTASST_TIMEOUT")
    each_says(said, cli, project, operations)


@pytest.fixture
def unused_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening
        yield taken.getsockname()[1]


def test_proxy_that_is_not_there(
    cli: Cli,
    project: LoopbackServer,
    operations: dict[str, Operation],
    monkeypatch: pytest.MonkeyPatch,
    unused_port: int,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port}")
    hint = f"HTTP_PROXY (`http://127.0.0.1:{unused_port}`) is set: is that proxy running?"
    said = Said("unreachable", 1, "Connection refused", hint)
    each_says(said, cli, project, operations, ONE_OF_A_KIND)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert cli("assistant", "list", "-q").lines == ["Docs"]


def test_no_such_host(
    cli: Cli,
    project: LoopbackServer,
    operations: dict[str, Operation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def resolve(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    said = Said("unreachable", 1, "Name or service not known", "is the base URL right?")
    each_says(said, cli, project, operations, ONE_OF_A_KIND)


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """A certificate that nobody vouches for, and its key."""
        openssl = shutil.which("openssl")
        if openssl is None:
            pytest.skip("openssl is not here to make a certificate")
        path = tmp_path / "certificate.pem"
        subprocess.run(
            [
                openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", path, "-out", path.with_suffix(".crt"), "-days", "2",
                "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with path.open("ab") as file:
            file.write(path.with_suffix(".crt").read_bytes())
        return path

    @pytest.fixture
    def secured(
        self, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[LoopbackServer]:
        with LoopbackServer(certificate=certificate) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
            monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")
            yield server

    @pytest.mark.parametrize("line", ["assistant list", "run MarkdownLinter -t x", "file list"])
    def test_certificate_that_nobody_vouches_for(
        self, cli: Cli, secured: LoopbackServer, line: str
    ) -> None:
        ran = cli(*line.split(), "--json")
        assert (ran.code, ran.error["code"]) == (1, "unreachable")
        assert "CERTIFICATE_VERIFY_FAILED" in ran.error["message"]
        assert "SSL_CERT_FILE" in ran.error["hint"]
        assert secured.requests == []

    def test_what_the_hint_says_helps(
        self,
        cli: Cli,
        secured: LoopbackServer,
        certificate: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
        assert cli("run", "MarkdownLinter", "-t", "x").text == "x"

    def test_server_without_tls(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", project.base_url.replace("http:", "https:"))
        ran = cli("assistant", "list", "--json")
        assert (ran.code, ran.error["code"]) == (1, "unreachable")
        assert "SSL" in ran.error["message"]


def test_all_of_them_work_when_nothing_is_wrong(
    cli: Cli, project: LoopbackServer, home: Path, operations: dict[str, Operation]
) -> None:
    begun = Checkpoint(project, home)
    for name in OPERATIONS:
        begun.restore()
        ran = operations[name].run(cli)
        assert (name, ran.code, ran.stderr.count("error")) == (name, 0, 0)
