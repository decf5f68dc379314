"""From words on a command line to knowledge, and back to the files they name."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from gptasst.errors import InvalidInput, NotFound
from gptasst.models.assistants import Assistant
from gptasst.models.knowledge import KnowledgeFile, KnowledgeSource
from gptasst.path_words import expand_words

# As large as a file may be for OpenAI's file search.
_MAX_BYTES = 512 * 1024 * 1024


def read_sources(words: Sequence[str]) -> list[KnowledgeSource]:
    """Read the files that become knowledge.

    Raises:
        InvalidInput: one of them can't be read, is empty, or is too large.
    """
    return [_read_source(path) for path in expand_words(words)]


def _read_source(path: Path) -> KnowledgeSource:
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise InvalidInput(
                f"`{path}` is too large: {size:,} bytes, knowledge takes {_MAX_BYTES:,}",
                code="too_large",
            )
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"`{path}` can't be read: {error.strerror}") from None
    if not content:
        raise InvalidInput(f"`{path}` is empty")
    return KnowledgeSource(knowledge_path(path), content)


def knowledge_path(path: Path) -> str:
    """What a file is known by: relative to here if it lies below, else absolute."""
    absolute = path.absolute()
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()


def named_files(assistant: Assistant, words: Sequence[str]) -> list[KnowledgeFile]:
    """The knowledge files that ids, paths, patterns or directories mean, each once.

    Raises:
        NotFound: a word means none of them.
    """
    found: dict[str, KnowledgeFile] = {}
    for word in words:
        matches = [file for file in assistant.knowledge if _means(word, file)]
        if not matches:
            paths = [file.path for file in assistant.knowledge]
            near = difflib.get_close_matches(word, paths, n=1)
            listing = f"`gptasst assistant files list {assistant.name}` shows them"
            raise NotFound(
                f"`{assistant.name}` has no file `{word}`",
                hint=f"did you mean `{near[0]}`?" if near else listing,
            )
        found.update((file.id, file) for file in matches)
    return list(found.values())


def _means(word: str, file: KnowledgeFile) -> bool:
    path = knowledge_path(Path(word))
    if word == file.id or file.path in (word, path) or file.path.startswith(path + "/"):
        return True
    return glob.has_magic(word) and fnmatchcase(file.path, word)
