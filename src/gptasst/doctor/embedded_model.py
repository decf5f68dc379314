"""Whether the embedded model could run. It is a problem only where runs would use it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from gptasst.doctor.commands import quoted
from gptasst.doctor.patient import Patient
from gptasst.doctor.types import Finding, Severity
from gptasst.embedded.service import LocalModelStatus
from gptasst.errors import GptasstError, InvalidDefinition
from gptasst.installation import install_command

# Reading more than this takes longer than somebody wants to wait for an opinion.
_HASHED_BYTES = 1_000_000_000


def embedded_findings(patient: Patient) -> Iterator[Finding]:
    needed = _uses_embedded(patient)
    bad: Severity = "problem" if needed else "note"
    try:
        service = patient.local_model
    except InvalidDefinition:
        return  # that is a finding already: the configuration can't be read
    except GptasstError as error:  # its setting means no file
        yield Finding("embedded", bad, error.message, fix=_another_file(patient))
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
        yield _file_finding(patient, status, service.sha256, bad)
    elif status.source is None:
        message = f"the model file `{status.path}` does not exist"
        yield Finding("embedded", bad, message, fix=_another_file(patient))
    elif status.engine_installed:
        message = f"{status.model} is not fetched yet; the first run does it"
        yield Finding("embedded", "note", message, fix="gptasst local setup")


def _uses_embedded(patient: Patient) -> bool:
    try:
        return patient.profile.embedded
    except GptasstError:
        return False


def _another_file(patient: Patient) -> str:
    """What names another file; a variable comes before config.toml."""
    if patient.environ.get("GPTASST_LOCAL_MODEL"):
        return "export GPTASST_LOCAL_MODEL=FILE.gguf"
    return "gptasst config set local.model FILE.gguf"


def _file_finding(
    patient: Patient, status: LocalModelStatus, sha256: str | None, bad: Severity
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
        return Finding("embedded", "ok", f"`{path}`, whole by its sha256", bytes=size)
    message = f"`{path}` is not what it should be: its sha256 is {digest}"
    if status.source is None:  # a file of the user's own is not ours to remove
        return Finding("embedded", bad, message, fix=_another_file(patient), bytes=size)
    fix = f"rm {quoted(path)} && gptasst local setup"
    return Finding("embedded", bad, message, fix=fix, bytes=size)
