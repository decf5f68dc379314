"""kill -9 at any point, and what is there after the same command was run again."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.assistants.project import calls
from tests.conftest import Cli, Write
from tests.embedded.model_host import ModelHost
from tests.faults.operations import Operation, prepare
from tests.faults.project_state import (
    Checkpoint,
    held,
    without_leftover,
)
from tests.loopback import LoopbackServer

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

from tests.faults.forked import Ended, Forked

MANY = 100
TRIES = 10
DETACHING = ("edit -f", "files sync")  # these look at two things at once


@pytest.mark.parametrize(
    "name", ["create", "edit -f", "rename", "files sync", "delete", "upload", "submit", "prune"]
)
def test_when_a_request_was_sent(cli: Cli, project: LoopbackServer, home: Path, name: str) -> None:
    """The request is carried out. Each that changes something is the last one once."""
    operation = prepare(cli, project)[name]
    begun = Checkpoint(project, home)
    begun.restore()
    assert operation.run(cli).code == 0
    made = calls(project)
    wanted = held(project)
    for spot, request in enumerate(made):
        if request.startswith("GET"):
            continue
        code = 0
        for _ in range(TRIES):  # of two look-ups at once one may spare a request: it ends before
            begun.restore()
            code = killed_at(request, made[:spot], project, operation).code
            if code != 0:
                break
        assert (request, code) == (request, -9)
        done = held(project) == wanted
        ended = operation.run(cli).code
        assert ended == 0 or (done and ended in (2, 3)), request
        state = held(project)
        if name == "create" and request.startswith("POST /conversations"):
            state = without_leftover(state)
        assert (request, state) == (request, wanted)


def killed_at(
    request: str, before: list[str], server: LoopbackServer, operation: Operation
) -> Ended:
    """A command that is killed when this request has come to the server, after those before it."""
    process: list[Forked] = []
    method, path = request.split()
    earlier = len(fnmatch.filter(before, request))

    def kill() -> None:
        process[0].kill()

    server.meanwhile(method, f"/v1{path}", kill, skip=earlier)
    process.append(Forked(operation.words))
    return process[0].end(server)


def test_a_conversation_that_was_begun_is_known_and_goes_on(
    cli: Cli, project: LoopbackServer, home: Path
) -> None:
    asking = Operation(("run", "DocWriter", "-t", "one", "-c"))
    assert killed_at("POST /responses", [], project, asking).code == -9
    (ident,) = project.conversations
    assert cli("conversation", "list", "-q").lines == [ident]
    assert asking.run(cli).code == 0
    assert list(project.conversations) == [ident]
    cli("conversation", "delete", ident, "-y")
    assert cli("conversation", "list", "-q").lines == []


def test_a_killed_set_is_not_undone_by_the_next_sync(
    cli: Cli, project: LoopbackServer, home: Path, write: Write
) -> None:
    """What it detached is neither taken for deleted by others, nor left as an upload."""
    for name in ("a.md", "b.md"):
        write(name, name)
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
    begun, operation = (
        Checkpoint(project, home),
        Operation(("assistant", "files", "set", "Docs", "a.md")),
    )
    calls(project)
    assert operation.run(cli).code == 0
    made = calls(project)
    for spot, request in enumerate(made):
        begun.restore()
        if killed_at(request, made[:spot], project, operation).code == 0:
            continue  # of two look-ups at once one spared a request
        (store,) = project.stores.values()
        left = {str(attached.attributes["path"]) for attached in store.files.values()}
        synced = cli("assistant", "files", "sync", "Docs")
        assert (synced.code, "deleted on the server" in synced.stderr) == (0, False)
        assert {str(one.attributes["path"]) for one in store.files.values()} == left
        assert {one.name for one in project.files.values()} == left
    assert "DELETE /vector_stores/*/files/*" in made


class TestFiles:
    """Killed before each change of the file system in turn."""

    @pytest.fixture
    def at_any_moment(self, server: LoopbackServer, home: Path) -> Callable[..., Iterator[Ended]]:
        """Run a command, killed; then again, not killed; until it was not killed any more.

        Yields how the second one ended. Before the next pair all is as it was.
        """

        def run(*words: str) -> Iterator[Ended]:
            begun = Checkpoint(server, home)
            step = 2 if "--each" in words else 1  # two files go through the same
            for number in range(1, MANY, step):
                killed = Forked(words, kill_before=number).end(server)
                if killed.code == 0:
                    assert number > 3
                    return
                assert killed.code == -9
                assert not half_written()
                yield Forked(words).end(server)
                assert not list(Path().rglob(".gptasst-*"))
                begun.restore()
            raise AssertionError

        return run

    @pytest.fixture
    def texts(self, server: LoopbackServer, write: Write) -> None:
        server.answer = "new\n" * 300
        for name in ("a.md", "b.md"):
            write(name, f"old {name}\n")

    @pytest.mark.usefixtures("texts")
    @pytest.mark.parametrize(
        "words",
        [
            ("run", "DocWriter", "-f", "a.md", "-o", "b.md"),
            ("run", "DocWriter", "a.md", "b.md", "--each", "--in-place", "-j", "1"),
        ],
    )
    def test_outputs(
        self, at_any_moment: Callable[..., Iterator[Ended]], words: tuple[str, ...]
    ) -> None:
        for ended in at_any_moment(*words):
            assert ended.code == 0, ended.stderr
            assert Path("b.md").read_text() == "new\n" * 300

    def test_fetched_answers(
        self, cli: Cli, server: LoopbackServer, texts: None,
        at_any_moment: Callable[..., Iterator[Ended]],
    ) -> None:  # fmt: skip
        ran = cli("run", "DocWriter", "a.md", "b.md", "--each", "--batch", "-o", "out")
        for ended in at_any_moment("batch", "fetch", *ran.lines):
            assert ended.code == 0, ended.stderr
            assert {path.name for path in Path("out").iterdir()} == {"a.md", "b.md"}

    def test_configuration(
        self, cli: Cli, home: Path, at_any_moment: Callable[..., Iterator[Ended]]
    ) -> None:
        cli("config", "set", "profiles.mine.base_url", "http://127.0.0.1:9/v1")
        config = home / "config" / "config.toml"
        before = config.read_text()
        for ended in at_any_moment("config", "set", "profiles.mine.model", "m"):
            assert ended.code == 0, ended.stderr
            assert config.read_text() == before + 'model = "m"\n'
            assert [path.name for path in config.parent.iterdir()] == ["config.toml"]

    def test_cache(
        self, cli: Cli, server: LoopbackServer, texts: None, home: Path,
        at_any_moment: Callable[..., Iterator[Ended]],
    ) -> None:  # fmt: skip
        """Made anew from a damaged one: what is on the server is not uploaded again."""
        cli("file", "upload", "a.md", "b.md")
        for stored in server.files.values():
            stored.about["created_at"] += 1000  # as if the files had lain here before
        (home / "data" / "cache.sqlite3").write_bytes(b"damaged" * 999)
        for ended in at_any_moment("cache", "rebuild", "."):
            assert ended.code == 0, ended.stderr
            assert cli("file", "upload", "a.md", "b.md").code == 0
            assert len(server.files) == 2
            assert not list((home / "data").glob("*.new-*"))

    def test_model(
        self, home: Path, monkeypatch: pytest.MonkeyPatch,
        at_any_moment: Callable[..., Iterator[Ended]],
    ) -> None:  # fmt: skip
        content = b"GGUF" + bytes(range(256)) * 1000
        with ModelHost(content) as host:
            monkeypatch.setenv("GPTASST_LOCAL_MODEL", host.url)
            for ended in at_any_moment("local", "setup"):
                assert ended.code == 0, ended.stderr
                (file,) = (p for p in (home / "data" / "models").rglob("*") if p.is_file())
                assert file.read_bytes() == content

    def test_local_store(
        self, cli: Cli, texts: None, at_any_moment: Callable[..., Iterator[Ended]]
    ) -> None:
        words = ("assistant", "create", "Mine", "-i", "DocWriter", "-f", "a.md", "b.md")
        for ended in at_any_moment(*words):
            assert ended.code == 0 or "there is an assistant `Mine` already" in ended.stderr
            shown = cli("assistant", "show", "Mine", "--json").json
            assert [file["path"] for file in shown["knowledge"]] == ["a.md", "b.md"]


def half_written() -> list[Path]:
    """Files that hold neither what was there before nor all that was to be written."""
    return [
        path
        for path in Path().rglob("*.md")
        if path.read_text() not in ("new\n" * 300, f"old {path.name}\n")
    ]
