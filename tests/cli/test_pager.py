"""Lists that are longer than the screen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.loopback import LoopbackServer
from tests.on_terminal import Seen, on_terminal

if sys.platform == "win32":
    pytest.skip("a terminal of POSIX", allow_module_level=True)

MODELS = [f"model-{number:02}" for number in range(40)]
SCREEN = {"LINES": "24", "TERM": "xterm", "NO_COLOR": "1"}


@pytest.fixture
def pager(tmp_path: Path, project: LoopbackServer) -> Path:
    """A pager that writes down what it got, and its options."""
    project.models = MODELS
    program = tmp_path / "my pager"
    program.write_text(f'#!/bin/sh\ncat > "{tmp_path}/paged"\necho "paged $*"\n')
    program.chmod(0o755)
    return program


def listed(**environ: str) -> Seen:
    return on_terminal("model", "list", **{**SCREEN, **environ})


def test_a_long_list_goes_through_the_pager(pager: Path) -> None:
    seen = listed(GPTASST_PAGER=f"'{pager}' --wide", PAGER="false")
    assert (seen.code, seen.screen.splitlines()[-1]) == (0, "paged --wide")
    lines = (pager.parent / "paged").read_text().splitlines()
    assert lines[0].split()[0] == "model"
    assert [line.split()[0] for line in lines[1:-1]] == MODELS
    assert lines[-1] == "40 models"


def test_without_one_of_its_own_it_takes_that_of_the_environment(pager: Path) -> None:
    seen = on_terminal("model", "list", **SCREEN, PAGER=f"'{pager}'")
    assert "paged" in seen.screen


@pytest.mark.parametrize(
    ("own", "options"), [(None, "FRX"), ("-i -Pfile", "-R -i -Pfile"), ("", "-R ")]
)
def test_less_shows_colours_whatever_its_other_options_are(
    pager: Path, monkeypatch: pytest.MonkeyPatch, own: str | None, options: str
) -> None:
    monkeypatch.delenv("LESS", raising=False)
    pager.write_text('#!/bin/sh\necho "less: $LESS."\n')
    environ = {} if own is None else {"LESS": own}
    assert listed(GPTASST_PAGER=f"'{pager}'", **environ).screen.endswith(f"less: {options}.\n")


@pytest.mark.parametrize("named", ["", "cat", "no-such-pager", "'"])
def test_there_need_not_be_one(pager: Path, named: str) -> None:
    screen = listed(GPTASST_PAGER=named).screen
    assert all(model in screen for model in MODELS)


def test_a_short_list_needs_none(pager: Path, project: LoopbackServer) -> None:
    project.models = MODELS[:5]
    assert "paged" not in listed(GPTASST_PAGER=f"'{pager}'").screen


def test_nor_does_a_pipe(pager: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPTASST_PAGER", f"'{pager}'")
    assert len(cli("model", "list").lines) == 40
    assert not (pager.parent / "paged").exists()


@pytest.mark.usefixtures("pager")
@pytest.mark.parametrize("named", ["mine", "./mine"])
def test_a_program_of_the_working_directory_is_none(named: str) -> None:
    Path("mine").write_text("#!/bin/sh\necho pwned\n")
    Path("mine").chmod(0o755)
    path = f".{os.pathsep}{os.environ['PATH']}"
    assert "pwned" not in listed(GPTASST_PAGER=named, PATH=path).screen


@pytest.mark.usefixtures("pager")
def test_a_pager_that_ends_early_is_no_error() -> None:
    assert listed(GPTASST_PAGER="true").code == 0
