"""`run --timeout` holds while the embedded model is fetched and loaded, too."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gptasst.client import Client
from gptasst.errors import GptasstError
from gptasst.storage.atomic_files import private_directory
from gptasst.storage.locks import alone
from tests.conftest import Cli, Ran, Write
from tests.embedded.model_host import ModelHost

CONTENT = b"GGUF" + bytes(2_000_000)
RUN = ("run", "DocWriter", "-t", "x", "--timeout", "1")


@pytest.fixture(autouse=True)
def engine_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gptasst.embedded.service.is_installed", lambda: True)


@pytest.fixture
def ends_in_time(cli: Cli) -> Callable[..., Ran]:
    """A run that has to end by its time limit, long before anything else would end it."""

    def run() -> Ran:
        begun = time.monotonic()
        ran = cli(*RUN)
        assert time.monotonic() - begun < 30
        assert ran.code == 1, ran.stderr
        assert ran.stderr.splitlines()[-2] == ("error: the embedded model was not ready within 1 s")
        assert "local setup" in ran.stderr
        return ran

    return run


def test_a_host_that_falls_silent(
    ends_in_time: Callable[..., Ran], cli: Cli, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    with ModelHost(CONTENT, breaks=[1_000_000], stalls=True) as host:
        monkeypatch.setenv("GPTASST_LOCAL_MODEL", host.url)
        ends_in_time()
        assert list((home / "data/models").rglob("*.part"))
        assert cli("local", "setup", "-q").code == 0  # goes on where it stopped
        assert "range" in host.asked[1]


def test_an_installer_that_takes_its_time(
    ends_in_time: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    slow = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr("gptasst.embedded.download._installer", lambda *_: slow)
    ends_in_time()
    assert not [p for p in (home / "data/models").rglob("*") if p.is_file()]


def test_another_process_that_fetches_it(ends_in_time: Callable[..., Ran], home: Path) -> None:
    with alone(private_directory(home / "data/locks") / "model.lock", 1):
        ends_in_time()


@pytest.fixture
def slow_engine(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """A model is there, and what loads it says nothing."""
    write("a.gguf", CONTENT)
    monkeypatch.setenv("GPTASST_LOCAL_MODEL", str(Path("a.gguf").absolute()))
    script = write("python", "#!/bin/sh\nexec sleep 600\n").absolute()
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


@pytest.mark.usefixtures("slow_engine")
def test_a_model_that_takes_long_to_load(ends_in_time: Callable[..., Ran]) -> None:
    ends_in_time()


@pytest.mark.usefixtures("slow_engine")
def test_client() -> None:
    with Client() as client, pytest.raises(GptasstError) as caught:
        client.run("DocWriter", text="x", timeout=1)
    assert caught.value.code == "timeout"
