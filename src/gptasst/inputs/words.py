"""From command-line words to files: names, patterns, directories."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import glob
import itertools
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.hints import nearest, suggestion
from gptasst.inputs.ignore import Rules, rules_above
from gptasst.inputs.mistyped import meant_by
from gptasst.inputs.reading import Refusal, kind_of
from gptasst.values import dataclass

MOST_LEVELS = 100

_MOST_FILES = 100_000

# Directories of version control, which directories and patterns never include.
VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".bzr", ".jj", ".fossil", "_darcs", "CVS"})


@dataclass(slots=True)
class Yield:
    """The files found, with their real paths; and the skipped ones, with reasons."""

    root: Path
    files: dict[Path, str] = field(default_factory=dict)
    skipped: list[Refusal] = field(default_factory=list)
    unreadable: list[Refusal] = field(default_factory=list)

    def skip(self, path: Path, reason: str) -> None:
        self.skipped.append(Refusal(str(path), f"`{path}` {reason}"))

    def fail(self, path: Path, reason: str | None) -> None:
        self.unreadable.append(Refusal(str(path), f"`{path}` can't be read: {reason}"))


def files_below(root: Path) -> Yield:
    """The files below a directory that are neither hidden nor ignored by git."""
    found = Yield(root)
    if is_version_control(root):
        found.skip(root, _OF_VERSION_CONTROL)
        return found
    pending = [(root, rules_above(root), 1)]
    while pending:
        directory, rules, level = pending.pop()
        entries = _entries(directory, found)
        try:
            rules = rules.within(directory) if entries else rules
        except InvalidInput as error:
            found.unreadable.append(Refusal(str(directory), error.message))
            continue
        for entry in entries:
            is_dir, path = _is_dir(entry), directory / entry.name
            if entry.name.startswith(".") or rules.leave_out(path, is_dir=is_dir):
                continue
            if not is_dir:
                _take(path, found)
            elif not entry.is_symlink():
                pending += _descend(path, rules, level + 1, found)
    return found


def _descend(
    path: Path, rules: Rules, level: int, found: Yield
) -> Iterator[tuple[Path, Rules, int]]:
    if path.name in VERSION_CONTROL:
        found.skip(path, _OF_VERSION_CONTROL)
    elif level > MOST_LEVELS:
        found.skip(path, f"is more than {MOST_LEVELS} directories deep")
    else:
        yield path, rules, level


def files_matching(pattern: str) -> Yield:
    """The files that match a pattern: `*`, `?`, `[…]` in names, `**` for any directories.

    Hidden names only match a pattern with the dot.
    """
    parts = Path(pattern).parts
    fixed = next(n for n, part in enumerate(parts) if glob.has_magic(part))
    base, rest = Path(*parts[:fixed]), parts[fixed:]
    found = Yield(base)
    if is_version_control(base):
        found.skip(base, _OF_VERSION_CONTROL)
    elif not pattern.endswith(("/", os.sep)) and base.is_dir():
        _match(base, rest, found)
    found.files = dict(sorted(found.files.items()))
    return found


def _match(base: Path, parts: Sequence[str], found: Yield) -> None:
    tests = [re.compile(fnmatch.translate(os.path.normcase(part))).match for part in parts]
    pending, seen = [(base, 0)], set[tuple[Path, int]]()
    while pending:
        directory, at = pending.pop()
        if (directory, at) in seen:
            continue
        seen.add((directory, at))
        part, is_last = parts[at], at == len(parts) - 1
        if not glob.has_magic(part):
            pending += _named(directory / part, at, found, is_last=is_last)
            continue
        if part == "**" and not is_last:
            pending.append((directory, at + 1))
        for entry in _entries(directory, found):
            path, hidden = directory / entry.name, entry.name.startswith(".")
            fits = part == "**" or tests[at](os.path.normcase(entry.name))
            if not fits or (hidden and not part.startswith(".")):
                continue
            if not _is_dir(entry):
                if is_last:
                    _take(path, found)
            elif not entry.is_symlink() and (part == "**" or not is_last):
                level = len(path.parts) - len(base.parts)
                deeper = _descend(path, Rules(), level, found)
                pending += [(below, at if part == "**" else at + 1) for below, *_ in deeper]


def _named(path: Path, at: int, found: Yield, *, is_last: bool) -> Iterator[tuple[Path, int]]:
    """Continue with the literal part of a pattern after a part with wildcards."""
    if is_last:
        if os.path.lexists(path) and not os.path.isdir(path):
            _take(path, found)
    elif path.name in VERSION_CONTROL and os.path.lexists(path):
        found.skip(path, _OF_VERSION_CONTROL)
    elif os.path.isdir(path) and not path.is_symlink():
        yield path, at + 1


_OF_VERSION_CONTROL = "belongs to version control: only files that are named one by one are taken"


def is_version_control(directory: Path) -> bool:
    """Whether a directory belongs to version control, by its own or its given name."""
    names = Path(os.path.normpath(directory)).parts
    return not VERSION_CONTROL.isdisjoint(names) or _real_is_version_control(directory)


def _real_is_version_control(directory: Path) -> bool:
    real, here = os.path.realpath(directory), os.path.realpath(".")
    names = Path(os.path.relpath(real, here) if _is_within(real, here) else real).parts
    return not VERSION_CONTROL.isdisjoint(names)


def _entries(directory: Path, found: Yield) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found.fail(directory, error.strerror)
        return []


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circular link
        return False


def _take(path: Path, found: Yield) -> None:
    """Add a file, or record why it is skipped."""
    try:
        own = path.lstat()
        is_link = stat.S_ISLNK(own.st_mode)
        mode = path.stat().st_mode if is_link else own.st_mode
    except OSError as error:
        found.skip(path, link_trouble(path) or f"can't be looked at: {error.strerror}")
        return
    real = os.path.realpath(path)
    root = os.path.realpath(found.root)
    if is_link and not _is_within(real, root):
        found.skip(path, f"is a link that leads out of `{found.root}`: name it to take it")
    elif is_link and not VERSION_CONTROL.isdisjoint(Path(os.path.relpath(real, root)).parts):
        found.skip(path, f"is a link to `{real}`, which {_OF_VERSION_CONTROL}")
    elif not stat.S_ISREG(mode):
        found.skip(path, f"is {kind_of(mode)}, not a regular file")
    elif len(found.files) >= _MOST_FILES:
        raise InvalidInput(
            f"`{found.root}` has more than {_MOST_FILES:,} files", hint="name fewer at a time"
        )
    else:
        found.files[path] = real


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def link_trouble(path: Path) -> str | None:
    """What is wrong with a broken link, or `None`."""
    if not os.path.islink(path):  # noqa: PTH114  # no error for a name too long
        return None
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads in a circle"
        if isinstance(error, FileNotFoundError):
            return f"is a link to `{os.readlink(path)}`, which is not there"  # noqa: PTH115
        return f"is a link that can't be followed: {error.strerror}"
    return None


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a word matches, with its place (see `placed_files`).

    `named` is whether the word is its name, instead of a directory or pattern.
    """

    path: Path
    place: Path
    named: bool


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files that words match, each once; the skipped ones, and unreadable directories."""

    files: tuple[FoundFile, ...]
    skipped: tuple[Refusal, ...] = ()
    unreadable: tuple[Refusal, ...] = ()


def expand_words(words: Iterable[str]) -> list[Path]:
    """Turn file names, patterns and directories into files, in order, each once.

    An existing file stands for itself. A directory stands for the files below it that are not
    hidden and not ignored by git. A word with `*`, `?` or `[` is a pattern, which may contain `**`.
    Of a file and links to it, only the first is used, and the file before links.

    Raises:
        InvalidInput: there is no such file, or a pattern or directory matches nothing.
    """
    return [file.path for file in find_files(words).files]


def placed_files(words: Iterable[str]) -> dict[Path, Path]:
    """The files of `expand_words`, each with its place.

    For a directory, and for the fixed start of a pattern with `**`, the place is the path from
    there; for any other word it is the file's name.
    """
    return {file.path: file.place for file in find_files(words).files}


def find_files(words: Iterable[str]) -> FoundFiles:
    """The files that words match, and the skipped ones.

    Raises:
        InvalidInput: see `expand_words`.
    """
    files: dict[str, FoundFile] = {}
    skipped: dict[str, Refusal] = {}
    unreadable: dict[str, Refusal] = {}
    words = list(words)
    for number, word in enumerate(words):
        base = _base(word)
        found = _expand_word(words, number)
        named = names_a_file(word)
        for path, real in found.files.items():
            place = path.relative_to(base) if base else Path(path.name)
            file = FoundFile(path, place, named)
            if files.setdefault(real, file).path.is_symlink():  # prefer its own name
                files[real] = file if not path.is_symlink() else files[real]
        skipped.update((refusal.path, refusal) for refusal in found.skipped)
        unreadable.update((refusal.path, refusal) for refusal in found.unreadable)
    return FoundFiles(tuple(files.values()), tuple(skipped.values()), tuple(unreadable.values()))


def names_a_file(word: str) -> bool:
    """Whether a word is a file name, instead of a directory or pattern."""
    return os.path.exists(word) and not os.path.isdir(word)


def _base(word: str) -> Path | None:
    if os.path.isdir(word):
        return Path(word)
    parts = Path(word).parts
    if os.path.exists(word) or "**" not in parts:
        return None
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), parts))


def is_found_below(directory: Path, path: Path) -> bool:
    """Whether a directory, as a word, would include a file, once that exists."""
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


def _expand_word(words: Sequence[str], number: int) -> Yield:
    word = words[number]
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
    raise meant_by(words, number) or no_such_file(path)


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
    """The error for a missing file; it explains what is in the way."""
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
