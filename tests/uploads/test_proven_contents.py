"""What is on the server is taken for a local file only where gptasst wrote down its sha256."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gptasst.storage.locks import under_way
from tests.assistants.project import contents, knowledge, new_machine
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

OURS, THEIRS = b"ours: 1\n", b"else: 2\n"


def on_server(project: LoopbackServer, data: bytes, name: str, purpose: str = "assistants") -> str:
    """A file of somebody else's."""
    from openai import OpenAI

    with OpenAI(base_url=project.base_url, api_key="x") as client:
        made = client.files.create(file=(name, data), purpose=purpose)  # type: ignore[arg-type]
    return made.id


def attach(project: LoopbackServer, name: str) -> Callable[[], Any]:
    """Somebody puts all files of a name into a vector store of their own."""
    from openai import OpenAI

    def act() -> None:
        ids = [i for i, stored in project.files.items() if stored.name == name]
        with OpenAI(base_url=project.base_url, api_key="x") as client:
            client.vector_stores.create(name="others", file_ids=ids)

    return act


@pytest.mark.parametrize("fresh", [True, False])
def test_a_file_of_the_same_name_size_and_purpose_is_not_ours(
    cli: Cli, project: LoopbackServer, write: Write, fresh: bool
) -> None:
    if not fresh:
        write("other.md", "other")
        cli("file", "upload", "other.md")
    write("guide.md", OURS)
    theirs = on_server(project, THEIRS, "guide.md")
    assert cli("assistant", "create", "A", "-i", "DocWriter", "-f", "guide.md").code == 0
    assert knowledge(project, "A") == {"guide.md": OURS}
    assert cli("assistant", "delete", "A", "-y").code == 0
    assert cli("cache", "rebuild", ".").code == 0
    assert cli("file", "prune", "-y", "--min-age", "0").code == 0
    assert project.files[theirs].data == THEIRS
    assert OURS not in contents(project)


def test_a_lost_answer_does_not_make_a_file_of_others_ours(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    write("guide.md", OURS)
    project.disturb("POST", "/v1/files")  # not carried out
    project.meanwhile("POST", "/v1/files", lambda: on_server(project, THEIRS, "guide.md"))
    assert cli("assistant", "create", "A", "-i", "DocWriter", "-f", "guide.md").code == 0
    assert knowledge(project, "A") == {"guide.md": OURS}


def test_attributes_that_contradict_a_name_prove_nothing(
    cli: Cli, project: LoopbackServer, write: Write, home: Path
) -> None:
    write("guide.md", OURS)
    cli("assistant", "create", "A", "-i", "DocWriter", "-f", "guide.md")
    write("other.md", THEIRS)
    (store,) = project.stores.values()
    cli("assistant", "create", "B", "-i", "DocWriter", "-f", "other.md")
    lied = next(s for s in project.stores.values() if s is not store)
    (attached,) = lied.files.values()
    attached.attributes = dict(next(iter(store.files.values())).attributes)
    cli("assistant", "delete", "A", "-y")
    new_machine(home)
    assert cli("assistant", "create", "C", "-i", "DocWriter", "-f", "guide.md").code == 0
    assert knowledge(project, "C") == {"guide.md": OURS}


class TestAfterTheCacheWasCleared:
    def test_prune_knows_what_gptasst_uploaded(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        cli("file", "upload", "a.md")
        theirs = on_server(project, b"one", "a.md", "user_data")
        Path("a.md").unlink()
        cli("cache", "clear", "-y")
        assert cli("file", "prune", "-y").stderr == "deleted 1 file (3 B)\n"
        assert list(project.files) == [theirs]

    def test_an_input_stays_while_its_file_is_known_to_be_on_disk(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        (ours,) = cli("file", "upload", "a.md", "-q").lines
        cli("cache", "clear", "-y")
        cli("cache", "rebuild", ".")
        assert cli("file", "prune", "-y").stderr == "nothing to prune\n"
        assert cli("file", "upload", "a.md", "-q").lines == [ours]


class TestAnotherMachine:
    def test_its_young_uploads_and_its_inputs_stay(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path
    ) -> None:
        for name, purpose in (("input.md", "user_data"), ("guide.md", "assistants")):
            write(name, name)
            cli("file", "upload", name, "--purpose", purpose)
            Path(name).unlink()
        new_machine(home)
        assert cli("file", "prune", "-y").stderr == "nothing to prune\n"
        for stored in project.files.values():
            stored.about["created_at"] -= 25 * 3600
        ran = cli("file", "prune", "-y", "--json")
        assert [file["filename"] for file in ran.json["files"]] == ["guide.md"]
        assert contents(project) == [b"input.md"]

    @pytest.mark.parametrize("age", ["0", "1h", "90m"])
    def test_the_age_is_an_option(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path, age: str
    ) -> None:
        write("guide.md", "guide")
        cli("file", "upload", "guide.md", "--purpose", "assistants")
        new_machine(home)
        for stored in project.files.values():
            stored.about["created_at"] -= 2 * 3600
        assert cli("file", "prune", "-y", "--min-age", age).code == 0
        assert contents(project) == []
        assert cli("file", "prune", "--min-age", "soon").code == 2


def test_what_another_process_is_about_to_attach_is_kept(
    cli: Cli, project: LoopbackServer, write: Write, home: Path
) -> None:
    write("guide.md", "guide")
    cli("file", "upload", "guide.md", "--purpose", "assistants")
    with under_way(home / "data" / "locks" / "knowledge.lock"):
        assert cli("file", "prune", "-y").stderr == "nothing to prune\n"
    assert cli("file", "prune", "-y").stderr == "deleted 1 file (5 B)\n"


def test_while_a_create_uploads_nothing_of_it_is_pruned(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", name)
    said: list[str] = []
    project.meanwhile(
        "POST", "/v1/vector_stores/*/file_batches",
        lambda: said.append(cli("file", "prune", "-y").stderr),
    )  # fmt: skip
    ran = cli("assistant", "create", "A", "-i", "DocWriter", "-f", "docs")
    assert (ran.code, said) == (0, ["nothing to prune\n"])
    assert len(knowledge(project, "A")) == 3


def test_what_is_attached_at_the_last_moment_is_kept(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    write("guide.md", "guide")
    cli("file", "upload", "guide.md", "--purpose", "assistants")
    project.meanwhile("GET", "/v1/vector_stores", attach(project, "guide.md"), skip=2)
    ran = cli("file", "prune", "-y")
    assert "it is in use now" in ran.stderr
    assert contents(project) == [b"guide"]


def test_a_cache_of_version_3_stays_usable(
    cli: Cli, project: LoopbackServer, write: Write, home: Path
) -> None:
    write("a.md", "one")
    write("b.md", "two")
    kept, guessed = cli("file", "upload", "a.md", "b.md", "-q").lines
    for stored in project.files.values():
        stored.about["filename"] = stored.name
    with closing(sqlite3.connect(home / "data" / "cache.sqlite3")) as database, database:
        database.execute("UPDATE uploads SET own = 0 WHERE file_id = ?", (guessed,))
        for table in (
            "knowledge", "former_knowledge", "listings", "leaving_knowledge", "store_files",
            "capabilities",
        ):  # fmt: skip
            database.execute(f"DROP TABLE {table}")
        database.execute("PRAGMA user_version = 3")
    again = cli("file", "upload", "a.md", "b.md", "-q")
    assert (again.stderr, again.lines[0]) == ("", kept)
    assert again.lines[1] != guessed
