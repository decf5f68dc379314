"""Runs on the embedded model itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Write
from tests.embedded.conftest import Start
from tests.on_terminal import on_terminal
from tests.processes import completed, leaves_no_child

pytestmark = pytest.mark.embedded

NOTE = "no key is set, so this runs on the embedded model SmolLM2-135M-Instruct.Q4_1"
FIRST_STEP = (
    "`gptasst auth login` stores an OpenAI key; without an account: pip install 'gptasst[local]'"
)
MESSY = "# Backup\n\nThis guide show how to make you first backup.\n"


def gptasst(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    ran = completed(*words, **environ)
    return subprocess.CompletedProcess(
        ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode()
    )


@pytest.fixture
def yes_or_no(write: Write) -> str:
    """An instruction whose answers are short on any machine."""
    schema = {
        "type": "object",
        "properties": {"yes": {"type": "boolean"}},
        "required": ["yes"],
        "additionalProperties": False,
    }
    text = f"instructions = 'Answer in JSON.'\nschema = '{json.dumps(schema)}'\n"
    return str(write("YesOrNo.toml", text))


@pytest.mark.usefixtures("embedded")
class TestRun:
    def test_main_job(self, write: Write) -> None:
        """What README promises first: no key, no settings, a file in, a file out."""
        write("x.md", MESSY)
        ran = gptasst("run", "MarkdownLinter", "-f", "x.md", "-o", "y.md")
        assert (ran.returncode, ran.stdout) == (0, "")
        first, second = ran.stderr.splitlines()
        assert first == NOTE
        assert second.startswith("wrote `y.md` (")
        assert Path("y.md").read_text("utf-8").strip()
        assert sorted(path.name for path in Path().iterdir()) == ["x.md", "y.md"]

    def test_json(self, yes_or_no: str) -> None:
        ran = gptasst("run", yes_or_no, "-t", "Is a cat a pet?", "--json")
        result = json.loads(ran.stdout)
        assert (result["model"], result["profile"]) == ("SmolLM2-135M-Instruct.Q4_1", "local")
        assert list(json.loads(result["answer"])) == ["yes"]
        assert result["usage"]["input"] > 10

    def test_the_same_twice(self, yes_or_no: str) -> None:
        words = ("run", yes_or_no, "-t", "Is a cat a pet?", "-q", "--profile", "local")
        first, second = gptasst(*words), gptasst(*words)
        assert (first.returncode, first.stderr) == (0, "")
        assert first.stdout == second.stdout

    def test_knowledge_is_quoted(self, cli: Cli, write: Write) -> None:
        write("opening.md", "The shop opens at nine.\n")
        write("Clerk.toml", "instructions = 'Answer in one short sentence.'\n")
        cli("assistant", "create", "Clerk", "-i", "Clerk.toml", "-f", "opening.md")
        ran = gptasst("run", "Clerk", "-t", "When does the shop open?", "--json")
        assert [c["path"] for c in json.loads(ran.stdout)["citations"]] == ["opening.md"]
        assert "nine" in json.loads(ran.stdout)["answer"]

    def test_on_a_terminal(self, write: Write) -> None:
        write("Short.toml", "instructions = 'Answer with the word yes.'\n[settings]\n")
        ran = on_terminal("run", "Short.toml", "-t", "Well?", TERM="dumb")
        assert ran.code == 0
        assert ran.screen.startswith(NOTE)
        assert ran.screen.endswith("\n")


class TestLimits:
    @pytest.fixture(autouse=True)
    def small_context(self, embedded: Path, home: Path, write: Write) -> None:
        write(str(home / "config/config.toml"), "[local]\ncontext = 512\n")

    def test_input_longer_than_the_context(self, write: Write) -> None:
        """An edit is asked for in pieces that fit; what is none goes as a whole."""
        write("long.md", "word and more " * 1000)
        write("out.md", "old")
        write("Summary.toml", "instructions = 'Say in one sentence what it says.'\n")
        ran = gptasst("run", "Summary.toml", "-f", "long.md", "-o", "out.md", "--json")
        error = json.loads(ran.stdout)["error"]
        assert (ran.returncode, error["code"]) == (2, "too_long")
        assert "exceeds the available context size (512 tokens)" in error["message"]
        assert error["hint"] == (
            "send less at a time, or raise `context` in [local] of config.toml"
        )
        assert Path("out.md").read_text() == "old"

    def test_answer_longer_than_the_context(self, write: Write) -> None:
        write("Story.toml", "instructions = 'You tell very long stories.'\n")
        write("out.md", "old")
        task = f"Tell all chapters: {', '.join(str(number) for number in range(110))}"
        ran = gptasst("run", "Story.toml", "-t", task, "-o", "out.md", "--json")
        error = json.loads(ran.stdout)["error"]
        assert (ran.returncode, error["code"]) == (7, "incomplete")
        assert error["message"] == "the answer was cut off: the context of 512 tokens is full"
        assert Path("out.md").read_text() == "old"

    def test_answer_longer_than_the_definition_allows(self, write: Write) -> None:
        write("Story.toml", "instructions = 'Long stories.'\n[settings]\nmax_output_tokens = 16\n")
        ran = gptasst("run", "Story.toml", "-t", "Tell one.", "--json")
        error = json.loads(ran.stdout)["error"]
        assert (ran.returncode, error["message"]) == (7, "the answer was cut off at 16 tokens")


@pytest.mark.usefixtures("embedded")
class TestInterrupted:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
    def test_in_the_middle_of_the_answer(self, start: Start, write: Write, number: int) -> None:
        write("Story.toml", "instructions = 'You tell very long stories.'\n")
        running = start("run", "Story.toml", "-t", "Tell all chapters.")
        assert running.stdout is not None
        assert running.stdout.read(5)
        running.send_signal(number)
        _, stderr = running.communicate(timeout=60)
        assert running.returncode == 128 + number
        assert b"Traceback" not in stderr
        assert leaves_no_child(running)

    def test_killed(self, start: Start, write: Write) -> None:
        """llama.cpp's process ends by itself when this one is gone."""
        write("Story.toml", "instructions = 'You tell very long stories.'\n")
        running = start("run", "Story.toml", "-t", "Tell all chapters.")
        assert running.stdout is not None
        assert running.stdout.read(5)
        assert not leaves_no_child(running)
        running.kill()
        running.communicate(timeout=60)
        while not leaves_no_child(running):  # pytest's time limit ends it
            time.sleep(0.01)

    def test_leaves_no_file(self, start: Start, write: Write) -> None:
        write("Story.toml", "instructions = 'You tell very long stories.'\n")
        running = start("run", "Story.toml", "-t", "Tell all.", "-o", "out.md", "-v")
        assert running.stderr is not None
        assert NOTE.encode() in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
        assert running.returncode == 130
        while not leaves_no_child(running):  # it may be loading the model; pytest's limit ends it
            time.sleep(0.02)
        assert [path.name for path in Path().iterdir()] == ["Story.toml"]


