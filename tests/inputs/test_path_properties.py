"""Words become files, and files outputs, as plain models of them say."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from hypothesis import given, settings
from hypothesis import strategies as st

from gptasst.each.targets import plan_outputs
from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.words import expand_words, placed_files

# A disk is slow, and slower while other tests run.
on_disk = settings(deadline=None, max_examples=60)

_NAMES = st.sampled_from(["a.md", "b.md", "c.txt", "[x].md", ".h.md", "a b", "a"])
_FOLDERS = st.lists(st.sampled_from(["d", "e", ".g", "a.md"]), max_size=2)
_FILES = st.lists(
    st.tuples(_FOLDERS, _NAMES).map(lambda parts: "/".join([*parts[0], parts[1]])), max_size=8
)
_PATTERNS = st.sampled_from(
    ["*", "*.md", "**/*.md", "**/*", "d/*", "d/**/*.md", "?.md", "[ab].md", ".*", "*/*.txt"]
)


@contextmanager
def tree(files: list[str]) -> Iterator[set[str]]:
    """A working directory with these files, as far as they go together; gives those."""
    with tempfile.TemporaryDirectory() as name, chdir(name):
        made = set()
        for file in files:
            try:
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                Path(file).touch()
            except (FileExistsError, NotADirectoryError, IsADirectoryError, OSError):
                continue
            if Path(file).is_file():
                made.add(file)
        yield made


def matches(file: str, pattern: str) -> bool:
    """What a shell with `globstar` says: `*` does not begin with a dot, `**` is any depth."""
    return _matches(PurePosixPath(file).parts, PurePosixPath(pattern).parts)


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        deeper = bool(parts) and not parts[0].startswith(".") and _matches(parts[1:], pattern)
        return _matches(parts, pattern[1:]) or deeper
    if not parts or (parts[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


@on_disk
@given(_FILES, _PATTERNS)
def test_a_pattern(files: list[str], pattern: str) -> None:
    with tree(files) as made:
        wanted = sorted(Path(file) for file in made if matches(file, pattern))
        try:
            assert expand_words([pattern]) == wanted
        except InvalidInput:
            assert wanted == []


@on_disk
@given(_FILES)
def test_a_directory(files: list[str]) -> None:
    with tree(files) as made:
        visible = [f for f in made if not any(p.startswith(".") for p in PurePosixPath(f).parts)]
        try:
            found = placed_files(["."])
        except InvalidInput:
            found = {}
        assert sorted(map(str, found)) == sorted(visible)
        assert all(path == place for path, place in found.items())


@on_disk
@given(_FILES, st.lists(_PATTERNS | _FOLDERS.map("/".join), max_size=4))
def test_several_words(files: list[str], words: list[str]) -> None:
    """Each file once, in the order of the words."""
    with tree(files):
        alone = []
        for word in filter(None, words):
            try:
                alone += expand_words([word])
            except InvalidInput:
                return
        assert expand_words(filter(None, words)) == list(dict.fromkeys(alone))


_PLACEHOLDERS = ("{stem}", "{suffix}", "{name}", "{parent}", "{relpath}")
_PIECES = st.sampled_from([*_PLACEHOLDERS, "/", "x", "-", "..", "{{", "}}", "."])
_OUTPUTS = (
    st.lists(_PIECES, min_size=1, max_size=5)
    .filter(lambda pieces: bool(set(pieces) & set(_PLACEHOLDERS)))  # else it is a directory
    .map("".join)
)


def outputs(files: list[str], output: str, made: set[str]) -> list[Path] | None:
    """Where the answers go; `None` where that is refused."""
    words = sorted(file for file in files if file in made)
    if not words:
        return None
    try:
        targets = plan_outputs(placed_files(words), output, words)
    except (InvalidInput, UsageError):
        return None
    return [target.output for target in targets if target.output]


@on_disk
@given(_FILES, _OUTPUTS)
def test_a_pattern_stays_in_its_directory(files: list[str], pattern: str) -> None:
    """Below `out/` for any pattern that begins so; and no two answers in one file."""
    with tree(files) as made:
        found = outputs(files, f"out/{pattern}", made)
        for path in found or ():
            assert os.path.normpath(path).startswith("out/")
        real = [os.path.realpath(path) for path in found or ()]
        assert len(real) == len(set(real))


@on_disk
@given(_FILES, _OUTPUTS)
def test_no_pattern_leaves_the_working_directory(files: list[str], pattern: str) -> None:
    with tree(files) as made:
        absolute = pattern.startswith("/")
        for path in outputs(files, pattern, made) or ():
            assert absolute or Path(os.path.normpath(path.absolute())).is_relative_to(Path.cwd())
            assert str(path) not in made  # an input


@on_disk
@given(_FILES)
def test_relpath_keeps_all_apart(files: list[str]) -> None:
    with tree(files) as made:
        found = outputs(files, "out/{relpath}", made)
        assert found is None or sorted(map(str, found)) == sorted(f"out/{file}" for file in made)
        assert (found is None) == (made == set())
