"""Every command that `gptasst doctor` prints runs as it is printed, and fixes what it is for."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import json_reply

KEY = b"sk-test-0123456789abcdef\n"
PLACEHOLDERS = ("URL", "MODEL", "KEY", "NEW", "NAME", "FILE", "FILE.gguf", "ID")
# Those that show what there is to choose from, or look again: the rest is a person's.
SHOWING = ("gptasst model list", "gptasst doctor", "gptasst assistant list")
NO_PATH = json_reply({"detail": "Not Found"}, 404)


class Machine:
    """What a test breaks."""

    def __init__(
        self, cli: Cli, server: LoopbackServer, home: Path, write: Write, env: pytest.MonkeyPatch
    ) -> None:
        self.cli, self.server, self.home, self.write, self.env = cli, server, home, write, env
        self.options: tuple[str, ...] = ()

    def config(self, text: str) -> None:
        path = self.home / "config" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text)
        path.chmod(0o600)

    def fixes(self) -> list[str]:
        ran = self.cli("doctor", *self.options, "--json")
        return [found["fix"] for found in ran.json["findings"] if found["fix"]]

    def follow(self, fix: str) -> None:
        """Do what a shell does with a command."""
        for part in fix.split(" && "):
            words = shlex.split(part)
            if words[0] == "unset":
                self.env.delenv(words[1])
            elif words[0] == "export":
                name, _, value = words[1].partition("=")
                self.env.setenv(name, value)
            elif words[0] == "gptasst":
                self.run(words[1:])
            elif words[0] not in ("pip", "pipx", "uv"):  # they ask an index
                subprocess.run(["sh", "-c", part], check=True)

    def run(self, words: list[str]) -> None:
        ran = self.cli(*words, stdin=KEY)
        if ran.code == 2 and "confirmation" in ran.stderr:
            ran = self.cli(*words, "-y")
        assert ran.code == 0 or words[-1] == "doctor", (words, ran.stderr)


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def no_account(machine: Machine) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        machine.env.delenv(name)


def no_key(machine: Machine) -> None:
    no_account(machine)
    machine.options = ("--profile", "openai")


def wrong_key(machine: Machine) -> None:
    machine.server.api_key = KEY.decode().strip()


def key_header(machine: Machine) -> None:
    machine.config(
        f'profile = "a"\n[profiles.a]\nbase_url = "{machine.server.base_url}"\n'
        'header_env = { "api-key" = "AZURE_KEY" }\n'
    )


def bad_key_file(machine: Machine) -> None:
    no_account(machine)
    machine.config("")
    path = machine.home / "config" / "keys.json"
    path.write_text("{")
    path.chmod(0o600)


def no_server(machine: Machine) -> None:
    machine.env.setenv("OPENAI_BASE_URL", closed_port())


def no_such_url(machine: Machine) -> None:
    machine.env.setenv("GPTASST_BASE_URL", "nowhere")


def no_api(machine: Machine) -> None:
    machine.env.setenv("OPENAI_BASE_URL", machine.server.base_url.removesuffix("/v1") + "/other")


def certificates(machine: Machine) -> None:
    machine.env.setenv("SSL_CERT_FILE", "/not/there.pem")
    machine.env.setenv("OPENAI_BASE_URL", "https://127.0.0.1:9/v1")


def near_profile(machine: Machine) -> None:
    machine.config(f'[profiles.ollama]\nbase_url = "{machine.server.base_url}"\n')
    machine.options = ("--profile", "olama")


def default_profile(machine: Machine) -> None:
    machine.config(f'profile = "olama"\n[profiles.ollama]\nbase_url = "{closed_port()}"\n')


def unknown_profile(machine: Machine) -> None:
    machine.options = ("--profile", "quite-another")


def broken_config(machine: Machine) -> None:
    machine.config("[profiles\n")
    editor = machine.write("edit", '#!/bin/sh\n: > "$1"\n').absolute()
    editor.chmod(0o755)
    machine.env.setenv("EDITOR", str(editor))


def plain_http(machine: Machine) -> None:
    machine.config('profile = "lan"\n[profiles.lan]\nbase_url = "http://192.0.2.1/v1"\n'
                   'api_key_env = "LAN_KEY"\ntimeout = 0.1\n')  # fmt: skip
    machine.env.setenv("LAN_KEY", "k")


def no_store(machine: Machine) -> None:
    machine.config(
        f'profile = "own"\n[profiles.own]\nbase_url = "{machine.server.base_url}"\n'
        'store = "openai"\n'
    )
    machine.env.delenv("OPENAI_BASE_URL")
    machine.env.delenv("GPTASST_STORE")
    machine.server.disturb("*", "/v1/vector_stores*", HttpAnswer(NO_PATH), times=99)


def no_store_by_variable(machine: Machine) -> None:
    machine.env.delenv("GPTASST_STORE")
    machine.server.disturb("*", "/v1/vector_stores*", HttpAnswer(NO_PATH), times=99)


def damaged(machine: Machine) -> None:
    machine.cli("assistant", "create", "A", "-i", "DocWriter")
    for name in ("assistants.sqlite3", "cache.sqlite3"):
        (machine.home / "data" / name).write_bytes(b"no database")


def open_files(machine: Machine) -> None:
    machine.cli("auth", "login", stdin=KEY)
    (machine.home / "config" / "keys.json").chmod(0o644)
    (machine.home / "config").chmod(0o755)


def retired_models(machine: Machine) -> None:
    machine.cli("assistant", "create", "Old one", "-i", "DocWriter", "-m", "gpt-4")
    machine.env.setenv("GPTASST_MODEL", "gpt-4o-2024-05-13")


def equal_names(machine: Machine) -> None:
    machine.env.delenv("GPTASST_STORE")
    machine.cli("assistant", "create", "A", "-i", "DocWriter")
    (store,) = machine.server.stores.values()
    body = json.loads(json.dumps(store.about))
    created = machine.cli("assistant", "create", "B", "-i", "DocWriter")
    assert created.code == 0
    for one in machine.server.stores.values():
        one.about["name"] = body["name"]


def leftovers(machine: Machine) -> None:
    machine.env.delenv("GPTASST_STORE")
    machine.write("a.md", "alpha")
    machine.write("b.md", "beta")
    machine.cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md", "b.md")
    machine.cli("assistant", "files", "set", "A", "a.md", "--keep-files")


def gone(machine: Machine) -> None:
    machine.env.delenv("GPTASST_STORE")
    machine.write("a.md", "alpha")
    machine.cli("assistant", "create", "My docs", "-i", "DocWriter", "-f", "a.md")
    machine.cli("file", "upload", "a.md")
    machine.server.files.clear()


def embedded(machine: Machine) -> None:
    machine.env.setenv("GPTASST_LOCAL_MODEL", "missing.gguf")
    machine.options = ("--profile", "local")


def hidden_instruction(machine: Machine) -> None:
    machine.write("instructions/DocWriter.toml", "instructions = 'x'\n[tools]\nweb_search = true\n")


BROKEN: list[Callable[[Machine], None]] = [
    no_account, no_key, wrong_key, key_header, bad_key_file, no_server, no_such_url, no_api,
    certificates, near_profile, default_profile, unknown_profile, broken_config, plain_http,
    no_store, no_store_by_variable, damaged, open_files, retired_models, equal_names, leftovers,
    gone, embedded, hidden_instruction,
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_runs_as_printed(
    cli: Cli,
    server: LoopbackServer,
    home: Path,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    broken: Any,
) -> None:
    monkeypatch.setenv("HOME", str(home.parent))
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.setenv("SHELL", "/bin/bash")
    machine = Machine(cli, server, home, write, monkeypatch)
    broken(machine)
    fixes = machine.fixes()
    assert fixes, "nothing was found"
    for fix in fixes:
        words = [word for part in fix.split(" && ") for word in shlex.split(part)]
        assert not set(PLACEHOLDERS) & set(words), fix
        assert not re.search("…|\\.\\.\\.", fix), fix
        assert "local setup" not in fix or broken is no_account, fix  # it is a download
        if fix in machine.fixes() and "local setup" not in fix:
            machine.follow(fix)
    left = {fix for fix in machine.fixes() if not fix.startswith(SHOWING)}
    asked = {fix for fix in fixes if "EDITOR" in fix or "--profile" in fix}
    assert not left & set(fixes) - asked
