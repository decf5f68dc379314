"""Where `run --each` puts answers, and what it refuses before the first request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.each import shout
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

EACH = ("run", "DocWriter", "--each")


@pytest.fixture(autouse=True)
def _shouting(server: LoopbackServer) -> None:
    server.answer = shout


def written() -> set[str]:
    return {
        path.as_posix()
        for path in Path().rglob("*")
        if path.is_file() and path.read_text().isupper()
    }


@pytest.mark.parametrize(
    ("words", "output", "expected"),
    [
        (["docs/a.md", "docs/sub/b.md"], "out", {"out/a.md", "out/b.md"}),
        (["docs"], "out", {"out/a.md", "out/sub/b.md"}),
        (["docs/**/*.md"], "out/", {"out/a.md", "out/sub/b.md"}),
        (["docs"], "out/{relpath}", {"out/docs/a.md", "out/docs/sub/b.md"}),
        (["docs/a.md"], "out/{stem}.linted{suffix}", {"out/a.linted.md"}),
        (["docs/a.md", "docs/sub/b.md"], "{parent}/{stem}.new{suffix}",
         {"docs/a.new.md", "docs/sub/b.new.md"}),
        (["docs/a.md", "docs/sub/b.md"], "new/{parent}/{name}",
         {"new/docs/a.md", "new/docs/sub/b.md"}),
        (["docs/a.md"], "{{x}}-{name}", {"{x}-a.md"}),
        (["top.md"], "{parent}/x-{name}", {"x-top.md"}),
    ],
)  # fmt: skip
def test_places(cli: Cli, write: Write, words: list[str], output: str, expected: set[str]) -> None:
    for name in ("docs/a.md", "docs/sub/b.md", "top.md"):
        write(name, f"words of {name}\n")
    ran = cli(*EACH, *words, "-o", output)
    assert ran.code == 0, ran.stderr
    assert written() == expected


def test_files_elsewhere_beside_themselves(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a.md").write_text("words\n")
    assert cli(*EACH, tmp_path / "far" / "a.md", "-o", "{parent}/{stem}.new{suffix}").code == 0
    assert (tmp_path / "far" / "a.new.md").read_text() == "WORDS\n"


def test_an_ignored_directory_inside_the_one_that_is_read(cli: Cli, write: Write) -> None:
    write(".gitignore", "build/\n")
    write("a.md", "words\n")
    for _ in range(2):
        assert cli(*EACH, ".", "-o", "build").code == 0
    assert written() == {"build/a.md"}


@pytest.mark.parametrize(
    ("words", "output", "message"),
    [
        (["a/x.md", "b/x.md"], "out", "`a/x.md` and `b/x.md` would both be written to `out/x.md`"),
        (["a", "b"], "out/{stem}.txt", "would both be written to `out/x.txt`"),
        (["a/x.md", "a/y.md"], "one.md{suffix}", "would both be written to"),
        (["a/x.md", "a/y.md"], "a/y{suffix}", "the output `a/y.md` of `a/x.md` is itself an input"),
        (["a/x.md"], "a", "the output `a/x.md` of `a/x.md` is itself an input"),
        (["a/x.md"], "link/{name}", "is itself an input"),
        (["a"], "a/out", "is in `a`, which is read"),
        (["."], "out", "is in `.`, which is read"),
        (["a/x.md"], "../{name}", "leads out of its directory"),
        (["a/x.md"], "out/../../{name}", "leads out of its directory"),
        (["../work/../outside.md"], "out/{relpath}", "leads out of `out` for"),
        (["a/x.md"], "out/{title}.md", "`{title}` is no placeholder"),
        (["a/x.md"], "out/{}", "`{}` is no placeholder"),
        (["a/x.md"], "out/{stem!r}", "`{stem!r}` is no placeholder"),
        (["a/x.md"], "out/{stem.__class__}", "`{stem.__class__}` is no placeholder"),
        (["a/x.md"], "out/{stem", "is not a pattern"),
        (["a/x.md"], "a/y.md/{name}", "`a/y.md` is not a directory"),
        (["nothing.md"], "out", "no such file: `nothing.md`"),
    ],
)
def test_refused_before_the_first_request(
    cli: Cli,
    server: LoopbackServer,
    write: Write,
    words: list[str],
    output: str,
    message: str,
) -> None:
    for name in ("a/x.md", "a/y.md", "b/x.md"):
        write(name, f"words of {name}\n")
    write("../outside.md", "words\n")
    Path("link").symlink_to("a")
    ran = cli(*EACH, *words, "-o", output)
    assert (ran.code, ran.text) == (2, "")
    assert message in ran.stderr
    assert server.requests == []
    assert written() == set()
