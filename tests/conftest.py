"""Every test has a home, a working directory and an environment of its own."""

from __future__ import annotations

import functools
import gc
import json
import os
import signal
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, settings
from typer import testing
from typer.testing import CliRunner

from gptasst.cli.app import app
from gptasst.cli.commands import Group
from tests.loopback import LoopbackServer
from tests.printed_commands import assert_all_taken


@dataclass(frozen=True)
class Ran:
    """What can be seen of a command that ended."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def error(self) -> Any:
        return self.json["error"]


# Whether a machine is busy is not what tests are for. CI tries the same examples in every run:
# a change is not refused for what others left behind; whoever runs them elsewhere finds that.
settings.register_profile(
    "random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("same", settings.get_profile("random"), derandomize=True, database=None)
settings.load_profile("same" if os.environ.get("CI", "").lower() in ("true", "1") else "random")

Cli = Callable[..., Ran]
Write = Callable[[str, "str | bytes"], Path]


@pytest.fixture(scope="session", autouse=True)
def certificates_are_read_once() -> Iterator[None]:
    """Reading those of all authorities takes a client longer than most requests take here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def commands_are_built_once() -> Iterator[None]:
    """Typer looks at a function's signature for longer than most commands take here."""
    built = functools.cache(lambda build: build())

    def get_command(group: Group, _: Any, name: str) -> Any:
        build = group.builders.get(name)
        return built(build) if build else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "_get_command", functools.cache(typer.main.get_command))
        patch.setattr(Group, "get_command", get_command)
        yield


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run single files and tests in this process: workers take seconds to begin.

    So `-s` and what is printed show up at once. `-n 2` always has workers, `-n 0` never.
    """
    named: list[str] = config.option.file_or_dir
    single = named and all(Path(name.partition("::")[0]).suffix == ".py" for name in named)
    cores = os.cpu_count() or 1
    return 0 if single else cores + (cores + 1) // 2  # many tests wait for a third of their time


def pytest_collection_finish() -> None:
    """Don't look through what was imported again and again for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Let Ctrl-C reach the programs that tests start: a job in a shell's background ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`GPTASST_HOME`; the working directory is an empty one beside it."""
    for name in list(os.environ):
        if name.startswith(("GPTASST_", "OPENAI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("GPTASST_HOME", str(home))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.chdir(work)
    return home


@pytest.fixture
def cli() -> Cli:
    """Run `gptasst` in this process: `cli("run", "X", stdin=b"…")`.

    Each command that is printed to people has to be one that it takes.
    """

    def run(*words: str | Path, stdin: bytes | None = None) -> Ran:
        result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert_all_taken(result.stderr)
        assert "\ufdd0" not in result.stderr + result.stdout_bytes.decode(errors="replace"), (
            "a command that was marked and not shown"
        )
        return Ran(result.exit_code, result.stdout_bytes, result.stderr)

    return run


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    """A server that plays OpenAI, chosen by the environment; assistants are kept locally."""
    with LoopbackServer() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("GPTASST_MODEL", "gpt-6-luna")
        monkeypatch.setenv("GPTASST_STORE", "local")
        yield running


@pytest.fixture
def project(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    """The same server with assistants kept in its project."""
    monkeypatch.delenv("GPTASST_STORE")
    return server


@pytest.fixture
def write() -> Write:
    """Make a file in the working directory."""

    def make(name: str, content: str | bytes) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return make
