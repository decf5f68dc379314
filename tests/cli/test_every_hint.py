"""What a command prints as the next step does that step.

That each printed command is one that gptasst takes is looked at in every test (`cli` in
`conftest.py`). Here the next step is done, as it is printed. Each place of the source that makes a
command for people has a row, or a test of its own that is named in `ELSEWHERE`: who adds a place
adds the test that follows it (`test_every_place_is_followed`).
"""

# ruff: noqa: E501  # a row of the table is a line

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest

from gptasst.api import http_client
from gptasst.batches import service as batches
from gptasst.embedded import download, service
from gptasst.errors import StateError
from tests.assistants.project import new_machine, only_store
from tests.conftest import Cli, Write
from tests.embedded.model_host import ModelHost
from tests.following import PLACES, Around, Hint, Prepare, follow
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import json_reply
from tests.on_terminal import on_terminal

ROOT = Path(__file__).parents[2]
MCP = 'instructions = "x"\n[[tools.mcp]]\nlabel = "t"\nurl = "https://t.example/mcp"\nkey_env = "T_KEY"\n'
BATCH = "run DocWriter a.md --each --batch -o out"


def two_of_one_name(around: Around) -> None:
    around.cli("assistant", "create", "Other", "-i", "DocWriter")
    only_store(around.server, "Other").about["name"] = "Docs"
    assert around.cli("cache", "clear", "-y").code == 0


def of_an_earlier_version(around: Around) -> None:
    metadata = only_store(around.server, "New").about["metadata"]
    metadata["source"] = metadata["source"].partition(":")[2]
    Path("as/New.toml").unlink()


def a_lost_definition(around: Around) -> None:
    around.cli("assistant", "export", "Docs", "-o", "docs.toml")
    metadata = only_store(around.server, "Docs").about["metadata"]
    around.server.conversations[metadata["conversation"]].items.clear()
    around.cli("cache", "clear", "-y")


def a_deletion_that_was_cut(around: Around) -> None:
    failing = outcomes.http_error(500)
    around.server.disturb("DELETE", "/v1/vector_stores/*", failing, times=9)
    assert around.cli("assistant", "delete", "Docs", "-y").code == 1
    around.server.disturbances.clear()


def a_deleted_upload(around: Around) -> None:
    (gone,) = [i for i, stored in around.server.files.items() if stored.name == "a.md"]
    assert around.cli("file", "delete", gone, "-y").code == 0


def an_unused_upload(around: Around) -> None:
    assert around.cli("file", "upload", "c.md").code == 0


def gone_from_disk(around: Around) -> None:
    del around
    for name in ("a.md", "b.md"):
        Path(name).unlink()


def no_files(around: Around) -> None:
    around.server.files.clear()


def no_assistants(around: Around) -> None:
    assert around.cli("assistant", "delete", "Docs", "-y").code == 0


def no_knowledge(around: Around) -> None:
    around.cli("assistant", "create", "Bare", "-i", "DocWriter")


def failing_to_index(around: Around) -> None:
    around.server.index_failures["b.md"] = ("server_error", "no")


def indexes_again(around: Around) -> None:
    around.server.index_failures.clear()


def refused(status: int, code: str | None = None, message: str = "No.") -> Prepare:
    def prepare(around: Around) -> None:
        around.server.outcomes.append(outcomes.http_error(status, code, message))

    return prepare


def disturbed(method: str, path: str, status: int, times: int = 99, message: str = "") -> Prepare:
    def prepare(around: Around) -> None:
        refused = outcomes.http_error(status, message=message)
        around.server.disturb(method, path, refused, times=times)

    return prepare


def calm(around: Around) -> None:
    around.server.disturbances.clear()


def setting(**variables: str | None) -> Prepare:
    def prepare(around: Around) -> None:
        for name, value in variables.items():
            if value is None:
                around.patch.delenv(name, raising=False)
            else:
                around.patch.setenv(name, value.replace("SERVER", around.server.base_url))

    return prepare


def both(*steps: Prepare) -> Prepare:
    def prepare(around: Around) -> None:
        for step in steps:
            step(around)

    return prepare


def typed(*lines: str) -> Prepare:
    def prepare(around: Around) -> None:
        for line in lines:
            around.cli(*shlex.split(line), stdin=b"sk-0123456789abcdef\n")

    return prepare


def written(name: str, text: str) -> Prepare:
    return lambda around: around.write(name, text)


def configured(text: str) -> Prepare:
    def prepare(around: Around) -> None:
        around.config(text.replace("SERVER", around.server.base_url))

    return prepare


def patched(target: str, value: Any) -> Prepare:
    return lambda around: around.patch.setattr(target, value)


def meanwhile(line: str, method: str, skip: int = 0) -> Prepare:
    """Another machine's command just before a request of the one that prints."""

    def prepare(around: Around) -> None:
        begun: list[str] = []

        def other() -> None:
            if begun:
                return
            begun.append(line)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("GPTASST_HOME", f"{around.home}-2")
                assert around.cli(*line.split()).code == 0

        around.server.meanwhile(method, "/v1/vector_stores/*", other, skip=skip)

    return prepare


def failing(name: str) -> Prepare:
    """A check of doctor's that can't look."""

    def fail(*_: object) -> None:
        raise StateError("it can't be read")

    return patched(f"gptasst.doctor.service.{name}", fail)


def an_unused_file(around: Around) -> None:
    around.cli("assistant", "files", "set", "Docs", "a.md", "--keep-files")


