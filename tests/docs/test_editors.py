"""The recipes of the editors page, in the editors: a run that succeeds, and one that fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.each import shout
from tests.conftest import Write
from tests.docs.pages import DOCS, blocks, section
from tests.loopback import LoopbackServer
from tests.shell_program import program_for_shells

PAGE = DOCS / "how-to/editors.md"
TEXT = "# Head\n\nIt's “fine” & well.\nlast line\n"
CHANGED = TEXT.upper()


def recipe(language: str, number: int = 0) -> str:
    """A block of the page, by its language."""
    return [block.text for block in blocks(PAGE) if block.language == language][number]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"needs {program}")


@pytest.fixture(autouse=True)
def answers(server: LoopbackServer, write: Write) -> LoopbackServer:
    """What the editors ask; `Loud` answers with the text in capitals, `Blank` with nothing."""
    write("instructions/Loud.toml", 'instructions = "Shout."\n')
    write("instructions/Blank.toml", 'instructions = "Be silent."\n')
    server.answer = lambda body: "" if "silent" in body["instructions"] else shout(body)
    return server


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with program_for_shells(tmp_path / "bin") as there:
        monkeypatch.setenv("PATH", f"{there.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("HOME", str(tmp_path))
        yield


def started(*words: str) -> None:
    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)


def vim(*commands: str, editor: tuple[str, ...] = ("vim", "-N", "-es")) -> tuple[str, str]:
    """The buffer and the messages after commands on `guide.md`."""
    end = 'call writefile(split(execute("messages"), "\\n"), "messages")'
    given = [word for line in (*commands, end, "w! after.md", "qa!") for word in ("-c", line)]
    rc = "init.lua" if "nvim" in editor else "vimrc"
    started(*editor, "-u", rc, "-i", "NONE", "-n", "guide.md", *given)
    return Path("after.md").read_text(), Path("messages").read_text()


@needs("vim")
class TestVim:
    @pytest.fixture(autouse=True)
    def configured(self, write: Write) -> None:
        write("vimrc", recipe("vim"))
        write("guide.md", TEXT)

    def test_the_buffer(self) -> None:
        text, said = vim("2", "Asst Loud")
        assert text == CHANGED
        assert "gptasst" not in said

    def test_selected_lines_and_one_undo(self) -> None:
        assert vim("2,3Asst Loud")[0] == TEXT.replace("It's “fine” & well.", "IT'S “FINE” & WELL.")
        assert vim("Asst Loud", "undo")[0] == TEXT

    @pytest.mark.parametrize("name", ["Blank", "nothing; like 'this'"])
    def test_a_run_that_fails(self, name: str) -> None:
        text, said = vim(f"Asst {name}")
        assert text == TEXT
        assert "error:" in said

    def test_on_the_file(self, write: Write) -> None:
        line = recipe("vim", 1).strip().removeprefix(":").replace("MarkdownLinter", "Loud")
        write("guide.md", "other")
        assert vim(f"%s/other/words/ | {line}", "edit!")[0] == "WORDS\n"
        write("guide.md", "other")
        vim(f"%s/other/words/ | {line.replace('Loud', 'Blank')}")
        assert Path("guide.md").read_text() == "words\n"

    def test_as_a_filter(self) -> None:
        line = recipe("vim", 2).splitlines()[0].removeprefix(":")
        assert vim(line.replace("MarkdownLinter", "Loud"))[0] == CHANGED
        assert vim(line.replace("MarkdownLinter", "Blank"), "undo")[0] == TEXT


@needs("nvim")
class TestNeovim:
    EDITOR = ("nvim", "--headless")
    WAIT = 'lua vim.wait(30000, function() return vim.fn.execute("messages") ~= "" end)'

    @pytest.fixture(autouse=True)
    def configured(self, write: Write) -> None:
        told = 'vim.notify = function(said) vim.cmd("echomsg " .. vim.fn.string(said)) end\n'
        write("init.lua", told + recipe("lua"))
        write("guide.md", TEXT)

    def test_the_buffer_and_selected_lines(self) -> None:
        changed = "lua vim.wait(30000, function() return vim.bo.modified end)"
        assert vim("Asst Loud", changed, editor=self.EDITOR) == (CHANGED, "")
        text, _ = vim("4Asst Loud", changed, editor=self.EDITOR)
        assert text == TEXT.replace("last line", "LAST LINE")

    def test_a_run_that_fails(self) -> None:
        text, said = vim("Asst Blank", self.WAIT, editor=self.EDITOR)
        assert text == TEXT
        assert "error:" in said

    def test_text_that_changed_meanwhile(self) -> None:
        text, said = vim("Asst Loud", "1delete", self.WAIT, editor=self.EDITOR)
        assert text == TEXT.removeprefix("# Head\n")
        assert "changed meanwhile" in said

    def test_the_function_for_vim(self, write: Write) -> None:
        write("vimrc", recipe("vim"))
        started(
            *self.EDITOR, "-u", "vimrc", "-i", "NONE", "guide.md", "-c", "Asst Loud", "-c", "wq"
        )
        assert Path("guide.md").read_text() == CHANGED


@needs("emacs")
class TestEmacs:
    def run(self, form: str) -> tuple[str, str]:
        """The buffer and the message after a form on `guide.md`."""
        Path("asst.el").write_text(recipe("elisp"))
        Path("guide.md").write_text(TEXT)
        done = subprocess.run(
            [
                "emacs", "--batch", "-Q", "-l", "asst.el", "guide.md",
                "--eval", form, "--eval", '(write-region nil nil "after.md")',
            ],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return Path("after.md").read_text(), done.stderr

    def test_the_buffer(self) -> None:
        text, said = self.run('(progn (goto-char 5) (asst "Loud") (princ (point)))')
        assert text == CHANGED
        assert "gptasst:" not in said

    def test_the_region(self) -> None:
        region = "(progn (transient-mark-mode 1) (goto-char 1) (push-mark 1 t t) (forward-line 1)"
        assert self.run(f'{region} (asst "Loud"))')[0] == TEXT.replace("Head", "HEAD")

    def test_a_run_that_fails(self) -> None:
        text, said = self.run('(asst "Blank")')
        assert text == TEXT
        assert "gptasst: error:" in said


class TestHelix:
    def test_as_it_runs_a_pipe(self) -> None:
        """It takes what is on stderr for the answer; without any, only a success replaces text."""
        keys = tomllib.loads(recipe("toml"))["keys"]
        (binding,) = {mode["C-l"] for mode in keys.values()}
        command = binding.removeprefix(":pipe ")
        for name, code, answer in (("Loud", 0, CHANGED), ("Blank", 7, "")):
            line = command.replace("MarkdownLinter", name)
            done = subprocess.run(
                ["sh", "-c", line], input=TEXT, capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stdout, done.stderr) == (code, answer, "")


class TestFiles:
    def test_vs_code_task(self, write: Write) -> None:
        (task,) = json.loads(recipe("json"))["tasks"]
        file = write("with space/it's.md", "words\n").resolve()
        for name, code, left in (("Blank", 6, "words\n"), ("Loud", 0, "WORDS\n")):
            words = [word.replace("${file}", str(file)) for word in task["args"]]
            words[words.index("MarkdownLinter")] = name
            done = subprocess.run([task["command"], *words], capture_output=True, check=False)
            assert (done.returncode, file.read_text()) == (code, left)

    def test_in_any_editor(self, write: Write) -> None:
        """The command that comes first loses nothing."""
        first = section(PAGE, "In any editor")
        command = next(block.text for block in blocks(PAGE) if block.text in first)
        write("guide.md", TEXT)
        done = subprocess.run(
            command.replace("MarkdownLinter", "Blank"), shell=True, capture_output=True, check=False
        )
        assert done.returncode == 6
        assert Path("guide.md").read_text() == TEXT
        subprocess.run(command.replace("MarkdownLinter", "Loud"), shell=True, check=True)
        assert Path("guide.md").read_text() == CHANGED
