"""Every request of an assistant's life, held to OpenAI's published document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Cli
from tests.loopback import LoopbackServer
from tests.openapi import assert_valid_request


def test_an_assistants_life(
    cli: Cli, project: LoopbackServer, write: Callable[[str, str | bytes], Path], home: Path
) -> None:
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"# Guide {name}\n")
    life = [
        ("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs"),
        ("assistant", "list"),
        ("assistant", "edit", "Docs", "-m", "gpt-6.2-sol", "--rename", "Guides"),
        ("assistant", "history", "Guides"),
        ("assistant", "rollback", "Guides", "1", "-y"),
        ("assistant", "files", "set", "Guides", "docs/a.md"),
        ("run", "Guides", "-t", "guide"),
        ("assistant", "delete", "Guides", "-y"),
    ]
    for words in life:
        assert cli(*words).code == 0
    assert len({(record.method, record.path) for record in project.requests}) > 12
    for record in project.requests:
        assert_valid_request(record)