def an_unreadable_model(around: Around) -> None:
    a_model_that_is_not_whole(around)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    around.patch.setattr("hashlib.file_digest", refuse)


def a_terminal_of_latin_1(around: Around) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), "latin-1")
    around.patch.setattr(terminal, "isatty", lambda: True, raising=False)
    around.patch.setattr(sys, "__stdout__", terminal)


def a_proxy_that_answers_itself(around: Around) -> None:
    around.patch.delenv("OPENAI_API_KEY")
    around.patch.setenv("OPENAI_BASE_URL", "http://example.invalid/other")
    around.patch.setenv("HTTP_PROXY", around.server.base_url.removesuffix("/v1"))


def no_socks(around: Around) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ImportError

    around.patch.setattr(http_client, "LimitedClient", fail)
    around.patch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    around.patch.setenv("OPENAI_BASE_URL", "https://127.0.0.1:9/v1")


def another_key(around: Around) -> None:
    around.server.api_key = "sk-0123456789abcdef"


def an_expired_store(around: Around) -> None:
    (ident,) = around.server.stores
    message = f"Vector store {ident} is expired."
    around.server.outcomes.append(outcomes.http_error(400, message=message))


def of_a_newer_version(around: Around) -> None:
    only_store(around.server, "Docs").about["metadata"]["gptasst"] = "99"


def a_newer_database(around: Around) -> None:
    around.patch.setenv("GPTASST_STORE", "local")
    around.cli("assistant", "create", "Local", "-i", "DocWriter")
    path = around.home / "data" / "assistants.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")


def a_damaged_database(around: Around) -> None:
    around.patch.setenv("GPTASST_STORE", "local")
    around.cli("assistant", "create", "Local", "-i", "DocWriter")
    around.cli("assistant", "export", "Local", "-o", "docs.toml")
    (around.home / "data" / "assistants.sqlite3").write_bytes(b"no database" * 1000)


def moved_away(around: Around) -> None:
    path = around.home / "data" / "assistants.sqlite3"
    path.rename(path.with_suffix(".old"))


def damaged(name: str) -> Prepare:
    def prepare(around: Around) -> None:
        around.cli("file", "upload", "c.md")
        (around.home / "data" / name).write_bytes(b"no database")

    return prepare


def an_odd_cache(around: Around) -> None:
    around.cli("file", "upload", "a.md")
    with contextlib.closing(sqlite3.connect(around.home / "data" / "cache.sqlite3")) as cache:
        cache.execute("PRAGMA user_version = 0")


def a_newer_cache(around: Around) -> None:
    around.cli("file", "upload", "a.md")
    with contextlib.closing(sqlite3.connect(around.home / "data" / "cache.sqlite3")) as cache:
        cache.execute("PRAGMA user_version = 99")


def a_batch_of_others(around: Around) -> None:
    from openai import OpenAI

    with OpenAI(base_url=around.server.base_url, api_key="x") as client:
        given = client.files.create(file=("x.jsonl", b"{}"), purpose="batch")
        made = client.batches.create(
            input_file_id=given.id, endpoint="/v1/responses", completion_window="24h"
        )
    around.patch.setenv("BATCH", made.id)


def a_batch(around: Around) -> None:
    (ident,) = around.cli(*BATCH.split(), "-q").lines
    around.patch.setenv("BATCH", ident)


def slow_batches(around: Around) -> None:
    around.server.batch_delay = 1000.0


def quick_batches(around: Around) -> None:
    around.server.batch_delay = 0.0


def a_batch_of_another_machine(around: Around) -> None:
    a_batch(around)
    new_machine(around.home)


def the_conversation_of_definitions(around: Around) -> None:
    ident = only_store(around.server, "Docs").about["metadata"]["conversation"]
    around.patch.setenv("TALK", ident)


def an_editor(around: Around) -> None:
    around.patch.setenv("EDITOR", "true")


def a_vi(around: Around) -> None:
    around.patch.delenv("EDITOR", raising=False)
    around.patch.delenv("VISUAL", raising=False)
    program = around.write(str(around.home.parent / "bin" / "vi"), "#!/bin/sh\n")
    program.chmod(0o755)
    around.patch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def a_model_host(around: Around) -> None:
    host = around.opened.enter_context(ModelHost(b"GGUF" + bytes(100_000)))
    around.patch.setenv("GPTASST_LOCAL_MODEL", host.url)
    around.patch.setenv("MODEL_HOST", host.url)


def a_model_that_breaks_off(around: Around) -> None:
    host = around.opened.enter_context(ModelHost(b"GGUF" + bytes(100_000)))
    host.breaks = [50_000]
    around.patch.setenv("GPTASST_LOCAL_MODEL", host.url)


def a_model_that_is_not_whole(around: Around) -> None:
    host = around.opened.enter_context(ModelHost(b"GGUF" + bytes(100_000)))
    digest = hashlib.sha256(host.content).hexdigest()
    around.config(f'[local]\nmodel = "{host.url}"\nsha256 = "{digest}"\n')
    (path,) = around.cli("local", "setup", "-q").lines
    Path(path).write_bytes(b"GGUX")


