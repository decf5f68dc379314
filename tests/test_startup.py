"""Which modules a command loads: the cause of how long it takes to begin."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from gptasst import __version__
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

_REPORT = """
import atexit, json, sys
sys.argv = json.loads(sys.argv[1])
atexit.register(lambda: sys.stderr.write("\\n" + json.dumps(sorted(sys.modules))))
from gptasst.__main__ import program
program()
"""
_HEAVY = (
    "openai", "pydantic", "httpx2", "jsonschema", "pypdf", "rich", "tomlkit",
    "keyring", "asyncio", "ssl", "yaml",
)  # fmt: skip

_HTTPX2 = ("httpx2", "httpcore2", "h11", "anyio", "importlib.metadata", "urllib.request")

_SELDOM = ("tempfile", "concurrent", "logging", "stringprep", "zipfile")


def modules(*words: str) -> set[str]:
    """The modules that were loaded when a command ended well."""
    command = [sys.executable, "-c", _REPORT, json.dumps(["gptasst", *words])]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    return set(json.loads(done.stderr.rpartition("\n")[2]))


@cache
def existing(module: str) -> str:
    """The same name, or a failure: a module that was renamed is never loaded, whatever happens."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # its package
        spec = None
    # A folder in which only __pycache__ is left is found as well, but has no origin.
    if spec is None or spec.origin is None:
        pytest.fail(f"there is no module {module}")
    return module


def below(loaded: set[str], *packages: str) -> list[str]:
    """The loaded modules that are one of `packages` or in one. All of them have to exist."""
    names = [existing(package) for package in packages]
    return sorted(m for m in loaded if any(m == n or m.startswith(n + ".") for n in names))


@pytest.mark.parametrize("name", ["gptasst.no_such_module", "no_such_package.module"])
def test_a_name_that_does_not_exist_is_never_taken_for_one_that_is_not_loaded(name: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"no module {name}"):
        below(set(), name)


def test_the_version_needs_nothing() -> None:
    loaded = modules("--version")
    assert below(loaded, "typer", "gptasst.cli", "pathlib", "typing", "dataclasses") == []


@pytest.mark.parametrize(
    "words", [["run", ""], ["run", "--profile", ""], ["assistant", "edit", ""]]
)
def test_completion_comes_before_typer(words: list[str]) -> None:
    loaded = modules("__complete", "zsh", *words)
    assert below(loaded, "typer", "gptasst.cli", "pathlib", "typing", "dataclasses") == []
    assert below(loaded, *_HEAVY) == []


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["run", "--help"],
        ["assistant", "create", "--help"],
        ["assistant", "--help"],
        ["instruction", "list"],
        ["--profile", "local", "assistant", "list"],
        ["config", "show"],
        ["config", "path"],
        ["cache", "show"],
        ["conversation", "list"],
    ],
    ids=" ".join,
)
def test_no_heavy_module_where_it_has_nothing_to_do(words: list[str]) -> None:
    loaded = modules(*words)
    assert "typer" in below(loaded, "typer")
    assert below(loaded, *_HEAVY) == []


def test_help_builds_nothing_but_typer() -> None:
    loaded = modules("run", "--help")
    unneeded = (
        "gptasst.context",
        "gptasst.config.settings",
        "gptasst.definitions.toml",
        "gptasst.models",
        "gptasst.runs",
        "gptasst.assistants",
        "gptasst.api",
    )
    assert below(loaded, *unneeded, "tomllib", "sqlite3") == []


def test_a_command_does_not_import_the_others() -> None:
    loaded = modules("instruction", "list")
    assert below(loaded, "sqlite3") == []
    assert below(loaded, "gptasst.cli.instruction") == ["gptasst.cli.instruction"]
    assert below(loaded, "gptasst.cli.assistant", "gptasst.cli.run", "gptasst.cli.local") == []


def test_a_list_of_assistants_needs_nothing_of_knowledge() -> None:
    loaded = modules("--profile", "local", "assistant", "list")
    unneeded = (
        "hashlib",
        "queue",
        "gptasst.api",
        "gptasst.uploads.cache",
        "gptasst.assistants.knowledge_files",
        "tempfile",
    )
    assert below(loaded, *unneeded, "gptasst.knowledge", "gptasst.knowledge.types") == []


