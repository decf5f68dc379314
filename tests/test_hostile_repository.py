"""A stranger's repository can't have files outside of it read, sent or written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gptasst.storage.paths import shipped_directory
from tests.cli.each import file_text
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

EACH = ("run", "MarkdownLinter", "--each")
SECRET = "dear diary"


@pytest.fixture
def diary(tmp_path: Path, write: Write) -> Path:
    """A file of the user's outside of the repository, which has a link to it among its files."""
    diary = tmp_path / "diary.md"
    diary.write_text(SECRET)
    write("docs/a.md", "words\n")
    Path("docs/z.md").symlink_to(diary)
    return diary


def capitalized(body: dict[str, Any]) -> str:
    """A change so small that an edit may make it."""
    return file_text(body).capitalize()


def sent(server: LoopbackServer) -> str:
    uploads = b"".join(stored.data for stored in server.files.values())
    return str([request.json for request in server.requests]) + uploads.decode("utf-8", "replace")


@pytest.mark.parametrize("words", [["docs"], ["docs/**/*.md"], ["."]])
class TestLinkedFiles:
    def test_run(self, cli: Cli, server: LoopbackServer, diary: Path, words: list[str]) -> None:
        ran = cli("run", "DocWriter", *words, "-q")
        assert ran.code == 0
        assert "warning: left out: `docs/z.md` is a link that leads out of" in ran.stderr
        assert SECRET not in sent(server)

    def test_in_place(
        self, cli: Cli, server: LoopbackServer, diary: Path, words: list[str]
    ) -> None:
        server.answer = capitalized
        ran = cli(*EACH, *words, "--in-place")
        assert (ran.code, Path("docs/a.md").read_text()) == (0, "Words\n")
        assert "left out: `docs/z.md`" in ran.stderr
        assert (diary.read_text(), SECRET in sent(server)) == (SECRET, False)

    def test_uploads(
        self, cli: Cli, project: LoopbackServer, diary: Path, words: list[str]
    ) -> None:
        for command in (
            ["file", "upload", *words],
            ["assistant", "create", "W", "-i", "DocWriter", "-f", *words],
            ["assistant", "files", "set", "W", *words],
            ["assistant", "files", "add", "W", *words],
            ["assistant", "files", "sync", "W"],
            ["assistant", "edit", "W", "-f", *words],
        ):
            ran = cli(*command, "-q")
            assert ran.code == 0, ran.stderr
            assert "warning: left out: `docs/z.md`" in ran.stderr, command
        assert SECRET not in sent(project)


class TestOutputs:
    def test_a_directory_that_leads_out(
        self, cli: Cli, server: LoopbackServer, write: Write, tmp_path: Path
    ) -> None:
        write("a.md", "words\n")
        (tmp_path / "far").mkdir()
        Path("out").symlink_to(tmp_path / "far")
        for output in ("out", "out/deep", "out/{name}", "out/deep/{name}"):
            ran = cli(*EACH, "a.md", "-o", output, "--json")
            assert (ran.code, ran.error["code"]) == (2, "output_escapes")
        assert (list((tmp_path / "far").iterdir()), server.requests) == ([], [])

    def test_a_link_in_it(
        self, cli: Cli, server: LoopbackServer, write: Write, tmp_path: Path
    ) -> None:
        for name in ("a.md", "sub/b.md", "Makefile"):
            write(name, "words\n")
        (tmp_path / "far").mkdir()
        Path("out").mkdir()
        Path("out/sub").symlink_to(tmp_path / "far")
        Path("out/a.md").symlink_to("../Makefile")
        for words in (["a.md", "-o", "out"], ["sub/b.md", "-o", "out/{relpath}"]):
            ran = cli(*EACH, *words, "--json")
            assert (ran.code, ran.error["code"]) == (2, "output_escapes")
        assert (list((tmp_path / "far").iterdir()), server.requests) == ([], [])

    def test_one_that_stays_or_was_named(
        self, cli: Cli, server: LoopbackServer, write: Write, tmp_path: Path
    ) -> None:
        server.answer = capitalized
        write("a.md", "words\n")
        write("real/x", "")
        Path("out").symlink_to("real")
        assert cli(*EACH, "a.md", "-o", "out").code == 0
        assert Path("real/a.md").read_text() == "Words\n"
        (tmp_path / "far").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "far")
        assert cli(*EACH, "a.md", "-o", tmp_path / "link").code == 0
        assert (tmp_path / "far/a.md").exists()