def a_wheel(problem: str) -> Prepare:
    """The default model's wheel can't be fetched; then it can (as far as the command goes)."""

    def prepare(around: Around) -> None:
        around.patch.delenv("GPTASST_LOCAL_MODEL", raising=False)

        def installer(wanted: Path, target: Path) -> list[str]:
            del wanted
            make = {
                "fails": "import sys; sys.exit('no such package')",
                "endless": f"open({str(target / 'x')!r}, 'wb').write(bytes(3_000_000))",
                "broken": f"open({str(target / 'x.whl')!r}, 'wb').write(b'no wheel')",
            }[problem]
            return [sys.executable, "-c", make + "; import time; time.sleep(0.3)"]

        around.patch.setattr(download, "_installer", installer)
        if problem == "endless":
            around.patch.setattr(service, "_WHEEL_BYTES", 1000)

    return prepare


def the_model_is_there(around: Around) -> None:
    """What the installer brings is not what this is about."""
    around.patch.setattr(
        service, "_fetch_default", lambda model, _: model.path.write_bytes(b"GGUF")
    )


def no_installer(around: Around) -> None:
    around.patch.delenv("GPTASST_LOCAL_MODEL", raising=False)
    find = importlib.util.find_spec
    around.patch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pip" else find(name)
    )
    around.patch.setattr(download, "find_program", lambda _: None)


def without_engine(around: Around) -> None:
    around.patch.setattr(service, "is_installed", lambda: False)


def without_key(around: Around) -> None:
    around.without_key()


def two_uploads_of_one_name(around: Around) -> None:
    around.write("x/same.md", "one\n")
    around.write("y/same.md", "two\n")
    around.cli("file", "upload", "x/same.md", "y/same.md")


def unused_file_of_others(around: Around) -> None:
    from openai import OpenAI

    with OpenAI(base_url=around.server.base_url, api_key="x") as client:
        theirs = client.files.create(file=("theirs.md", b"theirs"), purpose="assistants").id
        client.vector_stores.files.create(
            only_store(around.server, "Docs").about["id"],
            file_id=theirs,
            attributes={"path": "theirs.md", "sha256": "0" * 64, "size": 6},
        )


def a_keyring_that_forgot(around: Around) -> None:
    from tests.cli.test_auth import MemoryKeyring

    before = keyring.get_keyring()
    around.opened.callback(keyring.set_keyring, before)
    made = MemoryKeyring()
    keyring.set_keyring(made)
    around.patch.delenv("OPENAI_API_KEY")
    around.cli("auth", "login", stdin=b"sk-0123456789abcdef\n")
    made.kept.clear()


def a_damaged_key_file(around: Around) -> None:
    around.patch.delenv("OPENAI_API_KEY")
    around.cli("auth", "login", stdin=b"sk-0123456789abcdef\n")
    (around.home / "config" / "keys.json").write_text("{")


def no_key_file(around: Around) -> None:
    (around.home / "config" / "keys.json").unlink()


def open_to_others(around: Around) -> None:
    around.patch.delenv("OPENAI_API_KEY")
    around.cli("auth", "login", stdin=b"sk-0123456789abcdef\n")
    (around.home / "config" / "keys.json").chmod(0o644)
    (around.home / "config").chmod(0o755)


def a_read_only_output(around: Around) -> None:
    around.write("out.md", "old").chmod(0o444)


def listed_models(*names: str) -> Prepare:
    def prepare(around: Around) -> None:
        around.server.models = list(names)
        around.patch.delenv("GPTASST_MODEL", raising=False)
        around.patch.delenv("OPENAI_BASE_URL", raising=False)
        around.config(
            f'profile = "own"\n[profiles.own]\nbase_url = "{around.server.base_url}"\n'
            'store = "local"\n'
        )

    return prepare


def vectors_are_missing(around: Around) -> None:
    around.patch.setenv("GPTASST_STORE", "local")
    around.cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md")
    around.patch.setenv("GPTASST_EMBEDDING_MODEL", "mean-1")


def without_pptx(around: Around) -> None:
    around.patch.setitem(sys.modules, "pptx", None)
    around.write("x.pptx", b"PK\x03\x04")


def a_cloned_instruction(around: Around) -> None:
    around.write(
        "instructions/MarkdownLinter.toml", 'instructions = "x"\n[tools]\nweb_search = true\n'
    )


def ending(around: Around) -> None:
    models = [{"id": "soon-over", "object": "model", "created": 1, "shutdown_date": "2000-01-01"}]
    around.server.disturb("GET", "/v1/models", HttpAnswer(json_reply({"data": models})), times=2)


def without_v1(around: Around) -> None:
    url = around.server.base_url.removesuffix("/v1")
    around.config(
        f'profile = "own"\n[profiles.own]\nbase_url = "{url}"\nmodel = "m"\nstore = "local"\n'
    )


