"""Checks of this machine: the program, its configuration, completion."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from gptasst.completion.install import CompletionState, completion_state, current_shell
from gptasst.config.known_keys import INSTRUCTIONS_PATH
from gptasst.config.settings import Settings
from gptasst.config.urls import shown_url
from gptasst.doctor.types import (
    ExaminedProgram,
    Finding,
    Severity,
    Versions,
    counted,
    quoted,
)
from gptasst.embedded.service import LocalModelStatus
from gptasst.errors import GptasstError, InvalidDefinition, NotFound
from gptasst.hints import cmd, install_command, upgrade_command
from gptasst.storage.database import NewerSchemaError, find_damage, open_unchanged
from gptasst.storage.paths import Paths
from gptasst.uploads.cache import FileCache

# The result of `key_findings`.
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


def instruction_findings(program: ExaminedProgram) -> Iterator[Finding]:
    """What a team's directories and the working directory bring besides the user's instructions."""
    try:
        yield from _search_path_findings(program)
    except GptasstError:
        return  # the configuration is broken, which is a finding already
    found, broken = program.library.of_project()
    for error in broken:
        yield Finding("config", "warning", f"an instruction can't be used: {error.message}")
    harmless = [each for each in found if not each.notices() and not each.definition.tools.names]
    if harmless:
        count = f"{len(harmless)} instruction{'' if len(harmless) == 1 else 's'}"
        names = ", ".join(f"`{each.definition.name}`" for each in harmless)
        where = f"from `{Path(harmless[0].path).parent}` in the working directory"
        yield Finding("config", "ok", f"{count} without tools {where}: {names}")
    for instruction in (each for each in found if each not in harmless):
        notice = "; ".join(instruction.notices())
        tools = ", ".join(instruction.definition.tools.names) or "none"
        message = notice or f"the instruction `{instruction.path}` is from the working directory"
        fix = "export GPTASST_NO_PROJECT=1" if notice else None
        message += f"; its tools: {tools}"
        yield Finding("config", "warning" if fix else "ok", message, fix=fix)


def _search_path_findings(program: ExaminedProgram) -> Iterator[Finding]:
    set_by = INSTRUCTIONS_PATH if INSTRUCTIONS_PATH in program.environ else "instructions.path"
    for directory in program.settings.instruction_path():
        if not directory.is_dir():
            message = f"no directory `{directory}`, which {set_by} names"
            yield Finding("config", "warning", message)
            continue
        found, broken = program.library.in_directory(directory)
        for error in broken:
            yield Finding("config", "warning", f"an instruction can't be used: {error.message}")
        hiding = [each.definition.name for each in found if each.hides]
        hides = f"; {', '.join(f'`{name}`' for name in hiding)} hide others" if hiding else ""
        count = f"{len(found)} instruction{'' if len(found) == 1 else 's'}"
        yield Finding("config", "ok", f"{count} from `{directory}` ({set_by}){hides}")


def program_findings(found: Versions, environ: Mapping[str, str]) -> Iterator[Finding]:
    parts = (
        f"gptasst {found.gptasst}, Python {found.python}, openai {found.openai}",
        f"typer {found.typer}, rich {found.rich}, SQLite {found.sqlite}",
        found.platform,
    )
    yield Finding("program", "ok", ", ".join(parts))
    yield from _terminal_findings(environ)


def _terminal_findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    terminal = sys.__stdout__  # a progress display may replace the other stream
    if terminal is None or not terminal.isatty():
        yield Finding("program", "ok", "stdout is not a terminal, so lists are tab-separated")
        return
    encoding = terminal.encoding.lower()
    kind = environ.get("TERM", "unknown") + (", NO_COLOR" if environ.get("NO_COLOR") else "")
    columns = shutil.get_terminal_size().columns
    yield Finding("program", "ok", f"a terminal with {columns} columns ({kind}), {encoding}")
    if encoding.replace("-", "") != "utf8":
        message = f"the terminal is written to as {encoding}: it can't show every character"
        yield Finding("program", "note", message, fix="export PYTHONUTF8=1")


def configuration_findings(program: ExaminedProgram) -> Iterator[Finding]:
    """Findings about the configuration as a whole, and for the profile in use."""
    file, errors = program.paths.config_file, list[GptasstError]()
    for check in (_check_all_profiles, lambda program: program.profile):
        try:
            check(program)
        except GptasstError as error:
            errors.append(error)
    others = [error for error in errors if error.code not in _OF_THE_KEY]
    if others:
        yield _problem(program, others[0])
    elif not errors:
        where = f"`{file}`" if file.exists() else "no config.toml, so the defaults"
        yield Finding("config", "ok", f"{where}; the profile is `{program.profile.name}`")
    if os.name == "posix":
        yield from _permission_findings(program.paths)


def _check_all_profiles(program: ExaminedProgram) -> None:
    # The store set by a variable need not suit other profiles.
    environ = {**program.environ, "GPTASST_STORE": ""}
    Settings(program.paths.config_file, environ, program.keys).check()


def _problem(program: ExaminedProgram, error: GptasstError) -> Finding:
    if isinstance(error, NotFound):
        return _unknown_profile(program, error)
    fix = f"unset {error.variable}" if error.variable else None
    if isinstance(error, InvalidDefinition):
        fix = edited(program.paths)
    return Finding("config", "problem", error.message, fix=fix)


def edited(paths: Paths) -> str:
    """The command that opens config.toml, for problems that only a person can fix."""
    return f'"${{EDITOR:-vi}}" {quoted(paths.config_file)}'


def _unknown_profile(program: ExaminedProgram, error: GptasstError) -> Finding:
    option, known = program.profile_option, program.settings.profile_names()
    if option and option not in known:
        fix = (
            f"gptasst --profile {quoted(error.near)} doctor"
            if error.near
            else edited(program.paths)
        )
    elif not option and program.environ.get("GPTASST_PROFILE", known[0]) not in known:
        fix = "unset GPTASST_PROFILE"
    else:
        fix = cmd(f"config set profile {quoted(error.near or 'openai')}")
    message = f"{error.message}; {error.advice}"
    return Finding("config", "problem", message, fix=fix)


def _permission_findings(paths: Paths) -> Iterator[Finding]:
    """Findings about files and directories that other users can open."""
    if _is_open_to_others(paths.keys_file):
        yield Finding(
            "config",
            "problem",
            f"other users can read the keys in `{paths.keys_file}`",
            fix=f"chmod 600 {quoted(paths.keys_file)}",
        )
    for directory in (paths.config, paths.data):
        if _is_open_to_others(directory):
            yield Finding(
                "config",
                "warning",
                f"other users can open `{directory}`",
                fix=f"chmod 700 {quoted(directory)}",
            )


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def completion_findings(program: ExaminedProgram) -> Iterator[Finding]:
    try:
        shell = current_shell(program.environ)
    except GptasstError:
        return  # a shell without completion support lacks nothing
    state = completion_state(shell, program.paths, program.environ)
    said: dict[CompletionState, str] = {
        "installed": f"installed for {shell}",
        "outdated": f"installed for {shell}, by another version of gptasst",
        "missing": f"not installed for {shell}",
    }
    if state == "installed":
        yield Finding("completion", "ok", said[state])
    else:
        fix = cmd(f"completion install {shell}")
        yield Finding("completion", "note", said[state], fix=fix)


def key_findings(program: ExaminedProgram) -> Iterator[Finding]:
    try:
        profile = program.profile
        if profile.embedded and profile.chosen == "fallback":
            message = "no key is set, so runs use the embedded model"
            yield Finding("key", "note", message, fix=cmd("auth login"))
            return
        status = program.auth.status()
    except (NotFound, InvalidDefinition):
        return  # without a profile no key is needed
    except GptasstError as error:
        if error.exit_code == 4 or error.code == "bad_key_file":
            yield Finding("key", "problem", error.message, fix=_key_fix(program, error))
        return
    if status.key:
        yield Finding("key", "ok", f"{status.key} from {status.source}")
    else:
        yield Finding("key", "ok", f"{status.endpoint} needs none")


def _key_fix(program: ExaminedProgram, error: GptasstError) -> str | None:
    if error.code == "bad_key_file":
        return f"rm {quoted(program.paths.keys_file)} && {cmd('auth login')}"
    if error.code == "insecure_endpoint":
        return _with_tls(program)
    variable = error.variable  # it overrides a stored key
    header = _header_of(program, variable)
    login = cmd("auth login") if header is None else cmd(f"auth login --header {header}")
    if variable and program.environ.get(variable):
        return f"unset {variable} && {login}"
    return login


def _with_tls(program: ExaminedProgram) -> str | None:
    """The command that switches the profile's server to https."""
    name = program.settings.named(program.profile_option) or "openai"
    url = program.settings.base_url(name)
    if url is None or shown_url(url) != url:  # don't print its password
        return None
    url = url.replace("http:", "https:", 1)
    variable = program.settings.url_variable(name)
    if variable:
        return f"export {variable}={quoted(url)}"
    return cmd(f"config set profiles.{quoted(name)}.base_url {quoted(url)}")


