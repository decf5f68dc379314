"""From words on a command line to files: names, patterns, directories."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.errors import InvalidInput

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    _Rules = list[tuple[Path, GitIgnoreSpec]]


def expand_words(words: Iterable[str]) -> list[Path]:
    """Turn file names, patterns and directories into files, in order, each once.

    A word that exists is itself. A directory means the files below it that `.gitignore` does
    not leave out (names starting with a dot are left out too). A word with `*`, `?` or `[` is
    a pattern, `**` included.

    Raises:
        InvalidInput: nothing has that name, or a pattern or directory yields nothing.
    """
    return list(placed_files(words))


def placed_files(words: Iterable[str]) -> dict[Path, Path]:
    """The files that `expand_words` gives, each with its place among those of its word.

    Below a directory, and below the fixed beginning of a pattern with `**`, the place is the
    path from there; of any other word it is the file's name.
    """
    found: dict[Path, Path] = {}
    for word in words:
        base = _base(word)
        for path in _expand_word(word):
            place = path.relative_to(base) if base else Path(path.name)
            found.setdefault(path, place)
    return found


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
    rules, here = _repository_rules(directory), directory
    for number, part in enumerate(parts, start=1):
        rules = _with_own_rules(rules, here)
        here /= part
        if part.startswith(".") or _ignored(here, rules, is_dir=number < len(parts)):
            return False
    return True


def _expand_word(word: str) -> Iterable[Path]:
    path = Path(word)
    if os.path.isdir(word):
        files = sorted(_files_below(path))
        if not files:
            raise InvalidInput(
                f"no files in directory `{word}`",
                hint="hidden files and those that .gitignore names are passed over: name them",
            )
        return files
    if os.path.exists(word):
        return [path]
    if glob.has_magic(word):
        matches = sorted(Path(match) for match in glob.glob(word, recursive=True))
        files = [match for match in matches if match.is_file()]
        if not files:
            raise InvalidInput(f"no file matches `{word}`")
        return files
    raise InvalidInput(f"no such file: `{word}`", hint=_nearby(path), code="no_such_file")


def _nearby(path: Path) -> str | None:
    import difflib

    with contextlib.suppress(OSError):
        names = [entry.name for entry in path.parent.iterdir()]
        near = difflib.get_close_matches(path.name, names, n=1)
        if near:
            return f"did you mean `{path.parent / near[0]}`?"
    return None


def _files_below(root: Path) -> Iterator[Path]:
    outer = _repository_rules(root)
    yield from _walk(root, outer)


def _walk(directory: Path, rules: _Rules) -> Iterator[Path]:
    rules = _with_own_rules(rules, directory)
    for entry in sorted(directory.iterdir()):
        if entry.name.startswith(".") or _ignored(entry, rules, is_dir=entry.is_dir()):
            continue
        if entry.is_dir():
            if not entry.is_symlink():  # a link back up would never end
                yield from _walk(entry, rules)
        elif entry.is_file():
            yield entry


def _repository_rules(root: Path) -> _Rules:
    """The `.gitignore` files from the repository's top down to above `root`."""
    rules: _Rules = []
    here = root.absolute()
    if (here / ".git").exists():
        return rules
    for parent in here.parents:
        if (parent / ".gitignore").is_file():
            rules.insert(0, (parent, _ignore_spec(parent / ".gitignore")))
        if (parent / ".git").exists():
            return rules
    return []


def _with_own_rules(rules: _Rules, directory: Path) -> _Rules:
    own = directory / ".gitignore"
    return [*rules, (directory, _ignore_spec(own))] if own.is_file() else rules


def _ignore_spec(path: Path) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(path.read_text("utf-8", "replace").splitlines())


def _ignored(entry: Path, rules: _Rules, *, is_dir: bool) -> bool:
    """Whether the nearest rule that speaks of `entry` leaves it out, as git has it."""
    for base, spec in reversed(rules):
        relative = entry.absolute().relative_to(base.absolute()).as_posix()
        verdict = spec.check_file(relative + "/" if is_dir else relative).include
        if verdict is not None:
            return verdict
    return False