LOCAL = setting(GPTASST_STORE="local")
NEW = {"NAME": "New", "INSTRUCTION": "DocWriter"}
# What is done before; the command; the place, or places, that print; and what else is in `Hint`.
HINTS = [
    # Assistants
    Hint(None, "assistant create Docs -i DocWriter", "name_taken: assistant edit {} …", {"…": "-m gpt-6-luna"}),
    Hint(None, "assistant edit Docs", "edit: assistant edit --help"),
    Hint(None, "assistant show", "_as_known: {}"),
    Hint(None, "assistant shwo", "Group.resolve_command: {}", more="Docs"),
    Hint(None, "assistant xyz", "Group.resolve_command: {}"),
    Hint(None, "assistant show Nobody", "no_assistant: assistant list"),
    Hint(written("b.toml", "instructions = 'Keep {{x}}.'\n"), "instruction export b.toml --format fabric", "_refuse_literal_braces: {}", more="-o out"),
    Hint(None, "assistant rollback Docs 9 -y", "no_revision: assistant history {}"),
    Hint(None, "assistant files remove Docs zzz", "named_files: assistant files list {}"),
    Hint(two_of_one_name, "assistant show Docs", "_ambiguous: assistant edit {} --rename NEW", again=True),
    Hint(a_lost_definition, "assistant show Docs", "_unusable_definition: assistant import FILE --name NEW", {"FILE": "docs.toml"}),
    Hint(a_deletion_that_was_cut, "assistant show Docs", "interrupted_deletion: assistant delete {} -y"),
    Hint(a_deletion_that_was_cut, "assistant list", "list_assistants: assistant delete {} -y", again=True),
    Hint(a_deletion_that_was_cut, "assistant create Docs -i DocWriter", "interrupted_deletion: assistant delete {} -y", again=True),
    Hint(a_deleted_upload, "assistant show Docs", "incomplete_text: assistant files sync {}", again=True),
    Hint(gone_from_disk, "assistant files sync Docs", "_nothing_here: assistant files remove {} FILE…"),
    Hint(no_assistants, "assistant list", "list_assistants: assistant create NAME -i INSTRUCTION"),
    Hint(no_knowledge, "assistant search Bare alpha", "_nothing: assistant files add {} FILE..."),
    Hint(typed("assistant export Docs -o d.toml --with-files kb"), "assistant export Docs -o e.toml --with-files kb2", "export: {}", more="--name E"),
    Hint(no_knowledge, "assistant files list Bare", "list_files: assistant files add {} FILE..."),
    Hint(of_a_newer_version, "assistant show Docs", "read_pointer: upgrade_command()"),
    Hint(an_expired_store, "run Docs -t x", "_expired: assistant export {}"),
    Hint(meanwhile("assistant edit Docs -m gpt-6.2-sol", "GET", 1), "assistant edit Docs -m gpt-6-terra", "edit_conflict: assistant show {}"),
    Hint(meanwhile("assistant delete Docs -y", "GET", 2), "assistant edit Docs -m gpt-6-terra", "deleted_meanwhile: assistant list"),
    Hint(meanwhile("assistant delete Docs -y", "POST"), "assistant edit Docs -m gpt-6-terra", "_WHAT_IS_THERE: assistant list"),
    Hint(both(written("kb/x.md", "x\n"), written("k.toml", 'name = "K"\ninstructions = "x"\nknowledge = ["kb"]\n')), "assistant import k.toml", "_what_a_sync_reads: assistant files sync {}"),
    Hint(written("saved.json", "{}"), "assistant import saved.json", "_saved_in: assistant export NAME"),
    Hint(both(failing_to_index, typed("assistant delete Docs -y")), "assistant create New -i DocWriter -f b.md c.md", "finish_change: {}", then=indexes_again),
    Hint(unused_file_of_others, "assistant files remove Docs theirs.md", "note_left: file delete {}", more="-y"),
    Hint(a_damaged_database, "assistant list", "ASSISTANTS: assistant import FILE", {"FILE": "docs.toml"}, moved_away, again=True),
    Hint(a_newer_database, "assistant list", "_bring_up.bring_up: upgrade_command()"),
    # Files
    Hint(None, "run Docs 'what is alpha?'", "_refuse_sentences: run {} -t {}"),
    Hint(None, "file show zzz", "_no_file: file list"),
    Hint(no_files, "file list", "list_files: file upload FILE..."),
    Hint(two_uploads_of_one_name, "file show same.md", "FileService._meant: file list"),
    Hint(both(written("d.md", "D.\n"), typed("file upload c.md d.md"), disturbed("DELETE", "/v1/files/*", 400, 1)), "file delete c.md d.md -y", "_partly_deleted: file delete {}", then=calm, more="-y"),
    Hint(both(LOCAL, disturbed("*", "/v1/files", 404)), "file upload c.md", "_no_endpoint: assistant create NAME -i INSTRUCTION -f FILE...", NEW),
    # Conversations and batches
    Hint(None, "conversation show zzz", "_LIST_HINT: conversation list"),
    Hint(the_conversation_of_definitions, "conversation show $TALK", "OpenAIConversations.look_up: conversation list"),
    Hint(None, "conversation list", ["list_conversations: chat NAME", "list_conversations: run NAME -c …"], {"…": "-t hello"}),
    Hint(None, "chat DocWriter", "chat: chat {} -c", given=b"one\n"),
    Hint(None, "batch list", "list_batches: run NAME FILE... --each --batch -o DIR", {"NAME": "DocWriter"}),
    Hint(None, "batch show zzz", "_WHAT_IS_THERE: batch list"),
    Hint(None, BATCH, "show_submission: batch fetch {}"),
    Hint(a_batch_of_others, "batch show $BATCH", "BatchService.get: batch list"),
    Hint(a_batch, "batch cancel $BATCH", "BatchService.cancel: batch fetch {}"),
    Hint(both(slow_batches, a_batch), "batch fetch $BATCH", "_not_over: batch fetch {} --wait", then=quick_batches),
    Hint(both(slow_batches, a_batch, lambda a: a.patch.setattr(batches, "_LONGEST_WAIT", -1.0)), "batch fetch $BATCH --wait", "BatchService.wait: batch show {}"),
    Hint(a_batch_of_another_machine, "batch fetch $BATCH", "_not_submitted_here: batch fetch {} -o DIR"),
    # Instructions
    Hint(None, "instruction show Zzz", "InstructionLibrary._missing: instruction list"),
    Hint(both(LOCAL, an_editor), "instruction new Mine", "new: instruction edit {}"),
    Hint(both(typed("instruction new Mine"), an_editor), "instruction new Mine", "InstructionService.new: instruction edit {}"),
    Hint(both(typed("instruction new Mine"), a_vi), "instruction edit Mine", "_open_editor: export EDITOR=vi", again=True),
    Hint(both(written("x.toml", MCP), setting(T_KEY="tk-0123456789")), "run ./x.toml -t x", "McpKeys.key: config set {}.{} {}", again=True),
    Hint(both(written("x.toml", MCP), configured('[mcp_keys]\nT_KEY = "t.example"\n')), "run ./x.toml -t x", "McpKeys.key: export {}=…", {"…": "tk-0123456789"}, again=True),
    Hint(written("x.toml", 'extends = "Nothing"\n'), "run ./x.toml -t x", "InstructionLibrary._extended: instruction list"),
    Hint(written("x.toml", "format = 99\n"), "run ./x.toml -t x", "_refuse_newer: upgrade_command()"),
    Hint(None, "run Nobody -t x", ["_nearest: assistant list", "_nearest: instruction list"]),
    # Runs
    Hint(refused(404, "model_not_found"), "run DocWriter -t x -m nope", "_no_model: model list"),
    Hint(refused(403, "insufficient_permissions"), "run DocWriter -t x", "_no_access: doctor"),
    Hint(None, "run DocWriter -t x -o no/where.md", "check_output: mkdir -p {}", again=True),
    Hint(a_read_only_output, "run DocWriter -t x -o out.md", "refuse_read_only: chmod u+w {}", again=True),
    Hint(both(typed("assistant create Web -i DocWriter --web-search"), refused(400, message="Tool 'web_search' not found")), "run Web -t x", "_way_out: {}", again=True),
    Hint(both(an_editor, written("instructions/Web.toml", 'instructions = "x"\n[tools]\nweb_search = true\n'), refused(400, message="Tool 'web_search' not found")), "run Web -t x", "_way_out: instruction edit {}"),
    Hint(without_pptx, "run DocWriter x.pptx -m gpt-6-luna --dry-run", "read_document: install_command({})"),
    # Models
    Hint(listed_models("one", "two"), "run DocWriter -t x", "ModelChoice._setting: config set {} {}", again=True),
    Hint(both(an_editor, written("instructions/Old.toml", 'instructions = "x"\nmodel = "gpt-4"\n')), "run Old -t x", "ModelEnds.of_run: instruction edit {}"),
    Hint(typed("assistant create Old -i DocWriter -m gpt-4"), "run Old -t x", "ModelEnds.of_assistant: {} -m {}", again=True),
    Hint(setting(GPTASST_MODEL="gpt-4"), "run DocWriter -t x", "ModelEnds.of_profile: export {}={}", again=True),
    # Configuration and keys
    Hint(None, "config set profiles.openai.api_key sk-0123456789abcdef0123", "_refuse_secret: {}auth login"),
    Hint(a_keyring_that_forgot, "run DocWriter -t x", "StoredKeys.get: {}", again=True),
    Hint(a_damaged_key_file, "run DocWriter -t x", "StoredKeys._read: auth login", then=no_key_file, again=True),
    Hint(setting(OPENAI_API_KEY=None), "auth logout", "AuthService.logout: auth status"),
    Hint(configured('profile = "own"\n[profiles.own]\nbase_url = "SERVER"\napi_key_env = "OWN_KEY"\nmodel = "m"\nstore = "local"\n'), "run DocWriter -t x", "Profile.require_key: export {}=…", {"…": "sk-own"}, again=True),
    Hint(configured('profile = "own"\n[profiles.own]\nbase_url = "SERVER"\nheader_env = { "api-key" = "OWN_KEY" }\nmodel = "m"\nstore = "local"\n'), "run DocWriter -t x", ["Profile.require_key: auth login --header {}"], again=True),
    # The first steps
    Hint(None, "", "MachineContext.first_step: run MarkdownLinter -f FILE"),
]  # fmt: skip
HINTS += [
    Hint(both(configured("profile = 3\n")), "", "MachineContext.first_step: doctor", ends=(0, 6)),
    Hint(without_key, "", "MachineContext.first_step: auth login"),
    Hint(both(without_key, without_engine), "", "MachineContext.first_step: auth login"),
    Hint(without_key, "file list", "server_endpoint: auth login"),
    Hint(both(without_key, without_engine), "run DocWriter -t x", ["_first_hint: auth login", "_first_hint: install_command(local)"]),
    Hint(without_engine, "run DocWriter -t x --profile local", "_install_hint: install_command(local)"),
    Hint(setting(SHELL="/bin/weird"), "completion install", "current_shell: completion install SHELL"),
    Hint(setting(PATH="/nonexistent"), "completion install powershell", "_profile: completion show powershell"),
    # The embedded model
    Hint(a_model_host, "local status", "_show: local setup"),
    Hint(without_engine, "local status", "_show: install_command(local)"),
    Hint(a_model_that_breaks_off, "local setup", "download: local setup", again=True),
    Hint(a_wheel("fails"), "local setup", "download_wheel: local setup", then=the_model_is_there),
    Hint(a_wheel("endless"), "local setup", "_refuse_endless: local setup", then=the_model_is_there),
    Hint(a_wheel("broken"), "local setup", "_fetch_default: local setup", then=the_model_is_there),
    Hint(no_installer, "local setup", "_installer: python -P -m ensurepip"),
    Hint(setting(GPTASST_LOCAL_MODEL="missing.gguf"), "local setup", "ensure_present: local status"),
    # What doctor finds
    Hint(a_cloned_instruction, "doctor --json", "instruction_findings: export GPTASST_NO_PROJECT=1"),
    Hint(configured('profile = "opnai"\n'), "doctor --json", "_unknown_profile: config set profile {}"),
    Hint(open_to_others, "doctor --json", ["_permission_findings: chmod 600 {}", "_permission_findings: chmod 700 {}"]),
    Hint(setting(SHELL="/bin/bash", HOME="."), "doctor --json", "completion_findings: completion install {}"),
    Hint(without_key, "doctor --json", "key_findings: auth login"),
    Hint(a_damaged_key_file, "doctor --json", ["_key_fix: rm {}"]),
    Hint(setting(OPENAI_API_KEY="sk-\N{BULLET}"), "doctor --json", ["_key_fix: auth login", "_key_fix: unset {}"]),
    Hint(damaged("cache.sqlite3"), "doctor --json", "cache_findings: cache rebuild"),
    Hint(damaged("runs.sqlite3"), "doctor --json", "cache_findings: rm {}"),
    Hint(an_odd_cache, "doctor --json", "_cache_finding: cache rebuild"),
    Hint(a_newer_cache, "doctor --json", "_cache_finding: upgrade_command()"),
    Hint(a_damaged_database, "doctor --json", "database_findings: mv {} {}"),
    Hint(both(without_key, without_engine), "doctor --json --profile local", "embedded_findings: install_command(local)"),
    Hint(both(without_key, a_model_host), "doctor --json --profile local", "embedded_findings: local setup"),
    Hint(a_model_that_is_not_whole, "doctor --json", ["_file_finding: rm {}"]),
    Hint(setting(OPENAI_BASE_URL="http://example.com/v1"), "doctor --json", "_with_tls: export {}={}"),
    Hint(both(setting(LAN_KEY="k", OPENAI_BASE_URL=None), configured('profile = "lan"\n[profiles.lan]\nbase_url = "http://example.com/v1"\napi_key_env = "LAN_KEY"\n')), "doctor --json", "_with_tls: config set profiles.{}.base_url {}"),
    Hint(two_of_one_name, "doctor --json", "assistant_findings: assistant edit {} --rename {}"),
    Hint(a_deletion_that_was_cut, "doctor --json", "assistant_findings: assistant delete {} -y"),
    Hint(failing("_assistants"), "doctor --json", "assistant_findings: assistant list"),
    Hint(failing("_knowledge"), "doctor --json", "knowledge_findings: assistant list"),
    Hint(both(vectors_are_missing, failing("_without_vectors")), "doctor --json", "vector_findings: assistant list"),
    Hint(a_deleted_upload, "doctor --json", "knowledge_findings: assistant files sync {}", again=True),
    Hint(both(vectors_are_missing, setting(GPTASST_EMBEDDING_MODEL=None)), "assistant search Docs two words", "search: assistant search {} {}"),
    Hint(vectors_are_missing, "assistant search Docs alpha", "_sync: assistant files sync {}", again=True),
    Hint(both(vectors_are_missing, disturbed("POST", "/v1/embeddings", 404, message="Model 'mean-1' not found.")), "assistant files sync Docs", "EmbeddingGateway._refuse_missing: model list"),
    Hint(vectors_are_missing, "doctor --json", "vector_findings: assistant files sync {}", again=True),
    Hint(an_unused_file, "doctor --json", "file_findings: file prune", more="-y --min-age 0"),
    Hint(failing("_leftovers"), "doctor --json", "file_findings: file prune --dry-run"),
    Hint(lambda a: a.server.files.clear(), "doctor --json", "file_findings: cache verify", ends=(0, 6)),
    Hint(setting(GPTASST_MODEL="nope"), "doctor --json", "_profile_model: model list"),
    Hint(listed_models("one", "two"), "doctor --json", "_no_model: model list"),
    Hint(both(setting(GPTASST_MODEL="gpt-4")), "doctor --json", "ModelEnds.of_profile: export {}={}"),
    Hint(both(setting(GPTASST_STORE="openai"), disturbed("GET", "/v1/vector_stores", 404)), "doctor --json", "another_value: export {}={}"),
    Hint(disturbed("GET", "/v1/models", 500), "doctor --json", "_refused: doctor", then=calm),
    Hint(disturbed("*", "*", 500), "doctor --json", "_silent: doctor", then=calm),
    Hint(setting(SSL_CERT_FILE="/not/there", OPENAI_BASE_URL="https://127.0.0.1:9/v1"), "doctor --json", "_silent: unset {}"),
    Hint(setting(OPENAI_BASE_URL="http://127.0.0.1:9/v1"), "doctor --json", "without_url: unset {}"),
    Hint(a_proxy_that_answers_itself, "doctor --json", "_nothing_there: unset {}"),
    Hint(setting(GPTASST_TIMEOUT="soon"), "doctor --json", "_problem: unset {}", again=True),
    Hint(setting(GPTASST_PROFILE="opnai"), "doctor --json", "_unknown_profile: unset GPTASST_PROFILE", again=True),
    Hint(setting(GPTASST_LOCAL_MODEL="missing.gguf"), "doctor --json", "_another_file: unset GPTASST_LOCAL_MODEL", again=True),
    Hint(an_unreadable_model, "doctor --json", "_file_finding: chmod u+r {}"),
    Hint(a_terminal_of_latin_1, "doctor --json", "_terminal_findings: export PYTHONUTF8=1"),
    Hint(another_key, "doctor --json", ["new_key: unset {}", "new_key: auth login"], again=True),
    Hint(both(another_key, setting(OWN_KEY="x", OPENAI_BASE_URL=None), configured('profile = "own"\n[profiles.own]\nbase_url = "SERVER"\nheader_env = { "api-key" = "OWN_KEY" }\n')), "doctor --json", "new_key: auth login --header {}"),
    Hint(both(setting(OPENAI_BASE_URL=None), configured('profile = "own"\n[profiles.own]\nbase_url = "SERVER"\nheader_env = { "api-key" = "OWN_KEY" }\n')), "doctor --json", "_key_fix: auth login --header {}"),
    Hint(both(setting(OPENAI_BASE_URL=None, OPENAI_API_KEY=None, GPTASST_MODEL=None), configured('profile = "own"\n[profiles.own]\nbase_url = "SERVER"\nstore = "openai"\n'), disturbed("GET", "/v1/vector_stores", 404)), "doctor --json", "another_value: config set profiles.{}.{} {}"),
    Hint(both(setting(GPTASST_MODEL=None), configured('[profiles.openai]\nmodel = "gpt-4"\n')), "run DocWriter -t x", "ModelEnds.of_profile: config set {} {}", again=True),
    Hint(both(setting(GPTASST_MODEL=None), typed("assistant create Old -i DocWriter -m soon-over"), ending), "doctor --json", "_other_model: model list"),
    Hint(both(setting(OPENAI_BASE_URL=None, OPENAI_API_KEY=None), without_v1), "run DocWriter -t x", "ServerContext._tell_moved: config set {} {}", again=True),
    Hint(no_socks, "run DocWriter -t x", "no_socks: install_command(socks)"),
    Hint(both(without_key, a_wheel("fails")), "run DocWriter -t x", "MachineContext.fallback_note: auth login"),
    Hint(both(without_key, written("bad.gguf", "GGUF nothing"), setting(GPTASST_LOCAL_MODEL="bad.gguf")), "run DocWriter -t x", "EmbeddedEngine.endpoint: local status"),
]  # fmt: skip

