"""What is made from the commands says what they are: completion's table, the page, the manual."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from gptasst.cli.app import COMMANDS, app
from tests.docs.pages import DOCS, ROOT, section

SCRIPT = "scripts/derived-files"
MANUAL = ROOT / "man/gptasst.1"


@functools.cache
def derived_files() -> dict[str, str]:
    """What the script would write, in a process in which no other test has used the commands."""
    code = (
        f"import json, runpy; script = runpy.run_path({SCRIPT!r});"
        " print(json.dumps(script['derived_files']()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files: dict[str, str] = json.loads(done.stdout)
    return files


@pytest.mark.parametrize(
    "path", ["src/gptasst/completion/table.py", "docs/cli.md", "man/gptasst.1"]
)
def test_they_are_those_of_the_commands_as_they_are(path: str) -> None:
    assert (ROOT / path).read_text("utf-8") == derived_files()[path], f"run `python {SCRIPT}`"


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command's path and the names of its options, asked of the program."""
    root: Any = typer.main.get_command(app)
    yield from _below(root, "gptasst", root.make_context("gptasst", [], resilient_parsing=True))


def _below(command: Any, path: str, context: Any) -> Iterator[tuple[str, list[str]]]:
    parameters = command.get_params(context)
    yield path, [n for p in parameters for n in (*p.opts, *p.secondary_opts) if n.startswith("-")]
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            yield from _below(command.get_command(context, name), f"{path} {name}", context)


@pytest.mark.parametrize(("path", "options"), list(commands())[1:])
def test_the_page_and_the_manual_have_all(path: str, options: list[str]) -> None:
    _, _, rest = MANUAL.read_text("utf-8").partition(f'.SS "{path}"\n')
    manual = rest.partition(".SS ")[0].replace("\\-", "-")
    page = section(DOCS / "cli.md", path)
    assert page
    assert manual
    everywhere = {
        "--profile",
        "--json",
        "--quiet",
        "-q",
        "--verbose",
        "-v",
        "--no-project",
        "--help",
        "-h",
    }
    for option in set(options) - everywhere:
        assert option in page
        assert option in manual


def test_options_of_every_command_are_said_once() -> None:
    head = (DOCS / "cli.md").read_text("utf-8").partition("\n## ")[0]
    for option in ("--profile NAME", "--json", "-q, --quiet", "-v, --verbose", "-h, --help"):
        assert f"| `{option}` |" in head


def test_options_without_a_command_are_there() -> None:
    head = (DOCS / "cli.md").read_text("utf-8").partition("\n## ")[0]
    manual = MANUAL.read_text("utf-8").partition(".SH COMMANDS")[0].replace("\\-", "-")
    (_, options), *_ = commands()
    for option in options:
        assert option in head
        assert option in manual


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    root: Any = typer.main.get_command(app)
    with root.make_context("gptasst", [], resilient_parsing=True) as context:
        own = {name: root.get_command(context, name).help for name in COMMANDS}
    assert own == COMMANDS


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_manual_is_clean_roff() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", MANUAL], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
