"""The cache on a real SQLite file: what it trusts, and what it does without."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gptasst.errors import InvalidInput
from gptasst.uploads.cache import FileCache
from gptasst.uploads.project_cache import CachedUpload
from gptasst.uploads.tables import SCHEMA

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MARK = "f" * 64
LONG_AGO = 1_600_000_000


def hexed(content: bytes) -> str:
    return sha256(content).hexdigest()


def uploads(cache: FileCache, purpose: str) -> list[str]:
    """The ids with the content `x` in the scope `a`."""
    content = (hexed(b"x"), purpose)
    return cache.of("a").uploads([content])[content]


def upload(file_id: str, content: bytes = b"x", minutes: int = 0, **more: object) -> CachedUpload:
    values: dict[str, object] = {
        "file_id": file_id, "sha256": hexed(content), "purpose": "user_data",
        "filename": f"{file_id}.md", "size": len(content),
        "uploaded_at": NOON + timedelta(minutes=minutes),
    }  # fmt: skip
    return CachedUpload(**values | more)  # type: ignore[arg-type]


class Notes(list[str]):
    """What a cache had to say."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "cache.sqlite3"


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def cache(path: Path, notes: Notes) -> Iterator[FileCache]:
    with contextlib.closing(FileCache(path, notes.append)) as opened:
        yield opened


