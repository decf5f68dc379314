"""Installing completion in shells."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.shell_program import program_for_shells


@pytest.fixture
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "user"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("ZDOTDIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.mark.parametrize(("shell", "profile"), [("bash", ".bashrc"), ("zsh", ".zshrc")])
def test_install_loads_the_script_once_and_keeps_what_was_there(
    cli: Cli, user_home: Path, home: Path, shell: str, profile: str
) -> None:
    (user_home / profile).write_text("alias ll='ls -l'")
    for _ in range(2):
        ran = cli("completion", "install", shell)
        assert ran.code == 0
    script = home / "data" / "completion" / f"gptasst.{shell}"
    text = (user_home / profile).read_text()
    assert text.startswith("alias ll='ls -l'\n")
    assert text.count(str(script)) == 2  # one line: if it is there, source it
    assert script.read_text() == cli("completion", "show", shell).text


def test_fish_finds_it_by_itself(cli: Cli, user_home: Path) -> None:
    ran = cli("completion", "install", "fish", "--json")
    target = user_home / ".config" / "fish" / "completions" / "gptasst.fish"
    assert ran.json == {"shell": "fish", "script": str(target), "profile": None}
    assert "complete -c gptasst" in target.read_text()


def test_your_shell_is_the_one_of_the_environment(
    cli: Cli, user_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert cli("completion", "install").code == 0
    assert (user_home / ".zshrc").exists()
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    ran = cli("completion", "install")
    assert (ran.code, ran.stderr.splitlines()[0]) == (2, "error: `tcsh` has no completion")


def test_a_shell_that_is_not_known(cli: Cli) -> None:
    ran = cli("completion", "show", "tcsh", "--json")
    assert ran.code == 2
    assert ran.error["hint"] == "one of: bash, zsh, fish, powershell"


def test_powershell_has_a_script(cli: Cli) -> None:
    assert "Register-ArgumentCompleter" in cli("completion", "show", "powershell").text


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`gptasst` on the path of a shell."""
    with program_for_shells(tmp_path / "bin") as path:
        monkeypatch.setenv("PATH", str(path.parent), prepend=":")
        yield path


def in_shell(shell: str, script: str) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gptasst run Mar", ["MarkdownLinter"]),
        ("gptasst assistant show My", ["My\\ one"]),
        ('gptasst assistant show "My', ["My one"]),
        ("gptasst run X -f a.md no", []),
        ("gptasst assistant create X -i Rel", ["ReleaseNotes", "Relief notes.toml"]),
    ],
)
def test_bash(cli: Cli, program: Path, line: str, expected: list[str]) -> None:
    cli("assistant", "create", "My one", "-i", "DocWriter", "--profile", "local")
    Path("Relief notes.toml").touch()
    words = [word if word[0] == '"' else f"'{word}'" for word in line.split()]
    words = [f"'{word}'" if word[0] == '"' else word for word in words]
    last = line.rsplit(maxsplit=1)[-1].lstrip('"')
    script = f"""
        compopt() {{ :; }}
        source <(gptasst completion show bash)
        COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}
        _gptasst gptasst '{last}' ''
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert [found for found in in_shell("bash", script) if found] == expected


def test_fish(cli: Cli, program: Path, user_home: Path) -> None:
    cli("assistant", "create", "My one", "-i", "DocWriter", "--profile", "local")
    script = "gptasst completion show fish | source; complete -C 'gptasst assistant show My'"
    assert in_shell("fish", script) == ["My one\tassistant"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("~/pap", "~/paper.md"),
        ("$HOME/pap", "$HOME/paper.md"),
        ("my\\ fol", "my folder/"),
        ('"my folder/', "my folder/a b.md"),
        ("--file=pl", "--file=plain.md"),
        ("", "plain.md"),
    ],
)
def test_paths_in_fish(program: Path, user_home: Path, typed: str, expected: str) -> None:
    (user_home / "paper.md").touch()
    Path("my folder").mkdir()
    Path("my folder/a b.md").touch()
    Path("plain.md").touch()
    option = "" if typed.startswith("--") else "-f "
    script = f"gptasst completion show fish | source; complete -C 'gptasst run X {option}{typed}'"
    assert expected in in_shell("fish", script)


def test_zsh_reads_its_script(program: Path) -> None:
    script = "source <(gptasst completion show zsh); print $+functions[_gptasst]"
    assert in_shell("zsh", f"compdef() {{ :; }}; {script}") == ["1"]
