"""Where files lie that an assistant's knowledge is read from."""

from __future__ import annotations

import glob
from pathlib import Path

from gptasst.assistants.knowledge_files import words_of_collection
from gptasst.assistants.types import Assistant
from gptasst.inputs.watching import Places


def watched_places(assistant: Assistant) -> Places:
    """The directories in which a change may be one of an assistant's knowledge."""
    trees: list[Path] = []
    own = [file.path for file in assistant.knowledge if file.sha256]
    directories = [Path(path).parent for path in (*own, *assistant.gone)]
    for kept in assistant.definition.knowledge:
        for word in words_of_collection(kept):
            base, rest = _base(word)
            (directories if rest == 1 else trees).append(base)
    return Places.of(trees, directories)


def _base(word: str) -> tuple[Path, int]:
    """The directory that a directory or pattern begins in, and how many parts follow it."""
    parts = Path(word).parts
    fixed = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    rest = len(parts) - fixed
    return Path(*parts[:fixed]), rest + ("**" in parts)
