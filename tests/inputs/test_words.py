"""From words on a command line to files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptasst.errors import InvalidInput
from gptasst.inputs.words import expand_words
from tests.conftest import Write


def found(*words: str) -> list[str]:
    return [path.as_posix() for path in expand_words(words)]


@pytest.fixture
def tree(write: Write) -> None:
    for name in (
        "b.md", "a.md", "docs/b.md", "docs/deep/a.md", "docs/.hidden.md", "docs/.venv/x.md",
        "docs/build/out.md", "docs/notes.txt", "[1].md", "docs/deep/build/kept.md",
    ):  # fmt: skip
        write(name, "x")


@pytest.mark.usefixtures("tree")
class TestExpanding:
    def test_order_is_kept_and_each_comes_once(self) -> None:
        assert found("b.md", "a.md", "b.md", "./a.md") == ["b.md", "a.md"]

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("docs/*.md", ["docs/b.md"]),
            ("docs/**/a.md", ["docs/deep/a.md"]),
            ("?.md", ["a.md", "b.md"]),
            ("[ab].md", ["a.md", "b.md"]),
            ("[1].md", ["[1].md"]),
            ("doc*/*.txt", ["docs/notes.txt"]),
        ],
    )
    def test_patterns(self, pattern: str, names: list[str]) -> None:
        assert found(pattern) == names

    def test_directory(self) -> None:
        assert found("docs") == [
            "docs/b.md", "docs/build/out.md", "docs/deep/a.md", "docs/deep/build/kept.md",
            "docs/notes.txt",
        ]  # fmt: skip

    def test_gitignore(self, write: Write) -> None:
        write("docs/.gitignore", "build/\n*.txt\n")
        write("docs/deep/.gitignore", "!build/\n")
        assert found("docs") == ["docs/b.md", "docs/deep/a.md", "docs/deep/build/kept.md"]

    def test_gitignore_above_in_the_repository(self, write: Write) -> None:
        Path(".git").mkdir()
        write(".gitignore", "/docs/build\nnotes.*\n")
        assert "docs/build/out.md" not in found("docs")
        assert "docs/notes.txt" not in found("docs")

    def test_what_is_named_is_taken_in_spite_of_gitignore(self, write: Write) -> None:
        write("docs/.gitignore", "*\n")
        assert found("docs/b.md") == ["docs/b.md"]

    def test_link_to_above_ends(self) -> None:
        Path("docs/up").symlink_to("..")
        assert "docs/b.md" in found("docs")

    def test_nothing_but_what_is_passed_over(self, write: Write) -> None:
        write("hidden/.gitignore", "*\n")
        write("hidden/a.md", "a")
        with pytest.raises(InvalidInput, match="no files in directory `hidden`") as caught:
            expand_words(["hidden"])
        assert "git ignores" in (caught.value.hint or "")

    @pytest.mark.parametrize(
        ("word", "message", "hint"),
        [
            ("docs/bb.md", "no such file: `docs/bb.md`", "did you mean `docs/b.md`?"),
            ("nowhere/x.md", "no such file: `nowhere/x.md`", None),
            ("*.rst", "no file matches `*.rst`", None),
            ("doc?", "no file matches `doc?`", None),
        ],
    )
    def test_nothing(self, word: str, message: str, hint: str | None) -> None:
        with pytest.raises(InvalidInput) as caught:
            expand_words([word])
        assert (caught.value.message, caught.value.hint) == (message, hint)
