"""What is kept on this machine: whether each database opens and is whole, and the cache."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gptasst.doctor.commands import counted, quoted
from gptasst.doctor.patient import Patient
from gptasst.doctor.types import Finding
from gptasst.errors import GptasstError
from gptasst.storage.sqlite import find_damage, open_unchanged
from gptasst.uploads.cache import FileCache

_SECONDS = 3.0  # for looking through one database


def database_findings(patient: Patient) -> Iterator[Finding]:
    """The databases whose loss would be one. Nothing is said of those that are whole."""
    paths = patient.paths
    for path in (paths.assistants_database, paths.conversations_database):
        damage = _damage(path)
        if damage:
            yield Finding(
                "assistants" if path == paths.assistants_database else "config",
                "problem",
                f"`{path}` is damaged: {damage}",
                fix=f"mv {quoted(path)} {quoted(f'{path}.damaged')}",
            )


def cache_findings(patient: Patient) -> Iterator[Finding]:
    """The caches, which are made anew by themselves where they are damaged."""
    paths = patient.paths
    for path in (paths.file_cache, paths.run_journal, paths.batch_records):
        damage = _damage(path)
        if damage:
            message = f"`{path}` is damaged ({damage}) and will be set aside when it is next used"
            rebuild = "gptasst cache rebuild" if path == paths.file_cache else f"rm {quoted(path)}"
            yield Finding("cache", "warning", message, fix=rebuild)
        elif path == paths.file_cache:
            yield _cache_finding(patient, path)


def _cache_finding(patient: Patient, path: Path) -> Finding:
    if not path.exists():
        return Finding("cache", "ok", "empty: nothing was read or uploaded yet")
    try:
        cache = FileCache.copy_of(path)
    except sqlite3.Error as error:
        message = f"`{path}` can't be used ({error}) and will be set aside when it is next used"
        return Finding("cache", "warning", message, fix="gptasst cache rebuild")
    with contextlib.closing(cache):
        message = f"`{path}`: {counted(len(cache.hashed_files()), 'local file')}"
        with contextlib.suppress(GptasstError):  # without a profile there is no server
            profile = patient.profile
            if not profile.embedded:
                project = f" ({profile.project})" if profile.project else ""
                uploads = len(cache.all_uploads(profile.scope))
                message += f", {counted(uploads, 'upload')} to {profile.endpoint}{project}"
    return Finding("cache", "ok", message, bytes=path.stat().st_size)


def _damage(path: Path) -> str | None:
    """What is wrong with a database; one that is not there is fine."""
    if not os.path.lexists(path):
        return None
    try:
        if path.stat().st_size == 0:
            return "it is empty"
        with contextlib.closing(open_unchanged(path)) as connection:
            return find_damage(connection, _SECONDS)
    except (sqlite3.Error, OSError) as error:
        return str(error)
