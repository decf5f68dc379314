"""From words on a command line to files: names, patterns, directories."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.hints import nearest, suggestion
from gptasst.inputs.ignore import rules_above
from gptasst.inputs.tree import Yield, files_below, files_matching, link_trouble
from gptasst.inputs.types import Refusal


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a word means, with its place among those of the word (see `placed_files`).

    `named` is whether the word is its own name, and no directory or pattern.
    """

    path: Path
    place: Path
    named: bool


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files that words mean, each once; what was passed over, and what could not be read."""

    files: tuple[FoundFile, ...]
    skipped: tuple[Refusal, ...] = ()
    unreadable: tuple[Refusal, ...] = ()


def expand_words(words: Iterable[str]) -> list[Path]:
    """Turn file names, patterns and directories into files, in order, each once.

    A word that exists is itself. A directory means the files below it that git does not leave
    out (names starting with a dot are left out too). A word with `*`, `?` or `[` is a pattern,
    `**` included. Of a file and links to it, what is found first is meant, the file before links.

    Raises:
        InvalidInput: nothing has that name, or a pattern or directory yields nothing.
    """
    return [file.path for file in find_files(words).files]


def placed_files(words: Iterable[str]) -> dict[Path, Path]:
    """The files that `expand_words` gives, each with its place among those of its word.

    Below a directory, and below the fixed beginning of a pattern with `**`, the place is the
    path from there; of any other word it is the file's name.
    """
    return {file.path: file.place for file in find_files(words).files}


def find_files(words: Iterable[str]) -> FoundFiles:
    """The files that words mean, with what was passed over.

    Raises:
        InvalidInput: see `expand_words`.
    """
    files: dict[str, FoundFile] = {}
    skipped: dict[str, Refusal] = {}
    unreadable: dict[str, Refusal] = {}
    for word in words:
        base = _base(word)
        found = _expand_word(word)
        named = names_a_file(word)
        for path, real in found.files.items():
            place = path.relative_to(base) if base else Path(path.name)
            file = FoundFile(path, place, named)
            if files.setdefault(real, file).path.is_symlink():  # its own name is better
                files[real] = file if not path.is_symlink() else files[real]
        skipped.update((refusal.path, refusal) for refusal in found.skipped)
        unreadable.update((refusal.path, refusal) for refusal in found.unreadable)
    return FoundFiles(tuple(files.values()), tuple(skipped.values()), tuple(unreadable.values()))


def names_a_file(word: str) -> bool:
    """Whether a word is a file's own name, and no directory or pattern."""
    return os.path.exists(word) and not os.path.isdir(word)


def _base(word: str) -> Path | None:
    if os.path.isdir(word):
        return Path(word)
    parts = Path(word).parts
    if os.path.exists(word) or "**" not in parts:
        return None
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), parts))


def is_found_below(directory: Path, path: Path) -> bool:
    """Whether the directory, given as a word, means that file too, once it is there."""
    try:
        parts = path.absolute().relative_to(directory.absolute()).parts
    except ValueError:
        return False
    rules, here = rules_above(directory), directory
    for number, part in enumerate(parts, start=1):
        rules = rules.within(here)
        here /= part
        if part.startswith(".") or rules.leave_out(here, is_dir=number < len(parts)):
            return False
    return True


def _expand_word(word: str) -> Yield:
    path = Path(word)
    if os.path.isdir(word):
        found = files_below(path)
        found.files = dict(sorted(found.files.items()))
        hint = "hidden files and those that git ignores are passed over: name them"
        return _not_empty(found, f"no files in directory `{word}`", hint)
    if os.path.exists(word):
        return Yield(path, {path: os.path.realpath(path)})
    if glob.has_magic(word):
        return _not_empty(files_matching(word), f"no file matches `{word}`", None)
    raise no_such_file(path)


def _not_empty(found: Yield, message: str, hint: str | None) -> Yield:
    passed_over = [*found.unreadable, *found.skipped]
    if found.files:
        return found
    if passed_over:
        more = f" (and {len(passed_over) - 1} more)" if len(passed_over) > 1 else ""
        raise InvalidInput(
            f"{message}: {passed_over[0].reason}{more}",
            code="unreadable" if found.unreadable else "nothing_taken",
        )
    raise InvalidInput(message, hint=hint)


def no_such_file(path: Path) -> InvalidInput:
    """The error where a name that was given means nothing; it says what is in the way."""
    for place in (path, *path.parents):
        trouble = link_trouble(place)
        if trouble:
            return InvalidInput(f"`{place}` {trouble}", code="no_such_file")
    try:
        path.lstat()
    except (PermissionError, NotADirectoryError) as error:
        return InvalidInput(
            f"`{path}` can't be reached: {_in_the_way(path, error)}", code="no_such_file"
        )
    except OSError:
        pass
    return InvalidInput(f"no such file: `{path}`", hint=_nearby(path), code="no_such_file")


def _in_the_way(path: Path, error: OSError) -> str:
    for parent in reversed(path.parents):
        if isinstance(error, NotADirectoryError) and parent.is_file():
            return f"`{parent}` is not a directory"
        if isinstance(error, PermissionError) and not os.access(parent, os.X_OK):
            return f"no permission to look into `{parent}`"
    return error.strerror or "unknown"


def _nearby(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        near = nearest(path.name, (entry.name for entry in path.parent.iterdir()))
        return suggestion(path.parent / near) if near else None
    return None
