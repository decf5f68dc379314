"""Install the completion script where a shell finds it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from gptasst.errors import StateError, UsageError
from gptasst.hints import cmd
from gptasst.processes.programs import find_program
from gptasst.storage.atomic_files import replace_private
from gptasst.storage.paths import Paths
from gptasst.values import dataclass

_SUFFIXES = {"bash": "bash", "zsh": "zsh", "fish": "fish", "powershell": "ps1"}
SHELLS = tuple(_SUFFIXES)
CompletionState = Literal["installed", "outdated", "missing"]


@dataclass(frozen=True, slots=True)
class InstalledCompletion:
    """The installed files. `profile` is the shell's own file, which now loads `script`."""

    shell: str
    script: str
    profile: str | None


def completion_script(shell: str) -> str:
    """The text of a shell's completion script.

    Raises:
        UsageError: the shell is not supported.
    """
    if shell not in _SUFFIXES:
        raise UsageError(
            f"there is no completion for `{shell}`", hint=f"one of: {', '.join(SHELLS)}"
        )
    scripts = Path(__file__).with_name("scripts")
    return (scripts / f"gptasst.{_SUFFIXES[shell]}").read_text("utf-8")


def install_completion(shell: str, paths: Paths, environ: Mapping[str, str]) -> InstalledCompletion:
    """Install completion for a shell. Repeating it updates the script.

    Raises:
        UsageError: the shell is not supported, or PowerShell is not there to locate its profile.
        StateError: a file can't be written.
    """
    script = completion_script(shell)
    target = _target(shell, paths, environ)
    profile = (
        None if shell == "fish" else _profile(shell, environ)
    )  # fish finds it without configuration
    try:
        replace_private(target, script.encode("utf-8"))
        if profile is not None:
            _load(profile, target, shell)
    except OSError as error:
        raise StateError(f"`{error.filename}` can't be written: {error.strerror}") from error
    return InstalledCompletion(shell, str(target), str(profile) if profile else None)


def completion_state(shell: str, paths: Paths, environ: Mapping[str, str]) -> CompletionState:
    """Whether completion is installed for a shell. `outdated`: the script is of another version."""
    target = _target(shell, paths, environ)
    try:
        text = target.read_text("utf-8")
        # Only PowerShell knows the location of its profile, and takes seconds to print it.
        if shell in ("bash", "zsh"):
            loaded = _loading_line(target, shell) in _profile(shell, environ).read_text("utf-8")
        else:
            loaded = True
    except (OSError, UnicodeDecodeError):
        return "missing"
    if not loaded:
        return "missing"
    return "installed" if text == completion_script(shell) else "outdated"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path.home())


def _target(shell: str, paths: Paths, environ: Mapping[str, str]) -> Path:
    """The path of a shell's script."""
    if shell == "fish":
        config = Path(environ.get("XDG_CONFIG_HOME") or _home(environ) / ".config")
        return config / "fish" / "completions" / "gptasst.fish"
    return paths.data / "completion" / f"gptasst.{_SUFFIXES[shell]}"


def _profile(shell: str, environ: Mapping[str, str]) -> Path:
    """The shell's own start-up file."""
    home = _home(environ)
    if shell == "bash":
        return home / ".bashrc"
    if shell == "zsh":
        return Path(environ.get("ZDOTDIR") or home) / ".zshrc"
    for program in filter(None, map(find_program, ("pwsh", "powershell"))):
        try:
            asked = subprocess.run(  # noqa: S603  # a fixed command
                [program, "-NoProfile", "-Command", "$PROFILE"],
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return Path(asked.stdout.strip())
    raise UsageError("PowerShell is not installed", hint=cmd("completion show powershell"))


def _load(profile: Path, script: Path, shell: str) -> None:
    """Add a line that loads the script to a shell's start-up file, once."""
    line = _loading_line(script, shell)
    text = profile.read_text("utf-8") if profile.exists() else ""
    if line in text.splitlines():
        return
    profile.parent.mkdir(parents=True, exist_ok=True)
    start = "" if not text or text.endswith("\n") else "\n"
    with profile.open("a", encoding="utf-8") as stream:
        stream.write(f"{start}# gptasst completion\n{line}\n")


def _loading_line(script: Path, shell: str) -> str:
    quoted = "'" + str(script).replace("'", "''" if shell == "powershell" else "'\\''") + "'"
    return f". {quoted}" if shell == "powershell" else f"[ -r {quoted} ] && source {quoted}"


def current_shell(environ: Mapping[str, str]) -> str:
    """The shell that the user seems to use.

    Raises:
        UsageError: it can't be determined.
    """
    name = os.path.basename(environ.get("SHELL", "")) or ("powershell" if os.name == "nt" else "")
    if name not in _SUFFIXES:
        raise UsageError(
            f"`{name}` has no completion" if name else "the shell can't be detected",
            hint=f"{cmd('completion install SHELL')}, one of: {', '.join(SHELLS)}",
        )
    return name