class TestOwnModel:
    def test_modules_in_the_working_directory_are_none_of_ours(
        self, embedded: Path, write: Write, yes_or_no: str
    ) -> None:
        write("xllamacpp.py", "raise SystemExit('not this one')")
        write("json.py", "raise SystemExit('nor this one')")
        code = "import sys; sys.path.remove(''); from gptasst.__main__ import main; main()"
        ran = subprocess.run(
            [sys.executable, "-c", code, "run", yes_or_no, "-t", "Helo."],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr

    def test_that_crashes_llama_cpp(
        self, write: Write, yes_or_no: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        crash = write("crash/xllamacpp.py", "import os; os.abort()").absolute().parent
        monkeypatch.setenv("PYTHONPATH", f"{crash}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        path = write("x.gguf", b"GGUF").absolute()
        ran = gptasst("run", yes_or_no, "-t", "x", "--json", GPTASST_LOCAL_MODEL=str(path))
        error = json.loads(ran.stdout)["error"]
        assert (ran.returncode, error["message"]) == (
            2,
            f"llama.cpp can't load `{path}`: it crashed",
        )

    def test_its_process_gets_no_secret(
        self, write: Write, yes_or_no: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        got_there = f"open({str(Path('got').absolute())!r}, 'w')"
        code = f"import json, os; json.dump(dict(os.environ), {got_there})"
        spy = write("spy/xllamacpp.py", code).absolute().parent
        monkeypatch.setenv("PYTHONPATH", f"{spy}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        names = ("OPENAI_API_KEY", "OPENAI_CUSTOM_HEADERS", "HF_TOKEN", "DB_PASS", "GITHUB_PAT")
        for name in names:
            monkeypatch.setenv(name, "sk-not-for-llama")
        monkeypatch.setenv("HTTPS_PROXY", "http://me:sk-not-for-llama@proxy")
        path = write("x.gguf", b"GGUF").absolute()
        gptasst("run", yes_or_no, "-t", "x", "--profile", "local", GPTASST_LOCAL_MODEL=str(path))
        got = json.loads(Path("got").read_text())
        assert got["PATH"] == os.environ["PATH"]
        assert "sk-not-for-llama" not in str(got)

    @pytest.mark.parametrize("program", ["", "/bin/echo"], ids=["none", "another"])
    def test_no_python_to_start(
        self, cli: Cli, write: Write, yes_or_no: str, monkeypatch: pytest.MonkeyPatch, program: str
    ) -> None:
        """As in a program that has Python as a part of it."""
        monkeypatch.setattr(sys, "executable", program)
        monkeypatch.setenv("GPTASST_LOCAL_MODEL", str(write("x.gguf", b"GGUF").absolute()))
        ran = cli("run", yes_or_no, "-t", "x", "--profile", "local", "--json")
        assert (ran.code, ran.error["code"]) == (1, "no_python")

    def test_by_path(self, fetched_model: Path, home: Path, yes_or_no: str) -> None:
        ran = gptasst("run", yes_or_no, "-t", "Helo.", GPTASST_LOCAL_MODEL=str(fetched_model))
        assert ran.returncode == 0
        assert ran.stderr == f"{NOTE}\n"
        assert not (home / "data/models").exists()

    def test_in_config(self, fetched_model: Path, home: Path, write: Write, yes_or_no: str) -> None:
        write(
            str(home / "config/config.toml"), f"[local]\nmodel = '{fetched_model}'\nthreads = 1\n"
        )
        ran = gptasst("run", yes_or_no, "-t", "Helo.", "--profile", "local")
        assert (ran.returncode, ran.stderr) == (0, "")

    @pytest.mark.parametrize("content", [b"GGUF", b"not a model at all", b""])
    def test_what_is_no_model(self, write: Write, content: bytes) -> None:
        path = write("x.gguf", content).absolute()
        ran = gptasst("run", "MarkdownLinter", "-t", "x", "--json", GPTASST_LOCAL_MODEL=str(path))
        error = json.loads(ran.stdout)["error"]
        assert (ran.returncode, error["code"]) == (2, "bad_model_file")
        assert error["message"].startswith(f"llama.cpp can't load `{path}`")
        assert len(ran.stderr.splitlines()) == 1

    def test_another_model_is_not_here(self, embedded: Path) -> None:
        ran = gptasst("run", "MarkdownLinter", "-t", "x", "-m", "gpt-6-luna", "--json")
        error = json.loads(ran.stdout)["error"]
        assert (ran.returncode, error["code"]) == (3, "model_not_found")


class TestWithoutTheEngine:
    @pytest.fixture(autouse=True)
    def not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "xllamacpp", None)

    def test_says_what_to_type(self, cli: Cli, home: Path) -> None:
        ran = cli("run", "MarkdownLinter", "-t", "x")
        assert (ran.code, ran.text) == (4, "")
        assert ran.stderr.splitlines() == [
            "error: no key is set, and the embedded model's engine is not installed",
            f"hint: {FIRST_STEP}",
        ]
        assert not (home / "data/models").exists()

    def test_where_the_profile_is_named(self, cli: Cli) -> None:
        ran = cli("run", "MarkdownLinter", "-t", "x", "--profile", "local", "--json")
        assert (ran.code, ran.error["code"]) == (2, "no_local_engine")
        assert ran.error["message"] == "the embedded model's engine is not installed"


@pytest.mark.usefixtures("embedded")
def test_all_runs_of_a_client_share_one_engine(
    write: Write, yes_or_no: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gptasst import Client
    from gptasst.embedded import service

    started = []
    engine = service.EmbeddedEngine

    def start_engine(*args: Any, **options: Any) -> Any:
        started.append(engine(*args, **options))
        return started[-1]

    monkeypatch.setattr(service, "EmbeddedEngine", start_engine)
    write("a.md", "Is this a text?")
    with Client(note=lambda _: None) as client:
        for _ in range(2):
            assert [r.error for r in client.map(yes_or_no, "a.md", force=True)] == [None]
        assert client.run(yes_or_no, "a.md").answer
        assert len(started) == 1
        started[0].close()  # as after a crash
        assert [r.error for r in client.map(yes_or_no, "a.md", force=True)] == [None]
        assert len(started) == 2
    assert not any(each.is_running for each in started)
