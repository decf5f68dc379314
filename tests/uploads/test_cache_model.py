"""The cache against a plain model of it, through any order of events."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gptasst.uploads.cache import FileCache
from gptasst.uploads.project_cache import CachedUpload

SCOPES = st.sampled_from(["openai", "azure"])
NAMES = st.sampled_from(["a", "b", "Ünï", "with ' quote", ""])
FILES = st.sampled_from(["one.md", "two.md", "three.md"])
CONTENTS = st.sampled_from([b"", b"x", b"y", b"longer"])
PURPOSES = st.sampled_from(["assistants", "user_data"])
TEXTS = st.text(st.characters(codec="utf-8"))
MOMENTS = st.integers(0, 10_000).map(lambda minute: datetime.fromtimestamp(minute * 60, UTC))


class CacheMachine(RuleBasedStateMachine):
    """Every rule does the same to the cache and to dictionaries; they must agree."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.notes: list[str] = []
        self.ticks = 1_500_000_000
        self.open()
        self.forget_everything()

    def open(self) -> None:
        self.cache = FileCache(self.root / "cache.sqlite3", self.notes.append)

    def forget_everything(self) -> None:
        self.uploads: dict[tuple[str, str], CachedUpload] = {}
        self.assistants: dict[tuple[str, str], str] = {}
        self.definitions: dict[str, str] = {}
        self.synced: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.cache.close()
            shutil.rmtree(self.root)

    @rule(name=FILES, content=CONTENTS)
    def change_file(self, name: str, content: bytes) -> None:
        self.ticks += 10
        (self.root / name).write_bytes(content)
        os.utime(self.root / name, (self.ticks, self.ticks))

    @rule(names=st.sets(FILES))
    def hash_files(self, names: set[str]) -> None:
        there = [self.root / name for name in names if (self.root / name).exists()]
        expected = {file: sha256(file.read_bytes()).hexdigest() for file in there}
        found = self.cache.sha256_all(there)
        assert {file: known.sha256 for file, known in found.items()} == expected

    @rule(scope=SCOPES, name=NAMES, content=CONTENTS, purpose=PURPOSES, at=MOMENTS)
    def upload(self, scope: str, name: str, content: bytes, purpose: str, at: datetime) -> None:
        made = CachedUpload(
            f"file-{name}", sha256(content).hexdigest(), purpose, name, len(content), at
        )
        self.cache.of(scope).remember_uploads([made])
        self.uploads[scope, made.file_id] = made

    @rule(scope=SCOPES, names=st.lists(NAMES))
    def forget(self, scope: str, names: list[str]) -> None:
        self.cache.of(scope).forget_uploads([f"file-{name}" for name in names])
        for name in names:
            self.uploads.pop((scope, f"file-{name}"), None)

    @rule(scope=SCOPES, ids=st.dictionaries(NAMES, st.just("vs")))
    def see_assistants(self, scope: str, ids: dict[str, str]) -> None:
        self.cache.of(scope).remember_assistants(ids)
        self.assistants = {k: v for k, v in self.assistants.items() if k[0] != scope}
        self.assistants |= {(scope, name): value for name, value in ids.items()}

    @rule(text=TEXTS)
    def define(self, text: str) -> None:
        key = sha256(text.encode()).hexdigest()
        self.cache.of("openai").remember_definition(key, text)
        self.definitions[key] = text

    @rule(scope=SCOPES)
    def sync(self, scope: str) -> None:
        self.cache.of(scope).mark_synced()
        self.synced.add(scope)

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.forget_everything()

    @rule()
    def reopen(self) -> None:
        self.cache.close()
        self.open()

    @rule(size=st.integers(0, 3_000))
    def truncate(self, size: int) -> None:
        self.cache.close()
        with (self.root / "cache.sqlite3").open("ab") as stream:
            stream.truncate(size)
        self.open()
        self.forget_everything()

    @invariant()
    def agrees(self) -> None:
        for scope in ("openai", "azure"):
            uploads = [made for (where, _), made in self.uploads.items() if where == scope]
            assert sorted(self.cache.of(scope).all_uploads(), key=repr) == sorted(uploads, key=repr)
            for made in uploads:
                same = [u for u in uploads if (u.sha256, u.purpose) == (made.sha256, made.purpose)]
                same.sort(key=lambda u: (-u.uploaded_at.timestamp(), u.file_id))
                ids = [u.file_id for u in same]
                content = (made.sha256, made.purpose)
                assert self.cache.of(scope).uploads([content]) == {content: ids}
            names = sorted(name for where, name in self.assistants if where == scope)
            assert self.cache.of(scope).assistant_names() == names
            assert self.cache.of(scope).is_synced() == (scope in self.synced)
        for key, text in self.definitions.items():
            assert self.cache.of("openai").definition(key) == text


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