HOLDS = '[[case]]\nname = "one"\ninput = "sheep"\ncontains = ["sheep"]\n'
FAILS = HOLDS.replace('["sheep"]', '["goats"]')
FOR_SEARCH = '[[case]]\nname = "one"\ninput = "This is a"\ncites = ["a.md"]\n'
MCP = 'instructions = "x"\n[[tools.mcp]]\nlabel = "t"\nurl = "https://tickets.example.com/mcp"\nkey_env = "TICKETS_KEY"\napproval = "never"\n'
SKILL = "---\nname: pdf\ndescription: d\n---\nDo.\n"


def answers_well(around: Around) -> None:
    around.server.answer = "goats"


HINTS += [
    # Typing errors
    Hint(None, "run DocWriter -t x --profile ollama", "_known_profiles: config set profiles.{}.base_url URL", {"URL": "http://127.0.0.1:1/v1"}),
    Hint(None, "run DocWriter -t x --key k", "foreign_option: auth login"),
    Hint(None, "run DocWriter -t x --system y", "foreign_option: instruction new NAME", {"NAME": "Mine"}),
    Hint(None, "-m x hello", "foreign_option: run --help"),
    Hint(None, "run a.md", "name_left_out: run NAME {}", {"NAME": "DocWriter"}),
    Hint(None, "run -f a.md DocWriter", "name_taken_for_file: {}"),
    # Cases
    Hint(written("x.cases.toml", HOLDS), "test Docs", "_nothing_to_test: {}", {"FILE": "x.cases.toml"}),
    Hint(written("x.cases.toml", HOLDS), "test x.cases.toml", "definition_of_cases: {}"),
    Hint(written("x.cases.toml", HOLDS), "test Docs -f x.cases.toml", "_refuse_inputs: {}"),
    Hint(written("x.cases.toml", HOLDS), "run x.cases.toml -t x", "document_of: {}", {"NAME": "Docs"}),
    Hint(written("C.toml", f'instructions = "x"\n{HOLDS}'), "test Docs --cases C.toml", "read_cases_file: test {}"),
    Hint(both(written("instructions/C.toml", 'instructions = "x"\n'), written("instructions/C.cases.toml", HOLDS.replace('input = "sheep"', 'file = "a.md"')), written("instructions/a.md", "sheep")), "instruction new D --from C", "_copied_cases: {}"),
    Hint(written("x.cases.toml", FOR_SEARCH), "test DocWriter --cases x.cases.toml --retrieval-only", "CaseService.start: test ASSISTANT --cases FILE", {"ASSISTANT": "Docs", "FILE": "x.cases.toml"}, more="--retrieval-only", ends=(0, 6)),
    Hint(both(written("instructions/C.toml", 'instructions = "x"\n'), written("instructions/C.cases.toml", FAILS)), "test C", "error_of: {}", then=answers_well),
    Hint(written("x.cases.toml", FAILS), "test Docs --cases x.cases.toml", "error_of: {}", then=answers_well),
    Hint(both(written("x.cases.toml", HOLDS), typed("assistant edit Docs -m gpt-6.2-sol --cases x.cases.toml")), "test Docs Docs --compare 1", "run_cases: test NAME --compare REVISION", {"NAME": "Docs", "REVISION": "1"}, ends=(0, 6)),
    Hint(both(written("C.toml", 'instructions = "x"\n'), written("C.cases.toml", HOLDS), written("OLD.toml", 'instructions = "y"\n')), "test C.toml --compare 1", "subjects_to_compare: {}", ends=(0, 6)),
    Hint(None, "assistant edit Docs -m gpt-6.2-sol --tested", "TestedChanges._test: {}", {"FILE": "x.cases.toml"}, then=written("x.cases.toml", HOLDS), again=True),
    Hint(both(written("x.cases.toml", FAILS), typed("assistant edit Docs --cases x.cases.toml")), "assistant edit Docs -m gpt-6.2-sol --tested", "_held_back: run {} FILE…"),
    # MCP servers
    Hint(written("instructions/M.toml", MCP), "run M -t x", "McpKeys.key: config set {}.{} {}"),
    Hint(both(written("instructions/M.toml", MCP), typed("config set mcp_keys.TICKETS_KEY tickets.example.com")), "run M -t x", "McpKeys.key: export {}=…", {"…": "key-1"}, again=True),
    # Money
    Hint(None, "run DocWriter -t x -m unpriced --max-cost 1", "price_unknown: config set {} USD", {"USD": "1"}),
    Hint(typed("config set usage.record false"), "usage", "usage: config set usage.record true"),
    Hint(None, "assistant export", "export: assistant export --all -o DIR", {"DIR": "all"}),
    Hint(both(written("as/New.toml", 'name = "New"\ninstructions = "x"\n'), typed("apply as -y"), lambda a: a.cli("assistant", "edit", "New", "-m", "gpt-6-terra")), "assistant show New", "_file: apply {}", more="-y"),
    # Assistants as code, and other tools' formats
    Hint(both(two_of_one_name, written("as/Docs.toml", 'name = "Docs"\ninstructions = "x"\n')), "apply as -n", "_refuse_ambiguous: assistant edit {} --rename NEW", again=True),
    Hint(written("as/New.toml", 'name = "New"\ninstructions = "x"\n'), "apply as --check", "_would_change: apply {}", more="-y", again=True),
    Hint(both(written("as/New.toml", 'name = "New"\ninstructions = "x"\n'), typed("apply as -y"), of_an_earlier_version), "apply as --prune -y", "_tell_about: assistant delete {}", more="-y"),
    Hint(both(written("pdf/SKILL.md", SKILL), written("pdf/references/a.md", "a")), "instruction import pdf --project", "InstructionImporter._planned: assistant create {}"),
]  # fmt: skip

