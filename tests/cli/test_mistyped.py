"""Typing errors: each is named, nothing is written, and what is printed next works."""

# ruff: noqa: E501, RUF001  # a row of the table is a line; dashes that are no hyphens are meant

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

pytestmark = pytest.mark.usefixtures("server")

GUIDE = "# A\n\nText.\n"
USAGE = "`gptasst run --help` shows how it is used"


@pytest.fixture(autouse=True)
def _files(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("guide.md", GUIDE)
    write("docs/b.md", GUIDE)
    write("my file.md", GUIDE)
    write("own/home.md", GUIDE)
    monkeypatch.setenv("HOME", str(Path("own").absolute()))


MISTAKES = [
    # Commands
    ("MarkdownLinter guide.md", "no command `MarkdownLinter`", "did you mean `gptasst run MarkdownLinter`?"),
    ("'Fix the typos'", "no command `Fix the typos`", "did you mean `gptasst run NAME -t 'Fix the typos'`?"),
    ("assistants list", "no command `assistants`", "did you mean `gptasst assistant`?"),
    ("assistant ls", "no command `ls`", "did you mean `gptasst assistant list`?"),
    ("assistant rm A", "no command `rm`", "did you mean `gptasst assistant delete`?"),
    ("assistant update A", "no command `update`", "did you mean `gptasst assistant edit`?"),
    ("config get profile", "no command `get`", "did you mean `gptasst config show`?"),
    ("RUN X", "no command `RUN`", "did you mean `gptasst run`?"),
    ("rum X", "no command `rum`", "did you mean `gptasst run`?"),
    ("config get", "no command `get`", "did you mean `gptasst config show`?"),
    ("assistant sync A", "no command `sync`", "did you mean `gptasst assistant files sync`?"),
    ("tes", "no command `tes`", "did you mean `gptasst test`?"),
    # Options
    ("-m gpt-4 hello", "no such option: -m", "options of a command come after its name: `gptasst run --help` shows them"),
    ("--file guide.md run X", "no such option: --file", "options of a command come after its name: `gptasst run --help` shows them"),
    ("-V", "no such option: -V", "did you mean `--version`?"),
    ("run X guide.md --system s", "no such option: --system", "instructions are in a definition: `gptasst instruction new NAME`"),
    ("run X guide.md -s s", "no such option: -s", "instructions are in a definition: `gptasst instruction new NAME`"),
    ("run X guide.md --temperature 1", "no such option: --temperature", "it is set in a definition, under [settings]: `gptasst instruction new NAME`"),
    ("run X guide.md --stream", "no such option: --stream", "answers are streamed to stdout as they come"),
    ("run X guide.md -p a b", "no such option: -p", "variables are set with `--var NAME=VALUE`"),
    ("run X -a guide.md", "no such option: -a", "files are given with `-f`"),
    ("run X --prompt x", "no such option: --prompt", "the task is given with `-t`"),
    ("run X --key sk-1234567890", "no such option: --key", "`gptasst auth login` stores a key"),
    ("run X guide.md -o", "option '-o' requires an argument", USAGE),
    ("run X -f", "option '-f' requires an argument", USAGE),
    ("run X guide.md -m", "option '-m' requires an argument", USAGE),
    ("run X guide.md -output y.md", "`-output` has one dash", "did you mean `--output`?"),
    ("run X -file=guide.md", "`-file=guide.md` has one dash", "did you mean `--file=guide.md`?"),
    ("run X guide.md –o y.md", "`–o` begins with `–`, not a hyphen", "did you mean `-o`?"),
    ("run X guide.md —output y.md", "`—output` begins with `—`, not a hyphen", "did you mean `--output`?"),
    ("run X guide.md –-output y.md", "`–-output` begins with `–`, not a hyphen", "did you mean `--output`?"),
    ("run X guide.md --timeout soon", "invalid value for '--timeout': 'soon' is not a number", USAGE),
    ("run X guide.md --each -j many", "invalid value for '--jobs' / '-j': 'many' is not a whole number", USAGE),
    ("run X guide.md -o a.md -o b.md", "-o is given twice", "leave one of them out"),
    ("run X guide.md -t a --text b", "-t is given twice", "leave one of them out"),
    ("assistant create A -i DocWriter -i Translator", "-i is given twice", "leave one of them out"),
    ("run X guide.md --output=", "-o has an empty name", "is a variable in it not set?"),
    ("run X guide.md -o ''", "-o has an empty name", "is a variable in it not set?"),
    ("run X -f ''", "-f has an empty name", "is a variable in it not set?"),
    ("run X ''", "FILE has an empty name", "is a variable in it not set?"),
    ("batch fetch b -o ''", "-o has an empty name", "is a variable in it not set?"),
    ("assistant export A -o a -o b", "-o is given twice", "leave one of them out"),
    ("auth login sk-1234567890", "a key is not given as an argument", "`gptasst auth login` asks for it, or reads it from a pipe"),
    # Files
    ("run -f guide.md MarkdownLinter -n", "NAME is missing, as -f takes all words after it", "did you mean `gptasst run MarkdownLinter -f guide.md -n`?"),
    ("run --file=guide", "missing argument 'NAME'", USAGE),
    ("run -fguide -n", "missing argument 'NAME'", USAGE),
    ("run guide.md -t x", "no assistant or instruction `guide.md`", "the name comes before the files: `gptasst run NAME guide.md`"),
    ("run docs -t x", "no assistant or instruction `docs`", "the name comes before the files: `gptasst run NAME docs`"),
    ("run MarkdownLinter.toml guide.md", "no assistant or instruction `MarkdownLinter.toml`", "did you mean `MarkdownLinter`?"),
    ("run MarkdownLinter my file.md", "no such file: `my`", "did you mean `'my file.md'`?"),
    ("run MarkdownLinter -f guide.md,docs/b.md", "no such file: `guide.md,docs/b.md`", "did you mean `guide.md docs/b.md`?"),
    ("run MarkdownLinter -f '~/home.md'", "no such file: `~/home.md`", "did you mean `HOME/home.md`?"),
    (r"run MarkdownLinter -f 'docs\b.md'", r"no such file: `docs\b.md`", "did you mean `docs/b.md`?"),
    ("run MarkdownLinter “guide.md”", "no such file: `“guide.md”`", "did you mean `guide.md`?"),
    ("run MarkdownLinter guide.md -t “fix it”", "no such file: `it”`", "the shell knows only the quotes \" and '"),
    ("run MarkdownLinter https://u:pw@example.com/x.md", "`https://example.com/x.md` is a URL, and inputs are files", "download it first, for example with `curl -sSfLO`"),
    ("run MarkdownLinter guide.md -o '~/y.md'", "does not exist", "the shell leaves `~` alone in quotes: write `$HOME`"),
    ("run MarkdownLinter docs --each -o guide.md", "`guide.md` is not a directory", "with --each, -o names a directory, or a pattern such as 'out/{name}'"),
    ("run MarkdownLinter guide.md --profile ollama", "no profile `ollama`", "known profiles: local, openai; `gptasst config set profiles.ollama.base_url URL` adds one"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "error", "hint"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_is_named(
    cli: Cli, server: LoopbackServer, home: Path, typed: str, error: str, hint: str
) -> None:
    ran = cli(*shlex.split(typed))
    assert ran.code in (2, 3)
    first, _, rest = ran.stderr.partition("\nhint: ")
    assert error in first
    assert rest == hint.replace("HOME/", f"{Path('own').absolute()}/") + "\n"
    assert "1234567890" not in ran.stderr
    assert ran.text == ""
    assert server.requests == []
    assert sorted(map(str, Path().iterdir())) == ["docs", "guide.md", "my file.md", "own"]
    assert not (home / "data" / "assistants.sqlite3").exists()


def test_what_only_looks_like_a_mistake(cli: Cli, write: Write) -> None:
    """Files with such names, values that begin with a dash, and words after `--`."""
    write("–o", "one")
    write("-text", "two")
    write("a,b.md", "three")
    ran = cli("run", "DocWriter", "–o", "a,b.md", "-t", "- x", "-n", "--json")
    assert [file["path"] for file in ran.json["inputs"]] == ["–o", "a,b.md"]
    assert cli("run", "DocWriter", "-n", "--json", "--", "-text").code == 0
    assert cli("run", "DocWriter", "-m", "a", "-m", "b", "-t", "x", "-n", "--json").code == 0


def test_an_instruction_that_hides_one(cli: Cli) -> None:
    ran = cli("instruction", "new", "MarkdownLinter")
    assert "it hides the instruction `MarkdownLinter` that was there before\n" in ran.stderr