def _header_of(program: ExaminedProgram, variable: str | None) -> str | None:
    """The header whose value a variable should have."""
    try:
        missing = program.profile.headers.missing
    except GptasstError:
        return None
    return next((name for name, named in missing.items() if named == variable), None)


_SECONDS = 3.0  # seconds to check one database


def database_findings(program: ExaminedProgram) -> Iterator[Finding]:
    """Findings about damaged databases that must not be lost."""
    paths = program.paths
    for path in (paths.assistants_database, paths.conversations_database):
        if damage := _damage(path):
            yield Finding(
                "assistants" if path == paths.assistants_database else "config",
                "problem",
                f"`{path}` is damaged: {damage}",
                fix=f"mv {quoted(path)} {quoted(f'{path}.damaged')}",
            )


def cache_findings(program: ExaminedProgram) -> Iterator[Finding]:
    """Findings about the caches, which are replaced automatically when damaged."""
    paths = program.paths
    for path in (paths.file_cache, paths.run_journal, paths.batch_records, paths.case_answers):
        if damage := _damage(path):
            message = f"`{path}` is damaged ({damage}) and will be set aside when it is next used"
            rebuild = cmd("cache rebuild") if path == paths.file_cache else f"rm {quoted(path)}"
            yield Finding("cache", "warning", message, fix=rebuild)
        elif path == paths.file_cache:
            yield _cache_finding(program, path)


