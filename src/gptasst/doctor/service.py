"""`gptasst doctor`: check everything, change nothing.

Each module checks one part and returns findings; this one combines them. A check that fails is a
finding itself, and the others continue.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gptasst.assistants.types import Assistant, AssistantSummary
from gptasst.config.profile import Profile
from gptasst.doctor.machine import (
    cache_findings,
    completion_findings,
    configuration_findings,
    database_findings,
    embedded_findings,
    instruction_findings,
    key_findings,
    program_findings,
    versions,
)
from gptasst.doctor.project import (
    ServerState,
    assistant_findings,
    file_findings,
    knowledge_findings,
    model_findings,
    server_findings,
    try_server,
    vector_findings,
)
from gptasst.doctor.types import TOPICS, Diagnosis, ExaminedProgram, Finding, worst
from gptasst.errors import GptasstError, broken_check
from gptasst.hints import shown
from gptasst.models.service import ListedModel
from gptasst.project_files.types import Leftovers
from gptasst.threads import in_groups, run_within

# Seconds for reading all lists of a project.
_SECONDS = 20.0
_READERS = 8
_NOTHING_TRIED = ServerState({})


def examine(program: ExaminedProgram) -> Diagnosis:
    """Check everything, within a minute. Raises and changes nothing.

    Args:
        program: the parts of the program, read-only.
    """
    made_of = versions()
    findings = list(program_findings(made_of, program.environ))
    for look in (
        configuration_findings,
        key_findings,
        database_findings,
        cache_findings,
        embedded_findings,
        instruction_findings,
        completion_findings,
    ):
        findings += _guarded(look, program)
    profile = _usable_profile(program)
    state = _NOTHING_TRIED
    if profile:
        state = _tried(program, profile)
        findings += _server_findings(profile, state, program.environ)
        damaged = any(f.topic == "assistants" for f in findings)
        findings += _project_findings(program, profile, state, look_at_assistants=not damaged)
    findings = [_followable(finding, program.profile_option) for finding in findings]
    return Diagnosis(
        severity=worst(findings),
        profile=profile.name if profile else None,
        endpoint=profile.endpoint if profile else None,
        versions=made_of,
        capabilities=state.capabilities,
        findings=tuple(sorted(findings, key=lambda finding: TOPICS.index(finding.topic))),
    )


def _followable(finding: Finding, profile_option: str | None) -> Finding:
    """The finding, with the examined profile added to its commands."""
    return replace(
        finding,
        message=shown(finding.message, profile_option),
        fix=finding.fix and shown(finding.fix, profile_option, quote=""),
    )


def _guarded(
    look: Callable[[ExaminedProgram], Iterable[Finding]], program: ExaminedProgram
) -> list[Finding]:
    try:
        return list(look(program))
    except Exception as error:  # noqa: BLE001  # a check that breaks leaves the others alone
        return [Finding("program", "problem", broken_check(error))]


def _usable_profile(program: ExaminedProgram) -> Profile | None:
    try:
        return program.profile
    except GptasstError:
        return None  # reported already


def _tried(program: ExaminedProgram, profile: Profile) -> ServerState:
    if profile.embedded or profile.lacks_key:
        return _NOTHING_TRIED
    return try_server(program, profile)


def _server_findings(
    profile: Profile, state: ServerState, environ: Mapping[str, str]
) -> Iterable[Finding]:
    if profile.embedded:
        message = "not used: runs use the embedded model on this machine"
        return [Finding("server", "ok", message)]
    if not state.answers:
        return [Finding("server", "note", f"{profile.endpoint} was not checked: it needs a key")]
    return server_findings(profile, state, environ)


def _project_findings(
    program: ExaminedProgram, profile: Profile, state: ServerState, *, look_at_assistants: bool
) -> list[Finding]:
    """Findings about assistants, files and models, as far as they can be read."""
    wanted: dict[str, Callable[[ExaminedProgram], Any]] = {}
    if look_at_assistants and (profile.store == "local" or state.has("vector stores")):
        wanted["assistants"] = _assistants
        wanted["knowledge"] = _knowledge
    if look_at_assistants and profile.store == "local" and profile.embedding_model:
        wanted["vectors"] = _without_vectors
    if state.has("files"):
        wanted["files"] = _leftovers
    if state.has("models"):
        wanted["models"] = _models
    jobs = {key: functools.partial(read, program) for key, read in wanted.items()}
    found = run_within(jobs, _SECONDS)
    findings = list[Finding]()
    if "assistants" in found:
        findings += assistant_findings(profile, found["assistants"])
    if "knowledge" in found and not isinstance(found["assistants"], GptasstError):
        findings += knowledge_findings(found["knowledge"])
    if "vectors" in found:
        findings += vector_findings(found["vectors"])
    if "files" in found:
        findings += file_findings(found["files"])
    assistants, listed = _known(found, "assistants"), _known(found, "models")
    return [*findings, *model_findings(profile, assistants, listed)]


def _assistants(program: ExaminedProgram) -> Sequence[AssistantSummary]:
    return program.assistants.list()


def _knowledge(program: ExaminedProgram) -> Sequence[Assistant]:
    """Every readable assistant, with its knowledge."""
    service = program.assistants
    idents = [summary.id for summary in service.list()]
    groups = in_groups(service.get, idents, _READERS)
    read = [result for group in groups for _, result in group]
    assistants = [result for result in read if isinstance(result, Assistant)]
    return sorted(service.checked(assistants), key=lambda one: one.name)


def _without_vectors(program: ExaminedProgram) -> Sequence[tuple[str, int]]:
    from gptasst.assistants.local_store import LocalStore

    store = program.store
    return store.without_vectors() if isinstance(store, LocalStore) else ()


def _leftovers(program: ExaminedProgram) -> Leftovers:
    return program.files.leftovers()


def _models(program: ExaminedProgram) -> Sequence[ListedModel]:
    return program.models.list()


def _known(found: dict[str, Sequence[Any] | GptasstError], key: str) -> Sequence[Any]:
    there = found.get(key, ())
    return () if isinstance(there, GptasstError) else there
