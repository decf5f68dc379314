"""What a command prints as the next step does that step.

That each printed command is one that gptasst takes is looked at in every test (`cli` in
`conftest.py`). Here the next step is done, as it is printed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.assistants.project import only_store
from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer, outcomes
from tests.printed_commands import printed

# What people put in place of what a command leaves open.
FILLED = {
    "NAME": "Docs", "NEW": "Newer", "INSTRUCTION": "DocWriter", "FILE": "a.md", "FILE...": "a.md",
    "FILE…": "a.md", "SHELL": "bash", "DIR": "out", "ID": "conv_1", "PATH...": "a.toml",
}  # fmt: skip
Prepare = Callable[[Cli, LoopbackServer], object]


def nothing(cli: Cli, server: LoopbackServer) -> None:
    del cli, server


def follow(cli: Cli, ran: Ran, filled: Mapping[str, str], begins: str) -> Ran:
    """Run the printed command that begins so, with `filled` or the usual in place of its words."""
    found = [
        command for command, _ in printed(ran.stderr) if command.startswith(f"gptasst {begins}")
    ]
    assert found, ran.stderr
    words: list[str] = []
    for word in shlex.split(found[0])[1:]:
        words += shlex.split({**FILLED, **filled}.get(word, word))
    return cli(*words, stdin=b"sk-0123456789abcdef\n")


def two_of_one_name(cli: Cli, server: LoopbackServer) -> None:
    cli("assistant", "create", "Other", "-i", "DocWriter")
    only_store(server, "Other").about["name"] = "Docs"
    assert cli("cache", "clear", "-y").code == 0


def a_lost_definition(cli: Cli, server: LoopbackServer) -> None:
    cli("assistant", "export", "Docs", "-o", "docs.toml")
    server.conversations[only_store(server, "Docs").about["metadata"]["conversation"]].items.clear()
    cli("cache", "clear", "-y")


def a_deletion_that_was_cut(cli: Cli, server: LoopbackServer) -> None:
    server.disturb("DELETE", "/v1/vector_stores/*", outcomes.http_error(500), times=9)
    assert cli("assistant", "delete", "Docs", "-y").code == 1
    server.disturbances.clear()


def a_deleted_upload(cli: Cli, server: LoopbackServer) -> None:
    (gone,) = [i for i, stored in server.files.items() if stored.name == "a.md"]
    assert cli("file", "delete", gone, "-y").code == 0


def failing_to_index(cli: Cli, server: LoopbackServer) -> None:
    server.index_failures["b.md"] = ("server_error", "no")


def an_unused_upload(cli: Cli, server: LoopbackServer) -> None:
    assert cli("file", "upload", "c.md").code == 0


def gone_from_disk(cli: Cli, server: LoopbackServer) -> None:
    for name in ("a.md", "b.md"):
        Path(name).unlink()


def no_files(cli: Cli, server: LoopbackServer) -> None:
    server.files.clear()


# What is there before; the command; how what it prints begins; what is put in for open words.
HINTS: list[tuple[Prepare, str, str, dict[str, str]]] = [
    (nothing, "assistant create Docs -i DocWriter", "assistant edit", {"…": "-m gpt-6-luna"}),
    (nothing, "assistant edit Docs", "assistant edit --help", {}),
    (nothing, "assistant show Dox", "assistant list", {}),
    (nothing, "assistant show Nobody", "assistant list", {}),
    (nothing, "assistant rollback Docs 9 -y", "assistant history", {}),
    (nothing, "assistant files remove Docs zzz", "assistant files list", {}),
    (two_of_one_name, "assistant show Docs", "assistant edit", {}),
    (a_lost_definition, "assistant show Docs", "assistant import", {"FILE": "docs.toml"}),
    (a_deletion_that_was_cut, "assistant show Docs", "assistant delete", {}),
    (a_deletion_that_was_cut, "assistant list", "assistant delete", {}),
    (a_deletion_that_was_cut, "assistant create Docs -i DocWriter", "assistant delete", {}),
    (a_deleted_upload, "assistant show Docs", "assistant files sync", {}),
    (gone_from_disk, "assistant files sync Docs", "assistant files remove", {}),
    (nothing, "file show zzz", "file list", {}),
    (nothing, "conversation show zzz", "conversation list", {}),
    (nothing, "batch show zzz", "batch list", {}),
    (nothing, "instruction show Zzz", "instruction list", {}),
    (nothing, "run DocWriter a.md --each --batch -o out", "batch fetch", {}),
    (nothing, "conversation list", "chat", {}),
    (nothing, "conversation list", "run", {"…": "-t hello"}),
    (nothing, "batch list", "run", {"NAME": "DocWriter"}),
    (no_files, "file list", "file upload", {}),
]  # fmt: skip


@pytest.fixture
def docs(cli: Cli, project: LoopbackServer, write: Write) -> LoopbackServer:
    for name in ("a", "b", "c"):
        write(f"{name}.md", f"This is {name}.\n")
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
    return project


@pytest.mark.parametrize(("prepare", "line", "begins", "filled"), HINTS)
def test_the_next_step_works(
    cli: Cli,
    docs: LoopbackServer,
    prepare: Prepare,
    line: str,
    begins: str,
    filled: dict[str, str],
) -> None:
    prepare(cli, docs)
    ran = cli(*line.split())
    followed = follow(cli, ran, filled, begins)
    assert followed.code == 0, (ran.stderr, followed.stderr)


@pytest.mark.parametrize(
    "prepare",
    [a_deletion_that_was_cut, a_deleted_upload, two_of_one_name, an_unused_upload],
)
def test_what_doctor_prints_fixes_it(cli: Cli, docs: LoopbackServer, prepare: Prepare) -> None:
    prepare(cli, docs)
    before = _findings(cli)
    for fix in [fix for fix, severity in before.items() if severity != "ok"]:
        words = shlex.split(fix)
        if words[:2] in (["gptasst", "assistant"], ["gptasst", "file"], ["gptasst", "completion"]):
            filled = [FILLED.get(word, word) for word in words[1:]]
            asks = ["-y"] if filled[:2] == ["file", "prune"] else []
            assert cli(*filled, *asks).code == 0, fix
    left = {fix for fix in _findings(cli) if " assistant " in fix or " file " in fix}
    assert not left


def _findings(cli: Cli) -> dict[str, str]:
    found = cli("doctor", "--json").json["findings"]
    return {one["fix"]: one["severity"] for one in found if one["fix"]}


def test_what_was_left_of_a_create_is_added(cli: Cli, docs: LoopbackServer) -> None:
    failing_to_index(cli, docs)
    ran = cli("assistant", "create", "New", "-i", "DocWriter", "-f", "b.md", "c.md")
    assert ran.code == 6
    docs.index_failures.clear()
    assert follow(cli, ran, {}, "assistant files add").code == 0
    assert cli("assistant", "files", "list", "New", "-q").lines == ["b.md", "c.md"]