def test_the_state_of_the_embedded_model_loads_neither_it_nor_the_sdk() -> None:
    loaded = modules("local", "status")
    assert below(loaded, "openai", "httpx2", "pydantic", "rich", "xllamacpp") == []


def test_doctor_asks_no_server_where_there_is_none() -> None:
    loaded = modules("--profile", "local", "doctor")
    assert below(loaded, "openai", "httpx2", "pydantic", "tomlkit", "xllamacpp") == []


def test_showing_the_cache_needs_nothing_that_fills_it() -> None:
    modules("cache", "show")  # makes the file
    loaded = modules("cache", "show")
    unneeded = (
        "hashlib",
        "tempfile",
        "concurrent",
        "gptasst.project_files.types",
        "gptasst.api.types",
        "gptasst.uploads.uploader",
    )
    assert below(loaded, *unneeded, "gptasst.knowledge.types") == []


def test_a_run_does_not_load_what_only_others_need(server: LoopbackServer) -> None:
    loaded = modules("run", "DocWriter", "-t", "hello")
    assert len(server.requests) == 1
    unneeded = ("openai", "pydantic", "rich", "jsonschema", "pypdf", "tomlkit", "keyring")
    assert below(loaded, *unneeded, *_HTTPX2, "gptasst.cli.assistant") == []


def test_a_list_on_a_server_needs_nothing_that_changes_it(project: LoopbackServer) -> None:
    modules("assistant", "list")  # makes the cache
    loaded = modules("assistant", "list")
    assert project.requests
    assert below(loaded, "hashlib", "secrets", *_SELDOM) == []


def test_one_assistant_is_read_without_a_pool_of_threads(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    path = write("docs/a.md", "a\n")
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", path).code == 0
    for words in (["assistant", "show", "Docs"], ["assistant", "files", "sync", "Docs"]):
        assert below(modules(*words), *_SELDOM) == []


@pytest.mark.parametrize(
    "words",
    [
        ["assistant", "list"],
        ["assistant", "show", "Docs"],
        ["assistant", "files", "list", "Docs"],
        ["assistant", "files", "sync", "Docs"],
        ["assistant", "history", "Docs"],
        ["file", "list"],
        ["model", "list"],
        ["run", "Docs", "-t", "hello"],
    ],
    ids=" ".join,
)
def test_what_only_reads_on_a_server_goes_without_the_sdk(
    cli: Cli, project: LoopbackServer, write: Write, words: list[str]
) -> None:
    assert (
        cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", write("a.md", "a\n")).code == 0
    )
    project.requests.clear()
    loaded = modules(*words)
    assert project.requests
    assert below(loaded, "openai", "pydantic", *_HTTPX2, "gptasst.knowledge.words") == []
    assert below(loaded, "gptasst.definitions.cases", "gptasst.definitions.formats") == []


def test_the_end_comes_at_once() -> None:
    """Python would take the SDK's modules apart, and wait for threads that nobody needs."""
    code = (
        "import sys, threading, time\n"
        "class Witness:\n    def __del__(self): print('taken apart')\n"
        "sys.witness = Witness()\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "sys.argv = ['gptasst', '--version']\n"
        "from gptasst.__main__ import program\n"
        "program()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"gptasst {__version__}\n"


def test_a_profiler_gets_what_it_came_for(tmp_path: Path) -> None:
    profiler = [sys.executable, "-m", "cProfile", "-o", str(tmp_path / "profile")]
    command = [*profiler, "-m", "gptasst", "--version"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "profile").stat().st_size > 0


def test_a_program_that_calls_it_goes_on() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['gptasst', 'instruction', 'list', '-q']\n"
        "from gptasst.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as ended: print('ended with', ended.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nended with 0\n")


def test_ctrl_c_while_it_begins() -> None:
    code = (
        "import sys\n"
        "class CtrlC:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'gptasst.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, CtrlC())\n"
        "sys.argv = ['gptasst', 'assistant', 'list']\n"
        "from gptasst.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
