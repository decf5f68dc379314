"""Export a store as a directory of definitions; applying that changes nothing."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.apply.reading import read_knowledge_words
from gptasst.assistants.exported_files import require_new, write_knowledge
from gptasst.definitions.toml import dump_definition
from gptasst.definitions.types import CASES_ENDING
from gptasst.errors import GptasstError, InvalidInput
from gptasst.inputs.reading import Refusal
from gptasst.inputs.screening import Screening
from gptasst.storage.atomic_files import replace_file
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.assistants.store import AssistantStore
    from gptasst.assistants.types import Assistant
    from gptasst.uploads.cache import FileCache

_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_MOST_BYTES = 120  # characters of a file name
# Names reserved by Windows.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@dataclass(frozen=True, slots=True)
class ExportedDefinition:
    """An assistant, and the file of its definition.

    `files` is the number of written knowledge files.
    """

    name: str
    path: str
    files: int = 0


@dataclass(frozen=True, slots=True)
class ExportedDirectory:
    """The result of an export; `notes` list what applying it would change."""

    directory: str
    assistants: tuple[ExportedDefinition, ...]
    failed: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


def export_all(
    store: AssistantStore,
    open_cache: Callable[[], FileCache],
    directory: Path,
    knowledge: Path | None,
) -> ExportedDirectory:
    """Write the definition of every assistant, and its knowledge.

    Args:
        store: the store.
        open_cache: opens the cache, which finds local files by content.
        directory: a new directory for the definitions.
        knowledge: a directory for their knowledge; `None` does not export it, and `apply` will not
            change it.

    Returns the result, and the knowledge files that could not be written.

    Raises:
        InvalidInput: the directory is not empty, or can't be written to.
    """
    require_new(directory)
    taken: set[str] = set()
    done, failed, notes = [], [], []
    for summary in store.list():
        if summary.state in ("creating", "deleting", "unreadable"):
            notes.append(f"`{summary.name}` is left out: its state is `{summary.state}`")
            continue
        assistant = store.get(summary.id)
        stem = _file_name(assistant.name, taken)
        path, files = directory / f"{stem}.toml", 0
        words: Sequence[str] = ()
        if knowledge is not None and assistant.knowledge:
            own = tuple(file for file in assistant.knowledge if file.sha256)
            place = knowledge / stem
            refused = write_knowledge(own, place, open_cache(), store.content)
            failed += [Refusal(one.path, f"`{assistant.name}`: {one.reason}") for one in refused]
            files = len(own) - len(refused)
            words, problem = _words(assistant, path, place, open_cache)
            if problem:
                notes.append(f"`{assistant.name}`: {problem}")
        text = dump_definition(replace(assistant.definition, knowledge=tuple(words)))
        try:
            replace_file(path, text.encode("utf-8"))
        except OSError as error:
            raise InvalidInput(f"`{path}` can't be written: {error.strerror}") from None
        done.append(ExportedDefinition(assistant.name, path.as_posix(), files))
    return ExportedDirectory(directory.as_posix(), tuple(done), tuple(failed), tuple(notes))


def _file_name(name: str, taken: set[str]) -> str:
    """A file name for an assistant, without suffix, that is valid on every system."""
    stem = _UNFIT.sub("_", name).strip(". ") or "_"
    if _DEVICES.fullmatch(stem) or f"{stem}.toml".endswith(CASES_ENDING):
        stem += "_"
    if len(stem.encode()) > _MOST_BYTES:
        mark = hashlib.sha256(name.encode()).hexdigest()[:8]
        stem = stem.encode()[: _MOST_BYTES - 9].decode("utf-8", "ignore") + f"-{mark}"
    free, number = stem, 2
    while free.casefold() in taken:
        free, number = f"{stem}-{number}", number + 1
    taken.add(free.casefold())
    return free


def _words(
    assistant: Assistant, path: Path, place: Path, open_cache: Callable[[], FileCache]
) -> tuple[Sequence[str], str | None]:
    """The words for `knowledge` with which applying finds the store's files.

    If there are none, also the reason; then the knowledge is left out and not changed.
    """
    prefix = os.path.relpath(place, path.parent).replace(os.sep, "/") + "/./"
    wanted = {(file.path, file.sha256) for file in assistant.knowledge if file.sha256}
    words, lost = [], []
    for kept in assistant.definition.knowledge:
        try:
            read_knowledge_words([prefix + kept], path, open_cache, Screening())
        except GptasstError:
            lost.append(kept)
        else:
            words.append(prefix + kept)
    try:
        read = read_knowledge_words(words, path, open_cache, Screening())
        found = {(source.path, source.sha256) for source in read.sources}
        words += sorted(prefix + file for file, _ in wanted - found)
        read = read_knowledge_words(words, path, open_cache, Screening())
    except GptasstError as error:
        return (), f"its knowledge is left alone: {error.message}"
    if {(source.path, source.sha256) for source in read.sources} != wanted:
        return (), "its knowledge is left alone, as files of it could not be written"
    if lost:
        named = ", ".join(f"`{word}`" for word in lost)
        return words, f"nothing is left of {named}, so `knowledge` has no such entry any more"
    return words, None
