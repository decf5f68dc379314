"""Definitions that are huge, empty, broken or harmful: refused in words, or taken whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import gptasst
from tests.assistants.project import contents
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

GOOD = 'name = "A"\ninstructions = "Do."\n'

BROKEN = {
    "empty": "",
    "blank": " \n\n",
    "binary": bytes(range(256)),
    "UTF-16": GOOD.encode("utf-16"),
    "half of a character": GOOD.encode() + b"\xe2\x82",
    "NUL": GOOD + "\0",
    "deep": "a = " + "[" * 50_000,
    "deep and closed": "a = " + "[" * 50_000 + "]" * 50_000,
    "deep tables": "a = " + "{b=" * 20_000 + "1" + "}" * 20_000,
    "many dots": ".".join("a" * 2_000) + " = 1\n" + GOOD,
    "huge number": GOOD + "[settings]\nmax_output_tokens = " + "9" * 5_000,
    "no number": GOOD + "[settings]\ntemperature = nan\n",
    "endless": GOOD + "[settings]\ntop_p = inf\n",
    "unknown key": GOOD + "model_name = 'x'\n",
    "unknown table": GOOD + "[tool]\nweb_search = true\n",
    "twice": GOOD + 'name = "B"\n',
    "name is a number": 'name = 5\ninstructions = "Do."\n',
    "name is a table": 'instructions = "Do."\n[name]\nx = 1\n',
    "instructions are a list": 'name = "A"\ninstructions = ["Do."]\n',
    "tools are a list": GOOD + "tools = []\n",
    "knowledge is a text": GOOD + "knowledge = 'docs'\n",
    "knowledge of numbers": GOOD + "knowledge = [1]\n",
    "schema is no JSON": GOOD + "schema = '{'\n",
    "schema is deep": GOOD + f"schema = '{'[' * 50_000}{']' * 50_000}'\n",
    "10 MB of garbage": "x" * 10_000_000,
    "many keys": "".join(f"k{n} = {n}\n" for n in range(20_000)),
}
NAMES = [
    "../../x", "/etc/passwd", "C:\\x", "..\\x", "a/b", "", " ", "x" * 201, "-n", "a\\u0000b",
    "a\\u001b[31mb", "a\\nb",
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_broken(cli: Cli, write: Write, content: str | bytes) -> None:
    write("d.toml", content)
    for command in ("assistant import d.toml", "instruction validate d.toml", "run d.toml -t x"):
        ran = cli(*command.split())
        assert ran.code == 2, ran.stderr
        assert "d.toml" in ran.stderr + ran.text
        assert "unexpected: " not in ran.stderr
        assert len(ran.stderr) < 2_000
    assert cli("assistant", "list", "-q").lines == []


@pytest.mark.parametrize("name", NAMES)
def test_names(cli: Cli, write: Write, name: str) -> None:
    before = sorted(Path("..").rglob("*"))
    quoted = name.replace("\\x", "\\\\x") if "\\u" not in name and "\\n" not in name else name
    write("d.toml", f'name = "{quoted}"\ninstructions = "Do."\n')
    ran = cli("assistant", "import", "d.toml")
    assert (ran.code, "unexpected: " in ran.stderr) == (2, False)
    assert "\x1b" not in ran.stderr
    new = cli("instruction", "new", name.replace("\\u0000", "\0").replace("\\u001b", "\x1b"))
    assert new.code == 2
    assert sorted(p for p in Path("..").rglob("*") if p.name != "d.toml") == before


@pytest.mark.parametrize(("store", "times"), [("openai", 100_000), ("local", 300_000)])
def test_as_large_as_a_request(
    cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch,
    store: str, times: int,
) -> None:  # fmt: skip
    monkeypatch.setenv("GPTASST_STORE", store)
    text = "Do this. " * times
    write("d.toml", f'name = "A"\ninstructions = """{text}"""\n')
    assert cli("assistant", "import", "d.toml").code == 0
    assert text.strip() in cli("assistant", "export", "A").text
    assert cli("run", "A", "-t", "x").code == 0
    sent = [made for made in server.requests if made.path == "/v1/responses"]
    assert sent[-1].json["instructions"] == text


@pytest.mark.parametrize("word", ["directory.toml", "missing.toml", "pipe.toml/x.toml"])
def test_what_is_no_file(cli: Cli, word: str) -> None:
    Path("directory.toml").mkdir()
    ran = cli("assistant", "import", word)
    assert (ran.code, "unexpected: " in ran.stderr) == (2, False)


@pytest.mark.parametrize(
    "saved",
    [
        "[" * 100_000,
        '{"instructions": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"instructions": 5, "name": "A"}',
        '{"instructions": "Do.", "name": "../../x"}',
        '{"instructions": "Do.", "name": "A", "tools": "x"}',
        '{"instructions": "Do.", "name": "A", "temperature": 1e999}',
        '{"object": "list", "data": [null]}',
        "[]",
        "null",
        '"text"',
    ],
    ids=lambda text: text[:40],
)
def test_saved_json(cli: Cli, write: Write, saved: str) -> None:
    write("d.json", saved)
    ran = cli("assistant", "import", "d.json")
    assert (ran.code, "unexpected: " in ran.stderr) == (2, False), ran.stderr


def test_paths_of_windows(cli: Cli, server: LoopbackServer, write: Write) -> None:
    """A definition that was made on Windows names its directories in the form of there."""
    write("docs/a.md", "one\n")
    write("docs/sub/b.md", "two\n")
    write("d.toml", GOOD + "knowledge = ['docs\\*.md', 'docs\\sub']\n")
    assert cli("assistant", "import", "d.toml").code == 0
    assert cli("assistant", "files", "sync", "A").code == 0
    listed = cli("assistant", "files", "list", "A", "-q").lines
    assert listed == (["docs/a.md", "docs/sub/b.md"])


class TestWhatOthersNamed:
    """Whoever may edit an assistant names the files that a sync reads on this disk."""

    @pytest.fixture
    def own(self, write: Write) -> Path:
        """A file beside the working directory."""
        write("docs/a.md", "one\n")
        beside = Path.cwd().parent / "diary"
        beside.mkdir()
        (beside / "own.md").write_text("nobody's business\n")
        return beside / "own.md"

    @pytest.mark.parametrize("form", ["../diary", "docs/../../diary/*.md", "{}", "link"])
    def test_from_outside_is_sent_after_a_yes_only(
        self, cli: Cli, project: LoopbackServer, write: Write, own: Path, form: str
    ) -> None:
        Path("link").symlink_to(own.parent)
        pattern = form.format(own.parent)
        write("d.toml", GOOD + f"knowledge = ['docs', '{pattern}']\n")
        assert cli("assistant", "import", "d.toml").code == 0
        ran = cli("assistant", "files", "sync", "A")
        assert (ran.code, "own.md" in ran.stderr, "--yes" in ran.stderr) == (2, True, True)
        assert contents(project) == []
        assert b"own.md" in cli("assistant", "files", "sync", "A", "-n").stdout
        assert contents(project) == []
        with gptasst.Client() as client:
            with pytest.raises(gptasst.UsageError, match=r"own\.md"):
                client.assistants.sync("A")
            client.assistants.sync("A", allow_outside=True)
        assert contents(project) == [b"nobody's business\n", b"one\n"]
        assert cli("assistant", "files", "sync", "A").code == 0  # nothing is to be sent
        own.write_text("changed\n")
        assert cli("assistant", "files", "sync", "A").code == 2
        assert cli("assistant", "files", "sync", "A", "-y").code == 0


class TestWhatOthersSubmitted:
    """Whoever may submit batches in a project writes the paths in their manifests."""

    @pytest.mark.parametrize(
        "output",
        ["../out.md", "/tmp/gptasst-test-out.md", "a/../../out.md", ".git/config", "sub/.bashrc"],
    )
    @pytest.mark.parametrize("directory", [None, "there"])
    def test_has_no_say_elsewhere(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path,
        output: str, directory: str | None,
    ) -> None:  # fmt: skip
        write("a.md", "one\n")
        ran = cli("run", "DocWriter", "a.md", "--each", "--batch", "-o", "out")
        for stored in project.files.values():
            stored.data = stored.data.replace(b'"out/a.md"', json.dumps(output).encode())
        (home / "data/batches.sqlite3").unlink()  # as on another machine
        words = ["-o", directory] if directory else []
        ran = cli("batch", "fetch", ran.lines[0], *words)
        written = [path for path in Path().rglob("*") if path.is_file() and path.name != "a.md"]
        hidden = any(part.startswith(".") and part != ".." for part in Path(output).parts)
        if directory and not hidden:
            assert ran.code == 0
            assert all(path.is_relative_to("there") for path in written)
        else:  # what another machine submitted needs -o
            assert (ran.code, written) == (6 if directory else 2, [])
        assert not Path("../out.md").exists()
        assert not os.path.lexists("/tmp/gptasst-test-out.md")

    @pytest.mark.parametrize("directory", [None, "there"])
    def test_has_no_say_behind_a_link(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path, tmp_path: Path,
        directory: str | None,
    ) -> None:  # fmt: skip
        write("a.md", "one\n")
        ran = cli("run", "DocWriter", "a.md", "--each", "--batch", "-o", "out")
        (home / "data/batches.sqlite3").unlink()
        (tmp_path / "far").mkdir()
        out = Path(directory or ".", "out")
        out.parent.mkdir(exist_ok=True)
        out.symlink_to(tmp_path / "far")
        fetched = cli("batch", "fetch", ran.lines[0], *(["-o", directory] if directory else []))
        refused = (6, True) if directory else (2, False)  # it needs -o
        assert (fetched.code, "a link that leads to" in fetched.stderr) == refused
        assert list((tmp_path / "far").iterdir()) == []

    def test_a_manifest_of_other_types(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path
    ) -> None:
        write("a.md", "one\n")
        ran = cli("run", "DocWriter", "a.md", "--each", "--batch", "-o", "out")
        for stored in project.files.values():
            stored.data = stored.data.replace(b'"out/a.md"', b"5")
        (home / "data/batches.sqlite3").unlink()
        ran = cli("batch", "fetch", ran.lines[0])
        assert (ran.code, "the manifest of the batch is damaged" in ran.stderr) == (1, True)