class TestImport:
    DEFINITION = """\
name = 'W'
instructions = 'x'
knowledge = ['.git/**', 'docs', '../diary.md', '/etc/**']
"""

    def test_shows_what_will_be_read(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("w.toml", self.DEFINITION)
        ran = cli("assistant", "import", "w.toml")
        assert ran.code == 0
        (note,) = [line for line in ran.stderr.splitlines() if "sync" in line]
        for shown in ("`.git/**`", "`docs`", "`../diary.md`", "`/etc/**`"):
            assert shown in note
        assert "outside of the working directory: `../diary.md`, `/etc/**`" in note

    def test_version_control_is_no_knowledge(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("w.toml", "name = 'W'\ninstructions = 'x'\nknowledge = ['.git/**', '.']\n")
        write(".git/config", "token = 4711\n")
        write("a.md", "words\n")
        assert cli("assistant", "import", "w.toml").code == 0
        ran = cli("assistant", "files", "sync", "W", "-y")
        assert (ran.code, "4711" in sent(project)) == (0, False)
        listed = cli("assistant", "files", "list", "W", "-q").lines
        assert len(listed) == 2


class TestShadowing:
    """`./instructions/MarkdownLinter.toml`, which a stranger put there."""

    TEXT = "model = 'gpt-6.2-sol'\ninstructions = 'THEIRS'\n[tools]\nweb_search = true\n"
    PATH = "instructions/MarkdownLinter.toml"

    @pytest.fixture(autouse=True)
    def theirs(self, write: Write, server: LoopbackServer) -> None:
        server.answer = capitalized
        write("a.md", "words\n")
        write("b.md", "words\n")
        write(self.PATH, self.TEXT)

    @pytest.mark.parametrize(
        "words", [("run", "MarkdownLinter", "a.md"), (*EACH, "a.md", "b.md", "--in-place")]
    )
    @pytest.mark.parametrize("quiet", [(), ("-q",)])
    def test_is_reported_once(self, cli: Cli, words: tuple[str, ...], quiet: tuple[str]) -> None:
        ran = cli(*words, *quiet)
        assert ran.code == 0
        (line,) = [line for line in ran.stderr.splitlines() if self.PATH in line]
        assert line.startswith(f"warning: the instruction `{self.PATH}` of the working directory")
        assert "hides `" in line
        assert "turns on web_search" in line
        assert "--no-project" in line

    @pytest.mark.parametrize("kind", ["the file itself", "a copy", "another system's line ends"])
    def test_a_shipped_one_is_not_hidden_by_itself(
        self,
        cli: Cli,
        write: Write,
        server: LoopbackServer,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
    ) -> None:
        """As in a checkout of gptasst, whether that is what is installed or not."""
        server.answer = "words"
        shipped = Path(shipped_directory(), "MarkdownLinter.toml")
        content = shipped.read_bytes()
        if kind == "the file itself":
            monkeypatch.chdir(shipped.parent.parent)
        else:
            ending = b"\n" if kind == "a copy" else b"\r\n"
            write(self.PATH, content.replace(b"\n", ending))
        ran = cli("run", "MarkdownLinter", "-t", "words", "--json")
        assert (ran.code, ran.json["definition"], ran.stderr) == (0, self.PATH, "")
        shown = cli("instruction", "show", "MarkdownLinter", "--json").json
        assert (shown["origin"], shown["hides"]) == ("project", None)
        made = cli("assistant", "create", "W", "-i", "MarkdownLinter")
        assert (made.code, "warning" in made.stderr, "hides" in made.stderr) == (0, False, False)

    def test_is_shown_before_and_after(self, cli: Cli) -> None:
        plan = cli("run", "MarkdownLinter", "a.md", "--dry-run", "--json").json
        result = cli("run", "MarkdownLinter", "a.md", "--json").json
        for document in (plan, result):
            assert (document["definition"], document["tools"]) == (self.PATH, ["web_search"])
        shown = cli("run", "MarkdownLinter", "a.md", "--dry-run").text
        assert self.PATH in shown
        assert "web_search" in shown

    def test_a_hosted_tool_alone(self, cli: Cli, write: Write) -> None:
        write("instructions/Own.toml", "instructions = 'x'\n[tools]\ncode_interpreter = true\n")
        write("instructions/Plain.toml", "instructions = 'x'\n")
        assert "Own.toml` of the working directory turns on code_interpreter" in (
            cli("run", "Own", "a.md").stderr
        )
        assert "Plain" not in cli("run", "Plain", "a.md").stderr

    @pytest.mark.parametrize("way", ["before", "after", "variable"])
    def test_is_left_out(
        self, cli: Cli, server: LoopbackServer, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = ["run", "MarkdownLinter", "a.md"]
        if way == "variable":
            monkeypatch.setenv("GPTASST_NO_PROJECT", "1")
        else:
            words.insert(0 if way == "before" else 3, "--no-project")
        ran = cli(*words)
        assert (ran.code, "instructions/" in ran.stderr) == (0, False)
        sent = next(r.json for r in server.requests if r.path.endswith("/responses"))
        assert (sent["model"], "THEIRS" in str(sent)) == ("gpt-6-luna", False)

    def test_an_assistant_of_it_is_asked_for(self, cli: Cli) -> None:
        create = ("assistant", "create", "W", "-i", "MarkdownLinter")
        ran = cli(*create, "--json")
        assert (ran.code, ran.error["code"]) == (2, "needs_confirmation")
        assert self.PATH in ran.error["message"]
        assert cli(*create, "--no-project").code == 0
        edit = ("assistant", "edit", "W", "-i", "MarkdownLinter")
        assert cli(*edit, "--json").error["code"] == "needs_confirmation"
        assert cli(*edit, "--yes").code == 0

    def test_doctor(self, cli: Cli) -> None:
        found = [f for f in cli("doctor", "--json").json["findings"] if self.PATH in f["message"]]
        assert [(f["topic"], f["severity"]) for f in found] == [("config", "warning")]
        assert "its tools: web_search" in found[0]["message"]

    def test_doctor_counts_what_is_harmless(self, cli: Cli, write: Write) -> None:
        write("instructions/One.toml", "instructions = 'x'\n")
        write("instructions/Two.toml", "instructions = 'x'\n")
        shown = [f["message"] for f in cli("doctor", "--json").json["findings"]]
        assert (
            "2 instructions without tools from `instructions` in the working directory:"
            " `One`, `Two`"
        ) in shown

    def test_completion(self, monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
        from gptasst.completion.names import instructions

        write("instructions/Own.toml", "instructions = 'x'\n")
        assert ("Own", "instruction") in instructions([])
        monkeypatch.setenv("GPTASST_NO_PROJECT", "1")
        assert ("Own", "instruction") not in instructions([])

    @pytest.mark.parametrize("kind", ["zero", "pipe", "out", "large"])
    def test_what_is_no_file_of_the_repository(
        self, cli: Cli, tmp_path: Path, kind: str, write: Write
    ) -> None:
        (tmp_path / "own.toml").write_text("instructions = 'mine'\n")
        path = Path("instructions/Own.toml")
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "large":
            os.truncate(write(str(path), "#"), 50_000_000)
        else:
            path.symlink_to("/dev/zero" if kind == "zero" else tmp_path / "own.toml")
        ran = cli("run", "Own", "a.md", "--json")
        assert (ran.code, ran.error["code"]) == (2, "invalid_definition")
        listed = cli("instruction", "list", "-q")
        assert (listed.code, "MarkdownLinter" in listed.lines) == (0, True)
        assert "instructions/Own.toml" in listed.stderr
