"""The cases of MarkdownLinter that even the embedded model holds: it is safe, if not good."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli

pytestmark = pytest.mark.embedded


def test_the_embedded_model_edits_safely(cli: Cli, embedded: Path) -> None:
    del embedded
    ran = cli("test", "MarkdownLinter", "--case", "keeps*", "leaves*", "does*")
    assert (ran.code, len(ran.lines)) == (0, 4), ran.text + ran.stderr
