"""What the tests of `run --each` share: files, and a model whose answer can be told in advance."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.loopback import LoopbackServer

_FILE = re.compile(r"<file path=\"[^\"]*\">\n(.*)</file>\Z", re.DOTALL)


def file_text(body: dict[str, Any]) -> str:
    """The text of the one file in a request. Where a file does not end its line, this does."""
    match = _FILE.search(body["input"][-1]["content"][-1]["text"])
    assert match is not None
    return match[1]


def shout(body: dict[str, Any]) -> str:
    return file_text(body).upper()


def make_files(count: int, directory: str = "in") -> list[Path]:
    """Files whose contents differ from each other."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    paths = [Path(directory, f"{number}.md") for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(f"file number {number}\n")
    return paths


def asked_for(server: LoopbackServer) -> Counter[str]:
    """How often the server was asked for each file's text."""
    return Counter(file_text(record.json) for record in server.requests)