def old_file(name: str, content: bytes) -> Path:
    path = Path(name)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def mark_hashes(path: Path) -> None:
    """Give every hash that is kept another value, which tells that no file was read again."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE hashes SET sha256 = ?", (MARK,))


class TestHashes:
    def test_hash_is_of_the_content(self, cache: FileCache) -> None:
        file = old_file("a.md", b"hello")
        assert cache.sha256(file) == (5, hexed(b"hello"))

    def test_unchanged_file_is_not_read_again(self, cache: FileCache, path: Path) -> None:
        file = old_file("a.md", b"hello")
        cache.sha256(file)
        cache.close()
        mark_hashes(path)
        again = FileCache(path)
        assert again.sha256(file.absolute()).sha256 == MARK
        again.close()

    @pytest.mark.parametrize("change", ["size", "time", "inode", "nothing else"])
    def test_changed_file_is_read_again(self, cache: FileCache, change: str) -> None:
        file = old_file("a.md", b"hello")
        cache.sha256(file)
        if change == "size":
            old_file("a.md", b"hello!")
        elif change == "time":
            file.write_bytes(b"HELLO")
            os.utime(file, (LONG_AGO + 1, LONG_AGO + 1))
        elif change == "nothing else":  # as `cp -p` does
            file.write_bytes(b"HELLO")
            os.utime(file, (LONG_AGO, LONG_AGO))
        else:
            old_file("b.md", b"HELLO").replace(file)
        assert cache.sha256(file).sha256 == hexed(file.read_bytes())

    @pytest.mark.parametrize("offset", [0, 3_600], ids=["just now", "in the future"])
    def test_file_changed_in_the_moment_it_was_hashed_is_read_again(
        self, cache: FileCache, offset: int
    ) -> None:
        file = Path("a.md")
        file.write_bytes(b"hello")
        moment = int(datetime.now(UTC).timestamp()) + offset
        os.utime(file, (moment, moment))
        cache.sha256(file)
        file.write_bytes(b"HELLO")
        os.utime(file, (moment, moment))
        assert cache.sha256(file).sha256 == hexed(b"HELLO")

    def test_many_files(self, cache: FileCache, path: Path) -> None:
        files = [old_file(f"{number}.md", b"%d" % number) for number in range(1_200)]
        first = cache.sha256_all(files)
        assert {file.name: found.sha256 for file, found in first.items()} == {
            f"{number}.md": hexed(b"%d" % number) for number in range(1_200)
        }
        mark_hashes(path)
        old_file("0.md", b"changed")
        again = cache.sha256_all([*files, files[0]])
        assert again.pop(files[0]).sha256 == hexed(b"changed")
        assert again == {file: (first[file].size, MARK) for file in files[1:]}

    def test_names_that_are_not_text(self, cache: FileCache) -> None:
        name = os.fsdecode(b"caf\xe9.md")
        try:
            file = old_file(name, b"x")
        except OSError:
            pytest.skip("this file system takes only names in UTF-8")
        assert cache.sha256(file).sha256 == hexed(b"x")
        assert cache.local_paths([hexed(b"x")]) == {hexed(b"x"): [file.absolute()]}

    def test_missing_file_and_directory(self, cache: FileCache) -> None:
        for name, message in (("none.md", "No such file"), (".", "is not a file")):
            with pytest.raises(InvalidInput, match=message):
                cache.sha256(Path(name))

    def test_pipe_is_refused_and_not_waited_for(self, cache: FileCache) -> None:
        if not hasattr(os, "mkfifo"):
            pytest.skip("there are no named pipes here")
        os.mkfifo("pipe")
        with pytest.raises(InvalidInput, match="is not a file"):
            cache.sha256(Path("pipe"))

    def test_local_paths_are_those_that_still_have_the_content(self, cache: FileCache) -> None:
        files = [old_file(name, b"same") for name in ("b.md", "a.md", "gone.md", "changed.md")]
        fresh = Path("fresh.md")
        fresh.write_bytes(b"same")
        cache.sha256_all([*files, fresh])
        Path("gone.md").unlink()
        Path("changed.md").write_bytes(b"other")
        wanted = [Path(name).absolute() for name in ("a.md", "b.md", "fresh.md")]
        assert cache.local_paths([hexed(b"same"), hexed(b"none")]) == {hexed(b"same"): wanted}


class TestUploads:
    def test_newest_first_and_by_scope_content_and_purpose(self, cache: FileCache) -> None:
        cache.of("a").remember_uploads([upload("old"), upload("new", minutes=5)])
        cache.of("a").remember_uploads(
            [upload("other", b"y"), upload("knowledge", purpose="assistants")]
        )
        cache.of("b").remember_uploads([upload("elsewhere")])
        assert uploads(cache, "user_data") == ["new", "old"]
        assert uploads(cache, "assistants") == ["knowledge"]
        assert [found.file_id for found in cache.of("b").all_uploads()] == ["elsewhere"]
        cache.of("a").forget_uploads(["new", "never there"])
        assert uploads(cache, "user_data") == ["old"]

    def test_comes_back_as_it_was(self, cache: FileCache) -> None:
        kept = upload("f", expires_at=NOON + timedelta(days=1), filename="ünïcode.md")
        cache.of("a").remember_uploads([kept])
        assert cache.of("a").all_uploads() == [kept]

    def test_expired_is_not_offered(self, cache: FileCache) -> None:
        soon = datetime.now(UTC) + timedelta(hours=1)
        cache.of("a").remember_uploads([upload("past", expires_at=NOON - timedelta(days=400))])
        cache.of("a").remember_uploads([upload("valid", expires_at=soon)])
        assert uploads(cache, "user_data") == ["valid"]

    def test_knowledge_is_never_taken_from_what_will_expire(self, cache: FileCache) -> None:
        soon = datetime.now(UTC) + timedelta(days=30)
        for file_id, expires in (("stays", None), ("expires", soon)):
            cache.of("a").remember_uploads(
                [upload(file_id, purpose="assistants", expires_at=expires)]
            )
        assert uploads(cache, "assistants") == ["stays"]


class TestNamesAndDefinitions:
    def test_assistants(self, cache: FileCache) -> None:
        cache.of("s").remember_assistants({"B": "vs_2", "A": "vs_1"})
        cache.of("t").remember_assistants({"A": "vs_9"})
        assert cache.of("s").assistant_names() == ["A", "B"]
        cache.of("s").remember_assistants({"C": "vs_4"})
        assert cache.of("s").assistant_names() == ["C"]
        assert cache.of("t").assistant_names() == ["A"]

    def test_a_listing(self, cache: FileCache) -> None:
        assert cache.of("s").listing() is None
        cache.of("s").remember_listing("one")
        cache.of("t").remember_listing("another")
        cache.of("s").remember_listing("two")
        assert (cache.of("s").listing(), cache.of("t").listing()) == ("two", "another")
        cache.clear()
        assert cache.of("s").listing() is None

    def test_definitions_sync_and_clear(self, cache: FileCache) -> None:
        cache.of("openai").remember_definition(hexed(b"text\n"), "text\n")
        cache.of("openai").remember_definition("abc", "not of this hash")
        cache.of("s").mark_synced()
        assert cache.of("openai").definition(hexed(b"text\n")) == "text\n"
        assert cache.of("openai").definition("abc") is None
        assert cache.of("s").is_synced()
        assert not cache.of("t").is_synced()
        cache.clear()
        assert cache.of("openai").definition(hexed(b"text\n")) is None
        assert not cache.of("s").is_synced()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 100])


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(7).randbytes(20_000))


def zero_bytes(path: Path) -> None:
    path.write_bytes(b"")


def garbage_in_the_middle(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def changed_by_sql(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return change


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_text("of somebody's")


def wal_is_a_directory(path: Path) -> None:
    path.with_name(path.name + "-wal").mkdir()


DAMAGES = {
    "truncated": truncated,
    "garbage": garbage,
    "zero bytes": zero_bytes,
    "garbage in the middle": garbage_in_the_middle,
    "wrong schema": changed_by_sql("DROP TABLE uploads", "CREATE TABLE uploads (id)"),
    "table missing": changed_by_sql("DROP TABLE synced_scopes"),
    "another program's": changed_by_sql("PRAGMA user_version = 0"),
    "directory": directory,
    "wal is a directory": wal_is_a_directory,
    "blob for text": changed_by_sql("UPDATE uploads SET uploaded_at = x'00'"),
}


def set_aside(path: Path) -> list[Path]:
    found = path.parent.glob(path.name + ".damaged-*")
    return sorted(one for one in found if not one.name.endswith(("-wal", "-shm")))


class TestDamage:
    @pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
    def test_damaged_file_is_set_aside_and_made_anew(
        self, path: Path, notes: Notes, damage: Callable[[Path], None]
    ) -> None:
        first = FileCache(path)
        first.of("s").remember_uploads([upload(f"f{number}") for number in range(200)])
        first.of("s").mark_synced()
        first.close()
        damage(path)

        cache = FileCache(path, notes.append)
        assert cache.of("s").all_uploads() == []
        assert not cache.of("s").is_synced()
        cache.of("s").remember_uploads([upload("new")])
        cache.close()
        again = FileCache(path, notes.append)
        assert [found.file_id for found in again.of("s").all_uploads()] == ["new"]
        again.close()

        assert len(notes) == 1
        aside = set_aside(path)
        assert len(aside) == 1
        assert str(aside[0]) in notes[0]

    @pytest.mark.parametrize("damage", [garbage, garbage_in_the_middle, zero_bytes])
    def test_damaged_while_it_is_open(
        self, cache: FileCache, path: Path, notes: Notes, damage: Callable[[Path], None]
    ) -> None:
        for number in range(200):
            cache.of("openai").remember_definition(hexed(b"%d" % number), "text " * 200)
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage(path)
        for number in range(200):
            cache.of("openai").definition(hexed(b"%d" % number))
            cache.of("openai").remember_definition(hexed(b"new %d" % number), f"new {number}")
        cache.close()
        again = FileCache(path, notes.append)
        assert again.of("openai").definition(hexed(b"new 7")) == "new 7"
        again.close()

    def test_of_a_newer_version(self, path: Path, notes: Notes) -> None:
        """Two versions may be in use in turns: neither sets the other's aside."""
        first = FileCache(path)
        first.of("s").mark_synced()
        first.close()
        changed_by_sql("PRAGMA user_version = 99")(path)
        older = FileCache(path, notes.append)
        assert not older.of("s").is_synced()
        older.of("s").remember_uploads([upload("f")])
        assert [found.file_id for found in older.of("s").all_uploads()] == ["f"]
        older.close()
        changed_by_sql(f"PRAGMA user_version = {SCHEMA.version}")(path)
        again = FileCache(path)
        assert again.of("s").is_synced()
        assert again.of("s").all_uploads() == []
        again.close()
        assert notes == [
            f"the cache `{path}` can't be used and is not used: it was written by a newer gptasst"
        ]

    def test_a_mistake_of_the_caller_is_no_damage(self, cache: FileCache, notes: Notes) -> None:
        cache.of("s").remember_uploads([upload("f")])
        with pytest.raises(sqlite3.ProgrammingError):
            cache.of("s").remember_uploads([upload("g", size=object())])
        assert [found.file_id for found in cache.of("s").all_uploads()] == ["f"]
        assert notes == []

    def test_deleted_while_it_is_open(self, cache: FileCache, path: Path, notes: Notes) -> None:
        cache.of("s").mark_synced()
        path.unlink()
        cache.of("s").mark_synced()
        again = FileCache(path, notes.append)
        assert again.of("s").is_synced()
        again.close()
        assert notes == []

    def test_log_of_a_deleted_file_is_not_read_into_the_new_one(self, path: Path) -> None:
        first = FileCache(path)
        first.of("s").mark_synced()
        log = path.with_name(path.name + "-wal").read_bytes()
        first.close()
        path.unlink()
        path.with_name(path.name + "-wal").write_bytes(log)
        again = FileCache(path)
        assert not again.of("s").is_synced()
        again.close()

    def test_no_place_for_a_file(self, tmp_path: Path, notes: Notes) -> None:
        (tmp_path / "data").write_text("a file where the directory should be")
        cache = FileCache(tmp_path / "data" / "cache.sqlite3", notes.append)
        file = old_file("a.md", b"hello")
        assert cache.sha256(file).sha256 == hexed(b"hello")
        cache.of("s").remember_uploads([upload("f")])
        assert [found.file_id for found in cache.of("s").all_uploads()] == ["f"]
        cache.close()
        assert len(notes) == 1
        assert "is not used" in notes[0]

    def test_only_the_owner_can_read_it(self, cache: FileCache, path: Path) -> None:
        cache.of("s").mark_synced()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert [stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()] == [0o600] * len(
            list(path.parent.iterdir())
        )


