"""What can be wrong on this machine: the program, its configuration, completion."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from gptasst.completion.install import CompletionState, completion_state, current_shell
from gptasst.config.settings import Settings
from gptasst.doctor.commands import quoted
from gptasst.doctor.patient import Patient
from gptasst.doctor.types import Finding, Severity, Versions
from gptasst.errors import GptasstError, InvalidDefinition, NotFound
from gptasst.storage.paths import Paths

# What `key_findings` tell.
_OF_THE_KEY = ("wrong_key", "insecure_endpoint", "bad_key_file")


def versions() -> Versions:
    import platform
    from importlib.metadata import version

    from gptasst import __version__

    return Versions(
        gptasst=__version__,
        python=platform.python_version(),
        openai=version("openai"),
        typer=version("typer"),
        rich=version("rich"),
        sqlite=sqlite3.sqlite_version,
        platform=platform.platform(terse=True),
    )


def instruction_findings(patient: Patient) -> Iterator[Finding]:
    """What the working directory brings: instructions that hide others, or use hosted tools."""
    found, broken = patient.library.of_project()
    for error in broken:
        yield Finding("config", "warning", f"an instruction can't be used: {error.message}")
    for instruction in found:
        notice = instruction.notice()
        tools = ", ".join(instruction.definition.tools.names) or "none"
        message = notice or f"the instruction `{instruction.path}` is the working directory's"
        severity: Severity = "warning" if notice else "ok"
        fix = "export GPTASST_NO_PROJECT=1" if notice else None
        yield Finding("config", severity, f"{message}; its tools: {tools}", fix=fix)


def program_findings(found: Versions, environ: Mapping[str, str]) -> Iterator[Finding]:
    parts = (
        f"gptasst {found.gptasst}, Python {found.python}, openai {found.openai}",
        f"typer {found.typer}, rich {found.rich}, SQLite {found.sqlite}",
        found.platform,
    )
    yield Finding("program", "ok", ", ".join(parts))
    yield from _terminal_findings(environ)


def _terminal_findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    terminal = sys.__stdout__  # what draws progress stands in for the other
    if terminal is None or not terminal.isatty():
        yield Finding("program", "ok", "stdout is no terminal, so lists are tab-separated lines")
        return
    encoding = terminal.encoding.lower()
    kind = environ.get("TERM", "unknown") + (", NO_COLOR" if environ.get("NO_COLOR") else "")
    columns = shutil.get_terminal_size().columns
    yield Finding("program", "ok", f"a terminal of {columns} columns ({kind}), {encoding}")
    if encoding.replace("-", "") != "utf8":
        message = f"the terminal is written to as {encoding}: it can't show every character"
        yield Finding("program", "note", message, fix="export PYTHONUTF8=1")


def configuration_findings(patient: Patient) -> Iterator[Finding]:
    """What is wrong with the configuration, as a whole and for the profile that is used."""
    file, errors = patient.paths.config_file, list[GptasstError]()
    for check in (_check_all_profiles, lambda patient: patient.profile):
        try:
            check(patient)
        except GptasstError as error:
            errors.append(error)
    others = [error for error in errors if error.code not in _OF_THE_KEY]
    if others:
        yield _problem(patient, others[0])
    elif not errors:
        where = f"`{file}`" if file.exists() else "no config.toml, so the defaults"
        yield Finding("config", "ok", f"{where}; the profile is `{patient.profile.name}`")
    if os.name == "posix":
        yield from _permission_findings(patient.paths)


def _check_all_profiles(patient: Patient) -> None:
    # The store that a variable names need not suit the profiles that are not used.
    environ = {**patient.environ, "GPTASST_STORE": ""}
    Settings(patient.paths.config_file, environ, patient.keys).check()


def _problem(patient: Patient, error: GptasstError) -> Finding:
    if isinstance(error, NotFound):
        return _unknown_profile(patient, error)
    fix = f"unset {error.variable}" if error.variable else None
    if isinstance(error, InvalidDefinition):
        fix = f'"${{EDITOR:-vi}}" {quoted(patient.paths.config_file)}'
    return Finding("config", "problem", error.message, fix=fix)


def _unknown_profile(patient: Patient, error: GptasstError) -> Finding:
    option, known = patient.profile_option, patient.settings.profile_names()
    if option and option not in known:
        make = f"gptasst config set profiles.{quoted(option)}.base_url URL"
        fix = f"gptasst --profile {quoted(error.near)} doctor" if error.near else make
    elif not option and patient.environ.get("GPTASST_PROFILE", known[0]) not in known:
        fix = "unset GPTASST_PROFILE"
    else:
        fix = "gptasst config set profile openai"
    message = f"{error.message}; {error.advice}"
    return Finding("config", "problem", message, fix=fix)


def _permission_findings(paths: Paths) -> Iterator[Finding]:
    """Files and directories that others on this machine can look into."""
    if _is_open_to_others(paths.keys_file):
        yield Finding(
            "config",
            "problem",
            f"others on this machine can read the keys in `{paths.keys_file}`",
            fix=f"chmod 600 {quoted(paths.keys_file)}",
        )
    for directory in (paths.config, paths.data):
        if _is_open_to_others(directory):
            yield Finding(
                "config",
                "warning",
                f"others on this machine can look into `{directory}`",
                fix=f"chmod 700 {quoted(directory)}",
            )


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def completion_findings(patient: Patient) -> Iterator[Finding]:
    try:
        shell = current_shell(patient.environ)
    except GptasstError:
        return  # a shell that has no completion lacks nothing
    state = completion_state(shell, patient.paths, patient.environ)
    said: dict[CompletionState, str] = {
        "installed": f"installed for {shell}",
        "outdated": f"installed for {shell}, by another version of gptasst",
        "missing": f"not installed for {shell}",
    }
    if state == "installed":
        yield Finding("completion", "ok", said[state])
    else:
        fix = f"gptasst completion install {shell}"
        yield Finding("completion", "note", said[state], fix=fix)