def _cache_finding(program: ExaminedProgram, path: Path) -> Finding:
    if not path.exists():
        return Finding("cache", "ok", "empty; nothing has been read or uploaded yet")
    try:
        cache = FileCache.copy_of(path)
    except sqlite3.Error as error:
        newer = isinstance(error, NewerSchemaError)
        fix = upgrade_command() if newer else cmd("cache rebuild")
        return Finding("cache", "warning", f"`{path}` can't be used: {error}", fix=fix)
    with contextlib.closing(cache):
        message = f"`{path}`: {counted(len(cache.hashed_files()), 'local file')}"
        with contextlib.suppress(GptasstError):  # without a profile there is no server
            profile = program.profile
            if not profile.embedded:
                project = f" ({profile.project})" if profile.project else ""
                uploads = len(cache.of(profile.scope).all_uploads())
                message += f", {counted(uploads, 'upload')} to {profile.endpoint}{project}"
    return Finding("cache", "ok", message, bytes=path.stat().st_size)


def _damage(path: Path) -> str | None:
    """The damage of a database, if any; a missing file is fine."""
    if not os.path.lexists(path):
        return None
    try:
        if path.stat().st_size == 0:
            return "it is empty"
        with contextlib.closing(open_unchanged(path)) as connection:
            return find_damage(connection, _SECONDS)
    except (sqlite3.Error, OSError) as error:
        return str(error)


# Reading more than this would take too long.
_HASHED_BYTES = 1_000_000_000


def embedded_findings(program: ExaminedProgram) -> Iterator[Finding]:
    needed = _uses_embedded(program)
    bad: Severity = "problem" if needed else "note"
    try:
        service = program.local_model
    except InvalidDefinition:
        return  # reported already: the configuration can't be read
    except GptasstError as error:  # its setting names no file
        yield Finding("embedded", bad, error.message, fix=_another_file(program))
        return
    status = service.status()
    if not status.engine_installed:
        install = install_command("local")
        if needed:
            yield Finding("embedded", bad, "the extra `local` is not installed", fix=install)
        else:
            message = "the extra `local` is not installed; this profile does without"
            yield Finding("embedded", "ok", message)
    if status.size is not None:
        yield _file_finding(program, status, service.sha256, bad)
    elif status.source is None:
        message = f"the model file `{status.path}` does not exist"
        yield Finding("embedded", bad, message, fix=_another_file(program))
    elif status.engine_installed:
        message = f"{status.model} is not fetched yet; the first run does it"
        if needed:
            yield Finding("embedded", "note", message, fix=cmd("local setup"))
        else:
            yield Finding("embedded", "ok", f"{status.model} is not fetched; nothing here needs it")


def _uses_embedded(program: ExaminedProgram) -> bool:
    try:
        return program.profile.embedded
    except GptasstError:
        return False


def _another_file(program: ExaminedProgram) -> str:
    """The command that unsets the model file: a variable overrides config.toml."""
    if program.environ.get("GPTASST_LOCAL_MODEL"):
        return "unset GPTASST_LOCAL_MODEL"
    return edited(program.paths)


def _file_finding(
    program: ExaminedProgram, status: LocalModelStatus, sha256: str | None, bad: Severity
) -> Finding:
    path, size = Path(status.path), status.size
    if sha256 is None or size is None or size > _HASHED_BYTES:
        return Finding("embedded", "ok", f"`{path}`", bytes=size)
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        message = f"`{path}` can't be read: {error.strerror}"
        return Finding("embedded", bad, message, fix=f"chmod u+r {quoted(path)}")
    if digest == sha256.lower():
        return Finding("embedded", "ok", f"`{path}`, sha256 verified", bytes=size)
    message = f"`{path}` is not what it should be: its sha256 is {digest}"
    if status.source is None:  # never remove a user's own file
        return Finding("embedded", bad, message, fix=_another_file(program), bytes=size)
    fix = f"rm {quoted(path)} && {cmd('local setup')}"
    return Finding("embedded", bad, message, fix=fix, bytes=size)
