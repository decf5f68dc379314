"""`gptasst auth`: a key is kept for one server, and shown to nobody."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from tests.conftest import Cli
from tests.loopback import LoopbackServer
from tests.on_terminal import on_terminal

KEY = "sk-test-0123456789-wxyz"


@pytest.fixture
def keys_file(home: Path) -> Path:
    return home / "config" / "keys.json"


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A system keyring, as `keyring` lets anybody add one."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as it is there
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError


@pytest.fixture
def system_keyring() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    made = MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def login(cli: Cli, *words: str, key: str = KEY) -> None:
    ran = cli("auth", "login", *words, stdin=f"{key}\n".encode())
    assert ran.code == 0, ran.stderr
    assert KEY not in ran.text + ran.stderr


def test_without_a_keyring_the_key_is_in_a_private_file(cli: Cli, keys_file: Path) -> None:
    login(cli)
    assert json.loads(keys_file.read_text()) == {"https://api.openai.com/v1": {"key": KEY}}
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys_file.parent.stat().st_mode) == 0o700
    ran = cli("auth", "status", "--json")
    assert ran.json == {
        "profile": "openai",
        "endpoint": "https://api.openai.com/v1",
        "source": str(keys_file),
        "key": "…wxyz",
        "headers": [],
    }


def test_with_a_keyring_the_file_only_says_so(
    cli: Cli, keys_file: Path, system_keyring: MemoryKeyring
) -> None:
    login(cli)
    assert KEY not in keys_file.read_text()
    assert list(system_keyring.kept.values()) == [KEY]
    assert cli("auth", "status", "-q").text == "the system keyring\n"
    assert cli("auth", "logout").code == 0
    assert system_keyring.kept == {}
    assert cli("auth", "status").code == 4


def test_a_keyring_that_lost_the_key(cli: Cli, system_keyring: MemoryKeyring) -> None:
    login(cli)
    system_keyring.kept.clear()
    ran = cli("auth", "status")
    assert ran.code == 4
    assert "`gptasst auth login` stores it again" in ran.stderr


def test_a_run_sends_the_key_that_is_kept(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    server.api_key = KEY
    login(cli)
    assert cli("run", "MarkdownLinter", "-t", "hello").code == 0


def test_a_key_in_the_environment_comes_first(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(cli, key="sk-stored-key-0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.api_key = KEY
    assert cli("run", "MarkdownLinter", "-t", "hello").code == 0
    assert cli("auth", "status", "-q").text == "OPENAI_API_KEY\n"


def test_a_key_never_goes_to_another_server(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    login(cli)  # for api.openai.com
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    cli("run", "MarkdownLinter", "-t", "hello")
    assert server.requests
    assert all("authorization" not in request.headers for request in server.requests)


def test_a_profile_of_its_own_has_a_key_of_its_own(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name)
    server.api_key = KEY
    cli("config", "set", "profiles.mine.base_url", server.base_url)
    login(cli, "--profile", "mine")
    assert cli("run", "MarkdownLinter", "-t", "hello", "--profile", "mine").code == 0
    assert cli("auth", "status").code == 4  # OpenAI has none


@pytest.mark.parametrize(
    ("words", "stdin", "problem"),
    [
        ([], b"", "no key was given"),
        ([], b"two words\n", "that is not a key"),
        ([], "sk-ü\n".encode(), "that is not a key"),
        (["--profile", "local"], b"x\n", "the embedded model needs no key"),
    ],
)
def test_what_can_not_be_kept(
    cli: Cli, keys_file: Path, words: list[str], stdin: bytes, problem: str
) -> None:
    ran = cli("auth", "login", *words, stdin=stdin)
    assert ran.code == 2
    assert problem in ran.stderr
    assert not keys_file.exists()


def test_a_key_for_plain_http_is_not_kept(
    cli: Cli, keys_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_BASE_URL", "http://192.0.2.1/v1")
    assert cli("auth", "login", stdin=KEY.encode()).code == 4
    assert not keys_file.exists()


def test_ctrl_c_at_the_question_ends_its_line() -> None:
    words = ("auth", "login", "--profile", "openai")
    ran = on_terminal(*words, typed="\x03", after="key for ")
    assert (ran.code, ran.screen.rstrip("\n").endswith("/v1: ")) == (130, True)
    assert ran.screen.endswith("\n")


def test_logout_without_a_key(cli: Cli) -> None:
    ran = cli("auth", "logout")
    assert (ran.code, ran.stderr.splitlines()[0]) == (
        4,
        "error: no key is kept for https://api.openai.com/v1",
    )


@pytest.mark.parametrize("damage", ["{", "[]", '{"https://api.openai.com/v1": 1}'])
def test_a_broken_file_is_said_without_what_is_in_it(
    cli: Cli, keys_file: Path, damage: str
) -> None:
    keys_file.parent.mkdir(parents=True)
    keys_file.write_text(damage)
    ran = cli("auth", "status", "--json")
    assert (ran.code, ran.error["code"]) == (1, "bad_key_file")


@pytest.mark.parametrize("words", [("login",), ("logout",)])
def test_a_keyring_that_lost_the_key_is_no_hindrance(
    cli: Cli, system_keyring: MemoryKeyring, keys_file: Path, words: tuple[str, ...]
) -> None:
    login(cli)
    system_keyring.kept.clear()
    ran = cli("run", "DocWriter", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (4, "no_key")
    assert cli("auth", *words, stdin=KEY.encode()).code == 0
    assert (KEY in system_keyring.kept.values()) == (words == ("login",))