# Commands without an open word, in a text that is hard to provoke; a row does the same one.
SAME = {
    "_SMALL: auth login": "server_endpoint: auth login",
    "_WHAT_IS_THERE: conversation list": "_LIST_HINT: conversation list",
    "_WHAT_IS_THERE: file list": "_no_file: file list",
    "_WHAT_THERE_IS: model list": "_no_model: model list",
}

# Places that other tests follow.
ELSEWHERE = {
    "tell_long_run: run {}": "embedded/test_long_runs.py::test_a_directory_is_better_run_file_by_file",
    "OpenAIGateway._refuse_answered: conversation show {}": "faults/test_each_request.py::test_the_lost_answer_is_where_the_hint_says",
    "_prompt: run NAME -c --json": "cli/test_every_hint.py::test_a_chat_at_a_terminal",
    "_too_late: local setup": "embedded/test_time_limit.py::test_a_host_that_falls_silent",
    "BatchService._typed_again: {}": "cli/test_following_advice.py::test_a_batch",
}  # fmt: skip


@pytest.fixture
def around(
    cli: Cli, project: LoopbackServer, home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Around]:
    for name in ("a", "b", "c"):
        write(f"{name}.md", f"This is {name}.\n")
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
    monkeypatch.setenv("HOME", str(home.parent))  # `completion install` writes there
    made = Around(cli, project, home, write, monkeypatch)
    with made.opened:
        yield made


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: f"{hint.line} {hint.places}"[:80])
def test_the_next_step_works(around: Around, hint: Hint) -> None:
    follow(around, hint)


def test_a_chat_at_a_terminal(around: Around) -> None:
    seen = on_terminal("chat", "DocWriter", "--json")
    assert "`gptasst run NAME -c --json`" in seen.screen
    assert around.cli("run", "DocWriter", "-c", "--json", "-t", "x").code == 0


def test_every_place_is_followed() -> None:
    """Who adds a command to a message or hint adds a row, or a test that does it."""
    rows = [key for hint in HINTS for key in hint.keys]
    followed = {*rows, *ELSEWHERE, *SAME}
    assert (sorted(set(PLACES) - followed), sorted(followed - set(PLACES))) == ([], [])
    for key, row in SAME.items():
        assert row in rows
        assert PLACES[key].template == PLACES[row].template
    for test in ELSEWHERE.values():
        path, _, name = test.partition("::")
        assert f"def {name.rpartition('::')[2]}(" in (ROOT / "tests" / path).read_text("utf-8")