HAMMER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from gptasst.uploads.project_cache import CachedUpload
from gptasst.uploads.cache import FileCache
cache = FileCache(Path(sys.argv[1]), lambda note: print(note, file=sys.stderr))
for number in range(40):
    cache.of("s").remember_uploads([CachedUpload(
        f"{sys.argv[2]}-{number}", "abc", "user_data", "a.md", 1, datetime.now(UTC))])
    cache.of("s").all_uploads()
cache.close()
"""


class TestManyAtOnce:
    def test_processes(self, path: Path) -> None:
        running = [
            subprocess.Popen(
                [sys.executable, "-c", HAMMER, str(path), str(number)], stderr=subprocess.PIPE
            )
            for number in range(6)
        ]
        for process in running:
            assert (process.communicate()[1], process.returncode) == (b"", 0)
        cache = FileCache(path)
        assert len(cache.of("s").all_uploads()) == 6 * 40
        cache.close()

    def test_processes_that_find_one_damaged_file(self, path: Path) -> None:
        path.parent.mkdir()
        garbage(path)
        running = [
            subprocess.Popen(
                [sys.executable, "-c", HAMMER, str(path), str(number)], stderr=subprocess.PIPE
            )
            for number in range(6)
        ]
        said = [process.communicate()[1].decode() for process in running]
        assert [process.returncode for process in running] == [0] * 6
        assert sum("and replaced" in text for text in said) == 1
        assert len(set_aside(path)) == 1
        cache = FileCache(path)
        assert len(cache.of("s").all_uploads()) == 6 * 40
        cache.close()

    def test_threads(self, cache: FileCache) -> None:
        files = [old_file(f"{number}.md", b"%d" % number) for number in range(40)]

        def work(number: int) -> None:
            cache.sha256_all(files)
            cache.of("s").remember_uploads([upload(f"{number}-{turn}") for turn in range(20)])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(cache.of("s").all_uploads()) == 8 * 20

    def test_lock_held_too_long_is_written_later(self, cache: FileCache, path: Path) -> None:
        cache.of("first").mark_synced()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            cache.of("while it was locked").mark_synced()
            assert cache.of("first").is_synced()
            other.execute("ROLLBACK")
        cache.of("afterwards").mark_synced()
        assert cache.of("while it was locked").is_synced()
        assert cache.of("afterwards").is_synced()
