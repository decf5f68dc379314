"""What gptasst keeps for itself only its owner can read, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.embedded.model_host import ModelHost
from tests.every_command import ready_for_every_command, run_every_command
from tests.loopback import LoopbackServer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Whatever is made is open to all, but for what is closed on purpose."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(root: Path) -> list[tuple[str, str]]:
    found = []
    for path in [root, *root.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found.append((str(path.relative_to(root)), oct(mode)))
    return found


@pytest.mark.parametrize("store", ["openai", "local"])
def test_everything_below_the_home(
    cli: Cli,
    server: LoopbackServer,
    home: Path,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    open_umask: None,
    store: str,
) -> None:
    monkeypatch.setenv("GPTASST_STORE", store)
    ready_for_every_command(write, monkeypatch)
    run_every_command(cli, key="sk-test-0123456789")
    cli("auth", "login", stdin=b"sk-test-0123456789")
    cli("run", "DocWriter", "a.md", "-c")
    assert open_to_others(home) == []
    assert {path.name for path in home.rglob("*")} >= {
        "config.toml", "keys.json", "Mine.toml", "gptasst.bash",
        "cache.sqlite3", "runs.sqlite3", "batches.sqlite3", "conversations.sqlite3",
    }  # fmt: skip


def test_while_a_database_is_open(
    cli: Cli, project: LoopbackServer, home: Path, write: Write, open_umask: None
) -> None:
    """Its log and index of shared memory lie beside it only then."""
    from gptasst.uploads.cache import FileCache

    write("a.md", "one\n")
    cache = FileCache(home / "data/cache.sqlite3")
    cache.sha256(Path("a.md"))
    names = {path.name for path in (home / "data").iterdir()}
    assert names >= {"cache.sqlite3", "cache.sqlite3-wal", "cache.sqlite3-shm"}
    assert open_to_others(home) == []
    cache.close()


@pytest.mark.parametrize("breaks", [[], [100]])
def test_a_model_that_is_fetched(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, open_umask: None, breaks: list[int]
) -> None:
    with ModelHost(b"GGUF" + bytes(1000), breaks=list(breaks)) as host:
        monkeypatch.setenv("GPTASST_LOCAL_MODEL", host.url)
        cli("local", "setup")
    assert open_to_others(home) == []
    assert len(list((home / "data/models").rglob("*.*"))) == (2 if breaks else 1)


def test_outputs_have_the_umask_of_their_owner(
    cli: Cli, server: LoopbackServer, write: Write, open_umask: None
) -> None:
    write("a.md", "one\n")
    os.umask(0o027)
    assert cli("run", "DocWriter", "a.md", "-o", "out.md").code == 0
    assert cli("run", "DocWriter", "a.md", "--each", "-o", "made").code == 0
    assert cli("instruction", "new", "Ours", "--project").code == 0
    for path in (Path("out.md"), Path("made/a.md"), Path("instructions/Ours.toml")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    for path in (Path("made"), Path("instructions")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o750
